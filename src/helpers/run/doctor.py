"""What this machine can run: what is there, what is in the way, and what each chapter's full profile took where it ran."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from helpers import devices, files
from helpers.run import execute, locks, surroundings
from helpers.run.progress import words
from helpers.run.project import Project
from helpers.run.say import size
from helpers.run.store import Store

PACKAGES = ("torch", "numpy", "transformers", "jupyterlab", "papermill", "jupytext", "jupyter-book")
HUB = ("huggingface.co", 443)
BROWSERS, COMPILERS = ("chromium", "chromium-browser", "google-chrome"), ("cc", "gcc", "clang")
MEMORY = 4 * 2**30  # bytes that the quick profiles need at most


@dataclass(frozen=True)
class Check:
    """One thing looked at. advice: what to do where it is not well."""

    name: str
    found: str
    well: bool = True
    advice: str = ""


@dataclass(frozen=True)
class Needs:
    """What a chapter's profiles took: seconds, the device ('' where it is not known) and the memory in bytes."""

    name: str
    full: float | None
    device: str
    memory: int | None
    quick: float | None
    quick_memory: int | None = None

    def __str__(self) -> str:
        quick = f"quick {words(self.quick)}{_of(self.quick_memory)} here" if self.quick else "quick has not run here"
        if self.full is None:
            return f"{self.name}: {quick}; full has no committed run to tell by"
        device = f" on {self.device}" if self.device else ""
        memory = _of(self.memory) or ", its memory was not recorded"
        return f"{self.name}: {quick}; full took {words(self.full)}{device}{memory}"


def _of(memory: int | None) -> str:
    return f", {size(memory)} of memory" if memory else ""


def checks(project: Project) -> list[Check]:
    """Everything that is looked at, in order. A check that fails itself is told as such, and stops no other."""
    found = []
    for look in (
        _python,
        _path,
        _packages,
        _memory,
        _disk,
        _locks,
        _temporary,
        _gpu,
        _compiler,
        _browser,
        _network,
        _kernel,
        _names,
    ):
        try:
            found += list(look(project))
        except Exception as error:  # a doctor says what is wrong with a machine; it does not die of it
            found.append(Check(look.__name__[1:], f"could not be looked at: {error}", False, str(error)))
    return found


def chapters(project: Project) -> list[Needs]:
    """What each notebook's profiles took: `full` by its committed reference, `quick` by the newest run here."""
    from helpers import records

    found = []
    for name in project.names:
        header = project.root / "book" / "reference" / name / records.HEADER
        try:
            told = files.read_json(header) if header.is_file() else {}
        except ValueError:
            told = {}
        here = {}
        for run in reversed(Store(project.runs).all(name)):  # the newest last
            here[run.facts["parameters"].get("profile")] = run.facts
        quick, full = here.get("quick", {}), here.get("full", {})
        device = str((told.get("provenance") or {}).get("device") or "")
        memory = told.get("memory") or full.get("memory")
        took = (told.get("seconds"), device, memory, quick.get("seconds"), quick.get("memory"))
        found.append(Needs(name, *took))
    return found


def _python(project: Project) -> Iterator[Check]:
    well = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Check("python", f"{platform.python_version()} at {sys.executable}", well, "use Python 3.11 to 3.13")


def _path(project: Project) -> Iterator[Check]:
    if others := surroundings.strange():
        advice = "runs see nothing of it: unset it (`module load` sets it on clusters), and install what notebooks need"
        yield Check("path", f"PYTHONPATH names {', '.join(others)}", False, advice)


def _packages(project: Project) -> Iterator[Check]:
    pinned, other, there = project.root / "constraints.txt", [], []
    lines = pinned.read_text(encoding="utf-8").splitlines() if pinned.is_file() else []
    wanted = dict(line.split("==", 1) for line in lines if "==" in line and not line.startswith("#"))
    for name in PACKAGES:
        try:
            has = metadata.version(name)
        except metadata.PackageNotFoundError:
            has = "missing"
        there.append(f"{name} {has}")
        if wanted.get(name, has.partition("+")[0]) != has.partition("+")[0]:
            other.append(f"{name} is {has}, and was tested as {wanted[name]}")
    yield Check("packages", ", ".join(there), not other, "; ".join(other))


