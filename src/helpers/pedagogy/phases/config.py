"""What the chapter on the first phase trains, when it looks, and how: frozen settings, checked before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.checks import a_rate, at_least, expect

MOMENTS = {"start": 0.0, "dawn": 1 / 300, "early": 1 / 30, "first": 1 / 3, "last": 1.0}  # shares of training
LOOKS = {  # arm: the moments at which it is looked at
    "untrained": ("start",),
    "coded": ("first", "last"),
    "wired": ("dawn", "early", "first", "last"),
    "wired, constant": ("first", "last"),
    "AC-GAN": ("last",),
    "cGAN": ("last",),
}
SAME = ("wired, constant", "first")  # until then it was trained as the wired arm was, and is the same network
LEAST = 30  # training steps, below which a thirtieth of them is none


@dataclass(frozen=True)
class Variety:
    """How variety is measured. each: images of a class, drawn and real, at most; k: neighbours of density and coverage;
    taught: images of a class that a classifier is taught with, at most; steps, batch, rate: of its training."""

    each: int = 100
    k: int = 5
    taught: int = 500
    steps: int = 1500
    batch: int = 128
    rate: float = 1e-3

    def __post_init__(self):
        at_least(self, each=2, k=1, taught=1, steps=1, batch=1)
        few = f"each={self.each} images of a class have no k={self.k} neighbours each; use each={self.k + 1} or more"
        expect(self.each > self.k, few)
        a_rate(self.rate)


def looks(steps: int, arms: tuple[str, ...] = tuple(LOOKS)) -> dict[str, dict[str, int]]:
    """{arm: {moment: step}}, of so many training steps. Raises ValueError for an unknown arm, or for too few steps."""
    for arm in arms:
        expect(arm in LOOKS, f"arm {arm!r} is not looked at here; there are {', '.join(LOOKS)}")
    expect(steps >= LEAST, f"steps={steps}: a thirtieth of it is looked at, so use {LEAST} or more")
    return {arm: {moment: round(MOMENTS[moment] * steps) for moment in LOOKS[arm]} for arm in arms}
