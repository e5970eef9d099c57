"""Verdicts against known answers, the ledger's file, and how often a true or false claim is called right."""

import re
from dataclasses import replace

import numpy as np
import pytest

from helpers import claims, stats
from helpers.claims import Claim, Criterion, Test
from helpers.claims.words import AWAITING, MIXED, REFUTED, SUPPORTED, TOO_FEW, UNDECIDED

Test.__test__ = False  # a criterion's test, not pytest's


def claim(*tests, controls=(), least=3):
    precise = Criterion("precise", tuple(tests), tuple(controls), least=least)
    return {"X1": Claim("X1", "004", "chapter", "a claim", Criterion("printed"), precise, "2026-01-01")}


def judged(values, *tests, **more):
    quantities = values if isinstance(values, dict) else {"q": values}
    (verdict,) = claims.judge(claim(*(tests or [Test("q", above=1.0)]), **more), quantities)
    return verdict


def test_inside_outside_and_astride():
    assert judged([2.0, 2.1, 1.9, 2.0]).verdict == SUPPORTED
    assert judged([0.0, 0.1, -0.1, 0.0]).verdict == REFUTED
    assert judged([0.9, 1.1, 1.0, 1.2]).verdict == UNDECIDED


def test_equivalence_is_a_region_with_two_ends():
    region = Test("q", above=-0.02, below=0.02)
    assert judged([0.001, -0.001, 0.0, 0.002], region).verdict == SUPPORTED
    assert judged([0.05, 0.051, 0.049, 0.05], region).verdict == REFUTED
    assert judged([0.0, 0.04, -0.04, 0.01], region).verdict == UNDECIDED


def test_few_units_missing_values_and_missing_quantities():
    few = judged([2.0, 2.01])
    assert (few.verdict, few.reason[:14]) == (TOO_FEW, "2 of 3 seeds: ")
    assert judged([2.0]).verdict == TOO_FEW
    assert judged([2.0, float("nan"), 2.0]).verdict == UNDECIDED
    assert judged([2.0, None, 2.0]).verdict == UNDECIDED
    gone = judged({"other": [1.0]})
    assert (gone.verdict, gone.reason) == (AWAITING, "no run has given q yet")


def test_a_p_value_above_its_level_refutes_nothing():
    level = Test("q", below=0.05, interval="p")
    assert judged([0.01], level).verdict == SUPPORTED
    assert judged([0.06], level).verdict == UNDECIDED
    assert judged([0.9], level).verdict == UNDECIDED


def test_all_must_pass_and_one_wholly_outside_refutes_what_no_other_holds():
    tests = Test("a", above=0), Test("b", above=0)
    good, bad, unclear = [1.0, 1.1, 0.9], [-1.0, -1.1, -0.9], [-1.0, 1.0, 0.5]
    assert judged({"a": good, "b": good}, *tests).verdict == SUPPORTED
    assert judged({"a": bad, "b": bad}, *tests).verdict == REFUTED
    assert judged({"a": unclear, "b": bad}, *tests).verdict == REFUTED
    assert judged({"a": good, "b": unclear}, *tests).verdict == UNDECIDED


def test_one_inside_and_one_outside_is_mixed():
    tests = Test("a", above=0), Test("b", above=0), Test("c", above=0)
    good, bad, unclear = [1.0, 1.1, 0.9], [-1.0, -1.1, -0.9], [-1.0, 1.0, 0.5]
    seen = judged({"a": good, "b": bad, "c": unclear}, *tests)
    assert (seen.verdict, seen.held, seen.reason[:12]) == (MIXED, "1 of 3", "1 of 3 hold:")


def test_several_tests_refute_only_beyond_a_wider_interval():
    """A value that alone would refute at 95 % does not when it is one of six."""
    values = [0.0, 0.6, -0.6, 0.1, -0.2, 0.3, -0.1, 0.2]
    mean, half = np.mean(values), (stats.t_interval(values).high - stats.t_interval(values).low) / 2
    border = mean + 1.2 * half  # outside the 95 % interval, inside the 99.2 % one
    assert judged(values, Test("q", above=border)).verdict == REFUTED
    six = [Test("q", above=border, says=str(i)) for i in range(6)]
    assert judged(values, *six).verdict == UNDECIDED
    assert stats.t_interval(values, 1 - 0.05 / 6).high > border > stats.t_interval(values).high


