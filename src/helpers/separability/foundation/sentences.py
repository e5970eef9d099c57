"""What the chapter on frozen routing says: numbers in its prose, and sentences that a verdict or a number picks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from helpers.separability.foundation import quantities
from helpers.separability.foundation.quantities import AFTER, MIDDLE, gap, named, of_arm, over_control, put_on

VERDICTS = {  # name: the claim, and the sentence for each of its verdicts
    "solves": ("S1", {
        "supported": "The free model solves the task.",
        "refuted": "The free model does not solve the task, so that what a constraint costs is hard to read.",
        "mixed": "The free model solves the task by one test and not by another.",
        "undecided": "Whether the free model solves the task by the document's bar is open.",
    }),
    "price": ("S2", {
        "supported": "Freezing three of four heads costs more than a fifth of all answers, whatever is frozen.",
        "refuted": (
            "Freezing three of four heads is not shown to cost more than a fifth of all answers by either meaning "
            "of the word, and by one at least it costs less."
        ),
        "mixed": (
            "What freezing three of four heads costs depends on what is frozen. More than a fifth: {holds}. Less: "
            "{fails}."
        ),
        "undecided": "Whether freezing three of four heads costs a fifth of all answers is open.",
    }),
    "pays": ("S3", {
        "supported": "Frozen routing is paid for in amplitude, in the middle of the block and after it.",
        "refuted": "Frozen routing is not paid for in amplitude, neither in the middle of the block nor after it.",
        "mixed": (
            "Whether amplitude is twice the control's depends on where it is read. It is: {holds}. It is not: "
            "{fails}."
        ),
        "undecided": "Whether it pays in amplitude is open.",
    }),
    "collapse": ("S4", {
        "supported": "Clamping the norm is catastrophic, as the document says.",
        "refuted": (
            "Clamping the norm is not catastrophic by the document's bar: trained with it a model keeps what it "
            "has, and put on afterwards it costs much and leaves more than a twentieth."
        ),
        "mixed": (
            "Clamping the norm is catastrophic in one way and not in the other. It is: {holds}. It is not: "
            "{fails}."
        ),
        "undecided": "Whether clamping the norm is catastrophic is open.",
    }),
    "keeps": ("S5", {
        "supported": "A clamp that keeps the mean keeps the accuracy, and one that does not loses it.",
        "refuted": "Keeping the mean does not keep the accuracy.",
        "mixed": (
            "That the mean-preserving clamp keeps accuracy and beats the naive one holds in part. What holds: "
            "{holds}. What does not: {fails}."
        ),
        "undecided": "Whether keeping the mean is what matters is open.",
    }),
    "mechanism": ("S14", {
        "supported": "The mean carries most of the norm and is what the model needs.",
        "refuted": "The mean carries less than half of the norm, and clamping it is no worse.",
        "mixed": "The claim that the mean is the mechanism holds in part. What holds: {holds}. What does not: {fails}.",
        "undecided": "Whether the mean is the mechanism is open.",
    }),
    "law": ("S13", {
        "supported": "The sum predicts best, wherever A is read.",
        "refuted": "The sum predicts no better than its rivals, wherever A is read.",
        "mixed": (
            "The sum is no law: whether it predicts better hangs on the rival and on the place at which A is "
            "read. It does: {holds}. It does not: {fails}. Open: {open}."
        ),
        "undecided": "Whether the sum is a law is open.",
    }),
}  # fmt: skip


def points(quantity: Callable) -> Callable[[pd.DataFrame], np.ndarray]:
    """A share in points of a hundred."""
    return lambda rows: 100 * np.asarray(quantity(rows), float)


def one_head(rows: pd.DataFrame) -> np.ndarray:
    """(S,) above zero where a model without three heads is louder in the middle than the control and one whose three heads'
    weights are frozen is not: the lesser of the two logarithms."""
    without, frozen = (np.log2(over_control(MIDDLE, arm)(rows)) for arm in ("removed_3", "weights_3"))
    return np.minimum(without, -frozen) if len(without) == len(frozen) else np.empty(0)


def lost(clamp: str) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: the share of the constrained accuracy that a clamp in the middle takes from a trained model."""

    def read(rows: pd.DataFrame) -> np.ndarray:
        kept, free = (
            put_on(clamp, quantities.site(rows))(rows),
            of_arm("psi_accuracy", "constraint")(rows),
        )
        return 1 - kept / free if len(kept) == len(free) else np.empty(0)

    return read


