"""What failed, interrupted and killed runs left behind, with its size, and how it is removed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from helpers import files
from helpers.run import execute, keys, locks, processes
from helpers.run.project import KEPT, Project
from helpers.run.store import CHANGED, PROOF, Store

KEY = re.compile("[0-9a-f]{16}")
CACHE = "checkpoints"  # of live kernels, beside their folders
KINDS = {
    "failed": "what a failed run left: its partial notebook, traceback and log",
    "work": "finished pieces of a run that did not end; the next try takes them up",
}
KEPT_ASIDE = "a finished run in which somebody changed or added files; it was put aside"


@dataclass(frozen=True)
class Left:
    """One folder: its size in bytes, and what it is. lock: who holds it is at work in the folder."""

    path: Path
    size: int
    what: str
    lock: Path | None = None


def find(project: Project, *, stale: bool = False, live: bool = False, changed: bool = False) -> list[Left]:
    """Everything that nobody works on. stale: finished runs of earlier sources, too; live: what notebooks wrote that were run
    by hand, too, but for those whose kernel lives; changed: runs that were put aside because somebody had changed them, too.
    """
    store, found = Store(project.runs), []
    for folder in sorted(p for p in project.runs.glob("*") if p.is_dir() and not p.name.startswith(".")):
        for path in sorted(p for p in folder.glob("[!.]*") if p.is_dir()):
            key, _, kind = path.name.partition(".")
            if path.name != "live" and not KEY.fullmatch(key):  # nothing of ours
                continue
            lock = path.with_name(f".{key}.lock")
            if kind in KINDS:
                found.append(_left(path, KINDS[kind], lock))
            elif changed and kind.partition("-")[0] == CHANGED:
                found.append(_left(path, KEPT_ASIDE, lock))
            elif live and path.name == "live":
                found += [_left(p, "what the notebook wrote when it was run in JupyterLab") for p in _free(path)]
            elif stale and (path / PROOF).is_file() and _earlier(project, folder.name, path):
                found.append(_left(path, "a finished run of an earlier source", lock))
        for path in store.left(folder.name):
            key = path.name.split(".")[1]
            if KEY.fullmatch(key):
                found.append(_left(path, "a run whose runner was killed", path.with_name(f".{key}.lock")))
    if stale and (kept := project.runs / KEPT).is_dir():
        found.append(_left(kept, "what was read of the sources, kept to be read faster"))
    found += [_left(p, "sockets of a run whose runner was killed") for p in locks.left()]
    return [f for f in found if not (f.lock and f.lock.is_file() and not locks.free(f.lock))]


def remove(found: list[Left]) -> list[Left]:
    """Remove them; returns those that are gone. What a run has taken up in the meantime stays."""
    gone = []
    for left in found:
        try:
            lock = locks.take(left.lock) if left.lock else None
        except OSError:  # a disk that cannot be written to, or a folder in the lock's place
            continue
        if (left.lock and lock is None) or any(map(files.held, [left.path, *left.path.glob("*/")])):
            continue
        processes.end(left.path)
        shutil.rmtree(left.path, ignore_errors=True)
        if lock:
            lock.release()
        if not left.path.exists():
            gone.append(left)
    return gone


def _left(path: Path, what: str, lock: Path | None = None) -> Left:
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(folder, name)).st_size
    return Left(path, size, what, lock)


def _earlier(project: Project, name: str, folder: Path) -> bool:
    """Whether a finished run is of an earlier source: planned with its own parameters, some other part of its key has changed
    since, or the notebook has other parameters by now. Where that cannot be told it is not.
    """
    try:
        facts = files.read_json(folder / PROOF)
        given = facts["parameters"]
        if {*given} != {*project.notebook(name).parameters}:
            return True
        plan = execute.plan(project, name, given, texts=False)
        return any(part != "parameters" for part in keys.changed(facts["parts"], plan.parts))
    except (*execute.FAULTS, KeyError, TypeError, AttributeError):
        return False


def _free(live: Path) -> list[Path]:
    """The folder of all live kernels; while one of them works, those of the others, without the cache that they share."""
    made = sorted(p for p in live.iterdir() if p.is_dir())
    free = [p for p in made if not files.held(p)]
    return [live] if len(free) == len(made) else [p for p in free if p.name != CACHE]
