"""The figures of the two chapters. They draw what they are given and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from helpers import figures
from helpers.encoding.study import final
from helpers.encoding.tasks import MOTIFS
from helpers.figures import INK, ROLE

STYLE = {  # arm: (name in the legend, colour, dash)
    "learned": ("learned with the task", ROLE["precise"], "solid"),
    "seed_ae": ("autoencoder of random vectors, frozen", ROLE["printed"], "solid"),
    "trained_pca": ("fair two-stage: trained embeddings, compressed, frozen", ROLE["planted"], "solid"),
    "random": ("random code, frozen", ROLE["control"], "solid"),
    "seed_ae_relu": ("autoencoder with a ReLU, frozen", ROLE["printed"], "dot"),
    "seed_ae_tuned": ("autoencoder's code, then fine-tuned", ROLE["printed"], "dash"),
    "trained_pca_tuned": ("fair two-stage, then fine-tuned", ROLE["planted"], "dash"),
    "onehot_ae": ("one-hot autoencoder, frozen", ROLE["control"], "dash"),
    "spectral": ("spectral code of the counts, frozen", ROLE["control"], "dot"),
    "factorised": ("learned, factorised", ROLE["other"], "solid"),
    "wide": ("random code, wider read-out", ROLE["other"], "dash"),
}
MAIN = ("learned", "seed_ae", "trained_pca", "random")


def printed(found: pd.DataFrame) -> go.Figure:
    """Training loss by epoch: both published arms with true gradients, and under the published noise update."""
    mine = found[found["part"] == "printed"]
    fig = figures.figure("Does anything learn?", "epoch", "training loss (nats a token)")
    rows = (
        ("learned", "learned, true gradients", ROLE["precise"], "solid"),
        ("traditional", "autoencoder, true gradients", ROLE["printed"], "solid"),
        ("walk_learned", "learned, noise update", ROLE["control"], "solid"),
        ("walk_traditional", "autoencoder, noise update", ROLE["control"], "dash"),
    )
    for arm, name, color, dash in rows:
        x, y = _matrix(mine[mine["arm"] == arm], "step", "loss")
        figures.bands(fig, x, y, name, color, dash=dash)
    figures.level(fig, float(mine["chance"].iloc[0]), "chance, ln V")
    return fig.update_yaxes(rangemode="tozero")


def share_by_width(found: pd.DataFrame, reference: pd.DataFrame | None, cells: Mapping[str, str]) -> go.Figure:
    """Recovered share against code width, arm by arm; a menu over cells ({'source.readout': label})."""
    fig = figures.figure("How wide must a code be?", "code width d", "recovered share", height=600)
    fig.update_xaxes(type="log", tickvals=[1, 2, 4, 8, 16, 32, 64])
    fig.update_yaxes(range=[-0.04, 1.08])
    figures.level(fig, 1.0, "Bayes")
    figures.level(fig, 0.0, "ignores its input")
    groups = []
    for cell in cells:
        before = len(fig.data)
        for arm, look in STYLE.items():
            main = arm in MAIN
            _add(fig, found, reference if main else None, f"{cell}.{arm}", look, "d", "share", seeds=main)
        groups.append(len(fig.data) - before)
    return figures.choose(fig, list(cells.values()), groups)


def convergence(found: pd.DataFrame, sources: Mapping[str, str], d: int) -> go.Figure:
    """Recovered share against gradient steps at one width, stage one counted; a menu over sources."""
    fig = figures.figure(
        "Which arm gets there first?", "gradient steps, stage one counted", "recovered share", height=480
    )
    fig.update_yaxes(range=[-0.6, 1.08])
    figures.level(fig, 0.9, "nine tenths")
    groups = []
    for source in sources:
        before = len(fig.data)
        for arm in MAIN:
            name, color, dash = STYLE[arm]
            mine = found[(found["condition"] == f"{source}.residual.{arm}") & (found["d"] == d)]
            if len(mine):
                x, y = _matrix(mine, "step", "share")
                figures.bands(fig, x, y, name, color, dash=dash)
        groups.append(len(fig.data) - before)
    return figures.choose(fig, list(sources.values()), groups)


def elbow(found: pd.DataFrame, reference: pd.DataFrame | None) -> go.Figure:
    """Excess loss of learned codes with a linear read-out: planted ranks, and a chain without one."""
    fig = figures.figure("Where does narrowing start to cost?", "code width d", "excess over Bayes (nats a token)")
    fig.update_xaxes(type="log", tickvals=[1, 2, 4, 8, 16, 32, 64])
    colors = {
        "planted2": ROLE["other"],
        "planted6": ROLE["precise"],
        "planted12": ROLE["planted"],
        "dirichlet": ROLE["control"],
    }
    for source, color in colors.items():
        rank = source.removeprefix("planted")
        name = "full rank" if rank == source else f"planted rank {rank}"
        _add(fig, found, reference, f"{source}.linear.learned", (name, color, "solid"), "d", "excess")
        if rank != source:
            fig.add_vline(x=int(rank), line={"color": color, "width": 1, "dash": "dot"})
    return figures.level(fig, 0.0, "Bayes")


def rules(found: pd.DataFrame, reference: pd.DataFrame | None) -> go.Figure:
    """The rule task: excess against width with attention on, and the same arms with attention off."""
    fig = figures.figure(
        "Does context change the answer?", "code width d", "excess over Bayes (nats a token)", height=480
    )
    fig.update_xaxes(type="log", tickvals=[1, 2, 4, 6, 8, 16, 32, 64])
    for arm in MAIN:
        _add(fig, found, reference, f"rules.attention.{arm}", STYLE[arm], "d", "excess")
    off = final(found[found["condition"].isin(["rules.blind.learned", "rules.blind.seed_ae"])])
    fig.add_scatter(
        x=off["d"].tolist(),
        y=off["excess"].to_numpy(),
        mode="markers",
        name="attention off",
        marker={"symbol": "x", "color": INK, "size": 8},
    )
    mine = found[found["part"] == "rules"]
    figures.level(fig, float((mine["unigram"] - mine["bayes"]).iloc[0]), "all that can be learned is missing")
    return figures.level(fig, 0.0, "Bayes")


def matrices(truth: np.ndarray, predicted: Mapping[int, np.ndarray], title: str) -> go.Figure:
    """Transition matrices: the source's, and a model's at each code width, with a slider. (V, V) each."""
    fig = figures.figure(title, "next token", "current token", height=470)
    for d, p in predicted.items():
        both = np.hstack([truth, np.full((len(truth), 2), np.nan), p])  # (V, 2V + 2)
        shade = np.nan_to_num(np.sqrt(both) * 255).round().astype(np.uint8)
        fig.add_heatmap(z=shade, colorscale="Cividis", showscale=False, hoverinfo="skip", name=f"d={d}")
    v = len(truth)
    for x, text in ((v / 2, "the source"), (1.5 * v + 2, "the model")):
        fig.add_annotation(x=x, y=1.0, yref="paper", yanchor="bottom", text=text, showarrow=False)
    fig.update_xaxes(showgrid=False, showticklabels=False)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return figures.steps(fig, list(predicted), [1] * len(predicted), "code width d = ", start=len(predicted) // 2)


def dance(snapshots: Mapping[int, np.ndarray], title: str) -> go.Figure:
    """A two-dimensional code while it is learned: tokens of one motif share a colour. snapshots: {step: (V, 2)}."""
    palette = [ROLE["precise"], ROLE["printed"], ROLE["planted"], ROLE["supported"]]
    reach = 1.1 * max(float(np.abs(s[[t for m in MOTIFS for t in m]]).max()) for s in snapshots.values())

    def traces(code):
        return [
            go.Scatter(
                x=code[[*m, m[0]], 0].round(3),
                y=code[[*m, m[0]], 1].round(3),
                mode="lines+markers+text",
                text=[*map(str, m), ""],
                textposition="top center",
                name=f"motif {'-'.join(map(str, m))}",
                line={"color": color, "width": 1},
                marker={"size": 9},
            )
            for m, color in zip(MOTIFS, palette, strict=True)
        ]

    fig = figures.figure(title, "first number of the code", "second number", height=600)
    fig.add_traces(traces(list(snapshots.values())[-1]))
    fig.frames = [go.Frame(data=traces(code), name=str(step)) for step, code in snapshots.items()]
    fig.update_xaxes(range=[-reach, reach], zeroline=True)
    fig.update_yaxes(range=[-reach, reach], zeroline=True, scaleanchor="x")
    fig.update_layout(legend={"y": -0.42})
    return figures.play(fig, list(snapshots), "step ")


def kept_by_ratio(found: pd.DataFrame, reference: pd.DataFrame | None, kinds: Mapping[str, str]) -> go.Figure:
    """Share of the full width's gain against compression, arm by arm; a menu over corpora ({'text': label})."""
    fig = figures.figure(
        "What does each compression keep?", "compression D/d", "share of the full width's gain", height=520
    )
    fig.update_xaxes(type="log", tickvals=[2, 5, 10, 20, 50])
    fig.update_yaxes(range=[-0.1, 1.1])
    figures.level(fig, 1.0, "full width")
    figures.level(fig, 0.0, "token frequencies")
    groups = []
    for kind in kinds:
        before = len(fig.data)
        for arm in MAIN:
            _add(fig, found, reference, f"{kind}.attention.{arm}", STYLE[arm], "asked", "kept")
        groups.append(len(fig.data) - before)
    return figures.choose(fig, list(kinds.values()), groups)


