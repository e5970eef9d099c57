"""Euclidean distances within clouds of points, many clouds at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

NEAR = 0.02  # of the squared norms: pairs that are nearer lose digits in a product, and are subtracted instead
MANY = 0.02  # of the pairs: where more are near, the cloud lies far from zero and is centred first
BYTES = {"cpu": 2**24, "cuda": 2**28}  # of points at a time: what the last cache holds, and what fills a GPU
Points = Tensor | np.ndarray


def as_clouds(points: Points) -> Tensor:
    """(…, n, d) as a floating tensor where it lies. Raises ValueError for fewer axes, no point, or a value not finite."""
    points = _shaped(points)
    if not torch.isfinite(points).all():
        bad = int((~torch.isfinite(points)).any(-1).sum())
        told = f"{bad} points hold NaN or infinity: they have no distance"
        raise ValueError(f"{told}; look at what made them, or leave them out")
    return points


@torch.no_grad()
def distances(points: Points) -> Tensor:
    """(…, n, n) Euclidean distances of (…, n, d), in the points' type, symmetric, zero on the diagonal and between equal
    points.

    By ‖x‖² + ‖y‖² − 2x·y, in float64 on a GPU; pairs that are near to each other beside their norms, where that form
    cancels, by subtraction. Relative errors stay below 1e-4 for float32. Raises ValueError as `as_clouds` does.
    """
    points = _shaped(points)
    *shape, n, d = points.shape
    x = points.reshape(-1, n, d)
    out = x.new_empty(len(x), n, n)
    size = max(1, BYTES["cuda" if x.is_cuda else "cpu"] // (n * d * (8 if x.is_cuda else x.element_size())))
    for at in range(0, len(x), size):
        out[at : at + size] = _block(x[at : at + size])
    return out.reshape(*shape, n, n)


def _shaped(points: Points) -> Tensor:
    points = torch.as_tensor(points)
    if points.dim() < 2 or not points.shape[-2] or not points.shape[-1]:
        expected = "(…, points, dimensions), none of them 0"
        raise ValueError(f"clouds have the shape {tuple(points.shape)}; expected {expected}")
    return points if points.dtype in (torch.float32, torch.float64) else points.float()


def _block(x: Tensor) -> Tensor:
    """(b, n, d) -> (b, n, n)."""
    wide, pairs = (x.double() if x.is_cuda else x), x.shape[1] * (x.shape[1] - 1) / 2
    gaps, near = _squares(wide)
    if not torch.isfinite(gaps).all():
        wide = as_clouds(x).double()  # what is left are squares that float32 cannot hold
    if wide.dtype != gaps.dtype or len(near) > MANY * pairs * len(x):
        wide = wide - wide.mean(1, keepdim=True)
        gaps, near = _squares(wide)
    step = max(1, 2**20 // x.shape[2])
    for part in near.split(step):
        b, i, j = part.unbind(1)
        gaps[b, i, j] = (wide[b, i] - wide[b, j]).square().sum(1)
    upper = torch.triu(gaps.clamp_(min=0).sqrt_(), 1).to(x.dtype)
    return upper + upper.transpose(1, 2)


def _squares(x: Tensor) -> tuple[Tensor, Tensor]:
    """(b, n, n) squared distances by products, and the (cloud, i, j), i < j, of those that such a product cannot tell."""
    if x.is_cuda:
        products = torch.bmm(x, x.transpose(1, 2))
    else:  # numpy sees that both factors are one, and computes half
        rows = x.numpy()
        products = torch.from_numpy(np.matmul(rows, rows.transpose(0, 2, 1)))
    square = products.diagonal(dim1=1, dim2=2)
    norms = square[:, :, None] + square[:, None, :]
    gaps = norms - products.mul_(2)
    return gaps, torch.triu(gaps <= NEAR * norms, 1).nonzero()
