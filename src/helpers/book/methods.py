"""The methods page's computed parts: a worked example from a committed reference, margins as they stand in the ledger, and
what to expect of so many claims; and the changes page, in order of time.
"""

from __future__ import annotations

import html
import math
import re
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from docutils import nodes
from sphinx.util.docutils import SphinxRole

from helpers import claims, numbers, stats
from helpers.book.badges import badge
from helpers.book.picture import draw, margin
from helpers.book.sheet import (
    FromSheet,
    Sheet,
    chapter,
    claim_at,
    deciding,
    depend,
    linked,
    sheet,
    table,
    word,
)

DATED = re.compile(r"^(\d{4}-\d{2}-\d{2}):\s*(.*)$", re.S)
SIDE = 0.025  # what an interval of 95 % leaves on one side


class Worked(FromSheet):
    """{worked} CLAIM: from the values a unit to the verdict, for the test that decides a claim in its committed reference."""

    required_arguments, optional_arguments = 1, 0

    def markup(self, found: Sheet) -> str:
        claim = found.claims[self.arguments[0]]
        known, made = found.verdict(claim.id), found.reference(claim.chapter)
        test = deciding(known)
        values = ((made or {}).get("quantities") or {}).get(test["quantity"]) if test else None
        if not values:
            return "<p>No committed run has judged the example's claim yet.</p>"
        asked = next(
            (t for t in claim.precise.tests if t.quantity == test["quantity"]), claims.Test(test["quantity"], above=0.0)
        )
        if (kind := test.get("interval", "t")) != "t" or asked.log:
            kind = "t of logarithms" if asked.log else kind
            raise ValueError(
                f"{claim.id} is decided by an interval of kind {kind}; work out a claim with a plain t test"
            )
        x = np.array([v for v in values[: claim.precise.plan(asked)] if v is not None], float)
        ci, sd = stats.t_interval(x), float(x.std(ddof=1))
        unit = claim.precise.unit
        steps = {
            "claim": f"<b>{claim.id}</b> {html.escape(claim.claim)}",
            "made precise": html.escape(claim.precise.text),
            "quantity": html.escape(test["says"] or test["quantity"]),
            "region": f"{html.escape(numbers.tidy(test['region']))}, fixed {claim.fixed}",
            f"one value a {unit}": ", ".join(numbers.column(x.tolist())),
            "n": str(len(x)),
            "mean": numbers.write(ci.estimate),
            "standard deviation": numbers.write(sd),
            "standard error": f"{numbers.write(sd)} / √{len(x)} = {numbers.write(sd / math.sqrt(len(x)))}",
            "half width": f"{numbers.write((ci.high - ci.low) / 2)}, the standard error times Student's t for {len(x) - 1} "
            "degrees of freedom",
            "95 % interval": f"<b>{numbers.interval(ci.estimate, ci.low, ci.high)}</b>",
            "against the region": draw(test, test["verdict"], margin(claim, test)),
            "this test": word(test["verdict"]),
            "the claim": badge(self.env, found, claim.id),
        }
        rows = [f'<tr><th scope="row">{k}</th><td>{v}</td></tr>' for k, v in steps.items()]
        where = linked(found.title(claim.chapter), chapter(self.env, claim.chapter))
        return table("worked", ("step", "value"), rows) + f"<p>The chapter is {where}.</p>"


class MarginRole(SphinxRole):
    """{margin}`E1`: the border of a claim's first test, as the ledger has it."""

    def run(self):
        found = sheet(self.env.app)
        depend(self.env, found)
        if self.text not in found.claims:
            return [], [self.inliner.reporter.error(f"no claim {self.text!r} in book/claims.yml", line=self.lineno)]
        test = found.claims[self.text].precise.tests[0]
        ends = [numbers.tidy(f"{v:g}") for v in (test.above, test.below) if math.isfinite(v)]
        return [nodes.Text(" … ".join(ends))], []


