"""What a chapter shows: `Sides`, this run's rows beside those of a committed reference; `Judged`, the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import claims, figures, frames, panels, prose, stats
from helpers.claims import guards

DECIDED = (claims.words.SUPPORTED, claims.words.REFUTED, claims.words.MIXED, claims.words.UNDECIDED)
BEFORE = "What criteria that were replaced give on the same data"
FEW = (claims.words.TOO_FEW, claims.words.AWAITING)  # verdicts that may have a sentence of their own
Quantity = Callable[[pd.DataFrame], Sequence[float]]


@dataclass(frozen=True)
class Sides:
    """This run's rows, and those of the committed reference that answers the same parameters, or None. label: its name."""

    this: pd.DataFrame
    reference: pd.DataFrame | None = None
    label: str = ""

    @property
    def both(self) -> dict[str, pd.DataFrame]:
        """The sides that there are, by their names."""
        if self.source:
            return {self.label: self.this}
        return {"this run": self.this} | ({} if self.reference is None else {self.label: self.reference})

    @property
    def dashed(self) -> str:
        """What the dashed lines of a figure are, as the end of its caption; empty without a reference."""
        return f" Dashed: the {self.label}." if self.reference is not None and len(self.reference) else ""

    @property
    def source(self) -> str:
        """Where the rows come from, as the end of a caption, when they are a reference's alone; empty for this run's."""
        return f" From the {self.label}." if self.label and self.reference is None else ""

    def where(self, **where: object) -> Sides:
        """Both sides' rows of some conditions."""
        other = None if self.reference is None else frames.rows(self.reference, **where)
        return Sides(frames.rows(self.this, **where), other, self.label)

    def map(self, make: Callable[[pd.DataFrame], pd.DataFrame]) -> Sides:
        """Both sides with a frame that is made from each."""
        return Sides(make(self.this), None if self.reference is None else make(self.reference), self.label)

    def having(self, **where: object) -> Sides:
        """These sides where this run has rows of some conditions; otherwise the reference as a side of its own, or nothing."""
        if len(frames.rows(self.this, **where)):
            return self
        return Sides(self.this.iloc[:0] if self.reference is None else self.reference, None, self.label)

    def read(self, quantity: Quantity) -> tuple[np.ndarray, np.ndarray | None]:
        """A quantity, one value a unit, of this run and of the reference; None for one that is not there or lacks its rows."""
        this = np.asarray(quantity(self.this), float)
        other = (
            None if self.reference is None or not len(self.reference) else np.asarray(quantity(self.reference), float)
        )
        return this, other if other is not None and len(other) else None

    def say(self, name: str, quantity: Quantity, spec: str = "", unit: str = "") -> None:
        """Put a quantity into the prose, {glue:text}`name`: the committed run's mean ± half its 95 % interval, and in a card
        this run's; this run's with its n where no committed run answers it.
        """
        this, other = self.read(quantity)
        if not len(this) and other is None:
            return prose.glue(name, "(not measured in this run)")
        return prose.glue(name, prose.number(this, spec, unit, other, alone=bool(self.source)))

    def say_all(self, told: Mapping[str, tuple]) -> None:
        """Say several: name in the prose: (quantity, its format, and its unit where it has one)."""
        for name, (quantity, *form) in told.items():
            self.say(name, quantity, *form)

    def tell(self, name: str, quantity: Quantity, border: float, *, above: str, below: str, between: str) -> None:
        """Put one of three sentences into the prose, {glue:text}`name`: by where the 95 % interval of a quantity lies to a
        border, of the committed run where there is one; a single value lies where it lies, and no value is `between`.
        """
        this, other = self.read(quantity)
        known = this if other is None else other
        known = known[np.isfinite(known)]
        interval = stats.exact if len(known) == 1 else stats.t_interval
        side = interval(known).side(border) if len(known) else "between"
        prose.glue(name, {"above": above, "below": below, "between": between}[side])

    def tell_all(self, told: Mapping[str, tuple], *names: str) -> None:
        """`tell` for each of these names, or for all: {name: (quantity, border, above it, below it, between)}."""
        for name in names or told:
            quantity, border, above, below, between = told[name]
            self.tell(name, quantity, border, above=above, below=below, between=between)

    def mean(self, quantity: Quantity, spec: str = "") -> str:
        """A quantity's mean in this run, as text for a caption."""
        return prose.mean(self.read(quantity)[0], spec)


