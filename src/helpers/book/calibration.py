"""How often the judge errs: {calibration}, the committed simulation of whole ledgers, and power by effect and units."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import scipy
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from helpers import figures, files, numbers, switches
from helpers.book import still
from helpers.book.plots import framed
from helpers.book.sheet import table

RESULT = Path("book") / "reference" / "judge" / "calibration.json"
UNITS = (4, 6, 8, 10, 12, 18, 30, 60)
SHOWN = 12  # units, at first
POWER, FALSE = 0.8, 0.03  # wanted: power at least, false supports at most
SETTINGS = {
    "planted": "every test's truth lies at twice the margin",
    "edge": "one test's truth lies on its border, the others' far inside",
    "border": "every test's truth lies on its border",
    "null": "every test's truth lies outside, as far as a planted one lies inside",
}
LOOK = {"supported": figures.SERIES[0], "refuted": figures.SERIES[1], "undecided": figures.SERIES[3]}
CAPTION = (
    "How often one t test supports, refutes or leaves open, by how far the truth lies from the border of its region (positive: "
    "inside), in standard deviations of a unit. At the border a fortieth is supported and a fortieth refuted, whatever the "
    "number of units; more units make the curves steeper, never the border safer."
)


class Calibration(SphinxDirective):
    """{calibration}: shares of verdicts in ledgers whose truth is known, and the power of one test with a slider over units."""

    def run(self):
        path = Path(self.env.srcdir) / RESULT
        self.env.note_dependency(str(path))
        box = nodes.raw("", _figure(), format="html", classes=["plotly"], kinds=["scatter"])
        told = [nodes.raw("", _told(files.read_json(path)), format="html")] if path.is_file() else []
        return [*told, box]


def shares(found: Mapping, setting: str, *verdicts: str) -> dict[str, float]:
    """{claim: how often it got one of the verdicts} in one setting."""
    return {k: sum(v[setting].get(verdict, 0.0) for verdict in verdicts) for k, v in found["settings"].items()}


def _told(found: Mapping) -> str:
    """The table of settings, and which claims lack power, as markup."""
    rows = []
    for setting, words in SETTINGS.items():
        held, fell = (list(shares(found, setting, *v).values()) for v in (("supported",), ("refuted", "mixed")))
        cells = [words, *(numbers.fixed(v, 3) for v in (np.mean(held), max(held), np.mean(fell), max(fell)))]
        rows.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")
    head = (
        "in a ledger where …",
        "supported, mean",
        "supported, most",
        "refuted or mixed, mean",
        "refuted or mixed, most",
    )
    power = shares(found, "planted", "supported")
    weak = sorted(k for k, v in power.items() if v < POWER)
    error = np.sqrt(FALSE * (1 - FALSE) / found["ledgers"])
    text = (
        f"{len(power)} claims were judged in {found['ledgers']} made-up ledgers of each kind, with the planned units; "
        f"a share of {FALSE:g} has a standard error of {numbers.fixed(error, 3)} there. "
    )
    text += (
        f"Power at twice the margin is {POWER:g} or more for all but {len(weak)}: {', '.join(weak)}."
        if weak
        else f"Power at twice the margin is {POWER:g} or more for every claim."
    )
    command = f"<code>{html.escape(found['command'])}</code>, {numbers.seconds(found['seconds'])}"
    return f"<p>{text}</p>{table('data', head, rows)}<p>Made by {command}.</p>"


def chances(effect: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """Chances of each verdict of one t test with n units whose truth lies `effect` standard deviations inside its border:
    noncentral t (Cohen 1988, ch. 2). effect: (P,). Returns {verdict: (P,)}."""
    end = scipy.stats.t.ppf(0.975, n - 1)
    held = scipy.stats.nct.sf(end, n - 1, effect * np.sqrt(n))
    fell = scipy.stats.nct.sf(end, n - 1, -effect * np.sqrt(n))
    return {"supported": held, "refuted": fell, "undecided": 1 - held - fell}


def power_figure() -> go.Figure:
    """Chances of each verdict by effect, a slider over the number of units."""
    fig = figures.figure(
        "What can so many units see?", "distance from the border (sd of a unit)", "chance of the verdict"
    )
    effect = np.linspace(-2, 2, 41)
    for n in UNITS:
        for verdict, chance in chances(effect, n).items():
            line = {"color": LOOK[verdict], "dash": "dot" if verdict == "undecided" else "solid"}
            fig.add_scatter(x=effect.round(2), y=np.round(chance, 4), name=verdict, mode="lines", line=line)
    return switches.groups(fig, UNITS, [len(LOOK)] * len(UNITS), "slider", "units: ", UNITS.index(SHOWN))


def _figure() -> str:
    """The figure with its still picture and its caption, as markup."""
    fig = power_figure()
    content = json.loads(files.strict_json(fig.to_plotly_json() | {"config": figures.CONFIG}))
    box = framed(content).replace('role="figure"', 'role="figure" aria-describedby="calibration-figure"', 1)
    picture = f'<div class="plotly-static">{still.picture(content)}</div>'
    return f'<div class="has-static">{box}</div>{picture}<p class="figcaption" id="calibration-figure">{CAPTION}</p>'


def setup(app) -> None:
    app.add_directive("calibration", Calibration)
