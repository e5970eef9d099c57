"""Experiment D of seed document 003: do suppressor heads live at high variance, and does superposition cost amplitude?

The face of the package: the experiments' settings (`Toy` as printed, `Census` of models that are trained here,
`Foreign` of one that was trained elsewhere, `Bottleneck`), what runs each of them into a log (`run_…`), and the
chapter's study."""

from helpers.separability.superposition import controls, quantities
from helpers.separability.superposition.config import SHAPES, Bottleneck, Census, Foreign, Toy
from helpers.separability.superposition.run import run_bottleneck, run_census, run_printed, run_trained
from helpers.study import Study

CHAPTERS = {
    "separability_superposition": Study(
        frame=quantities.frame,
        judged=lambda rows: rows[rows["part"].isin(["printed", "heads", "planted", "sequences"])],
        quantities=quantities.named,
        controls=controls.known,
        planted=controls.PLANTED,
        same={"n_samples": None, "train_steps": None, "seed": 777, "threshold": 1.5, "steps": None, "layers": None}
        | {"model": "storyteller"},
    ),
}
__all__ = [
    "CHAPTERS",
    "SHAPES",
    "Bottleneck",
    "Census",
    "Foreign",
    "Toy",
    "run_bottleneck",
    "run_census",
    "run_printed",
    "run_trained",
]
