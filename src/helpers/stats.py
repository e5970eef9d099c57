"""Intervals and tests over units of replication. The unit is the seed (or the pair, the template), never a pooled point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy  # its parts load where they are used first


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval, and how many units stand behind it."""

    estimate: float
    low: float
    high: float
    n: int
    level: float = 0.95

    def side(self, border: float) -> str:
        """Where it lies to a border: 'above', 'below', or 'between', where it holds or touches it."""
        return "above" if self.low > border else "below" if self.high < border else "between"

    def __format__(self, spec: str) -> str:
        """'0.412 [0.380, 0.444]' with the number format that is given, '.3g' by default."""
        spec = spec or ".3g"
        return f"{self.estimate:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def units(values) -> np.ndarray:
    """A 1-D float array of finite values. Raises ValueError for an empty one, or with the place of a bad value."""
    x = np.asarray(values, float)
    if x.ndim != 1 or len(x) == 0:
        raise ValueError(f"expected one value a unit, as a non-empty 1-D array; got shape {x.shape}")
    if not np.isfinite(x).all():
        bad = int(np.flatnonzero(~np.isfinite(x))[0])
        raise ValueError(f"unit {bad} is {x[bad]}; drop it with a reason, or find out why the run gave no number")
    return x


def t_interval(values, level: float = 0.95) -> Interval:
    """Student's interval of the mean over units (Student 1908). One unit has no interval: its ends are infinite."""
    x = units(values)
    mean, n = float(x.mean()), len(x)
    if n == 1:
        return Interval(mean, -np.inf, np.inf, 1, level)
    if np.ptp(x) == 0:  # a mean and a spread of equal values would be off by a rounding
        return Interval(float(x[0]), float(x[0]), float(x[0]), n, level)
    half = float(half_width(x.std(ddof=1), n, level))
    return Interval(mean, mean - half, mean + half, n, level)


def half_width(spread, n, level: float = 0.95):
    """Half of Student's interval of the mean of n units of this standard deviation, for numbers or arrays of any one shape."""
    return scipy.special.stdtrit(n - 1, 0.5 + level / 2) * spread / np.sqrt(n)


def bootstrap(
    values, statistic: Callable = np.mean, level: float = 0.95, resamples: int = 4999, seed: int = 0
) -> Interval:
    """Bias-corrected, accelerated bootstrap interval (Efron 1987) of `statistic(x, axis)` over units."""
    x = units(values)
    estimate, n = float(statistic(x, axis=-1)), len(x)
    if n == 1:
        return Interval(estimate, -np.inf, np.inf, 1, level)
    if np.ptp(x) == 0:  # every resample is the sample; BCa would divide by zero
        return Interval(estimate, estimate, estimate, n, level)
    ci = scipy.stats.bootstrap(
        (x,), statistic, confidence_level=level, n_resamples=resamples, rng=np.random.default_rng(seed), method="BCa"
    ).confidence_interval
    return Interval(estimate, float(ci.low), float(ci.high), n, level)


def wilson(successes, level: float = 0.95) -> Interval:
    """Wilson's score interval (Wilson 1927) for the share of units that succeeded; values must be 0 or 1."""
    x = units(successes)
    if not np.isin(x, (0, 1)).all():
        raise ValueError(f"a share needs 0 or 1 for every unit; got {x[~np.isin(x, (0, 1))][0]}")
    ci = scipy.stats.binomtest(int(x.sum()), len(x)).proportion_ci(level, method="wilson")
    return Interval(float(x.mean()), float(ci.low), float(ci.high), len(x), level)


def draws(values, level: float = 0.95) -> Interval:
    """Percentile interval of bootstrap draws of an estimate (Efron 1979), 999 or more; their mean stands for the estimate.

    n is the number of draws, not of the units behind them. Raises ValueError for fewer draws: their ends are not known.
    """
    x = units(values)
    if len(x) < 999:
        raise ValueError(f"{len(x)} draws; 999 or more are needed for the ends of an interval")
    low, high = np.quantile(x, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(x.mean()), float(low), float(high), len(x), level)


