"""Sentences of the chapter on the first phase that a verdict picks: what the page asserts."""

from __future__ import annotations

VERDICTS = {  # name: the claim, and the sentence for each of its verdicts
    "answer": ("T8", {
        "supported": "With a grounding that reaches the generator, the first third of training composes as well as the whole.",
        "refuted": "After the first third it composes by more than two points otherwise than at the end.",
        "mixed": "A third of training is enough by some of what was asked and not by the rest.",
        "undecided": "Whether a third of training is enough is open.",
    }),
    "dawn": ("T8b", {
        "supported": "At a thirtieth it does not yet, so the phase has something to teach.",
        "refuted": "At a thirtieth both digits are right in half of the pictures or more, so that it tells nothing of phases.",
        "mixed": "At a thirtieth it does by one standard.",
        "undecided": "Whether a thirtieth would do is open.",
    }),
}  # fmt: skip
