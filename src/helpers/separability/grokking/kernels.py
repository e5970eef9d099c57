"""The Triton kernels of `fused`, which prepares what they are given. Importing this module needs triton.

A program has one model and a tile of its pairs, of its neurons, or of its tokens. Floats are single precision, products are
TF32; M models, N pairs, p tokens, H heads side by side in d features, F neurons, P ≥ p logits, a power of two.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _attended(s0, s1, end):
    """What the last position attends to: the shares of a, of b and of "=", from three scores of any one shape."""
    top = tl.maximum(tl.maximum(s0, s1), end)
    e0, e1, e2 = tl.exp(s0 - top), tl.exp(s1 - top), tl.exp(end - top)
    total = e0 + e1 + e2
    return e0 / total, e1 / total, e2 / total


@triton.jit
def mix(a, b, s0, s1, s2, v0, v1, v2, out, n, p, EACH: tl.constexpr, D: tl.constexpr, ROWS: tl.constexpr):
    """The heads' mixed values `out` (M, N, d). a, b: (M, N) int32; s0, s1: (M, p, H); s2: (M, H); v0, v1: (M, p, d); v2:
    (M, d). EACH: features of a head."""
    m = tl.program_id(0).to(tl.int64)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    c = tl.arange(0, D)
    H: tl.constexpr = D // EACH
    known = row < n
    i = tl.load(a + m * n + row, mask=known, other=0)[:, None] + m * p
    j = tl.load(b + m * n + row, mask=known, other=0)[:, None] + m * p
    head = (c // EACH)[None, :]
    w0, w1, w2 = _attended(tl.load(s0 + i * H + head), tl.load(s1 + j * H + head), tl.load(s2 + m * H + head))
    mixed = w0 * tl.load(v0 + i * D + c[None, :]) + w1 * tl.load(v1 + j * D + c[None, :])
    mixed += w2 * tl.load(v2 + m * D + c)[None, :]
    tl.store(out + (m * n + row[:, None]) * D + c[None, :], mixed, mask=known[:, None])


@triton.jit
def unmix(
    tokens, order, begins, s0, s1, s2, v, v2, mixed, grad, to_v, to_s, end_v, end_s, n, p,
    SECOND: tl.constexpr, EACH: tl.constexpr, D: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """What `mix` passes back to one token in one place: the sum over the pairs in which it stands there, in their order.

    tokens: (M, N) int32, the other number of each pair; order: (M, N) int32 pairs by this place's token; begins: (M, p + 1)
    int32 where a token's pairs begin. v: (M, p, d) this place's values; grad: of `mixed` (M, N, d). to_v, to_s: (M, p, d) of
    values and, feature by feature, of scores; end_v, end_s: the same for "=", a share a token, where SECOND is False."""
    m, t = tl.program_id(0).to(tl.int64), tl.program_id(1)
    c = tl.arange(0, D)
    H: tl.constexpr = D // EACH
    head = c // EACH
    own = tl.load((s1 if SECOND else s0) + (m * p + t) * H + head)[None, :]
    end = tl.load(s2 + m * H + head)[None, :]
    value, last = tl.load(v + (m * p + t) * D + c)[None, :], tl.load(v2 + m * D + c)[None, :]
    dv, ds = tl.zeros([D], tl.float32), tl.zeros([D], tl.float32)
    ev, es = tl.zeros([D], tl.float32), tl.zeros([D], tl.float32)
    first, stop = tl.load(begins + m * (p + 1) + t), tl.load(begins + m * (p + 1) + t + 1)
    for at in range(first, stop, ROWS):
        place = at + tl.arange(0, ROWS)
        known = place < stop
        row = tl.load(order + m * n + place, mask=known, other=0)
        other = m * p + tl.load(tokens + m * n + row, mask=known, other=0)
        theirs = tl.load((s0 if SECOND else s1) + other[:, None] * H + head[None, :])
        w, _, w2 = _attended(own + 0 * theirs, theirs, end + 0 * theirs)
        where = (m * n + row[:, None]) * D + c[None, :]
        g = tl.load(grad + where, mask=known[:, None], other=0.0)
        x = tl.load(mixed + where, mask=known[:, None], other=0.0)
        dv += tl.sum(w * g, 0)
        ds += tl.sum(w * g * (value - x), 0)
        if not SECOND:
            ev += tl.sum(w2 * g, 0)
            es += tl.sum(w2 * g * (last - x), 0)
    into = (m * p + t) * D + c
    tl.store(to_v + into, dv)
    tl.store(to_s + into, ds)
    if not SECOND:
        tl.store(end_v + into, ev)
        tl.store(end_s + into, es)


@triton.jit
def up(x, w, bias, out, n, F, D: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEEP: tl.constexpr):
    """relu(x w + bias): x (M, N, d), w (M, d, F), bias (M, F), out (M, N, F)."""
    m = tl.program_id(0).to(tl.int64)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    col = tl.program_id(2) * COLS + tl.arange(0, COLS)
    known = (row < n)[:, None]
    total = tl.zeros([ROWS, COLS], tl.float32)
    for k in range(0, D, DEEP):
        deep = k + tl.arange(0, DEEP)
        left = tl.load(x + (m * n + row[:, None]) * D + deep[None, :], mask=known, other=0.0)
        right = tl.load(w + (m * D + deep[:, None]) * F + col[None, :])
        total = tl.dot(left, right, total, input_precision="tf32")
    total = tl.maximum(total + tl.load(bias + m * F + col)[None, :], 0.0)
    tl.store(out + (m * n + row[:, None]) * F + col[None, :], total, mask=known)


@triton.jit
def down(g, w, hidden, out, sums, n, F, P: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEEP: tl.constexpr):
    """g wᵀ where `hidden` is above 0: g (M, N, P), w (M, F, P), hidden, out (M, N, F). sums: (M, tiles, F), by tile."""
    m, tile = tl.program_id(0).to(tl.int64), tl.program_id(1)
    row = tile * ROWS + tl.arange(0, ROWS)
    col = tl.program_id(2) * COLS + tl.arange(0, COLS)
    known = (row < n)[:, None]
    total = tl.zeros([ROWS, COLS], tl.float32)
    for k in range(0, P, DEEP):
        deep = k + tl.arange(0, DEEP)
        left = tl.load(g + (m * n + row[:, None]) * P + deep[None, :], mask=known, other=0.0)
        right = tl.load(w + (m * F + col[None, :]) * P + deep[:, None])
        total = tl.dot(left, right, total, input_precision="tf32")
    where = (m * n + row[:, None]) * F + col[None, :]
    total = tl.where(tl.load(hidden + where, mask=known, other=0.0) > 0, total, 0.0)
    tl.store(out + where, total, mask=known)
    tl.store(sums + (m * tl.num_programs(1) + tile) * F + col, tl.sum(total, 0))


@triton.jit
def surprise(z, answers, losses, right, n, p, P: tl.constexpr, ROWS: tl.constexpr):
    """Cross entropy of logits z (M, N, P), of which p count, and in their place its gradient, times 1/N. answers: (M, N) int32;
    losses, right: (M, N). The loss is taken from differences to the right logit, as in `models.surprise`."""
    m = tl.program_id(0).to(tl.int64)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    c = tl.arange(0, P)[None, :]
    known = row < n
    answer = tl.load(answers + m * n + row, mask=known, other=0)[:, None]
    where = (m * n + row[:, None]) * P + c
    logits = tl.load(z + where, mask=known[:, None] & (c < p), other=0.0)
    own = tl.sum(tl.where(c == answer, logits, 0.0), 1)
    away = tl.where((c == answer) | (c >= p), float("-inf"), logits - own[:, None])
    most = tl.max(away, 1)
    m0 = tl.maximum(most, 0.0)
    total = tl.sum(tl.exp(away - m0[:, None]), 1)
    one = 1.0 + total
    small = tl.where(one == 1.0, total, tl.log(one) * (total / tl.where(one == 1.0, 1.0, one - 1.0)))  # log1p (Kahan)
    loss = tl.where(m0 > 0, m0 + tl.log(total + tl.exp(-m0)), small)
    others = tl.exp(away - loss[:, None])
    share = tl.where(c == answer, -tl.sum(others, 1)[:, None], others) / n
    tl.store(z + where, share, mask=known[:, None])
    tl.store(losses + m * n + row, loss, mask=known)
    tl.store(right + m * n + row, (most < 0).to(tl.float32), mask=known)
