"""A disk that is full says so: the run that filled it, the folder of runs, and the temporary folder."""

import contextlib
import os
import subprocess

import pytest
from going import go

from helpers.run import execute, job, locks
from helpers.run.execute import RunError
from helpers.run.project import Project
from helpers.run.store import Store

FILLS = """# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work

# %%
import os
from pathlib import Path

def fill():
    with Path(os.environ["RUC_RUN_DIR"], "big").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)

# %%
HOW

# %%
print("later")
"""
FULL = r"the disk of .* (is|was) full \(\d MiB free\): free some, or name another folder with --runs\n"


@pytest.fixture
def small(project, tmp_path, monkeypatch):
    """The fixture project with its runs on a file system of six megabytes, where mounting is allowed."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    monkeypatch.setattr(execute, "SPACE", 0)
    yield Project(project.root, folder / "runs")
    subprocess.run(["umount", str(folder)], check=False)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("fill()", r"failed in cell 4 of 5 \(fill\(\)\): OSError: \[Errno 28\] No space left on device"),
        (
            "try:\n    fill()\nexcept OSError:\n    pass",
            r"failed in cell 4 of 5 \(try:\): the notebook could not be saved",
        ),
        ("print('y' * 10**7)", r"failed in cell 4 of 5 \(print.*the notebook could not be saved"),
    ],
)
def test_a_run_that_fills_its_disk_says_which_and_in_which_cell(small, how, said):
    (small.root / "notebooks" / "fills.py").write_text(FILLS.replace("HOW", how))
    with pytest.raises(RunError, match=FULL + said) as caught:
        go(small, "fills")
    assert caught.value.code == 1
    assert Store(small.runs).all("fills") == []


def test_a_proof_that_finds_no_room_says_which_disk(small):
    """The run itself is well: what fills the disk is written after its last cell."""

    def report(event):
        if event["event"] == "done":
            with contextlib.suppress(OSError), open(small.runs / "rest", "wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass

    with pytest.raises(OSError, match=r"No space left") as caught:
        go(small, "good", report=report)
    assert str(small.runs) in str(caught.value)


def test_a_temporary_folder_without_room_is_named(tmp_path, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    (tmp_path / "ruc-x").mkdir()
    (tmp_path / "ruc-x" / "job.json").symlink_to("/dev/full")
    with pytest.raises(OSError, match=f"cannot write to {tmp_path}: No space.*set TMPDIR"):
        locks.written(tmp_path / "ruc-x" / "job.json", "{}")


def test_a_long_error_is_told_by_its_beginning_and_its_end():
    told = job.short("A" * 1500 + "\n" + "B" * 1500)
    assert len(told) < 410
    assert (told[0], told[-1], "…" in told) == ("A", "B", True)
    assert job.short("ValueError: short") == "ValueError: short"
