"""The figures of the two chapters. They draw the sides they are given, and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from helpers import figures, frames
from helpers.encoding.config import MOTIFS
from helpers.figures import INK, SERIES
from helpers.study import Sides

STYLE = {  # arm: (name in the legend, colour, dash)
    "learned": ("learned with the task", SERIES[0], "solid"),
    "seed_ae": ("autoencoder of random vectors, frozen", SERIES[1], "solid"),
    "trained_pca": ("fair two-stage: trained embeddings, compressed, frozen", SERIES[2], "solid"),
    "random": ("random code, frozen", SERIES[3], "solid"),
    "seed_ae_relu": ("autoencoder with a ReLU, frozen", SERIES[1], "dot"),
    "seed_ae_tuned": ("autoencoder's code, then fine-tuned", SERIES[1], "longdash"),
    "trained_pca_tuned": ("fair two-stage, then fine-tuned", SERIES[2], "longdash"),
    "onehot_ae": ("one-hot autoencoder, frozen", SERIES[4], "dot"),
    "spectral": ("spectral code of the counts, frozen", SERIES[5], "dot"),
    "factorised": ("learned, factorised", SERIES[6], "dot"),
    "wide": ("random code, wider read-out", SERIES[7], "longdash"),
}
OWN = {  # codes that may find their width: (name in the legend, colour)
    "learned": ("plain, at every width", SERIES[0]),
    "l1": ("L1 penalty, by strength", SERIES[1]),
    "l2": ("L2 penalty, by strength", SERIES[3]),
    "group": ("group penalty, by strength", SERIES[2]),
    "nested": ("nested", SERIES[4]),
}
CORPORA = {  # kind: (name in the legend, colour)
    "text": ("text", SERIES[0]),
    "code": ("code", SERIES[2]),
    "genome": ("genome", SERIES[1]),
    "protein": ("protein or open frames", SERIES[4]),
}
ARMS = ("learned", "seed_ae", "trained_pca", "random")
CELLS = {  # how a menu names a source and network
    "full rank, published network": {"source": "dirichlet", "readout": "residual"},
    "rank 6, published network": {"source": "planted6", "readout": "residual"},
    "rank 6, linear read-out": {"source": "planted6", "readout": "linear"},
    "full rank, wide network": {"source": "dirichlet", "readout": "mlp"},
    "motifs, published network": {"source": "pattern", "readout": "residual"},
}
SOURCES = {"planted6": "rank 6", "dirichlet": "full rank", "pattern": "motifs"}
LOG = {"type": "log", "tickvals": [1, 2, 5, 10, 20, 50]}
EXCESS = "excess over Bayes (nats a token)"


def printed(sides: Sides) -> go.Figure:
    """Training loss by epoch: both published arms with true gradients, and under the published noise update."""
    fig = figures.figure("Does anything learn?", "epoch", "training loss (nats a token)")
    for arm, name, color, dash in (
        ("learned", "learned, true gradients", SERIES[0], "solid"),
        ("traditional", "autoencoder, true gradients", SERIES[1], "solid"),
        ("walk_learned", "learned, noise update", SERIES[3], "solid"),
        ("walk_traditional", "autoencoder, noise update", SERIES[4], "dot"),
    ):
        figures.compare(fig, sides, "loss", "step", name, color, dash=dash, part="printed", arm=arm)
    figures.level(fig, float(frames.rows(sides.this, part="printed")["chance"].iloc[0]), "chance, ln V")
    return fig.update_yaxes(rangemode="tozero")


def share_by_width(sides: Sides) -> go.Figure:
    """Recovered share against code width, arm by arm; a menu over sources and networks."""
    fig = figures.figure("How wide must a code be?", "code width d", "recovered share", height=600)
    fig.update_xaxes(**LOG).update_yaxes(range=[-0.04, 1.08])
    figures.level(figures.level(fig, 1.0, "Bayes"), 0.0, "ignores its input")
    return _menu(fig, sides, CELLS, "share", "d", list(STYLE), part="chains", end=True)


def convergence(sides: Sides, d: int) -> go.Figure:
    """Recovered share against gradient steps at one width, stage one counted; a menu over sources."""
    axes = "gradient steps, stage one counted", "recovered share"
    fig = figures.figure("Which arm gets there first?", *axes, height=480).update_yaxes(range=[-0.6, 1.08])
    figures.level(fig, 0.9, "nine tenths")
    choices = {name: {"source": source, "readout": "residual", "d": d} for source, name in SOURCES.items()}
    this = Sides(sides.this)  # a reference with another budget has another time axis
    return _menu(fig, this, choices, "share", "step", part="chains")


def elbow(sides: Sides) -> go.Figure:
    """Excess loss of learned codes with a linear read-out: planted ranks, and a chain without one."""
    fig = figures.figure("Where does narrowing start to cost?", "code width d", EXCESS).update_xaxes(**LOG)
    ranks = {2: "planted2", 6: "planted6", 12: "planted12", None: "dirichlet"}
    for (rank, source), color in zip(ranks.items(), SERIES[:4], strict=True):
        where = {"part": "chains", "readout": "linear", "arm": "learned", "end": True, "source": source}
        name = f"planted rank {rank}" if rank else "full rank"
        figures.compare(fig, sides, "excess", "d", name, color, **where)
        if rank:
            fig.add_vline(x=rank, line={"color": color, "width": 1, "dash": "dot"})
    return figures.level(fig, 0.0, "Bayes")


def rules(sides: Sides) -> go.Figure:
    """The rule task: excess against width with attention on, and the same arms with attention off."""
    fig = figures.figure("Does context change the answer?", "code width d", EXCESS, height=480).update_xaxes(**LOG)
    where = {"part": "rules", "end": True}
    _arms(fig, sides, "excess", "d", ARMS, **where, attend=True)
    off = frames.rows(sides.this, **where, attend=False, arm=("learned", "seed_ae"))
    cross = {"symbol": "x", "color": INK, "size": 8}
    fig.add_scatter(x=off["d"].tolist(), y=off["excess"].to_numpy(), mode="markers", name="attention off", marker=cross)
    for missing in frames.rows(sides.this, part="rules")["learnable"].head(1):
        figures.level(fig, float(missing), "all that can be learned is missing")
    return figures.level(fig, 0.0, "Bayes")


def matrices(truth: np.ndarray, predicted: Mapping[int, np.ndarray], title: str) -> go.Figure:
    """Transition matrices: the source's, and a model's at each code width, with a slider. (V, V) each."""
    fig, v = figures.figure(title, "next token", "current token", height=470), len(truth)
    for d, p in predicted.items():
        both = np.hstack([truth, np.full((v, 2), np.nan), p])  # (V, 2V + 2)
        shade = np.nan_to_num(np.sqrt(both) * 255).round().astype(np.uint8)
        fig.add_heatmap(z=shade, colorscale="Cividis", showscale=False, hoverinfo="skip", name=f"d={d}")
    for x, text in ((v / 2, "the source"), (1.5 * v + 2, "the model")):
        fig.add_annotation(x=x, y=1.0, yref="paper", yanchor="bottom", text=text, showarrow=False)
    fig.update_xaxes(showgrid=False, showticklabels=False)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    sizes = [1] * len(predicted)
    return figures.groups(fig, list(predicted), sizes, "slider", "code width d = ", start=len(predicted) // 2)


def dance(snapshots: Mapping[int, np.ndarray], title: str) -> go.Figure:
    """A two-dimensional code while it is learned: tokens of one motif share a colour. snapshots: {step: (V, 2)}."""
    fig = figures.figure(title, "first number of the code", "second number", height=600)
    reach = 1.1 * max(float(np.abs(code[[t for m in MOTIFS for t in m]]).max()) for code in snapshots.values())
    look = {"mode": "lines+markers+text", "textposition": "top center", "marker": {"size": 9}}

    def motif(code: np.ndarray, tokens: Sequence[int], color: str) -> go.Scatter:
        x, y = code[[*tokens, tokens[0]]].round(3).T
        name, line = f"motif {'-'.join(map(str, tokens))}", {"color": color, "width": 1}
        return go.Scatter(x=x, y=y, text=[*map(str, tokens), ""], name=name, line=line, **look)

    traces = lambda code: [motif(code, m, color) for m, color in figures.series(MOTIFS).items()]
    fig.add_traces(traces(list(snapshots.values())[-1]))
    fig.frames = [go.Frame(data=traces(code), name=str(step)) for step, code in snapshots.items()]
    fig.update_xaxes(range=[-reach, reach], zeroline=True)
    fig.update_yaxes(range=[-reach, reach], zeroline=True, scaleanchor="x")
    return figures.play(fig.update_layout(legend={"y": -0.42}), list(snapshots), "step ")


def kept_by_ratio(sides: Sides, kinds: Mapping[str, str]) -> go.Figure:
    """Share of the full width's gain against the true compression, arm by arm; a menu over corpora ({'text': label})."""
    axes = "compression D/d", "share of the full width's gain"
    fig = figures.figure("What does each compression keep?", *axes, height=520)
    fig.update_xaxes(**LOG).update_yaxes(range=[-0.1, 1.1])
    figures.level(figures.level(fig, 1.0, "full width"), 0.0, "token frequencies")
    choices = {name: {"kind": kind} for kind, name in kinds.items()}
    return _menu(fig, sides, choices, "kept", "ratio", part="limits", attend=True, end=True)


