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
from helpers.encoding.grid import COLUMNS, Model
from helpers.encoding.readers import ReaderGrid, rule_stream
from helpers.records import Record
from helpers.study import Log

DRAWN = 40_000  # tokens drawn from a model to compare its bigrams with the chain's


def run_printed(config: Printed, log: Log) -> None:
    """The experiment as printed, and its noise update: `loss` is the mean training loss of the epoch."""
    known = {"part": "printed", "d": config.code, "full": config.full, "chance": float(np.log(config.vocab))}

    def make() -> list[Record]:
        curves = printed.losses(config, log.device)
        return [
            _record(log, f"printed.{arm}", seed, known | {"arm": arm}, list(enumerate({"loss": v} for v in curve)))
            for arm, of_seeds in curves.items()
            for seed, curve in enumerate(of_seeds.tolist())
        ]

    log.once(("printed", config), make)


def run_chains(config: Chains, log: Log) -> None:
    """The context-free study."""

    def make() -> list[Record]:
        with log.live("Validation loss while training", "gradient step", "nats a token") as live:
            grid = ChainGrid(config, log.device, log.work, live)
            rows = grid.run()
        return _chain_records(log, grid, rows)

    log.once(("chains", config), make)


def run_rules(config: Rules, log: Log) -> None:
    """Scenario 2, with attention and without: whole curves without, the last row with."""
    known = {"part": "rules"} | tasks.rule_losses(config)

    def make() -> list[Record]:
        with log.live("Rule task: validation loss while training", "gradient step", "nats a token") as live:
            rows = ReaderGrid(config, rule_stream(config, log.device), log.device, log.work, live).run()
        return [_reader_record(log, "rules", model, known, curve[-1:]) for model, curve in _best(rows)]

    log.once(("rules", config), make)


def run_limits(config: Limits, corpus: Mapping[str, Corpus], log: Log) -> None:
    """Every compression on every corpus ({"text": …, "genome": …}). A record's row is the one of lowest validation loss."""
    for kind, tokens in corpus.items():
        log.once((kind, tokens.digest, config), lambda kind=kind, tokens=tokens: _limits(config, kind, tokens, log))


def run_deployed(config: Limits, corpus: Corpus, log: Log) -> None:
    """Bytes that every arm deploys, counted, not trained, at the width `config.code`: a record an arm."""
    for row in corpora.deployed(config.shape(corpus.vocab), config.code, config.stream):
        known = {"part": "deployed", "d": config.code, "arm": row.pop("arm")}
        log.add(_record(log, f"deployed.{known['arm']}", 0, known, [(0, row)]))


def _chain_records(log: Log, grid: ChainGrid, rows: pd.DataFrame) -> list[Record]:
    c, floors, out = grid.config, {}, []
    for model, curve in _best(rows):
        chain, (source, _, readout) = grid.samples.chain(model), model.cell.partition("/")
        known = {"part": "chains", "source": source, "readout": readout, "arm": model.arm, "d": model.d}
        known |= {"bayes": chain.bayes, "unigram": chain.unigram}
        if model.d not in (c.code, c.full):  # only at the published width are whole curves looked at
            curve = curve[-1:]
        measured = [(step, {"loss": loss}) for step, loss in curve]
        measured[-1][1].update({"rate": model.rate} | _at_the_end(grid, model, chain, floors))
        out.append(_record(log, f"{source}.{readout}.{model.arm}.d{model.d}", model.seed, known, measured))
    return out


def _at_the_end(grid: ChainGrid, model: Model, chain: tasks.Chain, floors: dict) -> dict[str, float]:
    """What only the trained model can tell: the divergence of its sampled bigrams, and what its autoencoder kept."""
    out = {}
    if model in grid.matrices:
        place = model.cell, model.seed
        draw = lambda p: tasks.bigram_kl(chain, p, DRAWN, devices.numpy_rng("bigrams", *place))
        if place not in floors:
            floors[place] = draw(chain.transition)
        out = {"bigram_kl": draw(grid.matrices[model]), "bigram_floor": floors[place]}
    kept = grid.explained.get((ARMS[model.arm][0], model.d, model.seed))
    return out | ({} if kept is None else {"explained": kept})


def _limits(config: Limits, kind: str, corpus: Corpus, log: Log) -> list[Record]:
    with log.live(f"{kind}: validation loss while training", "gradient step", "nats a token") as live:
        stream = corpora.text_stream(config, corpus, log.device)
        rows = ReaderGrid(config, stream, log.device, log.work, live).run()
    rows = rows.loc[rows.groupby(COLUMNS)["validation"].idxmin()]
    base, out = [corpus.baselines(seed) for seed in range(config.seeds)], []
    for model, curve in _best(rows):
        known = {"part": config.part, "kind": kind, "corpus": corpus.name} | base[model.seed]
        known |= {"ratio": config.stream / model.d, "asked": 1.0 if model.arm == "full" else config.asked(model.d)}
        out.append(_reader_record(log, config.part if config.part != "limits" else kind, model, known, curve))
    return out


def _best(rows: pd.DataFrame) -> Iterator[tuple[Model, list[tuple[int, float]]]]:
    """The models of the best learning rate, each with its curve of (step, test loss)."""
    best = stacked.best_rate(frames.last(rows, COLUMNS), ["cell", "arm", "d"])
    for key, curve in rows.merge(best[COLUMNS], on=COLUMNS).groupby(COLUMNS):
        yield Model(*key), list(zip(curve["step"].tolist(), curve["loss"].tolist(), strict=True))


def _reader_record(log: Log, name: str, model: Model, known: Mapping, curve: Sequence[tuple[int, float]]) -> Record:
    known = {**known, "arm": model.arm, "d": model.d, "attend": model.cell == "attention"}
    measured = [(step, {"loss": loss, "rate": model.rate}) for step, loss in curve]
    return _record(log, f"{name}.{model.cell}.{model.arm}.d{model.d}", model.seed, known, measured)


def _record(log: Log, condition: str, seed: int, known: Mapping, measured: Sequence[tuple[int, Mapping]]) -> Record:
    record = Record(log.name, condition, seed, dict(known))
    for step, values in measured:
        record.log(step, **values)
    return record
