"""Greedy texts from a live model, again and again: on a GPU each new token is one replay of a recorded CUDA graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from helpers import graphs


def recordable(model: nn.Module) -> bool:
    """Whether `Greedy` can take this model: transformers says that it works with a cache of fixed size, its weights lie
    on one device, and its attention has no sliding window."""
    window = getattr(model.config, "sliding_window", None) and getattr(model.config, "use_sliding_window", True)
    one = len({p.device for p in model.parameters()}) == 1
    return bool(getattr(model, "_can_compile_fullgraph", False)) and one and not window


class Greedy:
    """Greedy texts of a fixed shape from a live model, the same as `generate` gives at temperature 0.

    The model's weights may change between calls, in place; the graph reads them where they lie. On a CPU, and with
    record=False, nothing is recorded. prompts, words, new: texts at a time, tokens of a prompt, tokens after it.
    """

    def __init__(self, model: nn.Module, prompts: int, words: int, new: int, *, record: bool = True) -> None:
        from transformers import StaticCache

        if min(prompts, words, new) < 1:
            raise ValueError(f"prompts={prompts}, words={words}, new={new}: each must be at least 1")
        self.model, self.words, self.new, device = model, words, new, model.device
        self.cache = StaticCache(config=model.config, max_cache_len=words + new)
        self.token = torch.zeros(prompts, 1, dtype=torch.int64, device=device)
        self.position = torch.zeros(1, 1, dtype=torch.int64, device=device)
        self.places = torch.arange(words + new, device=device)
        self.out = torch.zeros(prompts, words + new, dtype=torch.int64, device=device)
        self.replay: Callable[[], None] | None = None
        if record and device.type == "cuda":
            self._record()

    @torch.inference_mode()
    def __call__(self, prompts: Tensor) -> Tensor:
        """(B, T) ids on any device -> (B, T + new) on the CPU. Raises ValueError for another shape than was fixed."""
        if tuple(prompts.shape) != (len(self.out), self.words):
            raise ValueError(f"prompts have shape {tuple(prompts.shape)}; ({len(self.out)}, {self.words}) was fixed")
        self._start(prompts.to(self.out.device))
        step = self.replay or self._step
        for _ in range(self.new - 1):
            step()
        self.out.scatter_(1, self.position.expand(len(self.out), 1), self.token)
        return self.out.cpu()

    @torch.inference_mode()
    def _record(self) -> None:
        self._start(torch.zeros_like(self.out[:, : self.words]))  # the cache is made when it is first written to
        places = [layer.cumulative_length for layer in self.cache.layers]
        step = graphs.recorded(self._step, [self.token, self.position, self.out, *places], warm=1)
        self.replay = None if step == self._step else step

    def _start(self, prompts: Tensor) -> None:
        """Read the prompts (B, T) into an empty cache; the first new token of each."""
        for layer in self.cache.layers:
            if layer.is_initialized:
                layer.cumulative_length.zero_()
        self.out[:, : self.words] = prompts
        places = torch.arange(self.words, device=prompts.device)
        mask = self.places[None, :] <= places[:, None]  # (T, all)
        self._forward(prompts, places[None], mask[None, None].expand(len(prompts), -1, -1, -1))
        self.position.fill_(self.words)

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
