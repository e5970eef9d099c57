"""Models to put soft prompts before: any causal LM, and large shapes with random weights, to measure what they would take."""

from __future__ import annotations

import torch

from helpers import devices, lm
from helpers.lm import LM
from helpers.storyteller import tokenizer

SHAPES = {  # name: (kind, layers, hidden, heads, key-value heads, inside, vocabulary)
    "random-160m": ("gpt_neox", 12, 768, 12, 12, 3072, 50304),
    "random-0.5b": ("llama", 24, 896, 14, 2, 4864, 151936),
    "random-1b": ("llama", 16, 2048, 32, 8, 8192, 128256),
    "random-7b": ("llama", 32, 4096, 32, 8, 14336, 32000),
}
CONTEXT = 2048


def load(model: str, *, device: str = "auto", dtype: str | None = None) -> LM:
    """A model by a name of `SHAPES` (random weights, the storyteller's words as its first tokens), or as `lm.load` takes it."""
    if model not in SHAPES:
        return lm.load(model, device=device, dtype=dtype)
    device = devices.resolve(device)
    dtype = dtype or ("float32" if device == "cpu" else "bfloat16")
    return LM(model, "random", build(model, device, dtype), tokenizer.build(CONTEXT), device)


def build(model: str, device: str, dtype: str):
    """An untrained model of a shape on a device; the same name gives the same weights on the same kind of device."""
    from transformers import AutoModelForCausalLM, GPTNeoXConfig, LlamaConfig

    kind, layers, hidden, heads, groups, inside, vocab = SHAPES[model]
    shared = {
        "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads, "intermediate_size": inside,
        "vocab_size": vocab, "max_position_embeddings": CONTEXT, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0,
    }  # fmt: skip
    config = GPTNeoXConfig(**shared) if kind == "gpt_neox" else LlamaConfig(num_key_value_heads=groups, **shared)
    size = layers * (4 * hidden * hidden + 3 * hidden * inside) + 2 * vocab * hidden
    kind_of = getattr(torch, dtype)
    devices.need_memory(int(1.1 * size * kind_of.itemsize), device, f"{model} ({size / 1e9:.1f}e9 parameters)")
    with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []), torch.device(device):
        torch.manual_seed(devices.seed_of("softprompt", model))
        return AutoModelForCausalLM.from_config(config, dtype=kind_of, attn_implementation="sdpa").eval()


def untrained(found: LM) -> LM:
    """A model of the same config with fresh weights; a random shape is its own."""
    if found.source == "random":
        return found
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(devices.seed_of("softprompt", "untrained", found.name))
        net = AutoModelForCausalLM.from_config(found.model.config, dtype=found.model.dtype).eval()
    return LM(f"{found.name}, untrained", found.source, net.to(found.model.device), found.tokenizer, found.device)
