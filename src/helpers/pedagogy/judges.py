"""Who judges what: one judge teaches, another is looked through, a third reads relations, and two only score.

All are networks of `topology.judge`, trained on the same real images from starts and minibatches of their own. Teachers,
eyes and readers are one a seed; the scorers are two for all, one of the document's Judge and one of its RelationJudge's form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from helpers.checks import a_rate, at_least
from helpers.data import Images
from helpers.stacked import Params
from helpers.topology import judge

KINDS = ("teachers", "eyes", "readers", "scorers", "others")  # `others` score, too


@dataclass(frozen=True)
class Judging:
    """How judges are trained. steps, batch and rate: on at most `most` images; channels and hidden: as in
    `judge.JudgeShape`, of the document's Judge; reader: the hidden layer of its RelationJudge."""

    steps: int = 2000
    batch: int = 128
    rate: float = 1e-3
    most: int = 60_000
    channels: tuple[int, int] = (32, 64)
    hidden: tuple[int, ...] = (512, 256)
    reader: int = 128

    def __post_init__(self):
        at_least(self, steps=1, batch=1, most=1, reader=1)
        a_rate(self.rate)

    def shapes(self, size: int, classes: int) -> dict[str, judge.JudgeShape]:
        """The shape of each of KINDS, for images of this size and so many classes."""
        whole = judge.JudgeShape(size, self.channels, self.hidden, classes)
        plain = judge.JudgeShape(size, self.channels, (self.reader,), classes, deep=1)
        return {kind: plain if kind in ("readers", "others") else whole for kind in KINDS}


@dataclass(frozen=True)
class Jury:
    """teachers, eyes, readers: (S, …), one a seed; scorers: stacks (1, …) of judges that trained nothing."""

    teachers: Params
    eyes: Params
    readers: Params
    scorers: tuple[Params, ...]

    def named(self) -> Params:
        """All parameters under one name each, to be kept."""
        stacks = {"teachers": self.teachers, "eyes": self.eyes, "readers": self.readers}
        stacks |= dict(zip(KINDS[3:], self.scorers, strict=True))
        return {f"{kind}/{name}": value for kind, one in stacks.items() for name, value in one.items()}


def jury(config: Judging, images: Images, seeds: tuple[int, ...], device: str = "cpu") -> Jury:
    """Train them all."""
    pixels, labels = (torch.from_numpy(a[: config.most]) for a in images.scaled("train"))
    told = {"steps": config.steps, "batch": config.batch, "rate": config.rate, "device": device}
    made = {}
    for kind, shape in config.shapes(images.size, images.classes).items():
        keys = [(kind, seed) for seed in seeds] if kind in KINDS[:3] else [kind]
        made[kind] = judge.train(shape, pixels, labels, keys, **told)
    return _jury(made)


def restored(named: Params, device: str = "cpu") -> Jury:
    """The jury of its `named` parameters."""
    made = {kind: {} for kind in KINDS}
    for name, value in named.items():
        kind, _, rest = name.partition("/")
        made[kind][rest] = value.to(device)
    return _jury(made)


def _jury(made: dict[str, Params]) -> Jury:
    return Jury(made["teachers"], made["eyes"], made["readers"], tuple(made[kind] for kind in KINDS[3:]))
