"""The family at its smallest: trained once, read afterwards, loaded like any other model."""

import functools

import pytest
import torch

from helpers import checkpoints, lm, storyteller
from helpers.lm import train
from helpers.storyteller import card as cards
from helpers.storyteller import evaluation, members


@pytest.fixture
def quickly(monkeypatch):
    """Evaluations with few of everything."""
    few = functools.partial(evaluation.evaluate, sequences=4, pairs=4, questions=4, stories=2)
    monkeypatch.setattr(members, "evaluate", few)


def test_a_family_is_trained_once_and_then_read(tmp_path, quickly, monkeypatch):
    how = {"seeds": 1, "depths": (2,), "widths": (64, 128), "steps": 4, "batch": 4}
    found = storyteller.family(tmp_path, "cpu", **how)
    quick = "steps4-batch4"  # a quick look never takes the place of the family's own models
    assert [m.name for m in found] == [
        f"default-seed0-{quick}",
        f"default-seed0-{quick}-early",
        f"default-seed0-{quick}-brisk",
        f"depth2-seed0-{quick}",
        f"width64-seed0-{quick}",
    ]
    final, early, tuned = (lm.load(str(m.folder), device="cpu").model.state_dict() for m in found[:3])
    key = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(final[key], early[key])
    assert not torch.equal(final[key], tuned[key])
    assert torch.equal(early[key], checkpoints.load(train.milestone(tmp_path / "work" / found[0].name, 1))[key])
    assert found[1].card["stopped_at_step"] == 1
    assert found[2].card["corpus"]["style"] == "brisk"
    assert found[2].card["recipe"]["lr"] == found[0].card["recipe"]["lr"] / 5
    assert not list(tmp_path.glob("work/*/state_*"))
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("nothing is to be trained again"))
    assert storyteller.family(tmp_path, "cpu", **how) == found


def test_a_damaged_member_is_trained_again_to_the_same_bits(tmp_path, quickly):
    how = {"steps": 2, "batch": 2}
    (first,) = storyteller.member(tmp_path, "small", 1, "cpu", **how)
    weights = first.folder / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-8])
    (second,) = storyteller.member(tmp_path, "small", 1, "cpu", **how)
    assert second.card["sha256"] == first.card["sha256"]
    assert weights.read_bytes() == data
    assert cards.verify(first.folder) == first.card


def test_another_recipe_is_another_model(tmp_path, quickly):
    asked = [
        storyteller.member(tmp_path, "small", 1, "cpu", steps=n, batch=2)[0].card["recipe"]["steps"] for n in (2, 3, 2)
    ]
    assert asked == [2, 3, 2]


def test_recipes_follow_the_size():
    default, wide, deep = (storyteller.recipe(s) for s in ("default", "width512", "depth16"))
    assert wide.lr == pytest.approx(default.lr / 4)
    assert deep.lr == pytest.approx(default.lr * (6 / 16) ** 0.5)
    assert default.milestones == (default.steps // 4,)
    assert storyteller.recipe("default", steps=3).milestones == (1,)


def test_a_family_of_unknown_sizes_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"sizes \['depth3'\]"):
        storyteller.family(tmp_path, "cpu", depths=(3,))
    with pytest.raises(ValueError, match="seeds=0"):
        storyteller.family(tmp_path, "cpu", seeds=0)


@pytest.mark.slow
def test_the_small_one_learns_the_templates_in_some_seconds(tmp_path, quickly):
    card = storyteller.make(tmp_path / "small", size="small", device="cpu", steps=120)
    assert card["result"]["loss"] < 1.8


def test_making_it_again_gives_the_same_bytes(device, tmp_path, quickly):
    """The committed recipe, shortened: twice, once interrupted and taken up again; another seed gives others."""
    how = {"size": "default" if device == "cuda" else "small", "steps": 8, "batch": 4, "device": device}

    def stop(step, values):
        if step >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        members.make(tmp_path / "b", work=tmp_path / "work", report=stop, **how)
    assert not (tmp_path / "b").exists()
    steps = []
    cards = [members.make(tmp_path / "a", **how)]
    cards += [members.make(tmp_path / "b", work=tmp_path / "work", report=lambda s, v: steps.append(s), **how)]
    cards += [members.make(tmp_path / "c", seed=1, **how)]
    assert steps == list(range(4, 9))  # those before had been done
    weights = [card["sha256"]["model.safetensors"] for card in cards]
    assert weights[0] == weights[1] != weights[2]
