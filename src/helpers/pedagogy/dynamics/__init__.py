"""What happens to dimension, holes and labels while generators are raised, and what the losses have to do with it (seed
document 001).

`Dynamics` is the whole experiment in one setting, at the scales `QUICK`, `FULL` and `DOCUMENT`; `run_dynamics` raises every
arm, looks on the way and asks for pairs at the end, `run_printed` is the document's own run; `write` leaves the files that
its script leaves.
"""

from helpers.pedagogy.dynamics import controls, quantities
from helpers.pedagogy.dynamics.config import Looking
from helpers.pedagogy.dynamics.printed import write
from helpers.pedagogy.dynamics.run import run_dynamics, run_printed
from helpers.pedagogy.dynamics.scale import DOCUMENT, FULL, QUICK, Dynamics
from helpers.pedagogy.whose import FASHION
from helpers.study import Study

CHAPTERS = {
    "training_dynamics": Study(
        frame=quantities.frame,
        judged=lambda rows: rows[~rows["part"].isin(["pictures", "audit"])],
        quantities=quantities.judged,
        controls=controls.planted,
        planted=controls.PLANTED,
        same={"dataset": FASHION, "steps": None, "scale": "profile", "samples_per_class": 100, "k": 20},
    ),
}
__all__ = ["CHAPTERS", "DOCUMENT", "FULL", "QUICK", "Dynamics", "Looking", "run_dynamics", "run_printed", "write"]