@dataclass(frozen=True)
class Judged:
    """A chapter's verdicts. by: which run's are shown; own: whether that run has the claims' own parameters; beside: a run of
    other parameters whose verdicts stand in the table, too."""

    runs: Mapping[str, list[claims.Verdict]]
    probes: list[claims.known.Probe]
    planted: Mapping[str, tuple[str, str]]
    by: str
    own: bool
    sights: Sequence[claims.known.Sight] = ()
    beside: str = ""

    @property
    def verdicts(self) -> list[claims.Verdict]:
        """Those that are shown: of the reference that answers this run's parameters, otherwise of this run."""
        return self.runs[self.by]

    @property
    def passed(self) -> str:
        """'8 of 8': how many tests told their known answers apart."""
        return f"{sum(p.passed for p in self.probes)} of {len(self.probes)}"

    def tell(self, name: str, claim: str, sentences: Mapping[str, str]) -> None:
        """Put the sentence that a claim's verdict picks into the prose, {glue:text}`name`. sentences: one for each of
        supported, refuted, mixed and undecided. Where this run has too few units, the committed run's verdict picks, and that
        is said; with other parameters than the claims' own it does not. In a sentence {holds}, {fails} and {open} are what the
        tests say that hold, that fail, and that are neither.

        Raises KeyError for a claim that the chapter does not judge, ValueError unless every verdict has its sentence.
        """
        if not set(DECIDED) <= set(sentences) <= {*DECIDED, *FEW}:
            raise ValueError(f"{name}: sentences for {', '.join(DECIDED)} are needed, got {', '.join(sentences)}")
        by = {run: {v.id: v for v in found if v.criterion == "precise"} for run, found in self.runs.items()}
        verdict = by[self.by][claim]
        told = sentences.get(verdict.verdict)
        if told is None:
            told = f"{claim} is not decided here: {verdict.units or verdict.reason}."
            committed = by["reference"][claim] if "reference" in by and self.own else verdict
            if committed.verdict in sentences:
                told, verdict = f"{sentences[committed.verdict]} (So the committed run says; {told})", committed
        prose.glue(name, _parted(told, verdict))

    def tell_all(self, sentences: Mapping[str, tuple[str, Mapping[str, str]]], *names: str) -> None:
        """`tell` for each of these names, or for all: {name: (claim, its sentences)}."""
        for name in names or sentences:
            self.tell(name, *sentences[name])

    def forest(self, title: str, x: str, of: Sequence[str] = (), like: str = ""):
        """Intervals of the precise criteria's tests, and of failed controls: all, or those of some claims and of quantities
        that begin with some names, such as "d4_recovered"; and of these, those whose names end `like` this. A claim's probes
        of its own tests, which have no unit of theirs, are left out.
        """
        found = [(v.id, o) for v in self.verdicts if v.criterion == "precise" for o in (*v.outcomes, *v.failed)]
        tests = [(name, o) for name, o in found if o.quantity not in guards.own(name)]
        chosen = [o for name, o in tests if not of or name in of or o.quantity.startswith(tuple(of))]
        return panels.forest([o for o in chosen if o.quantity.endswith(like)], title, x)

    def table(self) -> figures.Output:
        """A row a claim and criterion: the verdict and its reason; where the run's parameters are not the claims' own, with
        the verdict that the claims' own have beside it. Criteria that were replaced are folded below."""
        own = {(v.id, v.criterion): v.verdict for v in self.runs.get("reference", ())}
        other = {(v.id, v.criterion): v.verdict for v in self.runs.get(self.beside, ())}
        rows = []
        for v in self.verdicts:
            row = {"claim": v.id, "criterion": v.criterion, "verdict": prose.badge(v.verdict)}
            if not self.own:
                row["with the claim's own parameters"] = prose.badge(
                    own.get((v.id, v.criterion), claims.words.AWAITING)
                )
            if other:
                row[self.beside] = prose.badge(other[v.id, v.criterion])
            rows.append(row | {"why": v.reason})
        now, before = ([r for r in rows if r["criterion"].startswith("earlier") == past] for past in (False, True))
        shown = prose.table(pd.DataFrame(now), "", name="verdicts")
        if not before:
            return shown
        return shown + prose.folded(prose.table(pd.DataFrame(before), "", name="verdicts"), BEFORE)

    def probe_table(self) -> figures.Output:
        """A row a claim: what was planted and the verdict on it, what is left without the effect and the verdict on that. Below
        it a row a test: the least effect that it sees, how often it supports an effect on its border, and one at twice the
        margin."""
        rows = [
            {"claim": p.id, "planted": self.planted[p.id][0], "verdict": p.planted, "taken out": self.planted[p.id][1]}
            | {"then": p.absent}
            for p in self.probes
        ]
        both = prose.table(pd.DataFrame(rows), "The tests on answers that are known")
        if not self.sights:
            return both
        seen = [
            {
                "claim": s.id,
                "test": s.says,
                "n": s.n,
                "least effect seen": s.visible,
                "supported at the border": s.false,
            }
            | {"at twice the margin": "–" if s.power is None else f"{s.power:.2f}"}
            for s in self.sights
        ]
        return both + prose.table(pd.DataFrame(seen), "The tests on their own scatter: shares of resampled runs")


def _parted(sentence: str, verdict: claims.Verdict) -> str:
    """The sentence with what a verdict's tests say in the places of {holds}, {fails} and {open}."""
    for place, wanted in (("{holds}", DECIDED[0]), ("{fails}", DECIDED[1]), ("{open}", DECIDED[3])):
        said = "; ".join(o.says or o.quantity for o in verdict.outcomes if o.verdict == wanted)
        sentence = sentence.replace(place, said or "none")
    return sentence
