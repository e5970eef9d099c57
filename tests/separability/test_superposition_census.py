"""The census against plain loops over one model, one head and one sequence; heads whose answer is known."""

import numpy as np
import pytest
import torch

from helpers import devices, stacked
from helpers.separability import models
from helpers.separability.decoders import read
from helpers.separability.hooks import heads_out
from helpers.separability.models import Architecture
from helpers.separability.superposition import printed
from helpers.separability.superposition.census import STRENGTHS, Sweep
from helpers.separability.superposition.config import Toy
from helpers.separability.superposition.views import Single, Spread, Stacked

ARCH = Architecture(vocab=11, length=6, d=12, heads=3, d_head=4, d_mlp=8, layers=2)
N = 10


def stack(count=2):
    params = stacked.pile([models.one(ARCH, "census", s) for s in range(count)])
    for name, p in params.items():  # gains and biases that are not those of a start
        if name.startswith(("ln", "b_")):
            p += 0.3 * torch.randn(p.shape, generator=devices.torch_rng(name))
    return Stacked(params, ARCH)


def text(count=N, length=ARCH.length + 1, vocab=ARCH.vocab):
    return torch.randint(vocab, (count, length), generator=devices.torch_rng("text"))


@pytest.fixture(scope="module")
def swept():
    sweep = Sweep(stack(), text())
    return sweep, sweep.run(lambda done, of: None, 2, 0)


def logits_of(sweep, m, b, edits):
    """(T, V) of one model on one sequence, its heads edited: {layer: function of z (T, H, E)}."""
    params = {k: v[m : m + 1] for k, v in sweep.view.params.items()}
    wrapped = {f"z.{k}": lambda z, f=f: f(z[0, 0])[None, None] for k, f in edits.items()}
    logits, seen = models.cached(params, sweep.x[b : b + 1], ARCH, wrapped, keep=["z.0", "z.1", "resid_post.1"])
    return logits[0, 0], {k: v[0, 0] for k, v in seen.items()}


def put(head, value):
    def edit(z):
        z = z.clone()
        z[:, head] = value
        return z

    return edit


def right(logits, y):
    return (logits[torch.arange(len(y)), y] - logits.mean(-1)).mean()


def test_the_effects_of_a_head_against_loops(swept):
    sweep, found = swept
    half = N // 2
    for m in range(2):
        z = [[logits_of(sweep, m, b, {})[1][f"z.{k}"] for b in range(N)] for k in range(2)]
        for k, h in sweep.each():
            mean = torch.stack(z[k][half:]).mean(0)[:, h]  # (T, E), of the half that does not find
            u = sweep.view.params["W_U"][m].T * sweep.view.params["ln_final.w"][m]
            gone = [logits_of(sweep, m, b, {k: put(h, mean)}) for b in range(half)]
            norm = [s["resid_post.1"].var(-1, correction=0).add(models.EPSILON).sqrt() for _, s in gone]
            for b in range(half):
                y, before = sweep.y[b], logits_of(sweep, m, b, {})[0]
                after = gone[b][0]
                assert found.per["gain"][m, b, k, h] == pytest.approx(
                    float(right(after, y) - right(before, y)), abs=1e-5
                )
                surprise = lambda x, y=y: torch.nn.functional.cross_entropy(x, y)
                assert found.per["loss"][m, b, k, h] == pytest.approx(
                    float(surprise(after) - surprise(before)), abs=1e-5
                )
                other = z[k][(b - 1) % half][:, h]
                for name, value in (("direct", z[k][b][:, h]), ("null_direct", other)):
                    out = (value - mean) @ sweep.view.params[f"W_O.{k}"][m, h]
                    adds = (out - out.mean(-1, keepdim=True)) @ u.T  # (T, V)
                    each = [float(right(adds / norm[c][:, None], sweep.y[c])) for c in range(half)]
                    others = [each[c] for c in range(half) if c not in (b, (b - 1) % half)]
                    assert found.per[name][m, b, k, h] == pytest.approx(each[b] - np.mean(others), abs=1e-5)
                resampled = logits_of(sweep, m, b, {k: put(h, other)})[0]
                assert found.per["null_gain"][m, b, k, h] == pytest.approx(
                    float(right(after, y) - right(resampled, y)), abs=1e-5
                )


