"""Stacked context-free networks against the sequential loop: same losses, same parameters, whatever is stacked beside."""

import numpy as np
import pytest
import sequential
import torch

from helpers import stacked
from helpers.encoding import fused, networks, tasks

VOCAB, HIDDEN = 12, 16


def pairs(seed=0, count=400):
    tokens = tasks.dirichlet(VOCAB, np.random.default_rng(seed)).sample(
        count // 20, 21, np.random.default_rng(seed + 1)
    )
    x, y = (torch.tensor(t.ravel()) for t in (tokens[:, :-1], tokens[:, 1:]))
    counts = tasks.bigram_counts(tokens, VOCAB)
    return x, y, torch.tensor(counts / counts.sum())


def double(model):
    return {k: v.double() for k, v in model.items()}


@pytest.mark.parametrize("readout", networks.READOUTS)
@pytest.mark.parametrize("up", [0, 9])
def test_losses_equal_the_sequential_loops(readout, up):
    """Four models of different width, rate, data and freezing: every loss of 100 steps within 1e-5 (1e-9 in doubles)."""
    widths, rates, learn = (1, 3, 3, 5), (0.01, 0.03, 0.003, 0.01), (True, True, False, True)
    models = [double(networks.one(readout, VOCAB, d, HIDDEN, s, up)) for s, d in enumerate(widths)]
    data = [pairs(s) for s in range(4)]
    tables = torch.stack([t for _, _, t in data])
    params = stacked.pile(models)
    params = {k: v.double() for k, v in params.items()}
    seen = stacked.fit(
        params,
        lambda p, t: networks.cross_entropy(networks.forward(p, readout), tables),
        lr=torch.tensor(rates, dtype=torch.float64),
        steps=100,
        learn={"code": torch.tensor([float(b) for b in learn], dtype=torch.float64)},
        log=range(100),
        probe=lambda p: networks.cross_entropy(networks.forward(p, readout), tables),
    )
    for i, (start, (x, y, _)) in enumerate(zip(models, data, strict=True)):
        losses, end = sequential.train(start, readout, x, y, lr=rates[i], steps=100, learn_code=learn[i])
        assert np.abs(np.array([s[i] for s in seen]) - losses).max() < 1e-7
        code = params["code"][i, :, : widths[i]]
        assert (code - end["code"]).abs().max() < 1e-4
        assert learn[i] or torch.equal(end["code"], start["code"])


def test_single_precision_stays_within_one_in_a_hundred_thousand():
    models = [networks.one("mlp", VOCAB, d, HIDDEN, d) for d in (2, 4)]
    x, y, table = pairs()
    params = stacked.pile(models)
    loss = lambda p, t: networks.cross_entropy(networks.forward(p, "mlp"), table.float())
    (end,) = stacked.fit(params, loss, lr=torch.full((2,), 0.01), steps=50, log=[50], probe=lambda p: loss(p, 0))
    for i, start in enumerate(models):
        final = sequential.train(double(start), "mlp", x, y, lr=0.01, steps=50)[1]
        exact = torch.nn.functional.cross_entropy(sequential.logits(final, "mlp", x), y)
        assert abs(end[i] - exact) < 1e-5


@pytest.mark.parametrize("readout", networks.READOUTS)
def test_padding_stays_zero(readout):
    params = stacked.pile([networks.one(readout, VOCAB, d, HIDDEN, 0) for d in (2, 6)])
    *_, table = pairs()
    loss = lambda p, t: networks.cross_entropy(networks.forward(p, readout), table.float())
    stacked.fit(params, loss, lr=torch.full((2,), 0.03), steps=30)
    assert params["code"][0, :, 2:].abs().max() == 0
    assert params["code"][1, :, 2:].abs().max() > 0


def test_a_model_does_not_depend_on_its_neighbours():
    *_, table = pairs()
    ends = []
    for widths in ((3,), (3, 5, 1)):
        params = stacked.pile([networks.one("linear", VOCAB, d, 0, 7) for d in widths])
        loss = lambda p, t: networks.cross_entropy(networks.forward(p, "linear"), table.float())
        stacked.fit(params, loss, lr=torch.full((len(widths),), 0.01), steps=20)
        ends.append(params["code"][0, :, :3])
    assert torch.allclose(*ends, atol=1e-6)


def test_starts_are_shared_by_arms_and_differ_by_seed_and_width():
    a, b = networks.one("mlp", VOCAB, 3, HIDDEN, 0), networks.one("mlp", VOCAB, 3, HIDDEN, 1)
    assert networks.one("mlp", VOCAB, 3, HIDDEN, 0) is a
    assert not torch.equal(a["w1"], b["w1"])
    assert a["code"].shape == (VOCAB, 3)
    with pytest.raises(ValueError, match="readout='deep' is unknown"):
        networks.shapes("deep", 4, 2, 3)


def test_rank_of_linear_and_residual_logits_is_the_width():
    for readout in ("linear", "residual"):
        params = stacked.pile([networks.one(readout, 30, 4, HIDDEN, 0)])
        params["b"].zero_()
        assert torch.linalg.matrix_rank(networks.forward(params, readout)[0]) == 4
    wide = stacked.pile([networks.one("mlp", 30, 4, HIDDEN, 0)])
    assert torch.linalg.matrix_rank(networks.forward(wide, "mlp")[0]) > 4


def test_cross_entropy_against_torch():
    logits, y = torch.randn(1, VOCAB, VOCAB), torch.randint(VOCAB, (VOCAB,))
    weights = torch.nn.functional.one_hot(y, VOCAB).float()[None] / VOCAB
    assert networks.cross_entropy(logits, weights)[0] == pytest.approx(
        torch.nn.functional.cross_entropy(logits[0], y).item()
    )


