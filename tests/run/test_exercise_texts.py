"""Exercises as a chapter's text holds them, and what their check says of a run."""

from types import SimpleNamespace

import pytest

from helpers import numbers
from helpers.run import exercises

BODY = """:run: ruc run one -p a 1 -p b 'x y' --profile full
:minutes: 2
:check: gap_0.8 above 0.5
What will it be?

+++
It is large.
"""


def exercise(body=BODY):
    return exercises.parse("one", "A gap", body)


def test_an_exercise_is_read_as_it_is_printed():
    found = exercise()
    assert (found.notebook, found.given) == ("one", {"a": "1", "b": "x y", "profile": "full"})
    assert (found.minutes, found.quantity, found.side, found.border) == (2, "gap_0.8", "above", 0.5)
    assert (found.question, found.answer) == ("What will it be?", "It is large.")
    assert exercise(BODY.replace("0.5", "committed")).border is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (":minutes: 2\n", "", "lacks :minutes:"),
        (":minutes: 2", ":minutes: two", "'two' minutes"),
        ("ruc run one", "ruc build", "runs nothing"),
        ("-p a 1", "-q a", "-p PARAMETER VALUE"),
        ("--profile full", "-p full", "-p PARAMETER VALUE"),
        ("above 0.5", "near 0.5", "is no check"),
        ("+++\n", "", "a line +++"),
        ("It is large.\n", "", "an answer below"),
        ("above 0.5", "above 0.5.1", "a number was expected"),
        (":minutes: 2", ":minutes: nan", "a number was expected"),
        ("'x y'", "'x y", "No closing quotation"),
        (":minutes: 2", ":minutes: 2\n:hint: x", ":hint: is unknown"),
    ],
)
def test_an_exercise_that_is_not_whole_is_refused(old, new, said):
    with pytest.raises(ValueError, match="one, exercise 'A gap'") as error:
        exercise(BODY.replace(old, new))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("found", "body", "beside", "held"),
    [
        ([0.9, 0.91, 0.92], BODY, [], True),
        ([0.1, 0.11, 0.12], BODY, [], False),
        ([0.1, 0.5, 0.9], BODY, [], None),
        ([0.1, 0.11, 0.12], BODY.replace("above", "below"), [], True),
        ([2.0, 2.01], BODY.replace("0.5", "committed"), [1.0, 1.2], True),
    ],
)
def test_a_check_says_whether_it_came_out_as_the_answer_says(found, body, beside, held):
    verdict, told = exercises.told(exercise(body), found, beside)
    assert verdict is held
    assert told.startswith("gap_0.8 is ")
    assert numbers.write(1.1 if beside else 0.5) in told


def test_a_check_against_a_committed_run_needs_one():
    with pytest.raises(ValueError, match="no committed run"):
        exercises.told(exercise(BODY.replace("0.5", "committed")), [1.0], [])


def test_one_unit_has_no_interval_and_decides_nothing():
    verdict, said = exercises.told(exercise(), [0.9], [])
    assert verdict is None
    assert "no interval" in said


def holding(text):
    """A notebook, as far as its exercises are asked for."""
    return SimpleNamespace(name="one", cells=[SimpleNamespace(code=False, source=text)])


@pytest.mark.parametrize("text", [":::{exercise} A\n" + BODY, "::::{exercise} A\n" + BODY + "::::\n"])
def test_an_exercise_that_is_not_closed_or_opened_otherwise_shifts_no_number(text):
    whole = ":::{exercise} B\n" + BODY + ":::\n"
    assert [e.title for e in exercises.of(holding(whole))] == ["B"]
    with pytest.raises(ValueError, match="opens 2 exercises"):
        exercises.of(holding(text + "\n" + whole))


def test_several_conditions_of_a_seed_are_no_units(tmp_path):
    from helpers.records import Record

    def run(*conditions):
        folder = tmp_path / str(len(conditions))
        for name, seed in conditions:
            record = Record("one", name, seed, {})
            record.log(1, gap=float(seed))
            record.write(folder / "records")
        return type("Run", (), {"folder": folder, "facts": {"notebook": "one"}, "read": lambda self, name: None})()

    assert sorted(exercises.values(run(("a", 0), ("a", 1)), "gap")) == [0.0, 1.0]
    with pytest.raises(ValueError, match="has not measured gap"):
        exercises.values(run(("a", 0), ("a", 1), ("b", 0)), "gap")


def test_a_quantity_without_a_value_is_said_to_have_none():
    run = SimpleNamespace(read=lambda name: {"q": [None, None]}, facts={"notebook": "tiny"})
    with pytest.raises(ValueError, match="tiny has measured q in no unit"):
        exercises.values(run, "q")