def test_variance_of_what_a_head_writes_and_of_the_stream_against_numpy(swept):
    sweep, found = swept
    half = N // 2
    streams = {}
    for m in range(2):
        seen = [logits_of(sweep, m, b, {})[1] for b in range(half, N)]
        whole = torch.cat([s["resid_post.1"] for s in seen]).numpy()
        streams[m] = np.trace(np.cov(whole.T, bias=True))
        for k, h in sweep.each():
            out = torch.cat([s[f"z.{k}"][:, h] for s in seen]) @ sweep.view.params[f"W_O.{k}"][m, h]
            assert found.variance[m, k, h] == pytest.approx(np.trace(np.cov(out.numpy().T, bias=True)), rel=1e-4)
            gone = [logits_of(sweep, m, b, {k: put(h, 0.0)})[1]["resid_post.1"] for b in range(half, N)]
            trace = np.trace(np.cov(torch.cat(gone).numpy().T, bias=True))
            assert found.ratio["zero"][m, k, h] == pytest.approx(trace / streams[m], rel=1e-4)
    assert torch.equal(found.ratio["zero"][:, 1], found.local["zero"][:, 1])  # behind the last block is the end


def test_a_zero_in_a_heads_place_is_a_head_without_output_weights(swept):
    sweep, _ = swept
    params = {k: v.clone() for k, v in sweep.view.params.items()}
    params["W_O.0"][:, 1] = 0.0
    without = Sweep(Stacked(params, ARCH), text()).passage({})
    zero = sweep.passage({"z.0": sweep.ablation("zero", 0, 1)})
    assert torch.allclose(zero.logit, without.logit, atol=1e-5)
    assert torch.allclose(zero.loss, without.loss, atol=1e-5)


def test_copying_against_least_squares_and_a_jackknife_by_hand(swept):
    sweep, found = swept
    half, m = N // 2, 1
    u = sweep.view.params["W_U"][m].T * sweep.view.params["ln_final.w"][m]
    u = u - u.mean(-1, keepdim=True)
    for k, h in ((0, 2), (1, 0)):
        seen = [logits_of(sweep, m, b, {}) for b in range(half)]
        out = [s[1][f"z.{k}"][:, h] @ sweep.view.params[f"W_O.{k}"][m, h] @ u.T for s in seen]  # (T, V) each
        says = []
        for b in range(half):
            norm = seen[b][1]["resid_post.1"].var(-1, correction=0).add(models.EPSILON).sqrt()[:, None]
            centred = lambda x: x - x.mean(-1, keepdim=True)
            own, other, third = (centred(out[(b - i) % half] / norm) for i in range(3))
            prior = centred(seen[b][0]) - own
            shown = [(t, v) for t in range(ARCH.length) for v in set(sweep.x[b, : t + 1].tolist())]
            t, v = (list(x) for x in zip(*shown, strict=True))
            says.append(
                (
                    prior[t, v].double().numpy(),
                    (own - other)[t, v].double().numpy(),
                    (other - third)[t, v].double().numpy(),
                )
            )
        slope = lambda rows, i: np.polyfit(
            np.concatenate([r[0] for r in rows]), np.concatenate([r[i] for r in rows]), 1
        )[0]
        for i, name in ((1, "copying_t"), (2, "null_copying_t")):
            left = np.array([slope(says[:b] + says[b + 1 :], i) for b in range(half)])
            error = np.sqrt((half - 1) / half * ((left - left.mean()) ** 2).sum())
            assert found.copying[name][m, k, h] == pytest.approx(slope(says, i) / error, rel=1e-3, abs=1e-4)
        assert found.copying["copying"][m, k, h] == pytest.approx(slope(says, 1), rel=1e-3, abs=1e-6)


