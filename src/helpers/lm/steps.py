"""One step of training, eager or recorded as a CUDA graph, and the switches that make it repeatable."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices, graphs

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from helpers.lm.train import Recipe


@contextmanager
def deterministic(device: str, tf32: bool = False) -> Iterator[None]:
    """Deterministic kernels wherever torch has them, and matrix products in TF32 or not; what was set before comes back."""
    cuda = device.startswith("cuda")
    if cuda:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads memory before it is written
    try:
        with warnings.catch_warnings(), _attention() if cuda else nullcontext(), devices.tf32(tf32):
            warnings.filterwarnings("ignore", message=".*deterministic.*")
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filled


def _attention():
    """The attention kernels whose gradients are the same every time."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH])


class Stepper:
    """AdamW with gradient clipping: `stepper(tokens, rate)` takes one step and gives the batch's loss ().

    Weight decay is for matrices only. With recipe.compile on a GPU, the first call records the step.
    """

    def __init__(self, model: PreTrainedModel, recipe: Recipe, device: str):
        self.model, self.recipe = model, recipe
        self.cuda = device.startswith("cuda")
        self.replay: Callable[[], Tensor] | None = None
        self.record = self.cuda and recipe.compile
        self.mask: Tensor | None = None  # (1, 1, T, T), causal: while recording, the model may not look for one itself
        matrices = [p for p in model.parameters() if p.ndim >= 2]
        others = [p for p in model.parameters() if p.ndim < 2]
        self.optimiser = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}],
            lr=torch.tensor(recipe.lr, device=device) if self.cuda else recipe.lr,
            betas=recipe.betas,
            fused=self.cuda,
            capturable=self.cuda,
        )
        self.optimiser.zero_grad()

    def __call__(self, tokens: Tensor, rate: float) -> Tensor:
        for group in self.optimiser.param_groups:
            if self.cuda:  # in place: a recorded step reads it from there
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        if self.record:
            self.record = False
            self._record(tokens)
        if self.replay is None:
            return self._step(tokens.to(self.model.device))
        self.tokens.copy_(tokens)
        return self.replay()

    def _step(self, tokens: Tensor) -> Tensor:
        """tokens (B, T) on the model's device."""
        half = self.cuda and self.recipe.precision == "bfloat16"
        with torch.autocast("cuda", torch.bfloat16, enabled=half, cache_enabled=False) if half else nullcontext():
            out = self.model(input_ids=tokens, attention_mask=self.mask, use_cache=False)
            logits = out.logits[:, :-1]  # (B, T - 1, V)
            loss = F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.optimiser.zero_grad()  # a recorded step finds no gradient of the last one, as an eager one does
        return loss.detach()

    def _record(self, tokens: Tensor) -> None:
        """Record the step as a graph; where that cannot be done the steps stay eager, and nothing has changed."""
        self.tokens = tokens.to(self.model.device, copy=True)
        square = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool, device=self.tokens.device)
        self.mask = square.tril()[None, None]
        step = lambda: self._step(self.tokens)
        advance = graphs.recorded(step, lambda: [*self.model.parameters(), *self._moments()])
        if advance is step:
            self.mask = None
        else:
            self.replay = advance

    def _moments(self) -> Iterator[Tensor]:
        return (value for moments in self.optimiser.state.values() for value in moments.values())

    def state(self) -> dict[str, Tensor]:
        """Weights and Adam's moments, by name."""
        out = {}
        for name, p in self.model.named_parameters():
            out["weight." + name] = p.detach()
            for key, value in self.optimiser.state[p].items():
                out[f"{key}.{name}"] = value
        return out

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state`. Raises KeyError when a tensor is missing."""
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                p.copy_(tensors["weight." + name])
                for key in ("step", "exp_avg", "exp_avg_sq"):
                    where = p.device if key != "step" or self.cuda else "cpu"
                    self.optimiser.state[p][key] = tensors[f"{key}.{name}"].to(where)
