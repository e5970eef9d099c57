"""From runs to chapters: freshness, current prose around old outputs, and failures that cost no good page."""

import json
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

from helpers import claims, files, records
from helpers.records import Record
from helpers.run import build, counting, execute, reference
from helpers.run.project import Project
from helpers.run.store import Store
from helpers.study import Study


def edit(project, name, old, new):
    path = project.root / "notebooks" / f"{name}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def state(project, name="good"):
    return next(s for s in build.status(project) if s.name == name)


def test_status_names_what_changed(project):
    assert state(project).state == "missing"
    build.chapters(project)
    assert state(project).state == "fresh"
    edit(project, "good", "range(3)", "range(5)")
    assert (state(project).state, state(project).changed) == ("stale", ["code"])
    edit(project, "good", "sum(numbers)", "1 / 0")
    build.chapters(project)
    assert state(project).state == "stale"
    assert state(project, "fails").state == "missing"
    with pytest.raises(execute.RunError):
        execute.run(project, execute.plan(project, "fails", {}))
    assert state(project, "fails").state == "failed"


def test_prose_is_current_and_outputs_are_the_runs(project):
    pages = build.chapters(project)
    assert [p.new for p in pages] == [True]
    build.assemble(project, pages)
    edit(project, "good", "# It adds.", "# It adds, they say.")
    pages = build.chapters(project)
    assert [p.new for p in pages] == [False]
    build.assemble(project, pages)
    nb = nbformat.read(project.root / "book" / "chapters" / "good.ipynb", 4)
    assert "they say" in nb.cells[0].source
    assert float(nb.cells[-1].outputs[0]["data"]["text/plain"]) > 0
    assert not any("injected-parameters" in c.metadata.get("tags", ()) for c in nb.cells)


def test_an_unchanged_chapter_is_not_written_again(project):
    build.assemble(project, build.chapters(project))
    page = project.root / "book" / "chapters" / "good.ipynb"
    before = page.stat().st_mtime_ns
    build.assemble(project, build.chapters(project))
    assert page.stat().st_mtime_ns == before


def test_a_failure_keeps_the_last_good_page_and_says_so(project):
    build.assemble(project, build.chapters(project))
    edit(project, "good", "sum(numbers)", "1 / 0")
    (page,) = build.chapters(project)
    assert "ZeroDivisionError" in page.error
    assert not page.fresh
    build.assemble(project, [page])
    nb = nbformat.read(project.root / "book" / "chapters" / "good.ipynb", 4)
    assert "older than its source" in nb.cells[1].source
    assert "ZeroDivisionError" in nb.cells[1].source
    sheet = json.loads((project.root / "book" / "chapters" / "runs.json").read_text())
    assert sheet["good"]["fresh"] is False
    assert sheet["good"]["run"]["parameters"]["seed"] == 1


def test_a_chapter_that_never_ran_gets_a_page_that_says_so(project):
    edit(project, "good", "sum(numbers)", "1 / 0")
    build.assemble(project, build.chapters(project))
    nb = nbformat.read(project.root / "book" / "chapters" / "good.ipynb", 4)
    assert "has no finished run yet" in nb.cells[0].source


def test_other_parameters_for_tests(project):
    (page,) = build.chapters(project, {"good": {"seed": 7}})
    assert page.run.facts["parameters"]["seed"] == 7


def test_in_book_reads_the_toc(project, root):
    assert build.in_book(project) == ["good"]
    assert {"learned_encoding", "encoding_limits", "benchmarks"} <= set(build.in_book(Project(root, root / "runs")))


CLAIMS = """fixed: 2026-01-01
claims:
- id: X
  seed: '1'
  chapter: kinds
  claim: c.
  printed: {text: p}
  precise: {text: p, least: 3, tests: [{quantity: q, above: 0}]}
"""


