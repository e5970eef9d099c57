"""What a classifier's approval does not see: how much of a class's variety a generator draws.

`variance` is within-class variance over that of real images; `density` and `coverage` are those of Naeem et al. (2020), in the
features of a judge; `taught` trains classifiers on what was drawn and tests them on real images.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from helpers.pedagogy.nets import Body, draw
from helpers.stacked import Params
from helpers.topology import judge

NEAREST = 5  # neighbours of a real point within which its ball reaches, as in Naeem et al.
IMAGES = 4096  # that all generators together draw at a time


def variance(made: Tensor, real: Tensor) -> Tensor:
    """(…) total variance within a class of made points (…, C, n, d) over that of real ones (C, N, d), means over classes.

    Raises ValueError for a class of one point, for real points that do not vary, and for classes that differ.
    """
    made, real = _clouds(made, real)
    below = _spread(real)
    if not below > 0:
        raise ValueError("the real points of every class are one point; a ratio to their variance says nothing")
    return _spread(made) / below


def density(made: Tensor, real: Tensor, k: int = NEAREST) -> Tensor:
    """(…) how many real balls a made point lies in, over k: 1 on average where both have one law, mean over classes.

    made: (…, C, n, d), real: (C, N, d). A real point's ball reaches to its k-th neighbour among the real ones. Raises
    ValueError where a class has no k neighbours.
    """
    return _inside(made, real, k).double().mean((-1, -2)).mul(real.shape[-2] / k).mean(-1)


def coverage(made: Tensor, real: Tensor, k: int = NEAREST) -> Tensor:
    """(…) share of the real points (C, N, d) in whose ball a made point (…, C, n, d) lies, mean over classes."""
    return _inside(made, real, k).any(-1).double().mean((-1, -2))


@torch.no_grad()
def drawn(params: Params, body: Body, z: Tensor, device: str = "cpu") -> Tensor:
    """(M, classes, n, 1, s, s) images of each class from latents z (classes, n, latent) for all generators, or
    (M, classes, n, latent), of each its own."""
    count = len(next(iter(params.values())))
    classes, n = z.shape[-3:-1]
    if (
        z.dim() not in (3, 4)
        or classes != body.classes
        or z.shape[-1] != body.latent
        or z.shape[:-3] not in ((), (count,))
    ):
        raise ValueError(
            f"latents {tuple(z.shape)}; expected ({body.classes}, n, {body.latent}), of {count} generators or for all"
        )
    z = z.expand(count, *z.shape[-3:]).flatten(1, 2).to(device)
    labels = torch.arange(classes, device=device).repeat_interleave(n)
    size = max(1, IMAGES // count)
    parts = [
        draw(params, body, x, y.expand(count, -1)) for x, y in zip(z.split(size, 1), labels.split(size), strict=True)
    ]
    return torch.cat(parts, 1).unflatten(1, (classes, n))


def taught(
    shape: judge.JudgeShape, images: Tensor, held: Tensor, labels: Tensor, keys: Sequence[object], *,
    steps: int, batch: int, rate: float, device: str = "cpu",
) -> Tensor:  # fmt: skip
    """(M,) right answers on real images held (N, 1, s, s) with labels (N,), of a classifier each that saw nothing but the made
    images (M, classes, n, 1, s, s), each under the class it was asked for."""
    wanted = torch.arange(images.shape[1]).repeat_interleave(images.shape[2])
    told = {"steps": steps, "batch": batch, "rate": rate, "device": device}
    return judge.accuracy(judge.train(shape, images.flatten(1, 2), wanted, keys, **told), held, labels)


def _clouds(made: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    if real.dim() != 3 or made.dim() < 3 or (made.shape[-3], made.shape[-1]) != (real.shape[0], real.shape[2]):
        raise ValueError(
            f"made points {tuple(made.shape)} and real ones {tuple(real.shape)}; (…, C, n, d) and (C, N, d)"
        )
    if min(made.shape[-2], real.shape[-2]) < 2:
        raise ValueError(f"{made.shape[-2]} made and {real.shape[-2]} real points of a class; use two or more of each")
    return made, real


def _spread(points: Tensor) -> Tensor:
    """(…) sum over d of the unbiased variance over n, mean over classes."""
    return points.double().var(-2).sum(-1).mean(-1)


def _inside(made: Tensor, real: Tensor, k: int) -> Tensor:
    """(…, C, N, n) whether a made point lies in a real point's ball."""
    made, real = _clouds(made, real)
    if not 1 <= k < real.shape[-2]:
        raise ValueError(
            f"k={k} neighbours among {real.shape[-2]} real points of a class; use 1 to {real.shape[-2] - 1}"
        )
    exact = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    reach = torch.cdist(real, real, **exact).kthvalue(k + 1, -1).values  # (C, N): the first is the point itself
    return torch.cdist(real.expand(*made.shape[:-2], *real.shape[-2:]), made, **exact) < reach[..., None]
