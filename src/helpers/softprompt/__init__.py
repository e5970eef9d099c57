"""Soft prompts that say a question and its answer (seed document 002).

The face of the package: the experiments' settings (`Pairing`, `Ablations`), what runs each of them into a log (`run_…`), the
model and the pairs to ask it for (`load`, `draw`), and the chapters' studies. `weigh` measures the starts of any `Job`;
`engine.search` finds its content, `engine.verified` lets the model say it.
"""

from helpers.softprompt import controls, quantities
from helpers.softprompt.config import Ablations, Pairing
from helpers.softprompt.config import Search as Search
from helpers.softprompt.engine import search as search
from helpers.softprompt.engine import weigh
from helpers.softprompt.jobs import Job
from helpers.softprompt.run import (
    run_baselines,
    run_controls,
    run_geometry,
    run_joint,
    run_settings,
    run_single,
    run_sweep,
    run_watch,
)
from helpers.softprompt.shapes import load
from helpers.softprompt.targets import draw
from helpers.study import Study

CHAPTERS = {
    "joint_qa": Study(
        frame=quantities.frame,
        judged=lambda rows: rows[rows["part"] != "watch"],
        quantities=quantities.joint,
        controls=controls.joint,
        planted=controls.PLANTED,
        same={"model": "storyteller", "questions": "own", "k": None, "restarts": None, "steps": None, "rate": 1.0},
    ),
    "joint_qa_ablations": Study(
        frame=quantities.frame,
        judged=lambda rows: rows,
        quantities=quantities.ablations,
        controls=controls.ablations,
        planted=controls.PLANTED,
        same={"model": "storyteller", "questions": "own", "k": None, "steps": None, "rate": 1.0},
    ),
}
__all__ = [
    "CHAPTERS",
    "Ablations",
    "Job",
    "Pairing",
    "draw",
    "load",
    "run_baselines",
    "run_controls",
    "run_geometry",
    "run_joint",
    "run_settings",
    "run_single",
    "run_sweep",
    "run_watch",
    "weigh",
]
