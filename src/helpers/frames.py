"""An algebra of tidy frames: rows by condition, one value a unit, differences in pairs, curves, and where a curve crosses.

Rows are chosen by `where`, column by column: a value is compared (floats to a billionth), a tuple, list, set or array means
"one of these". A unit is what a claim speaks of, the seed by default; a unit that occurs twice is an error, never a mean.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps

import numpy as np
import pandas as pd

Over = Sequence[str]
CLOSE = 1e-9  # two levels that differ by less are the same one


def kept(read: Callable[..., object]) -> Callable[..., object]:
    """A pure function of a frame that remembers what it found in the last few frames: a chapter asks for a dozen quantities by
    name, and each reading computes all of its kind. A frame is never changed in place, and so is told by its identity."""
    known: deque = deque(maxlen=4)

    @wraps(read)
    def ask(frame: pd.DataFrame, *args: object, **how: object) -> object:
        key = (args, tuple(sorted(how.items())))
        for place, asked, found in known:
            if place() is frame and asked == key:
                return dict(found) if isinstance(found, dict) else found
        found = read(frame, *args, **how)
        known.append((weakref.ref(frame), key, found))
        return dict(found) if isinstance(found, dict) else found

    return ask


def rows(frame: pd.DataFrame, **where: object) -> pd.DataFrame:
    """The rows whose columns hold these values. A column that the frame lacks holds nothing: no row is chosen."""
    return frame.iloc[_places(frame, where)]


def per_seed(frame: pd.DataFrame, column: str, over: Over = ("seed",), **where: object) -> pd.Series:
    """One value a unit, indexed by `over` and sorted; empty where no row is chosen.

    Raises ValueError when a unit has two values: choose rows until each has one, or name another unit in `over`.
    """
    return _per_seed(frame, column, list(over), _places(frame, where))


def paired(
    frame: pd.DataFrame,
    column: str,
    a: Mapping[str, object],
    b: Mapping[str, object],
    over: Over = ("model", "seed"),
    **where: object,
) -> pd.Series:
    """a − b, a value for each unit that has a row in both, indexed by `over`; empty where one of them was not run.

    A unit whose row holds no value stays, without one: what could not be measured is not the same as what was not run.
    """
    chosen = _places(frame, where)
    left, right = (_per_seed(frame, column, list(over), _places(frame, side, chosen)) for side in (a, b))
    both = left.index.intersection(right.index)
    return left[both] - right[both]


def each(values: pd.Series, unit: str = "seed") -> pd.Series:
    """The mean over everything but one level of the index: a value a unit. nan where one of a unit's values is missing."""
    if values.index.nlevels == 1:
        return values
    return values.groupby(level=unit).mean(skipna=False)


def shared(frame: pd.DataFrame, *sides: Mapping[str, object], unit: str = "seed") -> pd.DataFrame:
    """The rows of those units that have a row of every side: what is then read unit by unit, of each side, goes together."""
    units = [set(frame[unit].iloc[_places(frame, side)]) for side in sides]
    return frame[frame[unit].isin(set.intersection(*units))]


def curve(
    frame: pd.DataFrame,
    column: str,
    by: str,
    over: Over = ("seed",),
    mean_over: Over = (),
    **where: object,
) -> tuple[np.ndarray, np.ndarray]:
    """x (P,) and values (S, P): a column along `by`, a row a unit; nan where a unit has no value at an x.

    mean_over: columns whose values are averaged within a unit, such as ("model",) for a mask that was tried on several
    models. Raises ValueError when a unit has two values at one x beyond that.
    """
    found = _places(frame, where)
    if not len(found) or by not in frame or not (valued := frame[by].iloc[found].notna().to_numpy()).any():
        return np.empty(0), np.empty((0, 0))
    cells = [*over, by, *mean_over]
    chosen = _columns(frame, [*cells, column], found[valued])
    if chosen.duplicated(cells).any():
        first = chosen[chosen.duplicated(cells)].iloc[0]
        raise ValueError(
            f"{column}: {', '.join(f'{k}={first[k]}' for k in cells)} stands there twice; choose fewer rows, or average "
            "over what differs (mean_over)"
        )
    table = chosen.groupby([*over, by], dropna=False)[column].mean(skipna=False).unstack(by)
    return table.columns.to_numpy(float), table.to_numpy(float)


