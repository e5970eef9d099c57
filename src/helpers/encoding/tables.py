"""The tables of the two chapters, as frames: what is said of several conditions at once, in words a reader knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from helpers import frames
from helpers.encoding import quantities
from helpers.encoding.config import Limits
from helpers.encoding.figures import ARMS, CELLS, SOURCES, STYLE
from helpers.study import Sides

if TYPE_CHECKING:
    from helpers.encoding.corpora import Corpus

CONVERGED = 0.1  # of chance: how 'training converges' is read
TRIALS = {  # part, arm of the smaller experiment on the genome: how a table names it
    ("start", "full"): "full width",
    ("start", "trained_pca"): "10 : 1, compressed, frozen",
    ("start", "learned"): "10 : 1, learned",
    ("start", "trained_pca_tuned"): "10 : 1, compressed, then learned on",
    ("longer", "learned"): "10 : 1, learned, three times the steps",
}


def criteria(rows: pd.DataFrame) -> pd.DataFrame:
    """The document's four criteria, held to both kinds of training: shares of seeds that pass, or the number itself."""
    mine, (code, full) = frames.rows(rows, part="printed", end=True), quantities.widths(rows)
    out = {
        "criterion": [
            "1. learned ≤ 1.1 × traditional",
            f"2. training converges for both (loss below {CONVERGED:g} of chance)",
            "3. compression of 10 : 1",
            "4. generation does not degrade",
        ]
    }
    for name, arms in (
        ("true gradients", ("learned", "traditional")),
        ("noise update", ("walk_learned", "walk_traditional")),
    ):
        learned, traditional = (frames.per_seed(mine, "loss", arm=arm) for arm in arms)
        passed, worse = (learned <= 1.1 * traditional).mean(), np.maximum(learned, traditional)
        converged = (worse < CONVERGED * float(mine["chance"].iloc[0])).mean()
        shares = [f"{passed:.0%} of seeds", f"{converged:.0%} of seeds"]
        out[name] = [*shares, f"{full / code:.1f} : 1", "no measure given"]
    return pd.DataFrame(out)


def compressions(rows: pd.DataFrame) -> pd.DataFrame:
    """D / d99 of the main arms on every source and network: medians over seeds."""
    full, out = quantities.widths(rows)[1], []
    for (source, readout), label in CELLS.items():
        row = {"source and network": label}
        for arm in ARMS:
            d = quantities.suffices(rows, source, readout, arm)
            row[STYLE[arm][0]] = f"{np.median(full / d):.1f} : 1 (d = {np.median(d):.1f})" if len(d) else "not run"
        out.append(row)
    return pd.DataFrame(out)


def generated(rows: pd.DataFrame) -> pd.DataFrame:
    """Divergence of generated bigrams from the true chain, nats, mean over seeds."""
    (code, full), out = quantities.widths(rows), []
    for source in ("planted6", "dirichlet"):
        read = lambda arm, column="bigram_kl", source=source: quantities.at(
            rows, source, "residual", arm, column=column
        )
        row = {"chain": SOURCES[source], "the chain itself": read("full", "bigram_floor").mean()}
        row[f"full width, d = {full}"] = read("full").mean()
        row |= {f"{STYLE[arm][0]}, d = {code}": read(arm).mean() for arm in ("learned", "trained_pca", "seed_ae")}
        out.append(row)
    return pd.DataFrame(out)


def known(corpora: Mapping[str, Corpus], seeds: int) -> pd.DataFrame:
    """The corpora, with the test loss of two models that need no training, mean over seeds, nats a token."""
    out = []
    for kind, corpus in corpora.items():
        row = {"": kind, "source": corpus.name, "tokens": f"{len(corpus.tokens):,}", "vocabulary": corpus.vocab}
        out.append(row | pd.DataFrame([corpus.baselines(seed) for seed in range(seeds)]).mean().to_dict())
    return pd.DataFrame(out)


def ratios(config: Limits) -> pd.DataFrame:
    """What was asked for, and what whole numbers give."""
    rows = [(f"{r:g} : 1", config.width(r), f"{config.true(r):.3g} : 1") for r in config.ratios]
    return pd.DataFrame(rows, columns=["asked", "numbers a token", "true compression"])


def sight(rows: pd.DataFrame) -> pd.DataFrame:
    """Full width and 10 : 1, with attention and without: mean test loss over seeds, nats a token."""
    mine = frames.rows(rows, part="limits", asked=(1.0, 10.0), arm=("learned", "full"))
    means = mine.groupby(["kind", "arm", "d", "attend"])["loss"].mean().unstack("attend").reset_index()
    return means.rename(columns={"kind": "corpus", True: "with attention", False: "without"})


def kept(sides: Sequence[Sides], ratios: Sequence[float]) -> pd.DataFrame:
    """Share of the full width's gain that the learned code keeps, mean over seeds, a row a run and corpus."""
    out = {}
    for side in sides:
        mine = frames.rows(side.this, part="limits", attend=True)
        for corpus, seen in mine.groupby("corpus") if len(mine) else ():
            means = {f"{r:g} : 1": frames.per_seed(seen, "kept", arm="learned", asked=float(r)).mean() for r in ratios}
            out.setdefault(corpus, {"corpus": corpus, "run": side.label} | means)
    return pd.DataFrame(out.values())


def trials(sides: Sequence[Sides]) -> pd.DataFrame:
    """The smaller experiment on the genome: mean test loss over seeds of every code, a column a run."""
    rows = []
    for (part, arm), name in TRIALS.items():
        means = {s.label: frames.per_seed(s.this, "loss", part=part, arm=arm).mean() for s in sides if len(s.this)}
        rows.append({"code": name} | means)
    return pd.DataFrame(rows)


def results(rows: pd.DataFrame) -> dict[str, dict]:
    """The file `experiment_results.json` that the document promises: losses of both models, and their sizes."""
    mine, (code, full) = frames.rows(rows, part="printed", end=True), quantities.widths(rows)
    out = {}
    for name in ("learned", "traditional"):
        losses = frames.per_seed(mine, "loss", arm=name)
        out[f"{name}_model"] = {"losses": losses.tolist(), "final_performance": float(losses.mean())}
    sizes = {"vocab_size": round(float(np.exp(mine["chance"].iloc[0]))), "traditional_dim": full, "learned_dim": code}
    return out | {"metadata": sizes | {"compression_ratio": full / code}}
