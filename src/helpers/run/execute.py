"""One run of one notebook: checked, watched, and published only when it is whole."""

from __future__ import annotations

import contextlib
import errno
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from helpers import devices, files, parameters
from helpers.run import check, keys, locks
from helpers.run.project import Notebook, Project
from helpers.run.store import Run, Store
from helpers.run.supervise import Report, RunError, follow

LIMITS = {"quick": 900, "full": 6 * 3600}  # seconds of wall time
SPACE = 200 * 2**20  # bytes that must be free before a run starts
LEAST = 1.0  # seconds that are left to a run after a wait
ROOM = 4 * 2**20  # bytes below which a disk is full
FAULTS = (ValueError, SyntaxError, RuntimeError, OSError, MemoryError)  # one notebook's, which stop no other


@dataclass(frozen=True)
class Planned:
    """What would run: all parameters with their values, the parts of the key, and the key."""

    notebook: Notebook
    chosen: dict[str, object]
    parts: dict[str, str]

    @property
    def key(self) -> str:
        return keys.key(self.parts)

    @property
    def files(self) -> dict[str, str]:
        """Digests of the files given as parameters, by parameter."""
        known = self.notebook.parameters
        return {k: files.digest(Path(v)) for k, v in self.chosen.items() if known[k].is_file(v)}


def plan(project: Project, name: str, given: Mapping[str, object], *, texts: bool = True) -> Planned:
    """Check everything that can be checked without a kernel.

    Raises FileNotFoundError (no such notebook), ParameterError (name, type, range, choice, file), ValueError or
    RuntimeError (device).
    """
    notebook = project.notebook(name)
    _check_text(project, given)
    chosen = parameters.resolve(notebook.parameters, given, texts=texts)
    if "device" in chosen:
        devices.resolve(chosen["device"])
    return Planned(notebook, chosen, keys.parts(project, notebook, chosen))


def _check_text(project: Project, given: Mapping[str, object]) -> None:
    """Refuse bytes that are not UTF-8 in what a notebook's file, or the run's proof, would have to hold."""
    for name, value in given.items():
        for text in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(text, str) and (shown := files.odd(text)):
                raise parameters.ParameterError(
                    f"{name}='{shown}' holds bytes that are not UTF-8, and text in UTF-8 was expected; if it is a file, give "
                    "it another name, or a link to it"
                )
    for folder, other in ((project.root, "move the book to another"), (project.runs, "name another with --runs")):
        if shown := files.odd(folder):
            raise ValueError(f"the folder {shown} has bytes in its name that are not UTF-8; {other}")


def run(
    project: Project,
    plan: Planned,
    *,
    force: bool = False,
    limit: float | None = None,
    report: Report = lambda event: None,
) -> tuple[Run, bool]:
    """Run a plan unless its key has a finished run. Returns the run and whether it is new.

    force: run in any case. limit: seconds of wall time, a wait for another run of the same included; by
    default the profile's, from the run's own start. report: called with every event
    (waiting, changed, cell, alive, progress, long, failed, done). Where another process runs the same, its end is waited for.
    Raises ParameterError when the notebook's settings cell refuses the parameters; RunError when the notebook fails, its kernel
    dies, or the time is up; OSError when the folder cannot be written; KeyboardInterrupt after cleaning up.
    """
    name, key, store = plan.notebook.name, plan.key, Store(project.runs)
    if not force and (known := store.find(name, key)):
        return known, False
    check.apart(project, plan.notebook, plan.chosen)
    begun, waiting = time.monotonic(), lambda who: report({"event": "waiting", "for": who})
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(locks.held(store.lock(name, key), waiting, limit=limit))
        except TimeoutError as late:
            raise RunError(f"time is up: {late}; raise it with --limit", code=4) from None
        if not force and (known := store.find(name, key)):
            return known, False
        if why := store.fault(name, key):
            report({"event": "changed", "why": why})
        store.sweep(name, key)
        locks.sweep()
        left = limit and max(limit - (time.monotonic() - begun), LEAST)
        return _run(project, plan, store, lock, left, report), True


def _run(project: Project, plan: Planned, store: Store, lock: locks.Lock, limit: float | None, report: Report) -> Run:
    name, key = plan.notebook.name, plan.key
    _check_room(project)
    folder = store.open(name, key)
    limit = limit or LIMITS[str(plan.chosen.get("profile", "quick"))]
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    try:
        memory = follow(_job(project, plan, folder, store.place(name, key)), folder, limit, lock, report)
        settled = _settled(plan)
        facts = {
            "title": plan.notebook.title,
            "parameters": plan.chosen,
            "inputs": plan.files,
            "parts": settled.parts,
            "started": started,
            "seconds": round(time.monotonic() - clock, 1),
            "memory": memory,
            "provenance": _provenance(project, folder),
        }
        return store.commit(folder, name, store.move(name, key, settled.key), facts)
    except BaseException as error:
        full, kept = _full(project, error), None
        if folder.is_dir() and any(folder.iterdir()):
            with contextlib.suppress(OSError):  # why the run ended is told first
                kept = store.fail(folder, name, store.move(name, key, _settled(plan).key))
        else:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, RunError):
            raise RunError(full + str(error), kept, error.code) from None
        if full:
            raise OSError(errno.ENOSPC, f"{full}{error.strerror or error}") from error
        raise


def _check_room(project: Project) -> None:
    free = shutil.disk_usage(project.runs).free
    if free < SPACE:
        needed = f"{SPACE / 2**20:.0f}: free some, or name another folder with --runs"
        raise OSError(errno.ENOSPC, f"only {free / 2**20:.0f} MiB free at {project.runs}; a run needs {needed}")


def _full(project: Project, error: BaseException) -> str:
    """What to say of a run that ended badly on a disk that is full; '' where there is room."""
    if not isinstance(error, (RunError, OSError)):
        return ""
    try:
        free = shutil.disk_usage(project.runs).free
    except OSError:
        return ""
    if free >= ROOM and not getattr(error, "full", False):
        return ""
    state = "is full" if free < ROOM else "was full"
    where = f"the disk of {project.runs} {state} ({free / 2**20:.0f} MiB free)"
    return f"{where}: free some, or name another folder with --runs\n"


def _settled(plan: Planned) -> Planned:
    """The plan with the commits that the hub's models have now: one may have come during the run, and is what it used."""
    return replace(plan, parts=plan.parts | keys.commits(plan.notebook, plan.chosen))


def _job(project: Project, plan: Planned, folder: Path, place: Path) -> dict:
    work = place.with_name(f"{plan.key}.work")
    return {
        "notebook": plan.notebook.content,
        "parameters": plan.chosen,
        "folder": str(folder),
        "work": str(work),
        "root": str(project.root),
        "cwd": str(project.root / "notebooks"),
    }


def _provenance(project: Project, folder: Path) -> dict:
    """What the kernel ran on, as the chapter wrote it down; for a notebook without claims, what the runner sees."""
    written = folder / "provenance.json"
    return files.read_json(written) if written.is_file() else {"commit": devices.commit(project.root)}
