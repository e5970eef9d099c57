"""The checkout as the runner sees it: notebooks, their parameters, and where runs and chapters go."""

from __future__ import annotations

import contextlib
import difflib
import re
import time
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import files, parameters, sources
from helpers.work import Work

if TYPE_CHECKING:
    import nbformat

KEPT = ".cache"  # in the folder of runs: what was read of notebooks and modules, by their content
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
WEEK = 7 * 86400
MAGIC = re.compile(r"^\s*[%!].*$", re.M)


@dataclass(frozen=True)
class SourceCell:
    """One cell of a source: its text, whether it is code, its tags."""

    source: str
    code: bool
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Notebook:
    """One source notebook: `path` is its .py. kept: what was read before, so that jupytext is asked once a version."""

    name: str
    path: Path
    kept: Work | None = None

    @property
    def content(self) -> nbformat.NotebookNode:
        """The notebook with a kernel named and stable cell ids. Raises ValueError for a file that holds none."""
        jupytext = sources.light("jupytext")
        try:
            nb = jupytext.read(self.path)
        except (UnicodeDecodeError, SyntaxError) as error:
            raise ValueError(f"{self.path} is not a text notebook: {error}") from error
        nb.metadata["kernelspec"] = dict(KERNEL)
        nb.nbformat_minor = 5
        for i, cell in enumerate(nb.cells):
            cell["id"] = f"c{i:03d}"
        return nb

    @cached_property
    def cells(self) -> tuple[SourceCell, ...]:
        """All cells in order. Raises what `content` raises."""
        key = ("cells", self.name, files.digest(self.path), metadata.version("jupytext"))
        rows = remembered(self.kept, key, lambda: [_row(cell) for cell in self.content.cells])
        return tuple(SourceCell(row["source"], row["code"], tuple(row["tags"])) for row in rows)

    @property
    def code(self) -> list[str]:
        """Sources of the code cells."""
        return [c.source for c in self.cells if c.code]

    @property
    def python(self) -> list[str]:
        """The code cells without lines for IPython alone. Raises ValueError, with cell and line, for one that is no Python."""
        return [self._python(number, source) for number, source in enumerate(self.code, 1)]

    def _python(self, number: int, source: str) -> str:
        for text in (source, MAGIC.sub("", source)):
            try:
                sources.check(text)
                return text
            except SyntaxError as error:
                fault = f"code cell {number}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}"
        raise ValueError(f"{self.path}: {fault}")

    @property
    def title(self) -> str:
        """The first heading."""
        lines = (line for c in self.cells if not c.code for line in c.source.splitlines())
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), self.name)

    @cached_property
    def parameters(self) -> dict[str, parameters.Parameter]:
        """Raises ParameterError unless exactly one cell is tagged `parameters` and holds typed literals."""
        return parameters.of_notebook(self.path)


@dataclass(frozen=True)
class Project:
    """The folders of one checkout. `runs` may lie elsewhere, on a bigger disk."""

    root: Path
    runs: Path

    @classmethod
    def find(cls, runs: str | Path | None = None) -> Project:
        """The project around the working folder. Raises FileNotFoundError when there is none."""
        root = files.root()
        return cls(root, Path(runs).expanduser().resolve() if runs else root / "runs")

    @property
    def names(self) -> list[str]:
        return sorted(p.stem for p in (self.root / "notebooks").glob("*.py") if p.is_file())

    @property
    def kept(self) -> Work:
        return Work(self.runs / KEPT, "1")

    def notebook(self, name: str) -> Notebook:
        """A notebook by name (a path or a file name will do). Raises FileNotFoundError with the nearest name."""
        stem = Path(name).stem
        if stem not in self.names:
            near = difflib.get_close_matches(stem, self.names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.names) or 'none'}"
            raise FileNotFoundError(f"no notebook {stem!r} in {self.root / 'notebooks'}; {hint}")
        return Notebook(stem, self.root / "notebooks" / f"{stem}.py", self.kept)


def remembered(kept: Work | None, key: object, compute) -> list[dict]:
    """Rows by a key that tells their content, computed where they are not kept or cannot be. What is a week old goes."""
    if kept is None or not kept.folder.parent.is_dir():
        return compute()
    new = []
    try:
        rows = kept.rows(key, lambda: new.append(0) or compute())
    except OSError:  # a place that cannot be written to is read all the same
        return compute()
    if new:
        for path in kept.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process sweeps here, or renames what it wrote
                if time.time() - path.stat().st_mtime > WEEK:
                    path.unlink()
    return rows


def _row(cell: nbformat.NotebookNode) -> dict:
    return {"source": cell.source, "code": cell.cell_type == "code", "tags": list(cell.metadata.get("tags", ()))}
