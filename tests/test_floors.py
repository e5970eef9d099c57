"""The house: floors that know only what is below them, one of each thing, and the same face for every part."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from helpers import sources

HELPERS = Path(sources.source("helpers")).parent
EXPERIMENTS = {"dtdr", "pedagogy", "topology", "softprompt", "separability", "encoding"}
SERVES = {"pedagogy": {"topology"}}  # the one part that may import another


def faces(house):
    """A part's own name, or, of a part that is several experiments, a name a sub-package: 'separability.foundation'."""
    inner = [p.name for p in (HELPERS / house).iterdir() if (p / "__init__.py").is_file()]
    return [f"{house}.{name}" for name in inner] or [house]


PARTS = sorted(face for house in EXPERIMENTS & {p.name for p in HELPERS.iterdir()} for face in faces(house))
ORDER = {
    "config": 0,
    "damage": 0,  # in Part I: the conditions that its config is made of, frozen dataclasses too
    "run": 2,
    "quantities": 3,
    "judged": 4,  # in Part I: the quantities that claims name, made of the others
    "controls": 5,
    "figures": 6,
    "tables": 6,
    "sentences": 6,
}  # all other files, the science: 1
PURE = ("quantities", "controls", "figures")
NAMES = 15  # that a package exports
FILES = {p: ast.parse(p.read_text()) for p in sorted(HELPERS.rglob("*.py"))}
NOTEBOOKS = sorted((HELPERS.parents[1] / "notebooks").glob("*.py"))


