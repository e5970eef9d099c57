"""Could the tests of Part V have said otherwise? Their rows with an effect put in, and the same rows with it taken out.

The scatter over seeds stays as it was measured; only means are moved. A claim whose tests miss these answers stays undecided.
"""

from __future__ import annotations

import pandas as pd

from helpers import controls, frames
from helpers.encoding import quantities
from helpers.encoding.quantities import Quantities

WORSE = 1.2  # times the full width's loss, where compression is made to fail
LARGE = 0.1  # nats that are planted, and the share by which a code is made to keep more or less than all
PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "E1": (f"the learned code is {LARGE:g} nats better than the autoencoder's", f"it is {LARGE:g} nats worse"),
    "E3": (f"the fair two-stage code is {LARGE:g} nats worse than the learned one", "both are as good"),
    "E5": (f"the random code is {LARGE:g} nats worse than the learned one", "both are as good"),
    "E6": (f"in context the autoencoder's code is {LARGE:g} nats worse", "both are as good"),
    "E8": (
        f"the learned code is {LARGE:g} nats better than both others",
        f"it is {LARGE:g} nats worse, and {WORSE:g} of the loss",
    ),
    "E8b": (f"every compression keeps {1 + LARGE:g} of the gain", f"every compression keeps {1 - LARGE:g} of it"),
}
MOVED = {  # claim: arms a and b, and the means of a − b, nats, with the effect and without
    "E1": ("learned", "seed_ae", -LARGE, LARGE),
    "E3": ("trained_pca", "learned", LARGE, 0.0),
    "E5": ("random", "learned", LARGE, 0.0),
    "E6": ("seed_ae", "learned", LARGE, 0.0),
}
Controls = dict[str, tuple[Quantities, Quantities]]


def learned(rows: pd.DataFrame) -> Controls:
    """{claim: (quantities with its effect planted, quantities with none)} of the first chapter, when its studies ran."""
    if not {"chains", "rules"} <= set(rows["part"]):
        return {}
    compared = (rows["readout"] == "residual") & rows["d"].isin(quantities.widths(rows))  # of the chains what is judged
    rows = rows[rows["end"] & (compared | rows["part"].isin(["printed", "rules"]))]
    return {claim: tuple(_gaps(rows, a, b, to) for to in both) for claim, (a, b, *both) in MOVED.items()}


def limited(rows: pd.DataFrame) -> Controls:
    """The same for the second chapter: what the learned code loses and keeps, at every compression of either corpus."""
    found = frames.rows(rows, part="limits", arm="learned", attend=True, end=True)
    if not len(found):
        return {}
    places = [
        {"part": "limits", "kind": kind, "asked": asked, "attend": True, "end": True}
        for kind, asked in sorted({*zip(found["kind"], found["asked"], strict=True)})
    ]
    return {
        "E8": (_lost(rows, places, -LARGE), _lost(rows, places, LARGE)),
        "E8b": tuple(_kept(rows, places, to) for to in (1 + LARGE, 1 - LARGE)),
    }


def _kept(rows: pd.DataFrame, places: list[dict], to: float) -> Quantities:
    """The learned code keeps this share of the gain on average."""
    for place in places:
        rows = controls.shifted(rows, "kept", to, {"arm": "learned"}, over=("seed",), **place)
    return quantities.limited(rows)


def _lost(rows: pd.DataFrame, places: list[dict], by: float) -> Quantities:
    """The learned code loses on average `by` nats more than the full width, or WORSE times as much where it is to fail, and
    `by` more than the autoencoder's."""
    for place in places:
        full = frames.per_seed(rows, "loss", arm="full", **{k: v for k, v in place.items() if k != "asked"}).mean()
        rows = controls.shifted(
            rows, "loss", full + by if by < 0 else WORSE * full, {"arm": "learned"}, over=("seed",), **place
        )
        rows = controls.shifted(rows, "loss", -by, {"arm": "seed_ae"}, {"arm": "learned"}, over=("seed",), **place)
    return quantities.limited(rows)


def _gaps(rows: pd.DataFrame, a: str, b: str, to: float) -> Quantities:
    """The differences once arm a's excess at the code width is on average `to` nats above b's, in every scenario."""
    d = quantities.widths(rows)[0]
    places = [{"part": "chains", "source": s, "readout": "residual"} for s in quantities.SOURCES]
    for place in [*places, {"part": "rules", "attend": True}]:
        rows = controls.shifted(rows, "excess", to, {"arm": a}, {"arm": b}, over=("seed",), end=True, d=d, **place)
    return quantities.gaps(rows) | quantities.context(rows)
