"""How far a run is, from the `progress.json` that its log keeps, and how long it will take."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

FILE = "progress.json"
EARLY = 5.0  # seconds of work below which nothing is foretold


@dataclass
class Progress:
    """Follows one run's file. limit: seconds of wall time that the run has."""

    folder: Path
    limit: float
    done: int = 0
    of: int = 0
    base: float = 0.0  # seconds of the log's clock when the present stretch of work began
    at: float = 0.0
    warned: bool = False

    def events(self, elapsed: float) -> list[dict]:
        """What is new since the last call: `progress` with the seconds left, and once `long` when the limit will not do.

        elapsed: seconds of wall time since the run began.
        """
        found = self._read()
        if found is None or (found["done"], found["of"]) == (self.done, self.of):
            return []
        done, of, at = int(found["done"]), int(found["of"]), float(found["seconds"])
        if of != self.of or done < self.done:  # another stretch of work, which is counted anew
            self.base = self.at
        self.done, self.of, self.at = done, of, at
        spent = at - self.base
        left = spent / done * (of - done) if done and spent >= EARLY else math.nan
        out = [{"event": "progress", "done": done, "of": of} | ({} if math.isnan(left) else {"left": left})]
        if not self.warned and elapsed + left > self.limit:
            self.warned = True
            out.append({"event": "long", "total": elapsed + left, "limit": self.limit, "ask": enough(elapsed + left)})
        return out

    def _read(self) -> dict | None:
        try:
            found = json.loads((self.folder / FILE).read_text(encoding="utf-8"))
            return found if found["of"] >= found["done"] >= 0 and found["seconds"] >= 0 else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def enough(seconds: float) -> int:
    """A limit with a fifth to spare, rounded up to two digits."""
    step = 10 ** max(0, math.floor(math.log10(max(1.2 * seconds, 1))) - 1)
    return math.ceil(1.2 * seconds / step) * step


def words(seconds: float) -> str:
    """'20 s', '3 min', '2.5 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.2g} h"
