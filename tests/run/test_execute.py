"""Runs with real kernels: what succeeds is proven, what fails is kept apart, and nothing outlives its run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from going import go

from helpers.run import execute, locks, surroundings
from helpers.run.execute import RunError
from helpers.run.project import Project
from helpers.run.store import Store

RUC = [sys.executable, "-m", "helpers.run.cli"]


def tree(folder):
    """Every file below a folder with its content, but for what is kept to be read faster."""
    found = (p for p in Path(folder).rglob("*") if p.is_file() and p.parent.name != ".cache")
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def test_a_good_run_is_proven_and_not_repeated(project):
    events = []
    run, new = go(project, "good", report=events.append)
    assert new
    assert json.loads((run.folder / "numbers.json").read_text())
    facts = json.loads((run.folder / "run.json").read_text())
    assert facts["parameters"] == {"profile": "quick", "seed": 1}
    assert {"notebook.ipynb", "numbers.json"} <= set(facts["files"])
    assert [e["event"] for e in events if e["event"] in ("kernel", "done")] == ["kernel", "done"]
    assert not list(project.root.rglob("*ipc*")), "sockets of the kernel were left in the project"
    before = tree(project.runs)
    again, new = go(project, "good")
    assert not new
    assert again.folder == run.folder
    assert tree(project.runs) == before


def test_nothing_of_a_run_stays_in_the_temporary_folder(project, tmp_path, monkeypatch):
    """Sockets, job and the connection file with the kernel's key, of a run that ends well and of one that does not."""
    place = tmp_path / "t"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    go(project, "good")
    with pytest.raises(RunError):
        go(project, "fails")
    assert list(place.iterdir()) == []


