"""One model's series after its training set was memorised, and what is read off it: its window, correlations, falls, leads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.separability.grokking import series
from helpers.separability.grokking.config import HIGH, LOW


@dataclass(frozen=True)
class Course:
    """One model from the step on at which its training set was memorised (from the start, if it never was).

    steps, accuracy (held out), amplitude (A_param), geometry (G): (T,). memorised: a step, or nan. lag: steps over which G
    compares attention with itself; until `memorised` + `lag` it still looks back to before the training set was known.
    """

    seed: int
    memorised: float
    steps: np.ndarray
    accuracy: np.ndarray
    amplitude: np.ndarray
    geometry: np.ndarray
    lag: float = 0.0

    def crossed(self, level: float) -> float:
        return series.reached(self.steps, self.accuracy, level)

    @property
    def transition(self) -> bool:
        """Whether held-out accuracy has gone from below the window to above it."""
        return bool(self.accuracy[0] < LOW and np.isfinite(self.crossed(HIGH)))

    @property
    def window(self) -> slice:
        """From the last row at or below LOW before HIGH is reached, to the first at HIGH; empty without a transition."""
        if not self.transition:
            return slice(0, 0)
        stop = int(np.argmax(self.accuracy >= HIGH))
        return slice(int(np.flatnonzero(self.accuracy[:stop] <= LOW)[-1]), stop + 1)

    @property
    def rho(self) -> tuple[float, float]:
        """Spearman's ρ of accuracy and A_param in the window: of levels, and of velocities a step."""
        at = self.window
        if at.stop - at.start < 4:
            return np.nan, np.nan
        both = [series.velocity(self.steps, x)[at] for x in (self.accuracy, self.amplitude)]
        return series.spearman(self.accuracy[at], self.amplitude[at]), series.spearman(*both)

    @property
    def beyond(self) -> tuple[float, float]:
        """p of the fall in the window, and of ρ of velocities, against the same changes of A_param at other times."""
        at = self.window
        return series.beyond(self.accuracy[at], np.diff(self.amplitude), at.start, at.stop)

    @property
    def fall(self) -> tuple[float, float]:
        """Shares of the fall of A_param, from its highest value to its last, that lie before the window and before its end."""
        if not self.transition:
            return np.nan, np.nan
        return tuple(series.fall(self.steps, self.amplitude, self.crossed(LOW), self.crossed(HIGH)))

    @property
    def rise(self) -> float:
        """G at the window's end less G at its beginning, each the mean of three rows."""
        at = self.window
        mean = lambda i: float(np.nanmean(self.geometry[max(0, i - 1) : i + 2])) if len(self.steps) else np.nan
        return mean(at.stop - 1) - mean(at.start) if self.transition else np.nan

    @property
    def lead(self) -> float:
        """ln of the step at which A_param has fallen half of its way, less ln of that at which G has risen half of its way."""
        if not self.transition:
            return np.nan
        fell, rose = series.halfway(self.steps, self.amplitude, falling=True), series.halfway(self.steps, self.geometry)
        return float(np.log(fell) - np.log(rose))

    @property
    def settled_lead(self) -> float:
        """The same with G read from the step on at which it compares attention after memorising with itself."""
        old = self.steps < self.memorised + self.lag
        return Course(**{**vars(self), "geometry": np.where(old, np.nan, self.geometry)}).lead