def test_the_planned_number_of_units_is_kept():
    values = [2.0, 2.1, 1.9, 2.0, 2.1, -50.0]
    made = lambda planned: claims.judge(
        {"X1": replace(claim()["X1"], precise=Criterion("t", (Test("q", above=1.0),), least=3, planned=planned))},
        {"q": values},
    )[0]
    assert made(5).verdict == SUPPORTED, "the first five are judged"
    assert (made(8).verdict, made(8).reason[:14]) == (TOO_FEW, "6 of 8 seeds: ")
    stored = {"counts": True, "verdicts": {"this run": [made(8).as_dict()]}}
    assert claims.counting(stored) == {}, "a run with too few units is no verdict of the ledger"


def test_no_spread_on_the_border_decides_nothing():
    assert judged([0.0, 0.0, 0.0], Test("q", above=0.0)).verdict == UNDECIDED
    assert judged([-0.1, -0.1, -0.1], Test("q", above=0.0)).verdict == REFUTED
    assert judged([0.1, 0.1, 0.1], Test("q", above=0.0)).verdict == SUPPORTED


def test_ratios_are_judged_on_their_logarithms():
    """The interval of a ratio and of its inverse are each other's mirror; a mean of ratios would lean upwards."""
    values = [0.5, 2.0, 1.0, 1.5, 0.7]
    one = claims.examine(Test("q", above=0.9, log=True), values)
    other = claims.examine(Test("q", below=1 / 0.9, log=True), [1 / v for v in values])
    assert one.estimate == pytest.approx(1 / other.estimate) == pytest.approx(np.exp(np.mean(np.log(values))))
    assert (one.low, one.high) == pytest.approx((1 / other.high, 1 / other.low))
    assert one.p == pytest.approx(other.p)
    assert judged([1.0, -1.0, 2.0], Test("q", above=0.9, log=True)).verdict == UNDECIDED
    with pytest.raises(ValueError, match="log scale needs positive borders"):
        Test("q", above=0.0, log=True)


def test_draws_stand_for_an_interval_and_their_units_are_counted():
    rng = np.random.default_rng(0)
    drawn = list(rng.normal(3, 0.5, 2000))
    test = Test("q", above=1.0, interval="draws")
    seen = judged({"q": drawn, "q_units": [40]}, test)
    (o,) = seen.outcomes
    assert (seen.verdict, o.n) == (SUPPORTED, 40)
    assert (o.low, o.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]))
    assert judged({"q": drawn, "q_units": [2]}, test).verdict == TOO_FEW
    with pytest.raises(ValueError, match="q_units"):
        judged({"q": drawn}, test)
    with pytest.raises(ValueError, match="999 or more"):
        judged({"q": drawn[:500], "q_units": [40]}, test)


def test_a_test_and_a_control_may_need_other_units():
    few = Test("c", below=0.1, least=2)
    assert judged({"q": [2.0, 2.1, 1.9], "c": [0.0, 0.01]}, controls=[few]).verdict == SUPPORTED
    assert judged([2.0, 2.1, 1.9], Test("q", above=1.0, least=5)).verdict == TOO_FEW
    assert Criterion("default").needs(Test("q", above=0)) == 8


def test_a_division_of_settings_gets_no_verdict():
    made = replace(claim()["X1"], precise=Criterion("t", (Test("q", above=10, interval="exact"),), arithmetic=True))
    (seen,) = claims.judge({"X1": made}, {"q": [64 / 6]})
    assert (seen.verdict, seen.reason) == (claims.words.ARITHMETIC, "q: 10.7, wanted > 10")


@pytest.mark.parametrize(("kind", "values", "border"), [
    ("t", [0.3, -0.2, 0.5, 0.1, 0.4, 0.2], 0.0), ("wilson", [1] * 14 + [0] * 3, 0.6), ("draws", None, 0.2),
])  # fmt: skip
def test_a_p_is_small_just_when_its_interval_lies_beyond(kind, values, border):
    """One-sided p and two-sided interval are two readings of one test: p = a/2 where the (1 − a) interval's end is."""
    values = values or list(np.random.default_rng(1).normal(0.5, 0.2, 4999))
    p = stats.beyond(values, border, True, kind)
    make = {"t": stats.t_interval, "wilson": stats.wilson, "draws": stats.draws}[kind]
    assert make(values, level=1 - 2 * p).low == pytest.approx(border, abs=2e-3)


