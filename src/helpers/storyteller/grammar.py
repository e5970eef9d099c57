"""The storyteller's grammar: its corpora, the exact probability of every token, its entropy, and what breaks it.

A corpus is packed: each sequence starts at the start of a document; documents follow one another and the last one is
cut at the sequence's end. No padding is needed, and every token's exact probability given what the sequence shows
before it is known, because a document does not depend on those before it.

Training and held-out corpora come from different streams of random numbers: the split is part of the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from math import log
from multiprocessing import get_context

import numpy as np

from helpers import devices
from helpers.storyteller import world
from helpers.storyteller.story import OBJECT, Story, tell
from helpers.storyteller.voices import Broken, Ended, Reader, uniforms
from helpers.storyteller.world import BOS, ID, MOST, PLAIN, STYLES, WORDS, Style

SPLITS = ("train", "held")
CHUNK = 500  # sequences that share a stream of random numbers
LENGTH = 64


def style_of(style: str | Style) -> Style:
    """A style by its name. Raises ValueError for an unknown one."""
    if isinstance(style, str) and style not in STYLES:
        raise ValueError(f"style={style!r} is unknown; there are {', '.join(STYLES)}")
    return STYLES[style] if isinstance(style, str) else style


def documents(count: int, seed: int, *, split: str = "held", style: str | Style = PLAIN) -> list[list[str]]:
    """`count` stories as words, each from <bos> to <eos>; 'held' stories come from a stream that no training uses."""
    numbers = _stream(style_of(style), split, seed, "documents")
    return [tell(style_of(style), numbers) for _ in range(_positive("count", count))]


def corpus(
    count: int, seed: int, *, length: int = LENGTH, split: str = "train", style: str | Style = PLAIN, workers: int = 1
) -> np.ndarray:
    """(count, length) int64 token ids: packed sequences, each starting at <bos>.

    workers: processes that share the work; the result is the same for any number. Raises ValueError for bad values.
    """
    style = style_of(style)
    if not length >= 2:
        raise ValueError(f"length={length}: a sequence has at least 2 tokens")
    _stream(style, split, seed, 0)
    sizes = [CHUNK] * (_positive("count", count) // CHUNK) + [count % CHUNK] * (count % CHUNK > 0)
    jobs = [(style.name if style is STYLES.get(style.name) else style, split, seed, i) for i in range(len(sizes))]
    lengths = [length] * len(jobs)
    if workers > 1:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(_chunk, jobs, sizes, lengths, chunksize=max(1, len(jobs) // (8 * workers))))
    else:
        parts = map(_chunk, jobs, sizes, lengths)
    return np.concatenate(list(parts))


def _chunk(key: tuple, count: int, length: int) -> np.ndarray:
    style, numbers, out = style_of(key[0]), _stream(style_of(key[0]), *key[1:]), np.empty((count, length), np.int64)
    for row in out:
        words: list[str] = []
        while len(words) < length:
            words += tell(style, numbers)
        row[:] = [ID[w] for w in words[:length]]
    return out


def costs(tokens: np.ndarray, style: str | Style = PLAIN) -> np.ndarray:
    """(count, length - 1) exact -log p (nats) of each token of packed sequences given those before it.

    tokens: (count, length) ids as `corpus` gives them. Raises ValueError, naming the place, where the grammar has no
    such token.
    """
    out = np.empty((len(tokens), tokens.shape[1] - 1))
    for i, row in enumerate(np.asarray(tokens)):
        reader = Reader(words_of(row))
        try:
            while True:
                read(reader, style_of(style))
        except Ended:
            out[i] = reader.costs[1:]
        except Broken as error:
            raise ValueError(f"sequence {i}, token {reader.at}: {error}; its probability is zero") from None
    return out


def read(reader: Reader, style: Style) -> None:
    """Follow one document. Raises Broken where it leaves the grammar, Ended where the text stops."""
    story = Story(style)
    reader.say(BOS)
    story.opening(reader)
    while not story.over(reader):
        story.sentence(reader)


def words_of(tokens: Sequence[int] | np.ndarray) -> list[str]:
    """The words of token ids. Raises ValueError for an id outside the vocabulary."""
    ids = np.asarray(tokens)
    if len(ids) and not (ids.min() >= 0 and ids.max() < len(WORDS)):
        raise ValueError(f"token ids {ids.min()} … {ids.max()} are not all in the vocabulary of {len(WORDS)} words")
    return [WORDS[i] for i in ids.tolist()]


def entropy(style: str | Style = PLAIN) -> dict[str, float]:
    """The grammar's entropy in closed form: nats a document, tokens a document (without <bos>), and nats a token.

    What a sentence costs depends only on how many people, things and known feelings the story has; those counts are a
    Markov chain that always ends, so the expectation is a finite sum over its states. The rate is the ratio of the two
    expectations, <bos> counted as a token that is certain (renewal-reward).
    """
    style = style_of(style)
    s = style
    start = log(40) + log(39) + log(2) + _free(s) + s.colour.entropy + OBJECT.entropy
    nats, tokens = _rest(style, 1, 2, 1, 0)
    nats, tokens = start + nats, 17 + tokens
    return {"document": nats, "tokens": tokens, "rate": nats / (tokens + 1)}


def _free(s: Style) -> float:
    return s.connective.entropy + s.motion.entropy + s.place.entropy + s.gift.entropy


@cache
def _rest(s: Style, told: int, n: int, m: int, f: int) -> tuple[float, float]:
    """Expected (nats, tokens) of what follows after `told` sentences with n people, m things, f known feelings."""
    p = s.stop[min(told, len(s.stop)) - 1]
    nats, tokens = _binary(p), p
    if p == 1:
        return nats, tokens
    kinds = s.next_kinds(n, m, f)
    nats += (1 - p) * kinds.entropy
    grows = {"find": (0, 1, 0), "meet": (1, 0, 0), "feel": (0, 0, 1)}
    for kind, q in kinds.p.items():
        here = _sentence(s, kind, n, m, f)
        dn, dm, df = grows.get(kind, (0, 0, 0))
        after = _rest(s, told + 1, n + dn, m + dm, f + df)
        nats += (1 - p) * q * (here[0] + after[0])
        tokens += (1 - p) * q * (here[1] + after[1])
    return nats, tokens


def _sentence(s: Style, kind: str, n: int, m: int, f: int) -> tuple[float, float]:
    """Expected (nats, tokens) of one sentence of a kind, its kind given."""
    if kind == "ask":
        return _question(s, n, m, f)
    gifts = log(m) + log(n - 1)
    return {
        "give": (gifts, 9),
        "again": (gifts + log(2) + _free(s), 17),
        "move": (s.adverb.entropy + log(n) + s.motion.entropy + s.place.entropy, 7),
        "find": (log(n) + s.colour.entropy + log(len(OBJECT.words) - m), 9),
        "meet": (log(len(world.NAMES) - n) + log(n), 7),
        "feel": (log(max(n - f, 1)) + s.feeling.entropy + _causes(s), 10),
        "sum": (_terms(s), 6),
        "fact": (OBJECT.entropy, 7),
    }[kind]


def _question(s: Style, n: int, m: int, f: int) -> tuple[float, float]:
    first, second, third = s.next_questions(f)
    a, b = second.p["is"], third.p["sum"]
    what = first.p["what"]
    nats = first.entropy + what * (second.entropy + a * third.entropy)
    asked = {
        "who": (first.p["who"], log(m), 7),
        "where": (first.p["where"], log(n), 6),
        "how": (first.p.get("how", 0), log(max(f, 1)), 6),
        "why": (first.p.get("why", 0), log(max(f, 1)), 10),
        "colour": (what * (1 - a), log(m), 8),
        "sum": (what * a * b, _terms(s), 8),
        "fact": (what * a * (1 - b), OBJECT.entropy, 9),
    }
    return nats + sum(p * c for p, c, _ in asked.values()), sum(p * t for p, _, t in asked.values())


def _terms(s: Style) -> float:
    """Nats of 'three plus four': the first number, the operation, and the second, which minus keeps below the first."""
    plus, minus = (s.operation.p[o] for o in world.OPERATIONS)
    below = sum(log(a + 1) for a in range(MOST + 1)) / (MOST + 1)
    return log(MOST + 1) + s.operation.entropy + plus * log(MOST + 1) + minus * below


def _causes(s: Style) -> float:
    return sum(p * s.cause[feeling].entropy for feeling, p in s.feeling.p.items())


def _binary(p: float) -> float:
    return -sum(q * log(q) for q in (p, 1 - p) if q > 0)


def _stream(style: Style, split: str, seed: int, part: object):
    if split not in SPLITS:
        raise ValueError(f"split={split!r} is unknown; use one of {', '.join(SPLITS)}")
    return uniforms(devices.numpy_rng("storyteller", style.name, split, int(seed), part))


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"{name}={value}: at least 1 was expected")
    return value
