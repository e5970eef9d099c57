"""Encode and decode of Hadamard-coded weights, each in one GPU kernel: one read, one write, nothing in between.

The torch path transforms a matrix in a dozen passes over memory. Here a program holds a tile of codes and the small matrix
H of ±1 on the chip. Codes are integers, H is ±1, so the inverse transform is an integer matrix product and exact; the scale
of a block, 1/sqrt(block) and the fill's weight come after it. The keep mask is a hash of the flat index and is never stored.
`Group` decodes any number of matrices in one launch, each with its own threshold. `decode` of the torch path is the oracle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from helpers.fused.device import FLOATS, FULL, available, fits, kernels, on, send

BLOCKS = (16, 32, 64, 128, 256)
FILLS = {"zero": 0, "gain": 0, "random": 1, "guided": 2, "spoil": 3, "planes": 4}
PLAIN = {"hadamard": False, "identity": True}  # the transforms that the kernels know
ORDERS = ("iid", "planes")
ROWS = 64  # of a tile: the height of one tensor-core product
CHUNK = 1024  # rows of one program, so that it makes its H once for sixteen tiles
MANY = 8192  # tiles, above which a program takes a whole chunk
STAGES = {"decode": 3, "moments": 3, "encode": 2}  # tiles in flight in one program
OPTIONS = {64: {"num_warps": 4}, 128: {"num_warps": 4}, 256: {"num_warps": 8}}  # by columns of a tile
LEAN = {"maxnreg": 128}  # registers a thread of a decode with nothing to fill: room for four programs a multiprocessor


@dataclass(frozen=True)
class Item:
    """One matrix to decode: codes (out, in) int8, scales (out, in/block) fp16, out (out, in) written in place.

    sign_key: key of the column signs, or None without them. prior: codes and scales of the same shapes, for the guided fill.
    out may be None when only `Group.moments` is wanted. plain: no transform.
    """

    codes: Tensor
    scales: Tensor
    out: Tensor | None
    block: int
    sign_key: int | None
    prior: tuple[Tensor, Tensor] | None = None
    plain: bool = False


def supports(codec, order: str, fill: str, device: str | torch.device, width: int | None = None) -> bool:
    """Whether `decode` covers this case: a codec of PLAIN, an order of ORDERS, a fill of FILLS, blocks of BLOCKS.

    fill: the name of its mode. Without a width only the codec's cap is looked at.
    """
    if not available(device) or codec.transform not in PLAIN or order not in ORDERS or fill not in FILLS:
        return False
    if order == "planes" and fill != "zero":  # planes have nothing to fill
        return False
    return width is None or codec.block_of(width) in BLOCKS


def encode(
    weight: Tensor, *, block: int, sign_key: int | None, name: str = "weight", check: bool = True, plain: bool = False
) -> tuple[Tensor, Tensor]:
    """Codes (out, in) int8 and scales (out, in/block) fp16 of a matrix (out, in) in bf16, fp16 or fp32.

    Exact products and float32 sums for all three types. Raises ValueError, with the tensor's name, for NaN, infinity, and
    values whose scale is beyond fp16; with check=False, which saves waiting for the device, such scales are infinite.
    """
    if weight.dim() != 2 or weight.dtype not in FLOATS:
        raise ValueError(f"{name}: encode takes a matrix in bf16, fp16 or fp32, not {_seen(weight)}")
    _check_block(block, weight.shape[1], weight.device)
    weight = weight if fits(weight) else weight.clone(memory_format=torch.contiguous_format)
    rows, width = weight.shape
    codes = torch.empty(rows, width, dtype=torch.int8, device=weight.device)
    scales = torch.empty(rows, width // block, dtype=torch.float16, device=weight.device)
    tile, key = _tile(block), sign_key or 0
    kind = torch.float16 if weight.dtype == torch.float16 else torch.bfloat16  # H and the parts of W are exact in it
    kind = kernels.TYPES[kind if weight.is_cuda else torch.float32]  # the interpreter multiplies no bf16
    with on(weight.device):
        kernels.encode[(ceil(width, tile), ceil(rows, CHUNK))](
            weight, codes, scales, key - (key >> 31 << 32), rows, width, SIGNED=sign_key is not None, KIND=kind, PLAIN=plain,
            T=tile, B=block, CHUNK=CHUNK, ROWS=ROWS, STAGES=STAGES["encode"], **OPTIONS[tile],
        )  # fmt: skip
    if check and not bool(torch.isfinite(scales).all()):
        raise ValueError(f"{name} holds NaN, infinity or values past 65504·127; only finite weights can be encoded")
    return codes, scales


def decode(
    codes: Tensor,
    scales: Tensor,
    out: Tensor,
    *,
    block: int,
    sign_key: int | None,
    mask_key: int = 0,
    threshold: int = FULL,
    fill: str = "zero",
    weight: float | Tensor | None = None,
    fill_key: tuple[int, int] = (0, 0),
    prior: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Write the decoded matrix into `out` (out, in), of any type of FLOATS, and return it.

    A coefficient is kept where hash32(mask_key, flat index) < threshold. weight: gain's factor on the kept ones, the sigma of
    the random fill (a number, or a tensor of one element), or guided's weight b on `prior`.
    """
    weights = None if weight is None else torch.as_tensor(weight).reshape(1)
    group = Group([Item(codes, scales, out, block, sign_key, prior)])
    group.decode(mask_keys=[mask_key], thresholds=[threshold], fill=fill, weights=weights, fill_keys=[fill_key])
    return out


