"""Could the tests have said otherwise? The rows with an effect put in, and the same rows with it taken out.

The scatter over templates stays as it was measured; only means are moved. Of triples, all but a few are put inside or
outside."""

from __future__ import annotations

import pandas as pd

from helpers import controls, frames
from helpers.separability.repair import quantities
from helpers.separability.repair.config import KINDS
from helpers.separability.repair.quantities import OVER, Quantities

LOST, KEPT = -0.6, -0.05  # of the logit difference, with the effect and without
RAISED = 0.76  # log2 norm ratio that is planted: twice the border
GIVEN = 0.3  # share of the direct effect that is given back, by other heads, where repair is planted
PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "S6": (f"the heads' ablation takes {-LOST:.0%} of the logit difference", f"it takes {-KEPT:.0%}"),
    "S7": (
        f"norms rise 1.7-fold and other heads give back {GIVEN:.0%} of the direct effect",
        "norms stay and nothing is repaired",
    ),
    "S8": ("97 of 100 triples change nothing", "half of the triples change something"),
}
Controls = dict[str, tuple[Quantities, Quantities]]


def planted(rows: pd.DataFrame) -> Controls:
    """{claim: (quantities with its effect planted, quantities with it taken out)}; nothing where the ablations did
    not run."""
    rows = frames.rows(rows, judged=True)
    if not len(frames.rows(rows, part="ablation", arm="critical")):
        return {}
    return {
        "S6": (_lost(rows, LOST), _lost(rows, KEPT)),
        "S7": (_raised(rows, RAISED, GIVEN), _raised(rows, 0.0, 0.0)),
        "S8": (_triples(rows, 0.03), _triples(rows, 0.5)),
    }


def _lost(rows: pd.DataFrame, to: float) -> Quantities:
    for kind in KINDS:
        rows = controls.shifted(rows, "relative", to, {"arm": "critical"}, over=OVER, part="ablation", kind=kind)
    return quantities.repair(rows)


def _raised(rows: pd.DataFrame, log2: float, given: float) -> Quantities:
    place = {"part": "ablation", "kind": "zero"}
    rows = controls.shifted(rows, "log2_norm", log2, {"arm": "critical"}, over=OVER, **place)
    chosen = frames.rows(rows, arm="critical", **place)
    less = (
        chosen["change"] - (1 - given) * chosen["direct"]
    )  # what the change is beyond the one that is to be on average
    back = chosen["heads"] + chosen["mlps"] + given * chosen["direct"]
    at = rows.index.isin(chosen.index)
    columns = {"change": rows["change"] - less.mean(), "heads": rows["heads"] - back.mean()}
    return quantities.repair(rows.assign(**{k: rows[k].where(~at, v) for k, v in columns.items()}))


def _triples(rows: pd.DataFrame, share: float) -> Quantities:
    """This share of the triples, evenly spread, changes both quantities by a half, the others not at all."""
    found = rows["part"].eq("triples")
    outside = (rows[found].groupby(["kind"]).cumcount() * share) % 1 + share >= 1 - 1e-9
    value = outside.astype(float) * 0.5
    return quantities.repair(
        rows.assign(
            log2_norm=rows["log2_norm"].where(~found, value.reindex(rows.index)),
            relative=rows["relative"].where(~found, value.reindex(rows.index)),
        )
    )
