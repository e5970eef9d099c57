"""A step recorded as a CUDA graph and replayed: launching the kernels of a small step takes longer than running them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
State = Sequence[Tensor] | Callable[[], Iterable[Tensor]]


def recorded(step: Callable[[], T], state: State, *, warm: int = 3) -> Callable[[], T]:
    """`step` as one launch: run `warm` times, undone, recorded as a CUDA graph; what it returns lies in one place each time.

    state: the tensors that a step changes, or a function that lists them, for a step that makes some of them when it
    first runs (an optimiser's moments): those are zero again when the caller takes its first step. Every other tensor
    that the step reads must stay where it is; its values may change. A step must be free of side effects in Python.

    Returns `step` itself, never run, on a CPU and under RUC_CUDA_GRAPHS=0; and `step` itself, with `state` put back and
    a warning (once a reason), where the driver cannot record it. What `step` raises when it warms up is raised.
    """
    device = next((x.device for x in _listed(state) if x.is_cuda), None)
    if warm < 1:
        raise ValueError(f"warm={warm}: a step must run at least once before it is recorded")
    if device is None or os.environ.get("RUC_CUDA_GRAPHS", "1") == "0":  # a way out for a driver that cannot record
        return step
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device):
        side, current = torch.cuda.Stream(), torch.cuda.current_stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(warm):
                with undone(state):  # each time, so that a step never meets a clock past the last one
                    step()
        current.wait_stream(side)
        try:
            with torch.cuda.stream(current), torch.cuda.graph(graph):  # torch stays on its own stream when it fails
                result = step()
        except RuntimeError as error:
            torch.cuda.synchronize()
            _warn(str(error).partition("\n")[0])
            return step

    def replay() -> T:
        graph.replay()
        return result

    return replay


@contextmanager
def undone(state: State) -> Iterator[None]:
    """What happens in here to the tensors of `state` is undone: old ones get their values back, new ones become zero."""
    before = [(x, x.detach().clone()) for x in _listed(state)]
    known = {id(x) for x, _ in before}
    try:
        yield
    finally:
        with torch.no_grad():
            for x, old in before:
                x.copy_(old)
            for x in _listed(state):
                if id(x) not in known:
                    x.zero_()


def _listed(state: State) -> list[Tensor]:
    return list(state() if callable(state) else state)


@cache
def _warn(reason: str) -> None:
    warnings.warn(f"this step cannot be recorded as a CUDA graph ({reason}); it runs eagerly", stacklevel=3)
