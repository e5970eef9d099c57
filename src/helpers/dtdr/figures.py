"""The figures of Part I: two sides in, a figure out. They draw what they are given and compute nothing but means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from helpers import figures, frames
from helpers.dtdr import quantities, regression, tables
from helpers.dtdr.damage import Damage, Keep, Noise, Planes
from helpers.dtdr.quantities import RAW, SPOILED, SPOILED_RAW, TRANSFORMED
from helpers.figures import INK, SERIES, Output
from helpers.sides import Sides

ROWS, VOCABULARY = Keep("identity", "rows"), Keep("identity", "rows", protect=True)
SHUFFLED = Keep("permutation", "rows")
EVEN, PROPORTIONAL = Noise("row"), Noise("entry")  # noise of one size per row, and in proportion to each weight
PLANES = Planes("hadamard")
LOOK = {  # damage: (name in the legend, colour)
    TRANSFORMED: ("transformed, random loss", SERIES[0]),
    RAW: ("raw weights, random loss", SERIES[1]),
    EVEN: ("raw weights with noise of equal cosine", SERIES[2]),
    SHUFFLED: ("raw weights in shuffled order, leading rows", SERIES[3]),
    ROWS: ("raw weights, leading rows (as published)", SERIES[4]),
    Keep("hadamard", "rows"): ("transformed, leading rows", SERIES[5]),
    VOCABULARY: ("raw, leading rows, vocabulary kept whole", SERIES[6]),
}
PRINTED = {
    ROWS: "raw rows (as published)",
    Keep("hadamard", "rows"): "transformed rows",
    TRANSFORMED: "transformed, random loss",
}
ARMS = {damage: name for damage, (name, _) in LOOK.items()}
STORIES = {damage: name for damage, name in ARMS.items() if damage != VOCABULARY}
READ = (TRANSFORMED, RAW, EVEN, SHUFFLED, ROWS)
ORDERS = {
    PLANES: ("bit planes, transformed", SERIES[0]),
    Planes("identity"): ("bit planes, raw", SERIES[1]),
    Keep("identity", "magnitude"): ("largest first, raw", SERIES[3]),
    TRANSFORMED: ("any coefficients, transformed", SERIES[4]),
}
KINDS = {
    TRANSFORMED: ("truncated, transformed", SERIES[0], "circle"),
    SPOILED: ("corrupted, transformed", SERIES[4], "x"),
    SPOILED_RAW: ("corrupted, raw INT8", SERIES[1], "x"),
    EVEN: ("Gaussian noise, raw", SERIES[2], "circle"),
}
DOMAIN = {
    "hadamard": ("transformed (Hadamard)", SERIES[0]),
    "identity": ("raw weights", SERIES[1]),
    "dct": ("transformed (DCT)", SERIES[4]),
    "permutation": ("shuffled", SERIES[3]),
}
SYMBOL = {"zero": "circle", "random": "x", "guided": "diamond"}
KEPT, LOSS, COSINE = "share of coefficients kept", "loss (nats a token)", "cosine of the weights to the whole model's"


def printed(sides: Sides) -> go.Figure:
    """The printed curve: a menu takes the cosine of the next token's logits or the overlap of the ten likeliest."""
    fig = figures.figure("What is left of the next token's logits?", KEPT, "cosine, overlap", height=460)
    figures.level(fig, 0.0, "unrelated")
    sizes = []
    for column in ("cosine_last", "top10"):
        before = len(fig.data)
        for damage, name in PRINTED.items():
            figures.compare(fig, sides, column, damage.level, name, LOOK[damage][1], **damage.columns)
        sizes.append(len(fig.data) - before)
    return figures.groups(fig, ("cosine of the logits", "overlap of the ten likeliest"), sizes)


