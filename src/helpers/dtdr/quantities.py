"""The numbers that Part I speaks of, from the tidy frame of its records: one value for each mask seed.

The frame's columns, besides those of every record (experiment, condition, seed, step):
part, model                       section of the chapter; the model that was damaged
damage, domain, order, fill, prior, weight, protect, per, mode     what was done to it: the fields of a damage, see `damage`
kept | spoiled | bits | energy | jitter    how much: share of the coefficients kept, share of the codes spoiled, leading bits of
                                  eight, squared cosine of the noisy weights, noise on the codes in deviations of a block; a row
                                  has the level of its own damage and no other
sent                              share of the stored bits that arrived: kept, or bits / 8
cosine                            of the weights, as damaged, to the whole ones
nll, kl, entropy                  loss, KL from the whole model and entropy of the next token, nats a token
top1, logit_cosine                agreement with the whole model: in the likeliest token, in the logits
intact, nothing, recovered        loss whole; loss with every coefficient gone; the share of what lies between that came back
text, rep4, rep4_apart, sense     a greedy text, repeated word 4-grams in it, how far prompts differ in them, and the nats a
                                  token that the whole model gives it
cosine_last, top10                as printed: logits of one next token, and the ten likeliest, against the whole store's
parameters, depth, width, model_seed    of the model
outliers                          how large the weights of its planted outlier channels are; 1 without
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from helpers import frames
from helpers.codec import fills
from helpers.dtdr import regression
from helpers.dtdr.damage import Damage, Keep
from helpers.dtdr.kinds import difference, signed
from helpers.dtdr.named import (
    ANCHORED,
    BYTES,
    EVEN,
    HISS,
    HISS_RAW,
    OTHER_WHOLE,
    PLANES,
    PROPORTIONAL,
    RANDOM,
    RAW,
    ROWS,
    SHUFFLED,
    SPOILED,
    SPOILED_RAW,
    STORES,
    TENTH,
    THOUSANDTH,
    TRANSFORMED,
    VOCABULARY,
)

Quantities = dict[str, np.ndarray]
Quantity = Callable[[pd.DataFrame], np.ndarray]
WRITTEN = ("text", "rep4", "rep4_apart", "sense")  # columns of greedy texts
LEVELS = ("kept", "spoiled", "bits", "energy", "jitter")


def frame(records: pd.DataFrame) -> pd.DataFrame:
    """The tidy frame with all level columns, with `recovered`, (nothing − loss) / (nothing − intact), and with `sent`."""
    absent = [c for c in (*LEVELS, *WRITTEN, "nll", "kl", "top1", "entropy") if c not in records]
    out = records.assign(**dict.fromkeys(absent, np.nan))
    mode = out["damage"].map({"spoil": "xor"}).fillna("")  # older records knew one kind of corruption
    out["mode"] = out["mode"].fillna(mode) if "mode" in out else mode
    out["outliers"] = out["outliers"].fillna(1.0) if "outliers" in out else 1.0
    out["recovered"] = (out["nothing"] - out["nll"]) / (out["nothing"] - out["intact"])
    return out.assign(sent=out["kept"].fillna(out["bits"] / 8))


def loss(damage: Damage, at: float, column: str = "nll") -> Quantity:
    """A column under one damage at one of its levels: a value a mask that has one, the mean over models."""
    where = damage.columns | {damage.level: at}
    return lambda rows: by_mask(frames.per_seed(rows, column, over=("model", "seed"), **where).dropna())


def rise(damage: Damage, at: float) -> Quantity:
    """Loss under one damage minus the whole model's."""
    return lambda rows: loss(damage, at)(rows.assign(nll=rows["nll"] - rows["intact"]))


def gap(a: Damage, b: Damage, at: float, column: str = "nll", base: float | None = None) -> Quantity:
    """One damage at a level minus another, at its level `base` where that is given and otherwise at the same one: paired by
    model and mask, the mean over models.
    """
    return lambda rows: gaps(a, b, at, column, base)(rows).to_numpy()


