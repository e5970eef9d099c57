"""A new part can be written from CONTRIBUTING.md's page: this one, all told in 150 lines, runs, is judged, and renders."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LINES = 150
TOC = "format: jb-book\nroot: book/intro\nparts:\n- caption: A part\n  chapters:\n  - file: book/chapters/mean_or_median\n"
PARTS = "- {title: A part, seed: '000', notebooks: {mean_or_median: 'Mean or median?'}}\n"


@pytest.fixture(scope="module")
def ruc(tmp_path_factory, root):
    """The console command in a book of this part alone, whose package is the house's with the part in it."""
    folder = tmp_path_factory.mktemp("floor")
    package, book = folder / "src" / "helpers", folder / "project" / "book"
    package.mkdir(parents=True)
    for path in (root / "src" / "helpers").iterdir():
        (package / path.name).symlink_to(path)
    shutil.copytree(HERE / "part", package / "part", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root / "book" / "static", book / "static")
    (book.parent / "notebooks").mkdir()
    shutil.copy(HERE / "mean_or_median.py", book.parent / "notebooks")
    for source, target in (
        (HERE / "claims.yml", book),
        (root / "book" / "references.bib", book),
        (root / "_config.yml", book.parent),
    ):
        shutil.copy(source, target)
    for path, text in {
        "_toc.yml": TOC,
        "book/parts.yml": PARTS,
        "book/intro.md": "# A book\n\n```{picture}\n```\n\n```{parts}\n```\n",
    }.items():
        (book.parent / path).write_text(text)

    def call(*words):
        env = os.environ | {"PYTHONPATH": str(package.parent), "RUC_ROOT": str(book.parent), "COLUMNS": "160"}
        command = [sys.executable, "-m", "helpers.run.cli", *words]
        return subprocess.run(command, capture_output=True, text=True, env=env, cwd=book.parent, check=False)

    call.project = book.parent
    return call


def test_it_is_small():
    files = [*(HERE / "part").glob("*.py"), HERE / "mean_or_median.py", HERE / "claims.yml"]
    assert {p.stem for p in files} >= {"config", "run", "quantities", "controls", "figures"}
    assert sum(p.read_text().count("\n") for p in files) <= LINES


@pytest.mark.slow
def test_a_part_of_150_lines_runs_is_judged_and_renders(ruc):
    done = ruc("build")
    assert done.returncode == 0, done.stderr
    page = (ruc.project / "_build" / "html" / "book" / "chapters" / "mean_or_median.html").read_text()
    for claim, verdict in (("M1", "supported"), ("M2", "refuted")):
        row = re.search(rf'<tr id="verdict-{claim}">.*?</tr>', page)[0]
        assert f'class="verdict verdict-{verdict}"' in row
        assert re.search(rf'claim-id">{claim}<.*?verdict-{verdict}', page), "the badge in the claims box"
    assert "plotly" in page
    assert re.search(r"lies\s+(<span[^>]*>)?0\.\d+\s±\s0\.\d+ \(n\s=\s8\)", page)
    assert "verdict-refuted" in (ruc.project / "_build" / "html" / "book" / "intro.html").read_text()


@pytest.mark.slow
def test_its_exercise_is_an_exploration_and_changes_no_verdict(ruc):
    done = ruc("run", "mean_or_median")
    assert done.returncode == 0, done.stderr
    before = ruc("claims").stdout
    assert re.search(r"M1 +supported +this run", before)
    assert re.search(r"M2 +refuted +this run", before)
    done = ruc("run", "mean_or_median", "-p", "scale", "10")
    assert done.returncode == 0, done.stderr
    assert ruc("claims").stdout == before


@pytest.mark.slow
def test_what_cannot_work_is_refused_before_a_kernel_starts(ruc):
    done = ruc("run", "mean_or_median", "-p", "trials", "5")
    assert (done.returncode, done.stderr) == (
        2,
        "ruc: trials=5: an error of so few samples says nothing; use 10 or more\n",
    )
    assert "--force" in ruc("run", "mean_or_median", "--help").stdout
