"""What surrounds a run and must not reach it: prints that look like events, stray modules, a user's own Jupyter, odd folders,
signals, a runner that is killed, another runner of the same."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest
from going import go

from helpers.run import channel, locks, processes
from helpers.run.execute import RunError
from helpers.run.store import Store

RUC = [sys.executable, "-m", "helpers.run.cli"]
LOUD = """# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work

# %%
import json, os, subprocess, sys

forged = json.dumps({"event": "failed", "cell": "1", "error": "forged", "code": 1})
for line in (forged, json.dumps({"event": "done"}), "17", "[1]", '"event"', "null", '{"event": "alive"}'):
    os.system(f"echo '{line}'; echo '{line}' >&2")
    os.write(1, f"{line}\\n".encode())
subprocess.run(["sh", "-c", "for n in 3 4 5 6 7 8 9; do eval \\"echo 17 >&$n\\"; done 2>/dev/null"])

# %%
print(sys.executable, "startup" in globals(), [p for p in sys.path if p in ("", ".")])
"""


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def within(seconds, look):
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
    return found


def test_what_is_printed_is_no_event_and_no_set_up_of_the_user_reaches_a_run(tmp_path, monkeypatch, root):
    """All at once: forged events on every descriptor; modules called as the package; a kernel python3, a start-up file and an
    IPython profile of the user's; a folder whose name is a pattern, a template and no ASCII."""
    folder = tmp_path / "a [x] {b} %s é"
    shutil.copytree(root / "tests" / "run" / "project", folder)
    (folder / "notebooks" / "loud.py").write_text(LOUD)
    for place in (folder, folder / "notebooks", tmp_path):
        (place / "helpers.py").write_text("raise SystemExit('the wrong helpers')")
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "language": "python", "display_name": "x"}))
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("startup = 1")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONSTARTUP", str(startup / "00.py"))
    monkeypatch.setenv("RUC_ROOT", str(folder))
    monkeypatch.chdir(folder)
    done = subprocess.run([*RUC[:1], "-P", *RUC[1:], "run", "loud"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (run,) = Store(folder / "runs").all("loud")
    assert str(run.folder) in done.stdout.splitlines()[-1]
    last = nbformat.read(run.notebook, 4).cells[-1].outputs[0]["text"].split()
    assert last == [sys.executable, "False", "[]"]
    assert sorted(run.facts["files"]) == ["notebook.ipynb"]


def test_events_are_events_and_end_with_their_pipe():
    read, write = os.pipe()
    for line in (
        "17",
        "[]",
        "null",
        '"cell"',
        "{",
        '{"event": "late"}',
        '{"event": ["cell"]}',
        "\xff",
        '{"event": "done"}',
    ):
        os.write(write, (line + "\n").encode("latin-1"))
    os.close(write)
    assert list(channel.events(read, 5)) == [{"event": "done"}]
    read, write = os.pipe()
    *alive, late = [e["event"] for e in channel.events(read, 0.5, beat=0.2)]
    assert (set(alive), late) == ({"alive"}, "late")
    os.close(write)


def test_a_log_never_outgrows_its_place(tmp_path):
    """Of 2,000 bytes with room for 300 the end is there in two files, and a writer is never held up."""
    read, write = os.pipe()
    thread = channel.log(os.fdopen(read, "rb"), tmp_path / "log.txt", full=300)
    for i in range(200):
        os.write(write, f"line {i:04d}\n".encode())
        time.sleep(0.0005)
    os.close(write)
    thread.join(5)
    older, newer = (tmp_path / n for n in ("log.1.txt", "log.txt"))
    text = older.read_text() + newer.read_text()
    assert max(older.stat().st_size, newer.stat().st_size) <= 300
    assert re.findall(r"\d+", text) == [f"{i:04d}" for i in range(200 - len(text) // 10, 200)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.1.txt", "log.txt"]


ENDS = """# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work

# %%
END

# %%
print("never")
"""


@pytest.mark.parametrize("end", ["import sys; sys.exit(0)", "import os; os._exit(0)"])
def test_a_cell_that_ends_the_kernel_early_is_no_whole_run(project, end):
    (project.root / "notebooks" / "ends.py").write_text(ENDS.replace("END", end))
    with pytest.raises(RunError, match=r"the kernel (ended before cell|died)"):
        go(project, "ends")
    assert Store(project.runs).all("ends") == []


def test_the_second_of_two_waits_and_is_told_for_whom(project):
    events = {1: [], 2: []}
    started = threading.Event()

    def first():
        def report(event):
            events[1].append(event)
            if event["event"] == "cell":
                started.set()

        return go(project, "hangs", given={"seconds": 1.0}, report=report)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert started.wait(60)
        two = pool.submit(lambda: go(project, "hangs", given={"seconds": 1.0}, report=events[2].append))
        (run, new), (same, again) = one.result(), two.result()
    assert (new, again) == (True, False)
    assert run.folder == same.folder
    (waiting,) = events[2]
    assert waiting["event"] == "waiting"
    assert f"process {os.getpid()} on " in waiting["for"]
    assert sorted(p.name for p in run.folder.parent.iterdir()) == [run.facts["key"]]


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A temporary folder of the test's own."""
    place = tmp_path / "t"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield place
    tempfile.tempdir = None


def start(project, note, seconds, ignored=()):
    """`ruc run hangs` in a process of its own, once its notebook's child runs."""

    def dispositions():
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    command = [*RUC, "run", "hangs", "-p", "note", str(note), "-p", "seconds", str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=dispositions)
    within(60, lambda: note.exists() and note.read_text())
    return process


def test_a_signal_that_is_ignored_stays_ignored(project, tmp_path):
    """nohup ruc run … &, then logout; a shell without job control starts what is in the background with SIGINT ignored."""
    process = start(project, tmp_path / "pid", 2.5, ignored=(signal.SIGHUP, signal.SIGINT))
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(Store(project.runs).all("hangs")) == 1


def test_a_runner_that_is_killed_leaves_no_process_and_the_next_run_no_file(project, tmp_path, places):
    process = start(project, tmp_path / "pid", 600)
    (folder,) = (p for p in (project.runs / "hangs").iterdir() if p.is_dir())
    assert processes.of_run(folder)
    process.kill()
    process.communicate()
    within(20, lambda: not processes.of_run(folder) and gone(int((tmp_path / "pid").read_text())))
    within(20, lambda: not list(places.iterdir()))
    assert folder.is_dir()  # what it wrote so far; nobody is left who could take it away
    run, _ = go(project, "hangs", given={"seconds": 0.1})
    assert [p for p in run.folder.parent.iterdir() if p.is_dir()] == [run.folder]


def test_a_temporary_folder_goes_only_when_its_maker_is_gone(places):
    code = "import time\nfrom helpers.run import locks\nwith locks.folder() as f:\n print(f[0], flush=True)\n time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    made = Path(process.stdout.readline().strip())
    with locks.folder() as (own, _):
        locks.sweep()
        assert made.is_dir()
        assert own.is_dir()
        process.kill()
        process.wait()
        process.stdout.close()
        (unnamed, fresh) = (places / f".{locks.PREFIX}{letter}" for letter in "ab")
        unnamed.mkdir()
        fresh.mkdir()
        os.utime(unnamed, (0, 0))
        locks.sweep()
        assert sorted(places.iterdir()) == sorted([own, fresh])
        fresh.rmdir()
    assert list(places.iterdir()) == []
