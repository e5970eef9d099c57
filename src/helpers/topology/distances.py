"""Euclidean distances within clouds of points, many clouds at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

NEAR = 0.02  # of the squared norms: pairs that are nearer lose digits in a product, and are subtracted instead
PAIRS = 1 << 16  # of them at a time
Points = Tensor | np.ndarray


def as_clouds(points: Points) -> Tensor:
    """(…, n, d) as a floating tensor where it lies. Raises ValueError for fewer axes, no point, or a value that is
    not finite."""
    points = torch.as_tensor(points)
    points = points if points.is_floating_point() else points.float()
    if points.dim() < 2 or not points.shape[-2] or not points.shape[-1]:
        raise ValueError(
            f"clouds have the shape {tuple(points.shape)}; expected (…, points, dimensions), none of them 0"
        )
    points = points.float() if points.dtype in (torch.float16, torch.bfloat16) else points
    if not torch.isfinite(points).all():
        bad = int((~torch.isfinite(points)).any(-1).sum())
        raise ValueError(
            f"{bad} points hold NaN or infinity: they have no distance; look at what made them, or leave them out"
        )
    return points


@torch.no_grad()
def distances(points: Points) -> Tensor:
    """(…, n, n) Euclidean distances of (…, n, d), in the points' type, symmetric, zero on the diagonal and between
    equal points.

    By ‖x‖² + ‖y‖² − 2x·y of the centred cloud, in float64 on a GPU; pairs that are near to each other beside their
    norms, where that form cancels, by subtraction. Relative errors stay below 1e-4 for float32. Raises ValueError as
    `as_clouds` does.
    """
    points = as_clouds(points)
    x = points.flatten(0, -3) if points.dim() > 2 else points[None]  # (B, n, d)
    x = x - x.mean(1, keepdim=True)
    wide = x.double() if x.is_cuda else x
    square = wide.square().sum(2)  # (B, n)
    norms = square[:, :, None] + square[:, None, :]  # (B, n, n)
    gaps = torch.baddbmm(norms, wide, wide.transpose(1, 2), alpha=-2).to(x.dtype)
    cloud, i, j = torch.triu((gaps < NEAR * norms) | (gaps <= 0), 1).nonzero(as_tuple=True)
    for at in range(0, len(cloud), max(1, PAIRS * 64 // x.shape[2])):
        part = slice(at, at + max(1, PAIRS * 64 // x.shape[2]))
        b, p, q = cloud[part], i[part], j[part]
        gaps[b, p, q] = (x[b, p] - x[b, q]).square().sum(1)
    upper = torch.triu(gaps.clamp_(min=0).sqrt_(), 1)
    return (upper + upper.transpose(1, 2)).reshape(*points.shape[:-1], points.shape[-2])
