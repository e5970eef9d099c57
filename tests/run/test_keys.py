"""What a run depends on: each part changes the key, and nothing else does."""

import subprocess
import sys

import pytest

from helpers.run import execute, keys
from helpers.run.project import Project


def plan(name="good", **given):
    return execute.plan(Project.find(), name, given, texts=False)


def edit(folder, name, old, new):
    path = folder / "notebooks" / f"{name}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_code_parameters_and_constraints_count_prose_does_not(project_folder):
    before = plan()
    edit(project_folder, "good", "# It adds.", "# It adds well.")
    assert plan().key == before.key
    assert plan(seed=2).key != before.key
    assert keys.changed(before.parts, plan(seed=2).parts) == ["parameters"]
    (project_folder / "constraints.txt").write_text("x==1\n")
    assert keys.changed(before.parts, plan().parts) == ["constraints"]
    edit(project_folder, "good", "range(3)", "range(4)")
    assert keys.changed(before.parts, plan().parts) == ["code", "constraints"]


def test_files_enter_by_content(project_folder, tmp_path):
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_text("same")
    b.write_text("same")
    assert plan("kinds", text=str(a)).key == plan("kinds", text=str(b)).key
    b.write_text("other")
    assert plan("kinds", text=str(a)).key != plan("kinds", text=str(b)).key
    assert set(plan("kinds", text=str(a)).files) == {"text"}


def test_auto_is_keyed_by_what_it_means(project_folder, monkeypatch):
    from helpers import devices

    monkeypatch.setattr(devices, "cuda_count", lambda: 0)
    assert plan("kinds", device="auto").key == plan("kinds", device="cpu").key
    before = plan("kinds", device="auto").key
    monkeypatch.setattr(devices, "cuda_count", lambda: 1)
    assert plan("kinds", device="auto").key != before
    monkeypatch.setattr(devices, "cuda_count", lambda: 2)
    assert plan("kinds", device="cuda:1").key == plan("kinds", device="cuda").key  # which of two is no matter


def test_claims_and_references_of_the_chapter_count(project_folder):
    before = plan()
    folder = project_folder / "book" / "reference" / "good"
    folder.mkdir(parents=True)
    (folder / "reference.json").write_text("{}")
    assert keys.changed(before.parts, plan().parts) == ["reference/reference.json"]
    entry = "fixed: 2026-01-01\nclaims:\n- {id: X, seed: '1', chapter: CHAPTER, claim: c., printed: {text: p}, "
    entry += "precise: {text: p, tests: [{quantity: q, above: 0}]}}\n"
    (project_folder / "book" / "claims.yml").write_text(entry.replace("CHAPTER", "other"))
    assert "claims" not in plan().parts
    (project_folder / "book" / "claims.yml").write_text(entry.replace("CHAPTER", "good"))
    assert "claims" in plan().parts


def test_names_of_notebooks(project_folder):
    project = Project.find()
    assert project.notebook("notebooks/good.ipynb").name == "good"
    with pytest.raises(FileNotFoundError, match="did you mean good"):
        project.notebook("goood")


HUB = """# %% [markdown]
# # A notebook that downloads

# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work
model: str = "small"  # small | HUB-NAME | FOLDER: which model
ends: bool = True  # whether all goes well

# %%
import os
from pathlib import Path

refs = Path(os.environ["HF_HOME"], "hub", "models--org--net", "refs")
refs.mkdir(parents=True, exist_ok=True)
(refs / "main").write_text("c0ffee")
Path(os.environ["RUC_WORK_DIR"]).mkdir(parents=True, exist_ok=True)
Path(os.environ["RUC_WORK_DIR"], "piece").write_text("x")
assert ends
"""


@pytest.fixture
def hub(project_folder, tmp_path, monkeypatch):
    (project_folder / "notebooks" / "hub.py").write_text(HUB)
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf" / "hub" / "models--org--net" / "refs" / "main"


def test_a_model_of_the_hub_enters_by_its_commit(hub, tmp_path, monkeypatch):
    assert "model commit" not in plan("hub").parts
    assert "model commit" not in plan("hub", model=str(tmp_path)).parts
    before = plan("hub", model="org/net")
    assert before.parts["model commit"] == "unknown"
    hub.parent.mkdir(parents=True)
    hub.write_text("a1\n")
    first = plan("hub", model="org/net")
    assert keys.changed(before.parts, first.parts) == ["model commit"]
    hub.write_text("b2\n")
    assert plan("hub", model="org/net").key != first.key
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    assert plan("hub", model="org/net").parts["model commit"] == "unknown"


def test_planning_needs_neither_torch_nor_the_hubs_library(hub):
    code = "import sys; from helpers.run import execute; from helpers.run.project import Project; "
    code += "execute.plan(Project.find(), 'hub', {'model': 'org/net'}); "
    code += "assert not {'torch', 'huggingface_hub', 'transformers'} & set(sys.modules), sys.modules.keys()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-600:]


def test_a_run_that_downloaded_its_model_is_fresh_afterwards(hub):
    project = Project.find()
    before = plan("hub", model="org/net")
    run, new = execute.run(project, before)
    assert new
    assert run.facts["parts"]["model commit"] == "c0ffee"
    assert run.facts["key"] == run.folder.name == plan("hub", model="org/net").key != before.key
    assert execute.run(project, plan("hub", model="org/net"))[1] is False
    assert [p.name for p in run.folder.parent.iterdir()] == [run.folder.name]


def test_a_run_that_failed_after_its_download_keeps_its_work_for_the_next(hub):
    project = Project.find()
    with pytest.raises(execute.RunError) as caught:
        execute.run(project, plan("hub", model="org/net", ends=False))
    key = plan("hub", model="org/net", ends=False).key
    assert caught.value.kept.name == f"{key}.failed"
    assert (caught.value.kept.with_name(f"{key}.work") / "piece").is_file()
