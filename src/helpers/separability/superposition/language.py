"""Stories that cannot be told without heads, and models that learn to tell them: all seeds as one stack."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.separability import models
from helpers.separability.models import Architecture
from helpers.separability.superposition.config import Census
from helpers.separability.superposition.views import Stacked
from helpers.stacked import Params
from helpers.storyteller import grammar
from helpers.work import Work


def architecture(config: Census) -> Architecture:
    each = config.width // config.heads
    return Architecture(
        len(grammar.WORDS), config.length, config.width, config.heads, each, config.hidden, config.layers
    )


def stories(config: Census, split: str) -> Tensor:
    """(N, T + 1) tokens of the storyteller's grammar, the training ones or those that no training uses."""
    count = config.stories if split == "train" else config.held
    return torch.from_numpy(grammar.corpus(count, 0, length=config.length + 1, split=split))


def learned(config: Census, device: str = "cpu", work: Work | None = None) -> Stacked:
    """A stack of models, one a seed: a seed draws the start and the order of the stories."""
    arch = architecture(config)
    make = lambda: fit(config, arch, device)
    params = (work or Work(None)).tensors(("language", config, device), make)
    return Stacked({k: v.to(device) for k, v in params.items()}, arch)


def fit(config: Census, arch: Architecture, device: str) -> Params:
    """Adam with a rate that rises for a twentieth of the steps and then falls to nothing."""
    each = 60 * config.batch * config.length * (arch.vocab + config.layers * (4 * config.width + config.hidden))
    devices.need_memory(config.seeds * each, device, f"{config.seeds} models of the stories")
    params = {k: v.to(device) for k, v in stacked.pile([models.one(arch, s) for s in range(config.seeds)]).items()}
    text = stories(config, "train").to(device)
    orders = [
        devices.numpy_rng("stories", s).integers(0, len(text), config.steps * config.batch) for s in range(config.seeds)
    ]
    order = torch.from_numpy(np.stack(orders)).view(config.seeds, config.steps, config.batch).to(device)
    rise = max(1, config.steps // 20)

    def loss(p: Params, clock: Tensor) -> Tensor:
        batch = text[order.index_select(1, clock.view(1)).squeeze(1)]  # (M, B, T + 1)
        logits = models.forward(p, batch[..., :-1], arch)
        return surprise(logits, batch[..., 1:])

    rate = lambda age: (
        config.rate * torch.minimum((age + 1) / rise, (config.steps - age) / (config.steps - rise + 1)).clamp(max=1)
    )
    with devices.tf32():  # enough for a stochastic gradient
        stacked.fit(params, loss, lr=rate, steps=config.steps, clip=1.0)
    return params


def surprise(logits: Tensor, targets: Tensor) -> Tensor:
    """(M, B, T, V), (M, B, T) -> (M,): mean nats a token."""
    return (logits.logsumexp(-1) - logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)).mean((1, 2))
