"""The fast engines of experiment C against whole sequences, torch's own modules, and torch's own optimisers."""

import modular_oracle as oracle
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from helpers import stacked
from helpers.separability.grokking import data, models, printed
from helpers.separability.grokking.config import Addition, OrderedAddition

SMALL = Addition(p=13, d=16, heads=4, mlp=32, seeds=2, steps=200, share=0.6, rate=3e-3, every=10, lag=10, probe=8)
PAPER = OrderedAddition(p=7, d=8, heads=2, mlp=16, batch=12, steps=60, seeds=2)


def pairs_of(config, seed):
    return torch.tensor(data.unordered(config.p, config.trained, seed)[0])


@pytest.fixture(scope="module")
def two():
    """Two starts, their training pairs, and the stack of both."""
    starts, pairs = ([f(SMALL, seed) for seed in (0, 1)] for f in (models.one, pairs_of))
    return starts, pairs, stacked.pile(starts)


def test_logits_of_the_last_position_are_those_of_the_whole_causal_sequence(two, device):
    starts, pairs, params = two
    of = models.batch(torch.stack(pairs), SMALL.p, device)
    ours = models.logits({k: v.to(device) for k, v in params.items()}, of, SMALL.heads).cpu()
    for i in range(2):
        torch.testing.assert_close(ours[i], oracle.grok_logits(starts[i], pairs[i], SMALL.heads), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("dtype", "count", "close", "decay", "models_seen"),
    [(torch.float64, 200, 1e-8, 1.0, (1,)), (torch.float32, 60, 1e-4, 0.0, (0, 1))],
)
def test_the_first_losses_are_those_of_a_plain_loop_with_adamw(two, decay, dtype, count, close, models_seen, device):
    """Two models stacked, with tables of keys and values: 200 losses in double precision, and in single as long as rounding,
    which Adam's first steps magnify, leaves two paths together."""
    starts, pairs, params = two
    params = {k: v.to(device, dtype, copy=True) for k, v in params.items()}
    of = models.batch(torch.stack(pairs), SMALL.p, device, dtype)
    loss = lambda params: models.surprise(models.logits(params, of, SMALL.heads), of.sums)[0]
    seen = stacked.fit(
        params, lambda params, clock: loss(params), lr=SMALL.rate, steps=count, betas=SMALL.betas, decay=decay,
        log=range(count), probe=loss,
    )  # fmt: skip
    ours = torch.stack(seen, 1).cpu().numpy()
    for i in models_seen:
        start = {k: v.to(dtype) for k, v in starts[i].items()}
        theirs = oracle.grok_losses(start, pairs[i], SMALL.heads, count, SMALL.rate, decay)
        np.testing.assert_allclose(ours[i], theirs, rtol=close, atol=close)
        assert theirs[-1] < 0.9 * theirs[0], "it learns something"


def test_gradients_are_those_of_double_precision(two):
    _, pairs, params = two
    of = models.batch(torch.stack(pairs), SMALL.p, "cpu")
    double = {k: v.double().requires_grad_(True) for k, v in params.items()}
    single = {k: v.clone().requires_grad_(True) for k, v in params.items()}
    theirs = sum(
        F.cross_entropy(oracle.grok_logits({k: v[i] for k, v in double.items()}, pairs[i], SMALL.heads), of.sums[i])
        for i in range(2)
    )
    ours = models.surprise(models.logits(single, of, SMALL.heads), of.sums)[0].sum()
    found, known = (torch.autograd.grad(y, list(of.values())) for y, of in ((ours, single), (theirs, double)))
    for name, a, b in zip(single, found, known, strict=True):
        torch.testing.assert_close(a.double(), b, atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("size", [1.0, 30.0, 300.0])
def test_the_loss_keeps_what_single_precision_loses(size):
    """Right answers by a margin of up to hundreds: the loss and its gradient agree with double precision to a millionth."""
    rng = torch.Generator().manual_seed(0)
    logits = size * torch.randn(2, 40, 11, generator=rng)
    sums = torch.where(
        torch.rand(2, 40, generator=rng) < 0.7, logits.argmax(2), torch.randint(11, (2, 40), generator=rng)
    )
    single, double = logits.clone().requires_grad_(True), logits.double().requires_grad_(True)
    ours, correct = models.surprise(single, sums)
    theirs = torch.stack([F.cross_entropy(double[i], sums[i]) for i in range(2)])
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-6, atol=0)
    (a,), (b,) = torch.autograd.grad(ours.sum(), single), torch.autograd.grad(theirs.sum(), double)
    torch.testing.assert_close(a.double(), b, rtol=1e-5 * size, atol=3e-17)  # of which double loses as much
    assert correct.tolist() == pytest.approx((logits.argmax(2) == sums).float().mean(1).tolist())


