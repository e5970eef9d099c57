"""Layers of many small networks at once: (M, channels, height, width, B), models first and the batch last.

With the batch last every layer is a batched matrix product or one pass along the batch. A convolution is a sum of products,
one a tap of its kernel: of an image with a border, laid out flat, the part that a tap sees is a plain stretch, which no
product needs copied. A normalisation over (height, width, B) is one native call for all models. A kernel takes the type of
what it is applied to, so half precision begins where the input is cast.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices
from helpers.stacked import Params

MOMENTUM, EPSILON, LEAK = 0.1, 1e-5, 0.2
PARITIES = (0, 0), (0, 1), (1, 0), (1, 1)
FOLD = ((1.0, 0, 0), (0, 1.0, 1.0)), ((1.0, 1.0, 0), (0, 0, 1.0))  # (parity, tap, row of a 3-kernel): see `grown`


def uniform(rng: torch.Generator, *shape: int) -> Tensor:
    """A weight as torch starts it: uniform in ±1/√fan-in, the product of all axes but the first."""
    reach = float(torch.tensor(shape[1:]).prod()) ** -0.5
    return (torch.rand(shape, generator=rng) * 2 - 1) * reach


def linear(rng: torch.Generator, name: str, into: int, out: int, bias: bool = True) -> Params:
    weight = {name: uniform(rng, out, into)}
    return weight | ({f"{name}.bias": (torch.rand(out, generator=rng) * 2 - 1) * into**-0.5} if bias else {})


def kernel(rng: torch.Generator, name: str, into: int, out: int, bias: bool = False) -> Params:
    """A 3 × 3 convolution. Without a bias where a normalisation follows, in which it has no effect."""
    weight = {name: uniform(rng, out, into, 3, 3)}
    return weight | ({f"{name}.bias": (torch.rand(out, generator=rng) * 2 - 1) * (9 * into) ** -0.5} if bias else {})


def norm(name: str, count: int) -> Params:
    """A normalisation of `count` channels and its two buffers, the running mean and variance."""
    ones, zeros = torch.ones(count), torch.zeros(count)
    return {f"{name}.weight": ones, f"{name}.bias": zeros, f"{name}.mean": zeros.clone(), f"{name}.var": ones.clone()}


def buffers(params: Params) -> list[str]:
    """Names of what is no parameter: running means and variances."""
    return [name for name in params if name.endswith((".mean", ".var"))]


def keyed(kind: str, key: object) -> torch.Generator:
    return devices.torch_rng("pedagogy", kind, key)


def dense(params: Params, name: str, x: Tensor) -> Tensor:
    """(M, in, B) -> (M, out, B)."""
    weight, bias = params[name].to(x.dtype), params.get(f"{name}.bias")
    return torch.bmm(weight, x) if bias is None else torch.baddbmm(bias[..., None].to(x.dtype), weight, x)


def convolved(params: Params, name: str, x: Tensor, stride: int = 1) -> Tensor:
    """A 3 × 3 convolution with a border of zeros: (M, in, h, w, B) -> (M, out, h / stride, w / stride, B), rounded up."""
    weight, bias = params[name].to(x.dtype), params.get(f"{name}.bias")
    found = _Taps.apply(x, weight) if stride == 1 else _Patches.apply(x, weight, stride)
    return found if bias is None else found + bias[..., None, None, None].to(x.dtype)


def grown(params: Params, name: str, x: Tensor) -> Tensor:
    """A 3 × 3 convolution of x with every pixel doubled: (M, in, h, w, B) -> (M, out, 2h, 2w, B).

    Two of a kernel's three rows fall on copies of one pixel, and are added first: four 2 × 2 kernels, one for each
    parity of the place, on the small image, with 4/9 of the products.
    """
    weight = params[name]
    m, out, into = weight.shape[:3]
    four = (weight.reshape(-1, 9) @ _folded(weight.dtype, weight.device)).view(m, out, into, 4, 2, 2).transpose(2, 3)
    return _Grown.apply(x, four.reshape(m, out * 4, into, 2, 2).to(x.dtype))


def normed(params: Params, name: str, x: Tensor, training: bool) -> Tensor:
    """Batch normalisation over everything behind the channels of (M, C, …). In training it takes the batch's moments and
    moves the buffers, where there are any, as torch's does; else it takes the buffers."""
    mean, var = params.get(f"{name}.mean"), params.get(f"{name}.var")
    flat = lambda v: None if v is None else v.view(-1)
    found = F.batch_norm(
        x.reshape(1, x.shape[0] * x.shape[1], -1), flat(mean), flat(var), params[f"{name}.weight"].view(-1),
        params[f"{name}.bias"].view(-1), training, MOMENTUM, EPSILON,
    )  # fmt: skip
    return found.view_as(x)


