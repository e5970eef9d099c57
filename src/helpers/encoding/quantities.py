"""From a tidy frame to the quantities that the claims name: one value a seed. Nothing is trained here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from helpers import frames

PUBLISHED = 6, 64  # widths of the code and of the full table in the document
ELBOW = (
    0.995  # share at which the elbow is read: closer to all than the 0.99 of a compression, since it locates a corner
)
SOURCES = ("pattern", "planted6", "dirichlet")
TRIALS = ("limits", "start", "longer")
START, TUNED, LONGER = (
    {"part": part, "arm": arm, "attend": True}
    for part, arm in (("start", "learned"), ("start", "trained_pca_tuned"), ("longer", "learned"))
)  # the smaller experiment on the genome
Quantities = dict[str, list[float]]


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with what follows from it. end: whether a row is its record's last.

    Where Bayes is known: `excess` over it, what is `learnable` (nats), and the recovered `share` of that. For real data:
    `kept`, the share of the gain over token frequencies that the full width makes with attention, in the same trial and seed.
    """
    out = rows.assign(end=~rows.duplicated(["condition", "seed"], keep="last"))
    if "bayes" in out:
        out["excess"] = out["loss"] - out["bayes"]
        out["learnable"] = out["unigram"] - out["bayes"]
        out["share"] = (out["unigram"] - out["loss"]) / out["learnable"]
    if "asked" in out:
        trial = ["part", "kind", "seed"]
        whole = frames.rows(out, part=TRIALS, arm="full", attend=True).set_index(trial)["loss"]
        best = whole.reindex(pd.MultiIndex.from_frame(out[trial])).to_numpy()
        out["kept"] = (out["unigram"] - out["loss"]) / (out["unigram"] - best)
    return out


def widths(rows: pd.DataFrame) -> tuple[int, int]:
    """Code width d and full width D at which a run is judged: those of its printed experiment."""
    printed = frames.rows(rows, part="printed")
    return (int(printed["d"].iloc[0]), int(printed["full"].iloc[0])) if len(printed) else PUBLISHED


def learned(rows: pd.DataFrame) -> Quantities:
    """Quantities of `learned_encoding` (claims E1 to E7, E9). Those whose rows are missing are left out."""
    out: dict[str, np.ndarray] = {}
    for part in (printed, gaps, compression, speed, context, elbow, generation):
        out |= part(rows)
    return {k: [float(v) for v in values] for k, values in out.items()}


def limited(rows: pd.DataFrame) -> Quantities:
    """Quantities of `encoding_limits` (claims E8, E10): the share of the full width's gain that each compression keeps,
    by the ratio that was asked for, and ratios of deployed bytes at 10:1."""
    out: dict[str, np.ndarray] = {}
    seen = frames.rows(rows, part="limits", attend=True, end=True)
    for kind in ("text", "genome"):
        whole = frames.rows(seen, kind=kind, arm="full")
        if len(whole):
            gain = frames.per_seed(whole, "unigram") - frames.per_seed(whole, "loss")
            out[f"e8_{kind}_gain"] = gain.to_numpy()
        narrow = frames.rows(seen, kind=kind)
        for (arm, asked), mine in narrow[narrow["arm"] != "full"].groupby(["arm", "asked"]):
            name = f"e8_{kind}_{asked:g}" + ("" if arm == "learned" else f"_{arm}")
            out[name] = frames.per_seed(mine, "kept").to_numpy()
    return {k: [float(v) for v in values] for k, values in (out | bytes_saved(rows)).items()}


def at(
    rows: pd.DataFrame, source: str, readout: str, arm: str, d: int | None = None, column: str = "excess"
) -> np.ndarray:
    """(S,) final values of one arm of the chains, at the code width (`full`: at its own), seed by seed; empty if not run."""
    where = {"source": source, "readout": readout, "arm": arm, "d": d or _width(rows, arm)}
    return frames.per_seed(rows, column, part="chains", end=True, **where).to_numpy()


