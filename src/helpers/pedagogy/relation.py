"""The document's compositional task: a picture [X][>][Y] of two digits with X > Y, of which some pairs are held out.

A relation judge looks at the left and at the right third with one network (`topology.judge`, one convolution a maximum) and
takes the two digits as independent: P(X > Y) = Σ over i > j of p_x(i) p_y(j).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

SURE = 0.5  # of P(X > Y), above which the document counts a picture as right
STROKE = 0.07  # half the width of the sign's strokes, as a share of its side
CORNERS = ((0.28, 0.25), (0.72, 0.5), (0.28, 0.75))  # of the sign, (x, y), as shares of its side


def pairs(classes: int) -> Tensor:
    """(P, 2) every pair (x, y) of classes with x > y, in order. Raises ValueError for fewer than two classes."""
    if classes < 2:
        raise ValueError(f"classes={classes}: a pair x > y needs two classes or more")
    return torch.tensor([(x, y) for x in range(classes) for y in range(x)])


def held_out(classes: int) -> Tensor:
    """(P,) which of `pairs` no splitter is trained on: those of two classes from 1 on whose sum is the number of classes.
    Of ten classes these are the document's four, (7, 3), (8, 2), (9, 1) and (6, 4).

    Raises ValueError where there is none: with fewer than three classes.
    """
    every = pairs(classes)
    held = (every.sum(1) == classes) & (every[:, 1] >= 1)
    if not held.any():
        raise ValueError(f"classes={classes} leave no pair to hold out; use images of 3 classes or more")
    return held


def requests(classes: int) -> str:
    """The held-out pairs in words: "6 > 4, 7 > 3"."""
    return ", ".join(f"{x} > {y}" for x, y in pairs(classes)[held_out(classes)].tolist())


def above(left: Tensor, right: Tensor) -> Tensor:
    """(…) P(X > Y) from the logits (…, C) of both digits."""
    p, q = left.softmax(-1), right.softmax(-1)
    below = q.cumsum(-1) - q  # (…, C) P(Y < i)
    return (p * below).sum(-1)


def sign(size: int) -> Tensor:
    """(1, size, size) the sign >, bright on dark, in [−1, 1]."""
    at = (torch.arange(size) + 0.5) / size
    here = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1)  # (s, s, 2): x, y
    corners = torch.tensor(CORNERS)
    away = torch.stack([_distance(here, a, b) for a, b in pairwise(corners)]).amin(0)
    return ((STROKE - away) * size + 0.5).clamp(0, 1)[None] * 2 - 1


def page(left: Tensor, right: Tensor) -> Tensor:
    """(…, 1, s, 3 s) two digits (…, 1, s, s) with the sign between them."""
    if left.shape != right.shape or left.dim() < 3 or left.shape[-1] != left.shape[-2]:
        raise ValueError(f"digits {tuple(left.shape)} and {tuple(right.shape)}; both must be (…, 1, size, size)")
    middle = sign(left.shape[-1]).to(left).expand_as(left)
    return torch.cat([left, middle, right], -1)


def thirds(pages: Tensor) -> tuple[Tensor, Tensor]:
    """The left and the right digit of pages (…, 1, s, 3 s), as the relation judge sees them."""
    if pages.shape[-1] != 3 * pages.shape[-2]:
        raise ValueError(f"a page is three times as wide as high; got {tuple(pages.shape)}")
    left, _, right = pages.chunk(3, -1)
    return left, right


def _distance(here: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """(…) from points (…, 2) to the segment from a to b."""
    along = ((here - a) @ (b - a) / (b - a).square().sum()).clamp(0, 1)
    return (here - a - along[..., None] * (b - a)).norm(dim=-1)
