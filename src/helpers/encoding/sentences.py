"""What the pages of Part V say: numbers by their place in the prose, and the sentences that a verdict or a number picks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helpers import frames, prose
from helpers.encoding import quantities, trials
from helpers.sides import Sides
from helpers.study import Log

VERDICTS = {  # name: the claim, and the sentence for each of its verdicts
    "as_good": ("E1", {
        "supported": "The learned code is as good as the autoencoder's in every scenario.",
        "refuted": "The learned code is worse than the autoencoder's.",
        "mixed": "The learned code is as good as the autoencoder's in some scenarios and worse in others.",
        "undecided": "Whether the learned code is as good as the autoencoder's is open.",
    }),
    "tenfold": ("E2", {
        "supported": "Ten to one costs next to nothing in every scenario.",
        "refuted": "Ten to one is shown to be free in no scenario, and in one at least it costs more than the margin.",
        "mixed": "Ten to one costs next to nothing in some scenarios, and in others it does cost.",
        "undecided": "Whether ten to one is free is open.",
    }),
    "one_objective": ("E3", {
        "supported": (
            "Where there is room for a difference, one objective beats a fair two-stage code at the "
            "same budget."
        ),
        "refuted": (
            "One objective does not beat a fair two-stage code by the margin in both scenarios, and "
            "in none is it shown to."
        ),
        "mixed": "One objective beats a fair two-stage code in one scenario and not in the other.",
        "undecided": "Whether one objective beats a fair two-stage code is open.",
    }),
    "signal": ("E5", {
        "supported": "Learning the code adds a signal that a random one lacks.",
        "refuted": (
            "A random code of equal width is not worse by more than the margin on every chain; the "
            "table says on which it is not, and which is open."
        ),
        "mixed": "A random code is enough on one chain and not on the other.",
        "undecided": "Whether a random code is enough is open.",
    }),
    "carries": ("E8", {
        "supported": (
            "On both corpora and at every ratio the learned code does no worse than the "
            "autoencoder's, and stays within a tenth of the full width's loss."
        ),
        "refuted": (
            "The learned code does not carry over: somewhere it loses to the autoencoder's or more "
            "than a tenth of the full width's loss, and nowhere is it shown not to."
        ),
        "mixed": "The learned code carries over to some ratios and corpora, and to others it does not.",
        "undecided": "Whether the learned code carries over to every ratio is open, and the table says where.",
    }),
    "free": ("E8b", {
        "supported": "Compression is free: nothing is lost against the full width.",
        "refuted": (
            "Compression is not free: at one ratio at least the learned code keeps less than was "
            "asked, and at none is it shown to keep it."
        ),
        "mixed": "Compression is free at some ratios and not at others.",
        "undecided": "Whether compression is free is open.",
    }),
}  # fmt: skip

_share = lambda arm: lambda rows: quantities.named(f"e8_text_10_{arm}")(rows)
_identity = lambda rows: np.subtract(_share("random")(rows), _share("seed_ae")(rows)) if _share("random")(rows) else []
_stuck = lambda rows: [np.mean(found)] if (found := quantities.printed(rows).get("e1_relu_stuck")) else []
_pairs = lambda rows: frames.per_seed(
    rows.assign(over=rows["loss"] - rows["bigram"]),
    "over",
    kind="text",
    arm="full",
    attend=True,
    end=True,
    part="limits",
).to_numpy()
NUMBERS = {  # name: the quantity, the border, and the sentences above it, below it, and where that is open
    "identity": (
        _identity,
        0.0,
        "That is the finding of this page: a code that knows only which token it is beats the published compressor.",
        "So the published compressor keeps something that identity alone does not.",
        "The two cannot be told apart: the published compressor keeps what identity alone keeps.",
    ),
    "past_pairs": (
        _pairs,
        0.0,
        "The full width has not passed a table of pairs: what this says of codes it says of a model of pairs.",
        "The full width has passed what a table of pairs knows of the text.",
        "Whether the full width has passed a table of pairs is open.",
    ),
    "protein_learned": (
        trials.gain("protein"),
        0.0,
        "On the protein there is something to lose: the full width ends below the frequencies of amino acids.",
        "On the protein the full width ends above the frequencies of amino acids, and shares of its gain say nothing.",
        "Whether the full width learns more of the protein than frequencies is open, and shares of its gain say little.",
    ),
    "code_text": (
        trials.keeps_more("code", "text"),
        0.0,
        "At 10 : 1 the code keeps more of its gain than the text does.",
        "At 10 : 1 the code keeps less of its gain than the text does.",
        "At 10 : 1 code and text cannot be told apart by what they keep.",
    ),
    "finds_any": (
        trials.nearest,
        0.0,
        "This is a negative result: none of the three penalties comes down to the width that was planted.",
        "One penalty at least goes below the width that was planted.",
        "Whether the nearest penalty comes down to the planted width, these seeds cannot tell.",
    ),
    "finds_nested": (
        trials.misses("nested"),
        0.0,
        "The nested code has more in use than were planted, too.",
        "The nested code has fewer in use than were planted.",
        "For the nested code it is open.",
    ),
    "turned": (
        trials.misses("learned", "directions"),
        0.0,
        "Rotation alone does not bring the plain code down to the planted rank.",
        "Rotation alone brings the plain code below the planted rank.",
        "After rotation alone, without a penalty, these seeds cannot tell the plain code's width from the planted one.",
    ),
    "group_cost": (
        trials.over_plain("group"),
        0.0,
        "So to give the plain code the group penalty's width is better than the penalty.",
        "So the group penalty is better than to give the plain code its width.",
        "Whether the group penalty is worse than to give the plain code its width is open.",
    ),
    "printed_stronger": (
        _stuck,
        0.0,
        "Units of the code that are dead stay dead, so the arm without one is the stronger baseline.",
        "",
        "",
    ),
}
last = lambda arm: quantities.chosen("loss", arm=arm)
_printed = lambda name: lambda rows: quantities.printed(rows).get(name, [])
_gap = lambda where, arms: quantities.gap(*where.split(), *arms.split())
_kept = {"part": "chains", "source": "dirichlet", "readout": "residual", "arm": "seed_ae"}
LATE = quantities.TUNED | {"part": "longer"}
STORED = {  # name in the prose: the quantity
    **{name: name for name in ("e10_table", "e10_embedding", "e10_model", "e10_two_stage")},
    "e11": "e11_context_ratio",
}
PLACES = {"linear": "planted6 linear", "bottleneck": "dirichlet residual", "wide": "dirichlet mlp"}
PAIRS = {"random": "random learned", "ae_random": "seed_ae random", "fair": "trained_pca learned"}
SAID = {  # by section: name in the prose: (quantity, format, unit)
    "printed": {
        **{f"printed_{arm}": (last(arm), ".1e", "nats") for arm in ("learned", "traditional")},
        **{f"printed_{arm}": (last(arm), ".4f", "nats") for arm in ("walk_learned", "walk_traditional")},
        "printed_relu": (_printed("e1_relu_stuck"), ".0%"),
        "printed_writes": (_printed("e9_printed_gap"), ".2g", "nats"),
    },
    "width": {
        f"{pair}_{place}": (_gap(where, arms), ".2g", "nats")
        for pair, arms in PAIRS.items()
        for place, where in PLACES.items()
    },
    "elbow": {
        f"elbow_{source}": (quantities.elbow_of(source), ".2f")
        for source in ("planted2", "planted6", "planted12", "dirichlet")
    },
    "speed": {f"best_{source}": (quantities.named(f"e4_best_{source}"), "z.2f") for source in ("pattern", "planted6")},
    "rules": {
        "rules_blind": (quantities.named("e6_blind_left"), ".1%"),
        "rules_full": (quantities.named("e6_full_excess"), ".2g", "nats"),
        "rules_gap": (quantities.named("e6_gap"), ".2g", "nats"),
        "rules_fair": (quantities.named("e6_gap_fair"), ".2g", "nats"),
        "equal_gap": (quantities.named("e6_gap_equal"), ".2g", "nats"),
        "equal_fair": (quantities.named("e6_fair_equal"), ".2g", "nats"),
        "equal_random": (quantities.named("e6_ae_random"), ".2g", "nats"),
    },
    "limits": {
        name: (quantities.named(name), ".2g")
        for name in (
            *(f"e8_{kind}_{ratio}" for kind in ("text", "genome") for ratio in (2, 5, 10, 20, 50)),
            *(f"e8_text_10_{arm}" for arm in ("random", "seed_ae", "trained_pca")),
        )
    },
    "time": {
        "gain_tuned": (quantities.gain(quantities.TUNED), ".2g", "nats"),
        "gain_longer": (quantities.gain(quantities.LONGER), ".2g", "nats"),
        "gain_both_longer": (quantities.gain(LATE, quantities.LONGER), ".2g", "nats"),
    },
    "others": {
        "gain_code": (trials.gain("code"), ".2g", "nats"),
        "gain_protein": (trials.gain("protein"), ".2g", "nats"),
        "kept_code": (trials.kept("code"), ".2g"),
        "kept_protein": (trials.kept("protein"), ".2g"),
    },
    "widths": {
        **{f"used_{arm}": (trials.own_width(arm), ".1f") for arm in ("learned", "l1", "l2", "group", "nested")},
        "used_turned": (trials.own_width("learned", "directions"), ".1f"),
        **{f"over_{arm}": (trials.over_plain(arm), ".2g", "nats") for arm in ("group", "nested")},
    },
    "letters": {"expansion": (trials.expansion, ".2g", "nats")},
    "generation": {
        "generation_rank": (quantities.named("e9_gap_planted6"), ".2g", "nats"),
        "generation_full": (quantities.named("e9_gap_dirichlet"), ".2g", "nats"),
    },
}
TOLD = {  # by section: the sentences of NUMBERS that it holds
    "limits": ("identity", "past_pairs"),
    "others": ("code_text", "protein_learned"),
    "widths": ("finds_any", "finds_nested", "turned", "group_cost"),
}
explained = lambda d: {"explained": (quantities.chosen("explained", d=d, **_kept), ".0%")}


def told(sides: Sides, *names: str) -> None:
    """Put the sentences of NUMBERS that the numbers pick into the prose, by their names."""
    for name in names:
        sides.tell_all(NUMBERS, name)


def section(log: Log, name: str, *parts: str) -> Sides:
    """The sides of some parts, and into the prose all that a section says of them; NAME_lack: that a committed run lacks it."""
    sides = log.at(part=parts)
    sides.say_all(SAID[name])
    told(sides, *TOLD.get(name, ()))
    if name != "limits":  # every committed run has it
        prose.glue(f"{name}_lack", lacks(log, parts))
    return sides


def lacks(log: Log, parts: Sequence[str]) -> str:
    """What is said where the committed run that a page speaks of was made before these parts; nothing where it has them."""
    known = log.leading
    if known is None or set(parts) <= set(log.frame(known.label)["part"]):
        return ""
    return "The committed run has not this part yet: the numbers are this run's."
