"""The experiments on a question and its answer: stages 0 to 2 of the document, and the controls. It resumes and logs; the
ablations are in `ablate`, and no other file does.

A record is one condition of one pair; the pair is its seed. `step` counts restarts, or updates in the part "watch".

Columns: part; kind, what was done; k, vectors; family, the kind of question; known, whether its answer follows from it.
baseline: random_q, random_a, the mean loss (nats a token) of contents that are not optimised; token_q, token_a, of a single
random token; context_a, of the answer after the question's tokens; bits_q, bits_a, the texts' bits after their mode alone.
all others, of each side q and a that the content was asked for: loss, margin (the least logit by which a right token wins),
forced and exact (right at every token, teacher-forced and free-running), overlap (F1 of the tokens said); loss, state, solved
(updates until solved, nan for never), met (updates until the document's rule is met), met_exact (right there), health,
together (correlation of the two losses' steps), final (loss after the last update).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from helpers import devices, frames, stacked
from helpers.lm import LM
from helpers.records import Record
from helpers.softprompt import engine, measures, prompts, shapes, solve
from helpers.softprompt.config import Pairing, Search
from helpers.softprompt.engine import Solution
from helpers.softprompt.jobs import Job, jobs
from helpers.softprompt.measures import SIDES, measured
from helpers.softprompt.slots import Slots
from helpers.softprompt.targets import Asked
from helpers.study import Log


def run_stages(config: Pairing, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """Stages 1 and 2 of the document, single texts and pairs, and what must fail."""
    for stage in (run_single, run_joint, run_controls):
        stage(config, found, asked, log)


def run_baselines(config: Pairing, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """Stage 0: what each text costs after prompts that know nothing of it, and an answer after its question."""

    def make() -> list[Record]:
        how, unit = config.search(config.k), prompts.spread(found)
        none = replace(how, mode="none")
        rng = devices.torch_rng("softprompt", "baseline", config.draws)
        drawn = torch.randn(config.draws, config.k, prompts.width(found), generator=rng) * unit
        words = torch.randint(4, len(found.tokenizer), (len(asked),), generator=rng)
        start = lambda name, texts, content: Job((name,), texts, len(content), start=content)
        random = [engine.weigh(found, [start("random", a.both, c) for a in asked], how) for c in drawn]
        token = engine.weigh(
            found, [start("token", a.both, prompts.embed(found, [[w]])[0]) for a, w in _zip(asked, words)], none
        )
        context = engine.weigh(
            found, [start("context", (a.both[1],), prompts.embed(found, [a.question])[0]) for a in asked], none
        )
        bits = measures.bits(found, asked)
        out = []
        for i, a in enumerate(asked):
            row = {f"random_{s}": float(np.mean([r[i].nll[j] for r in random])) for j, s in enumerate(SIDES)}
            row |= {f"token_{s}": token[i].nll[j] for j, s in enumerate(SIDES)} | {"context_a": context[i].nll[0]}
            row |= {f"bits_{s}": bits[i][j] for j, s in enumerate(SIDES)}
            row |= {f"length_{s}": len(a.both[j].ids) for j, s in enumerate(SIDES)}
            out.append(measures.record(log, "baseline", "baseline", config.k, i, a, [row]))
        return out

    log.once(("baseline", config, measures.digest(found, asked)), make)


def run_single(config: Pairing, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """Stage 1: the question alone and the answer alone, each from its own content, at `single` vectors and along the grid; and
    what the questions' contents do for answers that they were made without (part "transfer")."""

    def make(how: Search) -> list[Record]:
        questions, answers = solve.single(how, found, asked)
        rows = [[measured(q, ("q",)) | measured(a, ("a",))] for q, a in _zip(questions, answers)]
        out = measures.records(log, "single", "alone", how, asked, rows)
        return out + _transfer(how, found, asked, log, questions) if how.k == config.single else out

    for k in sorted({*config.grid, config.single}):
        log.once(("single", config, measures.digest(found, asked), k), lambda k=k: make(config.search(k)))


