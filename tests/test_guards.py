"""Which known answer holds back which verdict, and that those it lets pass are as rarely false as they should be."""

from dataclasses import replace

import numpy as np
import pytest

from helpers import claims, stats
from helpers.claims import Claim, Criterion, Test
from helpers.claims.known import Probe, Sight, probe, probed, sights
from helpers.claims.words import MIXED, REFUTED, SUPPORTED, UNDECIDED

Test.__test__ = False
SHARP, BLUNT = np.linspace(-0.2, 0.2, 10), np.linspace(-6, 6, 10)


def claim(*tests, controls=()):
    precise = Criterion("precise", tests, controls)
    return {"X1": Claim("X1", "004", "chapter", "a claim", Criterion("printed"), precise, "2026-01-01")}


def judged(known, quantities):
    return next(v for v in claims.judge(known, quantities) if v.criterion == "precise")


ONE = claim(Test("q", above=1.0), controls=(Test("x1_controls", above=0.5, interval="exact"),))


@pytest.mark.parametrize(("planted", "absent", "supports", "refutes"), [
    (SHARP + 2, SHARP, 1, 1),
    (BLUNT + 2, BLUNT, 0, 1),  # blunt, and right: its own interval says how blunt
    (SHARP, SHARP, 0, 0),  # refutes what is there
    (SHARP + 2, SHARP + 2, 0, 0),  # supports what is not
    (BLUNT + 0.5, BLUNT, 0, 0),  # what is planted does not bring the mean to where it is claimed to be
    (BLUNT + 2, BLUNT + 1.5, 0, 0),  # nor does taking it out bring it away
])  # fmt: skip
def test_a_missed_answer_holds_back_a_support_and_a_wrong_one_everything(planted, absent, supports, refutes):
    numbers = probed(probe(ONE, {"X1": ({"q": planted}, {"q": absent})}))
    assert numbers == {"x1_controls": [supports], "x1_refuting_controls": [refutes]}
    verdict = lambda values: judged(ONE, numbers | {"q": values})
    assert verdict(SHARP + 5).verdict == (SUPPORTED if supports else UNDECIDED)
    assert verdict(SHARP - 5).verdict == (REFUTED if refutes else UNDECIDED)
    assert verdict(BLUNT + 1).verdict == UNDECIDED
    assert verdict(BLUNT + 1).failed == (), "its own tests leave it open, and say so"


def test_one_inside_and_one_outside_needs_both_answers():
    two = claim(Test("q", above=1.0), Test("r", above=1.0))
    for supports, refutes, wanted in ((1, 1, MIXED), (0, 1, UNDECIDED), (1, 0, UNDECIDED)):
        numbers = {"x1_controls": [supports], "x1_refuting_controls": [refutes]}
        assert judged(two, numbers | {"q": SHARP + 5, "r": SHARP - 5}).verdict == wanted


def test_a_refutation_by_a_blunt_test_says_that_it_is_one_and_keeps_its_p():
    numbers = {"x1_controls": [0.0], "x1_refuting_controls": [1.0]}
    found = judged(ONE, numbers | {"q": SHARP - 5})
    assert found.failed == ()
    assert found.p < 0.001
    assert (
        "(it could not be supported: a planted and an absent effect told apart: 0"
        in judged(replace_controls(ONE), numbers | {"q": SHARP - 5}).reason
    )


def replace_controls(known):
    return {"X1": replace(known["X1"], precise=replace(known["X1"].precise, controls=()))}


def test_known_answers_hold_whether_a_criterion_names_them_or_not():
    """Half of the ledger's claims had them in a table of their chapter, and no verdict hung on them."""
    silent = replace_controls(ONE)
    assert judged(silent, {"q": SHARP + 5}).verdict == SUPPORTED, "where none were made, none are asked"
    assert judged(silent, {"q": SHARP + 5, "x1_controls": [1.0]}).verdict == SUPPORTED
    assert judged(silent, {"q": SHARP + 5, "x1_controls": [0.0]}).verdict == UNDECIDED
    alone = {"X1": replace(silent["X1"], precise=claims.known.bare(silent["X1"].precise))}
    assert judged(alone, {"q": SHARP + 5, "x1_controls": [0.0]}).verdict == SUPPORTED, (
        "a table that asks the tests alone"
    )


