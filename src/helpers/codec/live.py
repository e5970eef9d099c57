"""Codes and the tensors that they are rebuilt in, for decoding again and again: one launch for all that the kernel covers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from helpers import fused
from helpers.codec import decoding, fills, hashing, orders, staging
from helpers.codec.codec import Encoded
from helpers.codec.decoding import ZERO
from helpers.codec.fills import Fill
from helpers.codec.staging import Kept, Staged


class Live:
    """Coded matrices, each with the tensor (of its model's shape, on its device) that it is decoded into.

    The addresses of both are taken once: they must live, and stay where they are, as long as this does. Raises
    ValueError for a tensor of another shape or on another device than its codes.
    """

    def __init__(self, pairs: Sequence[tuple[Encoded, Tensor]]) -> None:
        self.pairs = list(pairs)
        for encoded, out in self.pairs:
            decoding.check_out(encoded, out)
        self._known: dict[tuple, tuple[list[tuple[fused.Group, list[int]]], Staged | None, list[int]]] = {}
        self._kept = Kept()

    @torch.no_grad()
    def decode(
        self,
        fraction: float = 1.0,
        order: str = "iid",
        fill: Fill = ZERO,
        mask_seed: int = 0,
        *,
        whole: Collection[str] = (),
    ) -> None:
        """Decode every matrix in place, each as `decoding.decode` does it. whole: names that lose nothing."""
        plain = all(e.whole and e.codec.transform != "permutation" for e, _ in self.pairs)
        if order == "rows" and fill.kind == "zero" and plain and not whole:
            self._leading(fraction)
            return
        kept, mask = (
            (1.0, "iid") if order == "rows" else (fraction, order)
        )  # rows are cleared in what the kernel prepares
        run = lambda group, names: decoding.launch(group, names, kept, mask, fill, mask_seed, whole)
        groups, staged, rest = self._shared(order, fill)
        for group, index in groups:
            run(group, self._names(index))
        if staged:
            staged.decode(run, fraction if order == "rows" else None, whole)
        for i in rest:
            encoded, out = self.pairs[i]
            if encoded.name in whole:
                decoding.decode(encoded, out=out)
            else:
                decoding.decode(encoded, fraction, order, fill, mask_seed, out=out)

    @torch.no_grad()
    def spoil(self, share: float, seed: int) -> None:
        """Decode every matrix whole, but with a random share of its codes wrong, as `orders.corrupt` makes them."""

        def run(group: fused.Group, names: Sequence[str]) -> None:
            keys = [hashing.key32(seed, n, "corrupt") for n in names]
            group.decode(mask_keys=keys, thresholds=[hashing.threshold(share)] * len(names), fill="spoil")

        groups, staged, rest = self._shared("iid", ZERO)
        for group, index in groups:
            run(group, self._names(index))
        if staged:
            staged.decode(run)
        for i in rest:
            encoded, out = self.pairs[i]
            decoding.decode(orders.corrupt(encoded, share, seed), out=out)

    def release(self) -> None:
        """Forget what is kept only to save time, to make room."""
        self._kept.clear()

    def _names(self, index: Sequence[int]) -> list[str]:
        return [self.pairs[i][0].name for i in index]

    def _leading(self, fraction: float) -> None:
        """The leading rows of every matrix: transforms stay within a row, so all are decoded whole and the others cleared."""
        self.decode()
        for encoded, out in self.pairs:
            rows = out.T if encoded.transposed else out
            rows[orders.leading(fraction, len(rows)) :] = 0

    def _shared(self, order: str, fill: Fill) -> tuple[list[tuple[fused.Group, list[int]]], Staged | None, list[int]]:
        """Groups of matrices, one a device, that the kernel decodes together, those that it prepares, the others' places."""
        how = [_how(e, order, fill, out) for e, out in self.pairs]
        if not any(how):
            return [], None, list(range(len(self.pairs)))
        guided = fill.kind == "guided"
        priors = [fills.prior_of(fill, e) if guided else None for e, _ in self.pairs]
        key = tuple(how), tuple(p and (p.codes.data_ptr(), p.scales.data_ptr()) for p in priors) if guided else ()
        if key not in self._known:
            if guided:  # those of one prior at a time: a group keeps its prior's codes in memory
                self._known = {k: v for k, v in self._known.items() if not k[1]}
            self._known[key] = self._group(how, fill, priors)
        return self._known[key]

    def _group(self, how: Sequence[str], fill: Fill, priors: Sequence[Encoded | None]):
        places: dict[torch.device, list[int]] = {}
        staged, rest = [], []
        for i, (kind, prior) in enumerate(zip(how, priors, strict=True)):
            if not kind or not decoding.takes(fill, prior):
                rest.append(i)
            elif kind == "staged":
                staged.append(i)
            else:
                places.setdefault(self.pairs[i][0].device, []).append(i)
        items = [[decoding.item(*self.pairs[i], priors[i]) for i in index] for index in places.values()]
        groups = [(fused.Group(some), index) for some, index in zip(items, places.values(), strict=True)]
        chosen = [(*self.pairs[i], priors[i]) for i in staged]
        return groups, Staged(chosen, self._kept) if chosen else None, rest


def _how(encoded: Encoded, order: str, fill: Fill, out: Tensor) -> str:
    """ "fused": the kernel decodes this matrix; "staged": it prepares its coefficients; "": neither."""
    if decoding.covered(encoded, order, fill, out):
        return "fused"
    return "staged" if staging.covered(encoded, order, fill, out) else ""
