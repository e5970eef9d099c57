"""Held-out sequences for a model, its loss on them, and text from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices
from helpers.lm.loader import LM

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LOGITS = 1 << 26  # logits held at once while scoring


def tokens(found: LM, *, count: int, length: int, seed: int, text: str = "embedded") -> Tensor:
    """(count, length) int64 held-out sequences for a model.

    They are pieces of `text` (a name or path as `data.load_text` takes it, or an archive of novels, of which only the
    held-out ends are used), drawn without overlap; where the tokenizer puts a token before a text, each piece starts with
    it. Raises ValueError when the model cannot take `length`, or the text is too short.
    """
    check_length(found, count, length)
    ids = np.array(found.tokenizer(_text(text), add_special_tokens=False, verbose=False)["input_ids"])
    start = found.tokenizer("a")["input_ids"][:1] if _starts(found) else []
    size = length - len(start)
    if len(ids) // size < count:
        raise ValueError(
            f"{text!r} gives {len(ids)} tokens, {len(ids) // size} pieces of {length}; {count} were asked for: "
            "use fewer or shorter pieces, or a longer text"
        )
    places = np.sort(devices.numpy_rng("held", seed).choice(len(ids) // size, count, replace=False))
    pieces = [np.concatenate([start, ids[i * size : (i + 1) * size]]) for i in places]
    return torch.from_numpy(np.stack(pieces).astype(np.int64))


def check_length(found: LM, count: int, length: int) -> None:
    """Raises ValueError where `count` sequences of `length` tokens cannot be had, or are too long for the model."""
    longest = getattr(found.model.config, "max_position_embeddings", None) or length
    if count < 1 or not 2 <= length <= longest:
        raise ValueError(
            f"count={count}, length={length}: at least one sequence of 2 to {longest} tokens ({found.name})"
        )


def _starts(found: LM) -> bool:
    first = found.tokenizer("a")["input_ids"][:1]
    return bool(first) and first[0] == found.tokenizer.bos_token_id


def _text(source: str) -> str:
    from helpers import data
    from helpers.lm import novels

    if novels.is_archive(source):
        return "\n".join(novels.read(source, "held"))
    return data.load_text(source).content


def score(model: LM | PreTrainedModel, tokens: Tensor, *, batch: int | None = None) -> dict[str, Tensor | float]:
    """Loss of a model on tokens (count, length): {'nll': (count,) mean nats a predicted token, 'nats': their mean}.

    batch: sequences at a time; by default as many as keep the logits below a quarter of a gigabyte.
    """
    nll = costs(model, tokens, batch=batch).mean(1)
    return {"nll": nll, "nats": float(nll.mean())}


@torch.inference_mode()
def costs(model: LM | PreTrainedModel, tokens: Tensor, *, batch: int | None = None) -> Tensor:
    """(count, length - 1) float64 on the CPU: -log p (nats) of every token given those before it in its sequence."""
    net = model.model if isinstance(model, LM) else model
    batch = batch or max(1, LOGITS // (tokens.shape[1] * net.config.vocab_size))
    parts = []
    for part in tokens.split(batch):
        part = part.to(net.device)
        logits = net(input_ids=part, use_cache=False).logits[:, :-1].float()  # (B, T - 1, V)
        flat = F.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten(), reduction="none")
        parts.append(flat.view(len(part), -1).double().cpu())
    return torch.cat(parts)


@torch.inference_mode()
def generate(
    model: LM | PreTrainedModel, prompts: Tensor, new: int, *, temperature: float = 0.0, seed: int = 0
) -> Tensor:
    """(B, T + new) ids: prompts (B, T) and `new` tokens after each; greedy at temperature 0, else sampled by seed.

    Nothing stops at an end token: cut what follows it.
    """
    net = model.model if isinstance(model, LM) else model
    if new < 1 or temperature < 0:
        raise ValueError(f"new={new}, temperature={temperature}: at least one new token, and a temperature from 0 up")
    rng, out, cache = devices.torch_rng("generate", seed), prompts.to(net.device), None
    step = out
    for _ in range(new):
        found = net(input_ids=step, past_key_values=cache, use_cache=True)
        cache, logits = found.past_key_values, found.logits[:, -1].float()  # (B, V)
        if temperature:
            share = (logits / temperature).softmax(-1).cpu()
            step = torch.multinomial(share, 1, generator=rng).to(net.device)  # (B, 1)
        else:
            step = logits.argmax(-1, keepdim=True)
        out = torch.cat([out, step], 1)
    return out.cpu()
