"""The ablations of a question and its answer, as far as they are asked of the model of the chapter: they resume and log.

Columns beside those of `run`: known: needed by `bits_q`, `bits_a` of the pair as it was asked. geometry: within, between, the
cosine of two solutions of a pair, of two pairs with different texts; nearest, to the nearest token; moved, of a start and its
end; barrier, barrier_near, barrier_other, by how much the loss (nats) rises on straight lines. landscape: x, y, total_loss in a
plane through three solutions, in units of the distance of the first two; corner_x, corner_y, the third.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from helpers import devices
from helpers.lm import LM
from helpers.records import Record
from helpers.softprompt import engine, measures, prompts, solve, targets
from helpers.softprompt.config import Ablations, Search
from helpers.softprompt.engine import Solution
from helpers.softprompt.jobs import Job
from helpers.softprompt.targets import Asked
from helpers.study import Log

BRIEF = ("exact_q", "exact_a", "forced_q", "forced_a")  # what is kept of a content in the part "known"


def run_sweep(config: Ablations, found: LM, asked: Sequence[Asked], known: Sequence[Asked], log: Log) -> None:
    """Both texts from one content at every K, stopped where solved: of all pairs (part "sweep"); and of pairs whose answer
    follows from the question (part "known"), with the own answer, with another's of as many bits, of random tokens, and of a
    question that is its own answer. What has one K is searched for at once."""
    kinds = {"matched": known, "shuffled": targets.shuffled(known, [a for _, a in measures.bits(found, known)])}
    kinds |= {"random": targets.noise(found, known), "repeat": targets.repeated(known)}
    together = [*asked, *(pair for pairs in kinds.values() for pair in pairs)]
    bits = measures.bits(found, together)
    for done, k in enumerate(config.grid):
        how = config.search(k)

        def make(how=how) -> list[Record]:
            rows = measures.by_pair(solve.joint(how, found, together), together, None)
            out, at = measures.records(log, "sweep", "matched", how, asked, rows), len(asked)
            for kind, pairs in kinds.items():
                of = range(at, at + len(pairs))
                brief = [
                    [
                        {n: r[n] for n in BRIEF} | {f"bits_{s}": b for s, b in zip("qa", bits[i], strict=True)}
                        for r in rows[i]
                    ]
                    for i in of
                ]
                out += measures.records(log, "known", kind, how, pairs, brief)
                at += len(pairs)
            return out

        log.once(("sweep", config.key, measures.digest(found, together), k), make)
        log.progress(done + 1, len(config.grid) + 2)


def run_geometry(config: Ablations, found: LM, asked: Sequence[Asked], log: Log) -> None:
    """Where solutions lie: how near those of one pair are to each other, to tokens, and along straight lines. A pair enters
    with its first two successful starts; a third begins within a hundredth of the first start. Of the first pairs that have
    three, the loss in the plane through them (part "landscape")."""
    how = config.search(config.k, restarts=config.starts)

    def make() -> list[Record]:
        ends: list[list[Solution]] = [[] for _ in asked]
        for r in solve.joint(how, found, asked):
            if r.state == "solved" and all(r.free):
                ends[int(r.job.name[1])].append(r)
        pairs = [i for i, each in enumerate(ends) if len(each) > 1]
        out = _places(config, how, found, asked, ends, pairs, log) if pairs else []
        for i in [i for i in pairs if len(ends[i]) > 2][: config.planes]:
            rows = measures.plane(found, how, asked[i], [r.content for r in ends[i][:3]], config.places)
            words = " ".join(found.tokenizer.decode(list(t.ids)) for t in asked[i].both)
            out.append(measures.record(log, "landscape", "plane", how.k, i, asked[i], rows, wanted=words))
        return out

    log.once(
        ("geometry", config.key, config.k, config.starts, config.planes, config.places, measures.digest(found, asked)),
        make,
    )


def _places(config: Ablations, how: Search, found: LM, asked, ends, pairs: Sequence[int], log: Log) -> list[Record]:
    """A record a pair that was solved twice."""
    one, two = ({i: ends[i][j].content for i in pairs} for j in (0, 1))
    other = {i: _stranger(i, pairs, asked) for i in pairs}
    near = dict(zip(pairs, _near(how, found, [ends[i][0].job for i in pairs]), strict=True))
    lines = lambda to: dict(
        zip(pairs, measures.rises(found, how, [(asked[i], one[i], to(i)) for i in pairs]), strict=True)
    )
    barrier, beside = lines(two.get), lines(near.get)
    away = lines(lambda i: one[i if other[i] is None else other[i]])
    out = []
    for i in pairs:
        apart = float("nan") if other[i] is None else 1.0  # a pair without another has none to lie apart from
        row = {
            "within": measures.cosine(one[i], two[i]),
            "between": apart * measures.cosine(one[i], one[other[i] or i]),
        }
        begun = prompts.start(found, ends[i][0].job, how)
        row |= {"nearest": measures.nearest(found, one[i]), "moved": measures.cosine(one[i], begun)}
        row |= {"barrier": barrier[i], "barrier_near": beside[i], "barrier_other": apart * away[i]}
        out.append(measures.record(log, "geometry", "pairs", how.k, i, asked[i], [row]))
    return out


def _stranger(i: int, pairs: Sequence[int], asked: Sequence[Asked]) -> int | None:
    """The next pair in turn that shares neither the question nor the answer; None where there is none."""
    at = pairs.index(i)
    turned = [*pairs[at + 1 :], *pairs[:at]]
    apart = lambda j: asked[j].question != asked[i].question and asked[j].answer != asked[i].answer
    return next((j for j in turned if apart(j)), None)


def _near(how: Search, found: LM, first: Sequence[Job]) -> list[torch.Tensor]:
    """The contents at which starts end that lie within a hundredth of the spread of the first ones."""
    rng, unit = devices.torch_rng("softprompt", "near"), prompts.spread(found)
    made = []
    for job in first:
        start = prompts.start(found, job, how)
        moved = start + measures.NEAR * unit * torch.randn(start.shape, generator=rng)
        made.append(Job(("near", *job.name), job.texts, job.k, start=moved))
    return [r.content for r in engine.search(found, made, how)]


def run_settings(config: Ablations, found: LM, asked: Sequence[Asked], log: Log, others: Sequence[LM] = ()) -> None:
    """What stands before the content, and how fast it is moved: both texts at `k` vectors (parts "mode" and "rate"); and the
    same asked of other models that speak the same words, with `k` and with the fewest vectors (part "ladder")."""
    some = asked[: config.few]
    changes = [("mode", mode, {"mode": mode}) for mode in config.modes]
    changes += [("rate", f"{rate:g}", {"rate": rate}) for rate in config.rates]
    for part, kind, change in changes:
        how = config.search(config.k, **change)

        def make(part=part, kind=kind, how=how) -> list[Record]:
            return measures.records(
                log, part, kind, how, some, measures.by_pair(solve.joint(how, found, some), some, None)
            )

        log.once((part, config.key, config.k, measures.digest(found, some), kind), make)
    for model in others:
        for k in sorted({config.grid[0], config.k}):
            how = config.search(k)

            def climb(model=model, how=how) -> list[Record]:
                rows = measures.by_pair(solve.joint(how, model, some), some, None)
                brief = [[{n: r[n] for n in BRIEF} | {"parameters": model.parameters} for r in each] for each in rows]
                return measures.records(log, "ladder", model.name, how, some, brief)

            log.once(("ladder", config.key, measures.digest(model, some), k), climb)
