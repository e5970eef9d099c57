"""Codes and the tensors that they are rebuilt in, for decoding again and again: one launch for all that the kernel covers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from helpers.codec import decoding, fills, fused, hashing, orders
from helpers.codec.codec import Encoded
from helpers.codec.decoding import ZERO
from helpers.codec.fills import Fill


class Live:
    """Coded matrices, each with the tensor (of its model's shape, on its device) that it is decoded into.

    The addresses of both are taken once: they must live, and stay where they are, as long as this does. Raises
    ValueError for a tensor of another shape or on another device than its codes.
    """

    def __init__(self, pairs: Sequence[tuple[Encoded, Tensor]]) -> None:
        self.pairs = list(pairs)
        for encoded, out in self.pairs:
            decoding.check_out(encoded, out)
        self._known: dict[tuple, tuple[list[tuple[fused.Group, list[int]]], list[int]]] = {}

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
        if order == "rows" and fill.kind == "zero" and not whole:
            self._leading(fraction)
            return
        groups, rest = self._shared(order, fill)
        for group, index in groups:
            names = [self.pairs[i][0].name for i in index]
            decoding.launch(group, names, fraction, fill, mask_seed, whole)
        for i in rest:
            encoded, out = self.pairs[i]
            if encoded.name in whole:
                decoding.decode(encoded, out=out)
            else:
                decoding.decode(encoded, fraction, order, fill, mask_seed, out=out)

    @torch.no_grad()
    def spoil(self, share: float, seed: int) -> None:
        """Decode every matrix whole, but with a random share of its codes wrong, as `orders.corrupt` makes them."""
        groups, rest = self._shared("iid", ZERO)
        for group, index in groups:
            keys = [hashing.key32(seed, self.pairs[i][0].name, "corrupt") for i in index]
            group.decode(mask_keys=keys, thresholds=[hashing.threshold(share)] * len(index), fill="spoil")
        for i in rest:
            encoded, out = self.pairs[i]
            decoding.decode(orders.corrupt(encoded, share, seed), out=out)

    def _leading(self, fraction: float) -> None:
        """The leading rows of every matrix: transforms stay within a row, so all are decoded whole and the others cleared."""
        mixed = [i for i, (e, _) in enumerate(self.pairs) if e.codec.transform == "permutation" or not e.whole]
        for i in mixed:
            encoded, out = self.pairs[i]
            decoding.decode(encoded, fraction, "rows", out=out)
        if not mixed:
            self.decode()
            for encoded, out in self.pairs:
                rows = out.T if encoded.transposed else out
                rows[orders.leading(fraction, len(rows)) :] = 0

    def _shared(self, order: str, fill: Fill) -> tuple[list[tuple[fused.Group, list[int]]], list[int]]:
        """Groups of matrices, one a device, that the kernel decodes together, and the others' places."""
        if not any(decoding.covered(e, order, fill, out) for e, out in self.pairs):
            return [], list(range(len(self.pairs)))
        guided = fill.kind == "guided"
        priors = [fills.prior_of(fill, e) if guided else None for e, _ in self.pairs]
        key = tuple(p and (p.codes.data_ptr(), p.scales.data_ptr()) for p in priors) if guided else ()
        if key not in self._known:
            if guided:  # those of one prior at a time: a group keeps its prior's codes in memory
                self._known = {k: v for k, v in self._known.items() if not k}
            self._known[key] = self._group(order, fill, priors)
        return self._known[key]

    def _group(self, order: str, fill: Fill, priors: Sequence[Encoded | None]):
        places: dict[torch.device, list[int]] = {}
        rest = []
        for i, ((encoded, out), prior) in enumerate(zip(self.pairs, priors, strict=True)):
            together = decoding.takes(fill, prior) and decoding.covered(encoded, order, fill, out)
            (places.setdefault(encoded.device, []) if together else rest).append(i)
        items = [[decoding.item(*self.pairs[i], priors[i]) for i in index] for index in places.values()]
        return [(fused.Group(some), index) for some, index in zip(items, places.values(), strict=True)], rest
