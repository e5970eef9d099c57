"""Every notebook of the book: its pair, its parameters, a whole run, and a reference that gives the verdicts it shows."""

import ast
import importlib
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import jupytext
import nbformat
import pytest

from helpers import claims, records
from helpers.figures import MIME
from helpers.parameters import ParameterError
from helpers.run import execute
from helpers.run.project import Project

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
REFERENCE = 300_000  # bytes of a chapter's committed records
AWAITED = set()  # claims that no committed run has measured yet
ONCE = {  # conditions that are the same for every seed, or run once as printed, or a trial before
    "dtdr": "deployed|printed",
    "learned_encoding": "deployed",
    "encoding_limits": "deployed",
    "joint_qa": "watch|landscape",
    "training_dynamics": "audit|instrument|pictures",
    "phase_one_ablation": "pages",
    "separability_foundation": "pilot",
    "separability_grokking": "circle",
    "separability_repair": "b$|[a-z0-9]+[.]",
    "separability_superposition": "(?!bottleneck)",
}
SEEDS = {
    "learned_encoding": 10,
    "encoding_limits": 10,
    "joint_qa_ablations": 40,
    "joint_qa": 100,
    "metric_calibration": 10,
    "training_dynamics": 10,
    "phase_one_ablation": 10,
    "separability": 10,
}


def study(source):
    """The study whose log a chapter keeps: what its own code names, by the imports of that code."""
    tree = ast.parse("\n".join(Project(ROOT, ROOT / "runs").notebook(source.stem).code))
    names = {
        n.asname or n.name: f"{node.module}.{n.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for n in node.names
    }
    named = [node.value.id for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "CHAPTERS"]
    return importlib.import_module(names[named[0]]).CHAPTERS[source.stem] if named else None


STUDIES = {source.stem: found for source in SOURCES if (found := study(source))}


def of(name, table, otherwise):
    """What the table says of a chapter, or of chapters that begin so."""
    return next((value for key, value in table.items() if name.startswith(key)), otherwise)


@cache
def committed(name):
    """What the committed records of a chapter say: {quantity: values}."""
    study = STUDIES[name]
    return study.measure(study.frame(records.load(ROOT / "book" / "reference" / name)), claims.of(name))[0]


every = pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)


@every
def test_the_pair_agrees_cell_by_cell(source):
    twin = jupytext.read(source.with_suffix(".ipynb"))
    mine = jupytext.read(source)
    assert [(c.cell_type, c.source) for c in twin.cells] == [(c.cell_type, c.source) for c in mine.cells]
    assert [c.metadata.get("tags", []) for c in twin.cells] == [c.metadata.get("tags", []) for c in mine.cells]
    nbformat.validate(nbformat.read(source.with_suffix(".ipynb"), 4))


@every
def test_what_the_book_hides_is_folded_in_the_notebook(source):
    for cell in jupytext.read(source).cells + nbformat.read(source.with_suffix(".ipynb"), 4).cells:
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert folded == ("hide-input" in cell.metadata.get("tags", [])), cell.source[:60]


@every
def test_what_is_made_to_be_seen_is_the_last_thing_of_its_cell(source):
    """A notebook shows a cell's last value, if that stands in no if or for. What is made earlier is seen by nobody."""
    seen = {"table", "probe_table", "box", "texts", "guess", "matrix", "whisper", "playground"}
    for cell in jupytext.read(source).cells:
        if cell.cell_type == "code":
            body = ast.parse(cell.source).body
            made = [n.value for top in body for n in ast.walk(top) if isinstance(n, ast.Expr) and n is not body[-1]]
            calls = {c.func.attr for c in made if isinstance(c, ast.Call) and isinstance(c.func, ast.Attribute)}
            assert not calls & seen, cell.source


@pytest.mark.parametrize("path", sorted((ROOT / "src").rglob("sentences.py")), ids=lambda p: p.parent.name)
def test_sentences_that_are_picked_hold_no_markup(path):
    """What is glued into the prose is plain text: asterisks, accents and links would be read as they stand."""
    markup = re.compile(r"(?<![\w*])\*\*?[^*\s][^*]*\*|`[^`]+`|\$[^$]+\$|\]\(|\{(?:term|verdict|glue)")
    texts = [n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)]
    assert not [t for t in texts if isinstance(t, str) and "\n" not in t and markup.search(t)]


