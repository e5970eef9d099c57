"""One look for all chapters: the template, the colours and what they mean, and the figures that several chapters share.

A figure never computes a result: it gets a tidy frame or arrays and draws them. Colours are Okabe and Ito's (2008),
which people with any form of colour vision can tell apart.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

INK = "#666666"
ROLE = {
    "control": "#8c8c8c",
    "printed": "#e69f00",
    "precise": "#0072b2",
    "planted": "#cc79a7",
    "other": "#56b4e9",
    "supported": "#009e73",
    "refuted": "#d55e00",
    "undecided": "#f0e442",
    "awaiting": "#b5b5b5",
}
MIME = "application/vnd.plotly.v1+json"
CONFIG = {"showSendToCloud": False, "displaylogo": False, "topojsonURL": "", "responsive": True}
AXIS = {
    "gridcolor": "rgba(128,128,128,.18)",
    "zerolinecolor": "rgba(128,128,128,.5)",
    "automargin": True,
    "title": {"font": {"size": 13}, "standoff": 6},
}
TEMPLATE = {
    "layout": {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 13, "color": INK},
        "title": {"x": 0, "font": {"size": 15}},
        "margin": {"l": 60, "r": 12, "t": 44, "b": 52},
        "legend": {"orientation": "h", "y": -0.24, "x": 0, "font": {"size": 12}},
        "xaxis": AXIS,
        "yaxis": AXIS,
        "hoverlabel": {"font": {"size": 12}},
    }
}


class Output:
    """A ready display bundle. plotly's own display hook shows at once; this one waits until the notebook asks."""

    def __init__(self, bundle: Mapping[str, object]):
        self.bundle = dict(bundle)

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.bundle


def figure(title: str, x: str, y: str, *, height: int = 420, **layout) -> go.Figure:
    """An empty figure in the book's look. Titles ask the figure's question; axis titles carry units."""
    fig = go.Figure(layout={"template": TEMPLATE, "height": height, "title": {"text": title}})
    return fig.update_layout(xaxis_title=x, yaxis_title=y, **layout)


def show(fig: go.Figure, caption: str) -> None:
    """Display a figure and, below it, the sentence that says what it shows (also its text for those who cannot see it)."""
    from IPython.display import display

    fig.update_layout(meta=dict(fig.layout.meta or {}) | {"alt": caption})
    spec = fig.to_plotly_json() | {"config": CONFIG}
    display(Output({MIME: _slim(spec), "text/plain": f"[figure] {caption}"}))
    display(Output({"text/html": f'<p class="figcaption">{caption}</p>', "text/plain": caption}))


def bands(
    fig: go.Figure,
    x: Sequence[float],
    values: np.ndarray,
    name: str,
    color: str,
    *,
    dash: str = "solid",
    seeds: bool = True,
    band: bool = True,
    legend: bool = True,
) -> go.Figure:
    """Add one condition: seeds as thin lines, their mean thick, a 95 % t interval of the mean as a band.

    x: (P,). values: (S, P), a row a seed. Dashed stands for the committed reference run, solid for this one; where both are
    drawn, the reference stays out of the legend.
    """
    from scipy.stats import t

    x, values = np.asarray(x, float), np.atleast_2d(np.asarray(values, float))
    count = len(values)
    mean = values.mean(0)
    if band and count > 1:
        half = t.ppf(0.975, count - 1) * values.std(0, ddof=1) / np.sqrt(count)
        fig.add_scatter(
            x=np.r_[x, x[::-1]],
            y=np.r_[mean + half, (mean - half)[::-1]],
            fill="toself",
            mode="lines",
            fillcolor=_rgba(color, 0.14),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=name,
        )
    if seeds and count > 1:
        gaps = np.c_[values, np.full(count, np.nan)].ravel()
        fig.add_scatter(
            x=np.tile(np.r_[x, np.nan], count),
            y=gaps,
            mode="lines",
            line={"color": _rgba(color, 0.35), "width": 0.7, "dash": dash},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=name,
        )
    fig.add_scatter(
        x=x,
        y=mean,
        name=name,
        mode="lines+markers",
        legendgroup=name,
        showlegend=legend,
        line={"color": color, "width": 2.4, "dash": dash},
        marker={"size": 5},
        hovertemplate=f"{name}<br>%{{x}}: %{{y:.4g}} (n={count})<extra></extra>",
    )
    return fig


def level(fig: go.Figure, y: float, text: str) -> go.Figure:
    """A horizontal line with its name: zero, chance, ceiling, a margin."""
    fig.add_hline(y=y, line={"color": INK, "width": 1, "dash": "dot"})
    return fig.add_annotation(
        x=1, xref="paper", xanchor="right", y=y, yanchor="bottom", text=text, showarrow=False, font={"size": 11}
    )


