"""What a claim is held to: tests, criteria and their history, as `book/claims.yml` states them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml

from helpers import files, stats

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, ten times as fast, where libyaml is there
SAMPLED = {"t": stats.t_interval, "bootstrap": stats.bootstrap, "wilson": stats.wilson, "draws": stats.draws}
UNSAMPLED = ("exact", "every", "p")  # nothing is drawn from units: no interval shrinks with their number
LEAST = {"t": 8, "bootstrap": 8, "wilson": 8, "draws": 8}  # units below which an interval of this kind decides nothing


@dataclass(frozen=True)
class Test:
    """The interval of `quantity` must lie above `above` and below `below`; at least one of them is given.

    interval: t; bootstrap; wilson, for shares of units that succeed (0 or 1); draws, for values that are bootstrap draws
    (the units behind them are counted in the quantity `<name>_units`); exact, where nothing is sampled; every, of each unit:
    one outside refutes; p, a p-value: above its level nothing is refuted. log: the mean is taken and judged on the log scale,
    for ratios. least, planned: units needed, and fixed before the run, where they are not the criterion's. effect: the smallest
    effect of interest as a distance from the border, where that is not the border's own size.
    """

    quantity: str
    above: float = -math.inf
    below: float = math.inf
    interval: str = "t"
    log: bool = False
    least: int | None = None
    planned: int | None = None
    effect: float | None = None
    says: str = ""

    def __post_init__(self):
        known = (*SAMPLED, *UNSAMPLED)
        if self.interval not in known:
            raise ValueError(f"{self.quantity}: interval {self.interval!r} is unknown; use one of {', '.join(known)}")
        if not self.above < self.below or (math.isinf(self.above) and math.isinf(self.below)):
            raise ValueError(f"{self.quantity}: the region ({self.above}, {self.below}) is empty or everything")
        borders = [b for b in (self.above, self.below) if math.isfinite(b)]
        if self.log and (min(borders) <= 0 or self.interval not in ("t", "draws")):
            raise ValueError(f"{self.quantity}: a log scale needs positive borders and interval t or draws")
        if self.effect is not None and not self.effect > 0:
            raise ValueError(f"{self.quantity}: effect {self.effect} is a distance from the border; use one above 0")
        for name in ("least", "planned"):
            _count(f"{self.quantity}: {name}", getattr(self, name))

    @property
    def region(self) -> str:
        """'> 0.02', '< 1.1' or '−0.5 … 0.5', for people."""
        above, below = (f"{b:g}".replace("-", "−") for b in (self.above, self.below))
        if math.isinf(self.below):
            return f"> {above}"
        return f"< {below}" if math.isinf(self.above) else f"{above} … {below}"

    @property
    def sampled(self) -> bool:
        """Whether its interval comes from units that were drawn."""
        return self.interval in SAMPLED

    @property
    def planted(self) -> float | None:
        """Where an effect of twice the margin lies: as far inside the border as the border is from zero (on the log scale:
        from one), or as `effect` says; the middle of a region with two ends; of a share, half-way to all or nothing. None for a
        border of zero without `effect`.
        """
        scale, back = (math.log, math.exp) if self.log else (float, float)
        if math.isfinite(self.above) and math.isfinite(self.below):
            return back((scale(self.above) + scale(self.below)) / 2)
        border, sign = (self.above, 1) if math.isfinite(self.above) else (self.below, -1)
        if self.effect is not None:
            return border + sign * self.effect
        if self.interval == "wilson":
            return (border + (sign > 0)) / 2
        size = abs(scale(border))
        return back(scale(border) + sign * size) if size else None


def _count(name: str, value: object) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"{name}: {value!r} is no number of units; use a whole number from 1 on")


@dataclass(frozen=True)
class Criterion:
    """What a claim must satisfy. `controls` are tests of the instrument; `guards` says what each forbids until it passes.

    unit: what a value stands for. planned: units fixed before the run; with fewer nothing is decided, of more the first so
    many count. least: units that any interval needs; its kind's by default. arithmetic: it compares settings, not findings.
    unprobed: its known answers hold nothing back, unless a control names them.
    """

    text: str
    tests: tuple[Test, ...] = ()
    controls: tuple[Test, ...] = ()
    unit: str = "seed"
    least: int | None = None
    planned: int | None = None
    arithmetic: bool = False
    unprobed: bool = False

    def __post_init__(self):
        for name in ("least", "planned"):
            _count(name, getattr(self, name))
        if not isinstance(self.arithmetic, bool):
            raise ValueError(f"arithmetic: {self.arithmetic!r}; use true or false")
        for test in self.tests:
            planned = self.plan(test)
            if planned is not None and test.sampled and planned < self.needs(test):
                raise ValueError(
                    f"planned: {planned} {self.unit}s, but {test.quantity} needs {self.needs(test)} to be judged"
                )

    def plan(self, test: Test) -> int | None:
        """Units that were fixed for a test before the run."""
        return self.planned if test.planned is None else test.planned

    def needs(self, test: Test) -> int:
        """Units that a test's interval needs at least."""
        named = next((n for n in (test.least, self.least) if n is not None), LEAST.get(test.interval, 1))
        return named if test.sampled else 1

    def wanted(self, test: Test) -> int:
        """Units without which a test decides nothing: those planned. A test of every unit may be of others, fewer, beside tests
        whose units were drawn, unless it names its `least`; by itself it is of those planned, too."""
        if test.sampled:
            return max(self.needs(test), self.plan(test) or 0)
        if test.interval == "every":
            alone = not any(t.sampled for t in self.tests)
            return test.least if test.least is not None else (self.plan(test) or 0) if alone else 0
        return 0


