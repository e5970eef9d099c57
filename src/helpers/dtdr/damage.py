"""Ways to lose or to spoil a part of a model, each an object that knows its levels and how to bring them about.

    Keep    a share of the stored coefficients arrives, the rest is filled        level `kept`, 0…1
    Spoil   all arrive, a share of the codes is wrong                             level `spoiled`, 0…1
    Jitter  all arrive, each with Gaussian noise on it                            level `jitter`, in deviations of its block
    Planes  the leading bits of every code arrive                                 level `bits`, 0…8
    Noise   nothing is stored: Gaussian noise, all coefficients present           level `energy`, the squared cosine left

Fields that a kind does not have are empty in its columns, so that a damage selects its own rows and no others.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

from helpers.codec import ORDERS, Fill, corrupt, decode, jitter
from helpers.codec.fills import KINDS as FILLS
from helpers.codec.transform import KINDS as TRANSFORMS

if TYPE_CHECKING:
    from helpers.dtdr.config import Trial
    from helpers.dtdr.subject import Subject

EMPTY = {"domain": "", "order": "", "fill": "", "prior": "", "weight": 0.0, "protect": False, "per": "",
         "mode": ""}  # fmt: skip
UNDRAWN = ("rows", "magnitude")  # orders in which coefficients are lost by their place or size, not by lot
FROM_KEPT = ("row_mean", "low_rank")  # priors that are made of what has arrived, anew for every level and mask
MODES = ("xor", "byte")
PATTERNS = tuple(order for order in ORDERS if order != "planes")


def one_of(what: str, given: object, known: Sequence[object]) -> None:
    """Raises ValueError unless `given` is one of the known values; the nearest of them is named."""
    if given not in known:
        near = difflib.get_close_matches(str(given), [str(k) for k in known], 1, 0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{what} {given!r} is unknown; choose one of {', '.join(map(str, known))}{hint}")


class Damage(ABC):
    """One way to damage a model, at any level, by any mask."""

    kind: ClassVar[str]
    level: ClassVar[str]  # the column of a record that holds the level
    most: ClassVar[float] = 1.0  # the largest level

    @property
    def columns(self) -> dict[str, object]:
        """Every condition column of a record, with this damage's values."""
        return {"damage": self.kind} | EMPTY | asdict(self)

    @property
    def label(self) -> str:
        """A name for people and files; nothing reads it back."""
        named = [str(v) for k, v in asdict(self).items() if isinstance(v, str) and v]
        extra = [f"{w:g}"] if (w := getattr(self, "weight", 0.0)) else []
        return ".".join([self.kind, *named, *extra, *(["protected"] if getattr(self, "protect", False) else [])])

    @property
    def draws(self) -> bool:
        """Whether anything of it depends on the seed; where nothing does, all seeds give the same rows."""
        return True

    @abstractmethod
    def levels(self, grid: Trial) -> tuple[float, ...]:
        """Those of a trial's levels that are of this damage's kind."""

    @abstractmethod
    def apply(self, subject: Subject, level: float, seed: int) -> None:
        """Write what is left of the model at a level into it. seed: of the mask, the noise or the corruption, the same for
        all damages, so that losses can be compared in pairs.
        """

    def check(self, level: float) -> None:
        """Raises ValueError for a level out of range."""
        if not 0 <= level <= self.most:
            nearest = min(max(level, 0), self.most) if level == level else self.most
            raise ValueError(
                f"{self.level}={level} is not within 0…{self.most:g}; the nearest that works is {nearest:g}"
            )


@dataclass(frozen=True)
class Keep(Damage):
    """A share of the coefficients is kept. domain: what they are, a transform's name. order: which are kept. fill: what stands
    for the others; for "guided" a prior, and its weight. protect: embedding and output head stay whole.
    """

    domain: str = "hadamard"
    order: str = "iid"
    fill: str = "zero"
    prior: str = ""
    weight: float = 0.0
    protect: bool = False
    kind: ClassVar[str] = "keep"
    level: ClassVar[str] = "kept"

    def __post_init__(self):
        one_of("domain", self.domain, TRANSFORMS)
        one_of("order", self.order, PATTERNS)
        one_of("fill", self.fill, FILLS)
        if bool(self.prior) != (self.fill == "guided"):
            raise ValueError(
                f"fill={self.fill!r}, prior={self.prior!r}: a prior goes with the guided fill, and with no other"
            )
        if not (self.prior and -8 <= self.weight <= 8) and self.weight != 0:
            raise ValueError(f"weight={self.weight}: a prior's weight of -8…8, or 0 without a prior, was expected")

    @property
    def draws(self) -> bool:
        return self.order not in UNDRAWN or self.fill == "random"

    def levels(self, grid: Trial) -> tuple[float, ...]:
        return grid.kept

    def apply(self, subject: Subject, level: float, seed: int) -> None:
        if self.prior in FROM_KEPT:  # one at a time: all of them would be a second model in float32
            for name, (encoded, out) in subject.codes.pairs(self.domain).items():
                known = {name: subject.codes.from_kept(self, name, level, seed)}
                decode(encoded, level, self.order, Fill(self.fill, self.weight, known), seed, out=out)
        else:
            known = subject.codes.prior(self.domain, self.prior) if self.prior else None
            fill = Fill(self.fill, self.weight, known)
            subject.codes.live(self.domain).decode(level, self.order, fill, seed)
        if self.protect:
            subject.weights.restore(("embed", "head"))


