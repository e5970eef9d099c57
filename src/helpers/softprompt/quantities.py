"""From a tidy frame to the quantities that the claims name: one value a pair, or a block of pairs. Nothing is trained here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from helpers import frames
from helpers.softprompt import sweeps
from helpers.softprompt.sweeps import BLOCK

SINGLE = 8  # vectors at which single targets are judged
LOW = 0.1  # nats a token, below which a loss counts as low
PASS = 0.9  # overlap from which a text that is not exact says the same
RULE = {"random": 0.3, "context": 2.0}
TIERS = {
    "minimum": (0.4, 0.4, 2.0),
    "good": (0.7, 0.25, 1.5),
    "excellent": (0.9, 0.15, 1.2),
}  # converged, ratio, balance
SHARES = (  # that the pages speak of
    "m1_exact_q", "m1_exact_a", "m1_untrained_q", "m2_untrained_model", "m1_untrained_a", "m3_random_meets_q",
    "m3_random_meets_a", "m2_converged", "m2_exact_both", "both_at_smallest", "m2_other_content",
    "m3_rule_met_not_decoded", "m3_first_met_not_decoded", "m4_pass", "m4_pass_low_loss", "m4_shifted_labels_pass",
    "m_teacher_equals_free", "shift_second", "separate_halves", "low_losses", "least_is_another",
    "single_at_smallest", "one_start_at_smallest", "two_alone_one_each",
)  # fmt: skip
NEAR_HALF = 0.6  # share of single targets up to which a K counts as the one at which half of them are said
Quantities = dict[str, list[float]]


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with what follows from it. Of each side s: rule_s, whether the document's rule is met, by the pair's own
    baselines; ratio_s, the loss over the random baseline. Of both: rule; exact, both texts are said; passed; total,
    the mean of the two losses; worst, the larger one.
    """
    out = rows.copy()
    base = frames.rows(out, part="baseline")
    if len(base):
        known = base.set_index("seed")
        for name in ("random_q", "random_a", "context_a"):
            out[name] = out["seed"].map(known[name])
    for side in ("q", "a"):
        if f"loss_{side}" in out and len(base):
            out[f"ratio_{side}"] = out[f"loss_{side}"] / out[f"random_{side}"]
            met = out[f"ratio_{side}"] < RULE["random"]
            if side == "a":
                met |= out["loss_a"] < RULE["context"] * out["context_a"]
            out[f"rule_{side}"] = met.astype(float).where(out[f"loss_{side}"].notna())
    if {"loss_q", "loss_a"} <= {*out}:
        out["total"] = (out["loss_q"] + out["loss_a"]) / 2
        out["worst"] = out[["loss_q", "loss_a"]].max(axis=1, skipna=False)
        both = lambda name: out[[f"{name}_q", f"{name}_a"]].min(axis=1, skipna=False)
        out["exact"] = both("exact")
        out["rule"] = both("rule") if "rule_q" in out else np.nan
        out["passed"] = ((out["exact"] == 1) | (both("overlap") >= PASS)).astype(float).where(out["exact"].notna())
        if len(base):
            out["balance"] = out[["ratio_q", "ratio_a"]].max(axis=1) / out[["ratio_q", "ratio_a"]].min(axis=1)
    return out


def best(rows: pd.DataFrame, part: str = "joint") -> pd.DataFrame:
    """Of every pair the restart of least loss."""
    of_part = frames.rows(rows, part=part)
    of_part = of_part[of_part["total"].notna()] if "total" in of_part else of_part.iloc[:0]
    return of_part.loc[of_part.groupby("seed")["total"].idxmin()] if len(of_part) else of_part


def any_of(rows: pd.DataFrame, column: str, **where: object) -> pd.Series:
    """Of every pair, whether any restart has it: 0 or 1 a pair."""
    chosen = frames.rows(rows, **where)
    return chosen.groupby("seed")[column].max() if len(chosen) else pd.Series(dtype=float)


@frames.kept
def joint(rows: pd.DataFrame) -> Quantities:
    """Quantities of `joint_qa` (claims M1 to M4). Those whose rows are missing are left out."""
    return _there(single(rows) | paired(rows) | rule(rows) | passing(rows) | agreement(rows) | more(rows))


def single(rows: pd.DataFrame) -> dict[str, pd.Series]:
    alone = {"part": "single", "k": SINGLE}
    out = {f"m1_converged_{s}": frames.per_seed(rows, f"rule_{s}", **alone) for s in ("q", "a")}
    out |= {f"m1_exact_{s}": frames.per_seed(rows, f"exact_{s}", **alone) for s in ("q", "a")}
    start = frames.rows(rows, part="random")
    said = start[["exact_q", "exact_a"]].max(axis=1) if len(start) else pd.Series(dtype=float)
    fresh = {"part": "untrained single", "k": SINGLE}
    out |= {f"m1_untrained_{s}": frames.per_seed(rows, f"exact_{s}", **fresh) for s in ("q", "a")}
    return out | {"m1_random_content": said}


