"""Held-out sequences for any model: stories for one that speaks the world's words, pieces of a text for every other."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.lm import held
from helpers.lm.loader import LM
from helpers.storyteller import grammar
from helpers.storyteller.world import ID


def speaks(found: LM) -> bool:
    """Whether a model's tokens are the words of the storyteller's world."""
    return found.tokenizer.get_vocab() == ID


def tokens(found: LM, *, count: int, length: int, seed: int, text: str = "embedded") -> Tensor:
    """(count, length) int64 held-out sequences for a model.

    For a storyteller they come from its grammar, from a stream that no training uses, and `text` is not looked at. For
    any other model they are pieces of `text`, as `lm.tokens` draws them. Raises ValueError as that does.
    """
    if not speaks(found):
        return held.tokens(found, count=count, length=length, seed=seed, text=text)
    held.check_length(found, count, length)
    return torch.from_numpy(grammar.corpus(count, seed, length=length, split="held"))
