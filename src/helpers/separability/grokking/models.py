"""The network that adds modulo p, many at once: one layer of attention and one of ReLU neurons, no LayerNorm, three tokens
[a, b, =], the answer read at the last (Nanda et al. 2023, arXiv 2301.05217, appendix A).

Only the last position is computed. Its query is one vector a head, and keys and values depend on one token each, so they are
tables over the p + 1 tokens, and the attention of a pair is a softmax over three entries of them. A step costs a quarter of
the whole sequence's (tests/separability/modular_oracle.py is that one, the oracle).

Parameters of M models, biases of attention left out as in the original: W_E (M, p + 1, d), the last row is "=";
W_pos (M, 3, d); W_Q, W_K, W_V (M, d, d), heads side by side in the last axis; W_O (M, d, d); W_in (M, d, f), b_in (M, f);
W_out (M, f, d), b_out (M, d); W_U (M, d, p).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from helpers import devices
from helpers.separability.grokking.config import Addition
from helpers.stacked import Params


class Batch(NamedTuple):
    """Pairs of every model, (M, N) each: places of a and b in a table of all models' rows, and what is not the answer's class.

    hot: (2, M, p, N) the same places as ones, for summing on a GPU in an order that does not change; None on a CPU.
    """

    a: Tensor
    b: Tensor
    sums: Tensor
    hot: Tensor | None = None


def one(config: Addition, seed: int) -> dict[str, Tensor]:
    """A start, on the CPU: normal numbers with variance 1/d, of the output layer 1/p (as in the original)."""
    rng, d, f, p = devices.torch_rng("modular addition", seed), config.d, config.mlp, config.p
    shapes = {"W_E": (p + 1, d), "W_pos": (3, d), "W_Q": (d, d), "W_K": (d, d), "W_V": (d, d), "W_O": (d, d)}
    shapes |= {"W_in": (d, f), "b_in": (f,), "W_out": (f, d), "b_out": (d,), "W_U": (d, p)}
    scale = lambda name: 0.0 if name[0] == "b" else (p if name == "W_U" else d) ** -0.5
    return {name: scale(name) * torch.randn(shape, generator=rng) for name, shape in shapes.items()}


def batch(pairs: Tensor, p: int, device: str, dtype: torch.dtype | None = torch.float32) -> Batch:
    """pairs: (M, N, 2) of whole numbers below p. dtype: of the parameters that learn from them; None where nothing does."""
    pairs = pairs.to(device)
    rows = pairs + p * torch.arange(len(pairs), device=device)[:, None, None]  # (M, N, 2)
    hot = None
    if dtype is not None and torch.device(device).type == "cuda":
        hot = torch.nn.functional.one_hot(pairs, p).to(dtype).permute(2, 0, 3, 1).contiguous()
    return Batch(rows[..., 0], rows[..., 1], pairs.sum(-1) % p, hot)


class _Rows(torch.autograd.Function):
    """Rows of a table (M, p, C) by place (M, N): (M, N, C). The gradient sums each row's shares, on a GPU as a product."""

    @staticmethod
    def forward(ctx, table: Tensor, places: Tensor, hot: Tensor | None) -> Tensor:
        ctx.save_for_backward(places, hot)
        ctx.shape = table.shape
        return table.reshape(-1, table.shape[-1])[places]

    @staticmethod
    def backward(ctx, grad: Tensor):
        places, hot = ctx.saved_tensors
        if hot is not None:
            return hot @ grad, None, None
        flat = grad.new_zeros(ctx.shape[0] * ctx.shape[1], ctx.shape[2])
        return flat.index_add_(0, places.reshape(-1), grad.reshape(-1, ctx.shape[2])).view(ctx.shape), None, None


