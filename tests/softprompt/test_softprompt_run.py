"""The experiment at its smallest: it runs, resumes to the same records after it was killed; its targets are what they say."""

from collections import Counter

import pytest
import torch

from helpers import quiz, softprompt
from helpers.chapter import Log
from helpers.softprompt import (
    contest,
    engine,
    figures,
    measures,
    prompts,
    quantities,
    run,
    shapes,
    tables,
    targets,
)  # fmt: skip
from helpers.softprompt.jobs import Job
from helpers.storyteller.world import ID, WORDS
from helpers.work import Work

STUDY = softprompt.CHAPTERS["joint_qa"]
CONFIG = softprompt.Pairing(pairs=3, k=2, restarts=2, steps=3, single=8, grid=(1, 4), draws=2)


def fresh(folder, work=None):
    given = dict(STUDY.same)
    return Log(STUDY, "joint_qa", folder, reference=folder / "none", given=given, work=work)


def everything(log, found, asked):
    for step in (softprompt.run_baselines, softprompt.run_stages, softprompt.run_watch):
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
    parts.add("untrained single")
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
    assert {v.id for v in whole.verdict().verdicts} == {"M1", "M1b", "M2", "M3", "M3b", "M4"}


def ablation_log(folder):
    study = softprompt.CHAPTERS["joint_qa_ablations"]
    return Log(study, "joint_qa_ablations", folder, reference=folder / "none", given=dict(study.same))


def test_the_ablations_run_and_their_claims_find_their_quantities(tmp_path, story, asked):
    log = ablation_log(tmp_path)
    few = {"known": 3, "solved": 3, "few": 2, "modes": ("tokens", "none"), "rates": (0.3,)}
    config = softprompt.Ablations(pairs=3, grid=(1, 2), steps=3, k=2, starts=2, **few)
    softprompt.run_sweep(config, story, asked, softprompt.draw(story, 3, known=True), log)
    softprompt.run_geometry(config, story, asked, log)
    softprompt.run_settings(config, story, asked, log, [story])
    softprompt.run_baselines(CONFIG, story, asked, log)
    rows = log.frame()  # within three updates nothing is solved, so there is no geometry
    assert set(rows["part"]) == {"sweep", "known", "mode", "rate", "ladder", "baseline"}
    assert len(tables.settings(rows)) == 3
    assert {*tables.vectors(rows)["half"]} == {"4"}
    assert tables.ladder(rows)["parameters"].tolist() == [story.parameters]
    for figure in (figures.sharing, figures.needed_by_bits):
        assert figure(log.at()).data
    for figure in (figures.places, figures.barriers, figures.landscape, figures.wordings):
        assert not figure(log.at()).data
    assert {v.id for v in log.verdict().verdicts} == {"M5", "M6", "M7", "M8", "M9"}


def test_paraphrases_and_tiers_run_and_cost_as_much_as_what_they_are_compared_with(tmp_path):
    master, log = quiz.quizmaster("cpu"), ablation_log(tmp_path)
    config = softprompt.Contest(pairs=3, budgets=(2, 4), blocks=2, drawn=4, grid=(1, 2), steps=3)
    pairs = targets.worded(master, 3)
    softprompt.run_paraphrases(config, master, pairs, log)
    softprompt.run_tiers(config, master, log)
    rows = log.frame()
    words = rows[rows["part"] == "words"]
    assert {*words["kind"]} == {"plain", "paraphrases", "unrelated"}
    assert (
        words[words["kind"] != "plain"].groupby(["kind", "seed"]).size() == 2
    ).all()  # with more texts, then without
    assert rows.loc[rows["part"] == "conflict", "conflict"].abs().max() <= 1
    tier = rows[rows["part"] == "tier"]
    assert Counter(tier["kind"]) == dict.fromkeys(quiz.TIERS, 2)
    assert (tier["needed"] <= 2).all()
    for figure in (figures.wordings, figures.tiers):
        assert figure(log.at()).data
    assert len(tables.tasks(rows)) == 5
    assert len(tables.wordings(rows)) == 4
    found = quantities.ablations(rows)
    assert len(found["m7_gain"]) == 3
    assert len(found["m8_tau_block"]) == 2


