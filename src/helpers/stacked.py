"""Many small models trained side by side as one tensor program.

Every parameter carries a leading model axis M. One batched product serves all models, and the gradient of the summed loss is
each model's own, because no model appears in another's loss. A model smaller than its stack is padded with zeros: where the
entries that would read the padding are zero too, both gradients are exactly zero, and it stays zero.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from helpers import devices, graphs

if TYPE_CHECKING:
    import pandas as pd

BETAS, EPSILON = (0.9, 0.999), 1e-8
MOST = {"cpu": 128, "cuda": 8192}  # models a chunk: a stack that fits a core's cache, or one that fills a GPU
Params = dict[str, Tensor]
Each = float | Tensor | Callable[[Tensor], Tensor]
"""A value a model: one for all, (M,), or a schedule. A schedule takes the number of steps that a model has behind it, () or
(M,), and gives the value for its next, () or (M,), entry by entry and in tensors alone, so that it can be recorded."""
Loss = Callable[[Params, Tensor], Tensor]
Refill = Callable[[int, Params], Mapping[int, Mapping[str, Tensor] | None] | bool | None]
T = TypeVar("T")


def pile(models: Collection[Mapping[str, Tensor]]) -> Params:
    """Stack single models into one set of (M, …) parameters, padding each axis with zeros to the largest.

    Raises ValueError when the models have other names than the first, or a parameter has not the same rank in all.
    """
    first = next(iter(models))
    out = {}
    for name in first:
        if any(m.keys() != first.keys() or m[name].dim() != first[name].dim() for m in models):
            raise ValueError(f"models cannot be stacked at {name!r}: each must have the same names and ranks")
        size = [max(sizes) for sizes in zip(*(m[name].shape for m in models), strict=True)]
        out[name] = first[name].new_zeros(len(models), *size)
        for i, m in enumerate(models):
            _corner(out[name][i], m[name]).copy_(m[name])
    return out


def fit(
    params: Params,
    loss: Loss | Mapping[str, Loss],
    *,
    lr: Each,
    steps: int,
    betas: tuple[float, float] = BETAS,
    eps: float = EPSILON,
    decay: Each | Mapping[str, Each] | None = None,
    clip: Each | None = None,
    learn: Mapping[str, Tensor | bool] | None = None,
    log: Collection[int] = (),
    probe: Callable[[Params], Tensor] | None = None,
    refill: Refill | None = None,
    every: int = 1,
    keeps: Sequence[Tensor] = (),
    memory: dict[str, Tensor] | None = None,
    graph: bool | None = None,
) -> list[Tensor]:
    """Train in place with Adam (Kingma & Ba 2015, algorithm 1), every model for itself.

    loss(params, clock) -> (M,), where clock is the step as a 0-d tensor. {prefix: loss} are players, who take turns in every
    step: each moves the parameters whose names begin with its prefix, and the next one sees them moved. lr, decay, clip: one
    value, (M,), or a schedule (`Each`). decay: of the weights, decoupled from the gradient (Loshchilov & Hutter 2019), for all
    parameters or by name. clip: largest norm of a model's gradient. learn: False freezes a parameter in all models, an (M,)
    tensor of 0 and 1 in some, and one that can be broadcast to the parameter in some of its entries.

    refill(step, params) is called after every `every` steps but the last, and may give new models for the rows that it has seen
    enough of: {row: parameters of one model, padded as in `pile`; names left out stay}. Such a model starts anew, its moments
    and schedules too; {row: None} ends a row, and training ends when all have ended, or where False is given in place of rows.

    keeps: tensors that the loss itself writes to (what it saw, the best so far), so that steps which are tried before one is
    recorded leave nothing in them. memory: {} takes what Adam remembers at the end; one that was filled so is gone on with, its
    rows in the order of `params`: some of them may have been left out of both. It has `age`, the steps behind a model.

    graph: False keeps a GPU from recording a step as a CUDA graph, which it must when the loss has side effects in Python.
    Returns probe(params) at every step of `log` that was reached (0: before training). Raises ValueError for what does not fit.
    """
    if every < 1:
        raise ValueError(f"every={every}: models can be looked at after every step, or less often")
    adam = Adam(
        params, loss, lr=lr, steps=steps, betas=betas, eps=eps, decay=decay, clip=clip, learn=learn,
        refilled=refill is not None, keeps=keeps, memory=memory,
    )  # fmt: skip
    seen, wanted = [], set(log)
    try:
        for p in adam.live:
            p.requires_grad_(True)
        step = adam.step if graph is False else graphs.recorded(adam.step, adam.state)
        for t in range(steps + 1):
            if t in wanted:
                with torch.no_grad():
                    seen.append(probe(params))
            if t == steps:
                break
            if refill is not None and t and t % every == 0:
                with torch.no_grad():
                    rows = refill(t, params)
                    adam.replace(rows or {})
                if adam.ended or rows is False:
                    break
            step()
    finally:
        for p in adam.live:
            p.requires_grad_(False)
    if memory is not None:
        memory.update(adam.memory())
    return seen


class Adam:
    """One step for all models, and what it changes: parameters, two moments, and how many steps each has behind it."""

    def __init__(self, params, loss, *, lr, steps, betas, eps, decay, clip, learn, refilled, keeps, memory):
        self.params, self.betas, self.eps = params, betas, eps
        learn, self.count = dict(learn or {}), len(next(iter(params.values())))
        by_name = decay if isinstance(decay, Mapping) else dict.fromkeys(params, decay)
        self.names = [k for k in params if learn.get(k) is not False]
        self._check(steps, {*learn, *by_name})
        self.live = [params[k] for k in self.names]
        players = loss if isinstance(loss, Mapping) else {"": loss}
        self.turns = [(one, [i for i, k in enumerate(self.names) if k.startswith(p)]) for p, one in players.items()]
        if not all(places for _, places in self.turns):
            raise ValueError(f"players {list(players)} do not all have parameters; there are {', '.join(self.names)}")
        self.device, self.dtype = self.live[0].device, self.live[0].dtype
        self.first, self.second = ([torch.zeros_like(p) for p in self.live] for _ in range(2))
        self.masks = [self._mask(k, learn.get(k, True)) for k in self.names]
        self.lr, self.clip = self._each("lr", lr), None if clip is None else self._each("clip", clip)
        self.decay = [None if by_name.get(k) is None else self._each("decay", by_name[k]) for k in self.names]
        behind = int(memory["age"].max()) if memory else 0
        self.rates = schedule(steps + behind, betas).to(self.device, self.dtype)
        self.clock = torch.zeros((), dtype=torch.long, device=self.device)
        self.age = self.clock  # (), or (M,) where models are replaced
        self.state = [*self.live, *self.first, *self.second, self.clock, *keeps]
        self.going: Tensor | None = None  # (M,) 1 for a row that is trained, 0 for one that has ended
        if refilled or memory is not None:
            self.age = torch.zeros(self.count, dtype=torch.long, device=self.device)
            self.going = torch.ones(self.count, dtype=self.dtype, device=self.device)
            self.state.append(self.age)
        if memory:
            self._remember(memory)

    def _check(self, steps: int, named: set[str]) -> None:
        counts = {k: len(p) for k, p in self.params.items()}
        if set(counts.values()) != {self.count}:
            raise ValueError(f"every parameter needs one model axis of the same length; got {counts}")
        if unknown := named - self.params.keys():
            raise ValueError(f"there is no parameter {', '.join(sorted(unknown))}; there are {', '.join(counts)}")
        if not self.names or steps < 1:
            raise ValueError(f"nothing to train: {len(self.names)} of {len(counts)} parameters learn, steps={steps}")

    def step(self) -> None:
        for loss, places in self.turns:
            self._turn(loss, places)
        for behind in {self.clock, self.age}:
            behind.add_(1)

    def _turn(self, loss: Loss, places: list[int]) -> None:
        of = lambda each: [each[i] for i in places]
        live, masks, (b1, b2) = of(self.live), of(self.masks), self.betas
        gradients = torch.autograd.grad(loss(self.params, self.clock).sum(), live)
        with torch.no_grad():
            factor, root = self.rates.index_select(0, self.age.view(-1)).unbind(1)  # (1,) or (M,) each
            rate = self.lr(self.age)
            rate = rate if self.going is None else rate * self.going
            size, floor = rate * factor, self.eps * root
            gradients = [g if mask is None else g * mask for g, mask in zip(gradients, masks, strict=True)]
            if self.clip is not None:
                gradients = _clipped(gradients, self.clip(self.age))
            first, second = of(self.first), of(self.second)
            torch._foreach_lerp_(first, gradients, 1 - b1)
            torch._foreach_mul_(second, b2)
            torch._foreach_addcmul_(second, gradients, gradients, 1 - b2)
            for p, m, v, mask, decay in zip(live, first, second, masks, of(self.decay), strict=True):
                if decay is not None:
                    lost = _wide(rate * decay(self.age), p)
                    p.mul_(1 - (lost if mask is None else lost * mask))
                scale = torch.sqrt(v).add_(_wide(floor, p))
                p.sub_(torch.div(m, scale, out=scale).mul_(_wide(size, p)))

    def replace(self, rows: Mapping[int, Mapping[str, Tensor] | None]) -> None:
        """Put new models into rows, in place: a recorded step finds them there. None ends a row."""
        for row, model in rows.items():
            if model is None:
                self.going[row] = 0
                continue
            if unknown := ", ".join(model.keys() - self.params.keys()):
                raise ValueError(f"row {row}: there is no parameter {unknown}; there are {list(self.params)}")
            for name, value in model.items():
                self.params[name][row].zero_()
                _corner(self.params[name][row], value).copy_(value)
            for moment in (*self.first, *self.second):
                moment[row].zero_()
            self.age[row], self.going[row] = 0, 1

    def memory(self) -> dict[str, Tensor]:
        """The moments by name, the steps behind each model (M,), and which models are still trained (M,)."""
        moments = {"first": self.first, "second": self.second}
        named = {f"{k}.{n}": m for k, each in moments.items() for n, m in zip(self.names, each, strict=True)}
        return named | {"age": self.age, "going": self.going}

    def _remember(self, memory: Mapping[str, Tensor]) -> None:
        for name, mine in self.memory().items():
            if name not in memory or memory[name].shape != mine.shape:
                got = tuple(memory[name].shape) if name in memory else "nothing"
                raise ValueError(f"memory[{name!r}] is {got}; {tuple(mine.shape)} was expected: a row a model")
            mine.copy_(memory[name])

    @property
    def ended(self) -> bool:
        return self.going is not None and not self.going.any()

    def _each(self, what: str, value: Each) -> Callable[[Tensor], Tensor]:
        """A value a model as a function of the models' steps."""
        if callable(value):
            return lambda age: value(age).to(self.dtype)
        fixed = torch.as_tensor(value, dtype=self.dtype, device=self.device)
        if fixed.shape not in ((), (self.count,)):
            raise ValueError(f"{what} has shape {tuple(fixed.shape)}; one value, or ({self.count},), one a model")
        return lambda age: fixed

    def _mask(self, name: str, value: Tensor | bool) -> Tensor | None:
        if value is True:
            return None
        p = self.params[name]
        mask = value.to(p.device, p.dtype)
        if mask.shape == (self.count,):
            return _wide(mask, p)
        if mask.dim() != p.dim() or any(a not in (1, b) for a, b in zip(mask.shape, p.shape, strict=True)):
            expected = f"expected ({self.count},) or {tuple(p.shape)}"
            raise ValueError(f"learn[{name!r}] has shape {tuple(mask.shape)}; {expected}")
        return mask


