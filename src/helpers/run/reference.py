"""From a finished full-scale run to what the repository keeps of it: records, a header, small JSON objects, no weights."""

from __future__ import annotations

from pathlib import Path

from helpers import files, records
from helpers.run.project import Project
from helpers.run.store import Run, Store

LIMIT = 300_000  # bytes a reference may take


def newest(project: Project, name: str, key: str = "") -> Run:
    """The newest full-profile run of a notebook, or the one whose key starts with `key`. Raises FileNotFoundError."""
    runs = Store(project.runs).all(project.notebook(name).name)
    for run in runs:
        full = run.facts["parameters"].get("profile") == "full"
        if run.facts["key"].startswith(key) if key else full:
            return run
    wanted = f"with a key that starts with {key}" if key else "with the full profile"
    raise FileNotFoundError(f"{name} has no finished run {wanted}; run it first: ruc run {name} --profile full")


def write(project: Project, run: Run, label: str = "") -> Path:
    """Write `book/reference/NAME[/label]/`. Returns the folder. Raises ValueError when it would exceed the limit."""
    facts, name = run.facts, run.facts["notebook"]
    found = [records.read(path) for path in sorted((run.folder / "records").glob("audit_log_*.json"))]
    if not found:
        raise FileNotFoundError(f"{run.folder} holds no records; only a notebook that keeps records can be a reference")
    given = _given(project, run)
    header = {
        "notebook": name,
        "command": " ".join(["ruc run", name, *(f"-p {k} {v}" for k, v in given.items())]),
        "date": facts["started"][:10],
        "profile": facts["parameters"].get("profile"),
        "seeds": len({r["metadata"]["seed"] for r in found}),
        "seconds": facts["seconds"],
        "key": facts["key"],
        "inputs": facts["inputs"],
        "provenance": facts["provenance"],
        "quantities": {k: [records.rounded(v) for v in vs] for k, vs in (run.read("quantities.json") or {}).items()},
    }
    folder = project.root / "book" / "reference" / name / label
    records.bundle(found, folder, **header)
    for path in sorted((run.folder / "kept").glob("*.json")):
        files.write_atomic(folder / path.name, path.read_text(encoding="utf-8"))
    size = sum(p.stat().st_size for p in folder.iterdir() if p.is_file())
    if size > LIMIT:
        raise ValueError(f"{folder} takes {size} bytes, more than {LIMIT}; record less, or fewer steps of each curve")
    return folder


def _given(project: Project, run: Run) -> dict[str, object]:
    """Parameters that differ from the notebook's defaults; a file by its name, since its folder means nothing elsewhere."""
    known = project.notebook(run.facts["notebook"]).parameters
    out = {}
    for name, value in run.facts["parameters"].items():
        if name in known and value != known[name].default:
            out[name] = Path(value).name if known[name].is_file(value) else value
    return out
