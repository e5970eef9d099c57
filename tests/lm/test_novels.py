"""The novels' model at its smallest: trained, and loaded like any other model."""

import io
import tarfile

import pytest

from helpers import lm
from helpers.lm import novels

SHAPE = novels.Shape(vocab=300, context=16, layers=1, hidden=32, heads=2)
RECIPE = lm.Recipe(steps=12, batch=8, length=16, lr=5e-3, warmup=2, every=6)


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
