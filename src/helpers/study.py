"""What a chapter measures and what it is compared with: a `Study` says how it goes from records to verdicts, and a `Log`
keeps the records and finds the committed reference that answers the same parameters."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from helpers import claims, data, files, frames, live, records
from helpers.claims.known import bare
from helpers.records import Record
from helpers.sides import Judged, Sides
from helpers.work import Work

Quantities = Mapping[str, Sequence[float]]
Controls = Callable[[pd.DataFrame], Mapping[str, tuple[Quantities, Quantities]]]


class Measured(NamedTuple):
    """A study's judged quantities with those that its controls give; the probes, and each test tried on its own scatter."""

    numbers: dict
    probes: list[claims.known.Probe]
    sights: list[claims.known.Sight]


@dataclass(frozen=True)
class Study:
    """How a chapter goes from records to verdicts; every function is pure.

    frame: the tidy frame with what follows from it. judged: the rows that enter the verdict. quantities: what the claims
    name, one value a unit. controls: {claim: (quantities with its effect planted, quantities with it taken out)}, and
    planted: what was planted and what is left, in words. same: the parameters that the claims are about, with their
    values. A run with other values of them is judged alone, and is never the claims' own; files count by their content.
    others: a name for the part of the rows that come from the chapter's other committed references, models that some claims
    speak of too; with it the claims' own parameters are judged with those rows beside their own.
    """

    frame: Callable[[pd.DataFrame], pd.DataFrame]
    judged: Callable[[pd.DataFrame], pd.DataFrame]
    quantities: Callable[[pd.DataFrame], Quantities]
    controls: Controls | None = None
    planted: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    same: Mapping[str, object] = field(default_factory=dict)
    others: str = ""

    def measure(
        self, frame: pd.DataFrame, judge: Mapping[str, claims.Claim], beside: Sequence[pd.DataFrame] = ()
    ) -> Measured:
        """What a (tidy) frame says to the claims. beside: frames of other committed references, for a study with `others`."""
        more = [self.judged(rows).assign(part=self.others) for rows in beside if self.others]
        rows = pd.concat([self.judged(frame), *more], ignore_index=True) if more else self.judged(frame)
        probes = claims.known.probe(judge, self.controls(rows)) if self.controls else []
        numbers = dict(self.quantities(rows))
        sights = claims.known.sights(judge, numbers)
        return Measured(numbers | claims.known.probed(probes, sights), probes, sights)

    def examine(self, frame: pd.DataFrame, judge: Mapping[str, claims.Claim], least: int = 3) -> dict[str, str]:
        """{claim: verdict} by the precise criteria on some other frame, for a table; nothing is stored. The units that were
        planned are the claims' own business: here an interval counts from `least` units on.
        """
        asked = {k: replace(c, precise=bare(c.precise, least)) for k, c in judge.items()}
        return {
            v.id: v.verdict for v in claims.judge(asked, self.measure(frame, judge).numbers) if v.criterion == "precise"
        }


@dataclass(frozen=True)
class Committed:
    """A reference in the repository: its folder, and the header that says how it was made."""

    label: str
    folder: Path

    @cached_property
    def header(self) -> dict:
        return records.header(self.folder)

    @property
    def title(self) -> str:
        """How it is named under a figure: profile, device, seeds, date."""
        head = self.header
        return f"reference ({head['profile']}, {head['provenance']['device']}, {head['seeds']} seeds, {head['date']})"

    def answers(self, given: Mapping[str, object], profile: str = "full") -> bool:
        """Whether it was made with these parameters; what is a file or a named download counts by its content.

        A value that was left to the profile is compared with one that was left to it, too, or with what it came to; so a
        reference of the quick profile answers quick runs only.
        """
        head = self.header
        asked, inputs, came_to = (head.get(k) or {} for k in ("parameters", "inputs", "settings"))

        def same(name: str, value: object) -> bool:
            left = asked.get(name) is None and value is not None and name in came_to
            return content(value) == inputs.get(name, content(came_to[name] if left else asked.get(name)))

        return head["profile"] in ("full", profile) and all(same(k, v) for k, v in given.items())


