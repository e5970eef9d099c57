"""Does a code find its width by itself? Learned codes that are wider than they need be, with a penalty or without.

The penalties are on the code alone, as the document asks: of its numbers (l1, Tibshirani 1996), their squares (l2, Hoerl &
Kennard 1970), or the root mean square of each dimension (group, the group lasso of Yuan & Lin 2006, eq. 2.1). A nested code is
trained at all widths of the grid at once: its loss is the mean of the losses of its first dimensions, so many as each width
says (Kusupati et al. 2022, §3, after the nested dropout of Rippel et al. 2014). So it can be cut after training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import Tensor

from helpers import stacked
from helpers.checks import expect
from helpers.encoding import networks
from helpers.encoding.chains import ChainGrid
from helpers.encoding.config import ADAPTIVE, PENALTIES, SPARED, Chains
from helpers.encoding.grid import Model, See
from helpers.stacked import Params

TINY = 1e-12
QUICK = {"grid": (2, 4, 5, 6, 8, 12), "strengths": (0.01, 0.1, 1.0), "rates": (0.03,)}
FULL = {
    "grid": (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14),
    "strengths": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
    "rates": (0.003, 0.01, 0.03),
    "cells": dict.fromkeys(
        (f"{source}/linear" for source in ("planted2", "planted6", "planted12", "dirichlet")), ("learned", *ADAPTIVE)
    ),
    "sequences": 50_000,
}


@dataclass(frozen=True)
class Widths(Chains):
    """Learned codes that may find their width: at the width `code` under every penalty and strength, nested, and plain at every
    width. The read-out is linear: there theory names the width that suffices."""

    grid: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
    code: int = 16
    cells: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: dict.fromkeys(("planted6/linear", "dirichlet/linear"), ("learned", *ADAPTIVE))
    )
    strengths: tuple[float, ...] = (0.01, 0.1, 0.3, 1.0, 10.0)
    part: str = "widths"

    def __post_init__(self):
        super().__post_init__()
        least = min(self.strengths, default=-1)
        expect(0 <= least < float("inf"), f"strengths={self.strengths}: name one at least, each 0 or more")
        linear = all(cell.endswith("/linear") for cell in self.cells)
        expect(linear, f"cells {', '.join(self.cells)}: a width is read off a linear read-out; use plantedR/linear")

    @property
    def known(self) -> tuple[str, ...]:
        return ("learned", *ADAPTIVE)


class WidthGrid(ChainGrid):
    """All models of a `Widths`. ends: by model, its validation loss, and what `in_use` finds."""

    config: Widths

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.ends: dict[Model, dict[str, float]] = {}

    def models(self) -> Iterator[Model]:
        c = self.config
        for cell, arms in c.cells.items():
            for arm in arms:
                strengths = c.strengths if arm in PENALTIES else (0.0,)
                for d in c.widths if arm == "learned" else (c.code,):
                    rest = product(range(c.seeds), c.rates_at(arm, d), strengths)
                    yield from (Model(cell, arm, d, *each) for each in rest)

    def stack(self, model: Model) -> tuple:
        return (*super().stack(model), model.arm == "nested")

    def fit(self, models: list[Model], params: Params, see: See, **how) -> dict[str, Tensor]:
        index = torch.tensor([self.index(m) for m in models])
        table, *held = (self.tables[k][index].to(self.device) for k in ("train", "validation", "test"))  # (M, V, V)
        strength = {
            kind: torch.tensor([m.strength * (m.arm == kind) for m in models], device=self.device) for kind in PENALTIES
        }
        entropy = lambda p, of: networks.cross_entropy(networks.forward(p, "linear"), of)
        loss = lambda p, t: entropy(p, table) + sum(strength[k] * v for k, v in penalties(p["code"]).items())
        if models[0].arm == "nested":
            loss = lambda p, t: nested(p, table, self.config.widths)
        stacked.fit(params, loss, probe=lambda p: see(torch.stack([entropy(p, of) for of in held], 1)), **how)
        room = torch.tensor([chain.unigram - chain.bayes for chain in map(self._chain, models)])
        own = torch.tensor([m.arm == "nested" for m in models])
        ended = {k: v.cpu() for k, v in params.items()}  # a GPU decomposes many small matrices one by one
        return {"used": in_use(ended, held[0].cpu(), SPARED * room, own)}

    def keep(self, models: list[Model], done: Mapping[str, Tensor]) -> None:
        last = done["curves"][:, -1, 0].tolist()
        for model, validation, (used, directions) in zip(models, last, done["used"].tolist(), strict=True):
            self.ends[model] = {"validation": validation, "used": used, "directions": directions}

    def _chain(self, model: Model):
        return self.chains[self.index(model)]


def penalties(code: Tensor) -> dict[str, Tensor]:
    """(M,) each of PENALTIES for codes (M, V, d): sums over dimensions of means over tokens."""
    square = code.square().mean(1)  # (M, d)
    return {"l1": code.abs().mean(1).sum(1), "l2": square.sum(1), "group": (square + TINY).sqrt().sum(1)}


def nested(params: Params, table: Tensor, widths: Sequence[int]) -> Tensor:
    """(M,) mean over the widths of the loss of so many of a code's first dimensions."""
    place = torch.arange(params["code"].shape[2], device=table.device)
    cut = ({"code": params["code"] * (place < k)} for k in widths)
    return sum(networks.cross_entropy(networks.forward(params | c, "linear"), table) for c in cut) / len(widths)


@torch.no_grad()
def in_use(params: Params, table: Tensor, spared: Tensor, own: Tensor) -> Tensor:
    """(M, 2): how many of a code's dimensions are in use, and how many directions, behind a linear read-out.

    The fewest with which the loss on `table` (M, V, V) stays within `spared` (M,) of all of them; what is left out is put to
    its mean. Dimensions are left out as they stand, those that move the logits least first, or the last first where `own` (M,)
    says that they have an order of their own. Directions are those of the logits' singular vectors: dimensions after the best
    rotation of the code, which costs no training.
    """
    code, out, weight = params["code"], params["w"], table.sum(2, keepdim=True)  # (M, V, d), (M, d, V), (M, V, 1)
    mean = (weight * code).sum(1, keepdim=True)
    moved, root = code - mean, weight.sqrt()
    base, d = mean @ out + params["b"], code.shape[2]
    size = (root * moved).norm(dim=1) * out.norm(dim=2)  # (M, d)
    place = torch.arange(d, device=code.device)
    order = torch.where(own[:, None], place.expand_as(size), (-size).argsort(1))
    sorted_in = moved.gather(2, order[:, None].expand_as(moved)), out.gather(1, order[:, :, None].expand_as(out))
    u, s, v = torch.linalg.svd(root * (moved @ out), full_matrices=False)
    most = min(d, s.shape[1])
    turned = (u * s[:, None])[..., :most] / root.clamp_min(TINY), v[:, :most]
    whole = networks.cross_entropy(base + moved @ out, table) + spared
    found = []
    for a, b in (sorted_in, turned):
        losses = [networks.cross_entropy(base + a[..., :k] @ b[:, :k], table) for k in range(a.shape[2] + 1)]
        enough = torch.stack(losses, 1) <= whole[:, None]
        enough[:, -1] = True  # to rounding, all are as good as all
        found.append(enough.int().argmax(1))
    return torch.stack(found, 1)
