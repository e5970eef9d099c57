"""What is read off barcodes against numpy's own percentiles, formulas by hand, and the law that it is held to."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.topology import barcodes, holes, percentile_count
from helpers.topology.bars import Barcodes, entropy, total_persistence, universal_p
from helpers.topology.clouds import cloud
from helpers.topology.planted import TABLE, gaussian_count, gaussian_table, told_apart


def of(*codes):
    """Barcodes of lists of (birth, death)."""
    values = np.full((len(codes), max(map(len, codes), default=0), 2), np.nan, np.float32)
    for row, code in zip(values, codes, strict=True):
        row[: len(code)] = np.array(sorted(code, key=lambda b: b[0] - b[1]), float).reshape(-1, 2)
    return Barcodes(values)


@pytest.mark.parametrize("kinds", [1000, 3])  # lengths that all differ, and ties
def test_the_documents_count_is_numpys_percentile_and_a_strict_comparison(kinds):
    rng = np.random.default_rng(0)
    codes = [[(1.0, 2.0 + d) for d in rng.integers(0, kinds, m)] for m in [*range(1, 45), 100, 101]] + [[]]
    wanted = [sum(np.array([d - b for b, d in c]) > np.percentile([d - b for b, d in c] or [0], 90)) for c in codes]
    np.testing.assert_array_equal(percentile_count(of(*codes)), wanted)


@pytest.mark.parametrize("m", [1, 2, 11, 12, 35, 101])
def test_a_tenth_of_any_barcode_exceeds_its_own_percentile(m):
    code = of([(1.0, 2.0 + i) for i in range(m)])
    assert percentile_count(code) == -(-(m - 1) // 10)


def test_total_entropy_and_number_of_bars_are_the_formulas():
    code = of([(1, 2), (1, 4)], [(2, 3)], [])
    np.testing.assert_array_equal(code.count, [2, 1, 0])
    np.testing.assert_allclose(total_persistence(code), [4, 1, 0])
    np.testing.assert_allclose(entropy(code), [-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)), 0, np.nan])
    assert [len(c) for c in code.each] == [2, 1, 0]


def test_the_universal_p_is_the_formula_by_hand():
    code = [(1.0, 1.5), (1.0, 1.2), (2.0, 2.1)]
    logs = [np.log(np.log(d / b)) for b, d in code]
    wanted = [np.exp(-np.exp(v - np.mean(logs) - 0.5772156649015329)) for v in logs]
    np.testing.assert_allclose(universal_p(of(code))[0], [wanted[0], wanted[1], wanted[2]], rtol=1e-5)
    lone = universal_p(of([(1.0, 5.0)], []))
    assert lone[0, 0] == pytest.approx(np.exp(-np.exp(-0.5772156649015329)))
    assert np.isnan(lone[1, 0])
    np.testing.assert_array_equal(holes(of([(1.0, 5.0)], [])), [0, 0])
    assert np.isnan(universal_p(of([(0.0, 1.0), (1.0, 2.0)]))).sum() == 1  # born at zero: no ratio


def test_holes_are_corrected_for_the_number_of_bars():
    rng = np.random.default_rng(1)
    code = of([(1.0, 1 + 0.05 * v) for v in 1 + 0.1 * rng.random(99)] + [(1.0, 9.0)])
    p = np.sort(universal_p(code)[0])
    assert holes(code) == (p <= 0.05 / 100).sum() >= 1
    with pytest.raises(ValueError, match="between 0 and 1"):
        holes(code, 0)


def test_rings_are_found_and_clouds_without_a_hole_stay_clean():
    """The law errs seldom: of 200 Gaussian clouds at most 5 % and what chance allows."""
    rng = np.random.default_rng(2)
    for d in (2, 5, 20):
        clean = holes(barcodes(np.stack([cloud("gaussian", 100, rng, d=d) for _ in range(200)])))
        assert (clean > 0).mean() < 0.1
    ring = holes(barcodes(np.stack([cloud("ring", 100, rng, noise=0.2) for _ in range(50)])))
    assert (ring > 0).mean() > 0.9


def test_the_gaussian_count_inverts_its_own_table_and_rises_with_dimension():
    estimate, counts = gaussian_table(50)
    assert (np.diff(estimate) > 0).all()
    assert counts[0] < counts[4] < counts[-1]
    np.testing.assert_allclose(gaussian_count(estimate, 50), counts)
    assert gaussian_count(0.5, 50) == counts[0]
    assert gaussian_count(500.0, 50) == counts[-1]
    assert np.isnan(gaussian_count(np.nan, 50))
    assert len(counts) == len(TABLE)


def test_a_fresh_gaussian_cloud_counts_what_the_table_expects():
    from helpers.topology import dimension

    points = np.random.default_rng(3).normal(size=(200, 100, 7))  # a dimension that the table does not hold
    excess = percentile_count(barcodes(points)) - gaussian_count(dimension(points, "mackay").numpy())
    assert abs(excess.mean()) < 0.4


def test_planted_answers_are_told_apart_at_a_hundred_points_and_not_at_ten():
    found = told_apart(key=1)
    assert found["dimension_order"] == found["dimension_order_high"] == found["ball_clean"] == 1
    assert found["ring_found"] > 0.9
    assert told_apart(key=1) == found
    assert told_apart(10, 5, key=1)["ring_found"] < 0.9
