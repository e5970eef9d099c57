"""Quantities that say something of a model: one value a model, the mean over its masks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from helpers import frames
from helpers.dtdr.damage import Damage
from helpers.dtdr.named import ANCHORED, CLOSING, RAW, TRANSFORMED

Quantity = Callable[[pd.DataFrame], np.ndarray]


def gap(a: Damage, b: Damage, at: float, column: str = "nll") -> Quantity:
    """One damage minus another at the same level, paired by mask."""
    one, other = a.columns | {a.level: at}, b.columns | {b.level: at}
    return lambda rows: _by_model(frames.paired(rows, column, one, other)).to_numpy()


def silence(rows: pd.DataFrame) -> np.ndarray:
    """D5: the largest share of the loss that raw weights recover and transformed ones, at the same share kept, do not; of the
    shares of CLOSING. A maximum of means leans to the claim's side. Models without all of these shares are left out.
    """
    one, other = RAW.columns, TRANSFORMED.columns
    found = [_by_model(frames.paired(rows, "recovered", one | {"kept": f}, other | {"kept": f})) for f in CLOSING]
    return pd.concat(found, axis=1, join="inner").max(axis=1, skipna=False).to_numpy()


def recovered(damage: Damage, at: float) -> Quantity:
    """Share of the loss recovered, of the models that were given the published prior."""

    def values(rows: pd.DataFrame) -> np.ndarray:
        anchored = frames.rows(rows, **ANCHORED.columns, kept=at)["model"].unique()
        own = rows[rows["model"].isin(anchored)]
        return _by_model(
            frames.per_seed(own, "recovered", over=("model", "seed"), **damage.columns, kept=at)
        ).to_numpy()

    return values


def _by_model(values: pd.Series) -> pd.Series:
    return frames.each(values, "model")
