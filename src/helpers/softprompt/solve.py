"""Searches as the experiments ask for them: pairs in, verified results out, each named by the place of its pair."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from helpers.lm import LM
from helpers.softprompt import engine, spread
from helpers.softprompt.config import Search
from helpers.softprompt.engine import Solution
from helpers.softprompt.jobs import Job, Target, jobs
from helpers.softprompt.measures import SIDES
from helpers.softprompt.targets import Asked


def joint(how: Search, found: LM, asked: Sequence[Asked]) -> list[Solution]:
    """Both texts of every pair from one content."""
    return solved(how, found, [("joint", i) for i in range(len(asked))], [a.both for a in asked])


def single(how: Search, found: LM, asked: Sequence[Asked]) -> list[list[Solution]]:
    """Questions alone, answers alone."""
    names = [(f"single {side}", i) for side in SIDES for i in range(len(asked))]
    done = solved(how, found, names, [(a.both[j],) for j in (0, 1) for a in asked])
    return [done[: len(asked)], done[len(asked) :]]


def solved(
    how: Search, found: LM, names: Sequence[tuple], texts: Sequence[Sequence[Target]], starts: Sequence[Tensor] = ()
) -> list[Solution]:
    """What is found for several texts each, by all restarts, and what the model says then. starts: one a name, in place of
    drawn ones."""
    if starts:
        made = [Job(n, tuple(t), how.k, start=s) for n, t, s in zip(names, texts, starts, strict=True)]
    else:
        made = [job for n, t in zip(names, texts, strict=True) for job in jobs(n, t, how)]
    return engine.verified(found, spread.search(found, made, how))


def best(results: Sequence[Solution]) -> dict[int, Solution]:
    """Of every place the result of least loss."""
    out: dict[int, Solution] = {}
    for r in results:
        i = int(r.job.name[1])
        out[i] = r if i not in out or r.loss < out[i].loss else out[i]
    return out
