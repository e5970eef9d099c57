"""The console command, as a user calls it."""

import json
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


HEAVY = ("numpy", "scipy", "pandas", "torch", "jupytext", "nbformat", "papermill", "jupyter_client", "rich")


@pytest.mark.parametrize(
    ("words", "light"), [("--help", HEAVY), ("list", HEAVY[1:-1]), ("status", HEAVY[1:-1]), ("run good", HEAVY[1:-1])]
)
def test_a_command_loads_what_it_needs_alone(project_folder, words, light):
    """Help, and what was read before: no scientific stack, no notebook library. Seconds are in benchmarks/command.py."""
    code = "import sys\nfrom helpers.run import cli\nsys.argv = ['ruc', *sys.argv[1:]]\n"
    code += "try:\n    cli.main()\nfinally:\n    print('LOADED', *sys.modules, file=sys.stderr)"
    for _ in range(1 if words == "--help" else 3):
        done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (project_folder / "runs").mkdir(exist_ok=True)
    loaded = done.stderr.rpartition("LOADED")[2].split()
    assert not {*light} & {*loaded}


def test_every_command_answers_a_program(project_folder, root):
    """One JSON object on stdout, the exit code in it; of an error as well."""
    assert all(
        "--json" in CliRunner().invoke(cli.app, [name, "--help"]).output for name in cli.app.commands if name != "lab"
    )
    for words, key, code in (
        ("list", "notebooks", 0),
        ("status", "notebooks", 0),
        ("run good -p seed 5", "folder", 0),
        ("run good -p seed 5", "new", 0),
        ("run kinds --help", "parameters", 0),
        ("run goood", "error", 2),
        ("run", "parameters", 2),
        ("nonsense", "error", 2),
        ("pairs", "made", 0),
        ("clean", "found", 0),
    ):
        done = ruc(*words.split(), "--json")
        told = json.loads(done.stdout)
        assert (done.returncode, told["code"]) == (code, code), words
        assert key in told
    told = json.loads(ruc("claims", "--seed", "004", "--json", RUC_ROOT=str(root)).stdout)
    assert {c["claim"] for c in told["claims"]} >= {"E1", "E10"}
    assert {c["seed"] for c in told["claims"]} == {"004"}


@pytest.mark.parametrize(
    "words",
    [
        ("run", "kinds", "-p", "text", "no such file of the reader's"),
        ("run", "kinds", "-p", "names", "a,b,d"),
        ("run", "kinds", "-p", "nothing", "1"),
        ("run", "nothing of that name"),
        ("reference", "good"),
    ],
)
def test_an_error_fits_in_eighty_columns_and_keeps_its_words(project_folder, words):
    done = ruc(*words, COLUMNS="80")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert all(len(line) <= 80 or " " not in line.strip() for line in lines), done.stderr
    wide = ruc(*words, COLUMNS="4000").stderr
    assert len(wide.splitlines()) == 1
    assert done.stderr.split() == wide.split()


def test_clean_removes_what_it_showed_and_says_so(project_folder):
    assert ruc("clean").stdout == "nothing is left over\n"
    ruc("run", "fails")
    (kept,) = (project_folder / "runs" / "fails").iterdir()
    shown = ruc("clean").stdout
    assert str(kept) in shown
    assert "ruc clean --yes removes it" in shown
    assert kept.is_dir()
    assert "removed" in ruc("clean", "--yes").stdout
    assert not kept.exists()


def test_doctor_names_what_is_in_the_way(project_folder, tmp_path, monkeypatch):
    from helpers.run import doctor
    from helpers.run.project import Project

    project = Project.find()
    monkeypatch.setattr(doctor, "_network", lambda project: [])
    well = {c.name: c for c in doctor.checks(project)}
    assert well["python"].well
    assert well["disk"].well
    assert not [c for c in well.values() if "could not be looked at" in c.found]
    (project_folder / "notebooks" / "helpers.py").write_text("")
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["/bin/false"], "language": "python", "display_name": "x"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("CC", "/nowhere/cc")
    monkeypatch.setattr(doctor, "MEMORY", 10**18)
    (project_folder / "constraints.txt").write_text("torch==0.1\n")
    ill = {c.name: c for c in doctor.checks(project) if not c.well}
    assert set(ill) == {"names", "kernel", "compiler", "memory", "packages"}
    assert str(kernel) in ill["kernel"].advice
    assert "torch is " in ill["packages"].advice


def test_doctor_tells_what_a_full_profile_took(project_folder):
    from helpers.run import doctor
    from helpers.run.project import Project

    folder = project_folder / "book" / "reference" / "good"
    folder.mkdir(parents=True)
    header = {"seconds": 5400, "memory": 3e9, "provenance": {"device": "NVIDIA H200"}}
    (folder / "reference.json").write_text(json.dumps(header))
    told = {c.name: str(c) for c in doctor.chapters(Project.find())}
    assert "full took 1.5 h on NVIDIA H200, 3.0 GB of memory" in told["good"]
    assert "full has no committed run to tell by" in told["kinds"]


@pytest.mark.parametrize(("user", "added"), [(0, ["--allow-root"]), (1000, [])])
@pytest.mark.parametrize(
    "given", [[], ["--ip", "0.0.0.0", "--no-browser", "--port", "9000"], ["--ServerApp.base_url=/a b/"]]
)
def test_lab_hands_on_what_is_given_in_a_container_too(project_folder, monkeypatch, user, added, given):
    called = []
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "execv", lambda program, words: called.append((program, words)))
    CliRunner().invoke(cli.app, ["lab", *given])
    place = str(project_folder / "notebooks")
    assert called == [(sys.executable, [sys.executable, "-P", "-m", "jupyterlab", *added, *given, place])]


def test_lab_names_root_once(project_folder, monkeypatch):
    called = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "execv", lambda program, words: called.append(words))
    CliRunner().invoke(cli.app, ["lab", "--allow-root"])
    assert called[0].count("--allow-root") == 1
