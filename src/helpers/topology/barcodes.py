"""Barcodes of loops (first homology over Z/2 of the Vietoris–Rips filtration, to its end) of many clouds.

Clouds of up to 128 points go through `reduction` on a CPU and through `gpu` on a GPU; larger ones through ripser (Bauer
2021; Tralie et al. 2018), which is also what both are held to.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from helpers.topology.bars import Barcodes
from helpers.topology.distances import Points, distances

MOST = 128  # points of a cloud in the batched engines
CHUNK = 64  # clouds that one thread takes at a time
ROOM = 8  # bars a point, in a cloud's relative neighbourhood graph beside its tree; a cloud with more goes to ripser


def barcodes(points: Points, *, between: Points | None = None) -> Barcodes:
    """The bars of clouds (…, n, d), or of distances `between` (…, n, n) where they are known; in float32, as ripser
    computes.

    A cloud of fewer than four points has none. Points may coincide and distances be equal: bars of no length are left
    out, and the rest does not depend on how ties are broken. Raises ValueError for values that are not finite, and for
    distances that are negative, not symmetric, or not zero from a point to itself.
    """
    between = distances(points) if between is None else _checked(torch.as_tensor(between))
    n, shape = between.shape[-1], between.shape[:-2]
    between = between.reshape(-1, n, n).float()
    if not torch.isfinite(between).all():
        raise ValueError("distances are larger than single precision holds; scale the points down")
    if n > MOST:
        found = [_ripser(d) for d in between.cpu().numpy()]
    elif n < 4 or not len(between):
        found = [np.empty((0, 2), np.float32)] * len(between)
    else:
        found = _on_gpu(between) if between.is_cuda else _on_cpu(between.numpy())
    return padded(found, shape)


def _checked(between: Tensor) -> Tensor:
    if between.dim() < 2 or between.shape[-1] != between.shape[-2] or not between.shape[-1]:
        raise ValueError(f"distances have the shape {tuple(between.shape)}; expected (…, n, n)")
    if not torch.isfinite(between).all() or (between < 0).any():
        raise ValueError("distances must be finite and not negative")
    if (between.diagonal(dim1=-2, dim2=-1) != 0).any() or not torch.equal(between, between.transpose(-1, -2)):
        raise ValueError("distances must be symmetric, and zero from a point to itself")
    return between


def _ripser(between: np.ndarray) -> np.ndarray:
    """One cloud by ripser: (bars, 2)."""
    from ripser import ripser

    return ripser(between, maxdim=1, distance_matrix=True)["dgms"][1].astype(np.float32)


def _on_cpu(between: np.ndarray) -> list[np.ndarray]:
    """By `reduction`, a few dozen clouds a thread; as many threads as torch has."""
    parts = [between[at : at + CHUNK] for at in range(0, len(between), CHUNK)]
    if len(parts) == 1 or torch.get_num_threads() == 1:
        return [bars for part in parts for bars in _reduced(part)]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return [bars for done in pool.map(_reduced, parts) for bars in done]


def _reduced(between: np.ndarray) -> list[np.ndarray]:
    """(B, n, n) -> B times (bars, 2)."""
    from helpers.topology import reduction

    n = between.shape[1]
    first, second = (v.astype(np.int32) for v in np.triu_indices(n, 1))
    lengths = np.ascontiguousarray(between[:, first, second])
    lengths += 0.0  # a negative zero has other bits
    bars, counts = np.empty((len(between), ROOM * n, 2), np.float32), np.zeros(len(between), np.int64)
    reduction.reduce(lengths, lengths.view(np.uint32), first, second, reduction.room(n), bars, counts)
    return [_ripser(between[i]) if count < 0 else bars[i, :count] for i, count in enumerate(counts)]


def _on_gpu(between: Tensor) -> list[np.ndarray]:
    """By `gpu`; clouds whose columns outgrow its room, and all where kernels cannot be built, on the CPU."""
    from helpers.topology import gpu

    found = gpu.reduced(between) if gpu.available(between.device) else [None] * len(between)
    left = [i for i, bars in enumerate(found) if bars is None]
    if left:
        for i, bars in zip(left, _on_cpu(between[left].cpu().numpy()), strict=True):
            found[i] = bars
    return found


def padded(found: list[np.ndarray], shape: tuple[int, ...]) -> Barcodes:
    """One array of all bars, each cloud's by falling persistence, equal ones by birth."""
    values = np.full((len(found), max(map(len, found), default=0), 2), np.nan, np.float32)
    for row, bars in zip(values, found, strict=True):
        row[: len(bars)] = bars
    key = values[..., 0].astype(float) - values[..., 1]  # in double, as persistence is read; nan sorts last
    order = np.lexsort((values[..., 0], key), axis=-1)
    return Barcodes(np.take_along_axis(values, order[..., None], -2).reshape(*shape, values.shape[1], 2))
