"""What needs a model of many wordings and tasks, the quizmaster: paraphrases against restarts, and tiers of tasks.

Columns beside those of `run`. words: kind is an arm, and step the start or stage; conflict, the cosine of the gradients of the
two losses. tier: kind is the tier and the seed its block; needed, log2 of the smallest K that sufficed, one above the largest
where none did; bits and length of both texts; answers, whether the model answers when it reads the question.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helpers import quiz
from helpers.lm import LM
from helpers.records import Record
from helpers.softprompt import blocks, engine, measures, prompts, solve, sweeps, targets
from helpers.softprompt.config import Contest, Search
from helpers.softprompt.jobs import ANSWER, QUESTION, Job, Target
from helpers.softprompt.measures import SIDES, measured
from helpers.softprompt.targets import Asked, Worded
from helpers.study import Log

WANTED = 0.35  # the share of pairs that plain starts should say, where there is a choice of budgets


def run_paraphrases(config: Contest, found: LM, pairs: Sequence[Worded], log: Log) -> None:
    """Two plain starts of every budget of updates; and with that at which about a third of the pairs succeed, one start whose
    loss is averaged over other wordings for half of them and over its own texts for the other half, which costs the same, and
    the same with other pairs' sentences (part "words")."""
    asked = [p.asked for p in pairs]
    key, k = measures.digest(found, asked), config.k
    for n in config.budgets:

        def plain(n=n) -> list[Record]:
            how = config.search(k, steps=n, restarts=2, any=True)
            rows: list[list[dict]] = [[] for _ in asked]
            for r in solve.joint(how, found, asked):
                rows[int(r.job.name[1])].append(measured(r, SIDES))
            return measures.records(log, "words", "plain", how, asked, rows, budget=n)

        log.once(("words", config, key, "plain", n), plain)
    n = chosen_budget(log, config)
    how = config.search(k, steps=n // 2)
    arms = {"paraphrases": [wordings(p, p, config.weight) for p in pairs]}
    arms["unrelated"] = [
        wordings(p, pairs[(i + len(pairs) // 2) % len(pairs)], config.weight) for i, p in enumerate(pairs)
    ]
    for kind, texts in arms.items():

        def staged(kind=kind, texts=texts) -> list[Record]:
            return measures.records(log, "words", kind, how, asked, _staged(how, found, asked, texts), budget=n)

        log.once(("words", config, key, kind), staged)

    def conflicts() -> list[Record]:
        cosines = measures.conflict(found, config.search(k, steps=n), asked, sorted({0, n // 8, n // 4, n // 2}))
        return measures.records(log, "conflict", "plain", how, asked, [[{"conflict": c}] for c in cosines])

    log.once(("conflict", config, key), conflicts)


def chosen_budget(log: Log, config: Contest) -> int:
    """The number of updates within which the share of pairs that two plain starts say is nearest to a third."""
    rows = log.frame()
    return min(config.budgets, key=lambda n: abs(sweeps.said_by(rows, "plain", n).mean() - WANTED))


def wordings(pair: Worded, other: Worded, weight: float) -> tuple[Target, ...]:
    """A pair's own texts, and beside them, not asked for, the other wordings of a pair, which weigh so much together."""
    more = [(text, QUESTION, weight / len(other.questions)) for text in other.questions]
    more += [(text, ANSWER, weight / len(other.answers)) for text in other.answers]
    return (*pair.asked.both, *(Target(text, side, each, asked=False) for text, side, each in more))


def _staged(how: Search, found: LM, asked: Sequence[Asked], texts: Sequence[tuple[Target, ...]]) -> list[list[dict]]:
    """Of every pair a row for the search with more texts, and one for that which goes on from its end without them."""
    first = solve.solved(how, found, [("more", i) for i in range(len(asked))], texts)
    starts = [r.content for r in first]
    then = solve.solved(how, found, [("then", i) for i in range(len(asked))], [a.both for a in asked], starts)
    return [[measured(r, SIDES) for r in both] for both in zip(first, then, strict=True)]


def run_tiers(config: Contest, found: LM, log: Log) -> None:
    """Tasks of every tier, in blocks that are alike in length and bits, each asked for at every K (part "tier")."""

    def make() -> list[Record]:
        drawn = {tier: targets.tasks(tier, config.drawn) for tier in quiz.TIERS}
        bits = {tier: np.sum(measures.bits(found, of), 1) for tier, of in drawn.items()}
        sizes = {tier: np.array([len(a.question) + len(a.answer) for a in of]) for tier, of in drawn.items()}
        alike = {tier: np.log2(np.stack([bits[tier], sizes[tier]], 1)) for tier in drawn}
        matched = blocks.matched(alike, config.blocks)
        asked = {tier: [drawn[tier][i] for i in places] for tier, places in matched.items()}
        together = [a for of in asked.values() for a in of]
        needed, known = iter(_smallest(config, found, together)), iter(_answers(found, together))
        out = []
        for tier, places in matched.items():
            for block, i in enumerate(places):
                row = {
                    "needed": next(needed),
                    "bits": float(bits[tier][i]),
                    "length": int(sizes[tier][i]),
                    "answers": next(known),
                }
                out.append(measures.record(log, "tier", tier, 0, block, asked[tier][block], [row]))
        return out

    log.once(("tier", config, measures.digest(found, [])), make)


def _smallest(config: Contest, found: LM, asked: Sequence[Asked]) -> list[float]:
    """log2 of the smallest K at which both texts of a pair are said; one above the largest where they never are."""
    out = [float(np.log2(config.grid[-1]) + 1)] * len(asked)
    left = list(range(len(asked)))
    for k in config.grid:
        results = solve.joint(config.search(k), found, [asked[i] for i in left])
        said = [all(r.free) for r in results]
        for i, right in zip(left, said, strict=True):
            out[i] = float(np.log2(k)) if right else out[i]
        left = [i for i, right in zip(left, said, strict=True) if not right]
        if not left:
            break
    return out


def _answers(found: LM, asked: Sequence[Asked]) -> list[float]:
    """Whether the model answers each question when it reads it: greedy decoding, that is the likeliest token everywhere."""
    begin, none = found.tokenizer.bos_token_id, Search(k=1, mode="none")
    read = lambda a: prompts.embed(found, [[begin, *a.question]])[0]
    made = [Job(("answer", i), (a.both[1],), 1 + len(a.question), start=read(a)) for i, a in enumerate(asked)]
    return [float(r.exact[0]) for r in engine.weigh(found, made, none)]
