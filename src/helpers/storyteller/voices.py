"""The two voices of a story: one draws each choice, the other reads it from a text with its exact probability."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from math import log

import numpy as np

from helpers.storyteller.world import CLASS, EOS, Table


class Broken(Exception):
    """The text has a token that the grammar cannot put there. options: what it could have put."""

    def __init__(self, word: str, options: Sequence[str]):
        self.word, self.options = word, tuple(options)
        super().__init__(f"{word!r} where the grammar has {', '.join(self.options[:8]) or 'nothing'}")

    @property
    def against_the_world(self) -> bool:
        """Whether a word of the right class was wrong: a false answer, an unknown person; otherwise the form is wrong."""
        kind = CLASS.get(self.word)
        return kind not in ("glue", "special") and kind in {CLASS.get(o) for o in self.options}


class Ended(Exception):
    """The text stopped in the middle of a story."""


def uniforms(rng: np.random.Generator) -> Iterator[float]:
    """Numbers in [0, 1), drawn in blocks."""
    while True:
        yield from rng.random(1 << 14).tolist()


class Teller:
    """Draws every choice from `numbers` and keeps the words."""

    def __init__(self, numbers: Iterator[float]):
        self.numbers, self.words = numbers, []

    def say(self, *words: str) -> None:
        self.words += words

    def pick(self, options: Table) -> str:
        word = options.draw(next(self.numbers))
        self.words += word.split()
        return word

    def one(self, options: list[str]) -> str:
        """One of equally likely words."""
        word = options[int(next(self.numbers) * len(options))]
        self.words.append(word)
        return word

    def draw(self, options: Sequence[tuple[str, ...]]) -> Callable[[], str]:
        """Choose one of equally likely tuples; each call of what is returned says the tuple's next word."""
        rest = iter(options[int(next(self.numbers) * len(options))])

        def reveal() -> str:
            word = next(rest)
            self.words.append(word)
            return word

        return reveal

    def route(self, options: Table, of: Callable[[str], str | None]) -> str:
        """Choose a kind of sentence; it shows in the next word."""
        return options.draw(next(self.numbers))

    def ends(self, p: float) -> bool:
        """Whether the story ends here, which has probability p; says <eos> if so."""
        if end := next(self.numbers) < p:
            self.words.append(EOS)
        return end


class Reader:
    """Follows `words` from position `at`; costs[i] is the exact -log p (nats) of words[i] given those before it."""

    def __init__(self, words: Sequence[str], at: int = 0):
        self.words, self.at, self.pending = words, at, 0.0
        self.costs = [0.0] * len(words)

    def peek(self) -> str:
        if self.at >= len(self.words):
            raise Ended
        return self.words[self.at]

    def take(self, p: float) -> str:
        word = self.peek()
        self.costs[self.at] = self.pending - log(p)
        self.at, self.pending = self.at + 1, 0.0
        return word

    def say(self, *words: str) -> None:
        for word in words:
            if self.peek() != word:
                raise Broken(self.peek(), [word])
            self.take(1.0)

    def pick(self, options: Table) -> str:
        found = self.peek()
        if found in options.p:
            return self.take(options.p[found])
        for phrase, p in options.p.items():  # options of several words differ in their first
            first, *rest = phrase.split()
            if first == found:
                self.take(p)
                self.say(*rest)
                return phrase
        raise Broken(found, [o.split()[0] for o in options.words])

    def one(self, options: list[str]) -> str:
        if self.peek() not in options:
            raise Broken(self.peek(), options)
        return self.take(1 / len(options))

    def draw(self, options: Sequence[tuple[str, ...]]) -> Callable[[], str]:
        left, place = list(options), count()

        def reveal() -> str:
            nonlocal left
            i, found = next(place), self.peek()
            kept = [o for o in left if o[i] == found]
            if not kept:
                raise Broken(found, list(dict.fromkeys(o[i] for o in left)))
            word = self.take(len(kept) / len(left))
            left = kept
            return word

        return reveal

    def route(self, options: Table, of: Callable[[str], str | None]) -> str:
        kind = of(self.peek())
        if kind not in options.p:
            raise Broken(self.peek(), [])
        self.pending -= log(options.p[kind])
        return kind

    def ends(self, p: float) -> bool:
        end = self.peek() == EOS
        if (p if end else 1 - p) <= 0:
            raise Broken(self.peek(), [] if end else [EOS])
        if end:
            self.take(p)
        else:
            self.pending -= log(1 - p)
        return end


Voice = Teller | Reader
