"""The smaller trials of Part V, from their rows to a value a seed: the length of stage one, equal steps, rates at an edge, an
alphabet of eight, code and protein, codes that find their width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from helpers import frames
from helpers.encoding.config import PENALTIES, SPARED

READ = {"part": ("limits", "others"), "attend": True, "end": True, "arm": "learned"}  # on every corpus
SOURCES = ("pattern", "planted6", "dirichlet")
JUDGED = ("learned", "seed_ae", "trained_pca")  # arms whose differences claims name


def stages(rows: pd.DataFrame, d: int) -> dict[str, np.ndarray]:
    """log2 of how many times the learned arm's steps the two-stage arm takes to nine tenths, stage one counted, at the length
    of stage one that serves it best on average; rates chosen for speed.
    """
    out = {}
    known = frames.rows(rows, part="stages")
    for source in SOURCES if len(known) else ():
        taken = {}
        for (arm, first), own in frames.rows(known, source=source, d=d).groupby(["arm", "first"]):
            steps, shares = frames.curve(own, "share", "step")
            taken[arm, first] = np.log2([frames.crossing(steps, share, 0.9) for share in shares])
        if not taken:
            continue
        learned = next(values for (arm, _), values in taken.items() if arm == "learned")
        slower = {first: values - learned for (arm, first), values in taken.items() if arm == "seed_ae"}
        best = min(slower, key=lambda first: np.nan_to_num(slower[first].mean(), nan=np.inf))
        out |= {f"e4_best_{source}": slower[best], f"e4_stage_{source}": [best]}
    return out


def equal(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The rule task with equally many steps on the task for every arm, stage one on top: what the codes differ in."""
    known = frames.rows(rows, part="rules_equal", attend=True)
    pairs = {"e6_gap_equal": ("seed_ae", "learned"), "e6_fair_equal": ("trained_pca", "learned")}
    pairs |= {"e6_ae_random": ("seed_ae", "random")}
    return {k: _paired(known, "excess", {"arm": a}, {"arm": b}) for k, (a, b) in pairs.items()} if len(known) else {}


def edges(rows: pd.DataFrame, d: int) -> dict[str, list]:
    """How many of the arms that are compared won with the smallest or the largest learning rate that was tried."""
    if "edge" not in rows:
        return {}
    chains = frames.rows(rows, part="chains", readout="residual", source=SOURCES[1:], arm=JUDGED, d=d, seed=0)
    rules = frames.rows(rows, part="rules", attend=True, arm=(*JUDGED, "full"), seed=0)
    rules = rules[(rules["d"] == d) | (rules["arm"] == "full")]
    return {"e3_edges": [chains["edge"].sum() + rules["edge"].sum()], "e6_edges": [rules["edge"].sum()]}


def expansion(rows: pd.DataFrame) -> np.ndarray:
    """Loss of eight numbers a symbol less that of the widest code, learned both, on the alphabet of eight, in nats."""
    known = frames.rows(rows, part="letters", arm="learned", attend=True, end=True)
    return _paired(known, "loss", {"d": 8}, {"d": known["d"].max()}) if len(known) else np.empty(0)


def kept(kind: str, asked: float = 10.0) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: the share of the full width's gain that the learned code keeps on any corpus."""
    return lambda rows: frames.per_seed(rows, "kept", kind=kind, asked=asked, **READ).to_numpy()


def keeps_more(a: str, b: str) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: that share at 10 : 1 on one corpus less that on another, seed by seed."""
    one, other = ({"kind": kind, "asked": 10.0} | READ for kind in (a, b))
    return lambda rows: _paired(rows, "kept", one, other)


def gain(kind: str) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: how far the full width's loss lies below that of token frequencies, in nats."""
    where = {"part": "others", "kind": kind, "arm": "full", "attend": True, "end": True}
    return lambda rows: np.asarray(frames.per_seed(rows, "unigram", **where) - frames.per_seed(rows, "loss", **where))


def chosen(rows: pd.DataFrame, source: str, arm: str) -> pd.DataFrame:
    """The last rows of an arm that may find its width on a chain, a row a seed, at the strongest penalty that on average costs
    no more than SPARED of what can be learned against the plain code of the same width, on validation data; at the weakest
    where all cost more. The arm "learned" is that plain code.
    """
    known = frames.rows(rows, part="widths", end=True, source=source)
    if not len(known):
        return known
    known = known[known["d"] == known["d"].max()]
    most = frames.rows(known, arm="learned")["validation"].mean() + SPARED * known["learnable"].mean()
    mine = frames.rows(known, arm=arm)
    cost = mine.groupby("strength")["validation"].mean()
    within = cost.index[cost <= most]
    return frames.rows(mine, strength=float(within.max() if len(within) else cost.index.min()))


def own_width(arm: str, column: str = "used", source: str = "planted6") -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: of an arm at the strength that is `chosen`, the dimensions in use, the directions, or the excess loss."""
    return lambda rows: frames.per_seed(chosen(rows, source, arm), column).to_numpy()


def misses(arm: str, column: str = "used", rank: int = 6) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: by how much that differs from the rank that was planted."""
    return lambda rows: own_width(arm, column, f"planted{rank}")(rows) - rank


def nearest(rows: pd.DataFrame) -> np.ndarray:
    """How many more dimensions than were planted the penalised code has in use that has the fewest, seed by seed."""
    found = [misses(arm)(rows) for arm in PENALTIES]
    return np.minimum.reduce(found) if len({*map(len, found)}) == 1 else np.empty(0)


def over_plain(arm: str, source: str = "planted6") -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: the loss with the dimensions in use alone, at the strength that is chosen, less that of a plain code trained
    at the width in use, in nats, a value a seed; a line between two widths that were trained, nothing below the least."""

    def less(rows: pd.DataFrame) -> np.ndarray:
        ends, out = frames.rows(rows, part="widths", end=True, source=source, arm="learned"), []
        for seed, mine in chosen(rows, source, arm).groupby("seed"):
            plain = frames.rows(ends, seed=seed).sort_values("d")
            for used, cut in mine[["used", "cut"]].to_numpy():
                out += [cut - np.interp(used, plain["d"], plain["loss"])] if used >= plain["d"].min() else [np.nan]
        return np.array(out)

    return less


def _paired(rows: pd.DataFrame, column: str, a: Mapping[str, object], b: Mapping[str, object]) -> np.ndarray:
    """a − b, joined by seed; empty where one of the two was not run."""
    return frames.paired(rows, column, a, b, over=("seed",)).to_numpy()
