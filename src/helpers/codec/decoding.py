"""Weights from what has arrived: dequantise, mask, fill, inverse transform, signs, a chunk of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from helpers import fused
from helpers.codec import codec as coding
from helpers.codec import fills, hashing, orders, transform
from helpers.codec.codec import Encoded
from helpers.codec.fills import Fill

ZERO = Fill("zero")
Coefficients = Callable[[int, int], Tensor]


@torch.no_grad()
def decode(
    encoded: Encoded,
    fraction: float = 1.0,
    order: str = "iid",
    fill: Fill = ZERO,
    mask_seed: int = 0,
    *,
    dtype: torch.dtype = torch.float32,
    out: Tensor | None = None,
    kernel: bool | None = None,
) -> Tensor:
    """The weight, in its model's shape and on the codes' device, from a fraction of its coefficients.

    order, mask_seed: see orders.keep and orders.planes. out: a tensor on the codes' device to write into, in place; its
    dtype counts. kernel: False for this path, None for the fused kernel where it covers the case (same numbers).
    Raises ValueError for a bad fraction, order, fill, prior, or an `out` of another shape or device.
    """
    if out is None:
        out = torch.empty(encoded.shape, dtype=dtype, device=encoded.device)
    else:
        check_out(encoded, out)
    target = out.T if encoded.transposed else out  # (out, in)
    if kernel is not False and _fused(encoded, fraction, order, fill, mask_seed, out):
        return out
    rows = _unsigned(encoded, fraction, order, fill, mask_seed)
    count, width = encoded.codes.shape
    scattered = encoded.codec.permutation(encoded.name, count * width, encoded.device)
    whole = torch.empty_like(target, memory_format=torch.contiguous_format) if scattered is not None else target
    flips = encoded.codec.flips(encoded.name, width, encoded.device)
    for a, b in coding.chunks(count, width, encoded.device):
        direct = whole.dtype == torch.float32 and whole.is_contiguous()
        into = whole[a:b] if direct else torch.empty((b - a, width), device=whole.device)
        rows(a, b, into)
        if flips is not None:
            into.mul_(flips)
        if not direct:
            whole[a:b] = into
    if scattered is not None:
        back = torch.empty_like(whole).view(-1)
        back[scattered] = whole.view(-1)
        target.copy_(back.view(count, width))
    return out


@torch.no_grad()
def jitter(encoded: Encoded, share: float, seed: int, out: Tensor) -> Tensor:
    """The whole weight, written into `out`, with Gaussian noise on every coefficient: `share` times the standard deviation of
    the coefficients in its block (about their mean). The noise of an entry is a hash of (seed, name, its place).
    """
    decode(encoded, out=out)
    target, codec, (count, width) = out.T if encoded.transposed else out, encoded.codec, encoded.codes.shape
    flips = codec.flips(encoded.name, width, encoded.device)
    noise = torch.empty(count, width, device=encoded.device)
    for a, b in coding.chunks(count, width, encoded.device):
        size = encoded.coefficients(a, b).view(b - a, -1, encoded.block).std(-1, correction=0, keepdim=True)
        z = hashing.normals(seed, encoded.name, a * width, b * width, encoded.device, "jitter")
        z = (z.view(b - a, -1, encoded.block) * (share * size)).view(b - a, width)
        z = transform.rotate(z, codec.transform, encoded.block, inverse=True)
        noise[a:b] = z if flips is None else z * flips
    scattered = codec.permutation(encoded.name, count * width, encoded.device)
    if scattered is not None:
        back = torch.empty_like(noise).view(-1)
        back[scattered] = noise.view(-1)
        noise = back.view(count, width)
    target.copy_(target.float() + noise)
    return out


def check_out(encoded: Encoded, out: Tensor) -> None:
    """Raises ValueError unless `out` can take the decoded matrix: of its shape, and on the codes' device."""
    if tuple(out.shape) != encoded.shape or out.device != encoded.device:
        found = f"{tuple(out.shape)} on {out.device}"
        raise ValueError(f"{encoded.name}: out is {found}; {encoded.shape} on {encoded.device} was expected")


def covered(encoded: Encoded, order: str, fill: Fill, out: Tensor) -> bool:
    """Whether the fused kernel decodes this matrix into `out`, which has its model's shape."""
    codes, target = encoded.codes, out.T if encoded.transposed else out
    if encoded.first or target.dtype not in fused.FLOATS:
        return False
    known = fused.supports(encoded.codec, order, fill.kind, codes.device, codes.shape[1])
    return known and fused.fits(codes, encoded.scales, target)


def takes(fill: Fill, prior: Encoded | None) -> bool:
    """Whether the fused kernel can fill from this prior, if the fill needs one."""
    return fill.kind != "guided" or (prior is not None and fused.fits(prior.codes, prior.scales))


def item(encoded: Encoded, out: Tensor, prior: Encoded | None) -> fused.Item:
    """A matrix as the fused kernel is given it."""
    target = out.T if encoded.transposed else out
    known = prior and (prior.codes, prior.scales)
    sign_key, plain = encoded.codec.sign_key(encoded.name), fused.PLAIN[encoded.codec.transform]
    return fused.Item(encoded.codes, encoded.scales, target, encoded.block, sign_key, known, plain)