def test_the_kernel_is_not_used_without_a_gpu():
    params = stacked.pile([networks.one("mlp", VOCAB, 3, HIDDEN, 0)])
    if fused.triton is None or not torch.cuda.is_available():
        assert not fused.takes(params, "mlp")
        with pytest.raises(ValueError, match=r"use stacked\.fit"):
            fused.fit(params, "mlp", torch.ones(1, 1, 1), torch.zeros(1), lr=torch.ones(1), steps=1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("readout", ["mlp"])
@pytest.mark.parametrize(("vocab", "d", "hidden"), [(12, 5, 16), (50, 16, 64), (64, 33, 50)])
def test_the_kernel_equals_its_fallback(readout, vocab, d, hidden):
    """Odd sizes, frozen and learned codes, several tables and rates: losses of 25 steps within 1e-5 of doubles."""
    if (
        not fused.takes(stacked.pile([networks.one(readout, vocab, d, hidden, 0)]) | {}, readout)
        and fused.triton is None
    ):
        pytest.skip("no triton")
    widths = [1, d, max(1, d // 2), d]
    models = [networks.one(readout, vocab, w, hidden, s) for s, w in enumerate(widths)]
    tables = torch.stack([torch.tensor(tasks.dirichlet(vocab, np.random.default_rng(s)).joint) for s in range(2)])
    index = torch.tensor([0, 1, 1, 0])
    rates, learn = torch.tensor([0.01, 0.003, 0.01, 0.03]), torch.tensor([1.0, 0.0, 1.0, 1.0])
    marks = [0, 10, 25]
    exact = {k: v.double() for k, v in stacked.pile(models).items()}
    oracle = stacked.fit(
        exact,
        lambda p, t: networks.cross_entropy(networks.forward(p, readout), tables[index]),
        lr=rates.double(),
        steps=25,
        learn={"code": learn.double()},
        log=marks,
        probe=lambda p: networks.cross_entropy(networks.forward(p, readout), tables[index]),
    )
    params = {k: v.cuda() for k, v in stacked.pile(models).items()}
    held = tables[index].float().cuda()
    seen = fused.fit(
        params,
        readout,
        tables.float().cuda(),
        index,
        lr=rates,
        steps=25,
        learn=learn,
        log=marks,
        probe=lambda p: networks.cross_entropy(networks.forward(p, readout), held).cpu(),
    )
    for a, b in zip(oracle, seen, strict=True):
        assert (a - b).abs().max() < 1e-5
    assert torch.equal(params["code"][1].cpu(), stacked.pile(models)["code"][1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_recorded_step_equals_an_eager_one():
    """The CUDA graph of a step against the same step launched kernel by kernel, a frozen code and two rates included."""
    ends = []
    for graph in (False, True):
        params = {
            k: v.cuda()
            for k, v in stacked.pile([networks.one("residual", VOCAB, d, HIDDEN, 0) for d in (3, 5)]).items()
        }
        table = pairs()[2].float().cuda()
        marks = stacked.fit(
            params,
            lambda p, t, table=table: networks.cross_entropy(networks.forward(p, "residual"), table),
            lr=torch.tensor([0.01, 0.003], device="cuda"),
            steps=30,
            learn={"code": torch.tensor([1.0, 0.0], device="cuda")},
            log=[0, 7, 30],
            probe=lambda p: p["code"].clone(),
            graph=graph,
        )
        ends.append(torch.stack(marks))
    assert (ends[0] - ends[1]).abs().max() < 1e-5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_transformers_learn_the_same_on_both_devices():
    """Five steps of a small stack on the GPU, recorded, against the CPU: losses within the tolerance of TF32."""
    from helpers.encoding.config import Rules
    from helpers.encoding.readers import ReaderGrid, rule_stream

    config = Rules(values=4, length=6, held=64, grid=(), code=2, stream=16, seeds=2, steps=5, batch=8)
    ends = [ReaderGrid(config, rule_stream(config, device), device).run()["loss"] for device in ("cpu", "cuda")]
    assert np.abs(np.subtract(*ends)).max() < 5e-3


def test_a_few_models_alone_train_as_torchs_own_adam_does():
    """A learned code and a frozen one on a chain's own table, written out."""
    chain = tasks.example(rank=2, vocab=VOCAB)
    start, joint = networks.one("linear", VOCAB, 3, 0, 0), torch.tensor(chain.joint).float()
    frozen = dict(start) | {"code": torch.randn(VOCAB, 3)}
    params, (losses,) = networks.alone(chain, [start, frozen], "linear", 20, frozen=[1], log=[20])
    for i, model in enumerate((start, frozen)):
        c, w, b = (model[k].clone().requires_grad_() for k in ("code", "w", "b"))
        adam = torch.optim.Adam([w, b] if i else [c, w, b], lr=networks.RATE)
        for _ in range(21):
            loss = -(joint * torch.log_softmax(c @ w + b, -1)).sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
        assert losses[i] == pytest.approx(loss.item(), abs=1e-5)
    assert torch.equal(params["code"][1], frozen["code"])


def test_single_models_to_look_into():
    seen = networks.watch(tasks.pattern(50), steps=40, frames=5)
    assert next(iter(seen)) == 0
    assert next(iter(seen.values())).shape == (50, 2)
    assert not np.array_equal(seen[0], seen[40])
    predicted = networks.predict(tasks.example(vocab=20, rank=2), (1, 2), "linear", steps=20)
    assert predicted[2].shape == (20, 20)
    assert np.allclose(predicted[1].sum(1), 1, atol=1e-5)
