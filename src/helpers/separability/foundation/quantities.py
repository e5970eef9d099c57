"""From a tidy frame to the quantities that the claims name: one value a seed. Nothing is trained here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from helpers import devices, frames
from helpers.records import MetricAggregator
from helpers.separability import law
from helpers.separability.foundation.config import HEADS

AFTER = "A_activation"  # the stream after the last block, which the document looks at
MIDDLE = "A_activation_resid_mid_L0"  # the stream between attention and MLP, whose length the MLP meets
MANY = 8  # conditions that the law needs
LAWS = {
    "log": (AFTER, False),
    "after": (AFTER, True),
    "mid": (MIDDLE, True),
}  # amplitude's site; only models that can look
NAMES = (  # of everything that is measured for a claim, or said beside it
    *(
        "s1_accuracy",
        "s1_shuffled_labels",
        "s_future_leak",
        "s2_accuracy_patterns",
        "s2_drop_patterns",
        "s2_drop_weights",
    ),
    *("s2_drop_removed", "s2_frozen_equal", "s2_drop_frozen_after_training", "s2_drop_deleted"),
    "s2_drop_frozen_while_training_on",
    *("s3_ratio", "s3_log2_ratio", "s3_log2_ratio_planted", "s3_log2_ratio_again"),
    *("s3_log2_ratio_mid", "s3_log2_ratio_planted_mid", "s3_log2_ratio_again_mid", "s3_louder_accuracy"),
    *("s4_accuracy_printed", "s4_cohens_d", "s4_accuracy", "s4_accuracy_trained", "s4_norm_is_set", "s4_sham_ratio"),
    *("s4_sham_constrained", "s4_sham_trained", "s4_chance"),
    *("s5_ratio", "s5_corrected_ratio", "s5_minus_naive", "s5_mean_share", "s5_random_minus_naive"),
    *("s5_after_ratio", "s5_after_minus_naive"),
    *(f"s13_{of}_{rival}_over_additive" for of in LAWS for rival in ("product", "g")),
    *(f"s13_{of}_{law}_found" for of in LAWS for law in ("sum", "product")),
    *("s14_mean_share", "s14_mean_minus_variance_cost", "s14_dose_ratio", "s14_random_cost"),
    *("s14_mean_minus_random_cost", "s14_mean_minus_alike_cost"),
)
TRIES = 25  # planted laws of each kind, a seed
Quantities = dict[str, list[float]]
Quantity = Callable[[pd.DataFrame], np.ndarray]


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with what follows from it. end: whether a row is its record's last. shown: the arm's name for
    people."""
    out = rows.assign(end=~rows.duplicated(["condition", "seed"], keep="last"))
    if "arm" not in out:
        return out
    out["shown"] = out["arm"].map(shown)
    whole = frames.rows(out, part="trained", arm="control", end=True).set_index("seed")
    for column in [c for c in out if c.startswith("A_activation_")]:
        ratio = out[column] / out["seed"].map(whole[column])
        out[column.replace("activation", "ratio")] = ratio.where(out["part"] == "trained")
    return out


def doses(rows: pd.DataFrame) -> pd.DataFrame:
    """Arms after training, by kind of constraint in `group`, the control as dose 0 of every kind."""
    ends = frames.rows(rows, part="trained", end=True)
    if not len(ends):
        return ends
    ends = ends[(ends["clamp"] == "") & ~ends["arm"].isin(["again", "shuffled"])]
    kinds = [k for k in ends["kind"].unique() if k]
    zero = [ends[ends["arm"] == "control"].assign(group=k) for k in kinds]
    return pd.concat([*zero, ends[ends["kind"] != ""].assign(group=ends["kind"])], ignore_index=True)


