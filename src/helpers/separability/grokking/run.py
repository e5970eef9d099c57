"""Experiment C: the only file that trains, resumes and logs.

A record is one arm (or condition of the document) with one seed, in the document's format: exp_c, high_wd, seed 42.

Columns. part: addition, circle or printed. arm: a name of `config.ARMS`; of the printed part condition, high_wd or no_wd. p.
memorised: the first step with a training accuracy of MEMORISED, nan if never. step; psi_accuracy, loss: held out; train,
train_loss: on the training pairs, nats; A_param, theta: norms of W_V and of all parameters; A_activation: mean norm of the
stream at "=" on a probe of held-out pairs, variance: of that stream about its mean; gini: of the embedding's spectrum;
G_stability: of attention on the probe, against `lag` steps before. At some steps of the arms in MAIN restricted, excluded:
losses, nats. circle: k, the frequency; x, y: a list each, a number a token. printed: A_learned and sigma_sq, the
document's, too, and no theta.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.live import LivePlot
from helpers.records import Pace, Record
from helpers.separability import metrics
from helpers.separability.grokking import data, fourier, models, printed
from helpers.separability.grokking.config import ARMS, MAIN, MEMORISED, Addition, OrderedAddition
from helpers.separability.grokking.stack import COLUMNS, Cell, Stack, Watch
from helpers.study import Log

EXPERIMENT = "exp_c"
SPARSE = 8  # measurements from one row to the next, where a row holds everything or nothing is in transition
ROWS = 125  # of a record of the document's experiment at least: its own pace of 100 steps, coarser in a long run
BYTES = 16  # floats that a training pair takes for each neuron, gathered values and gradients together


def run_addition(config: Addition, log: Log) -> None:
    """Every arm with every seed. Arms that change their way once the training set is memorised are a stack of their own."""
    seeds = range(config.first, config.first + config.seeds)
    groups = [
        [(arm, s) for arm in config.arms if ARMS[arm].watched is watched for s in seeds] for watched in (False, True)
    ]
    each = BYTES * 4 * config.trained * config.mlp
    chunks = [
        chunk for cells in groups if cells for chunk in stacked.chunked(cells, each, log.device, "modular addition")
    ]
    for done, cells in enumerate(chunks):
        log.once(
            ("addition", config, cells), lambda cells=cells, done=done: _trained(config, cells, log, done, len(chunks))
        )


def run_printed(config: OrderedAddition, log: Log) -> None:
    """The document's experiment: its conditions and seeds, its accuracy, A_param and A_activation, by its adaptive pace."""
    log.once(("printed", config), lambda: _published(config, log))


def _trained(config: Addition, cells: Sequence[Cell], log: Log, done: int, of: int) -> list[Record]:
    stack = Stack(config, cells, log.device)
    steps = list(range(0, config.steps + 1, config.every))
    looked = [i for i, (arm, _) in enumerate(cells) if arm in MAIN]
    with (
        log.live("held-out accuracy, mean of each arm", "step", "accuracy") as live,
        devices.tf32(config.products != "exact" and log.device.startswith("cuda")),
    ):
        watch = Watch(stack, steps, looked, _teller(cells, config.steps, log, live, done, of))
        seen = stacked.fit(
            stack.params, stack.loss, lr=config.rate, steps=config.steps, betas=config.betas, decay=stack.decay,
            log=steps, probe=watch,
        )  # fmt: skip
        extra = _progress(config, stack, watch, log.device)
    series = torch.stack(seen, 1).double().numpy()  # (M, T, columns)
    of_row = lambda i: {step: losses[looked.index(i)] for step, losses in extra.items()} if i in looked else {}
    records = [_record(config, cell, np.array(steps), series[i], of_row(i), watch) for i, cell in enumerate(cells)]
    first = (MAIN[0], config.first)
    return records + ([_circle(config, watch, looked.index(list(cells).index(first)))] if first in cells else [])


def _teller(
    cells: Sequence[Cell], steps: int, log: Log, live: LivePlot, done: int, of: int
) -> Callable[[int, Tensor], None]:
    """What a probe tells while a stack is trained: how far it is, and every so often where the arms are."""
    names = list(dict.fromkeys(arm for arm, _ in cells))
    rows = {name: [i for i, (arm, _) in enumerate(cells) if arm == name] for name in names}

    def tell(step: int, values: Tensor) -> None:
        log.progress(done * steps + step, of * steps)
        if 20 * step % steps == 0:
            accuracy = values[:, COLUMNS.index("psi_accuracy")].tolist()
            live(step, {name: sum(accuracy[i] for i in places) / len(places) for name, places in rows.items()})

    return tell


def _progress(config: Addition, stack: Stack, watch: Watch, device: str) -> dict[int, np.ndarray]:
    """{step: (models looked at, 2)} restricted and excluded loss, with the key frequencies of each model's last weights."""
    if not watch.looked:
        return {}
    trained = torch.stack([stack.trained.a, stack.trained.b], -1)[watch.looked] % config.p
    chosen, out = None, {}
    for step in sorted(watch.snapshots, reverse=True):
        params = {k: v.to(device) for k, v in watch.snapshots[step].items()}
        restricted, excluded, chosen = fourier.progress(params, chosen, trained, config.p, config.heads)
        out[step] = torch.stack([restricted, excluded], 1).cpu().numpy()
    return out