def test_p_of_a_claim_is_that_of_its_weakest_test_and_a_refutation_pays_for_its_choice():
    rng = np.random.default_rng(3)
    a, b = rng.normal(1, 1, 12), rng.normal(2, 1, 12)
    tests = Test("a", above=0), Test("b", above=0)
    p = {k: stats.beyond(v, 0, True) for k, v in (("a", a), ("b", b))}
    assert judged({"a": a, "b": b}, *tests).p == max(p.values())
    down = judged({"a": -a, "b": -b}, *tests)
    assert down.p == pytest.approx(2 * min(p.values()))
    ledger = {"A": {"p": 0.01, "outcomes": []}, "B": {"p": 0.03, "outcomes": []}, "C": {"p": None, "outcomes": []}}
    assert {k: v["holm"] for k, v in claims.across(ledger).items()} == {"A": 0.02, "B": 0.03, "C": None}


def test_the_least_visible_effect_is_seen_in_four_runs_of_five():
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, 12)
    away = claims.examine(Test("q", above=1.0), values).least_visible
    scatter = values.std(ddof=1)
    seen = [judged(rng.normal(1.0 + away, scatter, 12)).verdict == SUPPORTED for _ in range(600)]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.06)


def test_no_margin_is_zero_unless_the_claim_names_an_effect(root):
    """A margin of zero turns a trifle into a verdict with enough units; printed criteria are the documents' own."""
    for c in claims.load(root / "book" / "claims.yml").values():
        for t in c.precise.tests:
            assert not t.sampled or t.planted is not None, f"{c.id}: {t.quantity} has a border of zero and no effect"
        sampled = [t for t in c.precise.tests if t.sampled]
        assert not sampled or c.precise.planned or c.precise.least, f"{c.id}: say how many units were planned"


def test_a_test_is_tried_on_its_own_scatter_at_the_border_and_at_twice_the_margin():
    rng = np.random.default_rng(5)
    made = claim(Test("q", above=1.0), Test("r", below=0.0), Test("s", above=0.0, effect=0.5))
    found = {s.quantity: s for s in claims.known.sights(made, {k: list(rng.normal(9, 0.5, 12)) for k in "qrs"})}
    assert all(0.01 < s.false < 0.06 for s in found.values())
    assert (found["q"].planted, found["r"].planted, found["s"].planted) == (2.0, None, 0.5)
    assert found["q"].power > 0.95
    assert found["s"].power < found["q"].power, "half a unit is harder to see than one"
    blunt = claims.known.sights(made, {"q": list(rng.normal(9, 5, 12))})[0]
    assert blunt.power < 0.5
    assert blunt.visible > 1


def test_a_test_that_cries_wolf_may_not_decide_near_its_border():
    """One straggler makes resampled intervals too short; far from the border that is no matter."""
    skewed = np.array([0.0] * 10 + [-1.2, 0.1])
    for shift, wanted in ((1.36, UNDECIDED), (9.0, SUPPORTED)):
        (seen,) = claims.known.sights(claim(Test("q", above=1.0)), {"q": list(skewed + shift)})
        assert seen.false > 0.06
        assert judged({"q": skewed + shift}).verdict == SUPPORTED, "by its interval alone"
        assert judged({"q": skewed + shift} | claims.known.probed([], [seen])).verdict == wanted


def test_equal_values_at_a_border_have_no_rounding():
    for border, values in ((0.1, [0.1] * 12), (0.3, [0.3] * 10), (0.02, [0.02] * 12)):
        assert judged(values, Test("q", below=border)).verdict == UNDECIDED
        assert judged(values, Test("q", above=border)).verdict == UNDECIDED


def test_no_unit_and_two_far_apart_are_too_few_and_no_crash():
    assert judged([]).verdict == TOO_FEW
    wide = [Test(q, above=1.0, log=True) for q in "abcdefghijkl"]
    assert judged({q: [1e-3, 1e3] for q in "abcdefghijkl"}, *wide).verdict == TOO_FEW
    assert judged([float("nan"), float("nan")]).verdict == TOO_FEW


def test_what_a_test_without_a_p_decides_has_none():
    tests = Test("a", above=0.5, interval="every"), Test("b", above=0.0)
    mixed = judged({"a": [1.0, 1.0, 0.0], "b": [1.0, 1.1, 0.9]}, *tests)
    assert (mixed.verdict, mixed.p) == (MIXED, None)