class Multiplicity(FromSheet):
    """{multiplicity}: how many false verdicts so many claims would give at worst, and which survive Holm's correction."""

    def markup(self, found: Sheet) -> str:
        judged = found.judged
        tests = sum(len(v.get("outcomes") or ()) for v in judged.values())
        refuted = sum(false_refutation(v) for v in judged.values())
        text = (
            f"{len(judged)} claims have been judged so far by {tests} tests. Were every one of them true or false by a hair, "
            f"with its quantity exactly on the border, one would expect {numbers.write(SIDE * len(judged), 2)} false supports "
            f"at most, and {numbers.write(refuted, 2)} false refutations."
        )
        told = ("supported", "refuted", "mixed")
        adjusted = {k: v["holm"] for k, v in judged.items() if v.get("holm") is not None and v["verdict"] in told}
        if adjusted:
            kept = sum(p < 2 * SIDE for p in adjusted.values())
            weakest = max(adjusted, key=adjusted.get)
            text += (
                f" Of {len(adjusted)} decided verdicts with a p-value, {kept} keep p < {2 * SIDE:g} after Holm's correction "
                f"over the whole ledger; the weakest is {weakest}, p = {numbers.p(adjusted[weakest])}."
            )
        return f"<p>{text}</p>"


class Unprobed(FromSheet):
    """{unprobed}: the claims that committed runs have judged without known answers."""

    def markup(self, found: Sheet) -> str:
        made = {r["notebook"]: r.get("quantities") or {} for r in found.references if not r["label"]}
        none = [
            f'<a href="{claim_at(self.env, found, name)}">{name}</a>'
            for name in found.judged
            if claims.guards.control(name) not in made.get(found.claims[name].chapter, {})
        ]
        return f"<p>No known answers were made for {', '.join(none)}.</p>" if none else ""


def false_refutation(verdict: Mapping) -> float:
    """The chance that a claim is refuted whose quantities all lie on their borders. A judge that widens its intervals with
    the number of tests (`wide`) keeps it at one side of one interval."""
    outcomes = verdict.get("outcomes") or ()
    widened = any(o.get("wide") for o in outcomes)
    return SIDE if widened else 1 - (1 - SIDE) ** len(outcomes)


class Changes(FromSheet):
    """{changes}: every dated note of the ledger and every criterion that was replaced, in order of time; one that several
    claims share stands once."""

    def markup(self, found: Sheet) -> str:
        shared = defaultdict(list)
        for claim in found.claims.values():
            for date, text in dated(claim):
                shared[date, text].append(claim.id)
        if not shared:
            return "<p>No criterion has been changed.</p>"
        rows = []
        for (date, text), names in sorted(shared.items(), key=lambda pair: pair[0][0]):
            links = " ".join(f'<a href="{claim_at(self.env, found, n)}">{n}</a>' for n in names)
            gave = [
                f"{n} {word(v['verdict'])} → {badge(self.env, found, n)}"
                for n in names
                for v in found.earlier.get(n, ())
                if v["criterion"].endswith(date)
            ]
            rows.append(
                f'<tr><td class="date">{date}</td><td>{links}</td><td>{html.escape(text)} {"; ".join(gave)}</td></tr>'
            )
        return table("changes", ("date", "claims", "what changed"), rows)


def dated(claim: claims.Claim) -> list[tuple[str, str]]:
    """A claim's changes as (date, text): its notes, and its earlier criteria in their own words."""
    notes = [(m[1], m[2].strip()) for n in claim.notes if (m := DATED.match(n))]
    return notes + [(e.until, f"Replaced: “{e.criterion.text}” {e.why}") for e in claim.earlier]


def setup(app) -> None:
    app.add_directive("worked", Worked)
    app.add_directive("multiplicity", Multiplicity)
    app.add_directive("changes", Changes)
    app.add_directive("unprobed", Unprobed)
    app.add_role("margin", MarginRole())
