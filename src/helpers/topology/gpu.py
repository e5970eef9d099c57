"""The batched engine on a GPU: distances in, bars out, the clouds never leaving it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from helpers import fused

CLOUDS = 1024  # at a time: 80 MB of working columns for a hundred points each
POOL = 4096  # edges that make up the reduced columns of one cloud; the largest of the book's clouds takes a tenth
available = fused.available


@torch.no_grad()
def reduced(between: Tensor, pool: int = POOL) -> list[np.ndarray | None]:
    """(B, n, n) float32 distances, 4 ≤ n ≤ 128 -> the (bars, 2) of every cloud; None where its columns need more
    than `pool`."""
    return [bars for at in range(0, len(between), CLOUDS) for bars in _some(between[at : at + CLOUDS], pool)]


def _some(between: Tensor, pool: int) -> list[np.ndarray | None]:
    from helpers.topology import kernels

    device, (clouds, n, _) = between.device, between.shape
    first, second = torch.triu_indices(n, n, 1, device=device)
    lengths, order = (between[:, first, second] + 0.0).sort(dim=1, stable=True)  # (B, E)
    edges, a, b = len(first), first[order], second[order]
    ranks = torch.full((clouds, n * n), edges, dtype=torch.int32, device=device)
    by_length = torch.arange(edges, dtype=torch.int32, device=device).expand(clouds, edges)
    ranks.scatter_(1, a * n + b, by_length).scatter_(1, b * n + a, by_length)
    ends = (a * kernels.VERTICES + b).int()
    whole = lambda *shape, kind=torch.int64: torch.empty(shape, dtype=kind, device=device)
    lune = whole(clouds, edges, 2)
    with fused.on(device):
        kernels.lunes[(clouds, n)](ranks, lune, n, edges, VERTICES=kernels.VERTICES, TILE=kernels.TILE)
    cloud, graph = (lune == 0).all(2).nonzero(as_tuple=True)
    begins = torch.zeros(clouds + 1, dtype=torch.int32, device=device)
    begins[1:] = torch.bincount(cloud, minlength=clouds).cumsum(0)
    some, small = len(graph), torch.int32
    pivots, counts = torch.zeros(some, 2, dtype=small, device=device), whole(clouds, kind=small)
    column = torch.zeros(clouds, edges + kernels.VERTICES, 2, dtype=torch.int64, device=device)
    with fused.on(device):
        kernels.reduce[(clouds,)](
            graph.int(), begins, ends, ranks, lune, column, whole(some, kind=small), pivots, whole(some, 2),
            whole(some + clouds, kind=small), whole(clouds, pool, kind=small), counts, n, edges,
            POOL=pool, VERTICES=kernels.VERTICES, num_warps=1,
        )  # fmt: skip
    bars = lengths.flatten()[cloud[:, None] * edges + pivots]  # (RNG edges, 2): a cloud's columns first, then rubbish
    bars, starts, counts = bars.cpu().numpy(), begins.tolist(), counts.tolist()
    found = [None if many < 0 else bars[at : at + many] for at, many in zip(starts[:-1], counts, strict=True)]
    return [v if v is None else v[v[:, 1] > v[:, 0]] for v in found]
