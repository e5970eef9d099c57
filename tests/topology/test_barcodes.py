"""The batched engines against the boundary matrix, against ripser, and on clouds whose answer is known."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from boundary import loops
from ripser import ripser

from helpers.fused import device as kernels_run_on
from helpers.topology import barcodes, reduction
from helpers.topology.barcodes import padded
from helpers.topology.bars import percentile_count
from helpers.topology.clouds import SHAPES, cloud
from helpers.topology.distances import distances

INTERPRETED = kernels_run_on.triton is not None and os.environ.get("TRITON_INTERPRET") == "1"
GPU = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available() or INTERPRETED, reason="no CUDA device")]


def clouds(n, count=4, dimensions=(2, 5), seed=0):
    """{name: (count, n, D)} of every shape, of integer grids full of ties, and of points that stand there twice."""
    rng = np.random.default_rng(seed)
    out = {
        f"{s}{d}": np.stack([cloud(s, n, rng, d=d, noise=0.1) for _ in range(count)])
        for s in SHAPES
        for d in dimensions
    }
    out["grid"] = rng.integers(0, 4, (count, n, 2)).astype(float)
    out["twice"] = np.concatenate([out["gaussian2"][:, : n - n // 3], out["gaussian2"][:, : n // 3]], 1)
    out["simplex"] = np.stack([np.eye(n)] * count)
    return out


def by_ripser(between):
    """The same barcodes, padded alike."""
    dgms = [ripser(d, maxdim=1, distance_matrix=True)["dgms"][1].astype(np.float32) for d in between.float().numpy()]
    return padded(dgms, (len(dgms),)).values


@pytest.mark.parametrize("n", [2, 3, 4, 5, 9, 16])
def test_the_engine_agrees_with_the_boundary_matrix(n):
    for name, points in clouds(n, count=2).items():
        between = distances(points).float()
        found = barcodes(None, between=between)
        for bars, matrix in zip(found.each, between.numpy(), strict=True):
            np.testing.assert_array_equal(bars, loops(matrix).astype(np.float32), err_msg=name)


@pytest.mark.parametrize("n", [40, 65, 128])
def test_the_engine_gives_ripsers_diagrams_bit_by_bit(n):
    for name, points in clouds(n).items():
        between = distances(points)
        np.testing.assert_array_equal(barcodes(None, between=between).values, by_ripser(between), err_msg=name)


def test_distances_that_are_of_no_cloud_are_taken_too():
    rng = np.random.default_rng(3)
    between = np.triu(rng.random((3, 60, 60)), 1)
    between = torch.from_numpy(between + between.transpose(0, 2, 1))
    np.testing.assert_array_equal(barcodes(None, between=between).values, by_ripser(between))


def test_more_points_than_the_engine_takes_go_to_ripser():
    points = clouds(131, count=1, dimensions=(2,))["ring2"]
    found = barcodes(points)
    np.testing.assert_array_equal(found.values, by_ripser(distances(points)))


def test_columns_without_room_go_to_ripser(monkeypatch):
    """A complete bipartite graph of short edges has no lune in it: thousands of columns."""
    side = np.arange(80) < 40
    between = np.where(side[:, None] ^ side[None], 1.0, 2.0) + np.random.default_rng(0).random((80, 80)) / 10
    between = torch.from_numpy(np.triu(between, 1) + np.triu(between, 1).T)[None]
    room = reduction.room(80)
    counts, bars = np.zeros(1, np.int64), np.zeros((1, 640, 2), np.float32)
    first, second = (v.astype(np.int32) for v in np.triu_indices(80, 1))
    lengths = between[:, first, second].float().numpy()
    reduction.reduce(lengths, lengths.view(np.uint32), first, second, room, bars, counts)
    assert counts[0] == -1
    np.testing.assert_array_equal(barcodes(None, between=between).values, by_ripser(between))
    monkeypatch.setattr(reduction, "PARTS", 1)  # no room for the parts of columns: the next cloud must not suffer
    between = distances(np.random.default_rng(1).normal(size=(6, 60, 40)))
    np.testing.assert_array_equal(barcodes(None, between=between).values, by_ripser(between))


def test_the_result_does_not_depend_on_the_order_of_points_or_the_shape_of_the_batch():
    points = clouds(50)["torus5"]
    whole = barcodes(points.reshape(2, 2, 50, -1))
    assert whole.values.shape[:2] == (2, 2)
    mixed = barcodes(points[:, np.random.default_rng(0).permutation(50)])
    np.testing.assert_allclose(mixed.values, whole.values.reshape(4, -1, 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("points", "count"),
    [
        (np.zeros((1, 2)), 0),  # a cloud of one point
        (np.zeros((3, 2)), 0),
        (np.zeros((50, 3)), 0),  # all points are one
        (np.array([[0, 0], [0, 1], [1, 1], [1, 0]], float), 1),  # a square: born at 1, filled at √2
        (np.repeat(np.array([[0, 0], [0, 1], [1, 1], [1, 0]], float), 5, 0), 1),  # the same, each corner five times
    ],
)
def test_small_and_degenerate_clouds_have_their_defined_bars(points, count):
    found = barcodes(points)
    assert found.count == count
    if count:
        np.testing.assert_allclose(found.each[0], [[1, np.sqrt(2)]], rtol=1e-6)


def test_a_batch_of_no_cloud_has_no_bar():
    assert barcodes(np.zeros((0, 10, 2))).values.shape == (0, 0, 2)


@pytest.mark.parametrize(
    ("points", "between", "told"),
    [
        ([[0.0, np.nan], [1, 1]], None, "1 points hold NaN"),
        ([0.0, 1.0], None, "expected .*points, dimensions"),
        (np.zeros((0, 3)), None, "none of them 0"),
        (None, [[0.0, 1.0], [2.0, 0.0]], "symmetric"),
        (None, [[1.0, 1.0], [1.0, 0.0]], "zero from a point to itself"),
        (None, [[0.0, -1.0], [-1.0, 0.0]], "not negative"),
        (None, [[0.0, np.inf], [np.inf, 0.0]], "finite"),
        (None, [[0.0, 1.0]], "expected .*n, n"),
    ],
)
def test_bad_input_is_refused(points, between, told):
    with pytest.raises(ValueError, match=told):
        barcodes(points, between=between)


@pytest.mark.parametrize("count", [1, 70, 130])
def test_threads_give_what_one_gives(count):
    points = np.random.default_rng(0).normal(size=(count, 20, 2))
    one, many = barcodes(points), None
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        many = barcodes(points)
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(one.values, many.values)


@pytest.mark.parametrize("n", [4, 33, 100, 128])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_gpu_gives_the_cpus_bars(n, seed):
    for name, points in clouds(n, 16, (2, 5, 20), seed).items():
        between = distances(torch.from_numpy(points).cuda())
        found, wanted = barcodes(None, between=between), barcodes(None, between=between.cpu())
        np.testing.assert_array_equal(found.values, wanted.values, err_msg=name)


def test_the_gpu_takes_thousands_of_clouds_at_once():
    points = torch.randn(2500, 100, 64, device="cuda", generator=torch.Generator("cuda").manual_seed(0))
    between = distances(points)
    found = barcodes(None, between=between)
    some = np.random.default_rng(0).permutation(2500)[:100]
    wanted = barcodes(None, between=between[torch.from_numpy(some).cuda()].cpu())
    for one, other in zip(found[some].each, wanted.each, strict=True):
        np.testing.assert_array_equal(one, other)


for test in (test_the_gpu_gives_the_cpus_bars, test_the_gpu_takes_thousands_of_clouds_at_once):
    test.pytestmark = [*getattr(test, "pytestmark", []), *GPU]


def test_lengths_that_single_precision_cannot_tell_apart_are_counted_by_the_document_s_rule():
    found = [np.array([[0.1, 0.4], [0.7, 1.0], [0.5, 0.8], [0.3, 0.6], [0.2, 0.5]], np.float32)]
    bars = padded(found, (1,))
    lengths = found[0][:, 1].astype(float) - found[0][:, 0]
    assert (np.diff(bars.persistence[0]) <= 0).all()
    assert percentile_count(bars)[0] == (lengths > np.percentile(lengths, 90)).sum()


def test_distances_beyond_single_precision_are_refused():
    with pytest.raises(ValueError, match="larger than single precision"):
        barcodes(1e39 * np.random.default_rng(0).normal(size=(1, 30, 3)))
