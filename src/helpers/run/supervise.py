"""The process of one run: started apart, followed to its end, or ended with all that it started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from helpers.run import channel, locks, processes, progress, surroundings

Report = Callable[[dict], None]
JOB = [sys.executable, "-P", "-m", "helpers.run.job"]
LEAVE = 60.0  # seconds that a job has for going, once it has said its last


class RunError(RuntimeError):
    """A run that did not succeed. kept: the folder with its partial notebook and traceback. full: nothing could be saved."""

    def __init__(self, message: str, kept: Path | None = None, code: int = 1, full: bool = False):
        super().__init__(message + (f"\n  what was done so far: {kept}" if kept else ""))
        self.kept, self.code, self.full = kept, code, full


def follow(order: dict, folder: Path, limit: float, lock: locks.Lock, report: Report) -> int:
    """Start the job in a session of its own and follow it. lock: the run's, which the job holds as well, so that nobody takes
    the run up while a job whose runner is gone still ends what it started. Returns the most memory that was seen, in bytes.
    Raises RunError."""
    with locks.folder() as (short, mine):
        child, events, life = _start(order, short, [fd for fd in (lock.fd, mine.fd) if fd is not None])
        last, pids, most = {"event": "start"}, {child.pid}, 0
        logs = channel.log(child.stdout, folder / "log.txt")
        try:
            watch = progress.Progress(folder, limit)
            for event in channel.events(events, limit):
                report(event)
                most = max(most, processes.memory(child.pid))
                if event["event"] == "alive":
                    for told in watch.events(event["seconds"]):
                        report(told)
                last = event if event["event"] == "cell" else last
                pids |= {event["pid"]} if event["event"] == "kernel" else set()
                _raise(event, last, limit)
            code = child.wait(LEAVE)
        except subprocess.TimeoutExpired:
            raise RunError("the run's process did not end; it was killed", code=4) from None
        finally:
            processes.end(folder, pids)
            child.wait()
            os.close(life)
            logs.join(timeout=5)
            (folder / progress.FILE).unlink(missing_ok=True)
    if code:
        tail = _tail(folder / "log.txt")
        raise RunError(f"the run ended with code {code} in {_where(last)}{tail and f': {tail}'}")
    for path in folder.glob("log*.txt"):
        path.unlink()
    return most


def _start(order: dict, short: Path, locked: list[int]) -> tuple[subprocess.Popen, int, int]:
    """The job's process, the end of the pipe on which its events come, and the one whose closing ends it."""
    events, told = os.pipe()
    watched, life = os.pipe()
    try:
        order = order | {"pipes": {"events": told, "life": watched}, "locks": locked}
        file = locks.written(short / "job.json", json.dumps(order))
        child = subprocess.Popen(
            [*JOB, str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=surroundings.of_job(short),
            pass_fds=(told, watched, *locked),
            start_new_session=True,
        )
    except BaseException:
        os.close(events)
        os.close(life)
        raise
    finally:
        os.close(told)
        os.close(watched)
    return child, events, life


def _raise(event: dict, last: dict, limit: float) -> None:
    if event["event"] == "late":
        raise RunError(f"time is up: {limit:.0f} s passed in {_where(last)}; raise it with --limit", code=4)
    if event["event"] == "failed":
        raise RunError(
            f"failed in {_where(last)}: {event['error']}", code=event["code"], full=event.get("full") is True
        )


def _where(cell: dict) -> str:
    return f"cell {cell['index']} of {cell['of']} ({cell['line']})" if "index" in cell else "the start of the kernel"


def _tail(path: Path) -> str:
    return " / ".join(path.read_text(errors="replace").strip().splitlines()[-3:]) if path.is_file() else ""
