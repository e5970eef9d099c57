"""Products in halves against double precision, and a GPT-2 that multiplies so against transformers' own.

TRITON_INTERPRET=1 python -m pytest tests/separability/test_separability_halves.py holds the kernels, too, to what torch gives.
"""

import os

import pytest
import torch
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.fused import device as on
from helpers.separability import halves, hooks

INTERPRETED = on.triton is not None and os.environ.get("TRITON_INTERPRET") == "1"


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=3, n_head=4, n_embd=64, vocab_size=60, n_positions=24)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))  # biases that are not zero, logits that differ
    return model


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
@pytest.mark.parametrize("gelu", [False, True])
def test_a_product_is_as_good_as_in_single_precision_and_one_half_is_not(device, scale, gelu):
    x, matrix, bias = scale * drawn(5, 7, 64), drawn(64, 48, seed=1), drawn(48, seed=2)
    inner = F.gelu(x.double(), approximate="tanh") if gelu else x.double()
    exact = inner @ matrix.double() + bias.double()
    found = halves.Product(matrix.to(device), bias.to(device))(x.to(device), gelu=gelu).cpu().double()
    scatter = (inner @ matrix.double()).std()
    assert float((found - exact).abs().max()) < 3e-6 * scatter + 1e-6
    one = inner.half().double() @ matrix.half().double() + bias.double()
    assert float((one - exact).abs().max()) > 3e-4 * scatter, "what is left out of a half would be missed"


def test_logits_are_the_models_own_and_ablations_those_of_the_exact_engine(model, device):
    model = model.to(device)
    tokens = torch.randint(0, 60, (3, 11), generator=torch.Generator().manual_seed(1)).to(device)
    sets = [((layer, head),) for layer in range(3) for head in range(4)]
    decoder = halves.read(model)
    run = hooks.trace(decoder, tokens)
    reference = hooks.references("zero", run)
    found = torch.empty(len(sets), 3, 60, device=device)
    for index, ends in hooks.ablate(decoder, run, sets, reference):
        found[index] = ends.logits
    known = hooks.slow_logits(model, tokens, sets, reference)
    torch.testing.assert_close(found, known, atol=1e-4, rtol=0)
    assert (known - known[0]).abs().amax((1, 2))[1:].min() > 1e-2, "each head matters"


def test_what_halves_cannot_stand_for_is_refused(model):
    with pytest.raises(ValueError, match="a bias of 100"):
        halves.Product(torch.ones(16, 16), torch.full((16,), 100.0))
    other = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=32, vocab_size=9, activation_function="relu"))
    with pytest.raises(ValueError, match="relu: use `read`"):
        halves.read(other.eval())
    with torch.no_grad():
        big = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=32, vocab_size=9)).eval()
        big.transformer.h[0].mlp.c_fc.weight.mul_(1e7)
    with pytest.raises(ValueError, match="are missed by"):
        halves.read(big)


@pytest.mark.skipif(not INTERPRETED, reason="needs triton and TRITON_INTERPRET=1")
@pytest.mark.parametrize("length", [1, 11, 16, 21])
def test_the_kernels_attention_is_torchs(length):
    mixed = drawn(3, length, 3 * 4 * 16)
    q, k, v = mixed.unflatten(-1, (3, 4, 16)).movedim(2, 0).transpose(2, 3)
    known = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
    torch.testing.assert_close(halves.attended(mixed, 4), known, atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(not INTERPRETED, reason="needs triton and TRITON_INTERPRET=1")
@pytest.mark.parametrize("gelu", [False, True])
def test_the_kernels_halves_are_torchs(gelu, monkeypatch):
    x = 3 * drawn(4, 1100)
    found = halves.rows(x, gelu)
    monkeypatch.setattr(on, "available", lambda device: False)
    known = halves.rows(x, gelu)
    whole = lambda y: y[:, :1100].float() + y[:, 1100:2200].float() / halves.LEFT
    torch.testing.assert_close(whole(found), whole(known), atol=1e-6, rtol=1e-6)
    assert torch.equal(found[:, 2200:], known[:, 2200:])
