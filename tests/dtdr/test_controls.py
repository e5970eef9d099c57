"""Known answers through the whole way from rows to verdicts, on made-up frames whose effects are known as well."""

import dtdr_rows as made
import numpy as np
import pytest

from helpers import claims, frames
from helpers.dtdr import CHAPTERS, controls, quantities
from helpers.dtdr.damage import Keep


def verdicts(chapter, rows):
    known = CHAPTERS[chapter].controls(rows)
    return {p.id: (p.planted, p.absent) for p in claims.probe(claims.of(chapter), known)}


def judged(chapter, rows):
    numbers, _ = CHAPTERS[chapter].measure(rows, claims.of(chapter))
    return {v.id: v for v in claims.judge(claims.of(chapter), numbers) if v.criterion == "precise"}


@pytest.mark.parametrize("gap", [0.0, -1.0, 2.0])
def test_known_answers_come_out_whatever_was_measured(gap):
    seen = verdicts("dtdr_emergence", made.emergence(np.random.default_rng(0), gap=gap, spoiled=gap / 2))
    seen |= verdicts("dtdr_guided", made.guided(np.random.default_rng(0), help_by=gap, harm_by=gap))
    assert set(seen) == {f"D{i}" for i in range(1, 9)} == set(controls.PLANTED)
    assert all(planted == claims.SUPPORTED != absent for planted, absent in seen.values()), seen


def test_effects_in_the_rows_reach_the_verdicts():
    """The frame itself carries an effect, or none; the criteria say so, with their controls in force."""
    rng = np.random.default_rng(1)
    for gap, wanted in ((0.5, claims.SUPPORTED), (-0.5, claims.REFUTED)):
        assert judged("dtdr_emergence", made.emergence(rng, gap=gap))["D5"].verdict == wanted
    assert judged("dtdr_emergence", made.emergence(rng, spoiled=0.5))["D6"].verdict == claims.SUPPORTED
    for effect, wanted in ((0.5, claims.SUPPORTED), (-0.5, claims.REFUTED)):
        found = judged("dtdr_guided", made.guided(rng, help_by=effect, harm_by=effect))
        assert {v.verdict for v in found.values()} == {wanted}


def test_a_test_that_cannot_see_decides_nothing():
    """Masks that scatter by more than all of the loss hide even half of it; the claim stays open and says why."""
    verdict = judged("dtdr_emergence", made.emergence(np.random.default_rng(2), scatter=8.0))["D5"]
    assert verdict.verdict == claims.UNDECIDED
    assert "told apart" in verdict.reason


def test_a_claim_without_its_damages_has_no_control():
    rows = made.emergence(np.random.default_rng(3))
    assert set(controls.emergence(frames.rows(rows, **Keep().columns))) == {"D1", "D2"}


def test_controls_move_means_and_leave_the_scatter():
    rows = made.guided(np.random.default_rng(4), help_by=0.1, harm_by=0.2)
    planted, absent = controls.guided(rows)["D3"]
    measured = quantities.guided(rows)
    for key in ("d3_random_minus_zero_0.4", "d3_random_minus_zero_0.6"):
        assert np.mean(absent[key]) == pytest.approx(0, abs=1e-12)
        assert np.mean(planted[key]) == pytest.approx((made.NOTHING - made.WHOLE) / 2)
        for moved in (planted, absent):
            assert moved[key] - np.mean(moved[key]) == pytest.approx(measured[key] - np.mean(measured[key]))
    others = quantities.guided(controls.moved(rows, "D3", 0.0))
    assert others["d4_guided_minus_zero_0.2"] == pytest.approx(measured["d4_guided_minus_zero_0.2"])
