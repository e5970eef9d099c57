"""What Part I puts into tables and what its figures need derived: frames from frames, pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from helpers import claims, frames, prose, stats
from helpers.claims.words import AWAITING, SUPPORTED, TOO_FEW
from helpers.dtdr import models, quantities
from helpers.dtdr.damage import Damage, Keep
from helpers.dtdr.judged import JUDGED, beside, steadier
from helpers.dtdr.named import (
    ANCHORED,
    ARMS,
    EVEN,
    OTHER,
    OTHER_WHOLE,
    PROPORTIONAL,
    RANDOM,
    RAW,
    SHARES,
    SPOILED,
    SPOILED_RAW,
    THOUSANDTH,
    TRANSFORMED,
)  # fmt: skip
from helpers.sides import Quantity
from helpers.study import Log, Study

PATTERNS = {  # what is lost, for the table of all patterns
    RAW: "raw, any entries",
    TRANSFORMED: "transformed, any coefficients",
    Keep(fill="gain"): "transformed, any coefficients, the rest enlarged by 1/f",
    Keep("identity", "columns"): "raw, the same columns in every row",
    Keep("hadamard", "columns"): "transformed, the same columns in every row",
    Keep("identity", "shards"): "raw, contiguous shards",
    Keep("hadamard", "shards"): "transformed, contiguous shards",
    Keep("permutation", "shards"): "raw in shuffled order, contiguous shards",
    Keep("identity", protect=True): "raw, any entries but the vocabulary's",
    Keep("hadamard", protect=True): "transformed, any coefficients but the vocabulary's",
}
ERRORS = {  # four errors of one cosine
    RAW: "raw weights lost",
    PROPORTIONAL: "noise in proportion to each weight",
    TRANSFORMED: "transformed coefficients lost",
    EVEN: "even noise (one size per row)",
}
FILLS = {TRANSFORMED: "zero", RANDOM: "random", ANCHORED: "guided, published"}
PRIORS = {
    "leaked": "the same model, a millionth of it wrong (as published)",
    "earlier": "after a quarter of its training",
    "before": "before it was fine-tuned",
    "relative": "a relative, given by parameter",
    "other": "another seed of the same training",
    "aligned": "another seed, its neurons in this model's order",
    "neighbour": "the right model, the wrong layers",
    "row_mean": "row means of what was kept",
    "low_rank": "leading directions of what was kept",
}
WITHOUT = ("neighbour", "low_rank", "row_mean")  # priors that no other model gives
_weakly = lambda prior: Keep(fill="guided", prior=prior, weight=0.15)
LEAST = 0.05  # nats that a prior must give to be named among those that help
GAIN = "loss − zero fill, nats"
RISE = {  # column: the quantity of a damage, for the tables of arms and patterns
    "f50": lambda damage: quantities.reach(damage, 0.5),
    "f90 − f10": quantities.width,
    "loss at 0.6": lambda damage: quantities.loss(damage, 0.6),
    "loss at 0.8": lambda damage: quantities.loss(damage, 0.8),
}
SMALL_LOSS = {f"{f:.0%} kept": lambda damage, f=f: quantities.loss(damage, f) for f in (0.8, 0.9)}
ACROSS = {  # column: the parts and the quantity, for the table of committed runs
    "f50": (ARMS, quantities.reach(TRANSFORMED, 0.5)),
    "width": (ARMS, quantities.NUMBERS["width"][0]),
    "T − R, 80%": (ARMS, quantities.NUMBERS["gap_80"][0]),
    "T − R, 90%": ("cause", quantities.NUMBERS["domain"][0]),
    "even − prop., 90%": ("cause", quantities.NUMBERS["shape"][0]),
    "T − even, 90%": ("cause", quantities.NUMBERS["even_equal"][0]),
}
TURNS = ("D2", "D5", "D5b", "D8", "D10")  # claims that a model with outlier channels could answer otherwise


def means(
    rows: pd.DataFrame, names: Mapping[Damage, str], columns: Mapping[str, Callable] = RISE, head: str = "lost"
) -> pd.DataFrame:
    """A row a damage that the rows have: its name under `head`, and the mean over masks of every column's quantity of it."""
    tried = {d: name for d, name in names.items() if len(frames.rows(rows, **d.columns))}
    return pd.DataFrame(
        {head: name} | {column: _mean(quantity(damage)(rows)) for column, quantity in columns.items()}
        for damage, name in tried.items()
    )


