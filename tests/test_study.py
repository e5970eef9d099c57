"""A log keeps every record once; a reference stands beside a run only if it answers the same parameters."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from helpers import claims, files, frames, prose, records
from helpers.claims import Claim, Criterion
from helpers.records import Record
from helpers.sides import Judged, Sides
from helpers.study import Log, Study
from helpers.work import Work

GAP = claims.Test("x1_gap", above=0.1)
CLAIM = Claim(
    "X1",
    "000",
    "tiny",
    "a is worse",
    Criterion("as printed", (claims.Test("x1_gap", above=0.0),), least=3),
    Criterion("precise", (GAP,), least=3),
    "2026",
)


def quantities(frame):
    gap = frames.paired(frame, "loss", {"arm": "a"}, {"arm": "b"}, over=("seed",))
    return {"x1_gap": gap.tolist()} if len(gap) else {}


def planted(frame):
    at = lambda to: {"x1_gap": (np.array(quantities(frame)["x1_gap"]) * 0 + to + np.linspace(-1e-3, 1e-3, 3)).tolist()}
    return {"X1": (at(1.0), at(0.0))}


PROBE = claims.Test("x1_controls", above=0.5, interval="exact")
STUDY = Study(
    frame=lambda frame: frame.assign(double=2 * frame["loss"]),
    judged=lambda frame: frames.rows(frame, part="main"),
    quantities=quantities,
    controls=planted,
    planted={"X1": ("a one-nat gap", "no gap")},
    same={"model": "small", "text": "embedded", "file": "none"},
)


def record(arm, seed, loss, part="main"):
    made = Record("tiny", f"{part}.{arm}", seed, {"part": part, "arm": arm})
    made.log(0, loss=loss)
    return made


def commit(folder, gap, parameters, inputs=None, date="2026-01-02"):
    made = [
        record(arm, s, 1.0 + gap * (arm == "a") + 0.001 * s * (arm == "a")).as_dict() for arm in "ab" for s in range(3)
    ]
    header = {"profile": "full", "seeds": 3, "date": date, "provenance": {"device": "A GPU"}, "parameters": parameters}
    records.bundle(made, folder, **header, inputs=inputs or {})


@pytest.fixture
def open_log(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "of", lambda name, known=None: {"X1": CLAIM})

    def make(work=None, **given):
        given = {"model": "small", "text": "embedded", "file": "none", "seeds": 3} | given
        return Log(STUDY, "tiny", tmp_path / "run", reference=tmp_path / "reference", work=work, given=given)

    return make


def fill(log, gap=0.5):
    for arm in "ab":
        for seed in range(3):
            log.add(record(arm, seed, 1.0 + gap * (arm == "a") + 0.001 * seed * (arm == "a")))
    return log


def test_records_are_written_as_they_come_and_once(open_log, tmp_path):
    log = open_log()
    log.add(record("a", 0, 1.0))
    assert len(list((tmp_path / "run" / "records").iterdir())) == 1
    log.add(record("a", 0, 1.0))  # the same cell run again
    assert len(log.records) == 1
    with pytest.raises(ValueError, match=r"main\.a, seed 0, has a record in this run already, with other numbers"):
        log.add(record("a", 0, 2.0))
    log.add(record("a", 1, 2.0))
    assert log.frame()["double"].tolist() == [2.0, 4.0]


def test_another_run_that_writes_to_the_same_folder_changes_nothing_here(open_log):
    one, two = open_log(), open_log()
    one.add(record("a", 0, 1.0))
    two.add(record("a", 0, 7.0))
    assert one.frame()["loss"].tolist() == [1.0]


def test_once_reads_back_what_an_interrupted_run_has_done(open_log, tmp_path):
    calls = []

    def make():
        calls.append(1)
        return [record("a", 0, 1.0), record("b", 0, 2.0)]

    first = open_log(Work(tmp_path / "work"))
    first.once(("arms", 0), make)
    again = open_log(Work(tmp_path / "work"))
    again.once(("arms", 0), make)
    assert len(calls) == 1
    assert again.records == json.loads(files.strict_json(first.records)), (
        "times included: they are when it was measured"
    )
    edited = open_log(Work(tmp_path / "work", "edited"))
    edited.once(("arms", 0), make)
    assert len(calls) == 2


def test_the_reference_answers_only_the_same_parameters(open_log, tmp_path):
    commit(tmp_path / "reference", 0.5, {"model": "small", "text": "embedded", "file": "none", "seeds": 12})
    commit(tmp_path / "reference" / "large", 0.0, {"model": "large", "text": "embedded", "file": "none"})
    log = fill(open_log())
    assert log.at(part="main").label == "reference (full, A GPU, 3 seeds, 2026-01-02)"
    assert len(log.at(arm="a").reference) == 3
    assert "Beside this run stands the reference" in log.say_run()
    assert open_log(seeds=1).answer().label == "", "how much was run is not what was asked"
    assert fill(open_log(model="large")).answer().label == "large"
    other = fill(open_log(model="other"))
    assert other.at().reference is None
    assert other.at().dashed == ""
    assert "No committed run has these parameters (model = other)" in other.say_run()
    assert other.at(depends=("text",)).reference is not None, "rows that do not depend on the model may stand beside"
    assert len(other.alone("large").this) == 6
    assert other.alone("absent").this.empty


def test_a_file_counts_by_its_content(open_log, tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">x\nACGT\n")
    commit(
        tmp_path / "reference",
        0.5,
        {"model": "small", "text": "embedded", "file": "genome.fa"},
        {"file": files.digest(path)},
    )
    assert open_log(file=str(path)).answer() is not None
    assert open_log(file="none").answer() is None
    path.write_text(">x\nACGA\n")
    assert open_log(file=str(path)).answer() is None


def test_a_named_download_is_the_file_that_it_fetches(open_log, tmp_path):
    from helpers import data

    sha = {"text": f"sha256:{data.FILES['tinyshakespeare'].sha256}"}
    commit(tmp_path / "reference", 0.5, {"model": "small", "text": "input.txt", "file": "none"}, sha)
    assert open_log(text="tinyshakespeare").answer() is not None
    assert open_log(text="ecoli").answer() is None


def test_the_study_names_parameters_that_the_notebook_must_give(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "of", lambda name, known=None: {"X1": CLAIM})
    with pytest.raises(KeyError, match=r"compares \['file', 'text'\]"):
        Log(STUDY, "tiny", tmp_path, reference=tmp_path / "reference", given={"model": "small"})


def verdict_of(judged, criterion="precise"):
    return {v.criterion: v.verdict for v in judged.verdicts}[criterion]


def test_an_own_run_is_judged_by_the_reference_another_alone(open_log, tmp_path):
    commit(tmp_path / "reference", 0.0, {"model": "small", "text": "embedded", "file": "none"})
    own = fill(open_log()).verdict()
    assert (own.by, own.own, verdict_of(own)) == ("shown", True, claims.words.REFUTED)
    other = fill(open_log(model="other")).verdict()
    assert (other.by, other.own, verdict_of(other)) == ("this run", False, claims.words.SUPPORTED)
    stored = json.loads((tmp_path / "run" / "verdicts.json").read_text())
    assert stored["counts"] is False
    precise = {
        run: {v["criterion"]: v["verdict"] for v in found}["precise"] for run, found in stored["verdicts"].items()
    }
    assert precise == {"this run": claims.words.SUPPORTED, "reference": claims.words.REFUTED}, (
        "the claim keeps its own verdict"
    )
    markup = other.table().bundle["text/html"]
    assert "with the claim&#x27;s own parameters" in markup
    assert f"verdict-{claims.words.REFUTED}" in markup
    assert "own parameters" not in own.table().bundle["text/html"]


def test_a_page_that_speaks_of_the_committed_run_first_shows_its_rows_and_verdicts(open_log, tmp_path):
    alone = fill(open_log(model="other"))
    assert alone.lead().source == ""
    assert alone.verdict(lead=True).by == "this run"
    commit(tmp_path / "reference", 0.0, {"model": "small", "text": "embedded", "file": "none"})
    other = fill(open_log(model="other"))
    assert "reference" in other.lead(part="main").source
    judged = other.verdict(lead=True)
    assert (judged.by, judged.own, verdict_of(judged)) == ("shown", True, claims.words.REFUTED)
    markup = judged.table().bundle["text/html"]
    assert "<th>this run</th>" in markup
    assert f"verdict-{claims.words.SUPPORTED}" in markup
    own = fill(open_log())
    assert own.lead().reference is not None
    assert "<th>this run</th>" not in own.verdict(lead=True).table().bundle["text/html"]
    assert json.loads((tmp_path / "run" / "verdicts.json").read_text())["counts"] is True


def test_probes_and_numbers_are_kept(open_log, tmp_path):
    judged = fill(open_log()).verdict()
    assert judged.passed == "1 of 1"
    assert "a one-nat gap" in judged.probe_table().bundle["text/html"]
    numbers = json.loads((tmp_path / "run" / "quantities.json").read_text())
    assert numbers["x1_controls"] == [1.0]
    assert numbers["x1_gap"] == pytest.approx([0.5, 0.501, 0.502])
    assert judged.forest("title", "nats").data
    (empty,) = judged.forest("title", "nats", of=("absent",)).layout.annotations
    assert empty.text == "no claim judged yet"
    rows = lambda of: len([trace for trace in judged.forest("title", "nats", of=of).data if trace.error_x.array])
    assert [rows(of) for of in (("X1",), ("x1_g",), ("x2",), ())] == [1, 1, 0, 1]


def test_a_forest_leaves_out_the_probe_that_did_not_pass(open_log):
    log = fill(open_log())
    log.study = replace(STUDY, controls=lambda frame: {"X1": planted(frame)["X1"][::-1]})  # the wrong way round
    log.claims = {"X1": replace(CLAIM, precise=replace(CLAIM.precise, controls=(PROBE,)))}
    judged = log.verdict()
    (precise,) = (v for v in judged.verdicts if v.criterion == "precise")
    assert [o.quantity for o in precise.outcomes] == ["x1_gap"]
    assert [o.quantity for o in precise.failed] == ["x1_controls"]
    assert len([trace for trace in judged.forest("title", "nats").data if trace.error_x.array]) == 1


def test_claims_about_several_models_see_the_other_references(open_log, tmp_path):
    """Only with the claims' own parameters, and only where the study asks for them."""
    own, other = ({"model": name, "text": "embedded", "file": "none"} for name in ("small", "other"))
    commit(tmp_path / "reference", 0.5, own)
    commit(tmp_path / "reference" / "more", -0.5, other)
    seen = lambda frame: {"x1_gap": [float((frame["part"] == "elsewhere").sum())] * 3}
    for others, model, wanted in (("elsewhere", "small", 6), ("elsewhere", "third", 0), ("", "small", 0)):
        log = fill(open_log(model=model))
        log.study = replace(STUDY, controls=None, quantities=seen, others=others)
        log.verdict()
        assert json.loads((tmp_path / "run" / "quantities.json").read_text())["x1_gap"] == [wanted] * 3


