"""Could the tests have said otherwise? The chapter's rows with an effect put in, and the same rows with it taken out.

The scatter over seeds stays as it was measured. Only means are moved; where a course in time is judged, its own
scatter, in another order, lies about a course whose answer is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from helpers import frames
from helpers.controls import shifted
from helpers.pedagogy.dynamics import quantities
from helpers.pedagogy.dynamics.config import THIRDS
from helpers.pedagogy.dynamics.quantities import (
    BEGIN,
    BREAK,
    CODED,
    COUNT,
    DIMENSION,
    DRIFT,
    LIGHT,
    OVER,
    RIVAL,
    RIVALS,
    WIRED,
    Quantities,
)

PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "T1": (
        "wired, the dimension falls by 30 % in Phase 1, and by 5 % under a tenth of the grounding",
        "it falls by 5 % in both",
    ),
    "T1b": (
        "from the document's first look on it falls by 30 % wired, by 5 % as coded and in the rival",
        "it falls by 5 % in all",
    ),
    "T2": (
        "wired, the count falls by three bars, two of them beyond the dimension",
        "it falls by half a bar, all by the dimension",
    ),
    "T2b": ("the same from the document's first look on", "from there on it does not fall"),
    "T3": ("after T/3 no change on average", "a mean drift of 20 % and of one bar"),
    "T4": ("the rival lies higher by 0.75", "it lies lower by 0.25"),
    "T4b": ("the rival lies higher by 0.75", "it lies lower by 0.25"),
    "T5": ("the rival counts one and a half bars more, all beyond the dimension", "it counts as many"),
    "T6": ("each seed's course less the mean of all", f"the same with a step of {BREAK:.0%} after T/3"),
    "T7": ("wired composes twenty points better than either rival", "it composes five points worse"),
    "T7b": ("the rivals have both digits right in 80 %", "they have them right in all"),
    "T9": ("after T/3 the count falls by one bar, the rival's stays", "neither falls"),
}
FALLS, NONE = ((3.0, 2.0), (0.5, 0.0)), (0.0, 0.0)  # bars in all and those beyond the dimension: planted, and left


def planted(rows: pd.DataFrame) -> dict[str, tuple[Quantities, Quantities]]:
    """{claim: (quantities with its effect planted, quantities with it taken out)}, of the claims whose arms ran."""
    if not all(len(frames.rows(rows, part="dynamics", arm=arm)) for arm in (WIRED, LIGHT, CODED, *RIVALS)):
        return {}
    levels = lambda of: partial(quantities.levels, of=of)  # a claim's own: the others are not moved
    made = {
        "T1": (levels("t1_"), [_drops(rows, 0.0, {WIRED: wired, LIGHT: 0.05}) for wired in (0.3, 0.05)]),
        "T1b": (
            levels("t1b_"),
            [_drops(rows, BEGIN, {WIRED: wired, CODED: 0.05, RIVAL: 0.05}) for wired in (0.3, 0.05)],
        ),
        "T2": (levels("t2_"), [_falls(rows, 0.0, *sizes) for sizes in FALLS]),
        "T2b": (levels("t2b_"), [_falls(rows, BEGIN, *sizes) for sizes in (FALLS[0], NONE)]),
        "T3": (quantities.stability, [_drifts(rows, share) for share in (0.0, 1.0)]),
        "T4": (levels("t4"), [_apart(rows, DIMENSION, RIVALS, size) for size in (0.75, -0.25)]),
        "T5": (levels("t5_"), [_counts(rows, size) for size in (1.5, 0.0)]),
        "T6": (quantities.breaks, [_breaks(rows, size) for size in (0.0, BREAK)]),
        "T9": (levels("t9_"), [_later(rows, size) for size in (1.0, 0.0)]),
    }
    if len(frames.rows(rows, part="composition", arm=WIRED)):
        made["T7"] = quantities.composition, [_composed(rows, size, {"arm": WIRED}) for size in (-0.2, 0.05)]
        made["T7b"] = quantities.composition, [_composed(rows, size) for size in (0.8, 1.0)]
    whole = quantities.judged(rows)  # what is not moved stays as it was measured
    found = {k: tuple(whole | dict(read(v)) for v in both) for k, (read, both) in made.items()}
    return found | {"T4b": found["T4"]}


def _step(rows: pd.DataFrame, share: float) -> int:
    return round(share * float(frames.rows(rows, part="dynamics", arm=WIRED)["steps"].iloc[0]))


def _moved(rows: pd.DataFrame, arm: str, column: str, share: float, to: float) -> pd.DataFrame:
    return shifted(rows, column, to, {"arm": arm}, None, OVER, part="dynamics", step=_step(rows, share))


def _drops(rows: pd.DataFrame, since: float, drops: Mapping[str, float]) -> pd.DataFrame:
    for arm, drop in drops.items():
        start = quantities.at(rows, arm, DIMENSION, since).mean()
        rows = _moved(rows, arm, DIMENSION, THIRDS[0], (1 - drop) * start)
    return rows


def _falls(rows: pd.DataFrame, since: float, count: float, beyond: float) -> pd.DataFrame:
    for column, fall in ((COUNT, count), ("excess", beyond)):
        rows = _moved(rows, WIRED, column, THIRDS[0], quantities.at(rows, WIRED, column, since).mean() - fall)
    return rows


def _later(rows: pd.DataFrame, fall: float) -> pd.DataFrame:
    for arm, size in ((WIRED, fall), (RIVAL, 0.0)):
        rows = _moved(rows, arm, COUNT, 1.0, quantities.at(rows, arm, COUNT, THIRDS[0]).mean() - size)
    return rows


def _apart(rows: pd.DataFrame, column: str, arms: tuple[str, ...], to: float) -> pd.DataFrame:
    for arm in arms:
        now = (quantities.late(rows, arm, column) - quantities.late(rows, WIRED, column)).mean()
        own = (rows["part"] == "dynamics") & (rows["arm"] == arm)
        rows = rows.assign(**{column: rows[column].where(~own, rows[column] + (to - now))})
    return rows


def _counts(rows: pd.DataFrame, to: float) -> pd.DataFrame:
    return _apart(_apart(rows, COUNT, (RIVAL,), to), "excess", (RIVAL,), to)


def _composed(rows: pd.DataFrame, to: float, above: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Both rivals' joint accuracy at this mean, or so far above another arm's."""
    where = {"part": "composition", "variant": "splitter", "pairs": "held"}
    for arm in RIVALS:
        rows = shifted(rows, "joint", to, {"arm": arm}, above, OVER, **where)
    return rows


