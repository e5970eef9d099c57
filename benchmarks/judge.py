"""How often the judge is wrong, and how often it sees what is there: whole ledgers whose truth is known.

    python benchmarks/judge.py --ledgers 1000 --out book/reference/judge/calibration.json

Every claim with a test on sampled units is judged by its precise criterion, by the judge itself, on quantities drawn with the
planned number of units: normal with the scatter that the committed reference measured, or, of what was never run, with half
the distance between the border and the planted effect; shares as coin tosses. Controls are taken to pass. Bootstrap intervals
are replaced by Student's, which takes a thousandth of the time and is nearly the same at these numbers of units.

    planted   every test's truth lies at twice the margin
    edge      one test's truth lies on its border, the others' far inside: the worst case of a false support
    border    every test's truth lies on its border: the worst case of a false refutation
    null      every test's truth lies outside by as much as the planted effect lies inside
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from helpers import claims, devices, files

SETTINGS = ("planted", "edge", "border", "null")
LEAST = 50  # ledgers
FEWEST = 8  # units of a criterion that names no number


def truths(test: claims.Test, setting: str, first: bool, spread: float = 0.0) -> float:
    """Where the truth of a test lies, on the scale that it is judged on. spread: of its units; six of it are far inside."""
    scale = math.log if test.log else float
    above, below = (scale(b) if math.isfinite(b) else b for b in (test.above, test.below))
    border = above if math.isfinite(above) else below
    planted = scale(test.planted)
    if setting == "edge" and not first:
        open_end = not (math.isfinite(above) and math.isfinite(below)) and test.interval != "wilson"
        return border + math.copysign(max(abs(planted - border), 6 * spread), planted - border) if open_end else planted
    if setting == "planted":
        return planted
    outside = 2 * border - planted
    if test.interval == "wilson":
        outside = min(max(outside, 0.0), 1.0)
    return outside if setting == "null" else border


def scatter(test: claims.Test, values: list[float] | None) -> float:
    """Standard deviation of a test's units: measured, or half as large as the effect that is planted."""
    if values and len(values) > 2:
        return float(np.std(np.log(values) if test.log else values, ddof=1))
    return abs(truths(test, "planted", False) - truths(test, "border", True)) / 2


def draw(test: claims.Test, setting: str, first: bool, n: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) units; of draws, (999,) resampled estimates."""
    at = truths(test, setting, first, spread)
    if test.interval == "wilson":
        return (rng.random(n) < at).astype(float)
    x = rng.normal(at, spread, n)
    return np.exp(x) if test.log else x


def simulate(claim: claims.Claim, measured: dict[str, list[float]], ledgers: int, rng: np.random.Generator) -> dict:
    """Shares of every verdict of one claim in every setting, and its number of units."""
    student = tuple(replace(t, interval="t") if t.interval == "bootstrap" else t for t in claim.precise.tests)
    tests = tuple(t for t in student if t.interval in ("t", "wilson"))
    bare = replace(
        claim, precise=replace(claim.precise, tests=tests, controls=()), printed=claims.Criterion(""), earlier=()
    )
    units = [claim.precise.planned or max(FEWEST, claim.precise.needs(t)) for t in tests]
    spreads = [scatter(t, measured.get(t.quantity)) for t in tests]
    out = {"units": units, "measured": all(t.quantity in measured for t in tests), "tests": len(tests)}
    for setting in SETTINGS:
        told = Counter()
        for i in range(ledgers):
            drawn = {
                t.quantity: draw(t, setting, k == i % len(tests), n, spread, rng)
                for k, (t, spread, n) in enumerate(zip(tests, spreads, units, strict=True))
            }
            told[claims.judge({claim.id: bare}, drawn)[0].verdict] += 1
        out[setting] = {verdict: count / ledgers for verdict, count in sorted(told.items())}
    return out


def measured() -> dict[str, list[float]]:
    """The quantities of all committed references."""
    headers = sorted((files.root() / "book" / "reference").glob("*/reference.json"))
    return {k: v for path in headers for k, v in (files.read_json(path).get("quantities") or {}).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ledgers", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    if asked.ledgers < LEAST:
        parser.error(f"--ledgers {asked.ledgers}: shares of so few say nothing; use {LEAST} or more")
    if asked.out.is_dir() or not os.access(asked.out.resolve().parent, os.W_OK):  # before minutes of work
        parser.error(f"--out {asked.out} cannot be written; name a file in a folder that is there and yours")
    known, start, found = measured(), time.perf_counter(), {}
    for claim in claims.load().values():
        if any(t.interval in ("t", "wilson", "bootstrap") for t in claim.precise.tests):
            seed = [asked.seed, *claim.id.encode()]
            found[claim.id] = simulate(claim, known, asked.ledgers, np.random.default_rng(seed))
    result = {
        "ledgers": asked.ledgers,
        "seed": asked.seed,
        "claims": claims.digest(claims.load()),
        "seconds": round(time.perf_counter() - start, 1),
        "provenance": devices.provenance("cpu"),
        "command": f"python benchmarks/judge.py --ledgers {asked.ledgers} --seed {asked.seed} --out {asked.out}",
        "settings": found,
    }
    files.write_atomic(asked.out, files.strict_json(result))


if __name__ == "__main__":
    main()