def told(rows: pd.DataFrame, damages: Iterable[Damage]) -> pd.DataFrame:
    """Rows of the first mask with a text, damage by damage: `name` is its label, `kept` its level, whatever that is called."""
    texts = rows[rows["text"].notna() & (rows["seed"] == 0)]
    own = {damage: frames.rows(texts, **damage.columns) for damage in damages}
    parts = [part.assign(name=d.label, kept=part[d.level]) for d, part in own.items() if len(part)]
    return pd.concat(parts or [texts.iloc[:0].assign(name="")], ignore_index=True)


def nonsense(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a fill and share: loss, entropy, repetition, and the loss of its text to the whole model."""
    names = {"nll": "loss", "entropy": "entropy", "rep4": "repetition", "sense": "its text"}
    own = {name: frames.rows(rows, **damage.columns, kept=SHARES) for damage, name in FILLS.items()}
    tried = pd.concat([part.assign(fill=name) for name, part in own.items()])
    out = tried.groupby(["fill", "kept"], sort=False)[list(names)].mean().rename(columns=names).reset_index()
    return out.assign(kept=out["kept"].map("{:.0%}".format))


def rungs(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for every model and domain of `rows`: depth, width and seed of the model, and `f50`, the mean over masks of the
    share at which half of its loss is recovered.
    """
    facts, out = ["model", "depth", "width", "parameters", "model_seed"], []
    for _, own in rows.groupby("model"):
        f50 = {damage: quantities.reach(damage, 0.5)(own) for damage in (TRANSFORMED, RAW)}
        known = own.iloc[0][facts].to_dict()
        out += [known | damage.columns | {"f50": float(at.mean())} for damage, at in f50.items() if len(at)]
    return pd.DataFrame(out, columns=[*facts, *TRANSFORMED.columns, "f50"])


def dose(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for every size of outlier channels and mask: transformed minus raw loss with 80 % kept (`lost`), and with one code
    in a thousand spoiled (`spoiled`). Only masks that all sizes have count; empty where one size is all.
    """
    pairs = {
        "lost": quantities.gaps(TRANSFORMED, RAW, 0.8),
        "spoiled": quantities.gaps(SPOILED, SPOILED_RAW, THOUSANDTH),
    }
    sizes, out = dict(list(rows.groupby("outliers"))), [pd.DataFrame(columns=["outliers", "seed", *pairs], dtype=float)]
    masks = min((own["seed"].nunique() for own in sizes.values()), default=0)
    for size, own in sizes.items() if len(sizes) > 1 else ():
        values = {name: quantity(own[own["seed"] < masks]) for name, quantity in pairs.items()}
        out.append(pd.DataFrame(values).rename_axis("seed").reset_index().assign(outliers=size))
    return pd.concat(out[1:] or out, ignore_index=True)


def end(column: str, by: str, at: int) -> Quantity:
    """The mean of a column at the smallest (at = 0) or the largest (-1) value of `by`."""
    return lambda rows: rows.groupby(by)[column].mean().iloc[[at] if len(rows) else []].to_numpy()


def deeper(rungs: pd.DataFrame) -> np.ndarray:
    """How much later half of the loss is back in the deepest models than in the shallowest: a value a seed, the mean over
    domains."""
    both = rungs.groupby(["model_seed", "depth"])["f50"].mean().unstack().dropna(axis=1, how="all")
    return (both.iloc[:, -1] - both.iloc[:, 0]).dropna().to_numpy() if both.shape[1] > 1 else np.array([])


def _of_trainings(pick: Callable) -> Quantity:
    """D9: the least or the most of what the trainings recover at 40 % kept with the published prior."""

    def values(rows: pd.DataFrame) -> np.ndarray:
        found = models.recovered(ANCHORED, 0.4)(rows)
        return np.array([pick(found)] if len(found) else [])

    return values


NUMBERS = (
    quantities.NUMBERS
    | {  # with those of the frames that are made here
        "lost_small": (end("lost", "outliers", 0), "z.2f", "nats"),
        "lost_large": (end("lost", "outliers", -1), "z.2f", "nats"),
        "spoiled_small": (end("spoiled", "outliers", 0), "z.2f", "nats"),
        "spoiled_large": (end("spoiled", "outliers", -1), "z.2f", "nats"),
        "shallow": (end("f50", "depth", 0), "z.2f", ""),
        "deep": (end("f50", "depth", -1), "z.2f", ""),
        "fewest_layers": (end("depth", "depth", 0), ".0f", ""),
        "most_layers": (end("depth", "depth", -1), ".0f", ""),
        "narrow": (end("f50", "width", 0), "z.2f", ""),
        "wide": (end("f50", "width", -1), "z.2f", ""),
    }
    | {  # and with those that claims name
        "text_width": (JUDGED["d2_text_width"], ".2f", ""),
        "text_width_raw": (JUDGED["d2_text_width_raw"], ".2f", ""),
        "kl_few": (JUDGED["d1_kl"], ".2f", "nats"),
        "kl_few_raw": (JUDGED["d1_kl_raw"], ".2f", "nats"),
        "share_gap": (JUDGED["d5_share_gap"], "z.3f", ""),
        "worse_80": (JUDGED["d5b_loss_gap_0.8"], "z.3f", "nats"),
        "worse_90": (JUDGED["d5b_loss_gap_0.9"], "z.3f", "nats"),
        "outliers_share": (JUDGED["d5_outliers"], "z.2f", ""),
        "bytes_90": (JUDGED["d6_bytes_0.9"], "z.3f", "nats"),
        "kinds_80": (JUDGED["d6_difference_0.8"], "z.3f", "nats"),
        "kinds_90": (JUDGED["d6_difference_0.9"], "z.3f", "nats"),
        "kinds_95": (JUDGED["d6_difference_0.95"], "z.3f", "nats"),
        "mixing": (JUDGED["d7_mixing_minus_raw"], "z.3f", "nats"),
        "beside_noise": (JUDGED["d7_hadamard_minus_even"], "z.3f", "nats"),
        **{f"repeats_{f * 100:.0f}": (JUDGED[f"d3_repetition_apart_{f:g}"], ".2f", "") for f in SHARES[1:]},
        **{f"prompts_{f * 100:.0f}": (JUDGED[f"d3_prompts_apart_{f:g}"], ".2f", "") for f in SHARES[1:]},
        **{f"aligned_{f * 100:.0f}": (JUDGED[f"d4_aligned_minus_zero_{f:g}"], "z.2f", "nats") for f in SHARES},
        "zero_20": (beside(TRANSFORMED, OTHER_WHOLE, 0.2), ".2f", "nats"),
        **{f"{p}_60": (quantities.gap(_weakly(p), TRANSFORMED, 0.6), "z.2f", "nats") for p in WITHOUT},
        "steadier_40": (steadier(ANCHORED, TRANSFORMED, 0.4), "z.2f", "nats"),
        "steadier_other_40": (steadier(OTHER, TRANSFORMED, 0.4), "z.2f", "nats"),
        "training_least": (_of_trainings(np.min), "z.0%", ""),
        "training_most": (_of_trainings(np.max), "z.0%", ""),
        "apart_40": (JUDGED["d3_entropy_apart_0.4"], ".2f", "nats"),
        "apart_60": (JUDGED["d3_entropy_apart_0.6"], ".2f", "nats"),
        **{f"recovered_{f * 100:.0f}": (JUDGED[f"d4_recovered_{f:g}"], "z.0%", "") for f in SHARES},
        **{f"other_{f * 100:.0f}": (JUDGED[f"d4_other_minus_zero_{f:g}"], "z.2f", "nats") for f in SHARES},
    }
)


def of_common_width(rows: pd.DataFrame) -> pd.DataFrame:
    """The rungs of the width that most models have: the ladder of depths."""
    return rows[rows["width"] == rows["width"].mode().max()]


def against_zero(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with a prior, and `gain`: their loss minus that of zero fill under the same mask. Zero fill itself stands among them
    as weight 0 of every prior.
    """
    zero, guided = frames.rows(rows, **TRANSFORMED.columns), rows[rows["prior"] != ""]
    tried = guided[["model", "prior", "kept"]].drop_duplicates()
    both = pd.concat([zero.drop(columns="prior").merge(tried, on=["model", "kept"]), guided], ignore_index=True)
    units = ["model", "seed", "kept"]
    return both.assign(gain=both["nll"] - both.join(zero.set_index(units)["nll"].rename("zero"), on=units)["zero"])


def worths(rows: pd.DataFrame, known: Mapping[str, tuple[float, float]], at: float) -> pd.DataFrame:
    """A row a prior: what it knows, the weight that arithmetic would choose, the best weight tried and what it gives there,
    ± half its 95 % interval over n masks.
    """
    out = []
    for prior, name in tried(rows).items():
        rho, ratio = known.get(prior, (np.nan, np.nan))
        gain, weight = quantities.best(prior, at)(rows)
        gains = quantities.gap(Keep(fill="guided", prior=prior, weight=weight), TRANSFORMED, at)(rows)
        found = (gain, stats.t_interval(gains).high - gain, len(gains)) if len(gains) else (gain, np.nan, 0)
        out.append((name, rho, rho / ratio, weight, *found))
    return pd.DataFrame(out, columns=["prior", "cosine", "b* predicted", "best b tried", GAIN, "±", "n"])


def worth_of_each(rows: pd.DataFrame) -> str:
    """What each prior is worth at equal cosine, as text for a caption."""
    values = {name: quantities.worth(prior)(rows) for prior, name in tried(rows).items()}
    return ", ".join(f"{prose.mean(v, '.2f')} ({name})" for name, v in values.items() if len(v)) or "(none was tried)"


def tried(rows: pd.DataFrame) -> dict[str, str]:
    """The priors that the rows have, in the order of what they know, with their names."""
    return {prior: name for prior, name in PRIORS.items() if len(frames.rows(rows, prior=prior))}


def helpful(table: pd.DataFrame) -> str:
    """The names of those priors in a table of `worths` that help by more than LEAST nats with their whole interval."""
    return "; ".join(table["prior"][table[GAIN] + table["±"] < -LEAST]) or "none"


def similar(known: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """What each prior knows: the cosine of its weights to the model's, and the ratio of norms."""
    rows = [(PRIORS[name], *pair) for name, pair in known.items()]
    return pd.DataFrame(rows, columns=["prior", "cosine to the model", "ratio of norms"])


def across(log: Log) -> pd.DataFrame:
    """A row a committed reference: thresholds, and what sets the domains apart."""
    out = []
    for label, committed in log.committed.items():
        rows = {part: log.alone(label, part=part).this for part, _ in ACROSS.values()}
        name, trainings = committed.header["parameters"]["model"], rows[ARMS]["model"].nunique()
        name += f", mean of {trainings} trainings" if trainings > 1 else ""
        facts = {"model": name, "masks": committed.header["seeds"]}
        out.append(facts | {name: _mean(quantity(rows[part])) for name, (part, quantity) in ACROSS.items()})
    return pd.DataFrame(out)


def verdicts(chapters: Mapping[str, Study], **sets: pd.DataFrame) -> pd.DataFrame:
    """A row a set of rows: the verdicts that the criteria of TURNS, of all chapters, give on them, an interval counting from
    three units on. With few models in them a mask stands for a model.
    """
    known = {name.replace("_", " "): rows for name, rows in sets.items() if len(rows)}
    out = []
    for name, rows in known.items():
        each = rows.assign(part="arms", model=rows["model"].astype(str) + ", mask " + rows["seed"].astype(str))
        row = {"weights": name, "masks": rows["seed"].nunique()}
        for chapter, study in chapters.items():
            row |= {k: v for k, v in study.examine(each, claims.of(chapter)).items() if k in TURNS}
        out.append(row)
    return pd.DataFrame(out)


def turned(table: pd.DataFrame) -> str:
    """The claims that the second row of `verdicts` supports and the first, of the same run, does not."""
    silent = (SUPPORTED, AWAITING, TOO_FEW)
    if len(table) > 1 and TOO_FEW in set(table.iloc[0]) <= {*silent, *table.iloc[0, :2]}:
        return "not known from this run, which has too few masks"
    changed = [c for c in table if len(table) > 1 and table[c].iloc[1] == SUPPORTED and table[c].iloc[0] not in silent]
    return ", ".join(changed) or "none"


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