def stacked_bytes(rows: Sequence[Mapping]) -> go.Figure:
    """Deployed bytes of every arm, split into table, projection and network."""
    fig = figures.figure("What has to be stored?", "deployed bytes", "", height=300)
    names = [r["arm"] for r in rows]
    for part, color in (("table", ROLE["precise"]), ("projection", ROLE["other"]), ("network", ROLE["control"])):
        fig.add_bar(x=[r[part] for r in rows], y=names, orientation="h", name=part, marker={"color": color})
    fig.update_layout(barmode="stack")
    return fig.update_yaxes(autorange="reversed")


def _add(fig, found, reference, condition, look, x, y, *, seeds=True) -> None:
    """One condition's final values over its widths (or ratios), and dashed the reference's; nothing where it was not run.

    look: (name, colour, dash). seeds: with thin lines and a band, or the mean alone.
    """
    name, color, dash = look
    for frame, this in ((found, True), (reference, False)):
        mine = [] if frame is None else frame[frame["condition"] == condition]
        if len(mine):
            at, values = _matrix(final(mine), x, y)
            own = (
                {"dash": dash, "seeds": seeds, "band": seeds}
                if this
                else {"dash": "dash", "seeds": False, "band": False}
            )
            figures.bands(fig, at, values, name if this else f"reference: {name}", color, legend=this, **own)


def _matrix(rows: pd.DataFrame, x: str, y: str) -> tuple[np.ndarray, np.ndarray]:
    """x (P,) and values (S, P), a row a seed."""
    table = rows.pivot_table(index="seed", columns=x, values=y)
    return table.columns.to_numpy(float), table.to_numpy()
