"""The store by itself: a proof is checked, what is not whole does not count, and what dead runners left is swept, no more."""

import json
import os
import subprocess
import sys

import pytest

from helpers.run import execute, leavings, locks
from helpers.run.project import Project
from helpers.run.store import PROOF, SMALL, Store

FACTS = {"parts": {}, "parameters": {"profile": "quick"}, "started": "2026-01-01", "seconds": 1.0, "provenance": {}}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def finish(store, key="k", name="a", text="{}", more=b""):
    store.lock(name, key)
    folder = store.open(name, key)
    (folder / "notebook.ipynb").write_text(text)
    (folder / "records").mkdir()
    (folder / "records" / "one.json").write_text("[1]")
    if more:
        (folder / "weights").write_bytes(more)
    return store.commit(folder, name, key, FACTS)


def test_a_run_counts_as_long_as_its_files_are_what_it_left(store):
    run = finish(store, more=b"w" * (SMALL + 1))
    assert store.find("a", "k").facts == run.facts
    assert store.fault("a", "k") == store.fault("a", "none") == ""


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("notebook.ipynb", lambda p: p.unlink(), "notebook.ipynb is gone"),
        ("records/one.json", lambda p: p.write_text("[2]"), "one.json is not what the run left"),
        ("records/one.json", lambda p: p.write_text(""), "one.json is not what the run left"),
        ("weights", lambda p: os.truncate(p, SMALL), "weights is not what the run left"),
        (PROOF, lambda p: p.write_text(p.read_text()[:99]), "run.json is corrupt"),
        (PROOF, lambda p: p.write_text("[]"), "has no 'notebook'"),
        (PROOF, lambda p: p.write_bytes(b"\xff"), "run.json is corrupt"),
    ],
)
def test_each_kind_of_damage_is_named_and_hides_one_run_alone(store, name, change, said):
    run, other = finish(store, more=b"w" * (SMALL + 1)), finish(store, "other")
    change(run.folder / name)
    assert store.find("a", "k") is None
    assert said in store.fault("a", "k")
    assert [r.facts["key"] for r in store.all("a") if not r.fault()] == ["other"]
    assert bool(store.broken("a")) == (name == PROOF)
    assert store.find("a", "other").folder == other.folder


def test_a_proof_without_its_notebook_is_none(store):
    run = finish(store)
    facts = json.loads((run.folder / PROOF).read_text())
    facts["files"] = {}
    (run.folder / PROOF).write_text(json.dumps(facts))
    assert "is not among the files" in store.fault("a", "k")


def test_what_somebody_wrote_into_a_finished_run_is_kept_when_it_is_run_anew(store):
    run = finish(store)
    run.notebook.write_text('{"my": "notes"}')
    again = finish(store)
    assert again.fault() == ""
    assert (store.folder / "a" / "k.changed" / "notebook.ipynb").read_text() == '{"my": "notes"}'
    finish(store)
    assert sorted(p.name for p in (store.folder / "a").iterdir()) == ["k", "k.changed"]


def test_notes_are_kept_each_time_under_a_name_of_their_own(store):
    """A changed file, another one, a file that was put beside them, a proof taken away; what looking leaves is none."""
    acts = (
        lambda run: run.notebook.write_text("one"),
        lambda run: run.notebook.write_text("two"),
        lambda run: (run.folder / "notes.md").write_text("three"),
        lambda run: ((run.folder / PROOF).unlink(), (run.folder / "notes.md").write_text("four")),
    )
    for act in acts:
        act(finish(store))
    run = finish(store)
    (run.folder / ".ipynb_checkpoints").mkdir()
    (run.folder / ".ipynb_checkpoints" / "x.ipynb").write_text("{}")
    finish(store)
    kept = sorted(p for p in (store.folder / "a").iterdir() if "." in p.name)
    assert [p.name for p in kept] == ["k.changed", "k.changed-2", "k.changed-3", "k.changed-4"]
    assert [p.read_text() for p in (kept[0] / "notebook.ipynb", kept[1] / "notebook.ipynb")] == ["one", "two"]
    assert [(p / "notes.md").read_text() for p in kept[2:]] == ["three", "four"]


def test_two_that_open_one_key_never_share_a_folder(store):
    """As two containers do, whose processes have the same numbers."""
    store.lock("a", "k")
    assert store.open("a", "k") != store.open("a", "k")


def test_sweeping_takes_what_dead_runners_left_and_nothing_of_the_living(store):
    done = finish(store, "done")
    path = store.lock("a", "mine")
    dead, living, own = store.open("a", "dead"), store.open("a", "living"), store.open("a", "mine")
    with locks.held(store.lock("a", "living")), locks.held(path):
        store.sweep("a")
        assert (living.is_dir(), own.is_dir(), dead.exists()) == (True, True, False)
    store.sweep("a", own="mine")
    assert sorted(p.name for p in (store.folder / "a").iterdir()) == ["done"]
    old = done.folder.rename(done.folder.with_name(".done.old"))  # a runner that was killed between two renames
    store.sweep("a")
    assert not old.exists()
    assert store.find("a", "done").fault() == ""