def launch(
    group: fused.Group,
    names: Sequence[str],
    fraction: float,
    order: str,
    fill: Fill,
    mask_seed: int,
    whole: Collection[str] = (),
) -> None:
    """Decode a group of matrices of these names; those in `whole` lose nothing. order: "iid" or "planes"."""
    if order == "planes" and 0 < (bits := orders.bits_of(fraction)) < 8:
        keys = [hashing.key32(mask_seed, n, "planes") for n in names]
        missing = [0.0 if n in whole else 8.0 - bits for n in names]
        group.decode(mask_keys=keys, thresholds=[fused.FULL // 2] * len(names), fill="planes", weights=missing)
        return
    if order == "planes":  # none of them, or all
        fraction = bits / 8
    limit = hashing.threshold(fraction)
    masks = {
        "mask_keys": [hashing.key32(mask_seed, n, "mask") for n in names],
        "thresholds": [fused.FULL if n in whole else limit for n in names],
    }
    weights, keys = None, None
    if fill.kind == "random":
        weights = group.moments(**masks)[:, 2].float()
        keys = [tuple(hashing.key32(mask_seed, n, p) for p in ("fill", "fill/angle")) for n in names]
    elif fill.kind == "gain":
        weights = [1 / fraction if fraction and n not in whole else 1.0 for n in names]
    elif fill.kind == "guided":
        weights = [fill.weight] * len(names)
    group.decode(**masks, fill=fill.kind, weights=weights, fill_keys=keys)


def _fused(encoded: Encoded, fraction: float, order: str, fill: Fill, mask_seed: int, out: Tensor) -> bool:
    """Decode with the kernel where it covers the case. False: nothing was written."""
    if not covered(encoded, order, fill, out):
        return False
    prior = fills.prior_of(fill, encoded) if fill.kind == "guided" else None
    if not takes(fill, prior):
        return False
    launch(fused.Group([item(encoded, out, prior)]), [encoded.name], fraction, order, fill, mask_seed)
    return True


def coefficients(
    encoded: Encoded, fraction: float = 1.0, order: str = "iid", fill: Fill = ZERO, mask_seed: int = 0
) -> Coefficients:
    """A function (start, stop) -> float32 (stop - start, in): coefficients of these rows of the codes, gaps filled."""
    if order == "planes":
        return _planes(encoded, fraction, fill, mask_seed)
    mask = orders.keep(encoded, fraction, order, mask_seed)
    if fill.kind == "random":
        sigma = fills.deviation(encoded, mask) if fraction < 1 else 0.0
        fillers = lambda a, b: _noise(encoded, mask_seed, a, b).mul_(sigma)
    elif fill.kind == "guided":
        prior = fills.prior_of(fill, encoded)
        fillers = prior and (lambda a, b: prior.coefficients(a, b).mul_(fill.weight))
    else:
        fillers = None

    def rows(a: int, b: int) -> Tensor:
        m = mask(a, b)
        if m is None:
            return encoded.coefficients(a, b)
        if fillers:
            return torch.where(m, encoded.coefficients(a, b), fillers(a, b))
        c = coding.dequantise(_masked(encoded.codes[a:b], m), encoded.scales[a:b], encoded.block)
        return c.div_(fraction) if fill.kind == "gain" and fraction else c

    return rows


def _unsigned(
    encoded: Encoded, fraction: float, order: str, fill: Fill, mask_seed: int
) -> Callable[[int, int, Tensor], None]:
    """A function (start, stop, into) that writes float32 (stop - start, in): weights but for the signs.

    Where the CPU multiplies int8 matrices, codes go through the transform as integers, and the scales follow: they are
    the same for a whole block. What the guided fill adds is transformed apart, which is the same by linearity.
    """
    codec, block = encoded.codec, encoded.block
    noisy = fill.kind == "random" and fraction < 1
    if noisy or order == "planes" or not transform.counts(block, codec.transform, encoded.device):
        rows = coefficients(encoded, fraction, order, fill, mask_seed)
        return lambda a, b, into: into.copy_(transform.rotate(rows(a, b), codec.transform, block, inverse=True))
    mask = orders.keep(encoded, fraction, order, mask_seed)
    prior = fills.prior_of(fill, encoded) if fill.kind == "guided" else None
    gain = 1 / fraction if fill.kind == "gain" and fraction else 1.0

    def write(a: int, b: int, into: Tensor) -> None:
        kept, codes, scales = mask(a, b), encoded.codes[a:b], encoded.scales[a:b]
        if kept is None:
            _spread(codes, scales, block, 1.0, into)
            return
        _spread(_masked(codes, kept), scales, block, gain, into)
        if prior is not None:
            more = _spread(
                _masked(prior.codes[a:b], ~kept), prior.scales[a:b], block, fill.weight, torch.empty_like(into)
            )
            into.add_(more)

    return write


def _spread(codes: Tensor, scales: Tensor, block: int, factor: float, into: Tensor) -> Tensor:
    into.copy_(transform.rotate_codes(codes, block))
    into.view(len(into), -1, block).mul_((scales.to(torch.float32) * (factor * block**-0.5))[..., None])
    return into


def _masked(codes: Tensor, mask: Tensor) -> Tensor:
    """Codes, zero where the mask is; int8 times int8 is faster than any other way."""
    return codes * (mask.view(torch.int8) if mask.is_contiguous() else mask)


def _planes(encoded: Encoded, fraction: float, fill: Fill, mask_seed: int) -> Coefficients:
    if fill.kind != "zero":
        raise ValueError(f"fill {fill.kind!r} has nothing to fill: bit planes keep every entry; use the zero fill")
    orders.bits_of(fraction)
    width, key = encoded.codes.shape[1], hashing.key32(mask_seed, encoded.name, "planes")

    def rows(a: int, b: int) -> Tensor:
        known = orders.planes(encoded.codes[a:b], fraction, key=key, start=(encoded.first + a) * width)
        return coding.dequantise(known, encoded.scales[a:b], encoded.block)

    return rows


def _noise(encoded: Encoded, mask_seed: int, a: int, b: int) -> Tensor:
    width, start = encoded.codes.shape[1], encoded.first
    flat = hashing.normals(mask_seed, encoded.name, (start + a) * width, (start + b) * width, encoded.device)
    return flat.view(b - a, width)
