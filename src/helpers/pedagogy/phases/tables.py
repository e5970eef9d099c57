"""The chapter's tables: means over seeds, of the sides they are given, and what the generators draw."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from helpers import frames
from helpers.pedagogy import pictures
from helpers.pedagogy.arms import MEASURES
from helpers.pedagogy.phases.figures import PLACES
from helpers.study import Sides

CONTROLS = tuple(name for name in MEASURES if name != "both digits, trained pairs")


def controls(sides: Sides) -> pd.DataFrame:
    """A row an arm and moment: the task, and what else would pass for it."""
    rows = frames.rows(sides.this, part="composition")
    return _table(rows, {name: (c, {"variant": v, "pairs": p}) for name in CONTROLS for c, v, p in (MEASURES[name],)})


def drawn(sides: Sides, requests: str) -> pd.DataFrame:
    """A row an arm and moment: what it draws for held-out pairs, of one seed. requests: the pairs, in words."""
    rows = frames.rows(sides.this, part="pages")
    found = []
    for (arm, at), place in PLACES.items():
        mine = frames.rows(rows, arm=arm, at=at)
        if len(mine):
            told = f"{place}, asked for {requests}"
            found.append({"generator": place, f"asked for {requests}": pictures.shown(mine["png"].iloc[0], told)})
    return pd.DataFrame(found)


def _table(rows: pd.DataFrame, columns: Mapping[str, tuple[str, Mapping[str, str]]]) -> pd.DataFrame:
    found = []
    for (arm, at), place in PLACES.items():
        mine = frames.rows(rows, arm=arm, at=at)
        if len(mine):
            values = {name: float(frames.rows(mine, **where)[c].mean()) for name, (c, where) in columns.items()}
            found.append({"generator": place} | values)
    return pd.DataFrame(found)
