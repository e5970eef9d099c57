"""From `book/claims.yml` and a run's quantities to verdicts.

A claim carries two criteria, both fixed before the run: `printed`, the seed document's own, and `precise`, what it must
mean to be testable. A criterion is a list of tests; a test names a quantity (one value per unit of replication) and the
region in which its interval must lie.

    supported   every test's interval lies inside its region
    refuted     some test's interval lies wholly outside
    undecided   an interval straddles the border, there are too few units, or the instrument failed its own control
    awaiting    no run has given the quantity yet
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import yaml

from helpers import files, stats

SUPPORTED, REFUTED, UNDECIDED, AWAITING = "supported", "refuted", "undecided", "awaiting"
VERDICTS = (SUPPORTED, REFUTED, UNDECIDED, AWAITING)
INTERVALS = {"t": stats.t_interval, "bootstrap": stats.bootstrap, "wilson": stats.wilson, "exact": stats.exact}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, ten times as fast, where libyaml is there
INTERVALS["p"] = stats.exact  # a p-value: below its level it supports, above it nothing is refuted
INTERVALS["every"] = stats.exact  # a statement on every unit: all inside support it, one outside refutes it


@dataclass(frozen=True)
class Test:
    """The interval of `quantity` must lie above `above` and below `below`; at least one of them is given."""

    quantity: str
    above: float = -math.inf
    below: float = math.inf
    interval: str = "t"
    says: str = ""

    def __post_init__(self):
        if self.interval not in INTERVALS:
            raise ValueError(
                f"{self.quantity}: interval {self.interval!r} is unknown; use one of {', '.join(INTERVALS)}"
            )
        if not self.above < self.below or (math.isinf(self.above) and math.isinf(self.below)):
            raise ValueError(f"{self.quantity}: the region ({self.above}, {self.below}) is empty or everything")

    @property
    def region(self) -> str:
        """'> 0.02', '< 1.1' or '0.55 … 0.65', for people."""
        if math.isinf(self.below):
            return f"> {self.above:g}"
        return f"< {self.below:g}" if math.isinf(self.above) else f"{self.above:g} … {self.below:g}"


@dataclass(frozen=True)
class Criterion:
    """What a claim must satisfy. `controls` are tests of the instrument: unless they pass, nothing is decided."""

    text: str
    tests: tuple[Test, ...] = ()
    controls: tuple[Test, ...] = ()
    unit: str = "seed"
    least: int = 3


@dataclass(frozen=True)
class Claim:
    id: str
    seed: str
    chapter: str
    claim: str
    printed: Criterion
    precise: Criterion
    fixed: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """One test against one run: the estimate, its interval, the effect size (mean over spread), and the verdict."""

    quantity: str
    region: str
    verdict: str
    above: float
    below: float
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    effect: float | None = None
    says: str = ""


@dataclass(frozen=True)
class Verdict:
    """A claim judged by one criterion ('printed' or 'precise')."""

    id: str
    criterion: str
    verdict: str
    reason: str
    outcomes: tuple[Outcome, ...] = field(default=())

    def as_dict(self) -> dict:
        return asdict(self)


def load(path: str | Path | None = None) -> dict[str, Claim]:
    """All claims by id, in the file's order. Raises ValueError naming the claim that is not well formed."""
    path = Path(path or files.root() / "book" / "claims.yml")
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    claims = {}
    for entry in raw["claims"]:
        name = entry.get("id", "?")
        try:
            claim = _claim(entry, raw["fixed"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: claim {name} is not well formed: {error!r}") from error
        if claim.id in claims:
            raise ValueError(f"{path}: claim {name} stands there twice")
        if not claim.precise.tests:
            raise ValueError(f"{path}: claim {name} has no test in its precise criterion")
        claims[claim.id] = claim
    return claims


def of(chapter: str, claims: Mapping[str, Claim] | None = None) -> dict[str, Claim]:
    """The claims that `chapter` judges. Raises KeyError when it judges none."""
    found = {k: c for k, c in (claims or load()).items() if c.chapter == chapter}
    if not found:
        raise KeyError(f"no claim names the chapter {chapter!r} in book/claims.yml")
    return found


def digest(claims: Mapping[str, Claim]) -> str:
    """sha256 over the claims' content: a run keeps it, so that a criterion changed later can be seen."""
    return files.digest(files.strict_json({k: asdict(c) for k, c in claims.items()}, compact=True))


def judge(claims: Mapping[str, Claim], quantities: Mapping[str, Sequence[float]]) -> list[Verdict]:
    """Judge every claim by both criteria. quantities: {name: one value per unit}.

    A document that prints no testable criterion gets no verdict by it; the precise criterion always has tests.
    """
    return [
        _judge(claim.id, name, criterion, quantities)
        for claim in claims.values()
        for name, criterion in (("printed", claim.printed), ("precise", claim.precise))
        if criterion.tests
    ]


@dataclass(frozen=True)
class Probe:
    """The verdicts of a precise criterion on quantities whose answer is known: the effect planted, and taken out."""

    id: str
    planted: str
    absent: str

    @property
    def passed(self) -> bool:
        return self.planted == SUPPORTED and self.absent != SUPPORTED


def probe(
    claims: Mapping[str, Claim],
    known: Mapping[str, tuple[Mapping[str, Sequence[float]], Mapping[str, Sequence[float]]]],
) -> list[Probe]:
    """Judge planted answers. known: {claim: (quantities with its effect, quantities without)}; raises KeyError for an
    unknown claim. A criterion's own controls are left out: it is they that are made here, by `probed`.
    """
    out = []
    for name, pair in known.items():
        bare = replace(claims[name].precise, controls=())
        out.append(Probe(name, *(_judge(name, "precise", bare, quantities).verdict for quantities in pair)))
    return out


def probed(probes: Iterable[Probe]) -> dict[str, list[float]]:
    """Quantities '<claim>_controls' for the criteria's controls: one where both known answers were given, else zero."""
    return {f"{p.id.lower()}_controls": [float(p.passed)] for p in probes}


def counting(stored: Mapping | None) -> dict[str, dict]:
    """From a run's `verdicts.json`, the verdict that counts for each claim, by its precise criterion: the committed
    reference's where there is one, whatever the run's parameters; otherwise this run's, if it has the parameters that the
    claims are about (`counts`). Each is the stored verdict with `by` added, 'reference' or 'this run'.
    """
    if not stored:
        return {}
    by = "reference" if "reference" in stored["verdicts"] else "this run"
    if by == "this run" and not stored.get("counts", True):
        return {}
    return {v["id"]: v | {"by": by} for v in stored["verdicts"][by] if v["criterion"] == "precise"}


def examine(question: Test, values: Sequence[float], least: int = 3) -> Outcome:
    """One test on one quantity's values, a value a unit."""
    known = {k: getattr(question, k) for k in ("quantity", "region", "above", "below", "says")}
    if any(v is None or not math.isfinite(v) for v in values):
        return Outcome(verdict=UNDECIDED, n=len(values), **known)
    ci = INTERVALS[question.interval](values)
    inside = question.above < ci.low and ci.high < question.below
    outside = ci.high <= question.above or ci.low >= question.below
    verdict = SUPPORTED if inside else REFUTED if outside else UNDECIDED
    if question.interval == "every" and any(v <= question.above or v >= question.below for v in values):
        verdict = REFUTED
    few = ci.n < least and question.interval not in ("exact", "p", "every")
    if few or (verdict == REFUTED and question.interval == "p"):
        verdict = UNDECIDED
    effect = stats.paired_effect(values) if question.interval in ("t", "bootstrap") else math.nan
    ends = {k: v if math.isfinite(v) else None for k, v in (("low", ci.low), ("high", ci.high), ("effect", effect))}
    return Outcome(verdict=verdict, estimate=ci.estimate, n=ci.n, **ends, **known)


def _judge(name: str, kind: str, criterion: Criterion, quantities: Mapping[str, Sequence[float]]) -> Verdict:
    missing = [t.quantity for t in criterion.tests + criterion.controls if t.quantity not in quantities]
    if missing:
        return Verdict(name, kind, AWAITING, f"no run has given {missing[0]} yet")
    outcomes = tuple(examine(t, quantities[t.quantity], criterion.least) for t in criterion.tests)
    for control in criterion.controls:
        seen = examine(control, quantities[control.quantity], criterion.least)
        if seen.verdict != SUPPORTED:
            return Verdict(name, kind, UNDECIDED, f"the control {_line(seen)} did not pass", (*outcomes, seen))
    for verdict in (REFUTED, UNDECIDED):
        worst = [o for o in outcomes if o.verdict == verdict]
        if worst:
            few = verdict == UNDECIDED and worst[0].n < criterion.least
            why = f"{worst[0].n} of {criterion.least} {criterion.unit}s: " if few else ""
            return Verdict(name, kind, verdict, why + "; ".join(map(_line, worst)), outcomes)
    return Verdict(name, kind, SUPPORTED, "; ".join(map(_line, outcomes)), outcomes)


def _line(o: Outcome) -> str:
    if o.estimate is None:
        return f"{o.says or o.quantity}: a unit has no value"
    ends = ["∞" if v is None else f"{v:.3g}" for v in (o.low, o.high)]
    return f"{o.says or o.quantity}: {o.estimate:.3g} [{ends[0]}, {ends[1]}], wanted {o.region}"


def _claim(entry: Mapping, fixed: object) -> Claim:
    return Claim(
        id=entry["id"],
        seed=str(entry["seed"]),
        chapter=entry["chapter"],
        claim=entry["claim"],
        printed=_criterion(entry["printed"]),
        precise=_criterion(entry["precise"]),
        fixed=str(entry.get("fixed", fixed)),
        notes=tuple(entry.get("notes", ())),
    )


def _criterion(entry: Mapping) -> Criterion:
    def tests(rows: Iterable[Mapping] | None) -> tuple[Test, ...]:
        return tuple(Test(**row) for row in rows or ())

    return Criterion(
        text=entry["text"],
        tests=tests(entry.get("tests")),
        controls=tests(entry.get("controls")),
        unit=entry.get("unit", "seed"),
        least=int(entry.get("least", 3)),
    )
