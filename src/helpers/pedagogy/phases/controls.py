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
WORDS = "at T/3 both digits are right as often as at T", "at T/3 they are right less often, by six points"
PLANTED = {"T8": WORDS, "T8b": WORDS}  # claim: (what is planted, what is left when it is taken out)


def planted(rows: pd.DataFrame) -> dict[str, tuple[Quantities, Quantities]]:
    """{claim: (quantities with its effect planted, quantities with it taken out)}; empty where the arm did not run."""
    if not len(frames.rows(rows, at="first", **WIRED, **COMPOSED)):
        return {}
    moved = lambda to: shifted(rows, "joint", to, WIRED | {"at": "first"}, WIRED | {"at": "last"}, OVER, **COMPOSED)
    both = quantities.judged(moved(0.0)), quantities.judged(moved(LOST))
    return dict.fromkeys(PLANTED, both)
