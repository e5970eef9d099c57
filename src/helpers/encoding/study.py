"""The experiments of the two chapters, as records and back as one tidy frame.

A record is one condition with one seed. Its rows hold the test loss of every code width at the end of training, and the
whole curve at the published width. The learning rate is chosen for each condition and width by the mean validation
loss over seeds, and the test loss that is reported played no part in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import devices
from helpers.encoding import chains, grid, limits, printed, readers, rules
from helpers.encoding.attention import Shape
from helpers.encoding.measure import bigram_kl
from helpers.records import Record

SAMPLED = 40_000  # tokens drawn from a model to compare its bigrams with the chain's


def run_printed(experiment: str, settings: printed.Printed) -> list[Record]:
    """The experiment as printed: `step` counts epochs, `loss` is the mean training loss of the epoch."""
    out = []
    for arm, curves in printed.run(settings).items():
        for seed, curve in enumerate(curves):
            record = Record(
                experiment,
                f"printed.{arm}",
                seed,
                {"part": "printed", "arm": arm, "chance": float(np.log(settings.vocab))},
            )
            for epoch, loss in enumerate(curve):
                record.log(epoch, force=True, loss=float(loss), d=settings.code)
            out.append(record)
    return out


def run_chains(
    experiment: str, config: chains.Config, work: Path | None = None, live: grid.Live | None = None
) -> list[Record]:
    """The context-free study. Metadata carry the chain's Bayes and unigram losses, so that shares follow."""
    trainer = grid.Trainer(config, work, live)
    found = trainer.run()
    best = _best_rates(found)
    out: dict[tuple, Record] = {}
    floors: dict[tuple[str, int], float] = {}
    for model, curve, marks in zip(found.models, found.curves, found.marks, strict=True):
        if best[model.cell, model.arm, model.d] != model.rate:
            continue
        chain = trainer.data.chains[trainer.data.index(model)]
        source, _, readout = model.cell.partition("/")
        record = out.setdefault(
            (model.cell, model.arm, model.seed),
            Record(
                experiment,
                f"{source}.{readout}.{model.arm}",
                model.seed,
                {"part": "chains", "source": source, "readout": readout, "arm": model.arm}
                | {"bayes": chain.bayes, "unigram": chain.unigram},
            ),
        )
        whole = model.d in (config.code, config.full)
        for mark, (_, loss) in list(zip(marks, curve, strict=True))[0 if whole else -1 :]:
            extra = {}
            if mark == marks[-1]:
                extra = {"rate": model.rate} | _end(trainer, found, model, chain, floors)
            record.log(int(mark), force=True, d=model.d, loss=float(loss), **extra)
    return list(out.values())


def run_rules(
    experiment: str,
    task: rules.Rules,
    config: readers.Config,
    shape: Shape,
    work: Path | None = None,
    live: readers.Live | None = None,
) -> list[Record]:
    """Scenario 2, with attention and without. Rows as in `run_chains`."""
    rows = rules.run(task, config, shape, work, live)
    constant = {"part": "rules", "bayes": task.bayes, "unigram": task.unigram}
    return _readers(experiment, "rules", rows, constant, curve_at=config.blind_widths)


def run_limits(
    experiment: str,
    kind: str,
    corpus: limits.Corpus,
    config: readers.Config,
    shape: Shape,
    ratios: Sequence[float],
    work: Path | None = None,
    live: readers.Live | None = None,
) -> list[Record]:
    """Every compression on one corpus. kind: 'text' or 'genome'. Each row is of the step with the lowest validation loss."""
    rows = limits.run(corpus, config, shape, ratios, work, live)
    constant = {"part": "limits", "corpus": corpus.name}
    return _readers(experiment, kind, rows, constant, stop_early=True)


def run_deployed(experiment: str, shape: Shape, ratio: float = 10) -> list[Record]:
    """Bytes deployed by every arm at a compression, counted, not trained: a record an arm."""
    d, out = limits.width(shape.stream, ratio), []
    for row in limits.deployed(shape, d, shape.stream):
        name = row.pop("arm")
        record = Record(experiment, "deployed." + re.sub(r"[^\w]+", "-", name), 0, {"part": "deployed", "arm": name})
        record.log(0, force=True, d=d, **row)
        out.append(record)
    return out


