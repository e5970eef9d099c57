"""The figures of the chapter. They draw the sides they are given, and compute nothing."""

from __future__ import annotations

import plotly.graph_objects as go

from helpers import figures
from helpers.figures import SERIES
from helpers.pedagogy.arms import SAID
from helpers.pedagogy.dynamics.config import THIRDS
from helpers.study import Sides

COLOURS = {
    "wired": 0,
    "coded": 4,
    "cGAN": 3,
    "AC-GAN": 1,
    "wired, constant": 2,
    "wired, light": 5,
    "judge only": 6,
    "hybrid": 7,
}
ARMS = {arm: (SAID[arm], SERIES[i]) for arm, i in COLOURS.items()}  # (name, colour); those of the answer first
MEASURES = {  # column: how a menu and an axis name it
    "mackay": "dimension within classes",
    "count": "holes, the document's count",
    "excess": "count − that of a Gaussian cloud of the same dimension",
    "holes": "holes significant under the universal law",
    "correct": "right classes, by judges that trained nothing",
    "taught": "right classes, by the judge that teaches",
    "feature_variance": "variance within classes, over that of real images",
}
PRINTED = {"dimension": "dimension (all classes, k = 20)", "holes": "mean holes, as counted"}


def answer(sides: Sides, real: float) -> go.Figure:
    """The dimension within classes of the four arms that the question is about; the real images' as a level."""
    fig = figures.figure("What lowers the dimension?", "training step", MEASURES["mackay"], height=460)
    for arm, (name, color) in list(ARMS.items())[:4]:
        figures.compare(fig, sides, "mackay", "step", name, color, seeds=False, part="dynamics", arm=arm)
    figures.level(fig, real, "real images")
    return _phases(fig, sides).update_yaxes(rangemode="tozero")


def measures(sides: Sides) -> go.Figure:
    """The arms of the answer by every measure, one at a time, by a menu; as curves, all arms together would weigh too much."""
    fig, sizes = figures.figure("What else happens meanwhile?", "training step", "", height=480), []
    for column in MEASURES:
        before = len(fig.data)
        for arm, (name, color) in list(ARMS.items())[:4]:
            figures.compare(fig, sides, column, "step", name, color, seeds=False, part="dynamics", arm=arm)
        sizes.append(len(fig.data) - before)
    return figures.groups(_phases(fig, sides), list(MEASURES.values()), sizes)


def printed(sides: Sides) -> go.Figure:
    """The document's two curves, its pedagogical run and its adversarial one, by a menu of its two measures."""
    fig, sizes = figures.figure("As printed", "training step", "", height=440), []
    for column in PRINTED:
        before = len(fig.data)
        for game, color in (("pedagogical", SERIES[4]), ("adversarial", SERIES[3])):
            figures.compare(fig, sides, column, "step", game, color, seeds=False, game=game)
        sizes.append(len(fig.data) - before)
    return figures.groups(_phases(fig, sides), list(PRINTED.values()), sizes).update_yaxes(rangemode="tozero")


def _phases(fig: go.Figure, sides: Sides) -> go.Figure:
    """The ends of the document's phases, as lines."""
    last = max((float(rows["steps"].max()) for rows in sides.both.values() if len(rows)), default=0.0)
    for share in THIRDS:
        fig.add_vline(x=share * last, line={"color": figures.INK, "width": 1, "dash": "dot"})
    return fig