@every
def test_the_twin_holds_no_outputs(source):
    for cell in nbformat.read(source.with_suffix(".ipynb"), 4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@every
def test_one_parameters_cell_and_no_cell_on_the_gpu_without_asking(source):
    notebook = Project(ROOT, ROOT / "runs").notebook(source.stem)
    assert notebook.parameters  # raises unless there is exactly one
    assert all(p.help for p in notebook.parameters.values())
    for code in notebook.code:
        ast.parse(code)
        assert ".cuda(" not in code


def test_every_chapter_of_the_contents_is_a_notebook_of_a_part(root):
    import yaml

    from helpers.run import build

    parts = yaml.safe_load((root / "book" / "parts.yml").read_text())
    known = {name for part in parts for name in part["notebooks"]}
    chapters = build.in_book(Project(root, root / "runs"))
    assert set(chapters) == {p.stem for p in SOURCES}
    assert set(chapters) - {"benchmarks", "storyteller"} <= known
    assert {c.chapter for c in claims.load(root / "book" / "claims.yml").values()} <= known


@pytest.mark.slow
@every
def test_the_quick_profile_runs_whole_and_says_nothing_on_stderr(source, book):
    page = book[1][source.stem]
    assert page.error == ""
    assert page.fresh
    nb = nbformat.read(page.run.notebook, 4)
    nbformat.validate(nb)
    outputs = [o for c in nb.cells for o in c.get("outputs", ())]
    assert not [o["text"] for o in outputs if o.get("name") == "stderr"]
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert sum(MIME in o.get("data", {}) for o in outputs) >= 1, "a chapter has live figures"
    assert all(c.execution_count for c in nb.cells if c.cell_type == "code")
    assert (page.run.folder / "run.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(STUDIES))
def test_a_run_writes_strict_records_and_a_verdict_for_each_claim(name, book):
    run = book[1][name].run
    assert len(records.load(run.folder / "records")) >= len(claims.of(name)) > 0
    for path in run.folder.rglob("*.json"):
        json.loads(path.read_text(), parse_constant=pytest.fail)  # NaN and Infinity are no JSON
    stored = run.read("verdicts.json")["verdicts"]["this run"]
    assert {v["id"] for v in stored if v["criterion"] == "precise"} == set(claims.of(name))
    assert {v["verdict"] for v in stored} <= set(claims.words.VERDICTS)


@pytest.mark.slow
def test_every_figure_tells_what_to_see(book):
    for name, page in book[1].items():
        for cell in nbformat.read(page.run.notebook, 4).cells:
            for output in cell.get("outputs", ()):
                if MIME in output.get("data", {}):
                    layout = output["data"][MIME]["layout"]
                    assert len(layout["meta"]["alt"]) > 40, f"{name}: {layout['title']}"
                    assert layout["title"]["text"]


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("learned_encoding", {"seeds": 0}, "2..64"),
        ("learned_encoding", {"learned_dim": 300}, "1..32"),
        ("learned_encoding", {"learned_dims": 6}, "did you mean 'learned_dim'"),
        ("learned_encoding", {"device": "tpu"}, "auto | cpu | cuda"),
        ("encoding_limits", {"text": "absent.txt"}, "absent.txt"),
        ("encoding_limits", {"fasta": "absent.fa"}, "absent.fa"),
        ("encoding_limits", {"code": "absent.py"}, "absent.py"),
        ("encoding_limits", {"protein": "absent.faa"}, "absent.faa"),
        ("encoding_limits", {"steps": "many"}, "steps"),
        ("dtdr_emergence", {"block": 8}, "16 | 32 | 64 | 128 | 256"),
        ("dtdr_emergence", {"model": "./no/such/folder"}, "there is no such folder"),
        ("dtdr_guided", {"mode": "guide"}, "did you mean guided?"),
        ("dtdr_guided", {"pkl": "absent.pkl"}, "absent.pkl"),
        ("storyteller", {"size": "defualt"}, "did you mean default?"),
    ],
)
def test_wrong_parameters_fail_before_a_kernel_starts(name, given, words, tmp_path):
    project = Project(ROOT, tmp_path / "runs")
    with pytest.raises(ParameterError, match=re.escape(words)):
        execute.plan(project, name, given, texts=False)
    assert not project.runs.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "content", "words"),
    [
        ("encoding_limits", "fasta", b">one\nACGT!!QQ\n", "line 2: '!' is no base"),
        ("encoding_limits", "code", b"\x00\x01\x02\xff" * 500, "is not UTF-8 text"),
        ("encoding_limits", "protein", b">one\nMKV1LL\n", "line 2: '1' is no amino acid"),
    ],
)
def test_bad_files_are_named_and_leave_nothing(name, kind, content, words, tmp_path):
    path = tmp_path / "input"
    path.write_bytes(content)
    command = [
        sys.executable,
        "-m",
        "helpers.run.cli",
        "--runs",
        str(tmp_path / "runs"),
        "run",
        name,
        "-p",
        kind,
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert words in " ".join(done.stderr.split())  # it is wrapped to the terminal
    assert not list((tmp_path / "runs").rglob("run.json"))


@pytest.mark.parametrize("name", sorted(STUDIES))
def test_the_committed_reference_is_whole_and_answers_every_claim(name, root):
    folder = root / "book" / "reference" / name
    found = records.load(folder)
    several = found[~found["condition"].str.match(of(name, ONCE, "$"))].groupby("condition")["seed"].nunique()
    least = of(name, SEEDS, 5)
    assert (several >= least).all(), several[several < least]
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= REFERENCE
    head = records.header(folder)
    assert head["profile"] == "full"
    assert any(card in head["provenance"]["device"] for card in ("H100", "H200"))
    verdicts = claims.judge(claims.of(name), committed(name))
    judged = {v.id for v in verdicts if v.criterion == "precise" and v.verdict != claims.words.AWAITING}
    assert judged == set(claims.of(name)) - AWAITED


def test_the_notebooks_show_the_verdicts_of_the_reference(book):
    """What counts on a page is what the committed records give, computed here once more."""
    for name in STUDIES:
        again = {v.id: v.verdict for v in claims.judge(claims.of(name), committed(name)) if v.criterion == "precise"}
        shown = claims.counting(book[1][name].run.read("verdicts.json"))
        assert {i: v["verdict"] for i, v in shown.items()} == again
        assert {v["by"] for v in shown.values()} == {"reference"}
