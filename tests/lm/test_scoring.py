"""Scores against Hugging Face's own loss, held-out sequences, text, and the evaluation of who knows all or nothing."""

import types

import pytest
import torch

from helpers import lm
from helpers.lm import evaluation, grammar, probes, storyteller, tokenizer
from helpers.lm.loader import LM
from helpers.lm.world import ID


@pytest.fixture(scope="module")
def found():
    return LM("small", "folder", storyteller.build("small", 0), tokenizer.build(), "cpu")


class Oracle(torch.nn.Module):
    """Gives the true next token of `rows` (or, where wrong, another one) the logit `gap`, all others zero."""

    def __init__(self, rows, gap=1.0):
        super().__init__()
        self.config = types.SimpleNamespace(vocab_size=len(ID))
        self.device, self.gap, self.training = torch.device("cpu"), gap, False
        self.rows = {tuple(r[: cut + 1]): r[cut + 1] for r in rows for cut in range(len(r) - 1)}

    def forward(self, input_ids, **_):
        logits = torch.zeros(*input_ids.shape, len(ID))
        for b, row in enumerate(input_ids.tolist()):
            for t in range(len(row)):
                if (known := self.rows.get(tuple(row[: t + 1]))) is not None:
                    logits[b, t, known] = self.gap
        return types.SimpleNamespace(logits=logits)


def test_scores_are_hugging_faces_loss(found):
    x = lm.tokens(found, count=7, length=30, seed=0)
    result = lm.score(found, x, batch=3)
    with torch.no_grad():
        each = [float(found.model(input_ids=r[None], labels=r[None]).loss) for r in x]
    assert result["nll"].tolist() == pytest.approx(each, rel=1e-5)
    assert result["nats"] == pytest.approx(sum(each) / 7, rel=1e-5)
    assert torch.allclose(lm.costs(found.model, x), lm.costs(found, x, batch=1), atol=1e-5)


def test_a_storyteller_is_scored_on_stories_it_never_saw(found):
    x = lm.tokens(found, count=50, length=64, seed=3)
    assert x.dtype == torch.int64
    assert x.equal(torch.from_numpy(grammar.corpus(50, 3, split="held")))
    assert not x.equal(lm.tokens(found, count=50, length=64, seed=4))


def test_any_other_model_is_scored_on_a_text(tmp_path):
    from helpers.lm import novels

    source = tmp_path / "text.txt"
    source.write_text("\n".join(f"line {i} of a text that is long enough to be cut" for i in range(600)))
    words = novels.tokenizer([source.read_text()], 300, 64)
    other = LM("other", "folder", storyteller.build("small", 0, vocab=300), words, "cpu")
    x = lm.tokens(other, count=5, length=20, seed=0, text=str(source))
    assert x.shape == (5, 20)
    assert x.equal(lm.tokens(other, count=5, length=20, seed=0, text=str(source)))
    assert not x.equal(lm.tokens(other, count=5, length=20, seed=1, text=str(source)))
    every = words.decode(words(source.read_text())["input_ids"])
    assert all(words.decode(row) in every for row in x)
    with pytest.raises(ValueError, match=r"pieces of 128; 10000 were asked for"):
        lm.tokens(other, count=10_000, length=128, seed=0, text=str(source))
    with pytest.raises(ValueError, match="a vocabulary of 300 tokens that is not the storyteller's 216 words"):
        lm.evaluate(other)
    with pytest.raises(ValueError, match="at least one sequence of 2 to 128 tokens"):
        lm.tokens(other, count=1, length=129, seed=0)


def test_greedy_text_is_the_likeliest_token_each_time(found):
    prompts = lm.tokens(found, count=3, length=6, seed=0)
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


def test_one_who_knows_all_and_one_who_errs():
    pairs, questions = probes.ioi_pairs(20, 0), probes.qa_pairs(40, 0)
    right = torch.cat([pairs.prompts, pairs.correct[:, None]], 1).tolist()
    rows = right + [list(q.prompt + q.answer) for q in questions]
    knows, errs = Oracle(rows, 2.5), Oracle(rows, -1.0)
    assert evaluation.indirect_objects(knows, pairs) == {"ioi": 1, "ioi_gap": 2.5, "ioi_abba": 1, "ioi_baba": 1}
    assert evaluation.indirect_objects(errs, pairs)["ioi_gap"] == -1
    assert evaluation.answers(knows, questions, batch=7)["answers"] == 1
    assert evaluation.answers(errs, questions)["answers"] == 0
    half = Oracle(rows[:20:2] + rows[20:40], 1.0)
    assert evaluation.indirect_objects(half, pairs) == {"ioi": 0.5, "ioi_gap": 0.5, "ioi_abba": 1, "ioi_baba": 0}
    assert evaluation.answers(half, questions)["answers"] == 0.5


def test_an_untrained_model_is_at_chance_in_everything(found):
    result = lm.evaluate(found, sequences=16, pairs=20, questions=20, stories=10)
    assert result["loss"] > 5
    assert result["exact"] == pytest.approx(grammar.costs(grammar.corpus(16, 0, split="held")).mean())
    assert result["excess"] == pytest.approx(result["loss"] - result["exact"])
    assert result["answers"] < 0.2
    assert result["violations"] > 900
    assert all(isinstance(v, float) for v in result.values())
    texts = lm.samples(found, 3)
    assert [len(texts[k]) for k in ("greedy", "sampled")] == [3, 3]
    assert all(t.startswith("<bos>") and len(t.split()) == 64 for k in texts for t in texts[k])
