"""The engine against TransformerLens: the same heads taken out by hooks of a bridge around the same weights."""

import pytest
import torch
from test_repair_engine import SETS, count, draw, gathered, tiny

from helpers import lm
from helpers.separability import hooks

pytest.importorskip("transformer_lens")
NAMES = {"gpt2": "gpt2", "llama": "meta-llama/Llama-2-7b-hf"}  # of a kind of block; weights and tokenizer are given


@pytest.fixture(params=sorted(NAMES))
def bridge(request, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from transformer_lens.model_bridge import TransformerBridge

    tokenizer = lm.load("storyteller", device="cpu").tokenizer
    model = tiny(request.param)
    return TransformerBridge.boot_transformers(NAMES[request.param], hf_model=model, device="cpu", tokenizer=tokenizer)


def replaced(heads, reference):
    """A bridge's hook that puts the reference in the place of some heads of a block."""

    def hook(z, hook):  # (B, T, H, E)
        z = z.clone()
        z[:, :, heads] = reference.expand_as(z)[:, :, heads]
        return z

    return hook


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["zero", "resample"])
def test_logits_are_those_of_a_hooked_bridge(bridge, kind):
    decoder, tokens = hooks.read(bridge), draw(1)
    run = hooks.trace(decoder, tokens)
    reference = hooks.references(kind, run, hooks.trace(decoder, draw(2)))
    fast = gathered(decoder, run, SETS, reference)["logits"]
    for chosen, ours in zip(SETS, fast, strict=True):
        by_block = {k: [h for layer, h in chosen if layer == k] for k, _ in chosen}
        pairs = [(f"blocks.{k}.attn.hook_z", replaced(h, reference[k])) for k, h in by_block.items()]
        with torch.no_grad():
            theirs = bridge.run_with_hooks(tokens, fwd_hooks=pairs)[:, -1]
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_nothing_is_left_on_the_bridge(bridge):
    tokens = draw(1)
    before, hooked = bridge(tokens), count(bridge)
    decoder = hooks.read(bridge)
    run = hooks.trace(decoder, tokens)
    gathered(decoder, run, SETS, hooks.references("zero", run))
    assert count(bridge) == hooked
    assert torch.equal(bridge(tokens), before)
