"""What the runs and the committed references say, for every page that shows it, and the markup that pages share."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from helpers import claims, files, numbers, records
from helpers.prose import look as look
from helpers.run.build import CHAPTERS, SHEET
from helpers.run.counting import VERDICTS

LEDGER, SEEDS, CHANGES, GLOSSARY = "book/claims", "book/seeds", "book/changes", "book/glossary"
UNJUDGED = {"verdict": claims.words.AWAITING, "reason": "no run has judged it yet", "by": "", "outcomes": ()}
FEW = 3  # units, for what another committed run says by itself
ORDER = ("refuted", "mixed", "undecided", "too few", "supported")  # whose test decides: the first of these that one has


class Sheet:
    """The claims, the parts, the committed references, and what `ruc build` wrote of the runs."""

    def __init__(self, root: Path):
        self.root = root
        self.files = sources(root)
        self.claims = claims.load(root / "book" / "claims.yml")
        self.parts = yaml.safe_load((root / "book" / "parts.yml").read_text(encoding="utf-8"))
        self.runs, known = (
            files.read_json(path) if path.is_file() else {} for path in (root / CHAPTERS / n for n in (SHEET, VERDICTS))
        )
        self.counting = claims.across(known)
        self.printed = {name: v["printed"] for name, v in known.items() if v["printed"]}
        self.earlier = {name: v["earlier"] for name, v in known.items() if v["earlier"]}

    @cached_property
    def references(self) -> list[dict]:
        """The headers of all committed references, each with its `label`, in the order of their folders."""
        folder = self.root / "book" / "reference"
        paths = sorted([*folder.glob(f"*/{records.HEADER}"), *folder.glob(f"*/*/{records.HEADER}")])
        labels = (path.parent.relative_to(folder).parts[1:] for path in paths)
        return [records.header(p.parent) | {"label": "".join(at)} for p, at in zip(paths, labels, strict=True)]

    def reference(self, name: str, label: str = "") -> dict | None:
        """One committed reference's header."""
        return next((r for r in self.references if (r["notebook"], r["label"]) == (name, label)), None)

    @property
    def judged(self) -> dict[str, dict]:
        """The verdicts that count, without the claims that no run has judged."""
        return {k: v for k in self.claims if (v := self.verdict(k))["verdict"] != claims.words.AWAITING}

    def verdict(self, claim: str) -> dict:
        """The stored verdict that counts for a claim."""
        return self.counting.get(claim) or UNJUDGED

    def alone(self, claim: str) -> list[tuple[str, str]]:
        """(label, verdict): what each of a chapter's other committed references says of a claim by itself, where it has units
        enough for an interval."""
        known = self.claims[claim]
        asked = {claim: replace(known, precise=replace(claims.known.bare(known.precise, FEW), controls=()))}
        others = [r for r in self.references if r["notebook"] == known.chapter and r["label"]]
        found = [(r["label"], claims.judge(asked, r.get("quantities") or {})) for r in others]
        told = [(label, v.verdict) for label, verdicts in found for v in verdicts if v.criterion == "precise"]
        return [(label, v) for label, v in told if v not in (claims.words.AWAITING, claims.words.TOO_FEW)]

    def title(self, name: str) -> str:
        """What a notebook is called: its page's title, or the one that it is to have, or words made from its name."""
        planned = {k: title for part in self.parts for k, title in (part.get("titles") or {}).items()}
        return self.runs.get(name, {}).get("title") or planned.get(name) or name.replace("_", " ").capitalize()

    def part(self, seed: str) -> str:
        """The title of the part that examines a seed document."""
        return next((p["title"] for p in self.parts if p["seed"] == seed), f"Seed document {seed}")


def sources(root: Path) -> list[Path]:
    """The files that the sheet is made from."""
    made = sorted((root / "book" / "reference").rglob(records.HEADER))
    written = [root / CHAPTERS / name for name in (SHEET, VERDICTS)]
    return [root / "book" / "claims.yml", root / "book" / "parts.yml", *written, *made]


@cache
def _sheet(root: Path, stamp: tuple) -> Sheet:
    return Sheet(root)


def sheet(app) -> Sheet:
    """The sheet, read again when one of its files changed."""
    root = Path(app.srcdir)
    return _sheet(root, tuple(p.stat().st_mtime_ns if p.is_file() else 0 for p in sources(root)))


class FromSheet(SphinxDirective, ABC):
    """A directive whose place in the page is taken by HTML made from the sheet."""

    optional_arguments = 1

    def run(self):
        found = sheet(self.env.app)
        depend(self.env, found)
        return [nodes.raw("", self.markup(found), format="html")]

    @abstractmethod
    def markup(self, found: Sheet) -> str:
        """The HTML."""


def depend(env, found: Sheet) -> None:
    """A page with something of the sheet is made again when the sheet's files change."""
    for path in found.files:
        env.note_dependency(str(path))


