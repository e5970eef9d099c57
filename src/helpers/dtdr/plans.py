"""What the two chapters try, made and checked as a whole before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property

from helpers.dtdr import config
from helpers.dtdr.config import GRID, Family, Outliers, Published, Scope, Trial
from helpers.dtdr.damage import FROM_KEPT, Damage, Keep

FEW = 5  # masks at least where causes and outliers are tried, and at most where many models or patterns are
SHARES = (0.2, 0.4, 0.6)  # kept in the published fills


@dataclass(frozen=True)
class Common:
    """Settings that both chapters have. seeds: masks for every judged condition. new: tokens of a greedy text."""

    block: int = 128
    seeds: int = 3
    texts: int = 16
    length: int = 64
    new: int = 24
    family: bool = False  # whether other members of the storyteller's family are trained and taken apart

    def __post_init__(self):
        known = {f.name for f in fields(self)}
        for name in dir(type(self)):  # each of the trials checks itself as it is made
            if isinstance(getattr(type(self), name), cached_property) and name not in known:
                getattr(self, name)

    @cached_property
    def scope(self) -> Scope:
        """The texts that a model is measured on, and the largest block."""
        return Scope(self.texts, self.length, self.block)


@dataclass(frozen=True)
class Emergence(Common):
    """The trials of the first chapter. grid: shares kept; fewer: those of the data collapse; times: sizes of outlier channels;
    further: whether patterns of loss beyond the main ones are tried.
    """

    grid: tuple[float, ...] = GRID
    fewer: tuple[float, ...] = (0.4, 0.6, 0.8, 0.9)
    times: tuple[float, ...] = (1 / 32, 1 / 8, 8, 32)
    further: bool = False

    @cached_property
    def printed(self) -> Published:
        return Published(new=self.new)

    @cached_property
    def arms(self) -> Trial:
        """The main figure: one loss in different domains and patterns."""
        return Trial("arms", config.DOMAINS, self.grid, self.seeds, new=self.new)

    @cached_property
    def damage(self) -> Trial:
        """Corruption and bit planes."""
        return Trial("damage", config.SPOILS, self.grid, self.seeds)

    @cached_property
    def collapse(self) -> Trial:
        """Four domains and three fills."""
        return Trial("collapse", config.COLLAPSE, self.fewer, self.seeds)

    @cached_property
    def patterns(self) -> Trial:
        """Bursts, columns, gain, and the vocabulary kept whole."""
        return Trial("further", config.FURTHER, self.grid, min(FEW, self.seeds))

    @cached_property
    def cause(self) -> Trial:
        """Four errors of one cosine."""
        return Trial("cause", config.CAUSES, (0.8, 0.9), max(FEW, self.seeds))

    @cached_property
    def outliers(self) -> Outliers:
        """One function in weights of unequal size."""
        return Outliers(self.times, self.seeds)

    @cached_property
    def members(self) -> Family:
        """The judged trials on other seeds, and both domains on a ladder of depths and widths."""
        arms = Trial("arms", config.DOMAINS, self.grid, self.seeds)
        ladder = Trial("ladder", config.DOMAINS[:2], self.grid, min(FEW, self.seeds))
        return Family((arms, self.damage, self.collapse), ladder, workers=8)


@dataclass(frozen=True)
class Guided(Common):
    """The trials of the second chapter. weights: of a prior; mode: which fills the printed experiment shows."""

    weights: tuple[float, ...] = (0.15, 0.6, 1.0)
    mode: str = "all"

    @cached_property
    def modes(self) -> dict[Damage, str]:
        """The printed fills that are shown, with their names."""
        return {damage: name for name, damage in config.modes(self.mode).items()}

    @cached_property
    def printed(self) -> Published:
        return Published(tuple(self.modes), SHARES, self.new)

    @cached_property
    def zero(self) -> Trial:
        """Zero fill at many shares, the line that priors are held against."""
        return Trial("priors", (Keep(),), GRID[1:-1], self.seeds, new=self.new)

    @cached_property
    def tuned(self) -> Trial:
        """The model after fine-tuning, from the one before."""
        return Trial("priors", (Keep(), *config.guided(("before",), self.weights)), SHARES, self.seeds)

    @cached_property
    def members(self) -> Family:
        """Other seeds, from copies of themselves and from the model at hand."""
        priors = ("leaked", "other")
        fills = (Keep(), Keep(fill="random"), *config.guided(priors, self.weights))
        return Family((Trial("priors", fills, SHARES, self.seeds),), None, priors)

    def fills(self, priors: Iterable[str]) -> Trial:
        """Random numbers, gain, and guided fill with these priors and with those made of the kept part."""
        guided = config.guided((*priors, *FROM_KEPT), self.weights)
        return Trial("priors", (Keep(fill="random"), Keep(fill="gain"), *guided), SHARES, self.seeds, new=self.new)
