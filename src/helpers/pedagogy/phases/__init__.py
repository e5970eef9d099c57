"""Is the first phase of training enough to compose? The document's open question (seed document 001).

`Variety` and `looks` are its settings beside those of the arms and of the task, `run_phases` trains, composes and
measures into a log.
"""

from helpers.pedagogy.phases import controls, quantities
from helpers.pedagogy.phases.config import LOOKS, Variety, looks
from helpers.pedagogy.phases.run import run_phases
from helpers.study import Study

FASHION = "sha256:5b6d2c4c694a91887af8ab7d039c04f80af3c29378d731c93a538d2e831aa469"  # of the npz file of Fashion-MNIST
CHAPTERS = {
    "phase_one_ablation": Study(
        frame=quantities.frame,
        judged=lambda rows: rows[rows["part"] != "pages"],
        quantities=quantities.judged,
        controls=controls.planted,
        planted=controls.PLANTED,
        same={"dataset": FASHION, "steps": None},
    ),
}
__all__ = ["CHAPTERS", "LOOKS", "Variety", "looks", "run_phases"]