def forest(outcomes: Sequence, title: str, x: str) -> go.Figure:
    """Intervals of several tests, one a row, the colour says the verdict; the region that was wanted is shaded.

    outcomes: `claims.Outcome`s with an estimate. A row's hover gives the numbers.
    """
    rows = [o for o in outcomes if o.estimate is not None]
    ends = [[o.estimate if v is None else v for v in (o.low, o.high)] for o in rows]
    borders = [v for o in rows for v in (o.above, o.below) if np.isfinite(v)]
    least, most = (f([v for pair in ends for v in pair] + borders) for f in (min, max))
    room = 0.06 * (most - least or 1)
    fig = figure(title, x, "", height=130 + 34 * len(rows))
    for i, (o, (low, high)) in enumerate(zip(rows, ends, strict=True)):
        fig.add_shape(
            type="rect",
            x0=max(o.above, least - room),
            x1=min(o.below, most + room),
            y0=i - 0.42,
            y1=i + 0.42,
            line={"width": 0},
            fillcolor=_rgba(ROLE["supported"], 0.12),
            layer="below",
        )
        fig.add_scatter(
            x=[o.estimate],
            y=[i],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - o.estimate],
                "arrayminus": [o.estimate - low],
            },
            mode="markers",
            marker={"color": ROLE[o.verdict], "size": 11, "line": {"color": INK, "width": 1}},
            showlegend=False,
            hovertemplate=f"{o.estimate:.4g} [{low:.4g}, {high:.4g}], n={o.n}<br>wanted {o.region}<extra></extra>",
        )
    fig.update_xaxes(range=[least - room, most + room])
    fig.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[o.says or o.quantity for o in rows], autorange="reversed"
    )
    return fig


def steps(
    fig: go.Figure, labels: Sequence[object], sizes: Sequence[int], prefix: str = "", start: int = 0
) -> go.Figure:
    """Add a slider over groups of traces, one group shown at a time: the figure's last `sum(sizes)` traces, in order."""
    positions = _groups(fig, labels, sizes, start)
    slider = {"active": start, "currentvalue": {"prefix": prefix}, "pad": {"t": 40}, "steps": positions}
    return fig.update_layout(sliders=[slider])


def choose(fig: go.Figure, labels: Sequence[str], sizes: Sequence[int]) -> go.Figure:
    """The same as a menu above the figure, for groups whose names are too long for a slider."""
    place = {"x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "pad": {"b": 6}}
    menu = {"type": "dropdown", "showactive": True, "buttons": _groups(fig, labels, sizes, 0)} | place
    return fig.update_layout(updatemenus=[menu], margin={"t": 86})


def _groups(fig: go.Figure, labels: Sequence[object], sizes: Sequence[int], start: int) -> list[dict]:
    """A control's positions, one a group; leaves the group `start` visible."""
    first, edges = len(fig.data) - sum(sizes), np.cumsum([0, *sizes])

    def shown(group: int) -> list[bool]:
        return [k < first or bool(edges[group] <= k - first < edges[group + 1]) for k in range(len(fig.data))]

    for trace, visible in zip(fig.data, shown(start), strict=True):
        trace.visible = visible
    return [
        {"method": "restyle", "args": [{"visible": shown(i)}], "label": str(label)} for i, label in enumerate(labels)
    ]


def play(fig: go.Figure, labels: Sequence[object], prefix: str, ms: int = 160) -> go.Figure:
    """Add Play, Pause and a slider over `fig.frames`, named by `labels`; the figure shows the last of them at first."""

    def to(names, duration):
        frame = {"duration": duration, "redraw": False}
        return {
            "method": "animate",
            "args": [names, {"frame": frame, "mode": "immediate", "transition": {"duration": 0}}],
        }

    buttons = [to(None, ms) | {"label": "Play"}, to([None], 0) | {"label": "Pause"}]
    menu = {
        "type": "buttons",
        "direction": "left",
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
        "pad": {"b": 6},
    }
    slider = {
        "active": len(labels) - 1,
        "currentvalue": {"prefix": prefix},
        "pad": {"t": 52},
        "steps": [to([str(v)], 0) | {"label": str(v)} for v in labels],
    }
    return fig.update_layout(updatemenus=[menu | {"buttons": buttons}], sliders=[slider], margin={"t": 86})


def setup() -> None:
    """Use plotly's own renderer where it must be (Colab, Kaggle), the plain MIME type everywhere else."""
    import plotly.io as pio

    if pio.renderers.default not in ("colab", "kaggle"):
        pio.renderers.default = "plotly_mimetype"


def _slim(spec: object) -> object:
    """The same figure with double-precision arrays as single precision: half the bytes, no visible difference."""
    if isinstance(spec, dict):
        if spec.get("dtype") == "f8" and "bdata" in spec:
            single = np.frombuffer(base64.b64decode(spec["bdata"]), "<f8").astype("<f4")
            return spec | {"dtype": "f4", "bdata": base64.b64encode(single.tobytes()).decode()}
        return {k: _slim(v) for k, v in spec.items()}
    return [_slim(v) for v in spec] if isinstance(spec, (list, tuple)) else spec


def _rgba(color: str, alpha: float) -> str:
    r, g, b = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"
