"""The Triton kernels of `halves`, which prepares what they are given. Importing this module needs triton."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def parted(x, out, i, GELU: tl.constexpr, ONES: tl.constexpr, COLS: tl.constexpr):
    """A row of x (R, i) as halves (R, 2i + ONES): the numbers, 2048 times what they leave out, and two ones."""
    row = tl.program_id(0).to(tl.int64)
    c = tl.program_id(1) * COLS + tl.arange(0, COLS)
    known = c < i
    value = tl.load(x + row * i + c, mask=known, other=0.0)
    if GELU:  # v (1 + tanh u) / 2, as a logistic function of 2u
        u = 0.7978845608028654 * (value + 0.044715 * value * value * value)
        value = value / (1.0 + tl.exp(-2.0 * tl.maximum(u, -40.0)))
    high = value.to(tl.float16)
    out += row * (2 * i + ONES)
    tl.store(out + c, high, mask=known)
    tl.store(out + i + c, ((value - high.to(tl.float32)) * 2048.0).to(tl.float16), mask=known)
    if tl.program_id(1) == 0:
        j = tl.arange(0, ONES)
        tl.store(out + 2 * i + j, (j < 2).to(tl.float16))


@triton.jit
def attended(mixed, out, t, scale, H: tl.constexpr, E: tl.constexpr, T: tl.constexpr):
    """One head on one prompt. mixed: (B, t, 3, H, E) queries, keys and values; out: (B, t, H, E); T ≥ t, a power of two."""
    b, h = tl.program_id(0).to(tl.int64), tl.program_id(1)
    q, e = tl.arange(0, T), tl.arange(0, E)
    known = (q < t)[:, None]
    at = mixed + b * t * 3 * H * E + q[:, None] * 3 * H * E + h * E + e[None, :]
    query = tl.load(at, mask=known, other=0.0)
    key = tl.load(at + H * E, mask=known, other=0.0)
    value = tl.load(at + 2 * H * E, mask=known, other=0.0)
    scores = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
    scores = tl.where(q[None, :] <= q[:, None], scores, float("-inf"))
    weights = tl.exp(scores - tl.max(scores, 1)[:, None])
    weights = weights / tl.sum(weights, 1)[:, None]
    z = tl.dot(weights, value, input_precision="ieee")
    tl.store(out + b * t * H * E + q[:, None] * H * E + h * E + e[None, :], z, mask=known)
