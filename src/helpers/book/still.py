"""A figure's still picture: an SVG of the state it opens in, for print and for pages without scripts.

matplotlib draws the marks that plotly's JSON asks for. Whatever is not known here raises `Undrawable`: a page says so in
words and never shows a picture that leaves something out.
"""

from __future__ import annotations

import io
import re

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from helpers.book import marks
from helpers.book.axes import INK, Panels, color, plain
from helpers.book.axes import Undrawable as Undrawable

WIDTH = 700  # units of the picture, one a pixel of the live figure
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "still",
    "font.size": 12,
    "text.color": INK,
    "text.parse_math": False,
    "path.simplify_threshold": 0.4,
}
CONTROLS = ("sliders", "updatemenus")
KNOWN = {
    "shape": {"type", "xref", "yref", "x0", "x1", "y0", "y1", "line", "fillcolor", "layer", "opacity", "name"},
    "annotation": {"text", "x", "y", "xref", "yref", "xanchor", "yanchor", "showarrow", "font", "align", "name"}
    | {"xshift", "yshift", "textangle", "ax", "ay", "axref", "ayref", "arrowhead", "arrowcolor"},
}


def picture(spec: dict) -> str:
    """The SVG of a figure, the same bytes for the same figure. Raises Undrawable for a mark or setting that is not known."""
    layout = {k: v for k, v in (spec.get("layout") or {}).items() if k not in CONTROLS}
    traces = {i: t for i, t in enumerate(spec.get("data", ())) if t.get("visible", True) is True}
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(WIDTH / 72, 5), dpi=72)
        FigureCanvasSVG(fig)
        panels = Panels(fig, layout, list(traces.values()))
        _traces(panels, layout, traces)
        for i, shape in enumerate(layout.get("shapes") or ()):
            _shape(panels, marks.only(shape, "shape", KNOWN), f"shape{i}")
        for i, note in enumerate(layout.get("annotations") or ()):
            _note(panels, marks.only(note, "annotation", KNOWN), f"note{i}")
        panels.finish(_legend(layout, traces))
        out = io.StringIO()
        fig.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Type": None})
    return _slim(out.getvalue())


def _traces(panels: Panels, layout: dict, traces: dict[int, dict]) -> None:
    bars = marks.Bars(layout.get("barmode", "group"), [t for t in traces.values() if marks.kind(t) == "bar"])
    for place, trace in traces.items():
        marks.only(trace, marks.kind(trace))
        drawn = (marks.DRAW | {"bar": bars})[marks.kind(trace)](panels.of(trace), trace, place)
        for part, artist in drawn.items():
            if artist is not None:
                artist.set_gid(f"trace{place}-{part}")


def _shape(panels: Panels, shape: dict, gid: str) -> None:
    """A line or a rectangle, in data or in the panel's own units."""
    ax, transform, (xs, ys) = panels.frame(shape, [[shape["x0"], shape["x1"]], [shape["y0"], shape["y1"]]])
    look = {"transform": transform, "alpha": shape.get("opacity"), "gid": gid}
    look["zorder"] = 0.9 if shape.get("layer") in ("below", "between") else 4
    line = marks.pen(marks.only(shape.get("line") or {}, "line"), "#444444")
    if shape.get("type") == "line":
        ax.add_line(Line2D(xs, ys, **line, **look))
    elif shape.get("type") == "rect":
        corners = [(xs[0], ys[0]), (xs[1], ys[0]), (xs[1], ys[1]), (xs[0], ys[1])]
        stroke = line.pop("color")
        edge = stroke if line["linewidth"] else "none"
        face = color(shape["fillcolor"]) if shape.get("fillcolor") else "none"
        ax.add_patch(Polygon(corners, facecolor=face, edgecolor=edge, **line, **look))
    else:
        raise Undrawable(f"a shape of type {shape.get('type')}")
    ax.autoscale_view()


