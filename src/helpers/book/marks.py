"""The marks of a still picture: plotly's lines, points, outlines, error bars, bars and cells, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from helpers.book import shades
from helpers.book.axes import INK, Panel, Undrawable, array, color, plain

COLORWAY = (  # plotly's own
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
)  # fmt: skip
DASH = {"solid": "-", "dash": (0, (4, 2.5)), "dot": (0, (1, 1.6)), "dashdot": "-.", "longdash": (0, (8, 3))}
SYMBOL = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "x": "X",
    "cross": "P",
    "triangle-up": "^",
    "triangle-down": "v",
    "star": "*",
}
_ANY = {"hoverinfo", "hovertemplate", "customdata", "hovertext", "legendgroup", "uid", "meta", "visible", "showlegend"}
_ANY |= {"type", "name", "x", "y", "xaxis", "yaxis", "opacity", "hoverlabel", "legendrank"}
KNOWN = {
    "scatter": _ANY
    | {"mode", "line", "marker", "fill", "fillcolor", "error_x", "error_y", "text", "textposition", "textfont"},
    "bar": _ANY | {"orientation", "marker", "error_x", "error_y", "width"},
    "box": _ANY | {"boxpoints", "marker"},
    "heatmap": _ANY
    | {"z", "colorscale", "showscale", "zmin", "zmax", "colorbar", "hoverongaps", "text", "texttemplate"},
    "line": {"color", "width", "dash"},
    "marker": {"color", "size", "symbol", "opacity", "line", "colorscale", "cmin", "cmax", "showscale", "colorbar"},
    "edge": {"color", "width"},
    "error": {"type", "array", "arrayminus", "symmetric", "color", "thickness", "width", "visible"},
}


def kind(trace: dict) -> str:
    """What a trace is drawn as."""
    return trace.get("type", "scatter")


def only(given: dict, what: str, known: dict[str, set] = KNOWN) -> dict:
    """The same part of a figure. Raises Undrawable when it asks for something that is not known."""
    if what not in known:
        raise Undrawable(f"a trace of type {what}")
    if unknown := {k for k, v in given.items() if v is not None} - known[what]:
        raise Undrawable(f"{what}: {', '.join(sorted(unknown))}")
    return given


def own(trace: dict, place: int) -> str:
    """The colour of a trace's line, of its first mark where it has none, else the one that plotly gives its place."""
    given = (trace.get("line") or {}).get("color") or (trace.get("marker") or {}).get("color")
    first = listed(given)[0] if isinstance(given, (list, dict)) else given
    return first if first and isinstance(first, str) else COLORWAY[place % len(COLORWAY)]


def listed(value: object) -> object:
    """A list of values as such, one value as it is."""
    return array(value).tolist() if isinstance(value, (dict, list)) else value


def pen(line: dict, otherwise: object) -> dict:
    """A line's look."""
    if line.get("dash", "solid") not in DASH:
        raise Undrawable(f"line.dash {line['dash']}")
    look = {"color": color(line.get("color", otherwise)), "linewidth": line.get("width", 2)}
    return look | {"linestyle": DASH[line.get("dash", "solid")]}


def scatter(panel: Panel, trace: dict, place: int) -> dict:
    """Lines, markers, texts, a filled outline and error bars, each artist by its name."""
    x, y = (panel.places(side, trace[side]) for side in "xy")
    mode, line = trace.get("mode", "lines" if len(x) >= 20 else "lines+markers"), only(trace.get("line") or {}, "line")
    marker, stroke, drawn = only(trace.get("marker") or {}, "marker"), own(trace, place), {}
    if trace.get("fill", "none") != "none":
        drawn["fill"] = _outlines(panel.ax, x, y, trace, stroke)
    if "lines" in mode and line.get("width", 2):
        (drawn["line"],) = panel.ax.plot(x, y, zorder=2, alpha=trace.get("opacity"), **pen(line, stroke))
    drawn |= {side: _error(panel.ax, x, y, side, trace, stroke) for side in _errors(trace)}
    if "markers" in mode:
        drawn |= _markers(panel, x, y, marker, stroke, trace.get("opacity", 1))
    if "text" in mode:
        _words(panel.ax, x, y, trace)
    return drawn


