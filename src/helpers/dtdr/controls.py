"""Could the tests of Part I have said otherwise? Their rows with the effect put in, and the same rows with it taken out.

The scatter over masks stays as it was measured; only means are moved. So a planted effect that is not found, or an absent
one that is, means that the instrument is at fault, and its claim stays undecided (`claims.probe`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers import frames
from helpers.controls import shifted
from helpers.dtdr import quantities, regression
from helpers.dtdr.quantities import (
    ANCHORED,
    INDEPENDENT,
    RANDOM,
    RAW,
    SHARES,
    SPOILED,
    SPOILED_RAW,
    THOUSANDTH,
    TRANSFORMED,
    Quantities,
)

STEP = 0.7  # where a planted threshold lies, as a share kept
SMALL = 0.3  # nats that are planted where a claim speaks of a difference, however small
BACKFITS = 20  # rounds of curve and means in turn (backfitting: Buja, Hastie and Tibshirani, 1989)
Pair = tuple[Quantities, Quantities]
PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "D1": ("up to a fifth kept does as little as nothing", "up to a fifth does as much as all"),
    "D2": (f"all of the loss comes back at {STEP:g}", "the loss comes back in proportion to what is kept"),
    "D3": ("random fill costs half of the loss more than zeros", "random fill costs as much as zeros"),
    "D4": ("guided fill gives half of the loss back", "guided fill gives nothing back"),
    "D5": ("the transformed store loses half of the loss more", "both domains lose the same"),
    "D6": ("truncation costs half of the loss more", "truncation and corruption cost the same"),
    "D7": (f"both transforms cost {SMALL:g} nats more at every cosine", "no domain lies off the curve"),
    "D8": ("corruption costs plain INT8 half of the loss, the transformed store nothing", "it costs both nothing"),
}

MOVED = {  # claim: damages, what each is compared with, the levels of both, the halves of the loss that are planted between
    "D3": [(RANDOM, TRANSFORMED, f, f, 1) for f in SHARES],
    "D4": [(fill, TRANSFORMED, f, f, -1) for fill in (ANCHORED, *INDEPENDENT) for f in SHARES],
    "D5": [(TRANSFORMED, RAW, f, f, 1) for f in (0.6, 0.8)],
    "D8": [(SPOILED, TRANSFORMED, THOUSANDTH, 1.0, 0), (SPOILED_RAW, RAW, THOUSANDTH, 1.0, 1)],
}


def emergence(rows: pd.DataFrame) -> dict[str, Pair]:
    """{claim: (quantities with its effect planted, quantities with none)} of the first chapter, from the rows it is judged by.
    Claims whose damages are not in `rows` are left out.
    """
    return _controls(rows, quantities.emergence(rows))


def guided(rows: pd.DataFrame) -> dict[str, Pair]:
    """The same for the second chapter."""
    return _controls(rows, quantities.guided(rows))


def moved(rows: pd.DataFrame, claim: str, half: float) -> pd.DataFrame:
    """The rows with the mean differences that a claim of MOVED speaks of moved to its number of halves, of `half` nats each."""
    for a, b, at, base, halves in MOVED[claim]:
        rows = shifted(rows, "nll", halves * half, a.columns | {a.level: at}, b.columns | {b.level: base})
    return rows


def _controls(rows: pd.DataFrame, found: Quantities) -> dict[str, Pair]:
    made = {"D1": _d1, "D2": _d2, "D6": _d6, "D7": _d7}
    claims = sorted({name.partition("_")[0].upper() for name in found})
    return {claim: made[claim](rows) if claim in made else _compared(rows, claim) for claim in claims}


def _compared(rows: pd.DataFrame, claim: str) -> Pair:
    """Half of the loss lies between what is compared; nothing does."""
    return tuple(quantities.judged(moved(rows, claim, half), claim.lower()) for half in (_half(rows), 0.0))


def _half(rows: pd.DataFrame) -> float:
    """Half of the loss that lies between nothing and the whole model, in nats: what 'does not function' would cost."""
    return float((rows["nothing"] - rows["intact"]).mean()) / 2


def _d1(rows: pd.DataFrame) -> Pair:
    """Few coefficients do as little as none; few do as much as all."""
    columns, units = ["kl", "top1"], ["model", "seed"]
    tried = frames.rows(rows, **TRANSFORMED.columns)
    few = tried[tried["kept"].between(0, 0.2, inclusive="right")].drop(columns=columns)

    def at(share: float) -> Quantities:
        source = frames.rows(tried, kept=share).set_index(units)[columns]
        return quantities.judged(few.join(source, on=units), "d1")

    return at(0.0), at(1.0)


def _d2(rows: pd.DataFrame) -> Pair:
    """All of the loss comes back in one step; it comes back in proportion to what is kept."""
    step = (rows["kept"] >= STEP - frames.CLOSE).astype(float)
    return tuple(quantities.judged(rows.assign(recovered=share), "d2") for share in (step, rows["kept"]))


def _d6(rows: pd.DataFrame) -> Pair:
    """Truncation costs half of all more than corruption at equal cosine; it costs the same."""
    now = float(np.mean(quantities.signed(rows)))
    cut = rows.index.isin(frames.rows(rows, **TRANSFORMED.columns).index)
    return tuple(quantities.judged(rows.assign(nll=rows["nll"] + (to - now) * cut), "d6") for to in (_half(rows), 0.0))


def _d7(rows: pd.DataFrame) -> Pair:
    """No domain's mean lies off the curve of its model, but both transforms cost SMALL more; or none does."""
    tried = regression.shared(regression.points(rows))
    for _ in range(BACKFITS):  # a large effect bends the curve that it is measured by
        means = regression.leftovers(tried).groupby([tried["model"], tried["domain"]]).transform("mean")
        tried = tried.assign(nll=tried["nll"] - means)
    planted = tried.assign(nll=tried["nll"] + SMALL * tried["domain"].isin(["hadamard", "dct"]))
    return quantities.judged(planted, "d7"), quantities.judged(tried, "d7")
