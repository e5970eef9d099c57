"""Every metric on an answer that is known, alone and on a stack of models."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from helpers import devices
from helpers.separability import metrics

RNG = devices.torch_rng("metrics")
STREAM = torch.randn(3, 5, 7, 8, generator=RNG) + torch.arange(3.0)[:, None, None, None]  # (M, B, T, d)


def patterns(*key):
    return torch.randn(3, 4, 2, 6, 6, generator=devices.torch_rng(key)).softmax(-1)  # (M, B, H, Q, K)


def test_accuracy_counts_places():
    logits = torch.tensor([[[[2.0, 1, 0], [0, 1, 2]]], [[[0.0, 1, 0], [0, 1, 2]]]])  # (M=2, B=1, T=2, V=3)
    assert metrics.psi_accuracy(logits, torch.tensor([[0, 2]])).tolist() == [1.0, 0.5]
    assert metrics.psi_accuracy(logits[0], torch.tensor([[1, 2]])).item() == 0.5


def test_logit_difference_is_that_of_log_probabilities():
    logits = torch.randn(2, 4, 6, generator=RNG)
    right, wrong = torch.tensor([0, 1, 2, 3]), torch.tensor([5, 4, 3, 2])
    log_p = logits.log_softmax(-1)
    hand = [[log_p[m, b, right[b]] - log_p[m, b, wrong[b]] for b in range(4)] for m in range(2)]
    assert metrics.psi_logit_diff(logits, right, wrong) == pytest.approx(torch.tensor(hand).mean(1), abs=1e-5)


def test_margin_is_signed():
    logits = torch.tensor([[[3.0, 1, 0]], [[0.0, 1, 5]]])  # (B=2, T=1, V=3)
    assert metrics.margin(logits, torch.tensor([[0], [1]])).item() == pytest.approx((2 - 4) / 2)


def test_divergence_is_the_square_of_scipys_distance_in_bits():
    p, q = (torch.randn(9, 5, generator=devices.torch_rng(k)).softmax(-1) for k in "pq")
    theirs = [jensenshannon(a, b, base=2) ** 2 for a, b in zip(p.numpy(), q.numpy(), strict=True)]
    assert metrics.divergence(p, q).numpy() == pytest.approx(np.array(theirs), abs=1e-5)
    ends = metrics.divergence(torch.tensor([[1.0, 0], [1, 0]]), torch.tensor([[0.0, 1], [1, 0]]))
    assert ends.tolist() == pytest.approx([1.0, 0.0])


def test_stability_is_one_for_the_same_and_zero_for_disjoint_routing():
    now = patterns("now")
    assert metrics.stability(now, now) == pytest.approx(torch.ones(3))
    here, there = (torch.zeros(1, 2, 2, 4, 4) for _ in range(2))
    here[..., 0], there[..., 3] = 1, 1
    assert metrics.stability(here, there).item() == pytest.approx(0, abs=1e-6)
    assert metrics.plasticity(here, there).item() == pytest.approx(1)
    there[:, :, 0] = here[:, :, 0]  # one head of two stays
    assert metrics.stability(here, there).item() == pytest.approx(0.5)


def test_amplitudes():
    ones = torch.ones(2, 3, 4, 9)
    assert metrics.A_activation(ones * torch.tensor([1.0, 2.0])[:, None, None, None]).tolist() == [3.0, 6.0]
    assert metrics.A_learned(torch.tensor([[1.0, 3.0], [2.0, 2.0]])).tolist() == [2.0, 2.0]
    assert metrics.A_param([torch.full((2, 4, 3, 3), 0.5), torch.ones(2, 1, 2, 2)]).tolist() == [3 + 2, 3 + 2]


def test_variances_and_the_share_of_the_mean():
    flat = STREAM.flatten(1, 2).double()  # (M, B·T, d)
    hand = ((flat - flat.mean(1, keepdim=True)) ** 2).mean((1, 2))
    assert metrics.variance(STREAM) == pytest.approx(hand.float(), rel=1e-5)
    token = flat.var(-1, correction=0).sqrt().mean(1) ** 2
    assert metrics.sigma_sq(STREAM) == pytest.approx(token.float(), rel=1e-5)
    share = flat.mean(1).square().sum(-1) / flat.square().sum(-1).mean(1)
    assert metrics.mean_share(STREAM) == pytest.approx(share.float(), rel=1e-5)
    assert metrics.mean_share(torch.ones(1, 2, 2, 3)).item() == pytest.approx(1)


def test_the_published_variance_is_amplitude_by_another_name():
    """For tokens whose features have mean zero and one length: A² = d σ²."""
    centred = STREAM - STREAM.mean(-1, keepdim=True)
    centred = 5 * centred / centred.norm(dim=-1, keepdim=True)
    assert metrics.A_activation(centred) ** 2 / 8 == pytest.approx(metrics.sigma_sq(centred), rel=1e-5)


@pytest.mark.parametrize("name", ["A_activation", "sigma_sq", "variance", "mean_share"])
def test_a_stack_is_measured_as_its_models_are(name):
    measure = getattr(metrics, name)
    assert measure(STREAM) == pytest.approx(torch.stack([measure(r) for r in STREAM]))


def test_accuracy_of_chance_is_chance():
    logits = torch.randn(1, 400, 10, 8, generator=RNG)
    right = metrics.psi_accuracy(logits, torch.zeros(400, 10, dtype=torch.long)).item()
    assert right == pytest.approx(1 / 8, abs=4 * math.sqrt(7 / 64 / 4000))
