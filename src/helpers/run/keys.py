"""What a run depends on, part by part. Two runs with the same key give the same notebook, byte for byte."""

from __future__ import annotations

import ast
import importlib.util
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from helpers import claims, devices, files
from helpers.run.project import Notebook, Project

PACKAGE = "helpers"


def parts(project: Project, notebook: Notebook, chosen: Mapping[str, object]) -> dict[str, str]:
    """Every part's digest, by name: code, parameters, each helper module reached, constraints, python, inputs."""
    found = {
        "code": files.digest("\0".join(notebook.code)),
        "parameters": files.digest(files.strict_json(_stable(notebook, chosen), compact=True)),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
    constraints = project.root / "constraints.txt"
    if constraints.is_file():
        found["constraints"] = files.digest(constraints)
    for module in sorted(modules(notebook.code)):
        found[module] = files.digest(_source(module))
        assets = _source(module).parent / "assets"
        if _source(module).name == "__init__.py" and assets.is_dir():
            found[f"{module} assets"] = files.digest(assets)
    return found | inputs(project, notebook.name)


def key(found: Mapping[str, str]) -> str:
    """The run's key: sha256 over its parts, the first 16 hex digits."""
    return files.digest(files.strict_json(dict(sorted(found.items())), compact=True))[7:23]


def inputs(project: Project, name: str) -> dict[str, str]:
    """Digests of what a chapter reads beside its parameters: its claims, and its committed reference."""
    found = {}
    if (project.root / "book" / "claims.yml").is_file():
        mine = {k: c for k, c in claims.load(project.root / "book" / "claims.yml").items() if c.chapter == name}
        if mine:
            found["claims"] = claims.digest(mine)
    folder = project.root / "book" / "reference" / name
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[f"reference/{path.relative_to(folder)}"] = files.digest(path)
    return found


def modules(sources: Iterable[str]) -> set[str]:
    """Names of all modules of the package that this code imports, directly or through others of the package."""
    seen: set[str] = set()
    todo = {name for source in sources for name in _imports(source, PACKAGE)}
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        todo |= _imports(_source(name).read_text(encoding="utf-8"), name) - seen
        todo |= {name.rpartition(".")[0]} - seen - {""}
    return seen


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Names of the parts that differ, those that came or went included."""
    return sorted(k for k in {*old, *new} if old.get(k) != new.get(k))


def _stable(notebook: Notebook, chosen: Mapping[str, object]) -> dict[str, object]:
    """Parameters as they enter the key: a file by its content, the device by what it resolves to."""
    out = {}
    for name, value in chosen.items():
        if notebook.parameters[name].is_file(value):
            out[name] = files.digest(Path(value))
        else:
            out[name] = devices.resolve(value) if name == "device" else value
    return out


def _imports(source: str, inside: str) -> set[str]:
    """Modules of the package named by import statements anywhere in the source. inside: the module it belongs to."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = inside if _source(inside).name == "__init__.py" else inside.rpartition(".")[0]
                for _ in range(node.level - 1):
                    package = package.rpartition(".")[0]
                base = f"{package}.{base}" if base else package
            names |= {base, *(f"{base}.{a.name}" for a in node.names)}
    return {n for n in names if (n == PACKAGE or n.startswith(PACKAGE + ".")) and _is_module(n)}


def _is_module(name: str) -> bool:
    return _locate(name) is not None


def _source(name: str) -> Path:
    path = _locate(name)
    if path is None:
        raise ModuleNotFoundError(f"no module {name} in the installed package {PACKAGE}")
    return path


@cache
def _locate(name: str) -> Path | None:
    base = Path(importlib.util.find_spec(PACKAGE).origin).parent
    stem = base.joinpath(*name.split(".")[1:])
    for path in (stem / "__init__.py", stem.with_suffix(".py")):
        if path.is_file():
            return path
    return None
