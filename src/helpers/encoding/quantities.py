"""From a tidy frame to the quantities that the claims name: one value a seed. Nothing is trained here."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.encoding.measure import enough, steps_to
from helpers.encoding.study import final

CODE, FULL = 6, 64  # the widths that the document names
ELBOW = (
    0.995  # share at which the elbow is read: closer to all than the 0.99 of a compression, since it locates a corner
)
SOURCES = ("pattern", "planted6", "dirichlet")
Quantities = dict[str, list[float]]


def learned(found: pd.DataFrame, code: int = CODE, full: int = FULL) -> Quantities:
    """Quantities of `learned_encoding` (claims E1 to E7, E9) from `study.frame`. Those whose data are missing are left out."""
    out: Quantities = {}
    for part in (_printed, _gaps, _compression, _speed, _context, _elbow, _generation):
        out |= part(found, code, full)
    return {k: [float(v) for v in values] for k, values in out.items()}


def limited(found: pd.DataFrame) -> Quantities:
    """Quantities of `encoding_limits` (claims E8, E10): the share of the full width's gain that each compression keeps,
    and ratios of deployed bytes at 10:1."""
    out: Quantities = {}
    seen = found[(found["part"] == "limits") & (found["attend"] == True)]  # noqa: E712  (a column with gaps)
    for kind in ("text", "genome"):
        mine = final(seen[seen["condition"].str.startswith(kind)])
        if not len(mine):
            continue
        whole = mine[mine["arm"] == "full"]
        out[f"e8_{kind}_gain"] = _by_seed(whole, "unigram") - _by_seed(whole, "loss")
        for (arm, asked), rows in mine[mine["arm"] != "full"].groupby(["arm", "asked"]):
            out[f"e8_{kind}_{asked:g}" + ("" if arm == "learned" else f"_{arm}")] = _by_seed(rows, "kept")
    size = found[found["part"] == "deployed"].set_index("arm") if "table" in found else {}
    if len(size):
        learned_bytes = size.loc["learned"]
        out["e10_table"] = [size.loc["full width", "table"] / learned_bytes["table"]]
        out["e10_model"] = [size.loc["full width", "deployed"] / learned_bytes["deployed"]]
        out["e10_two_stage"] = [size.loc["two-stage, folded", "deployed"] / learned_bytes["deployed"]]
    return {k: [float(v) for v in values] for k, values in out.items()}


def at(found: pd.DataFrame, source: str, readout: str, arm: str, d: int, column: str = "excess") -> np.ndarray:
    """(S,) final values of one condition at one width, in the order of the seeds; empty when it was not run."""
    mine = found[(found["part"] == "chains") & (found["d"] == d) & (found["condition"] == f"{source}.{readout}.{arm}")]
    return _by_seed(final(mine), column) if len(mine) else np.array([])


def suffices(
    found: pd.DataFrame, source: str, readout: str, arm: str, full: int = FULL, wanted: float = 0.99
) -> np.ndarray:
    """(S,) width at which each seed's share reaches `wanted`; the full width counts as the last of the widths."""
    mine = found[(found["part"] == "chains") & (found["source"] == source) & (found["readout"] == readout)]
    mine = final(mine[mine["arm"].isin([arm, "full"])])
    out = []
    for _, rows in mine.groupby("seed"):
        rows = rows.sort_values("d")
        out.append(min(enough(rows["d"].tolist(), rows["share"].tolist(), wanted), float(full)))
    return np.array(out)


def _printed(found: pd.DataFrame, code: int, full: int) -> Quantities:
    mine = found[found["part"] == "printed"]
    if not len(mine):
        return {}
    last = final(mine)
    end = {arm: _by_seed(rows, "loss") for arm, rows in last.groupby("arm")}
    chance = float(mine["chance"].iloc[0])
    return {
        "e1_printed_ratio": end["learned"] / end["traditional"],
        "e1_walk_ratio": end["walk_learned"] / end["walk_traditional"],
        "e1_walk_loss": end["walk_learned"] - chance,
        "e2_printed_ratio": np.full(len(end["learned"]), full / code),
        "e4_printed_converged": np.maximum(end["learned"], end["traditional"]) / chance,
    }


