"""The figures of the two chapters. They draw the sides they are given, and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from helpers import figures, frames
from helpers.figures import SERIES
from helpers.sides import Sides
from helpers.softprompt import quantities, sweeps

PARTS = {  # a condition as the figure of controls names it, in its order
    "joint": "optimised for both, K as asked",
    "half": "optimised for both, the smallest K that says half of single targets",
    "random": "not optimised",
    "other": "another pair's content",
    "untrained": "an untrained model",
    "shift": "labels as published, one place early",
}
QUESTION, ANSWER, BOTH, RULE = SERIES[0], SERIES[1], SERIES[2], SERIES[4]
VECTORS = {"type": "log", "tickvals": [1, 2, 4, 8, 16, 32, 64, 128]}


def rule_and_decoding(sides: Sides) -> go.Figure:
    """Of the first restart of every pair, by updates: the share that has met the document's rule, and that is said."""
    fig = figures.figure("Which comes first, the rule or the text?", "updates", "share of pairs", height=440)
    steps = sides.map(quantities.by_step)
    for column, name, color in (("met_by", "loss rule met", RULE), ("solved_by", "both texts decoded", BOTH)):
        figures.compare(fig, steps, column, "at", name, color, seeds=False)
    return shares(fig)


def forming(sides: Sides) -> go.Figure:
    """The two losses of a few pairs while their content is found; a menu over pairs."""
    fig = figures.figure("How does a sentence form?", "updates", "loss (nats a token)", height=440)
    rows, sizes, names = frames.rows(sides.this, part="watch"), [], []
    for _, of_pair in rows.groupby("seed"):
        names.append(str(of_pair["wanted"].iloc[0]))
        for side, name, color in (("q", "question", QUESTION), ("a", "answer", ANSWER)):
            look = {"mode": "lines+markers", "line": {"color": color, "width": 2.4}, "marker": {"size": 5}}
            fig.add_scatter(x=of_pair["step"], y=of_pair[f"loss_{side}"], name=name, **look)
        sizes.append(2)
    fig.update_yaxes(rangemode="tozero")
    return figures.groups(fig, names, sizes) if len(names) > 1 else fig


def said_by_vectors(sides: Sides) -> go.Figure:
    """The share of single targets that are decoded exactly against K, questions and answers apart; joint contents beside."""
    fig = figures.figure("How many vectors does one text need?", "vectors K", "share decoded exactly", height=440)
    fig.update_xaxes(**VECTORS)
    for side, name, color in (("q", "questions alone", QUESTION), ("a", "answers alone", ANSWER)):
        figures.compare(fig, sides, f"exact_{side}", "k", name, color, seeds=False, part="single")
    both = sides.map(lambda rows: frames.rows(rows, part=("joint", "half"), step=0))
    figures.compare(
        fig, both, "exact", "k", "both from one content, first start", BOTH, seeds=False, mean_over=("part",)
    )
    return shares(fig)


def losses(sides: Sides) -> go.Figure:
    """Every joint content by the larger of its two losses: those that say both texts and those that do not, K by K."""
    fig = figures.figure(
        "Does a low loss mean the text is said?", "the larger of the two losses (nats a token)", "", height=340
    )
    rows = frames.rows(sides.this, part=("joint", "half"))
    rows = rows[rows["worst"].notna() & (rows["worst"] > 0)] if "worst" in rows else rows
    names = []
    for k, of_k in rows.groupby("k"):
        for said, color in ((1.0, BOTH), (0.0, figures.INK)):
            chosen, name = frames.rows(of_k, exact=said), f"K = {k:g}, {'said' if said else 'not said'}"
            height = len(names) + 0.6 * (
                (chosen["seed"].to_numpy(float) * 0.618) % 1 - 0.5
            )  # spread, so that none is covered
            mark = {"color": color, "size": 5, "opacity": 0.6}
            fig.add_scatter(
                x=chosen["worst"], y=height, mode="markers", name=name, marker=mark, hoverinfo="x", showlegend=False
            )
            names.append(name)
    fig.add_vline(x=quantities.LOW, line={"color": figures.INK, "width": 1, "dash": "dot"})
    fig.update_yaxes(tickvals=list(range(len(names))), ticktext=names, range=[-0.6, len(names) - 0.4])
    return fig.update_xaxes(type="log")


