"""Statistics against closed forms, published tables and simulation."""

import numpy as np
import pytest
from scipy import stats as reference

from helpers import stats


def test_t_interval_against_the_textbook():
    x = [4.0, 5.0, 6.0, 7.0, 8.0]  # mean 6, s² = 2.5, t(0.975, 4) = 2.776
    ci = stats.t_interval(x)
    assert ci.estimate == 6
    assert ci.high - 6 == pytest.approx(2.776445 * np.sqrt(2.5 / 5), rel=1e-6)
    assert (ci.low, ci.n, ci.level) == (pytest.approx(12 - ci.high), 5, 0.95)
    assert f"{ci:.2f}" == "6.00 [4.04, 7.96]"


def test_one_unit_has_no_interval():
    for make in (stats.t_interval, stats.bootstrap):
        assert (make([1.0]).low, make([1.0]).high) == (-np.inf, np.inf)


@pytest.mark.parametrize("bad", [[], [[1.0]], [1.0, float("nan")], [float("inf")]])
def test_units_must_be_finite_and_one_dimensional(bad):
    with pytest.raises(ValueError, match=r"expected one value a unit|unit \d is"):
        stats.units(bad)


@pytest.mark.parametrize("make", [stats.t_interval, stats.bootstrap])
def test_coverage_by_simulation(make):
    """95 % intervals of a normal mean, n = 12: between 91 and 98 % of 400 simulations cover (binomial sd 1.1 %)."""
    rng = np.random.default_rng(0)
    samples = rng.normal(3, 2, (400, 12))
    options = {} if make is stats.t_interval else {"resamples": 499}
    covered = np.mean([ci.low < 3 < ci.high for ci in (make(x, **options) for x in samples)])
    assert 0.90 < covered < 0.985


def test_bootstrap_of_a_median_and_of_a_constant():
    x = np.random.default_rng(1).exponential(size=60)
    ci = stats.bootstrap(x, np.median)
    assert ci.estimate == np.median(x)
    assert ci.low < np.median(x) < ci.high
    assert stats.bootstrap([2.0, 2.0, 2.0]).high == 2.0


def test_wilson_against_published_values():
    """Newcombe (1998), table I: 81 of 263 gives [0.2553, 0.3662]; 0 of 20 gives an upper end of 0.1611."""
    ci = stats.wilson([1] * 81 + [0] * 182)
    assert (ci.low, ci.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert stats.wilson([0] * 20).high == pytest.approx(0.1611, abs=1e-4)
    with pytest.raises(ValueError, match="0 or 1"):
        stats.wilson([0.5])


def test_exact_spans_its_values():
    assert stats.exact([2.0, 4.0]) == stats.Interval(3.0, 2.0, 4.0, 2, 1.0)


def test_tost_against_the_two_t_tests_by_hand():
    x = np.array([0.01, -0.02, 0.015, 0.005, -0.01])
    se = x.std(ddof=1) / np.sqrt(5)
    low = reference.t.sf((x.mean() + 0.05) / se, 4)
    high = reference.t.cdf((x.mean() - 0.05) / se, 4)
    assert stats.tost(x, 0.05) == pytest.approx(max(low, high), rel=1e-9)
    with pytest.raises(ValueError, match="positive margin"):
        stats.tost(x, 0)


def test_tost_is_calibrated_at_the_margin():
    """At a true difference of exactly the margin, equivalence is claimed in 5 % of simulations (here 2 to 8 % of 1000)."""
    rng = np.random.default_rng(2)
    claimed = np.mean([stats.tost(rng.normal(0.5, 0.2, 10), 0.5) < 0.05 for _ in range(1000)])
    assert 0.02 < claimed < 0.08
    powerful = np.mean([stats.tost(rng.normal(0, 0.2, 10), 0.5) < 0.05 for _ in range(200)])
    assert powerful > 0.95


def test_sign_flip_is_calibrated_and_exact_for_few_units():
    """All eight units positive: 2 of 2^8 sign patterns are as extreme."""
    assert stats.sign_flip([1.0, 2, 3, 4, 5, 6, 7, 8]) == pytest.approx(2 / 2**8)
    rng = np.random.default_rng(3)
    rejected = np.mean([stats.sign_flip(rng.normal(size=9), seed=i) < 0.05 for i in range(200)])
    assert rejected < 0.09


def test_holm_against_the_worked_example():
    """Holm (1979): multiply the ordered p values by n, n-1, … and take running maxima."""
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.9, 0.8]).max() <= 1


def test_holm_keeps_the_family_wise_error_rate():
    rng = np.random.default_rng(4)
    any_rejected = np.mean([(stats.holm(rng.random(10)) < 0.05).any() for _ in range(1000)])
    assert 0.03 < any_rejected < 0.07