def dropped(x: Tensor, rate: float, chance: Tensor | None) -> Tensor:
    """Whole channels (M, C, …, B) left out where `chance` (M, C, B), uniform in [0, 1), is below the rate."""
    if chance is None or not rate:
        return x
    kept = (chance >= rate).to(x.dtype) / (1 - rate)
    return x * kept.view(*kept.shape[:2], *[1] * (x.dim() - 3), kept.shape[2])


def one_hot(labels: Tensor, classes: int, like: Tensor) -> Tensor:
    """(M, B) -> (M, classes, B), of the type of `like`."""
    return (labels[:, None] == torch.arange(classes, device=labels.device)[:, None]).to(like.dtype)


def single(x: Tensor) -> Tensor:
    """In single precision, where it was half."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def said(logits: Tensor, labels: Tensor) -> Tensor:
    """(M,) mean cross-entropy of logits (M, classes, B), in nats."""
    return F.cross_entropy(logits.transpose(1, 2).flatten(0, 1), labels.flatten(), reduction="none").view(
        labels.shape
    ).mean(1)  # fmt: skip


class _Taps(torch.autograd.Function):
    """A 3 × 3 convolution with a border of one: (M, c, h, w, B), (M, o, c, 3, 3)."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.flat, ctx.shape = _Flat(x, 3), x.shape
        taps = weight.permute(3, 4, 0, 1, 2).contiguous()
        ctx.save_for_backward(taps)
        return ctx.flat.product(taps)[..., : x.shape[3], :]

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        return ctx.flat.gradients(F.pad(grad, (0, 0, 0, 2)), ctx.saved_tensors[0], ctx.needs_input_grad)


