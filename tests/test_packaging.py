"""One list of packages, one list of versions, no floor above another, nothing of one machine in the tree."""

import ast
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

EXPERIMENTS = {"dtdr", "pedagogy", "topology", "softprompt", "separability", "encoding"}


def names_of(requirements):
    return {re.split(r"[<>=!~\[; ]", r, maxsplit=1)[0].lower().replace("_", "-") for r in requirements}


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins(root):
    lines = (root / "constraints.txt").read_text().split()
    return {line.partition("==")[0].lower().replace("_", "-"): line.partition("==")[2] for line in lines}


def test_every_dependency_is_pinned_without_a_local_suffix(project, pins):
    extras = [r for group in project["optional-dependencies"].values() for r in group]
    assert names_of(project["dependencies"] + extras) - set(pins) <= {"triton"}  # whichever version torch asks for
    assert all(re.fullmatch(r"[\w.]+", version) for version in pins.values())


def test_environment_yml_adds_no_second_list(root):
    environment = yaml.safe_load((root / "environment.yml").read_text())
    plain = [d for d in environment["dependencies"] if isinstance(d, str)]
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    assert sorted(d.partition("=")[0] for d in plain) == ["pip", "python"]
    assert pip == ["-c constraints.txt", "-e .[test]"]


def test_what_the_code_imports_is_declared(root, project):
    """Third-party modules imported anywhere in the package are in the one list (under the name of their distribution)."""
    from importlib.metadata import packages_distributions

    of = packages_distributions()
    declared = names_of(project["dependencies"] + [r for g in project["optional-dependencies"].values() for r in g])
    assert "triton" in declared  # also for the CPU build of torch, where tests run the kernels in its interpreter
    declared |= {
        "myst-nb",
        "sphinx",
        "docutils",
        "nbclient",
        "nbformat",
        "jupyter-client",
        "ipython",
    }  # jupyter-book, papermill
    declared |= {"httpx", "huggingface-hub"}  # transformers
    missing = set()
    for path in (root / "src" / "helpers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            found = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            found += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in found:
                top = name.partition(".")[0]
                if top in sys.stdlib_module_names or top in ("helpers", "__future__", ""):
                    continue
                if not {d.lower().replace("_", "-") for d in of.get(top, [top])} & declared:
                    missing.add(top)
    assert not missing


def test_files_stay_below_three_hundred_lines(root):
    long = {str(p.relative_to(root)): n for p in (root / "src").rglob("*.py") if (n := p.read_text().count("\n")) > 300}
    assert not long


def test_nothing_of_a_machine_is_in_the_tree(root):
    tracked = subprocess.run(
        ["git", "-C", str(root), "ls-files"], capture_output=True, text=True, check=False
    ).stdout.split("\n")
    if not any(tracked):
        pytest.skip("not a git checkout")
    wrong = re.compile("/(?:" + "|".join(["ro" + "ot", "ho" + "me", "Us" + "ers", "work", "t" + "mp"]) + ")/\\w")
    for name in filter(None, tracked):
        path = root / name
        if path.is_file() and path.suffix in {".py", ".md", ".yml", ".toml", ".json", ".ipynb", ".cff", ".txt"}:
            found = wrong.search(path.read_text(errors="ignore"))
            assert not found, f"{name} holds {found[0]}"
            assert path.stat().st_size < 1_000_000, name


@pytest.mark.slow
def test_a_wheel_carries_its_data(root, tmp_path):
    """A built wheel, imported from its own folder, finds the site's assets, the storyteller and its relatives."""
    import zipfile

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(tmp_path),
            str(root),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if "setuptools" in done.stderr and "No module" in done.stderr:
        pytest.skip("setuptools is not installed here")
    assert done.returncode == 0, done.stderr[-500:]
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as z:
        names = set(z.namelist())
        z.extractall(tmp_path / "site")
    assert {"helpers/book/assets/figures.js", "helpers/book/assets/book.css", "helpers/run/cli.py"} <= names
    code = "from helpers import lm, storyteller; from helpers.dtdr import figures, priors; "
    code += "lm.load('storyteller', device='cpu'); storyteller.card.verify(); "
    code += "[priors.embedded(n) for n in priors.EMBEDDED]; "
    code += "from helpers.book import plots; from pathlib import Path; "
    code += "assert (Path(plots.__file__).parent / 'assets' / 'book.css').is_file()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "site", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
