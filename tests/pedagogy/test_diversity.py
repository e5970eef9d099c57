"""Variety of a class: variances by numpy, density and coverage by expectation and by loops, classifiers taught by drawings."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
import torch

from helpers.data import load_images
from helpers.pedagogy import diversity, nets
from helpers.topology import judge


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_variance_is_numpys_and_one_for_equal_spread():
    made, real = normal(2, 3, 40, 5), 2 * normal(3, 60, 5, seed=1) + torch.arange(3)[:, None, None]
    total = lambda x: x.numpy().var(-2, ddof=1).sum(-1).mean(-1)
    np.testing.assert_allclose(diversity.variance(made, real).numpy(), total(made) / total(real))
    assert float(diversity.variance(real + 7, real)) == pytest.approx(1), "where a class lies does not matter"
    assert float(diversity.variance(torch.zeros(3, 4, 5), real)) == 0, "one image a class has no variety"


def test_density_and_coverage_of_one_law_are_what_exchangeability_says():
    """A made point falls among the k nearest of N + 1 equal ones with probability k/N; a ball stays empty when its point's
    k nearest of M + N − 1 others are all real (Naeem et al. 2020, lemma 2)."""
    n, m, k, clouds = 40, 30, 5, 300
    made, real = normal(clouds, m, 3), normal(clouds, n, 3, seed=1)
    assert float(diversity.density(made, real, k)) == pytest.approx(1, abs=0.05)
    empty = prod((n - 1 - i) / (m + n - 1 - i) for i in range(k))
    assert float(diversity.coverage(made, real, k)) == pytest.approx(1 - empty, abs=0.01)


def test_density_and_coverage_by_plain_loops():
    made, real, k = normal(2, 7, 4).numpy(), normal(2, 9, 4, seed=3).numpy(), 2
    dense, covered = [], []
    for x, y in zip(real, made, strict=True):
        reach = [sorted(np.linalg.norm(x - p, axis=1))[k] for p in x]
        inside = np.array([[np.linalg.norm(p - q) < r for q in y] for p, r in zip(x, reach, strict=True)])
        dense.append(inside.sum() / (k * len(y)))
        covered.append(inside.any(1).mean())
    both = torch.from_numpy(made), torch.from_numpy(real)
    assert float(diversity.density(*both, k)) == pytest.approx(np.mean(dense))
    assert float(diversity.coverage(*both, k)) == pytest.approx(np.mean(covered))


def test_one_perfect_image_a_class_is_dense_and_covers_little():
    real = normal(3, 50, 2)
    middle = real.mean(1, keepdim=True).expand(3, 50, 2)
    assert float(diversity.density(middle, real)) > 1
    assert float(diversity.coverage(middle, real)) < 0.5 < float(diversity.coverage(normal(3, 50, 2, seed=9), real))
    far = real + 100
    assert float(diversity.density(far, real)) == float(diversity.coverage(far, real)) == 0


@pytest.mark.parametrize(
    ("made", "real", "told"),
    [
        (normal(3, 5, 2), normal(4, 5, 2), r"\(…, C, n, d\) and \(C, N, d\)"),
        (normal(3, 1, 2), normal(3, 5, 2), "1 made and 5 real points of a class; use two"),
        (normal(3, 5, 2), torch.ones(3, 5, 2), "are one point"),
    ],
)
def test_clouds_without_a_variance_are_refused(made, real, told):
    with pytest.raises(ValueError, match=told):
        diversity.variance(made, real)


def test_too_few_neighbours_are_refused_with_what_works():
    with pytest.raises(ValueError, match="k=5 neighbours among 5 real points of a class; use 1 to 4"):
        diversity.density(normal(2, 9, 3), normal(2, 5, 3))


BODY = nets.Body(size=8, channels=(6, 4, 3), latent=5, embed=4, classes=3, told=2)


def test_every_class_is_drawn_from_the_same_latents_in_parts_or_at_once(monkeypatch):
    params, z = nets.generators(BODY, ["a", "b"]), normal(3, 7, 5).float()
    made = diversity.drawn(params, BODY, z)
    assert made.shape == (2, 3, 7, 1, 8, 8)
    one = nets.draw(params, BODY, z[2].expand(2, -1, -1), torch.full((2, 7), 2))
    torch.testing.assert_close(made[:, 2], one)
    own = diversity.drawn(params, BODY, torch.stack([z, -z]))
    torch.testing.assert_close(own[0], made[0])
    torch.testing.assert_close(own[1, 2], nets.draw(params, BODY, -z[2].expand(2, -1, -1), torch.full((2, 7), 2))[1])
    monkeypatch.setattr(diversity, "IMAGES", 8)
    torch.testing.assert_close(diversity.drawn(params, BODY, z), made)
    for wrong in (z[:2], torch.stack([z, z, z])):
        with pytest.raises(ValueError, match=r"expected \(3, n, 5\), of 2 generators or for all"):
            diversity.drawn(params, BODY, wrong)


def test_a_classifier_is_only_as_good_as_what_it_was_taught():
    """Real images teach, one image a class teaches less, images under the wrong labels teach the wrong."""
    images = load_images()
    real, _ = images.each(40, np.random.default_rng(0), "train")
    real = torch.from_numpy(real).unflatten(0, (10, 40))
    poor, wrong = real[:, :1].expand_as(real), real.roll(1, 0)
    held = [torch.from_numpy(a) for a in images.scaled("test")]
    shape = judge.JudgeShape(8, (8, 12), (24,), 10)
    right = diversity.taught(shape, torch.stack([real, poor, wrong]), *held, [0, 1, 2], steps=120, batch=64, rate=4e-3)
    assert right[0] > 0.85
    assert 0.15 < right[1] < right[0] - 0.15
    assert right[2] < 0.1
