"""Two series and their timing: windows, velocities, rank correlation, and nulls that keep what each series is by itself.

Any falling norm correlates with any rising accuracy. So the nulls here keep the trend and the roughness of each series and
move only the one against the other in time. All functions are pure; steps increase, series are (T,).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def reached(steps: np.ndarray, series: np.ndarray, level: float) -> float:
    """The first step at which the series is at or above a level; nan when it never is."""
    at = np.flatnonzero(np.asarray(series) >= level)
    return float(steps[at[0]]) if len(at) else np.nan


def window(accuracy: np.ndarray, low: float, high: float) -> np.ndarray:
    """(T,) the document's window: where low < accuracy < high."""
    accuracy = np.asarray(accuracy, float)
    return (accuracy > low) & (accuracy < high)


def velocity(steps: np.ndarray, series: np.ndarray) -> np.ndarray:
    """(T,) change a step, by central differences that know how far apart the steps are."""
    return np.gradient(np.asarray(series, float), np.asarray(steps, float))


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray | float:
    """Rank correlation (Spearman 1904) of x (T,) with y (T,) or with each row of y (R, T); nan where one of them is constant
    or T < 3."""
    y = np.asarray(y, float)
    if y.shape[-1] < 3:
        return np.nan if y.ndim == 1 else np.full(len(y), np.nan)
    a, b = (rankdata(v, axis=-1) - (y.shape[-1] + 1) / 2 for v in (np.asarray(x, float), y))
    size = np.sqrt((a**2).sum() * (b**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = np.where(size > 0, (b @ a) / size, np.nan)
    return float(rho) if rho.ndim == 0 else rho


def beyond(accuracy: np.ndarray, change: np.ndarray, start: int, stop: int) -> tuple[float, float]:
    """Two p that amplitude, had its changes come at another time, would fall as far inside the window, and would go with
    accuracy there as negatively: of the fall, and of ρ of velocities.

    accuracy: (W,) levels in the window, rows start … stop − 1 of a run. change: (T,) amplitude's changes from each row of the
    run to the next, all of them moved in a circle by every shift, the small ones too, for a test by shifts is exact over the
    whole set alone; so a trend stays a trend. ρ of levels would be blind
    here, for it is −1 of every steady fall. One is added to both counts (Davison and Hinkley 1997, §4.2). nan for fewer than
    four rows.
    """
    if stop - start < 4 or len(change) < 20:
        return np.nan, np.nan
    shifts = np.arange(len(change))[:, None]
    moved = change[(np.arange(start, stop - 1) - shifts) % len(change)]  # (1 + R, W − 1), unmoved first
    falls, rho = moved.sum(1), spearman(np.diff(accuracy), moved)
    return _p(falls[0], falls[1:]), _p(rho[0], rho[1:])


def unrelated(series: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, T) series with this one's spectrum and random phases (Theiler et al. 1992): as smooth, related to nothing."""
    amplitude = np.abs(np.fft.rfft(series - np.mean(series)))
    phase = np.exp(2j * np.pi * rng.random((count, len(amplitude))))
    return np.fft.irfft(amplitude * phase, n=len(series), axis=-1) + np.mean(series)


def halfway(steps: np.ndarray, series: np.ndarray, falling: bool = False) -> float:
    """The step at which a series has gone half of the way from its lowest value to its last (falling: from its highest);
    nan where it does not go that way."""
    y = -np.asarray(series, float) if falling else np.asarray(series, float)
    if not np.isfinite(y).any():
        return np.nan
    start = int(np.nanargmin(y))
    way = y[-1] - y[start]
    if not way > 0:
        return np.nan
    return reached(np.asarray(steps)[start:], y[start:], y[start] + way / 2)


def fall(steps: np.ndarray, series: np.ndarray, *until: float) -> list[float]:
    """Shares of a series' fall from its highest value to its last that lie behind it at each step of `until`: below 0 where it
    has not peaked by then; nan where it does not fall or a step is nan."""
    y, top = np.asarray(series, float), int(np.argmax(series))
    way = y[top] - y[-1]
    if not way > 0:
        return [np.nan] * len(until)
    value = lambda step: float(np.interp(step, steps, y)) if step >= steps[top] else y[top]
    return [(y[top] - value(step)) / way if np.isfinite(step) else np.nan for step in until]


def _p(found: float, null: np.ndarray) -> float:
    if not np.isfinite(found):
        return np.nan
    null = null[np.isfinite(null)]
    return (1 + int((null <= found + 1e-12).sum())) / (1 + len(null))
