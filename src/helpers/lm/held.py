"""Held-out sequences for a model: pieces of a text."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from helpers import devices
from helpers.lm.loader import LM


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


def prompt(found: LM, text: str) -> Tensor:
    """(T,) ids of a prompt that is to be continued. Raises ValueError for one that holds no token, that is as long as the
    model's context, or of whose words the model knows none."""
    ids = found.tokenizer(text, verbose=False)["input_ids"]
    own = found.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    longest = getattr(found.model.config, "max_position_embeddings", None)
    if not own or (longest and len(ids) >= longest):
        raise ValueError(
            f"prompt={text[:40]!r} has {len(own)} tokens; one to {(longest or 1 << 20) - 1} are needed ({found.name})"
        )
    if set(own) == {found.tokenizer.unk_token_id}:
        raise ValueError(
            f"prompt={text[:40]!r}: {found.name} knows none of its words; use words that it was trained on"
        )
    return torch.tensor(ids)


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
