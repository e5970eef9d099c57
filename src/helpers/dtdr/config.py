"""What is tried, as frozen dataclasses that refuse what cannot be: no device, no path, nothing that depends on a model.

`Emergence` and `Guided` are the chapters' settings, and make and check all of their trials before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from helpers.dtdr.damage import (
    CAUSES,
    CLAIMED,
    COLLAPSE,
    DOMAINS,
    FILLINGS,
    FROM_KEPT,
    FURTHER,
    KINDS,
    PIECES,
    PRINTED,
    SPOILS,
    Damage,
    Keep,
    one_of,
)  # fmt: skip

PUBLISHED = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # fractions of the seed document's first experiment
GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
FINE = (
    0.0,
    0.1,
    0.2,
    0.3,
    0.4,
    *(round(0.5 + k / 40, 3) for k in range(21)),
)  # steps of .025 where a threshold would lie
WRITE = 12  # masks that write texts, and masks of damages that no claim counts
SPOILED = (0.0001, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1)
JITTER = (0.03, 0.1, 0.3, 1.0)  # in standard deviations of a block
BITS = (1, 2, 3, 4, 5, 6, 7, 8)
BLOCKS = (16, 32, 64, 128, 256)
PROMPT = 12  # tokens of a prompt that texts are continued from
FEW = 5  # masks at least where causes and outliers are tried, and at most where many models or patterns are
SHARES = (0.2, 0.4, 0.6)  # kept in the published fills
MOST = {"masks": 64, "seeds": 64, "texts": 4096, "new": 1024, "length": 1 << 16, "workers": 256}  # what is taken


def count(least: int = 1, **given: object) -> None:
    """Raises ValueError, with the nearest value that works, unless each is a whole number of `least` … MOST."""
    for name, value in given.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not least <= value <= MOST[name]:
            near = min(max(value, least), MOST[name]) if whole else least
            raise ValueError(
                f"{name}={value!r}: a whole number of {least}…{MOST[name]} was expected; the nearest is {near}"
            )


def guided(priors: Iterable[str], weights: Iterable[float]) -> tuple[Keep, ...]:
    """The guided fill with every prior at every weight."""
    return tuple(Keep(fill="guided", prior=p, weight=w) for p in priors for w in weights)


@dataclass(frozen=True)
class Published:
    """The seed document's measurement: one prompt, one mask, levels as printed, and a greedy text of `new` tokens."""

    damages: tuple[Keep, ...] = PRINTED
    kept: tuple[float, ...] = PUBLISHED
    new: int = 24
    part: str = "printed"

    def __post_init__(self):
        count(new=self.new)
        _check(self.damages, self)
        if not all(isinstance(d, Keep) for d in self.damages):
            raise ValueError("the printed experiment keeps a share of coefficients: give it damages of the kind Keep")


@dataclass(frozen=True)
class Trial:
    """Damages, the levels that each is tried at, and masks. part: the section of a chapter that the records belong to.

    kept: also the energies of noise. new: tokens of a greedy text by the first `writes` masks; 0 for none.
    lean: rows keep cosine and loss, and nothing else that is measured.
    """

    part: str
    damages: tuple[Damage, ...]
    kept: tuple[float, ...] = GRID
    masks: int = 2
    spoiled: tuple[float, ...] = SPOILED
    bits: tuple[int, ...] = BITS
    new: int = 0
    writes: int = 1
    jitter: tuple[float, ...] = JITTER
    lean: bool = False

    def __post_init__(self):
        if not self.part:
            raise ValueError("part='': name the section that the records belong to")
        count(masks=self.masks)
        count(0, new=self.new)
        count(masks=self.writes)
        _check(self.damages, self)

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
        count(masks=self.masks)

    @cached_property
    def trials(self) -> dict[float, Trial]:
        """Factor -> what is tried: a level each, and a whole curve at the largest factor."""
        kept, spoiled = (0.0, 0.2, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0), (0.001, 0.01, 0.1)
        most = Trial("outliers", (*PIECES, DOMAINS[2]), kept, max(FEW, self.masks), spoiled, lean=True)
        few = Trial("dose", PIECES, (0.8,), self.masks, (0.001,), lean=True)
        return dict.fromkeys(self.times, few) | {max(self.times): most}


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
        count(workers=self.workers)
        trials = [*self.trials, *([self.ladder] if self.ladder else [])]
        asked = {getattr(damage, "prior", "") for trial in trials for damage in trial.damages}
        if missing := sorted(asked - {"", *self.priors}):
            raise ValueError(
                f"the trials ask for the priors {missing}, which members of the family do not get: {self.priors}"
            )


@dataclass(frozen=True)
class Common:
    """Settings that all chapters have: models are measured on `texts` texts of `length` tokens, under transforms of at most
    `block`. seeds: masks for every judged condition. new: tokens of a greedy text. family: whether other trainings of the
    storyteller are taken apart as well.
    """

    block: int = 128
    seeds: int = 3
    texts: int = 16
    length: int = 64
    new: int = 24
    family: bool = False

    def __post_init__(self):
        one_of("block", self.block, BLOCKS)
        count(seeds=self.seeds, texts=self.texts, new=self.new)
        count(PROMPT + 1, length=self.length)


