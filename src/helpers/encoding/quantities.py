"""From a tidy frame to the quantities that the claims name: one value a seed. Nothing is trained here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from helpers import frames
from helpers.encoding.config import WHOLE
from helpers.encoding.trials import SOURCES, edges, equal, stages

PUBLISHED = 6, 64  # widths of the code and of the full table in the document
ELBOW = 0.995  # share at which the elbow is read: nearer to all than a compression's 0.99, since it locates a corner
TRIALS = ("limits", "start", "longer", "letters", "others")
START, TUNED, LONGER = (
    {"part": part, "arm": arm, "attend": True}
    for part, arm in (("start", "learned"), ("start", "trained_pca_tuned"), ("longer", "learned"))
)  # the smaller experiment on the genome
GAPS = {  # differences of excess loss behind the published network: arms a, b; positive where a is worse
    "e1_gap": ("learned", "seed_ae"),
    "e3_gap": ("trained_pca", "learned"),
    "e5_gap": ("random", "learned"),
}
STUCK = 0.1  # of chance: a loss above it has not converged
Quantities = dict[str, list[float]]
Quantity = Callable[[pd.DataFrame], np.ndarray]


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with what follows from it. end: whether a row is its record's last.

    Where Bayes is known: `excess` over it, what is `learnable` (nats), and the recovered `share` of that. Real data: `kept`,
    the share of the gain over token frequencies that full width and attention make, in the same trial and seed.
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


@frames.kept
def learned(rows: pd.DataFrame) -> Quantities:
    """Quantities of `learned_encoding` (claims E1 to E7, E9). Those whose rows are missing are left out."""
    ends = frames.rows(rows, end=True)
    d = widths(ends)[0]
    found = (
        printed(ends) | gaps(ends) | compression(ends) | speed(rows) | context(ends) | elbow(ends) | generation(ends)
    )
    return found | _there(stages(rows, d) | equal(ends) | edges(ends, d))


@frames.kept
def limited(rows: pd.DataFrame) -> Quantities:
    """Quantities of `encoding_limits` (claims E8, E8b, E10, E10b), by the compression that was asked for: the share of the full
    width's gain that is kept, the loss over the full width's, the learned code's less the autoencoder's; bytes at 10:1."""
    out = {}
    seen = frames.rows(rows, part="limits", attend=True, end=True)
    for kind in ("text", "genome"):
        of_kind = frames.rows(seen, kind=kind)
        whole = frames.rows(of_kind, arm="full")
        out[f"e8_{kind}_gain"] = frames.per_seed(whole.assign(gain=whole["unigram"] - whole["loss"]), "gain")
        again = frames.rows(of_kind, arm="again")
        out[f"e8_{kind}_again"] = _ratio(frames.per_seed(again, "loss"), frames.per_seed(whole, "loss"))
        for (arm, asked), chosen in of_kind[~of_kind["arm"].isin(WHOLE)].groupby(["arm", "asked"]):
            name = f"e8_{kind}_{asked:g}" + ("" if arm == "learned" else f"_{arm}")
            out[name] = frames.per_seed(chosen, "kept")
            if arm == "learned":
                out[f"{name}_ratio"] = _ratio(frames.per_seed(chosen, "loss"), frames.per_seed(whole, "loss"))
                place = {"kind": kind, "asked": asked}
                out[f"{name}_less"] = _paired(seen, "loss", {"arm": "learned"} | place, {"arm": "seed_ae"} | place)
    size = frames.rows(rows, part="deployed").set_index("arm")
    saved = {"table": ("full width", "table"), "model": ("full width", "deployed")}
    saved |= {"two_stage": ("two-stage, folded", "deployed")}
    if len(size):
        out |= {f"e10_{k}": [size.loc[arm, what] / size.loc["learned", what]] for k, (arm, what) in saved.items()}
        embedding = size["table"] + size["projection"]
        out["e10_embedding"] = [embedding["full width"] / embedding["learned"]]
        if "cache" in size and size["cache"].notna().all():
            room = 2 * size.loc["full width", "deployed"] - size["deployed"]  # for tokens, in bytes
            tokens = room / size["cache"]
            out["e11_context_ratio"] = [tokens["learned"] / tokens["full width"]]
    return _there(out)


def at(
    rows: pd.DataFrame, source: str, readout: str, arm: str, d: int | None = None, column: str = "excess"
) -> np.ndarray:
    """(S,) final values of one arm of the chains, at the code width (`full`: at its own), seed by seed; empty if not run."""
    return frames.per_seed(rows, column, **_end(rows, source, readout, arm, d)).to_numpy()


def gap(source: str, readout: str, a: str, b: str) -> Quantity:
    """A quantity: excess of arm a less excess of arm b at the code width, in nats."""
    return lambda rows: _paired(rows, "excess", _end(rows, source, readout, a), _end(rows, source, readout, b))


def named(name: str) -> Callable[[pd.DataFrame], list[float]]:
    """A quantity by the name that the claims use, of either chapter."""
    if name.startswith("e4_best"):
        return lambda rows: stages(rows, widths(rows)[0]).get(name, [])
    if name in ("e6_gap_equal", "e6_fair_equal", "e6_ae_random"):
        return lambda rows: equal(frames.rows(rows, end=True)).get(name, [])
    known = dict.fromkeys(("e8", "e8b", "e10", "e11"), limited) | {"e6": context, "e7": elbow, "e9": generation}
    return lambda rows: known.get(name.partition("_")[0], learned)(rows).get(name, [])


def chosen(column: str, **where: object) -> Quantity:
    """A quantity: a column in the last row of the records that `where` chooses, one a seed."""
    return lambda rows: frames.per_seed(rows, column, end=True, **where).to_numpy()


def gain(better: Mapping[str, str], worse: Mapping[str, str] = START) -> Quantity:
    """A quantity: how much lower the loss of a genome's code is with another start or budget, in nats."""
    return lambda rows: _paired(rows, "loss", {**worse, "end": True}, {**better, "end": True})


