"""The Triton kernels of `gpu`, which prepares what they are given. Importing this module needs triton.

Names are those of `reduction`: edges are known by their rank, triangles by the rank of their longest edge and the
opposite vertex. A cloud is one program of one warp, which holds four vertices a lane; a working column lies in memory,
two words a rank.
"""

from __future__ import annotations

import triton
import triton.language as tl

VERTICES = 128  # bits of a mask, and entries that are looked at together
TILE = 32


@triton.jit
def lunes(ranks, lune, n, edges, VERTICES: tl.constexpr, TILE: tl.constexpr):
    """The vertices in the lunes of all edges (a, b), b > a, of one cloud and vertex a. ranks: (B, n, n) int32,
    `edges` on the diagonal. lune: (B, E, 2) int64, by rank."""
    cloud, a = tl.program_id(0).to(tl.int64), tl.program_id(1)
    ranks += cloud * n * n
    lune += cloud * edges * 2
    v = tl.arange(0, VERTICES)
    to_a = tl.load(ranks + a * n + v, mask=v < n, other=edges)
    bit = (tl.full([VERTICES], 1, tl.int64) << (v & 63).to(tl.int64))[None, :]
    for start in range(0, n, TILE):
        b = start + tl.arange(0, TILE)
        known = (b > a) & (b < n)
        r = tl.load(ranks + a * n + b, mask=known, other=0)
        to_b = tl.load(ranks + b[:, None] * n + v[None, :], mask=known[:, None] & (v < n)[None, :], other=edges)
        within = (to_a[None, :] < r[:, None]) & (to_b < r[:, None])
        low = tl.sum(tl.where(within & (v < 64)[None, :], bit, 0), 1)
        high = tl.sum(tl.where(within & (v >= 64)[None, :], bit, 0), 1)
        tl.store(lune + r * 2, low, mask=known)
        tl.store(lune + r * 2 + 1, high, mask=known)


@triton.jit
def _add(r, ends, ranks, lune, column, n, CLEAR: tl.constexpr, VERTICES: tl.constexpr):
    """Add the coboundary of an edge to the working column; CLEAR: put zeros where it lies. No two lanes meet at one
    word: the triangles outside the lune have longest edges of their own."""
    v = tl.arange(0, VERTICES)
    end = tl.load(ends + r)
    a, b = end // VERTICES, end % VERTICES
    p = tl.load(ranks + a * n + v, mask=v < n, other=0)
    q = tl.load(ranks + b * n + v, mask=v < n, other=0)
    outside = (v < n) & (v != a) & (v != b) & ((p > r) | (q > r))
    opposite = tl.where(p > q, b, a)
    at = column + tl.maximum(p, q) * 2 + opposite // 64
    if CLEAR:
        tl.store(at, tl.zeros([VERTICES], tl.int64), mask=outside)
        tl.store(column + r * 2, 0)
        tl.store(column + r * 2 + 1, 0)
    else:
        bit = tl.full([VERTICES], 1, tl.int64) << (opposite % 64).to(tl.int64)
        tl.store(at, tl.load(at, mask=outside, other=0) ^ bit, mask=outside)
        low, high = tl.load(column + r * 2), tl.load(column + r * 2 + 1)
        low ^= tl.load(lune + r * 2)
        high ^= tl.load(lune + r * 2 + 1)
        tl.debug_barrier()
        tl.store(column + r * 2, low)
        tl.store(column + r * 2 + 1, high)
    tl.debug_barrier()