def _words(ax, x, y, trace: dict) -> None:
    vertical, _, horizontal = trace.get("textposition", "middle center").partition(" ")
    shift = (
        {"left": -5, "right": 5}.get(horizontal, 0),
        {"top": 5, "bottom": -5}.get(vertical, 0),
    )
    look = {"ha": {"left": "right", "right": "left"}.get(horizontal, "center"), "fontsize": 10}
    look |= {"va": {"top": "bottom", "bottom": "top"}.get(vertical, "center")}
    texts = listed(trace.get("text") or [])
    for px, py, text in zip(x, y, texts if isinstance(texts, list) else [texts] * len(x), strict=True):
        if text:
            ax.annotate(plain(text), (px, py), shift, textcoords="offset points", **look)


def _outlines(ax, x, y, trace: dict, stroke: object) -> PathPatch:
    """The closed outlines between gaps, as one patch."""
    if trace["fill"] != "toself":
        raise Undrawable(f"fill {trace['fill']}")
    known = np.isfinite(x) & np.isfinite(y)
    cuts = np.flatnonzero(np.diff(np.r_[False, known, False].astype(int)))
    outlines = [np.c_[x[a:b], y[a:b]] for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
    paths = [Path(np.r_[o, o[:1]], closed=True) for o in outlines]
    face = color(trace["fillcolor"]) if trace.get("fillcolor") else (*color(stroke)[:3], 0.5)
    patch = PathPatch(Path.make_compound_path(*paths), facecolor=face, linewidth=0, zorder=1.5)
    ax.add_patch(patch)
    ax.autoscale_view()
    return patch


def _markers(panel: Panel, x, y, marker: dict, stroke: object, opacity: float) -> dict:
    """A row of points a look, all unconnected; where a scale colours them, all of them at once."""
    ax, edge = panel.ax, only(marker.get("line") or {}, "edge")
    if marker.get("colorscale") is not None and not isinstance(listed(marker["color"])[0], str):
        scale = shades.scale(marker["colorscale"], marker.get("cmin"), marker.get("cmax"))
        look = {
            "s": np.asarray(listed(marker.get("size", 6))) ** 2,
            "c": array(marker["color"]).astype(float),
            "zorder": 3,
        }
        points = ax.scatter(
            x, y, marker=_symbol(marker.get("symbol", "circle")), alpha=marker.get("opacity", opacity), **look, **scale
        )
        if marker.get("showscale", "colorbar" in marker):
            panel.scales.append((points, shades.name(marker.get("colorbar"))))
        return {"markers": points}
    each = lambda value: value if isinstance(value, list) else [value] * len(x)
    named = (("symbol", "circle"), ("size", 6), ("color", stroke))
    looks = list(zip(*(each(listed(marker.get(name, otherwise))) for name, otherwise in named), strict=True))
    rim = {"markeredgecolor": color(edge.get("color", "#444444")), "markeredgewidth": edge.get("width", 0)}
    drawn = {}
    for look in dict.fromkeys(looks):
        symbol, size, fill = look
        base, drawn_as = str(symbol).removesuffix("-open"), _symbol(symbol)
        if not isinstance(fill, str):
            raise Undrawable("marker.color by a colour scale")
        face = {"markerfacecolor": color(fill)} | rim
        if base != symbol:
            face = {"markerfacecolor": "none", "markeredgecolor": color(fill), "markeredgewidth": 1.3}
        at = [i for i, other in enumerate(looks) if other == look]
        shape = {"marker": drawn_as, "markersize": size * (0.75 if base == "diamond" else 1), "linestyle": "none"}
        (points,) = ax.plot(x[at], y[at], zorder=3, alpha=marker.get("opacity", opacity), **shape, **face)
        drawn[f"markers{len(drawn) or ''}"] = points
    return drawn


def _symbol(name: object) -> str:
    """Matplotlib's letter for a symbol, filled or open."""
    if (base := str(name).removesuffix("-open")) not in SYMBOL:
        raise Undrawable(f"marker.symbol {name}")
    return SYMBOL[base]


def _errors(trace: dict) -> list[str]:
    """Which error bars a trace has."""
    return [s for s in ("error_x", "error_y") if trace.get(s) and trace[s].get("visible", True)]


def _error(ax, x, y, side: str, trace: dict, stroke: object):
    """Bars of given lengths."""
    error = only(trace[side], "error")
    if error.get("type", "data") != "data":
        raise Undrawable(f"{side} of type {error['type']}")
    above = array(error["array"]).astype(float)
    below = array(error["arrayminus"]).astype(float) if error.get("arrayminus") is not None else above
    length = np.abs(np.nan_to_num(np.array([below, above])))
    look = {"ecolor": color(error.get("color", stroke)), "elinewidth": error.get("thickness", 2), "capsize": 2.5}
    return ax.errorbar(x, y, **{f"{side[-1]}err": length}, fmt="none", zorder=2.5, **look)[2][0]


class Bars:
    """Draws bars side by side or on top of each other, as `barmode` says."""

    def __init__(self, mode: str, traces: list[dict]):
        if mode not in ("group", "stack", "overlay"):
            raise Undrawable(f"barmode {mode}")
        self.mode, self.count, self.seen, self.ends = mode, len(traces), 0, {}

    def __call__(self, panel: Panel, trace: dict, place: int) -> dict:
        """One trace's bars, each by its number."""
        marker, flat = only(trace.get("marker") or {}, "marker"), trace.get("orientation", "v") == "h"
        at, size = (panel.places(side, trace[side]) for side in ("yx" if flat else "xy"))
        known = np.unique(at)
        width, start = (1 - panel.bargap) * (np.diff(known).min() if len(known) > 1 else 1), np.zeros(len(at))
        if self.mode == "group":
            width /= self.count
            at = at + (self.seen - (self.count - 1) / 2) * width
        elif self.mode == "stack":
            start = np.array([self.ends.get((p, s < 0), 0.0) for p, s in zip(at, size, strict=True)])
            self.ends |= {(p, s < 0): b + np.nan_to_num(s) for p, s, b in zip(at, size, start, strict=True)}
        self.seen += 1
        colors = listed(marker.get("color", own(trace, place)))
        colors = [color(c) for c in (colors if isinstance(colors, list) else [colors] * len(at))]
        only(marker.get("line") or {}, "edge")
        look = {"color": colors, "alpha": trace.get("opacity", marker.get("opacity")), "zorder": 2}
        drawn = (panel.ax.barh if flat else panel.ax.bar)(at, size, trace.get("width") or width, start, **look)
        ends = (start + size, at) if flat else (at, start + size)
        errors = {side: _error(panel.ax, *ends, side, trace, INK) for side in _errors(trace)}
        return {f"bar{i}": bar for i, bar in enumerate(drawn)} | errors


def heatmap(panel: Panel, trace: dict, place: int) -> dict:
    """Cells of one size as an image."""
    z = trace["z"]
    z = array(z) if isinstance(z, dict) else np.array([array(row) for row in z])
    edges = []
    for side, count in zip("xy", z.shape[::-1], strict=True):
        at = panel.places(side, trace[side]) if trace.get(side) is not None else np.arange(count, dtype=float)
        step = np.diff(at) if count > 1 else np.ones(1)
        if len(at) != count or not np.allclose(step, step[0]):
            raise Undrawable("heatmap with cells of several sizes")
        edges += [at[0] - step[0] / 2, at[-1] + step[0] / 2]
    look = {"extent": edges, "interpolation": "none", "aspect": "auto", "origin": "lower", "zorder": 1}
    scale = shades.scale(trace.get("colorscale"), trace.get("zmin"), trace.get("zmax"))
    image = panel.ax.imshow(z, **scale, **look)
    if trace.get("showscale", True):
        panel.scales.append((image, shades.name(trace.get("colorbar"))))
    if trace.get("texttemplate"):
        shades.write(panel.ax, image, z, edges, trace)
    return {"cells": image}


def box(panel: Panel, trace: dict, place: int) -> dict:
    """Median, quartiles, whiskers to the last point within 1.5 of their distance, and every point beside them."""
    if trace.get("boxpoints") != "all" or trace.get("x") is not None:
        raise Undrawable("a box other than of y, with all its points")
    values, stroke = array(trace["y"]).astype(float), color(own(trace, place))
    (at,) = panel.places("x", [trace.get("name", "")])
    line = {"color": stroke, "linewidth": 1.6}
    parts = {f"{part}props": line for part in ("box", "whisker", "cap", "median")}
    drawn = panel.ax.boxplot([values], positions=[at], widths=0.4, showfliers=False, manage_ticks=False, **parts)
    (points,) = panel.ax.plot(np.full(len(values), at - 0.32), values, "o", color=stroke, markersize=4, alpha=0.7)
    return {"box": drawn["boxes"][0], "markers": points}


DRAW: dict[str, Callable[[Panel, dict, int], dict]] = {"scatter": scatter, "heatmap": heatmap, "box": box}