def moments(codes: Tensor, scales: Tensor, *, block: int, mask_key: int = 0, threshold: int = FULL) -> Tensor:
    """Count, mean and standard deviation (ddof 0) of the kept dequantised coefficients: float64 (3,), on the device."""
    group = Group([Item(codes, scales, None, block, None)])
    return group.moments(mask_keys=[mask_key], thresholds=[threshold])[0]


@dataclass(frozen=True)
class _Launch:
    block: int
    dtype: torch.dtype | None
    chunk: int  # rows of one program
    units: Tensor  # (programs, 3) int32: item, tile of columns, first row
    plain: bool
    lengths: Tensor  # programs of each item
    index: Tensor  # the items


class Group:
    """Many matrices, decoded in one launch for each block size and type (usually one for a whole model).

    The tables of addresses are made once; the tensors must live, and stay where they are, as long as the group.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        if not items:
            raise ValueError("a group needs one matrix or more")
        self.items = list(items)
        self.device = items[0].codes.device
        for item in self.items:
            _check(item, self.device)
        self._table = send(torch.tensor([_row(i) for i in items], dtype=torch.int64), self.device)  # (n, 8)
        self._all = torch.tensor([[0, *_limit(FULL), 0, 0]], device=self.device).repeat(len(items), 1)  # no mask
        self._plain = torch.tensor([[1.0, 0.0]], device=self.device).repeat(len(items), 1)  # zero fill
        self._outs = all(i.out is not None for i in items)
        self._priors = all(i.prior for i in items)
        kinds: dict[tuple, list[int]] = {}
        for n, item in enumerate(self.items):
            kinds.setdefault((item.block, None if item.out is None else item.out.dtype, item.plain), []).append(n)
        self._launches = [self._launch(chosen, *kind) for kind, chosen in kinds.items()]

    def _launch(self, chosen: list[int], block: int, dtype: torch.dtype | None, plain: bool) -> _Launch:
        tile = _tile(block)
        shapes = [self.items[n].codes.shape for n in chosen]
        tiles = sum(ceil(rows, ROWS) * ceil(width, tile) for rows, width in shapes)
        chunk = CHUNK if tiles > MANY else ROWS  # a small model is spread over the whole chip instead
        parts = []
        for n, (rows, width) in zip(chosen, shapes, strict=True):
            starts = torch.arange(0, rows, chunk, dtype=torch.int32)
            columns = torch.arange(ceil(width, tile), dtype=torch.int32)
            pair = torch.cartesian_prod(starts, columns)  # neighbours in a row run side by side
            parts.append(torch.stack([torch.full_like(pair[:, 0], n), pair[:, 1], pair[:, 0]], dim=1))
        lengths, index = (send(torch.tensor(x), self.device) for x in ([len(p) for p in parts], chosen))
        return _Launch(block, dtype, chunk, send(torch.cat(parts), self.device), plain, lengths, index)

    def decode(
        self,
        *,
        mask_keys: Sequence[int],
        thresholds: Sequence[int],
        fill: str = "zero",
        weights: Sequence[float] | Tensor | None = None,
        fill_keys: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        """Decode every item into its `out`. One key, threshold and weight an item, as in `decode`. "spoil": nothing is missing,
        but codes below the threshold are XORed with 0x7F. "planes": nothing is missing but as many low bits of every magnitude
        as the weight says; zeros below the threshold stand for positive values then, the others for negative ones.
        """
        if fill not in FILLS:
            raise ValueError(f"fill={fill!r} is unknown to the kernel; it takes {', '.join(FILLS)}")
        if fill not in ("zero", "spoil") and weights is None:
            raise ValueError(f"fill={fill!r} needs weights: gain's factor, random's sigma or guided's b of each matrix")
        if fill == "guided" and not self._priors:
            raise ValueError("fill='guided' needs a prior for each matrix")
        if not self._outs:
            raise ValueError("an item without `out` cannot be decoded, only measured")
        keys = self._keys(mask_keys, thresholds, fill_keys)
        pair = self._plain if weights is None else self._factors(weights, fill)
        masked = min(thresholds) < FULL or fill == "spoil"
        code = FILLS[fill] if masked else 0
        for a in self._launches:
            with on(self.device):
                kernels.decode[(len(a.units),)](
                    a.units, self._table, keys, pair,
                    OUT=kernels.TYPES[a.dtype], T=_tile(a.block), B=a.block, CHUNK=a.chunk, ROWS=ROWS,
                    MASK=masked, FILL=code, PACKED=self.device.type == "cuda", PLAIN=a.plain,
                    STAGES=STAGES["decode"], **OPTIONS[_tile(a.block)], **({} if code else LEAN),
                )  # fmt: skip

    def moments(self, *, mask_keys: Sequence[int], thresholds: Sequence[int]) -> Tensor:
        """Count, mean and standard deviation of each item's kept dequantised coefficients: float64 (n, 3)."""
        keys = self._keys(mask_keys, thresholds, None)
        found = torch.zeros(len(self.items), 3, dtype=torch.float64, device=self.device)
        for a in self._launches:
            part = torch.empty(len(a.units), 3, dtype=torch.float32, device=self.device)
            with on(self.device):
                kernels.moments[(len(a.units),)](
                    a.units, self._table, keys, part, T=_tile(a.block), B=a.block, CHUNK=a.chunk, ROWS=ROWS,
                    STAGES=STAGES["moments"], **OPTIONS[_tile(a.block)],
                )  # fmt: skip
            found[a.index] = torch.segment_reduce(part.double(), "sum", lengths=a.lengths, axis=0)
        count, total, square = found.unbind(1)
        mean = total / count.clamp(min=1)
        return torch.stack([count, mean, (square / count.clamp(min=1) - mean**2).clamp(min=0).sqrt()], dim=1)

    def _factors(self, weights: Sequence[float] | Tensor, fill: str) -> Tensor:
        """(n, 2) float32: on the kept coefficients, and on what fills the gaps."""
        given = torch.as_tensor(weights, dtype=torch.float32)
        if given.shape != (len(self.items),):
            raise ValueError(f"weights {tuple(given.shape)} given, one for each of {len(self.items)} matrices expected")
        return send(torch.stack([given if fill == "gain" else torch.ones_like(given), given], dim=1), self.device)

    def _keys(self, masks: Sequence[int], thresholds: Sequence[int], fills: Sequence[tuple[int, int]] | None) -> Tensor:
        fills = [(0, 0)] * len(self.items) if fills is None else fills
        if not len(masks) == len(thresholds) == len(fills) == len(self.items):
            raise ValueError(f"keys and thresholds are wanted for each of {len(self.items)} matrices")
        if bad := [t for t in thresholds if not 0 <= t <= FULL]:
            raise ValueError(f"threshold {bad[0]} is outside 0 … 2**32")
        if min(thresholds) == FULL:
            return self._all
        rows = [(m, *_limit(t), *f) for m, t, f in zip(masks, thresholds, fills, strict=True)]
        return send(torch.from_numpy(np.array(rows, dtype=np.int64)), self.device)  # (n, 6)


