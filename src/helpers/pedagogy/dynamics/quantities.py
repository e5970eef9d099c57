"""From a tidy frame to the quantities that the claims name: one value a seed. Nothing is drawn here, but for the
scatter of planted answers, from seeds of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import numpy as np
import pandas as pd

from helpers import frames
from helpers.pedagogy.dynamics import printed
from helpers.pedagogy.dynamics.config import PRINTED_LOOKS, TERMS, THIRDS

OVER = ("seed",)
READ = ("part", "arm", "seed", "step", "steps")
DIMENSION, COUNT = "mackay", "count"  # within classes
WIRED, LIGHT, CODED = "wired", "wired, light", "coded"
RIVALS = ("cGAN", "AC-GAN")
RIVAL = RIVALS[0]  # the document's adversary
BEGIN = 1 / PRINTED_LOOKS  # share of training at which the document looks for the first time
AFTER = 1 / 6  # share of training before which no break is looked for: there everything moves
DRIFT = {DIMENSION: 0.2, COUNT: 1.0}  # that a test of stability must find
FEWEST = 8  # placebos, of all seeds together
BREAK = 0.1  # share of the dimension by which a planted break moves it
CEILING = 0.95  # joint accuracy above which two arms cannot be told apart
LEVEL = 95  # percentile of the placebo breaks
TOLD = (  # what the prose tells
    "t1_wired_drop", "t1_wired_drop_minus_light", "t1_coded_drop", "t1_coded_schedule_minus_constant",
    "t2_wired_count_drop", "t4_cgan_minus_wired", "t4_variety", "t4b_variety", "t5_count_difference", "t6_no_break",
    "t6_planted_break_found", "t7_joint_minus_acgan", "t7_joint_minus_cgan", "t1b_wired_drop", "t1b_drop_minus_coded",
    "t1b_drop_minus_cgan", "t2b_wired_count_drop", "t4_one_body", "t5_one_body", "t6_change", "t7_alone_minus_acgan",
    "t7_alone_minus_cgan", "t9_fitted_fall", "t9_printed_fall",
)  # fmt: skip
BESIDE = {  # told and not judged
    "t1_coded_drop", "t4_one_body", "t5_one_body", "t6_change", "t7_alone_minus_acgan", "t7_alone_minus_cgan",
    "t7_joint_alone", "t7_joint_coded", "t9_fitted_fall", "t9_printed_fall",
}  # fmt: skip
Quantities = dict[str, Sequence[float]]


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with what follows from it. excess: the document's count less that of a Gaussian cloud of the same
    dimension."""
    return rows.assign(excess=rows["count"] - rows["expected"]) if "expected" in rows else rows


