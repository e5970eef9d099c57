"""The stacked transformer against torch's own layers, causality, the switch, and what it learns."""

import math

import pytest
import torch
from torch.nn import functional as F

from helpers import stacked
from helpers import stacked as engine
from helpers.encoding import attention, tasks
from helpers.encoding.config import Reading, Rules
from helpers.encoding.grid import Model
from helpers.encoding.readers import ReaderGrid, rule_stream
from helpers.work import Work


@pytest.fixture
def shape():
    return Reading(stream=8, heads=2, layers=2, length=6)


def pair(shape, widths=(3, 8)):
    return stacked.pile([attention.one(shape, 11, d, s) for s, d in enumerate(widths)])


def test_forward_equals_one_model_at_a_time_with_torch_layers(shape):
    """Oracle: embedding, layer_norm and scaled_dot_product written out for a single model, head by head."""
    params, x = pair(shape), torch.randint(11, (2, 3, 6))
    logits = attention.forward(params, shape, x, torch.ones(2))
    for m, d in enumerate((3, 8)):
        p = dict(attention.one(shape, 11, d, m))
        h = p["code"][x[m]] @ p["up"] + p["place"][:6]
        for k in range(2):
            n = F.layer_norm(h, (8,))
            heads = []
            for i in range(2):
                cut = slice(4 * i, 4 * i + 4)
                q, key, v = (n @ p[f"{w}{k}"][:, cut] for w in "qkv")
                score = (q @ key.transpose(1, 2) / math.sqrt(4)).masked_fill(torch.ones(6, 6).triu(1).bool(), -math.inf)
                heads.append(score.softmax(-1) @ v)
            h = h + torch.cat(heads, -1) @ p[f"o{k}"]
            h = h + torch.relu(F.layer_norm(h, (8,)) @ p[f"w{k}"] + p[f"a{k}"]) @ p[f"z{k}"]
        expected = F.layer_norm(h, (8,)) @ p["head"] + p["bias"]
        assert (logits[m] - expected).abs().max() < 1e-4


def test_the_future_does_not_leak(shape):
    params, x = pair(shape), torch.randint(11, (2, 3, 6))
    y = x.clone()
    y[..., 4:] = (y[..., 4:] + 1) % 11
    a, b = (attention.forward(params, shape, t, torch.ones(2)) for t in (x, y))
    assert torch.allclose(a[:, :, :4], b[:, :, :4], atol=1e-6)
    assert not torch.allclose(a[:, :, 4:], b[:, :, 4:])


def test_without_attention_only_the_current_token_counts(shape):
    params, x = pair(shape), torch.randint(11, (2, 3, 6))
    y = x.clone()
    y[..., :3] = (y[..., :3] + 1) % 11
    a, b = (attention.forward(params, shape, t, torch.tensor([0.0, 1.0])) for t in (x, y))
    assert torch.allclose(a[0, :, 3:], b[0, :, 3:], atol=1e-6)
    assert not torch.allclose(a[1, :, 3:], b[1, :, 3:])


def test_losses_against_cross_entropy(shape):
    params, tokens = pair(shape), torch.randint(11, (2, 3, 7))
    found = attention.losses(params, shape, tokens, torch.ones(2), start=2)
    logits = attention.forward(params, shape, tokens[..., :-1], torch.ones(2))
    expected = F.cross_entropy(logits[1, :, 2:].reshape(-1, 11), tokens[1, :, 3:].reshape(-1))
    assert found[1] == pytest.approx(expected.item(), rel=1e-5)


def test_gradients_of_a_stack_are_each_models_own(shape):
    params, tokens = pair(shape), torch.randint(11, (2, 3, 7))
    leaves = {k: v.clone().requires_grad_(True) for k, v in params.items()}
    attention.losses(leaves, shape, tokens, torch.ones(2)).sum().backward()
    for m in range(2):
        single = {k: v[m : m + 1].clone().requires_grad_(True) for k, v in params.items()}
        attention.losses(single, shape, tokens[m : m + 1], torch.ones(1)).sum().backward()
        for k in ("code", "up", "q0", "head"):
            assert torch.allclose(leaves[k].grad[m], single[k].grad[0], atol=1e-6)


@pytest.mark.slow
def test_rule_task_is_learned_with_attention_and_not_without():
    """The planted effect and its negative control: nine tenths with attention, nothing without."""
    config = Rules(
        values=5,
        length=6,
        held=128,
        arms=("learned", "full"),
        blind=("full",),
        grid=(),
        code=4,
        stream=16,
        seeds=2,
        steps=300,
    )
    rows = ReaderGrid(config, rule_stream(config)).run()
    best, none = tasks.rule_losses(config).values()
    rows["share"] = (none - rows["loss"]) / (none - best)
    last = rows[rows["step"] == 300].groupby(["arm", "cell"])["share"].agg(["min", "max"])
    assert last.loc[("full", "attention"), "min"] > 0.9
    assert last.loc[("learned", "attention"), "min"] > 0.9
    assert last.loc[("full", "blind"), "max"] < 0.05


def small(**changes) -> Rules:
    arms = ("learned", "seed_ae", "trained_pca", "full")
    given = {"arms": arms, "grid": (), "code": 2, "stream": 8, "seeds": 2, "steps": 8, "batch": 4}
    return Rules(values=4, length=5, held=16, **given | changes)


def test_interrupted_work_goes_on_and_gives_the_same_rows(tmp_path):
    config = small()
    first, again, resumed = (
        ReaderGrid(config, rule_stream(config), work=Work(folder)).run() for folder in (None, tmp_path, tmp_path)
    )
    assert first.equals(again)
    assert first.equals(resumed)
    assert len(list(tmp_path.glob("*.safetensors"))) == 4


@pytest.mark.parametrize("code", [1, 8, 9, 12])
def test_a_code_wider_than_the_vocabulary_or_the_stream_works(code):
    """Eight tokens, a stream of eight: what a fair two-stage code has no components for is zero."""
    rows = ReaderGrid(small(code=code, steps=2), rule_stream(small(steps=2))).run()
    assert rows["loss"].notna().all()
    assert set(rows[rows["arm"] == "trained_pca"]["d"]) == {code}


def test_frozen_arms_keep_their_code_and_learned_ones_do_not():
    config = small(arms=("learned", "random", "full"), blind=(), steps=3)
    grid, ends = ReaderGrid(config, rule_stream(config)), {}

    def caught(params, loss, **more):
        ends.update(start=params["code"].clone())
        done = engine_fit(params, loss, **more)
        ends.update(end=params["code"].clone())
        return done

    engine_fit, engine.fit = engine.fit, caught
    try:
        grid.train([Model("attention", arm, 2, 0, 0.01) for arm in ("learned", "random")], 3)
    finally:
        engine.fit = engine_fit
    assert not torch.equal(ends["start"][0], ends["end"][0])
    assert torch.equal(ends["start"][1], ends["end"][1])
