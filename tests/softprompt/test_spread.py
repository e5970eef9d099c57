"""Several devices: the same results as one, whatever part of the targets each has."""

import numpy as np
import pytest

from helpers.softprompt import engine, spread
from helpers.softprompt.config import Search


def test_two_processes_find_what_one_finds_in_the_same_order(tiny, drawn):
    asked, how = drawn(7, (3, 6, 4)), Search(k=3, steps=25, restarts=1, stop=False)
    alone = engine.search(tiny["llama"], asked, how)
    both = spread.search(tiny["llama"], asked, how, on=("cpu", "cpu"))
    assert [r.job.name for r in both] == [job.name for job in asked]
    assert [r.state for r in both] == [r.state for r in alone]
    np.testing.assert_allclose([r.loss for r in both], [r.loss for r in alone], rtol=2e-3)
    assert all(r.content.device.type == "cpu" for r in both)


def test_what_cannot_be_asked_is_refused_before_a_process_starts(tiny, drawn, monkeypatch):
    monkeypatch.setattr(spread, "ProcessPoolExecutor", None)
    asked = drawn(2, (3,), vocab=900)
    with pytest.raises(ValueError, match="outside the vocabulary"):
        spread.search(tiny["llama"], asked, Search(k=3, steps=2), on=("cpu", "cpu"))


def test_a_machine_with_one_device_has_one_place(tiny, monkeypatch):
    assert spread.places(tiny["llama"], 10_000) == ["cpu"]
    monkeypatch.setattr(spread.devices, "cuda_count", lambda: 4)
    on_gpu = spread.replace(tiny["llama"], device="cuda:0")
    assert spread.places(on_gpu, 10) == ["cuda:0"]
    assert spread.places(on_gpu, 5000) == [f"cuda:{i}" for i in range(4)]
