"""Two series and their timing: windows, velocities, rank correlation, and nulls that keep what each series is by itself.

Any falling norm correlates with any rising accuracy. So the nulls here keep the trend and the roughness of each series and
move only the one against the other in time. All functions are pure; steps increase, series are (T,).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

ROOM = 0.05  # of a series' length: shifts that are smaller than that are hardly shifts


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


def shifts(count: int) -> np.ndarray:
    """Circular shifts of a series of that length, without those that are within ROOM of none."""
    near = max(1, round(ROOM * count))
    return np.arange(near, count - near + 1)


def beyond_velocities(accuracy: np.ndarray, amplitude: np.ndarray, inside: np.ndarray) -> float:
    """p that velocities of amplitude, shifted around in time, correlate with those of accuracy as negatively as they do.

    accuracy, amplitude: (T,) velocities of the whole run after memorising. inside: (T,) the window. Each shift moves all of
    amplitude's velocities in a circle, and ρ is taken inside the window. One is added to both counts.
    """
    rho = spearman(accuracy[inside], amplitude[inside])
    moved = np.stack([np.roll(amplitude, k)[inside] for k in shifts(len(amplitude))])  # (R, W)
    return _p(rho, spearman(accuracy[inside], moved))


def beyond_levels(accuracy: np.ndarray, amplitude: np.ndarray) -> float:
    """The same of levels (T,): amplitude's increments are moved in a circle and summed up again, so that it falls as far and
    as roughly as it did, at another time."""
    rho, change = spearman(accuracy, amplitude), np.diff(amplitude)
    moved = amplitude[0] + np.cumsum(np.stack([np.roll(change, k) for k in shifts(len(change))]), 1)  # (R, T − 1)
    return _p(rho, spearman(accuracy, np.c_[np.full(len(moved), amplitude[0]), moved]))


def unrelated(series: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, T) series with this one's spectrum and random phases (Theiler et al. 1992): as smooth, and unrelated to anything."""
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


def _p(rho: float, null: np.ndarray) -> float:
    if not np.isfinite(rho):
        return np.nan
    null = null[np.isfinite(null)]
    return (1 + int((null <= rho + 1e-12).sum())) / (1 + len(null))
