"""The figures of Part I. They draw what they are given and compute nothing but means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from helpers import figures
from helpers.dtdr.quantities import collapse_rows, curve, has
from helpers.dtdr.texts import texts  # noqa: F401 (one of the figures)
from helpers.figures import INK, ROLE

STYLE = {  # arm: (name in the legend, colour, dash)
    "hadamard.iid.zero": ("transformed, random loss", ROLE["precise"], "solid"),
    "identity.iid.zero": ("raw weights, random loss", ROLE["control"], "solid"),
    "noise": ("raw weights with noise of equal cosine", ROLE["other"], "solid"),
    "permutation.rows.zero": ("raw weights in shuffled order, leading rows", ROLE["planted"], "solid"),
    "identity.rows.zero": ("raw weights, leading rows (as published)", ROLE["printed"], "solid"),
    "hadamard.rows.zero": ("transformed, leading rows", ROLE["refuted"], "solid"),
    "identity.rows.zero.protected": ("raw, leading rows, vocabulary kept whole", ROLE["supported"], "solid"),
}
DOMAIN = {
    "hadamard": ("transformed (Hadamard)", ROLE["precise"]),
    "identity": ("raw weights", ROLE["control"]),
    "dct": ("transformed (DCT)", ROLE["printed"]),
    "permutation": ("shuffled", ROLE["planted"]),
}
SYMBOL = {"zero": "circle", "random": "x", "guided": "diamond"}
FRACTION = "fraction of coefficients kept"


def emergence(found: pd.DataFrame, arms: Mapping[str, str]) -> go.Figure:
    """The printed curve: cosine of the next token's logits, and overlap of the ten likeliest tokens (dotted), by fraction."""
    fig = figures.figure("What is left of the next token's logits?", FRACTION, "cosine, overlap", height=460)
    figures.level(fig, 0.0, "unrelated")
    for arm, name in arms.items():
        mine = found[(found["part"] == "printed") & (found["arm"] == arm)].sort_values("fraction")
        color = STYLE[arm][1]
        for column, label, dash in (("cosine_last", "cosine", "solid"), ("top10", "top-10 overlap", "dot")):
            fig.add_scatter(
                x=mine["fraction"],
                y=mine[column],
                name=f"{name}: {label}",
                mode="lines+markers",
                line={"color": color, "dash": dash, "width": 2.2},
                hovertemplate="%{x:.1%} kept: %{y:.3f}<extra></extra>",
            )
    return fig


def loss(
    found: pd.DataFrame,
    reference: pd.DataFrame | None,
    arms: Sequence[str] = tuple(STYLE),
    column: str = "nll",
    axis: str = "loss (nats a token)",
    title: str = "When does language come back?",
    whole: float | None = None,
) -> go.Figure:
    """One measure by fraction, arm by arm; the committed reference dashed."""
    fig = figures.figure(title, FRACTION, axis, height=560)
    figures.level(fig, float(found["intact"].mean()) if whole is None else whole, "the whole model")
    for arm in arms:
        name, color, _ = STYLE[arm]
        if has(found, arm):
            figures.bands(fig, *curve(found, arm, column), name, color)
        if reference is not None and has(reference, arm):
            figures.bands(
                fig, *curve(reference, arm, column), name, color, dash="dash", seeds=False, band=False, legend=False
            )
    means = [np.nanmax(curve(found, arm, column)[1].mean(0)) for arm in arms if has(found, arm)]
    return fig.update_yaxes(range=[0, 1.12 * max(means)])  # an interval over few masks may be wider than the figure


