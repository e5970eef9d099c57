"""The tables of the two chapters, as frames: what is said of several conditions at once, in words a reader knows."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from helpers import files, frames, prose
from helpers.encoding import quantities
from helpers.encoding.config import PENALTIES, Limits
from helpers.encoding.figures import ARMS, CELLS, OWN, SOURCES, STYLE
from helpers.encoding.trials import chosen
from helpers.study import Log, Sides

if TYPE_CHECKING:
    from helpers.encoding.corpora import Corpus

CONVERGED = 0.1  # of chance: how 'training converges' is read
TRIALS = {  # how a table names a part and arm of the smaller experiment on the genome
    "full width": ("start", "full"),
    "10 : 1, compressed, frozen": ("start", "trained_pca"),
    "10 : 1, learned": ("start", "learned"),
    "10 : 1, compressed, then learned on": ("start", "trained_pca_tuned"),
    "10 : 1, learned, three times the steps": ("longer", "learned"),
    "10 : 1, compressed, then learned on, three times the steps": ("longer", "trained_pca_tuned"),
}


def criteria(rows: pd.DataFrame) -> pd.DataFrame:
    """The document's four criteria, held to both kinds of training: shares of seeds that pass, or the number itself."""
    ends, (code, full) = frames.rows(rows, part="printed", end=True), quantities.widths(rows)
    out = {
        "criterion": [
            "1. learned ≤ 1.1 × traditional",
            f"2. training converges for both (loss below {CONVERGED:g} of chance)",
            "3. compression of 10 : 1",
            "4. generation does not degrade",
        ]
    }
    for name, kind in (("true gradients", ""), ("noise update", "walk_")):
        learned, traditional = (frames.per_seed(ends, "loss", arm=kind + arm) for arm in ("learned", "traditional"))
        converged = np.maximum(learned, traditional) < CONVERGED * ends["chance"].iloc[0]
        shares = [f"{passed.mean():.0%} of seeds" for passed in (learned <= 1.1 * traditional, converged)]
        out[name] = [*shares, f"{full / code:.1f} : 1", "no measure given"]
    return pd.DataFrame(out)


def compressions(rows: pd.DataFrame) -> pd.DataFrame:
    """D / d99 of the main arms on every source and network: medians over seeds."""
    full, out = quantities.widths(rows)[1], []
    for label, where in CELLS.items():
        found = {STYLE[arm][0]: quantities.suffices(rows, **where, arm=arm) for arm in ARMS}
        told = {k: f"{np.median(full / d):.1f} : 1 (d = {np.median(d):.1f})" for k, d in found.items() if len(d)}
        out.append({"source and network": label} | dict.fromkeys(found, "not run") | told)
    return pd.DataFrame(out)


def slower(sides: Sides, source: str) -> str:
    """How many times the learned arm's steps the autoencoder's takes, as the end of a sentence; says so where there is none."""
    never = lambda values: f"in none of {len(values)} seeds do both arms get there"
    many = lambda values: " times as many, ".join(prose.spread(values, ".2g"))
    known = [values for values in sides.read(quantities.times(source)) if values is not None]
    return "; in the reference ".join(many(v) if np.isfinite(v).any() else never(v) for v in known)


def generated(rows: pd.DataFrame) -> pd.DataFrame:
    """Divergence of generated bigrams from the true chain, nats, mean over seeds."""
    (code, full), out = quantities.widths(rows), []
    for source in ("planted6", "dirichlet"):
        kl = {
            arm: quantities.at(rows, source, "residual", arm, column="bigram_kl").mean() for arm in ("full", *ARMS[:3])
        }
        floor = quantities.at(rows, source, "residual", "full", column="bigram_floor").mean()
        row = {"chain": SOURCES[source], "the chain itself": floor, f"full width, d = {full}": kl["full"]}
        out.append(row | {f"{STYLE[arm][0]}, d = {code}": kl[arm] for arm in ("learned", "trained_pca", "seed_ae")})
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
    chosen = frames.rows(rows, part="limits", asked=(1.0, 10.0), arm=("learned", "full"))
    means = chosen.groupby(["corpus", "arm", "d", "attend"])["loss"].mean().unstack("attend").reset_index()
    return means.rename(columns={True: "with attention", False: "without"})


def committed(log: Log, **where: object) -> list[Sides]:
    """The committed runs of `encoding_limits`, each named by what it read and what it was made with."""
    out = []
    for label, run in log.committed.items():
        asked = run.header["parameters"]
        given = [f"{name} = {asked[name]}" for name in ("vocab", "k", "steps") if asked[name] is not None]
        name = [f"{asked['text']} and {asked['fasta']}: {run.header['profile']} profile", *given]
        out.append(replace(log.alone(label, **where), label=", ".join([*name, f"{run.header['seeds']} seeds"])))
    return out


