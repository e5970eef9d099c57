"""Outlier channels, planted: the same function from weights of very unequal size.

A channel of the residual stream is made smaller where a norm lets it out, and the columns that read it are made larger by as
much, or the other way round. Large models grow channels of large activations by themselves, and rotations are known to tame
outliers in quantisation (Dettmers et al. 2022, LLM.int8(); Ashkboos et al. 2024, QuaRot). Here they are a control with a known
cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from helpers import lm
from helpers.codec.hashing import key32
from helpers.codec.transform import permutation
from helpers.stores import parts

TIMES = 32.0  # a power of two, so that products are the same to the last bit
EVERY = 64  # one channel in so many is an outlier
ALIKE = 0.01  # largest change of a logit, as a share of the largest logit, that counts as none
READERS = {  # a block's norm: the matrices that read what comes out of it
    "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
    "ln_1": ("attn.c_attn",),
    "ln_2": ("mlp.c_fc",),
}


class OutliersRefused(ValueError):
    """The model's blocks are not built so that outliers can be planted; it is left as it was."""


@contextmanager
def outlier_channels(
    found: lm.LM, tokens: Tensor, times: float = TIMES, every: int = EVERY, seed: int = 0
) -> Iterator[lm.LM]:
    """Give a model outlier channels for as long as the block runs; yields it under another name.

    One channel in `every`, the same in all blocks, becomes `times` as large in the weights that read it and as much smaller
    in the norm before them, so that the model computes what it computed. In place, for a second copy of a large model may not
    fit; matrices that the block has changed must be put back by it (`Subject.damaged`). tokens: (N, T) to see that the
    function is the same. Raises OutliersRefused for blocks of another kind, ValueError for times or every out of range.
    """
    if not 2**-10 <= times <= 2**10 or every < 1:
        raise ValueError(
            f"times={times:g}, every={every}: a factor of 2^-10 … 2^10, and a number of 1 or more, are needed"
        )
    pairs = list(_pairs(found.model))
    if len(pairs) != 2 * int(found.model.config.num_hidden_layers):
        raise OutliersRefused(f"{found.name}: outliers are planted into blocks of Llama's or GPT-2's kind only")
    width = int(found.model.config.hidden_size)
    channels = permutation(key32(seed, "outliers", "channels"), width)[: max(1, width // every)]  # (n,)
    before = _logits(found.model, tokens)
    _scale(pairs, channels, times)
    try:
        change = float((_logits(found.model, tokens) - before).abs().max())
        if not change <= ALIKE * float(before.abs().max()):
            raise OutliersRefused(f"{found.name}: its norms are of another kind, for a logit changed by {change:.3g}")
        yield replace(found, name=f"{found.name}-outliers{times:g}")
    finally:
        _scale(pairs, channels, 1 / times)


def _pairs(model: nn.Module) -> Iterator[tuple[nn.Module, list[Tensor]]]:
    """Each norm of READERS with the weights (out, width) that read it; views, so that writing to them changes the model."""
    known = parts(model)
    for name, norm in model.named_modules():
        head, _, last = name.rpartition(".")
        readers = [known.get(f"{head}.{reader}.weight") for reader in READERS.get(last, ())]
        if readers and all(readers):
            yield norm, [part.tensor.T if part.transposed else part.tensor for part in readers]


def _scale(pairs: list[tuple[nn.Module, list[Tensor]]], channels: Tensor, times: float) -> None:
    with torch.no_grad():
        for norm, weights in pairs:
            for parameter in norm.parameters():  # weight (width,), and GPT-2's bias
                parameter[channels.to(parameter.device)] /= times
            for weight in weights:
                weight[:, channels.to(weight.device)] *= times


def _logits(model: nn.Module, tokens: Tensor) -> Tensor:
    with torch.no_grad():
        return model(tokens.to(next(model.parameters()).device)).logits.float()  # (N, T, V)
