"""The book from its runs: run what is stale, put current prose around the outputs, build the site."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import files, sources
from helpers.run import counting, execute, keys, surroundings
from helpers.run.project import KERNEL, Notebook, Project
from helpers.run.store import Run, Store

if TYPE_CHECKING:
    import nbformat

CHAPTERS = Path("book/chapters")
BUILDER = "from helpers import sources; sources.light('jupyter_book.cli.main').main()"
SHEET = "runs.json"  # what the site's footers and status page are made from
STALE = "> **This page is older than its source.** The last try failed: {why}. What follows is the last good run."
EMPTY = "This chapter has no finished run yet: {why}."

COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # which the builder writes to a file as well


@dataclass
class Page:
    """One page to be: its notebook, the run it shows, and whether that run is of the source as it stands."""

    notebook: Notebook
    run: Run | None = None
    fresh: bool = False
    new: bool = False
    error: str = ""


@dataclass
class Status:
    """How a notebook's runs stand to its source: fresh, stale (and which parts changed), missing, failed, or broken."""

    name: str
    state: str
    run: Run | None = None
    changed: list[str] = field(default_factory=list)
    error: str = ""


def title(notebook: Notebook, run: Run | None) -> str:
    """A notebook's title, by its source, or by a run where the source cannot be read."""
    try:
        return notebook.title
    except execute.FAULTS:
        return run.facts.get("title", notebook.name) if run else notebook.name


def in_book(project: Project) -> list[str]:
    """Names of the notebooks that `_toc.yml` lists as chapters, in reading order."""
    import yaml

    toc = yaml.safe_load((project.root / "_toc.yml").read_text(encoding="utf-8"))
    files = [c["file"] for part in toc.get("parts", ()) for c in part.get("chapters", ())]
    return [Path(f).name for f in files if Path(f).parent == CHAPTERS]


def status(project: Project, given: Mapping[str, object] | None = None) -> list[Status]:
    """Every notebook's state. A stale one names the parts that changed since its latest run of the same profile; one whose
    file, or the proof of one of its runs, cannot be read is broken, and stops no other."""
    return [_status(project, name, given or {}) for name in project.names]


def _status(project: Project, name: str, given: Mapping[str, object]) -> Status:
    store = Store(project.runs)
    try:
        plan = execute.plan(project, name, given)
    except execute.FAULTS as error:
        return Status(name, "broken", error=str(error))
    if fresh := store.find(name, plan.key):
        return Status(name, "fresh", fresh)
    broken = store.broken(name)
    if broken:
        return Status(name, "broken", error="; ".join(broken))
    runs = [r for r in store.all(name) if r.facts["parameters"].get("profile") == plan.chosen.get("profile")]
    if not runs:
        failed = store.place(name, plan.key).with_name(f"{plan.key}.failed").is_dir()
        return Status(name, "failed" if failed else "missing")
    if runs[0].facts["key"] == plan.key:  # proven, and no longer what was proven
        return Status(name, "stale", runs[0], ["files of the run"], store.fault(name, plan.key))
    return Status(name, "stale", runs[0], keys.changed(runs[0].facts["parts"], plan.parts))


def chapters(
    project: Project,
    given: Mapping[str, Mapping[str, object]] | None = None,
    *,
    profile: str = "quick",
    force: bool = False,
    report: Callable[[str, dict], None] = lambda name, event: None,
) -> list[Page]:
    """Run every chapter that has no fresh run. A failure is kept in `error` and does not stop the others.

    given: parameters by notebook name, instead of the defaults (tests run smaller).
    """
    done = []
    for name in in_book(project):
        page, plan = Page(Notebook(name, project.root / "notebooks" / f"{name}.py", project.kept)), None
        try:
            plan = execute.plan(project, name, {"profile": profile} | dict((given or {}).get(name, {})))
            page.run, page.new = execute.run(project, plan, force=force, report=lambda e, n=name: report(n, e))
            page.fresh = True
        except execute.FAULTS as error:
            page.error = str(error)
            page.run = _last_good(project, page.notebook, plan)
        done.append(page)
    return done


def _last_good(project: Project, notebook: Notebook, plan: execute.Planned | None) -> Run | None:
    """The newest whole run that a page can show instead of one that failed: of the same parameters, else one that counts."""
    runs = Store(project.runs).all(notebook.name)
    same = (r for r in runs if plan and r.facts["parameters"] == plan.chosen and not r.fault())
    found = next(same, None) or counting.newest(notebook, runs)
    return found if plan else found or _shown(project, notebook.name, runs)


