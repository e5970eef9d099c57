"""A whole condition on a live model: decode its weights in place, its loss on 16,384 tokens, and 8 greedy texts.

The model has the shape of Mistral-7B and random weights: no time here depends on what they are. Greedy decoding is recorded
once as a CUDA graph (`lm.Greedy`); `lm.generate`, which is not, is timed beside it. The weights that the grouped launch writes
are held to those of the torch path, matrix by matrix.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from helpers import lm
from helpers.codec import decode
from helpers.codec.codec import Codec
from helpers.stores import Coded, encode_model, matrices

SEQUENCES, LENGTH = 16, 1024  # of the evaluation: 16,384 tokens
PROMPTS, WORDS, NEW = 8, 32, 60  # greedy texts, tokens of a prompt, tokens after it
FRACTION = 0.6


def build(size: str, device: str):
    """A Mistral model with random bf16 weights, made where it will live."""
    from transformers import AutoModelForCausalLM, MistralConfig
    from transformers.initialization import no_init_weights

    d, heads, kv, hidden, layers, vocab = (
        (4096, 32, 8, 14336, 32, 32768) if size == "mistral-7b" else (256, 4, 2, 896, 2, 1024)
    )
    config = MistralConfig(
        hidden_size=d, num_attention_heads=heads, num_key_value_heads=kv, head_dim=d // heads, intermediate_size=hidden,
        num_hidden_layers=layers, vocab_size=vocab, sliding_window=None, max_position_embeddings=4096,
    )  # fmt: skip
    with torch.device(device), no_init_weights():
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(0, 0.02) if p.ndim == 2 else p.fill_(1)
    return model


def compare(coded: Coded, model) -> dict[str, float]:
    """The weights that one launch writes at FRACTION against the slow path's: largest relative distance of a matrix, and the
    share of weights that are not the same bits. AssertionError past the rounding of bf16."""
    coded.decode_into(model, FRACTION)
    state, furthest, other, count = dict(matrices(model)), 0.0, 0, 0
    for name in coded.names():
        slow = decode(coded.encoded(name), FRACTION, out=torch.empty_like(state[name]), kernel=False)
        furthest = max(furthest, float((state[name].float() - slow.float()).norm() / slow.float().norm()))
        other, count = other + int((state[name] != slow).sum()), count + slow.numel()
    assert furthest < 2**-8, f"the kernel is {furthest:.2g} from the torch path"
    print(
        f"condition: {count:,} weights; furthest matrix {furthest:.1e} from the torch path, {other / count:.1e} other bits"
    )
    return {"equality_distance": furthest, "equality_other_bits": other / count}


def measure(codec: Codec, size: str, device: str, repeats: int) -> dict:
    """Seconds of each part and of the whole condition, `repeats` times after one that is not counted."""
    model = build(size, device)
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randint(model.config.vocab_size, shape, generator=generator)
    tokens, prompts = draw(SEQUENCES, LENGTH if size == "mistral-7b" else 64), draw(PROMPTS, WORDS)
    coded = encode_model(model, codec)
    equality = compare(coded, model)
    greedy = lm.Greedy(model, PROMPTS, WORDS, NEW)
    agreement = float((greedy(prompts) == lm.generate(model, prompts, NEW)).float().mean())
    parts: dict[str, Callable] = {
        "decode": lambda: coded.decode_into(model, FRACTION),
        "evaluation": lambda: lm.score(model, tokens),
        "samples": lambda: greedy(prompts),
        "samples, lm.generate": lambda: lm.generate(model, prompts, NEW),
    }
    seconds: dict[str, list[float]] = {name: [] for name in [*parts, "condition"]}
    for i in range(repeats + 1):
        found = {name: _time(run, device) for name, run in parts.items()}
        found["condition"] = found["decode"] + found["evaluation"] + found["samples"]
        for name in seconds if i else ():
            seconds[name].append(found[name])
    for name, took in seconds.items():
        print(f"condition: {name:22} {statistics.median(took):8.3f} s ({min(took):.3f} … {max(took):.3f})")
    peak = torch.cuda.max_memory_allocated(device) if device.startswith("cuda") else None
    print(f"condition: greedy texts agree with lm.generate's in {agreement:.1%} of the tokens; peak memory {peak}")
    facts = {"tokens": tokens.numel(), "texts": PROMPTS, "new": NEW, "fraction": FRACTION, "agreement": agreement}
    facts |= equality
    return facts | {"peak_bytes": peak, "weights": sum(p.numel() for p in model.parameters()), "seconds": seconds}


def _time(run: Callable, device: str) -> float:
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start
