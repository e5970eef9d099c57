"""The numbers that the claims of Part I name, from the tidy frame of the records: one value for each mask seed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from helpers.codec import fills

Quantities = dict[str, np.ndarray]
COLLAPSE = ("zero", "random", "guided")  # fills that enter the regression on cosine
DOMAINS = ("identity", "hadamard", "dct", "permutation")
PERMUTATIONS = 999


def emergence(found: pd.DataFrame) -> Quantities:
    """Quantities of D1, D2 and D5 to D8. Those whose arms are not in `found` are left out."""
    out: Quantities = {}
    for make in (_function, _threshold, _domains, _damage, _collapse, _corruption):
        out |= make(found)
    return out


def guided(found: pd.DataFrame) -> Quantities:
    """Quantities of D3 and D4. Losses are nats a token, differences are paired by mask seed."""
    out: Quantities = {}
    zero = "hadamard.iid.zero"
    for f in (0.2, 0.4, 0.6):
        if f > 0.2:
            out[f"d3_random_minus_zero_{f:g}"] = difference(found, "hadamard.iid.random", zero, f)
        out[f"d4_guided_minus_zero_{f:g}"] = difference(found, "hadamard.iid.guided.leaked.0.15", zero, f)
    independent = [
        difference(found, f"hadamard.iid.guided.{prior}.0.15", zero, f)
        for prior in ("earlier", "before")
        for f in (0.2, 0.4, 0.6)
        if has(found, f"hadamard.iid.guided.{prior}.0.15")
    ]
    if independent:
        out["d4_independent_minus_zero"] = np.mean(independent, axis=0)
    return {k: v for k, v in out.items() if len(v)}


def has(found: pd.DataFrame, arm: str) -> bool:
    return bool((found["arm"] == arm).any())


def values(found: pd.DataFrame, arm: str, fraction: float, column: str = "nll") -> np.ndarray:
    """(seeds,): a column of one arm at one fraction, a value a mask seed, the mean over models."""
    mine = found[(found["arm"] == arm) & np.isclose(found["fraction"], fraction)]
    return mine.groupby("seed")[column].mean().sort_index().to_numpy()


def difference(found: pd.DataFrame, arm: str, base: str, fraction: float, column: str = "nll") -> np.ndarray:
    """(seeds,): one arm minus another at a fraction, paired by model and mask seed, the mean over models that have both."""
    at = found[np.isclose(found["fraction"], fraction)]
    wide = at[at["arm"].isin([arm, base])].pivot_table(index=["model", "seed"], columns="arm", values=column)
    if not {arm, base} <= set(wide.columns):
        return np.array([])
    return (wide[arm] - wide[base]).dropna().groupby("seed").mean().sort_index().to_numpy()


def curve(found: pd.DataFrame, arm: str, column: str, by: str = "fraction") -> tuple[np.ndarray, np.ndarray]:
    """x (P,) and values (seeds, P) of one arm, the mean over models."""
    mine = found[found["arm"] == arm]
    table = mine.groupby(["seed", by])[column].mean().unstack(by)
    return table.columns.to_numpy(float), table.to_numpy(float)


def crossing(fractions: np.ndarray, recovered: np.ndarray, level: float) -> float:
    """The smallest fraction at which a recovered share reaches `level`.

    The curve is made monotone first (isotonic regression), then read by linear interpolation. nan when it never gets there.
    """
    smooth = isotonic_regression(recovered).x
    if smooth[-1] < level:
        return float("nan")
    i = int(np.argmax(smooth >= level))
    if i == 0:
        return float(fractions[0])
    low, high = smooth[i - 1], smooth[i]
    return float(fractions[i - 1] + (level - low) / (high - low) * (fractions[i] - fractions[i - 1]))


def crossings(found: pd.DataFrame, arm: str, level: float) -> np.ndarray:
    """(seeds,): `crossing` for each mask seed."""
    x, y = curve(found, arm, "recovered")
    return np.array([crossing(x, row, level) for row in y])


def readable(found: pd.DataFrame, arm: str, within: float = 0.5) -> float:
    """The smallest fraction from which on every text of an arm is nearly as likely, by `sense`, as the one at fraction 1:
    at most `within` nats a token worse. nan for an arm without texts.
    """
    x, sense = curve(found[found["text"].notna()], arm, "sense")  # (1, P): texts are kept for one mask
    if not len(x):
        return float("nan")
    salad = np.flatnonzero(~(sense[0] <= sense[0][-1] + within))  # an empty text has no value, and is none
    return float(x[salad[-1] + 1] if len(salad) else x[0])


def p_domain(found: pd.DataFrame, seed: int = 0) -> float:
    """Does the domain explain loss beyond the achieved weight cosine? found: rows of `collapse_rows`.

    Each model's loss is fitted by a falling function of cosine (isotonic regression). What is left over is averaged for every
    mask and domain; the statistic is the sum over domains of the squared mean over masks. If only the cosine matters, the
    domains of one mask may change their names: they are permuted within each mask, with all fractions and fills that belong
    together, because masks are nested and one that hits an important weight does so at every fraction. Only `shared` rows
    count. Returns the permutation p.
    """
    found = shared(found)
    left = leftovers(found)
    table = left.groupby([found["seed"], found["domain"]]).mean().unstack().to_numpy()  # (masks, domains)
    rng = np.random.default_rng(seed)
    observed = float((table.mean(0) ** 2).sum())
    drawn = [(rng.permuted(table, axis=1).mean(0) ** 2).sum() for _ in range(PERMUTATIONS)]
    return float((np.sum(np.array(drawn) >= observed - 1e-12) + 1) / (PERMUTATIONS + 1))


def shared(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of those fractions and fills that were tried in all domains."""
    tried = found.groupby(["model", "fill", "fraction"])["domain"].transform("nunique")
    return found[tried == found["domain"].nunique()]


