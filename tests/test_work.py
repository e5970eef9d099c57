"""The resume cache: computed once, by content and by code; damage means once more, never a wrong answer."""

import numpy as np
import pytest
import torch

from helpers.work import Work, short


class Count:
    def __init__(self, value):
        self.value, self.calls = value, 0

    def __call__(self):
        self.calls += 1
        return self.value


def test_rows_are_computed_once_and_are_the_same_when_read_back(tmp_path):
    make = Count([{"loss": float("nan"), "x": (1, 2), "text": "ä"}])
    first = Work(tmp_path, "code").rows(("key", 1), make)
    again = Work(tmp_path, "code").rows(("key", 1), make)
    assert first == again == [{"loss": None, "x": [1, 2], "text": "ä"}]
    assert make.calls == 1


@pytest.mark.parametrize("other", [("code", ("key", 2)), ("edited", ("key", 1))])
def test_another_key_or_edited_code_is_other_work(tmp_path, other):
    Work(tmp_path, "code").rows(("key", 1), Count([{"x": 1}]))
    make = Count([{"x": 2}])
    code, key = other
    assert Work(tmp_path, code).rows(key, make) == [{"x": 2}]
    assert make.calls == 1


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"rows": [], "sha256": "sha256:0"}', b"\xff\xfe\x00"])
def test_damaged_rows_are_computed_again(tmp_path, damage):
    work, make = Work(tmp_path), Count([{"x": 1}])
    work.rows("key", make)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    assert work.rows("key", make) == [{"x": 1}]
    assert make.calls == 2
    assert work.rows("key", make) == [{"x": 1}]
    assert make.calls == 2


def test_a_flipped_number_is_not_believed(tmp_path):
    work, make = Work(tmp_path), Count([{"x": 1.25}])
    work.rows("key", make)
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text().replace("1.25", "1.26"))
    assert work.rows("key", make) == [{"x": 1.25}]


def test_tensors_likewise(tmp_path):
    work, make = Work(tmp_path), Count({"a": torch.arange(3.0)})
    for _ in range(2):
        assert torch.equal(work.tensors("key", make)["a"], torch.arange(3.0))
    assert make.calls == 1
    path = next(tmp_path.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    assert torch.equal(work.tensors("key", make)["a"], torch.arange(3.0))
    assert make.calls == 2


def test_without_a_folder_nothing_is_kept():
    make = Count([{"x": 1}])
    work = Work(None)
    work.rows("key", make)
    work.rows("key", make)
    assert make.calls == 2


def test_a_failed_computation_leaves_nothing(tmp_path):
    def fails():
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        Work(tmp_path).rows("key", fails)
    assert list(tmp_path.iterdir()) == []


def test_short_tells_values_apart():
    values = [1, 1.0, "1", (1,), [1], {"a": 1}, None]
    assert len({short(v) for v in values}) == len(values)
    assert all(len(short(v)) == 16 for v in values)


def test_a_key_that_does_not_tell_its_entries_is_refused():
    for value in (torch.arange(3000), ("x", torch.zeros(2)), {"a": np.zeros(3)}):
        with pytest.raises(TypeError, match="give a digest"):
            short(value)
