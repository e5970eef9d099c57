"""Could the tests of Part III have said otherwise? The same pairs with so many made to succeed, and so many made to fail."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers import frames
from helpers.softprompt import quantities
from helpers.softprompt.quantities import Quantities

PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "M1": ("85 % of single targets are said", "half of them are said"),
    "M2": ("three quarters of pairs are said, and half at K50", "a quarter are said, and a tenth at K50"),
    "M3": ("2 % of the pairs that meet the rule are not said", "a quarter of them are not said"),
    "M4": ("every low loss is said, and losses order success", "80 % are said, and losses order nothing"),
}
Controls = dict[str, tuple[Quantities, Quantities]]


def joint(rows: pd.DataFrame) -> Controls:
    """{claim: (quantities with its effect planted, quantities with none)} of `joint_qa`, where its pairs were run."""
    if not len(frames.rows(rows, part="joint")):
        return {}
    return {
        "M1": tuple(
            quantities.joint(_shares(rows, {"single": share}, ("exact_q", "exact_a"))) for share in (0.85, 0.5)
        ),
        "M2": tuple(
            quantities.joint(_shares(rows, {"joint": a, "half": b}, ("exact",))) for a, b in ((0.75, 0.5), (0.25, 0.1))
        ),
        "M3": tuple(
            quantities.joint(_shares(_met(rows), {"joint": share}, ("exact", "met_exact"))) for share in (0.98, 0.75)
        ),
        "M4": tuple(quantities.joint(_ordered(rows, share, sharp)) for share, sharp in ((1.0, True), (0.8, False))),
    }


def _shares(rows: pd.DataFrame, shares: dict[str, float], columns: tuple[str, ...]) -> pd.DataFrame:
    """The frame with this share of the pairs of a part made to succeed, evenly over them, and all others to fail."""
    out = rows.copy()
    for part, share in shares.items():
        chosen = out["part"] == part
        place = out["seed"].astype(int)
        right = np.floor((place + 1) * share) > np.floor(place * share)
        for column in columns:
            out.loc[chosen, column] = right[chosen].astype(float)
    return out


def _met(rows: pd.DataFrame) -> pd.DataFrame:
    """All pairs meet the document's rule."""
    of_joint = rows["part"] == "joint"
    return rows.assign(rule=rows["rule"].where(~of_joint, 1.0), met=rows["met"].where(~of_joint, 10.0))


def _ordered(rows: pd.DataFrame, share: float, sharp: bool) -> pd.DataFrame:
    """Every joint loss is low, and so many contents are said. sharp: at K50 half fail, with a higher loss; otherwise all losses
    are equal."""
    out = _shares(rows, {"joint": share, "half": 0.5}, ("exact",))
    many = out["part"].isin(["joint", "half"])
    low = out["exact"].map({1.0: 0.02, 0.0: 1.0}) if sharp else pd.Series(0.02, out.index)
    for column in ("loss_q", "loss_a", "total"):
        out.loc[many, column] = low[many]
    return out
