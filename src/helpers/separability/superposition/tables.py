"""The tables and the points of figures of experiment D, from its frame. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from helpers import frames
from helpers.separability.superposition import quantities, rule
from helpers.separability.superposition.quantities import AMPLITUDES, STORIES, models, raised
from helpers.sides import Sides


def sites(rows: pd.DataFrame) -> pd.DataFrame:
    """σ² of what heads write in the printed experiment: a row a seed, batch and site (suppressors and clean heads of
    the first layer, all of the last)."""
    out = []
    for seed, found in frames.rows(rows, part="printed").groupby("seed"):
        chosen = raised(found)
        at = {"suppressors, first layer": chosen, "clean heads, first layer": ~chosen}
        for site, which in at.items():
            outputs = [found[f"variance_head_{h}"] for h in np.flatnonzero(which)]
            out += [{"seed": seed, "site": site, "variance": float(v)} for column in outputs for v in column]
        out += [
            {"seed": seed, "site": "all heads, last layer", "variance": float(v)} for v in found["variance_head_last"]
        ]
    return pd.DataFrame(out, columns=["seed", "site", "variance"])


def alone(rows: pd.DataFrame) -> pd.DataFrame:
    """The answer under each reading of "by function" for itself: heads so called, of how many, and the mean log2
    ratio over models."""
    heads = frames.rows(rows, part="heads", model=STORIES)
    out = []
    for name, column in {"the rule": "suppressor", **{n: f"by.{n}" for n in rule.ALONE}}.items():
        ratios = [
            rule.log2_ratio(h["variance"].to_numpy(), h["layer"].to_numpy(), h[column].to_numpy() > 0)
            for _, h in models(heads)
            if 0 < h[column].sum() < len(h)
        ]
        out.append(
            {"a suppressor is a head of which …": name, "found": int(heads[column].sum()), "of heads": len(heads)}
            | {"in models": len(ratios), "log2 variance ratio": float(np.mean(ratios)) if ratios else np.nan}
        )
    return pd.DataFrame(out)


def elsewhere(sides: Sides, names: Sequence[str]) -> str:
    """A sentence a model that was trained elsewhere: how many of its heads are suppressors, and their ratio."""
    told = []
    for name in names:
        found, of = quantities.count(model=name), len(frames.rows(sides.this, part="heads", model=name))
        ratio = sides.mean(quantities.of("s11_log2_ratio", name), ".2f")
        told.append(
            f"In {name}, a model that was trained elsewhere, the rule finds {sides.mean(found, '.0f')} of {of} heads, "
            f"and their mean log₂ ratio is {ratio}."
        )
    return " ".join(told) or "No model from elsewhere was asked for (model is none), so its heads are not counted."


def directions(rows: pd.DataFrame, n: int = 5) -> pd.DataFrame:
    """Where n features lie in two dimensions, x and y, a row a sparsity and feature: of the seed with the lowest
    error."""
    found = frames.rows(rows, part="bottleneck", n=n, m=2)
    if not len(found):
        return found
    best = found.loc[found.groupby("sparsity")["error"].idxmin(), ["sparsity", "seed"]]
    points = frames.rows(rows, part="directions", n=n)[["sparsity", "seed", "step", "x", "y"]]
    return points.merge(best, on=["sparsity", "seed"]).sort_values(["sparsity", "step"])


def packed(rows: pd.DataFrame) -> pd.DataFrame:
    """Bottlenecks of fewer dimensions than features, and of sparse ones, a row a shape and sparsity: means over seeds."""
    found = frames.rows(rows, part="bottleneck")
    found = found[found["m"].lt(found["n"]) & found["sparsity"].gt(0)] if len(found) else found
    columns = ["superposition", *AMPLITUDES, "packing"]
    return found.groupby(["n", "m", "sparsity"])[columns].mean().reset_index() if len(found) else found
