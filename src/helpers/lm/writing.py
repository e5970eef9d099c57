"""Texts from a model, and why two ways to the same greedy text may part."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from helpers import devices
from helpers.lm.greedy import Greedy, recordable
from helpers.lm.loader import LM
from helpers.lm.scoring import net_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SHAPES = 4  # recorded graphs that a writer keeps, each with a cache of keys and values


@torch.inference_mode()
def generate(
    model: LM | PreTrainedModel, prompts: Tensor, new: int, *, temperature: float = 0.0, seed: int = 0
) -> Tensor:
    """(B, T + new) ids: prompts (B, T) and `new` tokens after each; greedy at temperature 0, else sampled by seed.

    Nothing stops at an end token: cut what follows it.
    """
    net = net_of(model)
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


class Writer:
    """Greedy texts from a live model, again and again: on a GPU by graphs that are recorded once a shape, and live here.

    The model's weights may change between calls, in place.
    """

    def __init__(self, found: LM) -> None:
        self.found = found
        self._recorded: dict[tuple[int, int, int], Greedy] = {}

    def __call__(self, prompts: Tensor, new: int) -> Tensor:
        """(B, T) ids -> (B, T + new) on the CPU."""
        if self.found.model.device.type != "cuda" or not recordable(self.found.model):
            return generate(self.found, prompts, new)
        shape = (*prompts.shape, new)
        known = self._recorded.pop(shape, None) or Greedy(self.found.model, *shape)
        self._recorded[shape] = known  # the last used is the last to go
        while len(self._recorded) > SHAPES:
            del self._recorded[next(iter(self._recorded))]
        return known(prompts)


def texts(model: LM | Writer, prompts: Sequence[Tensor], new: int) -> list[str]:
    """Greedy continuations of prompts (T,), each by `new` tokens, decoded; prompts of one length go through together.

    model: for many calls a `Writer`, which keeps what is recorded for a shape.
    """
    writer = model if isinstance(model, Writer) else Writer(model)
    alike: dict[int, list[int]] = defaultdict(list)
    for i, prompt in enumerate(prompts):
        alike[len(prompt)].append(i)
    out = [""] * len(prompts)
    for length, places in alike.items():
        ids = writer(torch.stack([prompts[i] for i in places]), new)[:, length:]
        for i, row in zip(places, ids.tolist(), strict=True):
            out[i] = writer.found.tokenizer.decode(row)
    return out


@dataclass(frozen=True)
class Parting:
    """Where two texts of one beginning first differ, and how near the tie was there.

    row, at: which text, which place. margin: difference of the two tokens' logits, computed in a wider type. noise: the
    largest rounding error of any logit there. Below twice the noise, rounding alone may choose either token.
    """

    row: int
    at: int
    margin: float
    noise: float


@torch.inference_mode()
def partings(model: LM | PreTrainedModel, one: Tensor, other: Tensor) -> list[Parting]:
    """Of texts (B, T) written by one model in two ways, every first difference; none where all are equal.

    The model is copied in float64, or in float32 when it is of half precision.
    """
    net, out = net_of(model), []
    rows = (one != other).any(1).nonzero()[:, 0].tolist()
    if not rows:
        return out
    exact = copy.deepcopy(net).to(torch.float64 if net.dtype == torch.float32 else torch.float32)
    for row in rows:
        at = int((one[row] != other[row]).int().argmax())
        before = one[row : row + 1, :at].to(net.device)
        wide, own = (m(input_ids=before, use_cache=False).logits[0, -1].double() for m in (exact, net))  # (V,)
        a, b = wide[one[row, at]], wide[other[row, at]]
        out.append(Parting(row, at, float((a - b).abs()), float((wide - own).abs().max())))
    return out
