"""What a hole-free Gaussian cloud would show, and whether the instruments tell planted answers apart."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from helpers import devices
from helpers.topology.barcodes import barcodes
from helpers.topology.bars import holes, percentile_count
from helpers.topology.clouds import cloud
from helpers.topology.dimension import dimension
from helpers.topology.distances import distances

TABLE = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96)  # dimensions of the Gaussian clouds
DRAWN = 64  # of each


@lru_cache(maxsize=32)
def gaussian_table(n: int = 100, kind: str = "mackay", k: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """(16,) mean estimate of the dimension, rising, and (16,) mean printed count of Gaussian clouds of n points, by
    what is truly their dimension (TABLE). Drawn from a seed of its own: the same in every run."""
    rng = devices.numpy_rng("gaussian table", n)
    found, counts = [], []
    for d in TABLE:
        between = distances(rng.normal(size=(DRAWN, n, d)))
        found.append(float(dimension(None, kind, k, between=between).mean()))
        counts.append(float(percentile_count(barcodes(None, between=between)).mean()))
    return np.maximum.accumulate(found), np.array(counts)


def gaussian_count(estimate: np.ndarray | float, n: int = 100, kind: str = "mackay", k: int = 20) -> np.ndarray:
    """The printed count expected of a Gaussian cloud of n points whose dimension is estimated the same, by the same
    estimator: linear between the table's clouds, constant beyond its ends, nan for nan."""
    found, counts = gaussian_table(n, kind, k)
    return np.interp(estimate, found, counts)


def told_apart(
    n: int = 100, k: int = 20, kind: str = "mackay", *, key: object = 0, clouds: int = 40, level: float = 0.05
) -> dict[str, float]:
    """Shares of planted answers that the instruments give at this n and k, each over so many draws:

    dimension_order: Gaussian clouds of dimensions 4 and 8 put in order; dimension_order_high: of 24 and 32, which are told
    as about 12 and 14 at a hundred points. ring_found: rings of noise 0.2 in which the universal law finds a hole.
    ball_clean: balls of dimension 5 in which it finds none.
    """
    rng = devices.numpy_rng("told apart", n, key)
    draw = lambda shape, d, noise=0.0: np.stack(
        [cloud(shape, n, rng, d=d, ambient=max(20, d), noise=noise) for _ in range(clouds)]
    )
    found = lambda points: holes(barcodes(points), level) > 0

    def order(a: int, b: int) -> float:
        low, high = (dimension(draw("gaussian", d), kind, k) for d in (a, b))
        return float((low < high).double().mean())

    return {
        "dimension_order": order(4, 8),
        "ring_found": float(found(draw("ring", 1, 0.2)).mean()),
        "ball_clean": float(1 - found(draw("ball", 5)).mean()),
        "dimension_order_high": order(24, 32),
    }
