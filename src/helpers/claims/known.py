"""Answers that are known: could a criterion's tests have said otherwise?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from helpers import stats
from helpers.claims.criteria import Claim, Criterion, Test
from helpers.claims.judge import LEVEL, by_criterion
from helpers.claims.words import REFUTED, SUPPORTED

FALSE = 0.03  # of supports at the border, at most
RESAMPLES = 4000

Quantities = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Probe:
    """The verdicts of a precise criterion on quantities whose answer is known: the effect planted, and taken out.

    solid: the verdict without the effect of those tests alone whose border is not zero; '' where there are none. On a border of
    zero lies an effect that was taken out, and can be undecided.
    """

    id: str
    planted: str
    absent: str
    solid: str = REFUTED

    @property
    def passed(self) -> bool:
        return self.planted == SUPPORTED and self.absent != SUPPORTED and self.solid in ("", REFUTED)


def bare(criterion: Criterion, least: int = 1) -> Criterion:
    """A criterion's tests alone, without its planned units; an interval decides from `least` units on."""
    tests = tuple(replace(t, least=None) for t in criterion.tests)
    return replace(criterion, tests=tests, planned=None, least=least)


def probe(claims: Mapping[str, Claim], known: Mapping[str, tuple[Quantities, Quantities]]) -> list[Probe]:
    """Judge planted answers. known: {claim: (quantities with its effect, quantities without)}; raises KeyError for an
    unknown claim. A criterion's own controls are left out: it is they that are made here, by `probed`. So is the number of
    units that was planned: what a smaller run cannot decide is said of its own verdict.
    """
    out = []
    for name, pair in known.items():
        precise = claims[name].precise
        asked = replace(bare(precise), controls=())
        solid = replace(
            asked, tests=tuple(t for t in asked.tests if t.interval != "p" and 0.0 not in (t.above, t.below))
        )
        given = [(asked, pair[0]), (asked, pair[1]), *([(solid, pair[1])] if solid.tests else [])]
        told = [by_criterion(name, "precise", criterion, quantities).verdict for criterion, quantities in given]
        out.append(Probe(name, *told, *([] if solid.tests else [""])))
    return out


def probed(probes: Iterable[Probe], sights: Iterable[Sight] = ()) -> dict[str, list[float]]:
    """Quantities '<claim>_controls' for the criteria's controls: one where both known answers were given, else zero; zero, too,
    where a test that cries wolf at its border has to decide near it (`Sight.doubtful`)."""
    doubtful = {s.id for s in sights if s.doubtful}
    return {control(p.id): [float(p.passed and p.id not in doubtful)] for p in probes}


def control(claim: str) -> str:
    """The quantity that says whether a claim's tests tell a planted answer from an absent one."""
    return f"{claim.lower()}_controls"


@dataclass(frozen=True)
class Sight:
    """How sharp one test is on its own units: how often it supports an effect that lies on the border, how often one at twice
    the margin (`planted`; None where the claim names no smallest effect), and the least distance from the border that is seen
    with power .8. near: whether the measured mean lies within that distance of a border.
    """

    id: str
    quantity: str
    says: str
    n: int
    false: float
    power: float | None
    planted: float | None
    visible: float
    near: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether it supports twice as often at its border as it may, and its mean lies nearer to it than what it can see."""
        return self.near and self.false > 2 * FALSE


def sights(claims: Mapping[str, Claim], quantities: Quantities, seed: int = 0) -> list[Sight]:
    """Every t test of the precise criteria whose quantity was measured, tried on its own scatter RESAMPLES times.

    The deviations of the units from their mean are drawn with replacement, scaled by √(n / (n − 1)) to their unbiased
    variance, and put around the border and around the planted effect (Efron 1979; Davison and Hinkley 1997, §4.4).
    """
    out = []
    for claim in claims.values():
        for test in claim.precise.tests:
            values = quantities.get(test.quantity, [])[: claim.precise.planned]
            if (
                test.interval == "t"
                and len(values) > 1
                and all(math.isfinite(v) and (v > 0 or not test.log) for v in values)
            ):
                out.append(_sight(claim.id, test, np.asarray(values, float), seed))
    return out


def _sight(name: str, test: Test, values: np.ndarray, seed: int) -> Sight:
    x = np.log(values) if test.log else values
    scale = math.log if test.log else float
    above, below = (scale(b) if math.isfinite(b) else b for b in (test.above, test.below))
    n, rng = len(x), np.random.default_rng(seed)
    away = (x - x.mean()) * math.sqrt(n / (n - 1))
    drawn = away[rng.integers(0, n, (RESAMPLES, n))]  # (R, n)
    half = stats.half_width(drawn.std(axis=1, ddof=1), n, LEVEL)  # (R,)

    def supported(mean: float) -> float:
        middle = mean + drawn.mean(axis=1)
        return float(((middle - half > above) & (middle + half < below)).mean())

    borders = [b for b in (above, below) if math.isfinite(b)]
    planted = None if test.planted is None else scale(test.planted)
    visible = stats.least_visible(x)
    return Sight(
        name, test.quantity, test.says or test.quantity, n, max(map(supported, borders)),
        None if planted is None else supported(planted), test.planted, math.exp(min(visible, 700)) if test.log else visible,
        min(abs(x.mean() - b) for b in borders) < visible,
    )  # fmt: skip
