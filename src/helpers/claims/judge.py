"""Verdicts: each test's interval against its region, a claim's tests taken together, and all claims of a ledger."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from helpers import numbers, stats
from helpers.claims import guards
from helpers.claims.criteria import SAMPLED, Claim, Criterion, Test
from helpers.claims.words import ARITHMETIC, AWAITING, MIXED, REFUTED, SUPPORTED, TOO_FEW, UNDECIDED

PRECISE = "precise"  # the criterion that known answers are made for
LEVEL = 0.95  # of the intervals that are shown, and that support


@dataclass(frozen=True)
class Outcome:
    """One test against one run: the estimate, its interval, and the verdict.

    low, high: the 95 % interval. wide: the ends of the (100 − 5/k) % interval that refutes one of k tests. p: (that the
    region holds, that it does not), one-sided. least_visible: distance from the border that n such units show with power .8.
    """

    quantity: str
    region: str
    verdict: str
    above: float
    below: float
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    says: str = ""
    interval: str = "t"
    wide: tuple[float, float] | None = None
    p: tuple[float, float] | None = None
    least_visible: float | None = None


@dataclass(frozen=True)
class Verdict:
    """A claim judged by one criterion: 'printed', 'precise', or 'earlier <date>'.

    p: one-sided, for the verdict that was given (of an undecided one, the smaller of both). held: '2 of 4'. units: '3 of 12
    seeds', where they are too few. failed: the outcomes of all controls for which the claim is undecided.
    """

    id: str
    criterion: str
    verdict: str
    reason: str
    outcomes: tuple[Outcome, ...] = field(default=())
    p: float | None = None
    held: str = ""
    scope: str = ""
    unit: str = ""
    units: str = ""
    failed: tuple[Outcome, ...] = ()

    def as_dict(self) -> dict:
        return asdict(self)


def judge(claims: Mapping[str, Claim], quantities: Mapping[str, Sequence[float]]) -> list[Verdict]:
    """Judge every claim by its criteria. quantities: {name: one value per unit}.

    A document that prints no testable criterion gets no verdict by it; the precise criterion always has tests. A criterion
    that was replaced is judged by the rules of its time: each test at 95 %, any number of units from `least` on.
    """
    out = []
    for claim in claims.values():
        asked = [("printed", claim.printed, False), ("precise", claim.precise, False)]
        asked += [(f"earlier {e.until}", e.criterion, True) for e in claim.earlier]
        for name, criterion, former in asked:
            if criterion.tests:
                verdict = by_criterion(claim.id, name, criterion, quantities, former)
                out.append(replace(verdict, scope=claim.scope, unit=criterion.unit))
    return out


def counting(stored: Mapping | None) -> dict[str, dict]:
    """From a run's `verdicts.json`, the verdict that counts for each claim, by its precise criterion: the committed
    reference's where there is one, whatever the run's parameters; otherwise this run's, if it has the parameters that the
    claims are about (`counts`) and the units that were planned. Each is the stored verdict with `by` added, 'reference' or
    'this run', `printed`, the verdict by the document's own criterion or None, and `earlier`, those by criteria that were
    replaced.
    """
    if stored is None:
        return {}
    by = "reference" if "reference" in stored["verdicts"] else "this run"
    if by == "this run" and not stored["counts"]:
        return {}
    printed, former = {}, defaultdict(list)
    for v in stored["verdicts"][by]:
        if v["criterion"] == "printed":
            printed[v["id"]] = v
        elif v["criterion"] != "precise":
            former[v["id"]].append(v)
    precise = [v for v in stored["verdicts"][by] if v["criterion"] == "precise"]
    chosen = [v for v in precise if by == "reference" or v["verdict"] != TOO_FEW]
    return {v["id"]: v | {"by": by, "printed": printed.get(v["id"]), "earlier": former[v["id"]]} for v in chosen}


def across(verdicts: Mapping[str, Mapping]) -> dict[str, dict]:
    """The counting verdicts of a whole ledger, each with `holm`: its p adjusted for all of them (Holm 1979), or None."""
    known = {name: v["p"] for name, v in verdicts.items() if v.get("p") is not None}
    adjusted = dict(zip(known, stats.holm(list(known.values())).tolist() if known else [], strict=True))
    return {name: {**v, "holm": adjusted.get(name)} for name, v in verdicts.items()}


def examine(
    question: Test, values: Sequence[float], least: int = 3, tests: int = 1, units: int | None = None
) -> Outcome:
    """One test on one quantity's values, a value a unit.

    least: units needed. tests: how many share the claim; the more, the wider the interval that refutes. units: those behind
    bootstrap draws.
    """
    known = {k: getattr(question, k) for k in ("quantity", "region", "above", "below", "says", "interval")}
    if not len(values) or any(v is None or not math.isfinite(v) or (question.log and v <= 0) for v in values):
        return Outcome(verdict=UNDECIDED, n=len(values) if units is None else units, **known)
    x = np.log(values) if question.log else np.asarray(values, float)
    scale, back = (math.log, _exp) if question.log else (float, float)
    above, below = (scale(b) if math.isfinite(b) else b for b in (question.above, question.below))
    if question.sampled:
        make = SAMPLED[question.interval]
        ci, wide = make(x), make(x, level=1 - (1 - LEVEL) / tests)
        n = units if units is not None else ci.n
        verdict = _placed(ci, wide, above, below) if n >= least else TOO_FEW
        p = _p(question, x, above, below)
    else:
        ci = wide = stats.exact(x)
        n, p = ci.n, None
        verdict = _certain(question, x, above, below)
        if question.interval == "p":
            p = (float(ci.high), 1.0)
    ends = {k: back(v) if math.isfinite(v) else None for k, v in (("low", ci.low), ("high", ci.high))}
    outer = (back(wide.low), back(wide.high)) if question.sampled and math.isfinite(wide.low) else None
    return Outcome(
        verdict=verdict,
        estimate=back(ci.estimate),
        n=n,
        wide=outer,
        p=p,
        least_visible=_visible(question, x),
        **ends,
        **known,
    )


def _placed(ci: stats.Interval, wide: stats.Interval, above: float, below: float) -> str:
    """Where an interval lies. One that has no width and lies on the border decides nothing."""
    if above < ci.low and ci.high < below:
        return SUPPORTED
    beside = wide.high < above or wide.low > below
    touching = (wide.high == above or wide.low == below) and wide.low < wide.high
    return REFUTED if beside or touching else UNDECIDED


def _certain(question: Test, x: np.ndarray, above: float, below: float) -> str:
    """Of values that are not sampled: all inside support; all outside refute, and of `every` one outside does."""
    outside = (x <= above) | (x >= below)
    if not outside.any():
        return SUPPORTED
    if question.interval == "p":
        return UNDECIDED
    return REFUTED if outside.all() or question.interval == "every" else UNDECIDED


def _p(question: Test, x: np.ndarray, above: float, below: float) -> tuple[float, float]:
    """One-sided p of the region (the larger of its borders'), and of its outside (the smaller, twice for two borders)."""
    borders = [(b, s) for b, s in ((above, True), (below, False)) if math.isfinite(b)]
    inside = max(stats.beyond(x, b, s, question.interval) for b, s in borders)
    outside = len(borders) * min(stats.beyond(x, b, not s, question.interval) for b, s in borders)
    return inside, min(1.0, outside)


def _visible(question: Test, x: np.ndarray) -> float | None:
    """The least distance from the border that these units show; a factor on the log scale. None for other intervals."""
    if question.interval != "t" or len(x) < 2:
        return None
    away = stats.least_visible(x)
    return _exp(away) if question.log else away


def _exp(value: float) -> float:
    """The exponential, as far as floats go: the interval of two units may end anywhere."""
    return math.exp(min(value, 700.0))


def by_criterion(
    name: str, kind: str, criterion: Criterion, quantities: Mapping[str, Sequence[float]], former: bool = False
) -> Verdict:
    """One criterion of one claim against a run's quantities. former: by the rules of earlier criteria."""
    missing = [t.quantity for t in criterion.tests + criterion.controls if t.quantity not in quantities]
    if missing:
        return Verdict(name, kind, AWAITING, f"no run has given {missing[0]} yet")

    def seen(test: Test, among: int) -> Outcome:
        values, units = quantities[test.quantity], quantities.get(f"{test.quantity}_units")
        if test.interval == "draws" and units is None:
            raise ValueError(f"{name}: {test.quantity} has draws; give the units behind them as {test.quantity}_units")
        values = values if test.interval in ("draws", "exact", "p") else values[: criterion.plan(test)]
        counted = int(units[0]) if units is not None and test.interval == "draws" else None
        return examine(test, values, criterion.needs(test), 1 if former else among, counted)

    outcomes = tuple(seen(t, len(criterion.tests)) for t in criterion.tests)
    if criterion.arithmetic:
        return Verdict(name, kind, ARITHMETIC, "; ".join(map(_line, outcomes)), outcomes)
    for o, test in zip(outcomes, criterion.tests, strict=True):
        wanted = criterion.wanted(test)
        if o.n < wanted:
            lines = "; ".join(map(_line, outcomes))
            units = f"{o.n} of {wanted} {criterion.unit}s"
            return Verdict(name, kind, TOO_FEW, f"{units}: {lines}", outcomes, units=units)
    verdict = _together(name, kind, outcomes, former)
    asked = guards.of(name, replace(criterion, unprobed=criterion.unprobed or kind != PRECISE), quantities, former)
    missed = [(o, forbids) for test, forbids in asked if (o := seen(test, 1)).verdict != SUPPORTED]
    barring = tuple(o for o, forbids in missed if verdict.verdict in forbids)
    if barring:
        said = "; ".join(map(_missed, barring))
        reason = f"the control{'s' * (len(barring) > 1)} {said} did not pass"
        return Verdict(name, kind, UNDECIDED, reason, outcomes, failed=barring)
    for o, forbids in missed:  # what it would not have let pass is said beside what it lets pass
        verdict = replace(verdict, reason=f"{verdict.reason} (it could not be {forbids[0]}: {_missed(o)})")
    return verdict


def _together(name: str, kind: str, outcomes: tuple[Outcome, ...], former: bool) -> Verdict:
    """All of a claim's tests: supported together; refuted, or mixed where another one holds; otherwise undecided."""
    of = {verdict: [o for o in outcomes if o.verdict == verdict] for verdict in (SUPPORTED, REFUTED, UNDECIDED)}
    held = f"{len(of[SUPPORTED])} of {len(outcomes)}"
    if len(of[SUPPORTED]) == len(outcomes):
        verdict, shown = SUPPORTED, outcomes
    elif of[REFUTED]:
        mixed = of[SUPPORTED] and not former
        verdict, shown = (MIXED, outcomes) if mixed else (REFUTED, of[REFUTED])
    else:
        verdict, shown = UNDECIDED, of[UNDECIDED]
    lines = "; ".join(map(_line, shown))
    reason = f"{held} hold: {lines}" if verdict == MIXED else lines
    return Verdict(name, kind, verdict, reason, outcomes, _claim_p(verdict, outcomes), held)


def _claim_p(verdict: str, outcomes: Sequence[Outcome]) -> float | None:
    """Supporting is an intersection: the largest p of all tests. Refuting is a union: the smallest, times their number; what is
    mixed says both of one test each. None where the test that decides has no p, or a unit no value.
    """
    known, k = [o.p for o in outcomes if o.p is not None], len(outcomes)
    if any(o.estimate is None for o in outcomes):
        return None
    fell = any(o.verdict == REFUTED and o.p is not None for o in outcomes)
    if not known or (verdict in (REFUTED, MIXED) and not fell):
        return None
    inside, outside = max(p for p, _ in known), min(1.0, k * min(p for _, p in known))
    both = max(outside, min(1.0, k * min(p for p, _ in known)))
    return {SUPPORTED: inside, REFUTED: outside, MIXED: both}.get(verdict, min(inside, outside))


def _missed(control: Outcome) -> str:
    few = control.verdict == TOO_FEW and control.n
    return _line(control) + (f", of {control.n} units, which are too few," if few else "")


def _line(o: Outcome) -> str:
    what = (
        ("a unit has no value" if o.n else "no unit")
        if o.estimate is None
        else numbers.interval(o.estimate, o.low, o.high)
    )
    return f"{o.says or o.quantity}: {what}" + ("" if o.estimate is None else f", wanted {o.region}")
