"""Sizes, the tokenizer, and the committed storyteller."""

import pytest
import torch

from helpers import lm, storyteller
from helpers.lm.loader import ASSETS
from helpers.storyteller import card as cards
from helpers.storyteller import grammar, sizes, tokenizer


def count(model):
    return sum(p.numel() for p in model.parameters())


def test_sizes_keep_what_they_promise():
    assert count(sizes.build("small")) <= 300_000
    assert 1_000_000 <= count(sizes.build("default")) <= 2_000_000
    for name, size in sizes.SIZES.items():
        assert size.hidden % 64 == 0
        if name.startswith("depth"):
            assert (size.layers, size.hidden) == (int(name[5:]), 128)
        if name.startswith("width"):
            assert (size.layers, size.hidden) == (6, int(name[5:]))


@pytest.mark.parametrize("kind", sizes.TYPES)
def test_models_are_seeded_and_causal(kind):
    a, b = (sizes.build("small", s, kind=kind) for s in (0, 1))
    state = torch.get_rng_state()
    again = sizes.build("small", 0, kind=kind)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in a.state_dict().items())
    assert not torch.equal(a.get_input_embeddings().weight, b.get_input_embeddings().weight)
    assert a.get_input_embeddings().weight.data_ptr() != a.get_output_embeddings().weight.data_ptr()
    x = torch.arange(4, 24)[None]
    y = x.clone()
    y[:, 10:] += 1
    with torch.no_grad():
        assert torch.allclose(a(input_ids=x).logits[:, :10], a(input_ids=y).logits[:, :10], atol=1e-5)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="size='huge' is unknown; there are small, default"):
        sizes.build("huge")
    with pytest.raises(ValueError, match="kind='rnn' is unknown"):
        sizes.build("small", kind="rnn")
    with pytest.raises(ValueError, match="hidden=100"):
        sizes.Size(1, 100)


def test_tokenizer_reads_and_writes_words_and_survives_a_folder(tmp_path):
    from transformers import AutoTokenizer

    words = tokenizer.build()
    words.save_pretrained(tmp_path)
    for found in (words, AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)):
        text = "<bos> when mary and john went to the garden , john gave the red ball to mary . <eos>"
        assert [grammar.WORDS[i] for i in found(text)["input_ids"]] == text.split()
        assert found.decode(found(text)["input_ids"]) == text
        assert found("mary zebra")["input_ids"][1] == found.unk_token_id
        assert (found.bos_token, found.eos_token, found.pad_token) == ("<bos>", "<eos>", "<pad>")


def test_the_committed_storyteller_is_what_its_card_says():
    """Its files by sha256; its size; and its loss, measured here, equals the card's to what another device may change."""
    card, found = cards.verify(), lm.load("storyteller", device="cpu")
    assert (ASSETS / "model.safetensors").stat().st_size <= 8_000_000
    assert card["parameters"] == count(found.model) == found.parameters
    measured = storyteller.evaluate(found, stories=2)
    assert measured["loss"] == pytest.approx(card["result"]["loss"], abs=2e-3)
    assert measured["exact"] == pytest.approx(card["result"]["exact"], abs=1e-9)
    assert measured["loss"] > measured["exact"]
    assert measured["ioi"] > 0.95


def test_an_artefact_is_written_byte_for_byte_and_checked(tmp_path):
    model, how = sizes.build("small"), storyteller.recipe("small", steps=1)
    facts = {"sequences": 1, "style": "plain", "seed": 0, "sha256": "sha256:0"}
    for name in "ab":
        card = cards.write(tmp_path / name, model, how, size="small", corpus=facts, result={"loss": 1.25})
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()
    assert cards.verify(tmp_path / "a") == cards.verify(tmp_path / "b")
    assert card["recipe"]["steps"] == 1
    assert "| loss | 1.25 |" in (tmp_path / "a" / "README.md").read_text()
    assert not list(tmp_path.glob(".*"))
    state = lm.load(str(tmp_path / "a"), device="cpu").model.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    weights = tmp_path / "a" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ValueError, match="is not what its card says"):
        cards.verify(tmp_path / "a")
    weights.unlink()
    with pytest.raises(FileNotFoundError, match="is missing"):
        cards.verify(tmp_path / "a")
