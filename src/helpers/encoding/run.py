"""The experiments of the two chapters: the only file that trains, resumes and logs.

A record is one condition at one code width with one seed. The learning rate is chosen for each condition and width by the
mean validation loss over seeds, and the test loss that is reported played no part in it. `step` counts gradient steps, those
of stage one included; in the printed experiment it counts epochs.

Columns: part; arm; d, the code's width; seed; loss, nats a token.
printed: full, D; chance, ln V; in the last row bigram_kl, of text that the trained model writes.
chains: source, readout; bayes, unigram: the best loss and that of token frequencies. In the last row rate, the learning rate;
edge, whether none further out was tried; explained, the share of the untrained vectors' variance that an autoencoder keeps;
bigram_kl, the divergence of sampled bigrams from the chain's, and bigram_floor, that of the chain itself.
stages: as chains, and first, the gradient steps of stage one, on top of the budget.
widths: source, readout, bayes, unigram; strength, of the penalty on the code. In the last row validation, the loss there; used
and directions, how many of the code's dimensions are in use, and how many after a rotation; cut, the test loss with the
dimensions in use alone.
rules, rules_equal (equal steps on the task): attend, bayes, unigram.
limits and its trials, of which others are more corpora: kind, corpus, attend, unigram, bigram, asked (the compression that was
asked for) and ratio (the one that whole numbers give).
deployed: table, projection, network, deployed, training: bytes; cache: bytes of keys and values a token of context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from helpers import devices, frames, stacked
from helpers.encoding import corpora, printed, tasks
from helpers.encoding.chains import ChainGrid
from helpers.encoding.config import ARMS, WHOLE, Chains, Limits, Printed, Rules, Training
from helpers.encoding.corpora import Corpus
from helpers.encoding.grid import COLUMNS, Grid, Model
from helpers.encoding.readers import ReaderGrid, Stream, rule_stream
from helpers.encoding.widths import WidthGrid, Widths
from helpers.records import Record
from helpers.study import Log

DRAWN = 40_000  # tokens drawn from a model to compare its bigrams with the chain's
Curve = Sequence[tuple[int, float]]


def run_printed(config: Printed, log: Log) -> None:
    """The experiment as printed, and its noise update: `loss` is the mean training loss of the epoch."""
    known = {"part": "printed", "d": config.code, "full": config.full, "chance": float(np.log(config.vocab))}

    def make() -> list[Record]:
        curves, told = printed.trained(config, log.device)
        chain, out = tasks.pattern(config.vocab), []
        for arm, found in curves.items():
            for seed, curve in enumerate(found.tolist()):
                rng = devices.numpy_rng("printed bigrams", seed)
                kl = {"bigram_kl": tasks.bigram_kl(chain, told[arm][seed], DRAWN, rng)} if arm in told else {}
                out.append(_record(log, f"printed.{arm}", seed, known | {"arm": arm}, [*enumerate(curve)], **kl))
        return out

    log.once(("printed", config), make)


def run_chains(config: Chains, log: Log) -> None:
    """The context-free study; whole curves at the width `code` and at full width, where they are looked at."""

    def make() -> list[Record]:
        grid, floors, out = ChainGrid(config, log.device, log.work), {}, []
        stages = config.part == "stages"
        for model, curve in _best(_trained(grid, log, config.part), fast=stages):
            chain, (source, readout) = grid.chains[grid.index(model)], model.cell.split("/")
            known = {"part": config.part, "source": source, "readout": readout} | (
                {"first": config.first} if stages else {}
            )
            known |= {"bayes": chain.bayes, "unigram": chain.unigram}
            whole = model.d in (config.code, config.full)
            ends = {"edge": _edge(config, model)} | ({} if stages else _at_the_end(grid, model, chain, floors))
            name = f"stage{config.first}.{source}.{readout}" if stages else f"{source}.{readout}"
            out.append(_of_model(log, name, model, known, curve if whole else curve[-1:], **ends))
        return out

    log.once(("chains", config), make)


def run_stages(config: Chains, firsts: Sequence[int], log: Log) -> None:
    """How long should stage one be? The autoencoder's arm with stages of `firsts` steps on top of a whole budget for the task,
    and the learned arm, on every source behind the published network; rates are chosen for speed.
    """
    for first in firsts:
        arms = ("learned", "seed_ae") if first == firsts[0] else ("seed_ae",)
        cells = {f"{source}/residual": arms for source in ("pattern", "planted6", "dirichlet")}
        run_chains(
            replace(config, part="stages", stage_one=first, charged=False, cells=cells, grid=(config.code,)), log
        )


def run_widths(config: Widths, log: Log) -> None:
    """Codes that may find their own width: the last row of each model."""

    def make() -> list[Record]:
        grid, out = WidthGrid(config, log.device, log.work), []
        for model, curve in _best(_trained(grid, log, config.part)):
            chain, (source, readout) = grid.chains[grid.index(model)], model.cell.split("/")
            known = {"part": config.part, "source": source, "readout": readout, "strength": model.strength}
            known |= {"bayes": chain.bayes, "unigram": chain.unigram}
            name = f"{config.part}.{source}.{model.strength:g}"
            out.append(_of_model(log, name, model, known, curve[-1:], **grid.ends[model]))
        return out

    log.once(("widths", config), make)


def run_rules(config: Rules, log: Log) -> None:
    """Scenario 2, with attention and without: the last row of each model."""
    known = {"part": config.part} | tasks.rule_losses(config)

    def make() -> list[Record]:
        rows = _read(config, rule_stream(config, log.device), log, config.part)
        best = _best(rows)
        return [_of_reader(log, config.part, m, known, c[-1:], edge=_edge(config, m)) for m, c in best]

    log.once(("rules", config), make)


def run_limits(config: Limits, corpus: Mapping[str, Corpus], log: Log) -> None:
    """Every compression on every corpus ({"text": …, "genome": …}). A record's row is the one of lowest validation loss."""

    def make(kind: str, tokens: Corpus) -> list[Record]:
        rows = _read(config, corpora.text_stream(config, tokens, log.device), log, kind)
        rows = rows.loc[rows.groupby(COLUMNS)["validation"].idxmin()]
        names = {"limits": kind, "others": f"others.{kind}"}
        base, out = [tokens.baselines(seed) for seed in range(config.seeds)], []
        for model, curve in _best(rows):
            known = {"part": config.part, "kind": kind, "corpus": tokens.name} | base[model.seed]
            asked = 1.0 if model.arm in WHOLE else config.asked(model.d)
            known |= {"ratio": config.stream / model.d, "asked": asked}
            name, edge = names.get(config.part, config.part), _edge(config, model)
            out.append(_of_reader(log, name, model, known, curve, edge=edge))
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


