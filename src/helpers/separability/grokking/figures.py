"""The figures of experiment C. They draw the sides they are given, and compute nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from helpers import figures, frames
from helpers.figures import SERIES
from helpers.separability.grokking.config import ARMS, HIGH, LOW, MAIN
from helpers.separability.grokking.quantities import DECAYING, FREE
from helpers.study import Sides

NAMES = {  # arm: (its name in a legend, dash)
    "decay 1": ("decay 1", "solid"),
    "decay 0": ("no decay", "solid"),
    "decay 0.3": ("decay 0.3", "dot"),
    "decay 2": ("decay 2", "dash"),
    "norm kept": ("all weights at one norm", "solid"),
    "decay until memorised": ("decay until memorised", "dashdot"),
    "decay of W_V only": ("decay of W_V only", "solid"),
    "decay of all but W_V": ("decay of all but W_V", "longdash"),
}
COLORS = figures.series(ARMS)
MEASURES = {  # how a menu names a column
    "held-out accuracy": "psi_accuracy",
    "A_param = ‖W_V‖": "A_param",
    "‖θ‖, all weights": "theta",
    "A_activation at “=”": "A_activation",
}
PROGRESS = {
    "G, stability": "G_stability",
    "Gini of the embedding's spectrum": "gini",
    "held-out accuracy": "psi_accuracy",
}


def answer(sides: Sides, part: tuple[str, ...] = MAIN) -> go.Figure:
    """Held-out accuracy, and A_param as a share of what it was when the training set was memorised, with decay and without."""
    fig = figures.figure(
        "Does amplitude fall when accuracy rises?", "training step", "accuracy, and A as a share", height=520
    )
    for arm in part:
        for column, word, dash in (("psi_accuracy", "accuracy", "solid"), ("A_share", "A", "dot")):
            name = f"{word}, {NAMES[arm][0]}"
            color = COLORS[arm] if column == "psi_accuracy" else SERIES[list(COLORS).index(arm) + 4]
            figures.compare(fig, _whole(sides), column, "step", name, color, dash=dash, part="addition", arm=arm)
    for value, word in ((LOW, "15 %"), (HIGH, "85 %"), (1.0, "A when memorised")):
        figures.level(fig, value, word)
    return fig.update_layout(legend={"y": -0.3})


def arms(sides: Sides) -> go.Figure:
    """Every arm's mean, one measure at a time, by a menu."""
    fig = figures.figure("Which weights must decay?", "training step", "", height=560)
    sizes = []
    for column in MEASURES.values():
        before = len(fig.data)
        for arm, (name, dash) in NAMES.items():
            figures.compare(
                fig, _whole(sides), column, "step", name, COLORS[arm], dash=dash, seeds=False, part="addition", arm=arm
            )
        sizes.append(len(fig.data) - before)
    return figures.groups(fig.update_layout(legend={"y": -0.3}), list(MEASURES), sizes)


def progress(sides: Sides) -> go.Figure:
    """With decay: stability of attention, sparsity of the embedding's spectrum and held-out accuracy; losses by a menu."""
    fig, sizes = figures.figure("What changes at the transition?", "training step", "", height=520), []
    groups = {
        "geometry": {name: (column, DECAYING) for name, column in PROGRESS.items()},
        "losses (nats)": {
            "restricted to the key frequencies": ("restricted", DECAYING),
            "training pairs without them": ("excluded", DECAYING),
            "restricted, no decay": ("restricted", FREE),
        },
    }
    for wanted in groups.values():
        before = len(fig.data)
        for (name, (column, arm)), color in zip(wanted.items(), SERIES[:3], strict=True):
            figures.compare(fig, _known(sides, column), column, "step", name, color, part="addition", arm=arm)
        sizes.append(len(fig.data) - before)
    return figures.groups(fig.update_layout(legend={"y": -0.3}), list(groups), sizes)


def circle(rows: pd.DataFrame) -> go.Figure:
    """The numbers' embeddings in the plane of their strongest frequency, step by step; colour: place on the circle that is to
    form. A slider over training."""
    fig = figures.figure("Do the numbers come to lie on a circle?", "cosine component", "sine component", height=600)
    if not len(rows):
        return fig
    rows, p, k = rows.sort_values("step"), int(rows["p"].iloc[0]), int(rows["k"].iloc[0])
    numbers = np.arange(p)
    order = np.argsort(numbers * k % p)  # neighbours on the circle
    look = {
        "mode": "lines+markers+text",
        "text": [str(n) for n in order],
        "textposition": "top center",
        "textfont": {"size": 9},
        "line": {"color": "rgba(128,128,128,.35)", "width": 0.7},
        "marker": {"size": 8, "color": (order * k % p).tolist(), "colorscale": "Phase"},
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }
    traces = {
        int(r["step"]): go.Scatter(x=np.array(r["x"])[order], y=np.array(r["y"])[order], **look)
        for _, r in rows.iterrows()
    }
    fig.add_trace(traces[max(traces)])
    fig.frames = [go.Frame(data=[trace], name=str(step)) for step, trace in traces.items()]
    reach = 1.15 * max(float(np.abs(r).max()) for column in ("x", "y") for r in rows[column])
    fig.update_xaxes(range=[-reach, reach]).update_yaxes(range=[-reach, reach], scaleanchor="x")
    return figures.play(fig, list(traces), "step ")


def _known(sides: Sides, column: str) -> Sides:
    """The rows that hold a value of this column."""
    return sides.map(lambda rows: rows[rows[column].notna()] if column in rows else rows.iloc[:0])


def _whole(sides: Sides) -> Sides:
    """Rows that hold every column: the sparse grid on which all arms were measured, and no two units at different steps."""
    return sides.map(lambda rows: frames.rows(rows, part="addition").dropna(subset=["theta"]))
