"""The clouds have the dimension and the radius that they are named for."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.topology import dimension
from helpers.topology.clouds import FACTORS, SHAPES, cloud, signs


@pytest.mark.parametrize(
    ("shape", "truth"),
    [("gaussian", 3), ("ball", 3), ("disc", 2), ("ring", 1), ("segment", 1), ("sphere", 2), ("torus", 2)],
)
def test_a_dense_cloud_has_its_dimension(shape, truth):
    points = cloud(shape, 3000, np.random.default_rng(0), d=3)
    assert points.shape == (3000, 20)
    assert abs(float(dimension(points, "mackay", 20)) - truth) < 0.3
    size = np.sqrt((points**2).sum(1).mean())
    assert size == pytest.approx(np.pi / np.sqrt(3), rel=0.05) if shape == "segment" else 0.5 < size < 1.1


def test_noise_has_the_length_that_was_asked_for():
    rng = np.random.default_rng(0)
    points = cloud("ring", 4000, rng, ambient=30, noise=0.5)
    assert (points**2).sum(1).mean() == pytest.approx(1 + 0.25, rel=0.03)


@pytest.mark.parametrize("factors", [1, 2, 3])
def test_a_sign_moves_along_as_many_factors(factors):
    points = signs(1200, np.random.default_rng(0), factors)
    assert points.shape == (1200, 784)
    assert points.min() >= 0
    assert points.max() <= 1
    assert abs(float(dimension(points, "mackay", 10)) - factors) < 0.6


def test_a_sign_without_factors_moves_only_on_its_ring():
    points = signs(300, np.random.default_rng(0), 0, ring=True)
    assert abs(float(dimension(points, "mackay", 10)) - 1) < 0.3


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda rng: cloud("knot", 5, rng), "'knot' is unknown; use one of gaussian"),
        (lambda rng: cloud("ring", 0, rng), "n=0"),
        (lambda rng: cloud("ring", 5, rng, noise=-1), "noise of no sign"),
        (lambda rng: cloud("gaussian", 5, rng, d=21), "use ambient=21 or more"),
        (lambda rng: signs(5, rng, 6), f"there are {len(FACTORS)}"),
        (lambda rng: signs(5, rng, 0), "use 1 to 5"),
    ],
)
def test_what_there_is_no_cloud_of_is_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make(np.random.default_rng(0))


def test_every_shape_can_be_drawn_with_one_point():
    for shape in SHAPES:
        assert cloud(shape, 1, np.random.default_rng(0)).shape == (1, 20)
