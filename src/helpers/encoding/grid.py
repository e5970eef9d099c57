"""Arms × widths × seeds × learning rates in stages, many models at once: full width first, since a fair stage one
compresses it, then the codes that are made before the task is seen, then every narrow model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, fields
from functools import cached_property, partial
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from helpers import stacked
from helpers.encoding import codes
from helpers.encoding.config import ARMS, Training
from helpers.work import Work

Live = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, order=True)
class Model:
    """One model of a grid. cell: 'source/read-out' of a chain; 'attention' or 'blind' of a transformer."""

    cell: str
    arm: str
    d: int
    seed: int
    rate: float


COLUMNS = [f.name for f in fields(Model)]


class Grid(ABC):
    """What two studies share. They say which models there are, in groups of one shape and one number of steps, and how
    one group is trained; finished pieces are kept in `work`, so that an interrupted run goes on.

    vocab: V. full: width of the models that stage one compresses. untrained: width of the random vectors of the published
    autoencoder. explained: share of their variance that its code keeps, by (kind, d, seed).
    """

    def __init__(
        self, config: Training, vocab: int, full: int, untrained: int, device: str, work: Work, live: Live | None
    ):
        self.config, self.vocab, self.full, self.untrained = config, vocab, full, untrained
        self.device, self.work, self.live = device, work, live
        self.explained: dict[tuple[str, int, int], float] = {}
        self._compressed: dict[str, dict[tuple[int, int], Tensor]] = {}

    key: object  # what tells this grid's data from others', beside the config
    bytes_each: int  # of one model in training
    most: int | None = None  # models in a stack; None takes what the device does fastest
    looks = 24  # moments at which losses are taken

    @abstractmethod
    def full_width(self) -> list[list[Model]]:
        """The full-width models, by stack."""

    @abstractmethod
    def narrow(self) -> list[list[Model]]:
        """All others, by stack."""

    @abstractmethod
    def fit(
        self, models: list[Model], steps: int, marks: list[int], see: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """Train one stack. At every mark `see` wants (M, 2) validation and test losses. Returns what is kept of the models,
        of full-width ones also 'codes': their embeddings (M, V, D).
        """

    def run(self) -> pd.DataFrame:
        """Everything. A row a model and mark: cell, arm, d, seed, rate, step (stage one's counted), validation, loss."""
        c, found = self.config, []
        for models in [*self.full_width(), *self.narrow()]:
            steps = c.steps - c.before(models[0].arm)
            done = self.train(models, steps)
            self.keep(models, done)
            marks = np.array(stacked.spaced(steps, self.looks)) + c.before(models[0].arm)
            for model, curve in zip(models, done["curves"].tolist(), strict=True):
                known = dict(zip(COLUMNS, astuple(model), strict=True))
                found += [
                    known | {"step": step, "validation": held, "loss": loss}
                    for step, (held, loss) in zip(marks.tolist(), curve, strict=True)
                ]
        return pd.DataFrame(found)

    def keep(self, models: list[Model], done: Mapping[str, Tensor]) -> None:  # noqa: B027  (most grids need none)
        """Take from trained models what is needed beyond their curves."""

    def code(self, model: Model) -> Tensor | None:
        """The code (V, d) that a model starts from, or None where it is learned from scratch."""
        kind, d, seed = ARMS[model.arm][0], model.d, model.seed
        if not kind:
            return None
        if kind == "random":
            return codes.standardised(codes.random(self.vocab, d, seed))
        if kind == "trained_pca":
            return codes.standardised(codes.principal(self._embeddings[self.origin(model.cell), seed], d))
        if kind not in self._compressed:
            self._compressed[kind] = self._compress(kind)
        return codes.standardised(self._compressed[kind][d, seed])

    def origin(self, cell: str) -> str:
        """The cell whose full-width model is compressed for a cell's fair two-stage arm."""
        return cell

    def train(self, models: list[Model], steps: int) -> dict[str, Tensor]:
        """What `fit` gives, and 'curves' (N, marks, 2), stack by stack."""
        parts = []
        what = "training the models side by side"
        for part in stacked.chunked(models, self.bytes_each, self.device, what, most=self.most):
            key = type(self).__name__, self.config, self.key, self.device, part, steps
            parts.append(self.work.tensors(key, partial(self._stack, part, steps)))
        return {k: torch.cat([p[k] for p in parts]) for k in parts[0]}

    def _stack(self, part: list[Model], steps: int) -> dict[str, Tensor]:
        marks, before, curve = stacked.spaced(steps, self.looks), self.config.before(part[0].arm), []

        def see(losses: Tensor) -> None:
            curve.append(losses.cpu())
            if self.live and before + steps == self.config.steps:  # a full-width model cut short is no arm
                self.live(before + marks[len(curve) - 1], _by_arm(part, curve[-1][:, 0]))

        codes_given = [self.code(m) for m in part]
        starts = [self.start(m) | ({} if c is None else {"code": c}) for m, c in zip(part, codes_given, strict=True)]
        params = {k: v.to(self.device) for k, v in stacked.pile(starts).items()}
        learn = torch.tensor([float(ARMS[m.arm][1]) for m in part], device=self.device)
        rate = torch.tensor([m.rate for m in part], device=self.device)
        kept = self.fit(part, params, see, lr=rate, steps=steps, learn={"code": learn}, log=marks)
        return {"curves": torch.stack(curve, 1)} | {k: v.cpu() for k, v in kept.items()}

    @cached_property
    def _embeddings(self) -> dict[tuple[str, int], Tensor]:
        """(V, D) of full-width models with stage one's share of the budget, the learning rate by validation loss."""
        best: dict[tuple[str, int], tuple[float, Tensor]] = {}
        for models in self.full_width():
            done = self.train(models, self.config.first)
            for model, score, code in zip(models, done["curves"][:, -1, 0].tolist(), done["codes"], strict=True):
                place = model.cell, model.seed
                if place not in best or score < best[place][0]:
                    best[place] = score, code
        return {place: code for place, (_, code) in best.items()}

    def _compress(self, kind: str) -> dict[tuple[int, int], Tensor]:
        """Codes by (d, seed) that never see the task: of the published autoencoder, or of the one-hot one."""
        c, pairs = self.config, list(product(self.config.widths, range(self.config.seeds)))
        widths, seeds = zip(*pairs, strict=True)
        if kind == "onehot_ae":
            made = codes.onehot_autoencoder(self.vocab, widths, seeds, c.first, self.device)
        else:
            x = torch.stack([codes.vectors(self.vocab, self.untrained, s) for s in seeds])  # (M, V, D)
            relu = kind == "seed_ae_relu"
            made, explained = codes.autoencoder(x, widths, seeds, c.first, relu=relu, device=self.device)
            self.explained |= {(kind, *pair): e for pair, e in zip(pairs, explained.tolist(), strict=True)}
        return dict(zip(pairs, made, strict=True))


def _by_arm(part: list[Model], losses: Tensor) -> dict[str, float]:
    return pd.Series(losses.tolist(), index=[m.arm for m in part]).groupby(level=0, sort=False).mean().to_dict()