def _edge(config: Training, model: Model) -> float:
    """Whether the rate that won is the smallest or the largest of those that were tried, as 1 or 0."""
    rates = config.rates_at(model.arm, model.d)
    return float(model.rate in (rates[0], rates[-1]))


def _best(rows: pd.DataFrame, fast: bool = False) -> Iterator[tuple[Model, Curve]]:
    """The models of the best learning rate, each with its curve of (step, test loss). fast: best by the mean of the validation
    loss over the curve, in place of its end.
    """
    last = frames.last(rows, COLUMNS)
    if fast:
        last = last.drop(columns="validation").merge(
            rows.groupby(COLUMNS)["validation"].mean().reset_index(), on=COLUMNS
        )
    best = stacked.best_rate(last, ["cell", "arm", "d", "strength"])
    for key, curve in rows.merge(best[COLUMNS], on=COLUMNS).groupby(COLUMNS):
        yield Model(*key), list(zip(curve["step"].tolist(), curve["loss"].tolist(), strict=True))


def _of_reader(log: Log, name: str, model: Model, known: Mapping, curve: Curve, **ends: float) -> Record:
    return _of_model(log, f"{name}.{model.cell}", model, {**known, "attend": model.cell == "attention"}, curve, **ends)


def _of_model(log: Log, name: str, model: Model, known: Mapping, curve: Curve, **ends: float) -> Record:
    known = {**known, "arm": model.arm, "d": model.d}
    return _record(log, f"{name}.{model.arm}.d{model.d}", model.seed, known, curve, rate=model.rate, **ends)


def _record(log: Log, condition: str, seed: int, known: Mapping, curve: Curve, **ends: float) -> Record:
    """A record of a loss by step; `ends` stand in its last row."""
    record = Record(log.name, condition, seed, dict(known))
    for i, (step, loss) in enumerate(curve):
        record.log(step, loss=loss, **(ends if i == len(curve) - 1 else {}))
    return record