def _shown(project: Project, name: str, runs: list[Run]) -> Run | None:
    """The run that the page shows as it was built last."""
    try:
        key = files.read_json(project.root / CHAPTERS / SHEET)[name]["run"]["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return next((run for run in runs if run.facts["key"] == key and not run.fault()), None)


def assemble(project: Project, pages: list[Page], *, png: bool = False) -> None:
    """Write `book/chapters/NAME.ipynb` for every page, and what the site's extension reads: the runs shown, the verdicts."""
    folder = project.root / CHAPTERS
    sheet = {}
    for page in pages:
        nb = _merge(page)
        if png:
            _add_pictures(nb)
        text = sources.light("nbformat").writes(nb) + "\n"
        _write_if_new(folder / f"{page.notebook.name}.ipynb", text)
        run = page.run
        sheet[page.notebook.name] = {
            "title": title(page.notebook, page.run),
            "fresh": page.fresh,
            "error": page.error,
            "run": None if run is None else {k: v for k, v in run.facts.items() if k != "files"},
        }
    _write_if_new(folder / SHEET, files.strict_json(sheet) + "\n")
    _write_if_new(folder / counting.VERDICTS, files.strict_json(counting.verdicts(project)) + "\n")


def site(project: Project, output: Path | None = None, *, builder: str = "html") -> Path:
    """Build the static site, every warning an error. Returns the page to open. Raises RuntimeError with the log's end."""
    output = output or project.root
    output = output.expanduser().absolute()
    command = [sys.executable, "-P", "-c", BUILDER, "build", str(project.root), "-W", "-n", "--keep-going"]
    command += ["--path-output", str(output), "--builder", builder]
    options = {"cwd": project.root, "env": surroundings.of_python()}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", **options)
    if done.returncode:
        said = COLOUR.sub("", done.stdout + done.stderr)
        lines = [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line]
        lines = lines or said.partition("Exception occurred:")[2].partition("The full traceback")[0].splitlines()
        raise RuntimeError("the site did not build:\n" + "\n".join(lines[-20:] or said.splitlines()[-20:]))
    return output / "_build" / "html" / "index.html"


def _merge(page: Page) -> nbformat.NotebookNode:
    """The source's cells as they stand now, with the outputs of the run: prose may change without a new run."""
    nbformat = sources.light("nbformat")
    if page.run is None:
        note = f"# {title(page.notebook, page.run)}\n\n{EMPTY.format(why=page.error)}\n\n## Source\n\nSee the notebook itself."
        return nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_markdown_cell(note, id="c000")], metadata={"kernelspec": KERNEL}
        )
    ran = nbformat.read(page.run.notebook, 4)
    if not page.fresh:
        why = page.error.partition("\n")[0]
        ran.cells.insert(1, nbformat.v4.new_markdown_cell(STALE.format(why=why), id="stale"))
        return ran
    outputs = iter(
        [c for c in ran.cells if c.cell_type == "code" and "injected-parameters" not in c.metadata.get("tags", ())]
    )
    cells = []
    for cell in page.notebook.content.cells:
        cell = nbformat.from_dict(cell)
        if cell.cell_type == "code":
            done = next(outputs)
            cell.outputs, cell.execution_count = done.outputs, done.execution_count
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=ran.metadata)


def _add_pictures(nb: nbformat.NotebookNode) -> None:
    """Put a PNG twin beside every live figure (the `png` extra), for print and for readers without JavaScript."""
    import base64

    import kaleido
    import plotly.graph_objects as go

    from helpers.figures import MIME

    kaleido.start_sync_server(silence_warnings=True)
    try:
        for cell in nb.cells:
            for output in cell.get("outputs", ()):
                if MIME in output.get("data", {}):
                    spec = {k: v for k, v in output.data[MIME].items() if k in ("data", "layout")}
                    fig = go.Figure(spec).update_layout(paper_bgcolor="white", plot_bgcolor="white")
                    picture = fig.to_image("png", width=760, height=fig.layout.height or 420, scale=1.5)
                    output.data["image/png"] = base64.b64encode(picture).decode()
    finally:
        kaleido.stop_sync_server(silence_warnings=True)


def _write_if_new(path: Path, text: str) -> None:
    """Leave a file with this very content alone, so that the site's builder sees what did not change."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        files.write_atomic(path, text)
