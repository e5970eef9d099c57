"""What the context-free study trains and on what: arms × widths × seeds × learning rates, on chains of known Bayes loss."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import torch
from torch import Tensor

from helpers import devices
from helpers.encoding import networks, tasks

# arm: (stage one, code learned in stage two)
ARMS = {
    "learned": (None, True),
    "random": ("random", False),
    "seed_ae": ("seed_ae", False),
    "seed_ae_relu": ("seed_ae_relu", False),
    "onehot_ae": ("onehot_ae", False),
    "trained_pca": ("trained_pca", False),
    "trained_pca_tuned": ("trained_pca", True),
    "seed_ae_tuned": ("seed_ae", True),
    "spectral": ("spectral", False),
    "factorised": (None, True),
    "wide": ("random", False),
    "full": (None, True),
}
TWO_STAGE = {"seed_ae", "seed_ae_relu", "onehot_ae", "trained_pca"}  # stage one takes gradient steps of the budget


@dataclass(frozen=True)
class Config:
    """What to train. cells: {"source/readout": arms}; sources are pattern, dirichlet and plantedR for a rank R.

    steps: the whole budget of gradient steps. A two-stage arm spends the share `stage1` of it before the task is seen
    (20 of 50 epochs, as published), so that every arm gets the same budget.
    """

    cells: Mapping[str, tuple[str, ...]]
    widths: tuple[int, ...] = (1, 2, 4, 6, 8, 12)
    seeds: int = 3
    rates: tuple[float, ...] = (0.01, 0.03)
    steps: int = 400
    stage1: float = 0.4
    vocab: int = 50
    full: int = 64
    code: int = 6
    hidden: int = 64
    residual_hidden: int = 32
    wide_hidden: int = 256
    sequences: int = 10_000
    length: int = 20
    device: str = "cpu"

    def __post_init__(self):
        if self.seeds < 1 or self.steps < 2 or not 0 < self.stage1 < 1:
            raise ValueError(
                f"seeds={self.seeds}, steps={self.steps}, stage1={self.stage1}: seeds ≥ 1, steps ≥ 2, 0 < stage1 < 1"
            )
        too_wide = [d for d in self.widths if not 1 <= d <= self.vocab]
        if too_wide:
            raise ValueError(
                f"width d={too_wide[0]} is not between 1 and the vocabulary, {self.vocab}: a wider code says no more"
            )
        for cell, arms in self.cells.items():
            source, _, readout = cell.partition("/")
            if readout not in networks.READOUTS or not re.fullmatch(r"pattern|dirichlet|planted\d+", source):
                raise ValueError(
                    f"cell {cell!r}: expected pattern, dirichlet or plantedR, then one of {networks.READOUTS}"
                )
            for arm in arms:
                if arm not in ARMS or (arm == "wide" and readout != "mlp"):
                    raise ValueError(f"arm {arm!r} in {cell!r}: use {', '.join(ARMS)}; 'wide' needs an mlp read-out")

    @property
    def first(self) -> int:
        """Gradient steps of stage one."""
        return max(1, round(self.steps * self.stage1))

    def before(self, arm: str) -> int:
        """Gradient steps that an arm has spent before it sees the task."""
        return self.first if ARMS[arm][0] in TWO_STAGE else 0

    def hidden_of(self, readout: str, arm: str) -> int:
        return self.wide_hidden if arm == "wide" else self.residual_hidden if readout == "residual" else self.hidden


@dataclass(frozen=True, order=True)
class Model:
    """One model of the grid."""

    cell: str
    arm: str
    d: int
    seed: int
    rate: float


@dataclass
class Data:
    """Chains and what was sampled from them, a (source, seed) each: tables (G, V, V) that sum to one."""

    config: Config

    @cached_property
    def keys(self) -> list[tuple[str, int]]:
        sources = dict.fromkeys(cell.partition("/")[0] for cell in self.config.cells)
        return list(product(sources, range(self.config.seeds)))

    @cached_property
    def chains(self) -> list[tasks.Chain]:
        return [self._chain(source, seed) for source, seed in self.keys]

    @cached_property
    def counts(self) -> dict[str, np.ndarray]:
        """train: from `sequences` sequences; validation: from a quarter as many, drawn apart. (G, V, V)."""
        c, out = self.config, {}
        for split, share in (("train", 1), ("validation", 4)):
            found = []
            for chain, key in zip(self.chains, self.keys, strict=True):
                rng = devices.numpy_rng("sample", split, *key)
                tokens = chain.sample(max(1, c.sequences // share), c.length, rng)
                found.append(tasks.bigram_counts(tokens, c.vocab))
            out[split] = np.stack(found)
        return out

    @cached_property
    def tables(self) -> dict[str, Tensor]:
        """train, validation, and test: the chain's own joint distribution, so that the test loss has no sampling error."""
        out = {k: n / n.sum((1, 2), keepdims=True) for k, n in self.counts.items()}
        out["test"] = np.stack([chain.joint for chain in self.chains])
        return {k: torch.tensor(v, dtype=torch.float32) for k, v in out.items()}

    def index(self, model: Model) -> int:
        return self.keys.index((model.cell.partition("/")[0], model.seed))

    def _chain(self, source: str, seed: int) -> tasks.Chain:
        rng = devices.numpy_rng("chain", source, seed)
        if source == "pattern":
            return tasks.pattern(self.config.vocab)
        if source == "dirichlet":
            return tasks.dirichlet(self.config.vocab, rng)
        return tasks.planted(self.config.vocab, int(source.removeprefix("planted")), rng)
