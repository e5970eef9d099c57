"""D6: does a missing coefficient cost what a wrong one costs, at equal weight cosine?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from helpers import frames
from helpers.dtdr.damage import Spoil
from helpers.dtdr.named import SPOILED, TRANSFORMED


@frames.kept
def by_share(rows: pd.DataFrame, corrupted: Spoil = SPOILED) -> tuple[np.ndarray, np.ndarray]:
    """Shares kept (P,), of one half at least, and loss under truncation minus loss under corruption at the cosine that
    truncation reaches there (masks, P), between rates of corruption by linear interpolation; the mean over models comes first.
    nan where corruption was not tried at such a cosine. Both are empty where one of the two was not tried.
    """
    rows = frames.shared(rows, TRANSFORMED.columns, corrupted.columns)
    cut, hit = (
        [
            frames.curve(rows, column, damage.level, mean_over=("model",), **damage.columns)
            for column in ("cosine", "nll")
        ]
        for damage in (TRANSFORMED, corrupted)
    )
    shares = cut[0][0]
    if not (len(shares) and len(hit[0][0])):
        return np.empty(0), np.empty((0, 0))
    out = []
    for at, truncated, cosine, spoiled in zip(*(values for _, values in cut + hit), strict=True):
        order = np.argsort(cosine)
        inside = (at >= cosine.min()) & (at <= cosine.max())
        out.append(np.where(inside, truncated - np.interp(at, cosine[order], spoiled[order]), np.nan))
    chosen = (shares < 1) & (shares >= 0.5)
    return shares[chosen], np.array(out)[:, chosen]


def signed(rows: pd.DataFrame) -> np.ndarray:
    """Loss under truncation minus loss under corruption at equal cosine, a value a mask: the mean over the shares where both
    were tried.
    """
    shares, found = by_share(rows)
    return np.nanmean(found, axis=1) if np.isfinite(found).any(axis=1).all() and len(shares) else np.array([])


def missing(share: float, corrupted: Spoil = SPOILED) -> Callable[[pd.DataFrame], np.ndarray]:
    """The same at one share."""

    def values(rows: pd.DataFrame) -> np.ndarray:
        shares, found = by_share(rows, corrupted)
        place = np.flatnonzero(np.isclose(shares, share, rtol=0, atol=frames.CLOSE))
        return found[:, place[0]] if len(place) and len(found) else np.array([])

    return values


def at(share: float, corrupted: Spoil = SPOILED) -> Callable[[pd.DataFrame], np.ndarray]:
    """The same at one share, in the direction of the other masks' mean."""
    return lambda rows: turned(missing(share, corrupted)(rows))


def difference(rows: pd.DataFrame) -> np.ndarray:
    """The mean over shares in the direction of the other masks' mean."""
    return turned(signed(rows))


def turned(values: np.ndarray) -> np.ndarray:
    """Values with the sign that the mean of the *others* gives them: the size of a difference with a stable sign is kept, and
    one that is all noise comes out around zero, where absolute values would not.
    """
    others = (values.sum() - values) / (len(values) - 1) if len(values) > 1 else values
    return values * np.sign(others)


def one_sign(rows: pd.DataFrame) -> np.ndarray:
    """A value a model: its mean over masks and shares, in the direction that most models' have."""
    means = [signed(own) for _, own in rows.groupby("model")]
    means = np.array([values.mean() for values in means if len(values)])
    return means * (1 if (means > 0).sum() * 2 >= len(means) else -1)
