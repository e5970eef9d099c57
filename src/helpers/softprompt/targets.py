"""From questions and answers to the tokens that a model must say: pairs of its own world or of a tier, and their controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from helpers import data, devices, storyteller
from helpers.checks import expect
from helpers.lm import LM
from helpers.softprompt.jobs import ANSWER, QUESTION, Target
from helpers.storyteller import probes
from helpers.storyteller.world import BOS, ID

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


def draw(
    found: LM, count: int, *, tier: str = OWN, path: str | None = None, seed: int = 0, most: int = 64
) -> list[Asked]:
    """`count` different pairs for a model: of its own world, or of a tier as `data.load_pairs` takes it.

    most: tokens of a question or an answer. Raises ValueError where there are fewer, with what was left out and why.
    """
    if tier == OWN:
        expect(
            storyteller.speaks(found),
            f"{found.name} does not speak the storyteller's words; give it other questions, such as arithmetic",
        )
        return _own(count, seed)
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


def _own(count: int, seed: int) -> list[Asked]:
    """Questions of held-out stories without their stories: up to '?', and the answer up to '.'."""
    stop, begin = ID["."], ID[BOS]
    out: dict[tuple, Asked] = {}
    size = 2 * count
    while len(out) < count:
        expect(size < 1 << 17, f"{count} different questions are more than the world has; use {len(out)} or fewer")
        for q in probes.qa_pairs(size, seed):
            at = max(i for i, token in enumerate(q.prompt) if token in (stop, begin)) + 1
            one = Asked(q.prompt[at:], (*q.answer, stop), q.kind, q.kind in KNOWN)
            out.setdefault((one.question, one.answer), one)
        size *= 2
    return list(out.values())[:count]


def shuffled(asked: Sequence[Asked]) -> list[Asked]:
    """Every question with another pair's answer of the same length, nearest in the list; no pair keeps its own words."""
    by_length: dict[int, list[int]] = {}
    for i, pair in enumerate(asked):
        by_length.setdefault(len(pair.answer), []).append(i)
    out = list(asked)
    for places in by_length.values():
        for i in places:
            others = [j for j in places if asked[j].answer != asked[i].answer]
            j = others[(others.index(min(others, key=lambda j: (j <= i, j)))) % len(others)] if others else i
            out[i] = Asked(asked[i].question, asked[j].answer, asked[i].kind, False)
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
