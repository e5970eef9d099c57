"""A search on several devices: one process a device, each with the model and a part of the targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import replace

import torch
from torch.multiprocessing import get_context

from helpers import devices
from helpers.lm import LM
from helpers.softprompt import engine
from helpers.softprompt.config import Search
from helpers.softprompt.engine import Solution
from helpers.softprompt.jobs import Job, check

WORTH = 256  # targets a device, below which a process and its model cost more than they save


def places(found: LM, targets: int) -> list[str]:
    """All GPUs of this machine, for a model that is on one and so many targets; else the model's own device."""
    count = devices.cuda_count() if found.device.startswith("cuda") else 1
    return [f"cuda:{i}" for i in range(count)] if count > 1 and targets >= WORTH * count else [found.device]


def search(found: LM, asked: Sequence[Job], how: Search, on: Sequence[str] | None = None) -> list[Solution]:
    """As `engine.search`, on several devices at once where there are several: results in the order of the jobs.

    on: devices, one process each; by default as `places` says. All restarts of a target go to one of them, long and short
    targets to all alike. Raises as `engine.search`, and what a process pool raises where a process dies.
    """
    asked = list(asked)
    names = list(dict.fromkeys(job.name for job in sorted(asked, key=lambda job: job.longest)))
    on = places(found, len(names)) if on is None else list(on)
    if len(on) < 2 or not asked:
        return engine.search(found, asked, how)
    check(found, asked, how.front)
    part = {name: i % len(on) for i, name in enumerate(names)}
    shares = [[job for job in asked if part[job.name] == i] for i in range(len(on))]
    sent = replace(
        found, model=deepcopy(found.model).to("cpu"), device="cpu"
    )  # through shared memory, never through a file
    with ProcessPoolExecutor(len(on), mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_part, sent, *each, how) for each in zip(on, shares, strict=True)]
        done = [_cast(result, torch.from_numpy) for future in waiting for result in future.result()]
    by_name = {(r.job.name, r.job.restart): r for r in done}
    return [by_name[job.name, job.restart] for job in asked if (job.name, job.restart) in by_name]


def _part(found: LM, place: str, asked: Sequence[Job], how: Search) -> list[Solution]:
    """In a process of its own: the results of some jobs on a device, as arrays: a tensor on its way takes a file descriptor."""
    done = engine.search(replace(found, model=found.model.to(place), device=place), asked, how)
    return [_cast(result, lambda value: value.cpu().numpy()) for result in done]


def _cast(result: Solution, to: Callable) -> Solution:
    held = {name: getattr(result, name) for name in ("content", "trace", "tightness", "modes")}
    return replace(result, **{name: to(value) for name, value in held.items() if value is not None})
