"""The storyteller's sizes, and untrained models of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from helpers import devices
from helpers.storyteller.world import BOS, EOS, ID, PAD, WORDS

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TYPES = ("llama", "gpt2")


@dataclass(frozen=True)
class Size:
    """A model's shape. hidden: its width, a multiple of 64; the MLP is three times as wide; a head has `head` channels."""

    layers: int
    hidden: int
    head: int = 32
    positions: int = 128

    def __post_init__(self):
        if self.layers < 1 or self.hidden < 64 or self.hidden % 64 or self.hidden % self.head:
            raise ValueError(
                f"layers={self.layers}, hidden={self.hidden}: at least one layer, and a width that is a multiple of 64"
            )


SIZES = {
    "small": Size(3, 64),
    "default": Size(6, 128),
    "depth2": Size(2, 128),
    "depth4": Size(4, 128),
    "depth8": Size(8, 128),
    "depth16": Size(16, 128),
    "width64": Size(6, 64),
    "width128": Size(6, 128),
    "width256": Size(6, 256),
    "width512": Size(6, 512),
}


def size_of(size: str | Size) -> Size:
    """A size by its name. Raises ValueError for an unknown one."""
    if isinstance(size, str) and size not in SIZES:
        raise ValueError(f"size={size!r} is unknown; there are {', '.join(SIZES)}")
    return SIZES[size] if isinstance(size, str) else size


def build(
    size: str | Size = "default", seed: int = 0, *, kind: str = "llama", vocab: int | None = None
) -> PreTrainedModel:
    """An untrained model in float32 on the CPU, of kind 'llama' or 'gpt2'; the same seed gives the same weights.

    vocab: tokens, by default the world's words. torch's own random state is left as it was.
    """
    from transformers import GPT2LMHeadModel, LlamaForCausalLM

    shape = size_of(size)
    if kind not in TYPES:
        raise ValueError(f"kind={kind!r} is unknown; use one of {', '.join(TYPES)}")
    config = _llama(shape) if kind == "llama" else _gpt2(shape)
    config.vocab_size = vocab or len(WORDS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(devices.seed_of("storyteller", kind, seed))
        model = (LlamaForCausalLM if kind == "llama" else GPT2LMHeadModel)(config)
    return model.eval()


def _llama(shape: Size):
    from transformers import LlamaConfig

    return LlamaConfig(
        hidden_size=shape.hidden,
        intermediate_size=3 * shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.hidden // shape.head,
        num_key_value_heads=shape.hidden // shape.head,
        max_position_embeddings=shape.positions,
        tie_word_embeddings=False,
        **_tokens(),
    )


def _gpt2(shape: Size):
    from transformers import GPT2Config

    return GPT2Config(
        n_embd=shape.hidden,
        n_inner=3 * shape.hidden,
        n_layer=shape.layers,
        n_head=shape.hidden // shape.head,
        n_positions=shape.positions,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=False,
        **_tokens(),
    )


def _tokens() -> dict[str, int]:
    return {"bos_token_id": ID[BOS], "eos_token_id": ID[EOS], "pad_token_id": ID[PAD]}