def here(clamp: str) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: the constrained model's accuracy with a clamp put on afterwards, at the site of this run's clamps."""
    return lambda rows: put_on(clamp, quantities.site(rows))(rows)


SAID = {  # name in the prose: (quantity, its format, and its unit where it has one)
    "log2_mid": (over_control(MIDDLE, "constraint"), ".2g"),
    "removed_accuracy": (of_arm("psi_accuracy", "removed_3"), ".2g"),
    "removed_mid": (over_control(MIDDLE, "removed_3"), ".2g"),
    "removed_after": (over_control(AFTER, "removed_3"), ".2g"),
    "removed_better": (points(gap("removed_3", "constraint")), ".1f", "points"),
    "weights_mid": (over_control(MIDDLE, "weights_3"), ".2g"),
    "weights_after": (over_control(AFTER, "weights_3"), ".2g"),
    "cost_patterns": (points(named("s2_drop_patterns")), ".0f", "points"),
    "cost_weights": (points(named("s2_drop_weights")), ".1f", "points"),
    "g_control": (of_arm("G_stability", "control"), ".3f"),
    "g_fixed": (of_arm("G_stability", "constraint"), ".3f"),
    "lost_norm": (lost("token_norm"), ".0%"),
    "lost_sham": (lost("sham"), ".0%"),
    "kept_preserving": (here("mean_preserving"), ".1%"),
    "kept_naive": (here("naive"), ".0%"),
    "trained_difference": (points(named("s5_minus_naive")), ".1f", "points"),
    "mean_cost": (points(named("s14_mean_minus_variance_cost")), ".0f", "points"),
    "mean_holds": (named("s14_mean_share"), ".0%"),
}
TOLD = {  # name in the prose: the quantity, the border, and the sentences above it, below it and across it
    "loudness": (
        one_head, 0,
        "Loudness in the middle goes with having one working head, not with frozen routing.",
        (
            "Loudness in the middle goes with frozen routing: neither heads that are not there nor frozen weights "
            "have that effect."
        ),
        "Whether loudness in the middle goes with frozen routing or with having one working head is open.",
    ),
    "better_without": (
        gap("removed_3", "constraint"), 0,
        "Heads that look at fixed places are worse than no heads.",
        "Heads that look at fixed places are better than no heads.",
        "Whether heads that look at fixed places are better or worse than none is not seen.",
    ),
    "stiff": (
        gap("constraint", "control", "G_stability"), 0,
        (
            "Fixing patterns raises this G, for what cannot move is stable. A law in it cannot say what the "
            "picture of blood pressure says, where the constraint takes G away."
        ),
        "Fixing patterns lowers this G, as the picture of blood pressure has it.",
        "Fixing patterns leaves this G about where it was, so that the constraint takes none of it away.",
    ),
    "sham_says": (
        named("s4_sham_constrained"), 0.95,
        "Equal lengths by themselves cost little.",
        (
            "So a part of what the norm clamp costs is no want of amplitude: the constrained model suffers from "
            "tokens that are all equally long, at any length."
        ),
        "Whether equal lengths by themselves cost the constrained model anything is open.",
    ),
    "bar": (
        here("mean_preserving"), 0.05,
        "That is above the document's twentieth.",
        "That is below the twentieth that the document expects of the naive clamp.",
        "Whether that is below the document's twentieth is open.",
    ),
    "other_way": (
        named("s5_after_minus_naive"), 0,
        "The clamp that keeps the mean is the milder one, as the document says.",
        "It is the other way round than the document says: the clamp that keeps the mean does the greater damage.",
        "Which of the two does the greater damage is open.",
    ),
    "either": (
        named("s5_minus_naive"), 0,
        "Trained with it, the mean-preserving clamp is the better of the two.",
        "Trained with it, the mean-preserving clamp is the worse of the two.",
        "Trained with either, no difference is seen.",
    ),
}  # fmt: skip