def test_a_table_counts_units_from_three_on_whatever_was_planned(open_log):
    log = fill(open_log())
    log.claims = {"X1": replace(CLAIM, precise=replace(CLAIM.precise, planned=12, least=8))}
    assert log.verdict().verdicts[-1].verdict == claims.words.TOO_FEW
    assert log.examine(log.frame()) == {"X1": claims.words.SUPPORTED}
    assert log.examine(log.frame(), least=4) == {"X1": claims.words.TOO_FEW}


def test_a_sentence_names_the_tests_that_hold_and_those_that_fail(open_log, monkeypatch):
    told = {}
    monkeypatch.setattr(prose, "glue", told.__setitem__)
    two = (replace(GAP, says="a tenth"), claims.Test("x1_double", above=3.0, says="three"))
    log = fill(open_log())
    log.study = replace(STUDY, controls=None, quantities=lambda f: quantities(f) | {"x1_double": [1.0, 1.01, 1.02]})
    log.claims = {"X1": replace(CLAIM, precise=replace(CLAIM.precise, tests=two))}
    sentences = dict.fromkeys(("supported", "refuted", "undecided"), "another")
    log.verdict().tell("x", "X1", sentences | {"mixed": "Holds: {holds}. Fails: {fails}. Open: {open}."})
    assert told == {"x": "Holds: a tenth. Fails: three. Open: none."}
    both = {name: ("X1", sentences | {"mixed": name}) for name in ("one", "other")}
    log.verdict().tell_all(both, "other")
    assert told.get("other") == "other"
    assert "one" not in told
    log.verdict().tell_all(both)
    assert told.get("one") == "one"