def series(rows: pd.DataFrame, arm: str, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps (T,) and a column (S, T) of one arm, a row a seed; empty where it was not run."""
    return frames.curve(rows, column, "step", OVER, part="dynamics", arm=arm)


def at(rows: pd.DataFrame, arm: str, column: str, share: float) -> pd.Series:
    """A column at a share of training, seed by seed."""
    own = frames.rows(rows, part="dynamics", arm=arm)
    return (
        frames.per_seed(own, column, step=round(share * float(own["steps"].iloc[0])))
        if len(own)
        else pd.Series(dtype=float)
    )


def late(rows: pd.DataFrame, arm: str, column: str) -> pd.Series:
    """The mean of a column over all looks from T/3 on, seed by seed; nan where one of them has no value."""
    own = frames.rows(rows, part="dynamics", arm=arm)
    if not len(own):
        return pd.Series(dtype=float)
    own = own[own["step"] >= THIRDS[0] * own["steps"] - 1]
    return own.groupby("seed")[column].agg(lambda values: values.mean(skipna=False))


def less(a: pd.Series, b: pd.Series) -> pd.Series:
    """a − b, for the seeds that both have; without a value where one of the two was measured and has none."""
    both = a.index.intersection(b.index)
    return a[both] - b[both]


def judged(rows: pd.DataFrame) -> Quantities:
    """Quantities of `training_dynamics` (T1 to T7 and T9), printed and precise. Those whose rows are missing are left
    out."""
    return {k: v for k, v in everything(rows).items() if k not in BESIDE}


@frames.kept
def everything(rows: pd.DataFrame) -> Quantities:
    """The judged quantities, and those that are told beside them."""
    every = (levels, stability, breaks, composition, instrument, printed.quantities)
    found = {name: values for part in every for name, values in part(rows).items()}
    return {k: np.asarray(v, float) for k, v in found.items() if len(v)}


def levels(rows: pd.DataFrame, of: str = "t") -> Quantities:
    """T1, T2, T4, T5, T9: what is read at T/3 and at T, and means from T/3 on; T1b and T2b, from the document's first
    look on. of: how the names of those that are wanted begin."""
    rows = frames.rows(rows, part="dynamics")
    rows = rows[[c for c in (*READ, DIMENSION, COUNT, "excess", "feature_variance") if c in rows]]
    first, last = THIRDS[0], 1.0
    arms = {arm: frames.rows(rows, arm=arm) for arm in (WIRED, LIGHT, CODED, "coded, constant", *RIVALS)}
    look = cache(lambda arm, column, share: at(arms[arm], arm, column, share))
    mean = cache(lambda arm, column: late(arms[arm], arm, column))
    drop = lambda arm, since=0.0: 1 - look(arm, DIMENSION, first) / look(arm, DIMENSION, since)
    fall = lambda column, since=0.0: less(look(WIRED, column, since), look(WIRED, column, first))
    later = lambda arm: less(look(arm, COUNT, first), look(arm, COUNT, last))
    apart = lambda arm, column: less(mean(arm, column), mean(WIRED, column))
    found = {
        "t1_wired_drop": lambda: drop(WIRED),
        "t1_wired_drop_minus_light": lambda: less(drop(WIRED), drop(LIGHT)),
        "t1_coded_drop": lambda: drop(CODED),
        "t1_coded_schedule_minus_constant": lambda: less(drop(CODED), drop("coded, constant")),
        "t1_wired_variance": lambda: look(WIRED, "feature_variance", first),
        "t1b_wired_drop": lambda: drop(WIRED, BEGIN),
        "t1b_drop_minus_coded": lambda: less(drop(WIRED, BEGIN), drop(CODED, BEGIN)),
        "t1b_drop_minus_cgan": lambda: less(drop(WIRED, BEGIN), drop(RIVAL, BEGIN)),
        "t2_wired_count_drop": lambda: fall(COUNT),
        "t2_drop_beyond_dimension": lambda: fall("excess"),
        "t2b_wired_count_drop": lambda: fall(COUNT, BEGIN),
        "t2b_drop_beyond_dimension": lambda: fall("excess", BEGIN),
        "t4_cgan_minus_wired": lambda: apart("cGAN", DIMENSION),
        "t4_acgan_minus_wired": lambda: apart("AC-GAN", DIMENSION),
        "t5_count_difference": lambda: apart(RIVAL, COUNT),
        "t5_excess_difference": lambda: apart(RIVAL, "excess"),
        "t9_count_fall": lambda: later(WIRED),
        "t9_fall_minus_adversarial": lambda: less(later(WIRED), later(RIVAL)),
    }
    spread = lambda some: [s for s in (mean(arm, "feature_variance") for arm in (WIRED, *some)) if len(s)]
    least = lambda some: pd.concat(spread(some), axis=1).min(axis=1)
    for name, some in (("t4_least_diversity", RIVALS), ("t4_variety", RIVALS[:1]), ("t4b_variety", RIVALS[1:])):
        found |= {name: partial(least, some)} if name.startswith(of) and spread(some) else {}
    return {k: make().to_numpy() for k, make in found.items() if k.startswith(of)}


def stability(rows: pd.DataFrame) -> Quantities:
    """T3: the fitted change of the wired arm from T/3 to T, of the dimension over its fitted value at T/3; the seeds in
    which a drift that is added to what was measured, up or down, gives a change of more than half of it, which its earlier
    criterion asks for; and two that are told: the fitted fall of the count, and the rival's change of dimension."""
    out, seen = {}, []
    for name, column in (("t3_dimension_change", DIMENSION), ("t3_count_change", COUNT)):
        x, y = after(rows, WIRED, column, THIRDS[0])
        if not len(y):
            return {}
        relative, size = column == DIMENSION, DRIFT[column]
        out[name] = changes(x, y, relative=relative)
        for sign in (1, -1):
            drifted = changes(x, y + drift(x, y, sign * size, relative=relative), relative=relative)
            seen.append(sign * drifted > size / 2)
    x, y = after(rows, RIVAL, DIMENSION, THIRDS[0])
    told = {"t6_change": changes(x, y, relative=True)} if len(y) else {}
    told["t9_fitted_fall"] = -out["t3_count_change"]
    return out | told | {"t3_planted_drift_found": np.all(seen, axis=0).astype(float)}


def changes(x: np.ndarray, y: np.ndarray, *, relative: bool) -> np.ndarray:
    """(S,) fitted change of y (S, T) over all of x, by least squares; relative: over the fitted first value."""
    slope, start = np.polyfit(x - x[0], y.T, 1)
    return slope * (x[-1] - x[0]) / (start if relative else 1.0)


def drift(x: np.ndarray, y: np.ndarray, size: float, *, relative: bool) -> np.ndarray:
    """(S, T) straight lines from zero to `size`; relative: of each course's fitted first value."""
    start = np.polyfit(x - x[0], y.T, 1)[1] if relative else np.ones(len(y))
    return size * start[:, None] * (x - x[0]) / (x[-1] - x[0])


def breaks(rows: pd.DataFrame) -> Quantities:
    """T6: seeds of the adversarial arm whose break at T/3 and 2T/3 is no larger than 95 of 100 placebos, of all seeds
    together; and seeds in which it is larger when a tenth is added to the dimension after T/3."""
    x, y = course(rows)
    if not len(y) or np.isnan(y).any():
        return {}
    own, placebos = zip(*(pairs(x, one) for one in y), strict=True)
    if np.size(placebos) < FEWEST:
        return {}
    most = np.percentile(placebos, LEVEL)
    step = np.where(x > x[-1] * THIRDS[0] + 1, 1 + BREAK, 1.0)
    planted = np.array([pairs(x, one * step)[0] for one in y])
    return {
        "t6_no_break": (np.array(own) <= most).astype(float),
        "t6_planted_break_found": (planted > most).astype(float),
    }


def course(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Steps and the rival's dimension (S, T) on the even grid of looks, from AFTER on."""
    own = frames.rows(rows, part="dynamics", arm=RIVAL)
    if not len(own):
        return np.empty(0), np.empty((0, 0))
    steps, looks = float(own["steps"].iloc[0]), int(own["looks"].iloc[0])
    grid = [round(i * steps / looks) for i in range(1, looks + 1)]
    return after(frames.rows(own, step=grid), RIVAL, DIMENSION, AFTER)


def pairs(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The larger break of y (T,) at a third and at two thirds of x, and that of all other pairs of places as far apart,
    none where the course is too short. It is a ratio, so that those of several courses can be put together."""
    width = max(3, len(x) // 8)
    places = [int(np.searchsorted(x, x[-1] * share + 1)) for share in THIRDS]
    apart = places[1] - places[0]
    pair = lambda b: max(splits(x, y, b, width), splits(x, y, b + apart, width))
    if places[0] < width or places[1] > len(x) - width:
        return float("nan"), np.empty(0)
    others = [b for b in range(width, len(x) - width - apart + 1) if abs(b - places[0]) > 1]
    return pair(places[0]), np.array([pair(b) for b in others])


def splits(x: np.ndarray, y: np.ndarray, place: int, width: int) -> float:
    """How much better two lines fit y, `width` points to either side of a place, than one: (RSS₁ − RSS₂) / RSS₂."""
    one = _rest(x, y, slice(place - width, place + width))
    two = _rest(x, y, slice(place - width, place)) + _rest(x, y, slice(place, place + width))
    return (one - two) / max(two, 1e-12 * float(y @ y))


def _rest(x: np.ndarray, y: np.ndarray, of: slice) -> float:
    """The sum of squares that a straight line leaves of y."""
    x, y = x[of] - x[of].mean(), y[of] - y[of].mean()
    return max(float(y @ y - (x @ y) ** 2 / (x @ x)), 0.0)


def composition(rows: pd.DataFrame) -> Quantities:
    """T7 and T7b: on held-out pairs, with the document's splitter; those that are `alone`, without one."""
    rows = frames.rows(rows, part="composition", pairs="held")
    of = lambda arm, column, variant="splitter": frames.per_seed(rows, column, arm=arm, variant=variant)
    joint, alone = lambda arm: of(arm, "joint"), lambda arm: of(arm, "joint", "none")
    best = pd.concat([joint(arm) for arm in RIVALS], axis=1).max(axis=1)
    both = best.index.intersection(joint(WIRED).index)
    found = {
        "t7_relation_pedagogical": of(CODED, "relation"),
        "t7_relation_adversarial": of("AC-GAN", "relation"),
        "t7_joint_minus_acgan": less(joint(WIRED), joint("AC-GAN")),
        "t7_joint_minus_cgan": less(joint(WIRED), joint("cGAN")),
        "t7b_joint_acgan": joint("AC-GAN"),
        "t7b_joint_cgan": joint("cGAN"),
        "t7_joint_coded": joint(CODED),
        "t7_joint_alone": alone(WIRED),
        "t7_alone_minus_acgan": less(alone(WIRED), alone("AC-GAN")),
        "t7_alone_minus_cgan": less(alone(WIRED), alone("cGAN")),
        "t7_random_relation": of("untrained", "relation"),
        "t7_random_joint": joint("untrained"),
        "t7_swapped_joint": of(WIRED, "joint", "swapped"),
        "t7_at_ceiling": (np.minimum(best[both], joint(WIRED)[both]) > CEILING).astype(float),
    }
    return {k: v.to_numpy() for k, v in found.items()}


def instrument(rows: pd.DataFrame) -> Quantities:
    """Planted answers that the instruments must tell apart, as shares of draws."""
    found = frames.rows(rows, part="instrument")
    names = {"t_dimension_order": "dimension_order", "t2_ring_found": "ring_found", "t2_ball_clean": "ball_clean"}
    names |= {"t7_scorers": "scorers", "t_dimension_order_high": "dimension_order_high"}
    return {k: found[column].to_numpy(float) for k, column in names.items() if column in found} if len(found) else {}


def known(both: Mapping[str, pd.DataFrame]) -> Callable[[str], Callable[[pd.DataFrame], Sequence[float]]]:
    """`named`, for the frames of some sides (`Sides.both`), each of which is measured once."""
    found = {id(rows): everything(rows) for rows in both.values() if len(rows)}
    return lambda name: lambda rows: found.get(id(rows), {}).get(name, [])


def named(name: str) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity by the name that the claims use."""
    return lambda rows: everything(rows).get(name, [])


def measured(arm: str, column: str, share: float) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity: a column of one arm at a share of training."""
    return lambda rows: at(rows, arm, column, share).to_numpy()


def pull(rows: pd.DataFrame) -> list[float]:
    """A quantity: how many times as hard the judge's grounding pulls at the middle layers, at the start, as alignment."""
    norms = frames.rows(rows, part="audit")
    of = lambda term: norms[norms["term"] == TERMS[term]]["middle layers"].to_numpy(float)
    return (of("judge") / of("align")).tolist() if len(norms) else []


def real(column: str) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity: a column of real images."""
    return lambda rows: frames.per_seed(rows, column, part="dynamics", arm="real").to_numpy()


def after(rows: pd.DataFrame, arm: str, column: str, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps from a share of training on, and an arm's column there (S, T)."""
    x, y = series(rows, arm, column)
    late = x >= share * x[-1] - 1 if len(x) else np.zeros(0, bool)
    return x[late], y[:, late]