def test_other_wordings_mean_the_same_and_weigh_as_much_as_the_text(story):
    master = quiz.quizmaster("cpu")
    pair, other = targets.worded(master, 2)
    assert len(pair.questions) == len(pair.answers) == 2
    assert pair.asked.question not in pair.questions
    texts = contest.wordings(pair, other, 1.0)
    assert [t.asked for t in texts] == [True, True, False, False, False, False]
    for side in (0, 1):
        assert sum(t.weight for t in texts if t.side == side) == 2
    said = [master.tokenizer.decode(list(t.ids)) for t in texts]
    assert said[0].endswith("?")
    assert said[1].endswith(".")


def test_the_conflict_of_two_gradients_by_hand(story):
    """At the start, by autograd on one content: the cosine of the gradients of the two losses."""
    (pair,) = softprompt.draw(story, 1)
    how = softprompt.Contest().search(2)
    content = prompts.start(story, Job(("joint", 0), pair.both, 2), how).requires_grad_(True)
    modes, first = prompts.modes(story, "tokens"), []
    for side, text in enumerate((pair.question, pair.answer)):
        front = torch.cat([modes[side : side + 1], content])[None]
        told = prompts.logits(story, front, prompts.embed(story, [text])[:, :-1])
        first.append(
            torch.autograd.grad(torch.nn.functional.cross_entropy(told[0], torch.tensor(text)), content)[0].flatten()
        )
    assert measures.conflict(story, how, [pair], [0])[0] == pytest.approx(
        float(torch.cosine_similarity(*first, dim=0)), abs=1e-4
    )


def test_where_solutions_lie_is_measured_on_pairs_that_are_solved(tmp_path, story):
    """Two pairs that a few updates reach; along a line to itself nothing rises, to others it does."""
    log = ablation_log(tmp_path)
    config = softprompt.Ablations(pairs=2, grid=(2,), steps=80, k=4, starts=3, places=5)
    texts = (("then victor", "clay ."), ("then tom", "wool ."))
    asked = [targets.Asked(*(tuple(ID[w] for w in text.split()) for text in pair)) for pair in texts]
    softprompt.run_geometry(config, story, asked, log)
    whole = log.frame()
    rows = whole[whole["part"] == "geometry"]
    assert len(rows) == 2
    assert rows[["within", "between", "nearest", "moved"]].abs().to_numpy().max() <= 1
    assert (rows[["barrier", "barrier_near", "barrier_other"]] >= 0).all(axis=None)
    how, k = config.search(4), prompts.start(story, Job(("a",), asked[0].both, 4), config.search(4))
    same_row = torch.zeros_like(k)
    same_row[0] = k.norm() * torch.nn.functional.one_hot(torch.tensor(3), k.shape[1])
    corners = [k, k + same_row, k + same_row.roll(1, 0)]  # a right angle with equal sides: (0, 0), (1, 0) and (0, 1)
    *grid, third = measures.plane(story, how, asked[0], corners, 5)
    at = {(round(r["x"], 6), round(r["y"], 6)): r["total_loss"] for r in grid}
    assert (third["corner_x"], third["corner_y"]) == pytest.approx((0, 1), abs=1e-6)
    assert [at[0, 0], at[1, 0], at[0, 1]] == pytest.approx(measures.weighed(story, how, asked[0], corners), rel=1e-4)
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
    bits = [float(len(a.answer) + i % 7) for i, a in enumerate(found)]
    mixed = targets.shuffled(found, bits)
    assert all(m.question == a.question and m.answer != a.answer for m, a in zip(mixed, found, strict=True))
    owners = {a.answer: a.kind for a in found}
    assert sum(owners[m.answer] == a.kind for m, a in zip(mixed, found, strict=True)) > 50
    assert {a.kind for a in softprompt.draw(story, 20, known=True)} <= {"sum", "fact"}
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
    (r,) = engine.weigh(a, [Job(("x",), softprompt.draw(a, 2)[0].both, 2)], CONFIG.search(2))
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