def _drifts(rows: pd.DataFrame, share: float) -> pd.DataFrame:
    """The wired arm after T/3, each seed's course as it was measured, with one line for all: the mean change is a share of
    DRIFT."""
    for column, size in DRIFT.items():
        relative = column == DIMENSION

        def line(x: np.ndarray, y: np.ndarray, size=size, relative=relative) -> np.ndarray:
            missing = share * size - quantities.changes(x, y, relative=relative).mean()
            return y + quantities.drift(x, y, missing, relative=relative)

        rows = _replaced(rows, WIRED, column, *quantities.after(rows, WIRED, column, THIRDS[0]), line)
    return rows


def _breaks(rows: pd.DataFrame, size: float) -> pd.DataFrame:
    """The rival: each seed's course less the mean course of all, about one level, with or without a step after T/3."""

    def course(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (y - y.mean(0) + y.mean()) * np.where(x > x[-1] * THIRDS[0] + 1, 1 + size, 1.0)

    return _replaced(rows, RIVAL, DIMENSION, *quantities.course(rows), course)


def _replaced(rows: pd.DataFrame, arm: str, column: str, x: np.ndarray, y: np.ndarray, make: Callable) -> pd.DataFrame:
    """The frame with an arm's courses y (S, T) of a column at the steps x replaced by what `make` makes of all of them."""
    own = frames.rows(rows, part="dynamics", arm=arm, step=x.tolist()).sort_values(["seed", "step"])
    if len(own) != y.size or np.isnan(y).any():
        return rows
    out = rows[column].copy()
    out.loc[own.index] = make(x, y).ravel()
    return rows.assign(**{column: out})
