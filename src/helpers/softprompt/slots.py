"""Fixed slots of one shape in which contents are optimised: their targets, what is seen of them at every step, and the best.

Everything is a tensor of fixed place and size, so that a step can be recorded; the host looks at a few numbers of each slot
now and then.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from helpers.lm import LM
from helpers.softprompt import prompts
from helpers.softprompt.config import Search
from helpers.softprompt.jobs import Job

GOING, SOLVED, SPENT, BROKEN = range(4)  # what has become of a slot's content
SEEN = (
    "best",
    "best_mode",
    "least",
    "nll",
    "margin",
    "best_at",
    "solved_at",
    "trace",
    "tightness",
    "age",
    "bad",
)  # what a step writes


class Slots:
    """N contents of K vectors, each with R texts of at most L tokens. A step calls `loss`; the host calls the others."""

    def __init__(self, found: LM, search: Search, count: int, k: int, texts: int, length: int):
        self.found, self.search, self.front = found, search, search.front
        place, d = found.model.device, prompts.width(found)
        make = lambda *shape, dtype=torch.float32, fill=0: torch.full(shape, fill, dtype=dtype, device=place)
        self.ids = make(count, texts, length, dtype=torch.long)
        self.valid = make(count, texts, length, dtype=torch.bool)
        self.weights = make(count, texts)
        self.asked = make(count, texts, dtype=torch.bool)
        self.sides = make(count, texts, dtype=torch.long)
        self.read = torch.zeros(count, texts, length - 1, d, dtype=found.model.dtype, device=place)
        self.rate = make(count, fill=1.0)
        self.best = make(count, k, d)
        self.least = make(count)
        self.nll, self.margin = make(count, texts), make(count, texts)
        self.best_at, self.solved_at = (make(count, dtype=torch.long) for _ in range(2))
        self.age, self.bad = make(count, dtype=torch.long), make(count, dtype=torch.bool)
        self.trace, self.tightness = (make(count, texts, search.steps + 1, fill=float("nan")) for _ in range(2))
        self.modes = prompts.modes(found, search.mode)
        self.learned = search.mode == "learned"
        self.best_mode = (
            make(count, *self.modes.shape) if self.learned else make(count, 0)
        )  # (N, 2, d) where they are learned
        self.unit = prompts.spread(found)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def seen(self) -> list[Tensor]:
        """What a step writes to: best contents and their numbers, traces, ages."""
        return [getattr(self, name) for name in SEEN]

    def load(self, row: int, job: Job) -> dict[str, Tensor]:
        """Put a job into a row; returns the parameters it starts from."""
        length = self.ids.shape[2]
        for field in (self.ids, self.valid, self.weights, self.asked, self.sides):
            field[row] = 0
        for r, text in enumerate(job.texts):
            self.ids[row, r, : len(text.ids)] = torch.tensor(text.ids, device=self.ids.device)
            self.valid[row, r, : len(text.ids)] = True
            self.weights[row, r], self.asked[row, r], self.sides[row, r] = text.weight, text.asked, text.side
        self.read[row] = prompts.embed(self.found, self.ids[row])[:, : length - 1]
        self.rate[row] = job.rate
        self.least[row], self.nll[row], self.margin[row] = torch.inf, torch.inf, -torch.inf
        self.best_at[row], self.solved_at[row], self.age[row], self.bad[row] = 0, -1, 0, False
        self.trace[row] = self.tightness[row] = torch.nan
        self.best[row] = content = prompts.start(self.found, job, self.search, self.unit).to(self.best.device)
        if self.learned:
            self.best_mode[row] = self.modes
        return {"content": content} | ({"mode": self.modes} if self.learned else {})

    def fresh(self, asked: Sequence[Job]) -> dict[str, Tensor]:
        """Put a job into each row; the stacked parameters."""
        made = [self.load(row, job) for row, job in enumerate(asked)]
        return {name: torch.stack([m[name] for m in made]) for name in made[0]}

    def prompt(self, params: dict[str, Tensor]) -> Tensor:
        """(N · R, P, d): before every text its mode, then the content."""
        content = params["content"][:, None].expand(-1, self.ids.shape[1], -1, -1)  # (N, R, K, d)
        if self.modes is None:
            return content.flatten(0, 1)
        side = self.sides[..., None, None].expand(-1, -1, 1, content.shape[-1])  # (N, R, 1, d)
        known = params["mode"] if "mode" in params else self.modes.expand(len(self), -1, -1)  # (N, 2, d)
        mode = known[:, None].expand(-1, self.ids.shape[1], -1, -1).gather(2, side)
        return torch.cat([mode, content], 2).flatten(0, 1)

    def forward(self, params: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Of every text, (N, R): its mean loss under the objective, nats a token; its margin, always of the aligned logits."""
        shift = int(self.search.objective == "published_shift")
        predicted = prompts.logits(
            self.found, self.prompt(params), self.read.flatten(0, 1), shift
        )  # (N·R, shift + L, V)
        ids, valid = self.ids.flatten(0, 1), self.valid.flatten(0, 1)
        length = ids.shape[1]
        cost = prompts.costs(predicted[:, :length], ids) * valid
        nll = cost.sum(1) / valid.sum(1).clamp(min=1)
        margin = prompts.margins(predicted[:, shift:], ids, valid)
        return nll.view(self.weights.shape), margin.view(self.weights.shape)

    def loss(self, params: dict[str, Tensor], clock: Tensor) -> Tensor:
        """(N,): the weighted sum of each content's losses; what it sees is kept."""
        nll, margin = self.forward(params)
        whole = (nll * self.weights).sum(1)
        with torch.no_grad():
            self._note(params, nll, margin, whole)
        return whole

    def _note(self, params: dict[str, Tensor], nll: Tensor, margin: Tensor, whole: Tensor) -> None:
        last = self.trace.shape[2] - 1
        self.bad.logical_or_(~torch.isfinite(whole))
        going = (self.age <= last) & ~self.bad
        here = self.age.clamp(max=last)[:, None, None].expand(-1, self.trace.shape[1], 1)
        for history, now in ((self.trace, nll), (self.tightness, margin)):
            history.scatter_(2, here, torch.where(going[:, None, None], now[..., None], history.gather(2, here)))
        right = margin.masked_fill(~self.asked, torch.inf).amin(1) > self.search.margin
        first = going & right & (self.solved_at < 0)
        better = going & (whole < self.least)
        if self.search.stop:
            better = first | (better & (self.solved_at < 0))
        for kept, now in ((self.best, "content"), *(((self.best_mode, "mode"),) if self.learned else ())):
            kept.copy_(torch.where(better[:, None, None], params[now], kept))
        self.least.copy_(torch.where(better, whole, self.least))
        for old, new in ((self.nll, nll), (self.margin, margin)):
            old.copy_(torch.where(better[:, None], new, old))
        self.best_at.copy_(torch.where(better, self.age, self.best_at))
        self.solved_at.copy_(torch.where(first, self.age, self.solved_at))
        self.age.add_(1)

    def rates(self, age: Tensor) -> Tensor:
        """(N,): Adam's rate for the next step of contents with `age` steps behind them."""
        share = (age.float() / self.search.steps).clamp(max=1.0)
        falling = 1.0 if self.search.flat else 0.5 * (1 + torch.cos(torch.pi * share))
        return self.unit * self.search.rate * self.rate * falling

    def states(self) -> list[int]:
        """What has become of every row: one look of the host."""
        stop = self.search.stop
        spent = self.age > self.search.steps
        state = torch.where(self.bad, BROKEN, torch.where(spent, SPENT, GOING))
        if stop:
            state = torch.where(self.solved_at >= 0, SOLVED, state)
        else:
            state = torch.where(spent & (self.solved_at >= 0) & ~self.bad, SOLVED, state)
        return state.tolist()

    def take(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """What was seen of some rows, on the CPU."""
        index = torch.tensor(rows, device=self.ids.device)
        return {name: x[index].cpu() for name, x in zip(SEEN, self.seen, strict=True)}

    def keep(self, rows: Sequence[int]) -> None:
        """Leave only these rows, in this order."""
        index = torch.tensor(rows, device=self.ids.device)
        fields = ("ids", "valid", "weights", "asked", "sides", "read", "rate", *SEEN)
        for name in fields:
            setattr(self, name, getattr(self, name)[index].clone())