def beyond(values, border: float, above: bool, kind: str = "t") -> float:
    """One-sided p that what the units estimate lies beyond a border: small when it does. kind: t, wilson, bootstrap or draws.

    t: Student's test. wilson: the score test that Wilson's interval inverts. bootstrap, draws: the share of resampled
    estimates that do not lie beyond, with one added to both counts (Davison and Hinkley 1997, §4.2).
    """
    x = units(values)
    sign = 1.0 if above else -1.0
    if kind == "wilson":
        spread = np.sqrt(border * (1 - border) / len(x))
        away = sign * (x.mean() - border)
        return float(scipy.special.ndtr(-away / spread)) if spread else float(away <= 0)
    if kind in ("bootstrap", "draws"):
        resampled = x if kind == "draws" else _means(x)
        return float((1 + (sign * (resampled - border) <= 0).sum()) / (1 + len(resampled)))
    if len(x) < 2:
        return 1.0
    same = np.ptp(x) == 0
    error = 0.0 if same else x.std(ddof=1) / np.sqrt(len(x))
    away = sign * ((x[0] if same else x.mean()) - border)
    return float(scipy.special.stdtr(len(x) - 1, -away / error)) if error else float(away <= 0)


def _means(x: np.ndarray, resamples: int = 4999, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return x[rng.integers(0, len(x), (resamples, len(x)))].mean(axis=1)


def least_visible(values, power: float = 0.8, level: float = 0.95) -> float:
    """Distance from a border at which n units of this scatter are seen to lie beyond it with a power, by normal theory:
    (t of the interval's end + t of the power) · s / √n (Cohen 1988, §2.4). Raises ValueError for fewer than two units.
    """
    x = units(values)
    if len(x) < 2:
        raise ValueError("one unit has no scatter; give two or more")
    quantiles = scipy.special.stdtrit(len(x) - 1, 0.5 + level / 2) + scipy.special.stdtrit(len(x) - 1, power)
    return float(quantiles * x.std(ddof=1) / np.sqrt(len(x)))


def exact(values, level: float = 1.0) -> Interval:
    """For a quantity that has no sampling error, such as a count of bytes: the ends are its least and greatest value."""
    x = units(values)
    return Interval(float(x.mean()), float(x.min()), float(x.max()), len(x), level)


def tost(differences, margin: float) -> float:
    """p of the two one-sided t tests (Schuirmann 1987) that the mean paired difference lies within ±margin.

    Small p: equivalent. Raises ValueError for a margin that is not positive, or for fewer than two units.
    """
    x = units(differences)
    if margin <= 0 or len(x) < 2:
        raise ValueError(f"equivalence needs a positive margin and two units or more; got margin={margin}, n={len(x)}")
    low = scipy.stats.ttest_1samp(x, -margin, alternative="greater").pvalue
    high = scipy.stats.ttest_1samp(x, margin, alternative="less").pvalue
    return float(max(low, high))


def sign_flip(differences, resamples: int = 9999, seed: int = 0) -> float:
    """Two-sided p of the paired permutation test: under no difference, each unit's sign is a coin toss (Fisher 1935)."""
    x = units(differences)
    test = scipy.stats.permutation_test(
        (x,),
        np.mean,
        permutation_type="samples",
        n_resamples=resamples,
        vectorized=False,
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def holm(p_values) -> np.ndarray:
    """Adjusted p values that keep the family-wise error rate (Holm 1979), in the order given."""
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(steps, 1)
    return out


def cohens_d(a, b) -> float:
    """Cohen's d of two groups: the difference of their means in units of the root of their mean variance (Cohen 1988, §2.3);
    NaN where a group has fewer than two units, or where neither has any spread.
    """
    a, b = units(a), units(b)
    if min(len(a), len(b)) < 2:
        return float("nan")
    spread = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    return float((a.mean() - b.mean()) / spread) if spread > 0 else float("nan")
