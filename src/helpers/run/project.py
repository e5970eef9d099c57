"""The checkout as the runner sees it: notebooks, their parameters, and where runs and chapters go."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jupytext
import nbformat

from helpers import files, parameters


@dataclass(frozen=True)
class Notebook:
    """One source notebook: `path` is its .py, `cells` what jupytext reads from it."""

    name: str
    path: Path

    @cached_property
    def content(self) -> nbformat.NotebookNode:
        """The notebook with a kernel named and stable cell ids."""
        try:
            nb = jupytext.read(self.path)
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path} is not a text notebook: {error}") from error
        nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nb.nbformat_minor = 5
        for i, cell in enumerate(nb.cells):
            cell["id"] = f"c{i:03d}"
        return nb

    @property
    def code(self) -> list[str]:
        """Sources of the code cells."""
        return [c.source for c in self.content.cells if c.cell_type == "code"]

    @property
    def title(self) -> str:
        """The first heading."""
        lines = (line for c in self.content.cells if c.cell_type == "markdown" for line in c.source.splitlines())
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), self.name)

    @cached_property
    def parameters(self) -> dict[str, parameters.Parameter]:
        """Raises ParameterError unless exactly one cell is tagged `parameters` and holds typed literals."""
        tagged = [c for c in self.content.cells if "parameters" in c.metadata.get("tags", ())]
        if len(tagged) != 1:
            raise parameters.ParameterError(f"{self.path.name} has {len(tagged)} cells tagged parameters; it needs one")
        return parameters.read_cell(tagged[0].source)


@dataclass(frozen=True)
class Project:
    """The folders of one checkout. `runs` may lie elsewhere, on a bigger disk."""

    root: Path
    runs: Path

    @classmethod
    def find(cls, runs: str | Path | None = None) -> Project:
        """The project around the working folder. Raises FileNotFoundError when there is none."""
        root = files.root()
        return cls(root, Path(runs).resolve() if runs else root / "runs")

    @property
    def names(self) -> list[str]:
        return sorted(p.stem for p in (self.root / "notebooks").glob("*.py"))

    def notebook(self, name: str) -> Notebook:
        """A notebook by name (a path or a file name will do). Raises FileNotFoundError with the nearest name."""
        stem = Path(name).stem
        if stem not in self.names:
            near = difflib.get_close_matches(stem, self.names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.names) or 'none'}"
            raise FileNotFoundError(f"no notebook {stem!r} in {self.root / 'notebooks'}; {hint}")
        return Notebook(stem, self.root / "notebooks" / f"{stem}.py")
