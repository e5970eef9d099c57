"""Where the marks of a still picture go: plotly's axes, domains, ranges, ticks and texts, drawn by matplotlib."""

from __future__ import annotations

import base64
import re
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import blended_transform_factory

INK, GRID, ZERO = "#333333", "#e4e4e4", "#a8a8a8"
ROW = 15.5  # height of a line of the legend
SIDE = (
    {"type", "range", "title", "tickvals", "ticktext", "tickmode", "showticklabels", "showgrid", "zeroline"}
    | {"rangemode", "autorange", "scaleanchor", "scaleratio", "domain", "anchor", "visible", "automargin", "matches"}
    | {"gridcolor", "zerolinecolor", "tickformat", "showline", "ticks", "constrain", "tickfont", "fixedrange"}
    | {"hoverformat", "categoryorder", "categoryarray", "nticks", "dtick", "tickangle"}
)
LAYOUT = (
    {"title", "height", "width", "meta", "template", "shapes", "annotations", "legend", "margin", "barmode", "bargap"}
    | {"showlegend", "hovermode", "font", "dragmode", "autosize", "uirevision", "paper_bgcolor", "plot_bgcolor"}
    | {"hoverlabel", "colorway", "clickmode"}
)
FORMAT = re.compile(r"[+,]?(\.\d+)?[%fge]?")


class Undrawable(ValueError):
    """A figure asks for what a still picture cannot show."""


def color(value: object) -> tuple:
    """A colour as plotly writes it."""
    if isinstance(value, str) and value.startswith("rgb"):
        r, g, b, *alpha = (float(n) for n in re.findall(r"[\d.]+", value))
        return (r / 255, g / 255, b / 255, *(alpha or [1.0]))
    try:
        return to_rgba(value)
    except ValueError:
        raise Undrawable(f"the colour {value!r}") from None


def array(value: object) -> np.ndarray:
    """Plotly's array: a list, or base64 with its type and shape. Numbers, or objects where there is a text among them."""
    if isinstance(value, dict) and "bdata" in value:
        flat = np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]).newbyteorder("<"))
        return flat.reshape([int(n) for n in str(value["shape"]).split(",")]) if "shape" in value else flat
    values = list(value)
    if any(isinstance(v, str) for v in values):
        return np.array([str(v) for v in values], dtype=object)
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def plain(text: object) -> str:
    """A text of plotly's without its markup; line breaks stay. Raises Undrawable for formulas and raised letters."""
    text = re.sub(r"<br\s*/?>", "\n", str(text))
    text = re.sub(r"</?(b|i|em|strong|span)\b[^>]*>", "", text)
    if re.search(r"</?[a-z]+[ >]|\$[^$]+\$", text):
        raise Undrawable(f"the markup of {text!r}")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def number(value: float) -> str:
    """A tick's number as plotly shortens it: 0.2, 15k, 2M, with a real minus."""
    value = float(f"{value:.10g}") + 0.0  # no minus before a zero
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= max(size, 1e4):
            return f"{value / size:.4g}{letter}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


class Panel:
    """One pair of axes: matplotlib's, and where the names on each side lie."""

    def __init__(self, ax, names: Sequence[dict], bargap: float = 0.2):
        self.ax, self.names, self.bargap = ax, dict(zip("xy", names, strict=True)), bargap
        self.scales = []  # (what is drawn by a colour scale that is shown, what the scale is called)

    def places(self, side: str, values: object) -> np.ndarray:
        """Positions on a side: numbers as they are, names in the order they come."""
        values = array(values)
        if values.dtype != object:
            return values.astype(float)
        names = self.names[side]
        return np.array([names.setdefault(v, len(names)) for v in values], float)

    def strips(self) -> None:
        """A colour bar beside the panel for every scale that is shown."""
        for drawn, named in self.scales:
            place = self.ax.inset_axes([1.02, 0, 0.025, 1])
            self.ax.figure.colorbar(drawn, cax=place).outline.set_visible(False)
            place.tick_params(length=0, labelcolor=INK, labelsize=10)
            place.set_title(named, fontsize=10, color=INK)


