"""The import graph: what some code reaches, and a digest of it that an edit changes only in another process."""

import subprocess
import sys

from helpers import sources


def test_only_reached_modules_count():
    parts = plan_of_code("from helpers import stats\n")
    assert {"helpers.stats", "helpers"} <= parts
    assert not parts & {"helpers.encoding", "helpers.run", "helpers.records"}
    parts = plan_of_code("from helpers.encoding import quantities\n")
    assert {"helpers.encoding.quantities", "helpers.encoding.tasks", "helpers.encoding", "helpers.devices"} <= parts
    assert "helpers.figures" not in plan_of_code("import helpers.data.text\n")
    assert plan_of_code("import numpy\n") == set()


def plan_of_code(source):
    return sources.modules([source])


def test_relative_imports_and_imports_inside_functions_are_followed(tmp_path, monkeypatch):
    package = tmp_path / "helpers"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from helpers.sub import deep\n")
    (package / "sub" / "__init__.py").write_text("from . import deep\n")
    (package / "sub" / "deep.py").write_text("from .. import b\nfrom .side import x\n")
    (package / "sub" / "side.py").write_text("x = 1\n")
    (package / "b.py").write_text("")
    (package / "unused.py").write_text("")
    monkeypatch.setattr(sources, "_locate", locate(package))
    assert sources.modules(["import helpers.a"]) == {
        "helpers",
        "helpers.a",
        "helpers.b",
        "helpers.sub",
        "helpers.sub.deep",
        "helpers.sub.side",
    }


def locate(package):
    def find(name):
        stem = package.joinpath(*name.split(".")[1:])
        for path in (stem / "__init__.py", stem.with_suffix(".py")):
            if path.is_file():
                return path
        return None

    return find


def test_the_digest_is_of_what_is_loaded(tmp_path):
    """In a live process an edited file changes nothing, for the loaded code is the old one; a new process sees it."""
    package = tmp_path / "helpers"
    package.mkdir()
    for name in ("files", "sources"):
        (package / f"{name}.py").write_text(sources.source(f"helpers.{name}").read_text())
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("x = 1\n")
    code = """
import pathlib
from helpers import sources
first = sources.digest_of(["helpers.part"])
pathlib.Path("helpers/part.py").write_text("x = 2\\n")
print(first, sources.digest_of(["helpers.part"]))
"""
    run = lambda: subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    first, again = run()
    assert first == again
    later, _ = run()
    assert later != first


def test_an_edit_before_the_first_question_is_no_ones_code(tmp_path):
    """Loaded, edited, then asked: what runs is the old code, and its rows must not be found under the new code's name."""
    package = tmp_path / "helpers"
    package.mkdir()
    for name in ("files", "sources"):
        (package / f"{name}.py").write_text(sources.source(f"helpers.{name}").read_text())
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("x = 1\n")
    edit = "import pathlib; pathlib.Path('helpers/part.py').write_text('x = 22\\n')"
    asked = lambda code: subprocess.run(
        [sys.executable, "-c", f"from helpers import sources, part\n{code}\nprint(sources.digest_of(['helpers.part']))"],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    plain = asked("")
    live = asked(edit)
    after = asked("")
    assert len({plain, live, after}) == 3
    assert asked("") == after


def test_a_module_outside_the_package_counts_by_its_name():
    assert sources.digest_of(["tests.tiny"]) != sources.digest_of(["tests.other"])


def test_an_import_is_found_wherever_a_statement_can_stand():
    places = (
        "if 1:\n    X",
        "if 1:\n    pass\nelse:\n    X",
        "try:\n    X\nexcept E:\n    pass",
        "try:\n    pass\nexcept E:\n    X",
        "try:\n    pass\nfinally:\n    X",
        "for a in b:\n    pass\nelse:\n    X",
        "while a:\n    X",
        "with a:\n    X",
        "class A:\n    def f(self):\n        async def g():\n            X",
        "match a:\n    case 1:\n        X",
        "f = lambda: 0\nX",
    )
    for place in places:
        assert "helpers.stats" in plan_of_code(place.replace("X", "from helpers import stats")), place
    assert plan_of_code('"""from helpers import stats"""\ntext = "import helpers.stats"') == set()
