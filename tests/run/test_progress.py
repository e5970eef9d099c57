"""What the runner foretells from a run's progress file."""

import json

import pytest

from helpers.run.progress import FILE, Progress, enough, words


@pytest.fixture
def watch(tmp_path):
    watch = Progress(tmp_path, limit=900)

    def tell(done, of, seconds, elapsed=0.0):
        (tmp_path / FILE).write_text(json.dumps({"done": done, "of": of, "seconds": seconds}))
        return watch.events(elapsed)

    return tell


def test_what_is_left_is_in_proportion(watch):
    assert watch(12, 240, 12) == [{"event": "progress", "done": 12, "of": 240, "left": 228.0}]
    assert watch(12, 240, 12) == []  # nothing new
    assert watch(240, 240, 300)[0]["left"] == 0


def test_nothing_is_foretold_from_nothing(watch):
    assert watch(0, 240, 9) == [{"event": "progress", "done": 0, "of": 240}]
    assert watch(1, 240, 0.5) == [{"event": "progress", "done": 1, "of": 240}]


def test_a_limit_that_will_not_do_is_said_once(watch):
    first = watch(10, 1000, 90, elapsed=100)
    assert first[1] == {"event": "long", "total": 9010.0, "limit": 900, "ask": 11000}
    assert len(watch(20, 1000, 180, elapsed=190)) == 1


def test_a_second_stretch_of_work_is_counted_anew(watch):
    watch(100, 100, 500)
    assert watch(1, 10, 510)[0]["left"] == 90.0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"done": 3, "of": 2, "seconds": 1}', '{"done": "a", "of": 2, "seconds": 1}']
)
def test_what_is_no_progress_is_ignored(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert Progress(tmp_path, limit=1).events(5) == []


def test_numbers_in_words():
    assert [words(s) for s in (20, 200, 9000)] == ["20 s", "3 min", "2.5 h"]
    assert [enough(s) for s in (1, 9010, 100)] == [2, 11000, 120]
