"""Orthonormal transforms of blocks along a matrix's input dimension: Walsh–Hadamard, and the DCT-II as a control.

Walsh–Hadamard in Sylvester's order is a Kronecker product of small Hadamard matrices, so it is applied as a few small
matrix products. A width of 28·2^k (14336 in Mistral-7B) has a full-width block too: H_28 by Paley's second construction.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from helpers.codec import hashing

KINDS = ("hadamard", "dct", "identity", "permutation")
MIXING = ("hadamard", "dct")  # the kinds that mix entries, and take random signs
DENSE_DCT = 1024  # a longer DCT goes through the FFT
CACHED, KEPT = 1 << 16, 256  # permutations of up to so many entries are kept, and so many of them: 128 MB at most


def block_of(width: int, cap: int | str = 256) -> int:
    """Entries in a block: the largest power of two that divides `width`, at most `cap` (a power of two).

    cap "full": no limit, and the whole width where it is 28·2^k. An odd width has blocks of 1, which any transform
    leaves alone. Raises ValueError for a width below 1 or any other cap.
    """
    if width < 1:
        raise ValueError(f"width={width}: a matrix with at least one column was expected")
    power = width & -width
    if cap == "full":
        return width if width == 7 * power and power >= 4 else power
    if isinstance(cap, bool) or not isinstance(cap, int) or cap < 1 or cap & (cap - 1):
        raise ValueError(f'cap={cap!r}: a power of two (64, 128, 256, …) or "full" was expected')
    return min(power, cap)


def sylvester(n: int) -> Tensor:
    """(n, n) float64 of ±1: H_1 = 1, H_2n = [[H, H], [H, -H]]. n is a power of two."""
    h = torch.ones(1, 1, dtype=torch.float64)
    while h.shape[0] < n:
        h = torch.cat([torch.cat([h, h], 1), torch.cat([h, -h], 1)])
    return h


def paley28() -> Tensor:
    """(28, 28) float64 of ±1, symmetric, with H² = 28 I: Paley (1933), second construction with q = 13.

    Q_ij = χ(i - j), the quadratic character mod 13; C = [[0, 1], [1, Q]] is a symmetric conference matrix of order 14;
    H = C ⊗ [[1, 1], [1, -1]] + I ⊗ [[1, -1], [-1, -1]].
    """
    q = 13
    squares = {i * i % q for i in range(1, q)}
    chi = [0] + [1 if i in squares else -1 for i in range(1, q)]
    c = torch.ones(q + 1, q + 1, dtype=torch.float64)
    c[0, 0] = 0
    c[1:, 1:] = torch.tensor([[chi[(i - j) % q] for j in range(q)] for i in range(q)], dtype=torch.float64)
    even = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    odd = torch.tensor([[1.0, -1.0], [-1.0, -1.0]], dtype=torch.float64)
    return torch.kron(c, even) + torch.kron(torch.eye(q + 1, dtype=torch.float64), odd)


def factors(block: int) -> tuple[int, ...]:
    """Orders of the Hadamard matrices whose Kronecker product is the block's, outermost first; each at most 64.

    Up to 64 one matrix is fastest, past that orders of 8 to 32 are (measured on a CPU core).
    Raises ValueError for a block that is neither 2^k nor 28·2^k.
    """
    power = block & -block
    if block not in (power, 7 * power) or (block == 7 * power and power < 4):
        raise ValueError(f"block={block}: 2^k or 28·2^k was expected")
    outer, rest = ((28,), power // 4) if block == 7 * power else ((), power)
    bits = rest.bit_length() - 1
    count = 1 if bits <= 6 else math.ceil(bits / 5)
    sizes = [bits // count + (i < bits % count) for i in range(count)]  # as equal as they can be
    return outer + tuple(1 << b for b in sorted(sizes) if b) or (1,)


@functools.lru_cache(maxsize=256)
def _factor(order: int, scale: float, device: str) -> Tensor:
    h = paley28() if order == 28 else sylvester(order)
    return (h * scale).to(device=device, dtype=torch.float32)


def _hadamard(x: Tensor, block: int) -> Tensor:
    """(n, block) float32 -> the same shape; its own inverse, because every factor is symmetric."""
    device, sizes = str(x.device), factors(block)
    last = sizes[-1]
    h = _factor(last, block**-0.5, device)  # the norm 1/√B rides on the innermost factor
    y = torch.mm(x.reshape(-1, last), h)  # (n·B/last, last)
    inner = last
    for order in reversed(sizes[:-1]):
        y = torch.matmul(_factor(order, 1.0, device), y.view(-1, order, inner))  # (n·outer, order, inner)
        inner *= order
    return y.view(-1, block)


@functools.lru_cache(maxsize=1)
def _whole_numbers() -> bool:
    """Whether this CPU multiplies int8 matrices by its own instructions (VNNI, through oneDNN), and torch gives them."""
    known = getattr(torch.cpu, "_is_vnni_supported", None)
    if known is None or not known() or not hasattr(torch, "_int_mm") or not torch.backends.mkldnn.is_available():
        return False
    h = sylvester(256).to(torch.int8)  # the largest sums that occur must come out right
    return torch.equal(torch._int_mm(h * 127, h), (h.long() * 127 @ h.long()).int())


def counts(block: int, kind: str, device: torch.device) -> bool:
    """Whether `rotate_codes` serves: Walsh–Hadamard blocks of 16 to 256 on a CPU with int8 matrix products."""
    return kind == "hadamard" and device.type == "cpu" and block in (16, 32, 64, 128, 256) and _whole_numbers()


@functools.lru_cache(maxsize=8)
def _sylvester8(n: int) -> Tensor:
    return sylvester(n).to(torch.int8)


def rotate_codes(codes: Tensor, block: int) -> Tensor:
    """int8 (rows, in) -> int32 (rows, in): H of ±1, not normalised, on each block; exact. Only where `counts`."""
    return torch._int_mm(codes.reshape(-1, block), _sylvester8(block)).view(codes.shape)


@functools.lru_cache(maxsize=64)
def dct_matrix(n: int, device: str = "cpu") -> Tensor:
    """(n, n) float32 orthonormal DCT-II, as scipy.fft.dct(norm="ortho"): D_kj = √(2/n) cos(π(2j+1)k/2n), D_0j = 1/√n."""
    j = torch.arange(n, dtype=torch.float64)
    d = torch.cos(math.pi * (2 * j[None, :] + 1) * j[:, None] / (2 * n)) * math.sqrt(2 / n)
    d[0] = math.sqrt(1 / n)
    return d.to(device=device, dtype=torch.float32)


def _dct(x: Tensor, block: int, inverse: bool) -> Tensor:
    """(n, block) float32: DCT-II, or its inverse (DCT-III); long blocks through an FFT of the same length (Makhoul 1980)."""
    if block <= DENSE_DCT:
        d = dct_matrix(block, str(x.device))
        return x @ (d if inverse else d.T)
    k = torch.arange(block, dtype=torch.float32, device=x.device)
    turn = torch.polar(torch.ones_like(k), -math.pi * k / (2 * block))
    norm = torch.full_like(k, math.sqrt(2 / block))
    norm[0] = math.sqrt(1 / block)
    if not inverse:
        v = torch.cat([x[:, ::2], x[:, 1::2].flip(1)], 1)
        return (torch.fft.fft(v) * turn).real * norm
    y = x / norm
    z = torch.complex(y, -torch.cat([torch.zeros_like(y[:, :1]), y[:, 1:].flip(1)], 1)) * turn.conj()
    v = torch.fft.ifft(z).real
    out = torch.empty_like(x)
    half = (block + 1) // 2
    out[:, ::2], out[:, 1::2] = v[:, :half], v[:, half:].flip(1)
    return out


def rotate(x: Tensor, kind: str, block: int, *, inverse: bool = False) -> Tensor:
    """Apply the orthonormal transform to each run of `block` entries along the last dimension. float32, same shape.

    Identity and permutation mix nothing and return x. Raises ValueError for an unknown kind or a block that does not
    divide the width.
    """
    check_kind(kind)
    if x.shape[-1] % block:
        raise ValueError(f"block={block} does not divide the width {x.shape[-1]}")
    if kind not in MIXING or block == 1:
        return x
    flat = x.reshape(-1, block)
    return (_hadamard(flat, block) if kind == "hadamard" else _dct(flat, block, inverse)).view(x.shape)


def check_kind(kind: str) -> None:
    """Raises ValueError for a transform that does not exist."""
    if kind not in KINDS:
        raise ValueError(f"transform {kind!r} is unknown; choose one of {', '.join(KINDS)}")


def permutation(key: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """(count,) int64: the order of the entries' hashes. The hash has no ties, so every device finds the same one."""
    if count > CACHED:
        return _permutation(key, count, str(device))
    return _kept_permutation(key, count, str(device))


def _permutation(key: int, count: int, device: str) -> Tensor:
    return torch.argsort(hashing.hash32(key, hashing.index32(0, count, device)))


_kept_permutation = functools.lru_cache(maxsize=KEPT)(_permutation)
