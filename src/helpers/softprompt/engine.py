"""Many contents optimised as one tensor program: fixed slots, a queue behind them, and `stacked.fit` in between.

A slot whose content is solved, spent or broken gives its place to the next job. When no job is left and half of the slots
stand idle, the others go on in a smaller stack, with Adam's memory. Every content has its own start, Adam, clipping, schedule
and clock, so it ends where it does alone, whatever runs beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.lm import LM
from helpers.softprompt import prompts
from helpers.softprompt.config import MOST_SLOTS, Search
from helpers.softprompt.jobs import Job, check, shelves
from helpers.softprompt.slots import BROKEN, GOING, SOLVED, Slots

STATES = {SOLVED: "solved", BROKEN: "not finite"}  # all others: "spent"
LEAST = {"cpu": 1, "cuda": 32}  # slots below which a smaller stack is not faster
Report = Callable[["Solution"], None]


@dataclass(frozen=True)
class Solution:
    """What became of one job.

    state: 'solved', 'spent' or 'not finite'. content (k, d): the one of least loss, or the first that was solved where the
    search stops there; loss: the objective's; nll, margin: of each text, (R,). solved_at, best_at: updates behind it;
    solved_at is None where it never was. trace, tightness (R, T): losses and margins of every text before each update and
    after the last. modes (2, d): what stood before it then, or None. free: whether free-running greedy decoding says each text,
    and said: what it says; None until `verified`.
    """

    job: Job
    state: str
    content: Tensor
    loss: float
    nll: tuple[float, ...]
    margin: tuple[float, ...]
    best_at: int
    solved_at: int | None
    trace: Tensor = field(repr=False)
    tightness: Tensor = field(repr=False)
    modes: Tensor | None = field(default=None, repr=False)
    free: tuple[bool, ...] | None = None
    said: tuple[tuple[int, ...], ...] | None = None

    @property
    def exact(self) -> tuple[bool, ...]:
        """Of each text: whether the right token is the likeliest everywhere, given the right ones before it."""
        return tuple(m > 0 for m in self.margin)

    @property
    def steps(self) -> int:
        """Updates that were needed, or spent."""
        return self.trace.shape[1] - 1 if self.solved_at is None else self.solved_at


def search(
    found: LM,
    asked: Sequence[Job],
    how: Search,
    *,
    slots: int | None = None,
    report: Report | None = None,
    graph: bool | None = None,
) -> list[Solution]:
    """Find a content for every job, in their order; with how.any those restarts are left out that were begun by none.

    slots: contents at a time; by default as many as fit into memory. Where memory runs out half as many are tried, and it is
    said. report is called with each result as it comes. Raises ValueError, before anything is trained, for a target that the
    model cannot be asked to say; MemoryError when a single content does not fit.
    """
    asked = list(asked)
    names = [(job.name, job.restart) for job in asked]
    if len(set(names)) < len(names):
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)} is asked for twice; name the jobs apart")
    check(found, asked, how.front)
    done: dict[tuple, Solution] = {}

    def keep(result: Solution) -> None:
        done[result.job.name, result.job.restart] = result
        if report:
            report(result)

    with prompts.frozen(found):
        for (k, texts, _), shelf in shelves(asked).items():
            shape = k, texts, max(job.longest for job in shelf)
            _shelf(found, shelf, how, shape, slots, keep, done, graph)
    return [done[name] for name in names if name in done]


def _shelf(found, shelf, how, shape, slots, keep, done, graph) -> None:
    """All jobs of one shape; as many at a time as memory allows."""
    size = slots or fitting(found, how, shape)
    while True:
        left = [job for job in shelf if (job.name, job.restart) not in done and not _beaten(job, how, done)]
        if not left:
            return
        most = len({job.name for job in left}) if how.any else len(left)  # of a target one restart at a time
        try:
            _Queue(found, how, left, shape, min(size, most), keep, done).run(graph)
            return
        except torch.OutOfMemoryError as error:
            size = min(size, most) // 2
            if not size:
                told = f"one content of {shape[0]} vectors with {shape[1]} texts of {shape[2]} tokens does not fit"
                raise MemoryError(f"{told} into the memory of {found.device}; use a smaller k or model") from error
            warnings.warn(f"memory ran out; going on with {size} contents at a time", stacklevel=4)
        torch.cuda.empty_cache()  # when the failed stack is no longer held by the error


def _beaten(job: Job, how: Search, done: dict) -> bool:
    """Whether another restart of the job's target is solved already, where one is enough."""
    earlier = (done.get((job.name, r)) for r in range(job.restart)) if how.any else ()
    return any(r is not None and r.state == "solved" for r in earlier)


