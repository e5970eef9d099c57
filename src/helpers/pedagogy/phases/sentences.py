"""Sentences of the chapter on the first phase that a verdict or a number picks: what the page asserts."""

from __future__ import annotations

import numpy as np

from helpers import prose, stats
from helpers.pedagogy.phases import quantities
from helpers.sides import Sides

VERDICTS = {  # name: the claim, and the sentence for each of its verdicts
    "answer": ("T8", {
        "supported": "Yes, if grounding reaches the generator: at T/3 both digits are right as often as at T, to two points.",
        "refuted": "No: at T/3 both digits are right by more than two points otherwise than at T.",
        "mixed": "By some of what was asked and not by the rest.",
        "undecided": "That is open.",
    }),
    "dawn": ("T8b", {
        "supported": "At T/30 both digits are not yet right in half of the pictures: the phase has something to teach.",
        "refuted": "At T/30 both digits are already right in half of the pictures or more: the phase's end marks nothing.",
        "mixed": "At T/30 both digits are right by one standard.",
        "undecided": "Whether T/30 would do is open.",
    }),
}  # fmt: skip
RISES = {  # what the last two thirds may have been for: a difference, T − T/3
    "both digits right": quantities.between("joint", ("wired", "last"), ("wired", "first")),
    "what a classifier learns from the pictures": quantities.gained("taught"),
    "the share of real images that they cover": quantities.gained("coverage"),
    "their variance within a class": quantities.gained("pixel_variance"),
}


def told(sides: Sides, classes: int) -> None:
    """Put into the prose who passes the document's measure (`alike`, `pass`), whether digits of the coded arm are at chance
    (`stumbles`), and what the other two thirds were for (`rest`)."""
    chance = classes**-2
    sides.tell(
        "alike", quantities.least, quantities.WHOLE,
        above="By the document's measure every generator gives the first of its three outcomes, so it tells no two apart.",
        below="By the document's measure some generator gives another outcome than the first.",
        between="Whether the document's measure tells two generators apart is open.",
    )  # fmt: skip
    sides.tell(
        "pass", quantities.passing, quantities.WHOLE,
        above="Random weights and the coded arm pass, also when the request is turned round:",
        below="Random weights and the coded arm do not both pass, straight and turned round:",
        between="Whether random weights and the coded arm pass, straight and turned round, is open:",
    )  # fmt: skip
    sides.tell(
        "stumbles", quantities.named("t8_joint_coded"), chance,
        above=f"Its digits are not quite at chance, which is {chance:.2g}: a splitter can stumble on latents that the judges "
        "take for the right digit.",
        below=f"Its digits are below chance, which is {chance:.2g}.",
        between=f"Its digits cannot be told from chance, which is {chance:.2g}.",
    )  # fmt: skip
    prose.glue("rest", rest(sides))


def rest(sides: Sides) -> str:
    """What rises and what falls from T/3 to T, by the 95 % intervals; open with fewer than two seeds."""
    found = {name: _side(sides, quantity) for name, quantity in RISES.items()}
    if "" in found.values():
        return "That is open, for want of seeds."
    rises, falls = ([name for name, side in found.items() if side == wanted] for wanted in ("above", "below"))
    if rises:
        text = f"For a rise in {' and in '.join(rises)}."
    else:
        text = f"For nothing that we could measure. From T/3 to T none of these rises beyond its scatter: {', '.join(found)}."
    return text + (f" There is a fall in {' and in '.join(falls)}." if falls else "")


def _side(sides: Sides, quantity) -> str:
    """Where a quantity's interval lies to zero, of the committed run where there is one; empty with fewer than two units."""
    this, other = sides.read(quantity)
    known = this if other is None else other
    known = known[np.isfinite(known)]
    return stats.t_interval(known).side(0.0) if len(known) > 1 else ""
