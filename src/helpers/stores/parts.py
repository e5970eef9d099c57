"""What a model is made of, asked of the model itself: which tensors are matrices, what they are for, which way they lie.

A codec takes matrices (out, in). Of a live model those are all parameters of two dimensions or more: stacked experts are a
batch of matrices along their first axis, a convolution's weight is (out, in · width). Vectors (norms, biases) stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

ROLES = ("embed", "head", "attention", "mlp", "other")
_KINDS = {
    "attention": re.compile("attention|attn", re.I),
    "mlp": re.compile("mlp|feedforward|ffn|expert|sparsemoe|router", re.I),
}


@dataclass(frozen=True)
class Part:
    """A matrix of a model: a view of its parameter, so that writing to it changes the model.

    role: one of ROLES. transposed: it lies as (in, out), as in GPT-2's Conv1D and in some stacks of experts.
    """

    tensor: Tensor
    role: str = "other"
    transposed: bool = False


def parts(model: nn.Module | Mapping[str, Tensor]) -> dict[str, Part]:
    """Name -> matrix, by first name where several share one storage; an expert's name is its stack's with its number.

    A bare state dict cannot be asked: its floating-point tensors of two dimensions are taken, as (out, in). Raises ValueError
    that names a parameter whose layout is not understood (quantised, sparse, or of four dimensions outside a convolution).
    """
    tied = split(model)[1]
    if not isinstance(model, nn.Module):
        return {k: Part(v) for k, v in model.items() if k not in tied and v.ndim == 2 and codable(v)}
    head = getattr(model, "get_output_embeddings", lambda: None)()
    found = {}
    for path, module in model.named_modules():
        for key, parameter in module.named_parameters(recurse=False):
            name = f"{path}.{key}" if path else key
            if parameter.ndim > 1 and parameter.numel() and name not in tied:
                role = "head" if module is head else "embed" if isinstance(module, nn.Embedding) else _role(model, path)
                found |= {k: Part(v, role, _turned(module)) for k, v in _views(name, parameter.data, module)}
    order = {name: i for i, name in enumerate(model.state_dict())}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], order.get(item[0].rpartition(".")[0], 0))))


def matrices(model: nn.Module | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name -> matrix, as it lies in the model. Raises as `parts` does."""
    return {name: part.tensor for name, part in parts(model).items()}


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
        if not tensor.numel() or tensor.layout != torch.strided:
            continue
        where = (tensor.device, tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if (known := first.setdefault(where, name)) != name:
            tied[name] = known
    return state, tied


def _role(model: nn.Module, path: str) -> str:
    """attention, mlp or other: by the class of the module itself, then of those around it, outwards."""
    steps = path.split(".")
    for end in range(len(steps), 0, -1):
        named = type(model.get_submodule(".".join(steps[:end]))).__name__
        for role, pattern in _KINDS.items():
            if pattern.search(named) and not named.endswith("Layer"):
                return role
    return "other"


def _turned(module: nn.Module) -> bool:
    """Whether a module's matrices lie as (in, out)."""
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, Conv1D) or bool(getattr(module, "is_transposed", False))


def _views(name: str, tensor: Tensor, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The matrices in one parameter, by name; none where it is a stack of vectors (the biases of stacked experts)."""
    convolution = isinstance(module, nn.modules.conv._ConvNd)
    if not tensor.is_floating_point() or tensor.layout != torch.strided or (tensor.ndim > 3 and not convolution):
        looks = f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)} in a {type(module).__name__}"
        raise ValueError(f"{name} is {looks}: its layout is not known here; load the model in plain floating point")
    stack = any(p.ndim == 3 for p in module.parameters(recurse=False)) and not convolution
    if convolution:
        yield name, tensor.view(len(tensor), -1)
    elif not stack:
        yield name, tensor
    elif tensor.ndim == 3:
        yield from ((f"{name}.{i}", matrix) for i, matrix in enumerate(tensor))
