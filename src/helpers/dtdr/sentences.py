"""Sentences of Part I that a number picks, by whether it lies above a border, below it, or across it."""

import numpy as np
import pandas as pd

from helpers import frames
from helpers.dtdr import kinds, quantities, tables
from helpers.dtdr.damage import Keep
from helpers.dtdr.judged import JUDGED, over_shares, steadier
from helpers.dtdr.named import ALIGNED, ANCHORED, ANCHORED_ROWS, OTHER, PLANES, RAW, ROWS, SHARES, TRANSFORMED
from helpers.dtdr.quantities import NUMBERS, Quantity, gap, readable, text_width, width
from helpers.dtdr.verdicts import VERDICTS as VERDICTS
from helpers.sides import Sides

SHAPE = "So an error's shape, how it is shared out among large and small weights,"
EQUAL = 0.05  # nats, or shares kept: what counts as no difference where nothing else is said


def _later(rows: pd.DataFrame) -> np.ndarray:
    """How much later transformed texts are readable than raw ones, a value a mask that wrote both."""
    told = frames.shared(rows[rows["text"].notna()], TRANSFORMED.columns, RAW.columns)
    return readable(TRANSFORMED)(told) - readable(RAW)(told)


def _sooner(damage: Keep) -> Quantity:
    """How much wider texts turn than the losses of the same training and masks do, a value a mask with texts."""

    def values(rows: pd.DataFrame) -> np.ndarray:
        told = frames.rows(rows[rows["sense"].notna()], **damage.columns)
        own = rows[rows["model"].isin(told["model"]) & rows["seed"].isin(told["seed"])]
        texts, losses = text_width(damage)(own), width(damage)(own)
        return texts - losses if len(texts) == len(losses) else np.array([])

    return values


_near = lambda rows: np.maximum(*(np.abs(JUDGED[f"d6_difference_{f:g}"](rows)) for f in (0.9, 0.95)))
_renamed = over_shares(ALIGNED, OTHER, SHARES)
TOLD = {  # name: the quantity, the border, and the sentences above it, below it, and where that is open
    "one_curve": (
        lambda rows: np.abs(gap(Keep("hadamard", "rows"), ROWS, 0.8, "cosine_last")(rows)),
        0.01,
        "Here they are not, and the fault is this page's.",
        "They are, but for rounding.",
        "Whether they are is open.",
    ),
    "babbles_raw": (
        JUDGED["d1_kl_raw"],
        1.0,
        "So does one of raw weights.",
        "One of raw weights does not.",
        "Whether one of raw weights does is open.",
    ),
    "fifth_is_worse": (
        gap(TRANSFORMED, TRANSFORMED, 0.2, base=0.0),
        0.0,
        "The loss is then above that of no weights at all.",
        "The loss is then below that of no weights at all.",
        "Whether the loss is then above that of no weights at all is open.",
    ),
    "texts_jump": (
        _sooner(TRANSFORMED),
        -EQUAL,
        "Transformed texts come back no faster than the loss",
        "Transformed texts come back faster than the loss",
        "Whether transformed texts come back faster than the loss is open",
    ),
    "texts_jump_raw": (
        _sooner(RAW),
        -EQUAL,
        "Raw texts come back no faster than their loss",
        "Raw texts come back faster than their loss",
        "Whether raw texts come back faster than their loss is open",
    ),
    "readable_later": (
        _later,
        0.0,
        "Transformed texts are readable later, which leans to the document",
        "Transformed texts are readable earlier",
        "Transformed texts are not seen to be readable later",
    ),
    "one_mask": (lambda rows: [len(readable(TRANSFORMED)(rows))], 1.5, "", "(This is one mask.)", ""),
    "missing_costs": (
        kinds.missing(0.8),
        0.0,
        "At the cosine of 80 % kept a missing coefficient costs more than a wrong one",
        "At the cosine of 80 % kept a wrong coefficient costs more than a missing one",
        "At the cosine of 80 % kept it is open which costs more",
    ),
    "alike": (
        _near,
        EQUAL,
        "at 90 and 95 % they differ by more than 0.05 nat, too",
        "at 90 and 95 % they differ by less than 0.05 nat",
        "whether they differ by 0.05 nat at 90 or 95 % is open",
    ),
    "law": (
        quantities.signed,
        0.0,
        "In stories260K, too, the missing ones cost more:",
        "It is no law: in stories260K the wrong ones cost more:",
        "In stories260K it is open which cost more:",
    ),
    "deeper": (
        tables.deeper,
        EQUAL,
        "Deeper models need more",
        "Deeper models need no more",
        "Whether deeper models need more is open",
    ),
    "a_little": (
        JUDGED["d5b_loss_gap_0.9"],
        0.0,
        "There is a difference, and it has the claim's sign:",
        "There is a difference, and it has the other sign:",
        "Whether there is a difference at all is open:",
    ),
    "below_nothing": (
        JUDGED["d5_outliers"],
        1.0,
        "It exceeds one because the transformed model is then worse than one without any weights: "
        "its recovered share is negative.",
        "",
        "",
    ),
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
        gap(PLANES, TRANSFORMED, 4, base=0.6),
        0.0,
        "So the order of sending hardly matters.",
        "What looks like a threshold of how much is one of which part first.",
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
    "trainings": (
        lambda rows: [rows["model"].nunique()],
        1.5,
        "Where random loss of both domains is compared, a committed number is a mean over trainings of the storyteller, the "
        "book's own and another; other patterns, noise and texts are of the book's own alone.",
        "",
        "",
    ),
    "ahead_60": (
        NUMBERS["gap_60"][0],
        0.0,
        "At 60 % the transformed store lies behind, as the document says.",
        "At 60 % it is raw weights that lie behind, against the document.",
        "At 60 % neither is seen to lie behind.",
    ),
    "renamed": (
        _renamed,
        0.0,
        "Renaming makes it worse.",
        "Renaming is what makes the difference.",
        "Whether renaming makes a difference is open.",
    ),
    "from_itself": (
        tables.NUMBERS["low_rank_60"][0],
        -EQUAL,
        "So none of the help comes from the kept part alone.",
        "So some help needs nothing from outside.",
        "Whether some help comes from the kept part alone is open.",
    ),
    "steadies": (
        steadier(ANCHORED, TRANSFORMED, 0.4),
        0.0,
        "a weak prior unsettles what comes out",
        "a weak prior steadies what comes out",
        "a weak prior is not seen to steady what comes out",
    ),
    "steadies_other": (
        steadier(OTHER, TRANSFORMED, 0.4),
        -EQUAL,
        "so not any prior does",
        "so any prior does",
        "whether any prior does is open",
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
