"""The colours of conditions: seen on both pages, told apart by everybody, none of them a verdict's."""

import itertools

import numpy as np
import pytest

from helpers import figures

# What people without one kind of cone see (Machado et al. 2009, severity 1), in linear light.
SIGHT = {
    "all three cones": np.eye(3),
    "no long": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no middle": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no short": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
LMS = [[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.68069955, 0.10739696], [0.08830246, 0.28171884, 0.6299787]]
LAB = [
    [0.21045426, 0.79361779, -0.00407205],
    [1.9779985, -2.42859221, 0.45059371],
    [0.02590404, 0.78277177, -0.80867577],
]


def light(color):
    """Linear red, green, blue."""
    c = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    """WCAG's ratio."""
    low, high = sorted(float(light(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def apart(a, b, sight):
    """Distance in Oklab, in hundredths, as seen with these cones."""
    x, y = (np.array(LAB) @ np.cbrt(np.array(LMS) @ np.clip(np.array(SIGHT[sight]) @ light(c), 0, 1)) for c in (a, b))
    return 100 * np.linalg.norm(x - y)


def test_the_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("page", ["#ffffff", "#121212", "#1a1a1a"])
@pytest.mark.parametrize("color", figures.SERIES)
def test_a_series_is_seen_on_both_pages(color, page):
    assert contrast(color, page) >= 3


@pytest.mark.parametrize(
    ("sight", "least"), [("all three cones", 14), ("no long", 7), ("no middle", 7), ("no short", 5)]
)
def test_two_series_are_told_apart(sight, least):
    assert min(apart(a, b, sight) for a, b in itertools.combinations(figures.SERIES, 2)) >= least


def test_no_series_looks_like_a_verdict():
    verdicts = [figures.ROLE[v] for v in ("supported", "refuted", "undecided", "awaiting")]
    assert min(apart(a, b, "all three cones") for a in figures.SERIES for b in verdicts) >= 10


def test_a_name_has_one_colour():
    colors = figures.series(["a", "b", "a", "c"])
    assert colors == {"a": figures.SERIES[0], "b": figures.SERIES[1], "c": figures.SERIES[2]}
    with pytest.raises(ValueError, match="9 names for 8 colours"):
        figures.series("abcdefghi")
