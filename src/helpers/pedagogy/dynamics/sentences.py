"""Sentences of the chapter on training dynamics that a verdict or a number picks: what the page asserts."""

from __future__ import annotations

from helpers.pedagogy.dynamics import quantities
from helpers.sides import Sides

VERDICTS = {  # name: the claim, and the sentence for each of its verdicts
    "compresses": ("T1", {
        "supported": "From random weights on the wired arm's dimension falls, and more under more grounding.",
        "refuted": "From random weights on the dimension falls by too little, or as much under a tenth of the weight.",
        "mixed": "Counted from random weights, this holds: {holds}. This does not: {fails}.",
        "undecided": "Counted from random weights, whether grounding compresses is open.",
    }),
    "fork": ("T1b", {
        "supported": "Yes, from the document's first look on they leave things out, and more than other training makes them.",
        "refuted": "No. From the document's first look on, what would show it fails: {fails}.",
        "mixed": "By half. From the document's first look on, this holds: {holds}. This does not: {fails}.",
        "undecided": "Whether they first leave things out is open, from the document's first look on.",
    }),
    "holes": ("T2", {
        "supported": "Counted from random weights, Phase 1 closes holes beyond what the dimension explains.",
        "refuted": "Counted from random weights, Phase 1 does not close holes as claimed.",
        "mixed": "Counted from random weights, this holds of holes: {holds}. This does not: {fails}.",
        "undecided": "Counted from random weights, whether Phase 1 closes holes is open.",
    }),
    "holes_begun": ("T2b", {
        "supported": "From the document's first look on it does.",
        "refuted": "From the document's first look on it does not, as claimed.",
        "mixed": "From the document's first look on, this holds: {holds}. This does not: {fails}.",
        "undecided": "From the document's first look on it is open.",
    }),
    "stable": ("T3", {
        "supported": "After the first phase the wired arm's dimension and count stay where they are.",
        "refuted": "After the first phase the wired arm does not stay where it is.",
        "mixed": "After the first phase one of the wired arm's two measures stays and the other does not.",
        "undecided": "Whether the wired arm stays where it is after the first phase is open.",
    }),
    "refines": ("T9", {
        "supported": "And they then draw what is left more smoothly: the count goes on falling, beyond the adversary's.",
        "refuted": "Nor do they then draw what is left more smoothly: the count does not go on falling as claimed.",
        "mixed": "That they then draw what is left more smoothly holds by one of two standards.",
        "undecided": "Whether they then draw more smoothly, so that the count goes on falling, is open.",
    }),
    "rival": ("T4", {
        "supported": "The document's adversary ends with the higher dimension.",
        "refuted": "In one body and through one judge the document's adversary does not end with the higher dimension.",
        "mixed": "The document's adversary has the higher dimension by one standard.",
        "undecided": "Whether the document's adversary has the higher dimension is open.",
    }),
    "other_rival": ("T4b", {
        "supported": "The AC-GAN has it.",
        "refuted": "Nor does the AC-GAN.",
        "mixed": "The AC-GAN has it by one standard.",
        "undecided": "Of the AC-GAN it is open.",
    }),
    "more": ("T5", {
        "supported": "The adversary counts more holes, beyond what its dimension explains.",
        "refuted": "The adversary does not count more holes, in one body and through one judge, by half a bar.",
        "mixed": "The adversary counts more holes by one of two standards.",
        "undecided": "Which game counts more holes is open.",
    }),
    "breaks": ("T6", {
        "supported": "The adversary has no break where the phases of the other game end.",
        "refuted": "The adversary has breaks where the phases of the other game end.",
        "mixed": "The adversary has breaks by one standard.",
        "undecided": "Whether the adversary has phases is open.",
    }),
    "composes": ("T7", {
        "supported": "Wired primitives compose better than either adversary's.",
        "refuted": "Wired primitives do not compose better than the adversaries' by five points.",
        "mixed": "Wired primitives compose better than one adversary's and not than the other's.",
        "undecided": "Whether wired primitives compose better by five points is open.",
    }),
    "rivals_fail": ("T7b", {
        "supported": "With the document's splitter the adversaries' primitives do not compose perfectly.",
        "refuted": "With the document's splitter no adversary is shown to fail; 95 % or more: {fails}.",
        "mixed": "With the document's splitter one adversary composes and the other does not.",
        "undecided": "Whether adversarial primitives fail to compose is open.",
    }),
}  # fmt: skip

NUMBERS = {  # name: the quantity, a border, and the sentences above it, below it, and where that is open
    "blind": (
        quantities.pull,
        10.0,
        "A tenth of it still pulls harder than alignment: an arm with a tenth of the weight is hardly one with less grounding.",
        "A tenth of it pulls less than alignment: an arm with a tenth of the weight is one with less grounding.",
        "",
    ),
    "own_guess": (
        quantities.named("t1_wired_drop"),
        0.1,
        "Our own file of predictions says: wired, by less than a tenth. From random weights on it falls by more.",
        "Our own file of predictions says: wired, by less than a tenth. So it does, from random weights on.",
        "Our own file of predictions says: wired, by less than a tenth. From random weights on that is open.",
    ),
    "turns": (
        quantities.named("t4_one_body"),
        0.0,
        "The sign of the dimension stays.",
        "The sign of the dimension turns: as printed the difference is of bodies and judges.",
        "Of the dimension no difference is left that can be told from none.",
    ),
}


def told(sides: Sides, *names: str) -> None:
    """Put the sentences of NUMBERS that the numbers pick into the prose, by their names."""
    sides.tell_all(NUMBERS, *names)
