"""Colour scales of a still picture: what a number looks like, what the scale is called, and texts written into cells."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from helpers.book.axes import INK, Undrawable, color, plain


def scale(given: object, least: float | None, most: float | None) -> dict:
    """A list of places and colours as what matplotlib's images and points take. Raises Undrawable for a named one: plotly puts
    the colours themselves into a figure."""
    if not isinstance(given, list):
        raise Undrawable(f"a colour scale by its name, {given!r}")
    made = LinearSegmentedColormap.from_list("scale", [(float(p), color(c)) for p, c in given])
    return {"cmap": made, "vmin": least, "vmax": most}


def name(bar: dict | None) -> str:
    """What a colour bar is called."""
    title = (bar or {}).get("title") or ""
    return plain(title.get("text") or "" if isinstance(title, dict) else title)


def write(ax, image, z: np.ndarray, edges: list[float], trace: dict) -> None:
    """A text into every cell that has a number, dark on light and light on dark. z: (rows, columns)."""
    if trace["texttemplate"] != "%{text}":
        raise Undrawable(f"texttemplate {trace['texttemplate']}")
    x0, x1, y0, y1 = edges
    (rows, columns), texts = z.shape, trace["text"]
    for i, j in zip(*np.nonzero(np.isfinite(z)), strict=True):
        red, green, blue, _ = image.cmap(image.norm(z[i, j]))
        ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else INK
        at = x0 + (j + 0.5) * (x1 - x0) / columns, y0 + (i + 0.5) * (y1 - y0) / rows
        ax.text(*at, plain(texts[i][j]), ha="center", va="center", fontsize=10, color=ink, zorder=2)
