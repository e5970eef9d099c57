"""Sentences of Part III that a verdict picks: what the pages assert."""

from __future__ import annotations

JOINT = {  # name: the claim, and the sentence for each of its verdicts
    "joint": ("M2", {
        "supported": "One content can hold a question and its answer, and the model says both.",
        "refuted": "One content does not hold a question and its answer as often as the plan needs.",
        "mixed": (
            "One content holds a question and its answer where it has many "
            "vectors or where it has few, not in both cases."
        ),
        "undecided": "Whether one content holds a question and its answer is open.",
    }),
    "first": ("M3b", {
        "supported": "Where the printed rule is first met, the pair is said.",
        "refuted": (
            "Where the printed rule is first met, the pair is not said yet: what "
            "makes it so is that the document goes on to the end."
        ),
        "mixed": "Where the printed rule is first met, it depends.",
        "undecided": "Whether a pair is said where the printed rule is first met is open.",
    }),
    "single": ("M1", {
        "supported": "Single questions can be reached in a trained model, and not in an untrained one.",
        "refuted": "Single questions are not reached as often as the plan needs.",
        "mixed": "Single questions can be reached in part.",
        "undecided": "Whether single questions are reached because the model knows such texts is open.",
    }),
    "rule": ("M3", {
        "supported": "The printed rule marks pairs that are said.",
        "refuted": "The printed rule marks pairs that are not said.",
        "mixed": "The printed rule holds in part.",
        "undecided": "Whether the printed rule marks pairs that are said is open.",
    }),
    "low": ("M4", {
        "supported": "A low loss means that the text is said.",
        "refuted": "A low loss does not mean that the text is said.",
        "mixed": "Those of the lowest losses are said, and among contents of one size the loss does not order the others well.",
        "undecided": "Whether a low loss means that the text is said is open.",
    }),
}  # fmt: skip
ABLATIONS = {  # name: the claim, and the sentence for each of its verdicts
    "share": ("M6", {
        "supported": "A question and its own answer need fewer vectors than strangers do: they share more than room.",
        "refuted": (
            "A question and its own answer need as many vectors as strangers do: they "
            "share the room, and nothing that saves a sixth of it."
        ),
        "mixed": "Whether they share more than room depends on the test.",
        "undecided": "Whether a question and its answer share more than room is open.",
    }),
    "bits": ("M5", {
        "supported": "There is a smallest sufficient K, and more bits need more of them.",
        "refuted": "That more bits need more vectors does not hold.",
        "mixed": "There is a smallest sufficient K, and within a family bits do not decide it.",
        "undecided": "There is a smallest sufficient K; whether bits decide it within a family is open.",
    }),
    "words": ("M7", {
        "supported": "Paraphrases help, and most where the two texts fight.",
        "refuted": "Paraphrases do not help: the same cost is better spent on plain starts.",
        "mixed": "Paraphrases do one of the two things that they should.",
        "undecided": "Whether paraphrases help is open.",
    }),
    "tiers": ("M8", {
        "supported": "What is harder to work out is harder to hold.",
        "refuted": "What is harder to work out is not harder to hold in the document's order.",
        "mixed": "Whether a harder task is harder to hold depends on the test.",
        "undecided": "Whether a harder task is harder to hold is open.",
    }),
    "basin": ("M9", {
        "supported": "Solutions of a pair lie in one basin, apart from tokens.",
        "refuted": "Solutions of a pair are neither near each other, nor apart from tokens, nor in one basin.",
        "mixed": "Solutions lie apart from tokens and from each other, so there is no one address.",
        "undecided": "Whether solutions of a pair lie in one basin is open.",
    }),
}  # fmt: skip
