"""The first experiment as its document and script describe it: four motifs, a code of 6 numbers against an autoencoder's.

Here both arms get true gradients. The published script instead adds Gaussian noise to every parameter as long as the
loss exceeds 0.5, with no direction and no acceptance test; `walk` does that, to show what was measured.
"""

from __future__ import annotations

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
    data = torch.tensor(np.stack([sequences(p, s) for s in range(p.seeds)]))  # (S, N, T)
    first = _autoencoders(p, data, device)
    out = {f"first_{name}": curve for name, (_, curve) in first.items()}
    given = {"learned": None} | {name: code for name, (code, _) in first.items()}
    for name, code in given.items():
        out[name] = _train(p, data, code, device)
        out[f"walk_{name}"] = walk(p, data, code)
    return out


def walk(p: Printed, data: Tensor, code: Tensor | None) -> np.ndarray:
    """The published update: noise of scale rate·min(loss, 3), times 0.1 for the code and 0.05 elsewhere."""
    params = _start(p, code)
    rng = [devices.torch_rng("walk", s, code is None) for s in range(p.seeds)]
    seen = []
    for table in _tables(p, data):
        loss = networks.cross_entropy(networks.forward(params, "residual"), table)  # (S,)
        scale = torch.where(loss > 0.5, p.rate * loss.clamp(max=3.0), 0.0)
        for name, value in params.items():
            if name == "code" and code is not None:
                continue
            noise = torch.stack([torch.randn(value.shape[1:], generator=g) for g in rng])
            value += noise * scale.view(-1, 1, 1) * (0.1 if name == "code" else 0.05)
        seen.append(loss)
    return _by_epoch(p, seen)


def _train(p: Printed, data: Tensor, code: Tensor | None, device: str) -> np.ndarray:
    params = {k: v.to(device) for k, v in _start(p, code).items()}
    tables, seen = [t.to(device) for t in _tables(p, data)], []

    def loss(q, t):
        seen.append(networks.cross_entropy(networks.forward(q, "residual"), tables[t]))
        return seen[-1]

    learn, rate = {"code": code is None}, torch.full((p.seeds,), p.rate, device=device)
    stacked.fit(params, loss, lr=rate, steps=len(tables), learn=learn, graph=False)  # the loss keeps a list
    return _by_epoch(p, [x.detach() for x in seen])


def _start(p: Printed, code: Tensor | None) -> stacked.Params:
    """The script's initialisation: N(0, 0.1²) everywhere, no biases."""
    out = {}
    for name, shape in networks.shapes("residual", p.vocab, p.code, p.hidden).items():
        if name != "b":
            rng = [devices.torch_rng("printed", name, s) for s in range(p.seeds)]
            out[name] = torch.stack([0.1 * torch.randn(shape, generator=g) for g in rng])
    return out if code is None else out | {"code": code}


def _autoencoders(p: Printed, data: Tensor, device: str) -> dict[str, tuple[Tensor, np.ndarray]]:
    """Codes (S, V, d) of the autoencoder on untrained vectors, and its error an epoch; linear, and with a ReLU."""
    x = torch.stack([codes.vectors(p.vocab, p.full, s) for s in range(p.seeds)]).to(device)  # (S, V, D)
    often = [t.sum(2, keepdim=True).to(device) for t in _tables(p, data, p.first_epochs)]  # (S, V, 1): a token's count
    out = {}
    for name, relu in (("traditional", False), ("traditional_relu", True)):
        params, errors = {}, []
        for key, shape in (("e", (p.full, p.code)), ("be", (1, p.code)), ("d", (p.code, p.full)), ("bd", (1, p.full))):
            rng = [devices.torch_rng("printed", key, s) for s in range(p.seeds)]
            scale = 0.0 if key.startswith("b") else 0.1
            params[key] = torch.stack([scale * torch.randn(shape, generator=g) for g in rng]).to(device)

        def loss(q, t, relu=relu, errors=errors):
            gap = codes.rebuilt(q, x, relu) - x
            errors.append((gap.pow(2).mean(2, keepdim=True) * often[t]).sum((1, 2)))
            return errors[-1]

        rate = torch.full((p.seeds,), p.rate, device=device)
        stacked.fit(params, loss, lr=rate, steps=len(often), graph=False)  # the loss keeps a list
        with torch.no_grad():
            code = codes.encoded(params, x, relu).cpu()
        out[name] = code, _by_epoch(p, [e.detach() for e in errors], p.first_epochs)
    return out


def _tables(p: Printed, data: Tensor, epochs: int | None = None) -> list[Tensor]:
    """One table (S, V, V) of transitions a minibatch: shuffled sequences, `batch` at a time, the last batch shorter."""
    cells = data[..., :-1] * p.vocab + data[..., 1:]  # (S, N, T-1)
    out = []
    for epoch in range(epochs or p.epochs):
        order = torch.randperm(p.sequences, generator=devices.torch_rng("order", epoch))
        for rows in order.split(p.batch):
            flat = cells[:, rows].flatten(1)  # (S, batch·(T-1))
            counts = torch.zeros(p.seeds, p.vocab**2).scatter_add_(1, flat, torch.ones(flat.shape))
            out.append((counts / flat.shape[1]).view(p.seeds, p.vocab, p.vocab))
    return out


def _by_epoch(p: Printed, seen: list[Tensor], epochs: int | None = None) -> np.ndarray:
    """(S, epochs) mean over an epoch's batches."""
    values = torch.stack(seen, 1).cpu().numpy()  # (S, steps)
    return values.reshape(p.seeds, epochs or p.epochs, -1).mean(2)
