"""The figures of Part I: two sides in, a figure out. They draw what they are given and compute nothing but means."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import yaml

from helpers import claims, figures, frames, panels
from helpers.dtdr import playground, regression, tables
from helpers.dtdr.damage import Damage, Keep, Planes
from helpers.dtdr.named import (
    EVEN,
    PLANES,
    RAW,
    ROWS,
    SHUFFLED,
    SPOILED,
    SPOILED_RAW,
    TRANSFORMED,
    VOCABULARY,
)
from helpers.dtdr.quantities import curve, own_text
from helpers.figures import INK, SERIES, Output
from helpers.sides import Sides

LOOK = {  # damage: (name in the legend, colour)
    TRANSFORMED: ("transformed, random loss", SERIES[0]),
    RAW: ("raw weights, random loss", SERIES[1]),
    EVEN: ("raw weights, even noise", SERIES[2]),
    SHUFFLED: ("raw weights in shuffled order, leading rows", SERIES[3]),
    VOCABULARY: ("raw, leading rows, vocabulary kept whole", SERIES[6]),
    ROWS: ("leading rows, raw or transformed (as published)", SERIES[4]),
}
ARMS = {damage: name for damage, (name, _) in LOOK.items()}
STORIES = {damage: name for damage, name in ARMS.items() if damage != VOCABULARY}
PRINTED = {damage: ARMS[damage] for damage in (ROWS, TRANSFORMED)}
DOMAINS = {damage: LOOK[damage] for damage in (TRANSFORMED, RAW)}
UNEQUAL = DOMAINS | {EVEN: LOOK[EVEN]}
READ = UNEQUAL | {SHUFFLED: LOOK[SHUFFLED], ROWS: LOOK[ROWS]}
ORDERS = {
    PLANES: ("bit planes, transformed", SERIES[7]),
    Planes("identity"): ("bit planes, raw", SERIES[1]),
    Keep("identity", "magnitude"): ("largest first, raw", SERIES[3]),
    TRANSFORMED: ("any coefficients, transformed", LOOK[TRANSFORMED][1]),
}
KINDS = {  # damage: (name, colour, symbol)
    TRANSFORMED: ("truncated, transformed", SERIES[0], "circle"),
    SPOILED: ("corrupted, transformed", SERIES[4], "x"),
    SPOILED_RAW: ("corrupted, raw INT8", SERIES[1], "x"),
    EVEN: ("even noise, raw", SERIES[2], "circle"),
}
DOMAIN = {
    "hadamard": ("transformed (Hadamard)", SERIES[0]),
    "identity": ("raw weights", SERIES[1]),
    "dct": ("transformed (DCT)", SERIES[4]),
    "permutation": ("shuffled", SERIES[3]),
}
SYMBOL = {"zero": "circle", "random": "x", "guided": "diamond"}
FILLS = {"zero": "circle", "random": "x", "gain": "square"}  # those without a prior
PRIOR = dict(zip(tables.PRIORS, (*SERIES, INK), strict=True))
KEPT, LOSS, COSINE = "share of coefficients kept", "loss (nats a token)", "cosine of the weights to the whole model's"


def say(sides: Sides, *names: str, prefix: str = "") -> None:
    """Put quantities of `tables.NUMBERS` into the prose, by their names."""
    for name in names:
        sides.say(prefix + name, *tables.NUMBERS[name])


def show(name: str, sides: Sides, **words: object) -> None:
    """Draw a figure of FIGURES, and below it its caption. words: those of the caption that are not NUMBERS."""
    captions = yaml.safe_load((Path(__file__).parent / "assets" / "captions.yml").read_text(encoding="utf-8"))
    figures.show(FIGURES[name](sides), captions[name].strip().format_map(_Words(sides, words)))


def printed(sides: Sides) -> go.Figure:
    """The printed curve: a menu takes the cosine of the next token's logits or the overlap of the ten likeliest."""
    fig = figures.figure("What is left of the next token's logits?", KEPT, "cosine, overlap", height=460)
    figures.level(fig, 0.0, "unrelated")
    look = {damage: (name, LOOK[damage][1]) for damage, name in reversed(PRINTED.items())}
    sizes = [_curves(fig, sides, column, look) for column in ("cosine_last", "top10")]
    return figures.groups(fig, ("cosine of the logits", "overlap of the ten likeliest"), sizes)


def texts(sides: Sides, names: Mapping[Damage, str], prompt: str, caption: str, head: str = "stored as") -> Output:
    """What the damaged models of this run write after one prompt: a slider over the level, a row a damage."""
    labels = {damage.label: name for damage, name in names.items()}
    return figures.texts(tables.told(sides.this, names), labels, head=head, prompt=prompt, start=-2, caption=caption)