def paired(rows: pd.DataFrame) -> dict[str, pd.Series]:
    chosen = best(rows)
    return {
        "m2_converged": frames.per_seed(chosen, "rule"),
        "m2_exact_both": any_of(rows, "exact", part="joint"),
        "m2_exact_both_at_k50": at_half(rows),
        "m2_other_content": frames.per_seed(rows, "exact", part="other"),
        "m2_untrained_model": frames.per_seed(rows, "exact", part="untrained"),
    }


def at_half(rows: pd.DataFrame) -> pd.Series:
    """Whether both texts of a pair are said at the K at which half of the single targets are; no value where the smallest K of
    the grid already says more than NEAR_HALF of them, for then that K is not there."""
    half = frames.rows(rows, part="half")
    if not len(half):
        return pd.Series(dtype=float)
    of_k = frames.rows(rows, part="single", k=half["k"].iloc[0])
    said = any_of(rows, "exact", part="half")
    share = of_k[["exact_q", "exact_a"]].to_numpy(float).mean() if len(of_k) else np.nan
    return said if share <= NEAR_HALF else said * np.nan


def rule(rows: pd.DataFrame) -> dict[str, pd.Series]:
    chosen = best(rows)
    met = frames.rows(chosen, rule=1.0)
    first = best(frames.rows(rows, part="joint", step=0))
    early = first[first["met"].notna()] if "met" in first else first.iloc[:0]
    return {
        "m3_rule_met": frames.per_seed(chosen, "rule"),
        "m3_rule_met_not_decoded": 1 - frames.per_seed(met, "exact"),
        "m3_random_meets": frames.per_seed(rows, "rule", part="random"),
        "m3_random_meets_q": frames.per_seed(rows, "rule_q", part="random"),
        "m3_random_meets_a": frames.per_seed(rows, "rule_a", part="random"),
        "m3_first_met_not_decoded": 1 - frames.per_seed(early, "met_exact"),
    }


def passing(rows: pd.DataFrame) -> dict[str, pd.Series | list[float]]:
    chosen = best(rows)
    low = chosen[chosen["worst"] < LOW] if len(chosen) else chosen
    return {
        "m4_pass": frames.per_seed(frames.rows(chosen, rule=1.0), "passed"),
        "m4_pass_low_loss": frames.per_seed(low, "exact"),
        "m4_auc_block": blocks(rows, lambda of: auc(of["total"], of["exact"]), ("joint", "half")),
        "m4_auc_within": blocks(rows, lambda of: auc(of["worst"], of["exact"]), ("half",)),
        "m4_shifted_labels_pass": frames.per_seed(rows, "exact", part="shift"),
    }


def agreement(rows: pd.DataFrame) -> dict[str, list[float]]:
    """Of every pair: the share of its texts that were decoded, of every content, in which teacher-forced and free-running
    exactness agree."""
    found = []
    for side in ("q", "a"):
        if f"forced_{side}" in rows:
            known = rows[rows[f"forced_{side}"].notna()]
            agree = (known[f"forced_{side}"] == known[f"exact_{side}"]).astype(float)
            found.append(pd.DataFrame({"seed": known["seed"], "agree": agree}))
    shares = pd.concat(found).groupby("seed")["agree"].mean().tolist() if found else []
    return {"m_teacher_equals_free": shares}


