"""A whole condition on a live model: decode its weights in place, its loss on 16,384 tokens, and 8 greedy texts.

The model has the shape of Mistral-7B and random weights: no time here depends on what they are. Greedy decoding is recorded
once as a CUDA graph, for the weights are overwritten where they lie; `lm.generate`, which is not, is timed beside it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from helpers import lm
from helpers.dtdr import encode_model
from helpers.dtdr.codec import Codec

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


class Greedy:
    """Greedy texts of a fixed shape from a live model; each new token is one replay of a recorded graph.

    The model's weights may change between calls, in place. On a CPU, and with record=False, nothing is recorded.
    """

    def __init__(self, model, prompts: int, words: int, new: int, *, record: bool = True) -> None:
        from transformers import StaticCache

        self.model, self.new, device = model, new, model.device
        self.cache = StaticCache(config=model.config, max_cache_len=words + new)
        self.token = torch.zeros(prompts, 1, dtype=torch.int64, device=device)
        self.position = torch.zeros(1, 1, dtype=torch.int64, device=device)
        self.places = torch.arange(words + new, device=device)
        self.out = torch.zeros(prompts, words + new, dtype=torch.int64, device=device)
        self.graph = None
        if record and device.type == "cuda":
            self._record(words)

    @torch.inference_mode()
    def _record(self, words: int) -> None:
        self._start(torch.zeros(len(self.token), words, dtype=torch.int64, device=self.token.device))
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                self._step()
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._step()

    def _start(self, prompts: Tensor) -> None:
        """Read the prompts (B, T) into an empty cache; the first new token of each."""
        words = prompts.shape[1]
        for layer in self.cache.layers:
            layer.cumulative_length.zero_()
        self.out[:, :words] = prompts
        places = torch.arange(words, device=prompts.device)
        mask = (self.places[None, :] <= places[:, None])[None, None].expand(len(prompts), -1, -1, -1)  # (B, 1, T, all)
        self._forward(prompts, places[None], mask)
        self.position.fill_(words)

    def _step(self) -> None:
        """Store the last token at its place, and find the next."""
        self.out.scatter_(1, self.position.expand(len(self.out), 1), self.token)
        mask = (self.places <= self.position)[None, None].expand(len(self.out), -1, -1, -1)  # (B, 1, 1, all)
        self._forward(self.token, self.position, mask)
        self.position += 1

    def _forward(self, ids: Tensor, positions: Tensor, mask: Tensor) -> None:
        found = self.model(
            input_ids=ids, position_ids=positions, attention_mask=mask, past_key_values=self.cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        self.token.copy_(found.logits[:, -1].float().argmax(-1, keepdim=True))

    @torch.inference_mode()
    def __call__(self, prompts: Tensor) -> Tensor:
        """(B, T) ids -> (B, T + new)."""
        self._start(prompts)
        for _ in range(self.new - 1):
            self.graph.replay() if self.graph else self._step()
        self.out.scatter_(1, self.position.expand(len(self.out), 1), self.token)
        return self.out.clone()


def measure(codec: Codec, size: str, device: str, repeats: int) -> dict:
    """Seconds of each part and of the whole condition, `repeats` times after one that is not counted."""
    model = build(size, device)
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randint(model.config.vocab_size, shape, generator=generator)
    tokens, prompts = draw(SEQUENCES, LENGTH if size == "mistral-7b" else 64), draw(PROMPTS, WORDS)
    coded = encode_model(model, codec)
    greedy, on_device = Greedy(model, PROMPTS, WORDS, NEW), prompts.to(device)
    agreement = float((greedy(on_device).cpu() == lm.generate(model, prompts, NEW)).float().mean())
    parts: dict[str, Callable] = {
        "decode": lambda: coded.decode_into(model, FRACTION),
        "evaluation": lambda: lm.score(model, tokens),
        "samples": lambda: greedy(on_device),
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
    return facts | {"peak_bytes": peak, "weights": sum(p.numel() for p in model.parameters()), "seconds": seconds}


def _time(run: Callable, device: str) -> float:
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start
