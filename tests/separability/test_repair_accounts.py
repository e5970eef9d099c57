"""The account of an ablation: it adds up, its parts are what they are called, and planted repair is found as such."""

import numpy as np
import pytest
import torch
from test_repair_engine import T, tiny

from helpers.separability import hooks
from helpers.separability.models import forward
from helpers.separability.repair import accounts, config, ladder, toy
from helpers.separability.repair.config import Symbols
from helpers.separability.repair.prompts import Prompts
from helpers.work import Work

LITTLE = Symbols(seeds=2, steps=3, batch=8, names=12, fillers=5, d=16, heads=4, d_mlp=8)


def prompts_of(seed, vocab=50, n=6):
    rng = torch.Generator().manual_seed(seed)
    tokens, other = (torch.randint(0, vocab, (n, T), generator=rng) for _ in range(2))
    pairs = torch.stack([torch.randperm(vocab, generator=rng)[:2] for _ in range(n)])
    return Prompts(0, tokens, other, pairs[:, 0], pairs[:, 1], torch.arange(n) % 2)


@pytest.fixture(params=["gpt2", "llama"])
def model(request):
    return tiny(request.param)


@pytest.fixture
def at(model):
    return accounts.scene(hooks.read(model), prompts_of(4))


SETS = [((0, 1),), ((1, 0), (2, 3)), ((2, 0), (2, 1), (2, 2)), ((0, 0), (1, 1), (2, 2))]


@pytest.mark.parametrize("kind", config.KINDS)
def test_the_account_adds_up_to_the_change_of_the_hooked_model(at, model, kind):
    reference = hooks.references(kind, at.run, at.other)
    logits = hooks.slow_logits(model, at.prompts.tokens, SETS, reference)
    row = torch.arange(len(at.ld))
    left = logits[:, row, at.prompts.io] - logits[:, row, at.prompts.s]  # (S, B)
    for row, theirs in zip(accounts.accounts(at, SETS, kind), left, strict=True):
        parts = sum(row[k] for k in ("direct", "heads", "mlps", "norm"))
        assert row["change"] == pytest.approx(float((theirs - at.ld).mean()), abs=1e-4)
        assert parts == pytest.approx(row["change"], abs=1e-4)
        assert row["gap"] < 1e-4
        assert row["left"] == pytest.approx(row["ld"] + row["change"], abs=1e-4)


def test_a_head_of_the_last_block_works_through_its_path_the_mlp_and_the_norm_alone(at):
    [row] = accounts.accounts(at, [((2, 1),)], "zero")
    assert row["heads"] == pytest.approx(0, abs=1e-5)
    assert abs(row["direct"]) > 1e-2
    assert abs(row["mlps"]) > 1e-3


def test_a_head_put_back_as_it_was_changes_nothing(at):
    same = accounts.Scene(at.decoder, at.prompts, at.run, at.run, at.u, at.spread, at.ld)
    for row in accounts.accounts(same, SETS, "resample"):
        for part in ("change", "direct", "heads", "mlps", "norm", "log2_norm"):
            assert row[part] == pytest.approx(0, abs=1e-5)
        assert row["along"] == pytest.approx(1, abs=1e-4)


def test_direct_effect_is_the_attribution_that_is_lost(at):
    dla = accounts.attribution(at)
    for chosen in SETS:
        [row] = accounts.accounts(at, [chosen], "zero")
        assert row["direct"] == pytest.approx(-sum(float(dla[h]) for h in chosen), abs=1e-4)


def test_amplitude_alone_repairs_by_the_norm():
    """A head in a stream that nothing else reads: the norm gives back, nobody else."""
    model = tiny("gpt2")
    with torch.no_grad():
        for block in model.transformer.h[1:]:
            block.attn.c_proj.weight.zero_()
            block.mlp.c_proj.weight.zero_()
        model.transformer.h[0].mlp.c_proj.weight.zero_()
        model.transformer.h[0].attn.c_proj.weight.mul_(20)
    at = accounts.scene(hooks.read(model), prompts_of(4))
    [row] = accounts.accounts(at, [((0, 2),)], "zero")
    assert row["heads"] == pytest.approx(0, abs=1e-5)
    assert row["mlps"] == pytest.approx(0, abs=1e-4)
    assert abs(row["norm"]) > 1e-2
    assert row["log2_norm"] < -0.02, "the stream is shorter without it"


