"""What surrounds the command and breaks: streams that nobody reads, and an encoding that knows no names."""

import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from going import go

from helpers.run import build, cli, doctor, execute, locks, surroundings
from helpers.run.execute import RunError
from helpers.run.store import Store

RUC = [sys.executable, "-m", "helpers.run.cli"]


def shell(text, **env):
    """A line of shell in which `ruc` is the command; its own exit code is the last that is printed on stderr."""
    text = f'ruc() {{ {shlex.join(RUC)} "$@"; }}\n{text}'
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, env=os.environ | env, timeout=120)


@pytest.mark.parametrize(
    ("line", "code", "runs"),
    [
        ("ruc run good 2>/dev/full", 0, 1),
        ("ruc run good -p seed 7 >&- 2>&- <&-", 0, 1),
        ("ruc run fails 2>/dev/full", 1, 0),
        ("ruc nonsense 2>/dev/full", 2, 0),
        ("ruc run good 2>&1 | true; exit ${PIPESTATUS[0]}", 0, 1),
        ("ruc run fails 2>&1 | head -1; exit ${PIPESTATUS[0]}", 1, 0),
        ("ruc run good >&-", 0, 1),
        ("ruc run good >/dev/full", 2, 1),
        ("ruc --help >/dev/full", 2, 0),
        ("ruc list | true; exit ${PIPESTATUS[0]}", 0, 0),
    ],
)
def test_a_stream_that_nobody_reads_costs_no_run(project_folder, line, code, runs):
    done = shell(line)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert sum(len(Store(project_folder / "runs").all(name)) for name in ("good", "fails")) == runs


def test_an_answer_that_was_lost_is_told(project_folder):
    done = shell("ruc status --json >/dev/full")
    assert "could not be written to standard output: No space left" in " ".join(done.stderr.split())


@pytest.mark.parametrize(("ignored", "code"), [(True, 0), (False, 130)])
def test_a_terminal_that_is_closed(project, tmp_path, ignored, code):
    """Of a run that was disowned nobody hears; any other is interrupted, however little can be said about it."""
    master, slave = os.openpty()
    note = tmp_path / "pid"

    def own():
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    command = [*RUC, "run", "hangs", "-p", "seconds", "1.5", "-p", "note", str(note)]
    streams = {"stdin": slave, "stdout": slave, "stderr": slave}
    process = subprocess.Popen(command, **streams, start_new_session=True, preexec_fn=own)
    os.close(slave)
    end = time.monotonic() + 60
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)
    os.close(master)
    assert process.wait(60) == code
    assert len(Store(project.runs).all("hangs")) == (code == 0)


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("given", "named"),
    [(("text", b"/nowhere/f\xff.txt"), "text='/nowhere/f\\xff.txt'"), (("word", b"\xff"), "word='\\xff'")],
)
def test_bytes_that_are_no_text_are_refused_by_parameter(project, given, named):
    done = subprocess.run([*RUC, "run", "kinds", "-p", *given], capture_output=True, text=True)
    said = " ".join(done.stderr.split())
    assert done.returncode == 2
    assert named in said
    assert "bytes that are not UTF-8" in said


def test_folders_whose_names_are_no_text_are_refused_by_name(project, tmp_path):
    odd = os.fsencode(tmp_path) + b"/d\xff"
    shutil.copytree(os.fsencode(project.root), odd)
    for words, env in ((["--runs", odd + b"/runs"], {}), ([], {b"RUC_ROOT": odd})):
        env = {k: v for k, v in os.environb.items() if not (env and k == b"RUC_ROOT")} | env
        done = subprocess.run([*RUC, *words, "run", "good"], capture_output=True, text=True, env=env)
        assert (done.returncode, "/d\\xff" in "".join(done.stderr.split())) == (2, True), done.stderr


