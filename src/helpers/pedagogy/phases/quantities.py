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
WHOLE = 0.995  # what is 100 per cent when it is printed
TOLD = (  # of those below, what the prose tells
    "t8_joint_difference", "t8_joint_final", "t8_joint_early", "t8_joint_dawn", "t8_more_of_the_same", "t8_relation_random",
    "t8_relation_coded", "t8_joint_coded",
)  # fmt: skip


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


@frames.kept
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


def least(rows: pd.DataFrame) -> np.ndarray:
    """A quantity: the document's measure of the generator that has least of it, seed by seed."""
    found = frames.rows(rows, **COMPOSED)
    return found.groupby("seed")["relation"].min().to_numpy() if len(found) else np.empty(0)


def passing(rows: pd.DataFrame) -> np.ndarray:
    """A quantity: the least that random weights and the coded arm at T/3 have of it, as requested and turned round."""
    which = (("untrained", "start"), ("coded", "first"))
    found = [
        pd.Series(frames.per_seed(rows, "relation", arm=arm, at=at, **(COMPOSED | {"variant": variant})))
        for arm, at in which
        for variant in ("splitter", "swapped")
    ]
    return pd.concat(found, axis=1).min(axis=1).to_numpy()


def _difference(rows: pd.DataFrame, column: str, a: tuple[str, str], b: tuple[str, str], **where: object) -> pd.Series:
    one, other = ({"arm": arm, "at": at} for arm, at in (a, b))
    return frames.paired(rows, column, one, other, OVER, **where)
