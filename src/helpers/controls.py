"""Known answers: an effect put into measured rows, or taken out of them, so that a test can be seen to fail and to pass.

The scatter over units stays as it was measured; only means are moved.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from helpers import frames
from helpers.frames import Over


def shifted(
    frame: pd.DataFrame,
    column: str,
    to: float,
    a: Mapping[str, object],
    b: Mapping[str, object] | None = None,
    over: Over = ("model", "seed"),
    **where: object,
) -> pd.DataFrame:
    """The frame with the rows `a` (within `where`) moved by one constant, so that the mean of a − b over units is `to`.

    Without b the mean of a itself becomes `to`. The frame comes back as it was where the pair was not run. `over`: what
    makes a unit, as in `frames.paired`; each value of its last column counts once, as the mean over the others.
    """
    now = (
        frames.per_seed(frame, column, over, **a, **where)
        if b is None
        else frames.paired(frame, column, a, b, over, **where)
    )
    if not len(now):
        return frame
    now = frames.each(now, list(over)[-1])
    moved = frames.rows(frame.reset_index(drop=True), **a, **where).index  # places, whatever the frame's own index is
    stays = ~np.isin(np.arange(len(frame)), moved)
    return frame.assign(**{column: frame[column].where(stays, frame[column] + (to - now.mean()))})