def test_a_name_in_utf8_where_the_system_knows_ascii_alone(project, tmp_path):
    """The book's folder, the runs and a parameter; and a temporary folder that is no text at all is gone round."""
    folder = tmp_path / "é"
    shutil.copytree(project.root, folder)
    (folder / "ü.txt").write_text("x")
    odd = os.fsencode(tmp_path) + b"/t\xff"
    os.mkdir(odd)
    env = os.environ | ASCII | {"RUC_ROOT": str(folder), "TMPDIR": os.fsdecode(odd)}
    words = ["run", "kinds", "-p", "text", str(folder / "ü.txt"), "-p", "word", "ß"]
    done = subprocess.run([*RUC, *words], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    (run,) = Store(folder / "runs").all("kinds")
    assert run.facts["parameters"]["word"] == "ß"
    assert not os.listdir(odd)
    assert done.stdout.isascii()


@pytest.mark.parametrize("plain", [[], ["--json"]])
def test_a_site_that_does_not_build_hides_no_fault_of_a_chapter(project, monkeypatch, plain):
    (project.root / "notebooks" / "syntax.py").write_text('# %% tags=["parameters"]\na: int = 1  # x\n# %%\ndef f(:\n')
    chapters = [{"file": f"book/chapters/{name}"} for name in ("fails", "syntax")]
    (project.root / "_toc.yml").write_text(json.dumps({"root": "x", "parts": [{"chapters": chapters}]}))
    lines = SimpleNamespace(returncode=1, stdout="", stderr="\x1b[31m/x.md:3: WARNING: undefined label\x1b[39;49;00m\n")
    monkeypatch.setattr(build, "subprocess", SimpleNamespace(run=lambda *a, **kw: lines))
    done = CliRunner().invoke(cli.app, ["build", *plain])
    assert done.exit_code == 2
    said = " ".join(done.stderr.split())
    assert "\x1b" not in done.output
    places = [said.index(text) for text in ("fails: failed in cell", "syntax: ", "the site did not build")]
    assert places == sorted(places)
    if plain:
        told = json.loads(done.stdout)
        assert ["ZeroDivisionError" in told["chapters"][0]["error"], told["code"]] == [True, 2]
        assert "undefined label" in told["error"]


def test_no_folder_of_pythonpath_reaches_a_run_but_the_packages_own(project, tmp_path, monkeypatch):
    """A module that every Python loads, one that hides a module of the library, and switches that change what code does; in the
    settings cell as in the kernel."""
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "sitecustomize.py").write_text("import builtins\nbuiltins.evil = 1\n")
    (tmp_path / "evil" / "this.py").write_text("raise SystemExit('the wrong one')")
    looks = "import builtins, sys\nassert not hasattr(builtins, 'evil'), 'evil'\nimport this\n"
    looks += "try:\n    assert False\n    raise SystemExit('no asserts')\nexcept AssertionError:\n    pass\n"
    head = '# %% tags=["parameters"]\nprofile: str = "quick"  # quick | full: x\n\n# %% tags=["settings"]\n'
    (project.root / "notebooks" / "looks.py").write_text(f"{head}{looks}\n# %%\n{looks}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "evil"), surroundings.OWN, "", "nowhere"]))
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    run, _ = go(project, "looks")
    assert "The Zen of Python" in run.notebook.read_text()
    (told,) = (c for c in doctor.checks(project) if c.name == "path")
    assert told.found == f"PYTHONPATH names {tmp_path / 'evil'}, nowhere"
    monkeypatch.setenv("PYTHONPATH", surroundings.OWN)
    assert not [c for c in doctor.checks(project) if c.name == "path"]
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "PYTHONPATH" not in surroundings.of_python()


def test_a_limit_counts_the_wait_for_another_run_of_the_same(project):
    plan = execute.plan(project, "hangs", {"seconds": 1.5})
    with (
        locks.held(Store(project.runs).lock("hangs", plan.key)),
        pytest.raises(
            RunError, match=rf"time is up: 1 s passed waiting for process {os.getpid()} on .*--limit"
        ) as late,
    ):
        execute.run(project, plan, limit=1)
    assert late.value.code == 4
    lock = locks.take(Store(project.runs).lock("hangs", plan.key))
    threading.Timer(1.5, lock.release).start()
    with pytest.raises(RunError, match=r"time is up: \d s passed in"):
        execute.run(project, plan, limit=3)
