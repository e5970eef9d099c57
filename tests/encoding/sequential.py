"""The slow, obvious way: one model at a time, token by token, autograd and torch's own Adam.

It is the oracle for the stacked engine and what the engine is measured against. Nothing else uses it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F


def train(
    start: Mapping[str, Tensor], readout: str, x: Tensor, y: Tensor, *, lr: float, steps: int, learn_code: bool = True
) -> tuple[list[float], dict[str, Tensor]]:
    """Train one model on the pairs (x, y), each (N,), full batch. Returns the loss before each step, and the parameters."""
    params = {k: v.clone().to(x.device).requires_grad_(learn_code or k != "code") for k, v in start.items()}
    optimiser = torch.optim.Adam([p for p in params.values() if p.requires_grad], lr=lr)
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(logits(params, readout, x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses, {k: v.detach() for k, v in params.items()}


def logits(params: Mapping[str, Tensor], readout: str, x: Tensor) -> Tensor:
    """Logits (N, V) of one model for tokens x (N,), each token looked up and passed through the network."""
    h = params["code"][x]  # (N, d)
    if "up" in params:
        h = h @ params["up"]
    if readout == "mlp":
        return torch.relu(h @ params["w1"] + params["b1"]) @ params["w2"] + params["b2"]
    if readout == "residual":
        for k in "01":
            h = h + torch.relu(h @ params["v" + k] @ params["w" + k]) @ params["o" + k]
    return h @ params["w"] + params.get("b", 0)
