"""Panels that stand for a judgement: intervals beside what was wanted, and a difference with its zero and its margin."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from helpers import figures, frames

WIDE = 46  # letters of a row's name that a phone shows in one line
LINE, ROW = 17, 40  # pixels of a line of a name, and of an interval with the room around it


def forest(outcomes: Sequence, title: str, x: str) -> go.Figure:
    """Intervals of several tests, one a row under its name, the colour says the verdict; the region that was wanted is shaded.

    outcomes: `claims.Outcome`s with an estimate. A row's hover gives the numbers.
    """
    rows = [o for o in outcomes if o.estimate is not None]
    if not rows:
        return _empty(figures.figure(title, x, "", height=164), "no claim judged yet")
    ends = [[o.estimate if v is None else v for v in (o.low, o.high)] for o in rows]
    borders = [v for o in rows for v in (o.above, o.below) if np.isfinite(v)]
    least, most = (f([v for pair in ends for v in pair] + borders) for f in (min, max))
    room = 0.06 * (most - least or 1)
    low, high = least - room, most + room
    names = [textwrap.wrap(o.says or o.quantity, WIDE) for o in rows]
    tops = np.cumsum([0] + [LINE * len(lines) + ROW for lines in names])  # pixels from the top of the plot
    fig = figures.figure(title, x, "", height=110 + int(tops[-1]))
    for o, ends_of, lines, top in zip(rows, ends, names, tops[:-1], strict=True):
        y = float(top + LINE * len(lines) + ROW / 2)
        fig.add_annotation(
            x=0, xref="paper", xanchor="left", y=y - ROW / 2 + 4, yanchor="bottom", text="<br>".join(lines),
            align="left", showarrow=False, font={"size": 12},
        )  # fmt: skip
        _row(fig, o, ends_of, y, (low, high))
    fig.update_xaxes(range=[low, high])
    return fig.update_yaxes(range=[float(tops[-1]), 0.0], showticklabels=False, showgrid=False, zeroline=False)


def difference(
    fig: go.Figure,
    sides,
    column: str,
    by: str,
    pairs: Mapping[str, tuple[Mapping[str, object], Mapping[str, object]]],
    *,
    margin: tuple[float, float] | None = None,
    over: Sequence[str] = ("seed",),
    mean_over: Sequence[str] = (),
    **where: object,
) -> go.Figure:
    """Add a panel's differences a − b, unit by unit: this run's mean with its interval, the reference's dashed; the zero, and
    the margin within which a difference counts for nothing, shaded.

    pairs: {name: (where of a, where of b)}, a line each. sides, column, by, over, mean_over: as in `figures.compare`. A unit
    that one of the two lacks is left out. Raises ValueError for a margin that does not hold zero.
    """
    if margin is not None and not margin[0] <= 0 <= margin[1]:
        raise ValueError(f"margin={margin}: a margin around no difference holds zero")
    if margin is not None:
        shade = {"fillcolor": figures.rgba(figures.INK, 0.1), "line": {"width": 0}, "layer": "below"}
        fig.add_hrect(y0=margin[0], y1=margin[1], **shade)
    figures.level(fig, 0.0, "no difference")
    for (name, (a, b)), color in zip(pairs.items(), figures.series(pairs).values(), strict=True):
        this, other = (_apart(r, column, by, a, b, (*over, *mean_over), where) for r in (sides.this, sides.reference))
        told = SimpleNamespace(this=this, reference=other, label=sides.label)
        figures.compare(fig, told, column, by, name, color, over=over, mean_over=mean_over, seeds=False)
    return fig


def _apart(rows, column, by, a, b, over, where) -> pd.DataFrame | None:
    """The differences as a frame of units and `by`; None for a side that is not there."""
    if rows is None or column not in rows or by not in rows:
        return rows if rows is None else pd.DataFrame(columns=[*over, by, column])
    return frames.paired(rows, column, a, b, over=(*over, by), **where).rename(column).reset_index()


def _row(fig: go.Figure, o, ends: Sequence[float], y: float, reach: tuple[float, float]) -> None:
    low, high = ends
    fig.add_shape(
        type="rect",
        x0=max(o.above, reach[0]),
        x1=min(o.below, reach[1]),
        y0=y - ROW / 2 + 4,
        y1=y + ROW / 2 - 4,
        line={"width": 0},
        fillcolor=figures.rgba(figures.ROLE["supported"], 0.12),
        layer="below",
    )
    fig.add_scatter(
        x=[o.estimate],
        y=[y],
        error_x={"type": "data", "symmetric": False, "array": [high - o.estimate], "arrayminus": [o.estimate - low]},
        mode="markers",
        marker={"color": figures.ROLE[o.verdict], "size": 11, "line": {"color": figures.INK, "width": 1}},
        showlegend=False,
        hovertemplate=f"{o.estimate:.4g} [{low:.4g}, {high:.4g}], n={o.n}<br>wanted {o.region}<extra></extra>",
    )


def _empty(fig: go.Figure, text: str) -> go.Figure:
    """A figure that says why there is nothing in it."""
    fig.update_xaxes(visible=False).update_yaxes(visible=False)
    return fig.add_annotation(x=0.5, y=0.5, xref="paper", yref="paper", text=text, showarrow=False)
