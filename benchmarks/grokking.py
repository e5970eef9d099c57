"""How fast many models learn to add modulo p: ours against what a user would write.

    python benchmarks/grokking.py --device cuda --out book/reference/benchmarks/grokking_cuda.json

All sides train the same models from the same starts on the same pairs (p = 113, 55 % of the unordered pairs, one layer,
d = 128, 4 heads, 512 neurons), full batch, AdamW with decay 1, and a loss that rounding does not reach. The peers compute the
whole sequence of three tokens and a loss in double precision: the loop one model after another, with torch.optim.AdamW, and
with the held-out loss after every step, as the published code has it; vmap many at once. Before anything is timed, the first
200 losses of ours in double precision are held to the loop's, to 1e-6; what single precision, TF32 and bfloat16 do to the
first 200 losses is written down beside it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch.func import grad, vmap
from torch.nn import functional as F

from helpers import devices, files, stacked
from helpers.separability.grokking import Addition, data, fused, models
from helpers.separability.grokking.stack import Stack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "separability"))
import modular_oracle as oracle  # the tests' oracle is the loop that a user would write

FULL = Addition(share=0.55)
STEPS_A_RUN, GRID = 50_000, 256  # steps of a run; 64 seeds × 4 decays
GOALS = {("tf32", "loop"): 100, ("tf32", "vmap"): 3, ("exact", "vmap"): 3}
MINUTES = 12  # for the grid, on a GPU


def of_seed(config: Addition, seed: int, device: str, dtype=torch.float32) -> tuple[dict, torch.Tensor, torch.Tensor]:
    """A start, its training pairs and its held-out pairs."""
    start = {k: v.to(device, dtype) for k, v in models.one(config, seed).items()}
    return start, *(torch.tensor(x.copy(), device=device) for x in data.unordered(config.p, config.trained, seed))


def run_loop(config: Addition, count: int, steps: int, device: str, held: bool = False) -> None:
    for seed in range(count):
        start, trained, other = of_seed(config, seed, device)
        params = {k: v.requires_grad_(True) for k, v in start.items()}
        optimiser = torch.optim.AdamW(list(params.values()), lr=config.rate, betas=config.betas, weight_decay=1.0)
        loss = lambda pairs, params=params: F.cross_entropy(
            oracle.grok_logits(params, pairs, config.heads).double(), pairs.sum(1) % config.p
        )
        for _ in range(steps):
            optimiser.zero_grad()
            loss(trained).backward()
            optimiser.step()
            if held:
                with torch.no_grad():
                    loss(other)


def run_vmap(config: Addition, count: int, steps: int, device: str) -> None:
    found = [of_seed(config, seed, device) for seed in range(count)]
    params, pairs = stacked.pile([start for start, *_ in found]), torch.stack([trained for _, trained, _ in found])

    def loss(single, pairs):
        return F.cross_entropy(oracle.grok_logits(single, pairs, config.heads).double(), pairs.sum(1) % config.p)

    gradient, (b1, b2) = vmap(grad(loss)), config.betas
    first, second = ({k: torch.zeros_like(v) for k, v in params.items()} for _ in range(2))
    for t in range(1, steps + 1):
        for k, g in gradient(params, pairs).items():
            first[k] = b1 * first[k] + (1 - b1) * g
            second[k] = b2 * second[k] + (1 - b2) * g * g
            step = (first[k] / (1 - b1**t)) / ((second[k] / (1 - b2**t)).sqrt() + 1e-8)
            params[k] = params[k] * (1 - config.rate) - config.rate * step


def run_ours(config: Addition, count: int, steps: int, device: str, products: str) -> None:
    stack = Stack(replace(config, products=products), [("decay 1", seed) for seed in range(count)], device)
    with devices.tf32(products != "exact" and device.startswith("cuda")):
        stacked.fit(stack.params, stack.loss, lr=config.rate, steps=steps, betas=config.betas, decay=stack.decay)


def losses(config: Addition, device: str, products: str, dtype=torch.float32, steps: int = 200) -> torch.Tensor:
    """(steps,) training losses of seed 0."""
    start, trained, _ = of_seed(config, 0, device, dtype)
    of, params = models.batch(trained[None], config.p, device, dtype), {k: v[None] for k, v in start.items()}
    loss = lambda params: models.surprise(models.logits(params, of, config.heads, products == "bf16"), of.sums)[0]
    if fused.fits(replace(config, products=products), device):
        pairs = fused.pairs(trained[None], config.p)
        loss = lambda params: fused.surprise(params, pairs, config.heads)[0]
    with devices.tf32(products != "exact" and device.startswith("cuda")):
        seen = stacked.fit(
            params, lambda p, clock: loss(p), lr=config.rate, steps=steps, betas=config.betas, decay=1.0,
            log=range(steps), probe=loss,
        )  # fmt: skip
    return torch.cat(seen).double().cpu()


def check(config: Addition, device: str) -> dict[str, float]:
    """Largest difference of the first 200 losses from the loop in double precision, each relative to 1 + the loss."""
    start, trained, _ = of_seed(config, 0, device, torch.float64)
    theirs = torch.tensor(oracle.grok_losses(start, trained, config.heads, 200, config.rate, 1.0))
    kinds = {"double": ("exact", torch.float64)} | {k: (k, torch.float32) for k in ("exact", "tf32", "bf16")}
    apart = lambda ours: float(((ours - theirs).abs() / (1 + theirs)).max())
    found = {name: apart(losses(config, device, *kind)) for name, kind in kinds.items()}
    assert found["double"] < 1e-6, f"losses differ from the loop's by {found['double']:.2g}"
    return found


def clock(side: Callable, count: int, steps: int, device: str, repeats: int) -> list[float]:
    """Model-steps a second, of `repeats` runs after one that is not counted."""
    found = []
    for i in range(repeats + 1):
        start = _now(device)
        side(count, steps, device)
        if i:
            found.append(count * steps / (_now(device) - start))
    return found


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def plan(config: Addition, device: str, scale: float) -> dict[str, tuple[Callable, int, int]]:
    """side: (function, models, steps) of one timed run; sizes at which each side does its best."""
    n = lambda steps: max(3, int(scale * steps))
    large, many = (64, 200) if device == "cuda" else (4, 6)
    sides = {
        "loop": (lambda *a: run_loop(config, *a), 1, n(many)),
        "loop with held-out loss": (lambda *a: run_loop(config, *a, held=True), 1, n(many)),
        "vmap": (lambda *a: run_vmap(config, *a), large // 4, n(many // 4)),
    }
    for kind in ("exact", "tf32", "bf16") if device == "cuda" else ("exact",):
        sides[kind] = (
            lambda *a, kind=kind: run_ours(config, *a, kind),
            large,
            n(5 * many if device == "cuda" else many),
        )
    return sides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the steps in a timed run; small for a trial")
    parser.add_argument("--p", type=int, default=FULL.p, help="a smaller prime for a trial")
    parser.add_argument("--out", help="write the results here, as JSON")
    given = parser.parse_args()
    device, config = devices.resolve(given.device), replace(FULL, p=given.p)
    differences = check(config, device)
    print(f"{devices.provenance(device)['device']}: first 200 losses, {differences}")
    speeds = {}
    for name, (side, count, steps) in plan(config, device, given.scale).items():
        found = clock(side, count, steps, device, given.repeats)
        speeds[name] = {"models": count, "steps": steps, "model_steps_per_second": found}
        middle = statistics.median(found)
        hour, grid = middle * 3600 / STEPS_A_RUN, GRID * STEPS_A_RUN / middle / 60
        print(
            f"{name:24} {middle:12,.1f} model-steps/s, {hour:10,.2f} runs an hour, the grid of {GRID} in {grid:,.1f} min"
        )
    speed = {name: statistics.median(found["model_steps_per_second"]) for name, found in speeds.items()}
    goals = [
        {"side": a, "peer": b, "wanted": wanted, "ratio": speed[a] / speed[b]}
        for (a, b), wanted in GOALS.items()
        if a in speed
    ]
    for goal in goals:
        word = "PASS" if goal["ratio"] >= goal["wanted"] else "FAIL"
        print(f"{word}  {goal['side']} / {goal['peer']}: {goal['ratio']:,.1f}x (goal {goal['wanted']}x)")
    if given.out:
        result = {"benchmark": "grokking", "provenance": devices.provenance(device), "p": config.p}
        result |= {"differences": differences, "speeds": speeds, "goals": goals, "minutes": MINUTES}
        files.write_atomic(given.out, files.strict_json(result) + "\n")


if __name__ == "__main__":
    main()
