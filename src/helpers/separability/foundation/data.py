"""Synthetic sequences, drawn where they are needed: the same numbers on every device, inside a recorded step or not.

A number is a hash of its seed, its step and its place (Steele et al. 2014, the finaliser of SplitMix64), so that all
conditions of a seed read one stream, nothing is stored, and no training step can draw what is held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from helpers import devices
from helpers.separability.foundation.config import Foundation

HELD = -1  # the step of the held-out sequences; training counts from 0
ODD, FIRST, SECOND = (
    -7046029254386353131,
    -4658895280553007687,
    -7723592293110705685,
)  # of SplitMix64, as signed numbers


@dataclass(frozen=True)
class Feed:
    """What models read. vocab: V; length: T; last: how many last positions have a target. draw(step) -> tokens (S, B,
    T + 1) of a 0-d step; held: (S, N, T + 1), and seen: as many that training may have met, None where it meets no
    sequence twice."""

    vocab: int
    length: int
    last: int
    draw: Callable[[Tensor], Tensor]
    held: Tensor
    seen: Tensor | None = None


def feed(config: Foundation, seeds: tuple[int, ...], device: str = "cpu") -> Feed:
    """The sequences of a config's data set for some seeds."""
    return {"interleaved": _interleaved, "modular": _modular}[config.dataset](config, seeds, device)


def numbers(seeds: Tensor, step: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(S, *shape) numbers from 0 to 2⁶³ − 1 for seeds (S,) and a 0-d step."""
    count = 1
    for n in shape:
        count *= n
    key = _mixed(_mixed(seeds * ODD) + step * ODD)  # (S,)
    places = torch.arange(1, count + 1, device=seeds.device) * ODD
    return (_mixed(key[:, None] + places) & (2**63 - 1)).view(len(seeds), *shape)


def streams(config: Foundation, seeds: Tensor, step: Tensor, batch: int) -> Tensor:
    """(S, batch, T + 1): two streams a sequence, A₁ B₁ A₂ B₂ …, each a random pattern of a random period, repeated."""
    low, high = config.periods
    drawn = numbers(seeds, step, (batch, 2, 1 + high))
    period = low + drawn[..., :1] % (high - low + 1)  # (S, batch, 2, 1)
    place = torch.arange(config.length // 2 + 1, device=seeds.device) % period
    both = (drawn[..., 1:] % config.vocab).gather(-1, place)  # (S, batch, 2, T/2 + 1)
    return both.transpose(-1, -2).flatten(-2)[..., : config.length + 1]


def _interleaved(config: Foundation, seeds: tuple[int, ...], device: str) -> Feed:
    of = torch.tensor([devices.seed_of("streams", s) for s in seeds], device=device)
    draw = lambda step: streams(config, of, step, config.batch)
    held = streams(config, of, torch.tensor(HELD, device=device), config.held)
    return Feed(config.vocab, config.length, config.last, draw, held)


def _modular(config: Foundation, seeds: tuple[int, ...], device: str) -> Feed:
    """x + y = z modulo a prime, read at '='. Unordered pairs are split, so that y + x is never held out of a trained
    x + y."""
    p = config.prime
    x, y = (v.flatten() for v in torch.meshgrid(torch.arange(p), torch.arange(p), indexing="ij"))
    low, high = torch.minimum(x, y), torch.maximum(x, y)
    plus, equals = torch.full_like(x, p), torch.full_like(x, p + 1)
    every = torch.stack([x, plus, y, equals, (x + y) % p], 1)  # (p², 5)
    train, held, sizes = [], [], []
    for s in seeds:
        order = torch.randperm(p * p, generator=devices.torch_rng("pairs", p, s)).view(p, p)[low, high]
        drawn = order[low <= high]  # (pairs,) a number each, in no order
        inside = order <= drawn.kthvalue(max(1, round(config.share * len(drawn)))).values
        kept = every[inside]
        sizes.append(len(kept))
        again = lambda rows, count: rows[torch.arange(count) % len(rows)]
        train.append(again(kept, p * p))
        left = every[~inside]
        held.append(again(left[torch.randperm(len(left), generator=devices.torch_rng("held", s))], config.held))
    table, held, size = torch.stack(train).to(device), torch.stack(held).to(device), torch.tensor(sizes, device=device)
    of = torch.tensor([devices.seed_of("pairs", s) for s in seeds], device=device)

    def draw(step: Tensor, count: int = config.batch) -> Tensor:
        chosen = numbers(of, step, (count,)) % size[:, None]  # (S, B)
        return table.gather(1, chosen[..., None].expand(-1, -1, 5))

    return Feed(p + 2, 4, 1, draw, held, draw(torch.tensor(HELD, device=device), config.held))


def _mixed(x: Tensor) -> Tensor:
    """64 bits mixed so that each depends on all, in wrapping arithmetic."""
    x = (x ^ _right(x, 30)) * FIRST
    x = (x ^ _right(x, 27)) * SECOND
    return x ^ _right(x, 31)


def _right(x: Tensor, bits: int) -> Tensor:
    """A shift to the right that fills with zeros, which torch's own of signed numbers does not."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