class _Queue:
    """One run of a shelf: slots, the jobs in them, and those that wait."""

    def __init__(self, found, how, jobs, shape, size, keep, done):
        self.how, self.keep, self.done = how, keep, done
        self.waiting = list(jobs[size:])
        self.jobs: list[Job | None] = list(jobs[:size])
        self.slots = Slots(found, how, size, *shape)
        self.least = LEAST["cuda" if found.model.device.type == "cuda" else "cpu"]
        self.params: dict[str, Tensor] = {}

    def run(self, graph: bool | None) -> None:
        self.params, memory = self.slots.fresh(self.jobs), {}
        while any(self.jobs):
            steps = (len(self.waiting) + 1) * (self.how.steps + 1 + self.how.every) + self.how.every
            stacked.fit(
                self.params, self.slots.loss, lr=self.slots.rates, steps=min(steps, 1 << 22), clip=self.how.clip,
                refill=self.refill, every=looks(self.how), keeps=self.slots.seen, memory=memory, graph=graph,
            )  # fmt: skip
            memory = self.shrink(memory)

    def refill(self, step: int, params: dict[str, Tensor]) -> dict[int, dict | None] | bool:
        """Take what has ended, put in what waits; False where a smaller stack will do."""
        ended = [
            row for row, (job, state) in enumerate(zip(self.jobs, self.slots.states(), strict=True))
            if job is not None and state != GOING
        ]  # fmt: skip
        new: dict[int, dict | None] = {}
        if ended:
            self.hand_over(ended)
        for row in ended:
            self.jobs[row] = job = self.next()
            new[row] = None if job is None else self.slots.load(row, job)
        left = sum(job is not None for job in self.jobs)
        small = left <= len(self.jobs) // 2 and len(self.jobs) > self.least
        if small and left and not any(new.values()):  # what was put in now is taken over by the next look
            return False
        return new

    def next(self) -> Job | None:
        while self.waiting:
            job = self.waiting.pop(0)
            if not _beaten(job, self.how, self.done):
                return job
        return None

    def hand_over(self, rows: list[int]) -> None:
        states, seen = self.slots.states(), self.slots.take(rows)
        for i, row in enumerate(rows):
            state = STATES.get(states[row], "spent")
            one = {name: values[i] for name, values in seen.items()}
            modes = one["best_mode"] if self.slots.learned else self.slots.modes
            self.keep(_result(self.jobs[row], state, one, modes, self.how.stop))

    def shrink(self, memory: dict[str, Tensor]) -> dict[str, Tensor]:
        """Leave the slots that go on, with what Adam remembers of them."""
        rows = [row for row, job in enumerate(self.jobs) if job is not None]
        if rows:
            index = torch.tensor(rows, device=self.slots.ids.device)
            self.slots.keep(rows)
            self.params = {name: p.detach()[index].clone() for name, p in self.params.items()}
            memory = {name: x[index].clone() for name, x in memory.items()}
        self.jobs = [self.jobs[row] for row in rows]
        return memory


