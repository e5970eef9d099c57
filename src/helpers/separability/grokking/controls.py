"""Could the tests of S9, S10 and S15 have said otherwise? Their rows with an effect put in, and with its opposite.

Accuracy and the steps stay as they were measured; only amplitude, geometry and, for S10, the free arm's accuracy are replaced.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from helpers import devices, frames
from helpers.separability.grokking import quantities, series
from helpers.separability.grokking.quantities import DECAYING, FREE, Course, Quantities

PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "S9": (
        "A_param falls as held-out accuracy rises, by as much as it falls in all",
        "it falls at once, and then rises with it",
    ),
    "S10": (
        "without decay A_param stays where it was and held-out accuracy at its lowest",
        "A_param halves and accuracy reaches 1",
    ),
    "S15": (
        "G rises with accuracy from 0.5 to 0.9, and A_param falls by half at the end",
        "G falls from 0.9 to 0.5, and late",
    ),
}
NOISE = 0.002  # of a planted series' range
Change = Callable[[Course], dict[str, np.ndarray]]


def planted(rows: pd.DataFrame) -> dict[str, tuple[Quantities, Quantities]]:
    """{claim: (quantities with its effect planted, quantities with it taken out)}; empty unless some seed has a transition."""
    if not any(run.transition for run in quantities.runs(rows, DECAYING)):
        return {}
    changed = lambda arm, change: _changed(rows, arm, change)
    moves = lambda rows: quantities.transition(quantities.runs(rows, DECAYING))
    settles = lambda rows: quantities.geometry(quantities.runs(rows, DECAYING))
    waits = lambda rows: quantities.without(*(quantities.runs(rows, arm) for arm in (DECAYING, FREE)))
    return {
        "S9": tuple(moves(changed(DECAYING, lambda run, sign=sign: _amplitude(run, sign))) for sign in (-1, 1)),
        "S10": tuple(waits(changed(FREE, lambda run, kept=kept: _free(run, kept))) for kept in (1.0, 0.5)),
        "S15": tuple(
            settles(changed(DECAYING, lambda run, early=early: _geometry(run, early))) for early in (True, False)
        ),
    }


def _amplitude(run: Course, sign: int) -> dict[str, np.ndarray]:
    """A_param goes against accuracy, or falls at once and then goes with it, with a little noise of its own."""
    size, high = float(np.ptp(run.amplitude)) or 1.0, run.amplitude.max()
    smooth = high + sign * size * run.accuracy + NOISE * size * _noise(run)
    if sign > 0:
        smooth[0] = smooth.max() + size
    return {"A_param": smooth}


def _free(run: Course, kept: float) -> dict[str, np.ndarray]:
    """A_param goes straight from its first value to a share of it; accuracy stays, or rises to one meanwhile."""
    share = np.interp(np.arange(len(run.steps)), [0, len(run.steps) / 10], [1.0, kept])
    level = np.full(len(run.steps), run.accuracy.min()) if kept == 1 else np.interp(share, [kept, 1.0], [1.0, 0.0])
    return {"A_param": run.amplitude[0] * share, "psi_accuracy": np.minimum(level, 1.0 if kept < 1 else 0.4)}


def _geometry(run: Course, early: bool) -> dict[str, np.ndarray]:
    """G rises with accuracy and A_param falls at twice the step of the transition; or A_param falls at once and G falls with
    accuracy, to come back at the very end."""
    when = 2 * run.crossed(0.5) if run.transition else run.steps[-1]
    size, last = 0.5 * run.amplitude.max(), run.steps >= run.steps[-2]
    fallen = (run.steps >= min(when, run.steps[-2])) if early else (run.steps > run.steps[0])
    geometry = 0.5 + 0.4 * run.accuracy if early else np.where(last, 0.95, 0.9 - 0.4 * run.accuracy)
    return {"G_stability": geometry, "A_param": 2 * size - size * fallen}


def _noise(run: Course) -> np.ndarray:
    changes = np.diff(run.amplitude, prepend=run.amplitude[0])
    unrelated = series.unrelated(changes, devices.numpy_rng("noise", run.seed), 1)[0]
    return unrelated / (unrelated.std() or 1.0)


def _changed(rows: pd.DataFrame, arm: str, change: Change) -> pd.DataFrame:
    """The frame with some columns of an arm's rows replaced, from the step at which the training set was memorised on."""
    out = rows.copy()
    chosen = frames.rows(out, part="addition", arm=arm)
    for run in quantities.runs(rows, arm):
        mine = chosen[(chosen["seed"] == run.seed) & (chosen["step"] >= run.steps[0])].sort_values("step").index
        for column, values in change(run).items():
            out.loc[mine, column] = values
    return out
