"""Locks that the system takes back when their holder is gone, however it went; and temporary folders that tell whether their
maker still lives."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from helpers import files

PREFIX, LOCK = "ruc-", "lock"
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGE = 600.0  # seconds after which a folder without its name is nobody's
SOCKET = 80  # bytes of a temporary folder's name that leave room for a socket's, which may have 107 in all


class Lock:
    """A lock that is held. fd: hand it to a child that should hold it as well; None where the file system knows no locks."""

    def __init__(self, path: Path, fd: int | None):
        self.path, self.fd = path, fd

    def release(self) -> None:
        """Let it go, for every process that holds it."""
        if self.fd is not None:
            self.path.unlink(missing_ok=True)
            fcntl.flock(self.fd, fcntl.LOCK_UN)
            os.close(self.fd)
            self.fd = None


def take(path: Path) -> Lock | None:
    """The lock on this file, or None where another process, or another thread, holds it. Raises OSError for a bad place."""
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except IsADirectoryError as error:
            raise IsADirectoryError(error.errno, f"{path} is a folder, and the place of a lock; remove it") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError:
            os.close(fd)
            return Lock(path, None)
        with contextlib.suppress(OSError):
            if os.fstat(fd).st_ino == os.stat(path).st_ino:  # not one that its last holder has just removed
                break
        os.close(fd)
    facts = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
    with contextlib.suppress(OSError):  # a full disk has no room for the name of the holder
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(facts).encode(), 0)
    return Lock(path, fd)


def holder(path: Path) -> str:
    """Who holds a lock, in words."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(facts["since"]).astimezone().strftime("%H:%M:%S")
        return f"process {int(facts['pid'])} on {facts['host']}, since {since}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


@contextlib.contextmanager
def held(
    path: Path, waiting: Callable[[str], None] = lambda who: None, pause: float = 0.2, limit: float | None = None
) -> Iterator[Lock]:
    """Hold the lock for as long as the block runs. waiting: told once who holds it, where it must be waited for. limit: seconds
    to wait at most; then TimeoutError says for whom."""
    told, begun = False, time.monotonic()
    while (lock := take(path)) is None:
        if not told:
            told = True
            waiting(holder(path))
        if limit is not None and time.monotonic() - begun > limit:
            raise TimeoutError(f"{limit:.0f} s passed waiting for {holder(path)}, which holds {path.name}")
        time.sleep(pause)
    try:
        yield lock
    finally:
        lock.release()


def places() -> list[str]:
    """Where temporary folders may lie: the user's own place first, then those with short names."""
    return [p for p in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/dev/shm")) if os.path.isdir(p)]


@contextlib.contextmanager
def folder() -> Iterator[tuple[Path, Lock]]:
    """A temporary folder with a name that is short enough for sockets in it, and the lock that says it is in use.

    It gets its name once it is locked: `sweep` never takes it for one that was left.
    """
    for place in places():
        if len(os.fsencode(place)) <= SOCKET and os.access(place, os.W_OK) and not files.odd(place):
            break
    else:
        raise OSError(
            36,
            f"the temporary folder {tempfile.gettempdir()} has too long a name; set TMPDIR to a shorter one in UTF-8",
        )
    made = lock = None
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # no Ctrl-C between a folder and its lock
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=place))
        lock = take(made / LOCK)
        made = made.rename(made.with_name(made.name[1:]))
        lock.path = made / LOCK
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield made, lock
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if made:
            shutil.rmtree(made, ignore_errors=True)
        if lock:
            lock.release()


def written(path: Path, text: str) -> Path:
    """A small file in a temporary folder. Raises OSError that says where, and what helps."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        why = f"cannot write to {path.parent.parent}: {error.strerror}; free some, or set TMPDIR to another folder"
        raise OSError(error.errno, why) from error
    return path


def left() -> list[Path]:
    """Temporary folders of this user whose makers are gone."""
    found = []
    for place in places():
        for path in sorted(Path(place).glob(f"{PREFIX}*")):
            with contextlib.suppress(OSError):
                if path.stat().st_uid == os.getuid() and (path / LOCK).is_file() and free(path / LOCK):
                    found.append(path)
        for path in Path(place).glob(f".{PREFIX}*"):  # its maker was killed before it had its lock
            with contextlib.suppress(OSError):
                if path.stat().st_uid == os.getuid() and time.time() - path.stat().st_mtime > AGE:
                    found.append(path)
    return found


def free(path: Path) -> bool:
    """Whether nobody holds this lock. The file stays."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # a disk that is read alone
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def sweep() -> None:
    """Remove temporary folders whose makers are gone."""
    for path in left():
        shutil.rmtree(path, ignore_errors=True)
