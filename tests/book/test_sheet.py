"""What pages are made of: verdicts, their deciding tests, pictures, cards, the ledger's columns, changes, findings."""

import html
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import yaml

from helpers import claims, numbers
from helpers.book import badges, front, ledger, methods, picture, sheet


def outcome(**given):
    known = {"quantity": "q", "says": "a − b", "region": "> 0.05", "above": 0.05, "below": None, "n": 12}
    return known | {"verdict": "supported", "estimate": 0.1, "low": 0.08, "high": 0.12} | given


def verdict(name="E1", verdict="supported", outcomes=(), **given):
    known = {"id": name, "criterion": "precise", "verdict": verdict, "reason": "why", "by": "reference"}
    return known | {"outcomes": list(outcomes)} | given


@pytest.fixture
def found(root):
    made = sheet.Sheet(root)
    made.runs, made.counting, made.printed, made.earlier = {}, {}, {}, {}
    return made


@pytest.fixture
def env():
    """A page beside the ledger, in a book whose chapters are all there."""
    builder = SimpleNamespace(get_relative_uri=lambda here, there: f"{there.removeprefix('book/')}.html")
    part_one = ("dtdr_emergence", "dtdr_damage", "dtdr_models", "dtdr_guided")
    chapters = {f"book/chapters/{n}" for n in ("learned_encoding", "encoding_limits", *part_one)}
    return SimpleNamespace(
        app=SimpleNamespace(builder=builder), docname="book/intro", found_docs=chapters | {sheet.LEDGER}, metadata={}
    )


def made(kind, env, *arguments):
    """A directive without a page around it."""
    it = object.__new__(kind)
    it.state = SimpleNamespace(document=SimpleNamespace(settings=SimpleNamespace(env=env)))
    it.arguments = list(arguments)
    env.metadata = {env.docname: {}}
    env.note_dependency = lambda path: None
    return it


def test_a_badge_leads_to_the_ledger_and_names_its_card(found, env):
    found.counting = {"E1": verdict("E1", "too few")}
    shown = badges.badge(env, found, "E1")
    assert shown == ('<a class="verdict verdict-too-few" href="claims.html#E1" aria-describedby="card-E1">too few</a>')
    assert "verdict-awaiting" in badges.badge(env, found, "D1")


def test_in_a_book_without_a_ledger_a_badge_leads_to_the_verdict_in_its_chapter(found, env):
    env.found_docs -= {sheet.LEDGER}
    assert 'href="chapters/learned_encoding.html#verdict-E1"' in badges.badge(env, found, "E1")
    assert 'href="#"' in badges.badge(env, found, "T1")


def test_a_card_says_claim_verdict_interval_n_and_scope(found, env):
    test = outcome(verdict="refuted", estimate=-0.1, low=-0.2, high=-0.05, says="a < b")
    found.counting = {"E1": verdict("E1", "mixed", [outcome(), test], scope="toys & co", holm=0.004, held="1 of 2")}
    shown = html.unescape(badges.card(env, found, "E1")).replace(numbers.NBSP, " ")
    for piece in (
        found.claims["E1"].claim,
        "−0.10 [−0.20, −0.05]",
        "a < b",
        "12 seeds",
        "toys & co",
        "0.0040",
        "1 of 2",
    ):
        assert piece in shown
    assert "learned_encoding.html#verdict-E1" in shown
    assert "claims.html#E1" in shown


def test_the_test_that_decides_is_the_worst_and_of_equals_the_nearest_to_its_border():
    far, near = outcome(estimate=0.5, low=0.4, high=0.6), outcome(estimate=0.07, low=0.055, high=0.085, quantity="near")
    assert sheet.deciding(verdict(outcomes=[far, near]))["quantity"] == "near"
    open_ = outcome(verdict="undecided", quantity="open", low=0.0)
    assert sheet.deciding(verdict(outcomes=[near, open_]))["quantity"] == "open"
    out = outcome(verdict="refuted", quantity="out", estimate=0, low=-0.1, high=0.01)
    assert sheet.deciding(verdict(outcomes=[open_, out]))["quantity"] == "out"
    assert sheet.deciding(verdict(outcomes=[outcome(estimate=None)])) is None


