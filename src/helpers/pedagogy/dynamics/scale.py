"""The whole experiment in one frozen setting, at three scales: the document's networks and steps; a quarter of their widths
and three tenths of the steps, at which the reference is made; and one for two processor cores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from helpers.checks import expect
from helpers.pedagogy.arms import ARMS
from helpers.pedagogy.composition import Composition
from helpers.pedagogy.config import Body, Raising, Sense
from helpers.pedagogy.dynamics.config import Looking
from helpers.pedagogy.judges import Judging

VARIANTS = ("splitter", "none", "swapped")


@dataclass(frozen=True)
class Dynamics:
    """How arms are raised, looked at, asked to compose, and how judges are trained. weaver: the generator of the
    document's own run, with its own widths."""

    raising: Raising = field(default_factory=lambda: Raising(products="bf16"))
    looking: Looking = field(default_factory=Looking)
    task: Composition = field(default_factory=lambda: Composition(steps=1000, batch=32, rate=1e-3, variants=VARIANTS))
    judging: Judging = field(default_factory=Judging)
    weaver: Body = field(default_factory=lambda: Body(channels=(512, 256, 128), first=False))

    def __post_init__(self):
        least = 2 * self.looking.looks
        expect(
            self.raising.steps >= least,
            f"steps={self.raising.steps}: looked at {self.looking.looks} times, use {least} or more",
        )
        expect(
            self.weaver.told == self.raising.witness.told,
            f"the weaver says {self.weaver.told} numbers, the witness {self.raising.witness.told}",
        )

    def at(self, *, seeds: int, steps: int, each: int, k: int, arms: tuple[str, ...] | None = None) -> Dynamics:
        """The same with other numbers."""
        raising = replace(self.raising, seeds=seeds, steps=steps, arms=arms or self.raising.arms)
        return replace(self, raising=raising, looking=replace(self.looking, each=each, k=k))

    def sized(self, size: int, classes: int) -> Dynamics:
        """The same for images of this size and so many classes."""
        weaver = replace(self.weaver, size=size, classes=classes)
        return replace(self, raising=self.raising.sized(size, classes), weaver=weaver)

    @property
    def printed(self) -> Raising:
        """The document's own pedagogical run: the weaver, as coded."""
        return replace(self.raising, arms=("coded",), body=self.weaver)


DOCUMENT = Dynamics()
BESIDE = ("wired, constant", "judge only", "hybrid")  # of which no claim of this chapter speaks
JUDGED = tuple(name for name in ARMS if name not in BESIDE)
FULL = Dynamics(
    Raising(
        arms=JUDGED, steps=3000, rate=5e-4, products="bf16",
        body=Body(channels=(64, 32, 16)),
        witness=Sense(channels=(16, 32, 64)),
        critic=Sense(28, (16, 32, 64), 10, 0, 0, True, 0.25),
    ),
    Looking(),
    Composition(steps=600, batch=32, rate=2e-3, variants=VARIANTS),
    Judging(steps=800, channels=(16, 32), hidden=(128,)),
    Body(channels=(128, 64, 32), first=False),
)  # fmt: skip
QUICK = Dynamics(
    Raising(
        arms=JUDGED, seeds=2, steps=300, batch=32, rate=1.5e-3,
        body=Body(8, (32, 16, 8), 16, 16, 10, 8),
        witness=Sense(8, (16, 32), 10, 32, 8),
        critic=Sense(8, (16, 32), 10, 0, 0, True, 0.25),
    ),
    Looking(looks=20),
    Composition(steps=60, batch=24, rate=4e-3, hidden=64, samples=200, variants=VARIANTS),
    Judging(steps=120, batch=64, rate=3e-3, channels=(8, 16), hidden=(32,), reader=32),
    Body(8, (32, 24, 16), 16, 16, 10, 8, first=False),
)  # fmt: skip
