"""The figures of the chapter. They draw the sides they are given, and compute nothing."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from helpers import figures, frames
from helpers.figures import INK, SERIES
from helpers.study import Sides
from helpers.topology.quantities import EYES

LOG = {"type": "log", "tickvals": [1, 2, 4, 8, 16, 32]}
ESTIMATORS = {  # column: (name, colour)
    "printed": ("as printed", SERIES[0]),
    "mackay": ("MacKay–Ghahramani", SERIES[1]),
    "twonn": ("TwoNN", SERIES[2]),
    "participation": ("participation ratio", SERIES[3]),
}


def count_by_dimension(sides: Sides, n: int, ring: float) -> go.Figure:
    """The document's count, and the significant bars, in Gaussian clouds of n points by their dimension; the ring's count as a
    level."""
    fig = figures.figure(
        "How many holes has a cloud without holes?", "dimension of the Gaussian cloud", "holes counted"
    )
    where = {"part": "gaussian", "n": n}
    figures.compare(fig, sides, "count", "d", "the document's count", SERIES[4], **where)
    figures.compare(fig, sides, "holes", "d", "significant under the universal law", SERIES[5], **where)
    figures.level(fig, ring, "the document's count of a ring, which has one")
    fig.update_xaxes(**LOG)
    return figures.level(fig, 0.0, "the truth").update_yaxes(rangemode="tozero")


def dimension_by_truth(sides: Sides, sizes: tuple[int, ...], n: int) -> go.Figure:
    """Estimates against the true dimension of Gaussian clouds, estimator by estimator; a slider over n."""
    fig = figures.figure("How far off is the dimension?", "true dimension", "estimated dimension", height=480)
    fig.update_xaxes(**LOG).update_yaxes(**LOG)
    truth = sorted(set(frames.rows(sides.this, part="gaussian")["d"]))
    fig.add_scatter(x=truth, y=truth, name="right", mode="lines", line={"color": INK, "width": 1, "dash": "dot"})
    before = len(fig.data)
    counts = []
    for size in sizes:
        for column, (name, color) in ESTIMATORS.items():
            figures.compare(fig, sides, column, "d", name, color, seeds=False, part="gaussian", n=size)
        counts.append(len(fig.data) - before - sum(counts))
    return figures.groups(fig, sizes, counts, "slider", "points n = ", start=sizes.index(n))


def found_by_noise(sides: Sides) -> go.Figure:
    """Rings and rings cut open under noise: the document's count, and the holes of the universal law."""
    fig = figures.figure(
        "Which count sees the ring?", "length of the noise, over the radius", "holes counted", height=460
    )
    for shape, dash in (("ring", "solid"), ("segment", "dot")):
        for column, name, color in (
            ("count", "the document's count", SERIES[4]),
            ("holes", "the universal law", SERIES[5]),
        ):
            where = {"part": "shape", "shape": shape}
            label = f"{name}, {shape}"
            figures.compare(fig, sides, column, "noise", label, color, seeds=False, dash=dash, **where)
    return figures.level(figures.level(fig, 1.0, "a ring has one"), 0.0, "a segment has none")


def dimension_by_eye(sides: Sides) -> go.Figure:
    """The same real images in pixels, under trained judges and untrained ones: a point a seed, within classes and pooled."""
    fig = figures.figure("Whose dimension is it?", "", "estimated dimension (as printed)", height=440)
    for column, name, color in (
        ("printed", "within a class", SERIES[0]),
        ("pooled_printed", "all classes pooled", SERIES[3]),
    ):
        for label, rows in sides.both.items():
            symbol = "circle" if rows is sides.this else "diamond-open"
            x = [EYES[e] for e in EYES for _ in frames.per_seed(rows, column, part="eyes", eye=e)]
            y = np.concatenate([frames.per_seed(rows, column, part="eyes", eye=e).to_numpy() for e in EYES])
            marker = {"color": color, "symbol": symbol, "size": 8, "opacity": 0.7}
            more = "" if symbol == "circle" else f", {label}"
            fig.add_scatter(x=x, y=y, name=f"{name}{more}", mode="markers", marker=marker)
    return fig.update_yaxes(rangemode="tozero")
