"""Numbers and tables of a chapter: how a mean with its spread is printed, how it gets into the prose, small tables."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from helpers import numbers, stats
from helpers.figures import Output

ASIDE = "\u2063"  # on both sides of what a number keeps for its card; nothing is seen of it
APART = "≠"  # this run's interval and the committed one do not meet
FORM = re.compile(r"([+z]?)(?:\.(\d+))?([efg%]?)")  # z: the sign of what rounds to nothing is dropped, here always
ASIDES = re.compile(f"{ASIDE}([^{ASIDE}]*){ASIDE}")
EQUALS = f"{numbers.NBSP}={numbers.NBSP}"


def glue(name: str, text: str) -> None:
    """Store text under a name for the book's {glue:text} role, in the form myst-nb reads, without importing sphinx.

    JupyterLab knows no such role: there the line `name: text` stands under the cell, and the prose names it.
    """
    from IPython.display import display

    text = numbers.tidy(text)
    prefix = "application/papermill.record/"
    plain = ASIDES.sub(r" (\1)", text)
    bundle = {f"{prefix}text/plain": json.dumps(text, ensure_ascii=False), "text/plain": f"{name}: {plain}"}
    display(bundle, raw=True, metadata={"scrapbook": {"name": name, "mime_prefix": prefix}})


def spread(values: Sequence[float], spec: str = "") -> tuple[str, str]:
    """'0.41 ± 0.03' and 'n = 10', or 'n = 9 of 10' when one unit has no value; 'no value' when none has.

    spec: '.2f' for so many decimals at least, '.0%' for a share in per cent, '+.2f' with its sign; otherwise the spread
    says how many.
    """
    values = [float(v) for v in values]
    known = [v for v in values if np.isfinite(v)]
    if not known:
        return "no value", f"n{EQUALS}0 of {len(values)}"
    if not (form := FORM.fullmatch(spec)):
        raise ValueError(f"spec={spec!r} is no form of a number; write '.2f', '.0%', '+.2f', or nothing")
    share, decimals = form[3] == "%", int(form[2]) if form[3] in ("f", "%") and form[2] else None
    ci = stats.t_interval([100 * v for v in known] if share else known)
    half = (ci.high - ci.low) / 2 if ci.n > 1 else None
    count = f"n{EQUALS}{ci.n}" + (f" of {len(values)}" if ci.n < len(values) else "")
    text = numbers.unit(numbers.spread(ci.estimate, half, decimals), "%" if share else "")
    return f"+{text}" if spec[:1] == "+" and ci.estimate > 0 else text, count


def number(
    values: Sequence[float], spec: str = "", unit: str = "", beside: Sequence[float] | None = None, alone: bool = False
) -> str:
    """'0.41 ± 0.03 nats (n = 10)'. With the same quantity of the committed run beside it that one is what is read, and how many
    units it has and what this run found go into the number's card; '≠' says that the two intervals do not meet.

    alone: the values are the committed run's, and this run has none.
    """
    shown, count = spread(values, spec)
    if alone:
        return f"{numbers.unit(shown, unit)}{ASIDE}committed run, {count}{ASIDE}"
    if beside is None:
        return f"{numbers.unit(shown, unit)} ({count})"
    committed, units = spread(beside, spec)
    here = f"this run {numbers.unit(shown, unit)}, {count}" if len(values) else "not measured in this run"
    mark = f"{numbers.NBSP}{APART}" if _apart(values, beside) else ""
    return f"{numbers.unit(committed, unit)}{mark}{ASIDE}committed run, {units}; {here}{ASIDE}"


def _apart(values: Sequence[float], beside: Sequence[float]) -> bool:
    """Whether the 95 % intervals of two means do not meet; of one unit or none there is no interval, and it says nothing."""
    known = [[v for v in map(float, side) if np.isfinite(v)] for side in (values, beside)]
    if min(map(len, known)) < 2:
        return False
    a, b = map(stats.t_interval, known)
    return bool(a.high < b.low or b.high < a.low)


def mean(values: Sequence[float], spec: str = "") -> str:
    """The mean of the values that there are, as text for a caption; 'no value' when there is none."""
    text = spread(values, spec)[0]
    alone = text.partition(numbers.PM)[0]
    return numbers.unit(alone, "%") if spec.endswith("%") and alone != text else alone


def table(frame: pd.DataFrame, caption: str, digits: int = 3, name: str = "data") -> Output:
    """A frame as a small table, the caption above: the numbers of a column share their decimals, `digits` significant digits
    for its largest. A cell that is an Output is put in as it is."""
    columns = [_column(list(values), digits) for _, values in frame.items()]
    plain = frame.map(lambda v: v.bundle["text/plain"] if isinstance(v, Output) else v)
    head = "".join(f"<th>{html.escape(str(c))}</th>" for c in frame.columns)
    rows = zip(*columns, strict=True)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    above = f"<caption>{html.escape(numbers.tidy(caption))}</caption>" if caption else ""
    markup = f'<table class="{name}">{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return Output({"text/html": markup, "text/plain": f"{caption}\n{plain.to_string(index=False)}"})


def folded(shown: Output, summary: str) -> Output:
    """An output behind a line that opens it; print shows it open."""
    text = html.escape(summary)
    markup = f'<details class="before"><summary>{text}</summary>{shown.bundle["text/html"]}</details>'
    return Output({"text/html": markup, "text/plain": f"{summary}\n{shown.bundle['text/plain']}"})


def _column(values: list, digits: int) -> list[str]:
    """One column's cells as markup."""
    known = [float(v) for v in values if isinstance(v, (float, np.floating))]
    written = iter(numbers.column(known, digits))

    def cell(value: object) -> str:
        if isinstance(value, Output):
            return str(value.bundle["text/html"])
        return next(written) if isinstance(value, (float, np.floating)) else html.escape(numbers.tidy(str(value)))

    return [cell(v) for v in values]


def look(verdict: str) -> str:
    """The classes of a verdict's coloured word."""
    return f"verdict verdict-{verdict.replace(' ', '-')}"


def badge(verdict: str) -> Output:
    """A verdict as the coloured word that stands in tables."""
    return Output(
        {
            "text/html": f'<span class="{look(verdict)}">{verdict}</span>',
            "text/plain": verdict,
        }
    )
