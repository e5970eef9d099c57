"""Sentences of Part I that a number picks: what is asserted where a quantity lies above a border, below it, or across it."""

from helpers.dtdr import quantities
from helpers.dtdr.damage import Keep
from helpers.dtdr.named import ANCHORED_ROWS, PLANES, TRANSFORMED
from helpers.dtdr.quantities import NUMBERS, gap
from helpers.sides import Sides

SHAPE = "So an error's shape, how it is shared out among large and small weights,"
TOLD = {  # name: the quantity, the border, and the sentences above it, below it, and where that is open
    "falls": (
        NUMBERS["printed_falls"][0],
        0.5,
        "More of the model is then worse than less of it, which no closing of constraints explains.",
        "It never falls.",
        "",
    ),
    "worse_than_none": (
        gap(TRANSFORMED, TRANSFORMED, 0.4, base=0.0),
        0.0,
        "Two fifths of the model are worse than none: they say something, and it is wrong.",
        "Two fifths of the model are better than none.",
        "Whether two fifths of the model are better than none is open.",
    ),
    "mended": (
        NUMBERS["shuffled_gap"][0],
        0.25,
        "So shuffling alone does not mend it.",
        "It is the order of sending that hurts, and mixing is not needed to mend it.",
        "Whether shuffling alone mends it is open.",
    ),
    "which_first": (
        lambda rows: quantities.rise(PLANES, 4)(rows) - quantities.rise(TRANSFORMED, 0.6)(rows),
        0.0,
        "So the order of sending hardly matters.",
        "What looks like a threshold of *how much* is one of *which part first*.",
        "Which order is the better one is open.",
    ),
    "protects": (
        gap(Keep("hadamard", "shards"), Keep("permutation", "shards"), 0.8),
        0.25,
        "A transform does not protect against a burst that is longer than its block; an order of storing does.",
        "A transform protects as well as an order of storing.",
        "Whether an order of storing protects better than a transform is open.",
    ),
    "shape_is_all": (
        NUMBERS["even_equal"][0],
        0.0,
        f"{SHAPE} is a part of the small difference, and not all of it.",
        f"{SHAPE} more than accounts for the small difference.",
        f"{SHAPE} may be all of the small difference.",
    ),
    "comes_true": (
        NUMBERS["gap_80"][0],
        1.0,
        "Conventional weights degrade and the transformed store is silent until nearly all of it is there.",
        "Even so, the two lie within a nat of each other.",
        "Whether the two part by a nat is open.",
    ),
    "printed_back": (
        quantities.loss(ANCHORED_ROWS, 0.6, "cosine_last"),
        0.5,
        "As printed, the weak prior brings a part of the next token's logits back.",
        "As printed, on this model, the weak prior brings no language back at the published shares.",
        "",
    ),
}


def tell(sides: Sides, *names: str) -> None:
    """Put sentences of TOLD that the numbers pick into the prose, by their names."""
    sides.tell_all(TOLD, *names)
