"""Sentences of Part I that a claim's verdict picks."""

VERDICTS = {  # name: the claim, and the sentence for each of its verdicts
    "silence": ("D1", {
        "supported": "With a fifth of the coefficients the model babbles.",
        "refuted": "A fifth of the coefficients is enough for some of the language.",
        "mixed": "With a fifth of the coefficients a part of what the claim calls silence holds, and a part does not.",
        "undecided": "Whether a fifth of the coefficients leaves any language is open.",
    }),
    "threshold": ("D2", {
        "supported": "Language comes back at a sharp threshold.",
        "refuted": "There is no sharp threshold in the model: its loss comes back over a wide stretch of the axis.",
        "mixed": "There is a sharp threshold in one of the two, loss and text, and none in the other.",
        "undecided": "Whether language comes back at a sharp threshold is open.",
    }),
    "kinds": ("D6", {
        "supported": "A missing coefficient and a wrong one are different kinds of damage.",
        "refuted": "A missing coefficient costs what a wrong one costs, once both leave the weights equally near to the truth.",
        "mixed": "That depends on how much is missing, and on the model.",
        "undecided": "Whether missing and wrong coefficients differ in kind is open.",
    }),
    "curve": ("D7", {
        "supported": "The domain matters beyond the distance to the whole model.",
        "refuted": (
            "Beyond the distance to the whole model the domain does not matter as claimed. Below the margin: {fails}. "
            "Open: {open}."
        ),
        "mixed": "By one of two measures mixing costs something beyond the distance to the whole model, by the other not.",
        "undecided": "Whether the domain matters beyond the distance to the whole model is open.",
    }),
    "grace": ("D8", {
        "supported": "The store degrades gracefully when a few codes are wrong.",
        "refuted": "The store does not degrade gracefully, even when few codes are wrong.",
        "mixed": "The store is graceful under one kind of corruption and not under another.",
        "undecided": "Whether the store degrades gracefully is open.",
    }),
    "whose": ("D10", {
        "supported": "The transform has a part in that.",
        "refuted": "The transform has no part in that: plain 8-bit codes do the same.",
        "mixed": "Whose doing that is depends on the test.",
        "undecided": "Whether the transform has a part in that is open.",
    }),
    "nonsense": ("D3", {
        "supported": "Random completion gives stable nonsense.",
        "refuted": "Random completion does not give stable nonsense.",
        "mixed": "Random completion gives nonsense that is stable in part; not in {fails}.",
        "undecided": "Random completion gives nonsense; whether it is stable is open. Not decided: {open}.",
    }),
    "solvable": ("D9", {
        "supported": "It makes the unsolvable solvable.",
        "refuted": "It does not make the unsolvable solvable.",
        "mixed": "One half of unsolvable-made-solvable holds, and the other does not: {fails}.",
        "undecided": "Whether it makes the unsolvable solvable is open, for trainings differ and are few.",
    }),
    "weak_prior": ("D4", {
        "supported": "A weak prior brings language back step by step, and one that does not contain the answer does so too.",
        "refuted": (
            "A weak prior does not bring language back: somewhere it recovers less than the claim asks, and nowhere is it "
            "shown to recover that."
        ),
        "mixed": "A weak prior brings back a part of what the claim asks, and at one share at least it does not.",
        "undecided": "Whether a weak prior brings language back is open.",
    }),
    "answer": ("D5", {
        "supported": "There is a share at which the transformed store is silent and raw weights still speak.",
        "refuted": (
            "As trained, these models fail because information is missing, and raw weights that miss as much fail as far: "
            "at no share is the transformed store a quarter of the loss behind them."
        ),
        "mixed": "At some shares the transformed store fails where raw weights still work, and at others it does not.",
        "undecided": "Whether the transformed store fails where raw weights still work is open.",
    }),
    "at_least": ("D5b", {
        "supported": "The transform is worse by as much as the claim asks.",
        "refuted": "The transform is not worse by as much as the claim asks.",
        "mixed": "The transform is worse by as much as the claim asks at one share and not at the other.",
        "undecided": "Whether the transform is worse by as much as the claim asks is open.",
    }),
}  # fmt: skip
