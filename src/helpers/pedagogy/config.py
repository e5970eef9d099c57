"""What the pedagogical chapters are made of, checked before anything is trained: frozen settings, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from helpers.checks import a_rate, at_least, expect
from helpers.pedagogy.arms import ARMS

LEAST_STEPS = 30  # so that a thirtieth of them is one
PRODUCTS = "exact", "bf16"


@dataclass(frozen=True)
class Body:
    """The generator that every arm shares. size: of a square image, a multiple of four; channels: of the first map, of size / 4
    a side, and of the two that double it; latent, embed: widths of z and of a label's embedding; told: width of v_pred;
    first: whether the first map is normalised and rectified, which the document's Weaver leaves out."""

    size: int = 28
    channels: tuple[int, int, int] = (256, 128, 64)
    latent: int = 64
    embed: int = 64
    classes: int = 10
    told: int = 16
    first: bool = True

    def __post_init__(self):
        near = max(8, 4 * round(self.size / 4))
        expect(self.size == near, f"size={self.size}: a generator doubles its map twice; use images of {near} pixels")
        expect(len(self.channels) == 3, f"channels={self.channels}: a generator has three maps; use three numbers")
        expect(min(self.channels) >= 1, f"channels={self.channels}: a map needs a channel; use 1 or more")
        at_least(self, latent=1, embed=1, classes=2, told=1)


@dataclass(frozen=True)
class Sense:
    """A network that looks at images, the Witness or a discriminator. channels: of its maps, each half as large as the one
    before; hidden: of its heads, 0 for none; told: width of v_seen, 0 for none; labelled: whether the label is an image of its
    own beside what it looks at; drop: the share of channels left out in training."""

    size: int = 28
    channels: tuple[int, ...] = (64, 128, 256)
    classes: int = 10
    hidden: int = 128
    told: int = 16
    labelled: bool = False
    drop: float = 0.3

    def __post_init__(self):
        expect(self.channels and min(self.channels) >= 1, f"channels={self.channels}: use 1 or more in each map")
        expect(0 <= self.drop < 1, f"drop={self.drop}: a share of channels to leave out is 0 or more and below 1")
        at_least(self, size=4, classes=2, hidden=0, told=0)

    @property
    def flat(self) -> int:
        """Numbers in the last map."""
        side = self.size
        for _ in self.channels:
            side = -(-side // 2)
        return self.channels[-1] * side * side


@dataclass(frozen=True)
class Raising:
    """How generators are raised. arms: names of ARMS; first: the first seed's number; steps, batch, rate, betas: of training;
    products: how a GPU multiplies, exact (single precision) or bf16.

    body, witness, critic: the networks, of which size and classes follow the images.
    """

    arms: tuple[str, ...] = tuple(ARMS)
    seeds: int = 10
    first: int = 0
    steps: int = 10_000
    batch: int = 64
    rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    products: str = "exact"
    body: Body = field(default_factory=Body)
    witness: Sense = field(default_factory=Sense)
    critic: Sense = field(default_factory=lambda: Sense(hidden=0, told=0, labelled=True, drop=0.25))

    def __post_init__(self):
        for name in self.arms:
            expect(name in ARMS, f"arm {name!r} is unknown; there are {', '.join(map(repr, ARMS))}")
        expect(len(set(self.arms)) == len(self.arms) > 0, f"arms={self.arms}: name each arm once, and one at least")
        at_least(self, seeds=1, steps=LEAST_STEPS, batch=2)
        a_rate(self.rate)
        expect(self.products in PRODUCTS, f"products={self.products!r} is unknown; use {' or '.join(PRODUCTS)}")
        expect(
            self.witness.told == self.body.told,
            f"v_seen has {self.witness.told} numbers, v_pred {self.body.told}; equal widths are compared",
        )

    def sized(self, size: int, classes: int) -> Raising:
        """The same for images of this size and so many classes."""
        fit = {"size": size, "classes": classes}
        nets = {name: replace(getattr(self, name), **fit) for name in ("body", "witness", "critic")}
        return replace(self, **nets)

    @property
    def every(self) -> tuple[int, ...]:
        """Numbers of the seeds."""
        return tuple(range(self.first, self.first + self.seeds))
