"""The figures of the chapter. They draw the sides they are given, and compute nothing."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from helpers import figures, frames
from helpers.figures import INK, SERIES
from helpers.pedagogy.phases.quantities import COMPOSED
from helpers.study import Sides

PLACES = {  # (arm, moment): how it is called below an axis
    ("untrained", "start"): "random",
    ("coded", "first"): "as coded, T/3",
    ("coded", "last"): "as coded, T",
    ("wired", "dawn"): "wired, T/300",
    ("wired", "early"): "wired, T/30",
    ("wired", "first"): "wired, T/3",
    ("wired", "last"): "wired, T",
    ("wired, constant", "last"): "first phase only, T",
    ("cGAN", "last"): "conditional GAN, T",
    ("AC-GAN", "last"): "AC-GAN, T",
    ("real", "start"): "real images",
}
VARIETY = {  # how a menu names a column, and what real images have there
    "taught": "right answers on real images, of a classifier taught by these",
    "coverage": "share of real images that are covered",
    "pixel_variance": "variance within a class, over that of real images (pixels)",
    "feature_variance": "the same, in a judge's features",
    "density": "density, 1 for the real law",
    "correct": "right classes, by judges that trained nothing",
}
ACCURACIES = {  # column: its name, its colour, and whether it is drawn as rings, in which the others are seen
    "relation": ("X > Y, as printed", SERIES[1], True),
    "joint": ("both digits as requested", SERIES[0], False),
}


def answer(sides: Sides, classes: int) -> go.Figure:
    """The document's measure and the joint accuracy on held-out pairs, arm by arm and moment by moment; a point a seed, and
    chance of both digits as a dotted line."""
    fig = figures.figure("Is the first phase enough to compose?", "accuracy on held-out pairs", "", height=520)
    for column, (name, color, rings) in ACCURACIES.items():
        _points(fig, sides, column, name, color, COMPOSED, rings)
    fig.add_vline(x=classes**-2, line={"color": INK, "width": 1, "dash": "dot"})
    return fig.update_xaxes(range=[-0.03, 1.03]).update_yaxes(autorange="reversed")


def variety(sides: Sides) -> go.Figure:
    """What the generators draw beside real images, one measure at a time, by a menu; a point a seed."""
    fig, sizes = figures.figure("What do the pictures have that real ones have?", "", "", height=540), []
    for column, name in VARIETY.items():
        before = len(fig.data)
        _points(fig, sides, column, name, SERIES[3], {"part": "variety"})
        sizes.append(len(fig.data) - before)
    fig.update_layout(showlegend=False).update_xaxes(rangemode="tozero").update_yaxes(autorange="reversed")
    return figures.groups(fig, list(VARIETY.values()), sizes)


def _points(fig: go.Figure, sides: Sides, column: str, name: str, color: str, where: dict, rings: bool = False) -> None:
    """One column at every place: seeds as points, or as rings around them; diamonds for the reference beside this run."""
    look = {"color": color, "opacity": 0.7, "size": 14 if rings else 7, "line": {"width": 2 if rings else 0}}
    for label, rows in sides.both.items():
        symbol = "diamond-open" if rows is not sides.this else "circle-open" if rings else "circle"
        found = {place: frames.per_seed(rows, column, arm=a, at=t, **where) for (a, t), place in PLACES.items()}
        found = {place: values.to_numpy() for place, values in found.items() if len(values)}
        if found:
            y = [place for place, values in found.items() for _ in values]
            more = "" if rows is sides.this else f", {label}"
            marker = look | {"symbol": symbol}
            x = np.concatenate(list(found.values()))
            fig.add_scatter(x=x, y=y, name=f"{name}{more}", mode="markers", marker=marker)
