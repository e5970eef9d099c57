"""What the experiments measure, one definition each. Axes before the named ones are free: a stack of models is measured
at once.

B prompts, T positions, d the stream's width, V tokens, H heads; Q query and K key positions. Ψ, G, A and σ² are the
document's letters; where it gives two glosses of one letter, both stand here under names of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

PLACES = (-3, -2)  # prompts and positions of a stream (…, B, T, d)


def psi_accuracy(logits: Tensor, targets: Tensor) -> Tensor:
    """Ψ: share of the places at which the largest logit is the target's. (…, B, T, V), (…, B, T) → (…)."""
    return (logits.argmax(-1) == targets).float().mean((-2, -1))


def psi_logit_diff(logits: Tensor, right: Tensor, wrong: Tensor) -> Tensor:
    """Ψ of a task with two answers: mean of log p(right) − log p(wrong), in nats, which is the difference of the two logits.

    (…, B, V) at the position of the answer, (B,) or (…, B) each → (…).
    """
    return (_at(logits, right) - _at(logits, wrong)).mean(-1)


def margin(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean of the target's logit less the largest other one: positive where the answer is right. (…, B, T, V) → (…)."""
    others = logits.scatter(-1, targets.expand(logits.shape[:-1])[..., None], -torch.inf)
    return (_at(logits, targets) - others.amax(-1)).mean((-2, -1))


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Jensen–Shannon divergence in bits (Lin 1991), from 0 for equal to 1 for disjoint distributions. (…, K) each → (…)."""
    middle = ((p + q) / 2).clamp_min(1e-38)
    part = lambda x: torch.special.xlogy(x, x / middle).sum(-1)
    return ((part(p) + part(q)) / (2 * torch.log(middle.new_tensor(2.0)))).clamp(0, 1)


def stability(now: Tensor, before: Tensor) -> Tensor:
    """G as "one less the drift of attention": 1 − mean divergence of each query's pattern from what it was, on the same
    probe.

    (…, B, H, Q, K) each → (…), from 0 to 1. The probe must be the same: otherwise other prompts pass for drift.
    """
    return 1 - divergence(now, before).mean((-3, -2, -1))


def plasticity(now: Tensor, before: Tensor) -> Tensor:
    """G as "routing still exploring": 1 − stability. The document gives both glosses, and they exclude each other."""
    return 1 - stability(now, before)


def A_learned(gain: Tensor) -> Tensor:
    """Mean gain of the last LayerNorm. It moves with the unembedding's scale: doubling one and halving the other changes
    no logit. (…, d) → (…)."""
    return gain.mean(-1)


def A_activation(stream: Tensor) -> Tensor:
    """Mean Euclidean norm of the stream's vectors at one site. (…, B, T, d) → (…)."""
    return stream.norm(dim=-1).mean((-2, -1))


def A_param(values: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the Frobenius norm of the value projection. A (…, H, d, d_head) for each layer → (…)."""
    return torch.stack([w.flatten(-3).norm(dim=-1) for w in values]).sum(0)


def sigma_sq(stream: Tensor) -> Tensor:
    """The document's σ², as its code has it: the mean over tokens of the spread over features, squared. Where a token's
    features have mean zero this is A²/d, one number with two names. (…, B, T, d) → (…)."""
    return stream.std(-1, correction=0).mean((-2, -1)).square()


def variance(stream: Tensor) -> Tensor:
    """Variance of the stream about its mean vector over prompts and positions, a coordinate, which is what the document's
    text calls σ². (…, B, T, d) → (…)."""
    return stream.var(PLACES, correction=0).mean(-1)


def mean_share(stream: Tensor) -> Tensor:
    """Share of the mean vector in the stream's mean squared norm, ‖μ‖²/E‖r‖². (…, B, T, d) → (…), from 0 to 1."""
    return stream.mean(PLACES).square().sum(-1) / stream.square().sum(-1).mean((-2, -1))


def _at(logits: Tensor, token: Tensor) -> Tensor:
    """The logits of one token a place. (…, V), (…) → (…)."""
    return logits.gather(-1, token.expand(logits.shape[:-1])[..., None])[..., 0]
