"""Random numbers by counting: every number is a hash of whose it is, of the step and of its place, and of nothing else.

A step that is recorded, replayed, resumed or run alone on another device therefore draws the same numbers, with no
generator whose state would have to be kept. The hash is C. Wellons' `lowbias32` ("hash prospector"), a bijection of
32-bit words with an avalanche bias of 0.17 per cent, in 64-bit integers, which every device multiplies alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from helpers import devices

WORD, STRIDE = 0xFFFFFFFF, 0x9E3779B9  # 32 bits; 2³² over the golden ratio, so that neighbours start far apart


def streams(kind: str, keys: Sequence[object], device: str = "cpu") -> Tensor:
    """(M,) a word a key, where its numbers start; equal keys have equal numbers."""
    words = [devices.seed_of("draws", kind, key) & WORD for key in keys]
    return torch.tensor(words, dtype=torch.int64, device=device)


def words(stream: Tensor, clock: Tensor, count: int) -> Tensor:
    """(M, count) whole numbers in 0 … 2³² − 1, of streams (M,) at the step `clock`, a 0-d tensor."""
    return Several({"": stream}, {"": count}).at(clock)[""]


class Several:
    """Words of several kinds at once: {name: (M,) streams} and {name: how many of each}."""

    def __init__(self, streams: Mapping[str, Tensor], counts: Mapping[str, int]):
        self.counts = dict(counts)
        self.start = torch.stack([streams[name] for name in counts], 1)  # (M, kinds)
        device, many = self.start.device, torch.tensor(list(counts.values()))
        self.kind = torch.arange(len(many)).repeat_interleave(many).to(device)
        self.place = torch.cat([torch.arange(1, count + 1) for count in counts.values()]).to(device) * STRIDE

    def at(self, clock: Tensor) -> dict[str, Tensor]:
        """{name: (M, count)} at a step, each as `words` has them."""
        start = _hashed(self.start ^ _hashed((clock * STRIDE) & WORD)).index_select(1, self.kind)
        found = _hashed(_hashed((start + self.place) & WORD) ^ start)
        return dict(zip(self.counts, found.split(list(self.counts.values()), 1), strict=True))


def uniform(word: Tensor) -> Tensor:
    """In [0, 1), single precision: the upper 24 bits of a word."""
    return (word >> 8).float() * 2**-24


def normal(word: Tensor) -> Tensor:
    """(…, 2n) words -> (…, 2n) standard normal numbers, by Box and Muller."""
    one, two = word.chunk(2, -1)
    size = torch.sqrt(-2 * torch.log((one.double() + 0.5) * 2**-32))
    turn = two.double() * (2 * math.pi * 2**-32)
    return torch.cat([size * torch.cos(turn), size * torch.sin(turn)], -1).float()


def below(word: Tensor, most: int) -> Tensor:
    """Whole numbers in 0 … most − 1."""
    return (word * most) >> 32


def _hashed(x: Tensor) -> Tensor:
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & WORD
    x = ((x ^ (x >> 15)) * 0x846CA68B) & WORD
    return x ^ (x >> 16)