def leftovers(found: pd.DataFrame) -> pd.Series:
    """Nats, a value a row: loss minus its best falling function of cosine, which each model has for itself."""
    left = pd.Series(np.nan, index=found.index)
    for _, rows in found.groupby("model"):
        tied = rows.groupby("cosine")["nll"].agg(["mean", "size"])  # equal cosines get one value
        fit = isotonic_regression(tied["mean"], weights=tied["size"], increasing=False).x
        left[rows.index] = rows["nll"] - rows["cosine"].map(pd.Series(fit, index=tied.index))
    return left


def collapse_rows(found: pd.DataFrame) -> pd.DataFrame:
    """The points of the data collapse: four domains, iid loss, three fills, fractions strictly between 0 and 1."""
    mine = found[(found["order"] == "iid") & found["domain"].isin(DOMAINS) & found["fill"].isin(COLLAPSE)]
    mine = mine[mine["part"].isin(["arms", "collapse"]) & ~mine["protect"].astype(bool)]
    return mine[(mine["fraction"] > 0) & (mine["fraction"] < 1)]


def _function(found: pd.DataFrame) -> Quantities:
    arm = "hadamard.iid.zero"
    if not has(found, arm):
        return {}
    few = found[found["fraction"].between(0, 0.2, inclusive="right")]
    (_, kl), (_, top1) = (curve(few, arm, column) for column in ("kl", "top1"))  # (seeds, fractions up to a fifth)
    return {"d1_kl": kl.min(axis=1), "d1_top1": top1.max(axis=1)}


def _threshold(found: pd.DataFrame) -> Quantities:
    arm = "hadamard.iid.zero"
    if not has(found, arm):
        return {}
    return {"d2_width": crossings(found, arm, 0.9) - crossings(found, arm, 0.1), "d2_f50": crossings(found, arm, 0.5)}


def _domains(found: pd.DataFrame) -> Quantities:
    if not (has(found, "identity.iid.zero") and has(found, "hadamard.iid.zero")):
        return {}
    return {
        f"d5_transform_minus_raw_{f:g}": values(found, "hadamard.iid.zero", f) - values(found, "identity.iid.zero", f)
        for f in (0.6, 0.8)
    }


def _damage(found: pd.DataFrame) -> Quantities:
    """Loss under truncation minus loss under corruption at the cosine that truncation reaches, mean over its fractions.

    `d6_difference` has the sign that the mean of the *other* masks gives it: the size of a difference with a stable sign is
    kept, and one that is all noise comes out around zero, where absolute values would not.
    """
    cut, hit = "hadamard.iid.zero", "hadamard.corrupt"
    if not (has(found, cut) and has(found, hit)):
        return {}
    _, cosines = curve(found, hit, "cosine")
    _, losses = curve(found, hit, "nll")
    x, reached = curve(found, cut, "cosine")
    _, truncated = curve(found, cut, "nll")
    out = []
    for cosine, loss, at, cut_loss in zip(cosines, losses, reached, truncated, strict=True):
        order = np.argsort(cosine)
        inside = (at >= cosine.min()) & (at <= cosine.max()) & (x < 1) & (x >= 0.5)
        out.append(np.mean(cut_loss[inside] - np.interp(at[inside], cosine[order], loss[order])))
    signed = np.array(out)
    others = (signed.sum() - signed) / max(1, len(signed) - 1) if len(signed) > 1 else signed
    return {"d6_difference": signed * np.sign(others), "d6_signed": signed}


