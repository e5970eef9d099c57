"""A notebook's own settings cell, asked before a kernel starts: what cannot work is refused in one line and leaves nothing."""

import os
import subprocess
import sys

import pytest

from helpers.parameters import ParameterError
from helpers.run import check, execute
from helpers.run.project import Project

NOTEBOOK = """# %% [markdown]
# # A notebook with a settings cell

# %%
import os
from pathlib import Path

from helpers import chapter

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work
width: int = 4  # 1..9: how wide
kind: str = "value"  # value | runtime | memory | file | type | none: what it dies of

# %% tags=["settings"]
here = chapter.start("asks", profile=profile, width=width, kind=kind)
Path(os.environ["RUC_WORK_DIR"]).mkdir(parents=True)
print("a library's own words")
errors = {"value": ValueError, "runtime": RuntimeError, "memory": MemoryError, "file": FileNotFoundError, "type": TypeError}
if width > 6 and kind != "none":
    raise errors[kind](f"{width} is too\\n  wide; use 1..6")

# %%
print("the work")
"""


@pytest.fixture
def project(project_folder):
    (project_folder / "notebooks" / "asks.py").write_text(NOTEBOOK)
    return Project.find()


def plan(project, name="asks", **given):
    return execute.plan(project, name, given, texts=False)


def ask(project, how=check.check, **given):
    made = plan(project, **given)
    how(project, made.notebook, made.chosen)


@pytest.mark.parametrize("kind", ["value", "runtime", "memory", "file"])
def test_what_cannot_work_is_refused_in_one_line_that_names_the_value(project, kind):
    before = dict(os.environ)
    ask(project, width=6, kind=kind)
    with pytest.raises(ParameterError, match=r"^(?!.*\n).*width=7.*: 7 is too wide; use 1\.\.6$"):
        ask(project, width=7, kind=kind)
    assert dict(os.environ) == before
    assert not project.runs.exists()


def test_a_fault_of_the_cell_is_not_the_readers(project):
    with pytest.raises(TypeError, match="too"):
        ask(project, width=7, kind="type")
    with pytest.raises(RuntimeError, match=r"the settings cell of asks is at fault: .*use 1\.\.6"):
        ask(project, check.apart, width=7, kind="type")


def test_the_runner_asks_before_a_kernel_starts_and_nothing_is_left(project, monkeypatch):
    events = []
    with pytest.raises(ParameterError, match=r"^width=7: 7 is too wide; use 1\.\.6$"):
        execute.run(project, plan(project, width=7), report=events.append)
    assert events == []
    assert not project.runs.exists()
    run, new = execute.run(project, plan(project))
    assert new
    assert "the work" in run.notebook.read_text()
    monkeypatch.setattr(check, "apart", lambda *a: pytest.fail("a fresh run is not asked again"))
    assert execute.run(project, plan(project))[1] is False


def test_the_command_says_it_in_one_line(project):
    command = [sys.executable, "-m", "helpers.run.cli", "run", "asks", "-p", "width", "9"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "ruc: width=9: 9 is too wide; use 1..6\n")


def test_a_notebook_without_the_tag_has_no_check(project):
    assert check.cells(project.notebook("fails")) is None
    check.check(project, project.notebook("fails"), {"divisor": 0})


@pytest.mark.parametrize(
    "change", [("# %%\nprint", '# %% tags=["settings"]\nprint'), ('tags=["parameters"]', 'tags=["settings"]')]
)
def test_one_settings_cell_after_the_parameters(project, change):
    path = project.root / "notebooks" / "asks.py"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(ParameterError, match="one cell tagged settings is needed"):
        check.cells(project.notebook("asks"))


def test_a_module_of_the_callers_folder_is_not_taken_for_the_package(project):
    """`helpers.py` in the checkout shadows nothing, neither in the check nor in the run."""
    (project.root / "helpers.py").write_text("raise SystemExit('shadowed')")
    command = [sys.executable, "-P", "-m", "helpers.run.cli", "run", "asks"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project.root, check=False)
    assert done.returncode == 0, done.stderr
