"""Verdicts against known answers, the ledger's file, and how often a true or false claim is called right."""

import re

import numpy as np
import pytest

from helpers import claims
from helpers.claims import AWAITING, REFUTED, SUPPORTED, UNDECIDED, Claim, Criterion, Test

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
    assert (few.verdict, few.reason[:14]) == (UNDECIDED, "2 of 3 seeds: ")
    assert judged([2.0]).verdict == UNDECIDED
    assert judged([2.0, float("nan"), 2.0]).verdict == UNDECIDED
    assert judged([2.0, None, 2.0]).verdict == UNDECIDED
    gone = judged({"other": [1.0]})
    assert (gone.verdict, gone.reason) == (AWAITING, "no run has given q yet")


def test_a_p_value_above_its_level_refutes_nothing():
    level = Test("q", below=0.05, interval="p")
    assert judged([0.01], level).verdict == SUPPORTED
    assert judged([0.06], level).verdict == UNDECIDED
    assert judged([0.9], level).verdict == UNDECIDED


def test_one_failing_test_refutes_and_all_must_pass():
    tests = Test("a", above=0), Test("b", above=0)
    good, bad, unclear = [1.0, 1.1, 0.9], [-1.0, -1.1, -0.9], [-1.0, 1.0, 0.5]
    assert judged({"a": good, "b": good}, *tests).verdict == SUPPORTED
    assert judged({"a": good, "b": bad}, *tests).verdict == REFUTED
    assert judged({"a": unclear, "b": bad}, *tests).verdict == REFUTED
    assert judged({"a": good, "b": unclear}, *tests).verdict == UNDECIDED


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
        (there, unsure, 1.0),
        (there, there, 0.0),  # it finds what is not there
        (unsure, gone, 0.0),  # it does not find what is
        (gone, gone, 0.0),
    ):
        (seen,) = claims.probe(known, {"X1": (planted, absent)})
        quantities = claims.probed([seen])
        assert quantities == {"x1_controls": [passed]}
        (verdict,) = claims.judge(known, there | quantities)
        assert verdict.verdict == (SUPPORTED if passed else UNDECIDED)
    assert claims.judge(known, there)[0].verdict == AWAITING
    with pytest.raises(KeyError):
        claims.probe(known, {"X2": (there, gone)})


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


def test_effect_size_is_reported():
    outcome = claims.examine(Test("q", above=0), [1.0, 2.0, 3.0])
    assert outcome.effect == pytest.approx(2.0)
    assert claims.examine(Test("q", above=0), [1.0, 1.0, 1.0]).effect is None


def test_the_ledger_holds_all_49_claims(root):
    found = claims.load(root / "book" / "claims.yml")
    per_part = {letter: sum(k.startswith(letter) for k in found) for letter in "DTMSE"}
    assert per_part == {"D": 8, "T": 8, "M": 9, "S": 14, "E": 10}
    assert {c.seed for c in found.values()} == {"000", "001", "002", "003", "004"}
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
    assert claims.counting({"verdicts": {"this run": stored(REFUTED)}})["E1"]["by"] == "this run"
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
        ("{quantity: q, above: 1}", "- id: X2", r"X2 is not well formed: KeyError\('seed'\)"),
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
