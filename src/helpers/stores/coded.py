"""A model as codes in memory, and writing decoded weights into a live model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from helpers.codec.codec import Codec, Encoded, encode
from helpers.codec.decoding import ZERO, decode
from helpers.codec.fills import Fill
from helpers.codec.live import Live
from helpers.stores.parts import ROLES, codable, parts, split

LINEARS = frozenset(ROLES) - {"embed", "head"}


def damaged_roles(damage: str | Collection[str]) -> frozenset[str]:
    """The roles that a fraction applies to: "all", "linears" (embedding and head stay whole), or a collection of roles."""
    if damage == "all":
        return frozenset(ROLES)
    if damage == "linears":
        return LINEARS
    chosen = frozenset([damage] if isinstance(damage, str) else damage)
    if not chosen <= frozenset(ROLES):
        raise ValueError(f'damage={damage!r}: "all", "linears" or roles among {", ".join(ROLES)} were expected')
    return chosen


class Stored(ABC):
    """What `Coded` and `StoreFile` have in common: matrices by name, and decoding them."""

    codec: Codec
    tied: dict[str, str]

    @abstractmethod
    def names(self) -> list[str]:
        """Names of the coded matrices."""

    @abstractmethod
    def raw_names(self) -> list[str]:
        """Names of the tensors that are stored as they are."""

    @abstractmethod
    def encoded(self, name: str) -> Encoded:
        """One coded matrix. Raises KeyError for a name that is not coded."""

    @abstractmethod
    def raw(self, name: str) -> Tensor:
        """One tensor that is stored as it is."""

    def get(self, name: str, default=None):
        """The coded matrix of a name, or the default: what is stored serves as a prior of Fill."""
        name = self.tied.get(name, name)
        return self.encoded(name) if name in self.names() else default

    def decode(
        self, name: str, fraction: float = 1.0, order: str = "iid", fill: Fill = ZERO, mask_seed: int = 0, **how
    ):
        """One tensor in its model's shape, as `decoding.decode` gives it; a tensor stored as it is comes whole."""
        name = self.tied.get(name, name)
        if name in self.raw_names():
            return self.raw(name)
        return decode(self.encoded(name), fraction, order, fill, mask_seed, **how)

    def decode_into(
        self,
        model: nn.Module,
        fraction: float = 1.0,
        order: str = "iid",
        fill: Fill = ZERO,
        mask_seed: int = 0,
        *,
        include: Callable[[str], bool] | None = None,
        damage: str | Collection[str] = "all",
    ) -> None:
        """Write the stored weights into a live model, in place, without loading it anew.

        include: which tensors to write, all by default. damage: the roles that fraction, order and fill apply to ("all",
        "linears", or roles); the others are written whole. Raises ValueError, before anything is written, for a tensor
        that the model lacks or has in another shape.
        """
        chosen = [n for n in [*self.names(), *self.raw_names()] if include is None or include(n)]
        roles, known = damaged_roles(damage), parts(model)
        state = split(model)[0] | {name: part.tensor for name, part in known.items()}
        self._check_fit(chosen, state)
        coded = set(self.names())
        whole = {name for name in chosen if name in known and known[name].role not in roles}
        with torch.no_grad():
            for name in chosen:
                if name not in coded:
                    state[name].copy_(self.raw(name))
            targets = {name: state[name] for name in chosen if name in coded}
            self._decode_all(targets, fraction, order, fill, mask_seed, whole)
            for alias, name in self.tied.items():
                if name in chosen and alias in state and state[alias].data_ptr() != state[name].data_ptr():
                    state[alias].copy_(state[name])

    def _decode_all(
        self, targets: Mapping[str, Tensor], fraction: float, order: str, fill: Fill, mask_seed: int, whole: set[str]
    ) -> None:
        """Decode into {name: tensor}, a matrix at a time, so that no more than one is held."""
        for name, target in targets.items():
            live = Live([(self.encoded(name).to(target.device), target)])
            live.decode(fraction, order, fill, mask_seed, whole=whole)

    def _check_fit(self, names: Collection[str], state: Mapping[str, Tensor]) -> None:
        for name in names:
            if name not in state:
                raise ValueError(
                    f"{name} is stored, but the model has no such tensor; is it the model that was stored?"
                )
            if tuple(state[name].shape) != self.shape(name):
                raise ValueError(f"{name}: {self.shape(name)} is stored, the model has {tuple(state[name].shape)}")

    def shape(self, name: str) -> tuple[int, ...]:
        """A stored tensor's shape in its model."""
        return tuple(self.encoded(name).shape if name in self.names() else self.raw(name).shape)


@dataclass
class Coded(Stored):
    """A model's weights as codes in memory; the tensors that are not coded are copies."""

    codec: Codec
    matrices: dict[str, Encoded]
    others: dict[str, Tensor]
    tied: dict[str, str] = field(default_factory=dict)
    _live: tuple[tuple, Live] | None = field(default=None, repr=False, compare=False)

    def names(self) -> list[str]:
        return list(self.matrices)

    def raw_names(self) -> list[str]:
        return list(self.others)

    def encoded(self, name: str) -> Encoded:
        return self.matrices[name]

    def raw(self, name: str) -> Tensor:
        return self.others[name]

    def _decode_all(self, targets, fraction, order, fill, mask_seed, whole) -> None:
        """All in one launch where codes and tensors lie on one GPU; its tables are kept for the next call."""
        pairs = [(self.encoded(name), target) for name, target in targets.items()]
        if any(e.device != t.device for e, t in pairs):
            super()._decode_all(targets, fraction, order, fill, mask_seed, whole)
            return
        key = tuple((e.codes.data_ptr(), t.data_ptr(), t.dtype, tuple(t.shape)) for e, t in pairs)
        if self._live is None or self._live[0] != key:
            self._live = key, Live(pairs)
        self._live[1].decode(fraction, order, fill, mask_seed, whole=whole)

    @property
    def nbytes(self) -> int:
        """Stored bytes: codes, scales and the tensors that are not coded."""
        return sum(e.nbytes for e in self.matrices.values()) + sum(t.nbytes for t in self.others.values())

    def to(self, device: torch.device | str) -> Coded:
        """The same on another device."""
        found = {k: v.to(device) for k, v in self.matrices.items()}
        return Coded(self.codec, found, {k: v.to(device) for k, v in self.others.items()}, dict(self.tied))


def encode_model(
    model: nn.Module | Mapping[str, Tensor], codec: Codec, include: Callable[[str], bool] | None = None
) -> Coded:
    """Codes of a model's matrices, each on its device. include: which matrices are coded, all by default.

    Norms, biases and everything else that is no matrix is copied. Raises ValueError that names the tensor.
    """
    (state, tied), known = split(model), parts(model)
    stacks = {name.rpartition(".")[0] for name in known if name not in state}  # taken apart into their matrices
    coded = {k: p for k, p in known.items() if codable(p.tensor) and (include is None or include(k))}
    rest = {k: p.tensor for k, p in known.items() if k not in coded}
    rest |= {k: v for k, v in state.items() if k not in known and k not in tied and k not in stacks}
    matrices = {k: encode(p.tensor, codec, k, transposed=p.transposed) for k, p in coded.items()}
    for alias in [alias for alias, name in tied.items() if name in stacks]:
        name = tied.pop(alias)
        tied |= {f"{alias}{k.removeprefix(name)}": k for k in known if k.rpartition(".")[0] == name}
    return Coded(codec, matrices, {k: v.detach().clone() for k, v in rest.items()}, tied)
