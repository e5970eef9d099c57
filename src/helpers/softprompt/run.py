"""The chapters' experiments on question–answer soft prompts: the only file that optimises, resumes and logs.

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
from helpers.softprompt import engine, measures, prompts, shapes, targets
from helpers.softprompt.config import Ablations, Pairing, Search
from helpers.softprompt.engine import Solution
from helpers.softprompt.jobs import Job, jobs
from helpers.softprompt.measures import SIDES, measured
from helpers.softprompt.slots import Slots
from helpers.softprompt.targets import Asked
from helpers.study import Log

LN2 = float(np.log(2))


def run_baselines(config: Pairing, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """Stage 0: what each text costs after prompts that know nothing of it, and an answer after its question."""

    def make() -> list[Record]:
        how, unit = config.search(config.k), prompts.spread(found)
        none = replace(how, mode="none")
        rng = devices.torch_rng("softprompt", "baseline", config.draws)
        drawn = torch.randn(config.draws, config.k, prompts.width(found), generator=rng) * unit
        words = torch.randint(4, len(found.tokenizer), (len(asked),), generator=rng)
        modes = prompts.modes(found, "tokens").cpu()
        start = lambda name, texts, content: Job((name,), texts, len(content), start=content)
        random = [engine.weigh(found, [start("random", a.both, c) for a in asked], how) for c in drawn]
        token = engine.weigh(
            found, [start("token", a.both, prompts.embed(found, [[w]])[0]) for a, w in _zip(asked, words)], none
        )
        context = engine.weigh(
            found, [start("context", (a.both[1],), prompts.embed(found, [a.question])[0]) for a in asked], none
        )
        plain = [
            engine.weigh(found, [start("mode", (a.both[s],), modes[s : s + 1]) for a in asked], none) for s in (0, 1)
        ]
        out = []
        for i, a in enumerate(asked):
            row = {f"random_{s}": float(np.mean([r[i].nll[j] for r in random])) for j, s in enumerate(SIDES)}
            row |= {f"token_{s}": token[i].nll[j] for j, s in enumerate(SIDES)} | {"context_a": context[i].nll[0]}
            row |= {f"bits_{s}": plain[j][i].nll[0] * len(a.both[j].ids) / LN2 for j, s in enumerate(SIDES)}
            row |= {f"length_{s}": len(a.both[j].ids) for j, s in enumerate(SIDES)}
            out.append(measures.record(log, "baseline", "baseline", config.k, i, a, [row]))
        return out

    log.once(("baseline", config, measures.digest(found, asked)), make)


def run_single(config: Pairing, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """Stage 1: the question alone and the answer alone, each from its own content, at `single` vectors and along the grid; and
    what the questions' contents do for answers that they were made without (part "transfer")."""

    def make(how: Search) -> list[Record]:
        questions, answers = _single(how, found, asked)
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
        results = _joint(how, found, asked)
        out = measures.records(log, part, "both", how, asked, measures.by_pair(results, asked, rule))
        return out + _other(how, found, asked, log, results, rule) if part == "joint" else out

    log.once(("joint", config, key), lambda: make(config.joint, "joint"))
    half = config.search(half_k(log, config), restarts=config.restarts, any=True)
    log.once(("half", config, key, half.k), lambda: make(half, "half"))


