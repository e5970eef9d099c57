"""The console command, as a user calls it."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from helpers.run import cli


def ruc(*words, **env):
    done = subprocess.run(
        [sys.executable, "-m", "helpers.run.cli", *words],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "160"} | env,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_help_everywhere_with_an_example(project_folder):
    assert "Run the notebooks" in ruc("--help").stdout
    for command in ("list", "run", "build", "status", "claims", "reference", "import-pkl"):
        done = CliRunner().invoke(cli.app, [command, "--help"], terminal_width=160)
        assert done.exit_code == 0
        assert f"Example:  ruc {command}" in done.output


def test_list_run_status(project_folder, tmp_path):
    assert "A notebook that works" in ruc("list").stdout
    runs = str(tmp_path / "runs")
    first = ruc("--runs", runs, "run", "good", "-p", "seed", "4")
    assert first.returncode == 0
    assert "done in" in first.stdout
    assert "cell 4/4" in first.stderr
    again = ruc("--runs", runs, "run", "good", "-p", "seed", "4")
    assert "fresh, nothing to do (--force runs it)" in again.stdout
    assert ruc("--runs", runs, "status").returncode == 0
    assert "stale" in next(
        line for line in ruc("--runs", runs, "status").stdout.splitlines() if line.startswith("good")
    )


def test_help_of_a_notebook_shows_its_parameters(project_folder):
    shown = ruc("run", "kinds", "--help").stdout
    for piece in ("list[int]", "1..10", "quick | full", "embedded | PATH", "a number, or the profile's own"):
        assert piece in shown


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("run", "goood"), 2, "did you mean good?"),
        (("run", "kinds", "-p", "cont", "3"), 2, "did you mean 'count'?"),
        (("run", "kinds", "-p", "count", "0"), 2, "within 1..10"),
        (("run", "kinds", "--profile", "ful"), 2, "did you mean full?"),
        (("run", "kinds", "-p", "text", "no.txt"), 2, "no such file"),
        (("run", "fails"), 1, "ZeroDivisionError"),
        (("run", "dies"), 3, "the kernel died"),
        (("run", "hangs", "--limit", "5"), 4, "time is up"),
        (("run",), 2, ""),
        (("nonsense",), 2, "No such command"),
        (("reference", "good"), 2, "no finished run with the full profile"),
    ],
)
def test_exit_codes_and_messages(project_folder, words, code, message):
    done = ruc(*words)
    assert done.returncode == code
    assert message in done.stderr + done.stdout


@pytest.mark.skipif(os.path.exists("/dev/nvidia0"), reason="there is a GPU")
def test_a_gpu_that_is_not_there(project_folder):
    done = ruc("run", "kinds", "-p", "device", "cuda")
    assert done.returncode == 2
    assert "device='cuda' is not there" in done.stderr


def test_outside_a_book(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "helpers.run.cli", "list"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert "no book found" in done.stderr


def test_status_with_a_corrupt_proof(project_folder, tmp_path):
    runs = tmp_path / "runs"
    ruc("--runs", str(runs), "run", "good")
    proof = next(runs.glob("good/*/run.json"))
    proof.write_text("{")
    done = ruc("--runs", str(runs), "status")
    assert done.returncode == 1
    assert "run.json is corrupt" in done.stderr
    assert "missing" in done.stdout  # the others are still shown
    again = ruc("--runs", str(runs), "run", "good")
    assert again.returncode == 0
    assert "run.json is corrupt" in " ".join(again.stderr.split())


def test_claims_in_the_terminal(root):
    done = ruc("claims", "--seed", "004", RUC_ROOT=str(root))
    assert done.returncode == 0
    assert [f"E{i}" in done.stdout for i in range(1, 11)] == [True] * 10
    assert "D1" not in done.stdout
    other = ruc("claims", "--seed", "4", RUC_ROOT=str(root))
    assert other.returncode == 2
    assert "there are 000, 001" in other.stderr


def test_a_terminal_that_knows_ascii_alone_gets_its_ledger(root):
    done = ruc("claims", "--seed", "004", RUC_ROOT=str(root), LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0
    assert "E1 " in done.stdout


def test_exercises_are_listed_and_wrong_numbers_refused(root):
    listed = ruc("exercise", "encoding_limits", RUC_ROOT=str(root))
    assert listed.returncode == 0
    assert "1. One letter a word" in listed.stdout
    for words, said in ((("encoding_limits", "99"), "none of number 99"), (("benchmarks",), "has no exercises")):
        done = ruc("exercise", *words, RUC_ROOT=str(root))
        assert done.returncode == 2
        assert said in done.stderr


def test_import_pkl_converts_and_refuses(tmp_path):
    import pickle

    import numpy as np

    from helpers.stores import StoreFile

    good = {"a.weight": {"type": "uncompressed", "data": np.ones((4, 8), np.float16)}}
    (tmp_path / "good.pkl").write_bytes(pickle.dumps(good, protocol=4))
    done = ruc("import-pkl", str(tmp_path / "good.pkl"), str(tmp_path / "good.safetensors"))
    assert done.returncode == 0, done.stderr
    assert abs(StoreFile.open(tmp_path / "good.safetensors").decode("a.weight") - 1).max() < 0.01
    (tmp_path / "bad.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    done = ruc("import-pkl", str(tmp_path / "bad.pkl"), str(tmp_path / "bad.safetensors"))
    assert done.returncode == 2
    assert "os.system" in done.stderr
    assert not (tmp_path / "bad.safetensors").exists()
