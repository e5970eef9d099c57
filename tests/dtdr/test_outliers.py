"""The same function from other weights: what a planted cause does to the losses that claims D5 and D8 compare."""

import pytest
import torch
import transformers

from helpers import lm, stores, storyteller
from helpers.dtdr import Keep, Noise, Spoil, Subject, outliers
from helpers.dtdr.outliers import OutliersRefused, outlier_channels

SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
KINDS = {
    "Llama": SIZES,
    "Mistral": SIZES | {"num_key_value_heads": 2},
    "Qwen2": SIZES | {"num_key_value_heads": 2},
    "GPT2": {"n_embd": 64, "n_layer": 2, "n_head": 4},
    "Gemma": SIZES | {"num_key_value_heads": 2, "head_dim": 16},
    "OPT": SIZES | {"ffn_dim": 96, "word_embed_proj_dim": 64},
}
TOKENS = torch.arange(24).reshape(2, 12)


def tiny(kind):
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(vocab_size=40, **KINDS[kind])
    head = "LMHeadModel" if kind == "GPT2" else "ForCausalLM"
    model = getattr(transformers, kind + head)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases that are not all ones or zeros
            parameter += 0.02 * torch.randn_like(parameter)
    return lm.LM(model=model, tokenizer=None, name=kind, source="folder", device="cpu")


def state(found):
    return {k: v.clone() for k, v in found.model.state_dict().items()}


def same(found, before):
    return all(torch.equal(v, before[k]) for k, v in found.model.state_dict().items())


@pytest.mark.parametrize("kind", ["Llama", "Mistral", "Qwen2", "GPT2"])
def test_the_function_stays_and_one_channel_stands_out(kind):
    found = tiny(kind)
    before, logits = state(found), found.model(TOKENS).logits
    with outlier_channels(found, TOKENS) as planted:
        assert planted.name == f"{kind}-outliers32"
        assert torch.allclose(planted.model(TOKENS).logits, logits, rtol=1e-5, atol=1e-5)
        after = state(planted)
    assert same(found, before)
    parts = stores.parts(found.model)
    readers = [k for k in after if after[k].ndim == 2 and not torch.equal(after[k], before[k])]
    assert len(readers) == (4 if kind == "GPT2" else 10)  # of two blocks
    for name in readers:
        old, new = (w[name] if parts[name].transposed else w[name].T for w in (before, after))  # (width, out)
        ratio = new.norm(dim=1) / old.norm(dim=1)
        assert sorted(ratio.tolist()) == pytest.approx([1.0] * 63 + [outliers.TIMES])


def test_they_are_taken_back_when_the_block_fails():
    found = tiny("Llama")
    before = state(found)
    with pytest.raises(KeyError), outlier_channels(found, TOKENS):
        raise KeyError("something else")
    assert same(found, before)


@pytest.mark.parametrize(("kind", "why"), [("Gemma", "of another kind"), ("OPT", "Llama's or GPT-2's")])
def test_blocks_that_are_built_otherwise_are_left_as_they_were(kind, why):
    found = tiny(kind)
    before = state(found)
    with pytest.raises(OutliersRefused, match=why), outlier_channels(found, TOKENS):
        pass
    assert same(found, before)


@pytest.mark.parametrize(
    "wrong", [{"times": 0.0}, {"times": -2.0}, {"times": 1e9}, {"times": float("nan")}, {"every": 0}]
)
def test_factors_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"times=.*, every="), outlier_channels(tiny("Llama"), TOKENS, **wrong):
        pass


def losses(found, tokens):
    subject = Subject(found, tokens)

    def at(damage, level):
        subject.rebuild(damage, level, 0)
        return subject.measure()["nll"]

    with subject.damaged():
        return {
            "whole": subject.intact["nll"],
            "raw": at(Keep("identity"), 0.9),
            "transformed": at(Keep(), 0.9),
            "noise": at(Noise(), 0.9),
            "spoiled raw": at(Spoil("identity"), 0.001),
            "spoiled transformed": at(Spoil(), 0.001),
        }


def test_outliers_alone_bring_about_what_the_document_saw():
    """Raw weights degrade as before; transformed ones fall silent, and so do raw ones under noise of one size per row; and
    corruption now spares the transformed store. Nothing of it was there before.
    """
    found = lm.load("storyteller", device="cpu")
    tokens = storyteller.tokens(found, count=16, length=48, seed=0)
    before = losses(found, tokens)
    with outlier_channels(found, tokens) as planted:
        after = losses(planted, tokens)
    assert after["whole"] == pytest.approx(before["whole"], abs=1e-5)
    assert after["raw"] == pytest.approx(before["raw"], abs=0.05)
    assert abs(before["transformed"] - before["raw"]) < 0.1 < 1.0 < after["transformed"] - after["raw"]
    assert after["noise"] - after["raw"] > 1.0
    assert abs(before["spoiled raw"] - before["spoiled transformed"]) < 0.05
    assert after["spoiled raw"] - after["spoiled transformed"] > 0.5
