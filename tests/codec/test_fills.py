"""What is decoded against what arithmetic predicts: cosines, error energies, the Wiener weight, the noise control."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import stores
from helpers.codec import ORDERS, Fill, decode, decoding, encode, fills, noisy, orders, wiener
from helpers.codec.codec import Codec

KINDS = ("hadamard", "dct", "identity", "permutation")


def weights(seed=0, out=256, width=512, tail=None):
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(out, width)) if tail is None else rng.standard_t(tail, size=(out, width))
    return torch.tensor(0.02 * found, dtype=torch.float32)


def cosine(a, b):
    a, b = a.double().reshape(-1), b.double().reshape(-1)
    return (a @ b / (a.norm() * b.norm())).item()


def slack(fraction, count=256 * 512, kurtosis=3.0):
    """4.5 standard deviations of √(kept energy): energy f with variance f(1-f)·E a⁴/(E a²)²/n."""
    return 4.5 * math.sqrt(fraction * (1 - fraction) * kurtosis / count) / (2 * math.sqrt(fraction)) + 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fraction", [0.1, 0.4, 0.8])
def test_zero_and_gain_keep_the_cosine_root_f(kind, fraction):
    weight = weights()
    stored = encode(weight, Codec(kind), "w")
    zero, gain = (decode(stored, fraction, fill=Fill(k), mask_seed=1) for k in ("zero", "gain"))
    assert cosine(zero, weight) == pytest.approx(fills.cosine(fraction), abs=slack(fraction))
    assert cosine(gain, weight) == pytest.approx(fills.cosine(fraction, "gain"), abs=slack(fraction))
    assert torch.allclose(gain, zero / fraction, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fraction", [0.2, 0.6])
def test_random_fill_keeps_the_cosine_f(kind, fraction):
    weight = weights()
    stored = encode(weight, Codec(kind), "w")
    found = decode(stored, fraction, fill=Fill("random"), mask_seed=2)
    assert cosine(found, weight) == pytest.approx(fills.cosine(fraction, "random"), abs=0.01)
    assert found.norm().item() == pytest.approx(weight.norm().item(), rel=0.01)


@pytest.mark.parametrize("fraction", [0.2, 0.4, 0.6])
def test_published_guided_arm(fraction):
    """15 % of the answer itself: .685, .762, .846 by the formula, and measured."""
    weight = weights()
    stored = encode(weight, Codec(), "w")
    found = decode(stored, fraction, fill=Fill("guided", weight=0.15, prior=weight))
    by_hand = (fraction + 0.15 * (1 - fraction)) / math.sqrt(fraction + 0.0225 * (1 - fraction))
    assert fills.cosine(fraction, "guided") == pytest.approx(by_hand)
    assert by_hand == pytest.approx({0.2: 0.685, 0.4: 0.762, 0.6: 0.846}[fraction], abs=6e-4)
    assert cosine(found, weight) == pytest.approx(by_hand, abs=slack(fraction))


@given(
    fraction=st.sampled_from([0.1, 0.3, 0.5, 0.9]), weight=st.floats(-0.5, 1.5), rho=st.floats(-1, 1),
    ratio=st.floats(0.2, 3), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=25, deadline=None, database=None, derandomize=True)
def test_any_prior_follows_the_general_formula(fraction, weight, rho, ratio, seed):
    """A prior of planted correlation and norm: cosine and error energy, both measured."""
    a, z = weights(seed), weights(seed + 1000)
    a, z = a / a.norm(), z / z.norm()
    z = z - (a * z).sum() * a
    prior = ratio * (rho * a + math.sqrt(1 - rho**2) * z / z.norm())
    stored = encode(a, Codec(seed=seed), "w")
    found = decode(stored, fraction, fill=Fill("guided", weight=weight, prior=prior), mask_seed=seed)
    how = {"weight": weight, "rho": rho, "ratio": ratio}
    assert cosine(found, a) == pytest.approx(fills.cosine(fraction, "guided", **how), abs=0.02)
    lost = 4 * (fraction / (1 - fraction) / a.numel()) ** 0.5  # four deviations of the share that a mask loses
    expected = fills.error(fraction, "guided", **how)
    assert (found - a).square().sum().item() == pytest.approx(expected, rel=0.02 + lost, abs=2e-3)


@pytest.mark.parametrize("fill", ["zero", "gain", "random"])
@pytest.mark.parametrize("kind", KINDS)
def test_error_energy(fill, kind):
    weight = weights()
    stored = encode(weight, Codec(kind), "w")
    found = decode(stored, 0.4, fill=Fill(fill))
    energy = ((found - weight).square().sum() / weight.square().sum()).item()
    assert energy == pytest.approx(fills.error(0.4, fill), rel=0.02)


@given(
    kind=st.sampled_from(KINDS), order=st.sampled_from([o for o in ORDERS if o != "planes"]),
    fraction=st.floats(0, 1), tail=st.sampled_from([None, 2, 3]), out=st.integers(1, 40), width=st.integers(1, 200),
    cap=st.sampled_from([8, 256, "full"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None, database=None, derandomize=True)
def test_parseval_on_the_dropped_energy(kind, order, fraction, tail, out, width, cap):
    """Any order, transform, shape: the error of the weights is the energy of the coefficients that were dropped."""
    stored = encode(weights(0, out, width, tail), Codec(kind, cap=cap), "w")
    whole = decode(stored)
    found = decode(stored, fraction, order, mask_seed=3)
    mask = orders.keep(stored, fraction, order, 3)(0, out)
    kept = torch.ones_like(stored.codes, dtype=torch.bool) if mask is None else mask
    dropped = stored.coefficients().double().masked_fill(kept, 0).square().sum().item()
    total = whole.double().square().sum().item()
    assert (found - whole).double().square().sum().item() == pytest.approx(dropped, rel=1e-4, abs=1e-9 * total)


def test_kept_coefficients_are_untouched_and_the_rest_is_the_fill():
    weight, prior = weights(), weights(1)
    stored, other = (encode(w, Codec(), "w") for w in (weight, prior))
    kept = orders.keep(stored, 0.3, "iid", 9)(0, 256)
    rows = decoding.coefficients(stored, 0.3, fill=Fill("guided", weight=0.5, prior=prior), mask_seed=9)(0, 256)
    assert torch.equal(rows[kept], stored.coefficients()[kept])
    assert torch.equal(rows[~kept], 0.5 * other.coefficients()[~kept])
    noise = decoding.coefficients(stored, 0.3, fill=Fill("random"), mask_seed=9)(0, 256)
    assert torch.equal(noise[kept], stored.coefficients()[kept])
    sigma = stored.coefficients()[kept].std(correction=0).item()
    assert noise[~kept].std().item() == pytest.approx(sigma, rel=0.02)
    assert fills.deviation(stored, lambda a, b: kept[a:b]) == pytest.approx(sigma, rel=1e-5)


def test_at_the_ends():
    """f = 1 is the whole whatever the fill; f = 0 is the fill alone."""
    weight, prior = weights(), weights(1)
    stored = encode(weight, Codec(), "w")
    whole = decode(stored)
    for fill in (Fill("gain"), Fill("random"), Fill("guided", prior=prior)):
        assert torch.equal(decode(stored, 1.0, fill=fill), whole)
    for kind in ("zero", "gain", "random"):
        assert not decode(stored, 0.0, fill=Fill(kind)).any()  # random: no kept one, so sigma is 0
    alone = decode(stored, 0.0, fill=Fill("guided", weight=0.5, prior=prior))
    assert torch.allclose(alone, 0.5 * decode(encode(prior, Codec(), "w")), atol=1e-7)


def test_priors_as_weights_as_codes_and_by_name_are_one():
    weight, prior = weights(), weights(1)
    stored, coded = (encode(w, Codec(), "w") for w in (weight, prior))
    given_ = [prior, coded, {"w": prior}, {"w": coded}, stores.encode_model({"w": prior}, Codec())]
    found = [decode(stored, 0.3, fill=Fill("guided", prior=p)) for p in given_]
    assert all(torch.equal(found[0], f) for f in found[1:])
    none = decode(stored, 0.3, fill=Fill("guided", prior={"other": prior}))
    assert torch.equal(none, decode(stored, 0.3))


def test_priors_of_transposed_weights():
    weight, prior = weights(), weights(1)
    turned = encode(weight.T, Codec(), "w", transposed=True)
    found = decode(turned, 0.3, fill=Fill("guided", prior=prior.T))
    straight = decode(encode(weight, Codec(), "w"), 0.3, fill=Fill("guided", prior=prior))
    assert torch.equal(found, straight.T)


def test_bad_fills_and_priors():
    stored = encode(weights(0, 4, 8), Codec(), "w")
    for fields, message in [
        ({"kind": "mean"}, "fill 'mean' is unknown"), ({"kind": "guided"}, "a prior goes with"),
        ({"kind": "zero", "prior": weights()}, "a prior goes with"), ({"weight": math.nan}, "fill weight=nan"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            Fill(**fields)
    for prior, message in [
        (weights(0, 4, 9), r"a prior of shape \(4, 8\) was expected, not \(4, 9\)"), ([1.0], "not list"),
        (encode(weights(0, 4, 8), Codec(seed=1), "w"), "must be the tensor's"),
        (encode(weights(0, 4, 8), Codec(), "v"), "must be the tensor's"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            decode(stored, 0.5, fill=Fill("guided", prior=prior))


def test_predictions_at_known_points():
    assert fills.cosine(0.25) == fills.cosine(0.25, "gain") == 0.5
    assert fills.cosine(0.25, "random") == 0.25
    assert fills.cosine(0.25, "guided", weight=1, rho=1) == pytest.approx(1)
    assert fills.cosine(0.25, "guided", weight=0) == fills.cosine(0.25)
    assert fills.cosine(0.0, "guided", weight=0.5, rho=0.3) == pytest.approx(0.3)
    assert fills.cosine(0.0) == 0
    assert fills.cosine(0.0, "guided", weight=0) == 0
    assert fills.error(0.25) == 0.75
    assert fills.error(0.25, "gain") == 3
    assert fills.error(0.0, "gain") == math.inf
    for function in (fills.cosine, fills.error):
        with pytest.raises(ValueError, match="fill 'mean' is unknown"):
            function(0.5, "mean")
        with pytest.raises(ValueError, match="fraction=2"):
            function(2)


def test_the_wiener_weight_is_least_squares():
    weight, missing = weights(), torch.rand(256, 512, generator=torch.Generator().manual_seed(0)) < 0.4
    prior = 0.5 * weight + weights(1)
    best = np.linalg.lstsq(prior[missing].double().numpy()[:, None], weight[missing].double().numpy(), rcond=None)[0][0]
    assert wiener(weight, prior, missing) == pytest.approx(best)
    assert wiener(weight, weight) == pytest.approx(1)
    assert wiener(weight, 4 * weight) == pytest.approx(0.25)
    assert abs(wiener(weight, weights(7))) < 0.02
    assert wiener(weight, torch.zeros_like(weight)) == 0


def test_the_wiener_weight_has_the_least_error():
    weight = weights()
    prior = 0.6 * weight + 0.8 * weights(1)
    stored = encode(weight, Codec(), "w")
    best = wiener(weight, prior)
    error = lambda b: (decode(stored, 0.3, fill=Fill("guided", weight=b, prior=prior)) - weight).norm()
    assert error(best) < min(error(best - 0.1), error(best + 0.1), error(0.0), error(1.0))


@pytest.mark.parametrize("target", [0.0, 0.3, 0.7071, 0.95, 1.0])
def test_noise_has_the_cosine_it_is_given(target):
    weight = weights(tail=3)
    weight[:20] *= 10
    weight[20] = 0
    found = noisy(weight, target, 0, "w")
    assert found.double().norm().item() == pytest.approx(target * weight.double().norm().item(), rel=1e-5, abs=1e-9)
    if target:
        assert cosine(found, weight) == pytest.approx(target, abs=1e-5)
    assert not found[20].any()


def test_noise_is_zero_fills_double_in_every_row():
    """Error energy row by row: 1 - f of the row's own, for both arms."""
    weight = weights(tail=5)
    weight[::2] *= 5
    stored = encode(weight, Codec(), "w")
    size = weight.square().sum(1)
    for found in (noisy(weight, math.sqrt(0.6), 0, "w"), decode(stored, 0.6)):
        share = (found - weight).square().sum(1) / size
        assert share[::2].mean().item() == pytest.approx(0.4, abs=0.02)
        assert share[1::2].mean().item() == pytest.approx(0.4, abs=0.02)


