"""Scenario 2, which the published code never ran: what follows depends on a token seen at the start.

A sequence opens with a rule token s. Then x(t+1) = (x(t) + s) mod m with probability 1 - noise, else uniform. Given x(t)
alone the next token is uniform, so a context-free model can do no better than ln m, whatever its code; with
attention the loss can fall to the entropy of the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from helpers import devices
from helpers.encoding import readers
from helpers.encoding.attention import Shape


@dataclass(frozen=True)
class Rules:
    """The task: m values and m rule tokens, so V = 2m; `length` tokens to read, the rule token first."""

    values: int = 10
    noise: float = 0.05
    length: int = 10
    held: int = 256

    def __post_init__(self):
        if self.values < 2 or not 0 < self.noise < 1 or self.length < 3:
            raise ValueError(
                f"values={self.values}, noise={self.noise}, length={self.length}: values ≥ 2, 0 < noise < 1, length ≥ 3"
            )

    @property
    def vocab(self) -> int:
        return 2 * self.values

    @property
    def bayes(self) -> float:
        """Entropy of the next token given the rule and the current token, nats."""
        m, e = self.values, self.noise
        right, wrong = 1 - e + e / m, e / m
        return -(right * math.log(right) + (m - 1) * wrong * math.log(wrong))

    @property
    def unigram(self) -> float:
        """Entropy of the next token given nothing, or the current token alone: ln m."""
        return math.log(self.values)

    def draw(self, count: int, *key: object) -> Tensor:
        """(count, length + 1) tokens: the rule as m + s, then values."""
        rng = devices.torch_rng("rules", self.values, self.length, *key)
        rule, x = torch.randint(self.values, (2, count), generator=rng)
        out = [rule + self.values, x]
        for _ in range(self.length - 1):
            uniform = torch.randint(self.values, (count,), generator=rng)
            x = torch.where(torch.rand(count, generator=rng) < self.noise, uniform, (x + rule) % self.values)
            out.append(x)
        return torch.stack(out, 1)


def run(
    task: Rules, config: readers.Config, shape: Shape, work: Path | None = None, live: readers.Live | None = None
) -> list[dict]:
    """Train transformers on the task. Rows of `readers.run`, with each loss also as excess over Bayes and as share."""
    if shape.vocab != task.vocab or shape.length < task.length:
        raise ValueError(f"shape {shape} does not fit the task: vocab {task.vocab}, length ≥ {task.length}")
    sizes = {"train": config.batch * config.steps, "validation": task.held, "test": task.held}
    drawn = {k: torch.stack([task.draw(n, k, s) for s in range(config.seeds)]) for k, n in sizes.items()}
    train = drawn.pop("train").to(config.device)  # (S, steps · B, T + 1): every sequence is seen once
    window = torch.arange(config.batch, device=config.device)
    draw = lambda step: train.index_select(1, step * config.batch + window)
    stream = readers.Stream(repr(task), shape, draw, drawn, start=1)
    rows = readers.run(config, stream, work, live)
    for row in rows:
        row["excess"] = row["loss"] - task.bayes
        row["share"] = (task.unigram - row["loss"]) / (task.unigram - task.bayes)
    return rows
