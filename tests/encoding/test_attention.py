"""The stacked transformer against torch's own layers, causality, the switch, and what it learns."""

import math

import pytest
import torch
from torch.nn import functional as F

from helpers import stacked
from helpers.encoding import attention, readers, rules
from helpers.encoding.attention import Reader, Shape


@pytest.fixture
def shape():
    return Shape(vocab=11, stream=8, hidden=16, heads=2, layers=2, length=6)


def pair(shape, widths=(3, 8)):
    return stacked.pile([attention.one(shape, d, s) for s, d in enumerate(widths)])


def test_forward_equals_one_model_at_a_time_with_torch_layers(shape):
    """Oracle: embedding, layer_norm and scaled_dot_product written out for a single model, head by head."""
    params, x = pair(shape), torch.randint(11, (2, 3, 6))
    logits = attention.forward(params, shape, x, torch.ones(2))
    for m, d in enumerate((3, 8)):
        p = dict(attention.one(shape, d, m))
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


def test_shape_is_checked():
    with pytest.raises(ValueError, match="stream=10 is not a multiple of heads=4"):
        Shape(11, 10, 16, 4, 1, 6)


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
    """The planted effect and its negative control, in a minute's work: nine tenths with attention, nothing without."""
    task = rules.Rules(values=5, length=6, held=128)
    config = readers.Config(
        arms=("learned", "full"), widths=(4,), blind=("full",), blind_widths=(4,), seeds=2, steps=300
    )
    rows = rules.run(task, config, Shape(task.vocab, 16, 64, 2, 1, 6))
    last = {(r["arm"], r["attend"]): r["share"] for r in rows if r["step"] == 300}
    assert last["full", 1.0] > 0.9
    assert last["learned", 1.0] > 0.9
    assert abs(last["full", 0.0]) < 0.05


def test_studies_check_their_shapes():
    task = rules.Rules(values=5, length=6)
    with pytest.raises(ValueError, match="does not fit the task"):
        rules.run(task, readers.Config(seeds=1), Shape(11, 16, 64, 2, 1, 6))
    with pytest.raises(ValueError, match=r"width d=12 exceeds min\(vocabulary 10, stream 16\)"):
        rules.run(task, readers.Config(seeds=1, widths=(12,), steps=2), Shape(10, 16, 64, 2, 1, 6))
    for bad in ({"seeds": 0}, {"arms": ("wide",)}, {"steps": 1}, {"batch": 0}):
        with pytest.raises(ValueError, match=r"seeds=|arms"):
            readers.Config(**bad)


def test_interrupted_work_goes_on_and_gives_the_same_rows(tmp_path):
    task = rules.Rules(values=4, length=5, held=16)
    config = readers.Config(
        arms=("learned", "seed_ae", "trained_pca", "full"), widths=(2,), blind_widths=(2,), seeds=2, steps=8, batch=4
    )
    args = task, config, Shape(8, 8, 16, 2, 1, 5)
    first = rules.run(*args)
    again = rules.run(*args, work=tmp_path)
    resumed = rules.run(*args, work=tmp_path)
    assert first == again == resumed
    assert len(list(tmp_path.glob("*.safetensors"))) == 4


def test_frozen_arms_keep_their_code():
    shape = Shape(8, 8, 16, 2, 1, 5)
    task = rules.Rules(values=4, length=5)
    code = torch.randn(8, 2)
    models = [Reader("random", 2, True, 0, 0.01)]
    held = {k: task.draw(4, k)[None] for k in ("validation", "test")}
    batch = task.draw(8, "train")[None]
    done = attention.train(
        models, shape, lambda t: batch, held, steps=3, code=lambda m: code, learns=lambda m: False, start=1
    )
    assert done[0].shape[0] == 1
    assert done[0].shape[2] == 2
    assert torch.linalg.matrix_rank(done[1][0]) == 2
