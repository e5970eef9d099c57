"""A small causal transformer as one function of stacked parameters {name: (M, …)}, for `helpers.stacked.fit`.

Pre-norm blocks (Xiong et al. 2020) or blocks without LayerNorm, any head width, learned positions, ReLU. Every named site
of the forward pass can be read and edited: what an edit returns is what the next operation really gets. M models, B
prompts, T positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices
from helpers.checks import at_least
from helpers.stacked import Params

Edit = Callable[[Tensor], Tensor]
Edits = Mapping[str, Edit]
EPSILON = 1e-5  # of every LayerNorm, as TransformerLens has it
# A block's sites in their order, and who reads each. Streams are (M, B, T, d); z is (M, B, T, H, d_head), pattern (M, B,
# H, T, T).
READ_BY = {
    "resid_pre": "attention and the skip past it",
    "pattern": "the values",
    "z": "the output projection",
    "attn_out": "the stream",
    "resid_mid": "the MLP and the skip past it",
    "mlp_out": "the stream",
    "resid_post": "the next block, or the last LayerNorm",
}
LAST = ("final", "logits")  # what the unembedding reads, and what nothing reads


@dataclass(frozen=True)
class Architecture:
    """A transformer's sizes. length: the most positions. d_mlp: 0 for attention alone. norm: with LayerNorm or without."""

    vocab: int
    length: int
    d: int = 32
    heads: int = 4
    d_head: int = 8
    d_mlp: int = 0
    layers: int = 1
    norm: bool = True

    def __post_init__(self):
        at_least(self, vocab=2, length=1, d=2, heads=1, d_head=1, layers=1)
        if self.d_mlp < 0:
            raise ValueError(f"d_mlp={self.d_mlp} is negative; use 0 for a model without MLP")

    @property
    def sites(self) -> tuple[str, ...]:
        """Every site that can be read, in the order in which it is computed: 'resid_pre.0' … 'resid_post.0', … 'logits'."""
        kinds = [k for k in READ_BY if self.d_mlp or k != "mlp_out"]
        return (*(f"{k}.{layer}" for layer in range(self.layers) for k in kinds), *LAST)

    def site(self, kind: str, layer: int = 0) -> str:
        """The name of a kind of site in a layer, counted from 0. Raises ValueError for one that is not there."""
        return self.check(kind if kind in LAST else f"{kind}.{layer}")

    def check(self, site: str, edited: bool = False) -> str:
        """The site itself. Raises ValueError for one that this model has not, or, to be edited, that nothing reads."""
        if site not in self.sites:
            raise ValueError(
                f"site {site!r} is unknown in a model of {self.layers} layers; use {', '.join(self.sites)}"
            )
        if edited and (site == "logits" or (site.startswith("resid_mid") and not self.d_mlp)):
            near = "final" if site == "logits" else site.replace("mid", "post")
            raise ValueError(f"nothing reads {site!r} here, so an edit of it would be without effect; use {near!r}")
        return site

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every parameter of one model."""
        d, h, e = self.d, self.heads, self.d_head
        out: dict[str, tuple[int, ...]] = {"W_E": (self.vocab, d), "W_pos": (self.length, d)}
        for k in range(self.layers):
            out |= {f"W_{n}.{k}": (h, d, e) for n in "QKV"} | {f"W_O.{k}": (h, e, d)}
            if self.norm:
                out |= {f"ln1.w.{k}": (d,), f"ln1.b.{k}": (d,)}
            if self.d_mlp:
                out |= {f"W_in.{k}": (d, self.d_mlp), f"b_in.{k}": (self.d_mlp,)}
                out |= {f"W_out.{k}": (self.d_mlp, d), f"b_out.{k}": (d,)}
            if self.d_mlp and self.norm:
                out |= {f"ln2.w.{k}": (d,), f"ln2.b.{k}": (d,)}
        return out | ({"ln_final.w": (d,), "ln_final.b": (d,)} if self.norm else {}) | {"W_U": (d, self.vocab)}


def one(arch: Architecture, *key: object) -> Params:
    """Initial parameters of one model, the same for the same key: N(0, 0.64/d) as in TransformerLens, gains 1, biases 0."""
    out = {}
    for name, shape in arch.shapes.items():
        kind = name.partition(".")[0]
        scale = 0.8 / math.sqrt(arch.d) if kind.startswith("W") else 0.0
        out[name] = scale * torch.randn(shape, generator=devices.torch_rng("transformer", name, shape, key))
        if name.startswith("ln") and ".w" in name:
            out[name] = torch.ones(shape)
    return out


def forward(
    params: Params, tokens: Tensor, arch: Architecture, edits: Edits | None = None, *, last: int | None = None
) -> Tensor:
    """Logits (M, B, T, V) of the token after each position of `tokens`, (M, B, T), or (B, T) for all models.

    edits: {site: function of what stands there to what shall}. last: the last block computes only that many last
    positions, and the logits are (M, B, last, V): what other positions add there, nothing reads. Raises ValueError for an
    unknown site, one that nothing reads, an edit that changes a shape, or more positions than the model has.
    """
    return cached(params, tokens, arch, edits, last=last)[0]


def cached(
    params: Params,
    tokens: Tensor,
    arch: Architecture,
    edits: Edits | None = None,
    *,
    keep: Sequence[str] = (),
    last: int | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """`forward`'s logits, and what stood at the sites of `keep`, after an edit there."""
    edits, kept = dict(edits or {}), {}
    for site in edits:
        arch.check(site, edited=True)
    for site in keep:
        arch.check(site)
    count = len(params["W_E"])
    tokens = tokens.expand(count, -1, -1) if tokens.dim() == 2 else tokens
    if tokens.shape[-1] > arch.length:
        raise ValueError(f"{tokens.shape[-1]} positions; this model has {arch.length}")

    def at(site: str, x: Tensor) -> Tensor:
        if site in edits:
            shape, x = x.shape, edits[site](x)
            if x.shape != shape:
                raise ValueError(f"the edit at {site!r} gives {tuple(x.shape)} for {tuple(shape)}")
        if site in keep:
            kept[site] = x
        return x

    x = _embedded(params, tokens)  # (M, B, T, d)
    for k in range(arch.layers):
        x = _block(params, arch, x, k, at, last if k == arch.layers - 1 else None)
    x = at("final", _norm(params, "ln_final", x))
    return at("logits", _times(x, params["W_U"])), kept


