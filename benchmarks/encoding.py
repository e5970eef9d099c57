"""How fast thousands of small models train: our two engines against what a user would write.

    python benchmarks/encoding.py --device cuda --out book/reference/benchmarks/encoding_cuda.json

All sides train the same models from the same start on the same 608 transitions (32 sequences of 20 tokens, the published
batch), full batch, Adam. The peers see tokens, as a user's loop does, and again the counted table that ours sees, which is
the stricter comparison. Before anything is timed, every side's losses after 25 steps are held to those of the sequential
loop in double precision, to 1e-5. (Later the paths part by themselves: where a gradient is all rounding error, Adam's first
steps follow its sign, and the sequential loop in single precision leaves its own double-precision path in the same way.)
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.func import grad, vmap
from torch.nn import functional as F

from helpers import devices, files, stacked
from helpers.encoding import fused, networks, tasks

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "encoding"))
import sequential  # the tests' oracle is the loop that a user would write

VOCAB, HIDDEN, WIDTHS, READOUT = 50, 64, (1, 2, 3, 4, 6, 8, 12, 16), "mlp"
STEPS_A_RUN = 600
GOALS = {  # (side, peer, device): ratio wanted
    ("fused", "sequential, tokens", "cuda"): 500,
    ("fused", "vmap, tokens", "cuda"): 20,
    ("stack", "sequential, tokens", "cpu"): 10,
}


def data(device: str):
    """608 pairs (x, y) of a Dirichlet chain, and the same as a table (1, V, V) that sums to one."""
    chain = tasks.dirichlet(VOCAB, np.random.default_rng(0))
    tokens = chain.sample(32, 20, np.random.default_rng(1))
    x, y = (torch.tensor(t.ravel(), device=device) for t in (tokens[:, :-1], tokens[:, 1:]))
    counts = tasks.bigram_counts(tokens, VOCAB)
    return x, y, torch.tensor(counts / counts.sum(), dtype=torch.float32, device=device)[None]


def models(count: int, device: str):
    """`count` starting points over the widths, and their learning rates."""
    single = [networks.one(READOUT, VOCAB, WIDTHS[i % len(WIDTHS)], HIDDEN, i // len(WIDTHS)) for i in range(count)]
    rates = torch.tensor([(0.003, 0.01)[i % 2] for i in range(count)], device=device)
    return single, rates


def piled(single, device: str):
    return {k: v.to(device) for k, v in stacked.pile(single).items()}


def ready(side: Callable, single, device: str):
    """What a side starts from, made before the clock runs: a list for the loop, one stack for the others."""
    return single if side is run_sequential else piled(single, device)


def run_sequential(single, rates, x, y, table, steps: int, counted: bool) -> torch.Tensor:
    """Final losses (M,) of the loop over models; on tokens, or on the counted table. In the precision of `single`."""
    out = []
    for start, lr in zip(single, rates.tolist(), strict=True):
        if counted:
            params = {k: v.clone().to(x.device)[None] for k, v in start.items()}
            leaves = [p.requires_grad_(True) for p in params.values()]
            optimiser = torch.optim.Adam(leaves, lr=lr)
            for _ in range(steps):
                loss = networks.cross_entropy(networks.forward(params, READOUT), table).sum()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            final = params
        else:
            final = {k: v[None] for k, v in sequential.train(start, READOUT, x, y, lr=lr, steps=steps)[1].items()}
        with torch.no_grad():
            out.append(networks.cross_entropy(networks.forward(final, READOUT), table))
    return torch.cat(out)


def run_vmap(single, rates, x, y, table, steps: int, counted: bool) -> torch.Tensor:
    """Final losses of torch.func.vmap over the gradient of one model's loss, with a hand-written Adam on the stack."""

    def loss(params):
        if counted:
            params = {k: v[None] for k, v in params.items()}
            return networks.cross_entropy(networks.forward(params, READOUT), table).sum()
        return F.cross_entropy(sequential.logits(params, READOUT, x), y)

    gradient = vmap(grad(loss))
    params = single
    first, second = ({k: torch.zeros_like(v) for k, v in params.items()} for _ in range(2))
    rate = rates.view(-1, 1, 1)
    for t in range(1, steps + 1):
        for k, g in gradient(params).items():
            first[k] = 0.9 * first[k] + 0.1 * g
            second[k] = 0.999 * second[k] + 0.001 * g * g
            step = (first[k] / (1 - 0.9**t)) / ((second[k] / (1 - 0.999**t)).sqrt() + 1e-8)
            params[k] = params[k] - rate * step
    return networks.cross_entropy(networks.forward(params, READOUT), table)