def link_to(env, page: str, anchor: str = "") -> str:
    """Relative address of a page of the book, with an anchor on it."""
    target = env.app.builder.get_relative_uri(env.docname, page)
    if anchor and "#" in target:  # all pages are one
        return f"#{anchor}"
    return f"{target}#{anchor}" if anchor else target


def chapter(env, name: str, anchor: str = "") -> str:
    """Relative address of a chapter's page, '' when the book does not have it yet."""
    target = (CHAPTERS / name).as_posix()
    return link_to(env, target, anchor) if target in env.found_docs else ""


def claim_at(env, found: Sheet, claim: str) -> str:
    """Where a claim is told in full: its row of the ledger, or of its chapter in a book without one."""
    if LEDGER in env.found_docs:
        return link_to(env, LEDGER, claim)
    return chapter(env, found.claims[claim].chapter, row_id(claim)) or "#"


def linked(text: str, href: str) -> str:
    """A title as a link, or marked as still to come where it has no page."""
    text = html.escape(text)
    return f'<a href="{href}">{text}</a>' if href else f'{text} <span class="to-come">to come</span>'


def row_id(claim: str, criterion: str = "precise") -> str:
    """The anchor of a verdict's row in its chapter."""
    return f"verdict-{claim}" + ("" if criterion == "precise" else f"-{criterion.replace(' ', '-')}")


def word(verdict: str) -> str:
    """A verdict as a coloured word."""
    return f'<span class="{look(verdict)}">{verdict}</span>'


def deciding(found: Mapping) -> dict | None:
    """The test that a verdict hangs on: the first control that failed; else the worst one, and of equals the one nearest to
    its border, in half widths."""
    broken = [o for o in failed_controls(found) if o.get("estimate") is not None]
    if broken:
        return broken[0]
    known = [o for o in found.get("outcomes") or () if o.get("estimate") is not None]
    rank = {v: i for i, v in enumerate(ORDER)}
    return min(known, key=lambda o: (rank.get(o["verdict"], len(rank)), _room(o)), default=None)


def failed_controls(found: Mapping) -> list[Mapping]:
    """The controls for which a claim is open, whatever its tests say."""
    return [o for o in found.get("failed") or () if isinstance(o, Mapping)]


def control_line(o: Mapping) -> str:
    """A failed control as markup: 'the ring is found 0.2, wanted > 0.9'."""
    value = "" if o.get("estimate") is None else f" <b>{numbers_of(o)}</b>"
    return f"{html.escape(o['says'] or o['quantity'])}{value}, wanted {html.escape(numbers.tidy(o['region']))}"


def _room(outcome: Mapping) -> float:
    """How far the estimate lies from the nearest border of its region, in half widths of its interval."""
    half = _finite(outcome, "high", outcome["estimate"]) - _finite(outcome, "low", outcome["estimate"])
    return abs(distance(outcome, outcome["estimate"])) / (half or 1e-12)


def distance(outcome: Mapping, value: float) -> float:
    """How far a value lies inside the outcome's region (negative: outside), from the border next to the estimate."""
    borders = [(1, b) for b in (_finite(outcome, "above"),) if b is not None]
    borders += [(-1, b) for b in (_finite(outcome, "below"),) if b is not None]
    sign, border = min(borders, key=lambda pair: pair[0] * (outcome["estimate"] - pair[1]))
    return sign * (value - border)


def numbers_of(outcome: Mapping) -> str:
    """'0.058 [0.008, 0.109]' of an outcome; of a statement on every unit their least and greatest, '−0.87 … 0.11'."""
    if outcome.get("interval") == "every":
        return f"{numbers.write(outcome['low'])} … {numbers.write(outcome['high'])}"
    return numbers.interval(outcome["estimate"], outcome.get("low"), outcome.get("high"))


def held(found: Mapping) -> str:
    """'2 of 4' tests hold; '' where there is one test."""
    outcomes = found.get("outcomes") or ()
    inside = sum(o["verdict"] == claims.words.SUPPORTED for o in outcomes)
    return found.get("held") or (f"{inside} of {len(outcomes)}" if len(outcomes) > 1 else "")


def table(name: str, head: Iterable[str], rows: Iterable[str]) -> str:
    """A table of the sheet: names of columns, and rows as markup."""
    top = "".join(f'<th scope="col">{h}</th>' for h in head)
    return f'<table class="{name}"><thead><tr>{top}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def copied(command: str) -> str:
    """A command with a button that copies it; the page shows the button where the browser can."""
    text = html.escape(command, quote=True)
    return f'<code class="command">{text}</code> <button type="button" class="copy" data-copy="{text}" hidden>copy</button>'


def _finite(outcome: Mapping, key: str, default: float | None = None) -> float | None:
    """A border or an end as a number; the default where it is open (strict JSON writes it as null)."""
    value = outcome.get(key)
    return default if value is None or abs(float(value)) == float("inf") else float(value)
