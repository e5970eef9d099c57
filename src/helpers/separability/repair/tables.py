"""The chapter's tables: which models ran, and what each of them says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers import frames, prose
from helpers.separability.repair import quantities
from helpers.separability.repair.config import KINDS
from helpers.separability.repair.figures import models
from helpers.study import Log


def ran(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a model: its size, how many were run, the heads that were found, and how well it does the task."""
    out = []
    for name, where in models(rows).items():
        found = frames.rows(rows, part="ablation", arm="critical", kind="zero", **where)
        first = found.iloc[0]
        heads = dict.fromkeys(found.sort_values("seed")["critical"])
        size = f"{first['size']} blocks of {first['heads_each']} heads"
        row = {"model": name, "size": size, "seeds": int(found["seed"].nunique()), "prompts": int(first["prompts"])}
        shown = "; ".join([*heads][:3]) + (" …" if len(heads) > 3 else "")
        out.append(
            row | {"names split": int(first["dropped"]), "heads": shown, "logit difference": float(found["ld"].mean())}
        )
    return pd.DataFrame(out)


def returned(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a model and ablation, means over templates: what is lost, and by whom how much of the direct effect is
    given back."""
    out = []
    for name, where in models(rows).items():
        for kind in KINDS:
            mean = lambda q: float(np.mean(q(rows)))
            row = {"model": name, "ablation": kind, "lost": -mean(quantities.share("change", kind, **where))}
            row |= {"direct": -mean(quantities.share("direct", kind, **where))}
            row |= {"repaired": float(np.mean(quantities.repaired(rows, kind, **where)))}
            row |= {f"by {part}": mean(quantities.given_back(part, kind, **where)) for part in quantities.PARTS}
            norm = mean(quantities.at("log2_norm", kind=kind, **where))
            out.append(row | {"norm ratio": 2**norm, "along signal": mean(quantities.at("along", kind=kind, **where))})
    return pd.DataFrame(out)


def printed(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a condition of the printed experiment: what was ablated, and the document's own numbers."""
    found = frames.rows(rows, part="printed")
    columns = ["psi_logit_diff", "delta_logit_diff", "compensation"]
    table = found.groupby(["arm", "ablated"], sort=False)[columns].mean().reset_index()
    expected = {"critical": "−3.5 and above 1.3", "random": "−0.1 and 1.0"}
    return table.rename(columns={"arm": "condition"}).assign(
        **{"the document expects": table["arm"].map(expected).fillna("")}
    )


def verdicts(log: Log, rows: pd.DataFrame) -> pd.DataFrame:
    """A row a model: the verdicts that the precise criteria give on its rows alone. Nothing is stored."""
    out = []
    for name, where in models(rows).items():
        alone = frames.rows(rows, **where).assign(judged=True)
        judged = log.examine(alone)
        out.append({"model": name} | {claim: prose.badge(verdict) for claim, verdict in judged.items()})
    return pd.DataFrame(out)