def _gaps(found: pd.DataFrame, code: int, full: int) -> Quantities:
    """Differences of excess loss at the published width, in nats; positive where the learned code is worse."""
    out: Quantities = {}
    for source in SOURCES:
        mine = {
            arm: at(found, source, "residual", arm, code) for arm in ("learned", "seed_ae", "trained_pca", "random")
        }
        if len(mine["learned"]):
            out[f"e1_gap_{source}"] = mine["learned"] - mine["seed_ae"]
            out[f"e3_gap_{source}"] = mine["trained_pca"] - mine["learned"]
            out[f"e5_gap_{source}"] = mine["random"] - mine["learned"]
            out[f"full_share_{source}"] = at(found, source, "residual", "full", full, "share")
    return out


def _compression(found: pd.DataFrame, code: int, full: int) -> Quantities:
    return {
        f"e2_compression_{source}": full / suffices(found, source, "residual", "learned", full)
        for source in SOURCES
        if len(at(found, source, "residual", "learned", code))
    }


def _speed(found: pd.DataFrame, code: int, full: int) -> Quantities:
    """log2 of how many times more steps the two-stage arm takes to nine tenths of what can be learned."""
    out: Quantities = {}
    for source in SOURCES:
        taken = {}
        for arm in ("learned", "seed_ae", "trained_pca"):
            mine = found[(found["condition"] == f"{source}.residual.{arm}") & (found["d"] == code)]
            rows = [r.sort_values("step") for _, r in mine.groupby("seed")]
            taken[arm] = np.array([steps_to(r["step"].tolist(), r["share"].tolist()) for r in rows])
        if len(taken["learned"]):
            out[f"e4_converged_{source}"] = np.isfinite(taken["learned"]) & np.isfinite(taken["seed_ae"])
            out[f"e4_speed_{source}"] = np.log2(taken["seed_ae"] / taken["learned"])
    return out


def _context(found: pd.DataFrame, code: int, full: int) -> Quantities:
    mine = found[found["part"] == "rules"]
    if not len(mine):
        return {}
    end = {(c, d): _by_seed(r, "excess") for (c, d), r in final(mine).groupby(["condition", "d"])}
    widest = max(d for c, d in end if c == "rules.attention.full")
    learnable = float((mine["unigram"] - mine["bayes"]).iloc[0])
    sufficient = []
    for i, ceiling in enumerate(learnable - end["rules.attention.full", widest]):  # what the full width recovers, nats
        narrow = sorted(
            (d, (learnable - e[i]) / ceiling) for (c, d), e in end.items() if c == "rules.attention.learned"
        )
        widths, shares = zip(*narrow, (max(widest, full), 1.0), strict=True)
        sufficient.append(min(enough(widths, shares), full))
    return {
        "e2_compression_rules": full / np.array(sufficient),
        "e1_gap_rules": end["rules.attention.learned", code] - end["rules.attention.seed_ae", code],
        "e6_gap": end["rules.attention.seed_ae", code] - end["rules.attention.learned", code],
        "e6_gap_fair": end["rules.attention.trained_pca", code] - end["rules.attention.learned", code],
        "e6_full_excess": end["rules.attention.full", widest],
        "e6_blind_left": (learnable - end["rules.blind.full", widest]) / learnable,
        "e6_blind_gap": end["rules.blind.seed_ae", code] - end["rules.blind.learned", code],
    }


def _elbow(found: pd.DataFrame, code: int, full: int) -> Quantities:
    mine = found[(found["part"] == "chains") & (found["readout"] == "linear") & (found["arm"] == "learned")]
    out: Quantities = {}
    for source in dict.fromkeys(mine["source"]):
        widths = suffices(found, source, "linear", "learned", full, ELBOW)
        if source.startswith("planted"):
            out[f"e7_elbow_{source[7:]}"] = widths - int(source[7:])
        else:
            out[f"e7_none_{source}"] = widths
    return out


def _generation(found: pd.DataFrame, code: int, full: int) -> Quantities:
    """Divergence of sampled bigrams from the chain's, in nats: narrow learned code less full width, and the floor."""
    out: Quantities = {}
    for source in ("planted6", "dirichlet"):
        narrow = at(found, source, "residual", "learned", code, "bigram_kl")
        if len(narrow):
            out[f"e9_gap_{source}"] = narrow - at(found, source, "residual", "full", full, "bigram_kl")
            out[f"e9_floor_{source}"] = at(found, source, "residual", "full", full, "bigram_floor")
    return out


def _by_seed(rows: pd.DataFrame, column: str) -> np.ndarray:
    return rows.sort_values("seed")[column].to_numpy(float)