def test_plain_single_precision_would_lose_it():
    """The reason: at a margin of 20 the plain loss is zero, ours is e⁻²⁰ · 2."""
    logits = torch.tensor([[[20.0, 0.0, 0.0]]])
    assert F.cross_entropy(logits[0], torch.tensor([0])) == 0
    assert float(models.surprise(logits, torch.tensor([[0]]))[0]) == pytest.approx(2 * np.exp(-20), rel=1e-6)


def test_no_model_reads_another(two):
    """Changing one model's weights leaves the other's logits as they are, to the bit."""
    _, pairs, params = two
    of = models.batch(torch.stack(pairs), SMALL.p, "cpu")
    changed = {k: torch.stack([v[0] + 1, v[1]]) for k, v in params.items()}
    before, after = (models.logits(q, of, SMALL.heads) for q in (params, changed))
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0], after[0])


def test_patterns_are_shares(two):
    _, pairs, params = two
    pattern = models.patterns(params, models.batch(torch.stack(pairs), SMALL.p, "cpu"), SMALL.heads)
    assert pattern.shape == (2, SMALL.trained, SMALL.heads, 3)
    torch.testing.assert_close(pattern.sum(-1), torch.ones(pattern.shape[:-1]))


def test_the_documents_network_is_torchs_modules_and_its_decay_is_adams():
    """Logits equal, and 60 losses of Adam(weight_decay) on the same batches."""
    starts = [printed.one(PAPER, seed) for seed in (0, 1)]
    pairs = [torch.tensor(data.ordered(PAPER.p, PAPER.share, seed)[0]) for seed in (0, 1)]
    params, order, decay = stacked.pile(starts), printed.batches(PAPER, 0), torch.tensor([1.0, 0.0])
    both, rows = torch.stack(pairs), []

    def loss(params, clock):
        seen = both[:, order.index_select(0, clock.clamp(max=PAPER.steps - 1).view(1))[0]]  # (M, B, 2)
        logits = printed.logits(params, seen, PAPER.p, PAPER.heads)[0]
        rows.append(models.surprise(logits, seen.sum(-1) % PAPER.p)[0].detach())
        return models.surprise(logits, seen.sum(-1) % PAPER.p)[0] + printed.penalty(params, decay)

    stacked.fit(params, loss, lr=PAPER.rate, steps=PAPER.steps, graph=False)
    for i, start in enumerate(starts):
        net = oracle.Document(PAPER.p, PAPER.d, PAPER.heads, PAPER.mlp).take(start)
        torch.testing.assert_close(
            printed.logits(stacked.pile([start]), pairs[i][None], PAPER.p, PAPER.heads)[0][0],
            net(pairs[i]),
            atol=1e-5,
            rtol=0,
        )
        optimiser, theirs = torch.optim.Adam(net.parameters(), lr=PAPER.rate, weight_decay=float(decay[i])), []
        for places in order:
            found = F.cross_entropy(net(pairs[i][places]), pairs[i][places].sum(1) % PAPER.p)
            optimiser.zero_grad()
            found.backward()
            optimiser.step()
            theirs.append(float(found.detach()))
        np.testing.assert_allclose(torch.stack(rows)[:, i].numpy(), theirs, rtol=2e-3, atol=1e-4)
