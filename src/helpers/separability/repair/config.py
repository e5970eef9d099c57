"""What the experiment is made of, checked before anything is loaded: frozen settings, and nothing else.

What cannot work is refused here, with the reason and the nearest value that works. Devices and folders belong to a run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import ceil

from helpers.checks import at_least, expect
from helpers.lm import loader

KINDS = ("zero", "mean", "resample")
CONDITIONS = ("baseline", "critical", "random")  # of the printed experiment
TOY = "toy"
PUBLISHED = {
    "critical": ((9, 6), (9, 9), (10, 0)),
    "random": ((2, 3),),
}  # the document's heads, of GPT-2 small: 12 × 12
TEMPLATES = 24  # the even ones to find heads by, the odd ones to judge them on
ORDERS = 2  # ABBA: the giver was named second; BABA: first
MOVERS = 3  # heads of a set

Heads = tuple[tuple[int, int], ...]


def parse_heads(text: str) -> Heads:
    """'9.9,9.6,10.0' as ((9, 9), (9, 6), (10, 0)); 'found' as (). Raises ValueError for anything else, and for a head
    twice."""
    if text == "found":
        return ()
    parts = [p.strip() for p in text.split(",")]
    known = all(re.fullmatch(r"\d{1,3}\.\d{1,3}", p) for p in parts)
    expect(known, f"heads={text!r}: name each as block.head, counted from 0, or write found to search for them")
    out = tuple((int(a), int(b)) for a, b in (p.split(".") for p in parts))
    expect(len(set(out)) == len(out), f"heads={text!r} names a head twice; name each once, or write found")
    return out


@dataclass(frozen=True)
class Symbols:
    """The symbolic task and the model that is trained on it: two names, one of them again, and the other is to follow.

    names, fillers: symbols; length: of a prompt, the last symbol is a filler. dropouts: shares of heads that are left
    out of a prompt while training, each a set of models; the first is judged. seeds: models of each."""

    seeds: int = 2
    steps: int = 350
    batch: int = 96
    rate: float = 4e-3  # of Adam
    names: int = 60
    fillers: int = 20
    length: int = 9
    layers: int = 3
    d: int = 64
    heads: int = 8
    d_mlp: int = 128
    dropouts: tuple[float, ...] = (0.0, 0.15)

    def __post_init__(self):
        expect(self.seeds >= 1 and self.steps >= 1, f"seeds={self.seeds}, steps={self.steps}: use 1 or more of both")
        expect(
            self.d % self.heads == 0,
            f"d={self.d} is not a multiple of heads={self.heads}; use {self.d - self.d % self.heads or self.heads}",
        )
        expect(self.length >= 9, f"length={self.length}: too few places for {TEMPLATES} templates; use 9 or more")
        expect(self.names >= 3, f"names={self.names}: prompts of the reference have three; use 3 or more")
        fits = len(self.dropouts) > 0 and all(0 <= p < 1 for p in self.dropouts)
        expect(fits, f"dropouts={self.dropouts}: shares from 0 to below 1, one at least; use (0.0, 0.15)")


@dataclass(frozen=True)
class Repair:
    """Heads taken out of a model that completes indirect-object prompts.

    model: toy, storyteller, a hub name or a folder. n_examples: prompts at least, spread over templates and orders.
    seeds: models trained (toy), or draws of names (any other). triples: random sets of heads in all. heads: those to
    take out, () to find them. condition: which of the printed experiment's is shown, or all; seed: of its prompts.
    beside: a model that is run for comparison, on which no claim is judged and nothing is printed."""

    model: str = TOY
    n_examples: int = 192
    seeds: int = 2
    triples: int = 100
    heads: Heads = ()
    condition: str = "all"
    seed: int = 42
    beside: bool = False
    symbols: Symbols = field(default_factory=Symbols)

    def __post_init__(self):
        at_least(self, n_examples=1, seeds=1, triples=1)
        known = ("all", *CONDITIONS)
        expect(self.condition in known, f"condition={self.condition!r} is unknown; use one of {', '.join(known)}")
        if self.model == TOY:
            expect(
                self.seeds == self.symbols.seeds, f"seeds={self.seeds}, of the toy {self.symbols.seeds}; use one number"
            )
            self.check(self.symbols.layers, self.symbols.heads)
        else:
            loader.locate(self.model)

    def check(self, layers: int, heads: int) -> None:
        """Raises ValueError for a head that a model of this size lacks."""
        for layer, head in self.heads:
            size = f"{self.model} has blocks 0..{layers - 1} of heads 0..{heads - 1}"
            known = layer < layers and head < heads
            expect(known, f"heads={layer}.{head}: {size}; use one up to {layers - 1}.{heads - 1}, or found")

    @property
    def each(self) -> int:
        """Prompts of one template in one order."""
        return ceil(self.n_examples / (TEMPLATES * ORDERS))

    @property
    def prompts(self) -> int:
        """Prompts in all."""
        return self.each * TEMPLATES * ORDERS

    @property
    def triples_each(self) -> int:
        """Random triples of one seed."""
        return ceil(self.triples / self.seeds)
