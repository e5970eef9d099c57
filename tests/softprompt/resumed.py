"""A small run of the ablations with a resume cache: in a process that is killed, and again in one that is not.

python resumed.py FOLDER
"""

import sys
from pathlib import Path

from helpers import lm, softprompt
from helpers.study import Log
from helpers.work import Work

CONFIG = softprompt.Ablations(pairs=2, known=2, grid=(1, 2, 4, 8), steps=8)


def run(folder: Path, work: Path | None) -> list[dict]:
    """The records of the sweep, without the times at which they were made."""
    study = softprompt.CHAPTERS["joint_qa_ablations"]
    cache = Work(work, "code") if work else None
    log = Log(study, "joint_qa_ablations", folder, reference=folder / "none", given=dict(study.same), work=cache)
    found = lm.load("storyteller", device="cpu")
    known = softprompt.draw(found, 2, known=True)
    softprompt.run_sweep(CONFIG, found, softprompt.draw(found, 2), known, log)
    timeless = lambda row: {k: v for k, v in row.items() if k != "timestamp"}
    named = lambda r: [r["metadata"][name] for name in ("part", "kind", "k", "family")]
    return [{"of": named(r), "metrics": [timeless(row) for row in r["metrics"]]} for r in log.records]


if __name__ == "__main__":
    run(Path(sys.argv[1]) / "run", Path(sys.argv[1]) / "work")
