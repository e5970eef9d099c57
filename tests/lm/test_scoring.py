"""Scores against Hugging Face's own loss, held-out sequences and text."""

import pytest
import torch

from helpers import lm
from helpers.lm import scoring
from helpers.lm.loader import LM
from helpers.storyteller import grammar, sizes, tokenizer
from helpers.storyteller.world import ID


@pytest.fixture(scope="module")
def found():
    return LM("small", "folder", sizes.build("small", 0), tokenizer.build(), "cpu")


def stories(count, length, seed):
    return torch.from_numpy(grammar.corpus(count, seed, length=length, split="held"))


def test_scores_are_hugging_faces_loss(found):
    x = stories(7, 30, 0)
    result = lm.score(found, x, batch=3)
    with torch.no_grad():
        each = [float(found.model(input_ids=r[None], labels=r[None]).loss) for r in x]
    assert result["nll"].tolist() == pytest.approx(each, rel=1e-5)
    assert result["nats"] == pytest.approx(sum(each) / 7, rel=1e-5)
    assert torch.allclose(scoring.costs(found.model, x), scoring.costs(found, x, batch=1), atol=1e-5)


def test_any_other_model_is_scored_on_a_text(tmp_path):
    from helpers.lm import novels

    source = tmp_path / "text.txt"
    source.write_text("\n".join(f"line {i} of a text that is long enough to be cut" for i in range(600)))
    words = novels.tokenizer([source.read_text()], 300, 64)
    other = LM("other", "folder", sizes.build("small", 0, vocab=300), words, "cpu")
    x = lm.tokens(other, count=5, length=20, seed=0, text=str(source))
    assert x.shape == (5, 20)
    assert x.equal(lm.tokens(other, count=5, length=20, seed=0, text=str(source)))
    assert not x.equal(lm.tokens(other, count=5, length=20, seed=1, text=str(source)))
    every = words.decode(words(source.read_text())["input_ids"])
    assert all(words.decode(row) in every for row in x)
    with pytest.raises(ValueError, match=r"pieces of 128; 10000 were asked for"):
        lm.tokens(other, count=10_000, length=128, seed=0, text=str(source))
    with pytest.raises(ValueError, match="at least one sequence of 2 to 128 tokens"):
        lm.tokens(other, count=1, length=129, seed=0)


def test_greedy_text_is_the_likeliest_token_each_time(found):
    prompts = stories(3, 6, 0)
    out, x = lm.generate(found, prompts, 5), prompts
    with torch.no_grad():
        for _ in range(5):
            x = torch.cat([x, found.model(input_ids=x, use_cache=False).logits[:, -1:].argmax(-1)], 1)
    assert out.equal(x)


def test_sampled_text_is_seeded_and_follows_the_probabilities(found):
    start = torch.full((4000, 1), ID["<bos>"])
    a = lm.generate(found, start, 1, temperature=0.5, seed=1)
    assert a.equal(lm.generate(found, start, 1, temperature=0.5, seed=1))
    assert not a.equal(lm.generate(found, start, 1, temperature=0.5, seed=2))
    with torch.no_grad():
        p = (found.model(input_ids=start[:1]).logits[0, -1] / 0.5).softmax(-1)
    seen = torch.bincount(a[:, 1], minlength=len(ID)) / 4000
    assert float((seen - p).abs().max()) < 5 * float((p.max() / 4000).sqrt())
    with pytest.raises(ValueError, match="new=0"):
        lm.generate(found, start, 0)


@pytest.mark.parametrize("text", [" ", "mary " * 600, "zebra quantum"])
def test_a_prompt_that_cannot_be_continued_is_refused(text):
    from helpers.lm import held

    found = lm.load("storyteller", device="cpu")
    with pytest.raises(ValueError, match=r"prompt='"):
        held.prompt(found, text)
    assert (
        held.prompt(found, "mary went to the garden").tolist()
        == found.tokenizer("mary went to the garden")["input_ids"]
    )
