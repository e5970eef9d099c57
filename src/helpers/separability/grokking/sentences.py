"""What the chapter on grokking says: numbers in its prose, and sentences that a verdict or a number picks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from helpers import frames
from helpers.separability.grokking import quantities, series
from helpers.separability.grokking.config import LOW

VERDICTS = {  # name: the claim, and the sentence for each of its verdicts
    "falls": ("S9", {
        "supported": "Amplitude falls as accuracy rises, at that time and not another.",
        "refuted": "The transition is there, and the fall of amplitude is not tied to it.",
        "mixed": (
            "Amplitude falls as accuracy rises, but not in every way that was asked. What holds: {holds}. What "
            "does not: {fails}."
        ),
        "undecided": "Whether the fall of amplitude belongs to the transition is open.",
    }),
    "cause": ("S9b", {
        "supported": "Where A_param is kept from falling nothing is understood, and where it alone falls it is.",
        "refuted": (
            "The fall of A_param makes nothing: networks whose A_param grows understand as well, and networks in "
            "which it alone falls do not."
        ),
        "mixed": "The fall of A_param is needed or enough, but not both. What holds: {holds}. What does not: {fails}.",
        "undecided": "Whether the fall of A_param makes the transition is open.",
    }),
    "stays": ("S10", {
        "supported": (
            "Without decay amplitude does not fall, and nothing is understood by three times the step at which "
            "networks with decay understand."
        ),
        "refuted": "Without decay the document's picture does not hold.",
        "mixed": "Without decay one half of the claim holds. It is: {holds}. What does not: {fails}.",
        "undecided": "What happens without decay is open.",
    }),
    "trade": ("S15", {
        "supported": "Attention settles in the transition, before amplitude falls.",
        "refuted": (
            "Attention does not settle in the transition, before amplitude falls, as was asked. What fails: "
            "{fails}. Open: {open}."
        ),
        "mixed": (
            "Attention settles in the transition or before amplitude falls, but not both. What holds: {holds}. "
            "What does not: {fails}."
        ),
        "undecided": "Whether the transition goes from amplitude to geometry is open.",
    }),
}  # fmt: skip


def understood(arm: str) -> Callable[[pd.DataFrame], list[float]]:
    """A quantity: 1 for every model of an arm with a transition, otherwise 0."""
    return lambda rows: [float(r.transition) for r in quantities.runs(rows, arm)]


def kept(arm: str) -> Callable[[pd.DataFrame], list[float]]:
    """A quantity: A_param at the end over what it was when memorised."""
    return lambda rows: [float(r.amplitude[-1] / r.amplitude[0]) for r in quantities.runs(rows, arm)]


def circles_first(rows: pd.DataFrame) -> list[float]:
    """1 for every seed with decay 1 in which the loss with the key frequencies alone has fallen half of its way before held-out
    accuracy reaches the window, otherwise 0; those without a transition are left out."""
    chosen = frames.rows(rows, part="addition", arm=quantities.DECAYING)
    out = []
    for run in quantities.runs(rows, quantities.DECAYING):
        of = frames.rows(chosen, seed=run.seed).sort_values("step")
        of = of[of["step"] >= run.memorised] if np.isfinite(run.memorised) else of
        of = of[np.isfinite(of["restricted"].astype(float))]
        if run.transition and len(of) > 2:
            half = series.halfway(of["step"].to_numpy(float), of["restricted"].to_numpy(float), falling=True)
            out.append(float(half < run.crossed(LOW)))
    return out


def must_shrink(rows: pd.DataFrame) -> list[float]:
    """How often models understand that decay all but W_V, less how often those that keep their norm do; a value a seed."""
    decayed, held = understood("decay of all but W_V")(rows), understood("norm kept")(rows)
    return [a - b for a, b in zip(decayed, held, strict=True)] if len(decayed) == len(held) else []


def no_further(rows: pd.DataFrame) -> list[float]:
    """1 for every seed in which A_param falls no further inside the window than at other times, or with no lower ρ."""
    return [1 - v for v in quantities.named("s9_beyond_null")(rows)]


def last(column: str) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity of the document's own run with high decay: a column's last value."""

    def read(rows: pd.DataFrame) -> np.ndarray:
        found = frames.rows(rows, part="printed", condition="high_wd")
        if not len(found):
            return np.empty(0)
        return found.sort_values("step").groupby("seed")[column].last().to_numpy(float)

    return read


def over_chance(rows: pd.DataFrame) -> np.ndarray:
    """(S,) the high decay's last loss less that of a network that says nothing, ln p."""
    found = frames.rows(rows, part="printed", condition="high_wd")
    return np.abs(last("loss")(rows) - np.log(float(found["p"].iloc[0]))) if len(found) else np.empty(0)


SAID = {  # name in the prose: (quantity, its format)
    **{
        f"{name}_{what}": (of(arm), spec)
        for name, arm in (
            ("others", "decay of all but W_V"),
            ("alone", "decay of W_V only"),
            ("norm", "norm kept"),
            ("stopped", "decay until memorised"),
        )
        for what, of, spec in (("understood", understood, ".0%"), ("kept", kept, ".2f"))
    },
    "fall_before": (quantities.named("s9_fall_before"), ".0%"),
    "fall_inside": (quantities.named("s9_fall_inside"), ".0%"),
    "fall_after": (quantities.named("s9_fall_after"), ".0%"),
    "no_further": (no_further, ".0%"),
    "circles": (circles_first, ".0%"),
}
DEAD = {"printed_loss": (last("loss"), ".4f"), "printed_off": (over_chance, ".4f")}
TOLD = {  # name in the prose: the quantity, the border, and the sentences above it, below it and across it
    "stops": (
        quantities.named("s9_fall_inside"), 0.5,
        "Most of the fall lies inside the transition.",
        "Most of the fall lies outside the transition.",
        "Whether most of the fall lies inside the transition is open.",
    ),
    "circles_say": (
        circles_first, 0.5,
        "The circles come first.",
        "The circles come with the transition or after it.",
        "Whether the circles come first is open.",
    ),
    "must": (
        must_shrink, 0.5,
        "So some weights must go on shrinking; they need not be those of W_V.",
        "So networks whose norm is kept understand as often as those that decay elsewhere.",
        "Which weights must go on shrinking is open.",
    ),
}  # fmt: skip
DEAD_TOLD = {
    "dead": (
        over_chance, 0.01,
        "The network still says something of its own.",
        "That is the loss of a network that says nothing: it is dead.",
        "Whether the network says anything at all is open.",
    ),
}  # fmt: skip