def test_a_reference_keeps_records_and_no_folder_names(project, tmp_path):
    source = (
        "from helpers.records import Record\nimport os\nfor s in range(3):\n    r = Record('x', 'c', s)\n"
        "    r.log(0, loss=1 / 3)\n    r.write(os.environ['RUC_RUN_DIR'] + '/records')\n"
        "os.makedirs(os.environ['RUC_RUN_DIR'] + '/kept')\n"
        "open(os.environ['RUC_RUN_DIR'] + '/kept/cards.json', 'w').write('{\"a\": 1}')\n"
    )
    path = project.root / "notebooks" / "kinds.py"
    path.write_text(path.read_text() + "\n# %%\n" + source)
    (tmp_path / "data.txt").write_text("x")
    (project.root / "book").mkdir()
    (project.root / "book" / "claims.yml").write_text(CLAIMS)
    given = {"profile": "full", "count": 4, "text": str(tmp_path / "data.txt")}
    execute.run(project, execute.plan(project, "kinds", given, texts=False))
    with pytest.raises(ValueError, match="other parameters than kinds's defaults"):
        reference.write(project, reference.newest(project, "kinds", label="other"))
    folder = reference.write(project, reference.newest(project, "kinds", label="other"), force=True)
    header = json.loads((folder / "reference.json").read_text())
    assert header["command"] == "ruc run kinds -p profile full -p count 4 -p text data.txt"
    assert header["seeds"] == 3
    assert json.loads((folder / "cards.json").read_text()) == {"a": 1}
    assert set(header["inputs"]) == {"text"}
    given = {"profile": "full", "count": 4, "text": "data.txt", "device": "auto", "maybe": None}
    assert {k: header["parameters"][k] for k in given} == given
    assert set(header["parameters"]) == set(project.notebook("kinds").parameters)
    assert header["claims"] == claims.digest(claims.of("kinds"))
    assert str(tmp_path) not in (folder / "reference.json").read_text()
    with pytest.raises(FileNotFoundError, match="with a key that starts with zz"):
        reference.newest(project, "kinds", "zz")


def test_the_ledger_judges_the_committed_reference_by_todays_claims(project):
    (project.root / "book").mkdir()
    path = project.root / "book" / "claims.yml"
    path.write_text(CLAIMS)
    folder = project.root / "book" / "reference" / "kinds"
    folder.mkdir(parents=True)
    (folder / "reference.json").write_text(json.dumps({"quantities": {"q": [0.5, 0.6, 0.7] * 3}}))
    assert {k: (v["verdict"], v["by"]) for k, v in counting.verdicts(project).items()} == {
        "X": ("supported", "reference")
    }
    build.assemble(project, [build.Page(project.notebook("kinds"), error="it failed")])
    known = json.loads((project.root / "book" / "chapters" / counting.VERDICTS).read_text())
    assert known == json.loads(files.strict_json(counting.verdicts(project))), (
        "pages show what `ruc claims` says, whatever failed"
    )
    path.write_text(CLAIMS.replace("above: 0", "above: 2"))
    assert counting.verdicts(project)["X"]["verdict"] == "refuted"


def test_references_are_judged_again_from_their_records(project):
    """New quantities and the claims' digest, the other references beside the claims' own; records and the rest stay."""
    (project.root / "book").mkdir()
    (project.root / "book" / "claims.yml").write_text(CLAIMS)
    top = project.root / "book" / "reference" / "kinds"
    for folder, loss in ((top, 1.0), (top / "other", 2.0)):
        made = Record("x", "c", 0, {"part": "main"})
        made.log(0, loss=loss)
        records.bundle([made.as_dict()], folder, date="2026-01-01", quantities={"old": [1.0]}, claims="sha256:old")
    before = (top / "records.jsonl.gz").read_bytes()
    study = Study(
        frame=lambda frame: frame.assign(q=frame["loss"] / 3),
        judged=lambda frame: frame[frame["part"] == "main"],
        quantities=lambda frame: {"q": frame["q"].tolist()},
        others="elsewhere",
    )
    written = reference.rejudge(project, "kinds", study, "2026-02-02")
    assert written == [top / "reference.json", top / "other" / "reference.json"]
    header, other = (json.loads((folder / "reference.json").read_text()) for folder in (top, top / "other"))
    told = lambda found: {k: v for k, v in found["quantities"].items() if not k.endswith("_controls")}
    assert told(header) == {"q": [0.33333, 0.66667]}
    assert told(other) == {"q": [0.66667]}
    assert "x_border_controls" in header["quantities"]  # what two units say of the test, kept with them
    assert header["date"] == "2026-01-01"
    assert header["rejudged"].startswith("2026-02-02: ")
    assert header["claims"] == claims.digest(claims.of("kinds"))
    assert (top / "records.jsonl.gz").read_bytes() == before
    with pytest.raises(ValueError, match="no study"):
        reference.study_of(project, "kinds")


