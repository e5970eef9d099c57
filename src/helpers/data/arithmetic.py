"""Sums that are made, not read: '37+5=' and '42'."""

from __future__ import annotations

from helpers import devices
from helpers.data.pairs import Pair, PairSet

SIGNS = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}


def make(count: int, *, digits: int = 2, signs: str = "+-", seed: int = 0) -> PairSet:
    """`count` different sums of two numbers below 10^digits. Raises ValueError for values that give too few."""
    if not 1 <= digits <= 9 or not signs or set(signs) - set(SIGNS):
        raise ValueError(f"digits={digits}, signs={signs!r}: 1 to 9 digits, and some of {''.join(SIGNS)}")
    most = 10**digits
    if not 1 <= count <= most * most * len(set(signs)):
        raise ValueError(f"count={count}: there are {most * most * len(set(signs))} different sums; use 1 to that many")
    rng, rows = devices.numpy_rng("arithmetic", digits, signs, seed), {}
    while len(rows) < count:
        a, b = map(int, rng.integers(0, most, 2))
        sign = signs[int(rng.integers(len(signs)))]
        rows.setdefault(f"{a}{sign}{b}=", Pair(f"{a}{sign}{b}=", str(SIGNS[sign](a, b)), f"sum {len(rows)}"))
    return PairSet("arithmetic", tuple(rows.values()), {})
