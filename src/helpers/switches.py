"""Controls of a figure: a menu or a slider over groups of its traces, Play over its frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go


def groups(
    fig: go.Figure, labels: Sequence[object], sizes: Sequence[int], kind: str = "menu", prefix: str = "", start: int = 0
) -> go.Figure:
    """Add a control over groups of traces, one shown at a time: the figure's last `sum(sizes)` traces, in order.

    kind: "menu", above the figure, for long names; "slider", below it, its position's label after `prefix`. One group or none
    needs no control and gets none. start: the group shown first, counted from the end when negative.
    Raises ValueError for another kind, or unless every group has one label.
    """
    if kind not in ("menu", "slider"):
        raise ValueError(f'kind={kind!r} is unknown; choose "menu" or "slider"')
    if len(labels) != len(sizes) or sum(sizes) > len(fig.data):
        raise ValueError(
            f"{len(labels)} labels and groups of {list(sizes)} traces in a figure of {len(fig.data)}: one label a group"
        )
    if len(labels) < 2:
        return fig
    start %= len(labels)
    positions = _positions(fig, labels, sizes, start)
    if kind == "slider":
        slider = {"active": start, "currentvalue": {"prefix": prefix}, "pad": {"t": 40}, "steps": positions}
        return fig.update_layout(sliders=[slider])
    place = {"x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "pad": {"b": 6}}
    menu = {"type": "dropdown", "showactive": True, "active": start, "buttons": positions} | place
    return fig.update_layout(updatemenus=[menu], margin={"t": 86})


def _positions(fig: go.Figure, labels: Sequence[object], sizes: Sequence[int], start: int) -> list[dict]:
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
