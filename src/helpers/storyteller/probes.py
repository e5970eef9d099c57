"""What a storyteller should know: who is given something, what the answer is, and which sentences the world allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from helpers import devices
from helpers.storyteller.grammar import LENGTH, style_of, words_of
from helpers.storyteller.story import Story, tell
from helpers.storyteller.voices import Broken, Ended, Reader, uniforms
from helpers.storyteller.world import BOS, EOS, ID, PLAIN, Style

PROMPT = (
    16  # tokens of an indirect-object prompt: <bos> when mary and john went to the garden , john gave the red ball to
)
ORDERS = ("ABBA", "BABA")


@dataclass(frozen=True)
class Pairs:
    """Indirect-object prompts (n, 16) up to 'to', the name that must follow (n,), the giver's (n,), and the order of names.

    ABBA: the giver was named second ('mary and john … john gave … to'); BABA: first.
    """

    prompts: Tensor
    correct: Tensor
    wrong: Tensor
    orders: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A story up to a question's '?', its one right answer, both as token ids, and what was asked."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    kind: str


def ioi_pairs(n: int, seed: int, *, style: str | Style = PLAIN) -> Pairs:
    """`n` openings of held-out stories, the two orders in turn. Raises ValueError when n is not positive and even."""
    if n < 2 or n % 2:
        raise ValueError(f"n={n}: an even number of pairs, at least 2, so that both orders are equally many")
    found: dict[str, list[list[str]]] = {order: [] for order in ORDERS}
    for words in _stories("ioi", seed, style_of(style)):
        rows = found["ABBA" if words[4] == words[10] else "BABA"]
        if len(rows) < n // 2:
            rows.append(words)
        if all(len(rows) == n // 2 for rows in found.values()):
            break
    both = [words for pair in zip(*found.values(), strict=True) for words in pair]
    ids = torch.tensor([[ID[w] for w in words[: PROMPT + 1]] for words in both])  # (n, 17)
    return Pairs(ids[:, :PROMPT], ids[:, PROMPT], ids[:, 10], ORDERS * (n // 2))


def qa_pairs(n: int, seed: int, *, style: str | Style = PLAIN, longest: int = LENGTH) -> list[Question]:
    """`n` questions of held-out stories, in the mix of the style; story and answer fit into `longest` tokens."""
    if n < 1:
        raise ValueError(f"n={n}: at least one question was expected")
    out: list[Question] = []
    for words in _stories("qa", seed, style_of(style)):
        for at in [i for i, w in enumerate(words) if w == "?"]:
            end = words.index(".", at)
            if end <= longest and len(out) < n:
                out.append(
                    Question(
                        tuple(ID[w] for w in words[: at + 1]),
                        tuple(ID[w] for w in words[at + 1 : end]),
                        _asked(words[:at]),
                    )
                )
        if len(out) == n:
            return out
    raise AssertionError("stories never end")


def _asked(before: Sequence[str]) -> str:
    start = max(i for i, w in enumerate(before) if w in (BOS, ".")) + 1
    first, *rest = before[start:]
    if first != "what":
        return first
    return "colour" if rest[0] == "colour" else "fact" if rest[1] == "a" else "sum"


def _stories(what: str, seed: int, style: Style) -> Iterable[list[str]]:
    numbers = uniforms(devices.numpy_rng("storyteller", style.name, "held", int(seed), what))
    while True:
        yield tell(style, numbers)


def violations(texts: Sequence[Sequence[str]] | Sequence[Sequence[int]] | Tensor | np.ndarray) -> dict[str, float]:
    """How often generated texts break the grammar or contradict their own story.

    texts: words or token ids of texts that start at <bos>; what follows <eos> is read as the next story. A sentence
    counts once: 'world' when a word of the right class is wrong (a false answer, someone who does not hold the thing,
    an unknown person), else 'form'; an end that is missing or comes too early counts as a broken sentence. What a broken
    sentence introduced stays unknown to those after it; a last sentence that the text's end cuts off is not judged.
    Returns sentences, form, world, and per_thousand, both kinds together.
    """
    judge = Judge()
    for text in texts:
        judge.read(list(text) if len(text) and isinstance(text[0], str) else words_of(text))
    found = judge.found
    counts = {k: float(found[k]) for k in ("sentences", "form", "world")}
    return counts | {"per_thousand": 1000 * (found["form"] + found["world"]) / max(1, found["sentences"])}


class Judge:
    """Reads texts sentence by sentence and counts in `found` what it reads and what is wrong."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()

    def read(self, words: Sequence[str]) -> None:
        reader = Reader(words)
        try:
            while True:
                self._document(reader)
        except Ended:
            return

    def _document(self, reader: Reader) -> None:
        """One story, whatever it looks like; leaves the reader after it."""
        if reader.peek() != BOS:
            return self._blame(reader, Broken(reader.peek(), [BOS]), over_end=True)
        reader.say(BOS)
        story = Story(PLAIN)
        self._sentence(reader, story.opening)
        while reader.peek() != BOS:
            try:
                if story.over(reader):
                    return None
            except Broken as error:  # the story ends too early, or goes on for too long
                ends = reader.peek() == EOS
                self._blame(reader, error, over_end=ends)
                if ends:
                    return None
            else:
                self._sentence(reader, story.sentence)
        return self._blame(reader, Broken(BOS, [EOS]))

    def _sentence(self, reader: Reader, step: Callable[[Reader], None]) -> None:
        try:
            step(reader)
        except Broken as error:
            self._blame(reader, error)
        else:
            self.found["sentences"] += 1

    def _blame(self, reader: Reader, error: Broken, *, over_end: bool = False) -> None:
        """Count a violation and go to the next sentence: after the next full stop, or at the story's end, or over it."""
        self.found["world" if error.against_the_world else "form"] += 1
        self.found["sentences"] += 1
        reader.pending = 0.0
        while reader.at < len(reader.words) and reader.words[reader.at] not in (BOS, EOS):
            reader.at += 1
            if reader.words[reader.at - 1] == ".":
                return
        if over_end and reader.at < len(reader.words) and reader.words[reader.at] == EOS:
            reader.at += 1
