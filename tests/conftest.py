"""What all tests share: the checkout, a folder with real data where there is one, and a copy of the fixture project."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """No test sees the variables of a surrounding run."""
    for name in ("RUC_ROOT", "RUC_RUN_DIR", "RUC_WORK_DIR", "RUC_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def real_data() -> Path:
    """A folder of real data sets, named by RUC_TEST_DATA or lying beside the checkout; the test is skipped without it."""
    named = os.environ.get("RUC_TEST_DATA")
    for folder in [Path(named)] if named else [ROOT / "data", ROOT.parent / "shared" / "data"]:
        if folder.is_dir():
            return folder
    pytest.skip("no real data: name its folder in RUC_TEST_DATA")


@pytest.fixture
def project_folder(tmp_path, monkeypatch) -> Path:
    """A copy of the small project that the runner is tested on, as the current book."""
    folder = tmp_path / "project"
    shutil.copytree(Path(__file__).parent / "run" / "project", folder)
    monkeypatch.setenv("RUC_ROOT", str(folder))
    return folder
