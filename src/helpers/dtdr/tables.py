"""What Part I puts into tables and what its figures need derived: frames from frames, pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from helpers import frames, prose
from helpers.claims import SUPPORTED, Verdict
from helpers.dtdr import quantities
from helpers.dtdr.damage import Damage, Keep, Noise
from helpers.dtdr.quantities import ANCHORED, RANDOM, RAW, SPOILED, SPOILED_RAW, THOUSANDTH, TRANSFORMED, Quantity
from helpers.study import Log

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
    Noise("entry"): "noise in proportion to each weight",
    TRANSFORMED: "transformed coefficients lost",
    Noise("row"): "noise of one size per row",
}
FILLS = {TRANSFORMED: "zero", RANDOM: "random", ANCHORED: "guided, published"}
PRIORS = {
    "leaked": "the same model, a millionth of it wrong (as published)",
    "earlier": "after a quarter of its training",
    "before": "before it was fine-tuned",
    "relative": "a relative, given by parameter",
    "other": "another seed of the same training",
    "neighbour": "the right model, the wrong layers",
    "row_mean": "row means of what was kept",
    "low_rank": "leading directions of what was kept",
}
LEAST = 0.05  # nats that a prior must give to be named among those that help


def summary(rows: pd.DataFrame, names: Mapping[Damage, str]) -> pd.DataFrame:
    """A row a damage: where half of the loss is recovered, the width of the rise, and the losses at 0.6 and 0.8."""
    out = []
    for damage, name in names.items():
        if len(frames.rows(rows, **damage.columns)):
            row = {"lost": name, "f50": _mean(quantities.reach(damage, 0.5), rows)}
            row["f90 − f10"] = _mean(quantities.width(damage), rows)
            out.append(row | {f"loss at {f:g}": _mean(quantities.loss(damage, f), rows) for f in (0.6, 0.8)})
    return pd.DataFrame(out)


def causes(rows: pd.DataFrame, shares: Sequence[float] = (0.8, 0.9)) -> pd.DataFrame:
    """Losses under four errors of the same cosine."""
    return pd.DataFrame(
        {"error": name} | {f"{f:.0%} kept": _mean(quantities.loss(damage, f), rows) for f in shares}
        for damage, name in ERRORS.items()
    )


def told(rows: pd.DataFrame, damages: Iterable[Damage]) -> pd.DataFrame:
    """Rows with a text, damage by damage: `name` is its label, `kept` its level, whatever that is called."""
    parts = [rows.iloc[:0].assign(name="")]
    for damage in damages:
        own = frames.rows(rows, **damage.columns)
        own = own[own["text"].notna()]
        parts += [own.assign(name=damage.label, kept=own[damage.level])] if len(own) else []
    return pd.concat(parts[1:] or parts, ignore_index=True)


def nonsense(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a fill and share: loss, entropy, repetition, and the loss of its text to the whole model."""
    out = []
    for damage, name in FILLS.items():
        for f in quantities.SHARES:
            own = frames.rows(rows, **damage.columns, kept=f)
            told = {"repetition": own["rep4"].mean(), "its text": own["sense"].mean()}
            out.append(
                {"fill": name, "kept": f"{f:.0%}", "loss": own["nll"].mean(), "entropy": own["entropy"].mean()} | told
            )
    return pd.DataFrame(out)


