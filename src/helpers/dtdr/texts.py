"""The figure of what damaged models write: a table with a slider, as high as its fullest position needs."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from helpers import figures

# A table of texts, in pixels: the narrowest box a desktop and a phone give it, its margins at the sides, what stands
# around it from the title to the slider, a cell's padding on both sides together, a line of its text.
WIDE, NARROW, SIDE, AROUND, PAD, LINE, FONT = 608, 328, 4, 152, 16, 15.6, 12


def texts(found: pd.DataFrame, arms: Mapping[str, str], prompt: str, start: int = -2) -> go.Figure:
    """What the models write after one prompt: a slider over the fraction, a row an arm.

    As high as its fullest position needs: `layout.height` on a desktop, `layout.meta["narrow"]` on a phone.
    """
    mine = found[found["arm"].isin(list(arms)) & found["text"].notna()]
    fractions = sorted(mine["fraction"].unique())
    head, names, pages = ["stored as", _short(f"after “{prompt}” the model writes")], list(arms.values()), []
    for f in fractions:
        rows = [mine[(mine["arm"] == arm) & np.isclose(mine["fraction"], f)]["text"] for arm in arms]
        pages.append([_short(r.iloc[0]) if len(r) else "" for r in rows])
    tables = [[head, *zip(names, page, strict=True)] for page in pages]
    wide, narrow = (AROUND + max((_height(table, box) for table in tables), default=0) for box in (WIDE, NARROW))
    fig = figures.figure("What does the model write?", "", "", height=wide, meta={"narrow": narrow})
    for page in pages:
        fig.add_table(
            columnwidth=[1, 2],
            header={"values": _escaped(head), "align": "left", **_cells()},
            cells={"values": [names, _escaped(page)], "align": "left", "height": 24, **_cells()},
        )
    fig.update_layout(margin={"l": SIDE, "r": SIDE, "t": 44, "b": 60})
    labels = [f"{f:.1%}" if f < 0.1 else f"{f:.0%}" for f in fractions]
    figures.steps(fig, labels, [1] * len(fractions), "kept: ", start=start % len(fractions))
    fig.layout.sliders[0].pad.update(t=14, l=16, r=16, b=6)  # no axis above it; room for the outer labels
    return fig


def _cells() -> dict:
    return {"fill": {"color": "rgba(0,0,0,0)"}, "line": {"color": "rgba(128,128,128,.4)"}, "font": {"size": FONT}}


def _columns(box: float) -> tuple[float, float]:
    """Room for text in the two columns of a table in a box of this width, in pixels."""
    third = (box - 2 * SIDE) / 3
    return third - PAD, 2 * third - PAD


def _short(text: str) -> str:
    """The text with spaces in words that no line of a phone could hold: a table breaks lines at spaces only."""
    room, words = _columns(NARROW)[1], []
    for word in text.split():
        piece = ""
        for character in word:
            if _width(piece + character + " ") > room:
                words.append(piece)
                piece = ""
            piece += character
        words.append(piece)
    return " ".join(words)


def _height(rows: Sequence[Sequence[str]], box: float) -> int:
    """Pixels that a table of two columns takes in a box of this width."""
    return round(
        sum(PAD + LINE * max(_lines(v, room) for v, room in zip(row, _columns(box), strict=True)) for row in rows)
    )


def _lines(text: str, room: float) -> int:
    """Lines that a text takes when it is broken at spaces."""
    count, used = 1, 0.0
    for width in (_width(word + " ") for word in text.split()):
        if used and used + width > room:
            count, used = count + 1, 0.0
        used += width
    return count


def _width(text: str) -> float:
    """About as wide as Verdana, the widest of the fonts that plotly asks for, sets it."""
    return FONT * sum(map(_em, text))


def _em(character: str) -> float:
    """A character's width as a share of the font's size."""
    if character in " .,;:!'|-()[]fijlrt":
        return 0.36
    if character > "\u2e7f":  # of other scripts, and the mark of bytes that are no text
        return 1.1
    if character in "mMW@%":
        return 0.98
    return 0.83 if character in "w<>&+=" or character.isupper() else 0.62


def _escaped(texts: Sequence[str]) -> list[str]:
    """Texts that plotly shows as they are. It knows no name for a quotation mark."""
    return [html.escape(v, quote=False) for v in texts]
