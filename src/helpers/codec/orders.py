"""Which stored coefficients have arrived: nested masks for a fraction f, bit planes, and corrupted codes.

Every mask grows with f: what is kept at a smaller fraction is kept at a larger one, for the same order and seed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.codec import hashing
from helpers.codec.codec import Encoded, rank

ORDERS = ("iid", "rows", "rows_hashed", "columns", "shards", "magnitude", "planes")
SHARDS = 64

Mask = Callable[[int, int], "Tensor | None"]


def keep(encoded: Encoded, fraction: float, order: str = "iid", mask_seed: int = 0) -> Mask:
    """A function (start, stop) -> bool (stop - start, in) of the codes' rows that are kept; None where all are.

    Entry i (flat, in storage order) is kept where hash(i) < round(f·2^32), with another index a kind of order:
    "iid": the entry. "rows": row r < max(1, int(f·out)), the leading rows, not hashed (the published reading; none at
    f = 0). "rows_hashed": the row. "columns": the column, the same set in every row. "shards": the shard, of 64
    contiguous runs of the storage. "magnitude": the round(f·n) largest |code × scale|, ties by index.
    "planes" loses bits, not entries: see `planes`. Raises ValueError for an unknown order or a fraction outside 0…1.
    """
    limit = hashing.threshold(fraction)
    if order not in ORDERS or order == "planes":
        hint = "; bit planes keep every entry: use orders.planes" if order == "planes" else ""
        raise ValueError(f"order {order!r} gives no mask; choose one of {', '.join(ORDERS[:-1])}{hint}")
    if limit == hashing.LIMIT:
        return lambda start, stop: None
    if order == "magnitude":
        return _magnitude(encoded, fraction)
    first = encoded.first
    inner = _hashed(encoded, fraction, order, mask_seed)
    return lambda start, stop: inner(start + first, stop + first)


def _hashed(encoded: Encoded, fraction: float, order: str, mask_seed: int) -> Mask:
    """`keep` for the orders that need no codes, by the rows of the whole matrix."""
    width, limit = encoded.codes.shape[1], hashing.threshold(fraction)
    out = encoded.total or len(encoded.codes)
    device, key = encoded.device, hashing.key32(mask_seed, encoded.name, "mask")

    def hashed(index: Tensor) -> Tensor:
        return hashing.below(hashing.hash32(key, index), limit)

    if order == "iid":
        return lambda start, stop: hashed(hashing.index32(start * width, stop * width, device)).view(-1, width)
    if order == "shards":
        kept, count = hashed(hashing.index32(0, SHARDS, device)), out * width

        def shards(start: int, stop: int) -> Tensor:
            index = torch.arange(start * width, stop * width, device=device)
            return kept[index * SHARDS // count].view(-1, width)

        return shards
    if order == "columns":
        kept = hashed(hashing.index32(0, width, device))
        return lambda start, stop: kept.expand(stop - start, width)
    if order == "rows":
        kept = torch.arange(out, device=device) < leading(fraction, out)
    else:
        kept = hashed(hashing.index32(0, out, device))
    return lambda start, stop: kept[start:stop, None].expand(stop - start, width)


def leading(fraction: float, rows: int) -> int:
    """How many rows the order "rows" keeps: the published reading, none at 0 and otherwise one at least."""
    return max(1, int(fraction * rows)) if fraction else 0


def _magnitude(encoded: Encoded, fraction: float) -> Mask:
    if not encoded.whole:
        raise ValueError(f"{encoded.name}: the largest entries are found among all; read the whole matrix")
    sizes = encoded.coefficients().abs_().view(-1)
    count = round(fraction * sizes.numel())
    kept = torch.zeros(sizes.shape, dtype=torch.bool, device=sizes.device)
    if count:
        cut = (
            torch.kthvalue(sizes, len(sizes) - count + 1).values
            if sizes.device.type == "cpu"
            else cut_of(encoded, count)
        )
        kept, ties = sizes > cut, sizes == cut
        kept |= ties & (ties.cumsum(0, dtype=torch.int32) <= count - kept.sum())  # nothing is waited for
    kept = kept.view(encoded.codes.shape)
    return lambda start, stop: kept[start:stop]


def cut_of(encoded: Encoded, count: int) -> Tensor:
    """The count-th largest |code × scale|, float32 (): from the matrix's table where a number of thousandths is kept, else by
    counts. On a GPU torch.kthvalue takes most of a minute for a 7B model.
    """
    total = encoded.codes.numel()
    k = round(1000 * count / total)
    if k and rank(k, total) == count:
        return encoded.cuts[k - 1]
    return largest_by_bits(encoded.coefficients().abs_().view(-1), count)


def largest_by_bits(sizes: Tensor, place: int) -> Tensor:
    """The place-th largest of non-negative float32 (n,), by 31 counts, from the highest bit down: non-negative floats
    have the order of their bit patterns.
    """
    bits, found = sizes.view(torch.int32), torch.zeros((), dtype=torch.int32, device=sizes.device)
    for bit in reversed(range(31)):
        tried = found | 1 << bit
        found = torch.where((bits >= tried).sum() >= place, tried, found)
    return found.view(torch.float32)


def kept_share(encoded: Encoded, fraction: float, order: str = "iid", mask_seed: int = 0) -> float:
    """The share of entries that `keep` keeps."""
    out, width = encoded.codes.shape
    mask = keep(encoded, fraction, order, mask_seed)
    step = max(1, (1 << 24) // width)
    found = ((mask(a, min(a + step, out)), min(step, out - a)) for a in range(0, out, step))
    return sum(rows * width if m is None else int(m.sum()) for m, rows in found) / (out * width)


def bits_of(fraction: float) -> int:
    """Bit planes that a fraction stands for: round(8 f), 0…8."""
    hashing.threshold(fraction)
    return round(8 * fraction)


def planes(codes: Tensor, fraction: float, *, key: int = 0, start: int = 0) -> Tensor:
    """Codes int8 of which the round(8 f) leading bits have arrived: the sign, then magnitude bits from the largest.

    With k magnitude bits missing, an entry stands at 2^(k-1) above its known part, the upper middle of what it may be.
    A zero code has no sign of its own and stores one by hash (`key`; `start` is the flat index of
    the first code), so that sign planes have no mean. 0 bits give zeros.
    """
    bits = bits_of(fraction)
    if bits == 8:
        return codes
    if bits == 0:
        return torch.zeros_like(codes)
    missing = 8 - bits
    magnitude = codes.to(torch.int16).abs_().clamp_(max=127)
    magnitude = ((magnitude >> missing) << missing) + (1 << (missing - 1))
    negative = codes < 0
    zeros = (codes == 0).view(-1).nonzero()[:, 0]
    negative.view(-1)[zeros] = hashing.hash32(key, zeros + start) < 0
    return torch.where(negative, -magnitude, magnitude).to(torch.int8)


def corrupt(stored: Encoded, share: float, seed: int, *, mode: str = "xor") -> Encoded:
    """A copy of a stored matrix with a hashed random share of its codes damaged; scales stay whole. Shares are nested.

    mode "xor": code XOR 0x7F, as in the published corruption experiment (q ≥ 0 becomes 127 - q, q < 0 becomes
    -129 - q); "byte": replaced by a uniform random byte. Raises ValueError for another mode, or a share outside 0…1.
    """
    return dataclasses.replace(stored, codes=corrupt_codes(stored.codes, share, seed, stored.name, mode=mode))


def corrupt_codes(codes: Tensor, share: float, seed: int, name: str, *, mode: str = "xor") -> Tensor:
    """The same for bare int8 codes of the tensor `name`."""
    if mode not in ("xor", "byte"):
        raise ValueError(f'mode {mode!r} is unknown; choose "xor" or "byte"')
    limit = hashing.threshold(share)
    flat, damaged = codes.reshape(-1), codes.clone().view(-1)
    key = hashing.key32(seed, name, "corrupt")
    for a in range(0, flat.numel(), 1 << 24):
        b = min(a + (1 << 24), flat.numel())
        index = hashing.index32(a, b, codes.device)
        hit = hashing.below(hashing.hash32(key, index), limit)
        if mode == "xor":
            new = flat[a:b] ^ 0x7F
        else:
            new = (hashing.hash32(hashing.key32(seed, name, "byte"), index) >> 24).to(torch.int8)
        damaged[a:b] = torch.where(hit, new, flat[a:b])
    return damaged.view(codes.shape)