def _collapse(found: pd.DataFrame) -> Quantities:
    mine = collapse_rows(found)
    if mine["domain"].nunique() < 2:
        return {}
    return {"d7_p_domain": np.array([p_domain(mine)])}


def _corruption(found: pd.DataFrame) -> Quantities:
    rise = {}
    for domain in ("hadamard", "identity"):
        if not (has(found, f"{domain}.corrupt") and has(found, f"{domain}.iid.zero")):
            return {}
        rise[domain] = values(found, f"{domain}.corrupt", 0.999) - values(found, f"{domain}.iid.zero", 1.0)
    return {"d8_loss_increase": rise["hadamard"], "d8_transform_minus_int8": rise["hadamard"] - rise["identity"]}


def summary(found: pd.DataFrame, arms: Mapping[str, str]) -> pd.DataFrame:
    """A row an arm: where half of the loss is recovered, the width of the rise, and the losses at 0.6 and 0.8."""
    rows = []
    for arm, name in arms.items():
        if has(found, arm):
            f50, f90, f10 = (crossings(found, arm, level).mean() for level in (0.5, 0.9, 0.1))
            at = {f"loss at {f:g}": values(found, arm, f).mean() for f in (0.6, 0.8)}
            rows.append({"arm": name, "f50": f50, "f90 − f10": f90 - f10} | at)
    return pd.DataFrame(rows)


def residuals(found: pd.DataFrame) -> dict[str, float]:
    """How far the points of the data collapse lie from one falling curve of loss on cosine, in nats: the standard deviation
    of all (`all`), and the largest distance of a domain's mean (`domain`).
    """
    mine = collapse_rows(found)
    away = leftovers(mine)
    means = away.groupby(mine["domain"]).mean()
    return {"all": float(away.std()), "domain": float(means.abs().max())}


def by_model(found: pd.DataFrame, level: float = 0.5) -> pd.DataFrame:
    """A row for every (model, arm): depth, width, seed of the model, and `f50`, the mean over mask seeds of `crossing`."""
    rows = []
    for (model, arm), mine in found.groupby(["model", "arm"]):
        facts = {k: mine[k].iloc[0] for k in ("depth", "width", "parameters", "model_seed") if k in mine}
        rows.append({"model": model, "arm": arm, "f50": float(crossings(mine, arm, level).mean())} | facts)
    return pd.DataFrame(rows).rename(columns={"model_seed": "seed"})


def gain_of(found: pd.DataFrame, prior: str, fraction: float) -> tuple[float, float]:
    """Loss minus zero fill's at the best weight tried for a prior, and that weight: the mean over masks and models."""
    weights = sorted(found[found["prior"] == prior]["weight"].unique())
    means = {
        b: float(np.mean(difference(found, f"hadamard.iid.guided.{prior}.{b:g}", "hadamard.iid.zero", fraction)))
        for b in weights
    }
    best = min(means, key=means.get)
    return means[best], float(best)


def predictions(found: pd.DataFrame, known: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Rows with the cosine that arithmetic `predicted` beside the one achieved, for all fills and for the priors whose
    cosine and ratio of norms are `known`.
    """
    mine = found[
        (found["order"] == "iid")
        & (found["domain"] == "hadamard")
        & ((found["prior"] == "") | found["prior"].isin(list(known)))
    ]
    out = []
    for fraction, fill, weight, prior in zip(
        mine["fraction"], mine["fill"], mine["weight"], mine["prior"], strict=True
    ):
        rho, ratio = known.get(prior, (1.0, 1.0))
        out.append(fills.cosine(fraction, fill, weight=weight, rho=rho, ratio=ratio))
    return mine.assign(predicted=out)


def equal_cosine(found: pd.DataFrame, prior: str, base: str = "hadamard.iid.zero") -> np.ndarray:
    """(seeds,): loss with a prior minus that of zero fill at the same weight cosine, the mean over fractions and weights
    whose cosine lies within zero fill's range; empty where none does. One model's rows are expected.
    """
    out = []
    for _, rows in found.groupby("seed"):
        zero = rows[rows["arm"] == base].sort_values("cosine")
        mine = rows[rows["prior"] == prior]
        inside = mine[mine["cosine"].between(zero["cosine"].min(), zero["cosine"].max())]
        if len(inside):
            out.append(float((inside["nll"] - np.interp(inside["cosine"], zero["cosine"], zero["nll"])).mean()))
    return np.array(out)
