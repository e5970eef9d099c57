"""Finished runs on disk. `run.json` is written last, atomically, and is the only proof that a run succeeded.

runs/NAME/KEY/          notebook.ipynb, records/, verdicts.json, …, run.json
runs/NAME/KEY.failed/   the last failed try: partial.ipynb, traceback.txt
runs/NAME/KEY.work/     checkpoints of a run that was interrupted, taken up by the next try
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from helpers import files

PROOF = "run.json"
NOTEBOOK = "notebook.ipynb"
FIELDS = ("notebook", "key", "parts", "parameters", "started", "seconds", "provenance", "files")


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


class Store:
    """The folder of all runs."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def place(self, name: str, key: str) -> Path:
        return self.folder / name / key

    def find(self, name: str, key: str) -> Run | None:
        """The finished run with this key, or None. Raises ValueError when its run.json is corrupt."""
        folder = self.place(name, key)
        return self._read(folder) if (folder / PROOF).is_file() else None

    def all(self, name: str) -> list[Run]:
        """All finished runs of a notebook, the newest first. Raises ValueError when a run.json is corrupt."""
        found = [self._read(p.parent) for p in (self.folder / name).glob(f"*/{PROOF}")]
        return sorted(found, key=lambda r: r.facts["started"], reverse=True)

    def open(self, name: str, key: str) -> Path:
        """A fresh folder to run in, beside where the result will go. Raises OSError when it cannot be made."""
        folder = self.folder / name / f".{key}.{os.getpid()}"
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            probe = folder / "probe"
            probe.write_bytes(b"x" * 4096)
            probe.unlink()
        except OSError as error:
            raise OSError(
                error.errno,
                f"cannot write to {self.folder}: {error.strerror}; free space or permissions there, "
                "or name another folder with --runs",
            ) from error
        return folder

    def commit(self, folder: Path, name: str, key: str, facts: dict) -> Run:
        """Prove and publish a run: list its files, write run.json, rename the folder into place."""
        listed = {str(p.relative_to(folder)): files.digest(p) for p in sorted(folder.rglob("*")) if p.is_file()}
        facts = facts | {"notebook": name, "key": key, "files": listed}
        files.write_atomic(folder / PROOF, files.strict_json(facts))
        final = self.place(name, key)
        old = final.with_name(f".{key}.old")
        shutil.rmtree(old, ignore_errors=True)
        if final.exists():
            final.rename(old)
        folder.rename(final)
        for left in (old, final.with_name(f"{key}.failed"), final.with_name(f"{key}.work")):
            shutil.rmtree(left, ignore_errors=True)
        return Run(final, facts)

    def fail(self, folder: Path, name: str, key: str) -> Path:
        """Keep what a failed try left, in place of the last failed one; finished runs stay as they are."""
        kept = self.place(name, key).with_name(f"{key}.failed")
        shutil.rmtree(kept, ignore_errors=True)
        folder.rename(kept)
        return kept

    def move(self, name: str, key: str, to: str) -> str:
        """What a try under one key has left now belongs to another, which is returned."""
        if key != to:
            for kind in ("work", "failed"):
                old, new = (self.place(name, k).with_name(f"{k}.{kind}") for k in (key, to))
                if old.exists() and not new.exists():
                    old.rename(new)
                shutil.rmtree(old, ignore_errors=True)
        return to

    def _read(self, folder: Path) -> Run:
        facts = files.read_json(folder / PROOF)
        missing = [f for f in FIELDS if not isinstance(facts, dict) or f not in facts]
        if missing:
            raise ValueError(f"{folder / PROOF} is corrupt: it has no {missing[0]!r}; run the notebook with --force")
        return Run(folder, facts)
