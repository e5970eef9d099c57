"""The ReLU bottleneck (Elhage et al. 2022, "Toy models of superposition"): x' = ReLU(Wᵀ W x + b), all models as one
stack.

Features x are zero with probability S and otherwise uniform in [0, 1]; each counts as much as any other. Wherever a
model has fewer features or dimensions than the stack, its rows and columns of W are zero and stay zero, because their
gradient is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.separability.superposition.config import Bottleneck
from helpers.stacked import Params

HELD = 0.5  # norm above which a feature counts as held


@dataclass(frozen=True)
class Cell:
    """One model: n features, m dimensions, sparsity, seed."""

    n: int
    m: int
    sparsity: float
    seed: int


def cells(config: Bottleneck) -> list[Cell]:
    """Every model of the sweep."""
    return [Cell(*shape, s, seed) for shape, s, seed in product(config.shapes, config.sparsities, range(config.seeds))]


def trained(config: Bottleneck, device: str = "cpu") -> tuple[list[Cell], Params, Tensor]:
    """The models, their W (M, m, n) and b (M, n), and the loss on held-out inputs (M,): squared error, summed over
    features."""
    models = cells(config)
    wide = max(c.n for c in models)
    devices.need_memory(48 * len(models) * config.batch * wide, device, f"{len(models)} bottlenecks")
    params = {k: v.to(device) for k, v in stacked.pile([start(c) for c in models]).items()}
    there = torch.zeros(len(models), 1, wide)  # which features a model has
    for i, c in enumerate(models):
        there[i, :, : c.n] = 1.0
    there, seeds = there.to(device), torch.tensor([c.seed for c in models], device=device)
    sparse = torch.tensor([c.sparsity for c in models], device=device).view(-1, 1, 1)
    draws = pool(config.seeds, config.pool, config.batch, wide, "train").to(device)  # (2, S, P, B, n)

    def inputs(value: Tensor, chance: Tensor) -> Tensor:
        """(S, B, n) of both -> (M, B, n)"""
        return value[seeds] * (chance[seeds] >= sparse) * there

    def loss(p: Params, clock: Tensor) -> Tensor:
        batch = draws.index_select(2, clock.view(1) % config.pool).squeeze(2)  # (2, S, B, n)
        return errors(p, inputs(*batch))

    rate = lambda age: config.rate * (1 - 0.9 * age / config.steps)  # a tenth of it at the end
    stacked.fit(params, loss, lr=rate, steps=config.steps)
    fresh = pool(config.seeds, 1, config.held, wide, "held").to(device)[:, :, 0]
    with torch.no_grad():
        held = errors(params, inputs(*fresh))
    return models, params, held


def start(c: Cell) -> dict[str, Tensor]:
    """W (m, n), normal with the variance 2 / (n + m) of Glorot and Bengio (2010), and b (n,), zero."""
    rng = devices.torch_rng("bottleneck", c.n, c.m, c.seed)
    return {"W": torch.randn(c.m, c.n, generator=rng) * (2 / (c.n + c.m)) ** 0.5, "b": torch.zeros(c.n)}


def errors(p: Params, x: Tensor) -> Tensor:
    """(M, B, n) inputs -> (M,) squared error of x', summed over features, mean over the batch."""
    h = x @ p["W"].mT  # (M, B, m)
    again = torch.relu(h @ p["W"] + p["b"].unsqueeze(1))  # (M, B, n)
    return (again - x).square().sum(-1).mean(-1)


def geometry(w: Tensor) -> dict[str, Tensor]:
    """Of W (…, m, n), a value a feature (…, n): its `norm` ‖W_i‖, what others put on its direction, `shared` =
    Σ_{j≠i} (Ŵ_i·W_j)², and its `dimensionality` ‖W_i‖² / (‖W_i‖² + shared) (Elhage et al. 2022, §"Feature
    dimensionality"); 0 for a feature of norm 0."""
    gram = w.mT @ w  # (…, n, n)
    square = gram.diagonal(dim1=-2, dim2=-1)  # (…, n)
    onto = gram.square().sum(-1) / square.clamp(min=1e-12)  # Σ_j (Ŵ_i·W_j)², i itself included: ‖W_i‖²
    shared = (onto - square).clamp(min=0)
    whole = torch.where(square > 1e-12, square / onto.clamp(min=1e-12), torch.zeros_like(square))
    return {"norm": square.sqrt(), "shared": shared, "dimensionality": whole}


def summary(w: Tensor, c: Cell) -> dict[str, float]:
    """One model's W (m, n) in numbers: means over the features that it holds (‖W_i‖ > HELD).

    held: how many, and `packing`, a dimension. superposition: 1 − dimensionality. norm: ‖W_i‖. interference: variance
    of Σ_{j≠i} W_i·W_j x_j. amplitude: √E‖Wx‖²; variance: tr Cov(Wx). Both in closed form: x_j has mean (1 − S)/2, and
    second moment (1 − S)/3."""
    w = w[: c.m, : c.n].double()
    found, mean = geometry(w), (1 - c.sparsity) / 2
    spread = (1 - c.sparsity) / 3 - mean**2
    kept = found["norm"] > HELD
    average = lambda x: float(x[kept].mean()) if kept.any() else float("nan")
    noise = spread * found["shared"] * found["norm"].square()
    variance = spread * float(w.square().sum())
    return {
        "held": int(kept.sum()),
        "packing": int(kept.sum()) / c.m,
        "superposition": 1 - average(found["dimensionality"]),
        "norm": average(found["norm"]),
        "interference": average(noise),
        "variance": variance,
        "amplitude": (variance + mean**2 * float(w.sum(-1).square().sum())) ** 0.5,
    }


def pool(seeds: int, pool: int, batch: int, n: int, split: str) -> Tensor:
    """(2, S, P, B, n) uniform numbers: a feature's value, and the chance that it is there."""
    draw = lambda s: torch.rand(2, pool, batch, n, generator=devices.torch_rng("bottleneck", split, s))
    return torch.stack([draw(s) for s in range(seeds)], 1)
