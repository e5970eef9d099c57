"""The document's experiment C: tokens [a, b + p], one pre-LayerNorm layer without a mask, the answer read at the second.

Only the second position is computed: no position after it exists, and the first one's stream is read by nobody.
Parameters of M models, as torch.nn starts them (tests/separability/modular_oracle.py builds the modules): emb
(M, 2p + 10, d), LayerNorm gains and biases g1 … c3 (M, d), in_w (M, 3d, d), in_b, out_w (M, d, d), out_b, up_w (M, f, d),
up_b, down_w (M, d, f), down_b, head_w (M, p, d), head_b.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices
from helpers.separability.grokking.config import OrderedAddition
from helpers.stacked import Params

SPARE = 10  # tokens that the document's vocabulary has and its data lack


def one(config: OrderedAddition, seed: int) -> dict[str, Tensor]:
    """A start, on the CPU, by torch's own defaults: embeddings normal, attention Xavier, the others uniform in ±1/√fan-in."""
    rng, d, f, p = devices.torch_rng("document C", seed), config.d, config.mlp, config.p
    even = lambda bound, *shape: (2 * torch.rand(shape, generator=rng) - 1) * bound
    dense = lambda out, into: (even(into**-0.5, out, into), even(into**-0.5, out))
    start = {"emb": torch.randn((2 * p + SPARE, d), generator=rng)}
    for i in (1, 2, 3):
        start |= {f"g{i}": torch.ones(d), f"c{i}": torch.zeros(d)}
    start |= {"in_w": even(math.sqrt(6 / (4 * d)), 3 * d, d), "in_b": torch.zeros(3 * d)}
    start |= {"out_w": even(d**-0.5, d, d), "out_b": torch.zeros(d)}
    for name, sizes in {"up": (f, d), "down": (d, f), "head": (p, d)}.items():
        start[f"{name}_w"], start[f"{name}_b"] = dense(*sizes)
    return start


def logits(params: Params, pairs: Tensor, p: int, heads: int) -> tuple[Tensor, Tensor]:
    """Logits (M, N, p) of pairs (M, N, 2), and the residual stream (M, N, d) they are read from, before the last LayerNorm."""
    m, n = pairs.shape[:2]
    models = torch.arange(m, device=pairs.device)[:, None]
    first, second = params["emb"][models, pairs[..., 0]], params["emb"][models, pairs[..., 1] + p]  # (M, N, d)
    d = first.shape[-1]
    weight = lambda i: params["in_w"][:, i * d : (i + 1) * d].mT
    bias = lambda i: params["in_b"][:, None, i * d : (i + 1) * d]
    project = lambda x, i: (torch.baddbmm(bias(i), x, weight(i))).view(m, n, heads, -1)
    both = [_norm(x, params, 1) for x in (first, second)]
    query = project(both[1], 0) * (d // heads) ** -0.5
    keys, values = ([project(x, i) for x in both] for i in (1, 2))
    pattern = torch.stack([(query * k).sum(-1) for k in keys], -1).softmax(-1)  # (M, N, H, 2)
    mixed = sum(w[..., None] * v for w, v in zip(pattern.unbind(-1), values, strict=True)).reshape(m, n, d)
    middle = second + _dense(mixed, params, "out")
    last = middle + _dense(_dense(_norm(middle, params, 2), params, "up").relu_(), params, "down")
    return _dense(_norm(last, params, 3), params, "head"), last


def penalty(params: Params, decay: Tensor) -> Tensor:
    """(M,) half the squared norm of all parameters times decay (M,): its gradient is what Adam(weight_decay) adds."""
    square = sum(v.square().sum(tuple(range(1, v.dim()))) for v in params.values())
    return decay / 2 * square


def batches(config: OrderedAddition, seed: int) -> Tensor:
    """(steps, batch) places in the training set, drawn in epochs without replacement."""
    count, rng = round(config.share * config.p**2), devices.torch_rng("batches", seed)
    rounds = math.ceil(config.steps * config.batch / count)
    order = torch.cat([torch.randperm(count, generator=rng) for _ in range(rounds)])
    return order[: config.steps * config.batch].view(config.steps, config.batch)


def _dense(x: Tensor, params: Params, name: str) -> Tensor:
    return torch.baddbmm(params[f"{name}_b"][:, None], x, params[f"{name}_w"].mT)


def _norm(x: Tensor, params: Params, i: int) -> Tensor:
    return F.layer_norm(x, x.shape[-1:]) * params[f"g{i}"][:, None] + params[f"c{i}"][:, None]
