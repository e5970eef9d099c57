"""The ablations' quantities: the smallest K, what the two texts share, paraphrases, tiers, and where solutions lie. Pure."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from helpers import frames

LARGEST = 64  # vectors of the sweep
BLOCK = 20  # pairs of one block, where a quantity needs several
KINDS = ("matched", "shuffled", "random", "repeat")  # of pairs whose answer follows from the question
TIERS = ("extractive", "knowledge", "arithmetic", "sudoku", "arc")  # as the document orders them
LOGS = tuple(f"m6_known_{pair}" for pair in ("matched_minus_shuffled", "random_minus_matched", "repeat_minus_matched"))
PLACES = (
    "m9_cosine_within_minus_between",
    "m9_nearest_token",
    "m9_barrier",
    "m9_barrier_near_start",
    "m9_barrier_other_pair",
)
NONE = pd.Series(dtype=float)


def sweep(rows: pd.DataFrame) -> dict[str, pd.Series | list[float]]:
    """Shares at every K of the sweep, and slopes of log2 K on log2 bits in blocks of pairs: over all pairs, and within the
    families of questions, each measured from its own mean."""
    matched = {"part": "sweep", "kind": "matched"}
    tried = frames.rows(rows, **matched)
    out = {f"m5_share_{k:g}": frames.per_seed(rows, "exact", k=k, **matched) for k in sorted(tried["k"].unique())}
    needed, base = smallest(rows, "matched"), frames.rows(rows, part="baseline").set_index("seed")
    if not len(base) or not len(needed):
        return out
    both = pd.DataFrame(
        {"k": needed, "bits": np.log2(base[["bits_q", "bits_a"]].sum(axis=1)), "family": base["family"]}
    )
    both = both.dropna()
    centred = both[["k", "bits"]] - both.groupby("family")[["k", "bits"]].transform("mean")
    for name, table in (("m5_slope_block", both), ("m5_slope_within_block", centred)):
        parts = [part for _, part in table.groupby(table.index // BLOCK) if len(part) == BLOCK]
        slopes = [slope(part["bits"], part["k"]) for part in parts]
        out[name] = [v for v in slopes if np.isfinite(v)]
    return out


def sharing(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Differences of log2 K within pairs whose answer follows from the question."""
    needed, out = {kind: smallest(rows, kind, "known") for kind in KINDS}, {}
    for a, b in (("matched", "shuffled"), ("random", "matched"), ("repeat", "matched")):
        there = len(needed[a]) and len(needed[b])
        out[f"m6_known_{a}_minus_{b}"] = (needed[a] - needed[b]).dropna() if there else NONE
    family = frames.rows(rows, part="known", kind="matched").groupby("seed")["family"].first()
    for name in LOGS:
        for kind in ("fact", "sum"):
            kept = out[name][out[name].index.map(family) == kind] if len(out[name]) else NONE
            out[f"{name.removeprefix('m6_known_')}_{kind}"] = kept
    return out


def smallest(rows: pd.DataFrame, kind: str, part: str = "sweep") -> pd.Series:
    """log2 of the smallest K of the sweep at which a pair is said, by pair; one above the largest where it never is."""
    chosen = frames.rows(rows, part=part, kind=kind)
    if not len(chosen):
        return NONE
    beyond = np.log2(chosen["k"].max()) + 1
    said = chosen[chosen["exact"] == 1].groupby("seed")["k"].min()
    return np.log2(said).reindex(np.sort(chosen["seed"].unique())).fillna(beyond)


def slope(x: pd.Series, y: pd.Series) -> float:
    """Of the line of least squares; nan where x does not vary."""
    spread = float(((x - x.mean()) ** 2).sum())
    return float(((x - x.mean()) * (y - y.mean())).sum() / spread) if spread > 0 else float("nan")


def said_by(rows: pd.DataFrame, kind: str, budget: int) -> pd.Series:
    """Of every pair with paraphrases: whether an arm says it at any start or stage, within a budget of updates."""
    chosen = frames.rows(rows, part="words", kind=kind, budget=budget)
    return chosen.groupby("seed")["exact"].max() if len(chosen) else NONE


def paraphrases(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """What averaging over other wordings gains over plain restarts of equal cost, where it was tried; whether it gains more
    where the two gradients disagree; and what other pairs' sentences gain."""
    tried = frames.rows(rows, part="words", kind="paraphrases")
    if not len(tried):
        return {}
    n = int(tried["budget"].iloc[0])
    base, with_words, sham = (said_by(rows, kind, n) for kind in ("plain", "paraphrases", "unrelated"))
    gain = (with_words - base).dropna()
    cosine = frames.per_seed(rows, "conflict", part="conflict").reindex(gain.index)
    spread = cosine.std(ddof=0)
    against = -(cosine - cosine.mean()) / (spread if spread > 0 else np.nan)
    return {
        "m7_base": base,
        "m7_gain": gain,
        "m7_gain_by_conflict": ((gain - gain.mean()) * against).dropna(),
        "m7_sham": (sham - base).dropna(),
        "words_over_sham": (with_words - sham).dropna(),
        "conflict": cosine.dropna(),
    }


def tiers(rows: pd.DataFrame) -> dict[str, list[float]]:
    """Of every block of one task a tier: Kendall's rank correlation of the smallest K with the tier, 0 where all are equal; its
    mean over twenty orders of the tiers that are drawn for the block; and by how much bits and length differ in it."""
    found = frames.rows(rows, part="tier")
    if not len(found):
        return {}
    table = {
        name: found.pivot(index="seed", columns="kind", values=name)[list(TIERS)]
        for name in ("needed", "bits", "length")
    }
    needed = table["needed"].to_numpy(float)
    rng = np.random.default_rng(0)
    orders = [[rng.permutation(len(TIERS)) for _ in range(20)] for _ in needed]
    out = {
        "m8_tau_block": [tau(row) for row in needed],
        "m8_tau_permuted": [
            float(np.mean([tau(row[o]) for o in order])) for row, order in zip(needed, orders, strict=True)
        ],
    }
    out |= {f"needed_{tier}": table["needed"][tier].tolist() for tier in TIERS}
    out["extractive_over_sudoku"] = (table["needed"]["extractive"] - table["needed"]["sudoku"]).tolist()
    for name in ("bits", "length"):
        values = table[name].to_numpy(float)
        out[f"{name}_apart"] = (values.max(1) / values.min(1) - 1).tolist()
    return out


def tau(values: np.ndarray) -> float:
    """Kendall's τ-b of values with their places: concordant minus discordant pairs over the root of those that are not tied in
    either; 0 where all values are equal."""
    signs = [np.sign(b - a) for a, b in itertools.combinations(values, 2)]
    untied = float(np.abs(signs).sum())
    return float(np.sum(signs)) / (untied * len(signs)) ** 0.5 if untied else 0.0


def geometry(rows: pd.DataFrame) -> dict[str, pd.Series]:
    found = frames.rows(rows, part="geometry")
    if not len(found):
        return {}
    of = lambda name: frames.per_seed(found, name).dropna()
    return {
        "m9_cosine_within_minus_between": (of("within") - of("between")).dropna(),
        "m9_nearest_token": of("nearest"),
        "m9_barrier": of("barrier"),
        "m9_barrier_near_start": of("barrier_near"),
        "m9_barrier_other_pair": of("barrier_other"),
        "moved": of("moved"),
        "within": of("within"),
        "between": of("between"),
        "barrier_below_one": (of("barrier") < 1).astype(float),
    }
