"""How fast stored codes become weights: the fused kernels against a copy, a compiled peer, and scipy.

    python benchmarks/dtdr.py --device cuda --condition --out book/reference/benchmarks/dtdr_cuda.json
    python benchmarks/dtdr.py --device cpu --threads 1 --out book/reference/benchmarks/dtdr_cpu.json

On a GPU all sides work on one list of matrices with the shapes of Mistral-7B (7.248e9 weights in bf16), and the yardstick of
decoding is a copy of them: a decode reads one byte a weight and writes two, a copy reads two and writes two. On a CPU they
work on one matrix. Where torchao is installed (`pip install -e .[bench]`), two more sides run on the GPU: its dequantisation
alone, and with the Hadamard matrix multiplied on. Before anything is timed, every side is held to the torch path in float32,
on Gaussian and heavy-tailed weights. Sides take turns, so that a change of the clocks hits all of them; the first round, with
compilation, counts apart.
`--condition` also times a whole condition on a live model of that shape: decode, 16,384 tokens of loss, 8 greedy texts.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import statistics
import time
from collections.abc import Callable

import dtdr_sides
import torch

from helpers import devices, files
from helpers.codec.codec import Codec

GOALS = {  # (side, peer, device): ratio of weights per second wanted
    ("decode", "clone", "cuda"): 1 / 0.85,
    ("decode", "torch.compile, butterfly", "cuda"): 4,
    ("decode", dtdr_sides.MIXED, "cuda"): 2,
    ("encode", "encode, torch", "cuda"): 2.5,
    ("decode", "scipy.fft.idct", "cpu"): 3,
}
CONDITION = 1.5  # seconds, wanted of a whole condition at 7B


def clock(sides: dict[str, Callable], device: str, repeats: int) -> dict[str, tuple[float, list[float]]]:
    """Seconds of each side: of its first run, and of `repeats` more; in turns."""
    first, seconds = {}, {side: [] for side in sides}
    for i in range(repeats + 1):
        for side, run in sides.items():
            _wait(device)
            start = time.perf_counter()
            run()
            _wait(device)
            took = time.perf_counter() - start
            if i:
                seconds[side].append(took)
            else:
                first[side] = took
    return {side: (first[side], seconds[side]) for side in sides}


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def on_gpu(codec: Codec, size: str, device: str, repeats: int) -> tuple[dict, dict, int]:
    """Differences, seconds and the number of weights of the sides on a whole model's matrices."""
    sizes = dtdr_sides.shapes(size)
    count = sum(rows * width for rows, width in sizes)
    devices.need_memory(6 * count, device, f"the benchmark at {size}")  # weights, their copy, codes, and some room
    differences = dtdr_sides.check(codec, sizes, device)
    _report_check(differences, device)
    model = dtdr_sides.Model(sizes, codec, device)
    return differences, clock(model.sides(), device, repeats), count


def on_cpu(codec: Codec, device: str, repeats: int) -> tuple[dict, dict, int]:
    """The same of the sides on one matrix."""
    sides, differences = dtdr_sides.cpu_sides(codec)
    _report_check(differences, device)
    return differences, clock(sides, device, repeats), sides["clone"]().numel()


def _report_check(differences: dict[str, float], device: str) -> None:
    worst = max(differences, key=differences.get)
    print(
        f"{devices.provenance(device)['device']}: all sides agree; furthest {worst}, {differences[worst]:.1e}",
        flush=True,
    )


def speeds_of(clocked: dict[str, tuple[float, list[float]]], count: int) -> dict[str, dict]:
    """What the result stores of each side, printed as a line each."""
    speeds = {}
    for side, (first, seconds) in clocked.items():
        speeds[side] = {"weights": count, "first_seconds": first, "weights_per_second": [count / s for s in seconds]}
        middle, least, most = (f(seconds) * 1e3 for f in (statistics.median, min, max))
        rate = count / statistics.median(seconds) / 1e9
        print(
            f"{side:28} {middle:10.2f} ms ({least:.2f} … {most:.2f}), {rate:8.2f}e9 weights/s; first run {first:.1f} s"
        )
    return speeds


def goals_of(speeds: dict[str, dict], device: str) -> list[dict]:
    """The ratios that were set as goals for this device, printed as a line each; none with a peer that is absent."""
    goals = []
    for (side, peer, where), wanted in GOALS.items():
        if where == device.partition(":")[0] and peer in speeds:
            ours, theirs = (statistics.median(speeds[s]["weights_per_second"]) for s in (side, peer))
            goals.append(_goal(side, peer, wanted, ours / theirs))
    return goals


def _goal(side: str, peer: str, wanted: float, ratio: float) -> dict:
    print(f"{'PASS' if ratio >= wanted else 'FAIL'}  {side} / {peer}: {ratio:.2f}x (goal {wanted:.2f}x)")
    return {"side": side, "peer": peer, "wanted": wanted, "ratio": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--shape", choices=("mistral-7b", "small"), default="mistral-7b", help="of the model, on a GPU")
    parser.add_argument("--cap", type=int, default=128, help="largest block of the codec")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves torch's own choice")
    parser.add_argument("--condition", action="store_true", help="also time a whole condition on a live model")
    parser.add_argument("--out", help="write the results here, as JSON")
    given = parser.parse_args()
    device, codec = devices.resolve(given.device), Codec(cap=given.cap)
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    cuda = device.startswith("cuda")
    found = on_gpu(codec, given.shape, device, given.repeats) if cuda else on_cpu(codec, device, given.repeats)
    differences, clocked, count = found
    speeds = speeds_of(clocked, count)
    goals = goals_of(speeds, device)
    result = {"benchmark": "dtdr", "provenance": devices.provenance(device), "threads": torch.get_num_threads()}
    result |= {"unit": "weights_per_second", "shape": given.shape if cuda else "1024 x 4096", "block": given.cap}
    if dtdr_sides.MIXED in speeds:
        result["torchao"] = importlib.metadata.version("torchao")
    if given.condition:
        import dtdr_condition

        if cuda:
            del clocked, found  # the matrices go before a live model comes
            torch.cuda.empty_cache()
        result["condition"] = dtdr_condition.measure(codec, given.shape, device, given.repeats)
        total = statistics.median(result["condition"]["seconds"]["condition"])
        goals.append(_goal("condition", f"{CONDITION} s", 1, CONDITION / total))
    if given.out:
        result |= {"differences": differences, "speeds": speeds, "goals": goals}
        files.write_atomic(given.out, files.strict_json(result) + "\n")


if __name__ == "__main__":
    main()
