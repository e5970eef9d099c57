"""The parameters cell: what is read from it, and what is refused before a kernel starts."""

import math
import os

import numpy as np
import pytest

from helpers import parameters
from helpers.parameters import ParameterError
from helpers.run.project import Project


@pytest.fixture
def known(project_folder):
    return Project.find().notebook("kinds").parameters


def test_everything_is_read(known):
    p = known["count"]
    assert (p.type, p.default, p.low, p.high, p.help) == ("int", 3, 1, 10, "a whole number in a range")
    assert known["profile"].choices == ("quick", "full")
    assert known["word"].default == "a=b"
    assert known["free"].default == -2.0
    assert (known["maybe"].default, known["maybe"].limits) == (None, "1..")
    assert known["names"].choices == ("a", "b", "c")
    assert (known["free"].limits, known["rate"].limits, known["profile"].limits) == ("", "0..1", "quick | full")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("rate", "1", 1.0),
        ("free", "-1e3", -1000.0),
        ("flag", "yes", True),
        ("flag", "false", False),
        ("word", "007", "007"),
        ("word", "false", "false"),
        ("word", "", ""),
        ("maybe", "none", None),
        ("maybe", "4", 4),
        ("widths", "[1, 2,8]", [1, 2, 8]),
        ("widths", "5", [5]),
        ("names", "a,'c'", ["a", "c"]),
        ("text", "embedded", "embedded"),
    ],
)
def test_texts_become_typed_values(known, name, text, value):
    found = parameters.resolve(known, {name: text})[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cont", "3", "no parameter 'cont'; did you mean 'count'"),
        ("zzz", "3", "no parameter 'zzz'; it has profile, count"),
        ("count", "30", r"count=30: expected a number within 1\.\.10"),
        ("count", "2.5", r"count='2.5': expected a value of type int"),
        ("count", "many", "of type int"),
        ("count", "none", "of type int"),
        ("rate", "1.01", r"within 0\.\.1"),
        ("rate", "nan", "a finite number"),
        ("free", "inf", "a finite number"),
        ("flag", "maybe", "true or false"),
        ("profile", "ful", r"one of quick \| full \(did you mean full\?\)"),
        ("maybe", "0", r"within 1\.\."),
        ("widths", "1,65", r"widths=65"),
        ("widths", "1,x", "of type int"),
        ("names", "d", "one of a"),
        ("text", "nowhere.txt", "there is no such file"),
        ("text", "PATH", "there is no such file"),
    ],
)
def test_what_cannot_be_meant_is_refused(known, name, text, message):
    with pytest.raises(ParameterError, match=message):
        parameters.resolve(known, {name: text})


def test_values_from_python_are_checked_as_they_are(known):
    ok = parameters.resolve(known, {"count": 4, "rate": 1, "widths": (1, 2)}, texts=False)
    assert (ok["count"], ok["rate"], ok["widths"]) == (4, 1.0, [1, 2])
    for bad in ({"count": "4"}, {"count": True}, {"rate": "x"}, {"widths": "12"}, {"widths": 3}, {"flag": 1}):
        with pytest.raises(ParameterError):
            parameters.resolve(known, bad, texts=False)


def test_a_file_is_a_path_and_becomes_absolute(known, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    assert parameters.resolve(known, {"text": "a.txt"})["text"] == str(tmp_path / "a.txt")
    assert known["text"].is_file("a.txt")
    assert not known["text"].is_file("embedded")
    assert not known["word"].is_file("a.txt")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("x = 3  # why", "is not `name: type = literal"),
        ("x: int = 3", "x has no comment"),
        ("x: int = 1 + y  # why", "not a literal"),
        ("x: complex = 3  # why", "x has type complex"),
        ("import os", "is not `name: type"),
        ("x: int  # why", "is not `name: type"),
        ("x: int = 30  # 1..9: why", r"x=30: expected a number within 1\.\.9"),
        ("x: int = 'a'  # why", "of type int"),
    ],
)
def test_a_cell_that_is_not_typed_literals(cell, message):
    with pytest.raises(ParameterError, match=message):
        parameters.read_cell(cell)


@pytest.mark.parametrize(
    ("comment", "low", "high"),
    [
        ("1e-5..1: a rate", 1e-5, 1),
        ("0.00001..1E+3: a rate", 1e-5, 1000),
        ("-2.5..-1: below zero", -2.5, -1),
        ("1 .. 64: with spaces", 1, 64),
        ("..5: at most", -math.inf, 5),
        ("5..: at least", 5, math.inf),
    ],
)
def test_both_ends_belong_to_a_range(comment, low, high):
    (found,) = parameters.read_cell(f"x: float = None  # {comment}").values()
    assert (found.low, found.high) == (low, high)
    for value in (v for v in (low, high) if math.isfinite(v)):
        assert found.check(value) == value
        beyond = np.nextafter(value, -math.inf if value == low else math.inf)
        with pytest.raises(ParameterError, match="within"):
            found.check(float(beyond))


