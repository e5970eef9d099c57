"""One story as a program of choices: told by a sampler, or read back with the exact probability of every token.

The program below is run by two voices. `Teller` draws each choice. `Reader` follows a given text: it learns from each
token which choice was made, adds up its log-probability, and stops where the grammar has no such choice. Every choice
shows in the text at once (a sentence's kind at its first token), so the grammar is unambiguous and the probability of
a token given all before it is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from helpers.storyteller.voices import Teller, Voice
from helpers.storyteller.world import (
    ADVERBS,
    BOS,
    CLASS,
    CONNECTIVES,
    MADE_OF,
    MOST,
    NAMES,
    NUMBERS,
    OBJECTS,
    OPERATIONS,
    Style,
    table,
)

OBJECT, FIRST = table(OBJECTS), table(NUMBERS[: MOST + 1])
FIRST_WORD = (  # what the first word of a sentence says about its kind
    {"then": "give", "now": "feel", "a": "fact"}
    | dict.fromkeys(CONNECTIVES, "again")
    | dict.fromkeys(ADVERBS, "move")
    | dict.fromkeys(NUMBERS, "sum")
    | dict.fromkeys(("who", "where", "what", "how", "why"), "ask")
)


@dataclass
class Story:
    """What is known so far. people: name -> place; things: object -> (colour, holder); felt: name -> (feeling, cause)."""

    style: Style
    people: dict[str, str] = field(default_factory=dict)
    things: dict[str, tuple[str, str]] = field(default_factory=dict)
    felt: dict[str, tuple[str, str]] = field(default_factory=dict)
    told: int = 0

    def over(self, v: Voice) -> bool:
        """Whether the story ends after the sentence just told."""
        self.told += 1
        return v.ends(self.style.stop[min(self.told, len(self.style.stop)) - 1])

    def opening(self, v: Voice) -> None:
        """when mary and john went to the garden , john gave the red ball to mary ."""
        s = self.style
        v.pick(s.connective)
        a = v.one([n for n in NAMES if n not in self.people])
        v.say("and")
        b = v.one([n for n in NAMES if n != a and n not in self.people])
        v.pick(s.motion)
        v.say("to", "the")
        place = v.pick(s.place)
        v.say(",")
        pair = v.draw([(a, b), (b, a)])
        pair()
        v.pick(s.gift)
        v.say("the")
        colour, thing = v.pick(s.colour), v.pick(OBJECT)
        v.say("to")
        holder = pair()
        v.say(".")
        self.people |= {a: place, b: place}
        self.things[thing] = colour, holder

    def sentence(self, v: Voice) -> None:
        """Any sentence after the opening."""
        kinds = self.style.next_kinds(len(self.people), len(self.things), len(self.felt))
        getattr(self, v.route(kinds, self._kind))(v)

    def _kind(self, word: str) -> str | None:
        return (
            FIRST_WORD.get(word) or (CLASS.get(word) == "name" and ("find" if word in self.people else "meet")) or None
        )

    def _holdings(self) -> list[tuple[str, str, str, str]]:
        """(holder, colour, object, receiver) of every gift that could be made; all equally likely."""
        return [(h, c, o, r) for o, (c, h) in self.things.items() for r in self.people if r != h]

    def give(self, v: Voice) -> None:
        """then mary gave the red ball to tom ."""
        v.say("then")
        gift = v.draw(self._holdings())
        gift()
        v.say("gave", "the")
        colour, thing = gift(), gift()
        v.say("to")
        receiver = gift()
        v.say(".")
        self.things[thing] = colour, receiver

    def again(self, v: Voice) -> None:
        """after tom and mary walked to the park , mary handed the red ball to tom ."""
        s = self.style
        v.pick(s.connective)
        gift = v.draw([(*ab, h, c, o, r) for h, c, o, r in self._holdings() for ab in ((h, r), (r, h))])
        a = gift()
        v.say("and")
        b = gift()
        v.pick(s.motion)
        v.say("to", "the")
        place = v.pick(s.place)
        v.say(",")
        gift()
        v.pick(s.gift)
        v.say("the")
        colour, thing = gift(), gift()
        v.say("to")
        receiver = gift()
        v.say(".")
        self.people |= {a: place, b: place}
        self.things[thing] = colour, receiver

    def move(self, v: Voice) -> None:
        """later mary went to the kitchen ."""
        v.pick(self.style.adverb)
        who = v.one(list(self.people))
        v.pick(self.style.motion)
        v.say("to", "the")
        place = v.pick(self.style.place)
        v.say(".")
        self.people[who] = place

    def find(self, v: Voice) -> None:
        """mary found a blue hat in the kitchen ."""
        who = v.one(list(self.people))
        v.say("found", "a")
        colour = v.pick(self.style.colour)
        thing = v.one([o for o in OBJECTS if o not in self.things])
        v.say("in", "the", self.people[who], ".")
        self.things[thing] = colour, who

    def meet(self, v: Voice) -> None:
        """kate met mary in the kitchen ."""
        who = v.one([n for n in NAMES if n not in self.people])
        v.say("met")
        whom = v.one(list(self.people))
        v.say("in", "the", self.people[whom], ".")
        self.people[who] = self.people[whom]

    def feel(self, v: Voice) -> None:
        """now mary is happy because the sun was warm ."""
        v.say("now")
        who = v.one([n for n in self.people if n not in self.felt])
        v.say("is")
        feeling = v.pick(self.style.feeling)
        v.say("because", "the")
        cause = v.pick(self.style.cause[feeling])
        v.say(".")
        self.felt[who] = feeling, cause

    def sum(self, v: Voice) -> None:
        """three plus four is seven ."""
        total = self._terms(v)
        v.say("is", total, ".")

    def fact(self, v: Voice) -> None:
        """a hat is made of wool ."""
        v.say("a")
        thing = v.pick(OBJECT)
        v.say("is", "made", "of", MADE_OF[thing], ".")

    def ask(self, v: Voice) -> None:
        """A question about the story, a sum or a material, and its one right answer."""
        first, second, third = self.style.next_questions(len(self.felt))
        word = v.pick(first)
        if word == "what":
            word = v.pick(second)
            if word == "is":
                word = v.route(third, lambda word: "fact" if word == "a" else "sum" if word in NUMBERS else None)
        getattr(self, "ask_" + word)(v)

    def ask_who(self, v: Voice) -> None:
        """who has the ball ? mary ."""
        v.say("has", "the")
        thing = v.one(list(self.things))
        v.say("?", self.things[thing][1], ".")

    def ask_where(self, v: Voice) -> None:
        """where is mary ? garden ."""
        v.say("is")
        who = v.one(list(self.people))
        v.say("?", self.people[who], ".")

    def ask_colour(self, v: Voice) -> None:
        """what colour is the ball ? red ."""
        v.say("is", "the")
        thing = v.one(list(self.things))
        v.say("?", self.things[thing][0], ".")

    def ask_sum(self, v: Voice) -> None:
        """what is three plus four ? seven ."""
        total = self._terms(v)
        v.say("?", total, ".")

    def ask_fact(self, v: Voice) -> None:
        """what is a hat made of ? wool ."""
        v.say("a")
        thing = v.pick(OBJECT)
        v.say("made", "of", "?", MADE_OF[thing], ".")

    def ask_how(self, v: Voice) -> None:
        """how is mary ? happy ."""
        v.say("is")
        who = v.one(list(self.felt))
        v.say("?", self.felt[who][0], ".")

    def ask_why(self, v: Voice) -> None:
        """why is mary happy ? the sun was warm ."""
        v.say("is")
        feeling, cause = self.felt[v.one(list(self.felt))]
        v.say(feeling, "?", "the", *cause.split(), ".")

    def _terms(self, v: Voice) -> str:
        """Says 'three plus four' and returns 'seven'."""
        a = NUMBERS.index(v.pick(FIRST))
        plus = v.pick(self.style.operation) == OPERATIONS[0]
        b = NUMBERS.index(v.one(list(NUMBERS[: (MOST if plus else a) + 1])))
        return NUMBERS[a + b if plus else a - b]


def tell(style: Style, numbers: Iterator[float]) -> list[str]:
    """One document, from <bos> to <eos>."""
    v, story = Teller(numbers), Story(style)
    v.say(BOS)
    story.opening(v)
    while not story.over(v):
        story.sentence(v)
    return v.words