def content(value: object) -> object:
    """A parameter as it is compared: the digest of a file or of a named download, anything else as it is."""
    if isinstance(value, str) and value in data.FILES:
        return f"sha256:{data.FILES[value].sha256}"
    if isinstance(value, str) and ("/" in value or "." in value) and Path(value).expanduser().exists():
        return files.digest_once(Path(value).expanduser())
    return value


class Log:
    """A run's records as they come, in memory and on disk, and the frames that are made of them.

    device: where to compute. work: the resume cache. given: the notebook's parameters, but for profile and device; defaults:
    theirs, where the study compares them with nothing else. A record of a condition and seed that is there already is refused,
    unless it is the same one again (a cell that was run twice).
    """

    def __init__(
        self,
        study: Study,
        name: str,
        folder: Path,
        *,
        reference: Path,
        device: str = "cpu",
        work: Work | None = None,
        given: Mapping[str, object] | None = None,
        defaults: Mapping[str, object] | None = None,
        profile: str = "quick",
    ):
        self.study, self.name, self.folder, self.device, self.profile = study, name, folder, device, profile
        self.work, self.given, self.defaults = work or Work(None), dict(given or {}), dict(defaults or {})
        if absent := sorted(set(study.same) - set(self.given)):
            raise KeyError(f"{name}: the study compares {absent}; give these parameters to chapter.start by name")
        self.claims = claims.of(name)
        self._records: dict[tuple[str, int], dict] = {}
        self._frames: dict[str, pd.DataFrame] = {}
        self._begun, self._told = time.monotonic(), 0.0
        places = [reference, *sorted(p for p in reference.glob("*") if p.is_dir())]
        known = [Committed("" if p == reference else p.name, p) for p in places if (p / records.HEADER).is_file()]
        self.committed = {c.label: c for c in known}

    def add(self, record: Record) -> None:
        """Take a finished record and write it. Raises ValueError for a second one of its condition and seed."""
        key, found = (record.condition, record.seed), record.as_dict()
        if key in self._records:
            if _measured(self._records[key]) == _measured(found):
                return
            raise ValueError(
                f"{record.condition}, seed {record.seed}, has a record in this run already, with other numbers; name the "
                "condition apart, or run the notebook again from its settings"
            )
        record.write(self.folder / "records")
        self._records[key] = found
        self._frames.pop("", None)

    def once(self, key: object, make: Callable[[], Record | Sequence[Record]]) -> None:
        """Add the records that `make` gives; an interrupted run finds them again by the key and by the code that made them."""

        def compute() -> list[dict]:
            made = make()
            return [r.as_dict() for r in ([made] if isinstance(made, Record) else made)]

        for found in self.work.rows((self.name, self.device, key), compute):
            self.add(Record.from_dict(found))

    def live(self, title: str, x: str, y: str) -> live.LivePlot:
        """Curves that grow while the cell runs in a live notebook, in a `with` block."""
        return live.LivePlot(title, x, y)

    def progress(self, done: int, of: int) -> None:
        """Tell the runner how far this run is; at most once a second, and when all is done."""
        now = time.monotonic()
        if now - self._told >= 1 or done >= of:
            self._told = now
            seconds = round(now - self._begun, 1)
            files.write_atomic(
                self.folder / "progress.json", files.strict_json({"done": done, "of": of, "seconds": seconds})
            )

    @property
    def records(self) -> list[dict]:
        """The records so far, in the form of `Record.as_dict`."""
        return list(self._records.values())

    @property
    def own(self) -> bool:
        """Whether this run has the parameters that the claims are about."""
        return not self.differs

    @property
    def differs(self) -> dict[str, object]:
        """Those of this run's parameters that are not the claims' own: that the study compares, or that are not the defaults.
        How many seeds are run is not what they are about."""
        others = {k: v for k, v in self.defaults.items() if k in self.given and k != "seeds"}
        wanted = {**others, **self.study.same}
        return {k: self.given[k] for k, v in wanted.items() if content(self.given[k]) != content(v)}

    def answer(self, depends: Sequence[str] | None = None) -> Committed | None:
        """The committed reference that was made with this run's parameters. depends: the only ones that count, where rows
        do not depend on the others; all that the study compares by default.
        """
        asked = {k: self.given[k] for k in (self.study.same if depends is None else depends)}
        return next((c for c in self.committed.values() if c.answers(asked, self.profile)), None)

    def at(self, depends: Sequence[str] | None = None, **where: object) -> Sides:
        """This run's rows of some conditions, beside those of the reference that answers the same parameters."""
        found = self.answer(depends)
        sides = Sides(self.frame(), found and self.frame(found.label), found.title if found else "")
        return sides.where(**where)

    def alone(self, label: str = "", **where: object) -> Sides:
        """The rows of one committed reference as a side of its own, to be shown apart from this run; empty without it."""
        known = label in self.committed
        rows = self.frame(label) if known else self.frame().iloc[:0]
        return Sides(frames.rows(rows, **where), None, self.committed[label].title if known else "no reference yet")

    @property
    def leading(self) -> Committed | None:
        """The reference that a page speaks of first: the one that answers this run's parameters, else the claims' own."""
        return self.answer() or self.committed.get("")

    def lead(self, **where: object) -> Sides:
        """The sides a page speaks of first: this run beside the reference that answers it; else the claims' own reference
        alone; else this run."""
        return self.at(**where) if self.answer() or not self.leading else self.alone(**where)

    def frame(self, label: str | None = None) -> pd.DataFrame:
        """The study's tidy frame of this run, or of a committed reference ('' for the claims' own)."""
        key = "" if label is None else f"/{label}"
        if key not in self._frames:
            raw = records.frame(self.records) if label is None else records.load(self.committed[label].folder)
            self._frames[key] = self.study.frame(raw) if len(raw) else raw
        return self._frames[key]

    def say_run(self) -> str:
        """One sentence on what this run is compared with."""
        if found := self.answer():
            return f"Beside this run stands the {found.title}."
        other = ", ".join(f"{k} = {Path(str(v)).name}" for k, v in self.differs.items())
        return (
            f"No committed run has these parameters ({other}), so this run is shown and judged alone."
            if other
            else ("No run at full scale is committed yet, so this run is shown and judged alone.")
        )

    def verdict(self, lead: bool = False) -> Judged:
        """Judge the chapter's claims by this run, by the reference that answers its parameters, and by the claims' own. lead:
        show the claims' own where none answers, as `lead` does, with this run's verdicts beside it."""
        found = self.leading if lead else self.answer()
        runs = {"this run": None} | ({"shown": found.label} if found else {})
        runs |= {"reference": ""} if "" in self.committed else {}
        measured = {k: self.study.measure(self.frame(k), self.claims, self._beside(k)) for k in set(runs.values())}
        judged = {run: claims.judge(self.claims, measured[label].numbers) for run, label in runs.items()}
        shown = measured[found and found.label]
        self._store(judged, measured[None].numbers)
        return Judged(
            judged,
            shown.probes,
            self.study.planted,
            "shown" if found else "this run",
            self.own or bool(lead and found and not found.label),
            shown.sights,
            beside="this run" if found and found is not self.answer() else "",
        )

    def examine(self, frame: pd.DataFrame, least: int = 3) -> dict[str, str]:
        """`Study.examine` by the chapter's own claims."""
        return self.study.examine(frame, self.claims, least)

    def _beside(self, label: str | None) -> list[pd.DataFrame]:
        """Frames of the chapter's other references, where the claims' own parameters are judged."""
        own = self.own if label is None else label == ""
        return [self.frame(other) for other in self.committed if other] if own and self.study.others else []

    def _store(self, judged: Mapping[str, list[claims.Verdict]], numbers: Quantities) -> None:
        stored = {
            "chapter": self.name,
            "profile": self.profile,
            "device": self.device,
            "counts": self.own,
            "claims": claims.digest(self.claims),
            "verdicts": {run: [v.as_dict() for v in judged[run]] for run in ("this run", "reference") if run in judged},
        }
        files.write_atomic(self.folder / "verdicts.json", files.strict_json(stored))
        plain = {k: [float(v) for v in values] for k, values in numbers.items()}
        files.write_atomic(self.folder / "quantities.json", files.strict_json(plain))


def _measured(record: Mapping) -> str:
    """A record without its times: what two records of one condition must agree in."""
    facts = {k: v for k, v in record["metadata"].items() if k not in ("start_time", "git_commit")}
    rows = [{k: v for k, v in row.items() if k != "timestamp"} for row in record["metrics"]]
    return files.strict_json([facts, rows])
