"""Questions of every tier: read from tiny files in their own layouts, made, and counted; what is malformed is named."""

import gzip
import json

import numpy as np
import pytest

from helpers import data
from helpers.data import sudoku
from helpers.data.pairs import gather

SQUAD = {
    "data": [
        {
            "paragraphs": [
                {
                    "qas": [
                        {"question": "Who? ", "answers": [{"text": "Ann"}, {"text": "ann"}]},
                        {"question": "Who?", "answers": [{"text": "Ann"}]},
                        {"question": "Why?", "answers": [], "is_impossible": True},
                        {"question": "How?", "answers": [{"text": " "}]},
                        {"question": "Where?", "answers": [{"text": "here"}]},
                    ]
                }
            ]
        }
    ]
}
TRIVIA = {"Data": [{"Question": "Who?", "Answer": {"Value": "Ann", "Aliases": ["A"]}}, {"Question": "Why?"}]}
NATURAL = '{"question": "who", "answer": ["ann", "a"]}\n\n{"question": "why", "answer": []}\n'
HOTPOT = [{"question": "Who?", "answer": "Ann", "type": "bridge"}, {"question": "Who?", "answer": "Bob"}]
ARC = {
    "train": [{"input": [[1, 0], [0, 1]], "output": [[0, 1], [1, 0]]}],
    "test": [{"input": [[2, 0]], "output": [[0, 2]]}, {"input": [[3]]}],
}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("tier", "content", "pairs", "left_out"),
    [
        ("squad", SQUAD, [("Who?", "Ann"), ("Where?", "here")], {"duplicates": 1, "unanswerable": 1, "empty": 1}),
        ("trivia", TRIVIA, [("Who?", "Ann")], {"unanswerable": 1}),
        ("natural", NATURAL, [("who", "ann")], {"unanswerable": 1}),
        ("hotpot", HOTPOT, [("Who?", "Ann"), ("Who?", "Bob")], {}),
        ("arc", ARC, [("10 01 to 01 10; 20 to", "02")], {"unanswerable": 1}),
    ],
)
def test_a_file_in_its_own_layout_is_read_and_what_is_left_out_is_counted(tmp_path, tier, content, pairs, left_out):
    found = data.load_pairs(tier, write(tmp_path / "file.json", content))
    assert data.load_pairs(str(tmp_path / "file.json")) == found  # its layout says what it is
    assert [(p.question, p.answer) for p in found.rows] == pairs
    assert found.left_out == left_out
    assert all("file.json" in p.place for p in found.rows)
    for count in left_out.values():
        assert f"{count} " in found.report()


@pytest.mark.parametrize(
    ("tier", "content", "words"),
    [
        ("squad", '{"data": [\n{"paragraphs": oops}]}', r"file.json, line 2: Expecting value; this is not JSON"),
        (
            "squad",
            {"data": [{"paragraphs": [{"qas": [{"answers": []}]}]}]},
            r"data\[0\].paragraphs\[0\].qas\[0\]: 'question'",
        ),
        ("squad", [], "'data' is nothing, expected list"),
        (
            "trivia",
            {"Data": [{"Question": "Who?", "Answer": {"Value": 3}}]},
            r"Data\[0\]: 'Value' is int, expected str",
        ),
        ("natural", '{"question": "a", "answer": ["b"]}\n{"question": 1}\n', r"file.json, line 2: 'answer' is nothing"),
        ("natural", '{"question": "a", "answer": ["b"]}\n{oops\n', "file.json, line 2: Expecting property name"),
        ("hotpot", {"a": 1}, "HotpotQA is a list of records"),
        ("hotpot", [{"question": "Who?"}], "record 0: 'answer' is nothing"),
        ("arc", {"train": [], "test": [{"input": [[1, 2], [3]], "output": [[1]]}]}, r"test\[0\]: 'input' is no grid"),
        ("arc", {"train": [{"input": [[11]], "output": [[1]]}], "test": []}, r"train\[0\]: 'input' is no grid"),
        ("hotpot", [], "holds no question with an answer"),
    ],
)
def test_what_is_malformed_is_named_by_file_and_place(tmp_path, tier, content, words):
    with pytest.raises(ValueError, match=words):
        data.load_pairs(tier, write(tmp_path / "file.json", content))


