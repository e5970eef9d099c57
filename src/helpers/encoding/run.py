"""The experiments of the two chapters: the only file that trains, resumes and logs.

A record is one condition at one code width with one seed. The learning rate is chosen for each condition and width by the
mean validation loss over seeds, and the test loss that is reported played no part in it. `step` counts gradient steps, those
of stage one included; in the printed experiment it counts epochs.

Columns: part; arm; d, the code's width; seed; loss, nats a token.
printed: full, D; chance, ln V.
chains: source, readout; bayes, unigram: the best loss and that of token frequencies. In the last row rate, the learning rate;
explained, the share of the untrained vectors' variance that an autoencoder keeps; bigram_kl, the divergence of sampled
bigrams from the chain's, and bigram_floor, that of the chain itself.
rules: attend, bayes, unigram. limits and its trials: kind, corpus, attend, unigram, bigram, asked (the compression that was
asked for) and ratio (the one that whole numbers give).
deployed: table, projection, network, deployed, training: bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from helpers import devices, frames, stacked
from helpers.encoding import corpora, printed, tasks
from helpers.encoding.chains import ChainGrid
from helpers.encoding.config import ARMS, Chains, Limits, Printed, Rules
from helpers.encoding.corpora import Corpus
from helpers.encoding.grid import COLUMNS, Grid, Model
from helpers.encoding.readers import ReaderGrid, Stream, rule_stream
from helpers.records import Record
from helpers.study import Log

DRAWN = 40_000  # tokens drawn from a model to compare its bigrams with the chain's
Curve = Sequence[tuple[int, float]]


def run_printed(config: Printed, log: Log) -> None:
    """The experiment as printed, and its noise update: `loss` is the mean training loss of the epoch."""
    known = {"part": "printed", "d": config.code, "full": config.full, "chance": float(np.log(config.vocab))}

    def make() -> list[Record]:
        curves = printed.losses(config, log.device)
        of_seeds = ((arm, seed, curve) for arm, found in curves.items() for seed, curve in enumerate(found.tolist()))
        return [_record(log, f"printed.{arm}", s, known | {"arm": arm}, [*enumerate(v)]) for arm, s, v in of_seeds]

    log.once(("printed", config), make)


def run_chains(config: Chains, log: Log) -> None:
    """The context-free study; whole curves at the width `code` and at full width, where they are looked at."""

    def make() -> list[Record]:
        grid, floors, out = ChainGrid(config, log.device, log.work), {}, []
        for model, curve in _best(_trained(grid, log, "chains")):
            chain, (source, readout) = grid.chains[grid.index(model)], model.cell.split("/")
            known = {"part": "chains", "source": source, "readout": readout}
            known |= {"bayes": chain.bayes, "unigram": chain.unigram}
            whole = model.d in (config.code, config.full)
            ends = _at_the_end(grid, model, chain, floors)
            out.append(_of_model(log, f"{source}.{readout}", model, known, curve if whole else curve[-1:], **ends))
        return out

    log.once(("chains", config), make)


def run_rules(config: Rules, log: Log) -> None:
    """Scenario 2, with attention and without: the last row of each model."""
    known = {"part": "rules"} | tasks.rule_losses(config)

    def make() -> list[Record]:
        rows = _read(config, rule_stream(config, log.device), log, "rules")
        return [_of_reader(log, "rules", model, known, curve[-1:]) for model, curve in _best(rows)]

    log.once(("rules", config), make)


def run_limits(config: Limits, corpus: Mapping[str, Corpus], log: Log) -> None:
    """Every compression on every corpus ({"text": …, "genome": …}). A record's row is the one of lowest validation loss."""

    def make(kind: str, tokens: Corpus) -> list[Record]:
        rows = _read(config, corpora.text_stream(config, tokens, log.device), log, kind)
        rows = rows.loc[rows.groupby(COLUMNS)["validation"].idxmin()]
        base, out = [tokens.baselines(seed) for seed in range(config.seeds)], []
        for model, curve in _best(rows):
            known = {"part": config.part, "kind": kind, "corpus": tokens.name} | base[model.seed]
            asked = 1.0 if model.arm == "full" else config.asked(model.d)
            known |= {"ratio": config.stream / model.d, "asked": asked}
            out.append(_of_reader(log, kind if config.part == "limits" else config.part, model, known, curve))
        return out

    for kind, tokens in corpus.items():
        log.once((kind, tokens.digest, config), lambda kind=kind, tokens=tokens: make(kind, tokens))


def run_deployed(config: Limits, corpus: Corpus, log: Log) -> None:
    """Bytes that every arm deploys, counted, not trained, at the width `config.code`: a record an arm."""
    for arm, sizes in corpora.deployed(config, corpus.vocab, config.code, config.stream).items():
        record = Record(log.name, f"deployed.{arm}", 0, {"part": "deployed", "d": config.code, "arm": arm})
        record.log(0, **sizes)
        log.add(record)


def _trained(grid: Grid, log: Log, what: str) -> pd.DataFrame:
    """The rows of a grid that is trained in sight of the reader and of the runner."""
    with log.live(f"{what}: validation loss while training", "gradient step", "nats a token") as live:
        return grid.run(live, log.progress)


def _read(config: Rules | Limits, stream: Stream, log: Log, what: str) -> pd.DataFrame:
    return _trained(ReaderGrid(config, stream, log.device, log.work), log, what)


def _at_the_end(grid: ChainGrid, model: Model, chain: tasks.Chain, floors: dict) -> dict[str, float]:
    """What only the trained model can tell: the divergence of its sampled bigrams, and what its autoencoder kept."""
    out, place = {}, (model.cell, model.seed)
    if model in grid.matrices:
        draw = lambda p: tasks.bigram_kl(chain, p, DRAWN, devices.numpy_rng("bigrams", *place))
        if place not in floors:
            floors[place] = draw(chain.transition)
        out = {"bigram_kl": draw(grid.matrices[model]), "bigram_floor": floors[place]}
    kept = grid.explained.get((ARMS[model.arm][0], model.d, model.seed))
    return out | ({} if kept is None else {"explained": kept})


def _best(rows: pd.DataFrame) -> Iterator[tuple[Model, Curve]]:
    """The models of the best learning rate, each with its curve of (step, test loss)."""
    best = stacked.best_rate(frames.last(rows, COLUMNS), ["cell", "arm", "d"])
    for key, curve in rows.merge(best[COLUMNS], on=COLUMNS).groupby(COLUMNS):
        yield Model(*key), list(zip(curve["step"].tolist(), curve["loss"].tolist(), strict=True))


def _of_reader(log: Log, name: str, model: Model, known: Mapping, curve: Curve) -> Record:
    return _of_model(log, f"{name}.{model.cell}", model, {**known, "attend": model.cell == "attention"}, curve)


def _of_model(log: Log, name: str, model: Model, known: Mapping, curve: Curve, **ends: float) -> Record:
    known = {**known, "arm": model.arm, "d": model.d}
    return _record(log, f"{name}.{model.arm}.d{model.d}", model.seed, known, curve, rate=model.rate, **ends)


def _record(log: Log, condition: str, seed: int, known: Mapping, curve: Curve, **ends: float) -> Record:
    """A record of a loss by step; `ends` stand in its last row."""
    record = Record(log.name, condition, seed, dict(known))
    for i, (step, loss) in enumerate(curve):
        record.log(step, loss=loss, **(ends if i == len(curve) - 1 else {}))
    return record