def guess(sides: Sides, caption: str) -> Output | None:
    """How the loss comes back in the two domains, to be guessed before it is shown; None where nothing has measured it."""
    if not len(sides.this):
        return None
    both = {"the transformed store": TRANSFORMED, "raw weights": RAW}
    curves = {name: curve(sides.this, "nll", damage) for name, damage in both.items()}
    means = {name: (x, y.mean(axis=0)) for name, (x, y) in curves.items()}
    return playground.guess(caption, means, *sides.this[["nothing", "intact"]].mean())


def loss(
    sides: Sides,
    look: Mapping[Damage, tuple[str, str]] = LOOK,
    title: str = "When does language come back?",
    column: str = "nll",
    axis: str = LOSS,
    whole: float | None = None,
) -> go.Figure:
    """One column by how much is left, damage by damage. whole: the whole model's value, its loss if not given."""
    fig = _figure(sides, title, KEPT, axis, 560, whole)
    _curves(fig, sides, column, look, mean_over=("model",))
    tried = (frames.rows(sides.this, **damage.columns).groupby(damage.level)[column].mean().max() for damage in look)
    most = pd.Series(tried, dtype=float).max()
    return fig.update_yaxes(range=[0, 1.12 * most]) if most > 0 else fig  # an interval may be wider than the figure


def sense(sides: Sides) -> go.Figure:
    """What the texts of the damaged models cost the whole one."""
    own = pd.Series(sides.read(own_text)[0]).mean()
    return loss(
        sides, READ, "Would the whole model have written that?", "sense", "loss of the text (nats a token)", own
    )


def collapse(sides: Sides) -> go.Figure:
    """Loss against the weight cosine that was reached: a colour a domain, a symbol a fill."""
    fig = figures.figure("Does anything matter but the distance to the whole model?", COSINE, LOSS, height=560)
    rows = regression.points(sides.this)
    for domain, (name, color) in DOMAIN.items():
        for fill, symbol in SYMBOL.items():
            points = frames.rows(rows, domain=domain, fill=fill)
            _dots(fig, points, f"{name}, {fill}", color, symbol, size=7, opacity=0.75)
    return fig


def orders(sides: Sides) -> go.Figure:
    """Loss by the share of stored bits sent, for four orders of sending."""
    fig = _figure(sides, "Which bits should be sent first?", "share of the stored bits", LOSS, 460)
    _curves(fig, sides, "nll", ORDERS, "sent", mean_over=("model",), seeds=False)
    return fig


def kinds(sides: Sides, least: float = 0.6) -> go.Figure:
    """Loss against the weight cosine under truncation, corruption and noise, where the cosine exceeds `least`."""
    fig = _figure(sides, "Is a missing coefficient worse than a wrong one?", COSINE, LOSS, 460)
    for damage, look in KINDS.items():
        _dots(fig, frames.rows(sides.this[sides.this["cosine"] > least], **damage.columns), *look)
    return fig


def scaling(sides: Sides, by: str, axis: str) -> go.Figure:
    """The share at which half of the loss is recovered, by a property of the model. sides: of `tables.rungs`."""
    fig = figures.figure("Do larger models need more?", axis, "share at which half is recovered", height=420)
    _curves(fig, sides, "f50", DOMAINS, by, over=("model_seed",))
    values = sorted({int(v) for rows in sides.both.values() for v in rows[by]})
    return fig.update_xaxes(type="log", tickvals=values)


def domains(sides: Sides) -> go.Figure:
    """Transformed minus raw loss along the shares kept, mask by mask, with the margin that claim D5b asks it to pass."""
    margin = claims.of("dtdr_models")["D5b"].precise.tests[0].above
    fig = figures.figure("Which domain loses more?", KEPT, "transformed − raw (nats a token)", height=380)
    pairs = {"transformed − raw": (TRANSFORMED.columns, RAW.columns)}
    return panels.difference(fig, sides, "nll", RAW.level, pairs, margin=(-margin, margin), mean_over=("model",))


def dose(sides: Sides) -> go.Figure:
    """Transformed minus raw loss by how large the outlier channels' weights are. sides: of `tables.dose`."""
    axis = "size of the weights in the outlier channels"
    fig = figures.figure("How unequal must the weights be?", axis, "transformed − raw (nats a token)", height=440)
    figures.level(fig, 0.0, "no difference")
    figures.compare(fig, sides, "lost", "outliers", "80 % kept", SERIES[0])
    figures.compare(fig, sides, "spoiled", "outliers", "one code in a thousand spoiled", SERIES[4])
    sizes = sorted({float(v) for rows in sides.both.values() for v in rows["outliers"]})
    names = [f"1/{round(1 / t)}" if t < 1 else f"{t:g}" for t in sizes]
    return fig.update_xaxes(type="log", tickvals=sizes, ticktext=names)


