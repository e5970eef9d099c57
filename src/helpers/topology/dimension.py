"""Intrinsic dimension of clouds of points, many clouds at a time, from their distances alone.

T_j is a point's distance to its j-th neighbour. Levina & Bickel (2004) estimate at each point m = (k − 1) / Σ_{j<k}
ln(T_k / T_j). "printed" is the mean of m over points, as the document's script takes it; "unbiased" has k − 2 above,
which makes m unbiased where their model holds; "mackay" averages 1/m instead (MacKay & Ghahramani 2005), the maximum of
the likelihood of all points. "twonn" is (n − 1) / Σ ln(T_2 / T_1) (Facco et al. 2017); "participation" (Σλ)² / Σλ² of
the covariance's eigenvalues λ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from helpers.topology.distances import Points, as_clouds, distances

KINDS = ("printed", "unbiased", "mackay", "twonn", "participation")
GUARD = 1e-10  # the published script's least distance


@torch.no_grad()
def dimension(points: Points, kind: str = "printed", k: int = 20, *, between: Tensor | None = None) -> Tensor:
    """(…) the dimension of clouds (…, n, d). between: their distances (…, n, n), where they are known already.

    Neighbours at distance zero (duplicate points) count as at GUARD, which pulls an estimate down; a point all of whose
    k neighbours are duplicates says nothing and is left out, and a cloud of such points has the dimension nan. Raises
    ValueError for an unknown kind, for k < 3 and for fewer than k + 1 points; k matters to the first three kinds only.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is no estimator of dimension; use one of {', '.join(KINDS)}")
    if between is None:
        between = distances(points)
    n = between.shape[-1]
    if kind == "participation":
        return _participation(between)
    k = 2 if kind == "twonn" else k
    if kind != "twonn" and k < 3:
        raise ValueError(f"k={k}: an estimate needs ratios of three distances at least; use 3 or more")
    if n < k + 1:
        raise ValueError(f"{n} points have no {k} neighbours each; use k={n - 1} or less, or {k + 1} points or more")
    near = _nearest(between, k).double().clamp(min=GUARD)  # (…, n, k)
    logs = near.log()
    spread = (k - 1) * logs[..., -1] - logs[..., :-1].sum(-1)  # (…, n): Σ ln(T_k / T_j)
    known = near[..., -1] > GUARD
    if kind == "twonn":
        return (known.sum(-1) - 1).clamp(min=0) / (spread * known).sum(-1)
    if kind == "mackay":
        return (k - 1) * known.sum(-1) / (spread * known).sum(-1)
    local = (k - 1 if kind == "printed" else k - 2) / spread
    return torch.where(known, local, 0).sum(-1) / known.sum(-1)


def dimensions(points: Points, k: int = 20, kinds: Sequence[str] = KINDS) -> dict[str, Tensor]:
    """{kind: (…)} of several estimators, which share the distances. Raises ValueError as `dimension` does."""
    between = distances(points)
    return {kind: dimension(points, kind, k, between=between) for kind in kinds}


def by_class(features: Points, labels: Sequence[int], each: int | None = None) -> Tensor:
    """(classes, each, d): the features (n, d) as one cloud a class, in the order of labels. each: the first so many of
    a class; the smallest class's number by default. Flattened again they are the pooled cloud, of equal classes.

    Raises ValueError when numbers of labels and features differ, or a class has fewer than `each`.
    """
    features, labels = as_clouds(features), torch.as_tensor(np.asarray(labels))
    if features.dim() != 2 or labels.shape != features.shape[:1]:
        raise ValueError(f"{tuple(labels.shape)} labels for features {tuple(features.shape)}; expected (n,) for (n, d)")
    kinds, counts = labels.unique(return_counts=True)
    each = int(counts.min()) if each is None else each
    if int(counts.min()) < each:
        few = int(counts.argmin())
        told = f"class {int(kinds[few])} has {int(counts[few])} samples, {each} are wanted"
        raise ValueError(f"{told}; use each={int(counts[few])}")
    rows = [(labels == kind).nonzero()[:each, 0] for kind in kinds]
    return features[torch.stack(rows).to(features.device)]


def subsamples(points: Points, n: int, times: int, rng: np.random.Generator) -> Tensor:
    """(times, n, d): so many of a cloud's points (N, d), drawn without replacement each time; with replacement two
    neighbours could be one point, at distance zero. Raises ValueError for more than there are."""
    points = as_clouds(points)
    if not 1 <= n <= points.shape[-2]:
        most = points.shape[-2]
        raise ValueError(f"n={n} points cannot be drawn from {most} without replacement; use 1 to {most}")
    rows = np.argsort(rng.random((times, points.shape[-2])), axis=1)[:, :n]
    return points[torch.from_numpy(rows).to(points.device)]


def _nearest(between: Tensor, k: int) -> Tensor:
    """(…, n, k) distances to the k nearest other points, in order. The first column of the sorted rows is the point
    itself."""
    if between.is_cuda:
        return between.topk(k + 1, -1, largest=False).values[..., 1:]
    near = np.partition(between.numpy(), k, axis=-1)[..., : k + 1]
    near.sort(axis=-1)
    return torch.from_numpy(np.ascontiguousarray(near[..., 1:]))


def _participation(between: Tensor) -> Tensor:
    """From the centred Gram matrix G = −½ J D² J, which has the covariance's eigenvalues: (tr G)² / ‖G‖²."""
    square = between.double().square()
    row = square.mean(-1, keepdim=True)
    gram = (row + row.transpose(-1, -2) - square - row.mean(-2, keepdim=True)) / 2
    return gram.diagonal(dim1=-2, dim2=-1).sum(-1).square() / gram.square().sum((-2, -1))