def test_a_replaced_criterion_is_judged_by_the_rules_of_its_time():
    old = claims.Earlier(
        "2026-11-01", "too coarse", Criterion("t", (Test("q", above=0.0), Test("r", above=0.0)), least=3)
    )
    made = {"X1": replace(claim(Test("q", above=1.0))["X1"], earlier=(old,), scope="toys only")}
    now, before = claims.judge(made, {"q": [2.0, 2.1, 1.9], "r": [-1.0, -1.1, -0.9]})
    assert (now.verdict, now.criterion, now.scope) == (SUPPORTED, "precise", "toys only")
    assert (before.verdict, before.criterion) == (REFUTED, "earlier 2026-11-01")
    stored = {"verdicts": {"reference": [now.as_dict(), before.as_dict()]}}
    assert claims.counting(stored)["X1"]["earlier"][0]["verdict"] == REFUTED


def test_a_broken_instrument_decides_nothing():
    control = Test("c", below=0.1, says="the floor")
    values = {"q": [2.0, 2.1, 1.9]}
    assert judged(values | {"c": [0.0, 0.01, 0.0]}, controls=[control]).verdict == SUPPORTED
    broken = judged(values | {"c": [0.5, 0.6, 0.5]}, controls=[control])
    assert broken.verdict == UNDECIDED
    assert "the control the floor" in broken.reason


def test_known_answers_that_are_missed_leave_a_claim_open():
    """A probe passes when the planted effect is supported and the absent one is not; its quantity is the claim's control."""
    control = Test("x1_controls", above=0.5, interval="exact")
    known = claim(Test("q", above=1.0), controls=[control])
    there, gone, unsure = ({"q": q} for q in ([2.0, 2.1, 1.9], [0.0, 0.1, -0.1], [0.0, 2.0, 1.0]))
    for planted, absent, passed in (
        (there, gone, 1.0),
        (there, unsure, 0.0),  # what was taken out of a claim with a margin must come out refuted
        (there, there, 0.0),  # it finds what is not there
        (unsure, gone, 0.0),  # it does not find what is
        (gone, gone, 0.0),
    ):
        (seen,) = claims.known.probe(known, {"X1": (planted, absent)})
        quantities = claims.known.probed([seen])
        assert quantities["x1_controls"] == [passed]
        (verdict,) = claims.judge(known, there | quantities)
        assert verdict.verdict == (SUPPORTED if passed else UNDECIDED)
    assert claims.judge(known, there)[0].verdict == AWAITING
    with pytest.raises(KeyError):
        claims.known.probe(known, {"X2": (there, gone)})


def test_kinds_of_interval():
    assert judged([1] * 30 + [0] * 2, Test("q", above=0.7, interval="wilson")).verdict == SUPPORTED
    assert judged([5.0], Test("q", above=4.0, interval="exact"), least=1).verdict == SUPPORTED
    assert judged([5.0], Test("q", above=4.0, interval="exact")).verdict == SUPPORTED
    assert judged(list(np.linspace(2, 3, 20)), Test("q", above=1.0, interval="bootstrap")).verdict == SUPPORTED


@pytest.mark.parametrize("bad", [{"above": 1.0, "below": 1.0}, {}, {"above": 0.0, "interval": "guess"}])
def test_regions_that_make_no_sense(bad):
    with pytest.raises(ValueError, match=r"is empty or everything|is unknown"):
        Test("q", **bad)


def test_calibration():
    """A quantity exactly on the border is called supported in 2.5 % and refuted in 2.5 % of 1000 simulations; one that
    lies a standard deviation inside, with 12 units, is supported in more than 80 % and never refuted."""
    rng = np.random.default_rng(0)
    border = [judged(rng.normal(1, 1, 12)).verdict for _ in range(1000)]
    inside = [judged(rng.normal(2, 1, 12)).verdict for _ in range(300)]
    assert 0.01 < border.count(SUPPORTED) / 1000 < 0.045
    assert 0.01 < border.count(REFUTED) / 1000 < 0.045
    assert inside.count(SUPPORTED) / 300 > 0.8
    assert inside.count(REFUTED) == 0


def test_the_ledger_numbers_the_claims_of_five_documents(root):
    found = claims.load(root / "book" / "claims.yml")
    first = {"D": 8, "T": 8, "M": 9, "S": 14, "E": 10}
    asked = {f"{letter}{i}" for letter, last in first.items() for i in range(1, last + 1)}
    assert asked | {"D5b", "D9", "D10", "T9", "S15", "E8b", "E10b", "E11"} <= set(found)
    assert {(k[0], c.seed) for k, c in found.items()} == {
        *zip("DTMSE", ("000", "001", "002", "003", "004"), strict=True)
    }
    for letter in "DTMSE":
        numbers = sorted({int(k[1:].rstrip("b")) for k in found if k[0] == letter})
        assert numbers == [*range(1, len(numbers) + 1)], letter
        assert {k.removesuffix("b") for k in found} <= set(found)
    for c in found.values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", c.fixed), c.id
        assert c.precise.tests, c.id
        assert c.claim.endswith((".", ")")), c.id


