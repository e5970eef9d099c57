"""What a notebook displays as HTML: a ready bundle, and the table of what damaged models write, with a slider.

The browser lays the table out; nothing here measures a font. All positions lie on top of each other in one cell of a
grid, all but one invisible, so the box is as high as its fullest position and nothing below it moves.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

# What the table needs wherever it is shown, JupyterLab included; the book's colours and sizes are in book.css.
STYLE = (
    "figure.texts .pages{display:grid}"
    "figure.texts table{grid-area:1/1;width:100%;margin:0!important;table-layout:fixed;align-self:start}"
    "figure.texts table[hidden]{display:table!important;visibility:hidden}"
    "figure.texts :is(th,td){text-align:left!important;vertical-align:top!important;"
    "white-space:pre-wrap;overflow-wrap:anywhere}"
    "figure.texts th:first-child{width:32%}"
    "figure.texts input{width:16rem;vertical-align:middle}"
    "figure.texts caption{position:absolute;clip-path:inset(50%)}"
    "@media print{figure.texts table[hidden],figure.texts input{display:none!important}}"
)
ALL = (
    "figure.texts .control{display:none!important}figure.texts .pages{display:block!important}"
    "figure.texts table[hidden]{display:table!important;visibility:visible!important}"
    "figure.texts input{width:16rem;vertical-align:middle}"
    "figure.texts caption{position:static!important;clip-path:none!important}"
)
MOVE = (
    "const box = this.closest('figure'), pages = box.querySelectorAll('table'), at = pages[this.value].dataset.at; "
    "pages.forEach((page, i) => { page.hidden = i != this.value; }); "
    "box.querySelector('output').value = at; this.setAttribute('aria-valuetext', at)"
)


class Output:
    """A ready display bundle. plotly's own display hook shows at once; this one waits until the notebook asks."""

    def __init__(self, bundle: Mapping[str, object]):
        self.bundle = dict(bundle)

    def __add__(self, other: Output) -> Output:
        """This one, and another below it."""
        return Output(
            {kind: f"{self.bundle[kind]}\n{other.bundle[kind]}" for kind in self.bundle if kind in other.bundle}
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.bundle


def percent(value: float) -> str:
    """'40%', and '2.5%' below a tenth."""
    return f"{value:.1%}" if value < 0.1 else f"{value:.0%}"


def texts(
    rows: pd.DataFrame,
    labels: Mapping[object, str],
    *,
    by: str = "name",
    slider: str = "kept",
    text: str = "text",
    prefix: str = "kept: ",
    format: str | Callable[[object], str] = percent,
    title: str = "What does the model write?",
    head: str = "stored as",
    prompt: str = "",
    told: str = "",
    start: int = -1,
    caption: str = "",
) -> Output:
    """What models write after one prompt, as a table with a slider: a position a value of `slider`, a line a label.

    rows: a line each (`by`, `slider`) with its `text`, or an Output in its place; lines without a text and of other names
    are left out. labels: what the values of `by` are called, in the table's order. told: the head above the texts. format: how
    a position is called, "{:.0%}" or a function. start: the position shown first, counted from the end when negative. Every
    text is shown as it is, markup included. Raises ValueError when a cell has two texts.
    """
    rows = rows[rows[by].isin(list(labels)) & rows[text].notna()] if len(rows) else rows
    positions = _positions(rows[slider]) if len(rows) else []
    names = [format(p) if callable(format) else format.format(p) for p in positions]
    cells = [
        _page(rows, labels, by, slider, text, position, name) for position, name in zip(positions, names, strict=True)
    ]
    start = min(max(start + len(cells) if start < 0 else start, 0), max(len(cells) - 1, 0))
    above = told or (f"after “{prompt}” the model writes" if prompt else "the model writes")
    pages = "".join(
        _table(page, name, (head, above), prefix, hidden=i != start)
        for i, (page, name) in enumerate(zip(cells, names, strict=True))
    )
    control = _control(prefix, names, start) if len(cells) > 1 else ""
    body = f'{control}<div class="pages">{pages}</div>' if cells else "<p>No text was written in this run.</p>"
    below = f'<figcaption class="figcaption">{_escaped(caption)}</figcaption>' if caption else ""
    markup = (
        f'<figure class="texts mathjax_ignore tex2jax_ignore"><style>{STYLE}</style><noscript><style>{ALL}</style></noscript>'
        f'<p class="title">{_escaped(title)}</p>{body}{below}</figure>'
    )
    plain = lambda said: said.bundle["text/plain"] if isinstance(said, Output) else said
    shown = [f"{label}: {plain(said)}" for label, said in cells[start]] if cells else ["(no text)"]
    first = f"[texts] {caption or title}" + (f" ({prefix}{names[start]})" if cells else "")
    return Output({"text/html": markup, "text/plain": "\n".join([first, *shown])})


def _positions(column: pd.Series) -> list:
    """The slider's values: numbers sorted, those that differ by rounding once; anything else in order of appearance."""
    if not pd.api.types.is_numeric_dtype(column):
        return list(dict.fromkeys(column))
    values = np.unique(column.to_numpy(float))
    return values[np.r_[True, np.diff(values) > 1e-9]].tolist()


def _page(rows, labels: Mapping, by: str, slider: str, text: str, position: object, name: str) -> list[tuple[str, str]]:
    """One position's lines: (label, text), a dash where there is none."""
    numeric = pd.api.types.is_numeric_dtype(rows[slider])
    there = rows[np.abs(rows[slider] - position) <= 1e-9 if numeric else rows[slider] == position]
    page = []
    for value, label in labels.items():
        said = there.loc[there[by] == value, text].tolist()
        if len(said) > 1:
            raise ValueError(
                f"{len(said)} texts for {by}={value!r} at {slider}={name}, expected one: choose one model, part and seed"
            )
        page.append((label, (said[0] if str(said[0]).strip() else "(nothing)") if said else "–"))
    return page


def _control(prefix: str, names: Sequence[str], start: int) -> str:
    """The slider with its label and, beside it, the position's name. The keyboard moves it in a notebook as well."""
    return (
        f'<div class="control"><label><span>{_escaped(prefix.strip())}</span> <input type="range" min="0" '
        f'max="{len(names) - 1}" step="1" value="{start}" autocomplete="off" data-lm-suppress-shortcuts="true" '
        f'aria-valuetext="{_escaped(names[start])}" oninput="{_escaped(MOVE)}"></label> '
        f'<output aria-live="polite">{_escaped(names[start])}</output></div>'
    )


def _table(page: Sequence[tuple[str, str]], name: str, head: tuple[str, str], prefix: str, hidden: bool) -> str:
    lines = "".join(
        f'<tr><th scope="row">{_escaped(label)}</th><td dir="auto">{_cell(said)}</td></tr>' for label, said in page
    )
    top = "".join(f'<th scope="col">{_escaped(v)}</th>' for v in head)
    return (
        f'<table data-at="{_escaped(name)}"{" hidden" if hidden else ""}><caption>{_escaped(prefix + name)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _cell(said: str | Output) -> str:
    """A text as it is, or an Output's own markup."""
    return str(said.bundle["text/html"]) if isinstance(said, Output) else _escaped(said)


def _escaped(text: object) -> str:
    return html.escape(str(text))