def test_every_judged_chapter_has_a_study_and_the_headers_that_it_made(root):
    project = Project(root, root / "runs")
    for name in sorted({c.chapter for c in claims.load().values()}):
        study = reference.study_of(project, name)
        header = records.header(root / "book" / "reference" / name)
        assert set(study.same) <= set(header["parameters"]), name
        assert set(study.same) <= set(project.notebook(name).parameters), name


def test_a_run_without_records_is_no_reference(project):
    execute.run(project, execute.plan(project, "good", {"profile": "full"}))
    with pytest.raises(FileNotFoundError, match="holds no records"):
        reference.write(project, reference.newest(project, "good"))


def test_an_exploration_is_a_reference_only_under_a_label(project):
    path = project.root / "notebooks" / "good.py"
    path.write_text(
        path.read_text()
        + "\n# %%\nfrom helpers.records import Record\nr = Record('x', 'c', 0)\nr.log(0, loss=1.0)\n"
        + "place = os.environ['RUC_RUN_DIR']\nr.write(place + '/records')\n"
        + "Path(place, 'verdicts.json').write_text(files.strict_json({'counts': False, 'verdicts': {}}))\n"
    )
    run, _ = execute.run(project, execute.plan(project, "good", {"profile": "full"}))
    with pytest.raises(FileNotFoundError, match="no finished run with the full profile"):
        reference.newest(project, "good")
    with pytest.raises(ValueError, match="give it a --label"):
        reference.write(project, run)
    folder = reference.write(project, reference.newest(project, "good", label="other"), "other")
    assert folder.name == "other"
    before = (folder / "reference.json").read_bytes()
    for label in ("../../x", "/absolute", "..", "a/b", ".a"):
        with pytest.raises(ValueError, match="letters, digits"):
            reference.write(project, run, label)
    again, _ = execute.run(project, execute.plan(project, "good", {"profile": "full", "seed": "3"}))
    with pytest.raises(ValueError, match="other parameters"):
        reference.write(project, again, "other")
    assert (folder / "reference.json").read_bytes() == before
    reference.write(project, again, "other", force=True)
    quick, _ = execute.run(project, execute.plan(project, "good", {}))
    with pytest.raises(ValueError, match="a run of the full profile"):
        reference.write(project, quick, "another")


def test_one_bad_file_stops_nothing_else(project):
    (project.root / "notebooks" / "zz.py").write_text("x = (\n")
    found = {s.name: s for s in build.status(project)}
    assert found["zz"].state == "broken"
    assert "parameters" in found["zz"].error
    assert found["good"].state != "broken"
    header = project.root / "book" / "reference" / "good" / "reference.json"
    header.parent.mkdir(parents=True, exist_ok=True)
    (project.root / "book" / "claims.yml").write_text("fixed: 2026-01-01\nclaims: []\n")
    for text, said in (("{", "git checkout"), ('{"quantities": {"q": 1.0}}', "a list of one value a unit")):
        header.write_text(text)
        broken = {}
        counting.verdicts(project, broken)
        assert said in broken["good"]


def test_a_reference_that_is_too_large_is_refused(project, monkeypatch):
    monkeypatch.setattr(reference, "LIMIT", 10)
    path = project.root / "notebooks" / "good.py"
    path.write_text(
        path.read_text()
        + "\n# %%\nfrom helpers.records import Record\nr = Record('x', 'c', 0)\nr.log(0, loss=1.0)\n"
        + "r.write(os.environ['RUC_RUN_DIR'] + '/records')\n"
    )
    execute.run(project, execute.plan(project, "good", {"profile": "full"}))
    with pytest.raises(ValueError, match="more than 10"):
        reference.write(project, reference.newest(project, "good"))