def test_every_claim_belongs_to_a_notebook_that_the_front_page_names(root):
    import yaml

    parts = yaml.safe_load((root / "book" / "parts.yml").read_text())
    named = {name for part in parts for name in part["notebooks"]}
    assert {c.chapter for c in claims.load(root / "book" / "claims.yml").values()} <= named


def test_counting_prefers_the_reference():
    def stored(verdict):
        return [{"id": "E1", "criterion": kind, "verdict": verdict, "reason": ""} for kind in ("printed", "precise")]

    both = {"verdicts": {"this run": stored(UNDECIDED), "reference": stored(SUPPORTED)}}
    assert claims.counting(both)["E1"]["verdict"] == SUPPORTED
    assert claims.counting(both)["E1"]["by"] == "reference"
    assert claims.counting({"counts": True, "verdicts": {"this run": stored(REFUTED)}})["E1"]["by"] == "this run"
    assert claims.counting(None) == {}


def test_an_exploration_counts_for_no_claim_and_keeps_the_references_verdict():
    stored = lambda verdict: [{"id": "E1", "criterion": "precise", "verdict": verdict, "reason": ""}]
    assert claims.counting({"counts": False, "verdicts": {"this run": stored(REFUTED)}}) == {}
    both = {"counts": False, "verdicts": {"this run": stored(REFUTED), "reference": stored(SUPPORTED)}}
    assert claims.counting(both)["E1"]["verdict"] == SUPPORTED


ENTRY = """
fixed: 2026-01-01
claims:
- id: X1
  seed: "004"
  chapter: c
  claim: A claim.
  printed: {{text: none}}
  precise: {{text: p, tests: [{tests}]}}
{more}
"""


@pytest.mark.parametrize(
    ("tests", "more", "message"),
    [
        ("", "", "X1 has no test"),
        ("{quantity: q}", "", "X1 is not well formed"),
        ("{quantity: q, above: 1, colour: red}", "", "X1 is not well formed"),
        ("{quantity: q, above: 1}", "- id: X2", "X2 is not well formed: it lacks 'seed'"),
        ("{quantity: q, belw: 1}", "", "'belw' is unknown there; known are above"),
        ("{quantity: q, above: 1}, {quantity: q, below: 3}", "", "q is tested twice"),
        ("{quantity: q, above: 1}], planned: 3, controls: [", "", "needs 8 to be judged"),
        ("{quantity: q, above: 1}], planned: -1, controls: [", "", "planned: -1"),
        ("{quantity: q, above: 1}], planned: 8.7, controls: [", "", "planned: 8.7"),
        ("{quantity: q, above: 1}], least: true, controls: [", "", "least: True"),
        ("{quantity: q, above: 1, least: -3}", "", "q: least: -3"),
        ("{quantity: q, above: 1, least: 2.5}", "", "q: least: 2.5"),
        ("{quantity: q, above: 1}], arithmetic: 'no', controls: [", "", "arithmetic: 'no'"),
        ("{quantity: q, above: 1}", "  fixed: soon", "fixed: 'soon' is no date"),
        ("{quantity: q, above: 1}", "- a claim", "a claim is not well formed"),
        (
            "{quantity: q, above: 1}",
            "- {id: X1, seed: a, chapter: c, claim: c, printed: {text: x}, precise: {text: x}}",
            "X1",
        ),
        ("{", "", "is not YAML"),
    ],
)
def test_a_malformed_ledger_names_the_claim(tmp_path, tests, more, message):
    file = tmp_path / "claims.yml"
    file.write_text(ENTRY.format(tests=tests, more=more))
    with pytest.raises(ValueError, match=message):
        claims.load(file)


