"""The transformer: its oracle, its causality, what it refuses, and that TransformerLens computes the same."""

import math

import pytest
import torch

from helpers import devices, stacked
from helpers.separability import bridge, heads, models
from helpers.separability.models import Architecture

SHAPES = {
    "attention alone": {},
    "one block": {"d_mlp": 16},
    "no LayerNorm": {"d_mlp": 16, "norm": False},
    "two blocks": {"layers": 2, "d_mlp": 8},
}
every = pytest.mark.parametrize("kind", SHAPES)


def stack(kind, count=2):
    """An architecture, `count` models of it that have been moved off their tidy start, and tokens to read."""
    arch = Architecture(11, 6, d=8, heads=3, d_head=2, **SHAPES[kind])
    params = stacked.pile([models.one(arch, i) for i in range(count)])
    for name in params:
        params[name] += 0.2 * torch.randn(params[name].shape, generator=devices.torch_rng("moved", name))
    return arch, params, torch.randint(11, (4, 6), generator=devices.torch_rng("tokens"))


def by_hand(p, tokens, arch):
    """The logits of one model, head by head and position by position."""

    def norm(name, x, layer=""):
        if not arch.norm:
            return x
        centred = x - x.mean()
        return centred / torch.sqrt(centred.square().mean() + 1e-5) * p[f"{name}.w{layer}"] + p[f"{name}.b{layer}"]

    out = []
    for prompt in tokens:
        stream = [p["W_E"][t] + p["W_pos"][i] for i, t in enumerate(prompt)]
        for k in range(arch.layers):
            seen = [norm("ln1", x, f".{k}") for x in stream]
            middle = []
            for i, x in enumerate(stream):
                for h in range(arch.heads):
                    q = seen[i] @ p[f"W_Q.{k}"][h]
                    scores = torch.stack([q @ (s @ p[f"W_K.{k}"][h]) / math.sqrt(arch.d_head) for s in seen[: i + 1]])
                    mixed = sum(a * (s @ p[f"W_V.{k}"][h]) for a, s in zip(scores.softmax(0), seen, strict=False))
                    x = x + mixed @ p[f"W_O.{k}"][h]
                middle.append(x)
            if arch.d_mlp:
                inner = [torch.relu(norm("ln2", x, f".{k}") @ p[f"W_in.{k}"] + p[f"b_in.{k}"]) for x in middle]
                middle = [x + y @ p[f"W_out.{k}"] + p[f"b_out.{k}"] for x, y in zip(middle, inner, strict=True)]
            stream = middle
        out.append(torch.stack([norm("ln_final", x) @ p["W_U"] for x in stream]))
    return torch.stack(out)


@every
def test_the_stack_is_what_each_model_computes_by_hand(kind):
    arch, params, tokens = stack(kind)
    logits = models.forward(params, tokens, arch)
    for i in range(2):
        torch.testing.assert_close(
            logits[i], by_hand({k: v[i] for k, v in params.items()}, tokens, arch), rtol=1e-4, atol=1e-5
        )


@every
def test_no_logit_depends_on_a_later_token(kind):
    arch, params, tokens = stack(kind)
    logits = models.forward(params, tokens, arch)
    for t in range(5):
        other = tokens.clone()
        other[:, t + 1 :] = (other[:, t + 1 :] + 1) % 11
        changed = models.forward(params, other, arch)
        assert torch.equal(changed[:, :, : t + 1], logits[:, :, : t + 1])
        assert not torch.equal(changed[:, :, t + 1], logits[:, :, t + 1])


@every
@pytest.mark.parametrize("last", [1, 3, 6])
def test_the_last_positions_alone_are_the_same(kind, last):
    arch, params, tokens = stack(kind)
    edits = {
        arch.site("pattern"): heads.routing(
            torch.stack([heads.fixed_patterns(arch, i) for i in range(2)]), heads.mask_of(arch, [1, 2])
        )
    }
    for given in (None, edits):
        whole, sites = models.cached(params, tokens, arch, given, keep=arch.sites)
        end, kept = models.cached(params, tokens, arch, given, keep=arch.sites, last=last)
        torch.testing.assert_close(end, whole[:, :, -last:], rtol=1e-4, atol=1e-5)
        final = arch.site("resid_post", arch.layers - 1)
        torch.testing.assert_close(kept[final], sites[final][:, :, -last:], rtol=1e-4, atol=1e-5)


