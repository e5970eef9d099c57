"""Whose run a page tells: what the committed one and this one were made with, in words."""

from __future__ import annotations

from helpers.sides import DECIDED, Judged
from helpers.study import Log

FASHION = "sha256:5b6d2c4c694a91887af8ab7d039c04f80af3c29378d731c93a538d2e831aa469"  # of the npz file of Fashion-MNIST
NAMES = {FASHION: "Fashion-MNIST"}


def told(log: Log, judged: Judged, images: str, seeds: int, steps: int) -> str:
    """Two sentences on the run that a page tells and on this one, with its images, seeds and steps; where a committed run
    answers it, or none is there, what `say_run` says."""
    if log.answer() or not log.leading:
        return log.say_run()
    head = log.leading.header
    name = NAMES.get(head["inputs"].get("dataset"), head["parameters"]["dataset"])
    few = all(v.verdict not in DECIDED for v in judged.runs["this run"])
    return (
        f"Figures, numbers and verdicts are the committed run's: {name}, {head['seeds']} seeds, {head['settings']['steps']:,} "
        f"steps. This build is on {images}, with {seeds} seed{'s' * (seeds > 1)} and {steps:,} steps"
        + (", too few to judge." if few else "; its own verdicts stand in the table.")
    )
