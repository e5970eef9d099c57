"""From a tidy frame to the quantities that the claims name. The unit is the model: a toy that was trained from its own seed.

Of any other model there is one, whatever names were drawn, and one value. For figures, and for criteria that were replaced,
the unit is the template, whose value is the mean over seeds. Nothing is run here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from helpers import frames
from helpers.separability.repair.config import KINDS, TOY

OVER = ("seed", "template")
PARTS = ("heads", "mlps", "norm")  # that can give back what the direct effect takes
BORDER = 0.05  # a triple leaves a quantity as it was when it changes by less than this share
LEAST = 0.05  # direct effect, as a share of the logit difference, below which a repair fraction says nothing
Quantities = dict[str, list[float]]
Quantity = Callable[[pd.DataFrame], np.ndarray]


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with what follows from it. template: of the rows of an ablation, their step. relative: change over
    the logit difference. trained: dropout of the toy's heads, −1 where there is none. judged: whether a model's
    claims are about these rows (of the toy: without dropout). unit: the model's number, its seed; 0 of any but the toy."""
    out = rows.copy()
    steps = out["step"].where(out["part"].eq("ablation"))
    out["template"] = steps if "template" not in out else steps.fillna(out["template"])
    if "change" in out:
        out["relative"] = out["change"] / out["ld"]
    out["trained"] = out["dropout"].fillna(-1.0).astype(float) if "dropout" in out else -1.0
    out["unit"] = out["seed"].where(out["model"].eq(TOY), 0)
    out["judged"] = out["main"].astype(bool) & (~out["model"].eq(TOY) | out["trained"].eq(0.0))
    return out


@frames.kept
def repair(rows: pd.DataFrame) -> Quantities:
    """Quantities of S6 to S8 of the judged rows. Those whose rows are missing are left out."""
    rows = frames.rows(rows, judged=True)
    out = {f"s6_relative_{kind}": at("relative", kind=kind)(rows) for kind in KINDS}
    out["s6_baseline"] = at("ld", kind="zero")(rows)
    out["s6_matched_random"] = at("relative", arm="matched", kind="zero")(rows)
    out["s7_log2_norm_ratio"] = at("log2_norm", kind="zero")(rows)
    out["s7_repair_fraction"] = repaired(rows)
    out["s7_direct_size"] = -share("direct")(rows)
    out["s7_planted_log2_ratio"] = at("log2_norm", arm="planted", kind="none")(rows)
    out |= printed(rows) | within(rows) | by_model(rows)
    return {k: [float(v) for v in values] for k, values in out.items() if len(values)}


def at(column: str, arm: str = "critical", kind: str = "zero", **where: object) -> Quantity:
    """A quantity: a column of an ablation, one value a template, the mean over seeds."""

    def read(rows: pd.DataFrame) -> np.ndarray:
        of_seed = frames.per_seed(rows, column, OVER, part="ablation", arm=arm, kind=kind, **where)
        return frames.each(of_seed, "template").to_numpy()

    return read


def by_model(rows: pd.DataFrame) -> Quantities:
    """Quantities of S6 to S8, one value a model: means over templates, and over its triples."""
    take = lambda column, arm="critical", kind="zero": _of_model(rows, column, arm, kind)
    out = {f"s6_model_{kind}": take("relative", kind=kind) for kind in KINDS}
    out |= {"s6_model_baseline": take("ld"), "s6_model_matched": take("relative", "matched")}
    direct, ld = take("direct"), take("ld")
    later = take("heads") + take("mlps")
    small = direct.abs() < LEAST * ld.abs()
    out |= {"s7_model_log2_ratio": take("log2_norm"), "s7_model_later": -(later / direct).mask(small)}
    out |= {"s7_model_direct": -direct / ld, "s7_model_planted": take("log2_norm", "planted", "none")}
    for name, hit in within(rows).items():
        units = frames.rows(rows, part="triples", kind="zero").sort_values(["step", "seed"])["unit"]
        out[name.replace("within", "model")] = pd.Series(hit).groupby(units.to_numpy()).mean()
    return {k: v.to_numpy() for k, v in out.items()}


def _of_model(rows: pd.DataFrame, column: str, arm: str, kind: str) -> pd.Series:
    """A column of an ablation, a value a model, the mean over templates."""
    found = frames.rows(rows, part="ablation", arm=arm, kind=kind)
    return found.groupby("unit")[column].mean() if len(found) else pd.Series(dtype=float)


def share(part: str, kind: str = "zero", arm: str = "critical", **where: object) -> Quantity:
    """A quantity: a part of the account over the logit difference, one value a template."""
    return lambda rows: at(part, arm, kind, **where)(rows) / at("ld", arm, kind, **where)(rows)