class _Surprise(torch.autograd.Function):
    """Cross entropy (M,) of logits (M, N, p), and the share (M,) of right answers, from differences to the right logit:
    with d = z − z_y, loss = m + log1p(Σ exp(d − m) + expm1(−m)) over the others, m = max(0, max d).

    In single precision as exact as in double: no probability is taken from one, so none is lost when it comes near to it.
    """

    @staticmethod
    def forward(ctx, logits: Tensor, sums: Tensor):
        right = logits.gather(2, sums[..., None])  # (M, N, 1)
        away = (logits - right).scatter_(2, sums[..., None], -torch.inf)
        most = away.amax(2, keepdim=True)
        m = most.clamp(min=0)
        losses = m + torch.log1p((away - m).exp_().sum(2, keepdim=True) + torch.expm1(-m))  # (M, N, 1)
        ctx.save_for_backward(away.sub_(losses).exp_(), sums)  # probabilities of the others
        correct = (most[..., 0] < 0).to(logits.dtype).mean(1)
        ctx.mark_non_differentiable(correct)
        return losses[..., 0].mean(1), correct

    @staticmethod
    def backward(ctx, grad: Tensor, _):
        others, sums = ctx.saved_tensors
        out = others.scatter(2, sums[..., None], -others.sum(2, keepdim=True))
        return out.mul_((grad / sums.shape[1])[:, None, None]), None


surprise = _Surprise.apply


def scores(params: Params, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Attention scores of the last position: of every token in place 0 and in place 1, (M, p, H) each, and of "=", (M, H)."""
    end = params["W_E"][:, -1] + params["W_pos"][:, 2]  # (M, d)
    m, d = end.shape
    query = (end[:, None] @ params["W_Q"]).view(m, heads, -1)  # (M, H, d/H)
    keys = params["W_K"].view(m, d, heads, -1)
    toward = torch.einsum("mdhk,mhk->mdh", keys, query) * (d // heads) ** -0.5  # (M, d, H)
    first, second = tokens(params)
    return first @ toward, second @ toward, (end[:, None] @ toward)[:, 0]


def patterns(params: Params, of: Batch, heads: int) -> Tensor:
    """(M, N, H, 3) what the last position attends to."""
    first, second, end = scores(params, heads)
    a, b = (_Rows.apply(s, *place) for s, place in zip((first, second), _places(of), strict=True))
    return (
        torch.stack([a, b, end[:, None].expand_as(a)]).softmax(0).movedim(0, -1)
    )  # over the outer axis: neighbours at once


def stream(params: Params, of: Batch, heads: int, half: bool = False) -> Tensor:
    """(M, N, d) the residual stream at the last position, after the layer. half: the neurons' products in bfloat16."""
    pattern = patterns(params, of, heads)
    m, n = of.a.shape
    end = params["W_E"][:, -1] + params["W_pos"][:, 2]
    values = [x @ params["W_V"] for x in (*tokens(params), end[:, None])]  # (M, p, d) twice, (M, 1, d)
    seen = [_Rows.apply(v, *place) for v, place in zip(values[:2], _places(of), strict=True)]
    seen.append(values[2])
    mixed = sum(
        w[..., None] * v.view(m, -1, heads, v.shape[-1] // heads) for w, v in zip(pattern.unbind(-1), seen, strict=True)
    )
    middle = end[:, None] + mixed.reshape(m, n, -1) @ params["W_O"]
    return middle + _neurons(params, middle, half)


def logits(params: Params, of: Batch, heads: int, half: bool = False) -> Tensor:
    """(M, N, p)."""
    return stream(params, of, heads, half) @ params["W_U"]


def _neurons(params: Params, x: Tensor, half: bool) -> Tensor:
    """(M, N, d) what the neurons add to x (M, N, d)."""
    names = ("b_in", "W_in", "b_out", "W_out")
    b_in, w_in, b_out, w_out = (params[k].bfloat16() if half else params[k] for k in names)
    hidden = torch.baddbmm(b_in[:, None], x.to(w_in.dtype), w_in).relu_()
    return torch.baddbmm(b_out[:, None], hidden, w_out).to(x.dtype)


def tokens(params: Params) -> tuple[Tensor, Tensor]:
    """(M, p, d) each: the numbers in the first place, and in the second."""
    numbers = params["W_E"][:, :-1]
    return numbers + params["W_pos"][:, :1], numbers + params["W_pos"][:, 1:2]


def _places(of: Batch):
    return ((of.a, None if of.hot is None else of.hot[0]), (of.b, None if of.hot is None else of.hot[1]))
