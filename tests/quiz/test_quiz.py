"""The quiz: wordings that mean the same, tasks that are what they say, and a model that is the one of its card."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers import files, quiz
from helpers.data import sudoku
from helpers.lm import scoring
from helpers.quiz import master, tasks
from helpers.quiz.wordings import TEMPLATES
from helpers.storyteller import grammar, sizes
from helpers.storyteller.world import COLOURS, MADE_OF, NUMBERS, WORDS


def test_every_question_of_the_stories_has_wordings_and_the_plain_ones_come_first():
    seen = set()
    for story in grammar.documents(150, 3):
        for at in [i for i, word in enumerate(story) if word == "?"]:
            begin = max(i for i in range(at) if story[i] in (".", "<bos>")) + 1
            question, answer = story[begin : at + 1], story[at + 1 : story.index(".", at) + 1]
            kind = quiz.kind_of(question)
            questions, answers = quiz.wordings(kind, question, answer)
            assert (questions[0], answers[0]) == (question, answer)
            assert (len({*map(tuple, questions)}), len({*map(tuple, answers)})) == (4, 3)
            assert {word for text in (*questions, *answers) for word in text} <= {*quiz.WORDS}
            asked = {w for w in question if w in NUMBERS or w in MADE_OF}
            assert all(asked <= {*text} for text in questions)  # all ask about the same
            assert all(" ".join(answer[:-1]) in " ".join(text) for text in answers)  # and say the same
            seen.add(kind)
    assert seen >= {*TEMPLATES} - {"why"}  # which is rare
    why = quiz.wordings("why", ["why", "is", "mary", "happy", "?"], ["the", "sun", "was", "warm", "."])
    assert " ".join(why[0][2]) == "what made mary happy ?"
    assert " ".join(why[1][2]) == "mary is happy because the sun was warm ."


def test_what_is_no_plain_question_is_refused():
    with pytest.raises(ValueError, match="no plain question of kind 'who'"):
        quiz.wordings("who", ["who", "holds", "the", "ball", "?"], ["mary", "."])
    with pytest.raises(ValueError, match="kind='when' is unknown"):
        quiz.wordings("when", ["when", "?"], ["now", "."])


def value(words):
    a, sign, b = words
    return NUMBERS[NUMBERS.index(a) + (1 if sign == "plus" else -1) * NUMBERS.index(b)]


def split(words, at):
    """The runs of words between separators."""
    return [part.split() for part in " ".join(words).split(f" {at} ")]


def test_tasks_are_answered_rightly():
    rng = np.random.default_rng(0)
    for _ in range(20):
        question, answer = tasks.task("knowledge", rng)
        assert split(answer[:-1], "and") == [[MADE_OF[w]] for w in question if w in MADE_OF]
        question, answer = tasks.task("arithmetic", rng)
        assert split(answer[:-1], "and") == [[value(terms)] for terms in split(question[2:-1], "and")]
        question, answer = tasks.task("extractive", rng)
        told = " ".join(question)
        for (*_, last), said in zip(
            [p for p in split(question[:-1], "and") if "found" not in p], split(answer[:-1], "and"), strict=True
        ):
            assert any(
                last in fact and said[0] in fact for fact in (t.split() for t in told.split(" and ")) if "found" in fact
            )


def test_sudoku_have_one_solution_and_the_answer_is_it():
    rng = np.random.default_rng(1)
    for _ in range(10):
        question, answer = tasks.task("sudoku", rng)
        names = sorted({*answer} - {",", "."})
        place = {word: i + 1 for i, word in enumerate(names)}
        grid, solved = (
            np.array([[place.get(w, 0) for w in row] for row in split(text[:-1], ",")]) for text in (question, answer)
        )
        assert sudoku.solutions(grid.copy(), 2) == 1
        assert ((grid == 0) | (grid == solved)).all()
        for lines in (solved, solved.T, solved.reshape(2, 2, 2, 2).swapaxes(1, 2).reshape(4, 4)):
            assert all(sorted(line) == [1, 2, 3, 4] for line in lines)


def test_one_rule_makes_all_grids_of_an_arc_task():
    rng = np.random.default_rng(2)
    for _ in range(20):
        question, answer = tasks.task("arc", rng)
        grid = lambda words: np.array([row.split() for row in " ".join(words).split(" , ")])
        shown = [tuple(grid(g) for g in split(demo, "to")) for demo in split(question[:-2], "and")[:2]]
        last, wanted = grid(split(question[:-2], "and")[2]), grid(answer[:-1])
        moves = (np.rot90, np.fliplr, np.flipud, np.transpose)
        moved = any(all((m(a) == b).all() for a, b in [*shown, (last, wanted)]) for m in moves)
        changes = {(x, y) for a, b in [*shown, (last, wanted)] for x, y in zip(a.ravel(), b.ravel(), strict=True)}
        assert moved or len({x for x, _ in changes}) == len(changes)  # every colour becomes one other
        assert {*wanted.ravel()} <= {*COLOURS}


def test_the_corpus_is_the_same_for_any_number_of_workers_and_holds_both():
    rows = master.corpus(60)
    assert rows.shape == (60, master.LENGTH)
    assert (rows == master.corpus(60)).all()
    words = {quiz.WORDS[i] for i in np.unique(rows)}
    assert {"holds", "whom", "what", "plus"} <= words
    assert quiz.WORDS[: len(WORDS)] == WORDS


def test_the_committed_model_is_that_of_its_card_and_does_its_tasks():
    card = files.read_json(quiz.ASSETS / "card.json")
    assert files.digest(quiz.ASSETS / "model.safetensors") == card["weights"]
    found = quiz.quizmaster("cpu")
    assert found.parameters == card["parameters"]
    some = quiz.answers(found.model, seed=1, count=12)
    assert some["knowledge"] == some["arithmetic"] == 1
    assert some["arc"] > 0.5
    held = torch.from_numpy(master.corpus(16, "held").astype(np.int64))
    assert float(scoring.costs(found.model, held).mean()) == pytest.approx(card["loss"], abs=0.1)


def test_a_quizmaster_can_be_trained_and_read_back(tmp_path):
    recipe = replace(master.RECIPE, steps=2, batch=2, warmup=1, every=1)
    card = quiz.make(tmp_path / "m", device="cpu", recipe=recipe, size=sizes.Size(1, 64))
    assert card["sequences"] == 4
    assert {*card["answers"]} == {*quiz.TIERS}
