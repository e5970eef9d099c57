"""Experiment D as its document and its published script describe it, with a causal mask: a suppressor is a head of
the first layer whose removal raises σ² behind that layer. The tokens are drawn without any order, so that there is
nothing to learn but to be unsure."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.separability import metrics, models
from helpers.separability.models import Architecture
from helpers.separability.superposition.config import Toy
from helpers.separability.superposition.language import surprise
from helpers.stacked import Params


def architecture(toy: Toy) -> Architecture:
    return Architecture(toy.vocab, toy.length, toy.width, toy.heads, toy.width // toy.heads, toy.hidden, toy.layers)


def tokens(toy: Toy, split: str, count: int) -> Tensor:
    """(S, count, T + 1) tokens, uniform and independent, of their own for each seed."""
    draw = lambda s: torch.randint(
        toy.vocab, (count, toy.length + 1), generator=devices.torch_rng("toy", split, toy.seed + s)
    )
    return torch.stack([draw(s) for s in range(toy.seeds)])


def trained(toy: Toy, device: str = "cpu") -> Params:
    """Adam at one rate; batches in order, again from the start when all samples were seen."""
    arch = architecture(toy)
    each = 60 * toy.batch * toy.length * (toy.vocab + toy.layers * (4 * toy.width + toy.hidden))
    devices.need_memory(toy.seeds * each, device, f"{toy.seeds} printed toys")
    params = stacked.pile([models.one(arch, "toy", toy.seed + s) for s in range(toy.seeds)])
    params = {k: v.to(device) for k, v in params.items()}
    text = tokens(toy, "train", toy.n_samples).to(device)
    blocks = toy.n_samples // toy.batch

    def loss(p: Params, clock: Tensor) -> Tensor:
        at = (clock % blocks) * toy.batch + torch.arange(toy.batch, device=device)
        batch = text.index_select(1, at)  # (S, B, T + 1)
        return surprise(models.forward(p, batch[..., :-1], arch), batch[..., 1:])

    stacked.fit(params, loss, lr=toy.rate, steps=toy.train_steps)
    return params


@torch.no_grad()
def measured(toy: Toy, params: Params) -> dict[str, Tensor]:
    """A value a seed and held batch, (S, N) each: loss, psi_accuracy; A_activation and variance_stream behind the first
    layer; ablated.H, the same without head H of that layer; variance_head.H, σ² of what the head writes;
    variance_head.last, of what the last layer's heads write, mean over heads; against.H, the lowest correlation of
    the head's output with another's of its layer."""
    arch, device = architecture(toy), params["W_E"].device
    held = tokens(toy, "held", toy.held * toy.batch).to(device).unflatten(1, (toy.held, toy.batch))
    keep, out = ["resid_post.0", "z.0", f"z.{toy.layers - 1}"], {}
    for i in range(toy.held):
        x, y = held[:, i, :, :-1], held[:, i, :, 1:]
        logits, seen = models.cached(params, x, arch, keep=keep)
        first, last = (_written(seen[f"z.{k}"], params[f"W_O.{k}"]) for k in (0, toy.layers - 1))  # (S, B, T, H, d)
        row = {"loss": surprise(logits, y), "psi_accuracy": metrics.psi_accuracy(logits, y)}
        row |= {"A_activation": metrics.A_activation(seen["resid_post.0"])}
        row |= {"variance_stream": metrics.variance(seen["resid_post.0"])}
        row["variance_head.last"] = metrics.variance(last.movedim(3, 1)).mean(1)
        opposed = _correlations(first)
        for h in range(toy.heads):
            edit = {"z.0": lambda z, h=h: z * (torch.arange(toy.heads, device=device) != h)[:, None]}
            after = models.cached(params, x, arch, edit, keep=keep[:1])[1]["resid_post.0"]
            row |= {f"ablated.{h}": metrics.variance(after), f"variance_head.{h}": metrics.variance(first[:, :, :, h])}
            row[f"against.{h}"] = opposed[:, h]
        for name, value in row.items():
            out.setdefault(name, []).append(value)
    return {name: torch.stack(values, 1).cpu() for name, values in out.items()}


def _written(z: Tensor, w: Tensor) -> Tensor:
    """(S, B, T, H, E), (S, H, E, d) -> (S, B, T, H, d): what each head adds to the stream."""
    return torch.einsum("sbthe,shed->sbthd", z, w)


def _correlations(heads: Tensor) -> Tensor:
    """(S, B, T, H, d) -> (S, H): each head's lowest Pearson correlation with another's output, all entries pooled."""
    flat = heads.movedim(3, 1).flatten(2)  # (S, H, B·T·d)
    flat = flat - flat.mean(-1, keepdim=True)
    flat = flat / flat.norm(dim=-1, keepdim=True)
    found = flat @ flat.mT  # (S, H, H)
    return (found + 2 * torch.eye(found.shape[-1], device=found.device)).amin(-1)
