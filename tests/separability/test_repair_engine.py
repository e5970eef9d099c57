"""The engine that takes heads out, held to plain hooked forward passes of the whole model."""

import itertools

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM

from helpers.separability import hooks

V, B, T = 50, 4, 7


def tiny(kind, seed=0):
    """A random model whose heads matter: 3 blocks of 4 heads."""
    torch.manual_seed(seed)
    if kind == "gpt2":
        size = {"n_embd": 16, "n_layer": 3, "n_head": 4, "n_positions": 16}
        model = GPT2LMHeadModel(GPT2Config(vocab_size=V, initializer_range=0.3, bos_token_id=0, eos_token_id=0, **size))
        torch.nn.init.normal_(model.transformer.ln_f.bias)
    else:
        size = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2}
        model = LlamaForCausalLM(LlamaConfig(vocab_size=V, intermediate_size=24, initializer_range=0.3, **size))
    return model.eval()


@pytest.fixture(params=["gpt2", "llama"])
def model(request):
    return tiny(request.param)


def draw(seed):
    return torch.randint(0, V, (B, T), generator=torch.Generator().manual_seed(seed))


SINGLE = [((layer, head),) for layer, head in itertools.product(range(3), range(4))]
SETS = [*SINGLE, ((2, 0), (0, 1)), ((1, 0), (1, 3), (2, 2)), ((0, 0), (1, 0), (2, 0))]


def gathered(decoder, run, sets, reference, **how):
    """Logits, and all else, of all sets in their order."""
    chunks = list(hooks.ablate(decoder, run, sets, reference, **how))
    order = torch.tensor([i for index, _ in chunks for i in index])
    assert sorted(order.tolist()) == list(range(len(sets)))
    back = order.argsort()
    return {k: torch.cat([getattr(e, k) for _, e in chunks])[back] for k in ("resid", "z", "mlp", "logits")}


@pytest.mark.parametrize("kind", hooks.KINDS)
def test_every_set_gives_the_logits_of_a_hooked_forward_pass(model, kind, monkeypatch):
    monkeypatch.setitem(hooks.BYTES, "cpu", 4 * B * T * 16 * 5)  # several chunks
    decoder, tokens = hooks.read(model), draw(1)
    run = hooks.trace(decoder, tokens)
    reference = hooks.references(kind, run, hooks.trace(decoder, draw(2)), torch.tensor([0, 1, 0, 1]))
    slow = hooks.slow_logits(model, tokens, SETS, reference)
    with torch.no_grad():
        assert (slow - model(tokens).logits[:, -1]).abs().amax((1, 2)).min() > 1e-2, "every set is felt"
    for everywhere in (False, True):
        fast = gathered(decoder, run, SETS, reference, everywhere=everywhere)
        torch.testing.assert_close(fast["logits"], slow, atol=1e-4, rtol=1e-4)
    asked = torch.stack([tokens[:, 0], tokens[:, 3]], 1)
    few = gathered(decoder, run, SETS, reference, ask=asked)["logits"]
    torch.testing.assert_close(few, slow.gather(2, asked.expand(len(SETS), B, 2)), atol=1e-4, rtol=1e-4)


def test_the_parts_add_up_to_the_stream_and_the_stream_to_the_logits(model):
    """Embedding, heads, biases and MLPs at the last position; and the logit difference from the direction of two tokens."""
    decoder, tokens = hooks.read(model), draw(1)
    run = hooks.trace(decoder, tokens)
    ends = gathered(decoder, run, SETS, hooks.references("zero", run))
    with torch.no_grad():
        total = ends["resid"][:, :, 0] + ends["mlp"].sum(2)
        for layer in range(3):
            total = total + decoder.attended(layer, ends["z"][:, :, layer])
    torch.testing.assert_close(total, ends["resid"][:, :, -1], atol=1e-4, rtol=1e-4)
    a, b = tokens[:, 0], (tokens[:, 0] + 1) % V
    u, c = decoder.direction(a, b)
    last, row = ends["resid"][:, :, -1], torch.arange(B)
    read = (last * u).sum(-1) / decoder.spread(last) + c
    torch.testing.assert_close(read, ends["logits"][:, row, a] - ends["logits"][:, row, b], atol=1e-4, rtol=1e-4)


def test_means_are_taken_within_groups_and_position_by_position():
    decoder = hooks.read(tiny("gpt2"))
    run, other = hooks.trace(decoder, draw(1)), hooks.trace(decoder, draw(2))
    mean = hooks.references("mean", run, other, torch.tensor([5, 9, 5, 9]))
    torch.testing.assert_close(mean[1][2], (other.z[1][0] + other.z[1][2]) / 2)
    torch.testing.assert_close(hooks.references("mean", run, other)[0][0], other.z[0].mean(0))
    assert hooks.references("resample", run, other)[2] is other.z[2]


