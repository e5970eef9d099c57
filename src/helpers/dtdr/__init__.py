"""Distributed transform-domain representation (seed document 000): experiments on weights that arrive in part."""

from helpers.dtdr.config import Family, Outliers, Printed, Scope, Trial
from helpers.dtdr.damage import Keep, Noise, Planes, Spoil
from helpers.dtdr.run import run, run_family, run_outliers, run_printed
from helpers.dtdr.subject import Subject

__all__ = [
    "Family",
    "Keep",
    "Noise",
    "Outliers",
    "Planes",
    "Printed",
    "Scope",
    "Spoil",
    "Subject",
    "Trial",
    "run",
    "run_family",
    "run_outliers",
    "run_printed",
]
