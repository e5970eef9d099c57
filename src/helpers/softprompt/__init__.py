"""Soft prompts that say a question and its answer (seed document 002).

The face of the package: the experiments' settings (`Pairing`, `Ablations`, `Contest`), what runs each of them into a log
(`run_…`), the model and the pairs to ask it for (`load`, `draw`), and the chapters' studies. `engine.search` finds the content
of any `Job`, `engine.verified` lets the model say it, `engine.weigh` measures starts; `targets` and `shapes` have the rest.
"""

from helpers.softprompt import controls, quantities
from helpers.softprompt.ablate import run_geometry, run_settings, run_sweep
from helpers.softprompt.config import Ablations, Contest, Pairing
from helpers.softprompt.contest import run_paraphrases, run_tiers
from helpers.softprompt.run import run_baselines, run_stages, run_watch
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
        judged=lambda rows: rows[~rows["part"].isin(["landscape", "ladder"])],
        quantities=quantities.ablations,
        controls=controls.ablations,
        planted=controls.PLANTED,
        same={"model": "storyteller", "questions": "own", "k": None, "steps": None, "rate": 1.0},
    ),
}
__all__ = [
    "CHAPTERS",
    "Ablations",
    "Contest",
    "Pairing",
    "draw",
    "load",
    "run_baselines",
    "run_geometry",
    "run_paraphrases",
    "run_settings",
    "run_stages",
    "run_sweep",
    "run_tiers",
    "run_watch",
]