def kept(sides: Sequence[Sides], ratios: Sequence[float]) -> pd.DataFrame:
    """Share of the full width's gain that the learned code keeps, mean over seeds; a row a run and corpus."""
    out = []
    for side in sides:
        rows = frames.rows(side.this, part="limits", attend=True, arm="learned", asked=tuple(ratios))
        means = rows.groupby(["corpus", "asked"])["kept"].mean().unstack() if len(rows) else pd.DataFrame()
        out += [
            {"corpus": c, "run": side.label} | {f"{r:g} : 1": v for r, v in row.items()} for c, row in means.iterrows()
        ]
    return pd.DataFrame(out)


def own_width(rows: pd.DataFrame) -> pd.DataFrame:
    """Codes that may find their width, on every chain: each arm at the strength that is chosen, means over seeds."""
    out = []
    for source in dict.fromkeys(frames.rows(rows, part="widths")["source"]):
        for arm, (name, _) in OWN.items():
            mine = chosen(rows, source, arm)
            if not len(mine):
                continue
            strength = f"{mine['strength'].iloc[0]:g}" if arm in PENALTIES else "none"
            row = {"chain": source.replace("planted", "rank ").replace("dirichlet", "full rank")}
            row |= {"code": name.partition(",")[0], "strength": strength}
            means = mine.assign(alone=mine["cut"] - mine["bayes"])[["used", "directions", "excess", "alone"]].mean()
            names = {"used": "dimensions in use", "directions": "after a rotation"}
            names |= {"excess": "excess, nats", "alone": "with these alone"}
            out.append(row | means.rename(names).to_dict())
    return pd.DataFrame(out)


def alphabet(rows: pd.DataFrame) -> pd.DataFrame:
    """The alphabet of eight symbols: mean test loss over seeds, a row a width of the learned code."""
    known = frames.rows(rows, part="letters", attend=True, end=True)
    means = known.groupby(["arm", "d"])["loss"].mean().reset_index().sort_values(["arm", "d"], ascending=[True, False])
    names = {"learned": "learned, projected to the stream", "full": "a table as wide as the stream"}
    return means.assign(arm=means["arm"].map(names)).rename(columns={"arm": "code", "d": "numbers a symbol"})


def trials(sides: Sequence[Sides]) -> pd.DataFrame:
    """The smaller experiment on the genome: mean test loss over seeds of every code, a column a run."""
    mean = lambda side, part, arm: frames.per_seed(side.this, "loss", part=part, arm=arm).mean()
    shown = [side for side in sides if len(side.this)]
    return pd.DataFrame([{"code": name} | {s.label: mean(s, *place) for s in shown} for name, place in TRIALS.items()])


def results(rows: pd.DataFrame) -> dict[str, dict]:
    """The file `experiment_results.json` that the document promises: losses of both models, and their sizes."""
    ends, (code, full) = frames.rows(rows, part="printed", end=True), quantities.widths(rows)
    found = {name: frames.per_seed(ends, "loss", arm=name) for name in ("learned", "traditional")}
    out = {f"{k}_model": {"losses": v.tolist(), "final_performance": float(v.mean())} for k, v in found.items()}
    sizes = {"vocab_size": round(float(np.exp(ends["chance"].iloc[0]))), "traditional_dim": full, "learned_dim": code}
    analysis = {"compression_ratio": full / code, "parameters": {"learned": sizes["vocab_size"] * code}}
    analysis["parameters"]["traditional"] = sizes["vocab_size"] * full
    reached = quantities.compression(frames.rows(rows, end=True))
    analysis |= {k.replace("e2_compression", "at_99_percent"): float(np.median(v)) for k, v in reached.items()}
    return out | {"metadata": sizes | {"compression_ratio": full / code}, "compression_analysis": analysis}


def write_results(rows: pd.DataFrame, folder: Path) -> Path:
    """The picture `encoding_experiment_results.png` of the published script: training losses, and what each arm stores."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    printed, found = frames.rows(rows, part="printed"), results(rows)
    picture, drawn = Figure(figsize=(9, 4)), io.BytesIO()
    left, right = picture.subplots(1, 2)
    for arm in ("learned", "traditional"):
        epochs, losses = frames.curve(printed, "loss", "step", arm=arm)
        left.plot(epochs, losses.mean(0), label=arm)
    left.set(xlabel="epoch", ylabel="loss (nats a token)")
    left.legend()
    right.bar(*zip(*found["compression_analysis"]["parameters"].items(), strict=True))
    right.set(ylabel="embedding parameters")
    FigureCanvasAgg(picture).print_png(drawn)
    return files.write_atomic(Path(folder) / "encoding_experiment_results.png", drawn.getvalue())