def schedule(steps: int, betas: tuple[float, float] = BETAS) -> Tensor:
    """(steps, 2): Adam's bias corrections, folded: the factor on the rate, and the one on epsilon; in double precision."""
    n = torch.arange(1, steps + 1, dtype=torch.float64)
    root = (1 - betas[1] ** n).sqrt()
    return torch.stack([root / (1 - betas[0] ** n), root], 1)


def _wide(value: Tensor, like: Tensor) -> Tensor:
    """A value a model, () or (1,) or (M,), beside a parameter (M, …)."""
    return value.view(-1, *[1] * (like.dim() - 1))


def _corner(whole: Tensor, part: Tensor) -> Tensor:
    """The entries of `whole` that a smaller `part` takes."""
    return whole[tuple(slice(n) for n in part.shape)]


def _clipped(gradients: list[Tensor], most: Tensor) -> list[Tensor]:
    """Each model's gradient with a norm of at most `most`, () or (M,); as torch.nn.utils.clip_grad_norm_ does for one."""
    square = sum(g.square().sum(tuple(range(1, g.dim()))) if g.dim() > 1 else g.square() for g in gradients)  # (M,)
    share = (most / (square.sqrt() + 1e-6)).clamp(max=1)
    return [g * _wide(share, g) for g in gradients]


