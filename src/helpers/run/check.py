"""Whether a notebook can work with some parameters, asked of the notebook itself before a kernel starts.

The cell tagged `settings`, right after the parameters, builds the settings and the frozen configs and loads nothing; it and
the cells before it are run here, in a folder that is removed. Before that the folders of models are looked into. In a process
of its own, so that the runner needs no torch:

    python -P -m helpers.run.check JOB.json         exit code 2 and error.txt beside the job: refused, with the reason
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.parameters import ParameterError
from helpers.run import locks, surroundings

if TYPE_CHECKING:
    from helpers.run.project import Notebook, Project

TAG, REFUSED = "settings", 2
EXPECTED = (
    ValueError,
    RuntimeError,
    MemoryError,
    OSError,
)  # what a helper raises for a value; the rest are faults in code


def cells(notebook: Notebook) -> list[str] | None:
    """Sources of the code cells up to the settings cell; None for a notebook that has no such cell.

    Raises ParameterError when there are two of them, or when it stands before the parameters.
    """
    code = [c for c in notebook.cells if c.code]
    tagged = {tag: [i for i, c in enumerate(code) if tag in c.tags] for tag in ("parameters", TAG)}
    if not tagged[TAG]:
        return None
    if len(tagged[TAG]) > 1 or tagged[TAG] < tagged["parameters"]:
        raise ParameterError(f"{notebook.path.name}: one cell tagged {TAG} is needed, after the one tagged parameters")
    return [c.source for c in code[: tagged[TAG][0] + 1]]


def check(project: Project, notebook: Notebook, chosen: Mapping[str, object]) -> None:
    """Run the notebook's settings cell with these parameters, here and now. Raises ParameterError for what cannot work."""
    if job := _job(project, notebook, chosen):
        _execute(job)


def apart(project: Project, notebook: Notebook, chosen: Mapping[str, object]) -> None:
    """`check` in a short process of its own. Raises RuntimeError, with the last line of its traceback, for a faulty cell."""
    job = _job(project, notebook, chosen)
    if job is None:
        return
    with tempfile.TemporaryDirectory(prefix="ruc-") as folder:
        path = locks.written(Path(folder) / "job.json", json.dumps(job))
        command = [sys.executable, "-P", "-m", "helpers.run.check", str(path)]
        options = {"cwd": project.root / "notebooks", "env": surroundings.of_python()}
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", **options)
        error = path.with_name("error.txt")
        if done.returncode == REFUSED and error.is_file():
            raise ParameterError(error.read_text(encoding="utf-8"))
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
            raise RuntimeError(f"the settings cell of {notebook.name} is at fault: {last}")


def _job(project: Project, notebook: Notebook, chosen: Mapping[str, object]) -> dict | None:
    sources = cells(notebook)
    if sources is None:
        return None
    tagged = next(c for c in notebook.cells if "parameters" in c.tags)
    known = notebook.parameters
    given = {k: v for k, v in chosen.items() if v != known[k].default}
    return {
        "name": notebook.name,
        "cells": sources,
        "parameters": sources.index(tagged.source),
        "chosen": dict(chosen),
        "given": given,
        "models": {k: v for k, v in chosen.items() if "HUB-NAME" in known[k].choices and known[k].is_file(v)},
        "root": str(project.root),
    }


def _execute(job: Mapping) -> None:
    _check_models(job["models"])
    space = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory(prefix="ruc-") as folder, _surroundings(job["root"], folder):
        for i, source in enumerate(job["cells"]):
            code = compile(source, f"{job['name']}, code cell {i + 1}", "exec")
            try:
                exec(code, space)
            except EXPECTED as error:
                raise ParameterError(_sentence(job, error)) from error
            if i == job["parameters"]:
                space |= job["chosen"]


def _check_models(found: Mapping[str, str]) -> None:
    """Refuse the folder of a model that cannot be loaded, by what its small files and headers say."""
    if not found:
        return
    from helpers.lm import loader

    for name, folder in found.items():
        try:
            loader.check(folder, f"{name}={folder!r}")
        except EXPECTED as error:
            raise ParameterError(str(error)) from error


def _sentence(job: Mapping, error: BaseException) -> str:
    """The error in one line, headed by the given values that it does not name itself."""
    line = " ".join(str(error).split()) or type(error).__name__
    given = [f"{k}={v!r}" for k, v in job["given"].items() if f"{k}={v!r}" not in line]
    return f"{', '.join(given)}: {line}" if given else line


@contextlib.contextmanager
def _surroundings(root: str, folder: str) -> Iterator[None]:
    """The variables of a run, for as long as the cells run."""
    mine = {"RUC_ROOT": root, "RUC_RUN_DIR": f"{folder}/run", "RUC_WORK_DIR": f"{folder}/work"}
    before = {k: os.environ.get(k) for k in mine}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _main(path: Path) -> int:
    try:
        _execute(json.loads(path.read_text(encoding="utf-8")))
    except ParameterError as error:
        path.with_name("error.txt").write_text(str(error), encoding="utf-8")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
