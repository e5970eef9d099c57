"""Could the tests of Part I have said otherwise? Their rows with the effect put in, and the same rows with it taken out.

The scatter over masks stays as it was measured; only means are moved. So a planted effect that is not found, or an absent
one that is, means that the instrument is at fault, and its claim stays undecided (`claims.probe`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from helpers import frames
from helpers.controls import shifted
from helpers.dtdr import quantities, regression
from helpers.dtdr.damage import Damage
from helpers.dtdr.quantities import Quantities

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


def emergence(rows: pd.DataFrame) -> dict[str, Pair]:
    """{claim: (quantities with its effect planted, quantities with none)} of the first chapter, from the rows it is judged by.
    Claims whose damages are not in `rows` are left out.
    """
    known = {"D1": _d1, "D2": _d2, "D5": _d5, "D6": _d6, "D7": _d7, "D8": _d8}
    return _each(rows, quantities.emergence(rows), known)


def guided(rows: pd.DataFrame) -> dict[str, Pair]:
    """The same for the second chapter."""
    return _each(rows, quantities.guided(rows), {"D3": _d3, "D4": _d4})


def _each(rows: pd.DataFrame, found: Quantities, known: Mapping[str, Callable]) -> dict[str, Pair]:
    return {claim: make(rows) for claim, make in known.items() if any(k.startswith(f"{claim.lower()}_") for k in found)}


def _moved(rows: pd.DataFrame, a: Damage, b: Damage, at: float, to: float, base: float | None = None) -> pd.DataFrame:
    """The rows with the loss under `a` at a level moved so that its mean difference from `b` at that level (at `base`, where
    it is given) is `to` nats.
    """
    other = b.columns | {b.level: at if base is None else base}
    return shifted(rows, "nll", to, a.columns | {a.level: at}, other)


def _half(rows: pd.DataFrame) -> float:
    """Half of the loss that lies between nothing and the whole model, in nats: what 'does not function' would cost."""
    return float((rows["nothing"] - rows["intact"]).mean()) / 2


def _d1(rows: pd.DataFrame) -> Pair:
    """Few coefficients do as little as none; few do as much as all."""
    columns, units = ["kl", "top1"], ["model", "seed"]
    tried = frames.rows(rows, **quantities.TRANSFORMED.columns)
    few = tried[tried["kept"].between(0, 0.2, inclusive="right")].drop(columns=columns)

    def at(share: float) -> Quantities:
        source = frames.rows(tried, kept=share).set_index(units)[columns]
        return quantities.function(few.join(source, on=units))

    return at(0.0), at(1.0)


def _d2(rows: pd.DataFrame) -> Pair:
    """All of the loss comes back in one step; it comes back in proportion to what is kept."""
    step = (rows["kept"] >= STEP - frames.CLOSE).astype(float)
    return tuple(quantities.threshold(rows.assign(recovered=share)) for share in (step, rows["kept"]))


def _d3(rows: pd.DataFrame) -> Pair:
    return tuple(_filled(rows, (quantities.RANDOM,), to) for to in (_half(rows), 0.0))


def _d4(rows: pd.DataFrame) -> Pair:
    fills = (quantities.ANCHORED, *quantities.INDEPENDENT)
    return tuple(_filled(rows, fills, to) for to in (-_half(rows), 0.0))


def _filled(rows: pd.DataFrame, fills: Iterable[Damage], to: float) -> Quantities:
    for fill in fills:
        for share in quantities.SHARES:
            rows = _moved(rows, fill, quantities.TRANSFORMED, share, to)
    return quantities.guided(rows)


def _d5(rows: pd.DataFrame) -> Pair:
    """At the two judged shares the transformed store is half-way to nothing; the domains do not differ."""

    def at(to: float) -> Quantities:
        moved = rows
        for share in (0.6, 0.8):
            moved = _moved(moved, quantities.TRANSFORMED, quantities.RAW, share, to)
        return quantities.domains(moved)

    return at(_half(rows)), at(0.0)


def _d6(rows: pd.DataFrame) -> Pair:
    """Truncation costs half of all more than corruption at equal cosine; it costs the same."""
    now = float(np.mean(quantities.kinds(rows)["d6_signed"]))
    cut = rows.index.isin(frames.rows(rows, **quantities.TRANSFORMED.columns).index)
    return tuple(quantities.kinds(rows.assign(nll=rows["nll"] + (to - now) * cut)) for to in (_half(rows), 0.0))


def _d7(rows: pd.DataFrame) -> Pair:
    """No domain's mean lies off the curve of its model, but both transforms cost SMALL more; or none does."""
    tried = regression.shared(regression.points(rows))
    for _ in range(BACKFITS):  # a large effect bends the curve that it is measured by
        means = regression.leftovers(tried).groupby([tried["model"], tried["domain"]]).transform("mean")
        tried = tried.assign(nll=tried["nll"] - means)
    planted = tried.assign(nll=tried["nll"] + SMALL * tried["domain"].isin(["hadamard", "dct"]))
    return quantities.collapse(planted), quantities.collapse(tried)


def _d8(rows: pd.DataFrame) -> Pair:
    """The same corruption costs the transformed store nothing and plain INT8 half of all; it costs both nothing."""
    pairs = ((quantities.SPOILED, quantities.TRANSFORMED), (quantities.SPOILED_RAW, quantities.RAW))

    def at(plain: float) -> Quantities:
        moved = rows
        for (hit, whole), to in zip(pairs, (0.0, plain), strict=True):
            moved = _moved(moved, hit, whole, quantities.THOUSANDTH, to, base=1.0)
        return quantities.corruption(moved)

    return at(_half(rows)), at(0.0)
