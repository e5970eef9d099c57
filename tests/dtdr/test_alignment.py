"""Neurons under other numbers are found again."""

import pytest
import torch

from helpers.dtdr.alignment import aligned

HEADS, STREAM, HIDDEN, WORDS = 2, 8, 12, 200


def model(seed=0, layers=2):
    rng = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(shape, generator=rng)
    out = {"model.embed_tokens.weight": draw(WORDS, STREAM), "lm_head.weight": draw(WORDS, STREAM)}
    for i in range(layers):
        head = f"model.layers.{i}."
        out |= {f"{head}self_attn.{n}_proj.weight": draw(STREAM, STREAM) for n in "qkvo"}
        out |= {f"{head}mlp.{n}_proj.weight": draw(HIDDEN, STREAM) for n in ("gate", "up")}
        out[f"{head}mlp.down_proj.weight"] = draw(STREAM, HIDDEN)
    return out


def renamed(weights, seed=1):
    """The same function: channels of the stream, neurons and heads in another order."""
    rng = torch.Generator().manual_seed(seed)
    channels, out = torch.randperm(STREAM, generator=rng), {}
    layers = sorted({n.split(".")[2] for n in weights if ".layers." in n})
    neurons = {i: torch.randperm(HIDDEN, generator=rng) for i in layers}
    size = STREAM // HEADS
    heads = {i: (torch.tensor([1, 0])[:, None] * size + torch.arange(size)).flatten() for i in layers}
    for name, w in weights.items():
        i = name.split(".")[2] if ".layers." in name else ""
        if any(k in name for k in ("embed", "head.")):
            out[name] = w[:, channels]
        elif any(k in name for k in ("q_proj", "k_proj", "v_proj")):
            out[name] = w[heads[i]][:, channels]
        elif "o_proj" in name:
            out[name] = w[channels][:, heads[i]]
        else:
            out[name] = w[channels][:, neurons[i]] if "down" in name else w[neurons[i]][:, channels]
    return out


def test_a_renamed_model_is_put_back_to_the_last_entry():
    weights = model()
    other = renamed(weights)
    assert not torch.equal(other["model.layers.0.mlp.up_proj.weight"], weights["model.layers.0.mlp.up_proj.weight"])
    found = aligned(weights, other, HEADS)
    assert all(torch.equal(found[name], w) for name, w in weights.items())


def test_alignment_never_moves_a_model_away():
    weights, other = model(), model(seed=5)
    near = lambda a: sum(float((weights[n] * a[n]).sum()) for n in weights)
    found = aligned(weights, other, HEADS)
    assert near(found) > near(other)
    for name, w in found.items():  # the same entries, in another order
        torch.testing.assert_close(w.flatten().sort().values, other[name].flatten().sort().values)


def test_what_cannot_be_aligned_is_refused():
    with pytest.raises(ValueError, match=r"c_attn.*Llama's kind"):
        aligned({"h.0.attn.c_attn.weight": torch.ones(2, 2)}, {}, 1)
    shared = model() | {"model.layers.1.self_attn.k_proj.weight": torch.ones(STREAM // 2, STREAM)}
    with pytest.raises(ValueError, match="share keys"):
        aligned(shared, shared, HEADS)
