"""From questions and answers to the tokens that a model must say: pairs of its own world or of a tier, and their controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from helpers import data, devices, quiz, storyteller
from helpers.checks import expect
from helpers.lm import LM
from helpers.softprompt.jobs import ANSWER, QUESTION, Target
from helpers.storyteller import probes
from helpers.storyteller.world import BOS, ID, QUESTIONS

OWN = "own"  # the tier of the storyteller's questions about its own stories
KNOWN = ("fact", "sum")  # kinds of them that can be answered without the story


@dataclass(frozen=True)
class Asked:
    """A question and its answer as token ids, each with its terminator. kind: what is asked; known: the answer follows from the
    question alone, without a text before it."""

    question: tuple[int, ...]
    answer: tuple[int, ...]
    kind: str = ""
    known: bool = True

    @property
    def both(self) -> tuple[Target, Target]:
        return Target(self.question, QUESTION), Target(self.answer, ANSWER)


@dataclass(frozen=True)
class Worded:
    """A pair, and its question and its answer in other words, as token ids."""

    asked: Asked
    questions: tuple[tuple[int, ...], ...]
    answers: tuple[tuple[int, ...], ...]


def draw(found: LM, count: int, *, tier: str = OWN, seed: int = 0, most: int = 64, known: bool = False) -> list[Asked]:
    """`count` different pairs for a model: of its own world, or of a tier as `data.load_pairs` takes it.

    most: tokens of a question or an answer. known: of its own world only such as can be answered without a story. Raises
    ValueError where there are fewer, with what was left out and why.
    """
    if tier == OWN:
        expect(
            storyteller.speaks(found),
            f"{found.name} does not speak the storyteller's words; give it other questions, such as arithmetic",
        )
        return _own(count, seed, KNOWN if known else QUESTIONS)
    end = found.tokenizer.eos_token_id
    expect(end is not None, f"{found.name} has no end-of-text token; an answer could not end")
    ids = lambda text: tuple(found.tokenizer(text, add_special_tokens=False)["input_ids"])
    have = data.load_pairs(tier, count=count, seed=seed)
    kept = have.fitting(lambda text: len(ids(text)), most - 1)
    expect(len(kept) >= count, f"{count} pairs were asked for, and there are fewer: {kept.report()}")
    unknown = found.tokenizer.unk_token_id
    strange = [p for p in kept.rows if unknown is not None and unknown in (*ids(p.question), *ids(p.answer))]
    expect(
        not strange,
        f"{found.name} has no word for a part of {len(strange)} of {len(kept)} pairs of {tier}, such as "
        f"{strange and strange[0].question!r}; give them to a model that reads them, or ask other questions",
    )
    order = devices.numpy_rng("softprompt", "pairs", tier, seed).permutation(len(kept))[:count]
    chosen = [kept.rows[i] for i in order]
    return [Asked((*ids(p.question), end), (*ids(p.answer), end), tier) for p in chosen]


def _own(count: int, seed: int, kinds: Sequence[str]) -> list[Asked]:
    """Questions of held-out stories without their stories: up to '?', and the answer up to '.'."""
    stop, begin = ID["."], ID[BOS]
    out: dict[tuple, Asked] = {}
    size = 2 * count
    while len(out) < count:
        expect(size < 1 << 17, f"{count} different questions are more than the world has; use {len(out)} or fewer")
        for q in probes.qa_pairs(size, seed):
            if q.kind in kinds:
                at = max(i for i, token in enumerate(q.prompt) if token in (stop, begin)) + 1
                one = Asked(q.prompt[at:], (*q.answer, stop), q.kind, q.kind in KNOWN)
                out.setdefault((one.question, one.answer), one)
        size *= 2
    return list(out.values())[:count]


def shuffled(asked: Sequence[Asked], bits: Sequence[float]) -> list[Asked]:
    """Every question with the answer of another pair of its kind, as long, and of nearly as many bits (of each own answer)."""
    out = []
    for i, pair in enumerate(asked):
        alike = lambda other, same=pair: (other.kind == same.kind, len(other.answer) == len(same.answer))
        others = [j for j, other in enumerate(asked) if other.answer != pair.answer]
        others.sort(key=lambda j: (*(not same for same in alike(asked[j])), abs(bits[j] - bits[i]), abs(j - i)))
        answer = asked[others[0]].answer if others else pair.answer
        out.append(Asked(pair.question, answer, pair.kind, False))
    return out


def noise(found: LM, asked: Sequence[Asked], seed: int = 0) -> list[Asked]:
    """Random tokens in the place of every word but the terminators: as long, and without a law."""
    special = {*found.tokenizer.all_special_ids}
    plain = torch.tensor([i for i in range(len(found.tokenizer)) if i not in special])
    rng = devices.torch_rng("softprompt", "noise", seed)

    def words(text: tuple[int, ...]) -> tuple[int, ...]:
        return (*plain[torch.randint(len(plain), (len(text) - 1,), generator=rng)].tolist(), text[-1])

    return [Asked(words(a.question), words(a.answer), a.kind, False) for a in asked]


def repeated(asked: Sequence[Asked]) -> list[Asked]:
    """Every question as its own answer: what the two sides share is planted to be all."""
    return [Asked(a.question, a.question, a.kind) for a in asked]


def worded(found: LM, count: int, seed: int = 0) -> list[Worded]:
    """`count` pairs of the quizmaster's world, each with two other wordings of its question and of its answer."""
    spoken = found.tokenizer.convert_ids_to_tokens
    ids = lambda texts: tuple(tuple(quiz.ID[w] for w in text) for text in texts)
    out = []
    for pair in _own(count, seed, QUESTIONS):
        both = quiz.wordings(pair.kind, *(spoken(list(text)) for text in (pair.question, pair.answer)))
        out.append(Worded(pair, *(ids(each[1:3]) for each in both)))
    return out


def tasks(tier: str, count: int, seed: int = 0) -> list[Asked]:
    """`count` different tasks of a tier of the quiz."""
    rng, out = devices.numpy_rng("softprompt", "tasks", tier, seed), {}
    while len(out) < count:
        both = tuple(tuple(quiz.ID[w] for w in text) for text in quiz.task(tier, rng))
        out.setdefault(both, Asked(*both, tier))
    return list(out.values())
