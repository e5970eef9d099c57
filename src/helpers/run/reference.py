"""From a finished full-scale run to what the repository keeps of it: records, a header, small JSON objects, no weights."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import claims, files, records, sources
from helpers.run import counting
from helpers.run.project import Project
from helpers.run.store import Run, Store

if TYPE_CHECKING:
    from helpers.study import Study

LIMIT = 300_000  # bytes a reference may take
DIGITS = (5, 4, 3)  # significant ones of a record's numbers
LABEL = re.compile(r"(?!\.)[\w.-]+", re.ASCII)


def newest(project: Project, name: str, key: str = "", label: str = "") -> Run:
    """The newest whole full-profile run of a notebook, or the one whose key starts with `key`. Without a label it must be one
    that counts. Raises FileNotFoundError."""
    notebook = project.notebook(name)
    runs = Store(project.runs).all(notebook.name)
    full = [run for run in runs if run.facts["parameters"].get("profile") == "full" and not run.fault()]
    if key:
        found = next((run for run in runs if run.facts["key"].startswith(key)), None)
    else:
        found = next(iter(full), None) if label else counting.newest(notebook, full)
    if found:
        return found
    if key:
        known = ", ".join(run.facts["key"] for run in runs) or "none"
        raise FileNotFoundError(f"{name} has no finished run with a key that starts with {key}; there are {known}")
    raise FileNotFoundError(
        f"{name} has no finished run with the full profile; run it first: ruc run {name} --profile full"
    )


def write(project: Project, run: Run, label: str = "", force: bool = False) -> Path:
    """Write `book/reference/NAME[/label]/`: records, and a header with all parameters (a file by its name, since its folder
    means nothing elsewhere), the digest of the claims as they stood, and what it ran on. Returns the folder.

    Raises ValueError when it would exceed the limit, for a label that is no plain name, for a run whose files are not what it
    left, when a run that does not count has no label, and, without `force`, when the label names a reference of other
    parameters. A notebook that judges nothing takes a run of other parameters than its defaults without a label by `force`.
    """
    name = run.facts["notebook"]
    _check(project, run, label, force)
    found = [records.read(path) for path in sorted((run.folder / "records").glob("audit_log_*.json"))]
    if not found:
        raise FileNotFoundError(f"{run.folder} holds no records; only a notebook that keeps records can be a reference")
    header = _header(project, run, found)
    folder = project.root / "book" / "reference" / name / label
    if label and not force and (folder / records.HEADER).is_file():
        before, named = records.header(folder).get("parameters") or {}, header["parameters"]
        if other := sorted(k for k in {*before, *named} - {"device"} if before.get(k) != named.get(k)):
            raise ValueError(
                f"the reference {label!r} of {name} has other parameters ({', '.join(other)}); choose another --label, or "
                "replace it with --force"
            )
    _replace(folder, run, found, header)
    return folder


def _check(project: Project, run: Run, label: str, force: bool) -> None:
    """Refuse what is no reference under this label, with the reason."""
    facts, name = run.facts, run.facts["notebook"]
    if label and not LABEL.fullmatch(label):
        raise ValueError(f"label {label!r}: it names a folder of the book; use letters, digits, '.', '_' and '-' alone")
    if why := run.fault():
        raise ValueError(f"run {facts['key']} is not whole: {why}; run it again")
    if not label and not counting.counts(project.notebook(name), run):
        if counting.judged(run) is not None:
            raise ValueError(
                f"run {facts['key']} has other parameters than {name}'s claims are about; give it a --label"
            )
        if not force:
            raise ValueError(
                f"run {facts['key']} has other parameters than {name}'s defaults; give it a --label, or take it with --force"
            )
    profile, seeds = (facts["parameters"].get(k) for k in ("profile", "seeds"))
    if profile != "full" or (not label and seeds is not None):
        raise ValueError(
            f"run {facts['key']} has profile={profile!r}, seeds={seeds}; a reference is a run of the full profile, and the "
            f"claims' own one of the profile's own seeds: ruc run {name} --profile full"
        )


def _header(project: Project, run: Run, found: list[dict]) -> dict:
    """What a reference says of the run that it was: how it was made, and the quantities that it is judged by."""
    facts, name = run.facts, run.facts["notebook"]
    known = project.notebook(name).parameters
    named = {k: Path(v).name if k in known and known[k].is_file(v) else v for k, v in facts["parameters"].items()}
    given = {k: v for k, v in named.items() if k in known and facts["parameters"][k] != known[k].default}
    return {
        "notebook": name,
        "command": " ".join(["ruc run", name, *(f"-p {k} {shlex.quote(str(v))}" for k, v in given.items())]),
        "date": facts["started"][:10],
        "profile": facts["parameters"].get("profile"),
        "parameters": named,
        "settings": run.read("settings.json"),
        "claims": facts["parts"].get("claims"),
        "seeds": len({r["metadata"]["seed"] for r in found}),
        "seconds": facts["seconds"],
        "memory": facts.get("memory"),
        "key": facts["key"],
        "inputs": facts["inputs"],
        "provenance": facts["provenance"],
        "quantities": {k: [records.rounded(v) for v in vs] for k, vs in (run.read("quantities.json") or {}).items()},
    }


def _replace(folder: Path, run: Run, found: list[dict], header: dict) -> None:
    """Make a reference beside its folder, as exact as there is room for, and put it there when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".reference.", dir=folder.parent))
    try:
        for path in sorted((run.folder / "kept").glob("*.json")):
            files.write_atomic(made / path.name, path.read_text(encoding="utf-8"))
        for digits in DIGITS:
            records.bundle(found, made, digits=digits, **header, significant=digits)
            size = sum(p.stat().st_size for p in made.iterdir())
            if size <= LIMIT:
                break
        if size > LIMIT:
            raise ValueError(
                f"{folder} would take {size} bytes, more than {LIMIT}; record less, or fewer steps of each curve; what was "
                "there is untouched"
            )
        for old in (p for p in folder.iterdir() if p.is_file() and not (made / p.name).exists()):
            old.unlink()
        for path in made.iterdir():
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def rejudge(project: Project, name: str, study: Study, date: str) -> list[Path]:
    """Measure all references of a notebook again, from their records, and put into their headers the quantities, the digest of
    the claims as they stand now, and `rejudged`, the date and what that was. Nothing is run, and no record is touched.
    Returns the headers. study: the chapter's.
    """
    top, judge = (
        project.root / "book" / "reference" / name,
        claims.of(name, claims.load(project.root / "book" / "claims.yml")),
    )
    folders = sorted(p.parent for p in top.rglob(records.HEADER))
    if not folders:
        raise ValueError(
            f"{name} has no committed reference to judge again; `ruc reference {name}` makes one of a full run"
        )
    frames = {folder: study.frame(records.load(folder)) for folder in folders}
    headers = {}
    for folder, rows in frames.items():
        others = [frame for other, frame in frames.items() if other != top] if folder == top else []
        found = study.measure(rows, judge, others).numbers
        header = {k: v for k, v in records.header(folder).items() if k not in ("claims", "rejudged", "quantities")}
        header |= {
            "claims": claims.digest(judge),
            "rejudged": f"{date}: quantities from these records, by the claims as they stand; nothing was run",
            "quantities": {k: [records.rounded(float(v)) for v in values] for k, values in found.items()},
        }
        headers[folder / records.HEADER] = files.strict_json(header) + "\n"
    return [files.write_atomic(path, text) for path, text in headers.items()]  # all are measured before one is written


def study_of(project: Project, name: str) -> Study:
    """The study of a notebook's chapter, from the CHAPTERS of the part that it imports. Raises ValueError without one."""
    reached = sorted(sources.modules(project.notebook(name).python))
    parts = [importlib.import_module(m) for m in reached if sources.source(m).name == "__init__.py"]
    found = [part.CHAPTERS[name] for part in parts if name in getattr(part, "CHAPTERS", {})]
    if not found:
        raise ValueError(f"{name} has no study: no part that it imports names it in CHAPTERS")
    return found[0]