def test_with_other_parameters_no_committed_verdict_speaks(open_log, tmp_path, monkeypatch):
    told = {}
    monkeypatch.setattr(prose, "glue", told.__setitem__)
    commit(tmp_path / "reference", 0.5, {"model": "small", "text": "embedded", "file": "none"})
    sentences = {word: f"{word}." for word in ("supported", "refuted", "mixed", "undecided")}
    runs = {"this run": [claims.Verdict("X1", "precise", "too few", "3 of 12 seeds: x", units="3 of 12 seeds")]}
    runs["reference"] = [claims.Verdict("X1", "precise", "supported", "")]
    for own in (True, False):
        Judged(runs, [], {}, "this run", own).tell(str(own), "X1", sentences)
    assert told["True"] == "supported. (So the committed run says; X1 is not decided here: 3 of 12 seeds.)"
    assert told["False"] == "X1 is not decided here: 3 of 12 seeds."


def test_a_parameter_that_the_study_does_not_compare_must_be_the_default(open_log):
    log = open_log(condition="A", seeds=99)
    assert log.own
    log.defaults = {"condition": "all", "seeds": 3}
    assert log.differs == {"condition": "A"}
    assert not log.own


def test_rows_of_replaced_criteria_are_folded_below_the_table(open_log):
    log = fill(open_log())
    assert "<details" not in log.verdict().table().bundle["text/html"]
    old = claims.Earlier("2026-01-01", "too coarse", CLAIM.precise)
    log.claims = {"X1": replace(CLAIM, earlier=(old,))}
    above, _, below = log.verdict().table().bundle["text/html"].partition('<details class="before"><summary>')
    assert "<td>precise</td>" in above
    assert "earlier" not in above
    assert "<tr><td>X1</td><td>earlier 2026-01-01</td>" in below, "as the book finds it, to anchor it"
    assert '<table class="verdicts"' in below


