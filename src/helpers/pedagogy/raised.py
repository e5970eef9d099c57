"""A game played to its end in stretches, each of which is kept, so that an interrupted one goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from helpers import stacked
from helpers.pedagogy.course import Game
from helpers.stacked import Params
from helpers.work import Work

Look = Callable[[int, Params], Mapping[str, Tensor]]


def raised(
    game: Game, keep: Sequence[int], work: Work, key: object, *, marks: Sequence[int] = (), look: Look | None = None
) -> tuple[dict[int, Params], dict[str, Tensor]]:
    """{step: generators (M, …) on the CPU} at the steps of `keep`, and {name: (T, …)} what `look` gave at `marks`, in order.

    look(step, generators) -> {name: tensor}, of the same names and shapes at every mark. key: what tells this game from others
    in `work`, where parameters and Adam's moments are kept at each step of `keep` and at the end. The game must be new. Raises
    ValueError for steps that are not there.
    """
    last = game.config.steps
    outside = [step for step in (*keep, *marks) if not 0 <= step <= last]
    if outside or (marks and look is None):
        raise ValueError(f"steps {outside} are not in 0 … {last}" if outside else "marks need a `look`")
    kept = {0: {k: v.to("cpu", copy=True) for k, v in game.generators().items()}} if 0 in keep else {}
    state: dict[str, Tensor] = {}
    parts = []
    for start, end in pairwise(sorted({0, *keep, last})):
        of = [step for step in sorted(marks) if start < step <= end or step == start == 0]
        compute = lambda start=start, end=end, of=of, state=state: _stretch(game, state, start, end, of, look)
        state = work.tensors(("raised", key, start, end, of), compute)
        parts.append(_of("seen/", state))
        if end in keep:
            kept[end] = game.generators(_of("params/", state))
    names = next((part.keys() for part in parts if part), ())
    return kept, {name: torch.cat([part[name] for part in parts if part]) for name in names}


def _stretch(game: Game, state: Params, start: int, end: int, marks: list[int], look: Look | None) -> Params:
    """From one kept step to the next: parameters, what Adam remembers, and what was seen on the way."""
    memory = {k: v.to(game.device) for k, v in _of("memory/", state).items()}
    for k, v in _of("params/", state).items():
        game.params[k].copy_(v)
    left = iter(marks)
    seen = stacked.fit(
        game.params, game.losses(start), lr=game.config.rate, betas=game.config.betas, steps=end - start,
        learn=game.learn, keeps=game.keeps, memory=memory, log=[step - start for step in marks],
        probe=lambda params: {k: v.cpu() for k, v in look(next(left), game.generators(params)).items()},
    )  # fmt: skip
    out = {f"params/{k}": v.to("cpu", copy=True) for k, v in game.params.items()}
    out |= {f"memory/{k}": v for k, v in memory.items()}
    return out | {f"seen/{k}": torch.stack([one[k] for one in seen]) for k in (seen[0] if seen else ())}


def _of(prefix: str, tensors: Params) -> Params:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
