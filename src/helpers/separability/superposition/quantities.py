"""From a tidy frame to the quantities that the claims name, one value a unit, and those that the chapter speaks of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from helpers import frames
from helpers.separability.superposition import rule

STORIES = "stories"  # the models that are trained here
HALF = 0.5  # strength of the planted suppressor that must be found
DRAWS = 1999  # permutations of labels; bootstrap draws
AMPLITUDES = ("norm", "amplitude", "density", "interference")
Quantities = dict[str, list[float]]
Quantity = Callable[[pd.DataFrame], np.ndarray]


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with what follows from it. Of heads: `suppressor`, by the rule; `null_found`, whether the head on
    other sequences passes for one; `log2`, its variance over the median of its layer's other heads that are none;
    `place`, its layer and a little more; and `by.…`, whether each reading alone calls it one. Of bottlenecks:
    `density`, amplitude a dimension, amplitude / √m."""
    before = {"sigma_sq": "variance_stream"} | {c: c.replace("sigma_sq", "variance") for c in rows if "sigma_sq_" in c}
    out = rows.rename(columns=before)  # as runs before 2026-11-28 called them
    for column in ("suppressor", "null_found", "log2", *(f"by.{name}" for name in rule.ALONE)):
        out[column] = np.nan
    if "head" in out:
        out["place"] = out["layer"] - 0.25 + 0.5 * out["head"] / max(out["head"].max(), 1)
    if "amplitude" in out:
        out["density"] = out["amplitude"] / np.sqrt(out["m"])
    for index, heads in models(out):
        n, total, stats = int(heads["n"].iloc[0]), len(heads), _statistics(heads)
        chosen = rule.suppressors(stats, n, total)
        null = {name: heads[f"null_{name}"].to_numpy() for name in ("direct_t", "gain_t", "copying_t")}
        out.loc[index, "suppressor"] = chosen.astype(float)
        out.loc[index, "null_found"] = rule.suppressors(null, n, total).astype(float)
        out.loc[index, "log2"] = _against_layer(heads["variance"].to_numpy(), heads["layer"].to_numpy(), chosen)
        for name, criterion in rule.ALONE.items():
            out.loc[index, f"by.{name}"] = rule.holds(stats, criterion, n, total).astype(float)
    return out


def named(rows: pd.DataFrame) -> Quantities:
    """All that the claims name; suppressors, how many a model; elsewhere_log2_ratio, of models that were trained elsewhere.
    What was not run is left out."""
    found = census(rows) | printed(rows)
    if len(heads := frames.rows(rows, part="heads")):
        found["suppressors"] = count()(rows)
        found["elsewhere_log2_ratio"] = log2_ratio(heads[heads["model"] != STORIES])
    return {k: [float(v) for v in values] for k, values in found.items() if len(values)}


def census(rows: pd.DataFrame, model: str = STORIES) -> dict[str, np.ndarray]:
    """Of the models that were trained here (S11, S12), or of another: a model without suppressors counts as a log
    ratio of 0."""
    heads = frames.rows(rows, part="heads", model=model)
    if not len(heads):
        return {}
    out = {"s11_log2_ratio": log2_ratio(heads)}
    half = planted_found(HALF, model)(rows)
    out["s11_planted_found"] = np.array([half.mean()] if len(half) else [])
    out["s11_false_found"] = np.array([heads["null_found"].mean()])
    out["s12_models_log2_ratio"], out["s12_p_models"] = out["s11_log2_ratio"], pooled(rows, model)
    sequences = frames.rows(rows, part="sequences", model=model)
    units = int(heads["n"].iloc[0])
    out["s12_log_ratio"] = sequences["log_ratio"].to_numpy() if len(sequences) else np.zeros(units)
    first = int(sequences["seed"].iloc[0]) if len(sequences) else int(heads["seed"].min())
    out["s12_p_heads"] = np.array([permuted(frames.rows(heads, seed=first))])
    return out


def log2_ratio(heads: pd.DataFrame) -> np.ndarray:
    """(S,) mean log2 of suppressors' variance over that of matched heads, one a model."""
    values = [
        rule.log2_ratio(h["variance"].to_numpy(), h["layer"].to_numpy(), h["suppressor"].to_numpy() > 0)
        for _, h in models(heads)
    ]
    return np.array(values, float)


