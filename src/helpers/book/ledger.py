"""What the runs say, put into pages: badges, the claims box, the table of parts, the ledger, the status page, footers."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective, SphinxRole

from helpers import claims, files
from helpers.run.build import CHAPTERS, SHEET

SEEDS = "book/seeds"
WORDS = {"quick": "quick profile", "full": "full profile"}


class Sheet:
    """Everything the pages are made from: the claims, the parts, and what `ruc build` wrote of the runs."""

    def __init__(self, root: Path):
        self.files = [root / "book" / "claims.yml", root / "book" / "parts.yml", root / CHAPTERS / SHEET]
        self.claims = claims.load(self.files[0])
        self.parts = yaml.safe_load(self.files[1].read_text(encoding="utf-8"))
        self.runs = files.read_json(self.files[2]) if self.files[2].is_file() else {}
        self.counting, self.printed = {}, {}
        for chapter in self.runs.values():
            self.counting |= claims.counting(chapter["verdicts"])
            for found in ((chapter["verdicts"] or {}).get("verdicts") or {}).values():
                self.printed |= {v["id"]: v for v in found if v["criterion"] == "printed"}

    def badge(self, claim: str, href: str = "") -> str:
        """The verdict that counts, as a coloured word; its reason shows on hover."""
        known = self.counting.get(claim) or {"verdict": claims.AWAITING, "reason": "no run has judged it yet"}
        return _badge(known, href)


def _badge(known: dict, href: str = "") -> str:
    reason = html.escape(known["reason"], quote=True)
    tag, link = ("a", f' href="{href}"') if href else ("span", "")
    return f'<{tag} class="verdict verdict-{known["verdict"]}"{link} title="{reason}">{known["verdict"]}</{tag}>'


@cache
def _sheet(root: Path, stamp: tuple) -> Sheet:
    return Sheet(root)


def sheet(app) -> Sheet:
    """The sheet, read again when one of its files changed."""
    root = Path(app.srcdir)
    known = [root / "book" / "claims.yml", root / "book" / "parts.yml", root / CHAPTERS / SHEET]
    return _sheet(root, tuple(p.stat().st_mtime_ns if p.is_file() else 0 for p in known))


class VerdictRole(SphinxRole):
    """{verdict}`E1`: the badge of one claim, linked to its chapter."""

    def run(self):
        found = sheet(self.env.app)
        _depend(self.env, found)
        if self.text not in found.claims:
            message = self.inliner.reporter.error(f"no claim {self.text!r} in book/claims.yml", line=self.lineno)
            return [], [message]
        return [nodes.raw("", found.badge(self.text, _chapter(self.env, found.claims[self.text].chapter)), format="html")], []


class SheetTable(SphinxDirective, ABC):
    """A directive that is one HTML table made from the sheet."""

    def run(self):
        found = sheet(self.env.app)
        _depend(self.env, found)
        return [nodes.raw("", self.markup(found), format="html")]

    @abstractmethod
    def markup(self, found: Sheet) -> str:
        """The table."""


class Parts(SheetTable):
    """{parts}: a row a notebook, with the badges of the claims that it judges; what is still to come is marked so."""

    def markup(self, found: Sheet) -> str:
        rows = []
        for part in found.parts:
            rows.append(f'<tr class="part"><th colspan="3">{html.escape(part["title"])}</th></tr>')
            for name, question in part["notebooks"].items():
                href = _chapter(self.env, name)
                title = f'<a href="{href}">{name}</a>' if href else f'{name} <span class="to-come">to come</span>'
                mine = [c.id for c in found.claims.values() if c.chapter == name]
                badges = " ".join(f'<span class="pair">{i} {found.badge(i, href)}</span>' for i in mine)
                rows.append(f"<tr><td>{title}</td><td>{html.escape(question)}</td><td>{badges}</td></tr>")
        head = "<tr><th>notebook</th><th>question</th><th>claims and verdicts</th></tr>"
        return _table("parts", head, rows)


class Ledger(SheetTable):
    """{ledger}: every claim with both criteria and verdicts, filterable; links to its chapter and its seed document."""

    def markup(self, found: Sheet) -> str:
        self.env.metadata[self.env.docname]["ledger"] = "yes"
        rows = [self._row(found, c) for c in found.claims.values()]
        options = "".join(f"<option>{v}</option>" for v in claims.VERDICTS)
        seeds = "".join(f"<option>{s}</option>" for s in sorted({c.seed for c in found.claims.values()}))
        form = (
            '<form class="ledger-filter"><label>Text <input name="text" type="search"></label>'
            f'<label>Verdict <select name="verdict"><option></option>{options}</select></label>'
            f'<label>Seed document <select name="seed"><option></option>{seeds}</select></label>'
            '<span class="ledger-count" aria-live="polite"></span></form>'
        )
        head = "<tr><th>claim</th><th>as printed</th><th>made precise</th><th>where</th></tr>"
        return form + _table("ledger", head, rows)

    def _row(self, found: Sheet, c: claims.Claim) -> str:
        known = found.counting.get(c.id) or {"verdict": claims.AWAITING, "reason": "", "by": ""}
        printed = _badge(found.printed[c.id]) if c.id in found.printed else ""
        href = _chapter(self.env, c.chapter)
        name = c.chapter.replace("_", "_<wbr>")  # a narrow column may break it there
        where = f'<a href="{href}">{name}</a>' if href else f'{name} <span class="to-come">to come</span>'
        seed = self.env.app.builder.get_relative_uri(self.env.docname, SEEDS)
        reason = f'<p class="reason">{html.escape(known["reason"])} <i>({known["by"]})</i></p>' if known["reason"] else ""
        notes = "".join(f'<p class="reason">Note: {html.escape(n)}</p>' for n in c.notes)
        return (
            f'<tr id="{c.id}" data-verdict="{known["verdict"]}" data-seed="{c.seed}">'
            f"<td><b>{c.id}</b> {html.escape(c.claim)}</td>"
            f"<td>{html.escape(c.printed.text)} {printed}</td>"
            f"<td>{found.badge(c.id)} {html.escape(c.precise.text)}{reason}{notes}"
            f'<p class="fixed">fixed {c.fixed}; unit: {c.precise.unit}</p></td>'
            f'<td>{where}<br><a href="{seed}#seed-{c.seed}">seed {c.seed}</a></td></tr>'
        )


class Runs(SheetTable):
    """{runs}: what ran, when, on what, for how long, and whether it is of the source as it stands."""

    def markup(self, found: Sheet) -> str:
        rows = []
        for name, chapter in found.runs.items():
            run, href = chapter["run"], _chapter(self.env, name)
            state = "fresh" if chapter["fresh"] else "stale" if run else "missing"
            cells = [f'<a href="{href}">{name}</a>', f'<span class="state state-{state}">{state}</span>']
            if run:
                on = run["provenance"].get("device", "")
                cells += [run["parameters"].get("profile", ""), run["started"], on, f"{run['seconds']:.0f} s", run["key"]]
            else:
                cells += ["", "", "", "", html.escape(chapter["error"])]
            rows.append("<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
        head = "".join(f"<th>{h}</th>" for h in ("notebook", "state", "profile", "started", "on", "took", "key"))
        return _table("runs", f"<tr>{head}</tr>", rows)


class Badges(SphinxPostTransform):
    """Put the badges into a chapter's claims box, and its provenance at the foot of the page."""

    default_priority = 900

    def run(self, **kwargs) -> None:
        found = sheet(self.env.app)
        for node in self.document.findall(nodes.raw):
            text = node.astext()
            if 'data-claim="' in text:
                for name in found.claims:
                    text = text.replace(f'<span class="verdict" data-claim="{name}"></span>', found.badge(name))
                node.children, node.rawsource = [], text
                node.append(nodes.Text(text))
        name = Path(self.env.docname)
        if name.parent == CHAPTERS and name.name in found.runs:
            self.document.append(nodes.raw("", footer(found.runs[name.name], found), format="html"))


