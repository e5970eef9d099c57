"""What a page draws."""

from helpers import figures
from helpers.figures import SERIES


def errors(sides):
    fig = figures.figure("How near to the truth?", "numbers in a sample", "mean distance from the truth")
    for name, color in zip(("mean", "median"), SERIES[:2], strict=True):
        figures.compare(fig, sides, "error", "size", name, color, estimate=name)
    return fig
