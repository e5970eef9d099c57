"""What the stacked engine refuses and leaves behind, and the small laws around it: stacks, chunks, marks, the best rate."""

import math

import pandas as pd
import pytest
import torch

from helpers import devices, stacked


def test_what_does_not_fit_is_refused():
    fit = lambda **more: stacked.fit(params, lambda p, t: p["w"].sum((1, 2)), **{"lr": 0.1, "steps": 1} | more)
    params = {"w": torch.ones(3, 4, 5)}
    for wrong, words in (
        ({"lr": torch.ones(4)}, r"lr has shape \(4,\); one value, or \(3,\)"),
        ({"clip": torch.ones(3, 1)}, r"clip has shape \(3, 1\)"),
        ({"decay": {"v": 1.0}}, "there is no parameter v; there are w"),
        ({"learn": {"v": False}}, "there is no parameter v; there are w"),
        ({"learn": {"w": torch.ones(5)}}, r"learn\['w'\] has shape \(5,\); expected \(3,\) or \(3, 4, 5\)"),
        ({"learn": {"w": torch.ones(3, 5, 5)}}, r"has shape \(3, 5, 5\)"),
        ({"learn": {"w": False}}, "nothing to train: 0 of 1 parameters learn"),
        ({"steps": 0}, "steps=0"),
        ({"refill": lambda step, p: None, "every": 0}, "every=0"),
    ):
        with pytest.raises(ValueError, match=words):
            fit(**wrong)
        assert not params["w"].requires_grad
    params["b"] = torch.ones(4)
    with pytest.raises(ValueError, match="one model axis of the same length"):
        fit()


def test_an_interrupted_training_leaves_plain_tensors():
    params = {"w": torch.ones(2)}
    with pytest.raises(ZeroDivisionError):
        stacked.fit(params, lambda p, t: p["w"] / (1 if t < 2 else 1 // 0), lr=0.1, steps=5)
    assert not params["w"].requires_grad


def test_the_loss_is_told_the_step():
    seen = []
    stacked.fit({"w": torch.ones(2)}, lambda p, t: seen.append(int(t)) or p["w"], lr=0.1, steps=4, graph=False)
    assert seen == [0, 1, 2, 3]


def test_pile_pads_any_rank_and_keeps_the_kind_of_number():
    models = [
        {"a": torch.ones(2, 1, 3, dtype=torch.float64), "b": torch.tensor(1.0)},
        {"a": torch.ones(1, 2, 2), "b": torch.tensor(2.0)},
    ]
    params = stacked.pile(models)
    assert params["a"].shape == (2, 2, 2, 3)
    assert params["a"].dtype == torch.float64
    assert params["a"].sum() == 6 + 4
    assert params["a"][1, 0, :, 2].tolist() == [0, 0]
    assert params["b"].tolist() == [1, 2]
    for wrong in ({"a": torch.ones(2), "b": torch.tensor(1.0)}, {"a": torch.ones(1, 2, 2)}):
        with pytest.raises(ValueError, match="cannot be stacked at 'a'"):
            stacked.pile([models[0], wrong])


@pytest.mark.parametrize("count", [0, 1, 4, 9])
@pytest.mark.parametrize("most", [1, 4, 100, None])
def test_chunks_are_the_models_in_order(count, most):
    parts = list(stacked.chunked(list(range(count)), 1, "cpu", "training", most=most))
    assert [m for part in parts for m in part] == list(range(count))
    assert all(len(p) == (most or 128) for p in parts[:-1])
    assert all(0 < len(p) <= (most or 128) for p in parts)


def test_a_chunk_needs_memory_for_the_models_that_it_has(monkeypatch):
    monkeypatch.setattr(devices, "free_memory", lambda device: 10 * 2**30)
    gib = 2**30
    assert len(list(stacked.chunked(range(10), gib, "cuda", "training"))) == 1  # not 8192 GiB
    assert len(list(stacked.chunked(range(11), gib, "cuda", "training", most=10))) == 2
    with pytest.raises(MemoryError, match=r"training the stack needs about 11\.0 GiB and cuda has 10\.0 GiB free"):
        stacked.chunked(range(11), gib, "cuda", "training the stack")  # before the first chunk is asked for


def test_spaced_marks():
    marks = stacked.spaced(500)
    assert marks[0] == 0
    assert marks[-1] == 500
    assert marks == sorted(set(marks))
    assert 15 < len(marks) < 30
    assert stacked.spaced(1) == [0, 1]
    with pytest.raises(ValueError, match="steps=0"):
        stacked.spaced(0)


def grid(scores):
    """{(arm, rate): a score a seed} as rows."""
    rows = [(a, r, s, v, f"{a}{r}{s}") for (a, r), seeds in scores.items() for s, v in enumerate(seeds)]
    return pd.DataFrame(rows, columns=["arm", "rate", "seed", "validation", "text"])


def test_the_best_rate_has_the_lowest_mean_over_seeds():
    rows = grid({("a", 0.1): [1, 9], ("a", 0.2): [4, 4], ("b", 0.1): [2, 2], ("b", 0.2): [3, 0.5]})
    best = stacked.best_rate(rows, ["arm"])
    assert best["text"].tolist() == ["a0.20", "a0.21", "b0.20", "b0.21"]
    assert list(best.columns) == list(rows.columns)
    shuffled = rows.sample(frac=1, random_state=0).set_index("text", drop=False)
    again = stacked.best_rate(shuffled, ["arm"])
    assert set(again["text"]) == set(best["text"])
    assert again["text"].tolist() == [t for t in shuffled["text"] if t in set(best["text"])]  # rows keep their order
    assert stacked.best_rate(best, ["arm"]).equals(best)


def test_of_equal_rates_the_lowest_and_a_diverged_one_last():
    nan, inf = math.nan, math.inf
    rows = grid(
        {
            ("a", 0.3): [2, 2],
            ("a", 0.1): [1, 3],
            ("b", 0.1): [nan, 0],
            ("b", 0.2): [9, 9],
            ("c", 0.2): [inf, 1],
            ("c", 0.1): [nan, 1],
        }
    )
    best = stacked.best_rate(rows, ["arm"])
    assert dict(zip(best["arm"], best["rate"], strict=True)) == {"a": 0.1, "b": 0.2, "c": 0.1}
    assert (
        stacked.best_rate(rows.rename(columns={"validation": "loss"}), ["arm"], score="loss")["seed"].tolist()
        == [0, 1] * 3
    )


def test_a_group_that_mixes_conditions_is_refused():
    rows = pd.concat([grid({("a", 0.1): [1, 2]}).assign(d=d) for d in (1, 2)])
    with pytest.raises(ValueError, match="a seed is there twice at one rate of arm; name what differs"):
        stacked.best_rate(rows, ["arm"])
    assert len(stacked.best_rate(rows, ["arm", "d"])) == 4
    assert len(stacked.best_rate(rows.assign(d=None, arm=lambda r: range(4)), ["arm", "d"])) == 4
