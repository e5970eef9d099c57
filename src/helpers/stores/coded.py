"""Which tensors of a model are coded, what each is for, and writing decoded weights into a live model."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from helpers.codec.codec import Codec, Encoded, encode
from helpers.codec.decoding import ZERO, decode
from helpers.codec.fills import Fill
from helpers.codec.live import Live

ROLES = ("embed", "head", "attention", "mlp", "norm", "other")
LINEARS = frozenset(ROLES) - {"embed", "head"}
_PATTERNS = (  # the first that matches a component of the name decides
    ("norm", r"(^|\.)[a-z_]*(norm|layernorm)\w*\.|(^|\.)ln_\w+\."),
    ("embed", r"(^|\.)(embed_tokens|embed_positions|wte|wpe|tok_embeddings)\."),
    ("head", r"(^|\.)(lm_head|embed_out)\."),
    ("attention", r"(^|\.)(self_attn|attn|attention|crossattention)\."),
    ("mlp", r"(^|\.)(mlp|feed_forward|block_sparse_moe)\."),
)
_CONV1D = re.compile(r"(^|\.)(c_attn|q_attn|c_proj|c_fc)\.weight$")


def role(name: str) -> str:
    """What a tensor of a Llama, Mistral, Qwen2 or GPT-2 state dict is for: one of ROLES."""
    return next((kind for kind, pattern in _PATTERNS if re.search(pattern, name)), "other")


def transposed(name: str) -> bool:
    """Whether the weight is stored (in, out): GPT-2's Conv1D layers."""
    return bool(_CONV1D.search(name))


def matrices(model: nn.Module | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name -> tensor of the matrices that a codec takes: floating point, two dimensions. Tied ones once, by first name."""
    state, tied = split(model)
    return {k: v for k, v in state.items() if k not in tied and codable(v)}


def codable(tensor: Tensor) -> bool:
    """Whether a codec takes this tensor; all others are stored as they are."""
    return tensor.ndim == 2 and tensor.is_floating_point() and tensor.numel() > 0


def split(model: nn.Module | Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """State dict (sharing storage with the model), and {name: first name of the same storage} of its tied tensors.

    Raises ValueError for tensors without data (on the meta device).
    """
    state = dict(model.state_dict() if isinstance(model, nn.Module) else model)
    first: dict[tuple, str] = {}
    tied = {}
    for name, tensor in state.items():
        if tensor.device.type == "meta":
            raise ValueError(f"{name} has no data (meta device); load the whole model before encoding or decoding it")
        if not tensor.numel():
            continue
        where = (tensor.device, tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if (known := first.setdefault(where, name)) != name:
            tied[name] = known
    return state, tied


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
        roles, (state, _) = damaged_roles(damage), split(model)
        self._check_fit(chosen, state)
        coded = set(self.names())
        whole = {name for name in chosen if role(name) not in roles}
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

    Norms, biases and everything else that is no floating-point matrix is copied. Raises ValueError that names the tensor.
    """
    state, tied = split(model)
    matrices, others = {}, {}
    for name, tensor in state.items():
        if name in tied:
            continue
        if codable(tensor) and (include is None or include(name)):
            matrices[name] = encode(tensor, codec, name, transposed=transposed(name))
        else:
            others[name] = tensor.detach().clone()
    return Coded(codec, matrices, others, tied)
