"""Experiment B of seed document 003: heads are taken out of a model, and what makes up for them is measured.

`Repair` says what is run, `Symbols` the toy that is trained for it; `run_repair` runs it into a log. `parse_heads`
reads heads as readers write them. `figures` and `tables` show, `quantities` are what claims name."""

from helpers.frames import rows
from helpers.separability.repair import controls, quantities
from helpers.separability.repair.config import Repair, Symbols, parse_heads
from helpers.separability.repair.run import run_repair
from helpers.study import Study

CHAPTERS = {
    "separability_repair": Study(
        frame=quantities.frame,
        judged=lambda frame: rows(frame, judged=True),
        quantities=quantities.repair,
        controls=controls.planted,
        planted=controls.PLANTED,
        same={"model": "toy", "n_examples": None, "steps": None, "condition": "all", "seed": 42, "heads": "found"},
    ),
}
__all__ = ["CHAPTERS", "Repair", "Symbols", "parse_heads", "run_repair"]