@pytest.mark.parametrize(
    "line",
    [
        "x: float = 0.1  # 1e-..1: a rate",
        "x: int = 3  # 1...9: three dots",
        "x: int = 3  # 9..1: upside down",
        "x: int = 3  # ..: nothing",
        "x: int = 3  # 1..9 without a colon",
        "x: int = 3  # from 1..9: with a word before",
        "x: int = 3  # one..nine: in words",
        "x: str = 'a'  # 1..9: of a text",
        "x: str = 'a'  # a | b without a colon",
        "x: str = 'a'  # a | two words: what",
        "x: str = 'a'  # a || b: what",
        "x: int = 3  # 3 | four: what",
    ],
)
def test_what_looks_like_a_range_or_choices_and_is_none_is_refused(line):
    with pytest.raises(ParameterError, match=r"looks like a range or choices|not all of them are numbers"):
        parameters.read_cell(line)


@pytest.mark.parametrize("comment", ["yes or no", "what it says; and so on...", "one: two", "a path, e.g. a/b"])
def test_words_are_no_range(comment):
    (found,) = parameters.read_cell(f"x: str = 'a'  # {comment}").values()
    assert (found.limits, found.help) == ("", comment)


def test_choices_of_numbers_are_numbers():
    (found,) = parameters.read_cell("x: float = 0.5  # 0.5 | 1: how much").values()
    assert (found.check(1), found.parse("1.0")) == (1.0, 1.0)
    with pytest.raises(ParameterError, match=r"x=2\.0: expected one of 0\.5 \| 1"):
        found.check(2)


def test_exactly_one_parameters_cell(project_folder):
    path = project_folder / "notebooks" / "good.py"
    path.write_text(path.read_text().replace('tags=["parameters"]', ""))
    with pytest.raises(ParameterError, match="has 0 cells tagged parameters"):
        _ = Project.find().notebook("good").parameters


def test_a_folder_or_a_name(tmp_path):
    (found,) = parameters.read_cell('model: str = "small"  # small | HUB-NAME | FOLDER: which').values()
    assert found.check("small") == "small"
    assert found.check("org/name") == "org/name"
    assert found.check(str(tmp_path)) == str(tmp_path.resolve())
    assert found.is_file(str(tmp_path))
    assert not found.is_file("org/name")
    for wrong in ("", "FOLDER", "HUB-NAME", "./absent", str(tmp_path / "absent"), "a/b/c"):
        with pytest.raises(parameters.ParameterError, match="no such folder"):
            found.check(wrong)


def test_the_digest_of_a_folder_is_of_names_and_contents(tmp_path):
    from helpers import files

    (tmp_path / "a").write_text("1")
    first = files.digest(tmp_path)
    assert files.digest(tmp_path) == first
    (tmp_path / "a").write_text("2")
    assert files.digest(tmp_path) != first
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "b").write_text("1")
    assert files.digest(tmp_path) != first


def test_a_home_folder_is_one_and_a_pipe_is_no_file(tmp_path, monkeypatch):
    """~ from a configuration or from quotes, which no shell has expanded; <(a command) is a pipe, read once and gone."""
    (text,) = parameters.read_cell('text: str = "embedded"  # embedded | PATH: what').values()
    (model,) = parameters.read_cell('model: str = "small"  # small | HUB-NAME | FOLDER: which').values()
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.fa").write_text("x")
    (tmp_path / "net").mkdir()
    assert text.check("~/a.fa") == str((tmp_path / "a.fa").resolve())
    assert model.check("~/net") == str((tmp_path / "net").resolve())
    os.mkfifo(tmp_path / "pipe")
    for found, value in ((text, str(tmp_path / "pipe")), (model, str(tmp_path / "pipe")), (text, "/dev/null")):
        with pytest.raises(ParameterError, match="a pipe or a device, which can be read once: save it to a file first"):
            found.check(value)


def test_one_gpu_of_several_can_be_asked_for():
    (found,) = parameters.read_cell('device: str = "auto"  # auto | cpu | cuda: where').values()
    assert found.parse("cuda:1") == "cuda:1"
    (other,) = parameters.read_cell('way: str = "a"  # a | b: which').values()
    for choice, value in ((found, "cuda:x"), (found, "cuda:"), (found, "cpu:1"), (other, "cuda:1")):
        with pytest.raises(ParameterError, match="one of"):
            choice.parse(value)


def test_a_yes_or_no_may_name_its_two_values():
    (found,) = parameters.read_cell("flag: bool = True  # true | false: which").values()
    assert [found.check(True), found.parse("no")] == [True, False]
    with pytest.raises(ParameterError, match="write `true"):
        parameters.read_cell("flag: bool = True  # on | off: which")


@pytest.mark.parametrize(
    "heading", ["# %% tags=['parameters']", '# %% a title tags=["x", "parameters"]', '# %% {"tags": ["parameters"]}']
)
def test_a_notebook_is_read_once_however_its_tags_are_written(heading, project_folder):
    path = project_folder / "notebooks" / "tagged.py"
    path.write_text(f"# %%\n1\n{heading}\nn: int = 1  # 1..3: x\n\n# %% [markdown]\n# parameters\n")
    notebook = Project.find().notebook("tagged")
    assert [*parameters.of_notebook(path)] == [*notebook.parameters] == ["n"]
    assert [c.source for c in notebook.cells if "parameters" in c.tags] == ["n: int = 1  # 1..3: x"]
    path.write_text("# %%\n1\n")
    with pytest.raises(ParameterError, match=r"tagged.py: it has 0 cells tagged parameters"):
        parameters.of_notebook(path)
