"""Verdict badges: a link to the ledger with a card on focus, hover and tap; the claims box, the verdicts' rows, footers."""

from __future__ import annotations

import html
import re
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxRole

from helpers import numbers
from helpers.book.sheet import (
    Sheet,
    chapter,
    claim_at,
    control_line,
    deciding,
    depend,
    failed_controls,
    held,
    linked,
    look,
    numbers_of,
    row_id,
    sheet,
    word,
)
from helpers.run.build import CHAPTERS

WORDS = {"quick": "quick profile", "full": "full profile"}
CARD = re.compile(r'aria-describedby="card-(\w+)"')
BOX = re.compile(r'<span class="verdict" data-claim="(\w+)"></span>')
ROW = re.compile(r"<tr><td>(\w+)</td><td>(precise|printed|earlier [\w-]+)</td>")


def badge(env, found: Sheet, claim: str) -> str:
    """The verdict that counts, as a coloured word that links to the claim's row of the ledger; a card says the rest."""
    verdict = found.verdict(claim)["verdict"]
    href = claim_at(env, found, claim)
    return f'<a class="{look(verdict)}" href="{href}" aria-describedby="card-{claim}">{verdict}</a>'


def card(env, found: Sheet, name: str) -> str:
    """What a badge opens: the claim in its words, the verdict, the test that decides it, n and scope, and where to read on."""
    claim, known = found.claims[name], found.verdict(name)
    rows = [("verdict", f"{word(known['verdict'])} {by(found, name)}")]
    if broken := failed_controls(known):
        rows += [(f"control{'s' * (len(broken) > 1)} failed", "; ".join(map(control_line, broken)))]
    elif test := deciding(known):
        wanted = f"wanted {html.escape(numbers.tidy(test['region']))}"
        rows.append((html.escape(test["says"] or test["quantity"]), f"<b>{numbers_of(test)}</b>, {wanted}"))
        if share := held(known):
            rows.append(("tests that hold", share))
        rows.append(("n", numbers.unit(str(test["n"]), claim.precise.unit + "s" * (test["n"] != 1))))
    elif known["reason"]:
        rows.append(("why", html.escape(numbers.tidy(known["reason"]))))
    if known.get("holm") is not None:
        rows.append(("p, adjusted", numbers.p(known["holm"])))
    if known.get("scope"):
        rows.append(("scope", html.escape(known["scope"])))
    facts = "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in rows)
    links = [f'<a href="{claim_at(env, found, name)}">Both criteria</a>']
    if href := chapter(env, claim.chapter, row_id(name)):
        links.append(linked(found.title(claim.chapter), href))
    return (
        f'<div role="note" id="card-{name}" class="card-of" popover="auto" aria-label="{name}"><p><b>{name}</b> '
        f'{html.escape(claim.claim)}</p><dl>{facts}</dl><p class="card-links">{" · ".join(links)}</p></div>'
    )


def by(found: Sheet, name: str) -> str:
    """Whose verdict it is: 'by the committed reference of 2026-11-25'."""
    known = found.verdict(name)
    if known["by"] == "reference":
        made = found.reference(found.claims[name].chapter)
        return "by the committed reference" + (f" of {made['date']}" if made else "")
    return f"by {known['by']}" if known["by"] else ""


class VerdictRole(SphinxRole):
    """{verdict}`E1`: the badge of one claim, linked to the ledger."""

    def run(self):
        found = sheet(self.env.app)
        depend(self.env, found)
        if self.text not in found.claims:
            message = self.inliner.reporter.error(f"no claim {self.text!r} in book/claims.yml", line=self.lineno)
            return [], [message]
        return [nodes.raw("", badge(self.env, found, self.text), format="html")], []


class Badges(SphinxPostTransform):
    """Put the badges into a chapter's claims box, anchors into its table of verdicts, its provenance at the foot of the page,
    and a card for every badge behind it."""

    default_priority = 900

    def run(self, **kwargs) -> None:
        found = sheet(self.env.app)
        named = []
        for node in self.document.findall(nodes.raw):
            text = node.astext()
            changed = self._rows(found, BOX.sub(lambda m: badge(self.env, found, m[1]), text))
            if changed != text:
                node.children, node.rawsource = [], changed
                node.append(nodes.Text(changed))
            named += CARD.findall(changed)
        name = Path(self.env.docname)
        if name.parent == CHAPTERS and name.name in found.runs:
            self.document.append(nodes.raw("", footer(found.runs[name.name]), format="html"))
        cards = "".join(card(self.env, found, claim) for claim in dict.fromkeys(named) if claim in found.claims)
        if cards:
            self.document.append(nodes.raw("", cards, format="html"))

    def _rows(self, found: Sheet, text: str) -> str:
        """The rows of a chapter's table of verdicts: an anchor each, and a link to the ledger."""
        if '<table class="verdicts"' not in text:
            return text

        def anchored(m: re.Match) -> str:
            if m[1] not in found.claims:
                return m[0]
            href = claim_at(self.env, found, m[1])
            return f'<tr id="{row_id(m[1], m[2])}"><td><a href="{href}">{m[1]}</a></td><td>{m[2]}</td>'

        return ROW.sub(anchored, text)


def footer(chapter: dict) -> str:
    """How the numbers of a page came about, in one paragraph."""
    run = chapter["run"]
    if run is None:
        return '<footer class="provenance">No run stands behind this page yet.</footer>'
    on = run["provenance"]
    versions = ", ".join(f"{k} {on[k]}" for k in ("python", "torch", "numpy", "cuda") if on.get(k))
    given = ", ".join(f"{k}={v}" for k, v in run["parameters"].items() if v is not None)
    facts = [
        f"<b>{WORDS.get(run['parameters'].get('profile'), 'run')}</b>, {run['started']}, {numbers.seconds(run['seconds'])}",
        f"on {html.escape(str(on.get('device', '?')))} ({versions})",
        f"parameters {html.escape(given)}",
        f"key {run['key']}, commit {on.get('commit') or 'none'}",
    ]
    state = "" if chapter["fresh"] else " <b>This run is older than the notebook's source.</b>"
    return f'<footer class="provenance"><b>Provenance.</b> {"; ".join(facts)}.{state}</footer>'


def setup(app) -> None:
    app.add_role("verdict", VerdictRole())
    app.add_post_transform(Badges)
