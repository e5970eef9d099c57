"""Which modules of this package some code reaches through its imports, and what they hold."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from helpers import files

PACKAGE = "helpers"


def modules(code: Iterable[str]) -> set[str]:
    """Names of all modules of the package that this code imports, directly or through others of the package."""
    return reach(name for source in code for name in _imports(source, PACKAGE))


def reach(names: Iterable[str]) -> set[str]:
    """These modules, the packages around them, and all that they import of the package."""
    seen: set[str] = set()
    todo = set(names)
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        todo |= _imports(source(name).read_text(encoding="utf-8"), name) - seen
        todo |= {name.rpartition(".")[0]} - seen - {""}
    return seen


def digest_of(names: Iterable[str]) -> str:
    """One digest over the sources that these modules reach, as this process loaded them. A name outside the package counts by
    itself alone.

    A file that was edited after this process began to load the package may not be what runs here: the digest is then one that
    no other process will ever have, so that nothing is kept under the name of code that did not compute it.
    """
    return _digest_of(tuple(sorted(names)))


@cache
def _digest_of(names: tuple[str, ...]) -> str:
    found = sorted(reach(n for n in names if _locate(n)))
    edited = [n for n in found if _stamp(source(n)) != LOADED.get(source(n))]
    unique = [f"edited in process {os.getpid()} of {os.times().elapsed}"] if edited else []
    return files.digest("\n".join([*names, *unique, *(f"{n} {files.digest(source(n))}" for n in found)]))


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_size


def source(name: str) -> Path:
    """The file of a module. Raises ModuleNotFoundError for one that the package does not have."""
    path = _locate(name)
    if path is None:
        raise ModuleNotFoundError(f"no module {name} in the installed package {PACKAGE}")
    return path


_parsing = threading.Lock()


def parse(code: str) -> ast.Module:
    """A syntax tree, one thread at a time: two that parse at once stop early releases of Python 3.11 with a SystemError."""
    with _parsing:
        return ast.parse(code)


def _imports(code: str, inside: str) -> set[str]:
    """Modules of the package named by import statements anywhere in the code. inside: the module it belongs to."""
    package = inside if source(inside).name == "__init__.py" else inside.rpartition(".")[0]
    key = files.digest(f"{package}\0{code}")
    if key not in IMPORTS:
        IMPORTS[key] = sorted(_named(code, package))
    return {n for n in IMPORTS[key] if _locate(n)}


def imports_of_all() -> list[dict]:
    """What each file of the package imports of it: {digest, names}, as `IMPORTS` keeps it."""
    top = source(PACKAGE).parent
    for path in sorted(top.rglob("*.py")):
        parts = (PACKAGE, *path.relative_to(top).with_suffix("").parts)
        _imports(path.read_text(encoding="utf-8"), ".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [{"digest": k, "names": v} for k, v in IMPORTS.items()]


def _named(code: str, package: str) -> set[str]:
    """Names below this package in import statements, of modules or of what they hold."""
    names = set()
    for node in _statements(parse(code)):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package
                for _ in range(node.level - 1):
                    above = above.rpartition(".")[0]
                base = f"{above}.{base}" if base else above
            names |= {base, *(f"{base}.{a.name}" for a in node.names)}
    return {n for n in names if n == PACKAGE or n.startswith(PACKAGE + ".")}


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Every statement, however deep; imports are statements, and most nodes of a tree are not."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
            found = getattr(node, inner, None)
            todo += found if isinstance(found, list) else []


def check(code: str) -> None:
    """Raises SyntaxError unless the code can be parsed; what was parsed before is not parsed again."""
    if files.digest(f"{PACKAGE}\0{code}") not in IMPORTS:
        _imports(code, PACKAGE)


def light(name: str) -> ModuleType:
    """A module that stands on jsonschema, loaded without the grammar of international web addresses, which nothing here
    needs and which takes four seconds to build."""
    sys.modules.setdefault("rfc3987_syntax", None)
    return importlib.import_module(name)


@cache
def _locate(name: str) -> Path | None:
    if name != PACKAGE and not name.startswith(PACKAGE + "."):
        return None
    base = Path(importlib.util.find_spec(PACKAGE).origin).parent
    stem = base.joinpath(*name.split(".")[1:])
    return next((path for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.is_file()), None)


IMPORTS: dict[
    str, list[str]
] = {}  # what was found in a source before, by the digest of its package's name and its text
LOADED = {path: _stamp(path) for path in source(PACKAGE).parent.rglob("*.py")}  # as they were when this process began
