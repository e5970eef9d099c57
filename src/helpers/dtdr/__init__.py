"""Distributed transform-domain representation (seed document 000): experiments on weights that arrive in part.

A `Subject` is a model that is taken apart; what can be done to it is in `damage`. `Emergence`, `Kinds`, `Models` and `Guided`
say what the chapters try, trial by trial; `run` and its siblings try it and write it down; `CHAPTERS` say how records become
verdicts. What claims name is in `judged`, numbers are in `quantities`, tables in `tables`, figures in `figures`.
"""

from helpers.dtdr import controls, judged, quantities
from helpers.dtdr.config import Emergence, Guided, Kinds, Models, Trial
from helpers.dtdr.damage import Keep, Noise, Planes, Spoil
from helpers.dtdr.named import ARMS, EMERGENCE, GUIDED, LADDER, OTHERS, OUTLIERS
from helpers.dtdr.run import run, run_family, run_outliers, run_printed
from helpers.dtdr.subject import Subject
from helpers.frames import rows
from helpers.study import Study

SAME = {"model": "storyteller", "text": "embedded", "prompt": "", "texts": None, "block": 128}
CHAPTERS = {
    "dtdr_emergence": Study(
        frame=quantities.frame,
        judged=lambda frame: rows(frame, part=ARMS),
        quantities=judged.emergence,
        controls=controls.emergence,
        planted=controls.PLANTED,
        same=SAME,
    ),
    "dtdr_damage": Study(
        frame=quantities.frame,
        judged=lambda frame: rows(frame, part=EMERGENCE),
        quantities=judged.damage,
        controls=controls.damage,
        planted=controls.PLANTED,
        same=SAME,
        others=OTHERS,
    ),
    "dtdr_models": Study(
        frame=quantities.frame,
        judged=lambda frame: rows(frame, part=(*ARMS, LADDER, OUTLIERS)),
        quantities=judged.by_model,
        controls=controls.models,
        planted=controls.PLANTED,
        same=SAME,
    ),
    "dtdr_guided": Study(
        frame=quantities.frame,
        judged=lambda frame: rows(frame, part=GUIDED),
        quantities=judged.guided,
        controls=controls.guided,
        planted=controls.PLANTED,
        same=SAME | {"relative": "none", "pkl": "none", "anchor_pkl": "none", "mode": "all"},
    ),
}

__all__ = [
    "CHAPTERS",
    "Emergence",
    "Guided",
    "Keep",
    "Kinds",
    "Models",
    "Noise",
    "Planes",
    "Spoil",
    "Subject",
    "Trial",
    "run",
    "run_family",
    "run_outliers",
    "run_printed",
]
