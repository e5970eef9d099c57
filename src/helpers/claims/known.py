"""Answers that are known: could a criterion's tests have said otherwise?"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from helpers import stats
from helpers.claims.criteria import Claim, Criterion, Test
from helpers.claims.guards import border, border_refuting, control, refuting
from helpers.claims.judge import LEVEL, Outcome, by_criterion, examine
from helpers.claims.words import MIXED, REFUTED, SUPPORTED

RESAMPLES = 4000

Quantities = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Probe:
    """The verdicts of a precise criterion on quantities whose answer is known: the effect planted, and taken out.

    solid: the verdict without the effect of those tests alone whose border is not zero; '' where there are none. On a border of
    zero lies an effect that was taken out, and can be undecided. follows: whether the quantities go where the effect is: all
    means inside their regions with it, and without it at least one outside.
    """

    id: str
    planted: str
    absent: str
    solid: str = REFUTED
    follows: bool = True

    @property
    def passed(self) -> bool:
        """Whether both answers were given: what a support needs."""
        return self.planted == SUPPORTED and self.absent != SUPPORTED and self.solid in ("", REFUTED)

    @property
    def right(self) -> bool:
        """Whether no answer is wrong, though it may be open: what a refutation needs."""
        return self.planted not in (REFUTED, MIXED) and self.absent != SUPPORTED and self.follows


def bare(criterion: Criterion, least: int = 1) -> Criterion:
    """A criterion without its planned units; an interval of its tests decides from `least` units on, and its known answers hold
    nothing back unless it names them."""
    tests = tuple(replace(t, least=None, planned=None) for t in criterion.tests)
    return replace(criterion, tests=tests, planned=None, least=least, unprobed=True)


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
        told = [by_criterion(name, "precise", criterion, quantities) for criterion, quantities in given]
        there, gone = (_inside(verdict.outcomes) for verdict in told[:2])
        solidly = {} if solid.tests else {"solid": ""}
        out.append(Probe(name, *(v.verdict for v in told), follows=all(there) and not all(gone), **solidly))
    return out


def _inside(outcomes: Sequence[Outcome]) -> list[bool]:
    """Of each test whether its mean lies inside its region; on the border it does not, by whatever it was rounded."""
    near = lambda o: any(math.isclose(o.estimate, b, rel_tol=1e-9, abs_tol=1e-9) for b in (o.above, o.below))
    return [o.estimate is not None and o.above < o.estimate < o.below and not near(o) for o in outcomes]


def probed(probes: Iterable[Probe], sights: Iterable[Sight] = ()) -> dict[str, list[float]]:
    """The quantities of `guards`: whether a claim's known answers let it be supported (one, else zero), and refuted; and how
    often its tests would err on their borders, those of them that lie near enough for it to matter."""
    out = {}
    for p in probes:
        out |= {control(p.id): [float(p.passed)], refuting(p.id): [float(p.right)]}
    by_claim = defaultdict(list)
    for s in sights:
        by_claim[s.id].append(s)
    for name, seen in by_claim.items():
        out[border(name)] = [max(s.false * s.near for s in seen)]
        out[border_refuting(name)] = [min((s.fell * s.near for s in seen if s.refutes), default=0.0)]
    return out


@dataclass(frozen=True)
class Sight:
    """How sharp one test is on its own units: how often it supports an effect that lies on the border, how often one at twice
    the margin (`planted`; None where the claim names no smallest effect), and the least distance from the border that is seen
    with power .8. near: whether the measured mean lies within that distance of a border. fell: how often it refutes, alone, an
    effect that lies on the border; refutes: whether it refutes the one that was measured, beside the claim's others.
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
    fell: float = 0.0
    refutes: bool = False


def sights(claims: Mapping[str, Claim], quantities: Quantities, seed: int = 0) -> list[Sight]:
    """Every t test of the precise criteria whose quantity was measured, tried on its own scatter RESAMPLES times.

    The deviations of the units from their mean are drawn with replacement, scaled by √(n / (n − 1)) to their unbiased
    variance, and put around the border and around the planted effect (Efron 1979; Davison and Hinkley 1997, §4.4).
    """
    out = []
    for claim in claims.values():
        for test in claim.precise.tests:
            values = quantities.get(test.quantity, [])[: claim.precise.plan(test)]
            if (
                test.interval == "t"
                and len(values) > 1
                and all(math.isfinite(v) and (v > 0 or not test.log) for v in values)
            ):
                out.append(_sight(claim.id, test, np.asarray(values, float), seed, len(claim.precise.tests)))
    return out


def _sight(name: str, test: Test, values: np.ndarray, seed: int, tests: int) -> Sight:
    x = np.log(values) if test.log else values
    scale = math.log if test.log else float
    above, below = (scale(b) if math.isfinite(b) else b for b in (test.above, test.below))
    n, rng = len(x), np.random.default_rng(seed)
    away = (x - x.mean()) * math.sqrt(n / (n - 1))
    drawn = away[rng.integers(0, n, (RESAMPLES, n))]  # (R, n)
    off, spread = drawn.mean(axis=1), drawn.std(axis=1, ddof=1)  # (R,)
    half = stats.half_width(spread, n, LEVEL)

    def supported(mean: float) -> float:
        return float(((mean + off - half > above) & (mean + off + half < below)).mean())

    def refuted(mean: float) -> float:
        return float(((mean + off + half < above) | (mean + off - half > below)).mean())

    borders = [b for b in (above, below) if math.isfinite(b)]
    planted = None if test.planted is None else scale(test.planted)
    visible = stats.least_visible(x)
    return Sight(
        name, test.quantity, test.says or test.quantity, n, max(map(supported, borders)),
        None if planted is None else supported(planted), test.planted, math.exp(min(visible, 700)) if test.log else visible,
        bool(min(abs(x.mean() - b) for b in borders) < visible), max(map(refuted, borders)),
        examine(test, values, tests=tests).verdict == REFUTED,
    )  # fmt: skip