def _limit(threshold: int) -> tuple[int, int, int]:
    """(use, high, bound): x ^ (x >> 16) < threshold is (x & use) ^ high < bound, 2^32 included."""
    return (0, 0, 1) if threshold == FULL else (FULL - 1, threshold >> 16, threshold)


def ceil(n: int, step: int) -> int:
    """n / step, rounded up."""
    return -(-n // step)


def _tile(block: int) -> int:
    return max(block, 64)  # columns of a tile


def _seen(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {tensor.dtype}"


def _check_block(block: int, width: int, device: torch.device) -> None:
    if not available(device):
        raise ValueError(f"the fused kernels need triton and a CUDA device, not {device}; use dtdr.encode/decode")
    if block not in BLOCKS or width % block:
        raise ValueError(f"block={block} does not serve: it must be one of {BLOCKS}, and divide the width {width}")


def _check(item: Item, device: torch.device) -> None:
    codes, shape = item.codes, tuple(item.codes.shape)
    if codes.dim() != 2 or codes.dtype != torch.int8:
        raise ValueError(f"codes must be an int8 matrix, not {_seen(codes)}")
    _check_block(item.block, shape[1], device)
    if codes.numel() > FULL:
        raise ValueError(f"a matrix of {codes.numel()} elements has more than the 2**32 that the mask's hash counts")
    wanted = (shape[0], shape[1] // item.block)
    pairs = [(item.codes, item.scales), *([item.prior] if item.prior else [])]
    for c, s in pairs:
        if (c.dtype, tuple(c.shape)) != (torch.int8, shape) or (s.dtype, tuple(s.shape)) != (torch.float16, wanted):
            raise ValueError(f"expected int8 codes {shape} and fp16 scales {wanted}, got {_seen(c)} and {_seen(s)}")
    if item.out is not None and (tuple(item.out.shape) != shape or item.out.dtype not in FLOATS):
        raise ValueError(f"out must be {shape} in bf16, fp16 or fp32, not {_seen(item.out)}")
    tensors = [t for pair in pairs for t in pair] + ([] if item.out is None else [item.out])
    if any(t.device != device for t in tensors) or not fits(*tensors):
        raise ValueError(f"codes, scales, prior and out must be contiguous, aligned to 16 bytes and all on {device}")


def _row(item: Item) -> list[int]:
    prior = [t.data_ptr() for t in item.prior] if item.prior else [0, 0]
    out = 0 if item.out is None else item.out.data_ptr()
    sign = -1 if item.sign_key is None else item.sign_key
    return [item.codes.data_ptr(), item.scales.data_ptr(), out, *prior, *item.codes.shape, sign]