def gaps(
    a: Damage, b: Damage, at: float, column: str = "nll", base: float | None = None
) -> Callable[[pd.DataFrame], pd.Series]:
    """The same, indexed by mask: what is put together with others goes by masks, for some damages are tried by fewer."""
    one, other = a.columns | {a.level: at}, b.columns | {b.level: at if base is None else base}
    return lambda rows: frames.each(frames.paired(rows, column, one, other))


def together(*values: pd.Series) -> np.ndarray:
    """(quantities, masks) of the masks that have a value in each."""
    return pd.concat(values, axis=1, join="inner").to_numpy().T


def reach(damage: Damage, share: float) -> Quantity:
    """The smallest level at which this share of the loss is recovered, on a rising curve; nan where it never is."""

    def values(rows: pd.DataFrame) -> np.ndarray:
        x, recovered = curve(rows, "recovered", damage)
        return np.array([frames.crossing(x, row, share, monotone=True) for row in recovered])

    return values


def width(damage: Damage) -> Quantity:
    """How much of the axis lies between a tenth and nine tenths of the loss."""
    return lambda rows: reach(damage, 0.9)(rows) - reach(damage, 0.1)(rows)


def readable(damage: Damage, within: float = 0.5) -> Quantity:
    """The smallest level from which on every text is at most `within` nats a token less likely to the whole model than the
    text of the complete store: one value a mask with texts. An empty text is not readable; where the complete
    store's is empty there is nothing to compare with, and the value is nan.
    """

    def values(rows: pd.DataFrame) -> np.ndarray:
        x, sense = curve(rows[rows["text"].notna()], "sense", damage)
        return np.array([_readable_from(x, row, within) for row in sense])

    return values


def text_width(damage: Damage) -> Quantity:
    """How much of the axis lies between a tenth and nine tenths of the way from salad to language, along the rising curve of
    one mask's texts: salad is what the whole model thinks of the texts with up to a third kept, language what it thinks of the
    complete store's. A value a mask that wrote at many levels; nan where it never turns.
    """

    def values(rows: pd.DataFrame) -> np.ndarray:
        own = frames.rows(rows[rows["sense"].notna()], **damage.columns)
        out = []
        for _, mask in own.groupby(["seed"]):
            by_level = mask.groupby(damage.level)["sense"].mean()
            x, sense = by_level.index.to_numpy(), by_level.to_numpy()
            salad, language = sense[x < 1 / 3], sense[x == 1]
            if len(salad) and len(language):
                share = (salad.mean() - sense) / (salad.mean() - language[0])
                ends = [frames.crossing(x, share, level, monotone=True) for level in (0.1, 0.9)]
                out.append(ends[1] - ends[0])
        return np.array(out)

    return values


def own_text(rows: pd.DataFrame) -> np.ndarray:
    """Nats a token that the whole model gives the text of the complete transformed store."""
    told = rows[rows["text"].notna()]
    return by_mask(frames.per_seed(told, "sense", over=("model", "seed"), **TRANSFORMED.columns, kept=1.0).dropna())


def falls(damage: Damage, column: str, least: float = 0.01) -> Quantity:
    """How often a column falls by more than `least` from one level to the next."""
    return lambda rows: (np.diff(frames.curve(rows, column, damage.level, **damage.columns)[1]) < -least).sum(axis=-1)


def p_domain(rows: pd.DataFrame) -> np.ndarray:
    """D7: the permutation p of the domain, see `regression.p_domain`."""
    points = regression.points(rows)
    return np.array([regression.p_domain(points)] if points["domain"].nunique() > 1 else [])


def grace(rows: pd.DataFrame) -> np.ndarray:
    """D8: how much more one spoiled code in a thousand costs the transformed store than plain INT8; less than zero is grace."""
    transformed, plain = together(*(gaps(hit, whole, THOUSANDTH, base=1.0)(rows) for hit, whole in STORES))
    return transformed - plain