@torch.no_grad()
def test_planted_amplitude_is_read_as_planted(at):
    decoder, stream = at.decoder, 2 * at.run.resid[2]  # before the last of three blocks, which is the late one
    mid = stream + decoder.attended(2, decoder.z(2, stream))
    end = (mid + decoder.mlp(2, mid))[:, -1]
    expected = float((end.norm(dim=-1) / at.run.resid[3][:, -1].norm(dim=-1)).log2().mean())
    assert accounts.planted(at, 2.0) == pytest.approx(expected, abs=1e-4)
    assert 0 < expected < 0.999, "what the late block writes is not made longer"
    assert accounts.planted(at, 1.0) == pytest.approx(0, abs=1e-5)


def test_norms_by_block_by_hand(at, model):
    rows = accounts.by_block(at, ((1, 2),))
    assert rows[0] == pytest.approx({"at_end": 1, "pooled": 1, "later": 1}, abs=1e-6)
    seen = []
    body = model.transformer if hasattr(model, "transformer") else model.model
    last = getattr(body, "h", getattr(body, "layers", None))[2]
    keep = last.register_forward_hook(lambda m, given, out: seen.append(out[0] if isinstance(out, tuple) else out))
    hooks.slow_logits(model, at.prompts.tokens, [((1, 2),)], hooks.references("zero", at.run))
    with torch.no_grad():
        model(at.prompts.tokens)
    keep.remove()
    a, b = (x.norm(dim=-1) for x in seen)
    assert rows[2]["pooled"] == pytest.approx(float(a.mean() / b.mean()), abs=1e-4)
    assert rows[2]["later"] == pytest.approx(float(a[:, 1:].mean() / b[:, 1:].mean()), abs=1e-4)
    assert rows[2]["at_end"] == pytest.approx(float((a[:, -1] / b[:, -1]).mean()), abs=1e-4)


def test_every_toy_is_the_same_model_as_a_gpt2():
    params = toy.trained(LITTLE, "cpu", Work(None))
    tokens = torch.randint(0, 17, (5, 9), generator=torch.Generator().manual_seed(0))
    theirs = forward(params, tokens, toy.architecture(LITTLE))
    assert toy.members(LITTLE) == [(0.0, 0), (0.0, 1), (0.15, 0), (0.15, 1)]
    for index in range(4):
        with torch.no_grad():
            ours = toy.as_gpt2(params, index, LITTLE)(tokens).logits
        torch.testing.assert_close(ours, theirs[index], atol=1e-4, rtol=1e-4)
        hooks.read(toy.as_gpt2(params, index, LITTLE))


def test_toys_of_a_seed_start_alike_and_dropout_parts_them():
    params = toy.trained(LITTLE, "cpu", Work(None))["W_O.1"]
    alone = toy.trained(Symbols(**vars(LITTLE) | {"dropouts": (0.0,)}), "cpu", Work(None))["W_O.1"]
    torch.testing.assert_close(params[:2], alone, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(params[0], params[2])
    assert not torch.allclose(params[0], params[1])


def test_movers_are_those_that_write_most():
    dla = np.zeros((3, 4))
    dla[2, 1], dla[0, 3], dla[1, 1], dla[1, 2] = 3, 2, 1, -5
    assert ladder.movers(dla) == ((2, 1), (0, 3), (1, 1))


def test_matched_triples_are_in_the_same_blocks_and_never_the_same_heads():
    norms = np.abs(np.random.default_rng(0).normal(2, 0.5, (12, 12)))
    chosen = ((9, 9), (9, 6), (10, 0))
    found = ladder.matched(chosen, norms, 100, "x")
    assert len({s for s, _, _ in found}) == len(found) == 100
    for heads, away, norm in found:
        assert sorted(layer for layer, _ in heads) == [9, 9, 10]
        assert not set(heads) & set(chosen)
        assert away == 0
        assert norm == pytest.approx(sum(norms[h] for h in heads) / sum(norms[h] for h in chosen))
    off = lambda rows: np.mean([abs(np.log(n)) for _, _, n in rows])
    every = ladder.matched(chosen, norms, 495, "x")
    assert off(found) < off([r for r in every if r[1] == 0])
    assert ladder.matched(chosen, norms, 100, "x") == found
    assert ladder.matched(chosen, norms, 100, "y") != found


def test_a_small_model_gives_its_nearest_triples():
    norms = np.ones((3, 3))
    found = ladder.matched(((2, 0), (2, 1), (2, 2)), norms, 8, 0)
    assert len(found) == 8
    assert min(away for _, away, _ in found) == 3, "no head of the block is left"
    assert len(ladder.matched(((2, 0), (2, 1), (2, 2)), norms, 100, 0)) == 20


def test_toys_are_the_same_on_every_device(device):
    params, alone = (toy.trained(LITTLE, place, Work(None)) for place in (device, "cpu"))
    for name, value in params.items():
        torch.testing.assert_close(value, alone[name], atol=1e-4, rtol=1e-3)
