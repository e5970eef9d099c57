"""Judges of a run: who is of which form, that no two are one, and that they are found again."""

from __future__ import annotations

import pytest
import torch

from helpers.data import load_images
from helpers.pedagogy import judges
from helpers.topology import judge

SMALL = judges.Judging(steps=80, batch=64, rate=5e-3, channels=(6, 8), hidden=(16,), reader=16)


@pytest.fixture(scope="module")
def jury():
    return judges.jury(SMALL, load_images(), (3, 5))


def test_teachers_eyes_and_readers_are_one_a_seed_and_scorers_are_two_of_different_forms(jury):
    assert [len(one["conv1"]) for one in (jury.teachers, jury.eyes, jury.readers)] == [2, 2, 2]
    assert [len(one["conv1"]) for one in jury.scorers] == [1, 1]
    deep = lambda one: "conv4" in one
    assert [deep(one) for one in (jury.teachers, jury.eyes, jury.readers, *jury.scorers)] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_no_two_are_one_and_all_have_learned(jury):
    held = [torch.from_numpy(a) for a in load_images().scaled("test")]
    every = (jury.teachers, jury.eyes, jury.readers, *jury.scorers)
    assert all((judge.accuracy(one, *held) > 0.6).all() for one in every)
    starts = [one["conv1"][i].flatten()[:9] for one in every for i in range(len(one["conv1"]))]
    assert len({tuple(v.tolist()) for v in starts}) == len(starts) == 8


def test_a_seeds_judges_do_not_depend_on_the_other_seeds(jury):
    alone = judges.jury(SMALL, load_images(), (5,))
    torch.testing.assert_close(alone.readers["head1"][0], jury.readers["head1"][1], rtol=0, atol=0.01)


def test_they_are_found_again_by_their_names(jury):
    again = judges.restored(jury.named())
    for name, value in again.named().items():
        assert torch.equal(value, jury.named()[name])


@pytest.mark.parametrize(
    ("change", "told"),
    [({"steps": 0}, "steps=0 is too few"), ({"rate": 2}, "above 0 and up to 1"), ({"most": 0}, "most=0")],
)
def test_settings_that_cannot_work_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        judges.Judging(**change)