def test_a_head_that_is_turned_around_says_the_opposite(swept):
    sweep, found = swept
    direct = found.per["direct"][:, :, 1]
    for share in STRENGTHS:
        planted = found.planted[share]["direct"]  # (M, N/2)
        assert any(torch.allclose(planted[0], -share * direct[0, :, h]) for h in range(3))
    which = torch.tensor([2, 0])
    z = torch.randn(2, 4, ARCH.length, 3, 4, generator=devices.torch_rng("z"))
    turned = sweep.turned(1, which, 0.5)(z)
    assert torch.equal(turned[0, :, :, :2], z[0, :, :, :2])
    assert torch.equal(turned[1, :, :, 1:], z[1, :, :, 1:])
    mean = sweep.means[1][0, :, 2]
    assert torch.allclose(turned[0, :, :, 2] - mean, -0.5 * (z[0, :, :, 2] - mean), atol=1e-6)


def test_random_removals_are_as_large_as_a_head(swept):
    """A removal that is scaled to a head takes as much from the stream as a head does, on average over draws."""
    sweep, _ = swept
    w, z = sweep.view.writes[0], sweep.whole[0].z[0]
    heads = torch.einsum("mbthe,mhed->mbthd", z, w)
    each, joint = sweep.power(0, slice(0, sweep.size)).unbind(-1)
    assert torch.allclose(each, heads.square().sum(-1).mean((1, 2, 3)), rtol=1e-4)
    assert torch.allclose(joint, heads.sum(3).square().sum(-1).mean((1, 2)), rtol=1e-4)
    whole = sweep.passage({})
    again = sweep.null(2, 0, whole, lambda *_: None, 0, 4)
    assert torch.equal(again, sweep.null(2, 0, whole, lambda *_: None, 0, 4))
    assert again.shape == (2, 2, 2)


def test_variance_does_not_depend_on_the_chunks():
    x = torch.randn(3, 8, 5, 4, generator=devices.torch_rng("x"))
    one, many = Spread(), Spread()
    one.add(x)
    for part in x.split(3, 1):
        many.add(part)
    assert torch.allclose(one.trace, many.trace)
    assert one.trace[0] == pytest.approx(np.trace(np.cov(x[0].flatten(0, 1).numpy().T, bias=True)), rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "layer", "head", "words"),
    [
        ("knock", 0, 0, "'knock' is unknown; use one of zero, mean, resample"),
        ("zero", 2, 0, "no head 2.0"),
        ("mean", 0, 3, "to 1.2"),
    ],
)
def test_an_unknown_ablation_or_head_is_refused(swept, kind, layer, head, words):
    with pytest.raises(ValueError, match=words):
        swept[0].ablation(kind, layer, head)


@pytest.fixture(scope="module")
def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    model = LlamaForCausalLM(LlamaConfig(vocab_size=13, max_position_embeddings=16, **sizes)).eval()
    for p in model.parameters():
        p.requires_grad_(False).add_(0.1 * torch.randn_like(p))
    return model


def test_a_decoder_is_seen_as_it_computes_itself(llama):
    view, tokens = Single(read(llama)), text(6, 8, 13)
    seen = view.run(tokens)
    assert torch.allclose(seen.logits[0], llama(tokens).logits, atol=1e-4)
    sweep = Sweep(view, tokens)
    edit = {"z.1": sweep.ablation("zero", 1, 2)}
    with heads_out(llama, [(1, 2)], [torch.zeros(1, 1, 4, 4)] * 2):
        own = llama(tokens).logits
    after = view.run(tokens, edit)
    assert torch.allclose(after.logits[0], own, atol=1e-4)
    assert torch.equal(view.run(tokens, edit, seen).logits, after.logits)  # blocks below may be taken as they are
    r = seen.streams[-1]  # ⟨r, u⟩ / spread is the logit
    logits = torch.einsum("mbtd,mvd->mbtv", r, view.unembedding) / view.spread(r)[..., None]
    assert torch.allclose(logits, seen.logits, atol=1e-4)


