"""A file at fault is one line, and stops nothing else: notebooks, proofs, verdicts, claims, and the pages made of them."""

import json
import shutil

import nbformat
import pytest

from helpers.run import build, counting, execute
from helpers.run.store import Store

BAD = {
    "syntax.py": '# %% tags=["parameters"]\nprofile: str = "quick"  # quick | full: x\n# %%\ndef f(:\n    pass\n',
    "open_bracket.py": '# %% tags=["parameters"]\nprofile: str = (  # quick | full: x\n',
    "no_parameters.py": "# %%\nprint(1)\n",
    "two.py": '# %% tags=["parameters"]\na: int = 1  # x\n# %% tags=["parameters"]\nb: int = 1  # x\n',
    "indent.py": '# %% tags=["parameters"]\n  a: int = 1  # x\n',
    "empty.py": "",
    "bytes.py": "\udcff\udcfe\0",
    "loose.py": '# %% tags=["parameters"]\na: int = b  # x\n',
}


@pytest.fixture
def bad(project):
    for name, text in BAD.items():
        (project.root / "notebooks" / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    (project.root / "notebooks" / "folder.py").mkdir()
    (project.root / "notebooks" / "nowhere.py").symlink_to("nothing.py")
    return {name.partition(".")[0] for name in BAD}


def test_every_bad_notebook_is_broken_and_named_and_no_other_is(project, bad):
    found = {s.name: s for s in build.status(project)}
    assert {name for name, s in found.items() if s.state == "broken"} == bad
    for name in bad:
        assert f"{name}.py" in found[name].error, found[name].error
        assert "\n" not in found[name].error
    assert "code cell 2, line 1" in found["syntax"].error
    assert found["good"].state == "missing"


def test_lines_for_ipython_are_no_fault(project):
    path = project.root / "notebooks" / "good.py"
    path.write_text(path.read_text() + "\n# %%\nvalue = (7\n    % 4)\n\n# %%\n# %matplotlib inline\n# !ls\n")
    assert execute.plan(project, "good", {}).key


def test_a_broken_source_keeps_the_last_good_page(project):
    run, _ = execute.run(project, execute.plan(project, "good", {}))
    build.assemble(project, build.chapters(project))
    path = project.root / "notebooks" / "good.py"
    source = path.read_text()
    for broken in (source + "\n# %%\ndef f(:\n", source.replace('tags=["parameters"]', ""), None):
        path.unlink() if broken is None else path.write_text(broken)
        (page,) = build.chapters(project)
        assert (page.run.folder, page.fresh) == (run.folder, False)
        build.assemble(project, [page])
        nb = nbformat.read(project.root / "book" / "chapters" / "good.ipynb", 4)
        assert "older than its source" in nb.cells[1].source
        sheet = json.loads((project.root / "book" / "chapters" / "runs.json").read_text())
        assert sheet["good"]["title"] == "A notebook that works"
    path.write_text(source)
    (run.folder / "verdicts.json").write_text("{")  # nothing of the run's own
    (run.folder / "run.json").write_text("{")
    shutil.rmtree(project.root / "book")
    (page,) = build.chapters(project)
    assert page.new
    assert Store(project.runs).broken("good") == []


def test_a_truncated_verdict_and_an_empty_ledger_are_lines(project):
    (project.root / "book").mkdir()
    (project.root / "book" / "claims.yml").write_text("fixed: 2026-01-01\nclaims: []\n")
    folder = project.runs / "good" / "k"
    folder.mkdir(parents=True)
    facts = {
        "notebook": "good",
        "key": "k",
        "parts": {},
        "parameters": {},
        "started": "2026",
        "seconds": 1,
        "provenance": {},
    }
    (folder / "run.json").write_text(json.dumps(facts | {"files": {}}))
    (folder / "verdicts.json").write_text('{"counts": tr')
    broken = {}
    assert counting.verdicts(project, broken) == {}
    assert list(broken) == ["good"]
    assert "verdicts.json is corrupt" in broken["good"]


@pytest.mark.parametrize("text", ["", "claims: [", "- a\n", "claims: []\nfixed: 2026-01-01\nmore: 1\n"])
def test_a_ledger_at_fault_stops_those_alone_that_read_claims(project, text):
    judges = project.root / "notebooks" / "judges.py"
    judges.write_text(BAD["syntax.py"].partition("# %%\ndef")[0] + "# %%\nfrom helpers import claims\n")
    known = execute.plan(project, "good", {}).key
    (project.root / "book").mkdir()
    (project.root / "book" / "claims.yml").write_text(text)
    found = {s.name: s for s in build.status(project)}
    assert {name for name, s in found.items() if s.state == "broken"} == {"judges"}
    assert found["judges"].error.endswith("mend it, or take back the last one: git checkout book/claims.yml")
    assert execute.plan(project, "good", {}).key == known