def kept_by_corpus(sides: Sides) -> go.Figure:
    """Share of the full width's gain that the learned code keeps against the true compression, a line a corpus."""
    axes = "compression D/d", "share of the full width's gain"
    fig = figures.figure("Is what is read what matters?", *axes, height=480)
    fig.update_xaxes(**LOG).update_yaxes(range=[-0.1, 1.6])
    figures.level(figures.level(fig, 1.0, "full width"), 0.0, "token frequencies")
    where = {"part": ("limits", "others"), "arm": "learned", "attend": True, "end": True}
    for kind, (name, color) in CORPORA.items():
        figures.compare(fig, sides, "kept", "ratio", name, color, kind=kind, **where)
    return fig


def own_width(sides: Sides, source: str = "planted6", rank: int = 6) -> go.Figure:
    """Excess loss with the dimensions in use alone against their number, a curve a penalty. Dotted: the rank."""
    fig = figures.figure("Does a penalty find the width?", "dimensions in use", EXCESS, height=520)
    rows = frames.rows(sides.this, part="widths", source=source, end=True)
    rows = rows.assign(excess=rows["cut"] - rows["bayes"])
    for arm, (name, color) in OWN.items():
        own = frames.rows(rows, arm=arm)
        mean = own.groupby("d" if arm == "learned" else "strength")[["used", "excess"]].mean()
        seed = {"name": name, "legendgroup": name, "showlegend": False, "hoverinfo": "skip"}
        dots = {"color": color, "size": 5, "opacity": 0.8}
        fig.add_scatter(x=own["used"].tolist(), y=own["excess"].to_numpy(), mode="markers", marker=dots, **seed)
        look = {"mode": "lines+markers", "line": {"color": color}, "marker": {"color": color, "size": 9}}
        fig.add_scatter(x=mean["used"].to_numpy(), y=mean["excess"].to_numpy(), name=name, legendgroup=name, **look)
    fig.add_vline(x=rank, line={"color": INK, "width": 1, "dash": "dot"})
    return fig.update_yaxes(type="log", range=[-3.2, 0.2], tickvals=[0.001, 0.01, 0.1, 1])