def test_rows_outside_the_judged_part_do_not_count(open_log):
    log = fill(open_log(), gap=0.5)
    for arm in "ab":
        for seed in range(3):
            log.add(record(arm, seed, 9.0 * (arm == "b"), part="aside"))
    assert log.examine(log.frame()) == {"X1": claims.words.SUPPORTED}


def test_progress_is_told_when_it_is_due(open_log, tmp_path, monkeypatch):
    from helpers import study

    clock = [0.0]
    monkeypatch.setattr(study.time, "monotonic", lambda: clock[0])
    log, path = open_log(), tmp_path / "run" / "progress.json"
    clock[0] = 0.5
    log.progress(1, 10)
    assert not path.exists()
    clock[0] = 2.0
    log.progress(2, 10)
    assert json.loads(path.read_text()) == {"done": 2, "of": 10, "seconds": 2.0}
    clock[0] = 2.1
    log.progress(3, 10)
    assert json.loads(path.read_text())["done"] == 2
    log.progress(10, 10)
    assert json.loads(path.read_text())["done"] == 10


def test_say_speaks_of_both_sides(monkeypatch):
    said = {}
    monkeypatch.setattr(prose, "glue", said.__setitem__)
    this, other = pd.DataFrame({"x": [1.0, 3.0]}), pd.DataFrame({"x": [2.0, 2.0, 2.0]})
    Sides(this, other, "reference").say("both", lambda f: f["x"], ".0f", "nats")
    Sides(this).say("alone", lambda f: f["x"], ".0f")
    Sides(this.iloc[:0], other).say("none", lambda f: f["x"])
    Sides(this, other.iloc[:0]).say("empty", lambda f: f["x"], ".0f")
    Sides(this.iloc[:0]).say("neither", lambda f: f["x"])
    Sides(this, None, "ref").say("committed", lambda f: f["x"], ".0f")
    assert {k: text.replace("\u00a0", " ").replace(prose.ASIDE, "|") for k, text in said.items()} == {
        "both": "2 nats|committed run, n = 3; this run 2 ± 13 nats, n = 2|",
        "alone": "2 ± 13 (n = 2)",
        "none": "2.00|committed run, n = 3; not measured in this run|",
        "neither": "(not measured in this run)",
        "committed": "2 ± 13|committed run, n = 2|",
        "empty": "2 ± 13 (n = 2)",
    }
    assert Sides(this, other, "ref").both.keys() == {"this run", "ref"}
    assert Sides(this, other).mean(lambda f: f["x"], ".1f") == "2.0"


def test_tell_picks_by_the_committed_interval_and_else_by_this_run(monkeypatch):
    said = {}
    monkeypatch.setattr(prose, "glue", said.__setitem__)
    high, low, wide = (pd.DataFrame({"x": x}) for x in ([2.0, 2.1, 1.9], [-2.0, -2.1, -1.9], [-2.0, 2.0, 1.0]))
    words = {"above": "above", "below": "below", "between": "open"}
    for name, sides in (
        ("committed", Sides(low, high)), ("this", Sides(low)), ("wide", Sides(high, wide)), ("one", Sides(high.iloc[:1])),
        ("none", Sides(high.iloc[:0])), ("empty", Sides(low, high.iloc[:0])),
    ):  # fmt: skip
        sides.tell(name, lambda f: f["x"], 0.5, **words)
    assert said == {
        "committed": "above",
        "this": "below",
        "wide": "open",
        "one": "above",
        "none": "open",
        "empty": "below",
    }


def test_what_is_left_to_the_profile_is_not_the_same_in_another_profile(open_log, tmp_path):
    """A quick run's `k = None` is 3, a full run's is 4: a quick reference answers quick runs alone."""
    parameters = {"model": "small", "text": "embedded", "file": None}
    commit(tmp_path / "reference", 0.5, parameters)
    header = records.header(tmp_path / "reference") | {"profile": "quick", "settings": {"file": "came-to"}}
    files.write_atomic(tmp_path / "reference" / records.HEADER, files.strict_json(header))
    quick = open_log(file=None)
    assert quick.answer() is not None
    quick.profile = "full"
    assert quick.answer() is None
    assert open_log(file="came-to").answer() is not None, "the value that the profile gave, given by name"
    assert open_log(file="another").answer() is None
