"""Masks: how dense, how nested, which entries; bit planes and corruption against integer arithmetic on the bytes."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.codec import ORDERS, Fill, corrupt, decode, encode, hashing, kept_share, orders
from helpers.codec.codec import Codec

MASKS = [o for o in ORDERS if o != "planes"]
FRACTIONS = (0.0, 0.005, 0.1, 0.2, 0.5, 0.8, 0.95, 1.0)


def stored(out=64, width=96, seed=0, kind="hadamard"):
    weight = torch.tensor(np.random.default_rng(seed).standard_t(3, size=(out, width)), dtype=torch.float32)
    return encode(weight, Codec(kind, cap=32), f"layer.{seed}")


def mask(encoded, fraction, order, seed=0):
    found = orders.keep(encoded, fraction, order, seed)(0, len(encoded.codes))
    return torch.ones_like(encoded.codes, dtype=torch.bool) if found is None else found


@pytest.mark.parametrize("order", MASKS)
def test_masks_are_nested_and_run_from_none_to_all(order):
    encoded = stored()
    found = [mask(encoded, f, order, 5) for f in FRACTIONS]
    assert not found[0].any()
    assert found[-1].all()
    for small, large in itertools.pairwise(found):
        assert not (small & ~large).any()


@given(
    a=st.floats(0, 1), b=st.floats(0, 1), seed=st.integers(0, 2**31), order=st.sampled_from(MASKS),
    out=st.integers(1, 30), width=st.integers(1, 50),
)  # fmt: skip
@settings(max_examples=60, deadline=None, database=None, derandomize=True)
def test_nestedness_of_any_two_fractions(a, b, seed, order, out, width):
    encoded = stored(out, width)
    small, large = (mask(encoded, f, order, seed) for f in sorted((a, b)))
    assert not (small & ~large).any()


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize(("order", "units"), [("iid", 64 * 96), ("rows_hashed", 64), ("columns", 96), ("shards", 64)])
def test_density_is_binomial(order, units, fraction):
    """Over 200 masks: the mean within 4.5 standard errors of f, the variance within a factor 2 of f(1-f)/units."""
    encoded = stored()
    shares = np.array([mask(encoded, fraction, order, s).float().mean().item() for s in range(200)])
    spread = math.sqrt(fraction * (1 - fraction) / units)
    assert abs(shares.mean() - fraction) < 4.5 * spread / math.sqrt(200)
    assert 0.5 < shares.var() / spread**2 < 2


def test_iid_is_the_hash_of_the_flat_index():
    encoded = stored()
    h = hashing.unsigned(hashing.hash32(hashing.key32(7, "layer.0", "mask"), hashing.index32(0, 64 * 96)))
    assert torch.equal(mask(encoded, 0.3, "iid", 7), (h < round(0.3 * 2**32)).view(64, 96))


def test_iid_masks_of_tensors_and_seeds_are_independent():
    a, b = stored(seed=0), stored(seed=1)
    found = [mask(a, 0.5, "iid", 0), mask(a, 0.5, "iid", 1), mask(b, 0.5, "iid", 0)]
    for x, y in ((0, 1), (0, 2), (1, 2)):
        assert (found[x] == found[y]).float().mean().item() == pytest.approx(0.5, abs=4.5 * 0.5 / math.sqrt(64 * 96))


@pytest.mark.parametrize(("fraction", "rows"), [(0.0, 0), (0.001, 1), (0.2, 12), (0.5, 32), (0.99, 63), (1.0, 64)])
def test_rows_are_the_leading_ones_as_published(fraction, rows):
    found = mask(stored(), fraction, "rows")
    assert found[:rows].all()
    assert not found[rows:].any()


def test_structured_orders_lose_whole_units():
    encoded = stored()
    rows, columns, shards = (mask(encoded, 0.5, o) for o in ("rows_hashed", "columns", "shards"))
    assert (rows == rows[:, :1]).all()
    assert 0 < rows[:, 0].sum() < 64
    assert (columns == columns[:1]).all()
    assert 0 < columns[0].sum() < 96
    runs = shards.reshape(64, -1)  # 6144 entries in 64 shards of 96
    assert (runs == runs[:, :1]).all()
    assert not torch.equal(rows[:, 0], mask(encoded, 0.5, "rows")[:, 0])


def test_shards_of_a_storage_that_64_does_not_divide():
    found = mask(stored(7, 13), 0.5, "shards").reshape(-1).int()
    starts = {i for i in range(1, 91) if i * 64 // 91 != (i - 1) * 64 // 91}
    assert {int(i) + 1 for i in found.diff().nonzero()[:, 0]} <= starts
    assert mask(stored(2, 3), 0.5, "shards").shape == (2, 3)  # fewer entries than shards


@pytest.mark.parametrize("fraction", [0.1, 0.33, 0.8])
def test_magnitude_keeps_the_largest(fraction):
    encoded = stored()
    sizes, found = encoded.coefficients().abs(), mask(encoded, fraction, "magnitude")
    assert found.sum() == round(fraction * sizes.numel())
    assert sizes[found].min() >= sizes[~found].max()


@given(st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=50), st.data())
def test_the_nth_largest_by_counting_bits_is_that_of_a_sort(sizes, data):
    rank = data.draw(st.integers(1, len(sizes)))
    found = orders.largest_by_bits(torch.tensor(sizes, dtype=torch.float32), rank)
    assert float(found) == sorted(np.float32(sizes), reverse=True)[rank - 1]


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.25, 0.2503, 0.9, 1.0])
def test_a_cut_is_that_of_a_sort_whether_it_is_in_the_table_or_counted(fraction):
    encoded = stored()
    sizes = encoded.coefficients().abs().reshape(-1)
    count = round(fraction * len(sizes))
    found = orders.cut_of(encoded, count)
    assert float(found) == sorted(sizes.tolist(), reverse=True)[count - 1]
    assert ("cuts" in vars(encoded)) == (fraction != 0.2503)


def test_magnitude_of_ties_goes_by_index():
    encoded = encode(torch.ones(4, 8), Codec("identity"), "w")
    assert torch.equal(mask(encoded, 0.5, "magnitude").reshape(-1), torch.arange(32) < 16)


def test_kept_share():
    encoded = stored()
    for order in MASKS:
        assert kept_share(encoded, 0.4, order, 3) == pytest.approx(mask(encoded, 0.4, order, 3).float().mean().item())
    assert kept_share(encoded, 1.0) == 1.0


def by_bits(q, bits):
    """Sign and magnitude from the binary digits of one code."""
    if bits in (0, 8):
        return 0 if bits == 0 else q
    digits = f"{abs(q):07b}"[: bits - 1] + "1" + "0" * (7 - bits)
    return (-1 if q < 0 else 1) * int(digits, 2)


@pytest.mark.parametrize("bits", range(9))
def test_planes_keep_the_leading_digits(bits):
    codes = torch.arange(-127, 128, dtype=torch.int8)
    found = orders.planes(codes, bits / 8)
    expected = torch.tensor([by_bits(int(q), bits) for q in codes], dtype=torch.int8)
    some = codes != 0
    assert torch.equal(found[some], expected[some])
    assert abs(found[~some]) == abs(expected[~some])
    assert (found.int() - codes.int()).abs().max() <= (127 if bits == 0 else 2 ** max(0, 7 - bits))


def test_sign_planes_of_zeros_have_no_mean():
    found = orders.planes(torch.zeros(100, 100, dtype=torch.int8), 1 / 8, key=3)
    assert set(found.unique().tolist()) == {-64, 64}
    assert abs(found.float().mean()) < 64 * 4.5 / 100


def test_more_planes_are_closer():
    encoded = stored()
    weight = decode(encoded)
    errors = [(decode(encoded, b / 8, "planes") - weight).norm().item() for b in range(9)]
    assert errors[-1] < 1e-6 * weight.norm()
    assert all(a > b for a, b in itertools.pairwise(errors))
    assert errors[4] / errors[5] == pytest.approx(2, rel=0.15)  # 6 dB a bit


def test_planes_fill_nothing():
    with pytest.raises(ValueError, match="use the zero fill"):
        decode(stored(), 0.5, "planes", Fill("gain"))
    with pytest.raises(ValueError, match=r"orders\.planes"):
        orders.keep(stored(), 0.5, "planes")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 1.0])
def test_corruption_is_xor_on_a_share(share):
    encoded = stored(200, 160)
    found = corrupt(encoded, share, 0)
    before, after = encoded.codes.numpy().view(np.uint8), found.codes.numpy().view(np.uint8)
    hit = before != after
    assert (after[hit] == before[hit] ^ 0x7F).all()
    count = before.size
    assert abs(hit.mean() - share) <= 4.5 * math.sqrt(share * (1 - share) / count)
    assert torch.equal(found.scales, encoded.scales)
    assert torch.equal(corrupt(found, share, 0).codes, encoded.codes)  # XOR undoes itself
    more = corrupt(encoded, min(1, share * 1.5), 0).codes.numpy().view(np.uint8)
    assert not (hit & (more == before)).any()


def test_random_bytes_are_uniform():
    found = corrupt(stored(200, 160), 1.0, 0, mode="byte").codes
    counts = np.bincount(found.numpy().view(np.uint8).ravel(), minlength=256)
    expected = found.numel() / 256
    assert ((counts - expected) ** 2 / expected).sum() < 255 + 5 * math.sqrt(2 * 255)
    with pytest.raises(ValueError, match="'bits' is unknown"):
        corrupt(stored(), 0.1, 0, mode="bits")


def test_corrupted_codes_decode():
    """-128 occurs there, and is decoded as it is."""
    encoded = encode(torch.full((2, 4), -1.0), Codec("identity"), "w")
    spoiled = corrupt(encoded, 1.0, 0)
    assert spoiled.codes.unique().tolist() == [(-127 & 0xFF ^ 0x7F) - 256]
    assert decode(spoiled).unique().item() == pytest.approx(-2 / 127, rel=1e-2)


def test_unknown_orders_are_refused():
    with pytest.raises(ValueError, match="order 'random' gives no mask; choose one of iid"):
        decode(stored(), 0.5, "random")
    for bad in (-0.1, 1.01, math.nan):
        with pytest.raises(ValueError, match="fraction="):
            decode(stored(), bad)
