"""Experiment A of seed document 003: does a model whose routing is frozen pay in amplitude?

`Foundation` holds the settings, `run_foundation` trains every arm and puts clamps on afterwards, `CHAPTERS` has the
chapter's study."""

from helpers.separability.foundation import controls, quantities
from helpers.separability.foundation.config import CONDITIONS, FULL, TRAINED, Foundation
from helpers.separability.foundation.run import run_foundation
from helpers.study import Study

CHAPTERS = {
    "separability_foundation": Study(
        frame=quantities.frame,
        judged=lambda rows: rows,
        quantities=quantities.quantities,
        controls=controls.controls,
        planted=controls.PLANTED,
        same={"condition": "all", "dataset": "interleaved", "n_epochs": None, "d_head": None, "site": "resid_mid"},
    )
}
__all__ = ["CHAPTERS", "CONDITIONS", "FULL", "TRAINED", "Foundation", "run_foundation"]
