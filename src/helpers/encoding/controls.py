"""Could the tests of Part V have said otherwise? Their rows with an effect put in, and the same rows with it taken out.

The scatter over seeds stays as it was measured; only means are moved. The chapters show what the tests say then; no claim is
judged by it.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from helpers import controls
from helpers.encoding import quantities
from helpers.encoding.quantities import Quantities

LARGE = 0.1  # nats that are planted, and the share by which a code is made to keep more or less than all
PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "E1": (f"the learned code is {LARGE:g} nats better than the autoencoder's", f"it is {LARGE:g} nats worse"),
    "E3": (f"the fair two-stage code is {LARGE:g} nats worse than the learned one", "both are as good"),
    "E5": (f"the random code is {LARGE:g} nats worse than the learned one", "both are as good"),
    "E6": (f"in context the autoencoder's code is {LARGE:g} nats worse", "both are as good"),
    "E8": (f"every compression keeps {1 + LARGE:g} of the gain", f"every compression keeps {1 - LARGE:g} of it"),
}
Controls = dict[str, tuple[Quantities, Quantities]]


def learned(rows: pd.DataFrame) -> Controls:
    """{claim: (quantities with its effect planted, quantities with none)} of the first chapter.

    Empty before its studies ran.
    """
    if not {"chains", "rules"} <= set(rows["part"]):
        return {}
    compared = (rows["readout"] == "residual") & rows["d"].isin(
        quantities.widths(rows)
    )  # of the chains all that is judged
    rows = rows[rows["end"] & (compared | rows["part"].isin(["printed", "rules"]))]
    return {
        "E1": _pair(rows, "learned", "seed_ae", -LARGE, LARGE),
        "E3": _pair(rows, "trained_pca", "learned", LARGE, 0.0),
        "E5": _pair(rows, "random", "learned", LARGE, 0.0),
        "E6": _pair(rows, "seed_ae", "learned", LARGE, 0.0),
    }


def limited(rows: pd.DataFrame) -> Controls:
    """The same for the second chapter."""
    if "limits" not in set(rows["part"]):
        return {}
    return {"E8": tuple(quantities.limited(_kept(rows, to)) for to in (1 + LARGE, 1 - LARGE))}


def _pair(rows: pd.DataFrame, a: str, b: str, planted: float, absent: float) -> tuple[Quantities, Quantities]:
    judged: Callable[[pd.DataFrame], dict] = lambda moved: quantities.gaps(moved) | quantities.context(moved)
    return tuple(judged(_moved(rows, a, b, to)) for to in (planted, absent))


def _moved(rows: pd.DataFrame, a: str, b: str, to: float) -> pd.DataFrame:
    """Arm a's excess at the code width so that on average it is `to` nats above b's, in every scenario."""
    d = quantities.widths(rows)[0]
    places = [{"part": "chains", "source": s, "readout": "residual"} for s in quantities.SOURCES]
    for place in [*places, {"part": "rules", "attend": True}]:
        rows = controls.shifted(rows, "excess", to, {"arm": a}, {"arm": b}, over=("seed",), end=True, d=d, **place)
    return rows


def _kept(rows: pd.DataFrame, to: float) -> pd.DataFrame:
    """The learned arm's share of the gain so that on average it is `to`, at every compression of either corpus."""
    for kind in ("text", "genome"):
        for asked in sorted({*rows["asked"].dropna()} - {1.0}):
            where = {"part": "limits", "kind": kind, "asked": asked, "attend": True}
            rows = controls.shifted(rows, "kept", to, {"arm": "learned"}, over=("seed",), end=True, **where)
    return rows
