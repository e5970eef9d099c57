"""The context-free networks of Part V, many at once: every parameter carries a leading model axis M (`helpers.stacked`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.checks import expect
from helpers.encoding.config import READOUTS
from helpers.encoding.tasks import Chain
from helpers.stacked import Params

RATE = 0.01  # of single models to look into


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
    expect(readout in READOUTS, f"readout={readout!r} is unknown; use one of {', '.join(READOUTS)}")
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
        rng = devices.torch_rng("init", name, readout, vocab, d, hidden, seed, up)
        found[name] = scale * torch.randn(shape, generator=rng)
    return found


def cross_entropy(logits: Tensor, weights: Tensor) -> Tensor:
    """(M,): -sum of weights · log softmax(logits), for weights (M, V, V) that sum to one in each model. Nats a token."""
    return -(weights * torch.log_softmax(logits, -1)).sum((1, 2))


def trained(
    models: Sequence[Mapping[str, Tensor]], loss, steps: int, *, rate: float = RATE, device: str = "cpu", **how
):
    """A stack of a few models, trained at one rate: its parameters, and what `stacked.fit` saw at the steps of `log`."""
    params = {k: v.to(device) for k, v in stacked.pile(models).items()}
    return params, stacked.fit(params, loss, lr=rate, steps=steps, **how)


def alone(
    chain: Chain, models: Sequence[Mapping[str, Tensor]], readout: str, steps: int, *, frozen=(), probe=None, **how
):
    """Train a few models on the chain's own table, to look into: the stack of parameters, and what `probe` saw at `log`, by
    default the losses (M,). frozen: places of the models whose code is not learned.
    """
    table = torch.tensor(chain.joint, dtype=torch.float32).expand(len(models), -1, -1)
    learn = {"code": torch.tensor([float(i not in frozen) for i in range(len(models))])}
    loss = lambda p, t=0: cross_entropy(forward(p, readout), table)
    return trained(models, loss, steps, learn=learn, probe=probe or loss, **how)


def watch(chain: Chain, d: int = 2, steps: int = 400, frames: int = 24, readout: str = "mlp") -> dict[int, np.ndarray]:
    """{step: (V, d)}: the learned code of one model at about `frames` moments of its training."""
    marks, start = stacked.spaced(steps, frames), one(readout, chain.vocab, d, 64, 0)
    seen = alone(chain, [start], readout, steps, log=marks, probe=lambda p: p["code"][0].clone())[1]
    return {mark: code.numpy() for mark, code in zip(marks, seen, strict=True)}


def predict(chain: Chain, widths: Sequence[int], readout: str, steps: int = 400) -> dict[int, np.ndarray]:
    """{d: (V, V)}: the transitions that a model with a learned code of each width predicts after training."""
    params, _ = alone(chain, [one(readout, chain.vocab, d, 64, 0) for d in widths], readout, steps)
    return dict(zip(widths, torch.softmax(forward(params, readout), -1).numpy(), strict=True))
