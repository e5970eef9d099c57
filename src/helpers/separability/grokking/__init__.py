"""Experiment C: addition modulo a prime, learned by heart and then understood, and what amplitude does meanwhile (seed 003).

`Addition` and `OrderedAddition` are the settings of the precise and of the document's experiment, `run_addition` and
`run_printed` run them into a log. `ARMS` are the ways to decay weights.
"""

from helpers.separability.grokking import controls, quantities
from helpers.separability.grokking.config import ARMS, Addition, OrderedAddition
from helpers.separability.grokking.run import run_addition, run_printed
from helpers.study import Study

CHAPTERS = {
    "separability_grokking": Study(
        frame=quantities.frame,
        judged=lambda rows: rows[rows["part"] != "circle"],
        quantities=quantities.judged,
        controls=controls.planted,
        planted=controls.PLANTED,
        same={"p": None, "n_steps": None, "share": None, "learning_rate": None, "seed": 42},
    ),
}
__all__ = ["ARMS", "CHAPTERS", "Addition", "OrderedAddition", "run_addition", "run_printed"]
