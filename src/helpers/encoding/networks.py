"""Context-free networks in a stack: the logits of every next token from the code of the one before, and their loss.

A code narrower than its stack is padded with zero columns, and the rows that would read them are zero too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

from helpers import devices
from helpers.stacked import Params

READOUTS = ("linear", "mlp", "residual")


def forward(params: Params, readout: str) -> Tensor:
    """Logits (M, V, V) of the token after each of the V tokens.

    linear:   code @ w + b. Its logits have rank d, plus the bias.
    mlp:      relu(code @ w1 + b1) @ w2 + b2.
    residual: the published network. Twice h ← h + relu(h Wv W1) W2 on a stream of the code's own width, then a linear
              layer: no attention, no positions. Its logits, too, have rank d.
    """
    c = params["code"]  # (M, V, d)
    if "up" in params:
        c = c @ params["up"]  # (M, V, D)
    if readout == "mlp":
        h = torch.relu(torch.baddbmm(params["b1"], c, params["w1"]))  # (M, V, h)
        return torch.baddbmm(params["b2"], h, params["w2"])
    if readout == "residual":
        for k in "01":
            c = c + torch.relu(c @ params["v" + k] @ params["w" + k]) @ params["o" + k]
    return torch.baddbmm(params["b"], c, params["w"]) if "b" in params else c @ params["w"]


def shapes(readout: str, vocab: int, d: int, hidden: int, up: int = 0) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter of one model. up: width D of a factorised code, V×d times d×D; 0 for none."""
    if readout not in READOUTS:
        raise ValueError(f"readout={readout!r} is unknown; use one of {', '.join(READOUTS)}")
    out, width = {"code": (vocab, d)}, up or d
    if up:
        out["up"] = (d, up)
    if readout == "mlp":
        return out | {"w1": (width, hidden), "b1": (1, hidden), "w2": (hidden, vocab), "b2": (1, vocab)}
    if readout == "residual":
        for k in "01":
            out |= {"v" + k: (width, width), "w" + k: (width, hidden), "o" + k: (hidden, width)}
    return out | {"w": (width, vocab), "b": (1, vocab)}


@lru_cache(maxsize=4096)
def one(readout: str, vocab: int, d: int, hidden: int, seed: int, up: int = 0) -> Mapping[str, Tensor]:
    """Initial parameters of one model: the same for every arm, so that arms with one seed differ in the code alone.

    The code is N(0, 0.1²), as the published one; matrices are N(0, g²/fan-in) with g² = 2 before a ReLU (He et al. 2015) and
    small towards the logits; biases before a ReLU are spread, so that a one-dimensional code can be cut anywhere.
    """
    gain = {"code": 0.1, "b": 0.0, "b2": 0.0, "b1": 0.5, "w": 0.5, "w2": 0.5, "w1": math.sqrt(2), "w0": math.sqrt(2)}
    found = {}
    for name, shape in shapes(readout, vocab, d, hidden, up).items():
        scale = gain.get(name, 1.0) / (1.0 if name in ("code", "b1") else math.sqrt(shape[0]))
        noise = torch.randn(shape, generator=devices.torch_rng("init", name, readout, vocab, d, hidden, seed, up))
        found[name] = noise * scale
    return found


def cross_entropy(logits: Tensor, weights: Tensor) -> Tensor:
    """(M,): -sum of weights · log softmax(logits), for weights (M, V, V) that sum to one in each model. Nats a token."""
    return -(weights * torch.log_softmax(logits, -1)).sum((1, 2))
