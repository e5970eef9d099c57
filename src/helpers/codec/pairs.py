"""Whole weights beside live ones, many matrices at a time: their products, and noise from the one into the other.

On a GPU each is one launch for all matrices of a type, one read of what there is, and nothing in between; elsewhere, and
for tensors that lie askew, torch goes matrix by matrix and is the oracle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from helpers import fused
from helpers.codec import fills, hashing


class _Pairs:
    """Pairs of tensors (whole, live) of one shape, type and device each; they must live, and stay where they are."""

    def __init__(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        self.pairs = list(pairs)
        if wrong := next(
            ((a, b) for a, b in pairs if (a.shape, a.dtype, a.device) != (b.shape, b.dtype, b.device)), None
        ):
            raise ValueError(f"a pair differs: {[(tuple(t.shape), t.dtype, str(t.device)) for t in wrong]}")
        groups: dict[tuple, list[int]] = {}
        for i, (a, b) in enumerate(self.pairs):
            taken = (
                fused.available(a.device) and a.dtype in fused.FLOATS and fused.fits(a, b) and a.numel() < fused.FULL
            )
            groups.setdefault((a.device, a.dtype) if taken else (None, None), []).append(i)
        self.rest = groups.pop((None, None), [])
        self.groups = groups
        self._units: dict[tuple, tuple[Tensor, Tensor]] = {}

    def units(self, place: tuple, index: Sequence[int]) -> tuple[Tensor, Tensor]:
        """(programs, 2) int64: the item within its group and the first entry; and how many programs each item has."""
        from helpers.fused.pair_kernels import UNIT

        if place not in self._units:
            starts = [torch.arange(0, self.pairs[i][0].numel(), UNIT) for i in index]
            rows = torch.cat([torch.stack([torch.full_like(s, n), s], 1) for n, s in enumerate(starts)])
            lengths = torch.tensor([len(s) for s in starts])
            self._units[place] = rows.to(place[0]), lengths.to(place[0])
        return self._units[place]


def _summed(part: Tensor, lengths: Tensor) -> Tensor:
    """(programs, 2) float32 -> (items, 2) float64."""
    return torch.segment_reduce(part.double(), "sum", lengths=lengths, axis=0)


class Products(_Pairs):
    """⟨a, b⟩ and ⟨b, b⟩ over all pairs together, again and again as `b` changes in place."""

    def __call__(self) -> tuple[float, float]:
        dot, square = self.sums().tolist()
        return dot, square

    @torch.no_grad()
    def sums(self) -> Tensor:
        """The same as a tensor, float64 (2,), which nothing waits for where all pairs are on one device."""
        sums = [self._launch(place, index) for place, index in self.groups.items()]
        for i in self.rest:
            a, b = (t.float() for t in self.pairs[i])
            sums.append(torch.stack([(a * b).sum(dtype=torch.float64), b.square().sum(dtype=torch.float64)]))
        places: dict[torch.device, list[Tensor]] = {}
        for found in sums:
            places.setdefault(found.device, []).append(found)
        totals = [torch.stack(found).sum(0) for found in places.values()]
        return totals[0] if len(totals) == 1 else sum(t.cpu() for t in totals)

    def _launch(self, place: tuple, index: Sequence[int]) -> Tensor:
        from helpers.fused import kernels, pair_kernels

        units, lengths = self.units(place, index)
        rows = [(a.data_ptr(), b.data_ptr(), a.numel()) for a, b in (self.pairs[i] for i in index)]
        part = torch.empty(len(units), 2, dtype=torch.float32, device=place[0])
        with fused.on(place[0]):
            pair_kernels.products[(len(units),)](
                units, fused.send(torch.tensor(rows), place[0]), part,
                TYPE=kernels.TYPES[place[1]], UNIT=pair_kernels.UNIT, STEP=pair_kernels.STEP,
            )  # fmt: skip
        return _summed(part, lengths).sum(0)


class Noises(_Pairs):
    """Writes noisy weights of a given cosine into the live ones, as `fills.noisy` makes them. names: keys of the noise."""

    def __init__(self, pairs: Sequence[tuple[Tensor, Tensor]], names: Sequence[str], per: str) -> None:
        super().__init__(pairs)
        self.names, self.per = list(names), per
        self._sizes: dict[tuple, tuple[list[Tensor], Tensor]] = {}

    @torch.no_grad()
    def __call__(self, cosine: float, seed: int) -> None:
        """Raises ValueError for a cosine outside 0…1."""
        if not 0 <= cosine <= 1:
            raise ValueError(f"cosine={cosine} is not within 0…1")
        for place, index in self.groups.items():
            self._launch(place, index, cosine, seed)
        for i in self.rest:
            whole, live = self.pairs[i]
            live.copy_(fills.noisy(whole.float(), cosine, seed, self.names[i], per=self.per))

    def _launch(self, place: tuple, index: Sequence[int], cosine: float, seed: int) -> None:
        from helpers.fused import kernels, pair_kernels

        units, lengths = self.units(place, index)
        sizes, energy = self._measured(place, index)
        shapes = [self.pairs[i][0].shape for i in index]
        rows = [(*(t.data_ptr() for t in (*self.pairs[i], s)), n, shape[1])
                for i, s, shape in zip(index, sizes, shapes, strict=True) if (n := shape[0] * shape[1])]  # fmt: skip
        keys = [[hashing.key32(seed, self.names[i], p) for p in ("noise", "noise/angle")] for i in index]
        tables = [fused.send(torch.from_numpy(np.array(t, dtype=np.int64)), place[0]) for t in (rows, keys)]
        part = torch.empty(len(units), 2, dtype=torch.float32, device=place[0])
        factors = torch.zeros(len(index), 2, dtype=torch.float32, device=place[0])
        run = lambda write: pair_kernels.noise[(len(units),)](
            units, *tables, factors, part, TYPE=kernels.TYPES[place[1]], ROW=self.per == "row", WRITE=write,
            UNIT=pair_kernels.UNIT, STEP=pair_kernels.STEP,
        )  # fmt: skip
        with fused.on(place[0]):
            run(False)
            dot, square = _summed(part, lengths).unbind(1)  # (items,) float64
            off = dot / energy.clamp(min=1e-300)  # of the noise, along the weights
            left = (square - off * dot).clamp(min=1e-300)
            on_noise = (energy / left).sqrt() * cosine * math.sqrt(1 - cosine**2)
            on_noise = torch.where(energy > 0, on_noise, 0.0)
            factors.copy_(torch.stack([on_noise, cosine**2 - on_noise * off], 1))
            run(True)

    def _measured(self, place: tuple, index: Sequence[int]) -> tuple[list[Tensor], Tensor]:
        """Root mean squares of the rows of each matrix, float32 (out,), and its squared length, float64 (items,)."""
        if place not in self._sizes:
            means = [torch.cat(list(_row_means(self.pairs[i][0]))) for i in index]
            energy = [m.sum(dtype=torch.float64) * self.pairs[i][0].shape[1] for i, m in zip(index, means, strict=True)]
            self._sizes[place] = [m.sqrt() for m in means], torch.stack(energy)
        return self._sizes[place]


def _row_means(weight: Tensor) -> Iterator[Tensor]:
    for rows in weight.split(max(1, (1 << 25) // weight.shape[1])):
        yield rows.float().square().mean(1)
