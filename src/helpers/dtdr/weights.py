"""A model's matrices with a whole copy of each beside it: to put them back, and to say how far the model is from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd
import torch
from torch import Tensor, nn

from helpers import stores
from helpers.codec.pairs import Noises, Products

TITLES = {
    "embed": "embedding", "head": "output head", "attention": "attention", "mlp": "feed-forward and experts",
    "other": "other matrices",
}  # fmt: skip
CHUNK = 1 << 24  # entries summed up at a time


class Weights:
    """Every matrix of a model, live (`parts`) and as it was (`whole`), by name.

    whole: where a copy of the whole ones is kept already, such as for a copy of the model.
    """

    def __init__(self, model: nn.Module, whole: Mapping[str, Tensor] | None = None):
        self.model, self.parts = model, stores.parts(model)
        if not self.parts:
            raise ValueError(f"{type(model).__name__} has no matrices: there is nothing to take apart")
        self.whole = whole or {name: part.tensor.detach().clone() for name, part in self.parts.items()}
        self.vectors = {name: p for name, p in model.named_parameters() if p.ndim < 2}  # norms, biases: never damaged
        self._pairs = [(self.whole[name], part.tensor) for name, part in self.parts.items()]
        self._products, self._noises = Products(self._pairs), {}
        self._norm = float(self._products()[1])  # before any damage the two are the same

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The live matrices."""
        return {name: part.tensor for name, part in self.parts.items()}

    def restore(self, roles: Collection[str] | None = None) -> None:
        """Put the whole weights back: all, or those of some roles."""
        with torch.no_grad():
            for name, part in self.parts.items():
                if roles is None or part.role in roles:
                    part.tensor.copy_(self.whole[name])

    def clear(self) -> None:
        """Set every matrix to zero."""
        with torch.no_grad():
            for part in self.parts.values():
                part.tensor.zero_()

    def cosine(self) -> float:
        """Of the model's matrices, as they are now, to the whole ones, over all of them."""
        return self.cosine_of(*self._products())

    def products(self) -> Tensor:
        """What `cosine_of` takes, float64 (2,), on the device: nothing is waited for."""
        return self._products.sums()

    def cosine_of(self, dot: float, square: float) -> float:
        """The cosine from ⟨whole, live⟩ and ⟨live, live⟩."""
        return dot / (self._norm * square) ** 0.5 if square else 0.0

    def noise(self, per: str, cosine: float, seed: int) -> None:
        """Write noisy weights of a cosine to the whole ones into the model. per: "row" or "entry", see `fills.noisy`."""
        if per not in self._noises:
            self._noises[per] = Noises(self._pairs, list(self.parts), per)
        self._noises[per](cosine, seed)

    def table(self) -> pd.DataFrame:
        """What is damaged and what stays whole: a row a role with its tensors and its share of the parameters."""
        rows: dict[str, list[int]] = {}
        for part in self.parts.values():
            row = rows.setdefault(part.role, [0, 0])
            row[0], row[1] = row[0] + 1, row[1] + part.tensor.numel()
        known = sum(n for _, n in rows.values())
        total = sum(p.numel() for p in self.model.parameters())
        found = [(TITLES[role], *rows[role], "damaged") for role in TITLES if role in rows]
        found += [("vectors: norms, biases", len(self.vectors), total - known, "whole")] if total > known else []
        columns = ["what", "tensors", "share", "then"]
        return pd.DataFrame([(what, n, size / total, then) for what, n, size, then in found], columns=columns)


def fingerprint(tensors: Mapping[str, Tensor]) -> list[int]:
    """A checksum of the bits of each tensor, in which every entry's place counts: the sum over rows and columns of
    bits · r · c modulo 2^64, with odd pseudo-random r of the row and c of the column, each row's sum mixed once more.

    Other than sums and sums of squares it changes when rows, columns or entries change places. One pass, in integers, so that
    the order of summing does not matter; one answer from the device for all tensors.
    """
    sums = []
    for tensor in tensors.values():
        rows = len(tensor) if tensor.ndim else 1
        flat = tensor.detach().contiguous().view(rows, -1).view(torch.uint8)  # (rows, bytes of a row)
        size = next(n for n in (4, 2, 1) if flat.shape[1] % n == 0)
        bits = flat.view({4: torch.int32, 2: torch.int16, 1: torch.int8}[size])  # (rows, columns)
        columns, total = _odd(bits.shape[1], bits.device), torch.zeros((), dtype=torch.int64, device=bits.device)
        step = max(1, CHUNK // bits.shape[1])
        for a in range(0, len(bits), step):
            row = (bits[a : a + step].to(torch.int64) * columns).sum(1)  # wraps modulo 2^64
            total += ((row ^ (row >> 29)) * _odd(len(row), bits.device, a)).sum()
        sums.append(total)
    places = {t.device for t in sums}
    found = {place: iter(torch.stack([t for t in sums if t.device == place]).tolist()) for place in places}
    return [next(found[t.device]) for t in sums]


def _odd(count: int, device: torch.device, start: int = 0) -> Tensor:
    """(count,) int64, odd: splitmix64's steps of the index."""
    x = torch.arange(start + 1, start + count + 1, dtype=torch.int64, device=device) * -0x61C8864680B583EB
    x = (x ^ (x >> 30)) * -0x40A7B892E31B1A47
    return (x ^ (x >> 27)) | 1
