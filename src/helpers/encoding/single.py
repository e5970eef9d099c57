"""Single models to look into: a code while it is learned, and what models of different widths predict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from helpers import devices, stacked
from helpers.encoding import networks, tasks

RATE = 0.01


def watch(
    chain: tasks.Chain, d: int = 2, steps: int = 400, frames: int = 24, seed: int = 0, readout: str = "mlp"
) -> dict[int, np.ndarray]:
    """{step: (V, d)}: the learned code of one model at about `frames` moments of its training on the chain's own table."""
    params = stacked.pile([networks.one(readout, chain.vocab, d, 64, seed)])
    table = torch.tensor(chain.joint, dtype=torch.float32)[None]
    marks = stacked.spaced(steps, frames)
    seen = stacked.fit(
        params,
        lambda p, t: networks.cross_entropy(networks.forward(p, readout), table),
        lr=torch.tensor([RATE]),
        steps=steps,
        log=marks,
        probe=lambda p: p["code"][0].clone(),
    )
    return {mark: code.numpy() for mark, code in zip(marks, seen, strict=True)}


def predict(
    chain: tasks.Chain, widths: Sequence[int], readout: str, steps: int = 400, seed: int = 0
) -> dict[int, np.ndarray]:
    """{d: (V, V)}: the transitions that a model with a learned code of each width predicts after training."""
    params = stacked.pile([networks.one(readout, chain.vocab, d, 64, seed) for d in widths])
    table = torch.tensor(chain.joint, dtype=torch.float32).expand(len(widths), -1, -1)
    rate = torch.full((len(widths),), RATE)
    stacked.fit(params, lambda p, t: networks.cross_entropy(networks.forward(p, readout), table), lr=rate, steps=steps)
    with torch.no_grad():
        found = torch.softmax(networks.forward(params, readout), -1).numpy()
    return dict(zip(widths, found, strict=True))


def example(rank: int = 6, vocab: int = 50, seed: int = 0) -> tasks.Chain:
    """A chain of planted rank, its tokens in the order of their log-odds' first principal component."""
    chain = tasks.planted(vocab, rank, devices.numpy_rng("example", rank, seed))
    odds = np.log(chain.transition)
    order = np.argsort(np.linalg.svd(odds - odds.mean(0), full_matrices=False)[0][:, 0])
    return tasks.Chain(chain.name, chain.transition[np.ix_(order, order)], chain.stationary[order])
