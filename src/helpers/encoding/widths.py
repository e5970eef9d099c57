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
QUICK = {
    "grid": (4, 5, 6, 8),
    "strengths": (0.01, 0.1, 1.0),
    "rates": (0.03,),
    "cells": {"planted6/linear": ("learned", *ADAPTIVE), "dirichlet/linear": ("learned", "group")},
}
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
        return {"used": in_use(ended, *(table.cpu() for table in held), SPARED * room, own)}

    def keep(self, models: list[Model], done: Mapping[str, Tensor]) -> None:
        last = done["curves"][:, -1, 0].tolist()
        for model, validation, (used, directions, cut) in zip(models, last, done["used"].tolist(), strict=True):
            self.ends[model] = {"validation": validation, "used": used, "directions": directions, "cut": cut}

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
def in_use(params: Params, table: Tensor, test: Tensor, spared: Tensor, own: Tensor) -> Tensor:
    """(M, 3): how many of a code's dimensions are in use, how many directions, and the loss on `test` with these dimensions
    alone, behind a linear read-out.

    The fewest found with which the loss on `table` (M, V, V) stays within `spared` (M,) of all of them; what is left out is put
    to its mean. Dimensions stand as they are: left out one by one, the one that is missed least, or taken in, the one that
    helps most, whichever needs fewer; where `own` (M,) says that they have an order of their own, the last are left out.
    What moves all logits alike is taken off before: no loss sees it. Directions are those of the singular vectors
    of the logits, tokens weighed by how often they come: dimensions after a turn of the code, which costs no training.
    """
    code, out, weight = params["code"], params["w"], table.sum(2, keepdim=True)  # (M, V, d), (M, d, V), (M, V, 1)
    after = table.sum(1, keepdim=True)  # (M, 1, V), how often each token is the next one
    out = out - (after * out).sum(2, keepdim=True)
    mean = (weight * code).sum(1, keepdim=True)
    moved, root, columns = code - mean, weight.sqrt().clamp_min(TINY), after.sqrt().clamp_min(TINY)
    base, d = mean @ out + params["b"], code.shape[2]
    whole = networks.cross_entropy(base + moved @ out, table) + spared
    u, s, v = torch.linalg.svd(root * (moved @ out) * columns, full_matrices=False)
    most = min(d, s.shape[1])
    turned = _enough(base, (u * s[:, None])[..., :most] / root, v[:, :most] / columns, table, test, whole)
    given = _enough(base, moved, out, table, test, whole)
    used = torch.where(own[:, None], given, _fewest(base, moved, out, table, test, whole))
    return torch.stack([used[:, 0], turned[:, 0], used[:, 1]], 1)


def _fewest(base: Tensor, a: Tensor, b: Tensor, table: Tensor, test: Tensor, most: Tensor) -> Tensor:
    """(M, 2): `_enough` of the better of two orders: the terms are left out one by one, or taken in."""
    found = []
    for order in (_greedy(base + a @ b, -a, b, table).flip(1), _greedy(base, a, b, table)):
        pair = a.gather(2, order[:, None].expand_as(a)), b.gather(1, order[:, :, None].expand_as(b))
        found.append(_enough(base, *pair, table, test, most))
    return torch.where(found[1][:, :1] < found[0][:, :1], found[1], found[0])


def _enough(base: Tensor, a: Tensor, b: Tensor, table: Tensor, test: Tensor, most: Tensor) -> Tensor:
    """(M, 2): the fewest first terms of a @ b, (M, V, d) and (M, d, V), with a loss of at most `most`; the loss on `test`."""
    loss = lambda k, of: networks.cross_entropy(base + a[..., :k] @ b[:, :k], of)
    losses, tested = (torch.stack([loss(k, of) for k in range(a.shape[2] + 1)], 1) for of in (table, test))
    enough = losses <= most[:, None]
    enough[:, -1] = True  # to rounding, all are as good as all
    least = enough.int().argmax(1, keepdim=True)
    return torch.cat([least, tested.gather(1, least)], 1)


def _greedy(logits: Tensor, moved: Tensor, out: Tensor, table: Tensor) -> Tensor:
    """(M, d): the order in which the terms of moved @ out are added, each time the one with which the loss is least."""
    gone, order, every = torch.zeros_like(out[..., 0], dtype=torch.bool), [], torch.arange(len(out), device=out.device)
    for _ in range(out.shape[1]):
        tried = [
            networks.cross_entropy(logits + moved[..., j, None] * out[:, None, j], table) for j in range(out.shape[1])
        ]
        best = torch.stack(tried, 1).masked_fill(gone, float("inf")).argmin(1)
        order.append(best)
        gone[every, best] = True
        logits = logits + moved[every, :, best, None] * out[every, best][:, None]
    return torch.stack(order, 1)
