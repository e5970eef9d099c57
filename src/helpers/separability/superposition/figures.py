"""The figures of experiment D. They draw the sides they are given, and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from helpers import figures, frames
from helpers.figures import INK, ROLE, SERIES
from helpers.separability import plots
from helpers.separability.superposition import quantities, tables
from helpers.separability.superposition.quantities import STORIES
from helpers.sides import Sides

MEASURES = {  # of the bottleneck: how a menu names an amplitude
    "norm of a held feature, ‖W_i‖": "norm",
    "activation, √E‖Wx‖²": "amplitude",
    "activation a dimension, √(E‖Wx‖²/m)": "density",
    "variance of the interference": "interference",
}
LOOK = (  # whether a suppressor; name, colour, symbol
    (0, "other heads", ROLE["control"], "circle"),
    (1, "suppressors", SERIES[4], "diamond"),
)
KINDS = {"zero": "a zero in its place", "mean": "its mean in its place", "resample": "itself on another sequence"}


def heads(sides: Sides, others: Sequence[str] = ()) -> go.Figure:
    """Each head's variance beside its layer's, against its direct effect; a menu over models where there are
    several."""
    fig = figures.figure(
        "Do suppressors vary more?",
        "direct effect on the right logit",
        "log₂ variance, over its layer's median",
        height=460,
    )
    figures.level(figures.level(fig, 0.0, "as its layer"), 1.0, "twice: the claim")
    names, sizes = [STORIES, *others], []
    for model in names:
        before = len(fig.data)
        for flag, name, color, symbol in LOOK:
            found = frames.rows(sides.this, part="heads", model=model, suppressor=flag)
            _points(fig, found, "direct", "log2", f"{name} ({len(found)})", color, symbol)
            if sides.reference is not None:
                found = frames.rows(sides.reference, part="heads", model=model, suppressor=flag)
                _points(fig, found, "direct", "log2", f"{name}, reference ({len(found)})", color, f"{symbol}-open")
        sizes.append(len(fig.data) - before)
    labels = ["models trained here", *others]
    return figures.groups(fig, labels, sizes)


def boxes(sides: Sides) -> go.Figure:
    """The document's figure 5: σ² of what heads write, at its three sites; a point a seed and batch."""
    found = tables.sites(sides.this)
    return plots.plot_box_plots_variance({site: rows["variance"].tolist() for site, rows in found.groupby("site")})


def census(sides: Sides, model: str = STORIES) -> go.Figure:
    """What each head's removal does to the variance at the end, by ablation, with the range of random removals."""
    fig = figures.figure(
        "Whose removal raises the variance?", "layer", "tr Cov without the head, over the whole model's", height=440
    )
    sizes = []
    for kind in KINDS:
        before = len(fig.data)
        for flag, name, color, symbol in LOOK:
            found = frames.rows(sides.this, part="heads", model=model, suppressor=flag)
            _points(fig, found, "place", kind, name, color, symbol)
        sizes.append(len(fig.data) - before)
    for low, high, layer in quantities.null_range(sides.this, model)[["low", "high", "layer"]].itertuples(index=False):
        fig.add_shape(
            type="rect",
            x0=layer - 0.35,
            x1=layer + 0.35,
            y0=low,
            y1=high,
            line={"width": 1, "color": ROLE["planted"], "dash": "dot"},
        )
    figures.level(figures.level(fig, 1.0, "no change"), 1.5, "suppressor, as printed")
    fig.update_xaxes(dtick=1)
    return figures.groups(fig, list(KINDS.values()), sizes)


def directions(sides: Sides, n: int = 5) -> go.Figure:
    """Features in two dimensions, with a slider over sparsity: a line from the origin to each."""
    title = "Where do five features go in two dimensions?"
    fig = figures.figure(title, "first dimension", "second dimension", height=520)
    found, labels = tables.directions(sides.this, n), []
    for sparsity, rows in found.groupby("sparsity") if len(found) else ():
        x, y = ([v for p in rows[axis] for v in (0.0, p, None)] for axis in ("x", "y"))
        tip = {"size": [0, 10, 0] * len(rows), "color": SERIES[0]}
        fig.add_scatter(
            x=x,
            y=y,
            mode="lines+markers",
            marker=tip,
            line={"color": SERIES[0]},
            name=f"S = {sparsity:g}",
            showlegend=False,
        )
        labels.append(f"{sparsity:g}")
    fig.update_xaxes(range=[-1.5, 1.5], zeroline=True).update_yaxes(range=[-1.5, 1.5], zeroline=True, scaleanchor="x")
    return figures.groups(fig, labels, [1] * len(labels), "slider", "sparsity S = ", start=max(0, len(labels) - 3))


def amplitude(sides: Sides) -> go.Figure:
    """Amplitudes against superposition, a line a shape along sparsity; a menu over what is called amplitude."""
    fig, sizes = (
        figures.figure(
            "Does superposition cost amplitude?", "superposition, 1 − dimensionality", "amplitude", height=480
        ),
        [],
    )
    for column in MEASURES.values():
        before = len(fig.data)
        for side, dash in ((sides.this, "solid"), (sides.reference, "dash")):
            found = tables.packed(side) if side is not None else ()
            shapes = list(found.groupby(["n", "m"])) if len(found) else []
            for (shape, rows), color in zip(shapes, SERIES[: len(shapes)], strict=True):
                name = f"{shape[0]:g} features in {shape[1]:g} dimensions"
                fig.add_scatter(
                    x=rows["superposition"], y=rows[column], name=name, mode="lines+markers", showlegend=dash == "solid",
                    line={"color": color, "dash": dash}, customdata=rows["sparsity"],
                    hovertemplate=f"{name}, S = %{{customdata}}<br>%{{x:.3g}}: %{{y:.3g}}<extra></extra>",
                )  # fmt: skip
        sizes.append(len(fig.data) - before)
    return figures.groups(fig, list(MEASURES), sizes)


def _points(fig: go.Figure, rows, x: str, y: str, name: str, color: str, symbol: str) -> None:
    """One kind of head as points; nothing for no head."""
    if not len(rows):
        return
    label = [f"seed {s}, head {k:g}.{h:g}" for s, k, h in rows[["seed", "layer", "head"]].itertuples(index=False)]
    look = {
        "color": color,
        "symbol": symbol,
        "size": 9 if "diamond" in symbol else 6,
        "line": {"width": 1, "color": INK},
    }
    fig.add_scatter(
        x=rows[x],
        y=rows[y],
        mode="markers",
        name=name,
        marker=look,
        text=label,
        hovertemplate="%{text}<br>%{x:.3g}, %{y:.3g}<extra></extra>",
    )
