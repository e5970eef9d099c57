"""Could the test have said otherwise? The chapter's rows with the effect put in, and the same rows with it taken out.

The scatter over seeds stays as it was measured; only means are moved.
"""

from __future__ import annotations

import pandas as pd

from helpers import frames
from helpers.controls import shifted
from helpers.pedagogy.phases import quantities
from helpers.pedagogy.phases.quantities import COMPOSED, OVER, WIRED, Quantities

LOST = -0.06  # joint accuracy that a planted mentorship is worth, three margins
BEFORE, AFTER = 0.2, 0.8  # joint accuracy at T/30: of composition that comes with the phase, and before it
PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "T8": ("at T/3 both digits are right as often as at T", "at T/3 they are right less often, by six points"),
    "T8b": (f"at T/30 both digits are right in {BEFORE:.0%}", f"at T/30 they are right in {AFTER:.0%}"),
}


def planted(rows: pd.DataFrame) -> dict[str, tuple[Quantities, Quantities]]:
    """{claim: (quantities with its effect planted, quantities with it taken out)}; empty where the arm did not run."""
    if not len(frames.rows(rows, at="first", **WIRED, **COMPOSED)):
        return {}
    moved = lambda at, to, other=None: quantities.judged(
        shifted(rows, "joint", to, WIRED | {"at": at}, other, OVER, **COMPOSED)
    )
    last = WIRED | {"at": "last"}
    return {
        "T8": (moved("first", 0.0, last), moved("first", LOST, last)),
        "T8b": (moved("early", BEFORE), moved("early", AFTER)),
    }