def _note(panels: Panels, note: dict, gid: str) -> None:
    """A text without an arrow, or an arrow without a text."""
    if note.get("showarrow", True):
        return _arrow(panels, note, gid)
    ax, transform, ((x,), (y,)) = panels.frame(note, [[note["x"]], [note["y"]]], logged=True)
    sides = {"auto": "center", "middle": "center"}
    across, along = (sides.get(note.get(f"{s}anchor", "auto"), note.get(f"{s}anchor")) for s in "xy")
    font, shift = note.get("font") or {}, (note.get("xshift", 0), note.get("yshift", 0) + 2 * (along == "bottom"))
    look = {
        "fontsize": font.get("size", 12),
        "color": color(font.get("color", INK)),
        "rotation": -note.get("textangle", 0),
    }
    look |= {"ha": across, "va": along, "gid": gid, "annotation_clip": False}
    ax.annotate(plain(note["text"]), (x, y), shift, xycoords=transform, textcoords="offset points", **look)


def _arrow(panels: Panels, note: dict, gid: str) -> None:
    """From one place of the panel's own to another."""
    if note.get("text") or any(note.get(f"a{side}ref") != note.get(f"{side}ref", side) for side in "xy"):
        raise Undrawable("an annotation with an arrow and a text, or with a tail that is no place of the panel")
    ax, transform, (xs, ys) = panels.frame(note, [[note["ax"], note["x"]], [note["ay"], note["y"]]], logged=True)
    look = {
        "arrowstyle": "->",
        "color": color(note.get("arrowcolor", INK)),
        "lw": 1.6,
        "mutation_scale": 14,
        "gid": gid,
    }
    ends = {"xy": (xs[1], ys[1]), "xytext": (xs[0], ys[0]), "xycoords": transform, "textcoords": transform}
    ax.annotate("", **ends, arrowprops=look)


def _legend(layout: dict, traces: dict[int, dict]) -> list[tuple[str, dict]]:
    """Names and looks of the traces in the legend: as in plotly, one trace alone has none unless it asks for it."""
    asked = layout.get("showlegend", True if len(traces) > 1 else None)
    found = []
    for place, trace in traces.items():
        what, line, marker = marks.kind(trace), trace.get("line") or {}, trace.get("marker") or {}
        shown = trace.get("showlegend", asked if what != "heatmap" else False)
        if asked is False or not shown or not trace.get("name"):
            continue
        mode = "lines" if what == "bar" else trace.get("mode", "lines+markers")
        look = marks.pen(line, marks.own(trace, place))
        look |= {"linewidth": 8} if what == "bar" else {} if "lines" in mode else {"linestyle": "none"}
        if "markers" in mode:
            symbol = marks.listed(marker.get("symbol", "circle"))
            symbol = str(symbol[0] if isinstance(symbol, list) else symbol)
            look |= {"marker": marks.SYMBOL[symbol.removesuffix("-open")], "markersize": 6}
            look |= {"markerfacecolor": "none"} if symbol.endswith("-open") else {}
        found.append((plain(trace["name"]), look))
    return found


def _slim(svg: str) -> str:
    """The same picture without what a browser does not need: coordinates to a tenth of a pixel, each style once."""
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.S)
    short = lambda m: m[1] + re.sub(r"-?\d+\.\d+", lambda n: f"{float(n[0]):.1f}".removesuffix(".0"), m[2]) + m[3]
    svg = re.sub(r'( (?:d|x|y)=")([^"]*)(")', short, svg)
    svg = re.sub(r"(font(?:-family)?: (?:\d[\d.]*px )?)[^;\"]*?sans-serif", r"\1sans-serif", svg)
    svg = svg.replace("xlink:href", "href")
    link = r'((?:url\(|href=")#)([^")]+)'
    used = {name: f"r{i}" for i, name in enumerate(dict.fromkeys(m[1] for m in re.findall(link, svg)))}
    svg = re.sub(r' id="(?!trace|shape|note)([^"]+)"', lambda m: f' id="{used[m[1]]}"' if m[1] in used else "", svg)
    svg = re.sub(link, lambda m: m[1] + used[m[2]], svg)
    styles = {style: f"s{i}" for i, style in enumerate(dict.fromkeys(re.findall(r' style="([^"]*)"', svg)))}
    svg = re.sub(r' style="([^"]*)"', lambda m: f' class="{styles[m[1]]}"', svg)
    sheet = "".join(f".{name}{{{style}}}" for style, name in styles.items())
    svg = svg.replace("</style>", f"{sheet}</style>", 1)
    for _ in range(3):
        svg = re.sub(r"<g>\s*</g>|<g/>", "", svg)
    return re.sub(r"\s*\n\s*", "\n", svg)