def frame(records: pd.DataFrame) -> pd.DataFrame:
    """The tidy frame with what follows from it.

    Where Bayes is known: `excess` over it (nats) and recovered `share`. For real data: `kept`, the share of the gain over
    token frequencies that the full width makes with attention, in the same seed.
    """
    out = records.copy()
    if "ratio" in out:
        kind = out["condition"].str.partition(".")[0]
        whole = out[out["condition"].str.endswith("attention.full")]
        full = {(k, s): loss for k, s, loss in zip(kind[whole.index], whole["seed"], whole["loss"], strict=True)}
        best = np.array([full.get(key, np.nan) for key in zip(kind, out["seed"], strict=True)])
        out["kept"] = (out["unigram"] - out["loss"]) / (out["unigram"] - best)
    if "bayes" in out:
        out["excess"] = out["loss"] - out["bayes"]
        out["share"] = (out["unigram"] - out["loss"]) / (out["unigram"] - out["bayes"])
    return out


def final(found: pd.DataFrame) -> pd.DataFrame:
    """The last row of every (condition, width, seed)."""
    keys = [k for k in ("condition", "d", "seed") if k in found]
    return found.sort_values("step", kind="stable").groupby(keys, as_index=False).last()


def _best_rates(found: grid.Grid) -> dict[tuple[str, str, int], float]:
    sums = defaultdict(list)
    for model, curve in zip(found.models, found.curves, strict=True):
        sums[model.cell, model.arm, model.d, model.rate].append(curve[-1, 0])
    best: dict[tuple, tuple[float, float]] = {}
    for (*key, rate), losses in sums.items():
        best[tuple(key)] = min(best.get(tuple(key), (np.inf, rate)), (float(np.mean(losses)), rate))
    return {key: rate for key, (_, rate) in best.items()}


def _end(trainer: grid.Trainer, found: grid.Grid, model: chains.Model, chain, floors: dict) -> dict[str, float]:
    """What only the trained model can tell: the divergence of its sampled bigrams, and what its autoencoder kept."""
    extra = {}
    if model in found.matrices:
        rng = devices.numpy_rng("bigrams", model.cell, model.seed)
        extra["bigram_kl"] = bigram_kl(chain, found.matrices[model], SAMPLED, rng)
        if (model.cell, model.seed) not in floors:
            rng = devices.numpy_rng("bigrams", model.cell, model.seed)
            floors[model.cell, model.seed] = bigram_kl(chain, chain.transition, SAMPLED, rng)
        extra["bigram_floor"] = floors[model.cell, model.seed]
    kept = found.explained.get((chains.ARMS[model.arm][0], model.d))
    return extra | ({"explained": kept[model.seed]} if kept else {})


def _readers(experiment, kind, rows, constant, curve_at=(), stop_early=False) -> list[Record]:
    """Records of transformer rows: the best rate by validation, then the last row, or the one where validation is lowest."""
    models = defaultdict(list)
    for row in rows:
        models[row["arm"], row["d"], row["attend"], row["rate"], row["seed"]].append(row)
    if stop_early:
        models = {k: [min(found, key=lambda r: r["validation"])] for k, found in models.items()}
    scores = defaultdict(list)
    for (arm, d, attend, rate, _), found in models.items():
        scores[arm, d, attend, rate].append(found[-1]["validation"])
    best: dict[tuple, tuple[float, float]] = {}
    for (*key, rate), losses in scores.items():
        best[tuple(key)] = min(best.get(tuple(key), (np.inf, rate)), (float(np.mean(losses)), rate))
    out: dict[tuple, Record] = {}
    for (arm, d, attend, rate, seed), found in models.items():
        if best[arm, d, attend][1] != rate:
            continue
        sight = "attention" if attend else "blind"
        metadata = constant | {"arm": arm, "attend": bool(attend)}
        metadata |= {k: found[0][k] for k in ("unigram", "bigram") if k in found[0]}
        record = out.setdefault((arm, attend, seed), Record(experiment, f"{kind}.{sight}.{arm}", seed, metadata))
        for row in found if d in curve_at else found[-1:]:
            extra = {k: row[k] for k in ("ratio", "asked") if k in row}
            record.log(row["step"], force=True, d=d, loss=row["loss"], rate=rate, **extra)
    return list(out.values())