def last(frame: pd.DataFrame, by: Over) -> pd.DataFrame:
    """The row with the largest step of every group; of the columns in `by`, those that the frame has."""
    keys = [k for k in by if k in frame]
    ordered = frame.sort_values("step", kind="stable")
    return ordered[~ordered.duplicated(keys, keep="last")].sort_index()


def crossing(x: Sequence[float], y: Sequence[float], level: float, *, monotone: bool = False) -> float:
    """The smallest x at which y reaches `level`, between points by linear interpolation; nan when it never does.

    x: (P,), increasing. y: (P,), points without a value are left out. monotone: the curve is first replaced by the rising
    one that is nearest in least squares (isotonic regression). Raises ValueError for x that does not increase.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1 or (np.diff(x) <= 0).any():
        raise ValueError(f"expected increasing x and a y for each; got {x.tolist()} and {len(y)} values")
    x, y = x[~np.isnan(y)], y[~np.isnan(y)]
    if monotone and len(y):
        from scipy.optimize import isotonic_regression

        y = isotonic_regression(y).x
    reached = np.flatnonzero(y >= level)
    if not len(reached):
        return float("nan")
    i = int(reached[0])
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (level - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1]))


def _places(frame: pd.DataFrame, where: Mapping[str, object], among: np.ndarray | None = None) -> np.ndarray:
    """Where the rows stand that `rows` chooses, of all or of those at some places."""
    if set(where) - set(frame.columns):
        return np.arange(0)
    chosen = np.arange(len(frame)) if among is None else among
    for column in sorted(where, key=lambda c: isinstance(where[c], str)):  # words last: they take longest to compare
        wanted, values = where[column], frame[column]
        several = isinstance(wanted, Iterable) and not isinstance(wanted, (str, bytes))
        same = [_same(values, value, chosen) for value in (wanted if several else [wanted])]
        chosen = chosen[np.logical_or.reduce(same)] if same else chosen[:0]
    return chosen


def _columns(frame: pd.DataFrame, names: Sequence[str], places: np.ndarray) -> pd.DataFrame:
    """Some columns of the rows at some places: a frame of records has dozens, and all would be copied."""
    return pd.DataFrame({name: frame[name].array[places] for name in names})


def _per_seed(frame: pd.DataFrame, column: str, over: list[str], places: np.ndarray) -> pd.Series:
    if not len(places):
        several = len(over) > 1
        index = pd.MultiIndex.from_arrays([[]] * len(over), names=over) if several else pd.Index([], name=over[0])
        return pd.Series(dtype=float, name=column, index=index)
    chosen = _columns(frame, [*over, column], places)
    twice = chosen.duplicated(over)
    if twice.any():
        unit = ", ".join(f"{k}={chosen[k][twice].iloc[0]}" for k in over)
        raise ValueError(f"{column}: {unit} stands there twice; choose fewer rows, or name what differs in `over`")
    return chosen.set_index(over if len(over) > 1 else over[0])[column].sort_index().astype(float)


def _same(column: pd.Series, value: object, places: np.ndarray) -> np.ndarray:
    """Which of a column's values at some places are this one."""
    kind = column.dtype.kind if isinstance(column.dtype, np.dtype) else ""
    if kind in ("i", "u", "f", "b") and isinstance(value, (int, float, np.number, np.bool)):
        found = column.to_numpy()[places]
        close = kind != "b" and isinstance(value, (float, np.floating))
        return np.isclose(found, value, rtol=0, atol=CLOSE) if close else found == value
    if isinstance(column.dtype, pd.StringDtype) and isinstance(value, str):
        found = column.array[places] == value
        return found if isinstance(found, np.ndarray) else found.to_numpy(bool, na_value=False)
    found = column.iloc[places]
    if isinstance(value, (float, np.floating)) and pd.api.types.is_numeric_dtype(found):
        return np.isclose(found.to_numpy(float), value, rtol=0, atol=CLOSE)
    return (found == value).fillna(False).to_numpy(bool)