def hiss(rows: pd.DataFrame) -> np.ndarray:
    """How much more noise on all codes, a tenth of a block's deviation, costs the transformed store than plain INT8."""
    both = ((HISS, TRANSFORMED), (HISS_RAW, RAW))
    transformed, plain = together(*(gaps(noisy, whole, TENTH, base=1.0)(rows) for noisy, whole in both))
    return transformed - plain


def part_of_shape(rows: pd.DataFrame) -> np.ndarray:
    """How much of transformed minus raw, at 90 % kept, even minus proportional noise gives: one ratio of means, for the scatter
    of a mask is larger than either difference.
    """
    whole, shape = gap(TRANSFORMED, RAW, 0.9)(rows), gap(EVEN, PROPORTIONAL, 0.9)(rows)
    return np.array([shape.mean() / whole.mean()] if len(whole) and len(shape) else [])


def best(prior: str, at: float) -> Callable[[pd.DataFrame], tuple[float, float]]:
    """Loss minus zero fill's at the best weight tried for a prior, and that weight: means over masks and models; nan where
    the prior was not tried.
    """

    def values(rows: pd.DataFrame) -> tuple[float, float]:
        fills = [Keep(fill="guided", prior=prior, weight=b) for b in frames.rows(rows, prior=prior)["weight"].unique()]
        gains = [(gap(fill, TRANSFORMED, at)(rows), fill.weight) for fill in fills]
        return min(((float(np.mean(gain)), b) for gain, b in gains if len(gain)), default=(np.nan, np.nan))

    return values


def worth(prior: str, weight: float = 0.15) -> Quantity:
    """Loss with a prior, at the published weight, minus that of zero fill at the same weight cosine: the mean over shares whose
    cosine lies within zero fill's range; empty where none does. One model's rows are expected.
    """

    def values(rows: pd.DataFrame) -> np.ndarray:
        found = []
        for _, own in rows.groupby("seed"):
            zero = frames.rows(own, **TRANSFORMED.columns).sort_values("cosine")
            points = frames.rows(own, prior=prior, weight=weight)
            inside = points[points["cosine"].between(zero["cosine"].min(), zero["cosine"].max())]
            if len(inside):
                away = inside["nll"] - np.interp(inside["cosine"], zero["cosine"], zero["nll"])
                found.append(float(away.mean()))
        return np.array(found)

    return values


