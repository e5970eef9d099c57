"""The arms: one generator body, one start and one stream of latents a seed, and losses that differ."""

from __future__ import annotations

from dataclasses import dataclass

PHASES = (1.0, 0.5, 0.1)  # the document's weight of grounding, a third of the steps each
GAMES = ("pedagogical", "adversarial")


@dataclass(frozen=True)
class Upbringing:
    """What a generator is raised on; weights of the terms of its loss.

    game: with a witness or against a discriminator; "" is not trained at all. judge: cross-entropy of the teaching judge for
    the requested label, whose gradient reaches the generator through the frozen judge. witness: the same of the witness. align:
    squared distance of v_pred from v_seen. detached: the document's grounding as it is coded, the witness's cross-entropy for
    the judge's opinion with its gradient cut. scheduled: grounding follows the phases; otherwise it stays at one. scale: of
    all grounding. real: the discriminator's verdict that an image is real; classes: its classes in both losses; labelled: it is
    shown the label.
    """

    game: str = ""
    judge: float = 0.0
    witness: float = 0.0
    align: float = 0.0
    detached: float = 0.0
    scheduled: bool = True
    scale: float = 1.0
    real: float = 0.0
    classes: float = 0.0
    labelled: bool = False


ARMS = {  # name, as it stands in the column `arm`
    "untrained": Upbringing(),
    "coded": Upbringing("pedagogical", align=1, detached=1),
    "coded, constant": Upbringing("pedagogical", align=1, detached=1, scheduled=False),
    "wired": Upbringing("pedagogical", judge=1, witness=1, align=1),
    "wired, constant": Upbringing("pedagogical", judge=1, witness=1, align=1, scheduled=False),
    "wired, light": Upbringing("pedagogical", judge=1, witness=1, align=1, scale=0.1),
    "judge only": Upbringing("pedagogical", judge=1, scheduled=False),
    "cGAN": Upbringing("adversarial", real=1, labelled=True),
    "AC-GAN": Upbringing("adversarial", real=1, classes=1),
    "hybrid": Upbringing("adversarial", real=1, classes=1, judge=1),
}
SAID = {  # its one name on a page
    "untrained": "random",
    "coded": "as coded",
    "coded, constant": "as coded, no phases",
    "wired": "wired",
    "wired, constant": "wired, no phases",
    "wired, light": "wired, a tenth",
    "judge only": "judge alone",
    "cGAN": "conditional GAN",
    "AC-GAN": "AC-GAN",
    "hybrid": "AC-GAN and judge",
}
MEASURES = {  # what a table calls it: (column, variant, set of pairs)
    "X > Y, as printed": ("relation", "splitter", "held"),
    "both digits": ("joint", "splitter", "held"),
    "product of the two": ("product", "splitter", "held"),
    "both digits, no splitter": ("joint", "none", "held"),
    "both digits, trained pairs": ("joint", "splitter", "train"),
    "X > Y, request turned": ("relation", "swapped", "held"),
    "pair known, trained pairs": ("joint", "pair", "train"),
    "pair known, held out": ("joint", "pair", "held"),
}


def of(game: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the arms that are trained in one game, in order."""
    return tuple(name for name in names if ARMS[name].game == game)
