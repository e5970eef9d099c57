"""What experiment D is made of, checked before anything is loaded: frozen settings, and nothing else.

What cannot work is refused here, with the reason and the nearest value that works. Devices and folders belong to a run.
"""

from __future__ import annotations

from dataclasses import dataclass

from helpers.checks import a_rate, at_least, expect
from helpers.lm import loader

SHAPES = {  # features n and dimensions m of bottlenecks, by profile
    "quick": ((5, 2), (10, 2), (10, 3), (10, 5), (10, 10)),
    "full": ((5, 2), (20, 2), (20, 3), (20, 5), (20, 10), (20, 20)),
}
LEVEL = 0.05  # of the tests that name a suppressor, before they are shared among a model's heads


@dataclass(frozen=True)
class Toy:
    """The printed experiment: tokens without any order, a small transformer, a suppressor by what its removal does to
    σ².

    seed: of the first model; the others follow it. threshold: on σ²(ablated)/σ²(whole). against: Pearson's
    correlation of two heads' outputs below which the document calls them opposed. resamples: of the bootstrap."""

    n_samples: int = 2000
    train_steps: int = 200
    seed: int = 777
    seeds: int = 3
    vocab: int = 256
    length: int = 32
    batch: int = 32
    held: int = 20  # batches that are measured
    layers: int = 2
    width: int = 64
    heads: int = 4
    hidden: int = 256
    rate: float = 1e-3
    threshold: float = 1.5
    against: float = -0.5
    resamples: int = 1000

    def __post_init__(self):
        at_least(self, train_steps=1, seed=0, seeds=1, vocab=2, length=2, batch=1, held=2, layers=1, heads=2)
        at_least(self, n_samples=self.batch)
        more = -self.width % self.heads
        expect(not more, f"width={self.width} is not a multiple of heads={self.heads}; use {self.width + more}")


@dataclass(frozen=True)
class Census:
    """Models of a language that needs heads, one a seed, and every head of each removed in turn.

    stories: training sequences; held: those that are measured, half to find suppressors and half to measure them.
    draws: random removals a layer, the null of the census."""

    seeds: int = 4
    steps: int = 400
    stories: int = 2000
    held: int = 128
    length: int = 48
    batch: int = 16
    layers: int = 2
    width: int = 64
    heads: int = 4
    hidden: int = 128
    rate: float = 3e-3
    draws: int = 8

    def __post_init__(self):
        at_least(self, seeds=1, steps=1, length=8, batch=1, layers=1, heads=2, hidden=1, draws=1)
        at_least(self, stories=self.batch, held=8)
        a_rate(self.rate)
        expect(self.held % 2 == 0, f"held={self.held} has no halves of one size; use {self.held + 1}")
        more = -self.width % self.heads
        expect(not more, f"width={self.width} is not a multiple of heads={self.heads}; use {self.width + more}")

    @property
    def total(self) -> int:
        """Heads of one model."""
        return self.layers * self.heads


@dataclass(frozen=True)
class Foreign:
    """A model that somebody else trained, and how many sequences of which length it reads in the census."""

    name: str = "storyteller"
    held: int = 64
    length: int = 48

    def __post_init__(self):
        at_least(self, held=8, length=8)
        expect(self.held % 2 == 0, f"held={self.held} has no halves of one size; use {self.held + 1}")
        if self.name != "none":
            loader.locate(self.name)


@dataclass(frozen=True)
class Bottleneck:
    """Elhage et al. (2022): n features squeezed through m dimensions and read out by a ReLU.

    shapes: (n, m) of every model; sparsities: S, the share of features that are zero. pool: batches that are drawn once
    and taken in turns.
    """

    shapes: tuple[tuple[int, int], ...] = SHAPES["quick"]
    sparsities: tuple[float, ...] = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
    seeds: int = 3
    steps: int = 1500
    batch: int = 128
    pool: int = 32
    held: int = 2048
    rate: float = 1e-2

    def __post_init__(self):
        at_least(self, seeds=1, steps=1, batch=1, pool=1, held=2)
        for n, m in self.shapes:
            expect(
                1 <= m <= n,
                f"shape {n, m}: a bottleneck of m dimensions holds m features or more; use {n, min(max(m, 1), n)}",
            )
        for s in self.sparsities:
            expect(0 <= s < 1, f"sparsity {s} leaves nothing to be stored; use one from 0 up to 0.999")
        expect(len({*self.shapes}) == len(self.shapes) > 0, f"shapes {self.shapes}: name each once, and one at least")
        sparse = f"sparsities {self.sparsities}: name each once, and two at least, or there is nothing to compare"
        expect(len({*self.sparsities}) == len(self.sparsities) > 1, sparse)