def elbow_of(source: str) -> Quantity:
    """A quantity: the width at which a learned code behind a linear read-out recovers ELBOW of what can be learned."""
    return lambda rows: suffices(rows, source, "linear", "learned", ELBOW)


def times(source: str) -> Quantity:
    """A quantity: how many times the learned arm's steps the autoencoder's arm takes; nan where one never gets there."""
    return lambda rows: np.exp2(speed(rows).get(f"e4_speed_{source}", []))


def suffices(rows: pd.DataFrame, source: str, readout: str, arm: str, wanted: float = 0.99) -> np.ndarray:
    """(S,) width at which each seed's share reaches `wanted`; the full width counts as the last of the widths."""
    full = widths(rows)[1]
    ends = frames.rows(rows, part="chains", end=True, source=source, readout=readout)
    d, shares = frames.curve(ends[ends["d"] < full], "share", "d", arm=arm)
    return _enough(d, shares, frames.per_seed(ends, "share", arm="full").to_numpy(), full, wanted)


def printed(rows: pd.DataFrame) -> Quantities:
    ends = frames.rows(rows, part="printed", end=True)
    if not len(ends):
        return {}
    code, full = widths(ends)
    last = lambda arm: frames.per_seed(ends, "loss", arm=arm).to_numpy()
    last_kl = lambda arm: frames.per_seed(ends, "bigram_kl", arm=arm).to_numpy()
    learned, traditional, walk, chance = (
        last("learned"),
        last("traditional"),
        last("walk_learned"),
        ends["chance"].iloc[0],
    )
    return _there(
        {
            "e1_printed_ratio": learned / traditional,
            "e1_walk_ratio": walk / last("walk_traditional"),
            "e1_walk_loss": walk - chance,
            "e1_relu_stuck": last("traditional_relu") > STUCK * chance,
            "e2_printed_ratio": np.full(len(learned), full / code),
            "e9_printed_gap": last_kl("learned") - last_kl("traditional")
            if "bigram_kl" in ends and ends["bigram_kl"].notna().any()
            else [],
            "e4_printed_converged": np.maximum(learned, traditional) / chance,
        }
    )


def gaps(rows: pd.DataFrame) -> Quantities:
    """GAPS on every source, nats, and the share that the full width recovers."""
    out = {f"{name}_{s}": gap(s, "residual", *arms)(rows) for name, arms in GAPS.items() for s in SOURCES}
    return _there(out | {f"full_share_{s}": at(rows, s, "residual", "full", column="share") for s in SOURCES})


def compression(rows: pd.DataFrame) -> Quantities:
    full = widths(rows)[1]
    return _there({f"e2_compression_{s}": full / suffices(rows, s, "residual", "learned") for s in SOURCES})


def speed(rows: pd.DataFrame) -> Quantities:
    """log2 of how many times more steps the two-stage arm takes to nine tenths of what can be learned."""
    out, d = {}, widths(rows)[0]

    def taken(arm: str, source: str) -> np.ndarray:
        where = {"part": "chains", "source": source, "readout": "residual", "d": d, "arm": arm}
        steps, shares = frames.curve(rows, "share", "step", **where)
        return np.array([frames.crossing(steps, share, 0.9) for share in shares])

    for source in SOURCES:
        slower = _less(np.log2(taken("seed_ae", source)), np.log2(taken("learned", source)))
        out |= {f"e4_converged_{source}": np.isfinite(slower), f"e4_speed_{source}": slower}
    return _there(out)


