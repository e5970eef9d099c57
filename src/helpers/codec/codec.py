"""Weights to INT8 coefficients and back: random signs, block transform, symmetric absmax quantisation.

A matrix W (out, in) is multiplied by ±1 along `in`, transformed in blocks of B along `in`, and each block of each row is
stored as int8 codes with one fp16 scale. Everything runs in chunks of rows, on the device where the tensor is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from helpers import fused
from helpers.codec import hashing, transform

LEVELS = 127
TINY = 2.0**-24  # the smallest positive fp16
CHUNK = {"cpu": 1 << 17, "cuda": 1 << 25}  # entries worked on at a time: a CPU core's cache; little memory on a GPU


@dataclass(frozen=True)
class Codec:
    """How a matrix becomes codes.

    transform: "hadamard", "dct" (a control), "identity" (raw weights), "permutation" (the matrix's entries in a seeded
    order, unmixed). cap: the largest block, a power of two, or "full". seed: of signs and permutation.
    signs: random sign flips before a mixing transform. Raises ValueError naming the field.
    """

    transform: str = "hadamard"
    cap: int | str = 256
    seed: int = 0
    signs: bool = True

    def __post_init__(self):
        transform.check_kind(self.transform)
        transform.block_of(1, self.cap)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise ValueError(f"seed={self.seed!r}: an integer was expected")
        if not isinstance(self.signs, bool):
            raise ValueError(f"signs={self.signs!r}: true or false was expected")

    def block_of(self, width: int) -> int:
        """Entries in a block of a matrix with `width` columns."""
        return transform.block_of(width, self.cap)

    def sign_key(self, name: str) -> int | None:
        """Key of the tensor's sign stream, or None where no signs are flipped."""
        flips = self.signs and self.transform in transform.MIXING
        return hashing.key32(self.seed, name, "sign") if flips else None

    def flips(self, name: str, width: int, device: torch.device | str) -> Tensor | None:
        """(width,) float32 of ±1, or None."""
        key = self.sign_key(name)
        return None if key is None else hashing.signs(key, width, device)

    def permutation(self, name: str, count: int, device: torch.device | str) -> Tensor | None:
        """(count,) int64: stored entry i is entry permutation[i] of the flat matrix; None for other transforms."""
        if self.transform != "permutation":
            return None
        return transform.permutation(hashing.key32(self.seed, name, "permutation"), count, device)

    def nbytes(self, shape: Sequence[int]) -> int:
        """Stored bytes of a matrix (out, in) of this shape: codes and scales."""
        out, width = shape
        return out * width + 2 * out * (width // self.block_of(width))


@dataclass(frozen=True)
class Encoded:
    """A stored matrix: codes int8 (out, in), scales fp16 (out, in/B), the codec, and the tensor's name.

    transposed: the weight is (in, out) in its model, as in GPT-2's Conv1D; codes are of its transpose.
    first, total: for a run of rows of a larger matrix, its first row there and that matrix's number of rows.
    """

    codes: Tensor
    scales: Tensor
    codec: Codec
    name: str
    transposed: bool = False
    first: int = 0
    total: int = 0  # 0: these rows are all

    def __post_init__(self):
        out, width = self.codes.shape if self.codes.ndim == 2 else (0, 0)
        if self.codes.dtype != torch.int8 or not out * width:
            raise ValueError(f"{self.name}: int8 codes of shape (out, in) were expected, not {_looks(self.codes)}")
        blocks = width // self.codec.block_of(width)
        if self.scales.dtype != torch.float16 or tuple(self.scales.shape) != (out, blocks):
            raise ValueError(f"{self.name}: float16 scales ({out}, {blocks}) were expected, not {_looks(self.scales)}")
        if not 0 <= self.first <= (self.total or out) - out:
            raise ValueError(f"{self.name}: rows {self.first}…{self.first + out} are not within {self.total} rows")

    @property
    def block(self) -> int:
        """Entries that share a scale."""
        return self.codec.block_of(self.codes.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """The weight's shape in its model."""
        out, width = self.codes.shape
        return (width, out) if self.transposed else (out, width)

    @property
    def nbytes(self) -> int:
        """Stored bytes: codes and scales."""
        return self.codes.numel() + 2 * self.scales.numel()

    @property
    def device(self) -> torch.device:
        return self.codes.device

    def to(self, device: torch.device | str) -> Encoded:
        """The same on another device."""
        if self.device == torch.device(device):
            return self
        return replace(self, codes=self.codes.to(device), scales=self.scales.to(device))

    @property
    def whole(self) -> bool:
        """Whether these rows are the whole matrix."""
        return self.total in (0, len(self.codes))

    def part(self, start: int, stop: int) -> Encoded:
        """Rows start … stop - 1 of the codes, decoded with the same masks as in the whole. Not for permutations."""
        rows = len(self.codes)
        if not 0 <= start < stop <= rows:
            raise ValueError(f"{self.name}: rows {start}…{stop} are not a run within its {rows} rows")
        if self.codec.transform == "permutation":
            raise ValueError(f"{self.name}: a permutation scatters rows over the whole matrix; read it whole")
        codes, scales, first = self.codes[start:stop], self.scales[start:stop], self.first + start
        return replace(self, codes=codes, scales=scales, first=first, total=self.total or rows)

    @cached_property
    def cuts(self) -> Tensor:
        """(1000,) float32: the smallest of the k thousandths (see `rank`) of largest |code × scale|, for k = 1 … 1000; one sort
        serves every level that a matrix is tried at.
        """
        sizes = self.coefficients().abs_().view(-1).sort(descending=True).values
        places = torch.tensor([max(1, rank(k, len(sizes))) - 1 for k in range(1, 1001)])
        return sizes[places.to(sizes.device)]

    def coefficients(self, start: int = 0, stop: int | None = None) -> Tensor:
        """(stop - start, in) float32: code × scale of these rows of the codes."""
        return dequantise(self.codes[start:stop], self.scales[start:stop], self.block)


def rank(thousandths: int, count: int) -> int:
    """How many of `count` entries a number of thousandths is."""
    return round(thousandths / 1000 * count)


def _looks(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def chunks(rows: int, width: int, device: torch.device) -> Iterator[tuple[int, int]]:
    """(start, stop) of runs of rows that hold a chunk of entries, at least one row each."""
    step = max(1, CHUNK.get(device.type, CHUNK["cuda"]) // width)
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def quantise(c: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """float32 coefficients (rows, in) -> codes int8 (rows, in), scales fp16 (rows, in/B).

    scale = absmax/127 of the block, rounded up to the next fp16 and at least 2^-24, so that |code| ≤ 127 and the error of
    a coefficient is at most scale/2; codes round half to even. A scale past the fp16 range (absmax > 8.3e6) is inf.
    """
    blocks = c.view(c.shape[0], -1, block)  # (rows, in/B, B)
    exact = blocks.abs().amax(-1) / LEVELS
    scales = exact.to(torch.float16)
    short = (scales.float() < exact).to(torch.int16)
    scales = (scales.view(torch.int16) + short).view(torch.float16).clamp_min(TINY)  # next fp16 up = next bit pattern
    codes = (blocks / scales.float()[..., None]).round_().clamp_(-LEVELS, LEVELS)
    return codes.to(torch.int8).view(c.shape), scales


def dequantise(codes: Tensor, scales: Tensor, block: int) -> Tensor:
    """codes (rows, in) × scales (rows, in/B) -> float32 (rows, in)."""
    c = codes.to(torch.float32)
    c.view(c.shape[0], -1, block).mul_(scales.to(torch.float32)[..., None])
    return c


@torch.no_grad()
def encode(weight: Tensor, codec: Codec, name: str, *, transposed: bool = False, kernel: bool | None = None) -> Encoded:
    """Codes of a weight matrix, on its device. transposed: the weight is (in, out), as in GPT-2's Conv1D.

    kernel: False for this path, None for the fused kernel where it covers the case (same codes but for rare ties).
    Raises ValueError that names the tensor: not a floating-point matrix, empty, NaN or infinity, or too large for fp16.
    """
    if weight.ndim != 2 or not weight.is_floating_point() or not weight.numel():
        raise ValueError(f"{name}: a floating-point matrix (out, in) was expected, not {_looks(weight)}")
    w = weight.detach().T if transposed else weight.detach()
    out, width = w.shape
    covered = fused.supports(codec, "iid", "zero", w.device, width)
    if kernel is not False and covered and w.dtype in fused.FLOATS:
        found = fused.encode(
            w, block=codec.block_of(width), sign_key=codec.sign_key(name), name=name, plain=fused.PLAIN[codec.transform]
        )
        return Encoded(*found, codec, name, transposed)
    block, flips = codec.block_of(width), codec.flips(name, width, w.device)
    order = codec.permutation(name, w.numel(), w.device)
    w = w if order is None else w.reshape(-1)[order].view(out, width)
    codes = torch.empty((out, width), dtype=torch.int8, device=w.device)
    scales = torch.empty((out, width // block), dtype=torch.float16, device=w.device)
    for a, b in chunks(out, width, w.device):
        c = w[a:b].to(torch.float32)
        c = (c if flips is None else c * flips).contiguous()
        codes[a:b], scales[a:b] = quantise(transform.rotate(c, codec.transform, block), block)
    _check_finite(w, scales, name)
    return Encoded(codes, scales, codec, name, transposed)


def _check_finite(w: Tensor, scales: Tensor, name: str) -> None:
    """NaN and infinity in a weight reach its block's scale, so the scales, B times fewer, are looked at."""
    if torch.isfinite(scales).all():
        return
    if torch.isfinite(w).all():
        raise ValueError(f"{name}: its largest entry {w.abs().max().item():.3g} needs a scale past the fp16 range")
    bad = int((~torch.isfinite(w)).sum())
    raise ValueError(f"{name}: {bad} of {w.numel()} entries are NaN or infinite; repair the checkpoint before encoding")
