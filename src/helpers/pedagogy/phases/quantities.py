"""From a tidy frame to the quantities that the claim names: one value a seed. Nothing is drawn here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from helpers import frames

Quantities = dict[str, Sequence[float]]
OVER = ("seed",)
COMPOSED = {"part": "composition", "variant": "splitter", "pairs": "held"}  # the document's task, on what was held out
WIRED = {"arm": "wired"}
CEILING, ABOUT = 0.81, 0.05  # the document's adversarial arm, and how near to it counts as about so much
WHOLE = 0.995  # what is 100 per cent when it is printed
TOLD = (  # of those below, what the prose tells
    "t8_joint_difference", "t8_joint_final", "t8_joint_early", "t8_joint_dawn", "t8_more_of_the_same", "t8_relation_random",
    "t8_relation_coded", "t8_joint_coded",
)  # fmt: skip
OUTCOMES = ("1: all of it", "2: less, and more than the adversary's 81 %", "3: about 81 % or less")


def measured(column: str, arm: str, at: str, **where: object) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity: a column of the task for one arm at one moment, by default of held-out pairs with the document's splitter."""
    return lambda rows: frames.per_seed(rows, column, arm=arm, at=at, **(COMPOSED | where)).to_numpy()


def varied(column: str, arm: str, at: str) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity: a column of what the images themselves are like."""
    return lambda rows: frames.per_seed(rows, column, part="variety", arm=arm, at=at).to_numpy()


def between(
    column: str, a: tuple[str, str], b: tuple[str, str], **where: object
) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity: one (arm, moment) − another, seed by seed."""
    return lambda rows: _difference(rows, column, a, b, **(COMPOSED | where)).to_numpy()


def gained(column: str) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity: what the wired arm's images have at T, less at T/3, seed by seed."""
    return lambda rows: _difference(rows, column, ("wired", "last"), ("wired", "first"), part="variety").to_numpy()


def judged(rows: pd.DataFrame) -> Quantities:
    """Quantities of `phase_one_ablation` (T8, T8b), and t8_more_of_the_same: the same for a first phase that is
    prolonged. Those whose rows are missing are left out."""
    at = lambda moment: frames.per_seed(rows, "joint", at=moment, **WIRED, **COMPOSED)
    found = {
        "t8_joint_difference": _difference(rows, "joint", ("wired", "first"), ("wired", "last"), **COMPOSED),
        "t8_joint_final": at("last"),
        "t8_joint_early": at("early"),
        "t8_joint_dawn": at("dawn"),
        "t8_more_of_the_same": _difference(rows, "joint", ("wired, constant", "last"), ("wired", "last"), **COMPOSED),
        "t8_relation_random": frames.per_seed(rows, "relation", arm="untrained", **COMPOSED),
        "t8_relation_coded": frames.per_seed(rows, "relation", arm="coded", at="first", **COMPOSED),
        "t8_joint_coded": frames.per_seed(rows, "joint", arm="coded", at="first", **COMPOSED),
    }
    return {k: v.to_numpy() for k, v in found.items() if len(v)}


def named(name: str) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity by the name that the claim uses."""
    return lambda rows: judged(rows).get(name, [])


def outcome(values: Sequence[float]) -> str:
    """Which of the document's three outcomes an arm's mean accuracy is; empty without values."""
    values = np.asarray(values, float)
    if not len(values) or np.isnan(values).any():
        return ""
    mean = values.mean()
    return OUTCOMES[0 if mean >= WHOLE else 1 if mean > CEILING + ABOUT else 2]


def _difference(rows: pd.DataFrame, column: str, a: tuple[str, str], b: tuple[str, str], **where: object) -> pd.Series:
    one, other = ({"arm": arm, "at": at} for arm, at in (a, b))
    return frames.paired(rows, column, one, other, OVER, **where)
