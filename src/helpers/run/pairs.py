"""The pairs: every NAME.ipynb is made from NAME.py, never the other way, and what somebody else wrote into one is not lost.

A twin that is neither what was made here last, nor as git has it, nor of cells that were all made from some source, was changed
elsewhere, in JupyterLab for instance; so was one that holds outputs.
"""

from __future__ import annotations

import contextlib
import errno
import json
import subprocess
import time
from pathlib import Path

from helpers import files
from helpers.run.project import KERNEL, Notebook, Project

MADE = ".pairs.json"  # in the folder of runs: the digest of each twin as it was made last
PLACES = 1000  # of a cell, more than any notebook has
SHOWN = ("tags", "jupyter", "mystnb")  # of a cell's metadata
LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}


def make(project: Project, force: bool = False) -> tuple[list[str], list[str], list[Path], list[str]]:
    """Make the twins that are not of their sources. Returns the names of those made and of those that somebody changed, which
    stay; with `force` these are made as well, and the copies kept of them are returned; last, a line for each broken source."""
    made, kept, copies, broken = [], [], [], []
    record = _record(project)
    for name in project.names:
        try:
            done, copy = _make(project.notebook(name), record, force)
        except (OSError, ValueError) as error:
            broken.append(f"{name}: {getattr(error, 'strerror', None) or error}")
            continue
        copies += [copy] if copy else []
        if done is not None:
            (made if done else kept).append(name)
    if record != _record(project):
        with contextlib.suppress(OSError):
            files.write_atomic(project.runs / MADE, files.strict_json(record))
    return made, kept, copies, broken


def _make(notebook: Notebook, record: dict[str, str], force: bool) -> tuple[bool | None, Path | None]:
    """Whether the twin was made, or stays as somebody changed it; None where it is current. And the copy that was kept. Raises
    OSError, or ValueError for a source that cannot be read."""
    name, twin = notebook.name, notebook.path.with_suffix(".ipynb")
    if twin.is_dir():
        raise IsADirectoryError(errno.EISDIR, f"{twin} is a folder, and the place of a twin; move it away")
    text, copy = render(notebook, _read(twin)), None
    if current(twin, text):
        record |= {} if _outputs(_read(twin)) else {name: _digest(_read(twin))}
        return None, None
    if changed(twin, record.get(name)):
        if not force:
            return False, None
        copy = _aside(twin)
    files.write_atomic(twin, text)
    record[name] = _digest(_read(twin))
    return True, copy


def render(notebook: Notebook, before: dict | None = None) -> str:
    """The twin of a source: its cells without outputs, and no word of pairing. before: the twin as it was, whose cells keep
    their ids."""
    cells, ids = [], _ids(before)
    for cell in notebook.content.cells:
        meta = {k: v for k, v in cell.metadata.items() if k in SHOWN and v}
        code = {"execution_count": None} if cell.cell_type == "code" else {}
        out = {"outputs": []} if cell.cell_type == "code" else {}
        lines = cell.source.splitlines(keepends=True)
        name = ids.pop(cell.source, None) or _id(len(cells), cell.source)
        cells.append({"cell_type": cell.cell_type} | code | {"id": name, "metadata": meta} | out | {"source": lines})
    meta = {"kernelspec": KERNEL, "language_info": LANGUAGE}
    found = {"cells": cells, "metadata": meta, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _id(place: int, text: str) -> str:
    """A cell's id, by where it stood when it was made and by what it said: Jupyter keeps it while the text changes."""
    return files.digest(f"{place} {text}")[7:15]


def _own(found: dict) -> bool:
    """Whether every cell says what it said when it was made, by its id."""
    places = range(max(PLACES, len(found["cells"])))
    return all(any(cell.get("id") == _id(n, _text(cell)) for n in places) for cell in found["cells"])


def _ids(before: dict | None) -> dict[str, str]:
    """The id of every cell by its text."""
    cells = before["cells"] if before else []
    return {_text(cell): cell["id"] for cell in cells if isinstance(cell.get("id"), str)}


def current(twin: Path, text: str) -> bool:
    """Whether a twin holds what its source says, whatever outputs a reader's run put beside it, and pairs with nothing."""
    found = _read(twin)
    paired = found is None or "formats" in found["metadata"].get("jupytext", {})
    return not paired and _digest(found) == _digest(json.loads(text))


def changed(twin: Path, made: str | None) -> bool:
    """Whether somebody else wrote into a twin: it differs from what was made last and a cell from what it was made as, or it
    holds outputs, or cannot be read; and git does not have it as it is. made: the digest of what was."""
    if not twin.is_file():
        return False
    found = _read(twin)
    if found is not None and not _outputs(found) and (_digest(found) == made or _own(found)):
        return False
    return not _committed(twin)


def _record(project: Project) -> dict[str, str]:
    try:
        return dict(files.read_json(project.runs / MADE))
    except (OSError, ValueError, TypeError):
        return {}


def _read(path: Path) -> dict | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found["cells"], list) and isinstance(found["metadata"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _outputs(found: dict) -> bool:
    return any(cell.get("outputs") for cell in found["cells"])


def _digest(found: dict) -> str:
    """Of what a twin's cells are and say, however it was written down."""
    said = [(c.get("cell_type"), _text(c), {k: c.get("metadata", {}).get(k) for k in SHOWN}) for c in found["cells"]]
    return files.digest(json.dumps([(kind, text, {k: v for k, v in meta.items() if v}) for kind, text, meta in said]))


def _text(cell: dict) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _committed(path: Path) -> bool:
    """Whether git has this very content, so that nothing is lost when it is made anew."""
    git = ["git", "-C", str(path.parent)]
    try:
        known = subprocess.run([*git, "ls-files", "--error-unmatch", path.name], capture_output=True)
        same = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", path.name], capture_output=True)
    except OSError:
        return False
    return known.returncode == 0 and same.returncode == 0


def _aside(twin: Path) -> Path:
    """Keep what is there under a name of its own, which no later copy takes."""
    stem = f"{twin.stem}.yours-{time.strftime('%Y%m%d-%H%M%S')}"
    for n in range(1, 1000):
        copy = twin.with_name(f"{stem}{'' if n == 1 else f'-{n}'}.ipynb")
        if not copy.exists():
            return twin.rename(copy)
    raise OSError(17, f"there are too many copies of {twin}; remove some")
