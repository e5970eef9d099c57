"""Small transformers on any stream of tokens: the rule task, a text, a genome; with attention, and some without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from helpers import stacked
from helpers.encoding import attention, tasks
from helpers.encoding.config import Reading, Rules
from helpers.encoding.grid import Grid, Live, Model
from helpers.work import Work

MEMORY = {"cpu": 400 * 2**20, "cuda": 24 * 2**30}  # bytes of logits and their gradients in one stack
SIGHT = {True: "attention", False: "blind"}


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

    def __init__(
        self, config: Reading, stream: Stream, device: str = "cpu", work: Work | None = None, live: Live | None = None
    ):
        super().__init__(config, stream.vocab, config.stream, stream.untrained, device, work or Work(None), live)
        self.stream, self.shape, self.key = stream, config.shape(stream.vocab), stream.name
        # six copies of the logits and of four hidden layers
        self.bytes_each = 24 * config.batch * self.shape.length * (stream.vocab + 4 * self.shape.hidden)
        self.most = max(1, MEMORY["cuda" if device.startswith("cuda") else "cpu"] // self.bytes_each)

    def full_width(self) -> list[list[Model]]:
        c = self.config
        sights = [True, False] if "full" in c.blind else [True]
        return [[Model(SIGHT[a], "full", c.stream, s, r) for a, s, r in product(sights, range(c.seeds), c.rates)]]

    def narrow(self) -> list[list[Model]]:
        c, found = self.config, {False: [], True: []}
        for sight, arms, widths in (("attention", c.arms, c.widths), ("blind", c.blind, (c.code,))):
            for arm, d, seed, rate in product([a for a in arms if a != "full"], widths, range(c.seeds), c.rates):
                found[bool(c.before(arm))].append(Model(sight, arm, d, seed, rate))
        return [models for models in found.values() if models]

    def origin(self, cell: str) -> str:
        return "attention"

    def start(self, model: Model) -> dict[str, Tensor]:
        return dict(attention.one(self.shape, model.d, model.seed))

    def fit(
        self, models: list[Model], params: stacked.Params, see: Callable[[Tensor], None], **how
    ) -> dict[str, Tensor]:
        stream, shape = self.stream, self.shape
        seeds = torch.tensor([m.seed for m in models], device=self.device)
        attend = torch.tensor([float(m.cell == "attention") for m in models], device=self.device)
        held = [stream.held[split].to(self.device) for split in ("validation", "test")]

        def mean_loss(p, tokens):
            parts = [
                attention.losses(p, shape, t[seeds], attend, stream.start) * t.shape[1] for t in tokens.split(32, 1)
            ]
            return sum(parts) / tokens.shape[1]

        def loss(p, t):
            return attention.losses(p, shape, stream.draw(t)[seeds], attend, stream.start)

        with _tensor_cores():
            probe = lambda p: see(torch.stack([mean_loss(p, tokens) for tokens in held], 1))
            stacked.fit(params, loss, probe=probe, **how)
        return {"codes": params["code"] @ params["up"]} if models[0].arm == "full" else {}


@contextmanager
def _tensor_cores() -> Iterator[None]:
    """TF32 products on a GPU: ten bits of mantissa are enough for a stochastic gradient, and several times faster."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
