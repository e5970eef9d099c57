"""Five tiers of tasks in the stories' own words, of about forty tokens each: the tiers that seed document 002 orders.

extractive: what was found where is told, then asked. knowledge: what some things are made of, which stands nowhere in the
question. arithmetic: some sums. sudoku: a grid of 4 × 4 numbers, 'what' for an empty cell. arc: two grids of 2 × 2 colours with
what became of each by one rule, and a third grid. A question ends in '?', an answer in '.'.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from helpers.data import sudoku as grids
from helpers.storyteller.world import COLOURS, MADE_OF, MOST, NAMES, NUMBERS, OBJECTS, PLACES

TIERS = ("extractive", "knowledge", "arithmetic", "sudoku", "arc")  # easy to hard, as the document has them
EMPTY = "what"
Task = tuple[list[str], list[str]]  # the words of a question and of its answer
RULES: tuple[Callable[[np.ndarray, int], np.ndarray], ...] = (  # of a grid of numbers below n, what becomes of it
    lambda g, n: np.rot90(g),
    lambda g, n: np.fliplr(g),
    lambda g, n: np.flipud(g),
    lambda g, n: g.T,
    lambda g, n: (g + 1) % n,  # every colour becomes another
)


def task(tier: str, rng: np.random.Generator) -> Task:
    """One task of a tier, drawn. Raises ValueError for an unknown tier."""
    if tier not in MAKERS:
        raise ValueError(f"tier={tier!r} is unknown; use one of {', '.join(TIERS)}")
    return MAKERS[tier](rng)


def extractive(rng: np.random.Generator) -> Task:
    """john found a red ball in the park and mary found a blue hat in the river and who has the ball and where is mary ?"""
    count = 2
    facts = list(zip(*(_some(rng, of, count) for of in (NAMES, COLOURS, OBJECTS, PLACES)), strict=True))
    told = _joined([f"{who} found a {colour} {thing} in the {place}" for who, colour, thing, place in facts])
    asked, answers = [], []
    for kind in rng.permutation(3)[: int(rng.integers(2, 4))]:
        who, colour, thing, place = facts[int(rng.integers(count))]
        pair = ((f"who has the {thing}", who), (f"where is {who}", place), (f"what colour is the {thing}", colour))[
            kind
        ]
        asked.append(pair[0])
        answers.append(pair[1])
    return [*told, "and", *_joined(asked), "?"], [*_joined(answers), "."]


def knowledge(rng: np.random.Generator) -> Task:
    """what is a hat and a key made of ? wool and iron ."""
    things = _some(rng, OBJECTS, int(rng.integers(5, 9)))
    asked = ["what", "is", *_joined([f"a {thing}" for thing in things]), "made", "of", "?"]
    return asked, [*_joined([MADE_OF[thing] for thing in things]), "."]


def arithmetic(rng: np.random.Generator) -> Task:
    """what is three plus four and two minus one ? seven and one ."""
    most, asked, answers = int(rng.integers(3, MOST + 1)), [], []
    for _ in range(int(rng.integers(5, 7))):
        a, plus = int(rng.integers(most + 1)), bool(rng.integers(2))
        b = int(rng.integers((most if plus else a) + 1))
        asked.append(f"{NUMBERS[a]} {'plus' if plus else 'minus'} {NUMBERS[b]}")
        answers.append(NUMBERS[a + b if plus else a - b])
    return ["what", "is", *_joined(asked), "?"], [*_joined(answers), "."]


def sudoku(rng: np.random.Generator) -> Task:
    """one two what four , … ? one two three four , … . A puzzle that one solution fits, in four of the numbers."""
    made = grids.make(1, seed=int(rng.integers(1 << 62)), givens=int(rng.integers(6, 11))).rows[0]
    return _puzzle(made.question, made.answer, rng)


def some_sudoku(rng: np.random.Generator) -> Task:
    """The same at a hundredth of the time, without a look at whether another solution fits: what a model is trained on."""
    answer = grids.solved(rng, 2)
    hidden = rng.permutation(16)[: int(rng.integers(6, 11))]
    question = answer.copy()
    question.flat[hidden] = 0
    return _puzzle(grids.written(question), grids.written(answer), rng)


def _puzzle(question: str, answer: str, rng: np.random.Generator) -> Task:
    numbers = _some(rng, NUMBERS[: MOST + 1], 4)
    said = {str(i + 1): word for i, word in enumerate(numbers)} | {".": EMPTY, " ": ","}
    return [*(said[c] for c in question), "?"], [*(said[c] for c in answer), "."]


def arc(rng: np.random.Generator) -> Task:
    """red blue , blue red to blue red , red blue and … and … to ?"""
    few, rule = _some(rng, COLOURS, int(rng.integers(2, len(COLOURS) + 1))), RULES[int(rng.integers(len(RULES)))]
    grids = [rng.integers(len(few), size=(2, 2)) for _ in range(3)]
    after = [rule(g, len(few)) for g in grids]
    shown = lambda g: " , ".join(" ".join(few[c] for c in row) for row in g)
    demos = _joined([f"{shown(a)} to {shown(b)}" for a, b in zip(grids[:2], after[:2], strict=True)])
    return [*demos, "and", *shown(grids[2]).split(), "to", "?"], [*shown(after[2]).split(), "."]


MAKERS = {"extractive": extractive, "knowledge": knowledge, "arithmetic": arithmetic, "sudoku": sudoku, "arc": arc}


def _some(rng: np.random.Generator, of, count: int) -> list[str]:
    """So many different words."""
    return [of[i] for i in rng.permutation(len(of))[:count]]


def _joined(parts: list[str]) -> list[str]:
    return " and ".join(parts).split()