def places(svg):
    """Where the interval's, the estimate's and zero's marks stand, in per cent."""
    value = lambda pattern: [float(v) for v in re.findall(pattern, svg)]
    return {
        "reach": value(r'class="reach" x1="([\d.]+)%"') + value(r'class="reach"[^>]*x2="([\d.]+)%"'),
        "at": value(r'cx="([\d.]+)%"')[0],
        "none": value(r'class="none" x1="([\d.]+)%"'),
    }


@pytest.mark.parametrize(("above", "below", "sign"), [(0.05, None, 1), (None, -0.05, -1)])
def test_inside_is_drawn_to_the_right_of_the_border_whichever_side_the_claim_wants(above, below, sign):
    ends = {"estimate": sign * 0.1, "low": min(sign * 0.08, sign * 0.12), "high": max(sign * 0.08, sign * 0.12)}
    where = places(picture.draw(outcome(above=above, below=below, **ends), "supported", 0.05))
    assert 50 < where["reach"][0] < where["at"] < where["reach"][1] < 100
    assert where["none"][0] < 50


def test_an_interval_outside_is_drawn_to_the_left_and_an_open_end_leaves_the_picture():
    out = places(picture.draw(outcome(estimate=-0.1, low=-0.2, high=0.0), "refuted", 0.05))
    assert out["reach"][0] < out["at"] < out["reach"][1] < 50
    endless = places(picture.draw(outcome(high=None), "supported", 0.05))
    assert endless["reach"][1] == 100


def test_a_quantity_without_spread_has_no_zero_to_be_told_from():
    assert places(picture.draw(outcome(low=0.1, high=0.1), "supported", 0.05))["none"] == []
    assert len(places(picture.draw(outcome(), "supported", 0.05))["none"]) == 1


def test_one_margin_lies_half_way_to_the_edge_in_every_row():
    """So rows of unlike quantities can be compared: zero, one margin outside of a region '> margin', has one place in all."""
    for size in (0.05, 3.0):
        where = places(picture.draw(outcome(above=size, estimate=2 * size, low=1.5 * size, high=3 * size), "x", size))
        assert where["none"] == [25]
        assert where["at"] == 75
        assert 50 < where["reach"][0] < 75 < where["reach"][1] < 100


@pytest.mark.parametrize(("border", "side", "wanted"), [(0.05, "above", 0.05), (0.8, "below", 0.8)])
def test_a_margin_is_the_distance_of_the_border_from_nothing(found, border, side, wanted):
    claim = found.claims["E1"]
    region = {"above": -math.inf, "below": math.inf} | {side: border}
    tests = (replace(claim.precise.tests[0], log=False, effect=None, **region),)
    claim = replace(claim, precise=replace(claim.precise, tests=tests, controls=()))
    test = outcome(quantity=tests[0].quantity, above=None, below=None, estimate=border, low=0.0, high=1.0) | {
        side: border
    }
    assert picture.margin(claim, test) == pytest.approx(wanted)
    assert picture.margin(claim, test | {"quantity": "other"}) == 0.5


def test_a_region_with_two_borders_ends_within_the_picture():
    test = outcome(above=-1.0, below=1.0, estimate=0.9, low=0.7, high=1.1, region="-1 … 1")
    assert 'width="33.3%"' in picture.draw(test, "undecided", 1.0)
    assert 'width="50.0%"' in picture.draw(test | {"below": None}, "refuted", 1.0)


