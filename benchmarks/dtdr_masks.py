"""Masks and levels of one model: each in the model itself, one after the other, against copies side by side.

    python benchmarks/dtdr_masks.py [--masks 12] [--texts 256]

The same damages, levels and masks are measured both ways on the storyteller; the numbers must be equal, and the time of both is
told. On a CPU there are no launches to save, and the copies are only held to the numbers.
"""

from __future__ import annotations

import argparse
import time

import torch

from helpers import devices, files, lm, storyteller
from helpers.dtdr import Subject
from helpers.dtdr.config import GRID
from helpers.dtdr.named import EVEN, RAW, SPOILED, TRANSFORMED

DAMAGES = (RAW, TRANSFORMED, EVEN, SPOILED)


def timed(subject: Subject, masks: int, device: str) -> tuple[dict[str, float], list[dict]]:
    """Seconds of every damage, and what was measured, over all levels and masks; once before, without a clock."""
    seconds, found = {}, []
    for damage in DAMAGES:
        levels = [f for f in GRID if damage.kind != "spoil" or f <= 0.1]
        jobs = [(seed, level) for seed in range(masks) for level in levels]
        subject.measured(damage, jobs[:2])
        start = time.perf_counter()
        found += subject.measured(damage, jobs)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        seconds[damage.label] = (time.perf_counter() - start) / len(jobs)
    return seconds, found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--masks", type=int, default=12)
    options.add_argument("--texts", type=int, default=256)
    options.add_argument("--copies", type=int, default=None, help="by default what serves the device, 3 on a CPU")
    given = options.parse_args()
    device = devices.resolve("auto")
    found = lm.load("storyteller", device=device)
    tokens = storyteller.tokens(found, count=given.texts, length=64, seed=0)
    copies = given.copies if given.copies is not None else None if device.startswith("cuda") else 3
    alone, beside = (Subject(found, tokens, copies=n) for n in (0, copies))
    slow, one = timed(alone, given.masks, device)
    fast, other = timed(beside, given.masks, device)
    apart = max(abs(a[k] - b[k]) for a, b in zip(one, other, strict=True) for k in a)
    assert apart < 1e-3, f"copies side by side are {apart:.2g} from the model alone"
    print(f"{len(one)} conditions each way on {device}; largest difference of a number {apart:.1e}")
    for name in slow:
        print(
            f"{name}: {1e3 * slow[name]:.2f} ms alone, {1e3 * fast[name]:.2f} ms side by side, {slow[name] / fast[name]:.1f} ×"
        )
    total = sum(slow.values()) / sum(fast.values())
    print(files.strict_json({"ms_alone": slow, "ms_beside": fast, "times": total, "apart": apart}))


if __name__ == "__main__":
    main()
