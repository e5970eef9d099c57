"""Could the tests of Part I have said otherwise? Their rows with the effect put in, and the same rows with it taken out.

The scatter over masks stays as it was measured; only means are moved. So a planted effect that is not found, or an absent
one that is, means that the instrument is at fault, and its claim stays undecided (`claims.probe`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from helpers.dtdr import quantities
from helpers.dtdr.quantities import Quantities

STEP = 0.7  # where a planted threshold lies, as a fraction kept
SMALL = 0.3  # nats that are planted where a claim speaks of a difference, however small
ZERO, RAW = "hadamard.iid.zero", "identity.iid.zero"
BACKFITS = 20  # rounds of curve and means in turn (backfitting: Buja, Hastie and Tibshirani, 1989)
Controls = dict[str, tuple[Quantities, Quantities]]
PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "D1": ("up to a fifth kept does as little as nothing", "up to a fifth does as much as all"),
    "D2": (f"all of the loss comes back at {STEP:g}", "the loss comes back in proportion to what is kept"),
    "D3": ("random fill costs half of the loss more than zeros", "random fill costs as much as zeros"),
    "D4": ("guided fill gives half of the loss back", "guided fill gives nothing back"),
    "D5": ("the transformed store loses half of the loss more", "both domains lose the same"),
    "D6": ("truncation costs half of the loss more", "truncation and corruption cost the same"),
    "D7": (f"both transforms cost {SMALL:g} nats more at every cosine", "no domain lies off the curve"),
    "D8": ("corruption costs plain INT8 half of the loss, the transformed store nothing", "it costs both nothing"),
}


def emergence_controls(found: pd.DataFrame) -> Controls:
    """{claim: (quantities with its effect planted, quantities with none)} of the first chapter, from the frame it is
    judged by. Claims whose arms are not in `found` are left out.
    """
    return _each(found, quantities.emergence(found), {"D1": _d1, "D2": _d2, "D5": _d5, "D6": _d6, "D7": _d7, "D8": _d8})


def guided_controls(found: pd.DataFrame) -> Controls:
    """The same for the second chapter."""
    return _each(found, quantities.guided(found), {"D3": _d3, "D4": _d4})


def moved(found: pd.DataFrame, arm: str, base: str, fraction: float, to: float) -> pd.DataFrame:
    """A copy in which the loss of `arm` at a fraction is shifted so that its mean difference from `base` is `to` nats.

    Where the two were not tried together, nothing moves.
    """
    now = quantities.difference(found, arm, base, fraction)
    return _shifted(found, arm, fraction, to - now.mean()) if len(now) else found


def _shifted(found: pd.DataFrame, arm: str, fraction: float, by: float) -> pd.DataFrame:
    mine = (found["arm"] == arm) & np.isclose(found["fraction"], fraction)
    return found.assign(nll=found["nll"] + by * mine)


def _each(found: pd.DataFrame, known: Quantities, make: dict[str, Callable]) -> Controls:
    return {claim: each(found) for claim, each in make.items() if any(k.startswith(f"{claim.lower()}_") for k in known)}


def _half(found: pd.DataFrame) -> float:
    """Half of the loss that lies between nothing and the whole model, in nats: what 'does not function' would cost."""
    return float((found["nothing"] - found["intact"]).mean()) / 2


def _d1(found: pd.DataFrame) -> tuple[Quantities, Quantities]:
    """Few coefficients do as little as none; few do as much as all."""
    columns, mine = ["kl", "top1"], found[found["arm"] == ZERO]

    def at(fraction: float) -> Quantities:
        source = mine[np.isclose(mine["fraction"], fraction)].groupby(["model", "seed"])[columns].mean()
        few = mine[mine["fraction"].between(0, 0.2, inclusive="right")]
        return quantities._function(few.drop(columns=columns).join(source, on=["model", "seed"]))

    return at(0.0), at(1.0)


def _d2(found: pd.DataFrame) -> tuple[Quantities, Quantities]:
    """All of the loss comes back in one step; it comes back in proportion to what is kept."""
    return tuple(
        quantities._threshold(found.assign(recovered=r))
        for r in ((found["fraction"] >= STEP - 1e-9).astype(float), found["fraction"])
    )


def _d3(found: pd.DataFrame) -> tuple[Quantities, Quantities]:
    return tuple(_filled(found, ("hadamard.iid.random",), to) for to in (_half(found), 0.0))


def _d4(found: pd.DataFrame) -> tuple[Quantities, Quantities]:
    arms = tuple(f"hadamard.iid.guided.{prior}.0.15" for prior in ("leaked", "earlier", "before"))
    return tuple(_filled(found, arms, to) for to in (-_half(found), 0.0))


def _filled(found: pd.DataFrame, arms: tuple[str, ...], to: float) -> Quantities:
    for arm in arms:
        for f in (0.2, 0.4, 0.6):
            found = moved(found, arm, ZERO, f, to)
    return quantities.guided(found)


def _d5(found: pd.DataFrame) -> tuple[Quantities, Quantities]:
    """At the two judged fractions the transformed store is half-way to nothing; the domains do not differ."""

    def at(to: float) -> Quantities:
        return quantities._domains(moved(moved(found, ZERO, RAW, 0.6, to), ZERO, RAW, 0.8, to))

    return at(_half(found)), at(0.0)


def _d6(found: pd.DataFrame) -> tuple[Quantities, Quantities]:
    """Truncation costs half of all more than corruption at equal cosine; it costs the same."""
    now = float(np.mean(quantities._damage(found)["d6_signed"]))
    cut = found["arm"] == ZERO
    return tuple(quantities._damage(found.assign(nll=found["nll"] + (to - now) * cut)) for to in (_half(found), 0.0))


def _d7(found: pd.DataFrame) -> tuple[Quantities, Quantities]:
    """No domain's mean lies off the curve of its model, but both transforms cost SMALL more; or none does."""
    rows = quantities.shared(quantities.collapse_rows(found))
    for _ in range(BACKFITS):  # a large effect bends the curve that it is measured by
        means = quantities.leftovers(rows).groupby([rows["model"], rows["domain"]]).transform("mean")
        rows = rows.assign(nll=rows["nll"] - means)
    planted = rows.assign(nll=rows["nll"] + SMALL * rows["domain"].isin(["hadamard", "dct"]))
    return quantities._collapse(planted), quantities._collapse(rows)


def _d8(found: pd.DataFrame) -> tuple[Quantities, Quantities]:
    """The same corruption costs the transformed store nothing and plain INT8 half of all; it costs both nothing."""

    def at(plain: float) -> Quantities:
        ends = found
        for domain, to in (("hadamard", 0.0), ("identity", plain)):
            arm, whole = f"{domain}.corrupt", f"{domain}.iid.zero"
            now = quantities.values(found, arm, 0.999) - quantities.values(found, whole, 1.0)
            ends = _shifted(ends, arm, 0.999, to - now.mean())
        return quantities._corruption(ends)

    return at(_half(found)), at(0.0)
