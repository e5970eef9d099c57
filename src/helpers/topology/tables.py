"""The chapter's tables: means over seeds, of the sides they are given."""

from __future__ import annotations

import pandas as pd

from helpers import frames
from helpers.study import Sides
from helpers.topology.quantities import EYES

COLUMNS = {
    "truth": "true dimension",
    "printed": "dimension, as printed",
    "mackay": "MacKay–Ghahramani",
    "loops": "true loops",
    "count": "count, as printed",
    "expected": "of a Gaussian cloud",
    "holes": "universal law",
}
SIGNS = {(f, False): f"sign, {f} factor{'s' if f > 1 else ''}" for f in range(1, 6)}
SIGNS |= {(0, True): "sign, turned", (1, True): "sign, turned, 1 factor", (2, True): "sign, turned, 2 factors"}


SOURCES = {"test": "the test part", "train": "the part that the judges were trained on, for the test part is too small"}


def source(sides: Sides) -> str:
    """Which part of the images this run looked at, in words."""
    return SOURCES[sides.this["source"].iloc[0]]


def shapes(sides: Sides) -> pd.DataFrame:
    """A row a shape without noise and a sign's manifold: what is true, and what the metrics say."""
    rows = sides.this
    plain = frames.rows(rows, part="shape", noise=0.0)
    named = [(name, frames.rows(plain, shape=name)) for name in dict.fromkeys(plain["shape"]) if name != "pair"]
    named += [(name, frames.rows(rows, part="sign", factors=f, ring=r)) for (f, r), name in SIGNS.items()]
    return pd.DataFrame([{"cloud": name} | _means(found) for name, found in named if len(found)])


def neighbours(sides: Sides, dimensions: tuple[int, ...]) -> pd.DataFrame:
    """The printed estimate by the number of neighbours, a column a true dimension."""
    rows = frames.rows(sides.this, part="neighbours")
    ks = sorted(set(rows["step"]))
    at = lambda k, d: float(frames.per_seed(rows, "printed", step=k, d=d).mean())
    return pd.DataFrame([{"neighbours k": k} | {f"dimension {d}": at(k, d) for d in dimensions} for k in ks])


def eyes(sides: Sides) -> pd.DataFrame:
    """A row an eye: what the same real images measure."""
    rows = frames.rows(sides.this, part="eyes")
    shown = {
        "correct": "right answers",
        "printed": "within a class",
        "pooled_printed": "pooled",
        "count": "count, as printed",
    }
    shown |= {"expected": "of a Gaussian cloud", "holes": "universal law"}
    named = [(name, frames.rows(rows, eye=eye)) for eye, name in EYES.items()]
    return pd.DataFrame([{"seen by": n} | {v: float(found[k].mean()) for k, v in shown.items()} for n, found in named])


def _means(rows: pd.DataFrame) -> dict[str, float]:
    return {name: float(rows[column].mean()) for column, name in COLUMNS.items()}
