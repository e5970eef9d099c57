"""From a tidy frame to the quantities that the claims name: one value a seed. Nothing is drawn here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from helpers import frames
from helpers.topology.config import RING

OVER = ("seed",)
JUDGED = (4, 8, 16)  # dimensions at which the estimate is judged
HOLLOW = 8  # dimension of the hole-free cloud in which holes are counted
ROUND, OPEN, FLAT = {"shape": "ring"}, {"shape": "segment"}, {"shape": "disc"}
EYES = {  # through what images are looked at
    "pixels": "pixels",
    "trained": "trained judge",
    "second": "another trained judge",
    "untrained": "untrained judge",
}
SPOKEN = {  # of shapes, by the page's name: a column and the rows
    "bare": ("holes", {"shape": "ring", "noise": 0.0}),
    "bare_bars": ("bars", {"shape": "ring", "noise": 0.0}),
    "drowned": ("holes", {"shape": "ring", "noise": 3.0}),
    "ball_excess": ("excess", {"shape": "ball"}),
    "disc_clean": ("clean", {"shape": "disc", "noise": RING}),
}
Quantities = dict[str, Sequence[float]]


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with what follows from it. printed_ratio, mackay_ratio: estimates over the truth; excess: the
    document's count less that of a Gaussian cloud of the same dimension."""
    out = rows.copy()
    if {"truth", "printed"} <= set(out):
        out["printed_ratio"], out["mackay_ratio"] = out["printed"] / out["truth"], out["mackay"] / out["truth"]
    if "count" in out:
        out["excess"] = out["count"] - out["expected"]
    return out


@frames.kept
def calibrated(rows: pd.DataFrame) -> Quantities:
    """Quantities of `metric_calibration` (claims T10 to T12). Those whose rows are missing are left out."""
    n = points(rows)
    at_ring = {"part": "shape", "noise": RING}
    found = {
        "t10_ring_minus_segment": frames.paired(rows, "count", ROUND, OPEN, OVER, **at_ring),
        "t10_ring_minus_disc": frames.paired(rows, "count", ROUND, FLAT, OVER, **at_ring),
        "t10_gaussian_count": frames.per_seed(rows, "count", part="gaussian", d=HOLLOW, n=n),
        "t10_ring_found": 1 - frames.per_seed(rows, "clean", **at_ring, **ROUND),
        "t10_ball_clean": frames.per_seed(rows, "clean", part="shape", shape="ball"),
        "t11_order": frames.per_seed(rows, "order", part="shape", shape="pair"),
        "t12_accuracy": frames.per_seed(rows, "correct", part="eyes", eye="trained"),
    }
    found |= {f"t11_ratio_{d}": frames.per_seed(rows, "printed_ratio", part="gaussian", d=d, n=n) for d in JUDGED}
    for name, column in (("within", "printed"), ("pooled", "pooled_printed")):
        found[f"t12_{name}_ratio"] = _ratio(rows, column, "untrained")
        found[f"t12_{name}_two_trained"] = _ratio(rows, column, "second")
    return {k: np.asarray(v, float) for k, v in found.items() if len(v)}


def points(rows: pd.DataFrame) -> int:
    """n of the run's clouds: that of its shapes."""
    found = frames.rows(rows, part="shape")
    return int(found["n"].iloc[0]) if len(found) else 0


def named(name: str) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity by the name that the claims use."""
    return lambda rows: calibrated(rows).get(name, [])


def chosen(column: str, **where: object) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity: a column of the rows that `where` chooses, one a seed."""
    return lambda rows: frames.per_seed(rows, column, **where).to_numpy()


def least(column: str, by: str, border: float, **where: object) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity: each seed's smallest value of `by` from which on the column is below the border; nan where it
    never is."""

    def read(rows: pd.DataFrame) -> Sequence[float]:
        x, values = frames.curve(rows, column, by, **where)
        return [frames.crossing(x, -v, -border) for v in values]

    return read


def _ratio(rows: pd.DataFrame, column: str, eye: str) -> np.ndarray:
    """A column as one eye sees it over what the trained judge sees, a value a seed."""
    a, b = (frames.per_seed(rows, column, part="eyes", eye=e) for e in (eye, "trained"))
    both = a.index.intersection(b.index)
    return (a[both] / b[both]).to_numpy()