def means(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a condition of the law: means of Ψ, G and A over seeds, and the sum and product of G and A in units of
    spread."""
    table = conditions(rows).groupby("shown", sort=False)[["psi", "g", "a"]].mean().reset_index()
    g, a = law.units(table["g"], table["a"])
    return table.assign(sum=g + a, product=g * a)


def shown(arm: object) -> object:
    """'patterns_2' as 'patterns 2 of 4 fixed'; an arm's own name with spaces otherwise."""
    kind, _, dose = str(arm).rpartition("_")
    words = {"patterns": "patterns fixed", "weights": "weights frozen", "removed": "heads removed"}
    return f"{dose} of 4: {words[kind]}" if kind in words else str(arm).replace("_", " ")


def quantities(rows: pd.DataFrame) -> Quantities:
    """Everything that S1–S5, S13 and S14 name. Those whose rows are missing are left out."""
    return _there(control(rows) | constraint(rows) | amplitude(rows) | clamps(rows) | dose(rows) | laws(rows))


def named(name: str) -> Callable[[pd.DataFrame], list[float]]:
    """A quantity by the name that the claims use."""
    of = {"s1": control, "s2": constraint, "s3": amplitude, "s4": clamps, "s5": clamps, "s14": dose}
    of |= {f"s13_{key}": partial(laws, only=(key,), planted=name.endswith("_found")) for key in LAWS}
    read = next((q for start, q in of.items() if name.startswith(f"{start}_")), control)
    return lambda rows: _there(read(rows)).get(name, [])


def of_arm(column: str, arm: str, **where: object) -> Quantity:
    """A quantity: a metric of an arm after training, seed by seed."""
    return lambda rows: _arm(rows, arm, column, **where).to_numpy()


def over_control(column: str, arm: str) -> Quantity:
    """A quantity: the ratio of an arm's metric to the control's."""
    return lambda rows: _ratio(_arm(rows, arm, column), _arm(rows, "control", column))


def put_on(clamp: str, site: str, arm: str = "constraint", column: str = "psi_accuracy") -> Quantity:
    """A quantity: a metric of a trained arm with a clamp put on afterwards."""
    return lambda rows: _after(rows, clamp, site, arm, column).to_numpy()


def gap(a: str, b: str, column: str = "psi_accuracy") -> Quantity:
    """A quantity: arm a less arm b, paired by seed."""
    return lambda rows: _less(_arm(rows, a, column), _arm(rows, b, column))


def site(rows: pd.DataFrame) -> str:
    """The site of all clamps but the document's own."""
    found = frames.rows(rows, part="dose")
    return str(found["site"].iloc[0]) if len(found) else "resid_mid"


@frames.kept
def control(rows: pd.DataFrame) -> Quantities:
    """S1."""
    checks = lambda column: _check(rows, column).to_numpy()
    return {
        "s1_accuracy": _arm(rows, "control"),
        "s1_shuffled_labels": _arm(rows, "shuffled"),
        "s_future_leak": checks("future_leak"),
    }


@frames.kept
def constraint(rows: pd.DataFrame) -> Quantities:
    """S2: what constraints cost."""
    whole = _arm(rows, "control")
    drop = lambda arm: _less(whole, _arm(rows, arm))
    trained = frames.rows(rows, part="trained", end=True)
    still = trained.groupby("seed")["frozen_equal"].min() if len(trained) else pd.Series(dtype=float)
    return {
        "s2_accuracy_patterns": _arm(rows, "constraint"),
        "s2_drop_patterns": drop("constraint"),
        "s2_drop_weights": drop("weights_3"),
        "s2_drop_removed": drop("removed_3"),
        "s2_frozen_equal": still,
        "s2_drop_frozen_after_training": _less(whole, _check(rows, "accuracy_frozen_late")),
        "s2_drop_frozen_while_training_on": _less(
            _check(rows, "accuracy_trained_on"), _check(rows, "accuracy_frozen_late")
        ),
        "s2_drop_deleted": _less(whole, _check(rows, "accuracy_deleted")),
    }


@frames.kept
def amplitude(rows: pd.DataFrame) -> Quantities:
    """S3: the amplitude after the last block and in its middle, over the control's."""
    out = {"s3_louder_accuracy": _less(_check(rows, "accuracy_louder"), _arm(rows, "control"))}
    for end, column, planted in (("", AFTER, "A_louder"), ("_mid", MIDDLE, "A_louder_mid")):
        whole = _arm(rows, "control", column)
        seen = {"": _arm(rows, "constraint", column), "_planted": _check(rows, planted)}
        seen["_again"] = _arm(rows, "again", column)
        out |= {f"s3_log2_ratio{which}{end}": np.log2(_ratio(x, whole)) for which, x in seen.items()}
    tripled = _ratio(
        _check(rows, "A_tripled"), _arm(rows, "control", AFTER)
    )  # of runs before 2026-11-28, set where it is read
    return out | {"s3_ratio": 2 ** out["s3_log2_ratio"], "s3_log2_ratio_tripled": np.log2(tripled)}


@frames.kept
def clamps(rows: pd.DataFrame) -> Quantities:
    """S4 and S5: what clamps cost the constrained model, trained with them and put on afterwards."""
    here, free = site(rows), _arm(rows, "constraint")
    trained = lambda clamp: _arm(rows, f"{clamp}_at_site")
    chance = _arm(rows, "constraint", "chance")
    above = lambda accuracy: accuracy - chance.reindex(accuracy.index)
    effect = MetricAggregator()
    for arm in ("constraint", "naive_clamp"):
        for value in _arm(rows, arm):
            effect.add_run(arm, value)
    d = [effect.compute_cohens_d("constraint", "naive_clamp")] if len(effect.runs) == 2 else []
    return {
        "s4_accuracy_printed": _arm(rows, "naive_clamp"),
        "s4_cohens_d": [v for v in d if np.isfinite(v)],
        "s4_accuracy": _after(rows, "token_norm", here),
        "s4_accuracy_trained": trained("token_norm"),
        "s4_norm_is_set": _after(rows, "token_norm", here, column="set"),
        "s4_sham_ratio": _ratio(_after(rows, "sham", here, "control"), _arm(rows, "control")),
        "s4_sham_constrained": _ratio(_after(rows, "sham", here), free),
        "s4_sham_trained": _ratio(trained("sham"), free),
        "s4_chance": chance,
        "s5_ratio": _ratio(_arm(rows, "mean_preserving_clamp"), free),
        "s5_after_ratio": _ratio(above(_after(rows, "mean_preserving", here)), above(free)),
        "s5_after_minus_naive": _less(_after(rows, "mean_preserving", here), _after(rows, "naive", here)),
        "s5_corrected_ratio": _ratio(above(trained("mean_preserving")), above(free)),
        "s5_minus_naive": _less(trained("mean_preserving"), trained("naive")),
        "s5_mean_share": _arm(rows, "constraint", f"mean_share_{here}_L0"),
        "s5_random_minus_naive": _less(trained("preserving"), trained("naive")),
    }


@frames.kept
def dose(rows: pd.DataFrame) -> Quantities:
    """S14: the mean vector against the rest, by the same dose, in the constrained model."""
    of = lambda which, column: frames.per_seed(rows, column, part="dose", arm="constraint", clamp=which, end=True)
    whole = _arm(rows, "constraint")
    return {
        "s14_mean_share": _arm(rows, "constraint", f"mean_share_{site(rows)}_L0"),
        "s14_mean_minus_variance_cost": _less(of("rest", "psi_accuracy"), of("mean", "psi_accuracy")),
        "s14_mean_minus_random_cost": _less(of("random", "psi_accuracy"), of("mean", "psi_accuracy")),
        "s14_mean_minus_alike_cost": _less(of("alike", "psi_accuracy"), of("mean", "psi_accuracy")),
        "s14_dose_ratio": _ratio(of("mean", "removed"), of("rest", "removed")),
        "s14_random_cost": _less(whole, of("random", "psi_accuracy")),
    }


def conditions(rows: pd.DataFrame, looking: bool = False) -> pd.DataFrame:
    """Ψ, G and A of every arm and seed that the law is asked of: all that read true targets from the common start.

    looking: without the models whose four heads all have fixed patterns, or none at all, which cannot do the task whatever
    their amplitude is."""
    ends = frames.rows(rows, part="trained", end=True)
    if not len(ends):
        return ends
    ends = ends[~ends["arm"].isin(["again", "shuffled"])]
    if looking:
        ends = ends[~(ends["kind"].isin(["patterns", "removed"]) & ends["dose"].eq(HEADS))]
    return ends.rename(columns={"psi_accuracy": "psi", "G_stability": "g", AFTER: "a", MIDDLE: "a_mid"})


@frames.kept
def laws(rows: pd.DataFrame, only: Sequence[str] = tuple(LAWS), planted: bool = True) -> Quantities:
    """S13: each seed's conditions by themselves, one left out at a time; and laws that were planted into the same G and A.
    By LAWS: s13_log_… of all conditions, s13_after_… and s13_mid_… of those that can look, by the site of A."""
    out: Quantities = {}
    for name in only:
        column, looking = LAWS[name]
        table = conditions(rows, looking)
        if len(table) and table["arm"].nunique() >= MANY:
            out |= _law(name, table, "a" if column == AFTER else "a_mid", planted)
    return out


def _law(name: str, table: pd.DataFrame, column: str, planted: bool) -> Quantities:
    """One choice of conditions and of A's site: log errors over the sum's, a value a seed, and shares recognised."""
    rivals = {f"s13_{name}_{short}_over_additive": kind for short, kind in (("product", "product"), ("g", "geometry"))}
    found = {f"s13_{name}_sum_found": "additive", f"s13_{name}_product_found": "product"} if planted else {}
    out: Quantities = {k: [] for k in (*rivals, *found)}
    for seed, one in table.groupby("seed"):
        psi, g, a, names = (one[c].to_numpy() for c in ("psi", "g", column, "arm"))
        errors = law.left_out(psi, *law.units(g, a), names)
        for key, kind in rivals.items():
            out[key].append(law.log_ratio(errors, kind, "additive"))
        for key, kind in found.items():
            rng = devices.numpy_rng("planted law", kind, int(seed))
            out[key].append(law.recognised(kind, g, a, names, rng, TRIES))
    return out | {key: [float(np.mean(out[key]))] for key in found}


def _arm(rows: pd.DataFrame, arm: str, column: str = "psi_accuracy", **where: object) -> pd.Series:
    """An arm's metric after training, by seed; empty where it was not trained."""
    return frames.per_seed(rows, column, part="trained", arm=arm, end=True, **where)


def _after(rows: pd.DataFrame, clamp: str, at: str, arm: str = "constraint", column: str = "psi_accuracy") -> pd.Series:
    return frames.per_seed(rows, column, part="posthoc", arm=arm, clamp=clamp, site=at, end=True)


def _check(rows: pd.DataFrame, column: str) -> pd.Series:
    return frames.per_seed(rows, column, part="checks", end=True) if column in rows else pd.Series(dtype=float)


def _less(a: pd.Series, b: pd.Series) -> pd.Series:
    both = a.index.intersection(b.index)
    return a[both] - b[both]


def _ratio(a: pd.Series, b: pd.Series) -> pd.Series:
    both = a.index.intersection(b.index)
    return a[both] / b[both]


def _there(found: Mapping[str, object]) -> Quantities:
    """Those that were measured, as plain numbers."""
    return {k: [float(v) for v in values] for k, values in found.items() if len(values)}
