"""Random numbers without a state: each is a hash of (seed, tensor name, purpose, index), the same on every device.

The hash is lowbias32 of Chris Wellons ("Hash function prospector", 2018), a bijection of the 32-bit integers. Tensors hold
its values as int32 bit patterns: wrap-around int32 arithmetic is exact modulo 2^32, and half the memory of int64.
"""

from __future__ import annotations

import math
import zlib
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

MASK = 0xFFFFFFFF
FIRST, SECOND = 0x7FEB352D, 0x846CA68B  # the two multipliers of lowbias32
LIMIT = 1 << 32  # indices are 32-bit


def mix(x: int) -> int:
    """lowbias32 of one unsigned 32-bit integer."""
    x &= MASK
    x = ((x ^ (x >> 16)) * FIRST) & MASK
    x = ((x ^ (x >> 15)) * SECOND) & MASK
    return x ^ (x >> 16)


@lru_cache(maxsize=1 << 14)
def key32(seed: int, name: str, purpose: str) -> int:
    """The unsigned 32-bit key of a stream: lowbias32(crc32(f"{seed}/{name}/{purpose}"))."""
    return mix(zlib.crc32(f"{seed}/{name}/{purpose}".encode()))


def signed(x: int) -> int:
    """The int32 whose bit pattern is the unsigned x."""
    x &= MASK
    return x - LIMIT if x >> 31 else x


def index32(start: int, stop: int, device: torch.device | str = "cpu") -> Tensor:
    """(stop - start,) int32 bit patterns of the indices start … stop - 1. Raises ValueError past 2^32."""
    if not 0 <= start <= stop <= LIMIT:
        raise ValueError(f"indices {start}…{stop} are not within 0…2^32; split tensors of more than 2^32 entries")
    if stop < 1 << 31:
        return torch.arange(start, stop, dtype=torch.int32, device=device)
    return torch.arange(start, stop, dtype=torch.int64, device=device).to(torch.int32)


def hash32(key: int, index: Tensor) -> Tensor:
    """lowbias32(index ^ key) as int32 bit patterns, of any shape. index: int32 bit patterns or int64 below 2^32."""
    x = index.to(torch.int32) ^ signed(key)
    if x.device.type == "cpu":
        _mix_numpy(x.numpy().view(np.uint32))
        return x
    return mix_torch(x)


def mix_torch(x: Tensor) -> Tensor:
    """lowbias32 of int32 bit patterns, in place, in torch's wrapping arithmetic: for any device."""
    t = (x >> 16) & 0xFFFF  # torch shifts int32 with its sign: the mask makes the shift a logical one
    x.bitwise_xor_(t).mul_(FIRST)
    torch.bitwise_right_shift(x, 15, out=t).bitwise_and_(0x1FFFF)
    x.bitwise_xor_(t).mul_(signed(SECOND))
    torch.bitwise_right_shift(x, 16, out=t).bitwise_and_(0xFFFF)
    return x.bitwise_xor_(t)


def _mix_numpy(x: np.ndarray) -> None:
    """lowbias32 in place on uint32: five operations fewer than in torch, which has no unsigned shift."""
    t = x >> np.uint32(16)
    x ^= t
    x *= np.uint32(FIRST)
    np.right_shift(x, np.uint32(15), out=t)
    x ^= t
    x *= np.uint32(SECOND)
    np.right_shift(x, np.uint32(16), out=t)
    x ^= t


def unsigned(h: Tensor) -> Tensor:
    """The same bit patterns as int64 in 0 … 2^32 - 1."""
    return h.to(torch.int64) & MASK


def threshold(fraction: float) -> int:
    """round(fraction · 2^32): a hash below it is kept. Raises ValueError outside 0 … 1."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction={fraction} is not within 0…1: it is the share of stored coefficients that is kept")
    return round(fraction * LIMIT)


def below(h: Tensor, limit: int) -> Tensor:
    """Bool, of h's shape: unsigned h < limit, for a limit in 0 … 2^32."""
    if limit <= 0 or limit >= LIMIT:
        return torch.full(h.shape, limit > 0, dtype=torch.bool, device=h.device)
    if h.device.type == "cpu":
        return torch.from_numpy(np.less(h.numpy().view(np.uint32), np.uint32(limit)))
    return below_torch(h, limit)


def below_torch(h: Tensor, limit: int) -> Tensor:
    """The same in torch, for any device: flipping the top bit turns unsigned into signed order."""
    if limit <= 0 or limit >= LIMIT:
        return torch.full(h.shape, limit > 0, dtype=torch.bool, device=h.device)
    return (h ^ signed(1 << 31)) < limit - (1 << 31)


def signs(key: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """(width,) float32 of ±1: -1 where the top bit of the hash is set."""
    return 1.0 - 2.0 * (hash32(key, index32(0, width, device)) < 0).to(torch.float32)


def normals(seed: int, name: str, start: int, stop: int, device: torch.device | str = "cpu", purpose: str = "fill"):
    """(stop - start,) float32 standard normals of the entries start … stop - 1, by Box & Muller (1958).

    Two streams with purposes `purpose` and `purpose + "/angle"`; with h₁, h₂ their hashes,
    u = ((h₁ >> 8) + 1)/2^24 in (0, 1], v = (h₂ >> 8)/2^24 in [0, 1), z = √(-2 ln u) · cos(2πv). |z| ≤ 5.77.
    """
    index = index32(start, stop, device)
    radius = ((hash32(key32(seed, name, purpose), index) >> 8) & 0xFFFFFF).add_(1).to(torch.float32)
    angle = ((hash32(key32(seed, name, purpose + "/angle"), index) >> 8) & 0xFFFFFF).to(torch.float32)
    radius.mul_(2.0**-24).log_().mul_(-2.0).sqrt_()
    return radius.mul_(angle.mul_(2.0**-24 * 2 * math.pi).cos_())
