"""Arms × widths × seeds × learning rates in stages, many models at once: full width first, since a fair stage one
compresses it, then the codes that are made before the task is seen, then every narrow model.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from functools import cached_property, partial
from itertools import product

import pandas as pd
import torch
from torch import Tensor

from helpers import stacked
from helpers.encoding import codes
from helpers.encoding.config import ARMS, Training
from helpers.work import Work

Live = Callable[[int, Mapping[str, float]], None]
See = Callable[[Tensor], None]


@dataclass(frozen=True, order=True)
class Model:
    """One model of a grid. cell: 'source/read-out' of a chain; 'attention' or 'blind' of a transformer. strength: of the
    penalty on its code, where there is one."""

    cell: str
    arm: str
    d: int
    seed: int
    rate: float
    strength: float = 0.0


COLUMNS = [f.name for f in fields(Model)]


class Grid:
    """What two studies share; finished stacks are kept in `work`, so that an interrupted run goes on. A study says

    models() in order; stack(model), equal for those that are trained side by side; start(model), its first parameters;
    fit(models, params, see, **how), which trains one stack as `stacked.fit` does, gives `see` (M, 2) validation and test
    losses at every mark, and returns what is kept of the models, of full-width ones also 'codes' (M, V, D);
    vocab, V; full, the width of the models that stage one compresses; untrained, that of the random vectors of the published
    autoencoder; bytes_each of one model in training; key, which tells its data from others'.
    """

    vocab: int
    full: int
    untrained: int
    bytes_each: int
    key: object = None
    most: int | None = None  # models in a stack; None takes what the device does fastest
    looks = 24  # moments at which losses are taken

    def __init__(self, config: Training, device: str = "cpu", work: Work | None = None):
        self.config, self.device, self.work, self.live = config, device, work or Work(None), None
        self.explained: dict[
            tuple[str, int, int], float
        ] = {}  # by (kind, d, seed): share of the vectors' variance kept
        self._compressed: dict[str, dict[tuple[int, int], Tensor]] = {}

    def run(self, live: Live | None = None, progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
        """Everything. A row a model and mark: cell, arm, d, seed, rate, step (stage one's counted), validation, loss.

        live(step, {arm: mean validation loss}) is told every mark, progress(done, of) every finished stack.
        """
        self.live, stacks, found = live, self._stacks(self.models()), []
        for i, models in enumerate(stacks):
            before, steps = self.config.before(models[0].arm), self.config.task(models[0].arm)
            done = self.train(models, steps)
            self.keep(models, done)
            for model, curve in zip(models, done["curves"].tolist(), strict=True):
                for step, (held, loss) in zip(stacked.spaced(steps, self.looks), curve, strict=True):
                    found.append((*astuple(model), before + step, held, loss))
            if progress:
                progress(i + 1, len(stacks))
        return pd.DataFrame(found, columns=[*COLUMNS, "step", "validation", "loss"])

    def keep(self, models: list[Model], done: Mapping[str, Tensor]) -> None:
        """Take from trained models what is needed beyond their curves: nothing, in most grids."""

    def origin(self, cell: str) -> str:
        """The cell whose full-width model is compressed for a cell's fair two-stage arm."""
        return cell

    def code(self, model: Model) -> Tensor | None:
        """The code (V, d) that a model starts from, or None where it is learned from scratch."""
        kind = ARMS[model.arm][0]
        return codes.standardised(self.made(kind, model)) if kind else None

    def made(self, kind: str, model: Model) -> Tensor:
        """The code (V, d) of a kind that is made before the task is seen, or from the full-width model."""
        if kind == "random":
            return codes.random(self.vocab, model.d, model.seed)
        if kind == "trained_pca":
            return codes.principal(self._embeddings[self.origin(model.cell), model.seed], model.d)
        if kind not in self._compressed:
            self._compressed[kind] = self._compress(kind)
        return self._compressed[kind][model.d, model.seed]

    def train(self, models: list[Model], steps: int) -> dict[str, Tensor]:
        """What `fit` gives, and 'curves' (N, marks, 2), chunk by chunk."""
        parts, what = [], "training the models side by side"
        for part in stacked.chunked(models, self.bytes_each, self.device, what, most=self.most):
            key = type(self).__name__, self.config, self.key, self.device, part, steps
            parts.append(self.work.tensors(key, partial(self._train, part, steps)))
        return {k: torch.cat([p[k] for p in parts]) for k in parts[0]}

    def _stacks(self, models: Iterable[Model]) -> list[list[Model]]:
        found: dict[Hashable, list[Model]] = {}
        for model in sorted(models, key=lambda m: m.arm != "full"):
            found.setdefault((model.arm == "full", self.stack(model)), []).append(model)
        return [sorted(stack) for stack in found.values()]

    def _train(self, part: list[Model], steps: int) -> dict[str, Tensor]:
        marks, before, curve = stacked.spaced(steps, self.looks), self.config.before(part[0].arm), []
        arms = [m.arm for m in part]

        def see(losses: Tensor) -> None:
            curve.append(losses.cpu())
            if self.live and steps == self.config.task(arms[0]):  # a full-width model cut short is no arm
                means = pd.Series(curve[-1][:, 0].tolist(), arms).groupby(level=0, sort=False).mean()
                self.live(before + marks[len(curve) - 1], means.to_dict())

        given = [self.code(m) for m in part]
        starts = [self.start(m) | ({} if c is None else {"code": c}) for m, c in zip(part, given, strict=True)]
        params = {k: v.to(self.device) for k, v in stacked.pile(starts).items()}
        learn = torch.tensor([float(ARMS[arm][1]) for arm in arms], device=self.device)
        rate = torch.tensor([m.rate for m in part], device=self.device)
        kept = self.fit(part, params, see, lr=rate, steps=steps, learn={"code": learn}, log=marks)
        return {"curves": torch.stack(curve, 1)} | {k: v.cpu() for k, v in kept.items()}

    @cached_property
    def _embeddings(self) -> dict[tuple[str, int], Tensor]:
        """(V, D) of full-width models with stage one's share of the budget, the learning rate by validation loss."""
        best: dict[tuple[str, int], tuple[float, Tensor]] = {}
        for models in self._stacks(m for m in self.models() if m.arm == "full"):
            done = self.train(models, self.config.first)
            for model, score, code in zip(models, done["curves"][:, -1, 0].tolist(), done["codes"], strict=True):
                place = model.cell, model.seed
                best[place] = min(best.get(place, (float("inf"), code)), (score, code), key=lambda pair: pair[0])
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