def gap(source: str, readout: str, a: str, b: str) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: excess of arm a less excess of arm b at the code width, in nats."""
    return lambda rows: _less(at(rows, source, readout, a), at(rows, source, readout, b))


def named(name: str) -> Callable[[pd.DataFrame], Sequence[float]]:
    """A quantity by the name that the claims use, of either chapter."""
    known = {"e6": context, "e7": elbow, "e8": limited, "e9": generation, "e10": limited}
    return lambda rows: known.get(name.partition("_")[0], learned)(rows).get(name, [])


def chosen(column: str, **where: object) -> Callable[[pd.DataFrame], pd.Series]:
    """A quantity: a column in the last row of the records that `where` chooses, one a seed."""
    return lambda rows: frames.per_seed(rows, column, end=True, **where).dropna()


def last(**where: object) -> Callable[[pd.DataFrame], pd.Series]:
    """A quantity: the last loss of some condition."""
    return chosen("loss", **where)


def gain(better: Mapping[str, str]) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: how much lower the loss of a genome's learned code is with another start or budget, in nats."""
    return lambda rows: _less(chosen("loss", **START)(rows).to_numpy(), chosen("loss", **better)(rows).to_numpy())


def elbow_of(source: str) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: the width at which a learned code behind a linear read-out recovers ELBOW of what can be learned."""
    return lambda rows: suffices(rows, source, "linear", "learned", ELBOW)


def suffices(rows: pd.DataFrame, source: str, readout: str, arm: str, wanted: float = 0.99) -> np.ndarray:
    """(S,) width at which each seed's share reaches `wanted`; the full width counts as the last of the widths."""
    full = widths(rows)[1]
    mine = frames.rows(rows, part="chains", end=True, source=source, readout=readout)
    shares = frames.curve(mine[mine["d"] < full], "share", "d", arm=arm)
    return _enough(*shares, frames.per_seed(mine, "share", arm="full").to_numpy(), full, wanted)


