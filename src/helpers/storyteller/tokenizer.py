"""The storyteller's tokenizer: one token a word, split at spaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.storyteller.world import BOS, EOS, ID, PAD, UNK

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def build(length: int = 128) -> PreTrainedTokenizerBase:
    """A Hugging Face tokenizer of the world's words; `save_pretrained` and AutoTokenizer write and read it offline.

    length: the longest input its models take, in tokens.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(dict(ID), unk_token=UNK))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNK,
        model_max_length=length,
        clean_up_tokenization_spaces=False,
    )