def _block(params: Params, arch: Architecture, x: Tensor, k: int, at, last: int | None) -> Tensor:
    """One block's output: (M, B, T, d), or of the last positions alone."""
    length = x.shape[2]
    x = at(f"resid_pre.{k}", x)
    n = _norm(params, f"ln1.{k}", x)
    if last is not None:
        x = x[:, :, -last:]
    heads = lambda name, y: _times(y, _flat(params[f"{name}.{k}"])).unflatten(-1, (arch.heads, arch.d_head))
    q, key, v = heads("W_Q", n[:, :, -x.shape[2] :]), heads("W_K", n), heads("W_V", n)  # (M, B, T, H, d_head)
    scores = torch.einsum("mbqhe,mbkhe->mbhqk", q, key) / math.sqrt(arch.d_head)
    future = torch.ones(x.shape[2], length, dtype=torch.bool, device=x.device).triu(1 + length - x.shape[2])
    pattern = at(f"pattern.{k}", scores.masked_fill(future, -torch.inf).softmax(-1))
    z = at(f"z.{k}", torch.einsum("mbhqk,mbkhe->mbqhe", pattern, v))
    x = at(f"resid_mid.{k}", x + at(f"attn_out.{k}", _times(z.flatten(3), params[f"W_O.{k}"].flatten(1, 2))))
    if arch.d_mlp:
        n = _norm(params, f"ln2.{k}", x)
        inner = torch.relu(_times(n, params[f"W_in.{k}"]) + params[f"b_in.{k}"][:, None, None])
        x = x + at(f"mlp_out.{k}", _times(inner, params[f"W_out.{k}"]) + params[f"b_out.{k}"][:, None, None])
    return at(f"resid_post.{k}", x)


def _embedded(params: Params, tokens: Tensor) -> Tensor:
    """(M, B, T, d): the tokens' vectors and their positions'."""
    count, vocab, d = params["W_E"].shape
    rows = tokens + vocab * torch.arange(count, device=tokens.device)[:, None, None]
    found = F.embedding(rows.flatten(), params["W_E"].reshape(count * vocab, d)).view(*tokens.shape, d)
    return found + params["W_pos"][:, None, : tokens.shape[-1]]


def _norm(params: Params, name: str, x: Tensor) -> Tensor:
    """LayerNorm with a model's own gain and shift, or x itself in a model without. 'ln1.0' has the gain 'ln1.w.0'."""
    kind, _, layer = name.partition(".")
    gain, shift = (f"{kind}.{part}" + (f".{layer}" if layer else "") for part in "wb")
    if gain not in params:
        return x
    return F.layer_norm(x, x.shape[-1:], eps=EPSILON) * params[gain][:, None, None] + params[shift][:, None, None]


def _times(x: Tensor, matrix: Tensor) -> Tensor:
    """(M, B, T, i) by (M, i, o): (M, B, T, o), one batched product."""
    return (x.flatten(1, 2) @ matrix).view(*x.shape[:3], matrix.shape[-1])


def _flat(heads: Tensor) -> Tensor:
    """(M, H, d, d_head) to (M, d, H · d_head)."""
    return heads.transpose(1, 2).flatten(2)
