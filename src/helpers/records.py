"""Records: one condition × one seed, in the JSON format that seed document 003 prints.

    {"metadata": {"experiment", "seed", "start_time", "git_commit", …}, "metrics": [{"step", "timestamp", …}, …],
     "checkpoints": {"1000": "sha256:…"}, "summary": {"total_steps", "duration_seconds"}}

All chapters write it and `load` reads a folder of them into one tidy frame, whatever the experiment.
"""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers import devices, files, stats

if TYPE_CHECKING:
    import pandas as pd

BUNDLE, HEADER = "records.jsonl.gz", "reference.json"


@dataclass
class Pace:
    """How often to record: densely while accuracy is in transition, sparsely on a plateau.

    The seed's rule logs when `step % k == 0`, which skips whole regions when steps come in strides (its own
    experiment A records once in a hundred epochs). Here a step is due as soon as k steps have passed since the last
    one that was recorded.
    """

    transition: tuple[float, float] = (0.15, 0.85)
    dense: int = 10
    sparse: int = 100
    blind: int = 50  # when no accuracy is given

    def due(self, step: int, last: int | None, accuracy: float | None = None) -> bool:
        """Whether to record at `step`, when `last` was the last step recorded (None: none yet)."""
        if last is None:
            return True
        low, high = self.transition
        k = self.blind if accuracy is None else self.dense if low < accuracy < high else self.sparse
        return step - last >= k


@dataclass
class Record:
    """One condition of one experiment with one seed. `log` measurements as they come, then `write`.

    condition: any text; people read it, and the file's name is made from it. metadata: whatever else is constant over the
    record. pace: records at seed 003's adaptive rate; None records every call.
    """

    experiment: str
    condition: str
    seed: int
    metadata: dict = field(default_factory=dict)
    pace: Pace | None = None
    metrics: list[dict] = field(default_factory=list)
    checkpoints: dict[str, str] = field(default_factory=dict)
    summary: dict = field(default_factory=dict)

    def __post_init__(self):
        if not self.experiment or not self.condition:
            raise ValueError(f"experiment={self.experiment!r}, condition={self.condition!r}: both need a name")
        self.metadata = {
            "experiment": self.experiment,
            "condition": self.condition,
            "seed": int(self.seed),
            "start_time": _now(),
            "git_commit": devices.commit(),
        } | self.metadata
        self._started = time.monotonic()

    @classmethod
    def from_dict(cls, record: Mapping) -> Record:
        """The record whose `as_dict` this is, with the times it was made at. Raises ValueError for a part that is missing."""
        parts = _checked(record, "a record")
        facts = dict(parts["metadata"])
        made = cls(facts["experiment"], facts.get("condition", facts["experiment"]), facts["seed"], facts)
        made.metrics, made.checkpoints = list(parts["metrics"]), dict(parts["checkpoints"])
        made.summary = dict(parts["summary"])
        return made

    def log(self, step: int, *, accuracy: float | None = None, seconds: float | None = None, **values: object) -> bool:
        """Record `values` at `step`, unless a pace says that it is too early. Returns whether it was recorded.

        seconds: from the record's `start_time` to the measurement, where that was earlier than now.
        """
        last = self.metrics[-1]["step"] if self.metrics else None
        if self.pace and not self.pace.due(step, last, accuracy):
            return False
        given = values if accuracy is None else {"psi_accuracy": accuracy} | values
        at = (
            None
            if seconds is None
            else datetime.fromisoformat(self.metadata["start_time"]) + timedelta(seconds=seconds)
        )
        self.metrics.append({"step": int(step), "timestamp": _now(at)} | given)
        seconds = round(time.monotonic() - self._started if seconds is None else seconds, 3)
        self.summary |= {"total_steps": int(step), "duration_seconds": seconds}
        return True

    def checkpoint(self, step: int, state: Path | bytes) -> None:
        """Note what the state at `step` was, by the sha256 of its bytes or of the file that holds it."""
        self.checkpoints[str(int(step))] = files.digest(state)

    @property
    def filename(self) -> str:
        """The seed's own name for it, `audit_log_EXPERIMENT_CONDITION_seed_N.json`, where both are names of files."""
        return f"audit_log_{slug(self.experiment)}_{slug(self.condition)}_seed_{self.seed}.json"

    def as_dict(self) -> dict:
        """The four parts. The summary tells the last step, and the seconds from the record's start to it."""
        return {
            "metadata": self.metadata,
            "metrics": self.metrics,
            "checkpoints": self.checkpoints,
            "summary": {"total_steps": 0, "duration_seconds": 0.0} | self.summary,
        }

    def write(self, folder: str | Path) -> Path:
        """Write the record as strict JSON under its seed-003 name. Raises OSError when it cannot."""
        return files.write_atomic(Path(folder) / self.filename, files.strict_json(self.as_dict()), sync=False)


class MetricAggregator:
    """One number a run, by condition, and what follows from them: seed 003's helper for effect sizes, under its names."""

    def __init__(self) -> None:
        self.runs: dict[str, list[float]] = {}

    def add_run(self, condition: str, value: float) -> None:
        """Take one run's number."""
        self.runs.setdefault(condition, []).append(float(value))

    def summary(self) -> pd.DataFrame:
        """A row a condition: n, mean, std (NaN for one run), min, max. Its `to_csv` writes the document's table."""
        import pandas as pd

        rows = {k: pd.Series(v).agg(["count", "mean", "std", "min", "max"]) for k, v in self.runs.items()}
        return pd.DataFrame(rows).T.rename(columns={"count": "n"}).rename_axis("condition")

    def compute_cohens_d(self, a: str, b: str) -> float:
        """Cohen's d of condition a over b (`stats.cohens_d`): NaN where one of them has fewer than two runs, as in the
        document's own example. Raises KeyError for a condition without runs.
        """
        if missing := [k for k in (a, b) if k not in self.runs]:
            raise KeyError(f"no run of {missing[0]!r} was added; there are {', '.join(self.runs) or 'none'}")
        return stats.cohens_d(self.runs[a], self.runs[b])


