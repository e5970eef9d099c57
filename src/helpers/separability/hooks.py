"""Heads of a decoder taken out, many sets of them side by side.

`read` sees a Hugging Face decoder as embedding, blocks and read-out. `trace` runs it once on prompts of one length
and keeps what every block reads. `ablate` then takes any number of sets of heads out: what lies below a set's lowest
head is the trace's, all sets that have started go through a block together, the last block is computed at the last
position alone, and only asked-for tokens are unembedded. `slow_logits` is the plain way, a hooked forward pass of the
whole model a set.

Blocks and heads count from 0. Shapes: B prompts, T tokens, L blocks, H heads of width E, d the stream, S sets of heads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from helpers.separability.decoders import Decoder, read, tower

__all__ = [
    "KINDS",
    "Decoder",
    "Ends",
    "Trace",
    "ablate",
    "check_heads",
    "heads_out",
    "read",
    "references",
    "slow_logits",
    "trace",
]
KINDS = ("zero", "mean", "resample")
BYTES = {
    "cpu": 2**26,
    "cuda": 2**31,
}  # of one stream (S, B, T, d), or of its logits: sets beyond it wait for their turn
Head = tuple[int, int]
Heads = tuple[Head, ...]


@dataclass(frozen=True)
class Trace:
    """A run without ablation. resid: L + 1 times (B, T, d), what each block reads, and the end of the stream; mid: L
    times (B, T, d), between attention and MLP; z: L times (B, T, H, E), the heads before their output matrix."""

    resid: list[Tensor]
    mid: list[Tensor]
    z: list[Tensor]


@dataclass(frozen=True)
class Ends:
    """What sets of heads leave at the last position. resid: (S, B, L + 1, d), what each block reads there and the end
    of the stream; z: (S, B, L, H, E); mlp: (S, B, L, d); logits: (S, B, K) of the tokens asked for, or (S, B, V).

    pooled: (S, B, L, T) norms of the stream after each block, where every position was asked for; otherwise None.
    """

    resid: Tensor
    z: Tensor
    mlp: Tensor
    logits: Tensor
    pooled: Tensor | None = field(default=None)


@torch.no_grad()
def trace(decoder: Decoder, tokens: Tensor) -> Trace:
    """One run on prompts of one length. tokens: (B, T) ids."""
    resid, mid, z = [decoder.embed(tokens)], [], []
    for layer in range(decoder.layers):
        z.append(decoder.z(layer, resid[-1]))
        mid.append(resid[-1] + decoder.attended(layer, z[-1]))
        resid.append(mid[-1] + decoder.mlp(layer, mid[-1]))
    return Trace(resid, mid, z)


@torch.no_grad()
def references(kind: str, run: Trace, other: Trace | None = None, groups: Tensor | None = None) -> list[Tensor]:
    """What stands in a head's place: L tensors that broadcast to (B, T, H, E).

    zero: nothing. resample: the head on the prompt of the same row in `other`. mean: its mean over `other`, position
    by position; groups: (B,) numbers, the mean is taken within each. Raises ValueError for an unknown kind or a
    missing `other`."""
    if kind not in KINDS:
        raise ValueError(f"ablation {kind!r} is unknown; use one of {', '.join(KINDS)}")
    if kind == "zero":
        return [z.new_zeros(1, 1, *z.shape[2:]) for z in run.z]
    if other is None:
        raise ValueError(f"ablation {kind!r} needs a run on other prompts; give it, or use zero")
    if kind == "resample":
        return other.z
    if groups is None:
        return [z.mean(0, keepdim=True) for z in other.z]
    _, at = groups.unique(return_inverse=True)  # (B,)
    at = at.to(other.z[0].device)
    count = torch.bincount(at).view(-1, 1, 1, 1)
    return [(z.new_zeros(len(count), *z.shape[1:]).index_add_(0, at, z) / count)[at] for z in other.z]


def check_heads(sets: Iterable[Iterable[Head]], layers: int, heads: int) -> list[Heads]:
    """The sets, each sorted. Raises ValueError for an empty set, a head twice, or one that a model of this size
    lacks."""
    out = [tuple(sorted(s)) for s in sets]
    for chosen in out:
        if not chosen or len(set(chosen)) < len(chosen):
            raise ValueError(f"heads {chosen}: a set names at least one head, and each once")
        for layer, head in chosen:
            if not (0 <= layer < layers and 0 <= head < heads):
                raise ValueError(
                    f"there is no head {layer}.{head}: this model has blocks 0..{layers - 1} of heads 0..{heads - 1}; "
                    f"use one up to {layers - 1}.{heads - 1}"
                )
    return out


@torch.no_grad()
def ablate(
    decoder: Decoder,
    run: Trace,
    sets: Sequence[Iterable[Head]],
    reference: Sequence[Tensor],
    *,
    ask: Tensor | None = None,
    scale: Mapping[int, float] | None = None,
    everywhere: bool = False,
) -> Iterator[tuple[list[int], Ends]]:
    """Chunks of sets, by their index in `sets`, each with what it leaves at the last position.

    reference: what stands in a head's place (`references`). ask: (B, K) ids to unembed; by default all of the
    vocabulary. scale: {block: factor} on the stream after a block, a planted effect; it starts at that block in every
    set, which may then be empty. everywhere: norms at all positions, too, for which the last block is computed at all
    of them.

    Raises ValueError for a head or a block that is not there.
    """
    scale = dict(scale or {})
    if missing := [b for b in scale if not 0 <= b < decoder.layers]:
        raise ValueError(f"there is no block {missing[0]}: this model has blocks 0..{decoder.layers - 1}")
    if not scale or all(map(list, sets)):
        chosen = check_heads(sets, decoder.layers, decoder.heads)
    else:
        chosen = [tuple(sorted(s)) for s in sets]
    start = [min([*(layer for layer, _ in s), *scale]) for s in chosen]
    order = sorted(range(len(chosen)), key=start.__getitem__)
    for group in _chunks(order, decoder, run, ask):
        yield (
            group,
            _wave(
                decoder, run, [chosen[i] for i in group], [start[i] for i in group], reference, ask, scale, everywhere
            ),
        )


def _chunks(order: list[int], decoder: Decoder, run: Trace, ask: Tensor | None) -> Iterator[list[int]]:
    """Sets in the order of their lowest head, as many at a time as memory allows."""
    b, t, d = run.resid[0].shape
    vocab = len(decoder.unembedding) if ask is None else 0
    each = 4 * max(b * t * d * (1 if decoder.layers > 1 else 0), b * vocab, b * (decoder.layers + 1) * d, 1)
    size = max(1, BYTES["cuda" if run.resid[0].is_cuda else "cpu"] // each)
    return (order[at : at + size] for at in range(0, len(order), size))


def _wave(decoder, run, sets, start, reference, ask, scale, everywhere) -> Ends:
    """One chunk: a front of sets moves up the blocks, and sets join it at their lowest head. `start` rises."""
    s, (b, t, d), last = len(sets), run.resid[0].shape, decoder.layers - 1
    begins = torch.tensor(start)
    gone = torch.zeros(s, decoder.layers, decoder.heads, dtype=torch.bool)
    for i, chosen in enumerate(sets):
        for layer, head in chosen:
            gone[i, layer, head] = True
    gone = gone.to(run.resid[0].device)
    at_end = lambda x: x[:, -1].expand(s, *x[:, -1].shape)  # (B, T, …) -> (S, B, …)
    resid, z, mlp = (
        [at_end(x).clone() for x in v]
        for v in (run.resid, run.z, [r - m for r, m in zip(run.resid[1:], run.mid, strict=True)])
    )
    norms = [x.norm(dim=-1).expand(s, b, t).clone() for x in run.resid[1:]] if everywhere else None
    front = run.resid[0].new_empty(0, b, t, d)
    for layer in range(min(start), decoder.layers):
        before, now = int((begins < layer).sum()), int((begins <= layer).sum())
        end = layer == last and not everywhere
        cut = (lambda x: x[..., -1:, :]) if end else (lambda x: x)
        mids = []
        if before:
            found = decoder.z(layer, front.flatten(0, 1), last=end).unflatten(0, (before, b))  # (s, B, T or 1, H, E)
            found = _replaced(found, gone[:before, layer], _last(reference[layer], end))
            z[layer][:before] = found[:, :, -1]
            mids.append(cut(front) + decoder.attended(layer, found))
        if now > before:
            clean = _last(run.z[layer], end)  # (B, T or 1, H, E)
            lost = (_last(reference[layer], end) - clean) * gone[before:now, layer, None, None, :, None]
            z[layer][before:now] += lost[:, :, -1]
            mids.append(cut(run.mid[layer]) + decoder.written(layer, lost))
        mid = torch.cat(mids)
        added = decoder.mlp(layer, mid)
        mlp[layer][:now] = added[:, :, -1]
        front = (mid + added) * scale.get(layer, 1.0)
        resid[layer + 1][:now] = front[:, :, -1]
        if everywhere:
            norms[layer][:now] = front.norm(dim=-1)
    logits = decoder.logits(resid[-1], ask)
    pooled = torch.stack(norms, 2) if everywhere else None
    return Ends(torch.stack(resid, 2), torch.stack(z, 2), torch.stack(mlp, 2), logits, pooled)


def _last(x: Tensor, end: bool) -> Tensor:
    """(B, T, H, E), or its last position."""
    return x[:, -1:] if end else x


def _replaced(z: Tensor, gone: Tensor, reference: Tensor) -> Tensor:
    """z: (s, B, T, H, E) with the heads that are `gone`, (s, H), replaced by (B, T, H, E)."""
    return torch.where(gone[:, None, None, :, None], reference, z)


@contextmanager
def heads_out(model: torch.nn.Module, sets: Iterable[Head], reference: Sequence[Tensor]) -> Iterator[None]:
    """A Hugging Face decoder with heads replaced inside its own forward pass; no hook is left behind, whatever
    happens."""
    decoder, by_layer, handles = read(model, check=False), {}, []
    for layer, head in check_heads([sets], decoder.layers, decoder.heads)[0]:
        by_layer.setdefault(layer, []).append(head)

    def replace(layer: int, heads: list[int]):
        def hook(module, inputs):
            z = inputs[0].unflatten(-1, (decoder.heads, -1)).clone()  # (B, T, H, E)
            z[..., heads, :] = reference[layer].expand_as(z)[..., heads, :]
            return (z.flatten(-2), *inputs[1:])

        return hook

    try:
        for layer, heads in by_layer.items():
            handles.append(decoder.out_matrix(layer).register_forward_pre_hook(replace(layer, heads)))
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def slow_logits(
    model: torch.nn.Module, tokens: Tensor, sets: Sequence[Iterable[Head]], reference: Sequence[Tensor]
) -> Tensor:
    """(S, B, V) logits at the last position, by a forward pass of the whole model a set: what `ablate` is held to."""
    out = []
    for chosen in sets:
        with heads_out(model, chosen, reference):
            out.append(tower(model)(tokens).logits[:, -1])
    return torch.stack(out)
