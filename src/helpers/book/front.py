"""The front page's sentences: what was done so far, what was found, where to begin, what it took. All of it is computed."""

from __future__ import annotations

import html
import math
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import nbformat
import yaml

from helpers import claims, numbers, stats
from helpers.book.sheet import FromSheet, Sheet, chapter, claim_at, linked, table
from helpers.run.build import CHAPTERS

FINDINGS = Path("book/front.yml")
WORDS_A_MINUTE = 200


class SoFar(FromSheet):
    """{sofar}: one sentence on what was judged, by what, and how it came out."""

    def markup(self, found: Sheet) -> str:
        judged = found.judged
        if not judged:
            return '<p class="sofar">No claim has been judged yet.</p>'
        few = [name for name, v in judged.items() if v["verdict"] == claims.words.TOO_FEW]
        count = Counter(v["verdict"] for name, v in judged.items() if name not in few)
        outcome = _and([f"{count[v]} {v}" for v in claims.words.VERDICTS if count[v]])
        short = f" For {_and(few)} the run had too few cases." if few else ""
        seeds = {found.claims[name].seed for name in judged}
        every = {c.seed for c in found.claims.values()}
        of = f"all {len(every)} documents" if seeds == every else f"{len(seeds)} of the {len(every)} documents"
        by = sum(v["by"] == "reference" for v in judged.values())
        committed = "by runs at full scale that are committed with the book"
        how = committed if by == len(judged) else f"{by} of them {committed}" if by else "by runs of this build alone"
        return (
            f'<p class="sofar"><b>{len(judged) - len(few)} of {len(found.claims)} claims</b> of {of} are judged, {how}: '
            f"<b>{outcome}</b>.{short}</p>"
        )


class Findings(FromSheet):
    """{findings}: a few sentences, each picked by where the interval of a committed number lies, with that number in it."""

    def markup(self, found: Sheet) -> str:
        self.env.note_dependency(str(found.root / FINDINGS))
        wanted = _read(found.root)["findings"]
        said = [(f, text) for f in wanted if (text := tell(f, found)) is not None]
        rows = "".join(f"<li>{html.escape(text)} {self._where(found, f)}</li>" for f, text in said)
        return f'<ul class="findings">{rows}</ul>'

    def _where(self, found: Sheet, finding: Mapping) -> str:
        title = linked(found.title(finding["reference"]), chapter(self.env, finding["reference"]))
        near = f'<a href="{claim_at(self.env, found, finding["claim"])}">{finding["claim"]}</a>'
        return f'<span class="from">{title}, near claim {near}</span>'


def tell(finding: Mapping, found: Sheet) -> str | None:
    """The sentence that a committed quantity asks for: `above`, `below` or `between`, by where its 95 % interval lies to a
    border, with {value} in it. None without the reference or the quantity: what was not run is not told.

    The border is that of the claim's own test of the quantity; `border` where it has none. `minus` names a second quantity,
    taken away unit by unit. Raises ValueError for a border that is typed a second time, and a test that has no single one.
    """
    made = found.reference(finding["reference"], finding.get("label", ""))
    known = (made or {}).get("quantities") or {}
    names = [finding[k] for k in ("quantity", "minus") if k in finding]
    if any(name not in known for name in names):
        return None
    units = [pair for pair in zip(*(known[name] for name in names), strict=True) if None not in pair]
    scaled = [(pair[0] - sum(pair[1:])) * finding.get("scale", 1) for pair in units]
    if not scaled:
        return None
    ci = stats.t_interval(scaled)
    side = ci.side(_border(finding, found) * finding.get("scale", 1))
    value = numbers.spread(ci.estimate, (ci.high - ci.low) / 2)
    unit = finding.get("unit", "")
    return " ".join(finding[side].split()).format(
        value=f"{numbers.unit(value, unit)} (n{numbers.NBSP}={numbers.NBSP}{ci.n})"
    )