def test_a_run_of_before_has_one_answer_for_both_and_an_old_criterion_the_old_rule():
    assert judged(ONE, {"q": SHARP - 5, "x1_controls": [0.0]}).verdict == UNDECIDED
    old = replace(ONE["X1"], earlier=(claims.Earlier("2026-11-01", "another rule", ONE["X1"].precise),))
    numbers = {"q": SHARP - 5, "x1_controls": [0.0], "x1_refuting_controls": [1.0]}
    assert [v.verdict for v in claims.judge({"X1": old}, numbers)] == [REFUTED, UNDECIDED]


def test_all_controls_that_failed_are_named():
    floor, ring, full = (Test(q, below=0.1, interval="exact", says=q) for q in ("the floor", "the ring", "full width"))
    few = Test("few", below=0.1, least=5)
    known = claim(Test("q", above=1.0), controls=(floor, ring, full, few))
    numbers = {"q": SHARP + 5, "the floor": [1.0], "the ring": [0.0], "full width": [2.0], "few": [0.0, 0.01]}
    found = judged(known, numbers)
    assert [o.quantity for o in found.failed] == ["the floor", "full width", "few"]
    assert found.reason.startswith("the controls the floor: 1.00, wanted < 0.1; full width: 2.00, wanted < 0.1; few: ")
    assert found.reason.endswith(", of 2 units, which are too few, did not pass")
    assert [o.quantity for o in found.outcomes] == ["q"], "a control is no test"


def test_a_test_that_refutes_too_often_at_its_border_may_not_refute_near_it():
    """One straggler on the claim's side: most resamples miss it, and all of these lie below, close together."""
    skewed = np.array([0.0] * 10 + [1.2, -0.1])
    for shift, wanted in ((0.64, UNDECIDED), (-9.0, REFUTED)):
        known = claim(Test("q", above=1.0))
        (seen,) = sights(known, {"q": list(skewed + shift)})
        assert seen.fell > 0.1 > 0.03 > seen.false
        found = judged(known, {"q": skewed + shift} | probed([], [seen]))
        assert found.verdict == wanted
        assert judged(known, {"q": skewed + shift}).verdict == REFUTED, "by its interval alone"
    near = Sight("X1", "q", "q", 12, 0.02, None, None, 1.0, True, 0.2, True)
    far, open_ = replace(near, near=False), replace(near, refutes=False)
    for tests, share in (([near], 0.2), ([near, far], 0.0), ([near, open_], 0.2), ([open_], 0.0)):
        assert probed([], tests)["x1_border_refuting_controls"] == [share], "one that refutes from afar is enough"


def test_what_a_test_errs_at_its_border_is_not_told_as_a_known_answer_missed():
    """It was: 'a planted and an absent effect told apart: 0', of tests that had told them apart."""
    right = Probe("X1", SUPPORTED, REFUTED)
    seen = Sight("X1", "q", "q", 12, 0.18, None, None, 1.0, True)
    found = judged(ONE, probed([right], [seen]) | {"q": SHARP + 5})
    assert found.reason == (
        "the control share of resampled runs on the border that are supported: 0.180, wanted < 0.06 did not pass"
    )


@pytest.mark.parametrize("scatter", [1.0, 2.0, 3.0])
def test_refutations_by_blunt_tests_are_no_more_often_false_than_others(scatter):
    """The truth lies on the border. By the rule one in forty is refuted, however blunt the test is; of those samples that
    would refute an effect that was taken out, to which a stricter rule would keep, more are refuted than may be."""
    rng, n = np.random.default_rng(0), 10
    x = rng.normal(0, scatter, (20000, n))
    half = stats.half_width(x.std(axis=1, ddof=1), n)
    fell = x.mean(axis=1) + half < 0
    sharp = half < 1  # an effect one margin outside comes out refuted
    assert fell.mean() == pytest.approx(0.025, abs=0.005)
    assert fell[~sharp].mean() < 0.03
    if scatter > 1:
        assert fell[sharp].mean() > 0.06
