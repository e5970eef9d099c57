"""The storyteller's world: its words, and the styles in which its stories are told.

Every word belongs to one class. A style is nothing but weights, so that two styles can say the same things and say
them more or less often.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from math import log

PAD, UNK, BOS, EOS = "<pad>", "<unk>", "<bos>", "<eos>"
SPECIAL = (PAD, UNK, BOS, EOS)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES = _words(
    "mary john anna tom kate paul lucy mark jane peter emma jack rose adam sara luke alice henry clara simon "
    "ellen george nora frank grace david helen oscar julia victor laura martin betty leo diana hugo irene carl maud ralph"
)
MADE_OF = {  # what is carried about, and the material that the world makes it of
    "ball": "rubber", "tyre": "rubber", "boot": "leather", "belt": "leather", "saddle": "leather", "hat": "wool",
    "scarf": "wool", "blanket": "wool", "book": "paper", "kite": "paper", "letter": "paper", "map": "paper",
    "cup": "clay", "bowl": "clay", "brick": "clay", "vase": "glass", "bottle": "glass", "mirror": "glass",
    "drum": "wood", "spoon": "wood", "chair": "wood", "key": "iron", "hammer": "iron", "bell": "iron",
}  # fmt: skip
OBJECTS = tuple(MADE_OF)
COLOURS = _words("red blue green yellow black white brown pink")
PLACES = _words(
    "garden kitchen park school market forest river beach church station library farm castle bridge village barn"
)
CAUSES = {  # a feeling, and what may have caused it
    "happy": ("sun was warm", "music was sweet", "cake was ready"),
    "sad": ("toy was broken", "rain was endless", "song was slow"),
    "angry": ("door was locked", "dog was loud", "road was closed"),
    "tired": ("day was long", "hill was steep", "work was hard"),
    "cold": ("wind was strong", "snow was deep", "fire was out"),
    "hungry": ("shop was shut", "bread was gone", "soup was thin"),
    "scared": ("cave was dark", "storm was near", "wolf was big"),
    "proud": ("house was clean", "answer was right", "boat was new"),
}
NUMBERS = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
MOST = 10  # the largest number that is added or taken away
CONNECTIVES, ADVERBS = ("when", "after", "while"), ("later", "soon")
MOTIONS, GIFTS = ("went", "walked", "ran", "came"), ("gave", "handed", "passed", "threw")
KINDS = ("give", "again", "move", "find", "meet", "feel", "ask", "sum", "fact")
QUESTIONS = ("who", "where", "colour", "sum", "fact", "how", "why")
OPERATIONS = ("plus", "minus")
PEOPLE_MOST = THINGS_MOST = 4  # in one story
_GLUE = _words(", . ? and to the a in of is was has found met then now because made who where what how why colour")


def _classes() -> dict[str, str]:
    nouns, adjectives = (
        tuple(dict.fromkeys(c.split(" was ")[i] for causes in CAUSES.values() for c in causes)) for i in (0, 1)
    )
    groups = {
        "special": SPECIAL, "glue": _GLUE, "name": NAMES, "object": OBJECTS, "colour": COLOURS, "place": PLACES,
        "material": tuple(dict.fromkeys(MADE_OF.values())), "feeling": tuple(CAUSES), "noun": nouns,
        "adjective": adjectives, "number": NUMBERS, "connective": CONNECTIVES, "adverb": ADVERBS, "motion": MOTIONS,
        "gift": GIFTS, "operation": OPERATIONS,
    }  # fmt: skip
    out = {word: name for name, words in groups.items() for word in words}
    if len(out) != sum(map(len, groups.values())):
        raise ValueError("a word of the world is in two classes; give each class words of its own")
    return out


CLASS = _classes()  # word -> its class, in the order of the token ids
WORDS = tuple(CLASS)
ID = {word: i for i, word in enumerate(WORDS)}


@dataclass(frozen=True)
class Table:
    """Words and their probabilities, in proportion to `weights`."""

    words: tuple[str, ...]
    weights: tuple[float, ...]

    def __post_init__(self):
        if len(self.words) != len(self.weights) or not all(w > 0 for w in self.weights):
            raise ValueError(f"{len(self.weights)} weights {self.weights} for {self.words}: one positive weight a word")

    @cached_property
    def p(self) -> dict[str, float]:
        total = sum(self.weights)
        return {word: w / total for word, w in zip(self.words, self.weights, strict=True)}

    @cached_property
    def edges(self) -> list[float]:
        """Cumulative probabilities, without the last, which is one."""
        return list(accumulate(self.p.values()))[:-1]

    @cached_property
    def entropy(self) -> float:
        """Nats."""
        return -sum(p * log(p) for p in self.p.values())

    def draw(self, u: float) -> str:
        """The word at the quantile u in [0, 1)."""
        return self.words[bisect(self.edges, u)]


def table(words: Sequence[str], tilt: float = 0.0, *, turn: int = 0) -> Table:
    """Weights that fall as (rank + 2)^-tilt, the ranks turned by `turn` places: tilt 0 is uniform."""
    size = len(words)
    return Table(tuple(words), tuple(((i - turn) % size + 2.0) ** -tilt for i in range(size)))


@dataclass(frozen=True, eq=False)
class Style:
    """How stories are told.

    stop: probability of the end after 1, 2, … sentences, the last one 1. kinds, questions: weights of `KINDS` and
    `QUESTIONS`; those that the story does not allow yet drop out. The tables are for words that are drawn freely.
    """

    name: str
    connective: Table
    adverb: Table
    motion: Table
    gift: Table
    colour: Table
    place: Table
    feeling: Table
    operation: Table
    kinds: tuple[float, ...] = (0.15, 0.09, 0.16, 0.13, 0.09, 0.10, 0.19, 0.05, 0.04)
    questions: tuple[float, ...] = (0.30, 0.22, 0.14, 0.08, 0.06, 0.12, 0.08)
    stop: tuple[float, ...] = (0.0, 0.05, 0.20, 0.40, 0.60, 1.0)
    cause: Mapping[str, Table] = field(default_factory=lambda: {f: table(c, 1.0) for f, c in CAUSES.items()})

    def __post_init__(self):
        if len(self.kinds) != len(KINDS) or len(self.questions) != len(QUESTIONS):
            raise ValueError(f"style {self.name!r}: one weight for each of {KINDS} and of {QUESTIONS} was expected")
        if not self.stop or self.stop[-1] != 1 or not all(0 <= p <= 1 for p in self.stop):
            raise ValueError(f"style {self.name!r}: stop={self.stop} must be probabilities that end in 1")
        object.__setattr__(self, "_cache", {})

    def next_kinds(self, people: int, things: int, felt: int) -> Table:
        """What may come next where the story has so many people, things, and people whose feeling is known."""
        barred = things >= THINGS_MOST, people >= PEOPLE_MOST, felt >= people
        if barred not in self._cache:
            out = {kind for kind, no in zip(("find", "meet", "feel"), barred, strict=True) if no}
            kept = [(k, w) for k, w in zip(KINDS, self.kinds, strict=True) if k not in out]
            self._cache[barred] = Table(*map(tuple, zip(*kept, strict=True)))
        return self._cache[barred]

    def next_questions(self, felt: int) -> tuple[Table, Table, Table]:
        """How a question goes on: its first word; after 'what', 'colour' or 'is'; after 'what is', a sum or a fact.

        Of feelings one can ask only where one is known.
        """
        if ("questions", not felt) not in self._cache:
            w = dict(zip(QUESTIONS, self.questions, strict=True))
            first = {"who": w["who"], "where": w["where"], "what": w["colour"] + w["sum"] + w["fact"]}
            if felt:
                first |= {"how": w["how"], "why": w["why"]}
            tables = first, {"colour": w["colour"], "is": w["sum"] + w["fact"]}, {k: w[k] for k in ("sum", "fact")}
            self._cache["questions", not felt] = tuple(Table(tuple(t), tuple(t.values())) for t in tables)
        return self._cache["questions", not felt]


PLAIN = Style(
    "plain",
    connective=table(CONNECTIVES, 1.0),
    adverb=table(ADVERBS, 0.5),
    motion=table(MOTIONS, 1.0),
    gift=table(GIFTS, 1.0),
    colour=table(COLOURS, 0.7),
    place=table(PLACES, 0.7),
    feeling=table(tuple(CAUSES)),
    operation=table(OPERATIONS, 1.0),
)
# The same world told otherwise: a corpus to fine-tune on.
BRISK = Style(
    "brisk",
    connective=table(CONNECTIVES, 2.0, turn=1),
    adverb=table(ADVERBS, 2.0, turn=1),
    motion=table(MOTIONS, 2.0, turn=2),
    gift=table(GIFTS, 2.0, turn=2),
    colour=table(COLOURS, 2.0, turn=4),
    place=table(PLACES, 2.0, turn=8),
    feeling=table(tuple(CAUSES), 1.0, turn=3),
    operation=table(OPERATIONS, 1.0, turn=1),
    kinds=(0.05, 0.03, 0.05, 0.05, 0.04, 0.08, 0.40, 0.20, 0.10),
    questions=(0.15, 0.15, 0.15, 0.20, 0.15, 0.10, 0.10),
    stop=(0.0, 0.3, 0.4, 0.5, 0.7, 1.0),
)
STYLES = {style.name: style for style in (PLAIN, BRISK)}