def _border(finding: Mapping, found: Sheet) -> float:
    """What a finding is told by: the border of its claim's test, so that the front says nothing else than the ledger."""
    claim = found.claims.get(finding.get("claim"))
    tests = claim.precise.tests if claim and "minus" not in finding else ()
    test = next((t for t in tests if t.quantity == finding["quantity"]), None)
    if test is None:
        return finding["border"]
    borders = [b for b in (test.above, test.below) if math.isfinite(b)]
    if "border" in finding or len(borders) != 1 or test.interval != "t" or test.log:
        raise ValueError(
            f"{FINDINGS}: {test.quantity} is tested by {claim.id}, whose border counts; give none, and a t test with one border"
        )
    return borders[0]


class Doors(FromSheet):
    """{doors}: two buttons, read the chapter to begin with, and run it; minutes and seconds are this chapter's own."""

    def markup(self, found: Sheet) -> str:
        self.env.note_dependency(str(found.root / FINDINGS))
        name = _read(found.root)["begin"]
        href, title = chapter(self.env, name), html.escape(found.title(name))
        if not href:
            return ""
        minutes = reading_minutes(found.root / CHAPTERS / f"{name}.ipynb")
        run = found.runs[name]["run"]
        took = (
            f", {numbers.seconds(run['seconds'])} on {html.escape(run['provenance'].get('device', ''))}" if run else ""
        )
        there = self.env.app.builder.get_relative_uri(self.env.docname, "book/running")
        return (
            f'<p class="doors"><a class="door" href="{href}">Read “{title}” <span>{minutes} minutes</span></a>'
            f'<a class="door" href="{there}">Run it <span><code>ruc run {name}</code>{took}</span></a></p>'
        )


class Took(FromSheet):
    """{took}: one line: judged so far, GPU minutes of the committed runs, date of the latest, licence, authors."""

    def markup(self, found: Sheet) -> str:
        made = found.references
        on_gpu = [r for r in made if r["provenance"].get("cuda")]
        minutes = sum(r["seconds"] for r in on_gpu) / 60
        project = tomllib.loads((found.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        judged = [v for v in found.judged.values() if v["verdict"] != claims.words.TOO_FEW]
        facts = [f"{len(judged)} of {len(found.claims)} claims judged"]
        if on_gpu:
            facts.append(f"{minutes:.0f} GPU minutes in {len(on_gpu)} committed runs")
            facts.append(f"the latest of {max(r['date'] for r in made)}")
        facts += [f"{project['license']} licence", html.escape(self.env.app.config.author)]
        return f'<p class="took">{" · ".join(facts)}</p>'


class Parts(FromSheet):
    """{parts}: a row a chapter with its question; what is still to come is marked so."""

    def markup(self, found: Sheet) -> str:
        rows = []
        for part in found.parts:
            rows.append(f'<tr class="part"><th colspan="3" scope="colgroup">{html.escape(part["title"])}</th></tr>')
            for name, question in part["notebooks"].items():
                mine = [c.id for c in found.claims.values() if c.chapter == name]
                title = linked(found.title(name), chapter(self.env, name))
                rows.append(f"<tr><td>{title}</td><td>{html.escape(question)}</td><td>{', '.join(mine)}</td></tr>")
        return table("parts", ("chapter", "question", "claims"), rows)


def reading_minutes(path: Path) -> int:
    """How long a chapter's prose takes to read."""
    cells = nbformat.read(path, 4).cells
    words = sum(len(c.source.split()) for c in cells if c.cell_type == "markdown")
    return max(1, round(words / WORDS_A_MINUTE))


def _read(root: Path) -> dict:
    return yaml.safe_load((root / FINDINGS).read_text(encoding="utf-8"))


def _and(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def setup(app) -> None:
    for name, kind in {"sofar": SoFar, "findings": Findings, "doors": Doors, "took": Took, "parts": Parts}.items():
        app.add_directive(name, kind)