def run_controls(config: Pairing, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """What must fail: contents that are not optimised, an untrained model, and the published label shift."""
    key, how, rule = measures.digest(found, asked), config.search(config.k), _rule(log)
    shift = config.search(config.single, objective="published_shift", stop=False)
    fresh = shapes.untrained(found)
    starts = lambda: engine.weigh(found, [Job(("control", i), a.both, config.k) for i, a in enumerate(asked)], how)
    makes: dict[str, tuple[Callable[[], list[Solution]], Search]] = {
        "random": (lambda: engine.verified(found, starts()), how),
        "untrained": (lambda: _joint(how, fresh, asked), how),
        "shift": (lambda: _joint(shift, found, asked), shift),
    }
    for part, (make, search) in makes.items():
        rows = lambda make=make: measures.by_pair(make(), asked, rule)
        log.once(
            (part, config, key), lambda p=part, s=search, r=rows: measures.records(log, p, "control", s, asked, r())
        )


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
    best: dict[int, Solution] = {}
    for r in results:
        i = int(r.job.name[1])
        best[i] = r if i not in best or r.loss < best[i].loss else best[i]
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


def run_sweep(config: Ablations, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """Both texts from one content at every K, stopped where solved: matched pairs, a question with another's answer, random
    tokens, and a question that is its own answer."""
    made = {"matched": asked, "shuffled": targets.shuffled(asked), "random": targets.noise(found, asked)}
    made["repeat"] = targets.repeated(asked)
    for done, (kind, pairs) in enumerate(made.items()):
        for k in config.grid:
            how = config.search(k)

            def make(kind=kind, pairs=pairs, how=how) -> list[Record]:
                rows = measures.by_pair(_joint(how, found, pairs), pairs, None)
                return measures.records(log, "sweep", kind, how, pairs, rows)

            log.once(("sweep", config.key, measures.digest(found, asked), kind, k), make)
        log.progress(done + 1, len(made) + 2)


def run_geometry(config: Ablations, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """Where solutions lie: how near those of one pair are to each other, to tokens, and along straight lines. A pair enters
    with its first two successful starts; a third begins within a hundredth of the first start."""
    how = config.search(config.k, restarts=config.starts)

    def make() -> list[Record]:
        found_of: list[list[Solution]] = [[] for _ in asked]
        for r in _joint(how, found, asked):
            if r.state == "solved" and all(r.free):
                found_of[int(r.job.name[1])].append(r)
        pairs = [i for i, each in enumerate(found_of) if len(each) > 1]
        if not pairs:
            return []
        one, two = ([found_of[i][j].content for i in pairs] for j in (0, 1))
        other = [one[j - 1] for j in range(len(pairs))]
        near = _near(how, found, asked, [found_of[i][0].job for i in pairs])
        lines = lambda ends: measures.rises(found, how, [(asked[i], a, b) for i, a, b in _zip(pairs, one, ends)])
        barrier, beside, away = lines(two), lines(near), lines(other)
        out = []
        for j, i in enumerate(pairs):
            apart = float("nan") if len(pairs) == 1 else 1.0  # a pair alone has no other
            row = {"within": measures.cosine(one[j], two[j]), "between": apart * measures.cosine(one[j], other[j])}
            begun = prompts.start(found, found_of[i][0].job, how)
            row |= {"nearest": measures.nearest(found, one[j]), "moved": measures.cosine(one[j], begun)}
            row |= {"barrier": barrier[j], "barrier_near": beside[j], "barrier_other": apart * away[j]}
            out.append(measures.record(log, "geometry", "pairs", how.k, i, asked[i], [row]))
        return out

    log.once(("geometry", config.key, measures.digest(found, asked)), make)


def run_settings(config: Ablations, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """What stands before the content, and how fast it is moved: both texts at `k` vectors (parts "mode" and "rate")."""
    some = asked[: config.few]
    changes = [("mode", mode, {"mode": mode}) for mode in config.modes]
    changes += [("rate", f"{rate:g}", {"rate": rate}) for rate in config.rates]
    for part, kind, change in changes:
        how = config.search(config.k, **change)

        def make(part=part, kind=kind, how=how) -> list[Record]:
            return measures.records(log, part, kind, how, some, measures.by_pair(_joint(how, found, some), some, None))

        log.once((part, config.key, measures.digest(found, some), kind), make)


def _near(how: Search, found: LM, asked: Sequence[Asked], first: Sequence[Job]) -> list[torch.Tensor]:
    """The contents at which starts end that lie within a hundredth of the spread of the first ones."""
    rng, unit = devices.torch_rng("softprompt", "near"), prompts.spread(found)
    made = []
    for job in first:
        start = prompts.start(found, job, how)
        moved = start + measures.NEAR * unit * torch.randn(start.shape, generator=rng)
        made.append(Job(("near", *job.name), job.texts, job.k, start=moved))
    return [r.content for r in engine.search(found, made, how)]


def half_k(log: Log, config: Pairing) -> int:
    """The smallest K of the grid at which at least half of the single targets are said; the largest, where none is."""
    rows = log.frame()
    for k in config.grid:
        of_k = frames.rows(rows, part="single", k=k)
        if np.mean([*of_k["exact_q"], *of_k["exact_a"]]) >= 0.5:
            return k
    return config.grid[-1]


def _single(how: Search, found: LM, asked: Sequence[Asked]) -> list[list[Solution]]:
    """Questions alone, answers alone."""
    made = [jobs((f"single {s}", i), (a.both[j],), how) for j, s in enumerate(SIDES) for i, a in enumerate(asked)]
    done = engine.verified(found, engine.search(found, [job for each in made for job in each], how))
    return [done[: len(asked)], done[len(asked) :]]


def _joint(how: Search, found: LM, asked: Sequence[Asked]) -> list[Solution]:
    made = [job for i, a in enumerate(asked) for job in jobs(("joint", i), a.both, how)]
    return engine.verified(found, engine.search(found, made, how))


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
