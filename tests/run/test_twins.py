"""The pairs: made one way, and what a reader wrote into a twin is never lost and never reaches the source."""

import dataclasses
import json
import subprocess

import jupytext
import pytest
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from jupytext.sync_contentsmanager import build_sync_jupytext_contents_manager_class

from helpers.run import pairs

PAIRED = "formats: ipynb,py:percent"


def source(project, name="good"):
    return project.root / "notebooks" / f"{name}.py"


def twin(project, name="good"):
    return source(project, name).with_suffix(".ipynb")


def edit(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def write_into(path, **outputs):
    """As a reader does: another value in the parameters cell, saved as Jupyter saves."""
    found = json.loads(path.read_text())
    (cell,) = (c for c in found["cells"] if "tags" in c["metadata"])
    cell["source"] = "".join(cell["source"]).replace("seed: int = 1", "seed: int = 77")
    cell |= outputs
    path.write_text(json.dumps(found, sort_keys=True, indent=1))


def test_twins_follow_their_sources(project):
    made, kept, copies, broken = pairs.make(project)
    assert (made, kept, copies, broken) == (project.names, [], [], [])
    read = jupytext.read(twin(project))
    assert [c.source for c in read.cells] == [c.source for c in jupytext.read(source(project)).cells]
    assert read.cells[1].metadata["tags"] == ["parameters"]
    assert pairs.make(project)[0] == []
    edit(source(project), "It adds.", "It adds numbers.")
    before = [c["id"] for c in json.loads(twin(project).read_text())["cells"]]
    assert pairs.make(project)[:2] == (["good"], [])
    after = [c["id"] for c in json.loads(twin(project).read_text())["cells"]]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, True]


def test_what_a_reader_changed_stays_and_force_keeps_a_copy(project):
    pairs.make(project)
    write_into(twin(project))
    edit(source(project), "It adds.", "It adds numbers.")
    text, changed = source(project).read_bytes(), twin(project).read_bytes()
    assert pairs.make(project)[:2] == ([], ["good"])
    assert twin(project).read_bytes() == changed
    made, kept, copies, _ = pairs.make(project, force=True)
    assert (made, kept) == (["good"], [])
    assert copies[0].read_bytes() == changed
    write_into(twin(project))
    more = pairs.make(project, force=True)[2]
    assert more[0] != copies[0]
    assert copies[0].read_bytes() == changed
    assert source(project).read_bytes() == text
    assert project.names == sorted(p.stem for p in source(project).parent.glob("*.py"))


def test_outputs_of_a_readers_run_are_work_too(project):
    pairs.make(project)
    found = json.loads(twin(project).read_text())
    found["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "an hour's work"}]
    twin(project).write_text(json.dumps(found))
    assert pairs.make(project)[:2] == ([], [])  # its source says the same
    edit(source(project), "sum(numbers)", "max(numbers)")
    assert pairs.make(project)[:2] == ([], ["good"])
    assert "an hour's work" in twin(project).read_text()


def test_a_twin_that_git_has_as_it_is_can_be_made_anew(project):
    """In a fresh clone nothing was made here yet."""
    pairs.make(project)
    git = ["git", "-C", str(project.root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "notebooks"], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    (project.runs / pairs.MADE).unlink()
    edit(source(project), "It adds.", "It adds numbers.")
    assert pairs.make(project)[:2] == (["good"], [])
    (project.runs / pairs.MADE).unlink()
    write_into(twin(project))
    edit(source(project), "It adds numbers.", "It adds them.")
    assert pairs.make(project)[:2] == ([], ["good"])


def test_a_source_that_cannot_be_read_stops_no_other(project):
    source(project, "zz").write_bytes(b"\xff\xfe\x00")
    made, _, _, broken = pairs.make(project)
    assert "good" in made
    assert [line.partition(":")[0] for line in broken] == ["zz"]


def test_a_twin_that_nobody_changed_is_made_anew_without_git_and_without_a_record(project, tmp_path):
    """The book from an archive; runs that were removed, or lie elsewhere. A new cell leaves the others' ids."""
    pairs.make(project)
    elsewhere = dataclasses.replace(project, runs=tmp_path / "elsewhere")
    edit(source(project), "It adds.", "It adds numbers.\n\n# %%\n# a new cell")
    (project.runs / pairs.MADE).unlink()
    assert pairs.make(project)[:2] == (["good"], [])
    edit(source(project), "import random\n", "import random\n\n# %%\n")
    assert pairs.make(elsewhere)[:2] == (["good"], [])
    edit(source(project), "sum(numbers)", "max(numbers)")
    assert pairs.make(project)[:2] == (["good"], [])  # whose record knows nothing of what was made elsewhere
    write_into(twin(project))
    edit(source(project), "max(numbers)", "min(numbers)")
    for where in (project, elsewhere, dataclasses.replace(project, runs=tmp_path / "third")):
        assert pairs.make(where)[:2] == ([], ["good"])
    found = json.loads(twin(project).read_text())
    found["cells"] = [{"cell_type": "markdown", "id": "0123abcd", "metadata": {}, "source": "my note"}]
    twin(project).write_text(json.dumps(found))
    assert pairs.make(project)[:2] == ([], ["good"])


def test_a_twin_that_is_a_folder_stops_no_other(project):
    twin(project, "dies").mkdir()
    (project.root / "notebooks" / "kinds.ipynb").symlink_to("nowhere/at all.ipynb")
    made, kept, _, broken = pairs.make(project)
    assert (set(made) >= {"fails", "good", "hangs"}, kept) == (True, [])
    assert broken == [f"dies: {twin(project, 'dies')} is a folder, and the place of a twin; move it away"]


@pytest.mark.parametrize("old", [False, True], ids=["as made", "paired, as it was"])
def test_lab_saves_a_trial_value_into_the_twin_alone(project, old, root, tmp_path, monkeypatch):
    """JupyterLab's file manager with jupytext in it, of a reader who pairs all notebooks. The second case shows that the test
    would see a source that is written to."""
    (tmp_path / "jupytext").mkdir()
    (tmp_path / "jupytext" / "jupytext.toml").write_text('formats = "ipynb,py:percent"')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    ours = (root / "notebooks" / "jupytext.toml").read_bytes()
    assert (project.root / "notebooks" / "jupytext.toml").read_bytes() == ours
    pairs.make(project)
    if old:
        edit(source(project), "#   jupytext:", f"#   jupytext:\n#     {PAIRED}")
        jupytext.write(jupytext.read(source(project)), twin(project))
    before = source(project).read_bytes()
    manager = build_sync_jupytext_contents_manager_class(LargeFileManager)(root_dir=str(project.root / "notebooks"))
    model = manager.get("good.ipynb")
    cell = model["content"]["cells"][1]
    cell["source"] = cell["source"].replace("seed: int = 1", "seed: int = 77")
    manager.save({"type": "notebook", "content": model["content"]}, "good.ipynb")
    assert "77" in twin(project).read_text()
    assert (source(project).read_bytes() == before) != old


def test_no_notebook_of_the_book_pairs_with_its_source(root):
    for path in sorted((root / "notebooks").glob("*.py")):
        assert "formats:" not in path.read_text().partition("# %%")[0], f"{path.name} is paired: remove `formats`"
        assert "formats" not in json.loads(path.with_suffix(".ipynb").read_text())["metadata"].get("jupytext", {})
