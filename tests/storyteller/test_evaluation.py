"""Held-out sequences for who speaks the world's words and who does not, and the evaluation of who knows all or nothing."""

import types

import pytest
import torch

from helpers import lm, storyteller
from helpers.lm import novels
from helpers.lm.loader import LM
from helpers.storyteller import evaluation, grammar, probes, sizes, tokenizer
from helpers.storyteller.world import ID


@pytest.fixture(scope="module")
def found():
    return LM("small", "folder", sizes.build("small", 0), tokenizer.build(), "cpu")


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


def test_a_storyteller_is_scored_on_stories_it_never_saw(found):
    x = storyteller.tokens(found, count=50, length=64, seed=3)
    assert x.dtype == torch.int64
    assert x.equal(torch.from_numpy(grammar.corpus(50, 3, split="held")))
    assert not x.equal(storyteller.tokens(found, count=50, length=64, seed=4))
    with pytest.raises(ValueError, match="at least one sequence of 2 to 128 tokens"):
        storyteller.tokens(found, count=1, length=129, seed=0)


def test_any_other_model_is_scored_on_a_text_and_not_evaluated(tmp_path):
    source = tmp_path / "text.txt"
    source.write_text("\n".join(f"line {i} of a text that is long enough to be cut" for i in range(600)))
    words = novels.tokenizer([source.read_text()], 300, 64)
    other = LM("other", "folder", sizes.build("small", 0, vocab=300), words, "cpu")
    assert not storyteller.speaks(other)
    asked = {"count": 5, "length": 20, "seed": 0, "text": str(source)}
    assert storyteller.tokens(other, **asked).equal(lm.tokens(other, **asked))
    with pytest.raises(ValueError, match="a vocabulary of 300 tokens that is not the storyteller's 216 words"):
        storyteller.evaluate(other)


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
    result = storyteller.evaluate(found, sequences=16, pairs=20, questions=20, stories=10)
    assert result["loss"] > 5
    assert result["exact"] == pytest.approx(grammar.costs(grammar.corpus(16, 0, split="held")).mean())
    assert result["excess"] == pytest.approx(result["loss"] - result["exact"])
    assert result["answers"] < 0.2
    assert result["violations"] > 900
    assert all(isinstance(v, float) for v in result.values())
    texts = storyteller.samples(found, 3)
    assert [len(texts[k]) for k in ("greedy", "sampled")] == [3, 3]
    assert all(t.startswith("<bos>") and len(t.split()) == 64 for k in texts for t in texts[k])