RECORDS = """
# %%
from helpers.records import Record

r = Record("x", "c", 0)
r.log(0, loss=1.0)
r.write(os.environ["RUC_RUN_DIR"] + "/records")
"""
JUDGES = """
# %%
import json

one = {"id": "X1", "criterion": "precise", "verdict": "supported", "reason": f"seed {seed}", "outcomes": []}
stored = {"chapter": "good", "counts": seed == 1, "verdicts": {"this run": [one]}}
Path(os.environ["RUC_RUN_DIR"], "verdicts.json").write_text(json.dumps(stored))
"""


def test_an_exploration_changes_no_verdict(project):
    path = project.root / "notebooks" / "good.py"
    path.write_text(path.read_text() + JUDGES)
    runs = [execute.run(project, execute.plan(project, "good", {"seed": s}, texts=False))[0] for s in (1, 2)]
    assert Store(project.runs).all("good")[0].folder == runs[1].folder
    assert counting.verdicts(project)["X1"]["reason"] == "seed 1"
    assert build.chapters(project)[0].run.folder == runs[0].folder
    edit(project, "good", "sum(numbers)", "1 / 0")
    assert build.chapters(project)[0].run.folder == runs[0].folder, "the last good page is no exploration"
    shutil.rmtree(runs[0].folder)
    assert counting.verdicts(project) == {}
    assert build.chapters(project)[0].run is None


def test_a_run_that_was_changed_afterwards_speaks_for_nothing(project):
    path = project.root / "notebooks" / "good.py"
    path.write_text(path.read_text() + JUDGES + RECORDS)
    run, _ = execute.run(project, execute.plan(project, "good", {"profile": "full"}))
    assert counting.counts(project.notebook("good"), run)
    stored = run.folder / counting.VERDICTS
    stored.write_text(stored.read_text().replace("supported", "refuted"))
    assert not counting.counts(project.notebook("good"), run)
    assert counting.verdicts(project) == {}
    for label in ("", "other"):
        with pytest.raises(FileNotFoundError, match="no finished run"):
            reference.newest(project, "good", label=label)
        with pytest.raises(ValueError, match="is not what the run left"):
            reference.write(project, reference.newest(project, "good", run.facts["key"], label), label)


def test_what_no_chapter_wrote_is_a_line_and_no_verdict(project):
    run, _ = execute.run(project, execute.plan(project, "good", {}))
    for text in ('{"counts": true}', "[]", '{"counts": true, "verdicts": {"this run": [1]}}', '{"verdicts": {}}'):
        (run.folder / counting.VERDICTS).write_text(text)
        broken = {}
        assert counting.verdicts(project, broken) == {}
        assert "verdicts.json is corrupt" in broken["good"], text


def test_a_notebook_that_judges_nothing_is_a_reference_with_its_defaults_alone(project):
    path = project.root / "notebooks" / "good.py"
    path.write_text(path.read_text() + RECORDS)
    plans = [execute.plan(project, "good", {"profile": "full"} | more) for more in ({}, {"seed": "3"})]
    own, other = (execute.run(project, plan)[0] for plan in plans)
    assert reference.newest(project, "good").folder == own.folder
    folder = reference.write(project, own)
    before = (folder / "reference.json").read_bytes()
    with pytest.raises(ValueError, match="other parameters than good's defaults"):
        reference.write(project, other)
    assert (folder / "reference.json").read_bytes() == before


def test_store_orders_runs_and_ignores_what_is_not_proven(project):
    for seed in (1, 2):
        execute.run(project, execute.plan(project, "good", {"seed": seed}, texts=False))
    store = Store(project.runs)
    assert {r.facts["parameters"]["seed"] for r in store.all("good")} == {1, 2}
    (project.runs / "good" / "unproven").mkdir()
    assert len(store.all("good")) == 2
    assert store.find("good", "unproven") is None
    assert store.all("never") == []


def test_a_relative_output_is_the_callers_and_no_stray_module_is_on_the_path(project, tmp_path, monkeypatch):
    """The site's builder runs in the repository; what the caller names is taken from where the caller is."""
    called = {}

    def ran(command, **options):
        called["command"] = command
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(build.subprocess, "run", ran)
    monkeypatch.chdir(tmp_path)
    page = build.site(project, Path("out"))
    assert page == tmp_path / "out" / "_build" / "html" / "index.html"
    assert called["command"][called["command"].index("--path-output") + 1] == str(tmp_path / "out")
    assert "-P" in called["command"][:2]
