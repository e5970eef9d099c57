"""The experiment at its smallest: it runs, resumes to the same records after it was killed; its targets are what they say."""

from collections import Counter

import pytest

from helpers import softprompt
from helpers.chapter import Log
from helpers.softprompt import figures, measures, prompts, run, shapes, tables, targets
from helpers.storyteller.world import ID, WORDS
from helpers.work import Work

STUDY = softprompt.CHAPTERS["joint_qa"]
CONFIG = softprompt.Pairing(pairs=3, k=2, restarts=2, steps=3, single=8, grid=(1, 4), draws=2)


def fresh(folder, work=None):
    given = dict(STUDY.same)
    return Log(STUDY, "joint_qa", folder, reference=folder / "none", given=given, work=work)


def everything(log, found, asked):
    for step in (run.run_baselines, run.run_single, run.run_joint, run.run_controls, run.run_watch):
        step(CONFIG, found, asked, log)


@pytest.fixture(scope="module")
def asked(story):
    return softprompt.draw(story, CONFIG.pairs)


def test_it_runs_and_goes_on_after_it_was_killed_to_the_same_records(tmp_path, story, asked, monkeypatch):
    class Killed(BaseException):
        pass

    work = Work(tmp_path / "work", "code")
    log = fresh(tmp_path / "first", work)
    with monkeypatch.context() as patch:
        patch.setattr(run, "_other", lambda *a: (_ for _ in ()).throw(Killed))  # in the middle of stage 2
        with pytest.raises(Killed):
            everything(log, story, asked)
    assert {r["metadata"]["part"] for r in log.records} == {"baseline", "single", "transfer"}
    again, whole = fresh(tmp_path / "again", work), fresh(tmp_path / "whole")
    everything(again, story, asked)
    everything(whole, story, asked)
    plain = lambda log: [
        [{k: v for k, v in row.items() if k != "timestamp"} for row in r["metrics"]] for r in log.records
    ]
    assert str(plain(again)) == str(plain(whole))
    rows = whole.frame()
    parts = {"baseline", "single", "transfer", "joint", "half", "other", "random", "untrained", "shift", "watch"}
    assert set(rows["part"]) == parts
    assert Counter(rows[rows["part"] == "joint"]["seed"]) == {0: 2, 1: 2, 2: 2}
    for table in (
        tables.baselines,
        tables.gates,
        tables.tiers,
        tables.health,
        tables.restarts,
        tables.signals,
        tables.transfer,
    ):
        assert len(table(rows))
    for figure in (
        figures.rule_and_decoding,
        figures.forming,
        figures.said_by_vectors,
        figures.losses,
        figures.conditions,
    ):
        assert figure(whole.at()).data
    assert tables.summary(rows, {})["pairs"] == 3
    assert {v.id for v in whole.verdict().verdicts} == {"M1", "M2", "M3", "M4"}


def test_the_ablations_run_and_their_claims_find_their_quantities(tmp_path, story, asked):
    study = softprompt.CHAPTERS["joint_qa_ablations"]
    log = Log(study, "joint_qa_ablations", tmp_path, reference=tmp_path / "none", given=dict(study.same))
    config = softprompt.Ablations(
        pairs=3, grid=(1, 2), steps=3, k=2, starts=2, few=2, modes=("tokens", "none"), rates=(0.3,)
    )
    for step in (run.run_sweep, run.run_geometry, run.run_settings):
        step(config, story, asked, log)
    run.run_baselines(CONFIG, story, asked, log)
    rows = log.frame()
    assert set(rows["part"]) == {"sweep", "mode", "rate", "baseline"}  # within three updates nothing is solved
    assert len(tables.settings(rows)) == 3
    assert tables.vectors(rows)["half need"].tolist() == ["4"] * 4
    for figure in (figures.sweep, figures.needed_by_bits):
        assert figure(log.at()).data
    assert not figures.places(log.at()).data
    assert not figures.barriers(log.at()).data
    assert {v.id for v in log.verdict().verdicts} == {"M5", "M6", "M7", "M8", "M9"}


def test_where_solutions_lie_is_measured_on_pairs_that_are_solved(tmp_path, story):
    """Two pairs that a few updates reach; along a line to itself nothing rises, to others it does."""
    study = softprompt.CHAPTERS["joint_qa_ablations"]
    log = Log(study, "joint_qa_ablations", tmp_path, reference=tmp_path / "none", given=dict(study.same))
    config = softprompt.Ablations(pairs=2, grid=(2,), steps=80, k=4, starts=3, few=2)
    texts = (("then victor", "clay ."), ("then tom", "clay ."))
    asked = [targets.Asked(*(tuple(ID[w] for w in text.split()) for text in pair)) for pair in texts]
    run.run_geometry(config, story, asked, log)
    rows = log.frame()
    assert rows["part"].tolist() == ["geometry"] * 2
    assert rows[["within", "between", "nearest", "moved"]].abs().to_numpy().max() <= 1
    assert (rows[["barrier", "barrier_near", "barrier_other"]] >= 0).all(axis=None)
    how, k = config.search(4), prompts.start(story, softprompt.Job(("a",), asked[0].both, 4), config.search(4))
    same, apart = measures.rises(story, how, [(asked[0], k, k), (asked[0], k, 10 * k.flip(0))])
    assert same < 1e-4 < apart
    assert figures.places(log.at()).data
    assert figures.barriers(log.at()).data


def test_questions_of_the_world_are_different_and_end_in_their_terminators(story):
    found = softprompt.draw(story, 60)
    assert len({(a.question, a.answer) for a in found}) == 60
    for a in found:
        assert WORDS[a.question[-1]] == "?"
        assert WORDS[a.answer[-1]] == "."
        assert WORDS[a.question[0]] in ("who", "where", "what", "how", "why")
    assert found[:20] == softprompt.draw(story, 20)
    mixed = targets.shuffled(found)
    assert all(m.question == a.question and len(m.answer) == len(a.answer) for m, a in zip(mixed, found, strict=True))
    assert sum(m.answer != a.answer for m, a in zip(mixed, found, strict=True)) > 50
    random = targets.noise(story, found)
    assert all(
        len(r.question) == len(a.question) and r.question[-1] == a.question[-1]
        for r, a in zip(random, found, strict=True)
    )
    assert all(r.answer == r.question for r in targets.repeated(found))


def test_tiers_need_a_model_that_can_read_them(story, tiny):
    with pytest.raises(ValueError, match="gpt2 has no word for a part of"):
        softprompt.draw(tiny["gpt2"], 5, tier="arithmetic")
    with pytest.raises(ValueError, match="100000 different questions are more than the world has"):
        softprompt.draw(story, 100_000)


def test_random_shapes_are_built_by_name(monkeypatch):
    monkeypatch.setitem(shapes.SHAPES, "random-160m", ("gpt_neox", 1, 64, 2, 2, 64, 300))
    a, b = (softprompt.load("random-160m", device="cpu") for _ in range(2))
    assert (a.model.get_input_embeddings().weight == b.model.get_input_embeddings().weight).all()
    (r,) = softprompt.weigh(a, [softprompt.Job(("x",), softprompt.draw(a, 2)[0].both, 2)], CONFIG.search(2))
    assert r.loss > 5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"pairs": 1}, "pairs=1"),
        ({"grid": ()}, r"grid=\(\)"),
        ({"grid": (4, 1)}, "rising"),
        ({"k": 0}, "k=0"),
        ({"rate": 0.0}, "rate=0.0"),
    ],
)
def test_wrong_experiments_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        softprompt.Pairing(**wrong)