def test_logits_of_a_stack_are_read_out_of_its_stream():
    view = stack()
    seen = view.run(text()[:, :-1])
    logits = (
        torch.einsum("mbtd,mvd->mbtv", seen.streams[-1], view.unembedding) / view.spread(seen.streams[-1])[..., None]
    )
    constant = torch.einsum("md,mdv->mv", view.params["ln_final.b"], view.params["W_U"])[:, None, None]
    assert torch.allclose(logits + constant, seen.logits, atol=1e-4)


TOY = Toy(n_samples=8, train_steps=3, seeds=2, vocab=9, length=5, batch=4, held=2, width=8, heads=2, hidden=8)


def test_the_printed_measures_against_loops():
    params = printed.trained(TOY)
    found = printed.measured(TOY, params)
    arch = printed.architecture(TOY)
    held = printed.tokens(TOY, "held", 8)
    for s in range(2):
        for i in range(2):
            x = held[s, 4 * i : 4 * i + 4, :-1]
            own = {k: v[s : s + 1] for k, v in params.items()}
            seen = models.cached(own, x, arch, keep=["resid_post.0", "z.0"])[1]
            flat = seen["resid_post.0"].reshape(-1, 8).numpy()
            assert found["variance_stream"][s, i] == pytest.approx(flat.var(0).mean(), rel=1e-4)
            heads = [(seen["z.0"][0, :, :, h] @ own["W_O.0"][0, h]).reshape(-1, 8).numpy() for h in range(2)]
            assert found["variance_head.1"][s, i] == pytest.approx(heads[1].var(0).mean(), rel=1e-4)
            assert found["against.0"][s, i] == pytest.approx(
                np.corrcoef(heads[0].ravel(), heads[1].ravel())[0, 1], abs=1e-4
            )
            without = {k: v.clone() for k, v in own.items()}
            without["W_O.0"][0, 0] = 0.0
            stream = models.cached(without, x, arch, keep=["resid_post.0"])[1]["resid_post.0"].reshape(-1, 8).numpy()
            assert found["ablated.0"][s, i] == pytest.approx(stream.var(0).mean(), rel=1e-4)


def test_a_head_that_cancels_another_is_a_suppressor_as_printed():
    """Two heads alike but for the sign of what they write: without one of them the other is heard."""
    params = printed.trained(TOY)
    for name in ("W_Q.0", "W_K.0", "W_V.0"):
        params[name][:, 1] = params[name][:, 0]
    params["W_O.0"][:, 0] *= 20.0
    params["W_O.0"][:, 1] = -params["W_O.0"][:, 0]
    found = printed.measured(TOY, params)
    assert (found["ablated.1"] / found["variance_stream"] > 1.5).all()
    assert (found["against.1"] < -0.99).all()


def test_the_printed_tokens_hold_nothing_to_learn():
    drawn = printed.tokens(Toy(seeds=2, n_samples=2000), "train", 2000)
    counts = np.bincount(drawn[0].flatten().numpy(), minlength=256)
    assert abs(counts / counts.sum() - 1 / 256).max() < 0.001
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(printed.tokens(TOY, "train", 8), printed.tokens(TOY, "held", 8))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_finds_the_same_heads(swept):
    sweep, found = swept
    there = Stacked({k: v.cuda() for k, v in sweep.view.params.items()}, ARCH)
    again = Sweep(there, text().cuda()).run(lambda *_: None, 2, 0)
    for name, value in found.per.items():
        assert torch.allclose(again.per[name].cpu(), value, atol=1e-4)
    assert torch.allclose(again.variance.cpu(), found.variance, rtol=1e-4)
