"""The chapter's tables: means over seeds, of the sides they are given, what each loss reaches, and what is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from helpers import frames
from helpers.figures import Output
from helpers.pedagogy import pictures
from helpers.pedagogy.arms import ARMS, MEASURES, SAID
from helpers.pedagogy.dynamics import printed, quantities
from helpers.pedagogy.dynamics.figures import ARMS as NAMES
from helpers.study import Sides
from helpers.tables import texts
from helpers.topology import dimension

COLUMNS = {"mackay": "dimension", "count": "count", "correct": "right classes", "feature_variance": "variance, of real"}
LOOKS = 5  # of which a table shows the drawings
COMPOSED = tuple(name for name in MEASURES if not name.startswith("pair known"))


def audit(sides: Sides) -> pd.DataFrame:
    """A row a term of the loss: the norm of its gradient in each part of the generator, or that there is none."""
    rows = frames.rows(sides.this, part="audit").sort_values("step")
    from_name = [
        c for c in ("label embedding", "first layer", "middle layers", "image output", "v_pred head") if c in rows
    ]
    cell = lambda v: "none" if not np.isfinite(v) else f"{v:.2g}"
    return pd.DataFrame([{"term": r["term"]} | {c: cell(float(r[c])) for c in from_name} for _, r in rows.iterrows()])


def arms(sides: Sides, share: float) -> pd.DataFrame:
    """A row an arm: what it has at a share of training; real images last."""
    found = []
    for arm in ARMS:
        values = {name: quantities.at(sides.this, arm, column, share) for column, name in COLUMNS.items()}
        if len(values[COLUMNS["mackay"]]):
            found.append({"arm": SAID[arm]} | {name: float(of.mean()) for name, of in values.items()})
    rows = frames.rows(sides.this, part="dynamics", arm="real")
    if len(rows):
        found.append({"arm": "real images"} | {name: float(rows[column].mean()) for column, name in COLUMNS.items()})
    return pd.DataFrame(found)


def reach(each: int, k: int, truths: Sequence[int] = (8, 16, 24, 32, 48, 96), draws: int = 20) -> pd.DataFrame:
    """A row a true dimension of Gaussian clouds of `each` points: the mean estimate, and how often it puts this cloud above
    the one before."""
    rng = np.random.default_rng(0)
    found = {d: dimension(rng.normal(size=(draws, each, d)), "mackay", k).numpy() for d in truths}
    before = {d: less for less, d in pairwise(truths)}
    above = lambda d: f"{(found[d] > found[before[d]]).mean():.0%}" if d in before else "–"
    return pd.DataFrame(
        {"true dimension": d, "estimate": float(v.mean()), "above the one before": above(d)} for d, v in found.items()
    )


def predictions(sides: Sides) -> pd.DataFrame:
    """The document's six predictions: its report's words, its script's thresholds in this run."""
    told = printed.statuses(printed.quantities(sides.this))
    return pd.DataFrame(
        [
            {
                "prediction": words,
                "the document": said,
                "by its script, here": told[k][0].lower(),
                "evidence": told[k][1],
            }
            for k, (words, said) in printed.PREDICTIONS.items()
        ]
    )


def composed(sides: Sides) -> pd.DataFrame:
    """A row an arm: the task of the relation at the end of training, and what else would pass for it."""
    found = []
    for arm in ARMS:
        rows = frames.rows(sides.this, part="composition", arm=arm)
        if len(rows):
            of = lambda c, v, p, rows=rows: float(frames.rows(rows, variant=v, pairs=p)[c].mean())
            found.append({"arm": SAID[arm]} | {name: of(*MEASURES[name]) for name in COMPOSED})
    return pd.DataFrame(found)


def drawn(sides: Sides, caption: str) -> Output:
    """What the first seed's generators draw of each class, at LOOKS steps, with a slider over them."""
    rows = frames.rows(sides.this, part="pictures")
    if len(rows):
        steps = np.unique(rows["step"])  # not all: a page carries every picture
        rows = rows[
            rows["step"].isin(steps[np.linspace(0, len(steps) - 1, min(LOOKS, len(steps))).round().astype(int)])
        ]
    shown = (
        [
            pictures.shown(png, f"{NAMES[arm][0]}, step {step}")
            for arm, step, png in zip(rows["arm"], rows["step"], rows["png"], strict=True)
        ]
        if len(rows)
        else []
    )
    names = {arm: name for arm, (name, _) in NAMES.items() if arm in set(rows["arm"])} if len(rows) else {}
    return texts(
        rows.assign(text=shown), names, by="arm", slider="step", prefix="step ", format="{:.0f}", title="What do they draw?",
        head="arm", told="draws, classes 0 to 9", caption=caption,
    )  # fmt: skip
