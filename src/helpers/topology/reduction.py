"""The first homology of Vietoris–Rips filtrations of small clouds, on a CPU: coboundary columns of a few edges, in bit
masks.

Edges are ranked by length, equal ones by their index; a triangle is named by the rank of its longest edge and the
vertex opposite to it. An edge with a vertex in its lune (nearer to both ends than they are to each other) and the first
such triangle are an apparent pair (Bauer 2021, §3.5) of no persistence. So the only columns left are edges of the
relative neighbourhood graph (Toussaint 1980) beside the spanning tree: a few dozen of thousands. Cohomology reduces
them from the longest edge down, and a column's pivot is its first triangle. A working column is one 128-bit mask an
edge rank: the opposite vertices of its triangles.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MOST = 128  # points: bits of a mask
PARTS = 32  # times the edges: room for the parts of reduced columns; the largest of the book's clouds takes a tenth
ZERO, ONE = np.uint64(0), np.uint64(1)


@njit(cache=True, nogil=True)
def _low(x):
    """The lowest set bit of a word, alone."""
    return x & (~x + ONE)


@njit(cache=True, nogil=True)
def _place(x):
    """Which bit is set in a word with one bit."""
    at = 0
    for step in (32, 16, 8, 4, 2, 1):
        if x >> np.uint64(step):
            x >>= np.uint64(step)
            at += step
    return at


@njit(cache=True, nogil=True)
def _sort(bits, order, spare, counts):
    """Fill order (E,) with the edges by length, equal ones by index: three passes over the bits of non-negative
    floats."""
    for i in range(len(order)):
        order[i] = i
    for shift in (0, 11, 22):
        for i in range(2049):
            counts[i] = 0
        for i in range(len(bits)):
            counts[((bits[i] >> np.uint32(shift)) & np.uint32(2047)) + 1] += 1
        for i in range(2047):
            counts[i + 1] += counts[i]
        for i in range(len(order)):
            digit = (bits[order[i]] >> np.uint32(shift)) & np.uint32(2047)
            spare[counts[digit]] = order[i]
            counts[digit] += 1
        order, spare = spare, order
    return order


@njit(cache=True, nogil=True)
def _lunes(order, first, second, rank, parent, near, lune, tree):
    """Fill rank (n, n) and lune (E, 2), the vertices in each edge's lune; mark the spanning tree. Returns the RNG's
    edges."""
    for i in range(len(rank)):
        parent[i] = i
        near[i, 0] = near[i, 1] = ZERO
    graph = 0
    for r in range(len(order)):
        a, b = first[order[r]], second[order[r]]
        rank[a, b] = rank[b, a] = r
        lune[r, 0], lune[r, 1] = near[a, 0] & near[b, 0], near[a, 1] & near[b, 1]
        near[a, b >> 6] |= ONE << np.uint64(b & 63)
        near[b, a >> 6] |= ONE << np.uint64(a & 63)
        tree[r] = 0
        if lune[r, 0] | lune[r, 1]:
            continue
        graph += 1
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a != b:
            parent[a] = b
            tree[r] = 1
    return graph


@njit(cache=True, nogil=True)
def _add(r, order, first, second, rank, lune, column, there):
    """Add the coboundary of the edge of rank r to the working column; `there` marks, in bits, which ranks may hold
    some."""
    a, b = first[order[r]], second[order[r]]
    column[r, 0] ^= lune[r, 0]
    column[r, 1] ^= lune[r, 1]
    there[r >> 6] |= ONE << np.uint64(r & 63)
    bit_a, bit_b, word_a, word_b = ONE << np.uint64(a & 63), ONE << np.uint64(b & 63), a >> 6, b >> 6
    for v in range(len(rank)):
        p, q = rank[a, v], rank[b, v]
        if v in (a, b) or (p < r and q < r):
            continue
        if p > q:
            column[p, word_b] ^= bit_b
        else:
            p = q
            column[p, word_a] ^= bit_a
        there[p >> 6] |= ONE << np.uint64(p & 63)


def room(n: int) -> tuple[np.ndarray, ...]:
    """The arrays that `reduce` works in, for clouds of n points; one set a thread."""
    edges = n * (n - 1) // 2
    whole = lambda *shape, kind=np.int32: np.zeros(shape, kind)
    return (
        whole(n, n),  # rank: of the edge between two points
        whole(n),  # parent: the spanning forest's
        whole(n, 2, kind=np.uint64),  # near: each point's neighbours so far
        whole(edges, 2, kind=np.uint64),  # lune
        whole(edges, 2, kind=np.uint64),  # column: the working one
        whole((edges >> 6) + 1, kind=np.uint64),  # there: ranks at which it may hold triangles
        whole(edges, kind=np.uint8),  # tree: 1 for the spanning tree's edges
        whole(edges, kind=np.uint8),  # odd: 1 for edges whose coboundaries make up the column
        whole(edges),  # head, follow: the columns by the rank of their pivot, as linked lists
        whole(edges),
        whole(edges, 2, kind=np.uint64),  # pivot: the bit of each column's pivot
        whole(edges + 1),  # start, parts: the edges whose coboundaries make up each reduced column
        whole(PARTS * edges),
        whole(PARTS * edges),  # seen: edges added to the working column
        whole(edges),  # one, other, digits: of the sort
        whole(edges),
        whole(2049),
    )


@njit(cache=True, nogil=True)
def reduce(lengths, bits, first, second, work, bars, counts):
    """Fill bars (B, P, 2) with birth and death of every bar of some length, and counts (B,) with how many there are, or
    −1 where P, or the room for columns, is too small.

    lengths: (B, E) float32, not negative; bits: the same as uint32. first, second: (E,) the ends of each edge, E = n(n
    − 1)/2. work: `room(n)`.
    """
    rank, parent, near, lune, column, there, tree, odd, head, follow, pivot, start, parts, seen, one, other, digits = (
        work
    )
    n, edges = len(rank), len(first)
    for c in range(len(lengths)):
        order = _sort(bits[c], one, other, digits)
        if _lunes(order, first, second, rank, parent, near, lune, tree) - (n - 1) > bars.shape[1]:
            counts[c] = -1
            continue
        for i in range(edges):
            head[i] = -1
        done = found = 0
        for e in range(edges - 1, -1, -1):
            if tree[e] or lune[e, 0] | lune[e, 1]:
                continue
            _add(e, order, first, second, rank, lune, column, there)
            seen[0], touched = e, 1
            odd[e] = 1
            word = e >> 6
            while True:
                while not there[word]:
                    word += 1
                bit = _low(there[word])
                r = (word << 6) + _place(bit)
                low0 = _low(column[r, 0])
                low1 = ZERO if low0 else _low(column[r, 1])
                if not low0 | low1:
                    there[word] ^= bit
                    continue
                from0 = _low(lune[r, 0])
                if low0 == from0 and (low0 or low1 == _low(lune[r, 1])):
                    _add(r, order, first, second, rank, lune, column, there)
                    odd[r] ^= 1
                    seen[touched] = r
                    touched += 1
                else:
                    j = head[r]
                    while j >= 0 and (pivot[j, 0] != low0 or pivot[j, 1] != low1):
                        j = follow[j]
                    if j < 0:
                        break
                    for i in range(start[j], start[j + 1]):
                        if touched == len(seen):
                            break
                        f = parts[i]
                        _add(f, order, first, second, rank, lune, column, there)
                        odd[f] ^= 1
                        seen[touched] = f
                        touched += 1
                if touched == len(seen):
                    break
            pivot[done, 0], pivot[done, 1] = low0, low1
            follow[done], head[r] = head[r], done
            birth, death = lengths[c, order[e]], lengths[c, order[r]]
            if death > birth:
                bars[c, found, 0], bars[c, found, 1] = birth, death
                found += 1
            at = start[done]
            full = touched == len(seen) or at + touched > len(parts)
            for i in range(touched):
                f = seen[i]
                if odd[f]:
                    odd[f] = 0
                    if not full:
                        parts[at] = f
                        at += 1
            done += 1
            start[done] = at
            for word in range(len(there)):
                while there[word]:
                    bit = _low(there[word])
                    r = (word << 6) + _place(bit)
                    column[r, 0] = column[r, 1] = 0
                    there[word] ^= bit
            if full:
                found = -1
                break
        counts[c] = found