def test_every_model_may_read_tokens_of_its_own():
    arch, params, tokens = stack("one block")
    own = torch.stack([tokens, (tokens + 3) % 11])
    torch.testing.assert_close(models.forward(params, own, arch)[1], models.forward(params, own[1], arch)[1])


@every
def test_a_site_that_is_unknown_or_read_by_nothing_is_refused(kind):
    arch, params, tokens = stack(kind)
    same = lambda x: x
    for site, told in (
        ("resid_mid.7", "unknown in a model"),
        ("residual", "resid_pre.0"),
        ("logits", "nothing reads 'logits'.*use 'final'"),
    ):
        with pytest.raises(ValueError, match=told):
            models.forward(params, tokens, arch, {site: same})
    if not arch.d_mlp:
        with pytest.raises(ValueError, match=r"nothing reads 'resid_mid.0'.*use 'resid_post.0'"):
            models.forward(params, tokens, arch, {"resid_mid.0": same})
        with pytest.raises(ValueError, match="mlp_out"):
            arch.site("mlp_out")
    with pytest.raises(ValueError, match="unknown"):
        models.cached(params, tokens, arch, keep=["middle"])


def test_bad_sizes_and_edits_are_refused():
    for name in ("vocab", "length", "d", "heads", "d_head", "layers"):
        with pytest.raises(ValueError, match=f"{name}=0 is too few"):
            Architecture(**{"vocab": 5, "length": 4} | {name: 0})
    with pytest.raises(ValueError, match="d_mlp=-1 is negative"):
        Architecture(5, 4, d_mlp=-1)
    arch, params, tokens = stack("one block")
    with pytest.raises(ValueError, match=r"7 positions; this model has 6"):
        models.forward(params, torch.zeros(1, 7, dtype=torch.long), arch)
    with pytest.raises(ValueError, match=r"the edit at 'resid_mid.0' gives"):
        models.forward(params, tokens, arch, {"resid_mid.0": lambda x: x[..., :2]})


def test_an_edit_leaves_nothing_behind():
    arch, params, tokens = stack("two blocks")
    before = models.forward(params, tokens, arch)
    models.forward(params, tokens, arch, {"resid_mid.0": lambda x: 3 * x, "z.1": lambda z: 0 * z})
    assert torch.equal(models.forward(params, tokens, arch), before)


@pytest.fixture(scope="module")
def lens():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("transformer_lens")


@every
def test_transformer_lens_computes_the_same_with_every_edit_and_keeps_no_hook(kind, lens):
    arch, params, tokens = stack(kind)
    theirs = bridge.native(params, arch, 1)
    hooks = lambda: {name: len(point.fwd_hooks) for name, point in theirs.hook_dict.items()}
    before = hooks()
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens), models.forward(params, tokens, arch)[1], rtol=0, atol=1e-5)
        edits = {s: (lambda x, s=s: 0.5 * x + 0.01 * len(s)) for s in arch.sites[:-1] if arch.d_mlp or "mid" not in s}
        for given in (*({site: edit} for site, edit in edits.items()), edits, dict(reversed(edits.items()))):
            ours = models.forward(params, tokens, arch, given)[1]
            with bridge.edited(theirs, arch, given):
                assert hooks() != before
                torch.testing.assert_close(theirs(tokens), ours, rtol=0, atol=1e-5)
            assert hooks() == before
        torch.testing.assert_close(theirs(tokens), models.forward(params, tokens, arch)[1], rtol=0, atol=1e-5)
    with pytest.raises(ZeroDivisionError), bridge.edited(theirs, arch, edits):
        raise ZeroDivisionError
    assert hooks() == before


def test_the_bridge_refuses_what_the_model_refuses(lens):
    arch, params, _ = stack("one block")
    with (
        pytest.raises(ValueError, match="nothing reads 'logits'"),
        bridge.edited(bridge.native(params, arch), arch, {"logits": abs}),
    ):
        pass
    with pytest.raises(IndexError):
        bridge.native(params, arch, 2)