def footer(chapter: dict, found: Sheet) -> str:
    """How the numbers of a page came about, in one paragraph."""
    run = chapter["run"]
    if run is None:
        return '<footer class="provenance">No run stands behind this page yet.</footer>'
    on = run["provenance"]
    versions = ", ".join(f"{k} {on[k]}" for k in ("python", "torch", "numpy", "cuda") if on.get(k))
    given = ", ".join(f"{k}={v}" for k, v in run["parameters"].items() if v is not None)
    facts = [
        f"<b>{WORDS.get(run['parameters'].get('profile'), 'run')}</b>, {run['started']}, {run['seconds']:.0f} s",
        f"on {html.escape(str(on.get('device', '?')))} ({versions})",
        f"parameters {html.escape(given)}",
        f"key {run['key']}, commit {on.get('commit') or 'none'}",
    ]
    state = "" if chapter["fresh"] else " <b>This run is older than the notebook's source.</b>"
    return f'<footer class="provenance"><b>Provenance.</b> {"; ".join(facts)}.{state}</footer>'


def add_script(app, pagename, templatename, context, doctree) -> None:
    """The ledger's filter goes only to the page that holds the ledger."""
    if app.env.metadata.get(pagename, {}).get("ledger"):
        app.add_js_file("ledger.js", loading_method="defer")


def setup(app) -> None:
    app.add_role("verdict", VerdictRole())
    app.add_directive("parts", Parts)
    app.add_directive("ledger", Ledger)
    app.add_directive("runs", Runs)
    app.add_post_transform(Badges)
    app.connect("html-page-context", add_script)


def _chapter(env, name: str) -> str:
    """Relative address of a chapter's page, '' when the book does not have it yet."""
    target = (CHAPTERS / name).as_posix()
    return env.app.builder.get_relative_uri(env.docname, target) if target in env.found_docs else ""


def _depend(env, found: Sheet) -> None:
    for path in found.files:
        env.note_dependency(str(path))


def _table(name: str, head: str, rows: list[str]) -> str:
    return f'<div class="table-scroll"><table class="{name}"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'