def rungs(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for every model and domain of `rows`: depth, width and seed of the model, and `f50`, the mean over masks of the
    share at which half of its loss is recovered.
    """
    facts, out = ["depth", "width", "parameters", "model_seed"], []
    for model, own in rows.groupby("model"):
        for damage in (TRANSFORMED, RAW):
            f50 = quantities.reach(damage, 0.5)(own)
            if len(f50):
                out.append(
                    {"model": model} | damage.columns | own.iloc[0][facts].to_dict() | {"f50": float(f50.mean())}
                )
    return pd.DataFrame(out, columns=["model", *TRANSFORMED.columns, *facts, "f50"])


def dose(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for every size of outlier channels and mask: transformed minus raw loss with 80 % kept (`lost`), and with one code
    in a thousand spoiled (`spoiled`). Only masks that all sizes have count; empty where one size is all.
    """
    pairs = {"lost": quantities.gap(TRANSFORMED, RAW, 0.8), "spoiled": quantities.gap(SPOILED, SPOILED_RAW, THOUSANDTH)}
    sizes, out = dict(list(rows.groupby("outliers"))), [pd.DataFrame(columns=["outliers", "seed", *pairs], dtype=float)]
    masks = min((own["seed"].nunique() for own in sizes.values()), default=0)
    for size, own in sizes.items() if len(sizes) > 1 else ():
        values = {name: quantity(own[own["seed"] < masks]) for name, quantity in pairs.items()}
        out.append(pd.DataFrame({"outliers": size, "seed": range(masks)} | values))
    return pd.concat(out[1:] or out, ignore_index=True)


def ends(rows: pd.DataFrame, column: str, by: str = "outliers") -> tuple[str, str]:
    """The mean of a column at the smallest and at the largest value of `by`, as text."""
    means = rows.groupby(by)[column].mean()
    return prose.mean(means.iloc[:1], "z.2f"), prose.mean(means.iloc[-1:], "z.2f")


def of_common_width(rows: pd.DataFrame) -> pd.DataFrame:
    """The rungs of the width that most models have: the ladder of depths."""
    return rows[rows["width"] == rows["width"].mode().max()]


def against_zero(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with a prior, and `gain`: their loss minus that of zero fill under the same mask. Zero fill itself stands among them
    as weight 0 of every prior.
    """
    zero = frames.rows(rows, **TRANSFORMED.columns)
    units = ["model", "seed", "kept"]
    guided = rows[rows["prior"] != ""]
    tried = guided[["model", "prior", "kept"]].drop_duplicates()
    start = zero.drop(columns="prior").merge(tried, on=["model", "kept"])
    both = pd.concat([start, guided], ignore_index=True)
    base = zero.set_index(units)["nll"].rename("zero")
    both = both.join(base, on=units)
    return both.assign(gain=both["nll"] - both["zero"])


def worths(rows: pd.DataFrame, known: Mapping[str, tuple[float, float]], at: float) -> pd.DataFrame:
    """A row a prior: what it knows, the weight that arithmetic would choose, the best weight tried and what it gives there."""
    out = []
    for prior, name in tried(rows).items():
        rho, ratio = known.get(prior, (np.nan, np.nan))
        gain, weight = quantities.best(prior, at)(rows)
        row = {"prior": name, "cosine": rho, "b* predicted": rho / ratio, "best b tried": weight}
        out.append(row | {"loss − zero fill, nats": gain})
    return pd.DataFrame(out)


def worth_of_each(rows: pd.DataFrame) -> str:
    """What each prior is worth at equal cosine, as text for a caption."""
    values = {name: quantities.worth(prior)(rows) for prior, name in tried(rows).items()}
    return ", ".join(f"{prose.mean(v, '.2f')} ({name})" for name, v in values.items() if len(v)) or "(none was tried)"


def tried(rows: pd.DataFrame) -> dict[str, str]:
    """The priors that the rows have, in the order of what they know, with their names."""
    return {prior: name for prior, name in PRIORS.items() if len(frames.rows(rows, prior=prior))}


def helpful(rows: pd.DataFrame, at: float) -> str:
    """The names of those priors that lower the loss by more than LEAST nats at their best weight."""
    names = [name for prior, name in tried(rows).items() if quantities.best(prior, at)(rows)[0] < -LEAST]
    return "; ".join(names) or "none"


def similar(known: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """What each prior knows: the cosine of its weights to the model's, and the ratio of norms."""
    return pd.DataFrame(
        {"prior": PRIORS[name], "cosine to the model": rho, "ratio of norms": ratio}
        for name, (rho, ratio) in known.items()
    )


def across(log: Log) -> pd.DataFrame:
    """A row a committed reference: thresholds, and what sets the domains apart."""
    differences: dict[str, tuple[tuple[str, ...], Quantity]] = {
        f"T − R, {f:.0%}": (quantities.EMERGENCE, quantities.gap(TRANSFORMED, RAW, f)) for f in (0.8, 0.9)
    }
    leading = quantities.gap(Keep("identity", "rows"), RAW, 0.8)
    shape = quantities.gap(Noise("row"), Noise("entry"), 0.9)
    differences |= {"rows − R, 80%": (quantities.EMERGENCE, leading), "even − prop., 90%": (("cause",), shape)}
    out = []
    for label, committed in log.committed.items():
        rows = log.frame(label)
        judged = frames.rows(rows, part=quantities.EMERGENCE)
        found = {name: _mean(quantities.of(f"d2_{name}"), judged) for name in ("f50", "width")}
        found |= {name: _mean(quantity, frames.rows(rows, part=part)) for name, (part, quantity) in differences.items()}
        facts = {"model": committed.header["parameters"]["model"], "masks": committed.header["seeds"]}
        out.append(facts | found | {"p, D7": _mean(quantities.of("d7_p_domain"), judged)})
    return pd.DataFrame(out)


def verdicts(log: Log, **sets: pd.DataFrame) -> pd.DataFrame:
    """A row a set of rows: the verdicts that the chapter's criteria give on them, D7 aside, which needs more damages."""
    known = {name.replace("_", " "): rows.assign(part="arms") for name, rows in sets.items() if len(rows)}
    judged = ({"weights": name, "masks": rows["seed"].nunique()} | log.examine(rows) for name, rows in known.items())
    return pd.DataFrame(judged).drop(columns="D7", errors="ignore")


def turned(table: pd.DataFrame, shown: Sequence[Verdict]) -> str:
    """The claims that the second row of `verdicts` supports and the chapter's own verdicts do not."""
    own = {v.id: v.verdict for v in shown if v.criterion == "precise"}
    changed = [c for c in own if c in table and len(table) > 1 and table[c].iloc[1] == SUPPORTED != own[c]]
    return ", ".join(changed) or "none"


def _mean(quantity: Quantity, rows: pd.DataFrame) -> float:
    values = quantity(rows)
    return float(np.mean(values)) if len(values) else float("nan")
