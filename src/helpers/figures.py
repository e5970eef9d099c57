"""One look for all chapters: the template, the colours and what they mean, and the figures that several chapters share.

A figure never computes a result: it gets a tidy frame or arrays and draws them. Colours are Okabe and Ito's (2008),
which people with any form of colour vision can tell apart.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

import numpy as np
import plotly.graph_objects as go

from helpers import frames, sources, stats
from helpers.switches import groups as groups
from helpers.switches import play as play
from helpers.tables import Output
from helpers.tables import texts as texts

INK = "#666666"
ROLE = {
    "control": "#8c8c8c",
    "printed": "#e69f00",
    "precise": "#0072b2",
    "planted": "#cc79a7",
    "other": "#56b4e9",
    "supported": "#009e73",
    "refuted": "#d55e00",
    "mixed": "#cc79a7",
    "undecided": "#f0e442",
    "too few": "#b5b5b5",
    "awaiting": "#b5b5b5",
}
# Eight colours for conditions, no verdict's among them, in the order to use them: the first are the easiest to tell apart.
# Each has 3 : 1 or more on white and on the dark page, and any two differ for people with any form of colour vision.
SERIES = ("#0072b2", "#be8b00", "#9600ff", "#6f7237", "#e82053", "#9b4a8c", "#c766ff", "#aa86b2")
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


def figure(title: str, x: str, y: str, *, height: int = 420, **layout) -> go.Figure:
    """An empty figure in the book's look. Titles ask the figure's question; axis titles carry units."""
    fig = go.Figure(layout={"template": TEMPLATE, "height": height, "title": {"text": title}})
    return fig.update_layout(xaxis_title=x, yaxis_title=y, **layout)


def show(fig: go.Figure, caption: str) -> None:
    """Display a figure and, below it, the sentence that says what it shows (also its text for those who cannot see it).

    Of a figure without a single trace only a sentence is shown that says so.
    """
    from IPython.display import display

    if not fig.data:
        told = (
            f"{fig.layout.title.text or 'Figure'}: nothing to draw, for no run with these parameters has measured it."
        )
        return display(Output({"text/html": f'<p class="figcaption">{told}</p>', "text/plain": told}))
    fig.update_layout(meta=dict(fig.layout.meta or {}) | {"alt": caption})
    spec = fig.to_plotly_json() | {"config": CONFIG}
    display(Output({MIME: _slim(spec), "text/plain": f"[figure] {caption}"}))
    display(Output({"text/html": f'<p class="figcaption">{caption}</p>', "text/plain": caption}))


def series(names: Iterable[str]) -> dict[str, str]:
    """A colour a name, in the order of SERIES. Raises ValueError for more names than colours: nobody tells nine apart."""
    names = list(dict.fromkeys(names))
    if len(names) > len(SERIES):
        raise ValueError(f"{len(names)} names for {len(SERIES)} colours: draw fewer, or a menu over `groups` of them")
    return dict(zip(names, SERIES[: len(names)], strict=True))


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
    hover: str = "",
) -> go.Figure:
    """Add one condition: seeds as thin lines, their mean thick, a 95 % t interval of the mean as a band.

    x: (P,), increasing. values: (S, P), a row a seed, nan where it has no value: mean and interval are of the n seeds there
    are at each x, a point of one seed is hollow, one of none is left out. A single seed has no band and is marked n = 1.
    legend: whether the condition stands in the legend. hover: what the mean is called there, `name` by default.
    """
    x, values = np.asarray(x, float), np.atleast_2d(np.asarray(values, float))
    known = np.isfinite(values).any(0) if values.size else np.zeros(0, bool)
    if not known.any():
        return fig
    x, values = x[known], values[:, known]
    count, mean, half = _intervals(values)  # each (P,); half: nan where there is one seed
    group = {"legendgroup": name, "showlegend": False, "hoverinfo": "skip", "mode": "lines"}
    spans, alone = _spans(np.isfinite(half))
    if band and spans:
        edges = [
            (np.r_[x[s], x[s][::-1], np.nan], np.r_[(mean + half)[s], (mean - half)[s][::-1], np.nan]) for s in spans
        ]
        px, py = (np.concatenate(v)[:-1] for v in zip(*edges, strict=True))
        fig.add_scatter(x=px, y=py, fill="toself", fillcolor=rgba(color, 0.14), line={"width": 0}, **group)
    if seeds and len(values) > 1:
        gaps = np.c_[values, np.full(len(values), np.nan)].ravel()
        thin = {"color": rgba(color, 0.35), "width": 0.7, "dash": dash}
        fig.add_scatter(x=np.tile(np.r_[x, np.nan], len(values)), y=gaps, line=thin, **group)
    fig.add_scatter(
        x=x,
        y=mean,
        name=name if count.max() > 1 else f"{name} (n = 1)",
        mode="lines+markers",
        legendgroup=name,
        showlegend=legend,
        line={"color": color, "width": 2.4, "dash": dash},
        marker={"size": 5, "symbol": np.where((count == 1) & (count.max() > 1), "circle-open", "circle").tolist()},
        customdata=count.tolist(),
        hovertemplate=f"{hover or name}<br>%{{x}}: %{{y:.4g}} (n = %{{customdata}})<extra></extra>",
    )
    if band and alone.any():  # no width for a band: the interval as a bar
        fig.data[-1].error_y = {"type": "data", "array": np.where(alone, half, 0.0), "color": color, "thickness": 1}
    return fig


def compare(
    fig: go.Figure,
    sides,
    column: str,
    by: str,
    name: str,
    color: str,
    *,
    over: Sequence[str] = ("seed",),
    mean_over: Sequence[str] = (),
    seeds: bool = True,
    dash: str = "solid",
    **where: object,
) -> go.Figure:
    """Add one condition of both sides: this run with its band and thin seeds, the reference's mean dashed, out of the legend.

    sides: `.this` and `.reference` (a frame or None), `.label`. column, by, over, mean_over, where: as in `frames.curve`.
    A side without such rows is not drawn; a reference that stands alone enters the legend under its label.
    """
    drawn = len(fig.data)
    if column in sides.this:
        bands(fig, *frames.curve(sides.this, column, by, over, mean_over, **where), name, color, dash=dash, seeds=seeds)
    if sides.reference is None or column not in sides.reference:
        return fig
    x, values = frames.curve(sides.reference, column, by, over, mean_over, **where)
    alone, told = len(fig.data) == drawn, f"{name}, {sides.label}"
    other = "dash" if dash == "solid" else "dashdot"
    look = {"dash": other, "seeds": False, "band": False, "legend": alone, "hover": told}
    return bands(fig, x, values, told if alone else name, color, **look)


def level(fig: go.Figure, y: float, text: str) -> go.Figure:
    """A horizontal line with its name: zero, chance, ceiling, a margin. A wide page writes it beside the plot."""
    fig.add_hline(y=y, line={"color": INK, "width": 1, "dash": "dot"})
    place = {"x": 1, "xref": "paper", "xanchor": "right", "y": y, "yanchor": "bottom"}
    return fig.add_annotation(**place, text=text, showarrow=False, font={"size": 11}, name="level")


def setup() -> None:
    """Use plotly's own renderer where it must be (Colab, Kaggle), the plain MIME type everywhere else."""
    pio = sources.light("plotly.io")  # its renderers take nbformat, and that jsonschema, where they are there
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


def _intervals(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of (S, P) with nan: at each x the number of seeds, their mean, and half the 95 % t interval of it, nan for one seed."""
    count = np.isfinite(values).sum(0)
    mean = np.nansum(values, 0) / count
    square = np.nansum((values - mean) ** 2, 0)
    half = np.full(len(mean), np.nan)
    many = count > 1
    n = count[many]
    half[many] = stats.half_width(np.sqrt(square[many] / (n - 1)), n)
    return count, mean, half


def _spans(known: np.ndarray) -> tuple[list[slice], np.ndarray]:
    """Stretches of two or more neighbours that are known, for the band, and which points (P,) are known but alone."""
    edges = np.flatnonzero(np.diff(np.r_[False, known, False].astype(int)))
    runs = [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    alone = np.zeros(len(known), bool)
    for run in runs:
        alone[run] = run.stop - run.start == 1
    return [run for run in runs if run.stop - run.start > 1], alone


def rgba(color: str, alpha: float) -> str:
    """A colour "#rrggbb", so far transparent."""
    r, g, b = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"
