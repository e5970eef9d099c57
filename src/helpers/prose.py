"""Numbers and tables of a chapter: how a mean with its spread is printed, how it gets into the prose, small tables."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from helpers import stats
from helpers.figures import Output


def glue(name: str, text: str) -> None:
    """Store text under a name for the book's {glue:text} role, in the form myst-nb reads, without importing sphinx."""
    from IPython.display import display

    prefix = "application/papermill.record/"
    bundle = {f"{prefix}text/plain": json.dumps(text, ensure_ascii=False)}
    display(bundle, raw=True, metadata={"scrapbook": {"name": name, "mime_prefix": prefix}})


def spread(values: Sequence[float], spec: str = ".3g") -> tuple[str, str]:
    """'0.41 ± 0.03' and 'n = 10', or 'n = 9 of 10' when one unit has no value; 'no value' when none has."""
    values = [float(v) for v in values]
    known = [v for v in values if np.isfinite(v)]
    if not known:
        return "no value", f"n = 0 of {len(values)}"
    ci = stats.t_interval(known)
    half = f" ± {(ci.high - ci.low) / 2:{spec}}" if ci.n > 1 else ""
    count = f"n = {ci.n}" + (f" of {len(values)}" if ci.n < len(values) else "")
    return f"{ci.estimate:{spec}}{half}".replace("-", "−"), count


def number(values: Sequence[float], spec: str = ".3g", unit: str = "", beside: Sequence[float] | None = None) -> str:
    """'0.41 ± 0.03 nats (n = 10)', and with the same quantity of the reference: '(n = 3; reference 0.40 ± 0.01, n = 10)'."""
    mine, count = spread(values, spec)
    more = "" if beside is None else "; reference " + ", ".join(spread(beside, spec))
    return f"{mine}{' ' + unit if unit else ''} ({count}{more})"


def mean(values: Sequence[float], spec: str = ".3g") -> str:
    """The mean of the values that there are, as text for a caption; 'no value' when there is none."""
    return spread(values, spec)[0].partition(" ±")[0]


def table(frame: pd.DataFrame, caption: str, digits: int = 3, name: str = "data") -> Output:
    """A frame as a small table: numbers to `digits` significant digits, the caption above. A cell that is an Output is
    put in as it is."""

    def cell(value: object) -> str:
        if isinstance(value, Output):
            return str(value.bundle["text/html"])
        if isinstance(value, (float, np.floating)):
            return f"{value:.{digits}g}".replace("-", "−") if np.isfinite(value) else "–"
        return html.escape(str(value))

    plain = frame.map(lambda v: v.bundle["text/plain"] if isinstance(v, Output) else v)
    head = "".join(f"<th>{html.escape(str(c))}</th>" for c in frame.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell(v)}</td>" for v in row) + "</tr>" for row in frame.itertuples(index=False)
    )
    above = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    markup = f'<table class="{name}">{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return Output({"text/html": markup, "text/plain": f"{caption}\n{plain.to_string(index=False)}"})


def badge(verdict: str) -> Output:
    """A verdict as the coloured word that stands in tables."""
    return Output({"text/html": f'<span class="verdict verdict-{verdict}">{verdict}</span>', "text/plain": verdict})
