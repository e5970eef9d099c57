"""Greedy texts from a cache of fixed size are those of `generate`, for every type of model, again after a change of weights."""

import pytest
import torch

from helpers import lm

COMMON = {"vocab_size": 64}
LLAMA = {
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
}
CONFIGS = {
    "LlamaConfig": LLAMA,
    "MistralConfig": LLAMA | {"sliding_window": None},
    "Qwen2Config": LLAMA,
    "GPT2Config": {"n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 64},
}


def build(name, **more):
    import transformers

    config = getattr(transformers, name)(**CONFIGS[name] | COMMON | more)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim == 2:
                p.mul_(8)  # far from ties: a text that depends on what it has read
    return model


@pytest.mark.parametrize("name", list(CONFIGS))
def test_the_same_texts_as_generate(name, device):
    model = build(name).to(device)
    assert lm.recordable(model)
    draw = lambda seed: torch.randint(64, (3, 7), generator=torch.Generator().manual_seed(seed))
    greedy = lm.Greedy(model, 3, 7, 20)
    assert (greedy.replay is not None) == (device == "cuda")
    seen = set()
    for seed in range(3):
        wanted = lm.generate(model, draw(seed), 20)
        assert torch.equal(greedy(draw(seed)), wanted)
        seen |= set(map(tuple, wanted[:, 7:].tolist()))
        with torch.no_grad():  # the next round has other weights, in the same place
            for p in model.parameters():
                p.mul_(-1 if p.ndim == 2 else 1)
    assert len(seen) > 3


def test_one_new_token():
    model, x = build("LlamaConfig"), torch.randint(64, (2, 5))
    assert torch.equal(lm.Greedy(model, 2, 5, 1)(x), lm.generate(model, x, 1))


def test_what_cannot_be_recorded():
    assert not lm.recordable(build("MistralConfig", sliding_window=8))
    greedy = lm.Greedy(build("LlamaConfig"), 2, 5, 3)
    with pytest.raises(ValueError, match=r"prompts have shape \(2, 6\); \(2, 5\) was fixed"):
        greedy(torch.zeros(2, 6, dtype=torch.int64))
    with pytest.raises(ValueError, match="new=0"):
        lm.Greedy(build("LlamaConfig"), 2, 5, 0)
