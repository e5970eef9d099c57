"""What a run has started, found by the folder of the run in its environment, and how it is ended."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "RUC_RUN_DIR"


def of_run(folder: str | Path) -> list[psutil.Process]:
    """Every process that runs for this run's folder, whoever its parent is by now; this process itself left out."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(folder):
                found.append(process)
    return found


def end(folder: str | Path, pids: Iterable[int] = (), patience: float = 3.0) -> None:
    """End what runs for this folder, these processes and all that they started: first politely, then by force."""
    pids = list(pids)
    for stop in (signal.SIGTERM, signal.SIGKILL):
        found = of_run(folder)
        for pid in pids:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                found += [process, *process.children(recursive=True)]
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.send_signal(stop)
        psutil.wait_procs(found, timeout=patience)
    for pid in pids:  # job and kernel lead groups of their own, in which orphans without the mark still are
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def memory(pid: int) -> int:
    """Bytes that a process and all below it have in memory now."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for p in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += p.memory_info().rss
    return total
