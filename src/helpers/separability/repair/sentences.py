"""What the chapter on self-repair says: numbers in its prose, and sentences that a verdict or a number picks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers import frames
from helpers.separability.repair import quantities
from helpers.separability.repair.config import TOY
from helpers.separability.repair.quantities import given_back, lost, ratio, repaired, spared, taken

VERDICTS = {  # name: the claim, and the sentence for each of its verdicts
    "costs": ("S6", {
        "supported": (
            "Taking out the three heads costs more than three tenths of the logit difference, whichever way they "
            "are ablated."
        ),
        "refuted": "Taking out the three heads costs less than three tenths of the logit difference.",
        "mixed": (
            "Taking out the three heads costs more than three tenths of the logit difference by one kind of "
            "ablation and less by another. More: {holds}. Less: {fails}."
        ),
        "undecided": "Whether the three heads carry more than three tenths of the logit difference is open.",
    }),
    "shouts": ("S7", {
        "supported": (
            "Later layers compensate by amplitude: the stream is longer, and other heads and MLPs give back part "
            "of the loss."
        ),
        "refuted": (
            "Later layers do not compensate by amplitude: the stream is not longer by what the document asks, and "
            "other heads and MLPs give back too little. What the final norm gives back, by dividing by less, is "
            "no work of theirs."
        ),
        "mixed": (
            "Amplitude and the work of later layers do not go together. What holds: {holds}. What does not: "
            "{fails}."
        ),
        "undecided": "Whether later layers compensate by amplitude is open.",
    }),
    "bystanders": ("S8", {
        "supported": "Random heads of the same blocks and loudness are bystanders.",
        "refuted": (
            "Random heads of the same blocks and loudness are no bystanders: taking them out changes norm or "
            "answer."
        ),
        "mixed": (
            "Random heads leave one of norm and answer as it was, and not the other. What holds: {holds}. What "
            "does not: {fails}."
        ),
        "undecided": "Whether random heads are bystanders is open.",
    }),
}  # fmt: skip


def spare_heads(rows: pd.DataFrame) -> np.ndarray:
    """(T,) what other heads give back in the toys that were trained with heads left out, of the direct effect."""
    toys = frames.rows(rows, part="ablation", arm="critical", kind="zero", model=TOY)
    toys = toys[toys["trained"] > 0] if len(toys) else toys
    return given_back("heads")(toys) if len(toys) else np.empty(0)


def beyond_random(rows: pd.DataFrame) -> np.ndarray:
    """(U,) what zeroing the found heads costs of the logit difference, less what matched random heads cost; a model each."""
    found = quantities.by_model(frames.rows(rows, judged=True))
    both = found["s6_model_matched"], found["s6_model_zero"]
    return both[0] - both[1] if len(both[0]) == len(both[1]) else np.empty(0)


def by_division(rows: pd.DataFrame) -> np.ndarray:
    """(T,) above zero where the final norm gives back more than other heads and MLPs do, and the stream is shorter; the
    lesser of the two."""
    others = given_back("heads")(rows) + given_back("mlps")(rows)
    return np.minimum(given_back("norm")(rows) - others, 1 - ratio(rows))


def between_models(rows: pd.DataFrame) -> np.ndarray:
    """(T,) the repaired share of the judged models less that of the storyteller."""
    here, there = repaired(frames.rows(rows, judged=True)), repaired(frames.rows(rows, model="storyteller"))
    return here - there if len(here) == len(there) else np.empty(0)


def _model(name: str):
    return lambda rows: -np.asarray(quantities.named(name)(rows), float)


OF_JUDGED = {  # name in the prose: (quantity, its format)
    "direct_share": (taken, ".0%"),
    "lost_share": (lost, ".1%"),
    "repaired_share": (repaired, ".2f"),
    "by_norm": (given_back("norm"), ".2f"),
    "by_heads": (given_back("heads"), ".2f"),
    "by_mlps": (given_back("mlps"), "+.2f"),
    "late_ratio": (ratio, ".2f"),
    "cost_found": (_model("s6_model_zero"), ".1%"),
    "cost_random": (_model("s6_model_matched"), ".1%"),
    "cost_beyond": (beyond_random, ".1%"),
}
OF_TALE = {
    "tale_ratio": (ratio, ".2f"),
    "tale_repaired": (repaired, ".2f"),
    "tale_lost": (lost, ".0%"),
    "tale_direct": (taken, ".0%"),
}
OF_ALL = {"spared": (spared, ".2f"), "spare_heads": (spare_heads, ".2f")}
DIFFER = "The two kinds of model differ: self-repair is a property of a model and of how it was trained, not of transformers."
TOLD = {  # name in the prose: the quantity, the border, and the sentences above it, below it and across it
    "who": (
        by_division, 0,
        "Nobody stepped in: less was divided by less.",
        "It is not the division of a shorter stream that brings most of it back.",
        "Whether the division by a shorter stream or the work of others brings more of it back is open.",
    ),
    "beyond": (
        beyond_random, 0,
        (
            "The heads that were found cost more than random ones of the same blocks and loudness; what is theirs "
            "is the difference."
        ),
        "The heads that were found cost less than random ones of the same blocks and loudness.",
        "That the heads that were found cost more than random ones of the same blocks and loudness is not seen.",
    ),
    "spare": (
        spared, 0,
        "A reason to keep spares makes more repair.",
        "A reason to keep spares makes less repair.",
        "That a reason to keep spares makes repair is not seen.",
    ),
    "differ": (
        between_models, 0,
        DIFFER,
        DIFFER,
        "That the two kinds of model differ is not seen.",
    ),
}  # fmt: skip
TALE = {
    "tale_says": (
        repaired, 0,
        "In the storyteller, too, something is given back.",
        "In the storyteller nothing is repaired: more is lost than the direct path takes.",
        "Whether anything is given back in the storyteller is open.",
    ),
}  # fmt: skip
