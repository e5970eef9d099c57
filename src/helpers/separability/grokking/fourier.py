"""Progress towards the algorithm, in Fourier terms (Nanda et al. 2023, §5): a network that adds modulo p embeds its numbers on
circles of a few frequencies, and its logits depend on a + b through those.

Frequencies k are 1 … (p − 1)/2; a frequency holds two numbers, its cosine and its sine.
"""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.separability.grokking import models
from helpers.stacked import Params

ENERGY = 0.9  # of the logits that the key frequencies hold


def spectrum(table: Tensor) -> Tensor:
    """(…, (p − 1)/2) energy of each frequency in a table of p tokens (…, p, d), the constant left out."""
    return torch.fft.rfft(table, dim=-2)[..., 1:, :].abs().square().sum(-1)


def gini(energy: Tensor) -> Tensor:
    """Gini coefficient of (…, K) energies: 0 when all are equal, 1 − 1/K when one has all (Hurley and Rickard 2009)."""
    ordered, count = energy.sort(-1).values, energy.shape[-1]
    rank = torch.arange(1, count + 1, device=energy.device, dtype=energy.dtype)
    return ((2 * rank - count - 1) * ordered).sum(-1) / (count * ordered.sum(-1))


def by_sum(logits: Tensor, p: int) -> Tensor:
    """(M, p, p) the mean logits of all pairs with one sum, from logits (M, p·p, p) in the order of a, then b: what depends on
    a + b alone."""
    table = logits.view(-1, p, p, p)
    places = (torch.arange(p)[:, None] - torch.arange(p)) % p  # of row s: the b that goes with each a
    a = torch.arange(p).expand(p, p)
    return table[:, a, places.to(logits.device)].mean(2)


def keys(means: Tensor) -> Tensor:
    """(M, (p − 1)/2) which frequencies of the sum hold ENERGY of what varies in means (M, p, p): the fewest that do."""
    energy = spectrum(means)
    order = energy.argsort(-1, descending=True)
    sums = energy.gather(-1, order).cumsum(-1) / energy.sum(-1, keepdim=True)
    needed = torch.cat([torch.ones_like(sums[:, :1]), (sums[:, :-1] < ENERGY).to(sums)], 1)
    return torch.zeros_like(energy).scatter(-1, order, needed).bool()


def filtered(means: Tensor, chosen: Tensor) -> Tensor:
    """(M, p, p) the part of means (M, p, p) that lies in chosen frequencies (M, (p − 1)/2) of the sum."""
    parts = torch.fft.rfft(means, dim=1)
    kept = torch.cat([torch.zeros_like(chosen[:, :1]), chosen], 1)[:, :, None]
    return torch.fft.irfft(parts * kept, n=means.shape[1], dim=1)


def progress(
    params: Params, chosen: Tensor | None, trained: Tensor, p: int, heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Restricted and excluded loss (M,), nats, and the key frequencies (M, (p − 1)/2), by default these models' own.

    restricted: of all pairs, from the mean logits and the key frequencies of the sum alone; it falls as the algorithm forms.
    excluded: of the training pairs (M, N, 2), without the key frequencies; it rises as the algorithm replaces memory.
    """
    device = params["W_U"].device
    pairs = torch.cartesian_prod(torch.arange(p), torch.arange(p)).expand(len(params["W_U"]), -1, -1)
    logits = models.logits(params, models.batch(pairs, p, device, None), heads)  # (M, p², p)
    means = by_sum(logits, p)
    chosen = keys(means) if chosen is None else chosen
    part = filtered(means, chosen)
    sums = torch.arange(p, device=device).expand(len(means), -1)
    restricted = models.surprise(means.mean(1, keepdim=True) + part, sums)[0]
    of = trained.to(device)
    rows = torch.arange(len(means), device=device)[:, None]
    seen, answers = logits[rows, of[..., 0] * p + of[..., 1]], of.sum(-1) % p
    return restricted, models.surprise(seen - part[rows, answers], answers)[0], chosen


def circle(tables: dict[int, Tensor]) -> tuple[int, dict[int, Tensor]]:
    """The strongest frequency of the last table (p, d), and where each table's tokens lie in the plane of its two components:
    {step: (p, 2)}."""
    last = tables[max(tables)]
    k = int(spectrum(last).argmax()) + 1
    wave = torch.fft.rfft(last, dim=0)[k]  # (d,) complex: the cosine's vector and the sine's
    plane = torch.linalg.qr(torch.stack([wave.real, -wave.imag], 1)).Q  # (d, 2)
    return k, {step: (table - table.mean(0)) @ plane for step, table in tables.items()}