def _memory(project: Project) -> Iterator[Check]:
    import psutil

    free, cores = psutil.virtual_memory().available, len(os.sched_getaffinity(0))
    advice = f"quick profiles need up to {size(MEMORY)}; close other programs"
    yield Check("memory", f"{size(free)} free, {cores} cores", free >= MEMORY, advice)


def _disk(project: Project) -> Iterator[Check]:
    place = next(p for p in (project.runs, *project.runs.parents) if p.exists())
    free, well = shutil.disk_usage(place).free, os.access(place, os.W_OK)
    what = f"{size(free)} free at {project.runs}" + ("" if well else ", which cannot be written to")
    advice = "free some" if well else "it is read-only, or belongs to somebody else"
    yield Check("disk", what, well and free > execute.SPACE, f"{advice}; or name another folder with --runs")


def _locks(project: Project) -> Iterator[Check]:
    place = next(p for p in (project.runs, *project.runs.parents) if p.exists())
    if not os.access(place, os.W_OK):
        return
    lock = locks.take(place / ".doctor.lock")
    well = lock is None or lock.fd is not None
    if lock:
        lock.release()
        lock.path.unlink(missing_ok=True)
    yield Check(
        "locks", "known here" if well else "not known here", well, "do not run one notebook twice at once there"
    )


def _temporary(project: Project) -> Iterator[Check]:
    with locks.folder() as (made, _):
        yield Check("temporary", f"files go to {made.parent}")


def _gpu(project: Project) -> Iterator[Check]:
    count = devices.cuda_count()
    if not count:
        yield Check("gpu", "none; every notebook runs on the CPU, full profiles slowly")
        return
    import torch

    if not torch.cuda.is_available():
        advice = f"torch {torch.__version__} cannot use it: install a CUDA build of torch"
        yield Check("gpu", f"{count} seen by the driver", False, advice)
        return
    for i in range(count):
        free, total = torch.cuda.mem_get_info(i)
        yield Check("gpu", f"cuda:{i} {torch.cuda.get_device_name(i)}, {size(free)} of {size(total)} free")


def _compiler(project: Project) -> Iterator[Check]:
    named = os.environ.get("CC")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, COMPILERS)), None)
    advice = (
        "GPU kernels need one: install gcc, or name a compiler in CC; until then torch does their work, more slowly"
    )
    yield Check("compiler", found or (f"CC={named} is not there" if named else "none"), bool(found), advice)


def _browser(project: Project) -> Iterator[Check]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    yield Check("browser", f"{found or 'no Chromium'}, {driver or 'no chromedriver'} (for the tests of pages alone)")


def _network(project: Project, connect: Callable = socket.create_connection) -> Iterator[Check]:
    try:
        connect(HUB, timeout=2).close()
        yield Check("network", f"{HUB[0]} answers")
    except OSError as error:
        yield Check("network", f"{HUB[0]} does not answer ({error}); named models and data must be there already")


def _kernel(project: Project) -> Iterator[Check]:
    from jupyter_client.kernelspec import KernelSpecManager

    folder = Path(KernelSpecManager().find_kernel_specs().get("python3", sys.prefix))
    well = Path(sys.prefix) in (folder, *folder.parents)
    advice = f"JupyterLab would start it instead of this Python: remove {folder}, or unset JUPYTER_PATH"
    yield Check("kernel", f"python3 of {folder}", well, advice)


def _names(project: Project) -> Iterator[Check]:
    for folder in dict.fromkeys((project.root / "notebooks", project.root, Path.cwd())):
        for path in (folder / "helpers.py", folder / "helpers"):
            if path.exists():
                yield Check("names", f"{path} is called as the book's package", False, f"rename {path}")
