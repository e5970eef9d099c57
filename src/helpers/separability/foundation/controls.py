"""Could the tests of experiment A have said otherwise? Its rows with an effect put in, and the same rows with it
taken out.

The scatter over seeds stays as it was measured; only means are moved.
"""

from __future__ import annotations

import pandas as pd

from helpers import devices, frames
from helpers.controls import shifted
from helpers.separability import law
from helpers.separability.foundation import quantities
from helpers.separability.foundation.quantities import AFTER, MIDDLE, Quantities

PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "S1": ("control accuracy moved to 99 %", "moved to 91 %"),
    "S2": ("both constraints cost 40 points", "both cost nothing"),
    "S3": ("amplitude four times the control's, in the middle and after the block", "amplitude as the control's"),
    "S4": ("both clamps leave 1 % accuracy", "both leave half"),
    "S5": ("the mean-preserving clamp keeps all, the naive one 20 points less", "it keeps half, the naive one as much"),
    "S13": ("Ψ set to a sum of the measured G and A, one A at both sites", "Ψ set to numbers that know neither"),
    "S14": (
        "a mean of four fifths of the norm, whose clamp costs 20 points more",
        "a mean of a fifth, costing as much",
    ),
}
Controls = dict[str, tuple[Quantities, Quantities]]
TRAINED = {"part": "trained", "end": True}


def controls(rows: pd.DataFrame) -> Controls:
    """{claim: (quantities with its effect, quantities without)} of a run with all arms; empty for less."""
    if not {"constraint", "weights_3", "token_norm_at_site"} <= set(rows["arm"]):
        return {}
    here = quantities.site(rows)
    return {
        "S1": tuple(quantities.control(_set(rows, "control", to)) for to in (0.99, 0.91)),
        "S2": tuple(quantities.constraint(_drops(rows, to)) for to in (0.4, 0.0)),
        "S3": tuple(quantities.amplitude(_times(rows, to)) for to in (4.0, 1.0)),
        "S4": tuple(quantities.clamps(_left(rows, here, to)) for to in (0.01, 0.5)),
        "S5": tuple(quantities.clamps(_kept(rows, here, *to)) for to in ((1.0, 0.2), (0.5, 0.0))),
        "S13": tuple(quantities.laws(_law(rows, kind)) for kind in ("additive", "none")),
        "S14": (quantities.dose(_mean(rows, here, 0.8, 0.2)), quantities.dose(_mean(rows, here, 0.2, 0.0))),
    }


def _set(rows: pd.DataFrame, arm: str, to: float, column: str = "psi_accuracy", **where: object) -> pd.DataFrame:
    return shifted(rows, column, to, {"arm": arm}, over=("seed",), **(where or TRAINED))


def _drops(rows: pd.DataFrame, cost: float) -> pd.DataFrame:
    for arm in ("constraint", "weights_3"):
        rows = shifted(rows, "psi_accuracy", -cost, {"arm": arm}, {"arm": "control"}, over=("seed",), **TRAINED)
    return rows


def _times(rows: pd.DataFrame, ratio: float) -> pd.DataFrame:
    for column in (AFTER, MIDDLE):
        more = (ratio - 1) * frames.per_seed(rows, column, arm="control", **TRAINED).mean()
        rows = shifted(rows, column, more, {"arm": "constraint"}, {"arm": "control"}, over=("seed",), **TRAINED)
    return rows


def _left(rows: pd.DataFrame, site: str, to: float) -> pd.DataFrame:
    rows = _set(rows, "token_norm_at_site", to)
    return _set(rows, "constraint", to, part="posthoc", clamp="token_norm", site=site, end=True)


def _kept(rows: pd.DataFrame, site: str, share: float, less: float) -> pd.DataFrame:
    """The mean-preserving clamp keeps a share of the constrained accuracy, the naive one `less` of it, in both ways."""
    free = frames.per_seed(rows, "psi_accuracy", arm="constraint", **TRAINED).mean()
    place = {"a": {"arm": "mean_preserving_at_site"}, "b": {"arm": "constraint"}, "over": ("seed",)}
    rows = shifted(rows, "psi_accuracy", (share - 1) * free, **place, **TRAINED)
    naive = {"a": {"arm": "naive_at_site"}, "b": {"arm": "mean_preserving_at_site"}, "over": ("seed",)}
    rows = shifted(rows, "psi_accuracy", -less, **naive, **TRAINED)
    for clamp, to in (("mean_preserving", share * free), ("naive", share * free - less)):
        rows = _set(rows, "constraint", to, part="posthoc", clamp=clamp, site=site, end=True)
    return rows


def _law(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Ψ of every arm and seed replaced by a law of that seed's own G and A, the same at both sites, or by noise."""
    psi = rows["psi_accuracy"].copy()
    for seed, one in quantities.conditions(rows).groupby("seed"):
        rng = devices.numpy_rng("planted rows", kind, int(seed))
        none = kind == "none"
        psi[one.index] = rng.random(len(one)) if none else law.planted(kind, one["g"], one["a"], rng)
    return rows.assign(psi_accuracy=psi, **{MIDDLE: rows[AFTER]})


def _mean(rows: pd.DataFrame, site: str, share: float, more: float) -> pd.DataFrame:
    rows = _set(rows, "constraint", share, f"mean_share_{site}_L0")
    dose = {"part": "dose", "arm": "constraint", "end": True}
    for same in ("random", "alike"):
        rows = shifted(rows, "psi_accuracy", 0.0, {"clamp": same}, {"clamp": "rest"}, over=("seed",), **dose)
    return shifted(rows, "psi_accuracy", -more, {"clamp": "mean"}, {"clamp": "rest"}, over=("seed",), **dose)
