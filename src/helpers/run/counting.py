"""Which runs count: whose verdicts the ledger takes where no reference is committed, and which may become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from helpers import files, sources
from helpers.run import execute
from helpers.run.project import Notebook, Project, remembered
from helpers.run.store import Run, Store

VERDICTS = "verdicts.json"  # what a chapter judged; beside the chapters, what counts of all
FREE = ("profile", "seeds", "device")  # parameters that say how much is run and where, not what


def judged(run: Run) -> dict | None:
    """What a run's chapter judged; None where it judges nothing. Raises ValueError for a file that no chapter wrote."""
    stored = run.read(VERDICTS)
    if stored is None or _whole(stored):
        return stored
    raise ValueError(
        f"{run.folder / VERDICTS} is corrupt: `counts`, and `verdicts` as lists by run, were expected; run the notebook again"
    )


def _whole(stored: object) -> bool:
    if not isinstance(stored, dict) or not isinstance(stored.get("counts"), bool):
        return False
    lists = stored["verdicts"].values() if isinstance(stored.get("verdicts"), dict) else [None]
    if not all(isinstance(rows, list) for rows in lists):
        return False
    return all(isinstance(row, dict) and {"id", "criterion", "verdict"} <= {*row} for rows in lists for row in rows)


def counts(notebook: Notebook, run: Run) -> bool:
    """Whether a run speaks for its notebook: its files are what it left, and its parameters those that the claims are about,
    as its chapter wrote down. In a notebook that judges nothing they are the defaults, but for those in FREE. Raises
    ValueError where what it judged cannot be read.
    """
    stored = judged(run)
    if run.fault():
        return False
    if stored is not None:
        return stored["counts"]
    given = run.facts["parameters"]
    return all(given.get(k, p.default) == p.default for k, p in notebook.parameters.items() if k not in FREE)


def newest(notebook: Notebook, runs: Iterable[Run], broken: list[str] | None = None) -> Run | None:
    """The first of these runs that counts. broken: takes a line for each that cannot be read."""
    for run in runs:
        try:
            if counts(notebook, run):
                return run
        except execute.FAULTS as error:
            if broken is not None:
                broken.append(str(error))
    return None


def verdicts(project: Project, broken: dict[str, str] | None = None) -> dict[str, dict]:
    """The verdict that counts for every claim judged so far: of the committed reference, by the claims as they stand now; for
    a notebook without one, of its newest run that counts. A run with other parameters than the claims' own is an
    exploration, and changes no verdict. broken: takes {notebook: why} for what cannot be read; the others go on."""
    from helpers import claims

    found, store, broken = {}, Store(project.runs), {} if broken is None else broken
    path = project.root / "book" / "claims.yml"
    known = claims.load(path) if path.is_file() else {}
    for name in project.names:
        bad = store.broken(name)
        run = newest(project.notebook(name), store.all(name), bad)
        try:
            found |= claims.counting(judged(run)) if run else {}
            found |= _committed(project, name, known)
        except ValueError as error:
            bad.append(str(error))
        broken |= {name: "; ".join(bad)} if bad else {}
    return found


def _committed(project: Project, name: str, known: Mapping) -> dict[str, dict]:
    """Verdicts on these claims by the quantities that a notebook's committed reference holds; none without one."""
    from helpers import claims, records

    path = project.root / "book" / "reference" / name / records.HEADER
    header = records.header(path.parent) if path.is_file() else {}
    own = {k: c for k, c in known.items() if c.chapter == name}
    if not header or not own:
        return {}

    def compute() -> list[dict]:
        rows = [v.as_dict() for v in claims.judge(own, header.get("quantities") or {})]
        told = claims.counting({"counts": True, "verdicts": {"reference": rows}})
        return [v for v in told.values() if v["verdict"] != claims.words.AWAITING]

    by = ("verdicts", files.digest(path), claims.digest(own), sources.digest_of(["helpers.claims", __name__]))
    return {row["id"]: row for row in remembered(project.kept, by, compute)}
