"""Codes and the tensors that they are rebuilt in, for decoding again and again: one launch for all that the kernel covers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from helpers.dtdr import decoding, fills, fused, hashing
from helpers.dtdr.codec import Encoded
from helpers.dtdr.decoding import ZERO
from helpers.dtdr.fills import Fill


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
        groups, rest = self._shared(order, fill)
        for group, index in groups:
            self._launch(group, index, fraction, fill, mask_seed, whole)
        for i in rest:
            encoded, out = self.pairs[i]
            if encoded.name in whole:
                decoding.decode(encoded, out=out)
            else:
                decoding.decode(encoded, fraction, order, fill, mask_seed, out=out)

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
            fits = fill.kind != "guided" or (prior is not None and fused.fits(prior.codes, prior.scales))
            together = fits and decoding.covered(encoded, order, fill, out)
            (places.setdefault(encoded.device, []) if together else rest).append(i)
        return [(fused.Group([self._item(i, priors[i]) for i in index]), index) for index in places.values()], rest

    def _item(self, i: int, prior: Encoded | None) -> fused.Item:
        encoded, out = self.pairs[i]
        target = out.T if encoded.transposed else out
        known = prior and (prior.codes, prior.scales)
        key = encoded.codec.sign_key(encoded.name)
        return fused.Item(encoded.codes, encoded.scales, target, encoded.block, key, known)

    def _launch(self, group, index, fraction: float, fill: Fill, mask_seed: int, whole: Collection[str]) -> None:
        names = [self.pairs[i][0].name for i in index]
        limit = hashing.threshold(fraction)
        masks = {
            "mask_keys": [hashing.key32(mask_seed, n, "mask") for n in names],
            "thresholds": [fused.FULL if n in whole else limit for n in names],
        }
        weights, keys = None, None
        if fill.kind == "random":
            weights = group.moments(**masks)[:, 2].float()
            keys = [tuple(hashing.key32(mask_seed, n, p) for p in ("fill", "fill/angle")) for n in names]
        elif fill.kind == "gain":
            weights = [1 / fraction if fraction and n not in whole else 1.0 for n in names]
        elif fill.kind == "guided":
            weights = [fill.weight] * len(names)
        group.decode(**masks, fill=fill.kind, weights=weights, fill_keys=keys)