@dataclass(frozen=True)
class Spoil(Damage):
    """All codes are there, and a share of them is wrong. mode: "xor", seven of eight bits flipped (published); "byte", a byte
    at random in place of the code.
    """

    domain: str = "hadamard"
    mode: str = "xor"
    kind: ClassVar[str] = "spoil"
    level: ClassVar[str] = "spoiled"

    def __post_init__(self):
        one_of("domain", self.domain, TRANSFORMS)
        one_of("mode", self.mode, MODES)

    def levels(self, grid: Trial) -> tuple[float, ...]:
        return grid.spoiled

    def apply(self, subject: Subject, level: float, seed: int) -> None:
        if self.mode == "xor":
            subject.codes.live(self.domain).spoil(level, seed)
            return
        for encoded, out in subject.codes.pairs(self.domain).values():
            decode(corrupt(encoded, level, seed, mode=self.mode), out=out)


@dataclass(frozen=True)
class Jitter(Damage):
    """All codes are there, and Gaussian noise stands on each: `jitter` times the standard deviation of its block."""

    domain: str = "hadamard"
    kind: ClassVar[str] = "jitter"
    level: ClassVar[str] = "jitter"
    most: ClassVar[float] = 8

    def __post_init__(self):
        one_of("domain", self.domain, TRANSFORMS)

    def levels(self, grid: Trial) -> tuple[float, ...]:
        return grid.jitter

    def apply(self, subject: Subject, level: float, seed: int) -> None:
        for encoded, out in subject.codes.pairs(self.domain).values():
            jitter(encoded, level, seed, out)


@dataclass(frozen=True)
class Planes(Damage):
    """The leading bits of every code: the sign, then the magnitude's from the largest."""

    domain: str = "hadamard"
    kind: ClassVar[str] = "planes"
    level: ClassVar[str] = "bits"
    most: ClassVar[float] = 8

    def __post_init__(self):
        one_of("domain", self.domain, TRANSFORMS)

    def levels(self, grid: Trial) -> tuple[float, ...]:
        return grid.bits

    def check(self, level: float) -> None:
        if level != int(level) or not 0 <= level <= 8:
            raise ValueError(
                f"bits={level}: a whole number of 0…8 was expected; the nearest is {min(max(round(level), 0), 8)}"
            )

    def apply(self, subject: Subject, level: float, seed: int) -> None:
        subject.codes.live(self.domain).decode(level / 8, "planes", mask_seed=seed)


@dataclass(frozen=True)
class Noise(Damage):
    """Gaussian noise of one size per row, or in proportion to each entry, that leaves a given squared cosine."""

    per: str = "row"
    kind: ClassVar[str] = "noise"
    level: ClassVar[str] = "energy"

    def __post_init__(self):
        one_of("per", self.per, ("row", "entry"))

    def levels(self, grid: Trial) -> tuple[float, ...]:
        return grid.kept

    def apply(self, subject: Subject, level: float, seed: int) -> None:
        subject.weights.noise(self.per, level**0.5, seed)


# What the chapters set side by side.
PIECES = (Keep("identity"), Keep(), Spoil("hadamard"), Spoil("identity"))  # lost and spoiled, raw and transformed
DOMAINS = (  # same loss, same masks, different domains and patterns: the main figure of the chapter on emergence
    Keep("identity"), Keep("hadamard"), Noise(), Keep("permutation", "rows"), Keep("identity", "rows"),
    Keep("hadamard", "rows"), Keep("identity", "rows", protect=True),
)  # fmt: skip
CLAIMED = DOMAINS[:2]  # raw and transformed, which claims compare
SPOILS = (*PIECES[2:], Planes("hadamard"), Planes("identity"), Keep("identity", "magnitude"))
KINDS = (
    Spoil("hadamard", "byte"),
    Spoil("identity", "byte"),
    Jitter("hadamard"),
    Jitter("identity"),
)  # two more kinds of damage
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
FILLINGS = {  # the document's fills of missing rows
    "zero": Keep("identity", "rows"),
    "random": Keep("identity", "rows", "random"),
    "guided": Keep("identity", "rows", "guided", "leaked", 0.15),
}