@dataclass(frozen=True)
class Emergence(Common):
    """The first chapter. grid: shares kept; fine: those where claims look for a threshold; writes: masks that write texts."""

    grid: tuple[float, ...] = GRID
    fine: tuple[float, ...] = FINE
    writes: int = WRITE

    def __post_init__(self):
        super().__post_init__()
        some, claimed = min(WRITE, self.seeds), Trial("arms", CLAIMED, self.fine, self.seeds)
        vars(self).update(  # attributes of these names
            printed=Published(new=self.new),
            claimed=replace(claimed, new=self.new, writes=min(self.writes, self.seeds)),  # one loss in two domains
            others=Trial("arms", DOMAINS[2:], self.grid, some, new=self.new),  # noise and other patterns beside them
            kin=(claimed,),  # another training
        )


@dataclass(frozen=True)
class Kinds(Common):
    """The second chapter. grid: shares kept; fewer: those of the data collapse; further: whether bursts are tried as well."""

    grid: tuple[float, ...] = GRID
    fewer: tuple[float, ...] = (0.4, 0.6, 0.8, 0.9)
    further: bool = False

    def __post_init__(self):
        super().__post_init__()
        lost = Trial("arms", DOMAINS[:3], self.grid, self.seeds, lean=True)
        damage = Trial("damage", SPOILS[:2], self.grid, self.seeds, lean=True)
        kinds = Trial(
            "damage", KINDS, self.grid, self.seeds, (0.001, 0.003, 0.01, 0.02, 0.05), jitter=(0.1, 0.3), lean=True
        )
        orders = Trial("damage", SPOILS[2:], self.grid, min(WRITE, self.seeds), lean=True)
        collapse = Trial("collapse", COLLAPSE, self.fewer, self.seeds, lean=True)
        made = {
            "lost": lost,  # truncation and noise of the same cosine
            "damage": damage,  # corruption as published
            "kinds": kinds,  # bytes at random, noise on all codes
            "orders": orders,  # bit planes, and the largest first
            "collapse": collapse,  # four domains and three fills
            "patterns": Trial("further", FURTHER, self.grid, min(FEW, self.seeds), lean=True),  # bursts, columns, gain
            "kin": (lost, damage, kinds, collapse),  # another training
        }
        vars(self).update(made)


@dataclass(frozen=True)
class Models(Common):
    """The third chapter. grid: shares kept; times: sizes of outlier channels."""

    grid: tuple[float, ...] = GRID
    times: tuple[float, ...] = (1 / 32, 1 / 8, 8, 32)

    def __post_init__(self):
        super().__post_init__()
        claimed = Trial("arms", CLAIMED, self.grid, self.seeds, lean=True)
        dose = Trial("damage", SPOILS[:2], self.grid, self.seeds, (0.001,), lean=True)
        ladder = replace(claimed, part="ladder", masks=min(FEW, self.seeds))
        made = {
            "claimed": claimed,
            "spoiled": dose,  # what outliers are held against
            "cause": Trial("cause", CAUSES, (0.8, 0.9), max(FEW, self.seeds), lean=True),  # four errors of one cosine
            "outliers": Outliers(self.times, self.seeds),  # one function in weights of unequal size
            "members": Family((claimed,), ladder, workers=8),
        }
        vars(self).update(made)


@dataclass(frozen=True)
class Guided(Common):
    """The second chapter. weights: of a prior. mode: the document's flag, which of its fills are shown, or all."""

    weights: tuple[float, ...] = (0.15, 0.6, 1.0)
    mode: str = "all"

    def __post_init__(self):
        super().__post_init__()
        one_of("mode", self.mode, ("all", *FILLINGS))
        modes = {damage: name for name, damage in FILLINGS.items() if self.mode in ("all", name)}
        published = guided(("leaked", "other"), (0.15,))  # with zeros and random numbers what claims compare
        judged = Trial("priors", (Keep(fill="random"), *published), SHARES, self.seeds)
        zero = Trial("priors", (Keep(),), GRID[1:-1], self.seeds)
        some = min(WRITE, self.seeds)
        further = guided(("leaked", "other"), [b for b in self.weights if b != 0.15])
        others = [Trial("priors", further, SHARES, some)] if further else []
        made = {
            "modes": modes,  # the printed fills that are shown, with their names
            "printed": Published(tuple(modes), SHARES, self.new),
            "zero": replace(zero, new=self.new, writes=some),  # what priors are held against
            "random": Trial("priors", (Keep(fill="random"),), SHARES, self.seeds, new=self.new, writes=self.seeds),
            "tuned": Trial("priors", (Keep(), *guided(("before",), self.weights)), SHARES, some),  # from the one before
            "members": Family((zero, judged, *others), priors=("leaked", "other"), workers=8),  # other seeds
        }
        vars(self).update(made)

    def fills(self, priors: Iterable[str]) -> tuple[Trial, ...]:
        """Guided fill at the published weight by all masks; other weights, priors of the kept part and a gain by some."""
        some = min(WRITE, self.seeds)
        published = Trial("priors", guided(priors, (0.15,)), SHARES, self.seeds, new=self.new)
        further = guided(priors, [b for b in self.weights if b != 0.15])
        made = guided(FROM_KEPT, self.weights)
        return published, Trial("priors", (Keep(fill="gain"), *made, *further), SHARES, min(8, some), new=self.new)


def _check(damages: tuple[Damage, ...], grid: Published | Trial) -> None:
    if len(set(damages)) != len(damages) or not damages:
        raise ValueError(f"part {grid.part!r}: {len(damages)} damages, each of which must be there once, at least one")
    for damage in damages:
        levels = grid.kept if isinstance(grid, Published) else damage.levels(grid)
        if not levels or len(set(levels)) != len(levels):
            raise ValueError(f"{damage.level}={levels}: one level or more was expected, each once")
        for level in levels:
            damage.check(level)
