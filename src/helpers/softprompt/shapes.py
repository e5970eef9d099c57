"""Models to put soft prompts before: any causal LM, and large shapes with random weights, to measure what they would take."""

from __future__ import annotations

import pandas as pd
import torch

from helpers import devices, lm, quiz, storyteller
from helpers.data.fetch import cache_folder
from helpers.lm import LM, hub, loader
from helpers.softprompt import engine
from helpers.softprompt.config import MOST_SLOTS, Search
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
    if model == quiz.NAME:
        return quiz.quizmaster(device)
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


HUB = {  # models that can be given by name: what transformers calls their kind, and their shape as published
    "openai-community/gpt2": ("gpt2", {}),
    "EleutherAI/pythia-160m": ("gpt_neox", {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
                                            "intermediate_size": 3072, "vocab_size": 50304}),
    "EleutherAI/pythia-1.4b": ("gpt_neox", {"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 16,
                                            "intermediate_size": 8192, "vocab_size": 50304}),
    "Qwen/Qwen2.5-0.5B": ("qwen2", {"hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14,
                                    "num_key_value_heads": 2, "intermediate_size": 4864, "vocab_size": 151936,
                                    "tie_word_embeddings": True}),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": ("qwen2", {"hidden_size": 1536, "num_hidden_layers": 28,
                                                            "num_attention_heads": 12, "num_key_value_heads": 2,
                                                            "intermediate_size": 8960, "vocab_size": 151936}),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": ("qwen2", {"hidden_size": 3584, "num_hidden_layers": 28,
                                                          "num_attention_heads": 28, "num_key_value_heads": 4,
                                                          "intermediate_size": 18944, "vocab_size": 152064}),
    "allenai/OLMoE-1B-7B-0924": ("olmoe", {"hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 16,
                                           "num_key_value_heads": 16, "intermediate_size": 1024, "vocab_size": 50304,
                                           "num_experts": 64, "num_experts_per_tok": 8}),
    "Qwen/Qwen1.5-MoE-A2.7B": ("qwen2_moe", {"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 16,
                                             "num_key_value_heads": 16, "intermediate_size": 5632, "vocab_size": 151936,
                                             "moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632,
                                             "num_experts": 60, "num_experts_per_tok": 4}),
}  # fmt: skip
GPUS = {"80 GiB": 80, "140 GiB": 140}


def memory(how: Search, length: int = 24) -> pd.DataFrame:
    """What models of the hub take in bfloat16, a row each: parameters, counted on tensors without memory; GiB of weights; MiB
    that a content with two texts of `length` tokens takes beside them; and how many contents at a time half of what is left of
    a GPU holds, 0 where the weights do not fit."""
    from transformers import AutoConfig

    out = []
    for name, (kind, shape) in HUB.items():
        config = AutoConfig.for_model(kind, **shape)
        count, _ = loader.parameters(config, name)
        weights, each = 2 * count, engine.needed(config, how, (how.k, 2, length), 2)
        row = {
            "model": name,
            "parameters (10⁹)": count / 1e9,
            "weights (GiB)": weights / 2**30,
            "a content (MiB)": each / 2**20,
        }
        room = {gpu: max(0, size * 2**30 - 1.1 * weights) / 2 for gpu, size in GPUS.items()}
        out.append(row | {f"contents in {gpu}": min(int(left // each), MOST_SLOTS) for gpu, left in room.items()})
    return pd.DataFrame(out)


def check(model: str) -> None:
    """Raises, before anything is loaded, for a model that is neither embedded, nor a folder, nor reachable on the hub."""
    if model not in (*SHAPES, quiz.NAME):
        source, _ = loader.locate(model)
        if source == "hub":
            hub.small(model)


LADDERS = {"none": (), "width": ("width64", "width256", "width512"), "depth": ("depth2", "depth4", "depth8", "depth16")}


def members(which: str, device: str = "auto") -> list[LM]:
    """Storytellers of other sizes, trained where the cache has none. Raises ValueError for an unknown ladder."""
    if which not in LADDERS:
        raise ValueError(f"others={which!r} is unknown; use one of {', '.join(LADDERS)}")
    folder = cache_folder() / "storyteller"
    made = [storyteller.member(folder, size, 0, device)[0] for size in LADDERS[which]]
    return [LM(m.name, "folder", lm.load(str(m.folder), device=device).model, tokenizer.build(), device) for m in made]