def run_joint(config: Pairing, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """Stage 2: one content for both, at K vectors with every restart run to the end, and what another pair's content says (part
    "other"); then, stopped where solved, at the K at which half of the single targets are said (part "half")."""
    key, rule = measures.digest(found, asked), _rule(log)

    def make(how: Search, part: str) -> list[Record]:
        results = solve.joint(how, found, asked)
        out = measures.records(log, part, "both", how, asked, measures.by_pair(results, asked, rule))
        return out + _other(how, found, asked, log, results, rule) if part == "joint" else out

    log.once(("joint", config, key), lambda: make(config.joint, "joint"))
    half = config.search(half_k(log, config), restarts=config.restarts, any=True)
    log.once(("half", config, key, half.k), lambda: make(half, "half"))


def run_controls(config: Pairing, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """What must fail: contents that are not optimised, an untrained model (of single texts, too), and the published shift."""
    key, how, rule = measures.digest(found, asked), config.search(config.k), _rule(log)
    shift = config.search(config.single, objective="published_shift", stop=False)
    fresh, one = shapes.untrained(found), config.search(config.single)
    starts = lambda: engine.weigh(found, [Job(("control", i), a.both, config.k) for i, a in enumerate(asked)], how)
    makes: dict[str, tuple[Callable[[], list[Solution]], Search]] = {
        "random": (lambda: engine.verified(found, starts()), how),
        "untrained": (lambda: solve.joint(how, fresh, asked), how),
        "shift": (lambda: solve.joint(shift, found, asked), shift),
    }
    for part, (make, search) in makes.items():
        rows = lambda make=make: measures.by_pair(make(), asked, rule)
        log.once(
            (part, config, key), lambda p=part, s=search, r=rows: measures.records(log, p, "control", s, asked, r())
        )

    def alone() -> list[Record]:
        rows = [[measured(q, ("q",)) | measured(a, ("a",))] for q, a in _zip(*solve.single(one, fresh, asked))]
        return measures.records(log, "untrained single", "control", one, asked, rows)

    log.once(("untrained single", config, key), alone)


def _transfer(how: Search, found: LM, asked: Sequence[Asked], log: Log, made: Sequence[Solution]) -> list[Record]:
    """The answers' losses after contents of their own questions, of other pairs', and after such as are not optimised."""
    starts = lambda shift: [made[i - shift].content for i in range(len(asked))]
    tries = {"own": starts(0), "another pair's": starts(1), "not optimised": [None] * len(asked)}
    out = []
    for kind, contents in tries.items():
        jobs_of = [Job(("transfer", i), (a.both[1],), how.k, start=contents[i]) for i, a in enumerate(asked)]
        rows = [[{"loss_a": r.nll[0]}] for r in engine.weigh(found, jobs_of, how)]
        out += measures.records(log, "transfer", kind, how, asked, rows)
    return out


def _other(how: Search, found: LM, asked: Sequence[Asked], log: Log, results: Sequence[Solution], rule) -> list[Record]:
    """What the best content of the pair before says."""
    best = solve.best(results)
    moved = [Job(("other", i), a.both, how.k, start=best[(i - 1) % len(asked)].content) for i, a in enumerate(asked)]
    weighed = engine.verified(found, engine.weigh(found, moved, how))
    return measures.records(log, "other", "control", how, asked, measures.by_pair(weighed, asked, rule))


def run_watch(config: Pairing, found: LM, asked: Sequence[Asked], log: Log, count: int = 3, looks: int = 24) -> None:
    """A few pairs seen while their content is found: losses, and what greedy decoding says, at `looks` steps."""
    marks = stacked.spaced(config.steps, looks)

    def make() -> list[Record]:
        how, out = config.joint, []
        made = [jobs(("joint", i), a.both, how)[0] for i, a in enumerate(asked[:count])]
        with prompts.frozen(found):
            slots = Slots(found, how, len(made), config.k, 2, max(job.longest for job in made))
            seen = stacked.fit(
                slots.fresh(made), slots.loss, lr=slots.rates, steps=how.steps, clip=how.clip,
                keeps=slots.seen, log=marks, probe=lambda p: p["content"].clone(),
            )  # fmt: skip
        trace = slots.trace.cpu().numpy()  # (N, 2, T); after the last update nothing is looked at
        for i, job in enumerate(made):
            rows = []
            for at, content in zip(marks[:-1], seen[:-1], strict=True):
                q, a = _said(found, job, content[i], slots.modes)
                rows.append(
                    {
                        "at": at,
                        "loss_q": trace[i, 0, at].item(),
                        "loss_a": trace[i, 1, at].item(),
                        "said_q": q,
                        "said_a": a,
                    }
                )
            out.append(measures.record(log, "watch", "joint", how.k, i, asked[i], rows, wanted=_words(found, job)))
        return out

    log.once(("watch", config, measures.digest(found, asked[:count]), looks), make)


def half_k(log: Log, config: Pairing) -> int:
    """The smallest K of the grid at which at least half of the single targets are said; the largest, where none is."""
    rows = log.frame()
    for k in config.grid:
        of_k = frames.rows(rows, part="single", k=k)
        if np.mean([*of_k["exact_q"], *of_k["exact_a"]]) >= 0.5:
            return k
    return config.grid[-1]


def _rule(log: Log) -> dict[str, np.ndarray] | None:
    rows = frames.rows(log.frame(), part="baseline")
    names = ("random_q", "random_a", "context_a")
    return {name: frames.per_seed(rows, name).to_numpy() for name in names} if len(rows) else None


def _said(found: LM, job: Job, content: torch.Tensor, modes: torch.Tensor | None) -> list[str]:
    out = []
    for text in job.texts:
        front = content if modes is None else torch.cat([modes[text.side : text.side + 1], content])
        out.append(found.tokenizer.decode(prompts.greedy(found, front[None], len(text.ids))[0].tolist()))
    return out


def _words(found: LM, job: Job) -> str:
    return " ".join(found.tokenizer.decode(list(t.ids)) for t in job.texts)


def _zip(*several):
    return zip(*several, strict=True)
