"""What failed, interrupted and killed runs left behind, with its size, and how it is removed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from helpers.run import execute, locks, processes
from helpers.run.project import KEPT, Project
from helpers.run.store import Store

KEY = re.compile("[0-9a-f]{16}")
KINDS = {
    "failed": "what a failed run left: its partial notebook, traceback and log",
    "work": "finished pieces of a run that did not end; the next try takes them up",
    "changed": "a finished run whose files were changed afterwards",
}


@dataclass(frozen=True)
class Left:
    """One folder: its size in bytes, and what it is. lock: who holds it is at work in the folder."""

    path: Path
    size: int
    what: str
    lock: Path | None = None


def find(project: Project, *, stale: bool = False, live: bool = False) -> list[Left]:
    """Everything that nobody works on. stale: finished runs that no source as it stands would find again, too; live: what
    notebooks wrote that were run by hand, too."""
    store, found = Store(project.runs), []
    for folder in sorted(p for p in project.runs.glob("*") if p.is_dir() and not p.name.startswith(".")):
        fresh = _key(project, folder.name) if stale else ""
        for path in sorted(p for p in folder.glob("[!.]*") if p.is_dir()):
            key, _, kind = path.name.partition(".")
            if path.name != "live" and not KEY.fullmatch(key):  # nothing of ours
                continue
            lock = path.with_name(f".{key}.lock")
            if kind in KINDS:
                found.append(_left(path, KINDS[kind], lock))
            elif stale and fresh and key != fresh and (path / "run.json").is_file():
                found.append(_left(path, "a finished run of an earlier source, or of other parameters", lock))
            elif live and path.name == "live":
                found.append(_left(path, "what the notebook wrote when it was run in JupyterLab"))
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
        lock = locks.take(left.lock) if left.lock else None
        if left.lock and lock is None:
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


def _key(project: Project, name: str) -> str:
    """The key that a run with the notebook's defaults would have; '' where its source cannot be read."""
    try:
        return execute.plan(project, name, {}).key
    except execute.FAULTS:
        return ""