def conditions(sides: Sides) -> go.Figure:
    """The share of pairs of which both texts are decoded, condition by condition."""
    fig = figures.figure("What can say a pair?", "share of pairs decoded exactly", "", height=340)
    for name, rows in sides.both.items():
        found = {label: quantities.any_of(rows, "exact", part=part) for part, label in PARTS.items()}
        found = {label: values for label, values in found.items() if len(values)}
        _shares(fig, name, found, committed=rows is not sides.this)
    return fig.update_xaxes(range=[-0.04, 1.04]).update_yaxes(autorange="reversed")


KINDS = {  # a kind of pair as the figures of the sweep name it, and its colour
    "matched": ("question and its answer", BOTH),
    "shuffled": ("another pair's answer", SERIES[3]),
    "random": ("random tokens", SERIES[5]),
    "repeat": ("the question twice", SERIES[7]),
}


def sharing(sides: Sides) -> go.Figure:
    """The share of pairs that are said against K, by kind of pair; the answer of the own ones follows from the question."""
    fig = figures.figure(
        "Do a question and its answer share vectors?", "vectors K", "share of pairs decoded", height=460
    )
    for kind, (name, color) in KINDS.items():
        figures.compare(fig, sides, "exact", "k", name, color, seeds=False, part="known", kind=kind)
    return shares(fig.update_xaxes(**VECTORS))


def needed_by_bits(sides: Sides) -> go.Figure:
    """The smallest sufficient K of every pair against the bits of its two texts, by the family of the question."""
    fig = figures.figure(
        "Do more bits need more vectors?", "bits of both texts, after their modes alone", "smallest sufficient K"
    )
    base = frames.rows(sides.this, part="baseline").set_index("seed")
    bits, found = base[["bits_q", "bits_a"]].sum(axis=1), sweeps.smallest(sides.this, "matched")
    for family, color in figures.series(sorted(base["family"].unique())).items():
        chosen = found.reindex(base.index[base["family"] == family]).dropna()
        apart = 1 + 0.16 * ((chosen.index.to_numpy(float) * 0.618) % 1 - 0.5)  # so that equal values can be told apart
        mark = {"color": color, "size": 6, "opacity": 0.75}
        fig.add_scatter(x=bits.reindex(chosen.index), y=2**chosen * apart, mode="markers", name=family, marker=mark)
    return fig.update_yaxes(**VECTORS)


ARMS = {
    "plain": "two plain starts",
    "paraphrases": "one start with other wordings",
    "unrelated": "one with other pairs' sentences",
}


def wordings(sides: Sides) -> go.Figure:
    """The share of pairs that are said, arm by arm, within the updates at which the arms are compared."""
    fig = figures.figure("Do other wordings help?", "share of pairs decoded exactly", "", height=260)
    for name, rows in sides.both.items():
        tried = frames.rows(rows, part="words", kind="paraphrases")
        if not len(tried):
            continue
        found = {label: sweeps.said_by(rows, kind, int(tried["budget"].iloc[0])) for kind, label in ARMS.items()}
        _shares(fig, name, found, committed=rows is not sides.this)
    return fig.update_xaxes(range=[-0.04, 1.04]).update_yaxes(autorange="reversed")


def tiers(sides: Sides) -> go.Figure:
    """The smallest sufficient K of every task, tier by tier in the document's order, and each tier's mean."""
    fig = figures.figure("Is a harder task harder to hold?", "", "smallest sufficient K", height=420)
    rows = frames.rows(sides.this, part="tier")
    for name, mark, pooled in (
        ("a task", {"size": 5, "opacity": 0.5}, False),
        ("mean of log2 K", {"size": 13, "symbol": "diamond"}, True),
    ):
        x, y = [], []
        for i, tier in enumerate(sweeps.TIERS):
            needed = frames.rows(rows, kind=tier)
            spread = 0.5 * ((needed["seed"].to_numpy(float) * 0.618) % 1 - 0.5)
            x += [i] if pooled else (i + spread).tolist()
            y += [2 ** needed["needed"].mean()] if pooled else (2 ** needed["needed"]).tolist()
        fig.add_scatter(x=x, y=y, mode="markers", name=name, marker=mark | {"color": BOTH if pooled else SERIES[3]})
    fig.update_xaxes(tickvals=list(range(len(sweeps.TIERS))), ticktext=list(sweeps.TIERS))
    return fig.update_yaxes(**VECTORS)


