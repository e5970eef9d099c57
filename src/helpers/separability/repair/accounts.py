"""What taking heads out costs in logit difference, and who makes up for it: an account that adds up.

The stream r at the last position is a sum of what the embedding, every head and every MLP wrote. With u the direction
of right minus wrong name behind the final norm, and s what that norm divides by, the logit difference is ⟨r, u⟩ / s +
c, so its change under ablation is, exactly,

    direct   (what stands in the heads' place − the heads, along u) / s
    heads    (other heads' change along u) / s
    mlps     (MLPs' change along u) / s
    norm     ⟨r', u⟩ (1 / s' − 1 / s)

where r' and s' are the ablated run's. Repair is what the last three give back of the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from helpers.separability import hooks
from helpers.separability.decoders import Decoder
from helpers.separability.hooks import Ends, Head, Trace
from helpers.separability.repair.prompts import Prompts

Means = list[dict[str, float]]  # one a set of heads


def late(layers: int) -> range:
    """The blocks that 'layers 10–12' of twelve are: the last quarter, rounded up, counted from 0: 9, 10, 11."""
    return range(layers - ceil(layers / 4), layers)


@dataclass(frozen=True)
class Scene:
    """A model on the prompts of one template: clean and on the other names, and how the logit difference is read.

    u: (B, d), c: (B,) as `Decoder.direction` gives them; spread: (B,); ld: (B,), the logit difference.
    """

    decoder: Decoder
    prompts: Prompts
    run: Trace
    other: Trace
    u: Tensor
    spread: Tensor
    ld: Tensor


@torch.no_grad()
def scene(decoder: Decoder, prompts: Prompts) -> Scene:
    """Run a model on the prompts of one template, with their names and with unrelated ones."""
    device = decoder.unembedding.device
    tokens, other, io, s = (x.to(device) for x in (prompts.tokens, prompts.other, prompts.io, prompts.s))
    run = hooks.trace(decoder, tokens)
    u, c = decoder.direction(io, s)
    end = run.resid[-1][:, -1]
    spread = decoder.spread(end)
    ld = (end * u).sum(-1) / spread + c
    return Scene(decoder, prompts, run, hooks.trace(decoder, other), u, spread, ld)


@torch.no_grad()
def attribution(at: Scene) -> Tensor:
    """(L, H) what each head writes along u at the last position, over the norm's spread: its direct share of the logit
    difference, mean over prompts."""
    z = torch.stack([z[:, -1] for z in at.run.z], 1)[None]  # (1, B, L, H, E)
    return (_along(at, z)[0] / at.spread[:, None, None]).mean(0).cpu()


@torch.no_grad()
def output_norms(at: Scene) -> Tensor:
    """(L, H) norm of what each head writes at the last position, mean over prompts."""
    d = at.decoder
    rows = []
    for layer in range(d.layers):
        out = torch.einsum("bhe,hed->bhd", at.run.z[layer][:, -1], d.writes(layer)[0])
        rows.append(out.norm(dim=-1).mean(0))
    return torch.stack(rows).cpu()


@torch.no_grad()
def accounts(at: Scene, sets: Sequence[Sequence[Head]], kind: str) -> Means:
    """What each set of heads costs, means over the template's prompts.

    ld; left, the ablated one; change and its parts direct, heads, mlps, norm; gap, how far the parts are from adding
    up; accuracy, share of prompts whose right name is still ahead; log2_norm, of the stream's norm after the late
    blocks at the last position over that without ablation; along, the same stream's share along u over that without
    ablation."""
    reference = hooks.references(kind, at.run, at.other)
    out: Means = [{}] * len(sets)
    asked = torch.stack([at.prompts.io, at.prompts.s], 1).to(at.ld.device)
    for index, ends in hooks.ablate(at.decoder, at.run, sets, reference, ask=asked):
        found = _account(at, [sets[i] for i in index], ends)
        for i, row in zip(index, torch.stack(list(found.values()), 1).tolist(), strict=True):
            out[i] = dict(zip(found, row, strict=True))
    return out


def _account(at: Scene, sets: Sequence[Sequence[Head]], ends: Ends) -> Mapping[str, Tensor]:
    """{what: (S,)} of one chunk of sets."""
    gone = torch.zeros(len(sets), at.decoder.layers, at.decoder.heads, dtype=torch.bool)
    for i, chosen in enumerate(sets):
        for layer, head in chosen:
            gone[i, layer, head] = True
    gone = gone.to(at.u.device)[:, None]  # (S, 1, L, H)
    run = at.run
    heads = _along(at, ends.z) - _along(at, torch.stack([z[:, -1] for z in run.z], 1)[None])  # (S, B, L, H)
    wrote = torch.stack([(r - m)[:, -1] for r, m in zip(run.resid[1:], run.mid, strict=True)], 1)  # (B, L, d)
    mlps = torch.einsum("sbld,bd->sb", ends.mlp - wrote, at.u)
    end = ends.resid[:, :, -1]
    left = ends.logits[..., 0] - ends.logits[..., 1]  # (S, B)
    parts = {
        "direct": (heads * gone).sum((2, 3)) / at.spread,
        "heads": (heads * ~gone).sum((2, 3)) / at.spread,
        "mlps": mlps / at.spread,
        "norm": (end * at.u).sum(-1) * (1 / at.decoder.spread(end) - 1 / at.spread),
    }
    change = left - at.ld
    gap = (sum(parts.values()) - change).abs()
    clean = torch.stack([r[:, -1] for r in run.resid[1:]], 1)[:, list(late(at.decoder.layers))]  # (B, n, d)
    stream = ends.resid[:, :, 1:][:, :, list(late(at.decoder.layers))]
    signal = lambda x: (x * at.u[:, None]).sum(-1).mean(-1)
    found = {"ld": at.ld.expand_as(left), "left": left, "change": change} | parts | {"accuracy": (left > 0).float()}
    found |= {"log2_norm": (stream.norm(dim=-1) / clean.norm(dim=-1)).log2().mean(-1)}
    means = {k: v.mean(1) for k, v in found.items()}
    return means | {"gap": gap.amax(1), "along": signal(stream).mean(1) / signal(clean).mean()}


def _along(at: Scene, z: Tensor) -> Tensor:
    """(S, B, L, H, E) -> (S, B, L, H): what heads write, along u."""
    reads = torch.stack(
        [torch.einsum("hed,bd->bhe", at.decoder.writes(k)[0], at.u) for k in range(at.decoder.layers)], 1
    )
    return torch.einsum("sblhe,blhe->sblh", z, reads)


@torch.no_grad()
def planted(at: Scene, factor: float = 2.0) -> float:
    """`log2_norm` of the late blocks when nothing is ablated and the stream before the first of them is made `factor`
    times as long: what amplitude that comes from before would look like. What the late blocks themselves write is as long
    as it was, for their norms divide by the length, so that they are read as less than `factor`."""
    first = max(late(at.decoder.layers).start - 1, 0)
    reference = hooks.references("zero", at.run)
    [(_, ends)] = hooks.ablate(
        at.decoder, at.run, [()], reference, ask=at.prompts.tokens[:, :2].to(at.u.device), scale={first: factor}
    )
    return float(_account(at, [()], ends)["log2_norm"][0])


@torch.no_grad()
def by_block(at: Scene, chosen: Sequence[Head], kind: str = "zero") -> list[dict[str, float]]:
    """A row a block: the stream's norm after it over that without ablation. at_end: at the last position, the mean
    ratio; pooled: the ratio of means over all positions, as the document's own code takes it; later: without the
    first position."""
    reference = hooks.references(kind, at.run, at.other)
    asked = at.prompts.tokens[:, :2].to(at.u.device)
    [(_, ends)] = hooks.ablate(at.decoder, at.run, [chosen], reference, ask=asked, everywhere=True)
    rows = []
    for layer in range(at.decoder.layers):
        a, b = ends.pooled[0, :, layer], at.run.resid[layer + 1].norm(dim=-1)  # (B, T)
        row = {
            "at_end": (a[:, -1] / b[:, -1]).mean(),
            "pooled": a.mean() / b.mean(),
            "later": a[:, 1:].mean() / b[:, 1:].mean(),
        }
        rows.append({k: float(v) for k, v in row.items()})
    return rows
