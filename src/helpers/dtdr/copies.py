"""Copies of a small model whose parameters lie stacked: each takes a damage of its own, and one pass measures all of them.

A small model is done with a kernel sooner than the next is launched. So the copies share every launch: the model is called once
over stacked parameters (`torch.func.functional_call` under `vmap`), which a GPU records as one graph.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from helpers import devices, graphs
from helpers.codec import Encoded
from helpers.dtdr.codes import Codes
from helpers.dtdr.weights import Weights
from helpers.lm import scoring

if TYPE_CHECKING:
    from helpers.dtdr.damage import Damage
    from helpers.dtdr.subject import Subject

MOST = 24  # copies
LARGE = 1 << 28  # parameters from which on a model keeps a GPU busy by itself


def room(subject: Subject) -> int:
    """How many copies serve a subject: none on a CPU, which has no launches to save, nor for a large model or many texts."""
    parameters = list(subject.model.parameters())
    if len({p.device for p in parameters}) != 1 or not parameters[0].is_cuda:
        return 0
    size, weights = sum(p.numel() for p in parameters), sum(p.nbytes for p in parameters)
    logits, config = subject.tokens.numel() * subject.model.config.vocab_size, subject.model.config
    attention = subject.tokens.numel() * subject.tokens.shape[1] * int(getattr(config, "num_attention_heads", 1) or 1)
    free = devices.free_memory(str(parameters[0].device)) // 4 // (weights + 24 * logits + 12 * attention)
    count = min(MOST, scoring.LOGITS // logits, free)
    return int(count) if size < LARGE and count > 1 else 0


class _Shared(Codes):
    """Codes of the subject, decoded into the matrices of one copy."""

    def __init__(self, codes: Codes, weights: Weights):
        self._of = codes
        super().__init__(weights, codes.priors, codes.cap)

    def encoded(self, domain: str) -> dict[str, Encoded]:
        found = self._of.encoded(domain)
        if found is not self._encoded:
            self.clear()
            self._encoded = found
        return found

    def prior(self, domain: str, name: str) -> dict[str, Encoded]:
        return self._of.prior(domain, name)


class Slot:
    """What a damage is applied to: one copy's matrices, and the codes that they are decoded from."""

    def __init__(self, weights: Weights, codes: Codes):
        self.weights, self.codes = weights, codes


class Copies:
    """`count` copies of a subject's model, their parameters stacked. reference: log-probabilities of the whole model."""

    def __init__(self, subject: Subject, count: int, reference: Tensor):
        self.model, self.tokens, self.reference = subject.model, subject.tokens, reference
        self.params = {name: p.detach().expand(count, *p.shape).clone() for name, p in subject.model.named_parameters()}
        self.each = []
        for i in range(count):
            own = copy.deepcopy(subject.model)
            for name, p in own.named_parameters():
                p.data = self.params[name][i]
            weights = Weights(own, subject.whole)
            self.each.append(Slot(weights, _Shared(subject.codes, weights)))
        self._sums = torch.zeros(count, len(scoring.MEASURED), dtype=torch.float64, device=self.tokens.device)
        self._step = graphs.recorded(self._pass, [self._sums])

    def clear(self) -> None:
        """Forget the codes."""
        for slot in self.each:
            slot.codes.clear()

    @torch.no_grad()
    def measure(self, damage: Damage, jobs: Sequence[tuple[int, float]]) -> list[dict[str, float]]:
        """What `Subject.measure` and `Weights.cosine` give for each (seed, level), as many at a time as there are copies."""
        found = []
        for first in range(0, len(jobs), len(self.each)):
            part = jobs[first : first + len(self.each)]
            used, products = self.each[: len(part)], []
            for slot, (seed, level) in zip(used, part, strict=True):
                damage.check(level)
                damage.apply(slot, level, seed)
                products.append(slot.weights.products())
            self._step()
            means = (self._sums[: len(part)] / self.tokens[:, 1:].numel()).tolist()
            for slot, both, own in zip(used, torch.stack(products).tolist(), means, strict=True):
                found.append({"cosine": slot.weights.cosine_of(*both)} | dict(zip(scoring.MEASURED, own, strict=True)))
        return found

    @torch.no_grad()
    def _pass(self) -> None:
        """One call of all copies: sums of what is measured, into one place."""
        call = lambda params: (
            functional_call(self.model, params, kwargs={"input_ids": self.tokens, "use_cache": False}).logits
        )
        with sdpa_kernel(SDPBackend.MATH):  # fused attention knows no stacked models, or not while it is recorded
            logits = vmap(call)(self.params)[:, :, :-1].float()  # (copies, N, T-1, V)
        self._sums.copy_(torch.stack([scoring.sums_of(own, self.tokens, self.reference) for own in logits]))
