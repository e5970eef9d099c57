"""The front's picture: a row a judged claim, its interval on a scale of its own, the region it must lie in shaded."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from helpers import claims, numbers
from helpers.book.badges import badge
from helpers.book.sheet import (
    SEEDS,
    FromSheet,
    Sheet,
    chapter,
    claim_at,
    control_line,
    deciding,
    distance,
    failed_controls,
    held,
    link_to,
    numbers_of,
    row_id,
)
from helpers.claims import Claim

CONTROL = "its control failed"  # drawn in place of a verdict
FAR = 4.0  # zero is marked while it is at most so many margins away


class Picture(FromSheet):
    """{picture}: every judged claim by document; right of the line is where the claim wants its interval; without scripts."""

    def markup(self, found: Sheet) -> str:
        judged = [found.claims[name] for name in found.judged]
        groups = []
        for seed, members in groupby(judged, key=lambda c: c.seed):
            title = f'<a href="{link_to(self.env, SEEDS, f"seed-{seed}")}">{html.escape(found.part(seed))}</a>'
            rows = "".join(self._row(found, c.id) for c in members)
            groups.append(f'<tbody><tr class="part"><th colspan="5" scope="colgroup">{title}</th></tr>{rows}</tbody>')
        head = "".join(
            f'<th scope="col">{h}</th>' for h in ("claim", "outside | inside", "deciding test", "n", "verdict")
        )
        drawn = f'<table class="picture"><thead><tr>{head}</tr></thead>{"".join(groups)}</table>' if groups else ""
        return drawn + self._to_come(found)

    def _row(self, found: Sheet, name: str) -> str:
        claim, known = found.claims[name], found.verdict(name)
        test = deciding(known)
        href = chapter(self.env, claim.chapter, row_id(name)) or claim_at(self.env, found, name)
        told, n = "", ""
        broken = failed_controls(known)
        if test:
            share = f'<span class="held">{held(known)} tests hold</span>' if held(known) and not broken else ""
            region = html.escape(numbers.tidy(test["region"]))
            told = f'<span class="says">{html.escape(test["says"])}</span> <b>{numbers_of(test)}</b>, wanted {region} {share}'
            told = failed(broken, claims.known.control(name)) if broken else told
            n = "" if test.get("interval") in ("exact", "p") else str(test["n"])
        cells = (
            f'<th scope="row"><a href="{href}"><b>{name}</b> {html.escape(claim.claim)}</a></th>',
            f'<td class="drawn">{draw(test, CONTROL if broken else test["verdict"], margin(claim, test)) if test else ""}</td>',
            f'<td class="told">{told}</td><td class="n">{n}</td><td>{badge(self.env, found, name)}</td>',
        )
        return f"<tr>{''.join(cells)}</tr>"

    def _to_come(self, found: Sheet) -> str:
        """Claims that nothing has judged yet, folded."""
        left = [c for name, c in found.claims.items() if name not in found.judged]
        if not left:
            return ""
        rows = "".join(
            f'<li><a href="{claim_at(self.env, found, c.id)}"><b>{c.id}</b></a> {html.escape(c.claim)}</li>'
            for c in left
        )
        return f'<details class="to-judge"><summary>{len(left)} claims to come</summary><ul>{rows}</ul></details>'


def margin(claim: Claim, test: Mapping) -> float:
    """The smallest effect that a test is about, as a distance from its border; of a test without one, half of its interval."""
    tests = (*claim.precise.tests, *claim.precise.controls)
    planted = next((t.planted for t in tests if t.quantity == test["quantity"]), None)
    size = abs(distance(test, planted)) if planted is not None else 0.0
    ends = [float(test[k]) for k in ("low", "high") if test.get(k) is not None]
    return size or (max(ends) - min(ends)) / 2 or 1.0 if ends else size or 1.0


def failed(broken: Sequence[Mapping], planted: str) -> str:
    """What it means that controls failed, each in a few words. planted: the one that plants the claim's own effect."""
    others = "; ".join(control_line(o) for o in broken if o["quantity"] != planted)  # with their numbers
    told = []
    if any(o["quantity"] == planted for o in broken):
        told.append("The test cannot tell an effect that we planted from none, so it decides nothing.")
    if others:
        told.append(f"A control failed, so the test decides nothing: {others}")
    return " ".join(told)


def draw(test: Mapping, verdict: str, size: float) -> str:
    """One interval as an SVG that takes any width. The border is in the middle, what the claim wants to the right of it, and
    one margin (`size`) lies half-way to the edge, in every row; what is far off is drawn together, x / (1 + |x|). A dotted line
    stands at zero, where the quantity is an estimate with a spread. With CONTROL for a verdict it is hollow and grey."""
    at = distance(test, test["estimate"])
    ends = [distance(test, test[k]) if test.get(k) is not None else None for k in ("low", "high")]
    none = distance(test, 0.0)
    near = 0 < abs(none) <= FAR * size and test.get("low") != test.get("high")
    place = lambda v: f"{50 + 50 * _share(v, size):.1f}%"
    first, last = sorted(_open(end, i, ends, test) for i, end in enumerate(ends))
    borders = [float(test[k]) if test.get(k) is not None else math.inf for k in ("above", "below")]
    both = all(map(math.isfinite, borders))
    width = 50 * _share(borders[1] - borders[0], size) if both else 50.0
    middle = f'x1="{place(first)}" x2="{place(last)}" y1="13" y2="13"'
    zero = f'<line class="none" x1="{place(none)}" x2="{place(none)}" y1="3" y2="23"/>' if near else ""
    kind = "control" if verdict == CONTROL else verdict.replace(" ", "-")
    label = f"{numbers_of(test)}, wanted {html.escape(numbers.tidy(test['region']))}: {verdict}"
    return (
        f'<svg class="interval drawn-{kind}" role="img" aria-label="{label}" width="100%" height="26">'
        f'<rect x="50%" width="{width:.1f}%" y="2" height="22"/><line class="border" x1="50%" x2="50%" y1="2" y2="24"/>'
        f'{zero}<line class="reach" {middle}/><circle cx="{place(at)}" cy="13" r="4.5"/></svg>'
    )


def _share(v: float, size: float) -> float:
    """Where a distance is drawn, from −1 to 1: half-way for one margin."""
    return v / (abs(v) + size) if abs(v) < 1e9 else math.copysign(1.0, v)


def _open(end: float | None, i: int, ends: list, test: Mapping) -> float:
    """An end of the interval in the picture's direction; an open one leaves the picture."""
    if end is not None:
        return end
    up = distance(test, test["estimate"] + 1) > distance(test, test["estimate"])
    return 1e9 if up == (i == 1) else -1e9


def setup(app) -> None:
    app.add_directive("picture", Picture)