def texts(sides: Sides, names: Mapping[Damage, str], prompt: str, caption: str, head: str = "stored as") -> Output:
    """What the damaged models of this run write after one prompt: a slider over the level, a row a damage."""
    labels = {damage.label: name for damage, name in names.items()}
    return figures.texts(tables.told(sides.this, names), labels, head=head, prompt=prompt, start=-2, caption=caption)


def loss(
    sides: Sides,
    damages: Sequence[Damage] = tuple(LOOK),
    column: str = "nll",
    axis: str = LOSS,
    title: str = "When does language come back?",
    whole: float | None = None,
) -> go.Figure:
    """One column by how much is left, damage by damage. whole: the whole model's value, its loss if not given."""
    fig = figures.figure(title, KEPT, axis, height=560)
    _whole(fig, sides, whole)
    means = []
    for damage in damages:
        name, color = LOOK[damage]
        figures.compare(fig, sides, column, damage.level, name, color, mean_over=("model",), **damage.columns)
        means.append(frames.rows(sides.this, **damage.columns).groupby(damage.level)[column].mean().max())
    most = pd.Series(means).max()
    return fig.update_yaxes(range=[0, 1.12 * most]) if most > 0 else fig  # an interval may be wider than the figure


def agreement(sides: Sides) -> go.Figure:
    """How often the likeliest token is the whole model's, in both domains."""
    axis, title = "agreement of the likeliest token", "How often is the likeliest token the same?"
    return loss(sides, (TRANSFORMED, RAW), "top1", axis, title, whole=1.0)


def sense(sides: Sides) -> go.Figure:
    """What the texts of the damaged models cost the whole one."""
    axis, title = "loss of the text (nats a token)", "Would the whole model have written that?"
    return loss(sides, READ, "sense", axis, title, whole=pd.Series(sides.read(quantities.own_text)[0]).mean())


def outliers(sides: Sides) -> go.Figure:
    """Both domains and plain noise, where some weights are very large."""
    return loss(sides, (TRANSFORMED, RAW, EVEN), title="The same function, some weights very large")


def collapse(sides: Sides) -> go.Figure:
    """Loss against the weight cosine that was reached: a colour a domain, a symbol a fill."""
    fig = figures.figure("Does anything matter but the distance to the whole model?", COSINE, LOSS, height=560)
    rows = regression.points(sides.this)
    for domain, (name, color) in DOMAIN.items():
        for fill, symbol in SYMBOL.items():
            points = frames.rows(rows, domain=domain, fill=fill)
            _dots(fig, points, f"{name}, {fill}", color, symbol, y="nll", size=7, opacity=0.75)
    return fig


def orders(sides: Sides) -> go.Figure:
    """Loss by the share of stored bits sent, for four orders of sending."""
    fig = figures.figure("Which bits should be sent first?", "share of the stored bits", LOSS, height=460)
    _whole(fig, sides)
    for damage, (name, color) in ORDERS.items():
        figures.compare(fig, sides, "nll", "sent", name, color, mean_over=("model",), seeds=False, **damage.columns)
    return fig


def kinds(sides: Sides, least: float = 0.6) -> go.Figure:
    """Loss against the weight cosine under truncation, corruption and noise, where the cosine exceeds `least`."""
    fig = figures.figure("Is a missing coefficient worse than a wrong one?", COSINE, LOSS, height=460)
    _whole(fig, sides)
    near = sides.this[sides.this["cosine"] > least]
    for damage, (name, color, symbol) in KINDS.items():
        _dots(fig, frames.rows(near, **damage.columns), name, color, symbol, y="nll")
    return fig


def scaling(sides: Sides, by: str, axis: str) -> go.Figure:
    """The share at which half of the loss is recovered, by a property of the model. sides: of `tables.rungs`."""
    fig = figures.figure("Do larger models need more?", axis, "share at which half is recovered", height=420)
    for damage in (TRANSFORMED, RAW):
        figures.compare(fig, sides, "f50", by, *LOOK[damage], over=("model_seed",), **damage.columns)
    values = sorted({int(v) for rows in sides.both.values() for v in rows[by]})
    return fig.update_xaxes(type="log", tickvals=values)


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


