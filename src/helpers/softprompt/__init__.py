"""Soft prompts that say a question and its answer (seed document 002).

The face of the package: the experiments' settings (`Pairing`), what runs each of them into a log (`run_…`), the model and the
pairs to ask it for (`load`, `draw`), and the chapters' studies. `search` finds contents for any `Job`, `verified` lets the
model say them, `weigh` measures starts that are not optimised.
"""

from helpers.softprompt import controls, quantities
from helpers.softprompt.config import Pairing, Search
from helpers.softprompt.engine import search, verified, weigh
from helpers.softprompt.jobs import Job
from helpers.softprompt.run import run_baselines, run_controls, run_joint, run_single, run_watch
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
}
__all__ = [
    "CHAPTERS",
    "Job",
    "Pairing",
    "Search",
    "draw",
    "load",
    "run_baselines",
    "run_controls",
    "run_joint",
    "run_single",
    "run_watch",
    "search",
    "verified",
    "weigh",
]