def name_of(path):
    """'helpers.lm.train' for its file."""
    parts = path.relative_to(HELPERS.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree):
    """Every module that a file imports, anywhere in it; of `from a import b` both a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written in full"
            yield from (node.module, *(f"{node.module}.{a.name}" for a in node.names))


def loaded(tree):
    """The file without what it imports for a reader's types only."""
    body = [n for n in tree.body if not (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")]
    return ast.Module(body, [])


GRAPH = {name_of(p): {*imported(loaded(tree))} - {name_of(p)} for p, tree in FILES.items()}
MODULES = {n for p, n in ((p, name_of(p)) for p in FILES) if p.name != "__init__.py"}


def inside(name):
    """The modules of this package that a module imports, packages' doors left out."""
    return GRAPH[name] & MODULES


def test_nothing_below_run_and_book_knows_them_and_no_experiment_knows_another():
    for path, tree in FILES.items():
        place = path.relative_to(HELPERS).parts[0]
        if place in ("run", "book"):
            continue
        for name in imported(tree):
            top, _, rest = name.partition(".")
            inner = rest.partition(".")[0]
            assert top not in ("papermill", "ray", "sphinx", "myst_nb"), f"{path} imports {name}"
            assert top != "helpers" or inner not in ("run", "book"), f"{path} imports {name}"
            assert place in EXPERIMENTS or inner not in EXPERIMENTS or top != "helpers", f"ground {path} imports {name}"
            other = EXPERIMENTS - {place} - SERVES.get(place, set())
            assert place not in EXPERIMENTS or inner not in other, f"{path} imports {name}"


def circle(graph):
    """The first circle of {name: names}, in words; '' when there is none."""
    done, trail = set(), []

    def visit(name):
        if name in trail:
            return " → ".join([*trail[trail.index(name) :], name])
        trail.append(name)
        found = next(filter(None, (visit(other) for other in sorted(graph[name]) if other not in done)), "")
        done.add(trail.pop())
        return found

    return next(filter(None, (visit(name) for name in sorted(graph) if name not in done)), "")


def test_no_import_goes_in_a_circle():
    """Neither from file to file nor from package to package."""
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == "b → c → b"
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == ""
    assert not circle({name: inside(name) for name in MODULES})
    houses = defaultdict(set)
    for name, others in GRAPH.items():
        mine = ".".join(name.split(".")[:2])
        houses[mine] |= {m for o in others if (m := ".".join(o.split(".")[:2])) in GRAPH} - {mine, "helpers"}
    assert not circle(houses)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_its_files_and_each_imports_only_those_before_it(part):
    """config, the science, run, quantities, controls, figures."""
    mine = {n for n in MODULES if n.startswith(f"helpers.{part}.")}
    rank = lambda name: ORDER.get(name.rpartition(".")[2], 1)
    assert {n.rpartition(".")[2] for n in mine} >= set(ORDER) - {"tables", "damage", "judged", "sentences"}
    back = [f"{n} → {m}" for n in sorted(mine) for m in sorted(inside(n) & mine) if rank(m) > rank(n)]
    assert not back


@pytest.mark.parametrize("part", PARTS)
def test_what_measures_and_draws_neither_trains_nor_holds_a_model(part):
    """Neither themselves nor through a file of the part: no run, no torch."""
    for start in (f"helpers.{part}.{kind}" for kind in PURE):
        todo, seen = [start] if start in MODULES else [], set()
        while todo:
            name = todo.pop()
            seen.add(name)
            assert not name.endswith(".run"), f"{start} reaches {name}"
            assert not {n for n in GRAPH[name] if n.partition(".")[0] == "torch"}, f"{start} reaches torch by {name}"
            todo += {n for n in inside(name) if n.startswith(f"helpers.{part.partition('.')[0]}.")} - seen


def test_an_experiment_of_several_knows_what_they_share_and_not_the_others():
    """Sub-packages never import each other, and what stands above them imports none of them."""
    nested = {part for part in PARTS if "." in part}
    owner = lambda name: next((p for p in nested if name.startswith(f"helpers.{p}.") or name == f"helpers.{p}"), None)
    for name, others in GRAPH.items():
        if any(name.startswith(f"helpers.{p.partition('.')[0]}") for p in nested):
            assert not [o for o in others if owner(o) not in (None, owner(name))], name


def test_a_private_name_stays_in_its_module():
    found = []
    tests = {p: ast.parse(p.read_text()) for p in sorted(Path(__file__).parent.rglob("*.py"))}
    for path, tree in (FILES | tests).items():
        local = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers"):
                local |= {a.asname or a.name for a in node.names}
                found += [
                    f"{path.name}: {a.name} of {node.module}" for a in node.names if a.name[0] == "_" != a.name[1]
                ]
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in local:
                found += [f"{path.name}: {node.value.id}.{node.attr}"] if re.match("_[^_]", node.attr) else []
    assert not found


@pytest.mark.parametrize("package", sorted(p.parent.name for p in FILES if p.name == "__init__.py"))
def test_a_package_shows_few_names(package):
    door = next(p for p in FILES if p.name == "__init__.py" and p.parent.name == package)
    shown = [
        ast.literal_eval(n.value)
        for n in FILES[door].body
        if isinstance(n, ast.Assign) and n.targets[0].id == "__all__"
    ]
    assert len(shown[0] if shown else ()) <= NAMES


def test_a_config_names_no_device_and_no_path():
    for part in PARTS:
        for node in ast.walk(FILES[HELPERS / part.replace(".", "/") / "config.py"]):
            if isinstance(node, ast.AnnAssign):
                field, kind = ast.unparse(node.target), ast.unparse(node.annotation)
                assert field not in ("device", "path", "folder", "work", "cache"), f"{part}: {field}"
                assert "Path" not in kind, f"{part}: {field}: {kind}"


def test_no_two_classes_of_one_name():
    found = defaultdict(list)
    for path, tree in FILES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name[0] != "_":
                found[node.name].append(name_of(path))
    assert not {k: v for k, v in found.items() if len(v) > 1}


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (r"strict=False", set()),  # zip drops what has no partner, silently
        (
            r"""ROLE\[["'](supported|refuted|mixed|undecided)""",
            {"panels.py"},
        ),  # a verdict's colours
        (r"CUDAGraph\(", {"graphs.py"}),  # one recorder
    ],
)
def test_what_is_written_nowhere_else(pattern, allowed):
    texts = {p: p.read_text() for p in [*FILES, *NOTEBOOKS]}
    assert {p.name for p, text in texts.items() if re.search(pattern, text)} >= allowed, "what is allowed is there"
    free = {HELPERS / n for n in allowed} | {HELPERS / "book" / n for n in allowed}
    assert not [p.name for p, text in texts.items() if p not in free and re.search(pattern, text)]