def priors(sides: Sides, at: float) -> go.Figure:
    """Loss minus that of zero fill at one share kept, by the weight of the prior. sides: of `tables.against_zero`."""
    title = f"What does a prior have to contain? ({at:.0%} kept)"
    fig = figures.figure(title, "weight b of the prior", "loss − loss of zero fill (nats)", height=520)
    figures.level(fig, 0.0, "as good as nothing")
    for prior, name in tables.tried(sides.this).items():
        color = _prior_colors()[prior]
        figures.compare(fig, sides, "gain", "weight", name, color, mean_over=("model",), prior=prior, kept=at)
    means = frames.rows(sides.this, kept=at).groupby(["prior", "weight"])["gain"].mean()
    return fig.update_yaxes(range=[1.1 * min(0.0, means.min()), max(1.0, 1.3 * means.max())])


def predicted(rows: pd.DataFrame) -> go.Figure:
    """Achieved weight cosine against the one that arithmetic predicts. rows: of `quantities.predictions`."""
    title = "Does arithmetic predict the rebuilt weights?"
    fig = figures.figure(title, "predicted cosine", "achieved cosine", height=460)
    line = {"color": INK, "dash": "dot", "width": 1}
    fig.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, name="equal", hoverinfo="skip")
    for (name, color, symbol), points in _fills(rows):
        _dots(fig, points, name, color, symbol, x="predicted", y="cosine")
    return fig


def by_cosine(sides: Sides) -> go.Figure:
    """Loss against the achieved weight cosine, a colour a fill or prior; zero fill's points joined by a line."""
    fig = figures.figure("Is a filled gap worth more than its cosine?", COSINE, LOSS, height=500)
    _whole(fig, sides)
    for (name, color, symbol), points in _fills(sides.this[sides.this["fill"] != "gain"]):
        _dots(fig, points.sort_values("cosine"), name, color, symbol, y="nll", line=name == "no prior: zero")
    return fig


def _whole(fig: go.Figure, sides: Sides, value: float | None = None) -> None:
    """The line of the whole model, where there is one."""
    value = sides.this["intact"].mean() if value is None else value
    if value == value:
        figures.level(fig, float(value), "the whole model")


def _prior_colors() -> Mapping[str, str]:
    return dict(zip(tables.PRIORS, SERIES, strict=True))


def _fills(rows: pd.DataFrame) -> list[tuple[tuple[str, str, str], pd.DataFrame]]:
    """Points by fill or prior, with name, colour and symbol: a prior has its colour in every figure, a bare fill is grey."""
    marks = {"zero": "circle", "random": "x", "gain": "square"}
    found = [((f"no prior: {fill}", INK, mark), frames.rows(rows, prior="", fill=fill)) for fill, mark in marks.items()]
    found += [
        ((name, _prior_colors()[prior], "circle"), frames.rows(rows, prior=prior))
        for prior, name in tables.PRIORS.items()
    ]
    return [(look, points) for look, points in found if len(points)]


def _dots(
    fig: go.Figure,
    rows: pd.DataFrame,
    name: str,
    color: str,
    symbol: str,
    *,
    y: str,
    x: str = "cosine",
    size: int = 8,
    opacity: float = 1.0,
    line: bool = False,
) -> None:
    """One condition as points, joined by a thin line on request; nothing where it has no rows."""
    if len(rows):
        fig.add_scatter(
            x=rows[x],
            y=rows[y],
            name=name,
            mode="lines+markers" if line else "markers",
            line={"color": color, "width": 1.2},
            marker={"color": color, "symbol": symbol, "size": size, "opacity": opacity},
            hovertemplate=f"{name}<br>%{{x:.3f}}: %{{y:.3f}}<extra></extra>",
        )
