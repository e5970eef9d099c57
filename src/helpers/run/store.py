"""Finished runs on disk. `run.json` is written last, atomically, and is the only proof that a run succeeded.

runs/NAME/KEY/          notebook.ipynb, records/, verdicts.json, …, run.json
runs/NAME/KEY.failed/   the last failed try: partial.ipynb, traceback.txt, log.txt
runs/NAME/KEY.work/     checkpoints of a run that was interrupted, taken up by the next try
runs/NAME/KEY.changed…/ a finished run whose files no longer were what it left, put aside when it was run anew: each by a name
                        of its own, as it may hold somebody's notes
runs/NAME/.KEY.…        a run that goes on: its folder, and its lock
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from helpers import files
from helpers.run import locks, processes

PROOF = "run.json"
NOTEBOOK = "notebook.ipynb"
CHANGED = "changed"
FIELDS = ("notebook", "key", "parts", "parameters", "started", "seconds", "provenance", "files")
IGNORED = {".ipynb_checkpoints", "__pycache__"}  # what looking at a run may leave in it
SMALL = 2**20  # bytes up to which a file's content is compared, and not its size alone


@dataclass(frozen=True)
class Run:
    """One finished run: its folder and what `run.json` says."""

    folder: Path
    facts: dict

    @property
    def notebook(self) -> Path:
        return self.folder / NOTEBOOK

    def read(self, name: str) -> dict | None:
        """One of the JSON files that the notebook left (verdicts.json, …), or None."""
        path = self.folder / name
        return files.read_json(path) if path.is_file() else None

    def added(self) -> list[str]:
        """Files that somebody put beside those of the run."""
        own = {PROOF, *self.facts["files"]}
        found = (p.relative_to(self.folder) for p in sorted(self.folder.rglob("*")) if p.is_file() or p.is_symlink())
        return [str(p) for p in found if str(p) not in own and not {*p.parts} & IGNORED]

    def fault(self) -> str:
        """Which of its files is not what the proof says, in words; '' where all are."""
        sizes = self.facts.get("sizes", {})
        for name, digest in self.facts["files"].items():
            path = self.folder / name
            if not path.is_file():
                return f"{path} is gone"
            size = path.stat().st_size
            known = sizes.get(name, size)
            if size != known or ((size <= SMALL or name not in sizes) and files.digest(path) != digest):
                return f"{path} is not what the run left"
        return "" if NOTEBOOK in self.facts["files"] else f"{self.notebook} is not among the files of its run"


class Store:
    """The folder of all runs."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def place(self, name: str, key: str) -> Path:
        return self.folder / name / key

    def find(self, name: str, key: str) -> Run | None:
        """The finished run with this key, if its files are as it left them; else None, and `fault` tells why."""
        try:
            run = self._read(self.place(name, key))
        except (OSError, ValueError):
            return None
        return None if run.fault() else run

    def fault(self, name: str, key: str) -> str:
        """Why a finished run does not count any more; '' where it does, or where there is none."""
        try:
            return self._read(self.place(name, key)).fault()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            return str(error)

    def all(self, name: str) -> list[Run]:
        """All finished runs of a notebook that can be read, the newest first."""
        found = []
        for folder in self._proven(name):
            try:
                found.append(self._read(folder))
            except (OSError, ValueError):
                continue
        return sorted(found, key=lambda r: r.facts["started"], reverse=True)

    def broken(self, name: str) -> list[str]:
        """A line for every proof of a notebook's runs that cannot be read."""
        found = []
        for folder in self._proven(name):
            try:
                self._read(folder)
            except FileNotFoundError:  # gone in the meantime
                continue
            except (OSError, ValueError) as error:
                found.append(str(error))
        return found

    def _proven(self, name: str) -> list[Path]:
        """Folders with a proof; what was put aside has a point in its name."""
        return sorted(p.parent for p in (self.folder / name).glob(f"*/{PROOF}") if "." not in p.parent.name)

    def lock(self, name: str, key: str) -> Path:
        """The file that is locked while a run of this key goes on. Raises OSError when its folder cannot be made."""
        place = self.place(name, key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, probe = tempfile.mkstemp(prefix=".probe.", dir=place.parent)
            try:
                os.write(handle, b"x" * 4096)
            finally:
                os.close(handle)
                os.unlink(probe)
        except OSError as error:
            taken = next((p for p in (place.parent, *place.parents) if p.exists() and not p.is_dir()), None)
            why = f"{error.strerror}; free space or permissions there"
            if taken:
                why = f"{taken} is a file, and a folder was expected; move it away"
            raise OSError(
                error.errno, f"cannot write to {self.folder}: {why}, or name another folder with --runs"
            ) from error
        return place.with_name(f".{key}.lock")

    def open(self, name: str, key: str) -> Path:
        """A fresh folder to run in, beside where the result will go. Whoever opens it holds the key's lock."""
        return Path(tempfile.mkdtemp(prefix=f".{key}.", dir=self.place(name, key).parent))

    def left(self, name: str, own: str = "") -> list[Path]:
        """Folders of runs whose runners are gone. own: a key whose lock the caller holds."""
        found = []
        for path in sorted((self.folder / name).glob(".*.*")):
            key = path.name.split(".")[1]
            if not path.is_dir():
                continue
            try:
                lock = None if key == own else locks.take(path.with_name(f".{key}.lock"))
            except OSError as error:
                if error.errno in (errno.EROFS, errno.EISDIR):  # nobody can be at work where no lock can be made
                    found.append(path)
                continue
            if key == own or (lock and lock.fd is not None):
                found.append(path)
            if lock:
                lock.release()
        return found

    def sweep(self, name: str, own: str = "") -> None:
        """Take away what runs left whose runners are gone, and end what they started. A finished run that was about to be
        replaced comes back."""
        for path in self.left(name, own):
            final = self.place(name, path.name.split(".")[1])
            if path.name.endswith(".old") and not final.exists():
                path.rename(final)
                continue
            processes.end(path)
            shutil.rmtree(path, ignore_errors=True)

    def commit(self, folder: Path, name: str, key: str, facts: dict) -> Run:
        """Prove and publish a run: list its files, write run.json, rename the folder into place."""
        found = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
        facts = facts | {
            "notebook": name,
            "key": key,
            "files": {k: files.digest(p) for k, p in found.items()},
            "sizes": {k: p.stat().st_size for k, p in found.items()},
        }
        files.write_atomic(folder / PROOF, files.strict_json(facts))
        folder.chmod(0o755)
        final = self.place(name, key)
        old = final.with_name(f".{key}.old")
        shutil.rmtree(old, ignore_errors=True)
        if final.exists():
            final.rename(self._aside(final) if self._touched(name, key) else old)
        folder.rename(final)
        for left in (old, final.with_name(f"{key}.failed"), final.with_name(f"{key}.work")):
            shutil.rmtree(left, ignore_errors=True)
        return Run(final, facts)

    def _touched(self, name: str, key: str) -> bool:
        """Whether a run's folder holds anything that the run did not leave: it may be somebody's own notes."""
        try:
            run = self._read(self.place(name, key))
        except (OSError, ValueError):
            return True
        return bool(run.fault() or run.added())

    @staticmethod
    def _aside(final: Path) -> Path:
        """A name for what is put aside, which no other copy has."""
        names = (final.with_name(f"{final.name}.{CHANGED}{n}") for n in ("", *(f"-{i}" for i in range(2, 10_000))))
        return next(path for path in names if not path.exists())

    def fail(self, folder: Path, name: str, key: str) -> Path:
        """Keep what a failed try left, in place of the last failed one; finished runs stay as they are."""
        folder.chmod(0o755)
        return self._replace(folder, self.place(name, key).with_name(f"{key}.failed"))

    def move(self, name: str, key: str, to: str) -> str:
        """What a try under one key has left now belongs to another, which is returned."""
        if key != to:
            for kind in ("work", "failed"):
                old, new = (self.place(name, k).with_name(f"{k}.{kind}") for k in (key, to))
                if old.exists() and not new.exists():
                    old.rename(new)
                shutil.rmtree(old, ignore_errors=True)
        return to

    @staticmethod
    def _replace(folder: Path, kept: Path) -> Path:
        shutil.rmtree(kept, ignore_errors=True)
        return folder.rename(kept)

    def _read(self, folder: Path) -> Run:
        facts = files.read_json(folder / PROOF)
        missing = [f for f in FIELDS if not isinstance(facts, dict) or f not in facts]
        if missing:
            raise ValueError(f"{folder / PROOF} is corrupt: it has no {missing[0]!r}; run the notebook again")
        return Run(folder, facts)
