"""The Triton kernels of `groups`, which checks what they are given. Importing this module needs triton.

A tile is ROWS x T elements: T columns are one Hadamard block, or several where a block is under 64. Every kernel walks down
a chunk of rows with the same T columns, and so with the same matrix of ±1. A group's table has a row of eight for each item:
addresses of codes, scales, out, prior codes and prior scales, then rows, columns, and the key of the signs (-1: none); its
keys a row of six: the mask's hash key, `use`, `high` and `bound` (see _drawn), and the keys of the normals' two hashes.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

TYPES = {torch.bfloat16: tl.bfloat16, torch.float16: tl.float16, torch.float32: tl.float32, None: tl.float32}
PROBE = 16  # entries of the kernel that is tried first
MAGIC = tl.constexpr(12582912.0)  # 1.5·2²³: adding it rounds a float32 to the nearest integer, half to even
MAGIC_BITS = tl.constexpr(0x4B400000)


@triton.jit
def copied(x, y, N: tl.constexpr):
    """y = x: the smallest kernel there is, to see whether any can be built."""
    at = tl.arange(0, N)
    tl.store(y + at, tl.load(x + at))


@triton.jit
def _mix(x):
    """lowbias32 short of its last step, x ^ (x >> 16). x: uint32."""
    x ^= x >> 16
    return _mix_rest(x)


@triton.jit
def _mix_rest(x):
    x *= 0x7FEB352D
    x ^= x >> 15
    return x * 0x846CA68B


@triton.jit
def hash32(x):
    x = _mix(x)
    return x ^ (x >> 16)


@triton.jit
def _mixer(key, first, T: tl.constexpr, B: tl.constexpr, SIDE: tl.constexpr, PLAIN: tl.constexpr):
    """(T, T) of ±1: Hadamard matrices of size B down the diagonal, with the signs of columns first … first + T-1.

    SIDE 0 signs the rows of H (encode), 1 its columns (decode). PLAIN: the unit matrix, for raw weights.
    """
    k, j = tl.arange(0, T)[:, None], tl.arange(0, T)[None, :]
    if PLAIN:
        one = (k == j).to(tl.int32)
    else:
        odd = k & j & (B - 1)
        odd ^= odd >> 4
        odd ^= odd >> 2
        odd ^= odd >> 1
        column = (first + (k if SIDE == 0 else j)).to(tl.uint32)
        flip = (hash32(column ^ key.to(tl.uint32)) >> 31).to(tl.int32)
        one = 1 - 2 * ((odd ^ tl.where(key < 0, 0, flip)) & 1)
    return one if B == T or PLAIN else tl.where(k // B == j // B, one, 0)


@triton.jit
def _drawn(row, width, first, key, use, high, ROWS: tl.constexpr, T: tl.constexpr, B: tl.constexpr):
    """(ROWS, T) uint32 of rows from `row` and columns from `first`: a coefficient is kept where it is below `bound`.

    That is hash32(mask key, flat index) < limit, with the hash's last step folded into the comparison: the high half of
    x ^ (x >> 16) is that of x, and the low half matters only when the high halves of x and limit are equal.
    """
    rows = (row + tl.arange(0, ROWS)[:, None]).to(tl.uint32)
    corner = rows * width.to(tl.uint32) + first.to(tl.uint32)
    j = tl.arange(0, T)[None, :].to(tl.uint32)
    if B == T:  # the corner's low bits are zero and j has no others: the first step of the hash is the row's alone
        corner ^= key
        x = _mix_rest((corner ^ (corner >> 16)) ^ j)
    else:
        x = _mix((corner + j) ^ key)
    return (x & use) ^ high


@triton.jit
def _drop(c, drawn, bound, PACKED: tl.constexpr):
    """Codes c (int8) where drawn < bound, and zero elsewhere. PACKED: four bytes at a time, in PTX."""
    if PACKED:
        return tl.inline_asm_elementwise(
            """
            {
            .reg .pred p;
            .reg .b32 w;
            mov.b32 w, $1;
            setp.ge.u32 p, $2, $6;
            @p and.b32 w, w, 0xFFFFFF00;
            setp.ge.u32 p, $3, $7;
            @p and.b32 w, w, 0xFFFF00FF;
            setp.ge.u32 p, $4, $8;
            @p and.b32 w, w, 0xFF00FFFF;
            setp.ge.u32 p, $5, $9;
            @p and.b32 w, w, 0x00FFFFFF;
            mov.b32 $0, w;
            }
            """,
            "=r,r,r,r,r,r,r,r,r,r", [c, drawn, bound], dtype=tl.int8, is_pure=True, pack=4,
        )  # fmt: skip
    return tl.where(drawn < bound, c, 0).to(tl.int8)


@triton.jit
def _turned(c, h, PLAIN: tl.constexpr):
    """(ROWS, T) int32: codes times the matrix of ±1; PLAIN: the codes."""
    return c.to(tl.int32) if PLAIN else tl.dot(c, h, out_dtype=tl.int32)


@triton.jit
def planes_of(c, positive, missing):
    """Codes c (int8) without the `missing` low bits of their magnitudes, which stand at the upper middle of what they may be; a
    zero has a sign where any are missing, and a positive one where `positive`.
    """
    size = tl.minimum(tl.abs(c.to(tl.int32)), 127)
    size = ((size >> missing) << missing) + ((1 << missing) >> 1)
    return tl.where((c > 0) | ((c == 0) & positive), size, -size).to(tl.int8)


@triton.jit
def _normals(row, width, first, radius_key, angle_key, ROWS: tl.constexpr, T: tl.constexpr):
    """(ROWS, T) int32: standard normals in steps of 2^-11, by Box and Muller from two hashes of the flat index."""
    rows = (row + tl.arange(0, ROWS)[:, None]).to(tl.uint32)
    index = rows * width.to(tl.uint32) + first.to(tl.uint32) + tl.arange(0, T)[None, :].to(tl.uint32)
    step: tl.constexpr = 1.0 / 16777216
    radius = ((hash32(index ^ radius_key) >> 8) + 1).to(tl.float32) * step  # in (0, 1]
    angle = (hash32(index ^ angle_key) >> 8).to(tl.float32) * step  # in [0, 1), of a turn
    u = tl.abs(angle - 0.5) - 0.25  # cos(2π angle) = sin(2π u), |u| ≤ 1/4: Taylor to u^11, 6e-8 off at most
    t = u * u
    s = u * (6.2831853 + t * (-41.341702 + t * (81.605249 + t * (-76.705860 + t * (42.058694 - t * 15.094643)))))
    z = tl.sqrt(-1.3862944 * tl.log2(radius)) * s
    return (z * 2048.0 + MAGIC).to(tl.int32, bitcast=True) - MAGIC_BITS


@triton.jit
def _factor(scales, row, first, rows, width, ROWS: tl.constexpr, T: tl.constexpr, B: tl.constexpr):
    """Scales in float32 of a tile: (ROWS, 1), or (ROWS, T) where the tile has several blocks."""
    r = tl.arange(0, ROWS)[:, None]
    start = scales + row.to(tl.int64) * (width // B) + first // B
    if B == T:
        found = tl.load(start + r * (width // B), mask=row + r < rows, other=0.0)
    else:
        j = tl.arange(0, T)[None, :]
        found = tl.load(start + r * (width // B) + j // B, mask=(row + r < rows) & (first + j < width), other=0.0)
    return found.to(tl.float32)


@triton.jit
def _place(units, table, T: tl.constexpr):
    """What this program does: item, its row of the table, first row, first column, rows, columns."""
    unit = units + tl.program_id(0) * 3
    item = tl.load(unit)
    entry = table + item * 8
    rows, width = tl.load(entry + 5).to(tl.int32), tl.load(entry + 6).to(tl.int32)
    return item, entry, tl.load(unit + 2), tl.load(unit + 1) * T, rows, tl.multiple_of(width, 16)


@triton.jit
def pointer(entry, n: tl.constexpr, TYPE: tl.constexpr):
    return tl.multiple_of(tl.load(entry + n).to(tl.pointer_type(TYPE)), 16)


@triton.jit
def _key(keys, n: tl.constexpr):
    return tl.load(keys + n).to(tl.uint32)


@triton.jit
def decode(
    units, table, keys, weights,
    OUT: tl.constexpr, T: tl.constexpr, B: tl.constexpr, CHUNK: tl.constexpr, ROWS: tl.constexpr, STAGES: tl.constexpr,
    MASK: tl.constexpr, FILL: tl.constexpr, PACKED: tl.constexpr, PLAIN: tl.constexpr,
):  # fmt: skip
    """out = scale / sqrt(B) · (codes · H), on each tile; PLAIN: scale · codes. FILL: 0 none, 1 random, 2 guided by the prior's
    codes, 3: no gaps, but the codes below the bound are spoiled, 4: no gaps, but as many low bits of every magnitude are
    missing as the second weight says (see `planes_of`).
    """
    item, entry, top, first, rows, width = _place(units, table, T)
    codes, scales, out = pointer(entry, 0, tl.int8), pointer(entry, 1, tl.float16), pointer(entry, 2, OUT)
    if FILL == 2:
        prior, prior_scales = pointer(entry, 3, tl.int8), pointer(entry, 4, tl.float16)
    keys += item * 6
    mask_key, use, high, bound = _key(keys, 0), _key(keys, 1), _key(keys, 2), _key(keys, 3)
    radius_key, angle_key = _key(keys, 4), _key(keys, 5)
    norm: tl.constexpr = 1.0 if PLAIN else B**-0.5
    on_kept, on_fill = tl.load(weights + item * 2) * norm, tl.load(weights + item * 2 + 1) * norm
    missing = tl.load(weights + item * 2 + 1).to(tl.int32) if FILL == 4 else 0
    h = 0 if PLAIN else _mixer(tl.load(entry + 7), first, T, B, 1, PLAIN).to(tl.int8)
    r, j = tl.arange(0, ROWS)[:, None], tl.arange(0, T)[None, :]
    local = r * width + j
    for n in tl.range(0, CHUNK // ROWS, num_stages=STAGES):
        row = top + n * ROWS
        inside = (row + r < rows) & (first + j < width)
        tile = row.to(tl.int64) * width + first
        factor = _factor(scales, row, first, rows, width, ROWS, T, B) * on_kept
        c = tl.load(codes + tile + local, mask=inside, other=0)
        if MASK:
            drawn = _drawn(row, width, first, mask_key, use, high, ROWS, T, B)
            if FILL == 4:
                c = planes_of(c, drawn < bound, missing)
            else:
                c = tl.where(drawn < bound, c ^ 127, c).to(tl.int8) if FILL == 3 else _drop(c, drawn, bound, PACKED)
        value = _turned(c, h, PLAIN).to(tl.float32)
        value *= factor
        if FILL == 1:  # two bytes of the normals, each an exact product
            z = tl.where(drawn < bound, 0, _normals(row, width, first, radius_key, angle_key, ROWS, T))
            if PLAIN:
                total = z
            else:
                upper = (z + 64) >> 7
                total = tl.dot(upper.to(tl.int8), h, out_dtype=tl.int32) * 128
                total += tl.dot((z - upper * 128).to(tl.int8), h, out_dtype=tl.int32)
            value += total.to(tl.float32) * (on_fill * 0.00048828125)
        if FILL == 2:
            p = tl.load(prior + tile + local, mask=inside, other=0)
            p = _turned(tl.where(drawn < bound, 0, p).to(tl.int8), h, PLAIN).to(tl.float32)
            value += p * (_factor(prior_scales, row, first, rows, width, ROWS, T, B) * on_fill)
        tl.store(out + tile + local, value.to(OUT), mask=inside)


@triton.jit
def moments(
    units, table, keys, part,
    T: tl.constexpr, B: tl.constexpr, CHUNK: tl.constexpr, ROWS: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Of each program's kept coefficients: how many, their sum, the sum of their squares."""
    item, entry, top, first, rows, width = _place(units, table, T)
    codes, scales = pointer(entry, 0, tl.int8), pointer(entry, 1, tl.float16)
    keys += item * 6
    mask_key, use, high, bound = _key(keys, 0), _key(keys, 1), _key(keys, 2), _key(keys, 3)
    r, j = tl.arange(0, ROWS)[:, None], tl.arange(0, T)[None, :]
    count, total, square = tl.zeros([ROWS], tl.int32), tl.zeros([ROWS], tl.float32), tl.zeros([ROWS], tl.float32)
    for n in tl.range(0, CHUNK // ROWS, num_stages=STAGES):
        row = top + n * ROWS
        inside = (row + r < rows) & (first + j < width)
        c = tl.load(codes + row.to(tl.int64) * width + first + r * width + j, mask=inside, other=0)
        keep = (_drawn(row, width, first, mask_key, use, high, ROWS, T, B) < bound) & inside
        c = tl.where(keep, c.to(tl.float32) * _factor(scales, row, first, rows, width, ROWS, T, B), 0.0)
        count += tl.sum(keep.to(tl.int32), 1)
        total += tl.sum(c, 1)
        square += tl.sum(c * c, 1)
    part += tl.program_id(0) * 3
    tl.store(part, tl.sum(count, 0).to(tl.float32))
    tl.store(part + 1, tl.sum(total, 0))
    tl.store(part + 2, tl.sum(square, 0))


@triton.jit(do_not_specialize=["key", "rows"])
def encode(
    weight, codes, scales, key, rows, width,
    SIGNED: tl.constexpr, KIND: tl.constexpr, PLAIN: tl.constexpr,
    T: tl.constexpr, B: tl.constexpr, CHUNK: tl.constexpr, ROWS: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Codes and scales of (weight · H) / sqrt(B). KIND: type of the factors; float32 weights go as three bf16 parts."""
    first, top = tl.program_id(0) * T, tl.program_id(1) * CHUNK
    split: tl.constexpr = weight.dtype.element_ty == tl.float32
    key = key.to(tl.int64) & 4294967295 if SIGNED else tl.full((), -1, tl.int64)
    h = _mixer(key, first, T, B, 0, PLAIN).to(KIND)
    r, j = tl.arange(0, ROWS)[:, None], tl.arange(0, T)[None, :]
    b = tl.arange(0, T // B)[None, :]
    for n in tl.range(0, CHUNK // ROWS, num_stages=STAGES):
        row = top + n * ROWS
        inside = (row + r < rows) & (first + j < width)
        tile = row.to(tl.int64) * width + first
        w = tl.load(weight + tile + r * width + j, mask=inside, other=0.0)
        if split:
            high = w.to(KIND)
            rest = w - high.to(tl.float32)
            middle = rest.to(KIND)
            c = tl.dot((rest - middle.to(tl.float32)).to(KIND), h)
            c = tl.dot(middle, h, acc=c)
            c = tl.dot(high, h, acc=c)
        else:
            c = tl.dot(w.to(KIND), h)
        c = tl.reshape(c if PLAIN else c * B**-0.5, (ROWS, T // B, B))
        most = tl.max(tl.where(c == c, tl.abs(c), float("inf")), 2)  # (ROWS, T // B); NaN counts as infinite
        exact = tl.div_rn(most, tl.full(most.shape, 127.0, tl.float32))
        half = exact.to(tl.float16)
        up = half.to(tl.int16, bitcast=True) + (half.to(tl.float32) < exact).to(tl.int16)
        half = tl.maximum(up.to(tl.float16, bitcast=True), 5.9604644775390625e-08)
        there = (row + r < rows) & (first // B + b < width // B)
        tl.store(scales + row.to(tl.int64) * (width // B) + first // B + r * (width // B) + b, half, mask=there)
        c = c * tl.div_rn(tl.full(most.shape, 1.0, tl.float32), half.to(tl.float32))[:, :, None]
        c = (c + MAGIC).to(tl.int32, bitcast=True).to(tl.int8)
        tl.store(codes + tile + r * width + j, tl.reshape(c, (ROWS, T)), mask=inside)