def test_a_lock_excludes_other_processes_and_threads_and_ends_with_its_holder(tmp_path):
    path = tmp_path / "lock"
    code = "import sys, time\nfrom helpers.run import locks\nfrom pathlib import Path\n"
    code += "locks.take(Path(sys.argv[1]))\nprint('held', flush=True)\ntime.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    assert locks.take(path) is None
    assert f"process {other.pid} on " in locks.holder(path)
    other.kill()
    other.wait()
    other.stdout.close()
    lock = locks.take(path)
    assert locks.take(path) is None  # nor does this very process get it twice
    lock.release()
    assert not path.exists()
    path.write_text("junk")
    assert locks.holder(path) == "another process"


def test_a_proof_that_is_a_folder_is_broken_too(store):
    (store.folder / "a" / "k" / PROOF).mkdir(parents=True)
    assert store.fault("a", "k")
    assert len(store.broken("a")) == 1


def planned(project, name, given):
    """A finished run of the source as it stands."""
    plan, store = execute.plan(project, name, given, texts=False), Store(project.runs)
    store.lock(name, plan.key)
    folder = store.open(name, plan.key)
    (folder / "notebook.ipynb").write_text("{}")
    return store.commit(folder, name, plan.key, FACTS | {"parameters": plan.chosen, "parts": plan.parts})


def test_a_run_is_stale_when_its_source_has_changed_and_not_for_its_parameters(project_folder):
    project = Project.find()
    runs = [planned(project, "good", given) for given in ({}, {"profile": "full"}, {"seed": 7})]
    stale = lambda: {f.path for f in leavings.find(project, stale=True) if f.path.parent.name == "good"}
    assert stale() == set()
    path = project.root / "notebooks" / "good.py"
    source = path.read_text()
    path.write_text(source.replace("range(3)", "range(4)"))
    assert stale() == {run.folder for run in runs}
    path.write_text(source.replace("# 0..99: where", "# 0..5: where"))  # one of them cannot be planned any more
    assert stale() <= {run.folder for run in runs}
    path.write_text(source.replace("seed: int = 1", "other: int = 2  # x\nseed: int = 1"))
    assert stale() == {run.folder for run in runs}
    path.write_text("x = (")
    assert stale() == set(), "what cannot be told is kept"


def test_what_a_live_kernel_works_in_is_not_cleaned_away(project_folder):
    project = Project.find()
    live = project.runs / "good" / "live"
    for name in ("old", "now", "checkpoints"):
        (live / name).mkdir(parents=True)
    code = "import sys, time\nfrom pathlib import Path\nfrom helpers import files\n"
    code += "files.hold(Path(sys.argv[1]))\nprint('held', flush=True)\ntime.sleep(60)"
    kernel = subprocess.Popen([sys.executable, "-c", code, str(live / "now")], stdout=subprocess.PIPE, text=True)
    assert kernel.stdout.readline() == "held\n"
    find = lambda: [f for f in leavings.find(project, live=True) if live in (f.path, f.path.parent)]
    assert [f.path.name for f in find()] == ["old"]
    leavings.remove([leavings.Left(live, 0, "taken before the kernel began")])
    assert (live / "now").is_dir()
    kernel.kill()
    kernel.wait()
    kernel.stdout.close()
    assert [f.path for f in find()] == [live]


def test_clean_shows_leavings_with_their_sizes_and_no_finished_run_unasked(tmp_path, project_folder):
    project = Project.find()
    store = Store(project.runs)
    x, busy_key, dead_key = ("0" * 15 + letter for letter in "abc")
    run = finish(store, "f" * 16, name="good")
    (project.runs / "good" / "my.work").mkdir()  # somebody's own
    for kind in ("failed", "work", "changed"):
        folder = run.folder.with_name(f"{x}.{kind}")
        folder.mkdir()
        (folder / "file").write_bytes(b"x" * 5000)
    busy = store.open("good", busy_key)
    dead = store.open("good", dead_key)
    (project.runs / "good" / "live" / "now").mkdir(parents=True)
    with locks.held(store.lock("good", busy_key)):
        found = [f for f in leavings.find(project) if project.root in f.path.parents]
        assert {f.path.name for f in found} == {f"{x}.failed", f"{x}.work", dead.name}
        assert {f.size for f in found} == {5000, 0}
        assert leavings.remove(found) == found
        assert busy.is_dir()
    assert run.folder.with_name(f"{x}.changed").is_dir()
    assert f"{x}.changed" in {f.path.name for f in leavings.find(project, changed=True)}
    asked = {f.path.name for f in leavings.find(project, stale=True, live=True)}
    assert {"f" * 16, "live", busy.name} <= asked  # its parameters are not the notebook's any more
    assert "my.work" not in asked
    assert run.fault() == ""
