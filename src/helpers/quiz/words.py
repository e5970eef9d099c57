"""The quiz's words: those of the stories, and what other wordings of a question need; one token a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.storyteller.world import BOS, EOS, PAD, UNK
from helpers.storyteller.world import WORDS as STORIES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

EXTRA = "holds held with whom by it place can be much makes does make from feel feels reason for"
WORDS = tuple(dict.fromkeys((*STORIES, *EXTRA.split())))
ID = {word: i for i, word in enumerate(WORDS)}


def tokenizer(length: int = 128) -> PreTrainedTokenizerBase:
    """A Hugging Face tokenizer of these words, split at spaces. length: the longest input its models take, in tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(dict(ID), unk_token=UNK))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=BOS, eos_token=EOS, pad_token=PAD, unk_token=UNK,
        model_max_length=length, clean_up_tokenization_spaces=False,
    )  # fmt: skip
