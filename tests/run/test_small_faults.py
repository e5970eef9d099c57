"""Small faults of the command, each told by name and with what to do: empty names, files and folders in each other's place, a
disk that is read alone, what is told of a machine."""

import dataclasses
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from going import go

from helpers.run import cli, doctor, leavings
from helpers.run.store import Store

KEY = "0" * 16


def said(*words, code):
    """What `ruc` prints, in this very process; errors that its main would tell are raised."""
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize("words", [("--runs", "", "list"), ("--runs", " ", "run", "good"), ("build", "--output", "")])
def test_an_empty_name_is_not_the_working_folder(project, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert "the name is empty" in said(*words, code=2)
    assert sorted(tmp_path.iterdir()) == before


def test_a_ledger_that_is_gone_is_named(project):
    done = subprocess.run([sys.executable, "-m", "helpers.run.cli", "claims"], capture_output=True, text=True)
    told = " ".join(done.stderr.split())
    assert (done.returncode, "Errno" in told) == (2, False)
    assert f"{project.root / 'book' / 'claims.yml'} is gone; take it back with: git checkout book/claims.yml" in told


def test_list_and_status_end_alike(project):
    assert said("list", code=0)
    (project.root / "notebooks" / "bad.py").write_text("# %%\n1\n")
    assert "bad" in said("list", code=1)
    assert "bad" in said("status", code=1)


def test_a_file_where_a_folder_belongs_and_a_folder_where_a_lock_belongs(project):
    project.runs.mkdir()
    (project.runs / "good").write_text("")
    with pytest.raises(
        OSError, match=rf"{project.runs / 'good'} is a file, and a folder was expected; move it away, or name"
    ):
        go(project, "good")
    lock = Store(project.runs).lock("kinds", KEY)
    lock.mkdir()
    with pytest.raises(IsADirectoryError, match=f"{lock} is a folder, and the place of a lock; remove it"):
        leavings.locks.take(lock)


def test_clean_tells_what_is_stuck_and_goes_on(project):
    folder = project.runs / "good"
    for name in (f"{KEY}.failed", f".{KEY}.lock", "1" * 16 + ".failed"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_bytes(b"x" * 3000)
    told = said("clean", "--yes", code=1)
    assert f"could not remove {folder / f'{KEY}.failed'}" in told
    assert "3 kB removed" in told
    assert not (folder / ("1" * 16 + ".failed")).exists()
    (folder / f".{KEY}.lock" / "file").unlink()
    (folder / f".{KEY}.lock").rmdir()
    said("clean", "--yes", code=0)
    assert said("clean", "--yes", code=0) == "nothing is left over"


def test_clean_on_a_disk_that_is_read_alone(project, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("mounting a file system is not allowed here")
    try:
        names = (f"{KEY}.failed", "1" * 16 + ".work", f".{'2' * 16}.abc")
        for name in names:
            (small / "good" / name).mkdir(parents=True)
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        told = said("--runs", str(small), "clean", "--yes", code=1)
        assert all(f"could not remove {small / 'good' / name}" in told for name in names)
        elsewhere = dataclasses.replace(project, runs=small)
        (disk,) = (c for c in doctor.checks(elsewhere) if c.name == "disk")
        assert not disk.well
        assert "free some" not in disk.advice
    finally:
        subprocess.run(["umount", str(small)], check=False)


def test_what_a_doctor_says_fits_and_ends_with_what_is_in_the_way(project, monkeypatch):
    long = " ".join(["word"] * 60)
    found = [doctor.Check("one", long), doctor.Check("two", "x", False, "do y")]
    monkeypatch.setattr(doctor, "checks", lambda project: found)
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(cli.app, ["doctor"])
    assert done.exit_code == 1
    assert all(len(line) <= 80 for line in done.output.splitlines())
    assert "two: do y" in done.output
    found.pop()
    assert said("doctor", code=0)


def test_a_chapters_needs_are_told_as_far_as_they_are_known(project):
    header = project.root / "book" / "reference" / "good" / "reference.json"
    header.parent.mkdir(parents=True)
    header.write_text(json.dumps({"seconds": 30, "provenance": {}}))
    (told,) = (n for n in doctor.chapters(project) if n.name == "good")
    assert str(told) == "good: quick has not run here; full took 30 s, its memory was not recorded"
    run, _ = go(project, "good")
    (told,) = (str(n) for n in doctor.chapters(project) if n.name == "good")
    assert f"{run.facts['memory'] / 1e6:.1f} MB of memory here" in told
    full = run.facts | {"memory": 5 * 10**9, "parameters": {"profile": "full"}}
    (run.folder / "run.json").write_text(json.dumps(full))
    (told,) = (str(n) for n in doctor.chapters(project) if n.name == "good")
    assert told.endswith("full took 30 s, 5.0 GB of memory")