def priors(sides: Sides, at: float = 0.4) -> go.Figure:
    """Loss minus that of zero fill at one share kept, by the weight of the prior. sides: of `tables.against_zero`."""
    title = f"What does a prior have to contain? ({at:.0%} kept)"
    fig = figures.figure(title, "weight b of the prior", "loss − loss of zero fill (nats)", height=520)
    figures.level(fig, 0.0, "as good as nothing")
    for prior, name in tables.tried(sides.this).items():
        where = {"prior": prior, "kept": at}
        figures.compare(fig, sides, "gain", "weight", name, PRIOR[prior], mean_over=("model",), **where)
    means = frames.rows(sides.this, kept=at).groupby(["prior", "weight"])["gain"].mean()
    return fig.update_yaxes(range=[1.1 * min(0.0, means.min()), max(1.0, 1.3 * means.max())])


def predicted(sides: Sides) -> go.Figure:
    """Achieved weight cosine against the one that arithmetic predicts. sides: of `quantities.predictions`."""
    title = "Does arithmetic predict the rebuilt weights?"
    fig = figures.figure(title, "predicted cosine", "achieved cosine", height=460)
    line = {"color": INK, "dash": "dot", "width": 1}
    fig.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, name="equal", hoverinfo="skip")
    for look, points in _fills(sides.this):
        _dots(fig, points, *look, x="predicted", y="cosine")
    return fig


def by_cosine(sides: Sides) -> go.Figure:
    """Loss against the achieved weight cosine, a colour a fill or prior; zero fill's points joined by a line."""
    fig = _figure(sides, "Is a filled gap worth more than its cosine?", COSINE, LOSS, 500)
    for look, points in _fills(sides.this[sides.this["fill"] != "gain"]):
        _dots(fig, points.sort_values("cosine"), *look, line=look[0].endswith("zero"))
    return fig


AGREEMENT = {"column": "top1", "axis": "agreement of the likeliest token", "whole": 1.0}
FIGURES = {  # their captions are in assets/captions.yml
    "printed": printed,
    "loss": loss,
    "agreement": partial(loss, look=DOMAINS, title="How often is the likeliest token the same?", **AGREEMENT),
    "sense": sense,
    "kinds": kinds,
    "orders": orders,
    "collapse": collapse,
    "outliers": partial(loss, look=UNEQUAL, title="The same function, some weights very large"),
    "domains": domains,
    "dose": dose,
    "depth": partial(scaling, by="depth", axis="layers"),
    "width": partial(scaling, by="width", axis="width of the stream"),
    "priors": priors,
    "predicted": predicted,
    "by_cosine": by_cosine,
}


class _Words(dict):
    """The words of a caption: those that are given, and the means of this run for the names of NUMBERS."""

    def __init__(self, sides: Sides, words: Mapping[str, object]):
        super().__init__(words, dashed=sides.dashed, source=sides.source)
        self.sides = sides

    def __missing__(self, name: str) -> str:
        quantity, spec, _ = tables.NUMBERS[name]
        return self.sides.mean(quantity, spec)


def _figure(sides: Sides, title: str, x: str, y: str, height: int, whole: float | None = None) -> go.Figure:
    """A figure with the line of the whole model, by default at its loss, where there is one."""
    fig = figures.figure(title, x, y, height=height)
    value = sides.this["intact"].mean() if whole is None else whole
    return figures.level(fig, float(value), "the whole model") if value == value else fig


def _curves(fig: go.Figure, sides: Sides, column: str, look: Mapping, by: str = "", **how: object) -> int:
    """A column of both sides damage by damage, along each one's own level unless `by` is given. Returns how many traces."""
    before = len(fig.data)
    for damage, (name, color) in look.items():
        figures.compare(fig, sides, column, by or damage.level, name, color, **how, **damage.columns)
    return len(fig.data) - before


def _fills(rows: pd.DataFrame) -> list[tuple[tuple[str, str, str], pd.DataFrame]]:
    """Points by fill or prior, with name, colour and symbol: a prior has its colour in every figure, a bare fill is grey."""
    bare = [((f"no prior: {fill}", INK, mark), {"prior": "", "fill": fill}) for fill, mark in FILLS.items()]
    priors = [((name, PRIOR[prior], "circle"), {"prior": prior}) for prior, name in tables.PRIORS.items()]
    return [(look, frames.rows(rows, **where)) for look, where in bare + priors]


def _dots(
    fig: go.Figure,
    rows: pd.DataFrame,
    name: str,
    color: str,
    symbol: str,
    *,
    x: str = "cosine",
    y: str = "nll",
    line: bool = False,
    **marker: float,
) -> None:
    """One condition as points, joined by a thin line on request; nothing where it has no rows."""
    if len(rows):
        fig.add_scatter(
            x=rows[x],
            y=rows[y],
            name=name,
            mode="lines+markers" if line else "markers",
            line={"color": color, "width": 1.2},
            marker={"color": color, "symbol": symbol, "size": 8} | marker,
            hovertemplate=f"{name}<br>%{{x:.3f}}: %{{y:.3f}}<extra></extra>",
        )