def test_a_long_temporary_folder_is_gone_round(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with locks.folder() as (short, _):
        assert len(str(short)) < 90
        assert short.is_dir()
    assert not short.exists()
    monkeypatch.setattr(locks.os, "access", lambda *a: False)
    with pytest.raises(OSError, match="set TMPDIR to a shorter one"), locks.folder():
        pass


TELLS = """# %% [markdown]
# # A notebook that tells how far it is

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work

# %%
import json, os, time
from pathlib import Path

for done, seconds in ((1, 100), (2, 200)):
    Path(os.environ["RUC_RUN_DIR"], "progress.json").write_text(json.dumps({"done": done, "of": 50, "seconds": seconds}))
    time.sleep(6)
"""


def test_progress_is_told_and_a_limit_that_will_not_do_once(project):
    (project.root / "notebooks" / "tells.py").write_text(TELLS)
    events = []
    run, _ = go(project, "tells", limit=900, report=events.append)
    told = [e for e in events if e["event"] == "progress"]
    assert told
    assert (told[0]["of"], told[0]["left"]) == (50, 100 * (50 - told[0]["done"]))
    (long,) = (e for e in events if e["event"] == "long")
    assert long["total"] > 4800
    assert long["ask"] >= 1.2 * long["total"] - 1
    assert not (run.folder / "progress.json").exists()
    assert "progress.json" not in run.facts["files"]


def test_two_runs_of_one_key_are_the_same_byte_for_byte(project):
    first, _ = go(project, "good")
    one = first.notebook.read_bytes()
    second, new = go(project, "good", force=True)
    assert new
    assert second.notebook.read_bytes() == one
    nb = nbformat.read(second.notebook, 4)
    nbformat.validate(nb)
    assert "papermill" not in nb.metadata
    assert all("papermill" not in c.metadata for c in nb.cells)


def test_parameters_reach_the_notebook_typed(project):
    given = {"count": 9, "flag": True, "word": "x'y\"z", "maybe": 2, "widths": [3, 4], "names": ["b"], "device": "cpu"}
    run, _ = go(project, "kinds", given=given)
    nb = nbformat.read(run.notebook, 4)
    shown = nb.cells[-1].outputs[0]["text"].strip()
    assert shown == repr(("quick", 9, 0.5, -2.0, True, "x'y\"z", 2, [3, 4], ["b"]))


def test_a_failing_cell_keeps_its_traceback_and_the_good_run(project):
    good, _ = go(project, "fails", given={"divisor": 1})
    before = tree(good.folder)
    with pytest.raises(RunError, match=r"failed in cell 5 of 6 \(1 / divisor\): ZeroDivisionError") as caught:
        go(project, "fails", given={"divisor": 0})
    kept = caught.value.kept
    assert caught.value.code == 1
    assert "1 / divisor" in (kept / "traceback.txt").read_text()
    partial = nbformat.read(kept / "partial.ipynb", 4)
    assert "ZeroDivisionError" in partial.cells[0].source
    assert any("before" in str(c.get("outputs")) for c in partial.cells)
    assert not (kept / "run.json").exists()
    assert tree(good.folder) == before
    assert [r.facts["parameters"]["divisor"] for r in Store(project.runs).all("fails")] == [1]


@pytest.mark.parametrize("number", [9, 15])
def test_a_killed_kernel_is_no_success(project, number):
    """papermill marks every cell of such a notebook complete; only the exit code and run.json can be trusted."""
    with pytest.raises(RunError, match=r"failed in cell 4 of 5 \(import os\): the kernel died") as caught:
        go(project, "dies", given={"signal": number})
    assert caught.value.code == 3
    assert Store(project.runs).all("dies") == []
    assert (caught.value.kept / "partial.ipynb").is_file()


def test_a_hanging_run_is_ended_with_all_it_started(project, tmp_path):
    note = tmp_path / "pid"
    events = []
    with pytest.raises(RunError, match=r"time is up: 8 s passed in cell 4 of 4 .*--limit") as caught:
        go(project, "hangs", given={"note": str(note)}, limit=8, report=events.append)
    assert caught.value.code == 4
    assert "alive" in {e["event"] for e in events}
    kernel = next(e["pid"] for e in events if e["event"] == "kernel")
    for pid in (kernel, int(note.read_text())):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_a_batch_system_and_a_closed_terminal_end_everything(project, tmp_path, stop):
    note = tmp_path / "pid"
    command = [*RUC, "run", "hangs", "-p", "note", str(note)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy(),
        preexec_fn=lambda: signal.signal(stop, signal.SIG_DFL),  # whatever the tests themselves were started with
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not note.exists() or not note.read_text():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.2)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; earlier results are untouched" in errors
    child = int(note.read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert Store(project.runs).all("hangs") == []


def test_a_job_that_is_killed_takes_its_kernel_and_what_that_started_along(project, tmp_path):
    """SIGKILL to the process that executes the notebook: kernel and its children are in a session of their own."""
    note, seen, started = tmp_path / "pid", {}, time.monotonic()

    def report(event):
        if event["event"] == "kernel":
            seen["kernel"] = event["pid"]
        if event["event"] == "cell" and event["index"] == 4:
            while not (note.exists() and note.read_text()):
                time.sleep(0.1)
            psutil.Process(seen["kernel"]).parent().send_signal(signal.SIGKILL)

    with pytest.raises(RunError, match="the run ended with code -9"):
        go(project, "hangs", given={"note": str(note)}, report=report)
    assert time.monotonic() - started < 60
    time.sleep(0.5)
    for pid in (seen["kernel"], int(note.read_text())):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_corrupt_proof_is_named_and_the_run_done_anew(project):
    run, _ = go(project, "good")
    other, _ = go(project, "good", given={"seed": 2})
    before = tree(other.folder)
    for text, said in (("{", "run.json is corrupt"), ('{"key": "x"}', "has no 'notebook'")):
        (run.folder / "run.json").write_text(text)
        events = []
        mended, new = go(project, "good", report=events.append)
        assert new
        assert said in next(e["why"] for e in events if e["event"] == "changed")
        assert mended.facts["parameters"]["seed"] == 1
    assert tree(other.folder) == before


def test_a_folder_that_cannot_be_written(project, tmp_path):
    (tmp_path / "file").write_text("in the way")
    elsewhere = Project(project.root, tmp_path / "file" / "runs")
    with pytest.raises(OSError, match=r"cannot write to .*name another folder with --runs"):
        go(elsewhere, "good")


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/sys").is_dir(), reason="root can write everywhere")
def test_a_read_only_file_system(project):
    """/proc cannot be written to, not even by root."""
    with pytest.raises(OSError, match="cannot write to"):
        go(Project(project.root, Path("/proc/sys/runs")), "good")


def test_a_full_disk_is_seen_before_the_kernel_starts(project, monkeypatch):
    good, _ = go(project, "good")
    before = tree(project.runs)
    usage = shutil.disk_usage(project.runs)._replace(free=1000)
    monkeypatch.setattr(execute.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="only 0 MiB free at"):
        go(project, "good", given={"seed": 5})
    assert tree(project.runs) == before
    assert good.folder.is_dir()


def test_a_disk_that_fills_up_during_the_run(project, tmp_path, monkeypatch):
    """A real file system of two megabytes, where mounting is allowed: the run fails, says why, and leaves nothing half."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        monkeypatch.setattr(execute, "SPACE", 0)
        path = project.root / "notebooks" / "good.py"
        path.write_text(
            path.read_text().replace("sum(numbers)", 'Path(os.environ["RUC_RUN_DIR"], "big").write_bytes(b"x" * 10**7)')
        )
        with pytest.raises(RunError, match="No space left on device"):
            go(Project(project.root, small / "runs"), "good")
        assert Store(small / "runs").all("good") == []
    finally:
        subprocess.run(["umount", str(small)], check=False)


def test_checkpoints_of_an_interrupted_run_are_there_for_the_next(project):
    path = project.root / "notebooks" / "fails.py"
    path.write_text(
        path.read_text().replace(
            'print("before")',
            'import os, pathlib\nwork = pathlib.Path(os.environ["RUC_WORK_DIR"])\nseen = work.exists()\n'
            'work.mkdir(exist_ok=True)\ndivisor = 1 if seen else 0\nprint("seen", seen)',
        )
    )
    with pytest.raises(RunError):
        go(project, "fails")
    run, _ = go(project, "fails")
    assert "seen True" in run.notebook.read_text()
    assert not run.folder.with_name(run.facts["key"] + ".work").exists()
    assert not run.folder.with_name(run.facts["key"] + ".failed").exists()


def test_two_kernels_at_once_do_not_share_a_socket(project):
    """Two runs of the hanging notebook side by side, each with its own sleep; both end well."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        runs = pool.map(lambda seconds: go(project, "hangs", given={"seconds": seconds})[0], (1.5, 1.6))
    assert [r.facts["parameters"]["seconds"] for r in runs] == [1.5, 1.6]


def test_plain_papermill_works_too(project, tmp_path):
    import jupytext

    source = tmp_path / "good.ipynb"
    nb = jupytext.read(project.root / "notebooks" / "good.py")
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    jupytext.write(nb, source)
    command = [sys.executable, "-m", "papermill", str(source), str(tmp_path / "out.ipynb"), "-p", "seed", "3"]
    done = subprocess.run([*command, "--cwd", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "unknown parameter" not in done.stderr
    assert json.loads((tmp_path / "numbers.json").read_text())


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({}, "3000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),  # somebody's own choice stays
        ({"OMP_WAIT_POLICY": "ACTIVE"}, None),
    ],
)
def test_waiting_threads_give_the_core_up_unless_told_otherwise(given, seen, monkeypatch):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    made = surroundings.of_job(Path("sockets"))
    assert made.get("GOMP_SPINCOUNT") == seen
    assert made["JUPYTER_RUNTIME_DIR"] == "sockets"
    assert {k: made[k] for k in given} == given
