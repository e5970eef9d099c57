"""What is read off barcodes: how many bars, how long, and which of them no cloud without a hole would have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PERCENTILE = 90  # of the document's count
EULER = 0.5772156649015329  # minus the mean of the left-skewed Gumbel law


@dataclass(frozen=True)
class Barcodes:
    """Barcodes of clouds: values (…, m, 2), birth and death in units of distance, by falling persistence, nan beyond
    a cloud's own number. Bars of no length are left out."""

    values: np.ndarray

    @property
    def count(self) -> np.ndarray:
        """(…) how many bars."""
        return np.isfinite(self.values[..., 0]).sum(-1)

    @property
    def persistence(self) -> np.ndarray:
        """(…, m) death − birth, falling, then nan."""
        return self.values[..., 1].astype(float) - self.values[..., 0]

    def __getitem__(self, index) -> Barcodes:
        """The barcodes of some clouds."""
        return Barcodes(self.values[index])

    @property
    def each(self) -> list[np.ndarray]:
        """The (bars, 2) of every cloud, without padding, the clouds in one row."""
        *shape, most, _ = self.values.shape
        return [v[np.isfinite(v[:, 0])] for v in self.values.reshape(int(np.prod(shape)), most, 2)]


def percentile_count(bars: Barcodes) -> np.ndarray:
    """(…) the document's number of holes: bars whose persistence exceeds the 90th percentile of the same barcode.

    A tenth of the bars always does: whatever the cloud, it counts ⌈(m − 1) / 10⌉ of m bars where no two are of one
    length.
    """
    falling, count = np.nan_to_num(bars.persistence, nan=-1.0), bars.count
    if not falling.shape[-1]:
        return np.zeros(falling.shape[:-1], int)
    place = (1 - PERCENTILE / 100) * np.maximum(count - 1, 0)
    low = np.ceil(place - 1e-9).astype(int)  # the shorter neighbour of the percentile, counted from the longest
    high, share = np.maximum(low - 1, 0), low - place
    at = lambda i: np.take_along_axis(falling, i[..., None], -1)[..., 0]
    border = at(low) + share * (at(high) - at(low))
    return np.where(count > 0, ((falling > border[..., None]) & (falling >= 0)).sum(-1), 0)


def total_persistence(bars: Barcodes) -> np.ndarray:
    """(…) the sum of persistences, in units of distance; 0 without bars."""
    return np.nansum(bars.persistence, -1)


def entropy(bars: Barcodes) -> np.ndarray:
    """(…) persistence entropy −Σ p ln p, p a bar's share of the total (Chintakunta et al. 2015), in nats; nan
    without bars."""
    total = total_persistence(bars)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = bars.persistence / total[..., None]
        told = -np.nansum(share * np.log(share), -1) + 0.0
    return np.where(bars.count > 0, told, np.nan)


def universal_p(bars: Barcodes) -> np.ndarray:
    """(…, m) the p-value of each bar under the universal null law of Bobrowski & Skraba (2023), nan beyond a cloud's
    own number.

    With π = death / birth, ℓ = ln ln π − mean(ln ln π) − γ has the left-skewed Gumbel law in a Rips barcode of noise,
    whatever the cloud's distribution and dimension, they conjecture; p = exp(−eˡ).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(np.log(bars.values[..., 1].astype(float) / bars.values[..., 0]))
    known = np.isfinite(ratio)  # a bar born at distance zero has no ratio
    mean = np.where(known, ratio, 0).sum(-1) / np.maximum(known.sum(-1), 1)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(known, np.exp(-np.exp(ratio - mean[..., None] - EULER)), np.nan)


def holes(bars: Barcodes, level: float = 0.05) -> np.ndarray:
    """(…) bars that are significant under the universal null law at `level`, by Bonferroni over the bars of their
    cloud."""
    if not 0 < level < 1:
        raise ValueError(f"level={level}: a level of significance lies between 0 and 1")
    p = universal_p(bars)
    tests = np.maximum(np.isfinite(p).sum(-1, keepdims=True), 1)
    return (np.nan_to_num(p, nan=1.0) <= level / tests).sum(-1)