class _Grown(torch.autograd.Function):
    """Four 2 × 2 kernels a channel, (M, 4o, c, 2, 2), on a small image, each for one parity of the place in the large
    one."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.flat, (m, _, h, w, batch) = _Flat(x, 2), x.shape
        taps = weight.permute(3, 4, 0, 1, 2).contiguous()
        ctx.save_for_backward(taps)
        y = ctx.flat.product(taps).view(m, -1, 2, 2, h + 1, w + 2, batch)
        out = x.new_empty(m, y.shape[1], 2 * h, 2 * w, batch)
        for a, b in PARITIES:
            out[:, :, a::2, b::2] = y[:, :, a, b, a : a + h, b : b + w]
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        m, o, h, w, batch = grad.shape
        h, w = h // 2, w // 2
        whole = grad.new_zeros(m, o, 2, 2, h + 1, w + 2, batch)
        for a, b in PARITIES:
            whole[:, :, a, b, a : a + h, b : b + w] = grad[:, :, a::2, b::2]
        return ctx.flat.gradients(whole.view(m, 4 * o, h + 1, w + 2, batch), ctx.saved_tensors[0], ctx.needs_input_grad)


class _Flat:
    """An image with a border of one, (M, c, (h + 2) (w + 2) B), and the stretches of it that the taps of a k × k kernel
    see.

    A stretch runs on over the border's columns, so what is made of it has k − 1 columns too many at the right.
    """

    def __init__(self, x: Tensor, k: int):
        self.shape, (h, w, batch) = x.shape, x.shape[2:]
        self.high, self.wide = h + 3 - k, w + 2
        self.length = (self.high * self.wide - (k - 1)) * batch
        self.x = F.pad(x, (0, 0, 1, 1, 1, 1)).flatten(2)
        self.starts = [((a, b), (a * self.wide + b) * batch) for a in range(k) for b in range(k)]

    def product(self, taps: Tensor) -> Tensor:
        """(k, k, M, o, c) -> (M, o, h', w + 2, B)."""
        m, o, batch = *taps.shape[2:4], self.shape[4]
        whole = self.x.new_empty(m, o, self.high * self.wide * batch)
        y = whole[..., : self.length]
        for i, (tap, start) in enumerate(self.starts):
            seen = self.x[..., start : start + self.length]
            torch.baddbmm(y, taps[tap], seen, out=y) if i else torch.bmm(taps[tap], seen, out=y)
        return whole.view(m, o, self.high, self.wide, batch)

    def gradients(self, grad: Tensor, taps: Tensor, needed: tuple[bool, ...]) -> tuple[Tensor | None, Tensor | None]:
        """Of x and of the kernel (M, o, c, k, k). grad: (M, o, h', w + 2, B), zero in the columns too many."""
        grad = grad.flatten(2)[..., : self.length]
        of_x = torch.zeros_like(self.x) if needed[0] else None
        of_taps = torch.empty_like(taps) if needed[1] else None
        for tap, start in self.starts:
            seen = slice(start, start + self.length)
            if of_taps is not None:
                torch.bmm(grad, self.x[..., seen].transpose(1, 2), out=of_taps[tap])
            if of_x is not None:
                torch.baddbmm(of_x[..., seen], taps[tap].transpose(1, 2), grad, out=of_x[..., seen])
        if of_x is not None:
            m, c, h, w, batch = self.shape
            of_x = of_x.view(m, c, h + 2, w + 2, batch)[:, :, 1:-1, 1:-1]
        return of_x, None if of_taps is None else of_taps.permute(2, 3, 4, 0, 1)


class _Patches(torch.autograd.Function):
    """A convolution with a border of one and a stride: (M, c, h, w, B), (M, o, c, k, k)."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        patches, h, w = _patches(x, weight.shape[-1], stride)
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return torch.bmm(weight.flatten(2), patches).view(*weight.shape[:2], h, w, x.shape[-1])

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        k, s, (h, w), flat = weight.shape[-1], ctx.stride, grad.shape[2:4], grad.flatten(2)
        of_weight = of_x = None
        if ctx.needs_input_grad[1]:
            of_weight = torch.bmm(flat, _patches(x, k, s)[0].transpose(1, 2)).view_as(weight)
        if ctx.needs_input_grad[0]:
            parts = torch.bmm(weight.flatten(2).transpose(1, 2), flat)
            parts = parts.view(*x.shape[:2], k, k, h, w, x.shape[-1])
            whole = parts.new_zeros(*x.shape[:2], x.shape[2] + 2, x.shape[3] + 2, x.shape[4])
            for a in range(k):
                for b in range(k):
                    whole[:, :, a : a + s * (h - 1) + 1 : s, b : b + s * (w - 1) + 1 : s] += parts[:, :, a, b]
            of_x = whole[:, :, 1:-1, 1:-1]
        return of_x, of_weight, None


@cache
def _folded(dtype: torch.dtype, device: torch.device) -> Tensor:
    """(9, 16): a 3 × 3 kernel as four of 2 × 2. Made once, before a step that uses it is recorded."""
    fold = torch.tensor(FOLD, dtype=dtype, device=device)
    return torch.einsum("api,bqj->ijabpq", fold, fold).reshape(9, 16)


def _patches(x: Tensor, k: int, stride: int) -> tuple[Tensor, int, int]:
    """(M, c · k², h' · w' · B) and h', w'."""
    x = F.pad(x, (0, 0, 1, 1, 1, 1))
    view = x.unfold(2, k, stride).unfold(3, k, stride)  # (M, c, h', w', B, k, k)
    h, w = view.shape[2:4]
    return view.permute(0, 1, 5, 6, 2, 3, 4).reshape(x.shape[0], x.shape[1] * k * k, -1), h, w


def joined(parts: Sequence[Params]) -> Params:
    """One set of parameters of several, whose names differ."""
    return {name: value for part in parts for name, value in part.items()}
