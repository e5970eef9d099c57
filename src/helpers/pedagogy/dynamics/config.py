"""When the chapter on training dynamics looks, at what, and how: frozen settings, checked before anything is
trained."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.checks import at_least, expect

EARLY = (1 / 200, 1 / 100, 1 / 50, 1 / 30)  # shares of training at which it looks before the even grid begins
THIRDS = (1 / 3, 2 / 3)  # where the document's phases end
COMPOSED = ("untrained", "coded", "wired", "cGAN", "AC-GAN")  # arms whose generators are asked to compose
SHOWN = ("coded", "wired", "cGAN", "AC-GAN")  # arms whose drawings are kept to be looked at
TERMS = {  # of a pedagogical loss, and how each is called
    "align": "alignment",
    "detached": "grounding as coded",
    "judge": "grounding by the judge",
    "witness": "grounding by the witness",
}
PICTURES = 7  # looks of which drawings are kept, at most
PRINTED_LOOKS = 20  # of the document; ours are a multiple, so that both are seen at its checkpoints


@dataclass(frozen=True)
class Looking:
    """looks: at how many even steps generators are measured; the document has 20. each: images of a class; k:
    neighbours of an estimate of dimension; level: of the universal law's test; batch: latents that are drawn at a
    time."""

    looks: int = 40
    each: int = 100
    k: int = 20
    level: float = 0.05
    batch: int = 250

    def __post_init__(self):
        near = max(1, round(self.looks / PRINTED_LOOKS)) * PRINTED_LOOKS
        expect(self.looks == near, f"looks={self.looks} is no multiple of the document's {PRINTED_LOOKS}; use {near}")
        few = f"each={self.each} images of a class have no k={self.k} neighbours each; use {self.k + 1} or more"
        expect(self.each > self.k >= 3, few)
        expect(self.each <= 128, f"each={self.each} images of a class; the batched engine takes up to 128")
        expect(0 < self.level < 1, f"level={self.level}: a level of significance lies between 0 and 1")
        at_least(self, batch=1)

    def grid(self, steps: int) -> list[int]:
        """The even steps, without the start."""
        return sorted({round(i * steps / self.looks) for i in range(1, self.looks + 1)})

    def marks(self, steps: int) -> list[int]:
        """All steps at which generators are measured: the start, a few early ones, the ends of phases, the even
        grid."""
        return sorted({0, *(round(share * steps) for share in (*EARLY, *THIRDS)), *self.grid(steps)})
