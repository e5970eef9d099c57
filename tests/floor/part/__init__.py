"""A part for the tests: does the middle of a few numbers say as much as their mean?"""

from helpers.chapter import Study
from helpers.part.config import Draws
from helpers.part.controls import controls
from helpers.part.quantities import frame, gain, loss, quantities
from helpers.part.run import run_draws

PLANTED = {
    "M1": ("means of many set far below those of few", "means of many set equal to those of few"),
    "M2": ("medians set as near as means", "medians set 0.1 further away than means"),
}
CHAPTERS = {"mean_or_median": Study(frame, lambda rows: rows, quantities, controls, PLANTED, same={"scale": 1.0})}
__all__ = ["CHAPTERS", "Draws", "gain", "loss", "run_draws"]
