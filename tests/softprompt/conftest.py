"""Small models of several kinds, untrained, and the storyteller: what soft prompts are put before."""

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from helpers import lm
from helpers.lm import LM
from helpers.softprompt.jobs import Job, Target
from helpers.storyteller import sizes, tokenizer

VOCAB = 216


@pytest.fixture(scope="session")
def tiny():
    """{kind: an untrained model of two layers} that speaks the storyteller's words."""
    words = tokenizer.build()
    assert isinstance(words, PreTrainedTokenizerFast)
    shape = sizes.Size(2, 64, positions=64)
    made = {kind: sizes.build(shape, 1, kind=kind) for kind in ("llama", "gpt2")}
    for model in made.values():
        model.get_output_embeddings().weight.data.mul_(20)  # as decided as a trained model: some texts can be said
    return {kind: LM(kind, "folder", model, words, "cpu") for kind, model in made.items()}


@pytest.fixture(scope="session")
def story():
    return lm.load("storyteller", device="cpu")


def draw(count, lengths, vocab=VOCAB, k=3, seed=0, name="job"):
    """Jobs with texts of some lengths, of random tokens."""
    rng = torch.Generator().manual_seed(seed)
    out = []
    for i in range(count):
        sizes_ = [lengths[(i + r) % len(lengths)] for r in range(2)]
        texts = tuple(
            Target(tuple(torch.randint(4, vocab, (n,), generator=rng).tolist()), r) for r, n in enumerate(sizes_)
        )
        out.append(Job((name, i), texts, k))
    return out


@pytest.fixture(scope="session")
def drawn():
    return draw