def printed(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    mine = frames.rows(rows, part="printed", end=True)
    if not len(mine):
        return {}
    code, full = widths(mine)
    learned, traditional, *walks = (
        frames.per_seed(mine, "loss", arm=arm).to_numpy()
        for arm in ("learned", "traditional", "walk_learned", "walk_traditional")
    )
    chance = float(mine["chance"].iloc[0])
    return {
        "e1_printed_ratio": learned / traditional,
        "e1_walk_ratio": walks[0] / walks[1],
        "e1_walk_loss": walks[0] - chance,
        "e2_printed_ratio": np.full(len(learned), full / code),
        "e4_printed_converged": np.maximum(learned, traditional) / chance,
    }


def gaps(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Differences of excess loss at the code width, in nats; positive where the first arm is worse."""
    out = {}
    for source in SOURCES:
        out[f"e1_gap_{source}"] = gap(source, "residual", "learned", "seed_ae")(rows)
        out[f"e3_gap_{source}"] = gap(source, "residual", "trained_pca", "learned")(rows)
        out[f"e5_gap_{source}"] = gap(source, "residual", "random", "learned")(rows)
        out[f"full_share_{source}"] = at(rows, source, "residual", "full", column="share")
    return _there(out)


def compression(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    full = widths(rows)[1]
    return _there({f"e2_compression_{s}": full / suffices(rows, s, "residual", "learned") for s in SOURCES})


def speed(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """log2 of how many times more steps the two-stage arm takes to nine tenths of what can be learned."""
    out = {}
    for source in SOURCES:
        where = {"part": "chains", "source": source, "readout": "residual", "d": widths(rows)[0]}
        taken = {}
        for arm in ("learned", "seed_ae"):
            steps, shares = frames.curve(rows, "share", "step", arm=arm, **where)
            taken[arm] = np.array([frames.crossing(steps, share, 0.9) for share in shares])
        if len(taken["learned"]) and len(taken["seed_ae"]):
            out[f"e4_converged_{source}"] = np.isfinite(taken["learned"]) & np.isfinite(taken["seed_ae"])
            out[f"e4_speed_{source}"] = np.log2(taken["seed_ae"] / taken["learned"])
    return out


def times(source: str) -> Callable[[pd.DataFrame], np.ndarray]:
    """A quantity: how many times the learned arm's steps the autoencoder's arm takes; nan where one never gets there."""
    return lambda rows: np.exp2(speed(rows).get(f"e4_speed_{source}", []))


def context(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The rule task: what context adds, with attention and without."""
    mine, (code, full) = frames.rows(rows, part="rules", end=True), widths(rows)
    if not len(mine):
        return {}
    learnable = float(mine["learnable"].iloc[0])
    reads = lambda arm, **where: frames.per_seed(mine, "excess", arm=arm, **where).to_numpy()
    whole, blind = reads("full", attend=True), reads("full", attend=False)
    learned, auto, fair = (reads(arm, attend=True, d=code) for arm in ("learned", "seed_ae", "trained_pca"))
    most = max(int(frames.rows(mine, arm="full")["d"].iloc[0]), full)
    d, excess = frames.curve(mine[mine["d"] < most], "excess", "d", arm="learned", attend=True)
    shares = (learnable - excess) / (learnable - whole)[:, None]  # of what the full width recovers
    sufficient = np.minimum(_enough(d, shares, np.ones(len(whole)), most, 0.99), full)
    blind_gap = _less(reads("seed_ae", attend=False, d=code), reads("learned", attend=False, d=code))
    return _there(
        {
            "e2_compression_rules": full / sufficient,
            "e1_gap_rules": _less(learned, auto),
            "e6_gap": _less(auto, learned),
            "e6_gap_fair": _less(fair, learned),
            "e6_full_excess": whole,
            "e6_blind_left": (learnable - blind) / learnable,
            "e6_blind_gap": blind_gap,
        }
    )


def elbow(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Where narrowing a learned code behind a linear read-out starts to cost, less the planted rank where there is one."""
    out = {}
    for source in dict.fromkeys(frames.rows(rows, part="chains", readout="linear", arm="learned").get("source", ())):
        found = suffices(rows, source, "linear", "learned", ELBOW)
        rank = source.removeprefix("planted")
        out[f"e7_none_{source}" if rank == source else f"e7_elbow_{rank}"] = found - (
            0 if rank == source else int(rank)
        )
    return _there(out)


def generation(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Divergence of sampled bigrams from the chain's, in nats: narrow learned code less full width, and the floor."""
    out = {}
    for source in ("planted6", "dirichlet"):
        narrow, whole, floor = (
            at(rows, source, "residual", arm, column=column)
            for arm, column in (("learned", "bigram_kl"), ("full", "bigram_kl"), ("full", "bigram_floor"))
        )
        out |= {f"e9_gap_{source}": _less(narrow, whole), f"e9_floor_{source}": floor}
    return _there(out)


def bytes_saved(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    size = frames.rows(rows, part="deployed").set_index("arm")
    if not len(size):
        return {}
    ratio = lambda arm, column: np.array([size.loc[arm, column] / size.loc["learned", column]])
    return {
        "e10_table": ratio("full width", "table"),
        "e10_model": ratio("full width", "deployed"),
        "e10_two_stage": ratio("two-stage, folded", "deployed"),
    }


def _enough(d: np.ndarray, shares: np.ndarray, whole: np.ndarray, full: int, wanted: float) -> np.ndarray:
    """(S,) the smallest width whose share reaches `wanted`, and the full width where none below does.

    d: (P,), shares: (S, P), whole: (S,) the full width's share.
    """
    reached = [frames.crossing([*d, full], [*s, w], wanted) for s, w in zip(shares, whole, strict=True)]
    return np.nan_to_num(np.array(reached), nan=float(full))


def _width(rows: pd.DataFrame, arm: str) -> int:
    return widths(rows)[arm == "full"]


def _less(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a − b, seed by seed; empty where one of the two was not run."""
    return a - b if len(a) and len(b) else np.empty(0)


def _there(quantities: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k: v for k, v in quantities.items() if len(v)}
