"""What is measured in the chapter on the metrics, checked before anything is drawn or trained."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.checks import a_rate, expect

MOST = 128  # points of a cloud, as the batched engine takes them
LEAST_K = 3  # neighbours that an estimate needs
RING = 0.2  # noise at which a ring is compared with a segment and a disc


@dataclass(frozen=True)
class Clouds:
    """Clouds whose answer is known. clouds: of each condition and seed, as the document's ten classes; n: points of
    a cloud (its samples a class); k: neighbours; level: of the universal law's test. dimensions and sizes: of the
    Gaussian grid; noises: of rings, segments and discs."""

    seeds: int = 3
    clouds: int = 10
    n: int = 100
    k: int = 20
    level: float = 0.05
    ambient: int = 64
    dimensions: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
    sizes: tuple[int, ...] = (25, 50, 100)
    ks: tuple[int, ...] = (5, 10, 20, 40)
    noises: tuple[float, ...] = (0.0, 0.1, RING, 0.3, 0.5, 0.7, 1.0)

    def __post_init__(self):
        expect(self.seeds >= 1 and self.clouds >= 1, f"seeds={self.seeds}, clouds={self.clouds}: use 1 or more of each")
        expect(LEAST_K <= self.k < MOST, f"k={self.k} neighbours; use {LEAST_K} to {MOST - 1}")
        few = f"n={self.n} points have no k={self.k} neighbours each; use n={self.k + 1} or more, or k={self.n - 1} or less"
        expect(self.n > self.k, few)
        expect(self.n <= MOST, f"n={self.n} points a cloud; the batched engine takes up to {MOST}, so use n={MOST}")
        expect(0 < self.level < 1, f"level={self.level}: a level of significance lies between 0 and 1")
        most = max(self.dimensions)
        expect(most <= self.ambient, f"ambient={self.ambient} holds no Gaussian of dimension {most}; use {most}")
        expect(RING in self.noises, f"noises={self.noises} lack {RING}, at which the ring is judged")

    @property
    def every_n(self) -> tuple[int, ...]:
        """Sizes of the Gaussian clouds: those above k, and n."""
        return tuple(sorted({*(size for size in self.sizes if self.k < size <= MOST), self.n}))

    @property
    def every_k(self) -> tuple[int, ...]:
        """Neighbours that n points have."""
        return tuple(sorted({*(k for k in self.ks if k < self.n), self.k}))


@dataclass(frozen=True)
class Eyes:
    """Real images, seen by judges. each: images of a class (n of a cloud); steps, batch and rate: of a judge's
    training, on at most `most` images; channels and hidden: its shape, `judge.JudgeShape`."""

    seeds: int = 3
    each: int = 100
    k: int = 20
    level: float = 0.05
    steps: int = 150
    batch: int = 64
    rate: float = 2e-3
    most: int = 12_000
    channels: tuple[int, int] = (16, 32)
    hidden: tuple[int, ...] = (64,)

    def __post_init__(self):
        expect(self.seeds >= 1 and self.steps >= 1, f"seeds={self.seeds}, steps={self.steps}: use 1 or more of each")
        few = f"each={self.each} images of a class have no k={self.k} neighbours each; use {self.k + 1} or more, or a smaller k"
        expect(self.each > self.k >= LEAST_K, few)
        expect(
            self.each <= MOST,
            f"each={self.each} images of a class; the batched engine takes up to {MOST}, so use {MOST}",
        )
        a_rate(self.rate)
