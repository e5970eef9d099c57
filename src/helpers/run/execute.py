"""One run of one notebook: checked, watched, and published only when it is whole."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from helpers import devices, files, parameters
from helpers.run import check, job, keys, progress
from helpers.run.project import Notebook, Project
from helpers.run.store import Run, Store

LIMITS = {"quick": 900, "full": 6 * 3600}  # seconds of wall time
SPACE = 200 * 2**20  # bytes that must be free before a run starts
Report = Callable[[dict], None]


class RunError(RuntimeError):
    """A run that did not succeed. `kept` is the folder with its partial notebook and traceback."""

    def __init__(self, message: str, kept: Path | None = None, code: int = 1):
        what = "partial notebook and traceback" if kept and (kept / "notebook.ipynb").is_file() else "log"
        super().__init__(message + (f"\n  {what}: {kept}" if kept else ""))
        self.kept, self.code = kept, code


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
    chosen = parameters.resolve(notebook.parameters, given, texts=texts)
    if "device" in chosen:
        devices.resolve(chosen["device"])
    return Planned(notebook, chosen, keys.parts(project, notebook, chosen))


def run(
    project: Project,
    plan: Planned,
    *,
    force: bool = False,
    limit: float | None = None,
    report: Report = lambda event: None,
) -> tuple[Run, bool]:
    """Run a plan unless its key has a finished run. Returns the run and whether it is new.

    force: run in any case. limit: seconds of wall time, by default the profile's. report: called with every event
    (cell, alive, progress, long, failed, done). Raises ParameterError when the notebook's settings cell refuses the
    parameters; RunError when the notebook fails, its kernel dies, or the time is up; OSError when the folder cannot be
    written; ValueError when a run.json is corrupt; KeyboardInterrupt after cleaning up.
    """
    name, key, store = plan.notebook.name, plan.key, Store(project.runs)
    if not force and (known := store.find(name, key)):
        return known, False
    check.apart(project, plan.notebook, plan.chosen)
    folder = store.open(name, key)
    free = shutil.disk_usage(folder).free
    if free < SPACE:
        shutil.rmtree(folder)
        raise OSError(
            28, f"only {free / 2**20:.0f} MiB free at {project.runs}; a run needs {SPACE / 2**20:.0f}: free some"
        )
    limit = limit or LIMITS[str(plan.chosen.get("profile", "quick"))]
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    try:
        _supervise(_job(project, plan, folder, store.place(name, key)), folder, limit, report)
    except (RunError, KeyboardInterrupt) as error:
        kept = store.fail(folder, name, store.move(name, key, _settled(plan).key))
        if isinstance(error, RunError):
            raise RunError(str(error), kept, error.code) from None
        raise
    settled = _settled(plan)
    facts = {
        "title": plan.notebook.title,
        "parameters": plan.chosen,
        "inputs": plan.files,
        "parts": settled.parts,
        "started": started,
        "seconds": round(time.monotonic() - clock, 1),
        "provenance": _provenance(folder),
    }
    return store.commit(folder, name, store.move(name, key, settled.key), facts), True


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


def _environment(sockets: str) -> dict[str, str]:
    """This process's variables, and those of a job. Its threads wait by looking again and again, which starves another run on
    the same cores: with libgomp's own count two runs at once took over seven times as long as one, with this one three times.
    """
    patient = {} if "OMP_WAIT_POLICY" in os.environ else {"GOMP_SPINCOUNT": "3000"}
    return patient | os.environ | {"JUPYTER_RUNTIME_DIR": sockets, "PYTHONUNBUFFERED": "1"}


def _supervise(order: dict, folder: Path, limit: float, report: Report) -> None:
    """Start the job in its own process group and follow it to its end, or end it."""
    short = _short_folder()
    job_file = Path(short) / "job.json"
    job_file.write_text(json.dumps(order), encoding="utf-8")
    log = (folder / "log.txt").open("wb")
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "helpers.run.job", str(job_file)],
        stdout=subprocess.PIPE,
        stderr=log,
        env=_environment(short),
        start_new_session=True,
    )
    last, pids = {"event": "start"}, {child.pid}
    try:
        for event in _events(child, limit, progress.Progress(folder, limit)):
            if event["event"] == "kernel":
                pids.add(event["pid"])
            if event["event"] == "cell":
                last = event
            report(event)
            if event["event"] == "late":
                raise RunError(f"time is up: {limit:.0f} s passed in {_where(last)}; raise it with --limit", code=4)
            if event["event"] == "failed":
                cell = _where(last) if event["cell"] == job.UNKNOWN else f"cell {event['cell']}"
                raise RunError(f"failed in {cell}: {event['error']}", code=event["code"])
        if child.wait() != 0:
            tail = (folder / "log.txt").read_text(errors="replace").strip().splitlines()[-3:]
            raise RunError(f"the run ended with code {child.returncode} in {_where(last)}: {' / '.join(tail)}")
        (folder / "log.txt").unlink()
    finally:
        _end(child, pids)
        log.close()
        (folder / progress.FILE).unlink(missing_ok=True)
        shutil.rmtree(short, ignore_errors=True)


def _short_folder() -> str:
    """A new temporary folder for the kernel's sockets and its connection file; the path of a socket has 107 bytes at most."""
    for place in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/dev/shm")):
        if len(os.fsencode(place)) <= 80 and os.access(place, os.W_OK):
            return tempfile.mkdtemp(prefix="ruc-", dir=place)
    raise OSError(36, f"the temporary folder {tempfile.gettempdir()} has too long a name; set TMPDIR to a shorter one")


def _events(child: subprocess.Popen, limit: float, watch: progress.Progress, beat: float = 5.0):
    """The child's events as they come, an `alive` every `beat` seconds between them, what its log says of its progress, and
    `late` when the limit is over. Ends with the child, also where what it started outlives it."""
    lines: queue.Queue = queue.Queue()

    def pump() -> None:
        with child.stdout:
            for line in child.stdout:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    start = time.monotonic()
    while True:
        left = limit - (time.monotonic() - start)
        if left <= 0:
            yield {"event": "late"}
            return
        try:
            line = lines.get(timeout=min(beat, left))
        except queue.Empty:
            if child.poll() is not None:  # killed, while its kernel lives on and holds the other end of the pipe
                return
            yield {"event": "alive", "seconds": time.monotonic() - start}
            yield from watch.events(time.monotonic() - start)
            continue
        if line is None:
            return
        try:
            yield json.loads(line)
        except ValueError:
            continue  # a library's own print


def _end(child: subprocess.Popen, pids: set[int]) -> None:
    """End the job, its kernel and whatever they started: first politely, then by force. No-op when all is over."""
    found = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            found += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    for stop in (signal.SIGTERM, signal.SIGKILL):
        for process in found:
            try:
                process.send_signal(stop)
            except psutil.NoSuchProcess:
                continue
        found = psutil.wait_procs(found, timeout=3)[1]
        if not found:
            break
    for pid in pids:  # job and kernel lead groups of their own, in which orphans of a kernel that is gone still are
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    child.wait()


def _where(cell: dict) -> str:
    return f"cell {cell['index']} of {cell['of']} ({cell['line']})" if "index" in cell else "the start of the kernel"


def _provenance(folder: Path) -> dict:
    """What the kernel ran on, as the chapter wrote it down; for a notebook without claims, what the runner sees."""
    written = folder / "provenance.json"
    return files.read_json(written) if written.is_file() else {"commit": devices.commit()}
