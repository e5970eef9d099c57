"""What is tried on a model once it is loaded: does it look ahead."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from helpers import devices
from helpers.lm import parts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LENGTH = 16  # tokens of the trial text, of which the later half is changed
EXACT = 1e-4  # of the largest logit: what later tokens may change in float32, where a sum may be taken in another order
ROUGH = 0.1  # of what earlier tokens change: the same in half precision
SMALL = 50_000_000  # parameters; a model below stays in float32 on every device, and is tried in it


@torch.inference_mode()
def looks_ahead(model: PreTrainedModel) -> tuple[float, float]:
    """By how much the later half of a short random text changes a model's logits before it, and how much may be rounding.

    Three texts go through it: one, the same with another later half, the same with another earlier half.
    """
    length = min(LENGTH, getattr(model.config, "max_position_embeddings", None) or LENGTH)
    half, known = length // 2, parts.rows(model)
    if half < 1 or known < 2:
        return 0.0, 0.0
    one = torch.randint(known, (length,), generator=devices.torch_rng("causal"))
    other = (one + torch.randint(1, known, (length,), generator=devices.torch_rng("causal", "other"))) % known
    x = torch.stack([one, torch.cat([one[:half], other[half:]]), torch.cat([other[:half], one[half:]])])  # (3, T)
    if model.dtype != torch.float32 and sum(p.numel() for p in model.parameters()) < SMALL:
        model = copy.deepcopy(model).float()
    logits = model(input_ids=x.to(model.device), use_cache=False).logits.float()  # (3, T, V)
    back = float((logits[1] - logits[0])[:half].abs().max())  # what the later half changes before it
    ahead = float((logits[2] - logits[0])[half:].abs().max())  # what the earlier half changes after it
    return back, EXACT * float(logits.abs().max()) if model.dtype == torch.float32 else ROUGH * ahead
