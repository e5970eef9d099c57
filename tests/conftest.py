"""What all tests share: the checkout, a folder with real data where there is one, and a copy of the fixture project."""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from sizes import ABREAST, SMALL

from helpers import sources
from helpers.run import build, check, execute
from helpers.run.project import Project

sources.light("nbformat")  # before a test file asks for it: what it stands on takes seconds otherwise
ROOT = Path(__file__).resolve().parent.parent


def group(path: str) -> str:
    """What runs in one process where tests run side by side, in the order in which it begins: all that looks at the built site,
    the exercises, and every other file."""
    if path.startswith("tests/browser/") or path == "tests/notebooks/test_notebooks.py":
        return "0 site"
    return "1 exercises" if path == "tests/notebooks/test_exercises.py" else path


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: group(item.nodeid.partition("::")[0]))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid.partition("::")[0])

    return ByGroup(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """No test sees the variables of a surrounding run."""
    for name in ("RUC_ROOT", "RUC_RUN_DIR", "RUC_WORK_DIR", "RUC_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(
    params=[
        "cpu",
        pytest.param(
            "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
        ),
    ]
)
def device(request) -> str:
    """Every device that a test should pass on."""
    return request.param


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


@pytest.fixture(scope="session")
def book(tmp_path_factory) -> tuple[Project, dict[str, build.Page]]:
    """A copy of the sources with every chapter run through the runner at its smallest: the project, and the chapters. Settings
    cells are asked in this process, which has loaded what they import; `tests/run/test_check.py` asks in one apart."""
    folder = tmp_path_factory.mktemp("book") / "project"
    skip = shutil.ignore_patterns(".*", "_build", "chapters", "runs", "*.egg-info", "__pycache__", "build")
    shutil.copytree(ROOT, folder, ignore=skip)
    project, alone = Project(folder, folder / "runs"), threading.Lock()

    def ask(*words):
        with alone:
            check.check(*words)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(ABREAST) as pool:
        patch.setattr(check, "apart", ask)
        patch.setenv("OMP_NUM_THREADS", "1")  # two kernels of two threads each wait for each other on two cores
        list(
            pool.map(lambda name: execute.run(project, execute.plan(project, name, SMALL.get(name, {}))), project.names)
        )
    return project, {page.notebook.name: page for page in build.chapters(project, SMALL)}


@pytest.fixture(scope="session")
def site(book) -> Path:
    """The folder of the static site made from those chapters, every warning an error."""
    project, pages = book
    build.assemble(project, list(pages.values()))
    return build.site(project).parent
