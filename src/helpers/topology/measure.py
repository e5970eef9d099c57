"""Everything that the chapters measure of clouds, in one pass over their distances."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helpers.topology import bars
from helpers.topology.barcodes import barcodes
from helpers.topology.dimension import KINDS, dimension
from helpers.topology.distances import Points, distances
from helpers.topology.planted import gaussian_count


def measure(points: Points, k: int = 20, level: float = 0.05) -> dict[str, np.ndarray]:
    """{column: (…) a value a cloud} of clouds (…, n, d), on the device where they lie.

    The estimators of `dimension` by their names; bars, how many; count, the document's hole count; expected, that count
    in a Gaussian cloud of the same dimension ("mackay"); holes, bars significant at `level` under the universal law;
    clean, 1 where there are none; total, their persistence over the cloud's diameter (nan for a cloud that is a point);
    entropy, in nats. Raises ValueError as `dimension` and `barcodes` do.
    """
    between = distances(points)
    found = {kind: dimension(None, kind, k, between=between).cpu().numpy() for kind in KINDS}
    code, width = barcodes(None, between=between), between.amax((-2, -1)).cpu().numpy()
    significant = bars.holes(code, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = bars.total_persistence(code) / width
    return found | {
        "bars": code.count.astype(float),
        "count": bars.percentile_count(code).astype(float),
        "expected": gaussian_count(found["mackay"], between.shape[-1], "mackay", k),
        "holes": significant.astype(float),
        "clean": (significant == 0).astype(float),
        "total": total,
        "entropy": bars.entropy(code),
    }


def averaged(found: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The mean of each column over all clouds; clouds without a value are left out, and none has the mean nan."""
    return {k: float(np.mean(v[np.isfinite(v)])) if np.isfinite(v).any() else float("nan") for k, v in found.items()}