def collapse(found: pd.DataFrame, models: Sequence[str]) -> go.Figure:
    """Loss against the weight cosine that was reached, all domains and fills; a menu over models."""
    fig = figures.figure(
        "Does anything matter but the distance to the whole model?",
        "cosine of the weights to the whole model's",
        "loss (nats a token)",
        height=560,
    )
    groups, rows = [], collapse_rows(found)
    for model in models:
        before = len(fig.data)
        for domain, (name, color) in DOMAIN.items():
            for fill, symbol in SYMBOL.items():
                mine = rows[(rows["model"] == model) & (rows["domain"] == domain) & (rows["fill"] == fill)]
                if len(mine):
                    fig.add_scatter(
                        x=mine["cosine"],
                        y=mine["nll"],
                        mode="markers",
                        name=f"{name}, {fill}",
                        marker={"color": color, "symbol": symbol, "size": 7, "opacity": 0.75},
                        customdata=mine["fraction"],
                        hovertemplate=f"{name}, {fill}<br>%{{customdata:.0%}} kept: %{{x:.3f}}, %{{y:.3f}}<extra></extra>",
                    )
        groups.append(len(fig.data) - before)
    return figures.choose(fig, list(models), groups) if len(models) > 1 else fig


def orders(found: pd.DataFrame, reference: pd.DataFrame | None) -> go.Figure:
    """Loss by the share of stored bits sent, for three orders of sending."""
    fig = figures.figure(
        "Which bits should be sent first?", "share of the stored bits", "loss (nats a token)", height=460
    )
    figures.level(fig, float(found["intact"].mean()), "the whole model")
    rows = (
        ("hadamard.planes.zero", "bit planes, transformed", ROLE["precise"]),
        ("identity.planes.zero", "bit planes, raw", ROLE["control"]),
        ("identity.magnitude.zero", "largest first, raw", ROLE["planted"]),
        ("hadamard.iid.zero", "any coefficients, transformed", ROLE["printed"]),
    )
    for arm, name, color in rows:
        for frame, dash in ((found, "solid"), (reference, "dash")):
            if frame is not None and has(frame, arm):
                figures.bands(
                    fig, *curve(frame, arm, "nll"), name, color, dash=dash, seeds=False, legend=dash == "solid"
                )
    return fig


def damage(found: pd.DataFrame) -> go.Figure:
    """Loss against the weight cosine under truncation, corruption and noise."""
    fig = figures.figure(
        "Is a missing coefficient worse than a wrong one?",
        "cosine of the weights to the whole model's",
        "loss (nats a token)",
        height=460,
    )
    figures.level(fig, float(found["intact"].mean()), "the whole model")
    rows = (
        ("hadamard.iid.zero", "truncated, transformed", ROLE["precise"], "circle"),
        ("hadamard.corrupt", "corrupted, transformed", ROLE["refuted"], "x"),
        ("identity.corrupt", "corrupted, raw INT8", ROLE["control"], "x"),
        ("noise", "Gaussian noise, raw", ROLE["other"], "circle"),
    )
    for arm, name, color, symbol in rows:
        mine = found[(found["arm"] == arm) & (found["cosine"] > 0.6)].sort_values("cosine")
        fig.add_scatter(
            x=mine["cosine"],
            y=mine["nll"],
            mode="markers",
            name=name,
            marker={"color": color, "symbol": symbol, "size": 8},
            hovertemplate=f"{name}<br>cosine %{{x:.3f}}: %{{y:.3f}}<extra></extra>",
        )
    return fig


def scaling(table: pd.DataFrame, x: str, axis: str) -> go.Figure:
    """Fraction at which half of the loss is recovered, by a property of the model. table: columns x, arm, f50, seed."""
    fig = figures.figure("Do larger models need more?", axis, "fraction at which half is recovered", height=420)
    for arm in ("hadamard.iid.zero", "identity.iid.zero"):
        mine = table[table["arm"] == arm]
        if len(mine):
            wide = mine.pivot_table(index="seed", columns=x, values="f50")
            figures.bands(fig, wide.columns.to_numpy(float), wide.to_numpy(), STYLE[arm][0], STYLE[arm][1])
    return fig.update_xaxes(type="log", tickvals=sorted(table[x].unique()))


def predicted(table: pd.DataFrame) -> go.Figure:
    """Achieved weight cosine against the one that arithmetic predicts. table: predicted, cosine, fill, prior."""
    fig = figures.figure(
        "Does arithmetic predict the rebuilt weights?", "predicted cosine", "achieved cosine", height=460
    )
    fig.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": INK, "dash": "dot", "width": 1}, name="equal", hoverinfo="skip"
    )
    colors = (ROLE["precise"], ROLE["printed"], ROLE["planted"], ROLE["other"], ROLE["supported"], ROLE["refuted"], INK)
    for color, (name, rows) in zip(colors, table.groupby("name", sort=False), strict=False):
        fig.add_scatter(
            x=rows["predicted"], y=rows["cosine"], mode="markers", name=name, marker={"color": color, "size": 8}
        )
    return fig


