"""The ledger: every claim with both criteria, verdicts, p, least visible effect, and what an earlier criterion gave."""

from __future__ import annotations

import html
from collections.abc import Iterable

from helpers import claims, numbers
from helpers.book.badges import by
from helpers.book.methods import dated
from helpers.book.search import claim_entries
from helpers.book.sheet import (
    CHANGES,
    SEEDS,
    FromSheet,
    Sheet,
    chapter,
    deciding,
    link_to,
    linked,
    look,
    row_id,
    sheet,
    table,
    word,
)


class Ledger(FromSheet):
    """{ledger}: a row a claim, filterable; links to the verdict in its chapter and to its document."""

    def run(self):
        return [claim_entries(sheet(self.env.app)), *super().run()]

    def markup(self, found: Sheet) -> str:
        self.env.metadata[self.env.docname]["ledger"] = "yes"
        columns = {
            "before → after": [self._change(found, c) for c in found.claims.values()],
            "p, adjusted": [p_value(found, c) for c in found.claims.values()],
            "least visible effect": [least(found, c) for c in found.claims.values()],
        }
        columns = {k: v for k, v in columns.items() if any(v)}  # a column that nothing has is not drawn
        more = zip(*columns.values(), strict=True) if columns else [()] * len(found.claims)
        rows = [self._row(found, c, cells) for c, cells in zip(found.claims.values(), more, strict=True)]
        head = ("claim", "verdict", "as printed", "made precise", *columns, "where")
        return self._filter(found) + table("ledger", head, rows)

    def _filter(self, found: Sheet) -> str:
        """The form above the table. Only what occurs can be chosen."""
        all_claims = found.claims.values()
        seeds = sorted({c.seed for c in all_claims})
        judged = dict.fromkeys(found.verdict(c.id)["verdict"] for c in all_claims)
        choices = {
            "part": [(found.part(s), s) for s in seeds],
            "verdict": [(v, v) for v in claims.words.VERDICTS if v in judged],
        }
        labels = {"part": "Part", "verdict": "Verdict"}
        fields = "".join(
            f'<label>{labels[name]} <select name="{name}"><option value="">all</option>'
            + "".join(f'<option value="{v}">{html.escape(text)}</option>' for text, v in values)
            + "</select></label>"
            for name, values in choices.items()
        )
        return (
            f'<form class="ledger-filter"><label>Text <input name="text" type="search"></label>{fields}'
            '<span class="ledger-count" aria-live="polite"></span></form>'
        )

    def _row(self, found: Sheet, c: claims.Claim, more: Iterable[str]) -> str:
        known = found.verdict(c.id)
        href = chapter(self.env, c.chapter)
        where = linked(found.title(c.chapter), chapter(self.env, c.chapter, row_id(c.id)) if href else "")
        seed = link_to(self.env, SEEDS, f"seed-{c.seed}")
        reason = ""
        if known.get("outcomes"):
            reason = f'<p class="reason">{html.escape(numbers.tidy(known["reason"]))} <i>({by(found, c.id)})</i></p>'
        scope = f'<p class="reason">Scope: {html.escape(known["scope"])}</p>' if known.get("scope") else ""
        cells = [
            f"<b>{c.id}</b> {html.escape(c.claim)}",
            self._badge(c, known, "precise"),
            f"{html.escape(c.printed.text)} {self._printed(found, c)}",
            f"{html.escape(c.precise.text)}{reason}{scope}{_alone(found, c)}"
            f'<p class="fixed">fixed {c.fixed}{self._changed(c)}; unit: {c.precise.unit}</p>',
            *more,
            f'{where}<br><a href="{seed}">document {c.seed}</a>',
        ]
        body = "".join(f"<td>{v}</td>" for v in cells)
        return f'<tr id="{c.id}" data-verdict="{known["verdict"]}" data-part="{c.seed}">{body}</tr>'

    def _badge(self, c: claims.Claim, known: dict, criterion: str) -> str:
        """A verdict that leads to its row in the chapter, where there is one."""
        href = chapter(self.env, c.chapter, row_id(c.id, criterion))
        if not href or known["verdict"] == claims.words.AWAITING:
            return word(known["verdict"])
        return f'<a class="{look(known["verdict"])}" href="{href}">{known["verdict"]}</a>'

    def _printed(self, found: Sheet, c: claims.Claim) -> str:
        """The printed criterion's verdict. A division of two settings has none: it is arithmetic."""
        if c.printed.arithmetic:
            return "<i>arithmetic</i>"
        return self._badge(c, found.printed[c.id], "printed") if c.id in found.printed else ""

    def _changed(self, c: claims.Claim) -> str:
        """The days on which its criteria were changed, with a link to what was."""
        days = sorted({day for day, _ in dated(c)})
        href = link_to(self.env, CHANGES)
        return f', <a href="{href}">changed {" and ".join(days)}</a>' if days else ""

    def _change(self, found: Sheet, c: claims.Claim) -> str:
        """'undecided → refuted': what criteria that were replaced give on the same data, and what counts now; folded behind it
        what they said, and why they went."""
        given = found.earlier.get(c.id, ())
        if not given:
            return ""
        words = " → ".join(word(v["verdict"]) for v in (*given, found.verdict(c.id)))
        stated = {f"earlier {e.until}": e for e in c.earlier}
        told = "".join(self._before(c, v, stated.get(v["criterion"])) for v in given)
        return f'<details class="before"><summary>{words}</summary>{told}</details>'

    def _before(self, c: claims.Claim, given: dict, stated: claims.Earlier | None) -> str:
        """One criterion that was replaced: its text, why it went, and what it gives, with a link to its row in the chapter."""
        text = (
            f"Until {stated.until}: {html.escape(stated.criterion.text)} <i>{html.escape(stated.why)}</i> "
            if stated
            else ""
        )
        reason = html.escape(numbers.tidy(given["reason"]))
        return f'<p class="reason">{text}{self._badge(c, given, given["criterion"])} {reason}</p>'


def _alone(found: Sheet, c: claims.Claim) -> str:
    """What the chapter's other committed runs say by themselves, one model or corpus each."""
    told = ", ".join(f"{html.escape(label)} {word(verdict)}" for label, verdict in found.alone(c.id))
    return f'<p class="reason">Other committed runs, each by itself: {told}</p>' if told else ""


def p_value(found: Sheet, c: claims.Claim) -> str:
    """The p of the claim's verdict, adjusted over the ledger; '' without one."""
    value = found.verdict(c.id).get("holm")
    return "" if value is None else html.escape(numbers.p(value))


def least(found: Sheet, c: claims.Claim) -> str:
    """The smallest effect that the deciding test can see with its units, '' where that is not known."""
    test = deciding(found.verdict(c.id))
    return "" if not test or test.get("least_visible") is None else numbers.write(test["least_visible"], 2)


def add_script(app, pagename, templatename, context, doctree) -> None:
    """The ledger's filter goes only to the page that holds the ledger."""
    if app.env.metadata.get(pagename, {}).get("ledger"):
        app.add_js_file("ledger.js", loading_method="defer")


def setup(app) -> None:
    app.add_directive("ledger", Ledger)
    app.connect("html-page-context", add_script)
