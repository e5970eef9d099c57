"""Small transformers on any stream of tokens: the rule task, a text, a genome; with attention, and some without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.encoding import attention, tasks
from helpers.encoding.config import WHOLE, Reading, Rules
from helpers.encoding.grid import Grid, Model, See
from helpers.stacked import Params
from helpers.work import Work

AGAIN = 1000  # what the seed of another start lies away
MEMORY = {"cpu": 400 * 2**20, "cuda": 24 * 2**30}  # bytes of logits and their gradients in one stack


@dataclass(frozen=True)
class Stream:
    """Where tokens come from. name: tells one stream from another when finished work is read back; vocab: V.

    draw(step) -> (S, B, T + 1) training tokens, step a 0-d tensor; held: split -> (S, N, T + 1). start: the first position
    whose next token counts. untrained: the width of the random vectors of the published autoencoder.
    """

    name: str
    vocab: int
    draw: Callable[[Tensor], Tensor]
    held: Mapping[str, Tensor]
    untrained: int
    start: int = 0


def rule_stream(rules: Rules, device: str = "cpu") -> Stream:
    """Scenario 2 as a stream: every training sequence is seen once."""
    sizes = {"train": rules.batch * rules.steps, "validation": rules.held, "test": rules.held}
    drawn = {k: torch.stack([tasks.sequences(rules, n, k, s) for s in range(rules.seeds)]) for k, n in sizes.items()}
    train, window = drawn.pop("train").to(device), torch.arange(rules.batch, device=device)  # (S, steps · B, T + 1)
    draw = lambda step: train.index_select(1, step * rules.batch + window)
    return Stream("rules", rules.vocab, draw, drawn, rules.untrained, start=1)


class ReaderGrid(Grid):
    """All models of a `Rules` or a `Limits` on one stream."""

    looks = 12

    def __init__(self, config: Reading, stream: Stream, device: str = "cpu", work: Work | None = None):
        super().__init__(config, device, work)
        self.vocab, self.full, self.untrained = stream.vocab, config.stream, stream.untrained
        self.stream, self.key = stream, stream.name
        # six copies of the logits and of four hidden layers
        self.bytes_each = 24 * config.batch * config.length * (stream.vocab + 16 * config.stream)
        self.most = max(1, MEMORY["cuda" if self.device.startswith("cuda") else "cpu"] // self.bytes_each)

    def models(self) -> Iterator[Model]:
        c = self.config
        for sight, arms, widths in (("attention", ("full", *c.arms), c.widths), ("blind", c.blind, (c.code,))):
            for arm in dict.fromkeys(arms):
                for d in (c.stream,) if arm in WHOLE else widths:
                    yield from (Model(sight, arm, d, *rest) for rest in product(range(c.seeds), c.rates_at(arm, d)))

    def stack(self, model: Model) -> int:
        return self.config.before(model.arm)

    def origin(self, cell: str) -> str:
        return "attention"

    def start(self, model: Model) -> dict[str, Tensor]:
        start = model.seed + AGAIN * (model.arm == "again")
        return dict(attention.one(self.config, self.vocab, model.d, start))

    def fit(self, models: list[Model], params: Params, see: See, **how) -> dict[str, Tensor]:
        stream = self.stream
        seeds = torch.tensor([m.seed for m in models], device=self.device)
        attend = torch.tensor([float(m.cell == "attention") for m in models], device=self.device)
        held = [stream.held[split].to(self.device) for split in ("validation", "test")]

        losses = lambda p, tokens: attention.losses(p, self.config, tokens[seeds], attend, stream.start)

        def mean_loss(p, tokens):
            return sum(losses(p, t) * t.shape[1] for t in tokens.split(32, 1)) / tokens.shape[1]

        with devices.tf32():
            probe = lambda p: see(torch.stack([mean_loss(p, tokens) for tokens in held], 1))
            stacked.fit(params, lambda p, t: losses(p, stream.draw(t)), probe=probe, **how)
        return {"codes": params["code"] @ params["up"]} if models[0].arm == "full" else {}