def landscape(sides: Sides) -> go.Figure:
    """The loss of a pair in the plane through three of its solutions; a menu over pairs."""
    fig = figures.figure("Is there one basin?", "towards the second solution", "towards the third", height=460)
    rows, names, sizes = frames.rows(sides.this, part="landscape"), [], []
    for _, of_pair in rows.groupby("seed"):
        grid = of_pair.dropna(subset=["total_loss"]).pivot(index="y", columns="x", values="total_loss")
        corner = of_pair.dropna(subset=["corner_x"]).iloc[0] if of_pair["corner_x"].notna().any() else None
        fig.add_heatmap(
            x=grid.columns, y=grid.index, z=np.log10(grid), colorscale="Viridis", colorbar={"title": "log₁₀ nats"},
            hovertemplate="(%{x:.2f}, %{y:.2f}): 10^%{z:.2f} nats<extra></extra>",
        )  # fmt: skip
        at = [(0, 0), (1, 0)] + ([] if corner is None else [(corner["corner_x"], corner["corner_y"])])
        mark = {"color": "white", "size": 10, "symbol": "x", "line": {"color": "black", "width": 1}}
        fig.add_scatter(
            x=[a for a, _ in at], y=[b for _, b in at], mode="markers", marker=mark, name="solutions", showlegend=False
        )
        names.append(str(of_pair["wanted"].iloc[0]))
        sizes.append(2)
    return figures.groups(fig, names, sizes) if len(names) > 1 else fig


def places(sides: Sides) -> go.Figure:
    """Cosines of solutions: of one pair's two starts, of two pairs', to the nearest token, to where they began."""
    names = {
        "within": "two starts of one pair",
        "between": "two pairs",
        "nearest": "a slot and its nearest token",
        "moved": "a start and its end",
    }
    return _strips(sides, figures.figure("Where do solutions lie?", "cosine", "", height=320), names, 0)


def barriers(sides: Sides) -> go.Figure:
    """By how much the loss rises on straight lines from a solution."""
    axis = "rise of the loss along a straight line (nats)"
    names = {
        "barrier_near": "from a start 1 % away",
        "barrier": "to another start's solution",
        "barrier_other": "to another pair's",
    }
    return _strips(sides, figures.figure("Is there one basin?", axis, "", height=300), names, 1)


def _strips(sides: Sides, fig: go.Figure, names: Mapping[str, str], level: float) -> go.Figure:
    """A row of points a column of the solutions' geometry, one point a pair, and a line at a level."""
    rows = frames.rows(sides.this, part="geometry")
    if not len(rows):
        return fig
    for column, name in names.items():
        mark = {"color": BOTH, "size": 7, "opacity": 0.5}
        fig.add_scatter(x=rows[column], y=[name] * len(rows), mode="markers", showlegend=False, marker=mark)
    fig.add_vline(x=level, line={"color": figures.INK, "width": 1, "dash": "dot"})
    return fig.update_yaxes(autorange="reversed")


def shares(fig: go.Figure) -> go.Figure:
    """An axis of shares: no band leaves it, though an interval of a mean of noughts and ones may."""
    for trace in fig.data:
        if trace.fill == "toself":
            trace.y = np.clip(np.asarray(trace.y, float), 0, 1)
    return fig.update_yaxes(range=[-0.04, 1.08])


def _shares(fig: go.Figure, name: str, found: Mapping[str, Sequence[float]], *, committed: bool) -> None:
    """A point a row, the mean of its values with how many they are."""
    look = {"symbol": "diamond-open" if committed else "circle", "size": 11, "color": BOTH}
    fig.add_scatter(
        x=[float(np.mean(v)) for v in found.values()], y=list(found), mode="markers", name=name, marker=look,
        customdata=[len(v) for v in found.values()], hovertemplate="%{y}: %{x:.0%} (n = %{customdata})<extra></extra>",
    )  # fmt: skip
