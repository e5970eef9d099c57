"""What book/claims.yml names, from the rows of Part I: a value a mask, the mean over models, unless a model is the unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from helpers import frames
from helpers.dtdr import kinds, models, regression
from helpers.dtdr.damage import Damage
from helpers.dtdr.named import (
    ALIGNED,
    ANCHORED,
    BYTES,
    COLLAPSE,
    EARLIER,
    EVEN,
    HISS,
    INDEPENDENT,
    LADDER,
    LATE,
    OTHER,
    OTHERS,
    OUTLIERS,
    RANDOM,
    RAW,
    REACHED,
    SHARES,
    SPOILED,
    TENTH,
    THOUSANDTH,
    TRANSFORMED,
)  # fmt: skip
from helpers.dtdr.quantities import (
    Quantities,
    Quantity,
    curve,
    gap,
    gaps,
    grace,
    loss,
    p_domain,
    reach,
    text_width,
    together,
    width,
)  # fmt: skip

WIDER = (
    LADDER,
    OTHERS,
    OUTLIERS,
)  # parts whose models count only where a model is the unit, or where they are the control


def emergence(rows: pd.DataFrame) -> Quantities:
    """Quantities of D1 and D2. Those whose damages are not in `rows` are left out."""
    return of(rows, "d1", "d2")


def damage(rows: pd.DataFrame) -> Quantities:
    """Quantities of D6, D7, D8 and D10."""
    return of(rows, "d6", "d7", "d8", "d10")


def by_model(rows: pd.DataFrame) -> Quantities:
    """Quantities of D5 and D5b, whose unit is the model."""
    return of(rows, "d5", "d5b")


def guided(rows: pd.DataFrame) -> Quantities:
    """Quantities of D3, D4 and D9. Losses are nats a token, differences are paired by model and mask."""
    return of(rows, "d3", "d4", "d9")


def of(rows: pd.DataFrame, *claims: str) -> Quantities:
    """Those of JUDGED that some claims are about, where `rows` have their damages. Rows of the ladder, of outlier channels and
    of other references count only where the quantity is about them.
    """
    own = rows[~rows["part"].isin(WIDER)]
    wide = {"d6_one_sign": rows[~rows["part"].isin((LADDER, OUTLIERS))], "d5_outliers": rows[rows["part"] == OUTLIERS]}
    wide |= dict.fromkeys(OF_LADDER, rows[~rows["part"].isin((OTHERS, OUTLIERS))])
    chosen = {name: quantity for name, quantity in JUDGED.items() if name.partition("_")[0] in claims}
    found = {name: quantity(wide.get(name, own)) for name, quantity in chosen.items()}
    return {name: values for name, values in found.items() if len(values)}


def few(column: str, of: str, damage: Damage = TRANSFORMED) -> Quantity:
    """D1: the least ("min") or the largest ("max") value of a column with up to a fifth of the coefficients, none left out."""

    def values(rows: pd.DataFrame) -> np.ndarray:
        _, found = curve(rows[rows["kept"].between(0, 0.2, inclusive="right")], column, damage)  # (masks, shares)
        return getattr(found, of)(axis=1) if found.size else np.array([])

    return values


def apart(damage: Damage, at: float, column: str = "entropy") -> Quantity:
    """D3: how far a column lies from the mean of the other masks of its model: a value a mask, the mean over models."""
    return lambda rows: _aparts(damage, at, column)(rows).to_numpy()


def _aparts(damage: Damage, at: float, column: str = "entropy") -> Callable[[pd.DataFrame], pd.Series]:
    """The same, indexed by mask."""

    def values(rows: pd.DataFrame) -> pd.Series:
        found = frames.per_seed(rows, column, over=("model", "seed"), **damage.columns, **{damage.level: at}).dropna()
        found = found[found.groupby(level="model").transform("size") > 1]
        means = found.groupby(level="model").transform("mean")
        count = found.groupby(level="model").transform("size")
        return frames.each((found - means).abs() * count / (count - 1))

    return values


def beside(damage: Damage, other: Damage, at: float, column: str = "nll") -> Quantity:
    """A column under one damage, for the models and masks that another was tried with at the same level."""
    where = other.columns | {other.level: at}

    def values(rows: pd.DataFrame) -> np.ndarray:
        tried = pd.MultiIndex.from_frame(frames.rows(rows, **where)[["model", "seed"]])
        return loss(damage, at, column)(rows[pd.MultiIndex.from_frame(rows[["model", "seed"]]).isin(tried)])

    return values


def steadier(damage: Damage, other: Damage, at: float) -> Quantity:
    """How far the entropy of a mask lies from that of the others under one damage, minus the same under another, both of the
    models that the first was tried on; a value a mask. Below zero the first is the steadier.
    """

    def values(rows: pd.DataFrame) -> np.ndarray:
        tried = rows[rows["model"].isin(frames.rows(rows, **damage.columns)["model"])]
        one, two = together(*(_aparts(each, at)(tried) for each in (damage, other)))
        return one - two

    return values


def over_shares(a: Damage, b: Damage, shares: Sequence[float]) -> Quantity:
    """One damage minus another, the mean over those of these shares at which both were tried; a value a mask."""

    def values(rows: pd.DataFrame) -> np.ndarray:
        return _mean([gaps(a, b, f)(rows) for f in shares])

    return values


def independent(rows: pd.DataFrame) -> np.ndarray:
    """D4: fills whose priors do not hold the answer minus zero fill, the mean over shares and priors."""
    return _mean([gaps(prior, TRANSFORMED, f)(rows) for prior in INDEPENDENT for f in SHARES])


def _mean(found: Sequence[pd.Series]) -> np.ndarray:
    """The mean over those of several quantities that were tried: a value a mask that all of these have."""
    tried = [values for values in found if len(values)]
    return together(*tried).mean(axis=0) if tried else np.array([])


OF_LADDER = {"d5_share_gap": models.silence} | {f"d5b_loss_gap_{f:g}": models.gap(TRANSFORMED, RAW, f) for f in LATE}
JUDGED: dict[
    str, Quantity
] = {  # what book/claims.yml names: a claim's, those of its earlier criterion, what it speaks of
    "d1_kl": few("kl", "min"),
    "d1_top1": few("top1", "max"),
    "d1_kl_raw": few("kl", "min", RAW),
    "d1_top1_raw": few("top1", "max", RAW),
    "d2_width": width(TRANSFORMED),
    "d2_f50": reach(TRANSFORMED, 0.5),
    "d2_text_width": text_width(TRANSFORMED),
    "d2_text_width_raw": text_width(RAW),
    **{f"d3_random_minus_zero_{f:g}": gap(RANDOM, TRANSFORMED, f) for f in SHARES[1:]},
    **{f"d3_entropy_apart_{f:g}": apart(RANDOM, f) for f in SHARES[1:]},
    **{f"d3_repetition_apart_{f:g}": apart(RANDOM, f, "rep4") for f in SHARES[1:]},
    **{f"d3_prompts_apart_{f:g}": loss(RANDOM, f, "rep4_apart") for f in SHARES[1:]},
    **{f"d4_recovered_{f:g}": loss(ANCHORED, f, "recovered") for f in SHARES},
    **{f"d4_relative_minus_zero_{f:g}": gap(EARLIER, TRANSFORMED, f) for f in SHARES},
    **{f"d4_other_minus_zero_{f:g}": gap(OTHER, TRANSFORMED, f) for f in SHARES},
    **{f"d4_aligned_minus_zero_{f:g}": gap(ALIGNED, TRANSFORMED, f) for f in SHARES},
    **{f"d4_guided_minus_zero_{f:g}": gap(ANCHORED, TRANSFORMED, f) for f in SHARES},
    "d4_independent_minus_zero": independent,
    **OF_LADDER,
    "d5_outliers": lambda rows: models.silence(rows.assign(model=rows["seed"])),
    **{f"d5_transform_minus_raw_{f:g}": gap(TRANSFORMED, RAW, f) for f in (0.6, 0.8)},
    **{f"d6_difference_{f:g}": kinds.at(f) for f in REACHED},
    **{f"d6_bytes_{f:g}": kinds.at(f, BYTES) for f in REACHED},
    "d6_one_sign": kinds.one_sign,
    "d6_difference": kinds.difference,
    "d6_signed": kinds.signed,
    "d7_mixing_minus_raw": lambda rows: regression.mixing(regression.points(rows)),
    "d7_hadamard_minus_even": over_shares(TRANSFORMED, EVEN, COLLAPSE),
    "d7_p_domain": p_domain,
    "d8_loss_increase": gap(SPOILED, TRANSFORMED, THOUSANDTH, base=1.0),
    "d8_bytes_increase": gap(BYTES, TRANSFORMED, THOUSANDTH, base=1.0),
    "d8_noise_increase": gap(HISS, TRANSFORMED, TENTH, base=1.0),
    "d8_transform_minus_int8": grace,
    "d9_zero_recovered": models.recovered(TRANSFORMED, 0.4),
    "d9_guided_recovered": models.recovered(ANCHORED, 0.4),
    "d10_transform_minus_int8": grace,
}
