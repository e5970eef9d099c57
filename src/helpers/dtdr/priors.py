"""Where a prior may come from: the answer itself, a relative of it, or nothing but the part that has arrived."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from helpers import devices, lm
from helpers.codec import Codec, corrupt, decode, encode
from helpers.codec.pairs import Products
from helpers.dtdr.damage import FROM_KEPT
from helpers.stores import StoreFile, matrices, read_pkl

ASSETS = Path(__file__).parent / "assets"
EMBEDDED = ("earlier", "other", "tuned")  # relatives of the embedded storyteller, as stores
RANK = 8
LEAK = 1e-6  # share of the codes that the published anchor has wrong


def leaked(weights: Mapping[str, Tensor], seed: int = 0, share: float = LEAK, cap: int = 128) -> dict[str, Tensor]:
    """The published anchor: the very same weights, stored as INT8, with one byte in a million replaced.

    Raises MemoryError, before any work, unless it fits with what guided fill needs beside it: the codes of the weights, of this
    prior and of the one that took turns before it.
    """
    codec, needed = Codec("identity", cap=cap), Counter()
    for w in weights.values():
        needed[str(w.device)] += w.nbytes + 3 * codec.nbytes(w.shape)
    for device, size in needed.items():
        devices.need_memory(size, device, "a prior for guided fill", "use a smaller model, or another device")
    again = lambda name, w: decode(corrupt(encode(w, codec, name), share, seed, mode="byte")).to(w.dtype)
    return {name: again(name, w) for name, w in weights.items()}


def neighbour(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every block's weights taken from the next block, the last one's from the first; zero for what is in no block."""
    places = {name: _layer(name) for name in weights}
    count = 1 + max((at[1] for at in places.values() if at), default=-1)
    out = {}
    for name, at in places.items():
        other = name if at is None else f"{at[0]}{(at[1] + 1) % count}{at[2]}"
        out[name] = torch.zeros_like(weights[name]) if at is None else weights[other]
    return out


def factors(kind: str, unbiased: Tensor) -> tuple[Tensor, Tensor]:
    """(out, r) and (r, in), whose product is a prior from what has arrived and nothing else. unbiased: (out, in), zero fill
    divided by the share kept.

    row_mean: every entry is the mean of its row. low_rank: the leading singular directions, `RANK` of them.
    Raises ValueError for another kind.
    """
    w = unbiased.float()
    if kind == "row_mean":
        return w.mean(1, keepdim=True), torch.ones(1, w.shape[1], device=w.device)
    if kind != "low_rank":
        raise ValueError(f"a prior from the kept part is one of {', '.join(FROM_KEPT)}, not {kind!r}")
    with torch.random.fork_rng(devices=[w.device] if w.is_cuda else []):
        torch.manual_seed(0)  # the algorithm starts from random directions, and the same key must give the same run
        u, s, v = torch.svd_lowrank(w, q=min(RANK, *w.shape), niter=4)
    return u * s, v.T


def fitting(weights: Mapping[str, Tensor], prior: Mapping[str, Tensor], what: str) -> None:
    """Raises ValueError, with names and shapes, unless the prior has every matrix of the model in the model's shape."""
    missing = [name for name in weights if name not in prior]
    other = [name for name in weights if name in prior and prior[name].shape != weights[name].shape]
    if missing or other:
        first = (other or missing)[0]
        looks = f"{tuple(prior[first].shape)}, the model's is {tuple(weights[first].shape)}" if other else "not there"
        raise ValueError(
            f"{what} does not fit the model: {first} is {looks} ({len(other)} matrices of another shape, {len(missing)} "
            "missing); a relative has the same architecture and sizes, such as a fine-tuned version of the model"
        )


def relative(weights: Mapping[str, Tensor], found: lm.LM) -> dict[str, Tensor]:
    """The matrices of another model, as a prior. Raises ValueError unless they fit, before anything is rebuilt."""
    out = matrices(found.model)
    fitting(weights, out, f"relative {found.name!r}")
    return {name: out[name] for name in weights}


def with_weights(found: lm.LM, weights: Mapping[str, Tensor], name: str) -> lm.LM:
    """A copy of a model with other matrices, under another name. Raises ValueError for a matrix that is missing."""
    model = copy.deepcopy(found.model)
    fitting(matrices(model), weights, name)
    _write(model, weights)
    return replace(found, model=model, name=name)


def embedded(name: str) -> dict[str, Tensor]:
    """Weights of a relative of the embedded storyteller: 'earlier' (a quarter of the same training), 'other' (another seed),
    'tuned' (trained on in another style). Raises ValueError for another name, or a store that does not match its checksum.
    """
    if name not in EMBEDDED:
        raise ValueError(f"there is no embedded prior {name!r}; there are {', '.join(EMBEDDED)}")
    store = StoreFile.open(ASSETS / f"{name}.safetensors")
    return {k: store.decode(k) for k in store.names()}


def pkl_weights(model: nn.Module, path: str | Path) -> dict[str, Tensor]:
    """The matrices of a published .pkl for a model, on its device. Raises PickleRefused for a file that is not
    what it should be, ValueError when a matrix of the model is missing or has another shape.
    """
    found, own = read_pkl(path), matrices(model)
    out = {name: torch.tensor(found[name].values()) for name in own if name in found}
    fitting(own, out, str(path))
    return {name: weight.to(own[name]) for name, weight in out.items()}


def load_pkl(model: nn.Module, path: str | Path) -> None:
    """Write the matrices of a published .pkl into a model, in place. Raises as `pkl_weights` does, before it writes."""
    _write(model, pkl_weights(model, path))


def similarity(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> tuple[float, float]:
    """Cosine and ratio of norms ‖b‖/‖a‖ over all matrices that both have."""
    names = [name for name in a if name in b]
    own = Products([(a[n], a[n]) for n in names])()[1]
    dot, other = Products([(a[n], b[n].to(a[n])) for n in names])()
    return (dot / (own * other) ** 0.5 if other else 0.0), (other / own) ** 0.5


def _write(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in matrices(model).items():
            parameter.copy_(weights[name])


def _layer(name: str) -> tuple[str, int, str] | None:
    """('model.layers.', 3, '.mlp.up_proj.weight') for a tensor in a block, None for others: its first number counts blocks."""
    found = re.match(r"(\D+\.)(\d+)(\..+)$", name)
    return found and (found[1], int(found[2]), found[3])