@triton.jit
def _spanning(graph, begin, end, ends, tree, VERTICES: tl.constexpr):
    """Mark the edges of the spanning tree among those of the relative neighbourhood graph, which hold it (Kruskal)."""
    v = tl.arange(0, VERTICES)
    part = v
    i = begin
    while i < end:
        pair = tl.load(ends + tl.load(graph + i))
        one = tl.sum(tl.where(v == pair // VERTICES, part, 0), 0)
        other = tl.sum(tl.where(v == pair % VERTICES, part, 0), 0)
        tl.store(tree + i, (one != other).to(tl.int32))
        part = tl.where(part == other, one, part)
        i += 1
    tl.debug_barrier()


@triton.jit
def reduce(
    graph, begins, ends, ranks, lune, column, tree, pivots, bits, starts, pool, counts,
    n, edges, POOL: tl.constexpr, VERTICES: tl.constexpr,
):  # fmt: skip
    """Reduce the columns of one cloud. graph: ranks of the relative neighbourhood graph's edges, rising, cloud after
    cloud; begins: (B + 1,) where each cloud's start. pivots: birth and death, a pair of ranks a column from the
    cloud's start on; counts: (B,) how many, −1 where a pool of POOL parts is too small. column: (B, E + VERTICES, 2)
    of zeros. Others are room."""
    cloud = tl.program_id(0).to(tl.int64)
    begin, end = tl.load(begins + cloud), tl.load(begins + cloud + 1)
    ends += cloud * edges
    ranks += cloud * n * n
    lune += cloud * edges * 2
    column += cloud * (edges + VERTICES) * 2
    pool += cloud * POOL
    starts += cloud  # one more than columns
    v = tl.arange(0, VERTICES)
    _spanning(graph, begin, end, ends, tree, VERTICES)
    i, done, used, full = end - 1, begin * 0, begin * 0, begin * 0
    tl.store(starts + begin, used)
    while i >= begin:
        if tl.load(tree + i) == 0:
            e = tl.load(graph + i)
            first = used
            _add(e, ends, ranks, lune, column, n, False, VERTICES)
            tl.store(pool + used, e)
            used += 1
            going, at = full == 0, e
            r = e
            low, high = e.to(tl.int64) * 0, e.to(tl.int64) * 0
            while going:
                r = edges
                while r == edges:
                    here = column + (at + v) * 2
                    some = (tl.load(here) | tl.load(here + 1)) != 0
                    r = tl.min(tl.where(some, at + v, edges), 0)
                    at = tl.where(r == edges, at + VERTICES, r)
                low, high = tl.load(column + r * 2), tl.load(column + r * 2 + 1)
                low = low & -low
                high = tl.where(low != 0, 0, high & -high)
                near, far = tl.load(lune + r * 2), tl.load(lune + r * 2 + 1)
                near = near & -near
                far = tl.where(near != 0, 0, far & -far)
                if (low == near) & (high == far):
                    _add(r, ends, ranks, lune, column, n, False, VERTICES)
                    tl.store(pool + used, r)
                    used += 1
                else:
                    owner, j = done, begin * 0
                    while j < done:
                        c = begin + j + v
                        mine = j + v < done
                        same = tl.load(pivots + c * 2 + 1, mask=mine, other=-1) == r
                        same &= tl.load(bits + c * 2, mask=mine, other=0) == low
                        same &= tl.load(bits + c * 2 + 1, mask=mine, other=0) == high
                        owner = tl.minimum(owner, tl.min(tl.where(same, j + v, done), 0))
                        j += VERTICES
                    going = owner < done
                    if going:
                        s, t = tl.load(starts + begin + owner), tl.load(starts + begin + owner + 1)
                        if used + t - s >= POOL:
                            full += 1
                        else:
                            while s < t:
                                f = tl.load(pool + s)
                                _add(f, ends, ranks, lune, column, n, False, VERTICES)
                                tl.store(pool + used, f)
                                used += 1
                                s += 1
                full += (used >= POOL - 2).to(tl.int32)
                going = going & (full == 0)
            tl.debug_barrier()
            s = first
            while s < used:
                _add(tl.load(pool + s), ends, ranks, lune, column, n, True, VERTICES)
                s += 1
            c = begin + done
            tl.store(pivots + c * 2, e)
            tl.store(pivots + c * 2 + 1, r)
            tl.store(bits + c * 2, low)
            tl.store(bits + c * 2 + 1, high)
            done += 1
            tl.store(starts + begin + done, used)
            tl.debug_barrier()
            i = tl.where(full == 0, i, begin)
        i -= 1
    tl.store(counts + cloud, tl.where(full == 0, done, -1))