def test_the_ledger_has_columns_for_what_verdicts_carry_and_none_for_what_they_do_not(found, env):
    bare = made(ledger.Ledger, env).markup(found)
    assert "p, adjusted" not in bare
    assert "before → after" not in bare
    found.counting = {"E1": verdict("E1", "refuted", [outcome(verdict="refuted", least_visible=0.02)], holm=0.031)}
    found.earlier = {"E1": [verdict("E1", "undecided", criterion="earlier 2026-11-25")]}
    full = made(ledger.Ledger, env).markup(found)
    row = re.search(r'<tr id="E1".*?</tr>', full, re.S)[0]
    for piece in (">0.031<", ">0.020<", "verdict-undecided", " → ", "#verdict-E1-earlier-2026-11-25", '#verdict-E1"'):
        assert piece in row
    assert full.count("<th") == bare.count("<th") + 3


def test_a_criterion_that_was_replaced_is_folded_with_its_text_and_its_reasons(found, env):
    old = claims.Earlier("2026-11-25", "it was vague", claims.Criterion("the old one"))
    found.claims["E1"] = replace(found.claims["E1"], earlier=(old,))
    found.counting = {"E1": verdict("E1", "refuted", [outcome(verdict="refuted")])}
    found.earlier = {"E1": [verdict("E1", "undecided", criterion="earlier 2026-11-25", reason="gap: 0.1 < more")]}
    row = re.search(r'<tr id="E1".*?</tr>', made(ledger.Ledger, env).markup(found), re.S)[0]
    summary, told = re.search(r'<details class="before"><summary>(.*?)</summary>(.*?)</details>', row, re.S).groups()
    assert re.findall(r">([a-z]+)<", summary) == ["undecided", "refuted"]
    assert "<a" not in summary, "a link inside of a control is reached by no key"
    for piece in (
        "Until 2026-11-25: the old one",
        "it was vague",
        "gap: 0.1 &lt; more",
        "#verdict-E1-earlier-2026-11-25",
    ):
        assert piece in told


def test_the_ledger_gives_arithmetic_no_badge(found, env):
    known = found.claims["E2"]
    found.claims["E2"] = replace(known, printed=replace(known.printed, tests=()))
    object.__setattr__(found.claims["E2"].printed, "arithmetic", True)
    found.printed = {"E2": verdict("E2", criterion="printed")}
    row = re.search(r'<tr id="E2".*?</tr>', made(ledger.Ledger, env).markup(found), re.S)[0]
    assert "<i>arithmetic</i>" in row
    assert "verdict-supported" not in row


def test_the_front_counts_what_was_judged_and_claims_nothing_that_was_not(found, env):
    assert "No claim has been judged" in made(front.SoFar, env).markup(found)
    found.counting = {"E1": verdict("E1"), "E3": verdict("E3", "refuted"), "D1": verdict("D1")}
    text = made(front.SoFar, env).markup(found)
    assert "3 of" in text
    assert "2 of the" in text
    assert "2 supported and 1 refuted" in text
    found.counting["E5"] = verdict("E5", "too few")
    text = made(front.SoFar, env).markup(found)
    assert "<b>3 of" in text
    assert "For E5 the run had too few cases." in text
    del found.counting["E5"]
    drawn = made(picture.Picture, env).markup(found)
    assert drawn.count("<svg") == 0  # no outcome, no interval
    assert f"{len(found.claims) - 3} claims to come" in drawn


def test_a_control_that_failed_is_drawn_as_none_of_the_verdicts(found, env):
    planted = outcome(
        verdict="refuted", estimate=0.0, low=0.0, high=0.0, says="a planted and an absent effect told apart"
    )
    planted |= {"quantity": "e1_controls"}
    ring = outcome(quantity="e1_ring", says="the ring")
    for broken, words in (([planted], "cannot tell an effect that we planted"), ([ring], "the ring")):
        found.counting = {"E1": verdict("E1", "undecided", [outcome()], failed=broken)}
        drawn = made(picture.Picture, env).markup(found)
        assert "drawn-control" in drawn
        assert "drawn-refuted" not in drawn
        assert words in drawn
        assert "decides nothing" in drawn