def permuted(heads: pd.DataFrame, draws: int = DRAWS) -> float:
    """p that as many heads of one model, drawn at random, reach the suppressors' mean log2 ratio; 1 without
    suppressors.

    Variances are compared within a layer, so that heads of any layer can be exchanged.
    """
    chosen = heads["suppressor"].to_numpy() > 0
    if not chosen.any() or chosen.all():
        return 1.0
    variance, layer = heads["variance"].to_numpy(), heads["layer"].to_numpy()
    rng, reached = np.random.default_rng(0), rule.log2_ratio(variance, layer, chosen)
    again = [rule.log2_ratio(variance, layer, rng.permutation(chosen)) for _ in range(draws)]
    return float((1 + (np.array(again) >= reached - 1e-12).sum()) / (1 + draws))


def pooled(rows: pd.DataFrame, model: str = STORIES) -> np.ndarray:
    """The same p with the labels of every model permuted at once; the statistic is the mean over models that have
    suppressors."""
    heads = [h for _, h in models(frames.rows(rows, part="heads", model=model))]
    facts = [(h["variance"].to_numpy(), h["layer"].to_numpy(), h["suppressor"].to_numpy() > 0) for h in heads]
    facts = [f for f in facts if f[-1].any() and not f[-1].all()]
    if not facts:
        return np.array([1.0])
    rng = np.random.default_rng(0)
    score = lambda mix: np.mean([rule.log2_ratio(v, layer, mix(c)) for v, layer, c in facts])
    reached = score(lambda c: c)
    again = np.array([score(rng.permutation) for _ in range(max(99, DRAWS // len(facts)))])
    return np.array([(1 + (again >= reached - 1e-12).sum()) / (1 + len(again))])


def printed(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The printed experiment, one value a seed. s11_ratio: σ² of suppressors' outputs over clean heads', 1 where the
    set of suppressors is empty or full; printed_excludes: whether a bootstrap interval over batches leaves out 1 (0
    where there is no ratio); printed_suppressors: how many; printed_most: the largest ratio of σ² without a head and
    with it; printed_against: the lowest correlation of two heads' outputs; printed_over: loss less ln V."""
    found = frames.rows(rows, part="printed")
    table = [_toy(seed_rows) for _, seed_rows in found.groupby("seed")] if len(found) else []
    return {name: np.array([row[name] for row in table]) for name in (table[0] if table else ())}


def count(column: str = "suppressor", model: str = STORIES) -> Quantity:
    """A quantity: heads of which a column is 1, one value a model."""
    return lambda rows: frames.rows(rows, part="heads", model=model).groupby("seed")[column].sum().to_numpy(float)


def average(column: str, model: str = STORIES) -> Quantity:
    """A quantity: the mean of a column over heads, one value a model."""
    return lambda rows: frames.rows(rows, part="heads", model=model).groupby("seed")[column].mean().to_numpy(float)


def copiers(rows: pd.DataFrame) -> np.ndarray:
    """(1,) the share of all suppressors that are found by what they do to words already told alone, and not by working
    against the right answer."""
    heads = [(h, h["suppressor"].to_numpy() > 0) for _, h in models(frames.rows(rows, part="heads", model=STORIES))]
    held = [rule.holds(_statistics(h), rule.BY["direct"], int(h["n"].iloc[0]), len(rule.BY) * len(h)) for h, _ in heads]
    chosen = [~direct[some] for direct, (_, some) in zip(held, heads, strict=True)]
    return np.array([np.concatenate(chosen).mean()]) if any(len(c) for c in chosen) else np.empty(0)


def most(column: str, model: str = STORIES) -> Quantity:
    """A quantity: the largest value of a column over heads, one value a model."""
    return lambda rows: frames.rows(rows, part="heads", model=model).groupby("seed")[column].max().to_numpy(float)


def value(name: str) -> Quantity:
    """A quantity that the claims or the printed experiment name."""
    return lambda rows: (census(rows) | printed(rows)).get(name, np.empty(0))


def of(name: str, model: str) -> Quantity:
    """A quantity that the claims name, of another model."""
    return lambda rows: census(rows, model).get(name, np.empty(0))


def planted_found(share: float, model: str = STORIES) -> Quantity:
    """A quantity: whether a suppressor planted at this strength is found, one value a model."""

    def values(rows: pd.DataFrame) -> np.ndarray:
        found = frames.rows(rows, part="planted", model=model, share=share)
        return _detected(found).astype(float) if len(found) else np.empty(0)

    return values


def follows(column: str, over: str) -> Quantity:
    """A quantity: Spearman's correlation of a column with superposition in the bottlenecks, one value a seed; over:
    "sparsity" goes along S within a shape, "m" along m within a sparsity; the mean over what is held fixed. Cells
    without any held feature are left out."""
    fixed = ["n", "m"] if over == "sparsity" else ["n", "sparsity"]

    def values(rows: pd.DataFrame) -> np.ndarray:
        found = frames.rows(rows, part="bottleneck")
        found = (
            found[found["m"].lt(found["n"]) & found["sparsity"].gt(0) & found["superposition"].notna()]
            if len(found)
            else found
        )
        out = []
        for _, seed in found.groupby("seed") if len(found) else ():
            groups = [g for _, g in seed.groupby(fixed) if len(g) > 2 and g["superposition"].round(3).nunique() > 1]
            out.append(
                np.mean([_spearman(g["superposition"].round(3), g[column]) for g in groups]) if groups else np.nan
            )
        return np.array(out)

    return values


def null_range(rows: pd.DataFrame, model: str = STORIES) -> pd.DataFrame:
    """A row a layer: between low and high lie 95 % of the variance ratios under random removals, all models
    together."""
    found = frames.rows(rows, part="null", model=model)
    grouped = found.groupby("layer")["ratio"] if len(found) else None
    return (
        pd.DataFrame({"low": grouped.quantile(0.025), "high": grouped.quantile(0.975)}).reset_index()
        if len(found)
        else found
    )


def beyond_null(kind: str, model: str = STORIES) -> Quantity:
    """A quantity: the share of heads whose removal raises the variance at the end beyond the null of its layer, a
    value a model."""

    def values(rows: pd.DataFrame) -> np.ndarray:
        heads = frames.rows(rows, part="heads", model=model)
        if not len(heads):
            return np.empty(0)
        high = heads["layer"].map(null_range(rows, model).set_index("layer")["high"])
        return (heads[kind] > high).groupby(heads["seed"]).mean().to_numpy()

    return values


def _toy(found: pd.DataFrame) -> dict[str, float]:
    chosen, heads = raised(found), range(int(found["heads"].iloc[0]))
    outputs = found[[f"variance_head_{h}" for h in heads]].to_numpy()  # (N, H)
    ratio = found[[f"ablated_{h}" for h in heads]].to_numpy() / found[["variance_stream"]].to_numpy()
    some, excludes = chosen.any() and not chosen.all(), 0.0
    if some:
        at = np.random.default_rng(0).integers(0, len(found), (int(found["resamples"].iloc[0]), len(found)))
        again = outputs[at][..., chosen].mean((1, 2)) / outputs[at][..., ~chosen].mean((1, 2))
        low, high = np.quantile(again, [0.025, 0.975])
        excludes = float(low > 1 or high < 1)
    return {
        "s11_ratio": outputs[:, chosen].mean() / outputs[:, ~chosen].mean() if some else 1.0,
        "s12_printed_excludes": excludes,
        "printed_suppressors": float(chosen.sum()),
        "printed_most": ratio.mean(0).max(),
        "printed_least": ratio.mean(0).min(),
        "printed_against": found[[f"against_{h}" for h in heads]].to_numpy().mean(0).min(),
        "printed_loss": found["loss"].mean(),
    }


def raised(found: pd.DataFrame) -> np.ndarray:
    """(H,) which heads of the first layer are suppressors as printed: σ² without them over σ², of means over
    batches."""
    ablated = found[[f"ablated_{h}" for h in range(int(found["heads"].iloc[0]))]].mean().to_numpy()
    return ablated / found["variance_stream"].mean() > found["threshold"].iloc[0]


def models(rows: pd.DataFrame) -> Iterator[tuple[pd.Index, pd.DataFrame]]:
    """Each model's heads with their place in the frame."""
    heads = frames.rows(rows, part="heads")
    if len(heads):
        yield from ((found.index, found) for _, found in heads.groupby(["model", "seed"]))


def _statistics(heads: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: heads[name].to_numpy() for name in ("direct_t", "gain_t", "loss_t", "copying_t")}


def _detected(planted: pd.DataFrame) -> np.ndarray:
    stats = {name: planted[name].to_numpy() for name in ("direct_t", "gain_t")}
    return rule.suppressors(stats, int(planted["n"].iloc[0]), int(planted["total"].iloc[0]))


def _against_layer(variance: np.ndarray, layer: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(heads,) log2 of each variance over the median of the other heads of its layer that are no suppressors; nan
    without any."""
    out = np.full(len(variance), np.nan)
    for i in range(len(variance)):
        near = (layer == layer[i]) & ~chosen
        near[i] = False
        if near.any():
            out[i] = np.log2(variance[i] / np.median(variance[near]))
    return out


def _spearman(x: pd.Series, y: pd.Series) -> float:
    a, b = x.rank().to_numpy(), y.rank().to_numpy()
    return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else 0.0
