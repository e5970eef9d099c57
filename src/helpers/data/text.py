"""Real text: the documentation or the source that ships with every CPython, any file, or tinyshakespeare; and its tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from helpers import files
from helpers.data.fetch import FILES, fetch, lines_of, read_bytes

MODULES = (  # of the standard library, in every CPython that the book runs on
    "calendar", "configparser", "csv", "difflib", "fractions", "heapq", "optparse", "queue", "shlex", "string", "textwrap",
    "trace",
)  # fmt: skip
LEAST = 10_000  # characters; less cannot be split into training, validation and test


@dataclass(frozen=True)
class Text:
    """A text and where it came from; digest is of its UTF-8 bytes."""

    name: str
    content: str

    @property
    def digest(self) -> str:
        return files.digest(self.content)

    @property
    def _lines(self) -> list[str]:
        """Its lines with their ends."""
        return re.findall(r"[^\n]*\n|[^\n]+", self.content)

    def tokens(self, vocab: int) -> tuple[np.ndarray, list[str]]:
        """Byte-pair tokens (N,) of a vocabulary trained on this text (Sennrich et al. 2016), and each token's string.

        Raises ValueError when the text has more different bytes than `vocab`, or too few pairs to fill it.
        """
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(vocab_size=vocab, show_progress=False, min_frequency=2)
        tokenizer.train_from_iterator(self._lines, trainer)
        found = tokenizer.get_vocab_size()
        if found != vocab:
            raise ValueError(
                f"{self.name} gives a vocabulary of {found} tokens, not {vocab}; "
                + (
                    "use a larger vocab: it has that many different bytes"
                    if found > vocab
                    else "use a smaller vocab or more text"
                )
            )
        encoded = tokenizer.encode_batch(self._lines)
        names = [tokenizer.id_to_token(i) for i in range(found)]
        return np.concatenate([np.array(e.ids, np.int64) for e in encoded]), names


def load_text(source: str = "embedded") -> Text:
    """A text by name ('embedded', 'tinyshakespeare') or from a file, plain or gzip, in UTF-8.

    Raises FileNotFoundError for a path that is not there, ValueError for one that is binary, empty or too short, and
    what `fetch` raises.
    """
    if source == "embedded":
        from pydoc_data.topics import topics

        return Text("Python documentation topics", "\n".join(topics[k] for k in sorted(topics)))
    path = fetch(source) if source in FILES else source
    raw = read_bytes(path)
    try:
        content = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text (byte {error.start} is {raw[error.start]:#x}); convert it first"
        ) from error
    if "\0" in content:
        raise ValueError(f"{path} holds zero bytes: it is a binary file, not text")
    if len(content) < LEAST:
        raise ValueError(f"{path} has {len(content)} characters; at least {LEAST} are needed to train and to test")
    return Text(str(source).rpartition("/")[2], "\n".join(lines_of(content)))


def load_code(source: str = "embedded") -> Text:
    """The source of Python modules that ships with every CPython, in ASCII; or a file, as `load_text` reads it."""
    if source != "embedded":
        return load_text(source)
    from importlib.util import find_spec

    lines = "\n".join(find_spec(name).loader.get_source(name) for name in MODULES).splitlines()
    return Text("Python standard library, source", "\n".join(line for line in lines if line.isascii()))