@dataclass(frozen=True)
class Earlier:
    """A criterion that was replaced: until when it stood, and why it went. It is judged by the rules of its time."""

    until: str
    why: str
    criterion: Criterion


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
    scope: str = ""
    earlier: tuple[Earlier, ...] = ()


def load(path: str | Path | None = None) -> dict[str, Claim]:
    """All claims by id, in the file's order. Raises ValueError naming the claim that is not well formed."""
    path = Path(path or files.root() / "book" / "claims.yml")
    return dict(_read(path, path.read_text(encoding="utf-8")))


@lru_cache(maxsize=4)
def _read(path: Path, text: str) -> dict[str, Claim]:
    """The claims in a text, which is that of the file: a chapter asks several times, and each costs a tenth of a second."""
    try:
        raw = yaml.load(text, LOADER)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("claims"), list) or not {*raw} <= {"claims", "fixed"}:
        raise ValueError(f"{path}: a mapping with `fixed`, a date, and a list `claims` was expected, and nothing else")
    claims = {}
    for entry in raw["claims"]:
        name = entry.get("id", "?") if isinstance(entry, dict) else entry
        try:
            claim = _claim(entry, raw.get("fixed"))
        except KeyError as error:
            raise ValueError(f"{path}: claim {name} is not well formed: it lacks {error}") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: claim {name} is not well formed: {error}") from error
        if claim.id in claims:
            raise ValueError(f"{path}: claim {name} stands there twice")
        if not claim.precise.tests:
            raise ValueError(f"{path}: claim {name} has no test in its precise criterion")
        claims[claim.id] = claim
    return claims


def of(chapter: str, claims: Mapping[str, Claim] | None = None) -> dict[str, Claim]:
    """The claims that `chapter` judges. Raises KeyError when it judges none."""
    found = {k: c for k, c in (load() if claims is None else claims).items() if c.chapter == chapter}
    if not found:
        raise KeyError(f"no claim names the chapter {chapter!r} in book/claims.yml")
    return found


def digest(claims: Mapping[str, Claim]) -> str:
    """sha256 over the claims' content: a run keeps it, so that a criterion changed later can be seen."""
    return files.digest(files.strict_json({k: _plain(asdict(c)) for k, c in claims.items()}, compact=True))


def _plain(value: object) -> object:
    """What was stated, without fields that say nothing: a field that is added to the form changes no digest."""
    if isinstance(value, dict):
        silent = lambda v: v is None or v is False or (not isinstance(v, (int, float)) and len(v) == 0)
        return {k: _plain(v) for k, v in value.items() if not silent(v)}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def _claim(entry: Mapping, fixed: object) -> Claim:
    known = {"id", "seed", "chapter", "claim", "printed", "precise", "fixed", "notes", "scope", "earlier"}
    _only(entry, known)
    return Claim(
        id=entry["id"],
        seed=_document(entry["seed"]),
        chapter=entry["chapter"],
        claim=entry["claim"],
        printed=_criterion(entry["printed"]),
        precise=_criterion(entry["precise"]),
        fixed=_day(entry.get("fixed", fixed), "fixed"),
        notes=tuple(entry.get("notes", ())),
        scope=entry.get("scope", ""),
        earlier=tuple(_earlier(e) for e in entry.get("earlier", ())),
    )


def _earlier(entry: Mapping) -> Earlier:
    stated = {k: v for k, v in entry.items() if k not in ("until", "why")}
    return Earlier(_day(entry["until"], "until"), entry["why"], _criterion({"least": 3} | stated))


def _criterion(entry: Mapping) -> Criterion:
    def tests(rows: Iterable[Mapping] | None) -> tuple[Test, ...]:
        for row in rows or ():
            _only(row, {f.name for f in fields(Test)})
        named = [row["quantity"] for row in rows or ()]
        if twice := [q for q in named if named.count(q) > 1]:
            raise ValueError(f"{twice[0]} is tested twice; give both borders to one test")
        return tuple(Test(**row) for row in rows or ())

    _only(entry, {"text", "tests", "controls", "unit", "least", "planned", "arithmetic"})
    return Criterion(
        text=entry["text"],
        tests=tests(entry.get("tests")),
        controls=tests(entry.get("controls")),
        unit=entry.get("unit", "seed"),
        least=entry.get("least"),
        planned=entry.get("planned"),
        arithmetic=entry.get("arithmetic", False),
    )


def _document(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"seed: {value!r} is no text, and loses its zeros; write '000' in quotes")
    return value


def _day(value: object, name: str) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueError(f"{name}: {value!r} is no date; write 2026-11-28") from None


def _only(entry: Mapping, known: set[str]) -> None:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{entry!r} stands where a mapping was expected")
    if unknown := sorted(set(entry) - known):
        raise ValueError(f"{unknown[0]!r} is unknown there; known are {', '.join(sorted(known))}")
