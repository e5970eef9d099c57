"""Games in stretches: killed and resumed they give what an uninterrupted one gives."""

import pytest
import torch
from test_course import CONFIG, game

from helpers.pedagogy.raised import raised
from helpers.work import Work

KEEP, MARKS = (0, 10, 30), (0, 1, 10, 20, 30)
KINDS = [("pedagogical", ("wired", "coded")), ("adversarial", ("AC-GAN",))]


class Killed(Exception):
    pass


def looked(upon, until=99):
    def look(step, generators):
        if step > until:
            raise Killed
        upon.append(step)
        return {"out": generators["out"].clone(), "step": torch.tensor(step)}

    return look


@pytest.mark.parametrize(("kind", "names"), KINDS)
def test_a_killed_game_resumes_and_gives_the_same(kind, names, tmp_path):
    steps = []
    whole, seen = raised(game(kind, names), KEEP, Work(None), "key", marks=MARKS, look=looked(steps))
    assert steps == list(MARKS) == seen["step"].tolist()
    assert seen["out"].shape == (5, len(names) * 2, *whole[30]["out"].shape[1:])
    torch.testing.assert_close(seen["out"][2], whole[10]["out"])
    work, steps = Work(tmp_path), []
    with pytest.raises(Killed):
        raised(game(kind, names), KEEP, work, "key", marks=MARKS, look=looked(steps, until=15))
    assert steps == [0, 1, 10]
    kept, again = raised(game(kind, names), KEEP, work, "key", marks=MARKS, look=looked(steps))
    assert steps == [0, 1, 10, 20, 30]  # what was kept was not done again
    assert list(kept) == list(whole) == list(KEEP)
    for step, params in whole.items():
        for k, v in params.items():
            torch.testing.assert_close(kept[step][k], v, atol=1e-6, rtol=1e-5, msg=f"{step}: {k}")
    torch.testing.assert_close(again["out"], seen["out"])


def test_an_untrained_generator_is_the_start():
    one = game("pedagogical", ("wired",))
    start = {k: v.clone() for k, v in one.generators().items()}
    kept, seen = raised(one, (0,), Work(None), "key")
    assert not seen
    assert all(torch.equal(kept[0][k], v) for k, v in start.items())
    assert not torch.equal(one.params["generator.out"], start["out"])


@pytest.mark.parametrize(
    ("keep", "marks", "told"), [((40,), (), r"steps \[40\] are not in 0 … 30"), ((), (1,), "need")]
)
def test_steps_that_are_not_there_are_refused(keep, marks, told):
    assert CONFIG.steps == 30
    with pytest.raises(ValueError, match=told):
        raised(game("pedagogical", ("wired",)), keep, Work(None), "key", marks=marks)
