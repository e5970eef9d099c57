"""Does anything matter but the distance to the whole model? Losses regressed on the weight cosine that was reached.

All domains and fills of a model stand on one falling curve if the answer is no; what is left over then knows nothing of the
domain.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from helpers import frames

FILLS = ("zero", "random", "guided")  # they move the cosine up and down at an equal share
DOMAINS = ("identity", "hadamard", "dct", "permutation")
MIXED = ("hadamard", "dct")
PERMUTATIONS = 999


def points(rows: pd.DataFrame) -> pd.DataFrame:
    """The points of the data collapse: four domains, scattered loss, three fills, shares strictly between 0 and 1."""
    fixed = {"damage": "keep", "order": "iid", "protect": False}
    tried = frames.rows(rows, part=("arms", "collapse"), **fixed, domain=DOMAINS, fill=FILLS)
    return tried[(tried["kept"] > 0) & (tried["kept"] < 1)]


def shared(tried: pd.DataFrame) -> pd.DataFrame:
    """The points of those shares and fills that were tried in all domains."""
    count = tried.groupby(["model", "fill", "kept"])["domain"].transform("nunique")
    return tried[count == tried["domain"].nunique()]


def leftovers(tried: pd.DataFrame) -> pd.Series:
    """Nats, a value a row: loss minus its best falling function of cosine, which each model has for itself."""
    cosine, loss, left = tried["cosine"].to_numpy(float), tried["nll"].to_numpy(float), np.full(len(tried), np.nan)
    for own in tried.groupby("model").indices.values():
        _, place, count = np.unique(cosine[own], return_inverse=True, return_counts=True)  # equal cosines get one value
        fit = isotonic_regression(np.bincount(place, loss[own]) / count, weights=count, increasing=False).x
        left[own] = loss[own] - fit[place]
    return pd.Series(left, index=tried.index)


def mixing(tried: pd.DataFrame) -> np.ndarray:
    """Nats, a value a mask, the mean over models: what the domains that mix (MIXED) lose more than those that do not, off the
    curve that all of them share; of `shared` points. Empty where a kind is missing. tried: of `points`.
    """
    tried = shared(tried)
    left, mixed = leftovers(tried), tried["domain"].isin(MIXED)
    if mixed.all() or not mixed.any():
        return np.array([])
    means = left.groupby([tried["seed"], tried["model"], mixed]).mean().unstack()
    return (means[True] - means[False]).groupby(level="seed").mean().to_numpy()


def p_domain(tried: pd.DataFrame, seed: int = 0) -> float:
    """Does the domain explain loss beyond the achieved weight cosine? tried: of `points`.

    Each model's loss is fitted by a falling function of cosine (isotonic regression). What is left over is averaged for every
    mask and domain; the statistic is the sum over domains of the squared mean over masks. If only the cosine matters, the
    domains of one mask may change their names: they are permuted within each mask, with all shares and fills that belong
    together, because masks are nested and one that hits an important weight does so at every share. Only `shared` points
    count. Returns the permutation p.
    """
    tried = shared(tried)
    table = leftovers(tried).groupby([tried["seed"], tried["domain"]]).mean().unstack().to_numpy()  # (masks, domains)
    rng = np.random.default_rng(seed)
    observed = float((table.mean(0) ** 2).sum())
    many = rng.permuted(np.tile(table, (PERMUTATIONS, 1)), axis=1).reshape(PERMUTATIONS, *table.shape)
    drawn = (many.mean(1) ** 2).sum(1)  # (permutations,)
    return float((np.sum(drawn >= observed - 1e-12) + 1) / (PERMUTATIONS + 1))


def spread(rows: pd.DataFrame) -> dict[str, float]:
    """How far the points of the data collapse lie from one falling curve, in nats: the standard deviation of all (`all`),
    and the largest distance of a domain's mean (`domain`).
    """
    tried = points(rows)
    away = leftovers(tried)
    means = away.groupby(tried["domain"]).mean()
    return {"all": float(away.std()), "domain": float(means.abs().max())}
