"""Every printed exercise can be done: its commands pass the settings cell, and run to the end at the smallest scale."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from sizes import ABREAST, SMALL

from helpers import parameters
from helpers.run import check, execute, exercises
from helpers.run.project import Project

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Project(ROOT, ROOT / "runs")
# what makes a run long: the smallest value, also where an exercise names one
SCALE = (
    "seeds", "steps", "texts", "epochs", "n_epochs", "n_steps", "train_steps", "n_examples", "samples_per_class",
    "splitter_steps",
)  # fmt: skip
ALONE = {"benchmarks"}  # shows committed results; nothing to be tried
PARTS = {n: part["title"] for part in yaml.safe_load((ROOT / "book/parts.yml").read_text()) for n in part["notebooks"]}
EXERCISES = [e for name in PROJECT.names for e in exercises.of(PROJECT.notebook(name))]


def printed():
    """Every distinct exercise of the book: (notebook, parameters as printed)."""
    found = [(e.notebook, e.given) for e in EXERCISES]
    return [e for i, e in enumerate(found) if e not in found[:i]]


def tiny(name, given):
    """An exercise's parameters at the smallest scale."""
    scale = {k: str(v) for k, v in SMALL.get(name, {}).items()}
    return given | {k: v for k, v in scale.items() if k in SCALE or k not in given}


def smallest():
    """Every exercise at the smallest scale, but for what is then the same as another or as the shared run. Without
    RUC_TEST_ALL=1 the first of one part: all of them take a quarter of an hour."""
    found = []
    for name, given in printed():
        small = tiny(name, given)
        if small != tiny(name, {}) and (name, small) not in found:
            found.append((name, small))
    first = {PARTS.get(name, name): (name, given) for name, given in reversed(found)}
    return found if os.environ.get("RUC_TEST_ALL") else sorted(first.values(), key=found.index)[2:3]


def label(exercise):
    return f"{exercise[0]}:{','.join(f'{k}={v}' for k, v in exercise[1].items())}"


@pytest.fixture(scope="module")
def own(tmp_path_factory, root):
    """What a reader puts in place of the words in capitals: a file and a folder of one's own."""
    path = tmp_path_factory.mktemp("own") / "a.txt"
    path.write_text("one word follows another , and this is a line of them .\n" * 3000)
    folder = str(next(p.parent for p in (root / "src").rglob("model.safetensors")))
    return {"PATH": str(path), "FILE": str(path), "FOLDER": folder, "HUB-NAME": folder}


@pytest.fixture(scope="module")
def runs(request, own, tmp_path_factory):
    """{label: a run to be} of the exercises that this session asks for."""
    project = Project(ROOT, tmp_path_factory.mktemp("exercises"))
    mine = [i for i in request.session.items if i.path == request.path and "runs" in i.fixturenames]
    asked = [i.callspec.params["exercise"] for i in mine]

    def go(name, given):
        return execute.run(
            project, execute.plan(project, name, {k: own.get(v, v) for k, v in given.items()}), limit=240
        )

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(ABREAST) as pool:
        patch.setenv("OMP_NUM_THREADS", "1")  # two kernels with two threads each wait for each other on two cores
        yield {label(e): pool.submit(go, *e) for e in asked}


every = pytest.mark.parametrize("exercise", printed(), ids=label)


@pytest.mark.parametrize("name", sorted(set(PROJECT.names) - ALONE))
def test_a_chapter_has_exercises_of_its_own(name):
    found = exercises.of(PROJECT.notebook(name))
    assert found
    assert {e.notebook for e in found} == {name}


@every
def test_an_exercise_passes_the_check(exercise, own):
    name, given = exercise
    notebook = PROJECT.notebook(name)
    chosen = parameters.resolve(notebook.parameters, {k: own.get(v, v) for k, v in given.items()})
    assert check.cells(notebook), f"{name} has no settings cell"
    check.check(PROJECT, notebook, chosen)


@pytest.mark.slow
@pytest.mark.parametrize("exercise", smallest(), ids=label)
def test_an_exercise_runs_to_the_end(exercise, own, runs):
    """At the smallest scale; those that are then the same as another one, or as the run that all tests share, run once."""
    name, given = exercise
    run, new = runs[label(exercise)].result()
    assert new
    known = PROJECT.notebook(name).parameters
    assert run.facts["parameters"] == parameters.resolve(known, {k: own.get(v, v) for k, v in given.items()})
    for e in (e for e in EXERCISES if (e.notebook, tiny(e.notebook, e.given)) == (name, given)):
        found = exercises.values(run, e.quantity)
        assert exercises.told(e, found, exercises.committed(PROJECT, e))[1].startswith(e.quantity)
