"""The training loss of many networks of `models` and its gradient, by kernels that pass over the pairs as seldom as they can.

The algebra is exact for one layer without LayerNorm: what the heads mix goes through W_O into neurons and logits, and neurons
through W_out W_U into logits, so the products of two matrices are taken once a model, not once a pair, and no stream is formed.
`models.logits` and `models.surprise` are what it is held to. It needs a GPU and TF32 products (or Triton's interpreter).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.fused import device as on
from helpers.separability.grokking import models
from helpers.separability.grokking.config import Addition
from helpers.stacked import Params

try:
    import triton

    from helpers.separability.grokking import kernels
except ImportError:  # the CPU build of torch comes without it
    triton = kernels = None

TILE, DEEP = 128, 32  # rows and columns of a product's tile, and how deep it goes at a time
FEW = 16  # rows of a tile without products
POWERS = tuple(2**k for k in range(4, 13))


class TrainingPairs(NamedTuple):
    """Training pairs of every model, in int32. a, b, sums: (M, N); by_a, by_b: pairs in the order of that place's number,
    (M, N), and where each number's begin, (M, p + 1)."""

    a: Tensor
    b: Tensor
    sums: Tensor
    by_a: tuple[Tensor, Tensor]
    by_b: tuple[Tensor, Tensor]


def fits(config: Addition, device: str) -> bool:
    """Whether the kernels can train such networks here; otherwise `models` does."""
    sizes = config.d in POWERS and config.mlp in POWERS and config.d // config.heads in (1, 2, 4, 8, *POWERS)
    return config.products == "tf32" and sizes and on.available(device)


def pairs(of: Tensor, p: int) -> TrainingPairs:
    """of: (M, N, 2) whole numbers below p."""
    of = of.int()
    return TrainingPairs(
        of[..., 0].contiguous(), of[..., 1].contiguous(), (of.sum(-1) % p).int(), *(_by(of[..., i], p) for i in (0, 1))
    )


def surprise(params: Params, of: TrainingPairs, heads: int) -> tuple[Tensor, Tensor]:
    """Mean cross entropy (M,) in nats, and the share (M,) of right answers, as `models.surprise` of `models.logits`."""
    first, second = models.tokens(params)
    end = params["W_E"][:, -1] + params["W_pos"][:, 2]  # (M, d)
    s0, s1, s2 = models.scores(params, heads)
    v0, v1, v2 = first @ params["W_V"], second @ params["W_V"], (end[:, None] @ params["W_V"])[:, 0]
    p = params["W_U"].shape[2]
    out = F.pad(params["W_U"], (0, max(16, triton.next_power_of_2(p)) - p))  # (M, d, P)
    inner, skip, down = params["W_O"] @ params["W_in"], params["W_O"] @ out, params["W_out"] @ out
    bias = torch.baddbmm(params["b_in"][:, None], end[:, None], params["W_in"])[:, 0]
    base = ((end + params["b_out"])[:, None] @ out)[:, 0]
    return _Rows.apply(*(x.contiguous() for x in (s0, s1, s2, v0, v1, v2, inner, bias, down, skip, base)), of, heads)


class _Rows(torch.autograd.Function):
    """All that is done pair by pair."""

    @staticmethod
    def forward(ctx, s0, s1, s2, v0, v1, v2, inner, bias, down, skip, base, of: TrainingPairs, heads: int):
        (m, n), (p, d), f, wide = of.a.shape, v0.shape[1:], inner.shape[2], down.shape[2]
        mixed, hidden = v0.new_empty(m, n, d), v0.new_empty(m, n, f)
        losses, right = v0.new_empty(m, n), v0.new_empty(m, n)
        with on.on(v0.device):
            kernels.mix[m, triton.cdiv(n, FEW)](
                of.a, of.b, s0, s1, s2, v0, v1, v2, mixed, n, p, EACH=d // heads, D=d, ROWS=FEW
            )
            kernels.up[m, triton.cdiv(n, TILE), f // min(TILE, f)](
                mixed, inner, bias, hidden, n, f, D=d, ROWS=TILE, COLS=min(TILE, f), DEEP=min(DEEP, d), num_warps=8
            )
            logits = torch.baddbmm(base[:, None], mixed, skip).baddbmm_(hidden, down)
            kernels.surprise[m, triton.cdiv(n, FEW)](logits, of.sums, losses, right, n, p, P=wide, ROWS=FEW)
        ctx.save_for_backward(s0, s1, s2, v0, v1, v2, inner, down, skip, mixed, hidden, logits)
        ctx.of, ctx.heads = of, heads
        correct = right.mean(1)
        ctx.mark_non_differentiable(correct)
        return losses.mean(1), correct

    @staticmethod
    def backward(ctx, grad: Tensor, _):
        s0, s1, s2, v0, v1, v2, inner, down, skip, mixed, hidden, share = ctx.saved_tensors
        of, (m, n, d), p, f, wide = ctx.of, mixed.shape, v0.shape[1], hidden.shape[2], share.shape[2]
        tiles, cols = triton.cdiv(n, TILE), min(TILE, f)
        felt, sums = torch.empty_like(hidden), hidden.new_empty(m, tiles, f)
        to_v, to_s = v0.new_empty(2, m, p, d), v0.new_empty(2, m, p, d)
        end_v, end_s = v0.new_empty(2, m, p, d)
        with on.on(v0.device):
            kernels.down[m, tiles, f // cols](
                share, down, hidden, felt, sums, n, f, P=wide, ROWS=TILE, COLS=cols, DEEP=min(DEEP, wide), num_warps=8
            )
            back = torch.bmm(share, skip.mT).baddbmm_(felt, inner.mT)  # of what was mixed
            for i, (other, (order, begins), v) in enumerate(((of.b, of.by_a, v0), (of.a, of.by_b, v1))):
                kernels.unmix[m, p](
                    other, order, begins, s0, s1, s2, v, v2, mixed, back, to_v[i], to_s[i], end_v, end_s, n, p,
                    SECOND=i == 1, EACH=d // ctx.heads, D=d, ROWS=FEW,
                )  # fmt: skip
        scores = to_s.unflatten(-1, (ctx.heads, -1)).sum(-1)  # (2, M, p, H)
        ends = end_s.sum(1).unflatten(-1, (ctx.heads, -1)).sum(-1)
        found = (*scores, ends, *to_v, end_v.sum(1), mixed.mT @ felt, sums.sum(1), hidden.mT @ share, mixed.mT @ share)
        found = (*found, share.sum(1))
        return *(x * grad.view(-1, *[1] * (x.dim() - 1)) for x in found), None, None


def _by(places: Tensor, p: int) -> tuple[Tensor, Tensor]:
    """TrainingPairs in the order of one place's number (M, N), and where each number's begin (M, p + 1)."""
    numbers = torch.arange(p + 1, device=places.device, dtype=places.dtype).expand(len(places), -1).contiguous()
    ordered, order = places.sort(dim=1, stable=True)
    return order.int().contiguous(), torch.searchsorted(ordered.contiguous(), numbers).int()
