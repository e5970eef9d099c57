"""Is the first phase of training enough to compose? The document's open question (seed document 001).

`Ablation` is the whole experiment in one setting, at the scales `QUICK`, `FULL` and `DOCUMENT`; `run_phases` trains,
composes and measures into a log.
"""

from helpers.pedagogy.phases import controls, quantities
from helpers.pedagogy.phases.config import LOOKS, Variety, looks
from helpers.pedagogy.phases.run import run_phases
from helpers.pedagogy.phases.scale import DOCUMENT, FULL, QUICK, Ablation
from helpers.pedagogy.whose import FASHION
from helpers.study import Study

CHAPTERS = {
    "phase_one_ablation": Study(
        frame=lambda rows: rows,
        judged=lambda rows: rows[rows["part"] != "pages"],
        quantities=quantities.judged,
        controls=controls.planted,
        planted=controls.PLANTED,
        same={"dataset": FASHION, "steps": None, "splitter_steps": None, "scale": "profile"},
    ),
}
__all__ = ["CHAPTERS", "DOCUMENT", "FULL", "LOOKS", "QUICK", "Ablation", "Variety", "looks", "run_phases"]
