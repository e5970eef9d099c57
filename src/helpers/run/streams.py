"""The command's own streams and their encoding: progress that nobody can read is lost, and costs no run."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys

GONE = (errno.EPIPE, errno.EIO)  # of a reader that has seen enough, and of a terminal that was closed


class _Unheard(io.FileIO):
    """A descriptor whose writes count as done although its disk is full or its terminal gone."""

    def write(self, data) -> int:
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


def ready() -> None:
    """Make the standard streams safe to write on: one that was closed leads nowhere, stderr never fails, and a character that
    a terminal does not know is replaced."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
    known = sys.stdout.encoding if sys.stdout else None
    sys.stdout = sys.stdout or io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8")
    sys.stdout.reconfigure(errors="replace")
    raw = io.BufferedWriter(_Unheard(2, "w", closefd=False))
    encoding = sys.stderr.encoding if sys.stderr else known
    sys.stderr = io.TextIOWrapper(raw, encoding=encoding, errors="replace", line_buffering=True)


def unicode() -> None:
    """Begin this program anew where the system's encoding is not UTF-8: names of files are read as UTF-8 everywhere then. What
    is printed stays in the terminal's own encoding."""
    if sys.getfilesystemencoding().lower().replace("-", "") == "utf8" or os.environ.get("PYTHONUTF8") == "1":
        return
    own = {"PYTHONUTF8": "1"}
    if sys.stdout and "PYTHONIOENCODING" not in os.environ:
        own["PYTHONIOENCODING"] = f"{sys.stdout.encoding}:replace"
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | own)


def say(lines: list[str]) -> None:
    """Print an answer. Where nobody reads any more it is lost, and that is no fault; raises OSError where it should have been
    kept and could not be."""
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except OSError as error:
        _drop()
        if error.errno not in GONE:
            why = f"the answer could not be written to standard output: {error.strerror}"
            raise OSError(error.errno, why) from error


def end() -> None:
    """Leave nothing that is written when the program has gone, and can fail then."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop()


def _drop() -> None:
    """What still waits to be written has nowhere to go."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
