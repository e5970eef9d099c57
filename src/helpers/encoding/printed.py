"""The first experiment as its document and script describe it: four motifs, a code of 6 numbers against an autoencoder's.

Here both arms get true gradients. The published script instead adds Gaussian noise to every parameter as long as the
loss exceeds 0.5, with no direction and no acceptance test; `_walk` does that, to show what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.encoding import codes, networks
from helpers.encoding.config import MOTIFS, Printed


def sequences(p: Printed, seed: int) -> np.ndarray:
    """(sequences, length): each is one of four motifs from its start, repeated; so there are four different ones."""
    rng = devices.numpy_rng("printed", seed)
    tiled = np.array([np.resize(m, p.length) for m in MOTIFS])  # (4, length)
    return tiled[rng.integers(len(tiled), size=p.sequences)]


def losses(p: Printed, device: str = "cpu") -> dict[str, np.ndarray]:
    """Loss an epoch (seeds, epochs) of every arm, of the autoencoders (`first_…`), and of the walks (`walk_…`)."""
    return trained(p, device)[0]


def trained(p: Printed, device: str = "cpu") -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """`losses`, and the transitions (seeds, V, V) that each arm predicts after training, by true gradients or by the walk."""
    data = torch.tensor(np.stack([sequences(p, s) for s in range(p.seeds)]))  # (S, N, T)
    tables = batch_tables(p, data, p.epochs)
    often = [t.sum(2, keepdim=True).to(device) for t in batch_tables(p, data, p.first_epochs)]  # (S, V, 1) a batch
    on_device = [table.to(device) for table in tables]
    x = torch.stack([codes.vectors(p.vocab, p.full, s) for s in range(p.seeds)]).to(device)  # (S, V, D)
    out, told, given = {}, {}, {"learned": None}
    for name, relu in (("traditional", False), ("traditional_relu", True)):  # the first stage of the two-stage arms
        shapes = {"e": (p.full, p.code), "be": (1, p.code), "d": (p.code, p.full), "bd": (1, p.full)}
        params = {k: v.to(device) for k, v in _start(p, shapes).items()}
        gap = lambda q, relu=relu: (codes.rebuilt(q, x, relu) - x).pow(2).mean(2, keepdim=True)
        out[f"first_{name}"] = _fit(p, params, lambda q, t, gap=gap: (gap(q) * often[t]).sum((1, 2)), len(often))
        given[name] = codes.encoded(params, x, relu).cpu()
    shapes = networks.shapes("residual", p.vocab, p.code, p.hidden)
    start = _start(p, {name: shape for name, shape in shapes.items() if name != "b"})
    for name, code in given.items():
        own = start if code is None else start | {"code": code}
        params = {k: v.to(device, copy=True) for k, v in own.items()}
        loss = lambda q, t: networks.cross_entropy(networks.forward(q, "residual"), on_device[t])
        out[name] = _fit(p, params, loss, len(tables), learn={"code": code is None})
        walked = {k: v.clone() for k, v in own.items()}
        out[f"walk_{name}"] = _walk(p, walked, tables, code is None)
        for arm, q in ((name, params), (f"walk_{name}", walked)):
            told[arm] = torch.softmax(networks.forward(q, "residual"), -1).detach().cpu().numpy()
    return out, told


def _walk(p: Printed, params: stacked.Params, tables: list[Tensor], learns: bool) -> np.ndarray:
    """The published update: noise of scale rate·min(loss, 3), times 0.1 for the code and 0.05 elsewhere."""
    rng = [devices.torch_rng("walk", s, learns) for s in range(p.seeds)]
    seen = []
    for table in tables:
        loss = networks.cross_entropy(networks.forward(params, "residual"), table)  # (S,)
        scale = torch.where(loss > 0.5, p.rate * loss.clamp(max=3.0), 0.0)
        for name, value in params.items():
            if name != "code" or learns:
                noise = torch.stack([torch.randn(value.shape[1:], generator=g) for g in rng])
                value += noise * scale.view(-1, 1, 1) * (0.1 if name == "code" else 0.05)
        seen.append(loss)
    return _by_epoch(p, seen)


def _fit(p: Printed, params: stacked.Params, loss: Callable[..., Tensor], steps: int, **how) -> np.ndarray:
    """Train in place with true gradients; the mean loss an epoch."""
    seen = []

    def noted(q, t):
        seen.append(loss(q, t))
        return seen[-1]

    stacked.fit(params, noted, lr=p.rate, steps=steps, graph=False, **how)  # the loss keeps a list
    return _by_epoch(p, [x.detach() for x in seen])


def _start(p: Printed, shapes: Mapping[str, tuple[int, ...]]) -> stacked.Params:
    """The script's initialisation, a model a seed: N(0, 0.1²), and biases of zero."""
    out = {}
    for name, shape in shapes.items():
        rng = [devices.torch_rng("printed", name, s) for s in range(p.seeds)]
        scale = 0.0 if name.startswith("b") else 0.1
        out[name] = torch.stack([scale * torch.randn(shape, generator=g) for g in rng])
    return out


def batch_tables(p: Printed, data: Tensor, epochs: int) -> list[Tensor]:
    """One table (S, V, V) of transitions a minibatch: shuffled sequences, `batch` at a time, the last batch shorter."""
    cells = data[..., :-1] * p.vocab + data[..., 1:]  # (S, N, T-1)
    out = []
    for epoch in range(epochs):
        order = torch.randperm(p.sequences, generator=devices.torch_rng("order", epoch))
        for rows in order.split(p.batch):
            flat = cells[:, rows].flatten(1)  # (S, batch·(T-1))
            counts = torch.zeros(p.seeds, p.vocab**2).scatter_add_(1, flat, torch.ones(flat.shape))
            out.append((counts / flat.shape[1]).view(p.seeds, p.vocab, p.vocab))
    return out


def _by_epoch(p: Printed, seen: list[Tensor]) -> np.ndarray:
    """(S, epochs) mean over an epoch's batches."""
    values = torch.stack(seen, 1).cpu().numpy()  # (S, steps)
    return values.reshape(p.seeds, -1, -(-p.sequences // p.batch)).mean(2)
