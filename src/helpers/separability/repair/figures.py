"""The figures of the chapter. They draw the sides they are given, and compute nothing but means and intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from helpers import figures, frames, stats
from helpers.figures import INK
from helpers.separability.repair import quantities
from helpers.separability.repair.config import KINDS, TOY
from helpers.sides import Sides

PARTS = {"direct": "direct", "norm": "final norm", "heads": "other heads", "mlps": "MLPs", "change": "in all"}
MEASURES = {"at_end": "at the last position", "pooled": "all positions", "later": "without the first position"}


def models(rows: pd.DataFrame) -> dict[str, dict[str, object]]:
    """{name: what chooses its rows} of every model that heads were taken out of, the judged one first."""
    found = frames.rows(rows, part="ablation").drop_duplicates(["model", "trained"])
    found = found.sort_values("judged", ascending=False, kind="stable")
    named = lambda m, t: m if m != TOY else "toy" if t == 0 else f"toy, head dropout {t:g}"
    pairs = zip(found["model"], found["trained"], strict=True)
    return {named(m, t): {"model": m, "trained": t} for m, t in pairs}


def account(sides: Sides) -> go.Figure:
    """What the three heads' ablation costs, part by part, in shares of the logit difference; a menu over ablations."""
    fig = figures.figure("Who gives back what the heads took?", "", "change, share of the logit difference", height=460)
    known = models(sides.this)
    colours = figures.series(known)
    for kind in KINDS:
        for name, where in known.items():
            seen = [_interval(quantities.share(part, kind, **where)(sides.this)) for part in PARTS]
            y, half = np.array(seen).T
            fig.add_bar(
                x=list(PARTS.values()),
                y=y,
                name=name,
                marker={"color": colours[name]},
                error_y={"array": half, "color": INK},
            )
    fig.update_layout(barmode="group")
    fig.add_hline(y=0, line={"color": INK, "width": 1})
    return figures.groups(fig, [f"{kind} ablation" for kind in KINDS], [len(known)] * len(KINDS))


def compensation_heatmap(sides: Sides) -> go.Figure:
    """The stream's norm after each block with the three heads ablated, over that without, a row a model; a menu over
    positions."""
    fig = figures.figure("Do later blocks write with more amplitude?", "block, counted from 0", "", height=320)
    known = models(sides.this)
    most = max((int(frames.rows(sides.this, **w)["size"].iloc[0]) for w in known.values()), default=0)
    for column in MEASURES:
        z = np.full((len(known), most), np.nan)
        for i, where in enumerate(known.values()):
            found = frames.rows(sides.this, part="blocks", **where).groupby("step")[column].mean()
            z[i, found.index.to_numpy(int)] = found
        text = [["" if np.isnan(v) else f"{v:.2f}" for v in row] for row in z]
        fig.add_heatmap(
            z=z, x=list(range(most)), y=list(known), text=text, texttemplate="%{text}", zmin=0.5, zmax=1.5, colorscale="RdBu_r",
            colorbar={"title": {"text": "ratio"}}, hoverongaps=False,
        )  # fmt: skip
    fig.update_xaxes(dtick=1).update_yaxes(autorange="reversed")
    return figures.groups(fig, list(MEASURES.values()), [1] * len(MEASURES))


def census(sides: Sides) -> go.Figure:
    """Every head taken out alone: what that costs against its direct effect; on the dotted line nothing is repaired.
    A menu over models."""
    axes = "direct effect of taking one head out (logits)", "change of the logit difference (logits)"
    fig = figures.figure("Does the whole cost what the direct path says?", *axes, height=480)
    known, ends = models(sides.this), []
    for where in known.values():
        found = frames.rows(sides.this, part="census", kind="zero", **where)
        label = [
            f"{int(b)}.{int(h)}, seed {s}" for b, h, s in zip(found["block"], found["head"], found["seed"], strict=True)
        ]
        marker = {
            "color": found["block"].to_numpy(float),
            "colorscale": "Viridis",
            "size": 9,
            "colorbar": {"title": {"text": "block"}},
        }
        fig.add_scatter(
            x=found["direct"].to_numpy(), y=found["change"].to_numpy(), mode="markers", text=label, marker=marker,
            showlegend=False,
            hovertemplate="%{text}<br>direct %{x:.2f}, in all %{y:.2f}<extra></extra>",
        )  # fmt: skip
        ends += [float(found[["direct", "change"]].min().min()), float(found[["direct", "change"]].max().max())]
    line = [min(ends, default=0), max(ends, default=0)]
    fig.add_shape(
        type="line", x0=line[0], y0=line[0], x1=line[1], y1=line[1], line={"color": INK, "width": 1, "dash": "dot"}
    )
    return figures.groups(fig, list(known), [1] * len(known))


def triples(sides: Sides) -> go.Figure:
    """Every random triple: what it does to the norm and to the logit difference, with the box of ±5 %; the found
    triple beside."""
    axes = "norm of the late stream, ratio", "change, share of the logit difference"
    fig = figures.figure("Does taking out random heads do nothing?", *axes, height=460)
    for (name, where), color in _coloured(sides):
        found = frames.rows(sides.this, part="triples", kind="zero", **where)
        fig.add_scatter(
            x=np.exp2(found["log2_norm"].to_numpy()), y=found["relative"].to_numpy(), mode="markers", name=name,
            marker={"color": color, "size": 7, "opacity": 0.7},
        )  # fmt: skip
        own = frames.rows(sides.this, part="ablation", arm="critical", kind="zero", **where)
        fig.add_scatter(
            x=[float(np.exp2(own["log2_norm"].mean()))], y=[float(own["relative"].mean())], mode="markers", showlegend=False,
            marker={"color": color, "size": 15, "symbol": "star", "line": {"color": INK, "width": 1}},
            hovertext=f"{name}: the heads that were found",
        )  # fmt: skip
    edge = quantities.BORDER
    box = {"x0": 1 - edge, "x1": 1 + edge, "y0": -edge, "y1": edge}
    return fig.add_shape(type="rect", **box, line={"color": INK, "width": 1, "dash": "dot"})


def _coloured(sides: Sides) -> list[tuple[tuple[str, dict], str]]:
    known = models(sides.this)
    return list(zip(known.items(), figures.series(known).values(), strict=True))


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half the 95 % interval."""
    found = stats.t_interval(values)
    return float(np.mean(values)), float((found.high - found.low) / 2)
