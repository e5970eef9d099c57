"""Timing of two series against independent formulas and planted answers; Fourier measures against brute force; refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from helpers.checks import nearest_prime, prime
from helpers.separability.grokking import data, fourier, models, series
from helpers.separability.grokking.config import Addition, OrderedAddition

RNG = np.random.default_rng(0)
STEPS = np.arange(0, 4000, 10.0)
ACCURACY = 1 / (1 + np.exp(-(STEPS - 2000) / 80))
START, STOP = (int(np.argmax(level <= ACCURACY)) for level in (0.15, 0.85))


def test_rank_correlation_is_scipys_ties_included():
    x, rows = RNG.integers(0, 5, 30), RNG.integers(0, 5, (4, 30))
    assert series.spearman(x, rows) == pytest.approx([spearmanr(x, y).statistic for y in rows])
    assert np.isnan(series.spearman(x, np.ones(30)))
    assert np.isnan(series.spearman([1, 2], [2, 1]))


def test_velocities_know_the_steps():
    steps = np.array([0.0, 10, 30, 70])
    assert series.velocity(steps, 3 * steps) == pytest.approx([3] * 4)


@pytest.mark.parametrize("trend", [0.0, -0.01, -1.0])
def test_unrelated_series_lie_beyond_the_null_one_time_in_twenty(trend):
    """Also under a trend, which goes with accuracy whatever it does."""
    smooth = np.convolve(RNG.normal(size=500), np.ones(9) / 3, "same")[: len(STEPS) - 1]
    found = np.array(
        [
            series.beyond(ACCURACY[START:STOP], change + trend, START, STOP)
            for change in series.unrelated(smooth, np.random.default_rng(1), 400)
        ]
    )
    assert ((found < 0.05).mean(0) < 0.09).all()
    assert (found[:, 1] < 0.05).mean() > 0.02


def test_a_fall_at_the_time_of_the_rise_lies_beyond_and_the_same_fall_elsewhere_does_not():
    noise = 1e-4 * RNG.normal(size=len(STEPS) - 1)
    for delay, expected in ((0, True), (700, False)):
        change = -np.diff(1 / (1 + np.exp(-(STEPS - 2000 - delay) / 80))) + noise
        found = series.beyond(ACCURACY[START:STOP], change, START, STOP)
        assert (max(found) < 0.05) is expected, found


def test_surrogates_keep_spectrum_and_mean():
    x = np.cumsum(RNG.normal(size=101))
    for y in series.unrelated(x, np.random.default_rng(2), 3):
        assert np.abs(np.fft.rfft(y))[1:] == pytest.approx(np.abs(np.fft.rfft(x))[1:], rel=1e-6, abs=1e-6)
        assert y.mean() == pytest.approx(x.mean())


def test_falls_and_half_ways():
    steps, y = np.array([0.0, 1, 2, 3, 4]), np.array([1.0, 5, 4, 2, 1])
    assert series.fall(steps, y, 2.0, 3.5, np.nan) == pytest.approx([0.25, 0.875, np.nan], nan_ok=True)
    assert series.fall(steps, y, 0.5) == [0], "before its highest value it has not fallen"
    assert np.isnan(series.fall(steps, steps, 1.0)[0]), "what rises does not fall"
    assert series.halfway(steps, y, falling=True) == 3
    assert series.halfway(steps, -y) == 3
    assert np.isnan(series.halfway(steps, steps, falling=True))
    assert series.reached(steps, y, 4.5) == 1
    assert np.isnan(series.reached(steps, y, 6))


def test_no_held_out_pair_has_its_mirror_image_in_training_and_the_documents_have():
    trained, held = data.unordered(31, 250, 0)
    assert data.mirrored(trained, held) == 0
    every = {frozenset(map(int, pair)) for pair in np.concatenate([trained, held])}
    assert len(trained) + len(held) == len(every) == 31 * 32 // 2
    assert 0.35 < np.mean(trained[:, 0] > trained[:, 1]) < 0.65, "either order"
    assert data.mirrored(*data.ordered(31, 0.5, 0)) == pytest.approx(0.5, abs=0.06)
    assert not np.array_equal(data.unordered(31, 250, 1)[0], trained)


def logits_of(p, frequencies):
    """Logits (1, p², p) of the algorithm with these frequencies, in the order of a, then b."""
    a, b = torch.cartesian_prod(torch.arange(p), torch.arange(p)).T
    away = a[:, None] + b[:, None] - torch.arange(p)
    return sum(weight * torch.cos(2 * np.pi * k * away / p) for k, weight in frequencies.items())[None]


def test_key_frequencies_are_those_that_were_planted():
    p, planted = 13, {2: 3.0, 5: 2.0, 6: 0.1}
    means = fourier.by_sum(logits_of(p, planted), p)
    torch.testing.assert_close(
        means[0], torch.stack([logits_of(p, planted)[0][s] for s in range(p)]), atol=1e-5, rtol=0
    )
    chosen = fourier.keys(means)
    assert (chosen[0].nonzero()[:, 0] + 1).tolist() == [2, 5]
    only = fourier.by_sum(logits_of(p, {2: 3.0, 5: 2.0}), p)
    torch.testing.assert_close(fourier.filtered(means, chosen), only, atol=1e-4, rtol=0)


def test_gini_is_the_mean_absolute_difference():
    energy = torch.rand(3, 7)
    apart = (energy[:, :, None] - energy[:, None]).abs().mean((1, 2))
    torch.testing.assert_close(fourier.gini(energy), apart / 2 / energy.mean(1))
    assert float(fourier.gini(torch.eye(6)[:1])) == pytest.approx(1 - 1 / 6)


def test_a_planted_circle_is_found_and_drawn_as_one():
    p, k = 13, 4
    angle = 2 * np.pi * k * torch.arange(p) / p
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0))).Q
    table = (torch.stack([angle.cos(), angle.sin()], 1) @ turn[:2]).to(torch.float32)
    found, places = fourier.circle({0: torch.randn(p, 8), 10: table})
    assert found == k
    torch.testing.assert_close(places[10].norm(dim=1), torch.ones(p), atol=1e-5, rtol=0)


def test_restricted_and_excluded_loss_of_random_models_by_hand():
    config = Addition(p=7, d=8, heads=2, mlp=16, probe=4, share=0.6, every=10, lag=10, steps=100)
    params = {k: torch.stack([models.one(config, s)[k] for s in (0, 1)]) for k in models.one(config, 0)}
    trained = torch.stack([torch.tensor(data.unordered(7, config.trained, s)[0].copy()) for s in (0, 1)])
    restricted, excluded, chosen = fourier.progress(params, None, trained, 7, 2)
    pairs = torch.cartesian_prod(torch.arange(7), torch.arange(7)).expand(2, -1, -1)
    means = fourier.by_sum(models.logits(params, models.batch(pairs, 7, "cpu"), 2), 7)
    seen = models.logits(params, models.batch(trained, 7, "cpu"), 2)
    for i in range(2):
        part = torch.zeros(7, 7)
        for k in (chosen[i].nonzero()[:, 0] + 1).tolist():
            for wave in (torch.cos, torch.sin):
                basis = wave(2 * np.pi * k * torch.arange(7) / 7) * (2 / 7) ** 0.5
                part += torch.outer(basis, basis @ means[i])
        cross = torch.nn.functional.cross_entropy
        assert float(restricted[i]) == pytest.approx(float(cross(means[i].mean(0) + part, torch.arange(7))), rel=1e-4)
        sums = trained[i].sum(1) % 7
        assert float(excluded[i]) == pytest.approx(float(cross(seen[i] - part[sums], sums)), rel=1e-4)


@pytest.mark.parametrize("make", [Addition, OrderedAddition])
@pytest.mark.parametrize(("p", "near"), [(112, 113), (115, 113), (9, 11), (4, 7), (5, 7), (-3, 7), (1, 7)])
def test_a_modulus_that_is_no_prime_is_refused_with_the_nearest(make, p, near):
    with pytest.raises(ValueError, match=rf"p={p} .*the nearest prime that works is {near}$"):
        make(p=p)


def test_primes():
    assert [n for n in range(-2, 30) if prime(n)] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    assert [nearest_prime(n) for n in (0, 8, 9, 14, 15, 113, 114)] == [7, 7, 11, 13, 17, 113, 113]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arms": ("decay 3",)}, "arm 'decay 3' is unknown; there are 'decay 0'"),
        ({"d": 126}, "use 128"),
        ({"lag": 75}, "use 100"),
        ({"share": 1.0}, "share=1.0"),
        ({"steps": 100}, "use 200 or more"),
        ({"rate": 0.0}, "rate=0.0"),
        ({"products": "fp8"}, "use exact, tf32, bf16"),
        ({"seeds": 0}, "seeds=0"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_does(change, words):
    with pytest.raises(ValueError, match=words):
        replace(Addition(), **change)


def test_the_documents_conditions():
    assert OrderedAddition(condition="no_wd").conditions == {"no_wd": 0.0}
    with pytest.raises(ValueError, match="use all, high_wd, no_wd"):
        OrderedAddition(condition="low_wd")