def predictions(rows: pd.DataFrame, known: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Rows with the cosine that arithmetic `predicted` beside the one achieved, for scattered loss of transformed
    coefficients, with every fill, and for the priors whose cosine and ratio of norms are `known`.
    """
    points = frames.rows(rows, damage="keep", domain="hadamard", order="iid", protect=False, prior=("", *known))
    predicted = []
    for f, fill, b, prior in points[["kept", "fill", "weight", "prior"]].itertuples(index=False):
        rho, ratio = known.get(prior, (1.0, 1.0))
        predicted.append(fills.cosine(f, fill, weight=b, rho=rho, ratio=ratio))
    return points.assign(predicted=np.array(predicted, float))


NUMBERS = {  # what the pages say, {glue:text}`name` in the prose and {name} in captions: quantity, form, unit
    "printed_cosine": (loss(ROWS, 0.8, "cosine_last"), ".2f", ""),
    "printed_top10": (loss(ROWS, 0.8, "top10"), ".1f", ""),
    "printed_falls": (falls(ROWS, "cosine_last"), ".0f", ""),
    "gap_60": (gap(TRANSFORMED, RAW, 0.6), ".3f", "nats"),
    "gap_80": (gap(TRANSFORMED, RAW, 0.8), ".3f", "nats"),
    "domain": (gap(TRANSFORMED, RAW, 0.9), ".3f", "nats"),
    "shape": (gap(EVEN, PROPORTIONAL, 0.9), ".3f", "nats"),
    "rows_gap": (gap(ROWS, RAW, 0.8), ".2f", "nats"),
    "vocabulary_gap": (gap(VOCABULARY, RAW, 0.8), ".2f", "nats"),
    "shuffled_gap": (gap(SHUFFLED, RAW, 0.8), ".2f", "nats"),
    "even_gap": (gap(EVEN, RAW, 0.8), ".2f", "nats"),
    "spoiled_gap": (gap(SPOILED, SPOILED_RAW, THOUSANDTH), ".2f", "nats"),
    "width": (width(TRANSFORMED), ".2f", ""),
    "loss_none": (loss(TRANSFORMED, 0.0), ".2f", "nats"),
    "loss_40": (loss(TRANSFORMED, 0.4), ".2f", "nats"),
    "loss_40_raw": (loss(RAW, 0.4), ".2f", "nats"),
    "jitter_rise": (gap(HISS, TRANSFORMED, TENTH, base=1.0), ".3f", "nats"),
    "jitter_gap": (hiss, "z.3f", "nats"),
    "bytes_rise": (gap(BYTES, TRANSFORMED, THOUSANDTH, base=1.0), ".3f", "nats"),
    "other_whole": (loss(OTHER_WHOLE, 0.2), ".2f", "nats"),
    "gain_60": (gap(Keep(fill="gain"), TRANSFORMED, 0.6), "z.2f", "nats"),
    "even_equal": (gap(TRANSFORMED, EVEN, 0.9), "z.3f", "nats"),
    "part_even": (part_of_shape, ".2f", ""),
    "top1_60": (loss(TRANSFORMED, 0.6, "top1"), ".2f", ""),
    "top1_90": (loss(TRANSFORMED, 0.9, "top1"), ".2f", ""),
    "own_text": (own_text, ".2f", "nats"),
    "readable_transformed": (readable(TRANSFORMED), ".0%", ""),
    "readable_raw": (readable(RAW), ".0%", ""),
    "damage_gap": (difference, ".3f", "nats"),
    "damage_sign": (signed, ".3f", "nats"),
    "rise": (gap(SPOILED, TRANSFORMED, THOUSANDTH, base=1.0), ".3f", "nats"),
    "rise_gap": (grace, ".3f", "nats"),
    "planes_loss": (rise(PLANES, 4), ".3f", "nats"),
    "iid_loss": (rise(TRANSFORMED, 0.6), ".2f", "nats"),
    "p_domain": (p_domain, ".3f", ""),
    "scatter": (lambda rows: [regression.spread(rows)["all"]], ".3f", "nats"),
    "apart": (lambda rows: [regression.spread(rows)["domain"]], ".3f", "nats"),
    "raw_loss": (loss(RAW, 0.8), ".2f", "nats"),
    "transformed_loss": (loss(TRANSFORMED, 0.8), ".2f", "nats"),
    "even_loss": (loss(EVEN, 0.8), ".2f", "nats"),
    "guided": (gap(ANCHORED, TRANSFORMED, 0.4), ".2f", "nats"),
    "random": (gap(RANDOM, TRANSFORMED, 0.4), ".2f", "nats"),
} | {f"worth_{prior}": (worth(prior), ".2f", "nats") for prior in ("leaked", "earlier", "other", "aligned")}
NUMBERS |= {
    f"shards_{d}": (loss(Keep(d, "shards"), 0.8), ".2f", "nats") for d in ("identity", "hadamard", "permutation")
}


def curve(rows: pd.DataFrame, column: str, damage: Damage) -> tuple[np.ndarray, np.ndarray]:
    """Levels (P,), and a column's values (masks, P) under a damage, the mean over models; both empty where it was not tried."""
    return frames.curve(rows, column, damage.level, mean_over=("model",), **damage.columns)


def _readable_from(x: np.ndarray, sense: np.ndarray, within: float) -> float:
    if not np.isfinite(sense[-1]):
        return float("nan")
    salad = np.flatnonzero(~(sense <= sense[-1] + within))  # nan compares as false: an empty text is salad
    return float(x[salad[-1] + 1] if len(salad) else x[0])


def by_mask(values: pd.Series) -> np.ndarray:
    return frames.each(values).to_numpy()
