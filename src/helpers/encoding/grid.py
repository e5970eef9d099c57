"""Training the whole grid of the context-free study: stage one's codes, then every model, group by group, stacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from helpers import checkpoints, files, stacked
from helpers.encoding import codes, fused, networks
from helpers.encoding.chains import ARMS, Config, Data, Model

Live = Callable[[int, dict[str, float]], None]
BUCKETS = (8, 16, 32, 64)  # code widths up to one of these share a stack


@dataclass
class Grid:
    """Trained models in the order of `models`.

    curves: (T, 2) a model, validation and test loss in nats at its `marks` (T,), which count stage one's steps too.
    matrices: predicted transitions (V, V) of the models that are sampled from. explained: share of the variance of the
    untrained vectors that an autoencoder's code keeps, a value a seed, by (kind, width).
    """

    models: list[Model] = field(default_factory=list)
    curves: list[np.ndarray] = field(default_factory=list)
    marks: list[np.ndarray] = field(default_factory=list)
    matrices: dict[Model, np.ndarray] = field(default_factory=dict)
    explained: dict[tuple[str, int], list[float]] = field(default_factory=dict)


class Trainer:
    """Trains groups of models and keeps what is done in `work`, so that an interrupted run goes on."""

    def __init__(self, config: Config, work: Path | None = None, live: Live | None = None):
        self.config, self.work, self.live = config, work, live
        self.data, self.grid = Data(config), Grid()
        self.made: dict[tuple, Tensor] = {}  # stage one's codes (V, d)

    def run(self) -> Grid:
        """Everything. Raises MemoryError before anything starts when the largest stack cannot fit."""
        c = self.config
        groups = self._groups()
        for models in groups:
            self._chunks(models)
        self._autoencoders()
        self._full_width()
        for models in groups:
            self._add(models, self._train(models, c.steps - c.before(models[0].arm)))
        return self.grid

    def code(self, model: Model) -> Tensor | None:
        """The code (V, d) that a model starts from, or None where it is learned from scratch."""
        kind, c = ARMS[model.arm][0], self.config
        if kind is None:
            return None
        if kind == "random":
            return codes.standardised(codes.random(c.vocab, model.d, model.seed))
        if kind == "spectral":
            return codes.standardised(codes.spectral(self.data.counts["train"][self.data.index(model)], model.d))
        if kind == "trained_pca":
            return codes.standardised(codes.principal(self.made[kind, model.cell, model.seed], model.d))
        return codes.standardised(self.made[kind, model.d, model.seed])

    def _groups(self) -> list[list[Model]]:
        """Models of one shape and one number of steps train together. The full-width ones are trained already."""
        c, found = self.config, {}
        for cell, arms in c.cells.items():
            readout = cell.partition("/")[2]
            narrow = [a for a in arms if a != "full"]
            for arm, d, seed, rate in product(narrow, c.widths, range(c.seeds), c.rates):
                bucket = next(b for b in BUCKETS if d <= b)
                key = (readout, c.hidden_of(readout, arm), arm == "factorised", c.before(arm), bucket)
                found.setdefault(key, []).append(Model(cell, arm, d, seed, rate))
        return [sorted(models) for models in found.values()]

    def _autoencoders(self) -> None:
        """Codes that never see the task: the published autoencoder, linear and with a ReLU, and the one-hot one."""
        c = self.config
        wanted = {ARMS[a][0] for arms in c.cells.values() for a in arms}
        widths, seeds = zip(*product(c.widths, range(c.seeds)), strict=True)
        for kind in [k for k in ("seed_ae", "seed_ae_relu") if k in wanted]:
            x = torch.stack([codes.vectors(c.vocab, c.full, s) for s in seeds])  # (M, V, D)
            relu = kind == "seed_ae_relu"
            found, explained = codes.autoencoder(x, widths, seeds, c.first, relu=relu, device=c.device)
            self.made |= {(kind, d, s): code for d, s, code in zip(widths, seeds, found, strict=True)}
            for d, e in zip(widths, explained.tolist(), strict=True):
                self.grid.explained.setdefault((kind, d), []).append(e)
        if "onehot_ae" in wanted:
            found = codes.onehot_autoencoder(c.vocab, widths, seeds, c.first, c.device)
            self.made |= {("onehot_ae", d, s): code for d, s, code in zip(widths, seeds, found, strict=True)}

    def _full_width(self) -> None:
        """The ceiling, over the whole budget; and, over stage one's share of it, the embeddings of the fair two-stage arm."""
        c = self.config
        for readout in dict.fromkeys(cell.partition("/")[2] for cell in c.cells):
            mine = [cell for cell in c.cells if cell.endswith("/" + readout)]
            models = [Model(*m) for m in product(mine, ["full"], [c.full], range(c.seeds), c.rates)]
            self._add(models, self._train(models, c.steps))
            short = self._train(models, c.first)
            for cell, seed in product(mine, range(c.seeds)):
                places = [i for i, m in enumerate(models) if (m.cell, m.seed) == (cell, seed)]
                best = min(places, key=lambda i: short["curves"][i, -1, 0])  # by validation loss
                self.made["trained_pca", cell, seed] = short["codes"][best]

    def _add(self, models: list[Model], done: dict[str, Tensor]) -> None:
        grid, before = self.grid, self.config.before(models[0].arm)
        marks = np.array(stacked.spaced(self.config.steps - before)) + before
        grid.models += models
        grid.curves += list(done["curves"].numpy())
        grid.marks += [marks] * len(models)
        grid.matrices |= dict(zip([m for m in models if self._sampled(m)], done["matrices"].numpy(), strict=True))

    def _train(self, models: list[Model], steps: int) -> dict[str, Tensor]:
        """Curves (N, T, 2), the matrices of the sampled models, and for full-width models the codes (N, V, D)."""
        parts = []
        for part in self._chunks(models):
            name = files.digest(repr((self.config, part, steps)))[7:31]
            compute = lambda part=part: self._train_chunk(part, steps)
            parts.append(checkpoints.once(self.work / f"{name}.safetensors", compute) if self.work else compute())
        return {k: torch.cat([p[k] for p in parts]) for k in parts[0]}

    def _chunks(self, models: list[Model]) -> Iterator[list[Model]]:
        return stacked.chunked(models, 60 * 4 * self.config.vocab**2, self.config.device, "training the stack")

    def _train_chunk(self, part: list[Model], steps: int) -> dict[str, Tensor]:
        c, data, readout = self.config, self.data, part[0].cell.partition("/")[2]
        params = {k: v.to(c.device) for k, v in stacked.pile([self._start(m) for m in part]).items()}
        index = torch.tensor([data.index(m) for m in part])
        rate = torch.tensor([m.rate for m in part], device=c.device)
        learn = torch.tensor([float(ARMS[m.arm][1]) for m in part], device=c.device)
        held = [data.tables[k][index].to(c.device) for k in ("validation", "test")]  # (M, V, V) each
        marks, before = stacked.spaced(steps), c.before(part[0].arm)
        curve: list[Tensor] = []

        def probe(p):
            logits = networks.forward(p, readout)
            curve.append(torch.stack([networks.cross_entropy(logits, table) for table in held], 1).cpu())  # (M, 2)
            if self.live:
                self.live(before + marks[len(curve) - 1], _by_arm(part, curve[-1][:, 0]))

        if fused.takes(params, readout):
            tables = data.tables["train"].to(c.device)
            fused.fit(params, readout, tables, index, lr=rate, steps=steps, learn=learn, log=marks, probe=probe)
        else:
            table = data.tables["train"][index].to(c.device)
            loss = lambda p, t: networks.cross_entropy(networks.forward(p, readout), table)
            stacked.fit(params, loss, lr=rate, steps=steps, learn={"code": learn}, log=marks, probe=probe)
        sampled = [i for i, m in enumerate(part) if self._sampled(m)]
        with torch.no_grad():
            matrices = torch.softmax(networks.forward(params, readout)[sampled], -1).cpu()
        out = {"curves": torch.stack(curve, 1), "matrices": matrices}
        return out | ({"codes": params["code"].cpu()} if part[0].arm == "full" else {})

    def _start(self, m: Model) -> dict[str, Tensor]:
        c, readout = self.config, m.cell.partition("/")[2]
        up = c.full if m.arm == "factorised" else 0
        start = dict(networks.one(readout, c.vocab, m.d, c.hidden_of(readout, m.arm), m.seed, up))
        given = self.code(m)
        return start if given is None else start | {"code": given}

    def _sampled(self, m: Model) -> bool:
        return m.arm == "full" or (m.arm in ("learned", "seed_ae", "trained_pca") and m.d == self.config.code)


def _by_arm(part: list[Model], losses: Tensor) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for m, loss in zip(part, losses.tolist(), strict=True):
        found.setdefault(m.arm, []).append(loss)
    return {arm: float(np.mean(values)) for arm, values in found.items()}
