"""Could S11 and S12 have been answered otherwise? Their rows with suppressors that vary four times as much as matched
heads, and as much.

The scatter over models stays as it was measured; a model in which no suppressor was found gets one, the head of the
lowest direct effect."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers import frames
from helpers.separability.superposition import quantities
from helpers.separability.superposition.quantities import STORIES, Quantities

TWICE = 2.0  # log2: twice the margin of S11
CLEAR = 50.0  # Student's t of what is planted
PLANTED = dict.fromkeys(
    ("S11", "S12"), ("suppressors vary four times as much as matched heads", "they vary as much as these")
)


def known(rows: pd.DataFrame) -> dict[str, tuple[Quantities, Quantities]]:
    """{claim: (quantities with its effect planted, quantities with none)}, where the census was run."""
    if not len(frames.rows(rows, part="heads", model=STORIES)):
        return {}
    return dict.fromkeys(PLANTED, tuple(quantities.named(moved(rows, to)) for to in (TWICE, 0.0)))


def moved(rows: pd.DataFrame, to: float) -> pd.DataFrame:
    """The frame with suppressors in every model, and their mean log2 ratio over models at `to`."""
    out = rows.copy()
    heads = frames.rows(out, part="heads", model=STORIES)
    for _, found in heads.groupby("seed"):
        if not found["suppressor"].any():
            out.loc[found["direct_t"].idxmin(), ["direct_t", "gain_t"]] = -CLEAR, CLEAR
    out = quantities.frame(out)
    heads = frames.rows(out, part="heads", model=STORIES)
    by = to - float(np.mean(quantities.log2_ratio(heads)))
    chosen = heads.index[heads["suppressor"] > 0]
    out.loc[chosen, "variance"] *= 2.0**by
    return out
