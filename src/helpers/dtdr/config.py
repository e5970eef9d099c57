"""What is tried, as frozen dataclasses that refuse what cannot be: no device, no path, nothing that depends on a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from helpers.dtdr.damage import Damage, Keep, Noise, Planes, Spoil, one_of

PUBLISHED = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # fractions of the seed document's first experiment
GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
SPOILED = (0.0001, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1)
BITS = (1, 2, 3, 4, 5, 6, 7, 8)
BLOCKS = (16, 32, 64, 128, 256)
PROMPT = 12  # tokens of a prompt that texts are continued from
MASKS, TEXTS, NEW = 64, 4096, 1024  # the largest numbers that are taken

PIECES = (Keep("identity"), Keep(), Spoil("hadamard"), Spoil("identity"))  # lost and spoiled, raw and transformed
DOMAINS = (  # same loss, same masks, different domains and patterns: the main figure of the chapter on emergence
    Keep("identity"), Keep("hadamard"), Noise(), Keep("permutation", "rows"), Keep("identity", "rows"),
    Keep("hadamard", "rows"), Keep("identity", "rows", protect=True),
)  # fmt: skip
SPOILS = (*PIECES[2:], Planes("hadamard"), Planes("identity"), Keep("identity", "magnitude"))
FURTHER = (  # a second look: columns, shards, gain, and both with the vocabulary whole
    Keep(fill="gain"), Keep("hadamard", "columns"), Keep("identity", "columns"), Keep("hadamard", "shards"),
    Keep("identity", "shards"), Keep("permutation", "shards"), Keep(protect=True), Keep("identity", protect=True),
)  # fmt: skip
CAUSES = (Keep("identity"), Keep(), Noise("entry"), Noise("row"))
COLLAPSE = tuple(  # four domains, three fills that change the cosine; those of DOMAINS are not repeated
    Keep(domain, fill=fill, prior=prior, weight=weight)
    for domain in ("identity", "hadamard", "dct", "permutation")
    for fill, prior, weight in (("random", "", 0.0), ("guided", "leaked", 0.15))
) + (Keep("dct"), Keep("permutation"))
PRINTED = (Keep("identity", "rows"), Keep("hadamard", "rows"), Keep("hadamard"))
MODES = {  # the document's fills of missing rows
    "zero": Keep("identity", "rows"),
    "random": Keep("identity", "rows", "random"),
    "guided": Keep("identity", "rows", "guided", "leaked", 0.15),
}


def count(name: str, given: object, low: int, high: int) -> None:
    """Raises ValueError, with the nearest value that works, unless `given` is a whole number of low … high."""
    whole = isinstance(given, int) and not isinstance(given, bool)
    if not whole or not low <= given <= high:
        nearest = min(max(given, low), high) if whole else low
        raise ValueError(f"{name}={given!r}: a whole number of {low}…{high} was expected; the nearest is {nearest}")


def guided(priors: Iterable[str], weights: Iterable[float]) -> tuple[Keep, ...]:
    """The guided fill with every prior at every weight."""
    return tuple(Keep(fill="guided", prior=p, weight=w) for p in priors for w in weights)


def modes(mode: str) -> dict[str, Keep]:
    """The document's flag: one of its fills by name, or all. Raises ValueError for another word."""
    one_of("mode", mode, ("all", *MODES))
    return {name: damage for name, damage in MODES.items() if mode in ("all", name)}


@dataclass(frozen=True)
class Scope:
    """What a model is measured on, and the largest block of its transform: texts of `length` tokens."""

    texts: int = 16
    length: int = 64
    block: int = 128

    def __post_init__(self):
        count("texts", self.texts, 1, TEXTS)
        count("length", self.length, PROMPT + 1, 1 << 16)
        one_of("block", self.block, BLOCKS)