def extract_time_series(path: str | Path, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps (N,) and values (N,) of one metric of a log file, rows without it left out. Raises KeyError when it is in none."""
    rows = read(path)["metrics"]
    found = [(row["step"], row[metric]) for row in rows if row.get(metric) is not None]
    if not found:
        known = sorted({k for row in rows for k in row} - {"step", "timestamp"})
        raise KeyError(f"{path} has no metric {metric!r}; there are {', '.join(known)}")
    steps, values = zip(*found, strict=True)
    return np.array(steps), np.array(values, float)


def slug(name: str, limit: int = 100) -> str:
    """A name of the user's world (a hub's `org/name`, a folder with a space) as a part of a file name.

    Letters, digits, '-', '_' and '.' stay, runs of anything else become one '-'. A name that was changed or is longer than
    `limit` ends in a few digits of its digest, so that two names never share a file.
    """
    plain = re.sub(r"[^\w.\-]+", "-", name, flags=re.ASCII).strip("-.")[:limit]
    return name if plain == name else f"{plain}-{files.digest(name)[7:15]}"


def read(path: str | Path) -> dict:
    """One record file, checked. Raises ValueError naming the file and what is wrong with it."""
    return _checked(files.read_json(path), str(path))


def bundle(records: Iterable[Mapping], folder: str | Path, *, digits: int = 5, **header) -> Path:
    """Write many records as one small committed reference: a record a line, gzipped, numbers to `digits` digits, no
    timestamps; beside it `reference.json`, for people, with what is given as `header` (command, provenance, date, …).
    """
    lines = []
    for record in records:
        metrics = [{k: rounded(v, digits) for k, v in row.items() if k != "timestamp"} for row in record["metrics"]]
        keep = {k: v for k, v in record["metadata"].items() if k not in ("start_time", "git_commit")}
        slim = {"metadata": keep, "metrics": metrics, "checkpoints": {}, "summary": {}}
        lines.append(files.strict_json(slim, compact=True))
    folder = Path(folder)
    files.write_atomic(folder / BUNDLE, gzip.compress("\n".join(lines).encode(), mtime=0))
    return files.write_atomic(folder / HEADER, files.strict_json(header) + "\n")


def rounded(value: object, digits: int = 5) -> object:
    """A float to `digits` significant digits; anything else as it is."""
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def header(folder: str | Path) -> dict:
    """What a committed reference says of itself: command, provenance, date, seeds. Raises ValueError when corrupt."""
    path = Path(folder) / HEADER
    try:
        found = files.read_json(path)
    except ValueError as error:
        raise ValueError(
            f"{path} is corrupt ({error.__cause__}); git has it as it was: git checkout -- {path}"
        ) from error
    numbers = found.get("quantities") or {}
    if wrong := [k for k, v in numbers.items() if not isinstance(v, list)]:
        raise ValueError(
            f"{path}: quantity {wrong[0]!r} holds {numbers[wrong[0]]!r}; a list of one value a unit was expected"
        )
    return found


def load(folder: str | Path) -> pd.DataFrame:
    """All records of a folder (single files and bundles) as one tidy frame, a row a measurement.

    Columns: what the metadata holds (experiment, condition, seed, …), then step and the metrics. Rows are in the order
    of file name and step. Raises FileNotFoundError when the folder has no record, ValueError for a corrupt one.
    """
    folder = Path(folder)
    found = []
    for path in sorted([*folder.glob("audit_log_*.json"), *folder.glob(BUNDLE)]):
        found += _lines(path) if path.name == BUNDLE else [read(path)]
    if not found:
        raise FileNotFoundError(
            f"no records in {folder}: expected audit_log_*.json or {BUNDLE}; run the notebook first"
        )
    return frame(found)


def frame(records: Iterable[Mapping]) -> pd.DataFrame:
    """Records, each in the form of `Record.as_dict`, as one tidy frame, a row a measurement. Empty for none."""
    import pandas as pd

    rows = []
    for record in records:
        constant = {k: v for k, v in record["metadata"].items() if k not in ("start_time", "git_commit")}
        rows += [constant | {k: v for k, v in row.items() if k != "timestamp"} for row in record["metrics"]]
    return pd.DataFrame(rows)


def _lines(path: Path) -> list[dict]:
    try:
        text = gzip.decompress(path.read_bytes()).decode()
        if not text:
            raise EOFError("it is empty")
        return [_checked(json.loads(line), str(path)) for line in text.removesuffix("\n").split("\n")]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is corrupt: {error}; restore it from the repository") from error


def _checked(record: object, where: str) -> dict:
    parts = {"metadata": dict, "metrics": list, "checkpoints": dict, "summary": dict}
    if not isinstance(record, dict) or any(not isinstance(record.get(k), t) for k, t in parts.items()):
        raise ValueError(f"{where} is corrupt: a record has the parts {', '.join(parts)}; delete it and run again")
    missing = {"experiment", "seed"} - set(record["metadata"])
    if missing or any("step" not in row for row in record["metrics"]):
        raise ValueError(f"{where} is corrupt: {', '.join(sorted(missing)) or 'a step'} is missing; run again")
    return record


def _now(at: datetime | None = None) -> str:
    return (at or datetime.now(UTC)).isoformat(timespec="milliseconds")
