"""Which heads are suppressors, by what they do: the rule, fixed before any run at full scale. Numbers in, numbers
out."""

from __future__ import annotations

import numpy as np
import scipy

from helpers.separability.superposition.config import LEVEL

BY = {  # criterion: the statistics that must lie clearly on one side, and on which
    "direct": {"direct_t": -1, "gain_t": 1},
    "copying": {"copying_t": -1},
}
ALONE = {  # each reading of "by function" for itself, to see whether the answer hangs on the rule
    "its removal lowers the loss": {"loss_t": -1},
    "its removal raises the right logit": {"gain_t": 1},
    "its direct effect is negative": {"direct_t": -1},
    "it lowers what would be repeated": {"copying_t": -1},
}


def clear(t: np.ndarray, sign: int, n: int, among: int) -> np.ndarray:
    """Whether Student's t of n sequences lies beyond zero on the side of `sign`, one-sided, at LEVEL shared among
    tests."""
    t = np.nan_to_num(np.asarray(t, float) * sign, nan=0.0)
    return scipy.stats.t.sf(t, n - 1) < LEVEL / among


def holds(columns: dict[str, np.ndarray], criterion: dict[str, int], n: int, among: int) -> np.ndarray:
    """Whether all of a criterion's statistics are clear; columns: {statistic: a value a head}."""
    return np.all([clear(columns[name], sign, n, among) for name, sign in criterion.items()], axis=0)


def suppressors(columns: dict[str, np.ndarray], n: int, total: int) -> np.ndarray:
    """A suppressor works against the right answer, directly and in all (its direct effect lies below zero, and the
    right logit rises without it), or it lowers what the other parts would repeat. LEVEL is shared among both readings
    and all heads.

    columns: {statistic: a value a head}; a statistic that is missing counts as not clear. n: sequences; total: heads
    of a model."""
    some = next(iter(columns.values()))
    known = {name: columns.get(name, np.full(len(some), np.nan)) for c in BY.values() for name in c}
    return np.any([holds(known, c, n, len(BY) * total) for c in BY.values()], axis=0)


def matched(layer: np.ndarray, chosen: np.ndarray) -> list[np.ndarray]:
    """For each suppressor the indices of the heads it is compared with: those of its layer that are none, or, where
    all of the layer are, those of the model."""
    out = []
    for i in np.flatnonzero(chosen):
        near = np.flatnonzero((layer == layer[i]) & ~chosen)
        out.append(near if len(near) else np.flatnonzero(~chosen))
    return out


def log2_ratio(variance: np.ndarray, layer: np.ndarray, chosen: np.ndarray) -> np.ndarray | float:
    """Mean over suppressors of log2 of a suppressor's variance over the median of its matched heads'; 0 for a model
    without suppressors, or with nothing else. variance: (…, heads)."""
    pairs = zip(np.flatnonzero(chosen), matched(layer, chosen), strict=True)
    logs = [np.log2(variance[..., i] / np.median(variance[..., near], -1)) for i, near in pairs if len(near)]
    return np.mean(logs, 0) if logs else np.zeros(variance.shape[:-1])[()]