def looks(how: Search) -> int:
    """Steps between two looks: at most how.every, and such that the last one falls near the end of a search."""
    whole = how.steps + 1
    return -(-whole // -(-whole // how.every))


def fitting(found: LM, how: Search, shape: tuple[int, int, int]) -> int:
    """Contents at a time that half of the device's free memory holds, estimated from the model's shape."""
    kind = "cuda" if found.model.device.type == "cuda" else "cpu"
    each = needed(found.model.config, how, shape, found.model.dtype.itemsize)
    free = devices.free_memory(str(found.model.device))
    return max(1, min(int(free // (2 * each)), stacked.MOST[kind], MOST_SLOTS))


def needed(config, how: Search, shape: tuple[int, int, int], itemsize: int) -> int:
    """Bytes that one content takes beside the weights, estimated from a model's config: what a backward pass keeps of every
    place, the logits of every target, and the content with Adam's memory. shape: vectors, texts, tokens of a text."""
    k, texts, length = shape
    d, layers = config.hidden_size, getattr(config, "num_hidden_layers", 12)
    wide = getattr(config, "intermediate_size", None) or 4 * d
    if experts := getattr(config, "num_experts_per_tok", None):
        shared = getattr(config, "shared_expert_intermediate_size", None) or 0
        wide = experts * (getattr(config, "moe_intermediate_size", None) or wide) + shared
    per_place = layers * (12 * d + 4 * wide) * itemsize
    places, per_target = texts * (how.front + k + length), 14 * getattr(config, "vocab_size", 1 << 15)
    return places * per_place + texts * length * per_target + texts * (how.steps + 1) * 4 + 8 * k * d * 4


def verified(found: LM, results: Sequence[Solution]) -> list[Solution]:
    """The results with what free-running greedy decoding says after each content, and whether it is the text.

    Texts of one length of prompt go through together, padded to the longest; nothing is fed but the model's own tokens.
    """
    out = list(results)
    for rows in _alike(out).values():
        asked = [(i, r) for i in rows for r in range(len(out[i].job.texts))]
        new = max(len(out[i].job.texts[r].ids) for i, r in asked)
        prompt = torch.stack([prompt_of(out[i], out[i].job.texts[r].side) for i, r in asked])
        said = prompts.greedy(found, prompt, new).tolist()
        own = {
            pair: tuple(row[: len(out[pair[0]].job.texts[pair[1]].ids)]) for pair, row in zip(asked, said, strict=True)
        }
        for i in rows:
            words = tuple(own[i, r] for r in range(len(out[i].job.texts)))
            right = tuple(w == t.ids for w, t in zip(words, out[i].job.texts, strict=True))
            out[i] = replace(out[i], free=right, said=words)
    return out


def _result(job: Job, state: str, seen: dict[str, Tensor], modes: Tensor | None, stop: bool) -> Solution:
    """What a slot has seen of a job, as a result."""
    texts, solved = len(job.texts), int(seen["solved_at"])
    reached = min(int(seen["age"]), seen["trace"].shape[1])
    reached = solved + 1 if stop and solved >= 0 else reached
    return Solution(
        job=job,
        state=state,
        content=seen["best"],
        loss=float(seen["least"]),
        nll=tuple(seen["nll"][:texts].tolist()),
        margin=tuple(seen["margin"][:texts].tolist()),
        best_at=int(seen["best_at"]),
        solved_at=solved if solved >= 0 else None,
        trace=seen["trace"][:texts, :reached].clone(),
        tightness=seen["tightness"][:texts, :reached].clone(),
        modes=None if modes is None else modes.cpu().clone(),
    )


def prompt_of(result: Solution, side: int) -> Tensor:
    """(P, d) float32: the mode of a side, where there is one, and the content."""
    if result.modes is None:
        return result.content
    return torch.cat([result.modes[side : side + 1], result.content])


def _alike(results: Sequence[Solution], most: int = 512) -> dict[tuple, list[int]]:
    """Places of results by the length of their prompts and the padded length of their texts, at most so many together."""
    out: dict[tuple, list[int]] = {}
    counts: dict[tuple, int] = {}
    for i, result in enumerate(results):
        shape = len(result.content), result.job.longest
        counts[shape] = counts.get(shape, 0) + 1
        out.setdefault((*shape, counts[shape] // most), []).append(i)
    return out


@torch.no_grad()
def weigh(found: LM, asked: Sequence[Job], how: Search, slots: int = 64) -> list[Solution]:
    """What contents that are not optimised are worth: every job's start, as `search` would report it before its first step."""
    check(found, asked, how.front)
    out: dict[int, Solution] = {}
    place = {id(job): i for i, job in enumerate(asked)}
    for shape, shelf in shelves(list(asked)).items():
        for at in range(0, len(shelf), slots):
            part = shelf[at : at + slots]
            held = Slots(found, how, len(part), *shape)
            held.loss(held.fresh(part), torch.zeros(()))
            seen = held.take(range(len(part)))
            for i, job in enumerate(part):
                one = {name: values[i] for name, values in seen.items()}
                state = "solved" if one["solved_at"] >= 0 else "spent"
                out[place[id(job)]] = _result(job, state, one, held.modes, how.stop)
    return [out[i] for i in range(len(asked))]