def test_a_finding_is_picked_by_its_interval_and_left_out_without_its_run(found):
    texts = {"above": "more {value}", "below": "less {value}", "between": "open {value}"}
    finding = {"reference": "x", "quantity": "q", "border": 1.0, "unit": "nats"} | texts
    found.references = [{"notebook": "x", "label": "", "quantities": {"q": [1.4, 1.5, 1.6], "r": [1.0, 1.0, 1.0]}}]
    shown = lambda **more: front.tell(finding | more, found)
    assert shown().replace(numbers.NBSP, " ") == "more 1.50 ± 0.25 nats (n = 3)"
    assert shown(border=2.0).startswith("less")
    assert shown(border=1.5).startswith("open")
    assert shown(minus="r", border=0.0).startswith("more 0.50")
    assert shown(quantity="gone") is None
    (test,) = found.claims["D8"].precise.tests
    found.references[0]["quantities"][test.quantity] = [0.04, 0.041, 0.042]
    asked = {"claim": "D8", "quantity": test.quantity}
    with pytest.raises(ValueError, match="whose border counts"):
        shown(**asked)
    del finding["border"]
    assert shown(**asked).startswith("less"), "by the ledger's border"
    found.references[0]["quantities"][test.quantity] = [0.06, 0.061, 0.062]
    assert shown(**asked).startswith("more")
    finding["border"] = 1.0
    assert shown(reference="y") is None


def test_every_finding_of_the_front_has_its_run_and_three_sentences_with_a_number(root):
    known = sheet.Sheet(root)
    findings = yaml.safe_load((root / front.FINDINGS).read_text())["findings"]
    assert 3 <= len(findings) <= 5
    for finding in findings:
        assert front.tell(finding, known), finding["quantity"]
        assert finding["claim"] in known.claims
        for side in ("above", "below", "between"):
            assert "{value}" in finding[side]


def test_changes_stand_in_order_of_time_and_a_shared_one_stands_once(found, env):
    for name, notes in (("E1", ("2026-03-02: shared",)), ("E2", ("2026-03-02: shared", "2026-01-01: first"))):
        found.claims[name] = replace(found.claims[name], notes=notes, earlier=())
    found.claims = {k: found.claims[k] for k in ("E1", "E2")}
    old = claims.Earlier("2026-02-01", "it was vague", claims.Criterion("the old one"))
    found.claims["E1"] = replace(found.claims["E1"], earlier=(old,))
    found.earlier = {"E1": [verdict("E1", "undecided", criterion="earlier 2026-02-01")]}
    text = made(methods.Changes, env).markup(found)
    assert re.findall(r"\d{4}-\d\d-\d\d", re.sub('verdict-E1-[^"]*', "", text)) == [
        "2026-01-01",
        "2026-02-01",
        "2026-03-02",
    ]
    assert text.count("shared") == 1
    assert "“the old one” it was vague" in text
    assert "undecided" in text
    assert "Replaced: “the old one” it was vague" in text


def test_a_control_that_failed_is_named_before_any_test(found):
    tests = [outcome(quantity="a", verdict="refuted"), outcome(quantity="b", interval="exact")]
    open_ = verdict("E1", "undecided", tests, failed=[outcome(quantity="e1_controls", interval="exact")])
    assert sheet.failed_controls(open_)
    assert sheet.deciding(open_)["quantity"] == "e1_controls"
    assert sheet.deciding(verdict("E1", "undecided", tests))["quantity"] == "a"
    assert not sheet.failed_controls(verdict("E1", "undecided", tests, reason="the control arm forgets: 0.5"))
    failed = claims.judge(
        {
            "E1": replace(
                found.claims["E1"],
                precise=claims.Criterion("x", *((claims.Test(q, above=0.0, interval="exact"),) for q in "qc")),
            )
        },
        {"q": [1.0], "c": [0.0]},
    )
    assert [o.quantity for v in failed if v.criterion == "precise" for o in v.failed] == ["c"]