@dataclass(frozen=True)
class Published:
    """The seed document's measurement: one prompt, one mask, levels as printed, and a greedy text of `new` tokens."""

    damages: tuple[Keep, ...] = PRINTED
    kept: tuple[float, ...] = PUBLISHED
    new: int = 24
    part: str = "printed"

    def __post_init__(self):
        count("new", self.new, 1, NEW)
        _check(self.damages, self.kept)
        if not all(isinstance(d, Keep) for d in self.damages):
            raise ValueError(
                "the printed experiment keeps a share of the coefficients: give it damages of the kind Keep"
            )


@dataclass(frozen=True)
class Trial:
    """Damages, the levels that each is tried at, and masks. part: the section of a chapter that the records belong to.

    kept: also the energies of noise. new: tokens of a greedy text by the first mask; 0 for none.
    """

    part: str
    damages: tuple[Damage, ...]
    kept: tuple[float, ...] = GRID
    masks: int = 2
    spoiled: tuple[float, ...] = SPOILED
    bits: tuple[int, ...] = BITS
    new: int = 0

    def __post_init__(self):
        if not self.part:
            raise ValueError("part='': name the section that the records belong to")
        count("masks", self.masks, 1, MASKS)
        count("new", self.new, 0, NEW)
        for damage in self.damages:
            _check([damage], damage.levels(self))
        if len(set(self.damages)) != len(self.damages) or not self.damages:
            raise ValueError(
                f"part {self.part!r}: {len(self.damages)} damages, each of which must be there once, at least one"
            )

    @property
    def size(self) -> int:
        """How many times a model is rebuilt and measured."""
        return self.masks * sum(len(d.levels(self)) for d in self.damages)


@dataclass(frozen=True)
class Outliers:
    """One function in weights of more and more unequal size: channels `times` as large. At the largest more is measured."""

    times: tuple[float, ...] = (1 / 32, 1 / 8, 8, 32)
    masks: int = 3

    def __post_init__(self):
        wrong = [t for t in self.times if not 2**-10 <= t <= 2**10]
        if wrong or not self.times:
            near = [min(max(t, 2**-10), 2**10) if t == t else 1.0 for t in wrong]
            raise ValueError(
                f"times={wrong or self.times}: factors of 2^-10 … 2^10 were expected; the nearest are {near}"
            )
        count("masks", self.masks, 1, MASKS)

    @cached_property
    def trials(self) -> dict[float, Trial]:
        """Factor -> what is tried: a level each, and a whole curve at the largest factor."""
        out = {t: Trial("dose", PIECES, (0.8,), self.masks, (0.001,)) for t in self.times}
        kept = (0.0, 0.2, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
        masks = max(5, self.masks)
        return out | {max(self.times): Trial("outliers", (*PIECES, Noise()), kept, masks, (0.001, 0.01, 0.1))}


@dataclass(frozen=True)
class Family:
    """Other storytellers: `trials` on those of the embedded one's size, and `ladder` on deeper and wider ones, if any.

    priors: which of "leaked" (a copy of each model) and "other" (the model at hand) they get.
    """

    trials: tuple[Trial, ...]
    ladder: Trial | None = None
    priors: tuple[str, ...] = ("leaked",)
    workers: int = 1

    def __post_init__(self):
        for prior in self.priors:
            one_of("prior", prior, ("leaked", "other"))
        count("workers", self.workers, 1, 256)
        asked = {p for t in (*self.trials, *([self.ladder] if self.ladder else [])) for d in t.damages
                 if (p := getattr(d, "prior", ""))}  # fmt: skip
        if missing := sorted(asked - set(self.priors)):
            raise ValueError(
                f"the trials ask for the priors {missing}, which members of the family do not get: {self.priors}"
            )


def _check(damages: Iterable[Damage], levels: tuple[float, ...]) -> None:
    for damage in damages:
        if not levels or len(set(levels)) != len(levels):
            raise ValueError(f"{damage.level}={levels}: one level or more was expected, each once")
        for level in levels:
            damage.check(level)
