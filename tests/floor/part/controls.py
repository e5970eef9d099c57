"""Rows whose answer is known: an effect that is there for sure, and one that is not."""

import pandas as pd

from helpers.controls import shifted
from helpers.part.quantities import FEW, MANY, MEAN, MEDIAN, quantities


def controls(rows: pd.DataFrame) -> dict:
    few = [shifted(rows, "error", to, FEW, MANY, ("seed",), **MEAN) for to in (0.5, 0.0)]
    middle = [shifted(rows, "error", to, MEDIAN, MEAN, ("seed",), **FEW) for to in (0.0, 0.1)]
    return {"M1": tuple(map(quantities, few)), "M2": tuple(map(quantities, middle))}
