"""Another seed's neurons in the order of this model's: the same function as before, its weights as near as a renaming brings
them.

Two trainings may find the same neurons under other numbers. Coordinate descent over renamings, as in weight matching
(Ainsworth, Hayase and Srinivasa 2023, Git Re-Basin, algorithm 1): the renaming of one layer that maximises the inner product of
all weights that it touches is a linear assignment; the layers take turns until nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

AXES = {  # of a block of Llama's kind: what its rows and its columns are
    "q_proj": ("heads", "stream"), "k_proj": ("heads", "stream"), "v_proj": ("heads", "stream"),
    "o_proj": ("stream", "heads"), "gate_proj": ("neurons", "stream"), "up_proj": ("neurons", "stream"),
    "down_proj": ("stream", "neurons"), "embed_tokens": ("", "stream"), "lm_head": ("", "stream"),
}  # fmt: skip
ROUNDS = 30


def aligned(weights: Mapping[str, Tensor], other: Mapping[str, Tensor], heads: int) -> dict[str, Tensor]:
    """`other`, renamed to lie as near to `weights` as coordinate descent finds: channels of the stream, the hidden neurons of
    every block, and its heads, of `heads` a block. Raises ValueError for matrices of another kind than AXES, or heads that
    share keys, whose renamings are not known here.
    """
    places = {name: _axes(name) for name in weights}
    if unknown := [name for name, found in places.items() if found is None]:
        raise ValueError(f"{unknown[0]}: neurons are aligned in blocks of Llama's kind only; leave this prior out")
    sizes: dict[str, int] = {}
    for name, axes in places.items():
        for axis, size in zip(axes, weights[name].shape, strict=True):
            if axis and sizes.setdefault(axis, size) != size:
                raise ValueError(
                    f"{name}: {size} {axis} where others have {sizes[axis]}; heads that share keys are not aligned"
                )
    units = {
        axis: size // heads if axis.startswith("heads") else 1 for axis, size in sizes.items()
    }  # entries that move together
    order = {axis: torch.arange(size // units[axis]) for axis, size in sizes.items()}
    mine = {n: w.detach().float().cpu() for n, w in weights.items()}
    theirs = {n: other[n].detach().float().cpu() for n in weights}
    for _ in range(ROUNDS):
        before = {axis: places_.clone() for axis, places_ in order.items()}
        for axis in order:
            order[axis] = _best(axis, mine, theirs, places, order, units)
        if all(torch.equal(before[axis], order[axis]) for axis in order):
            break
    return {n: _renamed(theirs[n], places[n], order, units).to(weights[n]) for n in weights}


def _axes(name: str) -> tuple[str, str] | None:
    """What the rows and the columns of a matrix are, those within a block with its number; None for an unknown one."""
    kind = next((k for k in AXES if f"{k}." in name), None)
    block = re.search(r"\.(\d+)\.", name)
    number = block[1] if block else ""
    return kind and tuple(axis + number if axis in ("heads", "neurons") else axis for axis in AXES[kind])


def _renamed(
    w: Tensor, axes: tuple[str, str], order: Mapping[str, Tensor], units: Mapping[str, int], but: str = ""
) -> Tensor:
    """A matrix with its rows and columns in order; those of the axis `but` as they are."""
    for dim, axis in enumerate(axes):
        if axis and axis != but:
            w = w.index_select(dim, _entries(order[axis], units[axis]))
    return w


def _entries(order: Tensor, unit: int) -> Tensor:
    return (order[:, None] * unit + torch.arange(unit)).flatten()


def _best(axis: str, mine: Mapping, theirs: Mapping, places: Mapping, order: Mapping, units: Mapping) -> Tensor:
    """The order of one axis that maximises the inner product, with all others as they are."""
    total = 0
    for name, axes in places.items():
        if axis in axes:
            dim = axes.index(axis)
            a, b = mine[name], _renamed(theirs[name], axes, order, units, but=axis)
            a, b = (x.movedim(dim, 0).reshape(len(order[axis]), -1) for x in (a, b))  # (units, entries)
            total = total + a @ b.T
    return torch.from_numpy(linear_sum_assignment(total.numpy(), maximize=True)[1])
