"""Models of several arms and seeds side by side: what they learn from, how each of them decays, and what is seen of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import torch
from torch import Tensor

from helpers import stacked
from helpers.separability import metrics
from helpers.separability.grokking import data, fourier, fused, models
from helpers.separability.grokking.config import ARMS, MEMORISED, Addition
from helpers.stacked import Params

COLUMNS = (
    "train",
    "train_loss",
    "psi_accuracy",
    "loss",
    "A_param",
    "theta",
    "A_activation",
    "variance",
    "gini",
    "G_stability",
)
Cell = tuple[str, int]  # an arm, and a seed


class Stack:
    """`cells` are (arm, seed). All models of a seed share their start and their split.

    `loss` and `decay` are for `stacked.fit`. Where arms are watched, the loss keeps two tensors: `memorised` (M,), one from the
    step on at which a model's training accuracy reached MEMORISED, and `kept` (M,), the norm of all parameters at that step.
    """

    def __init__(self, config: Addition, cells: Sequence[Cell], device: str):
        self.config, self.cells, self.device = config, list(cells), device
        self.arms = [ARMS[name] for name, _ in cells]
        splits = {seed: data.unordered(config.p, config.trained, seed) for _, seed in cells}
        trained, held = (torch.stack([torch.tensor(splits[seed][i].copy()) for _, seed in cells]) for i in (0, 1))
        self.pairs = fused.pairs(trained.to(device), config.p) if fused.fits(config, device) else None
        self.trained = models.batch(trained, config.p, device, torch.float32 if self.pairs is None else None)
        self.held, self.probe = (models.batch(x, config.p, device, None) for x in (held, held[:, : config.probe]))
        self.params = {
            k: v.to(device) for k, v in stacked.pile([models.one(config, seed) for _, seed in cells]).items()
        }
        self.half = config.products == "bf16"
        flags = lambda of: torch.tensor([float(of(arm)) for arm in self.arms], device=device)
        self.projected, self.off = flags(lambda arm: arm.projected), flags(lambda arm: arm.off)
        self.memorised, self.kept = flags(lambda arm: 0), flags(lambda arm: 0)
        self.watched = any(arm.watched for arm in self.arms)

    def loss(self, params: Params, clock: Tensor) -> Tensor:
        """(M,) mean cross entropy of the training pairs, nats."""
        norm = self._project(params) if self.watched else None
        if self.pairs is None:
            losses, correct = models.surprise(self._logits(params, self.trained), self.trained.sums)
        else:
            losses, correct = fused.surprise(params, self.pairs, self.config.heads)
        if norm is not None:
            with torch.no_grad():
                new = (correct >= MEMORISED) & (self.memorised == 0)
                self.kept.copy_(torch.where(new, norm, self.kept))
                self.memorised.copy_(torch.where(new, torch.ones_like(norm), self.memorised))
        return losses

    @property
    def decay(self) -> dict[str, Tensor | Callable[[Tensor], Tensor]]:
        """Decay by parameter, a value a model; of watched arms as it changes."""
        return {name: self._decay(name) for name in self.params}

    def _decay(self, name: str) -> Tensor | Callable[[Tensor], Tensor]:
        decays = lambda arm: not arm.only or (arm.only == "W_V") == (name == "W_V")
        base = torch.tensor([arm.decay if decays(arm) else 0.0 for arm in self.arms], device=self.device)
        return (lambda age: base * (1 - self.off * self.memorised)) if self.watched else base

    def _project(self, params: Params) -> Tensor:
        """Bring the projected models back to the norm that they keep. Returns the norm (M,) of each before that."""
        with torch.no_grad():
            norm = length(params)
            back = torch.where((self.projected * self.memorised) > 0, self.kept / norm, torch.ones_like(norm))
            for p in params.values():
                p.mul_(back.view(-1, *[1] * (p.dim() - 1)))
        return norm

    def _logits(self, params: Params, of: models.Batch) -> Tensor:
        return models.logits(params, of, self.config.heads, self.half)


class Watch:
    """What is seen of a stack at every measured step: `__call__` is the probe of `stacked.fit` and gives (M, columns).

    G compares attention on the held-out probe with what it was `lag` steps before; where nothing is that old, it has no value.
    snapshots: {step: parameters of the rows `looked`, on the CPU} at the steps of `looks`. began: when; seconds: from
    then to each measurement.
    """

    def __init__(self, stack: Stack, steps: Sequence[int], looked: Sequence[int], tell: Callable[[int, Tensor], None]):
        config = stack.config
        self.stack, self.steps, self.tell, self.looked = stack, iter(steps), tell, list(looked)
        self.before: deque[Tensor] = deque(maxlen=config.lag // config.every + 1)
        nearest = lambda step: min(steps, key=lambda s: abs(s - step))
        self.looks = {nearest(step) for step in stacked.spaced(config.steps, config.looks)}
        self.snapshots: dict[int, Params] = {}
        self.began, self.seconds = datetime.now(UTC).isoformat(timespec="milliseconds"), []
        self._start = time.monotonic()

    def __call__(self, params: Params) -> Tensor:
        step, stack, heads = next(self.steps), self.stack, self.stack.config.heads
        seen = [
            x
            for of in (stack.trained, stack.held)
            for x in reversed(models.surprise(stack._logits(params, of), of.sums))
        ]
        stream = models.stream(params, stack.probe, heads)[:, :, None]  # (M, B, 1, d)
        seen += [metrics.A_param([params["W_V"][:, None]]), length(params), metrics.A_activation(stream)]
        seen += [metrics.variance(stream), fourier.gini(fourier.spectrum(params["W_E"][:, :-1]))]
        self.before.append(models.patterns(params, stack.probe, heads)[:, :, :, None])  # (M, B, H, 1, 3)
        whole = len(self.before) == self.before.maxlen
        g = metrics.stability(self.before[-1], self.before[0]) if whole else torch.full_like(seen[0], torch.nan)
        if step in self.looks and self.looked:
            self.snapshots[step] = {k: v.detach()[self.looked].cpu() for k, v in params.items()}
        out = torch.stack([*seen, g], 1).cpu()  # waits for the device
        self.seconds.append(time.monotonic() - self._start)
        self.tell(step, out)
        return out


def length(params: Params) -> Tensor:
    """(M,) norm of all parameters of a model together."""
    return torch.stack([v.square().flatten(1).sum(1) for v in params.values()]).sum(0).sqrt()
