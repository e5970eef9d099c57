"""Known answers through the whole way from rows to verdicts, on made-up frames whose effects are known as well."""

import dtdr_rows as made
import numpy as np
import pytest

from helpers import claims, frames
from helpers.claims import words
from helpers.dtdr import CHAPTERS, controls
from helpers.dtdr import judged as asked
from helpers.dtdr.damage import Keep

THREE = ("dtdr_emergence", "dtdr_damage", "dtdr_models")


def verdicts(chapters, rows):
    out = {}
    for chapter in chapters:
        probes = claims.known.probe(claims.of(chapter), CHAPTERS[chapter].controls(rows))
        out |= {p.id: (p.planted, p.absent) for p in probes}
    return out


def judged(chapter, rows):
    numbers = CHAPTERS[chapter].measure(rows, claims.of(chapter)).numbers
    return {v.id: v for v in claims.judge(claims.of(chapter), numbers) if v.criterion == "precise"}


@pytest.mark.parametrize("gap", [0.0, -1.0, 2.0])
def test_known_answers_come_out_whatever_was_measured(gap):
    rng = np.random.default_rng(0)
    seen = verdicts(THREE, made.emergence(rng, gap=gap, spoiled=gap / 2, models=made.MODELS))
    seen |= verdicts(("dtdr_guided",), made.guided(rng, help_by=gap, harm_by=gap))
    assert set(seen) == {*(f"D{i}" for i in range(1, 11)), "D5b"} == set(controls.PLANTED)
    assert seen.pop("D6") in [(words.SUPPORTED, absent) for absent in (words.REFUTED, words.MIXED)]  # a sign of zero
    assert seen == dict.fromkeys(seen, (words.SUPPORTED, words.REFUTED))


def test_effects_in_the_rows_reach_the_verdicts():
    """The frame itself carries an effect, or none; the criteria say so, with their controls and planned units in force."""
    rng = np.random.default_rng(1)
    for gap, d5, d5b in (
        (2.0, words.SUPPORTED, words.SUPPORTED),
        (0.5, words.REFUTED, words.SUPPORTED),
    ):
        found = judged("dtdr_models", made.emergence(rng, gap=gap, models=made.MODELS))
        assert (found["D5"].verdict, found["D5b"].verdict) == (d5, d5b)
    assert judged("dtdr_damage", made.emergence(rng, spoiled=0.5))["D6"].verdict == words.SUPPORTED
    assert judged("dtdr_damage", made.emergence(rng, gap=0.5))["D7"].verdict == words.SUPPORTED


def test_effects_of_priors_reach_the_verdicts():
    """What is made up recovers in proportion: at 40 % kept zeros recover much, and the reconstruction was never unsolvable."""
    rng = np.random.default_rng(1)
    for effect, wanted in ((0.5, words.SUPPORTED), (-0.5, words.MIXED)):
        found = judged("dtdr_guided", made.guided(rng, help_by=effect, harm_by=effect, masks=48))
        assert (found["D3"].verdict, found["D4"].verdict) == (wanted, wanted), found
    assert judged("dtdr_guided", made.guided(rng, help_by=0.0, harm_by=0.5))["D9"].verdict == words.REFUTED


def test_another_model_turns_the_sign():
    """D6 is asked of the models of other references too; one of the other sign is a clear failure."""
    rng, study = np.random.default_rng(1), CHAPTERS["dtdr_damage"]
    rows = made.emergence(rng, spoiled=0.5)
    others = [made.emergence(rng, spoiled=by).assign(model=name) for by, name in ((0.5, "a"), (-0.5, "b"))]
    for beside, last in ((others[:1], words.SUPPORTED), (others, words.REFUTED)):
        numbers = study.measure(rows, claims.of("dtdr_damage"), beside).numbers
        verdict = {v.id: v for v in claims.judge(claims.of("dtdr_damage"), numbers) if v.criterion == "precise"}["D6"]
        assert [o.verdict for o in verdict.outcomes] == [words.SUPPORTED] * 3 + [last]
        assert len(numbers["d6_difference_0.8"]) == made.MASKS
        assert len(numbers["d6_one_sign"]) == len(beside) + 1


def test_a_test_that_cannot_see_decides_nothing():
    """Models that scatter by more than all of the loss hide even half of it; the claim stays open and says why."""
    verdict = judged("dtdr_models", made.emergence(np.random.default_rng(2), scatter=16.0, models=made.MODELS))["D5b"]
    assert verdict.verdict == words.UNDECIDED
    assert "told apart" in verdict.reason


def test_a_claim_without_its_damages_has_no_control():
    rows = made.emergence(np.random.default_rng(3))
    own = frames.rows(rows, **Keep().columns)
    assert set(controls.emergence(own)) == {"D1", "D2"}
    assert set(controls.damage(own)) == set(controls.models(own)) == set()


def test_controls_move_means_and_leave_the_scatter():
    rows = made.guided(np.random.default_rng(4), help_by=0.1, harm_by=0.2)
    planted, absent = controls.guided(rows)["D3"]
    measured = asked.guided(rows)
    for key in ("d3_random_minus_zero_0.4", "d3_random_minus_zero_0.6"):
        assert np.mean(absent[key]) == pytest.approx(0, abs=1e-12)
        assert np.mean(planted[key]) == pytest.approx((made.NOTHING - made.WHOLE) / 2)
        for moved in (planted, absent):
            assert moved[key] - np.mean(moved[key]) == pytest.approx(measured[key] - np.mean(measured[key]))
    for key in ("d3_entropy_apart_0.4", "d3_entropy_apart_0.6"):
        assert planted[key] == pytest.approx(0, abs=1e-12)
        assert np.mean(absent[key]) == pytest.approx(2 * controls.APART)


def test_what_is_planted_between_models_is_the_mean_over_models():
    rows = made.emergence(np.random.default_rng(4), models=3)
    moved = asked.of(controls.moved(rows, "D5b", 1.5), "d5b")
    assert [np.mean(values) for values in moved.values()] == pytest.approx([1.5, 1.5])
    assert [len(values) for values in moved.values()] == [3, 3]
