"""What the chapter on suppressor heads says: numbers in its prose, and sentences that a verdict or a number picks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.separability.superposition import quantities
from helpers.separability.superposition.quantities import average, beyond_null, count, follows, most, value

VERDICTS = {  # name: the claim, and the sentence for each of its verdicts
    "loud": ("S11", {
        "supported": "Suppressors do shout: they vary more than twice as much as the heads beside them.",
        "refuted": "Suppressors do not shout: on average they vary less than twice as much as the heads beside them.",
        "mixed": "Suppressors shout by one test and not by another. What holds: {holds}. What does not: {fails}.",
        "undecided": "Whether suppressors vary more than twice as much as their neighbours is open.",
    }),
    "one": ("S12", {
        "supported": "Over models their ratio lies above one, and permuted labels do not reach it.",
        "refuted": "Over models suppressors are no louder than the heads beside them.",
        "mixed": (
            "Whether suppressors are louder than their neighbours at all depends on the test. What holds: {holds}. "
            "What does not: {fails}."
        ),
        "undecided": (
            "Whether suppressors are louder than their neighbours at all is open: an interval over models, and "
            "labels permuted over their heads, leave room for no difference."
        ),
    }),
}  # fmt: skip


def variance(rows: pd.DataFrame) -> np.ndarray:
    """(M,) how many times the median variance of their neighbours a model's suppressors have."""
    return np.exp2(value("s11_log2_ratio")(rows))


def with_any(rows: pd.DataFrame) -> np.ndarray:
    """(M,) whether a model has a suppressor, 0 or 1."""
    return (count()(rows) > 0).astype(float)


def apart(rows: pd.DataFrame) -> np.ndarray:
    """(S,) above zero where, as features grow rarer, superposition goes with the norm and against the activation; the lesser
    of the two correlations."""
    norm, activation = (follows(column, "sparsity")(rows) for column in ("norm", "amplitude"))
    return np.minimum(norm, -np.asarray(activation)) if len(norm) == len(activation) else np.empty(0)


OF_HEADS = {  # name in the prose: (quantity, its format)
    "ratio": (value("s11_log2_ratio"), ".2f"),
    "variance": (variance, ".1f"),
    "found": (count(), ".2f"),
    "with_any": (with_any, ".0%"),
    "copiers": (quantities.copiers, ".0%"),
    "largest": (most("zero"), ".2f"),
    "above_box": (beyond_null("zero"), ".2f"),
    "surprise": (average("surprise"), ".2f"),
    **{n: (value(n), ".2g") for n in ("s11_planted_found", "s11_false_found", "s12_log_ratio", "s12_p_models")},
}
OF_BOTTLENECKS = {
    f"{column}_{over}": (follows(column, over), "+.2f")
    for column in quantities.AMPLITUDES
    for over in ("sparsity", "m")
}
SEEN = {  # name in the prose: the quantity, the border, and the sentences above it, below it and across it
    "two_things": (
        apart, 0,
        "The norm goes with superposition and the activation against it, so “amplitude” is two things, and a law about it "
        "must say which.",
        "Norm and activation do not part.",
        "Whether norm and activation part is open.",
    ),
}  # fmt: skip