def test_files_may_be_gzipped_and_arc_is_a_folder(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(json.dumps(SQUAD).encode()))
    assert len(data.load_pairs("squad", tmp_path / "a.gz")) == 2
    folder = tmp_path / "tasks"
    folder.mkdir()
    with pytest.raises(FileNotFoundError, match=r"holds no .json task"):
        data.load_pairs("arc", folder)
    for name in "ab":
        write(folder / f"{name}.json", ARC | {"test": [{"input": [[ord(name) % 9]], "output": [[1]]}]})
    assert [p.place.rpartition("/")[2] for p in data.load_pairs("arc", folder).rows] == [
        "a.json, test[0]",
        "b.json, test[0]",
    ]


def test_unknown_tiers_and_missing_files_are_said():
    with pytest.raises(ValueError, match="tier='squat' is unknown; use one of squad"):
        data.load_pairs("squat")
    with pytest.raises(FileNotFoundError, match=r"needs a local file; it is published at https://nlp"):
        data.load_pairs("trivia")
    with pytest.raises(FileNotFoundError, match="no file absent"):
        data.load_pairs("hotpot", "absent.json")


def test_a_file_of_no_known_layout_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has the layout of none of squad, trivia"):
        data.load_pairs(str(write(tmp_path / "words.txt", "one word follows another")))


def test_lengths_that_do_not_fit_are_counted():
    found = gather("t", [("1", "a b c", "d"), ("2", "a", "b"), ("3", "a b", "…")])
    kept = found.fitting(lambda text: len([w for w in text.split() if w != "…"]), 2)
    assert [p.place for p in kept.rows] == ["2"]
    assert kept.left_out == {"longer than 2 tokens": 1, "without tokens": 1}
    assert kept.report() == "t: 1 pairs; left out: 1 longer than 2 tokens; 1 without tokens"


def test_sums_are_right_different_and_drawn_by_the_seed():
    found = data.load_pairs("arithmetic", count=300, digits=3, signs="+-*")
    assert len({p.question for p in found.rows}) == 300
    for p in found.rows:
        assert eval(p.question[:-1]) == int(p.answer)  # of what was made here
    assert found == data.load_pairs("arithmetic", count=300, digits=3, signs="+-*")
    assert found.rows[0] != data.load_pairs("arithmetic", count=1, digits=3, signs="+-*", seed=1).rows[0]
    for wrong in ({"digits": 0}, {"signs": "/"}, {"count": 201, "digits": 1}):
        with pytest.raises(ValueError, match=r"1 to|different sums"):
            data.load_pairs("arithmetic", **wrong)


@pytest.mark.parametrize(("box", "givens"), [(2, 4), (2, 8), (3, 40)])
def test_a_sudoku_has_one_solution_which_is_the_answer(box, givens):
    side = box * box
    found = data.load_pairs("sudoku", count=3, box=box, givens=givens)
    for p in found.rows:
        grid, answer = (
            np.array([[0 if c == "." else int(c) for c in row] for row in t.split()]) for t in (p.question, p.answer)
        )
        assert ((grid == 0) | (grid == answer)).all()
        assert givens <= (grid > 0).sum() <= givens + (3 if box == 2 else 0)
        every = set(range(1, side + 1))
        for i in range(side):
            r, c = divmod(i, box)
            boxed = answer[r * box : r * box + box, c * box : c * box + box]
            assert {*answer[i]} == {*answer[:, i]} == {*boxed.ravel()} == every
        assert sudoku.solutions(grid, box) == 1
    empty = np.zeros((side, side), int)
    assert sudoku.solutions(empty, box, most=5) == 5
    with pytest.raises(ValueError, match="givens=1"):
        data.load_pairs("sudoku", box=box, givens=1)


@pytest.mark.parametrize(
    ("tier", "name", "least"),
    [
        ("squad", "squad/dev-v1.1.json.gz", 10_000),
        ("natural", "nq_open/NQ-open.dev.jsonl", 3_500),
        ("hotpot", "hotpotqa/hotpot_dev_v1_simplified.json", 7_000),
        ("arc", "arc_agi_1/training", 400),
    ],
)
def test_the_published_files_are_read(real_data, tier, name, least):
    found = data.load_pairs(tier, real_data / name)
    assert len(found) >= least
    assert found.report().startswith(tier)
