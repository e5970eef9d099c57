"""Judges: small convolutional classifiers of images, many at a time, whose last convolutional map is what the metrics
look at.

The document's Judge: twice two 3 × 3 convolutions with ReLU and a 2 × 2 maximum (its `features`, flattened), then
layers of 512 and 256 and one output a class. Its dropout is left out, so that a judge is a plain function of an image.
Its RelationJudge has one convolution before each maximum, and a layer of 128. Every parameter has a leading axis M of
judges; each draws its own minibatches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices, stacked
from helpers.stacked import Params

BATCH = 256  # images a judge is asked about at a time


@dataclass(frozen=True)
class JudgeShape:
    """The shape of a judge. size: of a square image; channels: of the convolutions before the first maximum and before
    the second; hidden: layers of its head; deep: convolutions before each maximum."""

    size: int = 28
    channels: tuple[int, int] = (32, 64)
    hidden: tuple[int, ...] = (512, 256)
    classes: int = 10
    deep: int = 2

    def __post_init__(self):
        if self.deep not in (1, 2):
            raise ValueError(f"deep={self.deep} convolutions before a maximum; use 1 or 2")
        if self.size < 4 or min(self.channels) < 1 or min(self.hidden, default=1) < 1 or self.classes < 2:
            raise ValueError(f"{self}: a judge needs images of 4 pixels a side or more, a channel, and two classes")

    @property
    def features(self) -> int:
        """Numbers in the last map: 64 · 7 · 7 = 3136 in the document's."""
        return self.channels[1] * (self.size // 4) ** 2

    @property
    def layers(self) -> dict[str, tuple[int, ...]]:
        """Weight shapes by name, in order."""
        one, two = self.channels
        through = (1, *[one] * self.deep, *[two] * self.deep)
        maps = {f"conv{i + 1}": (b, a, 3, 3) for i, (a, b) in enumerate(pairwise(through))}
        widths = (self.features, *self.hidden, self.classes)
        return maps | {f"head{i + 1}": (b, a) for i, (a, b) in enumerate(pairwise(widths))}


def untrained(shape: JudgeShape, keys: Sequence[object], device: str = "cpu") -> Params:
    """Judges as they start, one a key: uniform in ±1/√fan-in, as torch starts its layers."""
    made = []
    for key in keys:
        rng, one = devices.torch_rng("judge", key), {}
        for name, size in shape.layers.items():
            reach = float(torch.tensor(size[1:]).prod()) ** -0.5
            one[name] = (torch.rand(size, generator=rng) * 2 - 1) * reach
            one[f"{name}.bias"] = (torch.rand(size[0], generator=rng) * 2 - 1) * reach
        made.append(one)
    return {name: v.to(device) for name, v in stacked.pile(made).items()}


def train(
    shape: JudgeShape, images: Tensor, labels: Tensor, keys: Sequence[object], *,
    steps: int, batch: int = 128, rate: float = 1e-3, device: str = "cpu",
) -> Params:  # fmt: skip
    """Judges, one a key, trained side by side with Adam on cross-entropy; each passes through the images in an order of
    its own.

    images: (N, 1, size, size) in [−1, 1], or (M, N, 1, size, size), of each judge its own; labels: (N,) in 0 … classes − 1.
    Raises ValueError where they do not fit the shape.
    """
    _fits(shape, images, labels)
    params = untrained(shape, keys, device)
    images, labels = images.to(device), labels.to(device)
    own = torch.arange(len(keys), device=device)[:, None] if images.dim() == 5 else None  # (M, 1) whose images
    batch = min(batch, len(labels))
    passes = -(-steps * batch // len(labels))

    def order(key: object) -> Tensor:
        rng = devices.torch_rng("judge's images", key)
        rows = torch.cat([torch.randperm(len(labels), generator=rng) for _ in range(passes)])
        return rows[: steps * batch].view(steps, batch)

    table = torch.stack([order(key) for key in keys], 1).to(device)  # (steps, M, batch)

    def loss(params: Params, clock: Tensor) -> Tensor:
        rows = table.index_select(0, clock.clamp(max=steps - 1).view(1))[0]  # (M, batch)
        found = logits(params, images[rows] if own is None else images[own, rows])
        return F.cross_entropy(found.flatten(0, 1), labels[rows].flatten(), reduction="none").view(rows.shape).mean(1)

    stacked.fit(params, loss, lr=rate, steps=steps)
    return params


def logits(params: Params, images: Tensor) -> Tensor:
    """(M, B, classes) for images (M, B, 1, size, size) of each judge its own, all at once and with their gradient."""
    return _head(params, _maps(params, images))


@torch.no_grad()
def features(params: Params, images: Tensor) -> Tensor:
    """(M, N, features) the flattened last maps of all judges for the same images (N, 1, size, size), or for (M, N,
    1, size, size), images of each its own."""
    return torch.cat([_maps(params, part) for part in _parts(params, images)], 1)


@torch.no_grad()
def opinions(params: Params, images: Tensor) -> Tensor:
    """(M, N, classes) the judges' logits for images as in `features`."""
    return torch.cat([_head(params, _maps(params, part)) for part in _parts(params, images)], 1)


def accuracy(params: Params, images: Tensor, labels: Tensor) -> Tensor:
    """(M,) shares of images whose label is a judge's first choice."""
    found = opinions(params, images).argmax(-1)
    return (found == labels.to(found.device)).double().mean(-1)


def _fits(shape: JudgeShape, images: Tensor, labels: Tensor) -> None:
    if images.dim() not in (4, 5) or images.shape[-3:] != (1, shape.size, shape.size):
        raise ValueError(f"images {tuple(images.shape)} do not fit a judge of (N, 1, {shape.size}, {shape.size})")
    if images.shape[-4] != len(labels) or not len(labels):
        raise ValueError(f"{len(labels)} labels for {images.shape[-4]} images; one each is needed")
    if not torch.isfinite(images).all() or images.abs().max() > 1:
        raise ValueError("images must be finite and lie in [−1, 1]")
    if labels.min() < 0 or labels.max() >= shape.classes:
        raise ValueError(f"labels lie in {int(labels.min())} … {int(labels.max())}, of {shape.classes} classes")


def _parts(params: Params, images: Tensor) -> list[Tensor]:
    count, device = len(params["conv1"]), params["conv1"].device
    images = images if images.dim() == 5 else images[None].expand(count, *images.shape)
    return [part.to(device) for part in images.split(BATCH, 1)]


def _maps(params: Params, images: Tensor) -> Tensor:
    """(M, N, 1, s, s) -> (M, N, features). One grouped convolution serves all judges."""
    m, n = images.shape[:2]
    x = images.transpose(0, 1).flatten(1, 2)  # (N, M, s, s)
    last = sum(name.startswith("conv") and "." not in name for name in params)
    for i in range(1, last + 1):
        weight = params[f"conv{i}"]
        x = F.relu(F.conv2d(x, weight.flatten(0, 1), params[f"conv{i}.bias"].flatten(), padding=1, groups=m))
        x = F.max_pool2d(x, 2) if 2 * i in (last, 2 * last) else x
    return x.view(n, m, -1).transpose(0, 1)


def _head(params: Params, maps: Tensor) -> Tensor:
    x, last = maps, sum(name.startswith("head") and "." not in name for name in params)
    for i in range(1, last + 1):
        x = torch.baddbmm(params[f"head{i}.bias"][:, None], x, params[f"head{i}"].transpose(1, 2))
        x = F.relu(x) if i < last else x
    return x
