"""How numbers are written, everywhere in the book."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import numbers

NB = numbers.NBSP


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.63, "−0.630"),
        (0, "0"),
        (-0.0, "0"),
        (9.996, "10.0"),
        (1234.5, "1234"),
        (0.00143, "0.00143"),
        (-1.53e-7, f"−1.53{NB}×{NB}10⁻⁷"),
        (2.5e9, f"2.50{NB}×{NB}10⁹"),
        (math.nan, "–"),
        (None, "–"),
        (-math.inf, "−∞"),
    ],
)
def test_a_number_alone(value, text):
    assert numbers.write(value) == text


def test_what_rounds_to_nothing_has_no_sign():
    assert numbers.fixed(-0.0004, 2) == "0.00"


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        ((0.0583, 0.0503), f"0.058{NB}±{NB}0.050"),
        ((-1.2149, 0.1335), f"−1.21{NB}±{NB}0.13"),
        ((10.667, 0.0), "10.7"),
        ((10.667, math.inf), "10.7"),
        ((32.82, 12.4), f"33{NB}±{NB}12"),
        ((1e-9, 2e-9), f"1.00{NB}×{NB}10⁻⁹{NB}±{NB}2.0{NB}×{NB}10⁻⁹"),
    ],
)
def test_a_mean_with_its_spread(pair, text):
    assert numbers.spread(*pair) == text


def test_a_spread_never_rounds_to_nothing_even_with_decimals_asked_for():
    assert numbers.spread(0.0012, 0.0004, decimals=3) == f"0.0012{NB}±{NB}0.0004"
    assert numbers.spread(0.41, 0.03, decimals=2) == f"0.41{NB}±{NB}0.03"


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((0.0584, 0.00798, 0.109), "0.058 [0.008, 0.109]"),
        ((10.667, 10.667, 10.667), "10.7"),
        ((3.0, None, None), "3.00"),
        ((3.0, 2.5, None), "3.00 [2.50, ∞]"),
        ((-0.136, -0.354, 0.0817), "−0.14 [−0.35, 0.08]"),
    ],
)
def test_an_interval(ends, text):
    assert numbers.interval(*ends) == text


@given(st.floats(-1e5, 1e5), st.floats(1e-6, 1e4))
def test_no_interval_is_printed_without_width(estimate, half):
    text = numbers.interval(estimate, estimate - half, estimate + half)
    if "[" in text:
        low, high = text.partition("[")[2].rstrip("]").split(", ")
        assert low != high
    assert "-" not in text


def test_a_column_shares_its_decimals():
    assert numbers.column([5.33, -0.51, 12.345]) == ["5.33", "−0.51", "12.35"]
    assert numbers.column([1.0, 12.0, None]) == ["1", "12", "–"]
    assert numbers.column([0.058, 0.0014, 2.0]) == ["0.0580", "0.0014", "2.0000"]
    assert numbers.column([1.0, 1e-7])[1] == f"1.0{NB}×{NB}10⁻⁷"
    assert numbers.column([]) == []


@pytest.mark.parametrize(("value", "text"), [(8.4, "8"), (75, "75"), (394.6, "6.6"), (7600, "2.1"), (1200, "20")])
def test_times(value, text):
    assert numbers.seconds(value).split(NB)[0] == text


def test_a_p_value():
    assert numbers.p(1e-9) == f"<{NB}0.0001"
    assert numbers.p(0.0213) == "0.021"


def test_a_sentence_is_tidied():
    assert numbers.tidy("gap: -0.63 [-0.8, -.4], wanted < 0") == "gap: −0.63 [−0.8, −.4], wanted < 0"
    assert numbers.tidy("printed: 10.7 [10.7, 10.7], wanted > 10") == "printed: 10.7, wanted > 10"
    assert numbers.tidy("0.001 ± 0.002 nats at 40 %") == f"0.001{NB}±{NB}0.002{NB}nats at 40{NB}%"
    assert numbers.tidy("8.9e-06 [-1.53e-07, 2e+09]") == f"8.9{NB}×{NB}10⁻⁶ [−1.53{NB}×{NB}10⁻⁷, 2{NB}×{NB}10⁹]"
    assert numbers.tidy("top-1 of 2026-11-25, GPT-2, d5_a-0.6") == "top-1 of 2026-11-25, GPT-2, d5_a-0.6"