def run_stack(single, rates, x, y, table, steps: int, counted: bool) -> torch.Tensor:
    params = {k: v.clone() for k, v in single.items()}
    stacked.fit(params, lambda p, t: networks.cross_entropy(networks.forward(p, READOUT), table), lr=rates, steps=steps)
    return networks.cross_entropy(networks.forward(params, READOUT), table)


def run_fused(single, rates, x, y, table, steps: int, counted: bool) -> torch.Tensor:
    params = {k: v.clone() for k, v in single.items()}
    index = torch.zeros(len(rates), dtype=torch.int32, device=x.device)
    fused.fit(params, READOUT, table, index, lr=rates, steps=steps)
    return networks.cross_entropy(networks.forward(params, READOUT), table)


def clock(side: Callable, device: str, single, rates, *rest, steps: int, counted: bool, repeats: int) -> list[float]:
    """Model-steps per second, of `repeats` runs after one that is not counted (it compiles and warms up)."""
    found, start_from = [], ready(side, single, device)
    for i in range(repeats + 1):
        _wait(device)
        start = time.perf_counter()
        side(start_from, rates, *rest, steps, counted)
        _wait(device)
        if i:
            found.append(len(single) * steps / (time.perf_counter() - start))
    return found


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def plan(device: str, scale: float) -> dict[str, tuple[Callable, bool, int, int]]:
    """side: (function, on the counted table, models, steps) of one timed run; sizes at which each side does its best."""
    n = lambda count: max(8, int(count * scale))
    if device == "cpu":
        return {
            "sequential, tokens": (run_sequential, False, 8, n(60)),
            "sequential, counts": (run_sequential, True, 8, n(60)),
            "vmap, tokens": (run_vmap, False, 64, n(20)),
            "vmap, counts": (run_vmap, True, 64, n(40)),
            "stack": (run_stack, True, 256, n(60)),
        }
    return {
        "sequential, tokens": (run_sequential, False, 4, n(200)),
        "sequential, counts": (run_sequential, True, 4, n(200)),
        "vmap, tokens": (run_vmap, False, 4096, n(30)),
        "vmap, counts": (run_vmap, True, 4096, n(50)),
        "stack": (run_stack, True, 4096, n(100)),
        "fused": (run_fused, True, 8448, n(600)),
    }


def check(device: str, x, y, table, steps: int = 25, count: int = 16) -> dict[str, float]:
    """Largest difference of any model's loss from the double-precision loop on tokens. AssertionError past 1e-5."""
    single, rates = models(count, device)
    double = [{k: v.double() for k, v in m.items()} for m in single]
    oracle = run_sequential(double, rates, x, y, table.double(), steps, False)
    found = {}
    for name, (side, counted, _, _) in plan(device, 1).items():
        start = ready(side, single, device)
        found[name] = float((side(start, rates, x, y, table, steps, counted) - oracle).abs().max())
        assert found[name] < 1e-5, f"{name}: losses differ from the sequential loop's by {found[name]:.2g}"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="of the steps in a timed run; small for a trial")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves torch's own choice")
    parser.add_argument("--out", help="write the results here, as JSON")
    given = parser.parse_args()
    device = devices.resolve(given.device)
    if given.threads:
        torch.set_num_threads(given.threads)
    x, y, table = data(device)
    differences = check(device, x, y, table)
    print(f"{devices.provenance(device)['device']}: losses agree, largest difference {max(differences.values()):.1e}")
    speeds = {}
    for name, (side, counted, count, steps) in plan(device, given.scale).items():
        single, rates = models(count, device)
        found = clock(side, device, single, rates, x, y, table, steps=steps, counted=counted, repeats=given.repeats)
        speeds[name] = {"models": count, "steps": steps, "model_steps_per_second": found}
        middle = statistics.median(found)
        spread = f"{min(found):,.0f} … {max(found):,.0f}"
        runs = middle * 3600 / STEPS_A_RUN
        print(f"{name:20} {middle:14,.0f} model-steps/s ({spread}), {runs:14,.0f} runs of {STEPS_A_RUN} steps an hour")
    goals = []
    for (side, peer, where), wanted in GOALS.items():
        if where == device:
            medians = [statistics.median(speeds[s]["model_steps_per_second"]) for s in (side, peer)]
            goals.append({"side": side, "peer": peer, "wanted": wanted, "ratio": medians[0] / medians[1]})
            verdict = "PASS" if goals[-1]["ratio"] >= wanted else "FAIL"
            print(f"{verdict}  {side} / {peer}: {goals[-1]['ratio']:,.0f}x (goal {wanted}x)")
    if given.out:
        result = {"benchmark": "encoding", "provenance": devices.provenance(device), "threads": torch.get_num_threads()}
        result |= {"differences": differences, "speeds": speeds, "goals": goals}
        files.write_atomic(given.out, files.strict_json(result) + "\n")


if __name__ == "__main__":
    main()
