"""What a run depends on: each part changes the key, and nothing else does."""

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