def repaired(rows: pd.DataFrame, kind: str = "zero", **where: object) -> np.ndarray:
    """(T,) the share of the direct effect that is given back, 1 − change / direct; nan where the direct effect is
    small."""
    change, direct, ld = (at(c, kind=kind, **where)(rows) for c in ("change", "direct", "ld"))
    small = np.abs(direct) < LEAST * np.abs(ld)
    return np.where(small, np.nan, 1 - change / np.where(small, np.nan, direct))


def given_back(part: str, kind: str = "zero", **where: object) -> Quantity:
    """A quantity: the share of the direct effect that one part of the account gives back (negative: it takes more)."""
    return lambda rows: -at(part, kind=kind, **where)(rows) / at("direct", kind=kind, **where)(rows)


def printed(rows: pd.DataFrame) -> Quantities:
    """The document's own numbers, one a template."""
    read = lambda column, arm: frames.per_seed(rows, column, ("template",), part="printed", arm=arm).to_numpy()
    out = {"s6_change_zero": read("delta_logit_diff", "critical"), "s7_norm_ratio": read("compensation", "critical")}
    return out | {"s8_norm_ratio": read("compensation", "random"), "s8_change": read("delta_logit_diff", "random")}


def within(rows: pd.DataFrame, kind: str = "zero") -> Quantities:
    """1 for every random triple that leaves the stream's norm, or the logit difference, within ±5 %; otherwise 0."""
    found = frames.rows(rows, part="triples", kind=kind)
    if not len(found):
        return {}
    found = found.sort_values(["step", "seed"])  # the first hundred are spread over all seeds
    norm, logit = np.exp2(found["log2_norm"].to_numpy()), found["relative"].to_numpy()
    return {
        "s8_within_norm": (np.abs(norm - 1) < BORDER).astype(float),
        "s8_within_logit": (np.abs(logit) < BORDER).astype(float),
    }


def lost(rows: pd.DataFrame) -> np.ndarray:
    """(T,) share of the logit difference that the found heads' ablation takes, by zero ablation."""
    return -share("change")(rows)


def taken(rows: pd.DataFrame) -> np.ndarray:
    """(T,) share of the logit difference that it would take by the direct path alone."""
    return -share("direct")(rows)


def gap(rows: pd.DataFrame) -> np.ndarray:
    """(1,) the largest distance of any account from adding up, in logits."""
    found = frames.rows(rows, part="ablation", arm="critical")
    return np.array([found["gap"].max()]) if len(found) else np.empty(0)


def ratio(rows: pd.DataFrame) -> np.ndarray:
    """(T,) norm of the late stream at the last position with the found heads zeroed, over that without."""
    return np.exp2(at("log2_norm")(rows))


def planted_ratio(rows: pd.DataFrame) -> np.ndarray:
    """(T,) the same with nothing ablated and the stream made longer before the late blocks (`accounts.planted`)."""
    return np.exp2(at("log2_norm", arm="planted", kind="none")(rows))


def spared(rows: pd.DataFrame) -> np.ndarray:
    """(S,) repaired share of the toys that were trained with heads left out, less that of the plain ones, seed by seed."""
    toys = frames.rows(rows, part="ablation", arm="critical", kind="zero", model=TOY)
    sums = toys.groupby(["trained", "seed"])[["change", "direct"]].sum()
    known = (1 - sums["change"] / sums["direct"]).unstack("trained") if len(sums) else pd.DataFrame()
    return (known.iloc[:, -1] - known.iloc[:, 0]).to_numpy() if known.shape[1] > 1 else np.empty(0)


def census_repair(rows: pd.DataFrame) -> np.ndarray:
    """(S,) share of their direct effects that is given back when heads that write for the right name are zeroed one by one."""
    found = frames.rows(rows, part="census", kind="zero")
    found = found[-found["direct"] > LEAST * found["ld"]] if len(found) else found
    sums = (
        found.groupby("seed")[["change", "direct"]].sum() if len(found) else pd.DataFrame({"change": [], "direct": []})
    )
    return (1 - sums["change"] / sums["direct"]).to_numpy()


def within_norm(rows: pd.DataFrame) -> np.ndarray:
    """1 for every triple that leaves the stream's norm within ±5 %."""
    return within(rows).get("s8_within_norm", np.empty(0))


def within_logit(rows: pd.DataFrame) -> np.ndarray:
    """1 for every triple that leaves the logit difference within ±5 %."""
    return within(rows).get("s8_within_logit", np.empty(0))


def named(name: str) -> Callable[[pd.DataFrame], list[float]]:
    """A quantity by the name that the claims use."""
    return lambda rows: repair(rows).get(name, [])
