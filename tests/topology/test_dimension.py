"""Estimators of dimension against their formulas point by point, scikit-learn's neighbours, and clouds of known dimension."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from helpers.topology import by_class, dimension
from helpers.topology.dimension import KINDS, dimensions, subsamples
from helpers.topology.distances import distances


def by_hand(points, kind, k):
    """One cloud, one point at a time."""
    if kind == "participation":
        values = np.linalg.eigvalsh(np.cov(points.T))
        return values.sum() ** 2 / (values**2).sum()
    k = 2 if kind == "twonn" else k
    near = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points)[0][:, 1:]
    sums = np.array([sum(np.log(row[-1] / t) for t in row[:-1]) for row in near])
    if kind == "twonn":
        return (len(points) - 1) / sums.sum()
    if kind == "mackay":
        return 1 / (sums / (k - 1)).mean()
    return (((k - 1) if kind == "printed" else (k - 2)) / sums).mean()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [3, 20])
def test_every_cloud_of_a_batch_has_the_value_that_its_formula_gives(kind, k):
    points = np.random.default_rng(0).normal(size=(2, 3, 60, 7)) * np.arange(1, 8)
    found = dimension(points, kind, k)
    assert found.shape == (2, 3)
    wanted = [[by_hand(cloud, kind, k) for cloud in row] for row in points]
    np.testing.assert_allclose(found, wanted, rtol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_scale_shift_and_rotation_change_nothing(kind):
    rng = np.random.default_rng(1)
    points = rng.normal(size=(80, 6))
    turned = 37 * points @ np.linalg.qr(rng.normal(size=(6, 6)))[0] + 5
    np.testing.assert_allclose(dimension(turned, kind), dimension(points, kind), rtol=1e-6)


@pytest.mark.parametrize(("kind", "off"), [("printed", 0.12), ("unbiased", 0.08), ("mackay", 0.08), ("twonn", 0.08)])
def test_a_flat_square_has_two_dimensions(kind, off):
    points = np.random.default_rng(2).random((4, 2000, 2))
    assert abs(float(dimension(points, kind, 10).mean()) - 2) < 2 * off


def test_the_unbiased_estimate_is_the_printed_one_but_for_its_factor():
    points = np.random.default_rng(3).normal(size=(5, 100, 8))
    np.testing.assert_allclose(dimension(points, "unbiased", 20), dimension(points, "printed", 20) * 18 / 19)


def test_duplicates_count_at_the_guard_and_a_cloud_of_one_point_has_no_dimension():
    points = np.random.default_rng(4).normal(size=(40, 3))
    twice = np.concatenate([points, points])
    near = np.sort(np.linalg.norm(twice[:, None] - twice[None], axis=-1), 1)[:, 1:6].clip(1e-10)
    wanted = (4 / np.log(near[:, -1:] / near[:, :-1]).sum(1)).mean()
    np.testing.assert_allclose(dimension(twice, "printed", 5), wanted, rtol=1e-6)
    assert dimension(twice, "printed", 5) < dimension(points, "printed", 5)
    assert all(np.isnan(float(v)) for v in dimensions(np.ones((30, 4)), 20).values())
    some = np.concatenate([points, np.zeros((25, 3))])  # of the 25, all 20 neighbours are duplicates
    assert np.isfinite(float(dimension(some, "mackay", 20)))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x: dimension(x, "pca"), "'pca' is no estimator .* printed, unbiased"),
        (lambda x: dimension(x, "printed", 2), "use 3 or more"),
        (lambda x: dimension(x, "printed", 30), "use k=29 or less, or 31 points"),
        (lambda x: dimension(x[:2], "twonn"), "2 points have no 2 neighbours"),
        (lambda x: dimension(np.where(x > 2, np.nan, x)), "hold NaN"),
        (lambda x: by_class(x, [0] * 29), "labels for features"),
        (lambda x: by_class(x, [0] * 28 + [1] * 2, 5), "class 1 has 2 samples, 5 are wanted; use each=2"),
        (lambda x: subsamples(x, 31, 2, np.random.default_rng(0)), "without replacement; use 1 to 30"),
    ],
)
def test_bad_input_is_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call(np.random.default_rng(0).normal(size=(30, 3)))


def test_classes_become_clouds_in_the_order_of_labels():
    features, labels = np.arange(12.0)[:, None] * np.ones(2), [2, 0, 1] * 4
    found = by_class(features, labels)
    np.testing.assert_array_equal(found[:, :, 0], [[1, 4, 7, 10], [2, 5, 8, 11], [0, 3, 6, 9]])
    assert by_class(features, labels, 2).shape == (3, 2, 2)


def test_subsamples_are_drawn_without_replacement():
    found = subsamples(np.arange(10.0)[:, None], 10, 7, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(found[..., 0], 1), np.tile(np.arange(10.0), (7, 1)))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_distances_are_those_of_subtraction_also_where_a_cloud_is_tight_and_far_away(kind):
    rng = np.random.default_rng(5)
    points = np.concatenate([rng.normal(size=(2, 40, 30)), 1000 + 1e-3 * rng.normal(size=(2, 40, 30))], 1)
    points[:, 1] = points[:, 0]
    points = points.astype(kind)
    exact = points.astype(float)
    wanted = np.linalg.norm(exact[:, :, None] - exact[:, None], axis=-1)
    found = distances(points)
    assert found.dtype == torch.from_numpy(points).dtype
    assert (found[:, 0, 1] == 0).all()
    assert torch.equal(found, found.transpose(1, 2))
    spacing = 1000 * np.finfo(kind).eps * np.sqrt(30)
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2 * spacing)
    far = distances(points[:, :, :1])  # on a line
    np.testing.assert_allclose(far, np.abs(exact[:, :, None, 0] - exact[:, None, :, 0]), rtol=2e-4, atol=2 * spacing)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_the_gpu_gives_the_cpus_dimensions(kind):
    points = np.random.default_rng(6).normal(size=(20, 100, 50)).astype(np.float32)
    found = dimension(torch.from_numpy(points).cuda(), kind)
    np.testing.assert_allclose(found.cpu(), dimension(points.astype(float), kind), rtol=1e-4)
