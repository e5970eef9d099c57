"""What experiment C is made of, checked before anything is trained: frozen settings, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from helpers.checks import a_rate, at_least, expect, nearest_prime, prime

CONDITIONS = {"high_wd": 1.0, "no_wd": 0.0}  # of the document: weight decay, added to the gradient
LOW, HIGH = 0.15, 0.85  # held-out accuracy inside which the document looks for the transition
PRODUCTS = "exact", "tf32", "bf16"
MEMORISED = 0.99  # training accuracy from which a training set counts as memorised


@dataclass(frozen=True)
class Decay:
    """One way to decay weights. decay: per unit of learning rate. only: '' decays all parameters, 'W_V' that alone, '-W_V' all
    others. projected: from the step at which the training set is memorised on, all parameters together keep the norm they
    had then. off: from that step on, nothing decays.
    """

    decay: float = 1.0
    only: str = ""
    projected: bool = False
    off: bool = False

    @property
    def watched(self) -> bool:
        """Whether it changes its way when the training set is memorised."""
        return self.projected or self.off


ARMS = {  # name, as it stands in the column `arm`
    "decay 0": Decay(0.0),
    "decay 0.3": Decay(0.3),
    "decay 1": Decay(1.0),
    "decay 2": Decay(2.0),
    "norm kept": Decay(0.0, projected=True),
    "decay until memorised": Decay(1.0, off=True),
    "decay of W_V only": Decay(1.0, only="W_V"),
    "decay of all but W_V": Decay(1.0, only="-W_V"),
}
MAIN = ("decay 1", "decay 0")


@dataclass(frozen=True)
class Addition:
    """(a + b) mod p on tokens [a, b, =], full batch, AdamW. seeds: how many; first: the first one's number.

    share: of the unordered pairs that are trained on, each in one order, drawn by a coin. arms: names of ARMS. every: steps
    between two measurements. lag: steps between the two attention patterns that are compared in G; a multiple of `every`.
    probe: held-out pairs on which patterns and amplitudes are measured. looks: how often the weights themselves are looked at.
    products: how a GPU multiplies matrices: exact (single precision), tf32, or bf16 (of the neurons; tf32 for the others).
    """

    p: int = 113
    share: float = 0.5
    seeds: int = 10
    first: int = 42
    steps: int = 40_000
    rate: float = 1e-3
    arms: tuple[str, ...] = tuple(ARMS)
    d: int = 128
    heads: int = 4
    mlp: int = 512
    every: int = 50
    lag: int = 500
    probe: int = 512
    looks: int = 24
    betas: tuple[float, float] = (0.9, 0.98)
    products: str = "exact"

    def __post_init__(self):
        _modulus(self.p)
        expect(0 < self.share < 1, f"share={self.share} leaves no pair to train on or none to hold out; use 0.3 to 0.8")
        at_least(self, seeds=1, steps=1, heads=1, mlp=1, every=1, lag=1, probe=1, looks=1)
        a_rate(self.rate)
        for name in self.arms:
            expect(name in ARMS, f"arm {name!r} is unknown; there are {', '.join(map(repr, ARMS))}")
        expect(self.products in PRODUCTS, f"products={self.products!r} is unknown; use {', '.join(PRODUCTS)}")
        more = -self.d % self.heads
        expect(not more, f"d={self.d} is not a multiple of heads={self.heads}; use {self.d + more}")
        up = -self.lag % self.every
        expect(not up, f"lag={self.lag} is not a multiple of every={self.every}; use {self.lag + up}")
        least = 4 * self.every
        expect(self.steps >= least, f"steps={self.steps}: measured every {self.every}, use {least} or more")

    @property
    def trained(self) -> int:
        """Pairs in the training set."""
        return min(max(1, round(self.share * self.unordered)), self.unordered - 1)

    @property
    def unordered(self) -> int:
        return self.p * (self.p + 1) // 2

    def only(self, *arms: str, **changes: object) -> Addition:
        """The same with some of the arms."""
        return replace(self, arms=arms, **changes)


@dataclass(frozen=True)
class OrderedAddition:
    """The document's experiment: tokens [a, b + p] of a vocabulary of 2p + 10, half of the ordered pairs, batches of 128, a
    pre-LayerNorm layer, Adam with the decay in the gradient. condition: one of CONDITIONS, or all.
    """

    p: int = 113
    condition: str = "all"
    seeds: int = 10
    first: int = 42
    steps: int = 50_000
    rate: float = 1e-3
    share: float = 0.5
    batch: int = 128
    d: int = 128
    heads: int = 4
    mlp: int = 512

    def __post_init__(self):
        _modulus(self.p)
        known = ("all", *CONDITIONS)
        expect(self.condition in known, f"condition={self.condition!r} is unknown; use {', '.join(known)}")
        at_least(self, seeds=1, steps=1, batch=1)
        more = -self.d % self.heads
        expect(not more, f"d={self.d} is not a multiple of heads={self.heads}; use {self.d + more}")

    @property
    def conditions(self) -> dict[str, float]:
        return {k: v for k, v in CONDITIONS.items() if self.condition in ("all", k)}


def _modulus(p: int) -> None:
    near = nearest_prime(p)
    why = "is not a prime" if not prime(p) else "leaves too few pairs to learn from"
    expect(p == near, f"p={p} {why}; the nearest prime that works is {near}")