def chunked(
    models: Sequence[T], bytes_each: int, device: str, what: str, *, most: int | None = None
) -> Iterator[Sequence[T]]:
    """`models` in chunks of at most `most` (by default what a device does fastest), in order.

    Raises MemoryError at once, before the first chunk, when one does not fit: `bytes_each` are what one model needs.
    """
    size = max(1, min(most or MOST["cuda" if device.startswith("cuda") else "cpu"], len(models)))
    devices.need_memory(min(size, len(models)) * bytes_each, device, what)
    return (models[at : at + size] for at in range(0, len(models), size))


def spaced(steps: int, count: int = 24) -> list[int]:
    """Steps at which to look: 0, the last, and about `count` between them, evenly spaced in the logarithm."""
    if steps < 1:
        raise ValueError(f"steps={steps}: training needs at least one step")
    between = (round(steps ** (i / count)) for i in range(count + 1))
    return sorted({0, *between, steps})


def best_rate(rows: pd.DataFrame, by: Sequence[str], score: str = "validation") -> pd.DataFrame:
    """The rows of each group of `by` that were trained at its best learning rate, in their order.

    The best rate has the lowest mean `score` over the group's seeds; of equals, the lowest. A rate at which any seed diverged
    (a score that is not finite) comes last. Raises ValueError unless `rows` has one row a group, rate and seed.
    """
    by, mean = list(by), "_mean"
    if rows.duplicated([*by, "rate", "seed"]).any():
        raise ValueError(f"a seed is there twice at one rate of {', '.join(by)}; name what differs in `by`")
    table, scores = rows[[*by, "rate"]].reset_index(drop=True), rows[score].reset_index(drop=True)
    table[mean] = scores.where(scores.abs() < float("inf"), float("inf"))  # nan, too, is not less
    table[mean] = table.groupby([*by, "rate"], dropna=False)[mean].transform("mean")
    best = table.sort_values([mean, "rate"]).groupby(by, dropna=False)["rate"].transform("first").sort_index()
    return rows[(table["rate"] == best).to_numpy()]
