"""Sentences of Part III that a verdict picks: what the pages assert."""

from __future__ import annotations

from helpers.softprompt import quantities, sweeps

FAMILIES = [f"{name.removeprefix('m6_known_')}_{kind}" for name in sweeps.LOGS for kind in ("fact", "sum")]
FORMS = {  # of the second page's numbers, by the section that says them
    "sweep": dict.fromkeys(("m5_slope_block", "m5_slope_within_block"), "+.2f")
    | dict.fromkeys(("m5_share_1", "m5_share_2", "m5_share_64"), ".0%"),
    "sharing": dict.fromkeys((*sweeps.LOGS, *FAMILIES), "+.2f") | {"m_teacher_equals_free": ".0%"},
    "words": dict.fromkeys(("m7_gain", "m7_sham", "words_over_sham"), "+.0%")
    | {"m7_base": ".0%", "m7_gain_by_conflict": "+.3f", "conflict": "+.2f"},
    "tiers": {"m8_tau_block": "+.2f", "bits_apart": ".0%", "length_apart": ".0%"}
    | {f"needed_{tier}": ".1f" for tier in sweeps.TIERS},
    "places": dict.fromkeys((*sweeps.PLACES, "moved", "within", "between"), ".2f") | {"barrier_below_one": ".0%"},
}
TOLD = {part: {n: (quantities.ablated(n), form) for n, form in forms.items()} for part, forms in FORMS.items()}

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
SEEN_APART = {  # the same for the second page
    "even": (
        quantities.ablated("extractive_over_sudoku"), 0,
        "Equal K, the other picture, fails as well: extraction, the first, needs more vectors than Sudoku, the fourth.",
        "Equal K at equal length and bits, the other picture, fails as well: Sudoku needs more vectors than extraction.",
        "Whether extraction and Sudoku need equal K, as the other picture says, is open.",
    ),
    "wording": (
        quantities.ablated("words_over_sham"), 0,
        "Paraphrases do better than sentences of other pairs, so wording counts for something.",
        "Paraphrases do worse than sentences of other pairs.",
        "Between paraphrases and sentences of other pairs no difference is seen.",
    ),
    "planted": (
        quantities.ablated("repeat_minus_matched_fact"), 0,
        "The planted effect is not seen in materials: a question that is its own answer needs more vectors there.",
        "The planted effect is seen in materials: a question that is its own answer needs fewer vectors there.",
        "The planted effect, a question that is its own answer, is not seen in materials.",
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
        "mixed": "Some tests of one basin hold and some do not. Holding: {holds}. Failing: {fails}. Open: {open}.",
        "undecided": "Whether solutions of a pair lie in one basin is open.",
    }),
}  # fmt: skip