def test_every_control_that_failed_stands_in_the_card_and_in_the_picture(found, env):
    broken = [outcome(quantity=f"e1_{k}", says=f"the {k}") for k in ("ring", "floor")]
    planted = outcome(quantity="e1_controls", says="told apart")
    found.counting = {"E1": verdict("E1", "undecided", [outcome(says="the test")], failed=[*broken, planted])}
    card = badges.card(env, found, "E1")
    assert "<dt>controls failed</dt>" in card
    assert card.index("the ring") < card.index("the floor") < card.index("told apart")
    assert "the test" not in card, "what the tests say decides nothing then"
    drawn = made(picture.Picture, env).markup(found)
    assert "cannot tell an effect that we planted" in drawn
    assert drawn.index("the ring") < drawn.index("the floor")


def test_the_methods_page_names_the_claims_without_known_answers(found, env):
    found.counting = {k: verdict(k) for k in ("E1", "E2")}
    chapter = found.claims["E1"].chapter
    found.references = [{"notebook": chapter, "label": "", "quantities": {"e1_controls": [1.0]}}]
    text = made(methods.Unprobed, env).markup(found)
    assert "E2</a>" in text
    assert "E1</a>" not in text
    found.references[0]["quantities"]["e2_controls"] = [1.0]
    assert made(methods.Unprobed, env).markup(found) == ""


def test_of_every_unit_the_ends_are_no_interval():
    assert sheet.numbers_of(outcome(interval="every", low=-0.87, high=0.11)) == "−0.870 … 0.110"


def test_more_tests_make_a_false_refutation_likelier_unless_the_judge_widens():
    assert methods.false_refutation(verdict(outcomes=[outcome()])) == pytest.approx(0.025)
    assert methods.false_refutation(verdict(outcomes=[outcome()] * 6)) == pytest.approx(1 - 0.975**6)
    assert methods.false_refutation(verdict(outcomes=[outcome(wide=[0.0, 1.0])] * 6)) == pytest.approx(0.025)


def test_the_worked_example_is_computed_from_the_committed_values(found, env):
    found.references = [
        {"notebook": "dtdr_damage", "label": "", "date": "2026-01-01", "quantities": {"q": [0.1, 0.2, 0.3]}}
    ]
    test = outcome(estimate=0.2, low=-0.0484, high=0.448, verdict="undecided")
    found.counting = {"D6": verdict("D6", "undecided", [test])}
    text = made(methods.Worked, env, "D6").markup(found)
    for piece in ("0.100, 0.200, 0.300", "0.100 / √3 = 0.0577", "0.20 [−0.05, 0.45]", "verdict-undecided"):
        assert piece in text
    assert claims.words.AWAITING not in text
    ratio = tuple(
        replace(t, quantity="q", log=True, above=0.5, below=math.inf) for t in found.claims["D6"].precise.tests[:1]
    )
    found.claims["D6"] = replace(found.claims["D6"], precise=replace(found.claims["D6"].precise, tests=ratio))
    with pytest.raises(ValueError, match="t of logarithms"):
        made(methods.Worked, env, "D6").markup(found)


def test_the_ledger_says_what_other_committed_runs_say_by_themselves(found, env):
    claim = next(c for c in found.claims.values() if c.id == "D10")
    tests = {t.quantity for t in claim.precise.tests}
    made = lambda label, values: {"notebook": claim.chapter, "label": label, "quantities": dict.fromkeys(tests, values)}
    found.__dict__["references"] = [
        made("", [0.0, 0.0, 0.0]),
        made("good", [-0.5, -0.51, -0.52]),
        made("bad", [0.5, 0.51, 0.52]),
        made("small", [0.5]),
    ]
    assert found.alone("D10") == [("good", "supported"), ("bad", "refuted")]
    page = made_ledger(found, env)
    row = re.search(r'<tr id="D10".*?</tr>', page, re.S)[0]
    assert "each by itself: good" in row
    assert "each by itself" not in re.search(r'<tr id="E1".*?</tr>', page, re.S)[0]


def made_ledger(found, env):
    return made(ledger.Ledger, env).markup(found)
