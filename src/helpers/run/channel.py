"""Between the runner and its job: a pipe for events that nobody else can write on, one that ends with the runner, and a log
that never outgrows its place."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from helpers.run import processes

ORPHAN = 5  # exit code of a job whose runner is gone
EVENTS = ("kernel", "cell", "failed", "done")
FULL = 50 * 2**20  # bytes of a log, after which it is begun anew and the last one kept
BEAT = 5.0  # seconds between two signs of life


def write(fd: int, event: str, **facts) -> None:
    """One event for the runner. Lost when the runner is gone."""
    with contextlib.suppress(OSError):
        os.write(fd, (json.dumps({"event": event} | facts) + "\n").encode())


def attend(order: dict) -> threading.Event:
    """In a job: keep its pipes and locks from what it starts, and end everything once the runner is gone, whose pipe closes
    then, however it went. The event tells that this is going on."""
    for fd in (*order["pipes"].values(), *order["locks"]):
        os.set_inheritable(fd, False)
    orphaned = threading.Event()

    def wait() -> None:
        while os.read(order["pipes"]["life"], 1):
            pass
        orphaned.set()
        processes.end(order["folder"], patience=1.0)
        shutil.rmtree(os.environ["JUPYTER_RUNTIME_DIR"], ignore_errors=True)
        os._exit(ORPHAN)

    threading.Thread(target=wait, daemon=True).start()
    return orphaned


def leave(orphaned: threading.Event, code: int) -> None:
    """End a job with its exit code, unless it is being ended."""
    while orphaned.is_set():  # the kernel's end has ended the notebook; what is left is being taken away
        time.sleep(1)
    sys.exit(code)


def events(fd: int, limit: float, beat: float | None = None) -> Iterator[dict]:
    """Events as they come; `alive` with the seconds passed every `beat` seconds between them; `late` when the limit is over.
    Ends with the other end. What is no event is left out."""
    lines: queue.Queue = queue.Queue()

    def pump() -> None:
        with os.fdopen(fd, "rb") as stream:
            for line in stream:
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
            line = lines.get(timeout=min(beat or BEAT, left))
        except queue.Empty:
            yield {"event": "alive", "seconds": time.monotonic() - start}
            continue
        if line is None:
            return
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("event") in EVENTS:
            yield event


def log(stream: BinaryIO, path: Path, full: int | None = None) -> threading.Thread:
    """Copy a stream to a file from a thread. When it is full it becomes NAME.1.txt, in place of the last one. A disk that is
    full costs lines of the log, and stops nobody who writes on it."""
    full = full or FULL
    older = path.with_name(f"{path.stem}.1{path.suffix}")

    def copy() -> None:
        out, size = None, 0
        with stream:
            while piece := stream.read1(1 << 16):
                try:
                    if out and size + len(piece) > full:
                        out.close()
                        os.replace(path, older)
                        out, size = None, 0
                    out = out or path.open("wb", buffering=0)
                    out.write(piece)
                    size += len(piece)
                except OSError:
                    continue
        if out:
            out.close()

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread
