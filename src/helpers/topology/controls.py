"""Could the tests of the chapter have said otherwise? Its rows with an effect put in, and the same rows with it taken
out.

The scatter over seeds stays as it was measured; only means are moved. A claim whose tests miss these answers stays
undecided.
"""

from __future__ import annotations

import pandas as pd

from helpers import frames
from helpers.controls import shifted
from helpers.topology import quantities
from helpers.topology.config import RING
from helpers.topology.quantities import FLAT, HOLLOW, JUDGED, OPEN, OVER, ROUND, Quantities

RAISED = 1.5  # bars by which a planted ring raises the count
WRONG = 1.25  # times the true dimension, and the trained judge's
PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "T10": (
        f"a ring counts {RAISED:g} bars more than a segment and a disc, a hole-free cloud half a bar",
        "a ring counts as both do",
    ),
    "T11": ("estimates are right on average", f"estimates are {WRONG:g} times the truth"),
    "T12": ("an untrained judge sees the trained one's dimension", f"it sees {WRONG:g} times as much"),
}


def calibrated(rows: pd.DataFrame) -> dict[str, tuple[Quantities, Quantities]]:
    """{claim: (quantities with its effect planted, quantities with none)}, of the claims whose studies ran."""
    n, parts = quantities.points(rows), set(rows["part"])
    out = {}
    if {"shape", "gaussian"} <= parts:
        out["T10"] = _counts(rows, RAISED, 0.5, n), _counts(rows, 0.0, 2.0, n)
        out["T11"] = _estimates(rows, 1.0, n), _estimates(rows, WRONG, n)
    if "eyes" in parts:
        out["T12"] = _seen(rows, 1.0), _seen(rows, WRONG)
    return out


def _counts(rows: pd.DataFrame, more: float, hollow: float, n: int) -> Quantities:
    for other in (OPEN, FLAT):
        rows = shifted(rows, "count", -more, other, ROUND, OVER, part="shape", noise=RING)
    return quantities.calibrated(shifted(rows, "count", hollow, {"d": HOLLOW}, None, OVER, part="gaussian", n=n))


def _estimates(rows: pd.DataFrame, ratio: float, n: int) -> Quantities:
    for d in JUDGED:
        rows = shifted(rows, "printed_ratio", ratio, {"d": d}, None, OVER, part="gaussian", n=n)
    return quantities.calibrated(rows)


def _seen(rows: pd.DataFrame, ratio: float) -> Quantities:
    for column in ("printed", "pooled_printed"):
        trained = frames.per_seed(rows, column, part="eyes", eye="trained").mean()
        more = trained * (ratio - 1)
        rows = shifted(rows, column, more, {"eye": "untrained"}, {"eye": "trained"}, OVER, part="eyes")
    return quantities.calibrated(rows)