def test_digest_changes_with_a_margin(root):
    found = claims.load(root / "book" / "claims.yml")
    mine = claims.of("learned_encoding", found)
    before = claims.digest(mine)
    assert before == claims.digest(claims.of("learned_encoding", found))
    from dataclasses import replace

    moved = replace(mine["E1"].precise.tests[0], below=0.03)
    changed = mine | {"E1": replace(mine["E1"], precise=replace(mine["E1"].precise, tests=(moved,)))}
    assert claims.digest(changed) != before
    with pytest.raises(KeyError, match="no claim names the chapter"):
        claims.of("nowhere", found)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [([1.0, 1.0, 1.0], SUPPORTED), ([1.0, 0.0, 1.0], REFUTED), ([0.0], REFUTED), ([1.0, np.nan], UNDECIDED)],
)
def test_a_statement_on_every_unit_is_refuted_by_one(values, verdict):
    assert claims.examine(claims.Test("x", above=0.5, interval="every"), values).verdict == verdict


@pytest.mark.parametrize("text", ["", "claims:", "- id: X1", "claims: []\nfixed: 2026-01-01\nclaim_s: []"])
def test_a_ledger_of_another_shape_is_refused(tmp_path, text):
    (tmp_path / "claims.yml").write_text(text)
    with pytest.raises(ValueError, match="a mapping with `fixed`"):
        claims.load(tmp_path / "claims.yml")


def test_an_undecided_claim_with_a_unit_without_value_has_no_p():
    known = claims.load()
    claim = replace(known["E1"], precise=replace(known["E1"].precise, controls=()))
    values = {t.quantity: [0.0] * 12 for t in claim.precise.tests}
    values[claim.precise.tests[0].quantity] = [float("nan")] * 12
    verdict = next(v for v in claims.judge({"E1": claim}, values) if v.criterion == "precise")
    assert verdict.verdict == claims.words.UNDECIDED
    assert verdict.p is None


def test_every_unit_is_no_statement_on_fewer_than_were_planned():
    each = Test("q", above=0.5, interval="every")

    def of(test, quantities, *more):
        asked = Criterion("precise", (test, *more), planned=12)
        return claims.judge({"X1": replace(claim(test)["X1"], precise=asked)}, quantities)[0].verdict

    assert of(each, {"q": [1.0]}) == TOO_FEW
    assert of(each, {"q": [1.0] * 12}) == SUPPORTED
    drawn = Test("r", above=0.0)
    found = {"q": [1.0] * 5, "r": list(np.linspace(1, 2, 12))}
    assert of(each, found, drawn) == SUPPORTED, "it may be of other units than those that were drawn"
    assert of(replace(each, least=6), found, drawn) == TOO_FEW


def test_a_border_of_zero_excuses_its_own_test_alone():
    known = claim(Test("q", above=1.0), Test("r", above=0.0))
    there, apart = {"q": [2.0, 2.1, 2.2], "r": [1.0, 1.1, 1.2]}, [-0.1, 0.0, 0.1]
    for gone, passed in (([0.0, 0.1, 0.2], True), ([0.9, 1.0, 1.1], False)):
        (seen,) = claims.known.probe(known, {"X1": (there, {"q": gone, "r": apart})})
        assert seen.passed == passed
    (seen,) = claims.known.probe(claim(Test("r", above=0.0)), {"X1": (there, {"r": apart})})
    assert seen.passed


def test_no_claims_are_not_all_claims():
    with pytest.raises(KeyError):
        claims.of("learned_encoding", {})


def test_a_test_may_have_units_of_its_own_that_were_planned():
    """Texts are written by fewer masks than losses are measured on: each is held to its own number, and counts no more."""
    tests = Test("loss", above=0.0), Test("text", above=0.0, planned=4)
    both = Criterion("both", tests, planned=8, least=3)
    values = {"loss": [1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.0, 1.1], "text": [1.0, 1.1, 0.9, 1.0, -50.0]}
    made = Claim("X1", "000", "a", "words", Criterion("printed"), both, "2026-11-28")
    known = {"X1": made}
    told = lambda values: next(v for v in claims.judge(known, values) if v.criterion == "precise")
    assert told(values).verdict == claims.words.SUPPORTED
    assert [o.n for o in told(values).outcomes] == [8, 4]
    assert told(values | {"text": values["text"][:3]}).verdict == claims.words.TOO_FEW
    assert told(values | {"loss": values["loss"][:7]}).verdict == claims.words.TOO_FEW
    with pytest.raises(ValueError, match="text needs"):
        Criterion("both", (tests[0], Test("text", above=0.0, planned=1)), planned=8, least=3)
    with pytest.raises(ValueError, match="planned"):
        Test("text", above=0.0, planned=0)
