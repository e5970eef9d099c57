"""One view of every model whose heads are taken out: a stack that was trained here, or a decoder that somebody else
trained.

M models, B prompts, T positions, L layers, H heads of width E, d the stream, V tokens. Sites are those of
`models.READ_BY`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from helpers.separability import models
from helpers.separability.decoders import Decoder
from helpers.separability.models import Architecture, Edits
from helpers.stacked import Params


@dataclass(frozen=True)
class Seen:
    """One pass. logits (M, B, T, V); z: L times (M, B, T, H, E); streams: L times (M, B, T, d), what leaves each
    block."""

    logits: Tensor
    z: list[Tensor]
    streams: list[Tensor]


@dataclass
class Spread:
    """tr Cov over all places of a stream (M, B, T, d), taken in a chunk at a time; in double precision."""

    count: int = 0
    total: Tensor | float = 0.0
    square: Tensor | float = 0.0

    def add(self, stream: Tensor) -> None:
        x = stream.flatten(1, 2).double()  # (M, B·T, d)
        self.count += x.shape[1]
        self.total = self.total + x.sum(1)
        self.square = self.square + x.square().sum((1, 2))

    @property
    def trace(self) -> Tensor:
        """(M,)"""
        return self.square / self.count - (self.total / self.count).square().sum(-1)


class View(ABC):
    """count: M; layers, heads; writes: L times (M, H, E, d); unembedding: (M, V, d), the final gain taken in, so that
    a stream r gives the logits ⟨r, u_v⟩ / spread(r) + a constant a token."""

    count: int
    layers: int
    heads: int
    writes: list[Tensor]
    unembedding: Tensor

    @abstractmethod
    def run(self, tokens: Tensor, edits: Edits | None = None, before: Seen | None = None) -> Seen:
        """One pass over (B, T) ids. edits: {'z.0' or 'attn_out.0': function of what stands there}. before: a pass over the
        same ids without edits, whose blocks below the first edit may be taken as they are."""

    @abstractmethod
    def spread(self, stream: Tensor) -> Tensor:
        """(M, B, T, d) -> (M, B, T): what the final norm divides by."""


class Stacked(View):
    """Models of `separability.models`, as one stack."""

    def __init__(self, params: Params, arch: Architecture):
        self.params, self.arch, self.count = params, arch, len(params["W_E"])
        self.layers, self.heads = arch.layers, arch.heads
        self.writes = [params[f"W_O.{k}"] for k in range(arch.layers)]
        u = params["W_U"].mT * params["ln_final.w"].unsqueeze(1)  # (M, V, d)
        self.unembedding = u - u.mean(-1, keepdim=True)  # LayerNorm takes the mean off

    @torch.no_grad()
    def run(self, tokens: Tensor, edits: Edits | None = None, before: Seen | None = None) -> Seen:
        sites = [[f"{kind}.{k}" for k in range(self.layers)] for kind in ("z", "resid_post")]
        logits, kept = models.cached(self.params, tokens, self.arch, edits, keep=[*sites[0], *sites[1]])
        return Seen(logits, *([kept[s] for s in names] for names in sites))

    def spread(self, stream: Tensor) -> Tensor:
        return (stream.var(-1, correction=0) + models.EPSILON).sqrt()


class Single(View):
    """A Hugging Face decoder, as a stack of one."""

    def __init__(self, decoder: Decoder):
        self.decoder, self.count, self.layers, self.heads = decoder, 1, decoder.layers, decoder.heads
        self.writes = [decoder.writes(k)[0].detach()[None] for k in range(decoder.layers)]
        u = (decoder.unembedding * decoder.gain).detach()
        self.unembedding = (u - u.mean(-1, keepdim=True) if decoder.centred else u)[None]

    @torch.no_grad()
    def run(self, tokens: Tensor, edits: Edits | None = None, before: Seen | None = None) -> Seen:
        edits, decoder = dict(edits or {}), self.decoder
        at = lambda site, x: edits[site](x[None])[0] if site in edits else x
        start = min((int(site.rpartition(".")[2]) for site in edits), default=0) if before else 0
        z, streams = (before.z[:start], before.streams[:start]) if before else ([], [])
        stream = streams[-1][0] if start else decoder.embed(tokens)  # (B, T, d)
        for k in range(start, self.layers):
            found = at(f"z.{k}", decoder.z(k, stream))
            mid = stream + at(f"attn_out.{k}", decoder.attended(k, found))
            stream = mid + decoder.mlp(k, mid)
            z.append(found[None])
            streams.append(stream[None])
        return Seen(decoder.logits(stream)[None], z, streams)

    def spread(self, stream: Tensor) -> Tensor:
        return self.decoder.spread(stream).detach()
