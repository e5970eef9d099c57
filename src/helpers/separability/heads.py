"""What can be done to single heads: constraints while training, ablations afterwards. Chosen heads are a mask (M, H) of 0
and 1, a row a model, or a list of (layer, head).

A constraint on routing fixes a head's pattern, which then depends on no input; one on weights freezes its four matrices
at their start, their decay and their moments, too; a removed head has no output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from helpers import devices
from helpers.separability.models import Architecture, Edit

ABLATIONS = ("zero", "mean", "resample")
MATRICES = ("W_Q", "W_K", "W_V", "W_O")


def chosen(arch: Architecture, heads: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """{layer: its heads}, checked. Raises ValueError for a layer or a head that the model has not, or one named twice."""
    out: dict[int, list[int]] = defaultdict(list)
    for layer, head in heads:
        if not 0 <= layer < arch.layers:
            raise ValueError(f"layer {layer} of head ({layer}, {head}) is not there; layers are 0 … {arch.layers - 1}")
        if not 0 <= head < arch.heads:
            raise ValueError(f"head {head} of layer {layer} is not there; heads are 0 … {arch.heads - 1}")
        if head in out[layer]:
            raise ValueError(f"head ({layer}, {head}) is named twice")
        out[layer].append(head)
    return dict(out)


def mask_of(arch: Architecture, counts: Iterable[int]) -> Tensor:
    """(M, H): of every model the last so many heads. Raises ValueError for more heads than there are, or fewer than none."""
    counts = list(counts)
    if any(not 0 <= n <= arch.heads for n in counts):
        bad = next(n for n in counts if not 0 <= n <= arch.heads)
        raise ValueError(f"{bad} constrained heads of {arch.heads}; use 0 … {arch.heads}")
    first = arch.heads - torch.tensor(counts)
    return (torch.arange(arch.heads) >= first[:, None]).float()


def fixed_patterns(arch: Architecture, *key: object) -> Tensor:
    """(H, T, T) causal patterns of random scores N(0, 1), one a head, the same whatever is read."""
    scores = torch.randn(arch.heads, arch.length, arch.length, generator=devices.torch_rng("patterns", arch.heads, key))
    future = torch.ones(arch.length, arch.length, dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(-1)


def routing(fixed: Tensor, mask: Tensor) -> Edit:
    """An edit of `pattern`: the chosen heads (M, H) get the fixed patterns (M, H, T, T), of which the last queries count."""
    on = mask.bool()[:, None, :, None, None]

    def edit(pattern: Tensor) -> Tensor:  # (M, B, H, Q, T)
        queries, keys = pattern.shape[-2:]
        return torch.where(on, fixed[:, None, :, keys - queries : keys, :keys], pattern)

    return edit


def learned(arch: Architecture, mask: Tensor, layer: int = 0) -> dict[str, Tensor]:
    """`learn` of `stacked.fit`: of the chosen heads (M, H) all four matrices of a layer stay, with their decay and moments."""
    return {f"{name}.{layer}": 1 - mask[:, :, None, None] for name in MATRICES}


def removed(mask: Tensor) -> Edit:
    """An edit of `z`: the chosen heads (M, H) write nothing."""
    return lambda z: z * (1 - mask[:, None, None, :, None])


def ablation(kind: str, heads: Iterable[int], reference: Tensor | None = None) -> Edit:
    """An edit of `z` (M, B, T, H, d_head) of one layer: the heads write what they write on other prompts.

    kind: zero; mean, of a reference z (M, B', T, H, d_head) over its prompts, position by position; resample, prompt by
    prompt of a reference with as many prompts. Raises ValueError for an unknown kind, or a reference that is missing or
    does not fit.
    """
    if kind not in ABLATIONS:
        raise ValueError(f"ablation={kind!r} is unknown; use one of {', '.join(ABLATIONS)}")
    if kind != "zero" and reference is None:
        raise ValueError(f"ablation={kind!r} needs a reference: z of the same heads on other prompts")
    heads = list(heads)
    instead = None if kind == "zero" else reference.mean(1, keepdim=True) if kind == "mean" else reference

    def edit(z: Tensor) -> Tensor:
        if instead is not None and instead.shape[1] not in (1, z.shape[1]):
            raise ValueError(f"resampling {z.shape[1]} prompts from {instead.shape[1]}; give as many")
        out = z.clone()
        out[:, :, :, heads] = 0.0 if instead is None else instead[:, :, :, heads].expand_as(out[:, :, :, heads])
        return out

    return edit


def ablated(
    arch: Architecture, kind: str, heads: Iterable[tuple[int, int]], reference: Mapping[str, Tensor] | None = None
) -> dict[str, Edit]:
    """The edits {site: edit} that ablate heads of any layers. reference: {site: z}, as `models.cached` keeps it."""
    sites = {arch.site("z", layer): found for layer, found in chosen(arch, heads).items()}
    return {site: ablation(kind, found, (reference or {}).get(site)) for site, found in sites.items()}
