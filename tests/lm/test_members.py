"""The family and the novels' model, at their smallest: trained once, read afterwards, loaded like any other model."""

import functools
import io
import tarfile

import pytest
import torch

from helpers import checkpoints, lm
from helpers.lm import artefact, evaluation, members, novels, train

SHAPE = novels.Shape(vocab=300, context=16, layers=1, hidden=32, heads=2)
RECIPE = lm.Recipe(steps=12, batch=8, length=16, lr=5e-3, warmup=2, every=6)


@pytest.fixture
def quickly(monkeypatch):
    """Evaluations with few of everything."""
    few = functools.partial(evaluation.evaluate, sequences=4, pairs=4, questions=4, stories=2)
    monkeypatch.setattr(members, "evaluate", few)


def test_a_family_is_trained_once_and_then_read(tmp_path, quickly, monkeypatch):
    how = {"seeds": 1, "depths": (2,), "widths": (64, 128), "steps": 4, "batch": 4}
    found = lm.family(tmp_path, "cpu", **how)
    assert [m.name for m in found] == [
        "default-seed0",
        "default-seed0-early",
        "default-seed0-brisk",
        "depth2-seed0",
        "width64-seed0",
    ]
    final, early, tuned = (lm.load(str(m.folder), device="cpu").model.state_dict() for m in found[:3])
    key = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(final[key], early[key])
    assert not torch.equal(final[key], tuned[key])
    assert torch.equal(early[key], checkpoints.load(train.milestone(tmp_path / "work" / "default-seed0", 1))[key])
    assert found[1].card["stopped_at_step"] == 1
    assert found[2].card["corpus"]["style"] == "brisk"
    assert found[2].card["recipe"]["lr"] == found[0].card["recipe"]["lr"] / 5
    assert not list(tmp_path.glob("work/*/state_*"))
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("nothing is to be trained again"))
    assert lm.family(tmp_path, "cpu", **how) == found


def test_a_damaged_member_is_trained_again_to_the_same_bits(tmp_path, quickly):
    how = {"steps": 2, "batch": 2}
    (first,) = lm.member(tmp_path, "small", 1, "cpu", **how)
    weights = first.folder / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-8])
    (second,) = lm.member(tmp_path, "small", 1, "cpu", **how)
    assert second.card["sha256"] == first.card["sha256"]
    assert weights.read_bytes() == data
    assert artefact.verify(first.folder) == first.card


def test_recipes_follow_the_size():
    default, wide, deep = (lm.recipe(s) for s in ("default", "width512", "depth16"))
    assert wide.lr == pytest.approx(default.lr / 4)
    assert deep.lr == pytest.approx(default.lr * (6 / 16) ** 0.5)
    assert default.milestones == (default.steps // 4,)
    assert lm.recipe("default", steps=3).milestones == (1,)


def test_a_family_of_unknown_sizes_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"sizes \['depth3'\]"):
        lm.family(tmp_path, "cpu", depths=(3,))
    with pytest.raises(ValueError, match="seeds=0"):
        lm.family(tmp_path, "cpu", seeds=0)


@pytest.mark.slow
def test_the_small_one_learns_the_templates_in_half_a_minute(tmp_path):
    card = lm.make(tmp_path / "small", size="small", device="cpu")
    assert card["result"]["loss"] < 1.8


def archive(folder, **texts):
    path = folder / "novels.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in texts.items():
            data = text if isinstance(text, bytes) else text.encode()
            info = tarfile.TarInfo(f"corpus/{name}.txt")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def books(tmp_path):
    text = lambda word: "".join(f"{word} number {i} went out, and came back.\r\n" for i in range(400))
    return archive(tmp_path, b_second=text("owl"), a_first=text("fox"))


def test_novels_are_read_in_order_and_split_at_their_ends(books):
    first, second = novels.read(books)
    assert first.startswith("fox")
    assert second.startswith("owl")
    assert "\r" not in first
    ends = novels.read(books, "held")
    assert [len(e) for e in ends] == [int((len(e) + len(t)) * 0.02) for e, t in zip(ends, (first, second), strict=True)]
    assert (second + ends[1]).endswith("owl number 399 went out, and came back.\n")
    assert novels.read(books.read_bytes()) == [first, second]


def test_the_novels_model_is_trained_loaded_and_scored(books, tmp_path):
    card = novels.make(tmp_path / "lm", books, recipe=RECIPE, shape=SHAPE, device="cpu")
    again = novels.make(tmp_path / "again", books, recipe=RECIPE, shape=SHAPE, device="cpu")
    assert card["sha256"] == again["sha256"]
    found = lm.load(str(tmp_path / "lm"), device="cpu")
    assert found.parameters == card["parameters"]
    assert found.tokenizer.decode(found.tokenizer("a fox, élan\n")["input_ids"]) == "a fox, élan\n"
    rows = lm.tokens(found, count=3, length=16, seed=0, text=str(books))
    held = "\n".join(novels.read(books, "held"))
    for row in rows:
        kept = row[1:] if row[0] == found.tokenizer.bos_token_id else row
        assert found.tokenizer.decode(kept) in held
    assert lm.score(found, rows)["nats"] < 5.7 - 0.5
    assert card["result"]["bits_per_byte"] < card["result"]["loss"] / 0.693


def test_archives_that_cannot_be_read(tmp_path, books):
    with pytest.raises(FileNotFoundError):
        novels.read(tmp_path / "none.tar.gz")
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(books.read_bytes()[:300])
    with pytest.raises(ValueError, match="is not a whole tar archive"):
        novels.read(bad)
    with pytest.raises(ValueError, match=r"holds 0 \.txt files"):
        novels.read(archive(tmp_path))
    with pytest.raises(ValueError, match="not UTF-8"):
        novels.read(archive(tmp_path, a=b"\xff\xfe\xff"))
    with pytest.raises(ValueError, match="split='all'"):
        novels.read(books, "all")
    with pytest.raises(ValueError, match="multiple of heads"):
        novels.Shape(hidden=30, heads=4)
    with pytest.raises(ValueError, match="length=32 is more than the context of 16"):
        novels.make(tmp_path / "x", books, recipe=lm.Recipe(steps=1, length=32), shape=SHAPE, device="cpu")
    with pytest.raises(ValueError, match=r"gives a vocabulary of .* tokens, not 8192"):
        novels.make(tmp_path / "x", archive(tmp_path, a="short " * 9), recipe=RECIPE, shape=novels.Shape(context=16))


def test_making_it_again_gives_the_same_bytes(device, tmp_path, quickly):
    """The committed recipe, shortened: twice, once interrupted and taken up again; another seed gives others."""
    how = {"size": "default" if device == "cuda" else "small", "steps": 20, "batch": 8, "device": device}

    def stop(step, values):
        if step >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        members.make(tmp_path / "b", work=tmp_path / "work", report=stop, **how)
    assert not (tmp_path / "b").exists()
    steps = []
    cards = [members.make(tmp_path / "a", **how)]
    cards += [members.make(tmp_path / "b", work=tmp_path / "work", report=lambda s, v: steps.append(s), **how)]
    cards += [members.make(tmp_path / "c", seed=1, **how)]
    assert steps == list(range(10, 21))  # those before had been done
    weights = [card["sha256"]["model.safetensors"] for card in cards]
    assert weights[0] == weights[1] != weights[2]
