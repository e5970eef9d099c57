"""The whole experiment in one frozen setting: at the document's size, at a quarter of its widths, and for two cores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from helpers.pedagogy.composition import Composition
from helpers.pedagogy.config import Body, Raising, Sense
from helpers.pedagogy.judges import Judging
from helpers.pedagogy.phases.config import LOOKS, Variety, looks


@dataclass(frozen=True)
class Ablation:
    """How arms are raised, how splitters ask them, how variety is measured, and how judges are trained."""

    raising: Raising = field(default_factory=lambda: Raising(arms=tuple(LOOKS), products="bf16"))
    task: Composition = field(default_factory=Composition)
    variety: Variety = field(default_factory=Variety)
    judging: Judging = field(default_factory=Judging)

    def __post_init__(self):
        looks(self.raising.steps, self.raising.arms)

    def at(self, *, seeds: int, steps: int, splitter_steps: int) -> Ablation:
        """The same with other numbers of seeds and steps."""
        raising = replace(self.raising, seeds=seeds, steps=steps)
        return replace(self, raising=raising, task=replace(self.task, steps=splitter_steps))


DOCUMENT = Ablation()
FULL = Ablation(
    Raising(
        arms=tuple(LOOKS), steps=3000, rate=5e-4, products="bf16",
        body=Body(channels=(64, 32, 16)),
        witness=Sense(channels=(16, 32, 64)),
        critic=Sense(channels=(16, 32, 64), hidden=0, told=0, labelled=True, drop=0.25),
    ),
    Composition(steps=600, batch=32, rate=2e-3),
    Variety(taught=300, steps=400, batch=64),
    Judging(steps=800, channels=(16, 32), hidden=(128,)),
)  # fmt: skip
QUICK = Ablation(
    Raising(
        arms=tuple(LOOKS), seeds=2, steps=300, batch=32, rate=2e-3,
        body=Body(8, (32, 16, 8), 16, 16, 10, 8),
        witness=Sense(8, (16, 32), 10, 32, 8),
        critic=Sense(8, (16, 32), 10, 0, 0, True, 0.25),
    ),
    Composition(steps=80, batch=24, rate=4e-3, hidden=64, samples=200),
    Variety(each=36, taught=60, steps=60, batch=32, rate=4e-3),
    Judging(steps=120, batch=64, rate=3e-3, channels=(8, 16), hidden=(32,), reader=32),
)  # fmt: skip
