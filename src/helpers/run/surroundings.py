"""The variables of the processes that a run consists of: without those that would reach into it unrecorded."""

from __future__ import annotations

import os
from pathlib import Path

import helpers

OTHERS = {"JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "JUPYTER_DEFAULT_PROVISIONER_NAME"}
HARMLESS = {  # of Python's own: where it lies, and what changes no result
    "PYTHONHOME",
    "PYTHONPLATLIBDIR",
    "PYTHONUSERBASE",
    "PYTHONNOUSERSITE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONFAULTHANDLER",
}
OWN = str(Path(helpers.__path__[0]).absolute().parent)  # the folder from which this very package was loaded


def of_python() -> dict[str, str]:
    """This process's variables, without those that change what Python does and which modules it finds: no key knows of them. Of
    PYTHONPATH the package's own folder stays, as for a checkout that is not installed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") or k in HARMLESS}
    own = {"PYTHONPATH": OWN} if len(strange()) < len(_path()) else {}
    return kept | own | {"PYTHONUTF8": "1"}


def strange() -> list[str]:
    """Folders of PYTHONPATH that no run sees."""
    return [folder for folder in _path() if os.path.realpath(folder) != os.path.realpath(OWN)]


def _path() -> list[str]:
    return [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]


def of_job(short: Path) -> dict[str, str]:
    """This process's variables, and those of a job: without the user's own set-up of Jupyter and IPython, which would reach
    into the run unrecorded.

    Its threads wait by looking again and again, which starves another run on the same cores: with libgomp's own count two runs
    at once took over seven times as long as one, with this one three times.
    """
    patient = {} if "OMP_WAIT_POLICY" in os.environ else {"GOMP_SPINCOUNT": "3000"}
    own = {"JUPYTER_RUNTIME_DIR": short, "IPYTHONDIR": short / "ipython", "JUPYTER_CONFIG_DIR": short / "config"}
    kept = {k: v for k, v in of_python().items() if k not in OTHERS}
    fixed = {"PYTHONUNBUFFERED": "1", "JUPYTER_NO_CONFIG": "1"}
    return patient | kept | {k: str(v) for k, v in own.items()} | fixed
