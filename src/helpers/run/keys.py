"""What a run depends on, part by part. Two runs with the same key give the same notebook, byte for byte."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from helpers import devices, files, sources
from helpers.run.project import Notebook, Project, remembered

CLAIMS = "helpers.claims"


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
    _recall(project)
    reached = sources.modules(notebook.python)
    for module in sorted(reached):
        path = sources.source(module)
        found[module] = files.digest_once(path)
        if path.name == "__init__.py" and (path.parent / "assets").is_dir():
            found[f"{module} assets"] = files.digest(path.parent / "assets")
    return found | commits(notebook, chosen) | inputs(project, notebook.name, CLAIMS in reached)


def key(found: Mapping[str, str]) -> str:
    """The run's key: sha256 over its parts, the first 16 hex digits."""
    return files.digest(files.strict_json(dict(sorted(found.items())), compact=True))[7:23]


def commits(notebook: Notebook, chosen: Mapping[str, object]) -> dict[str, str]:
    """The commit of every model that is named on the hub, as the hub's cache has it; 'unknown' before the first download."""
    known = notebook.parameters
    hub = {k: v for k, v in chosen.items() if "HUB-NAME" in known[k].choices and v not in known[k].choices}
    return {f"{k} commit": _commit(str(v)) for k, v in hub.items() if v is not None and not known[k].is_file(v)}


def _commit(model: str) -> str:
    """What `main` of a hub model points to in the cache of huggingface_hub, read without that library and without a network."""
    home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    home = Path(os.environ.get("HF_HOME", home))
    cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or home / "hub"
    try:
        folder = Path(cache).expanduser() / f"models--{model.replace('/', '--')}"
        return (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return "unknown"


def inputs(project: Project, name: str, judges: bool = True) -> dict[str, str]:
    """Digests of what a chapter reads beside its parameters: its claims, and its committed reference. judges: whether it can
    read claims at all; one that cannot is not stopped by a file of claims at fault."""
    found = {}
    if (project.root / "book" / "claims.yml").is_file():
        try:
            found |= {"claims": digest} if (digest := claimed(project).get(name)) else {}
        except ValueError as error:
            if judges:
                raise ValueError(
                    f"{error}; mend it, or take back the last one: git checkout book/claims.yml"
                ) from error
    folder = project.root / "book" / "reference" / name
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[f"reference/{path.relative_to(folder)}"] = files.digest(path)
    return found


def claimed(project: Project) -> dict[str, str]:
    """The digest of each chapter's claims, by chapter. Raises ValueError naming what is wrong with book/claims.yml."""
    path = project.root / "book" / "claims.yml"

    def compute() -> list[dict]:
        from helpers import claims

        known = claims.load(path)
        chapters = sorted({c.chapter for c in known.values()})
        return [
            {"chapter": chapter, "digest": claims.digest({k: c for k, c in known.items() if c.chapter == chapter})}
            for chapter in chapters
        ]

    code = files.digest(sources.source("helpers.claims.criteria"))
    rows = remembered(project.kept, ("claims", files.digest(path), code), compute)
    return {row["chapter"]: row["digest"] for row in rows}


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Names of the parts that differ, those that came or went included."""
    return sorted(k for k in {*old, *new} if old.get(k) != new.get(k))


@cache
def _recall(project: Project) -> None:
    """Take up what each module of the package imports, as it was found before: a hundred files need not be parsed again."""
    stamps = sorted((path.as_posix(), *stamp) for path, stamp in sources.LOADED.items())
    rows = remembered(project.kept, ("imports", files.digest(repr(stamps))), sources.imports_of_all)
    sources.IMPORTS.update({row["digest"]: row["names"] for row in rows})


def _stable(notebook: Notebook, chosen: Mapping[str, object]) -> dict[str, object]:
    """Parameters as they enter the key: a file by its content, the device by what it resolves to."""
    out = {}
    for name, value in chosen.items():
        if notebook.parameters[name].is_file(value):
            out[name] = files.digest(Path(value))
        else:
            out[name] = (
                devices.resolve(value).partition(":")[0] if name == "device" else value
            )  # which GPU is no matter
    return out
