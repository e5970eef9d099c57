"""Models that somebody else trained, and what they read in the census: what their own training was like."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers import devices, lm, storyteller
from helpers.lm import LM
from helpers.separability.decoders import read
from helpers.separability.superposition.config import Foreign
from helpers.separability.superposition.views import Single


def load(config: Foreign, device: str = "cpu") -> tuple[LM, Single]:
    """The model, and its view. Raises what `lm.load` and `decoders.read` raise, and ValueError for a length that the model
    cannot take."""
    found = lm.load(config.name, device=device, dtype="float32")
    single = Single(read(found.model))
    logits = 4 * config.held * config.length * len(single.unembedding[0])
    devices.need_memory(3 * logits, device, f"{config.held} sequences of {found.name}", "use a smaller model")
    longest = getattr(found.model.config, "max_position_embeddings", None) or config.length
    if config.length > longest:
        raise ValueError(f"length={config.length}: {found.name} takes {longest} tokens; use {longest} or less")
    return found, single


def text(found: LM, config: Foreign, device: str = "cpu") -> Tensor:
    """(N, T + 1) tokens that it reads: held-out stories for a storyteller, for any other what it writes itself."""
    if storyteller.speaks(found):
        return storyteller.tokens(found, count=config.held, length=config.length + 1, seed=0).to(device)
    first = found.tokenizer.bos_token_id
    prompts = torch.full((config.held, 1), 0 if first is None else first)
    return lm.generate(found, prompts, config.length, temperature=1.0).to(device)
