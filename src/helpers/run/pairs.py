"""The pairs: every NAME.ipynb is made from NAME.py, never the other way, and what somebody else wrote into one is not lost.

A twin says in its metadata what it was made from and the digest of what was made. One whose cells are neither its source's nor
what was made was changed elsewhere, in JupyterLab for instance; so was one that holds outputs.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from helpers import files
from helpers.run.project import KERNEL, Notebook, Project

STAMP = "ruc"
SHOWN = ("tags", "jupyter", "mystnb")  # of a cell's metadata
LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}


def make(project: Project, force: bool = False) -> tuple[list[str], list[str], list[Path], list[str]]:
    """Make the twins that are not of their sources. Returns the names of those made and of those that somebody changed, which
    stay; with `force` these are made as well, and the copies kept of them are returned; last, a line for each broken source."""
    made, kept, copies, broken = [], [], [], []
    for name in project.names:
        notebook = project.notebook(name)
        twin = notebook.path.with_suffix(".ipynb")
        try:
            text = render(notebook)
        except (OSError, ValueError) as error:
            broken.append(f"{name}: {error}")
            continue
        if current(twin, text):
            continue
        if changed(twin):
            if not force:
                kept.append(name)
                continue
            copies.append(_aside(twin))
        files.write_atomic(twin, text)
        made.append(name)
    return made, kept, copies, broken


def render(notebook: Notebook) -> str:
    """The twin of a source: its cells without outputs, no word of pairing, and a stamp."""
    cells = []
    for cell in notebook.content.cells:
        meta = {k: v for k, v in cell.metadata.items() if k in SHOWN and v}
        code = {"execution_count": None} if cell.cell_type == "code" else {}
        out = {"outputs": []} if cell.cell_type == "code" else {}
        lines = cell.source.splitlines(keepends=True)
        cells.append({"cell_type": cell.cell_type} | code | {"id": cell.id, "metadata": meta} | out | {"source": lines})
    stamp = {"source": f"{notebook.name}.py", "made": _digest(cells)}
    meta = {"kernelspec": KERNEL, "language_info": LANGUAGE, STAMP: stamp}
    found = {"cells": cells, "metadata": meta, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def current(twin: Path, text: str) -> bool:
    """Whether a twin holds what its source says, whatever outputs a reader's run put beside it, and pairs with nothing."""
    found, wanted = _read(twin), json.loads(text)
    if found is None or "formats" in found.get("metadata", {}).get("jupytext", {}):
        return False
    stamped = found["metadata"].get(STAMP) == wanted["metadata"][STAMP] or _outputs(found)
    return bool(stamped) and _digest(found["cells"]) == _digest(wanted["cells"])


def changed(twin: Path) -> bool:
    """Whether somebody else wrote into a twin: it differs from what was made, holds outputs, or cannot be read; and git does
    not have it as it is."""
    if not twin.is_file():
        return False
    found = _read(twin)
    if found is not None and not _outputs(found):
        stamp = found["metadata"].get(STAMP)
        if isinstance(stamp, dict) and stamp.get("made") == _digest(found["cells"]):
            return False
    return not _committed(twin)


def _read(path: Path) -> dict | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found["cells"], list) and isinstance(found["metadata"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _outputs(found: dict) -> bool:
    return any(cell.get("outputs") for cell in found["cells"])


def _digest(cells: list[dict]) -> str:
    """Of what a twin's cells are and say, however it was written down."""
    said = [(c.get("cell_type"), _text(c), {k: c.get("metadata", {}).get(k) for k in SHOWN}) for c in cells]
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
