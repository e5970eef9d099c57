"""Prompts: what they say, in which order, and what is refused before anything runs."""

import numpy as np
import pytest
import torch

from helpers import lm
from helpers.separability.repair import config, prompts
from helpers.separability.repair.config import Repair, Symbols, parse_heads


@pytest.fixture(scope="module")
def storyteller():
    return lm.load("storyteller", device="cpu")


class Split:
    """A tokenizer that knows some names whole and spells all others."""

    bos_token_id, unk_token_id = 0, 1

    def __init__(self, whole):
        self.whole = {name: 300 + i for i, name in enumerate(whole)}

    def encode(self, text):
        parts = [[self.whole[w]] if w in self.whole else [ord(c) for c in w] for w in text.replace(",", " ,").split()]
        return [i for part in parts for i in part]

    def __call__(self, text, add_special_tokens=False):
        made = self.encode(text) if isinstance(text, str) else [self.encode(t) for t in text]
        return type("Encoded", (), {"input_ids": made})

    def get_vocab(self):
        return {}


def model_of(tokenizer):
    return lm.LM("a model", "folder", None, tokenizer, "cpu")


def check(made, words=None):
    """What every template's prompts satisfy."""
    n = len(made.tokens)
    assert made.tokens.shape == made.other.shape
    assert made.order.tolist() == [0, 1] * (n // 2), "both orders, equally many"
    for tokens, other, io, s, order in zip(made.tokens, made.other, made.io, made.s, made.order, strict=True):
        at = (tokens == s).nonzero().flatten().tolist()
        assert (tokens == io).sum() == 1
        assert len(at) == 2
        first = (tokens == io).nonzero().item()
        assert (at[0] > first) == (order == 0), "ABBA: the giver was named second"
        changed = (tokens != other).nonzero().flatten().tolist()
        assert set(changed) <= {first, *at}
        assert len({int(other[i]) for i in (first, *at)}) == 3, "the reference names three"


@pytest.mark.parametrize("template", [0, 7, 23])
def test_prompts_of_the_storyteller(storyteller, template):
    make, split = prompts.of_language(storyteller)
    made = make(template, 5, 1)
    check(made)
    assert not split
    assert len(made.tokens) == 10
    assert storyteller.tokenizer.decode(made.tokens[0]).startswith("<bos>")
    again = make(template, 5, 1)
    assert torch.equal(again.tokens, made.tokens)
    assert not torch.equal(make(template, 5, 2).tokens, made.tokens)


def test_the_storyteller_knows_what_follows(storyteller):
    make, _ = prompts.of_language(storyteller)
    for template in range(0, 24, 5):
        made = make(template, 3, 0)
        with torch.no_grad():
            logits = storyteller.model(made.tokens).logits[:, -1]
        assert torch.equal(logits.argmax(-1), made.io)


def test_english_prompts_and_names_that_are_split():
    make, split = prompts.of_language(model_of(Split(["Mary", "Tom", "Anna", "Bob"])))
    assert len(split) == len(prompts.NAMES) - 4
    for template in range(24):
        check(make(template, 6, 0))
    with pytest.raises(ValueError, match=r"a model: its tokenizer splits \d+ of \d+ names.*needs 3.*use a model with"):
        prompts.of_language(model_of(Split(["Mary", "Tom"])))


def test_there_are_24_templates_and_no_two_alike(storyteller):
    for texts, names in (prompts.texts_of(storyteller), (prompts.TEXTS, prompts.NAMES)):
        assert len({*texts}) == len(texts) == config.TEMPLATES
        assert len({*names}) == len(names)
        assert all(t.count("{A}") == t.count("{B}") == t.count("{S}") == 1 and t.endswith(" to") for t in texts)


def test_symbolic_prompts():
    symbols = Symbols()
    make, places = prompts.of_symbols(symbols), prompts.slots(symbols)
    assert len({tuple(p) for p in places.tolist()}) == 24
    assert places.max() < symbols.length - 1
    for template in (0, 11, 23):
        made = make(template, 4, 3)
        check(made)
        names = (made.tokens < symbols.names).numpy()
        assert (np.flatnonzero(names[0]) == places[template]).all()


def test_real_stories260k_keeps_three_names(real_data):
    folder = real_data / "stories260K" / "hf"
    if not folder.is_dir():
        pytest.skip(f"no stories260K in {real_data}")
    make, split = prompts.of_language(lm.load(str(folder), device="cpu"))
    assert {"Lily", "Tim", "Timmy"}.isdisjoint(split)
    check(make(4, 3, 0))


def test_heads_as_readers_write_them():
    assert parse_heads("found") == ()
    assert parse_heads("9.9, 9.6,10.0") == ((9, 9), (9, 6), (10, 0))
    for text in ("", "9", "9.9.9", "L9H9", "-1.0", "9.9,"):
        with pytest.raises(ValueError, match="write found"):
            parse_heads(text)
    with pytest.raises(ValueError, match="names a head twice"):
        parse_heads("1.1,1.1")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Repair(n_examples=0), "n_examples=0 is too few; use 1"),
        (
            lambda: Repair(condition="critic"),
            "condition='critic' is unknown; use one of all, baseline, critical, random",
        ),
        (lambda: Repair(heads=((9, 9),)), r"heads=9\.9: toy has blocks 0\.\.2 of heads 0\.\.7; use one up to 2\.7"),
        (lambda: Repair(seeds=3), "seeds=3, of the toy 2"),
        (lambda: Symbols(d=65), "d=65 is not a multiple of heads=8; use 64"),
        (lambda: Symbols(length=5), "length=5: too few places"),
        (lambda: Symbols(dropouts=(1.0,)), "dropouts="),
        (lambda: Symbols(steps=0), "steps=0"),
    ],
)
def test_what_cannot_work_is_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()


def test_the_layers_that_are_meant():
    from helpers.separability.repair import accounts

    assert list(accounts.late(12)) == [9, 10, 11]
    assert [list(accounts.late(n)) for n in (1, 3, 5, 6)] == [[0], [2], [3, 4], [4, 5]]
    assert Repair(n_examples=100).prompts == 144
    assert Repair(n_examples=1).prompts == 48