def stored_bytes(sides: Sides) -> go.Figure:
    """Deployed bytes of every arm, split into table, projection and network."""
    fig, rows = figures.figure("What has to be stored?", "deployed bytes", "", height=300), sides.this
    for part, color in (("table", SERIES[0]), ("projection", SERIES[1]), ("network", SERIES[3])):
        fig.add_bar(x=rows[part].tolist(), y=rows["arm"].tolist(), orientation="h", name=part, marker={"color": color})
    return fig.update_layout(barmode="stack").update_yaxes(autorange="reversed")


def _arms(fig: go.Figure, sides: Sides, column: str, by: str, arms: Sequence[str], **where: object) -> None:
    """Every arm that was run, with seeds and reference for the main ones, the mean alone for the others."""
    for arm in arms:
        name, color, dash = STYLE[arm]
        side, main = (sides, True) if arm in ARMS else (Sides(sides.this), False)
        figures.compare(fig, side, column, by, name, color, dash=dash, seeds=main, arm=arm, **where)


def _menu(
    fig: go.Figure,
    sides: Sides,
    choices: Mapping[str, Mapping],
    column: str,
    by: str,
    arms: Sequence[str] = ARMS,
    **where: object,
) -> go.Figure:
    """The arms under every choice, {its name: its rows}, one choice shown at a time."""
    sizes = []
    for chosen in choices.values():
        before = len(fig.data)
        _arms(fig, sides, column, by, arms, **where, **chosen)
        sizes.append(len(fig.data) - before)
    return figures.groups(fig, list(choices), sizes)
