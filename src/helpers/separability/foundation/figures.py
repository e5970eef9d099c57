"""The figures of experiment A. They draw the sides they are given, and compute nothing but means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from helpers import figures, frames
from helpers.figures import INK, SERIES
from helpers.separability.foundation.config import KINDS, POST_HOC, SITES
from helpers.study import Sides

NAMES = {"patterns": "patterns fixed", "weights": "weights frozen", "removed": "heads removed"}
CLAMPS = {
    "naive": "one number for all",
    "mean_preserving": "mean kept",
    "token_norm": "every token's norm",
    "mean_vector": "mean's length",
    "dispersion": "every token's rest",
    "random_direction": "random shift",
    "sham": "sham: own norm",
    "preserving": "random vector kept",
    "class_signal": "class signal",
}
PLACES = {"resid_pre": "before", "attn_out": "attention's output", "resid_mid": "middle", "mlp_out": "MLP's output"}
PLACES |= {"resid_post": "after the block"}


def price(sides: Sides) -> go.Figure:
    """Accuracy and amplitude against the number of constrained heads, by kind of constraint; a menu over what is
    measured."""
    fig = figures.figure(
        "What does a constrained head cost, and is it paid for?", "constrained heads of four", "", height=470
    )
    choices = {"accuracy": "psi_accuracy", "amplitude after the block, over the control's": "A_ratio_resid_post_L0"}
    choices |= {"amplitude in the middle, over the control's": "A_ratio_resid_mid_L0"}
    choices |= {"routing's stability G": "G_stability"}
    sizes = []
    for column in choices.values():
        drawn = len(fig.data)
        for kind, color in zip(KINDS, SERIES[:3], strict=True):
            figures.compare(fig, sides, column, "dose", NAMES[kind], color, group=kind)
        sizes.append(len(fig.data) - drawn)
    if fig.data:
        figures.groups(fig, list(choices), sizes)
    fig.update_xaxes(dtick=1).update_yaxes(rangemode="tozero")
    return figures.level(fig, 1.0, "all right, or as the control")


def sites(sides: Sides) -> go.Figure:
    """Amplitude of the document's arms at every site, over the control's."""
    fig = figures.figure("Where does amplitude change?", "", "amplitude over the control's", height=430)
    arms = {"constraint": SERIES[1], "removed_3": SERIES[4], "weights_3": SERIES[2], "again": SERIES[3]}
    for arm, color in arms.items():
        rows = frames.rows(sides.this, part="trained", arm=arm, end=True)
        if len(rows):
            names, values = zip(*((PLACES[s], v) for s in SITES for v in rows[f"A_ratio_{s}_L0"]), strict=True)
            told = "another control" if arm == "again" else rows["shown"].iloc[0]
            _dots(fig, names, values, told, color)
    return figures.level(figures.level(fig, 6.0, "six times, as printed"), 1.0, "as the control").update_yaxes(
        rangemode="tozero"
    )


def clamped(sides: Sides, site: str) -> go.Figure:
    """Accuracy of the constrained model under every clamp: trained with it, and put on afterwards, at one site after
    the other."""
    fig = figures.figure("Which clamp is catastrophic?", "", "accuracy", height=500)
    ends, sizes = frames.rows(sides.this, end=True), []
    places = [site, *(s for s in SITES if s != site)]
    for place in places:
        drawn = len(fig.data)
        after = frames.rows(ends, part="posthoc", arm="constraint", site=place)
        after = after[after["clamp"].isin(POST_HOC)] if len(after) else after
        _dots(fig, after.get("clamp", []), after.get("psi_accuracy", []), "put on afterwards", SERIES[0])
        own = frames.rows(ends, part="trained", site=place)
        _dots(fig, own.get("clamp", []), own.get("psi_accuracy", []), "trained with it", SERIES[1])
        sizes.append(len(fig.data) - drawn)
    if not fig.data:
        return fig
    figures.groups(fig, [f"clamp {PLACES[p]}" for p in places], sizes)
    fig.update_xaxes(
        tickvals=list(CLAMPS), ticktext=list(CLAMPS.values()), categoryarray=list(CLAMPS), categoryorder="array"
    )
    free = frames.rows(ends, part="trained", arm="constraint")
    figures.level(fig, float(free["psi_accuracy"].mean()), "without a clamp")
    return figures.level(fig, 0.05, "5 %, as printed").update_yaxes(range=[-0.02, 1.02])


def laws(sides: Sides, table: Mapping[str, Sequence]) -> go.Figure:
    """Ψ of every arm against G and against A: a mean a condition; a menu over the axis. table: {'arm', 'psi', 'g',
    'a'}."""
    fig = figures.figure("Does Ψ follow G + A?", "", "Ψ, accuracy", height=450)
    for column in ("g", "a", "sum", "product"):
        hover = {"text": list(table["shown"]), "hovertemplate": "%{text}<br>%{x:.3f}: Ψ = %{y:.3f}<extra></extra>"}
        look = {"mode": "markers", "marker": {"color": SERIES[0], "size": 9, "line": {"color": INK, "width": 1}}}
        fig.add_scatter(x=list(table[column]), y=list(table["psi"]), showlegend=False, **hover, **look)
    labels = [
        "G, stability of attention",
        "A, amplitude after the block",
        "G + A, each in units of its spread",
        "G × A, likewise",
    ]
    return figures.groups(fig, labels, [1, 1, 1, 1]).update_yaxes(rangemode="tozero")


def _dots(fig: go.Figure, names: Sequence, values: Sequence, told: str, color: str) -> None:
    """A dot a seed over names."""
    if len(list(names)):
        look = {"mode": "markers", "marker": {"color": color, "size": 8, "opacity": 0.75}}
        fig.add_scatter(x=list(names), y=[float(v) for v in values], name=told, **look)