def test_a_planted_scale_is_found_where_it_was_put(model):
    decoder = hooks.read(model)
    run = hooks.trace(decoder, draw(1))
    ends = gathered(decoder, run, [()], hooks.references("zero", run), scale={1: 1.5})
    norms = ends["resid"][0].norm(dim=-1) / torch.stack([r[:, -1] for r in run.resid], 1).norm(dim=-1)  # (B, L + 1)
    torch.testing.assert_close(norms[:, :2], torch.ones(B, 2))
    torch.testing.assert_close(norms[:, 2], torch.full((B,), 1.5))


def test_norms_everywhere_are_those_of_the_hooked_stream(model):
    decoder, tokens = hooks.read(model), draw(3)
    run = hooks.trace(decoder, tokens)
    reference = hooks.references("zero", run)
    [(_, ends)] = hooks.ablate(decoder, run, [((0, 1), (2, 3))], reference, everywhere=True)
    body = model.transformer if hasattr(model, "transformer") else model.model
    blocks, seen = getattr(body, "h", getattr(body, "layers", None)), []
    keep = blocks[2].register_forward_hook(
        lambda module, given, out: seen.append(out[0] if isinstance(out, tuple) else out)
    )
    hooks.slow_logits(model, tokens, [((0, 1), (2, 3))], reference)
    keep.remove()
    torch.testing.assert_close(ends.pooled[0, :, 2], seen[0].norm(dim=-1), atol=1e-4, rtol=1e-4)


def count(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def breaks(model, reference):
    with hooks.heads_out(model, ((0, 0), (1, 1)), reference):
        assert count(model) == 2
        raise RuntimeError("broken")


def test_no_hook_is_left_behind_whatever_happens(model):
    decoder, tokens = hooks.read(model), draw(1)
    run = hooks.trace(decoder, tokens)
    reference = hooks.references("zero", run)
    before = model(tokens).logits
    gathered(decoder, run, SETS, reference)
    hooks.slow_logits(model, tokens, SETS, reference)
    with pytest.raises(RuntimeError, match="broken"):
        breaks(model, reference)
    with pytest.raises(ValueError, match="no head"):
        hooks.slow_logits(model, tokens, [((0, 0),), ((3, 0),)], reference)
    assert count(model) == 0
    assert torch.equal(model(tokens).logits, before)


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        ([((3, 0),)], r"no head 3\.0.*blocks 0\.\.2 of heads 0\.\.3; use one up to 2\.3"),
        ([((0, 4),)], r"no head 0\.4"),
        ([((-1, 0),)], r"no head -1\.0"),
        ([()], "at least one head"),
        ([((1, 1), (1, 1))], "each once"),
    ],
)
def test_heads_that_are_not_there_are_refused(sets, told):
    decoder = hooks.read(tiny("gpt2"))
    run = hooks.trace(decoder, draw(1))
    with pytest.raises(ValueError, match=told):
        list(hooks.ablate(decoder, run, sets, hooks.references("zero", run)))


def test_unknown_kinds_blocks_and_models_are_refused():
    decoder = hooks.read(tiny("gpt2"))
    run = hooks.trace(decoder, draw(1))
    with pytest.raises(ValueError, match="'knockout' is unknown; use one of zero, mean, resample"):
        hooks.references("knockout", run)
    with pytest.raises(ValueError, match="needs a run on other prompts"):
        hooks.references("mean", run)
    with pytest.raises(ValueError, match=r"no block 7.*blocks 0\.\.2"):
        list(hooks.ablate(decoder, run, [()], hooks.references("zero", run), scale={7: 2.0}))
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    with pytest.raises(ValueError, match="GPTNeoXForCausalLM cannot be taken apart here; use a model with GPT-2"):
        hooks.read(GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=V, bos_token_id=0, eos_token_id=0, **size)))


def test_a_block_that_is_computed_otherwise_is_refused():
    """GPT-2 with a scale that depends on the block: of the same names, and not of the same logits."""
    torch.manual_seed(0)
    size = {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 16, "bos_token_id": 0, "eos_token_id": 0}
    odd = GPT2Config(vocab_size=V, initializer_range=0.5, scale_attn_by_inverse_layer_idx=True, **size)
    with pytest.raises(ValueError, match="its logits are missed by"):
        hooks.read(GPT2LMHeadModel(odd).eval())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_the_sets_give_the_same_logits(model):
    model = model.cuda()
    decoder, tokens = hooks.read(model), draw(1).cuda()
    run = hooks.trace(decoder, tokens)
    reference = hooks.references("resample", run, hooks.trace(decoder, draw(2).cuda()))
    fast = gathered(decoder, run, SETS, reference)["logits"]
    torch.testing.assert_close(fast, hooks.slow_logits(model, tokens, SETS, reference), atol=1e-4, rtol=1e-4)