@frames.kept
def context(rows: pd.DataFrame) -> Quantities:
    """The rule task: what context adds, with attention and without."""
    ends, (code, full) = frames.rows(rows, part="rules", end=True), widths(rows)
    if not len(ends):
        return {}
    learnable = float(ends["learnable"].iloc[0])
    whole, blind = (frames.per_seed(ends, "excess", arm="full", attend=attend).to_numpy() for attend in (True, False))
    less = lambda a, b, attend=True: _paired(
        ends, "excess", *({"arm": arm, "attend": attend, "d": code} for arm in (a, b))
    )
    most = max(int(frames.rows(ends, arm="full")["d"].iloc[0]), full)
    d, excess = frames.curve(ends[ends["d"] < most], "excess", "d", arm="learned", attend=True)
    shares = (learnable - excess) / (learnable - whole)[:, None]  # of what the full width recovers
    return _there(
        {
            "e2_compression_rules": full / np.minimum(_enough(d, shares, np.ones(len(whole)), most, 0.99), full),
            "e1_gap_rules": less("learned", "seed_ae"),
            "e6_gap": less("seed_ae", "learned"),
            "e6_gap_fair": less("trained_pca", "learned"),
            "e6_full_excess": whole,
            "e6_blind_left": (learnable - blind) / learnable,
            "e6_blind_gap": less("seed_ae", "learned", attend=False),
        }
    )


@frames.kept
def elbow(rows: pd.DataFrame) -> Quantities:
    """Where narrowing a learned code behind a linear read-out starts to cost, less the planted rank where there is one."""
    out = {}
    for source in sorted(set(frames.rows(rows, part="chains", readout="linear", arm="learned").get("source", ()))):
        rank = int(source.removeprefix("planted")) if source.startswith("planted") else 0
        out[f"e7_elbow_{rank}" if rank else f"e7_none_{source}"] = elbow_of(source)(rows) - rank
        if rank:
            out[f"e7_step_{rank}"] = step(rows, source, rank)
    flat = [step(rows, "dirichlet", int(name.rpartition("_")[2])) for name in out if name.startswith("e7_step")]
    if flat and all(len(values) for values in flat):
        out["e7_flat"] = np.max(flat, axis=0)
    return _there(out)


def step(rows: pd.DataFrame, source: str, d: int) -> np.ndarray:
    """(S,) excess of a learned code behind a linear read-out at one dimension less than d, over that at d."""
    excess = lambda at: frames.per_seed(rows, "excess", **_end(rows, source, "linear", "learned", at))
    return _ratio(excess(d - 1), excess(d))


@frames.kept
def generation(rows: pd.DataFrame) -> Quantities:
    """Divergence of sampled bigrams from the chain's, in nats: narrow learned code less full width, and the floor."""
    out = {}
    for source in ("planted6", "dirichlet"):
        narrow, full = (_end(rows, source, "residual", arm) for arm in ("learned", "full"))
        out[f"e9_gap_{source}"] = _paired(rows, "bigram_kl", narrow, full)
        out[f"e9_floor_{source}"] = at(rows, source, "residual", "full", column="bigram_floor")
    return _there(out)


def _enough(d: np.ndarray, shares: np.ndarray, whole: np.ndarray, full: int, wanted: float) -> np.ndarray:
    """(S,) the smallest width whose share reaches `wanted`, and the full width where none below does.

    d: (P,), shares: (S, P), whole: (S,) the full width's share.
    """
    reached = [frames.crossing([*d, full], [*s, w], wanted) for s, w in zip(shares, whole, strict=True)]
    return np.nan_to_num(np.array(reached), nan=float(full))


def _end(rows: pd.DataFrame, source: str, readout: str, arm: str, d: int | None = None) -> dict[str, object]:
    """What chooses the last rows of one arm of the chains."""
    d = d or widths(rows)[arm == "full"]
    return {"part": "chains", "end": True, "source": source, "readout": readout, "arm": arm, "d": d}


def _paired(rows: pd.DataFrame, column: str, a: Mapping[str, object], b: Mapping[str, object]) -> np.ndarray:
    """a − b, joined by seed; empty where one of the two was not run."""
    return frames.paired(rows, column, a, b, over=("seed",)).to_numpy()


def _ratio(a: pd.Series, b: pd.Series) -> np.ndarray:
    """a / b of the units that both have."""
    both = a.index.intersection(b.index)
    return (a[both] / b[both]).to_numpy()


def _less(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a − b, seed by seed; empty where one of the two was not run."""
    return a - b if len(a) and len(b) else np.empty(0)


def _there(quantities: Mapping[str, np.ndarray]) -> Quantities:
    """Those that were measured, as plain numbers."""
    return {k: [float(v) for v in values] for k, values in quantities.items() if len(values)}
