"""The kernels of experiment C, on a GPU, and in Triton's interpreter, which runs them on a CPU:

TRITON_INTERPRET=1 python -m pytest tests/separability/test_grokking_fused.py, where triton is installed.
"""

import os

import numpy as np
import pytest
import torch

from helpers import devices, stacked
from helpers.fused import device as on
from helpers.separability.grokking import data, fused, models
from helpers.separability.grokking.config import Addition

SMALL = Addition(p=13, d=32, heads=4, mlp=64, steps=200, share=0.6, products="tf32", every=10, lag=10)
INTERPRETED = on.triton is not None and os.environ.get("TRITON_INTERPRET") == "1"
WHERE = [
    pytest.param("cpu", marks=pytest.mark.skipif(not INTERPRETED, reason="needs triton and TRITON_INTERPRET=1")),
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")],
    ),
]
CLOSE = {"cpu": 1e-5, "cuda": 2e-2}  # the interpreter multiplies in single precision, a GPU in TF32


def two(config, device, size=1.0):
    """Two models, larger than at their start so that every term counts, with biases; their pairs of both kinds."""
    found = stacked.pile([models.one(config, seed) for seed in (0, 1)])
    rng = torch.Generator().manual_seed(0)
    found = {k: (size * v + 0.1 * torch.randn(v.shape, generator=rng)).to(device) for k, v in found.items()}
    trained = torch.stack([torch.tensor(data.unordered(config.p, config.trained, s)[0].copy()) for s in (0, 1)])
    return found, models.batch(trained, config.p, device), fused.pairs(trained.to(device), config.p)


@pytest.mark.parametrize("device", WHERE)
@pytest.mark.parametrize("size", [1.0, 3.0])
@pytest.mark.parametrize(("p", "d", "heads", "mlp"), [(13, 32, 4, 64), (17, 16, 2, 256), (7, 16, 4, 16)])
def test_losses_answers_and_gradients_are_those_of_the_plain_network(device, p, d, heads, mlp, size):
    config = Addition(p=p, d=d, heads=heads, mlp=mlp, share=0.6, products="tf32")
    params, of, pairs = two(config, device, size)
    assert fused.fits(config, device)
    sides = []
    for side in (
        lambda q: fused.surprise(q, pairs, heads),
        lambda q: models.surprise(models.logits(q, of, heads), of.sums),
    ):
        live = {k: v.clone().requires_grad_(True) for k, v in params.items()}
        losses, right = side(live)
        weights = torch.tensor([1.0, 0.5], device=device)  # the gradient of a model takes the factor that it is given
        sides.append((losses.detach(), right, torch.autograd.grad((losses * weights).sum(), list(live.values()))))
    (losses, right, grads), (known, answers, expected) = sides
    torch.testing.assert_close(losses, known, rtol=CLOSE[device], atol=CLOSE[device])
    if device == "cpu":
        assert torch.equal(right, answers)
    for name, a, b in zip(params, grads, expected, strict=True):
        assert b.abs().max() > 0, name
        torch.testing.assert_close(a, b, rtol=0, atol=CLOSE[device] * float(b.abs().max()), msg=name)


@pytest.mark.parametrize("device", WHERE)
def test_pairs_lie_in_the_order_of_their_numbers(device):
    of = torch.tensor([[[2, 0], [1, 1], [2, 1], [0, 2]]], device=device)
    found = fused.pairs(of, 4)
    assert found.sums.tolist() == [[2, 2, 3, 2]]
    assert [x.tolist() for x in found.by_a] == [[[3, 1, 0, 2]], [[0, 1, 2, 4, 4]]]
    assert [x.tolist() for x in found.by_b] == [[[0, 1, 2, 3]], [[0, 1, 3, 4, 4]]]


@pytest.mark.parametrize("device", WHERE)
@pytest.mark.parametrize("margin", [0.0, 5.0, 60.0])
def test_a_loss_keeps_what_single_precision_loses(device, margin):
    """Logits whose right answer leads by `margin`: loss and gradient against double precision, to a hundred thousandth."""
    triton, kernels = fused.triton, fused.kernels
    rng = torch.Generator().manual_seed(1)
    logits, answers = torch.randn(2, 20, 16, generator=rng), torch.randint(11, (2, 20), generator=rng)
    logits.scatter_add_(2, answers[..., None], torch.full((2, 20, 1), margin))
    z, losses, right = logits.to(device, copy=True), *(torch.empty(2, 20, device=device) for _ in range(2))
    with on.on(z.device):
        kernels.surprise[2, triton.cdiv(20, 16)](z, answers.int().to(device), losses, right, 20, 11, P=16, ROWS=16)
    exact = logits[..., :11].double().requires_grad_(True)
    others = torch.nn.functional.one_hot(answers, 11) == 0
    known = torch.log1p(((exact - exact.gather(2, answers[..., None])).exp() * others).sum(2))
    (gradient,) = torch.autograd.grad(known.sum() / 20, [exact])
    np.testing.assert_allclose(losses.cpu().double(), known.detach(), rtol=1e-5)
    np.testing.assert_allclose(z[..., :11].cpu().double(), gradient, rtol=1e-4, atol=1e-30)
    assert not z[..., 11:].any()
    assert torch.equal(right.cpu() > 0, logits[..., :11].argmax(2) == answers)


@pytest.mark.parametrize("device", WHERE)
def test_training_follows_the_plain_networks(device):
    params, of, pairs = two(SMALL, device)
    curves = []
    for loss in (
        lambda q, clock: fused.surprise(q, pairs, 4)[0],
        lambda q, clock: models.surprise(models.logits(q, of, 4), of.sums)[0],
    ):
        start = {k: v.clone() for k, v in params.items()}
        look = lambda q: models.surprise(models.logits(q, of, 4), of.sums)[0]
        with devices.tf32(device == "cuda"):
            seen = stacked.fit(start, loss, lr=3e-3, steps=12, decay=1.0, betas=SMALL.betas, log=range(13), probe=look)
        curves.append(torch.stack(seen).cpu())
    torch.testing.assert_close(*curves, rtol=CLOSE[device], atol=CLOSE[device])
    assert (curves[0][-1] < curves[0][0]).all()


def test_what_the_kernels_cannot_take_is_left_to_the_plain_network():
    assert not fused.fits(Addition(p=13, d=48, mlp=64, heads=4, products="tf32"), "cpu")
    assert not fused.fits(Addition(p=13, d=32, mlp=64, heads=4), "cuda"), "exact products"
    assert not fused.fits(Addition(p=13, d=32, mlp=64, heads=4, products="bf16"), "cuda")
