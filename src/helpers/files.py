"""Where the book is, and files that are either whole or not there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

_HELD: dict[Path, int] = {}  # folders that this process holds, each with its open handle


def root(start: str | Path | None = None) -> Path:
    """The folder that holds `_toc.yml` and `notebooks/`: RUC_ROOT, or the nearest one upwards from `start`.

    Raises FileNotFoundError when there is none.
    """
    named = os.environ.get("RUC_ROOT")
    here = Path(named or start or Path.cwd()).resolve()
    for folder in [here] if named else [here, *here.parents]:
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise FileNotFoundError(
        f"no book found at or above {here}: a folder with _toc.yml and notebooks/ was expected; "
        "change into the repository, or name it in the environment variable RUC_ROOT"
    )


def odd(name: str | Path) -> str:
    """A name with bytes that are not UTF-8, as it can be shown; '' for any other."""
    try:
        str(name).encode()
        return ""
    except UnicodeEncodeError:
        return str(name).encode("utf-8", "backslashreplace").decode().replace("\\udc", "\\x")


def digest(data: bytes | str | Path) -> str:
    """'sha256:…' of bytes, of a text (as UTF-8), of a file's content, or of a folder: its files' names and contents, where
    of a file above 64 MiB only size and time count."""
    sha = hashlib.sha256()
    if isinstance(data, Path) and data.is_dir():
        for path in sorted(p for p in data.rglob("*") if p.is_file()):
            facts = path.stat()
            content = digest(path) if facts.st_size <= 2**26 else f"{facts.st_size} {facts.st_mtime_ns}"
            sha.update(f"{path.relative_to(data)} {content}\n".encode())
    elif isinstance(data, Path):
        with data.open("rb") as f:
            while block := f.read(1 << 20):
                sha.update(block)
    else:
        sha.update(data.encode() if isinstance(data, str) else data)
    return f"sha256:{sha.hexdigest()}"


def digest_once(path: Path) -> str:
    """As `digest`; the same file is read once in a process, as long as its size and its time stay."""
    facts = path.stat()
    return digest(path) if path.is_dir() else _digest_of(path, facts.st_mtime_ns, facts.st_size)


@cache
def _digest_of(path: Path, time: int, size: int) -> str:
    return digest(path)


def write_atomic(path: str | Path, data: bytes | str, *, sync: bool = True) -> Path:
    """Write a file under a temporary name in the same folder, then rename it: readers see the old or the new, whole.

    sync: wait until it is on the disk. Files of a run that count only once its proof is written need not wait, each for itself.
    Raises OSError naming the file and the cause (full disk, read-only folder); the temporary file is gone by then.
    """
    path = Path(path)
    raw = data.encode() if isinstance(data, str) else data
    temp = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temp = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as f:
            f.write(raw)
            f.flush()
            if sync:
                os.fsync(f.fileno())
        os.chmod(temp, 0o644)
        os.replace(temp, path)
    except OSError as error:
        if temp and os.path.exists(temp):
            os.unlink(temp)
        raise OSError(
            error.errno, f"could not write {path}: {error.strerror or error}; what was there before is untouched"
        ) from error
    return path


def hold(folder: Path) -> None:
    """Make a folder and hold it until this process ends, so that others see that somebody works in it (`held`). Where the file
    system knows no locks it is made alone."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder not in _HELD:
        _HELD[folder] = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(_HELD[folder], fcntl.LOCK_SH | fcntl.LOCK_NB)


def held(folder: Path) -> bool:
    """Whether a process that lives holds this folder."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def strict_json(value: Any, *, compact: bool = False) -> str:
    """JSON text with NaN and infinities as null, numpy values as plain ones, and keys in the given order."""
    separators, indent = ((",", ":"), None) if compact else (None, 1)
    return json.dumps(_plain(value), allow_nan=False, ensure_ascii=False, separators=separators, indent=indent)


def read_json(path: str | Path) -> Any:
    """Parse strict JSON. Raises ValueError naming the file, the line and the remedy; bare NaN counts as corrupt."""

    def refuse(token: str):
        raise ValueError(f"{token} is not JSON")

    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is corrupt: {error}; restore it from a copy, or delete it and run the notebook again"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if hasattr(value, "tolist"):  # numpy scalars and arrays, torch tensors
        return _plain(value.tolist())
    if isinstance(value, Iterable):
        return [_plain(v) for v in value]
    raise TypeError(
        f"cannot store {value!r} of type {type(value).__name__} as JSON; use numbers, text, lists and dicts"
    )
