"""Layers of many small networks at once: (M, channels, height, width, B), models first and the batch last.

With the batch last every layer is a batched matrix product or one pass along the batch: a convolution is the product of
its kernel with patches, which are copied by whole rows of B, and a normalisation over (height, width, B) is one native
call for all models. A kernel takes the type of what it is applied to, so half precision begins where the input is cast.
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
    found, bias = _Patches.apply(x, params[name].to(x.dtype), stride), params.get(f"{name}.bias")
    return found if bias is None else found + bias[..., None, None, None].to(x.dtype)


def grown(params: Params, name: str, x: Tensor) -> Tensor:
    """A 3 × 3 convolution of x with every pixel doubled: (M, in, h, w, B) -> (M, out, 2h, 2w, B).

    Two of a kernel's three rows fall on copies of one pixel, and are added first: four 2 × 2 kernels, one for each
    parity of the place, on the small image, with 4/9 of the products.
    """
    weight = params[name]
    m, out, into = weight.shape[:3]
    h, w, batch = x.shape[2:]
    four = (weight.reshape(-1, 9) @ _folded(weight.dtype, weight.device)).view(m, out, into, 4, 2, 2).transpose(2, 3)
    y = _Patches.apply(x, four.reshape(m, out * 4, into, 2, 2).to(x.dtype), 1)
    y = y.view(m, out, 2, 2, h + 1, w + 1, batch)
    rows = [torch.stack([y[:, :, a, b, a : a + h, b : b + w] for b in (0, 1)], 4) for a in (0, 1)]
    return torch.stack(rows, 3).view(m, out, 2 * h, 2 * w, batch)


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


class _Patches(torch.autograd.Function):
    """A convolution with k × k kernels and a border of one, for stacks: (M, c, h, w, B), (M, o, c, k, k)."""

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
