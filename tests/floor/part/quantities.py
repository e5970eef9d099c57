"""What the claims name, one value a seed."""

import pandas as pd

from helpers import frames

MEAN, MEDIAN, FEW, MANY = {"estimate": "mean"}, {"estimate": "median"}, {"size": 4}, {"size": 64}


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(size=rows["step"])


def gain(rows: pd.DataFrame) -> pd.Series:
    """How much nearer the mean of 64 numbers lies than that of four."""
    return frames.paired(rows, "error", FEW, MANY, ("seed",), **MEAN)


def loss(rows: pd.DataFrame) -> pd.Series:
    """How much further away the median of four numbers lies than their mean."""
    return frames.paired(rows, "error", MEDIAN, MEAN, ("seed",), **FEW)


def quantities(rows: pd.DataFrame) -> dict:
    return {"m1_gain": gain(rows), "m2_loss": loss(rows)}
