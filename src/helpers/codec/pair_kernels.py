"""The Triton kernels of `pairs`, which checks what they are given. Importing this module needs triton."""

from __future__ import annotations

import triton
import triton.language as tl

from helpers.codec.kernels import hash32, pointer

UNIT = 1 << 16  # entries of one program
STEP = 4096  # of them at a time


@triton.jit
def products(units, table, part, TYPE: tl.constexpr, UNIT: tl.constexpr, STEP: tl.constexpr):
    """Of each program's run of entries: the sums of a·b and of b·b. A row of the table: addresses of a and b, entries."""
    unit = units + tl.program_id(0) * 2
    entry = table + tl.load(unit) * 3
    a, b, count = pointer(entry, 0, TYPE), pointer(entry, 1, TYPE), tl.load(entry + 2)
    start = tl.load(unit + 1)
    dot, square = tl.zeros([STEP], tl.float32), tl.zeros([STEP], tl.float32)
    for n in range(0, UNIT, STEP):
        at = start + n + tl.arange(0, STEP)
        x = tl.load(a + at, mask=at < count, other=0.0).to(tl.float32)
        y = tl.load(b + at, mask=at < count, other=0.0).to(tl.float32)
        dot += x * y
        square += y * y
    tl.store(part + tl.program_id(0) * 2, tl.sum(dot, 0))
    tl.store(part + tl.program_id(0) * 2 + 1, tl.sum(square, 0))


@triton.jit
def _normals(index, radius_key, angle_key):
    """Standard normals in float32, by Box and Muller from two hashes of the flat index."""
    step: tl.constexpr = 1.0 / 16777216
    radius = ((hash32(index ^ radius_key) >> 8) + 1).to(tl.float32) * step  # in (0, 1]
    angle = (hash32(index ^ angle_key) >> 8).to(tl.float32) * step  # in [0, 1), of a turn
    return tl.sqrt(-2.0 * tl.log(radius)) * tl.cos(angle * 6.283185307179586)


@triton.jit
def noise(
    units, table, keys, factors, part,
    TYPE: tl.constexpr, ROW: tl.constexpr, WRITE: tl.constexpr, UNIT: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    """N: normals of each entry, times the size of its row (ROW) or of the entry itself. WRITE: out = f0 · N + f1 · w; without
    it each program's sums of w·N and N·N. A row of the table: addresses of w, out and the rows' sizes, entries, columns.
    """
    unit = units + tl.program_id(0) * 2
    item = tl.load(unit)
    entry = table + item * 5
    w, out = pointer(entry, 0, TYPE), pointer(entry, 1, TYPE)
    sizes = tl.load(entry + 2).to(tl.pointer_type(tl.float32))
    count, width = tl.load(entry + 3), tl.load(entry + 4)
    radius_key, angle_key = tl.load(keys + item * 2).to(tl.uint32), tl.load(keys + item * 2 + 1).to(tl.uint32)
    start = tl.load(unit + 1)
    if WRITE:
        on_noise, on_weight = tl.load(factors + item * 2), tl.load(factors + item * 2 + 1)
    dot, square = tl.zeros([STEP], tl.float32), tl.zeros([STEP], tl.float32)
    for n in range(0, UNIT, STEP):
        at = start + n + tl.arange(0, STEP)
        x = tl.load(w + at, mask=at < count, other=0.0).to(tl.float32)
        z = _normals(at.to(tl.uint32), radius_key, angle_key)
        z *= tl.load(sizes + at // width, mask=at < count, other=0.0) if ROW else tl.abs(x)
        if WRITE:
            tl.store(out + at, (on_noise * z + on_weight * x).to(TYPE), mask=at < count)
        else:
            dot += x * z
            square += z * z
    if not WRITE:
        tl.store(part + tl.program_id(0) * 2, tl.sum(dot, 0))
        tl.store(part + tl.program_id(0) * 2 + 1, tl.sum(square, 0))