def _record(config: Addition, cell: Cell, steps: np.ndarray, series: np.ndarray, extra: dict, watch: Watch) -> Record:
    """series (T, columns). The first arm of MAIN keeps accuracy, A_param and G at every step, since their timing is judged; all
    others, and all other columns, follow the adaptive pace of the document. The step at which the training set is memorised is
    there in every arm, since amplitude is compared with what it was then."""
    (arm, seed), of = cell, {name: series[:, i] for i, name in enumerate(COLUMNS)}
    sparse = SPARSE * config.every * (1 if arm in MAIN else 2)
    at = np.flatnonzero(of["train"] >= MEMORISED)
    memorised = int(steps[at[0]]) if len(at) else float("nan")
    facts = {"part": "addition", "arm": arm, "p": config.p, "memorised": memorised, "trained": config.trained}
    facts["start_time"] = watch.began
    record, pace, last = (
        Record(EXPERIMENT, arm, seed, facts),
        Pace(dense=config.every, sparse=sparse),
        None,
    )
    for i, step in enumerate(steps.tolist()):
        accuracy = float(of["psi_accuracy"][i])
        whole = step % sparse == 0 or step in extra or i == len(steps) - 1 or step == memorised
        if whole or arm == MAIN[0] or pace.due(step, last, accuracy):
            names = COLUMNS if whole else ("A_param", "G_stability")
            values = {name: float(of[name][i]) for name in names if name != "psi_accuracy"}
            more = dict(zip(("restricted", "excluded"), map(float, extra[step]), strict=True)) if step in extra else {}
            record.log(step, accuracy=accuracy, seconds=watch.seconds[i], **values, **more)
            last = step
    return record


def _circle(config: Addition, watch: Watch, row: int) -> Record:
    """Where the numbers' embeddings lie in the plane of their strongest frequency, of one model, while it is trained."""
    k, places = fourier.circle({step: params["W_E"][row, :-1] for step, params in watch.snapshots.items()})
    record = Record(EXPERIMENT, "circle", config.first, {"part": "circle", "p": config.p, "k": k})
    for step, xy in sorted(places.items()):
        x, y = ([round(v, 3) for v in column.tolist()] for column in xy.T)
        record.log(step, x=x, y=y)
    return record


def _published(config: OrderedAddition, log: Log) -> list[Record]:
    cells = [(name, seed) for name in config.conditions for seed in range(config.first, config.first + config.seeds)]
    splits = [data.ordered(config.p, config.share, seed) for _, seed in cells]
    trained, held = (torch.stack([torch.tensor(s[i]) for s in splits]).to(log.device) for i in (0, 1))
    params = {k: v.to(log.device) for k, v in stacked.pile([printed.one(config, seed) for _, seed in cells]).items()}
    decay = torch.tensor([config.conditions[name] for name, _ in cells], device=log.device)
    order = printed.batches(config, config.first).to(log.device)

    def loss(params: dict[str, Tensor], clock: Tensor) -> Tensor:
        seen = trained[:, order.index_select(0, clock.view(1))[0]]  # (M, B, 2)
        logits = printed.logits(params, seen, config.p, config.heads)[0]
        return models.surprise(logits, seen.sum(-1) % config.p)[0] + printed.penalty(params, decay)

    def probe(params: dict[str, Tensor]) -> Tensor:
        logits, stream = printed.logits(params, held, config.p, config.heads)
        loss, accuracy = models.surprise(logits, held.sum(-1) % config.p)
        values = params["in_w"][:, -config.d :]
        known = [metrics.A_param([values[:, None]]), metrics.A_activation(stream[:, :, None])]
        known += [metrics.A_learned(params["g3"]), metrics.sigma_sq(stream[:, :, None])]
        return torch.stack([accuracy, loss, *known], 1)

    pace = Pace(sparse=max(Pace().sparse, config.steps // ROWS))
    steps = sorted({*range(0, config.steps, max(pace.dense, config.steps // 500)), config.steps})
    seen = stacked.fit(params, loss, lr=config.rate, steps=config.steps, log=steps, probe=probe)
    series = torch.stack(seen, 1).double().cpu().numpy()
    out = []
    for (name, seed), rows in zip(cells, series, strict=True):
        facts = {"part": "printed", "p": config.p, "mirrored": data.mirrored(*splits[cells.index((name, seed))])}
        record = Record(EXPERIMENT, name, seed, facts, pace=pace)
        for step, (accuracy, held_loss, *known) in zip(steps, rows.tolist(), strict=True):
            names = ("A_param", "A_activation", "A_learned", "sigma_sq")
            record.log(step, accuracy=accuracy, loss=held_loss, **dict(zip(names, known, strict=True)))
        out.append(record)
    return out
