"""Sentences of Part III that a verdict picks: what the pages assert."""

from __future__ import annotations

from helpers.softprompt import quantities

JOINT = {  # name: the claim, and the sentence for each of its verdicts
    "joint": ("M2", {
        "supported": "One content can hold a question and its answer, and the model says both.",
        "refuted": "One content does not hold a question and its answer as often as the plan needs.",
        "mixed": (
            "One content holds a question and its answer where it has many "
            "vectors or where it has few, not in both cases."
        ),
        "undecided": "The claim on pairs stays undecided by its letter all the same; in the table its reason stands beside it.",
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
        "undecided": "Single questions: whether they are reached because the model knows such texts is open.",
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
        "too few": "So few low losses do not decide whether a low loss means that the text is said.",
        "awaiting": "Without low losses nothing is known of what they mean.",
    }),
}  # fmt: skip
SEEN = {  # name: a quantity, a border, and the sentence above it, below it, and where the interval holds it
    "says_both": (
        quantities.named("m2_exact_both"), 0.5,
        "Yes: one content makes the model say both texts of more pairs than the document's target asks for.",
        "No: one content makes the model say both texts of fewer pairs than the document's target asks for.",
        "Whether one content makes the model say both texts of as many pairs as the document's target asks for is open.",
    ),
    "transfer_own": (
        quantities.named("transfer_gain"), 0,
        "So a question's content holds something of its own answer.",
        "So a question's content does not know its answer: after it the answer is dearer than after another question's.",
        "So these pairs do not show that a question's content holds anything of its own answer.",
    ),
    "transfer_away": (
        quantities.named("transfer_from_start"), 0,
        "A content that was made for a question makes an answer cheaper than vectors that were not optimised do.",
        "A content that was made for a question leads away from an answer: vectors that were not optimised serve it better.",
        "Whether a content that was made for a question serves an answer better than vectors that were not optimised is open.",
    ),
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