def priors(found: pd.DataFrame, reference: pd.DataFrame | None, names: Mapping[str, str], fraction: float) -> go.Figure:
    """Loss minus that of zero fill at one fraction, by the weight of the prior, prior by prior."""
    fig = figures.figure(
        f"What does a prior have to contain? ({fraction:.0%} kept)",
        "weight b of the prior",
        "loss − loss of zero fill (nats)",
        height=520,
    )
    figures.level(fig, 0.0, "as good as nothing")
    ends = [0.0]
    colors = (ROLE["printed"], ROLE["precise"], ROLE["other"], ROLE["planted"], ROLE["control"], ROLE["supported"], INK)
    for (prior, name), color in zip(names.items(), colors, strict=False):
        for frame, dash in ((found, "solid"), (reference, "dash")):
            if frame is None or not (frame["prior"] == prior).any():
                continue
            mine = frame[(frame["prior"] == prior) & np.isclose(frame["fraction"], fraction)]
            zero = frame[(frame["arm"] == "hadamard.iid.zero") & np.isclose(frame["fraction"], fraction)]
            base = zero.groupby("seed")["nll"].mean()
            table = mine.groupby(["seed", "weight"])["nll"].mean().unstack("weight").sub(base, axis=0)
            x = np.r_[0.0, table.columns.to_numpy(float)]
            solid = dash == "solid"
            figures.bands(
                fig,
                x,
                np.c_[np.zeros(len(table)), table],
                name,
                color,
                dash=dash,
                legend=solid,
                band=solid,
                seeds=solid,
            )
            ends += table.mean().tolist()
    return fig.update_yaxes(range=[1.1 * min(ends), max(1.0, 1.3 * max(ends))])


def dose(times: Sequence[float], lost: np.ndarray, spoiled: np.ndarray) -> go.Figure:
    """Transformed minus raw loss by how large the outlier channels' weights are: lost, spoiled (masks, sizes)."""
    title = "How unequal must the weights be?"
    fig = figures.figure(
        title, "size of the weights in the outlier channels", "transformed − raw (nats a token)", height=440
    )
    figures.level(fig, 0.0, "no difference")
    figures.bands(fig, times, lost, "80 % kept", ROLE["precise"])
    figures.bands(fig, times, spoiled, "one code in a thousand spoiled", ROLE["refuted"])
    names = [f"1/{round(1 / t)}" if t < 1 else f"{t:g}" for t in times]
    return fig.update_xaxes(type="log", tickvals=list(times), ticktext=names)


def by_cosine(found: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """Loss against the achieved weight cosine, a colour a fill or prior."""
    fig = figures.figure(
        "Is a filled gap worth more than its cosine?",
        "cosine of the weights to the whole model's",
        "loss (nats a token)",
        height=500,
    )
    figures.level(fig, float(found["intact"].mean()), "the whole model")
    colors = (
        ROLE["control"],
        ROLE["refuted"],
        ROLE["printed"],
        ROLE["precise"],
        ROLE["other"],
        ROLE["planted"],
        ROLE["supported"],
        INK,
    )
    named = found.assign(
        name=[labels.get(p, f"no prior: {f}") for p, f in zip(found["prior"], found["fill"], strict=True)]
    )
    for color, (name, rows) in zip(colors, named.groupby("name", sort=False), strict=False):
        line = name == "no prior: zero"
        rows = rows.sort_values("cosine")
        fig.add_scatter(
            x=rows["cosine"],
            y=rows["nll"],
            name=name,
            mode="lines+markers" if line else "markers",
            line={"color": color, "width": 1.2},
            marker={"color": color, "size": 5 if line else 8},
            hovertemplate=f"{name}<br>cosine %{{x:.3f}}: %{{y:.3f}}<extra></extra>",
        )
    return fig