def more(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """What the pages say and no claim judges."""
    shift = frames.rows(rows, part="shift")
    return {
        "solved_steps": frames.per_seed(frames.rows(rows, part="joint", step=0), "solved"),
        "met_steps": frames.per_seed(frames.rows(rows, part="joint", step=0), "met"),
        "shift_second": frames.per_seed(shift, "second_q"),
        "both_at_smallest": any_of(rows, "exact", part="half"),
        "one_start_at_smallest": frames.per_seed(rows, "exact", part="half", step=0),
        "single_at_smallest": single_at_half(rows),
        "two_alone_one_each": alone(rows, 1),
        "low_losses": low_losses(rows),
        "least_is_another": least_is_another(rows),
        "first_word_wrong": first_word_wrong(rows),
        "transfer_gain": transfer(rows, "another pair's"),
        "transfer_from_start": transfer(rows, "not optimised"),
        "separate_halves": separate(rows),
    }


def transfer(rows: pd.DataFrame, other: str) -> pd.Series:
    """Nats a token that the question's own content saves on its answer, against another content."""
    return frames.paired(rows, "loss_a", {"kind": other}, {"kind": "own"}, ("seed",), part="transfer")


def separate(rows: pd.DataFrame) -> pd.Series:
    """Of every pair: whether both texts are said from contents of their own with half of the joint content's vectors each."""
    whole = frames.rows(rows, part="joint")["k"]
    return alone(rows, int(whole.iloc[0]) // 2) if len(whole) else pd.Series(dtype=float)


def alone(rows: pd.DataFrame, k: int) -> pd.Series:
    """Of every pair: whether both texts are said, each from a content of its own with K vectors."""
    of_k = frames.rows(rows, part="single", k=k)
    return of_k.set_index("seed")[["exact_q", "exact_a"]].min(axis=1) if len(of_k) else pd.Series(dtype=float)


def single_at_half(rows: pd.DataFrame) -> pd.Series:
    """Of every pair: the share of its two texts said, each from its own content, at the K of the part "half"."""
    half = frames.rows(rows, part="half")
    of_k = frames.rows(rows, part="single", k=half["k"].iloc[0]) if len(half) else half
    return of_k.set_index("seed")[["exact_q", "exact_a"]].mean(axis=1) if len(of_k) else pd.Series(dtype=float)


def low_losses(rows: pd.DataFrame) -> pd.Series:
    """Of every pair, 0 or 1: whether both losses of its best start are low."""
    chosen = best(rows)
    return (chosen.set_index("seed")["worst"] < LOW).astype(float) if len(chosen) else pd.Series(dtype=float)


def least_is_another(rows: pd.DataFrame) -> pd.Series:
    """Of every pair, 0 or 1: whether some start says it and the one of least loss does not."""
    chosen = best(rows)
    if not len(chosen):
        return pd.Series(dtype=float)
    said = any_of(rows, "exact", part="joint")
    return (said - chosen.set_index("seed")["exact"]).dropna()


def first_word_wrong(rows: pd.DataFrame) -> pd.Series:
    """Of every pair that is watched: of the looks at which its question is not said, the share with a wrong first word."""
    looks = frames.rows(rows, part="watch")
    if not len(looks) or "wanted" not in looks:
        return pd.Series(dtype=float)
    texts = zip(looks["wanted"], looks["said_q"], strict=True)
    shown = [(str(said).split()[:1] != wanted.split()[:1], wanted.startswith(str(said))) for wanted, said in texts]
    wrong = pd.DataFrame(shown, columns=["wrong", "said"], index=looks["seed"].to_numpy())
    return wrong[~wrong["said"]]["wrong"].astype(float).groupby(level=0).mean()


def blocks(rows: pd.DataFrame, of: Callable[[pd.DataFrame], float], parts: tuple[str, ...]) -> list[float]:
    """A value a block of pairs, over the joint contents of some parts; blocks without one are left out."""
    chosen = frames.rows(rows, part=parts)
    if not len(chosen):
        return []
    found = [of(part) for _, part in chosen.groupby(chosen["seed"] // BLOCK)]
    return [v for v in found if np.isfinite(v)]


def auc(loss: pd.Series, success: pd.Series) -> float:
    """The probability that a success has a lower loss than a failure, ties counted half; nan where there is one kind only."""
    good, bad = loss[success == 1].to_numpy(), loss[success == 0].to_numpy()
    if not len(good) or not len(bad):
        return float("nan")
    less, same = (good[:, None] < bad[None]).mean(), (good[:, None] == bad[None]).mean()
    return float(less + same / 2)


def by_step(rows: pd.DataFrame, marks: int = 40) -> pd.DataFrame:
    """Of the first restart of every pair, at marks of updates, 0 or 1: whether the document's rule has been met (`met_by`), and
    whether both texts have been right at every token with the margin that counts (`solved_by`)."""
    first = frames.rows(rows, part="joint", step=0)
    if not len(first):
        return pd.DataFrame(columns=["seed", "at", "met_by", "solved_by"])
    last = max(1.0, np.nanmax([*first["solved"].fillna(1), *first["met"].fillna(1)]))
    at = np.unique(np.round(np.linspace(0, last, marks)))
    out = [
        pd.DataFrame(
            {"seed": seed, "at": at, "met_by": (met <= at).astype(float), "solved_by": (done <= at).astype(float)}
        )
        for seed, met, done in zip(first["seed"], first["met"], first["solved"], strict=True)
    ]
    return pd.concat(out, ignore_index=True)


ABLATED = {
    "M5": sweeps.sweep,
    "M6": sweeps.sharing,
    "M7": sweeps.paraphrases,
    "M8": sweeps.tiers,
    "M9": sweeps.geometry,
}


@frames.kept
def ablations(rows: pd.DataFrame) -> Quantities:
    """Quantities of `joint_qa_ablations` (claims M5 to M9). Those whose rows are missing are left out."""
    found = {name: values for part in ABLATED.values() for name, values in part(rows).items()}
    return _there(found | agreement(rows))


def ablated_for(claim: str, rows: pd.DataFrame) -> Quantities:
    """Those of one claim."""
    return _there(ABLATED[claim](rows))


def ablated(name: str) -> Callable[[pd.DataFrame], list[float]]:
    """One of the second chapter's quantities of a frame, by name; empty where its rows are missing."""
    return lambda rows: ablations(rows).get(name, [])


def last_loss(side: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Of the pairs that are watched: a side's loss at the last look."""
    return lambda rows: frames.per_seed(frames.last(frames.rows(rows, part="watch"), ["seed"]), f"loss_{side}")


def named(name: str) -> Callable[[pd.DataFrame], list[float]]:
    """One of the chapter's quantities of a frame, by name; empty where its rows are missing."""
    return lambda rows: joint(rows).get(name, [])


def _there(found: Mapping[str, pd.Series | list[float]]) -> Quantities:
    """Those that were measured, as plain numbers."""
    return {name: [float(v) for v in values] for name, values in found.items() if len(values)}