class Panels:
    """All panels of a figure and what stands around them."""

    def __init__(self, fig, layout: dict, traces: Sequence[dict]):
        self.fig, self.layout, self.panels, self.names = fig, layout, {}, {}
        if unknown := {k for k in layout if not re.fullmatch(r"[xy]axis\d*", k)} - LAYOUT:
            raise Undrawable(f"layout: {', '.join(sorted(unknown))}")
        self.paper = fig.add_axes((0, 0, 1, 1), zorder=5)
        self.paper.set_axis_off()
        for x, y in dict.fromkeys((t.get("xaxis", "x"), t.get("yaxis", "y")) for t in traces) or [("x", "y")]:
            self._add(x, y)

    def _add(self, x: str, y: str) -> None:
        shared = {f"share{s}": self._with(s, name) for s, name in (("x", x), ("y", y))}
        ax = self.fig.add_axes((0, 0, 1, 1), label=x + y, **shared)
        for side, name in (("x", x), ("y", y)):
            given = self.settings(name)
            if given.get("overlaying") or given.get("side") in ("top", "right"):
                raise Undrawable("an axis on top of another")
            if unknown := {k for k, v in given.items() if v is not None} - SIDE:
                raise Undrawable(f"{side}axis: {', '.join(sorted(unknown))}")
            if given.get("type", "-") not in ("-", "linear", "log", "category"):
                raise Undrawable(f"an axis of type {given['type']}")
            if given.get("type") == "log":
                getattr(ax, f"set_{side}scale")("log")
        names = [self.names.setdefault(n, {}) for n in (x, y)]
        self.panels[x, y] = Panel(ax, names, self.layout.get("bargap", 0.2))

    def _with(self, side: str, name: str):
        """A panel that has this axis, or one that it must match, already."""
        base = lambda axis: self.settings(axis).get("matches") or axis
        at = "xy".index(side)
        return next((p.ax for key, p in self.panels.items() if base(key[at]) == base(name)), None)

    def settings(self, name: str) -> dict:
        """An axis as the template and the figure want it."""
        template = ((self.layout.get("template") or {}).get("layout") or {}).get(f"{name[0]}axis") or {}
        own = self.layout.get(f"{name[0]}axis{name[1:]}") or {}
        titles = [t if isinstance(t, dict) else {"text": t} for t in (d.get("title") or {} for d in (template, own))]
        return template | own | {"title": titles[0] | titles[1]}

    def of(self, trace: dict) -> Panel:
        """A trace's panel."""
        return self.panels[trace.get("xaxis", "x"), trace.get("yaxis", "y")]

    def frame(self, item: dict, points: Sequence[Sequence], *, logged: bool = False):
        """Of a shape or a note: the axes that hold it, its transform, and its places. logged: on a log axis it gives exponents,
        as plotly's annotations do and its shapes do not."""
        hosts, transforms, places = [], [], []
        for side, values in zip("xy", points, strict=True):
            name, _, unit = item.get(f"{side}ref", side).partition(" ")
            if name == "paper":
                hosts.append(self.paper)
                transforms.append(self.paper.transAxes)
                places.append(array(values))
                continue
            key = next((k for k in self.panels if k["xy".index(side)] == name), None)
            if key is None:
                raise Undrawable(f"{side}ref {name} without a trace")
            panel = self.panels[key]
            hosts.append(panel.ax)
            transforms.append(panel.ax.transAxes if unit == "domain" else panel.ax.transData)
            where = array(values) if unit else panel.places(side, values)
            raised = logged and not unit and self.settings(name).get("type") == "log"
            places.append(10.0**where if raised else where)
        host = next((h for h in hosts if h is not self.paper), self.paper)
        return host, blended_transform_factory(*transforms), places

    def finish(self, legend: Sequence[tuple[str, dict]]) -> None:
        """Ranges, ticks, texts and the final places of everything."""
        for (x, y), panel in self.panels.items():
            for side, name in (("x", x), ("y", y)):
                self._side(panel, side, self.settings(name), self.names[name])
        width = self.fig.get_figwidth() * 72
        longest = max((len(label) for label, _ in legend), default=0)
        columns = max(1, min(len(legend), int((width - 70) // (40 + 6 * longest))))
        rows = -(-len(legend) // columns)
        title = textwrap.wrap(plain((self.layout.get("title") or {}).get("text") or ""), 92)
        inner = max(60, self.layout.get("height", 420) - 120)
        top, bottom = 20 + 18 * len(title) + self._over(), 48 + ROW * rows
        height = top + inner + bottom
        self.fig.set_figheight(height / 72)
        box = self._inside((14, bottom, width - 26, inner))
        self.fig.text(4 / width, 1 - 6 / height, "\n".join(title), va="top", fontsize=14)
        if legend:
            lines = [Line2D([], [], **look) for _, look in legend]
            self.fig.legend(
                lines, [label for label, _ in legend], ncol=columns, loc="lower left", frameon=False, fontsize=11,
                bbox_to_anchor=(box[0] / width, 0), borderaxespad=0.2, columnspacing=1.4, handlelength=2.2, labelspacing=0.3,
            )  # fmt: skip

    def _over(self) -> float:
        """Room for notes above the panels."""
        return (
            16.0 if any(n.get("yref") == "paper" and n["y"] >= 1 for n in self.layout.get("annotations") or ()) else 0.0
        )

    def _inside(self, box: tuple) -> tuple:
        """Put the panels into a box of pixels, moved right by what their labels need."""
        left, bottom, width, height = box
        for panel in self.panels.values():
            panel.strips()
        for _ in range(2):  # labels depend a little on the width
            self._place((left, bottom, width, height))
            self.fig.draw_without_rendering()
            least = min(p.ax.get_tightbbox().x0 for p in self.panels.values()) * 72 / self.fig.dpi
            left, width = left + 6 - least, width - 6 + least
            if any(p.scales for p in self.panels.values()):  # the strips stand to the right
                most = max(p.ax.get_tightbbox().x1 for p in self.panels.values()) * 72 / self.fig.dpi
                width -= max(0, most + 6 - self.fig.get_figwidth() * 72)
        self._place((left, bottom, width, height))
        return left, bottom, width, height

    def _place(self, box: tuple) -> None:
        left, bottom, width, height = box
        size = self.fig.get_size_inches() * 72
        spread = lambda d: (
            left + d[0][0] * width,
            bottom + d[1][0] * height,
            np.ptp(d[0]) * width,
            np.ptp(d[1]) * height,
        )
        scale = lambda r: tuple(float(v) for v in np.array(r) / np.tile(size, 2))
        self.paper.set_position(scale(spread(((0, 1), (0, 1)))))
        for names, panel in self.panels.items():
            panel.ax.set_position(scale(spread([self.settings(n).get("domain") or (0, 1) for n in names])))

    def _side(self, panel: Panel, side: str, given: dict, names: dict) -> None:
        """One side of a panel: its range, its ticks, its lines and its title."""
        ax, axis, log = panel.ax, getattr(panel.ax, f"{side}axis"), given.get("type") == "log"
        limits = getattr(ax, f"set_{side}lim")
        if given.get("range"):
            limits(*(10.0 ** np.array(given["range"], float) if log else given["range"]))
        elif names:
            limits(-0.5, len(names) - 0.5)
        elif given.get("rangemode") == "tozero":
            limits(*(min(0, v) if i == 0 else max(0, v) for i, v in enumerate(sorted(getattr(ax, f"get_{side}lim")()))))
        if given.get("autorange") == "reversed" and not axis.get_inverted():
            axis.set_inverted(True)
        _ticks(axis, given, names, log)
        ax.set_axisbelow(True)
        ax.tick_params(axis=side, length=0, labelcolor=INK, pad=5)
        for spine in ax.spines.values():
            spine.set_visible(False)
        if given.get("showgrid", True):
            axis.grid(color=GRID, linewidth=0.8)
        low, high = sorted(getattr(ax, f"get_{side}lim")())
        if not (log or names) and given.get("zeroline", True) and low <= 0 <= high:
            {"x": ax.axvline, "y": ax.axhline}[side](0, color=ZERO, lw=0.9, zorder=0.8)
        room = 74 if side == "x" else 44
        getattr(ax, f"set_{side}label")(textwrap.fill(plain(given["title"].get("text") or ""), room), color=INK)
        if given.get("scaleanchor"):
            ax.autoscale(True, axis="both", tight=False) if not given.get("range") else None
            ax.set_aspect(given.get("scaleratio", 1), adjustable="datalim")
        axis.set_visible(given.get("visible", True))


def _ticks(axis, given: dict, names: dict, log: bool) -> None:
    """Where the ticks are and what they say."""
    labels = None
    if given.get("tickvals") is not None:
        axis.set_major_locator(FixedLocator([float(names.get(v, v)) for v in array(given["tickvals"])]))
        labels = given.get("ticktext")
    elif names:
        axis.set_major_locator(FixedLocator(list(names.values())))
        labels = list(names)
    elif log:
        low, high = axis.get_view_interval()
        wide = abs(np.log10(high / low)) > 2
        axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=9))
    elif given.get("dtick"):
        low, high = sorted(axis.get_view_interval())
        axis.set_major_locator(
            FixedLocator(np.arange(np.ceil(low / given["dtick"]), high / given["dtick"] + 1e-9) * given["dtick"])
        )
    else:
        axis.set_major_locator(MaxNLocator(min(given.get("nticks") or 7, 7), steps=[1, 2, 5, 10]))
    axis.set_minor_locator(NullLocator())
    form = given.get("tickformat") or ""
    if not FORMAT.fullmatch(form):
        raise Undrawable(f"tickformat {form}")
    told = [plain(t) for t in labels] if labels is not None else None
    write = lambda v, i: told[i] if told else format(v, form).replace("-", "−") if form else number(v)
    axis.set_major_formatter(
        FuncFormatter(lambda v, i: write(v, i) if told is None or (i is not None and i < len(told)) else "")
    )
    if given.get("tickangle"):
        axis.set_tick_params(labelrotation=-given["tickangle"])
    if not given.get("showticklabels", True):
        axis.set_tick_params(labelleft=False, labelbottom=False)
