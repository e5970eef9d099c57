"""Transforms that the fused kernel does not know: it writes their coefficients, masked and filled, and torch turns them back.

The cosine transform and the permutation store scaled codes as raw weights are stored, so the kernel decodes them as such,
many matrices in one launch, into a buffer that serves one run of matrices after the other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from helpers import devices, fused
from helpers.codec import codec as coding
from helpers.codec import orders, transform
from helpers.codec.codec import Encoded
from helpers.codec.fills import Fill

KINDS = ("dct", "permutation")
BUFFER = 1 << 30  # bytes of coefficients at a time; a larger matrix is on its own
RESERVE = 10 << 30  # bytes of a device that kept orders leave free
ALIGNED = 256  # bytes between which matrices begin

Run = Callable[[fused.Group, Sequence[str]], None]


def covered(encoded: Encoded, order: str, fill: Fill, out: Tensor) -> bool:
    """Whether the kernel writes the coefficients of this matrix, to be decoded into `out`."""
    codec, width = encoded.codec, encoded.codes.shape[1]
    if (
        codec.transform not in KINDS
        or not encoded.whole
        or out.dtype not in fused.FLOATS
        or encoded.codes.numel() >> 31
    ):
        return False
    order = "iid" if order == "rows" and fill.kind == "zero" else order
    plain = dataclasses.replace(codec, transform="identity")
    known = fused.supports(plain, order, fill.kind, encoded.device, width)
    return known and fused.fits(encoded.codes, encoded.scales)


class Kept:
    """What matrices share that are decoded again and again: a buffer for coefficients, and the orders of permutations, for as
    many matrices as leave RESERVE free.
    """

    def __init__(self) -> None:
        self._places: dict[str, Tensor] = {}
        self._buffers: dict[torch.device, Tensor] = {}

    def clear(self) -> None:
        """Forget the orders."""
        self._places.clear()

    def buffer(self, device: torch.device, size: int) -> Tensor:
        """(at least size,) uint8."""
        if device not in self._buffers or len(self._buffers[device]) < size:
            self._buffers[device] = torch.empty(size, dtype=torch.uint8, device=device)
        return self._buffers[device]

    def places(self, encoded: Encoded) -> Tensor:
        """(out · in,) int32: where each entry of a permuted matrix is stored."""
        found = self._places.get(encoded.name)
        if found is None:
            count = encoded.codes.numel()
            order = encoded.codec.permutation(encoded.name, count, encoded.device)
            found = torch.empty(count, dtype=torch.int32, device=encoded.device)
            found[order] = torch.arange(count, dtype=torch.int32, device=encoded.device)
            del order
            if devices.free_memory(str(encoded.device)) >= RESERVE:
                self._places[encoded.name] = found
        return found


class Staged:
    """Coded matrices of KINDS, each with the tensor to decode it into and its prior, if any."""

    def __init__(self, chosen: Sequence[tuple[Encoded, Tensor, Encoded | None]], kept: Kept) -> None:
        self._chosen, self._kept = list(chosen), kept
        runs = self._runs()
        most = max(sum(map(self._size, run)) for run in runs)
        self._parts = [self._part(run, most) for run in runs]

    def decode(self, run: Run, rows: float | None = None, whole: Collection[str] = ()) -> None:
        """Decode every matrix. run: launches a group of matrices of some names. rows: the share of leading rows of the codes
        that is left, where only those are; `run` must keep all then. whole: names that lose no rows.
        """
        for group, index, staged in self._parts:
            run(group, [self._chosen[i][0].name for i in index])
            for i, coefficients in zip(index, staged, strict=True):
                encoded, out, _ = self._chosen[i]
                if rows is not None and encoded.name not in whole:
                    coefficients[orders.leading(rows, len(coefficients)) :] = 0
                self._back(encoded, coefficients, out.T if encoded.transposed else out)

    def _runs(self) -> list[list[int]]:
        """Neighbouring matrices on one device whose coefficients fit into the buffer together."""
        runs: list[list[int]] = []
        used = math.inf
        for i, (encoded, _, _) in enumerate(self._chosen):
            size = self._size(i)
            if used + size > BUFFER or encoded.device != self._chosen[runs[-1][0]][0].device:
                runs, used = [*runs, []], 0
            runs[-1].append(i)
            used += size
        return runs

    def _part(self, index: list[int], most: int) -> tuple[fused.Group, list[int], list[Tensor]]:
        device = self._chosen[index[0]][0].device
        buffer, at, staged, items = self._kept.buffer(device, most), 0, [], []
        for i in index:
            encoded, _, prior = self._chosen[i]
            kind = self._type(i)
            end = at + encoded.codes.numel() * kind.itemsize
            into = buffer[at:end].view(kind).view(encoded.codes.shape)
            at += self._size(i)
            staged.append(into)
            known = prior and (prior.codes, prior.scales)
            items.append(fused.Item(encoded.codes, encoded.scales, into, encoded.block, None, known, plain=True))
        return fused.Group(items), index, staged

    def _type(self, i: int) -> torch.dtype:
        """A permutation moves weights as they will be; a transform needs float32."""
        encoded, out, _ = self._chosen[i]
        return out.dtype if encoded.codec.transform == "permutation" else torch.float32

    def _size(self, i: int) -> int:
        """Bytes of a matrix in the buffer."""
        return -(-self._chosen[i][0].codes.numel() * self._type(i).itemsize // ALIGNED) * ALIGNED

    def _back(self, encoded: Encoded, coefficients: Tensor, target: Tensor) -> None:
        """Coefficients (out, in) -> weights, into the target (out, in)."""
        if encoded.codec.transform == "permutation":
            flat = coefficients.view(-1)
            if target.is_contiguous():
                torch.index_select(flat, 0, self._kept.places(encoded), out=target.view(-1))
            else:
                target.copy_(flat.index_select(0, self._kept.places(encoded)).view(target.shape))
            return
        flips = encoded.codec.flips(encoded.name, target.shape[1], target.device)
        for a, b in coding.chunks(*target.shape, target.device):
            w = transform.rotate(coefficients[a:b], encoded.codec.transform, encoded.block, inverse=True)
            target[a:b] = w if flips is None else w.mul_(flips)