def test_noise_differs_by_seed_and_name_and_keeps_the_type():
    weight = weights().to(torch.bfloat16)
    found = [noisy(weight, 0.5, s, n) for s, n in [(0, "a"), (1, "a"), (0, "b"), (0, "a")]]
    assert torch.equal(found[0], found[3])
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert found[0].dtype == torch.bfloat16
    assert torch.equal(noisy(torch.zeros(3, 4), 0.5, 0, "z"), torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"cosine=1\.5"):
        noisy(weight, 1.5, 0, "w")


@pytest.mark.parametrize("kind", ["identity", "hadamard", "dct", "permutation"])
def test_jitter_adds_noise_in_proportion_to_each_block(kind):
    """The error's length is the share of the blocks' deviations, in every domain, and a larger share is the same noise."""
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(64, 64, generator=rng) * torch.linspace(0.1, 3, 64)[:, None]
    stored = encode(weight, Codec(kind, cap=32), "w")
    whole, out = decode(stored), torch.empty(64, 64)
    small = decoding.jitter(stored, 0.1, 3, out).clone() - whole
    large = decoding.jitter(stored, 0.4, 3, out).clone() - whole
    torch.testing.assert_close(large, 4 * small, atol=1e-5, rtol=1e-4)
    spread = stored.coefficients().view(64, -1, 32).std(-1, correction=0)  # (rows, blocks)
    assert float(small.norm()) == pytest.approx(0.1 * float((spread.square().sum() * 32) ** 0.5), rel=0.05)
    assert not torch.equal(decoding.jitter(stored, 0.1, 4, out) - whole, small)
    if kind in ("identity", "hadamard"):  # within a row: rows of small weights get small noise
        rows = small.norm(dim=1)
        assert float(rows[:8].mean() / rows[-8:].mean()) == pytest.approx(0.35 / 2.7, rel=0.5)
    torch.testing.assert_close(decoding.jitter(stored, 0.0, 3, out), whole)
