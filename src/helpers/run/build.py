"""The book from its runs: run what is stale, put current prose around the outputs, build the site."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import yaml

from helpers import claims, files, records
from helpers.run import execute, keys
from helpers.run.project import Notebook, Project
from helpers.run.store import Run, Store

CHAPTERS = Path("book/chapters")
SHEET = "runs.json"  # what the site's badges, footers and status page are made from
STALE = "> **This page is older than its source.** The last try failed: {why}. What follows is the last good run."
EMPTY = "This chapter has no finished run yet: {why}."


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
    """How a notebook's runs stand to its source: fresh, stale (and which parts changed), missing, failed, or corrupt."""

    name: str
    state: str
    run: Run | None = None
    changed: list[str] = field(default_factory=list)
    error: str = ""


def in_book(project: Project) -> list[str]:
    """Names of the notebooks that `_toc.yml` lists as chapters, in reading order."""
    toc = yaml.safe_load((project.root / "_toc.yml").read_text(encoding="utf-8"))
    files = [c["file"] for part in toc.get("parts", ()) for c in part.get("chapters", ())]
    return [Path(f).name for f in files if Path(f).parent == CHAPTERS]


def status(project: Project, given: Mapping[str, object] | None = None) -> list[Status]:
    """Every notebook's state. A stale one names the parts that changed since its latest run of the same profile."""
    found, store = [], Store(project.runs)
    for name in project.names:
        try:
            plan = execute.plan(project, name, given or {})
        except (ValueError, SyntaxError) as error:
            found.append(Status(name, "broken", error=str(error)))
            continue
        try:
            runs = store.all(name)
        except ValueError as error:
            found.append(Status(name, "corrupt", error=str(error)))
            continue
        profile = plan.chosen.get("profile")
        same = [r for r in runs if r.facts["parameters"].get("profile") == profile]
        mine = next((r for r in runs if r.facts["key"] == plan.key), None)
        if mine:
            found.append(Status(name, "fresh", mine))
        elif same:
            found.append(Status(name, "stale", same[0], keys.changed(same[0].facts["parts"], plan.parts)))
        else:
            failed = store.place(name, plan.key).with_name(f"{plan.key}.failed").is_dir()
            found.append(Status(name, "failed" if failed else "missing"))
    return found


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
        page, plan = Page(project.notebook(name)), None
        try:
            plan = execute.plan(project, name, {"profile": profile} | dict((given or {}).get(name, {})))
            page.run, page.new = execute.run(project, plan, force=force, report=lambda e, n=name: report(n, e))
            page.fresh = True
        except (ValueError, SyntaxError, RuntimeError) as error:
            page.error = str(error)
            page.run = plan and _last_good(project, plan)
        done.append(page)
    return done


def counts(notebook: Notebook, run: Run) -> bool:
    """Whether a run judged the claims with the parameters that they are about, as its chapter wrote down; a run from before
    chapters did counts when its parameters are the notebook's defaults, but for profile, seeds and device.
    """
    stored = run.read("verdicts.json")
    if stored is None or "counts" in stored:
        return stored is not None and bool(stored["counts"])
    free = ("profile", "seeds", "device")
    given = run.facts["parameters"]
    return all(given.get(k, p.default) == p.default for k, p in notebook.parameters.items() if k not in free)


def that_count(notebook: Notebook, run: Run) -> dict | None:
    """A run's `verdicts.json` with what may count: the reference's verdicts always, its own with the claims' parameters."""
    stored = run.read("verdicts.json")
    if stored is None or counts(notebook, run):
        return stored
    kept = {by: found for by, found in stored["verdicts"].items() if by == "reference"}
    return stored | {"verdicts": kept} if kept else None


def _last_good(project: Project, plan: execute.Planned) -> Run | None:
    """The newest run that a page can show instead of one that failed: one of the same parameters, else one that counts."""
    runs = Store(project.runs).all(plan.notebook.name)
    same = (r for r in runs if r.facts["parameters"] == plan.chosen)
    return next(same, None) or next((r for r in runs if counts(plan.notebook, r)), None)


def assemble(project: Project, pages: list[Page], *, png: bool = False) -> None:
    """Write `book/chapters/NAME.ipynb` for every page, and the sheet the site's extension reads."""
    folder = project.root / CHAPTERS
    sheet = {}
    for page in pages:
        nb = _merge(page)
        if png:
            _add_pictures(nb)
        _write_if_new(folder / f"{page.notebook.name}.ipynb", nbformat.writes(nb) + "\n")
        run = page.run
        sheet[page.notebook.name] = {
            "title": page.notebook.title,
            "fresh": page.fresh,
            "error": page.error,
            "run": None if run is None else {k: v for k, v in run.facts.items() if k != "files"},
            "verdicts": run and that_count(page.notebook, run),
        }
    _write_if_new(folder / SHEET, files.strict_json(sheet) + "\n")


def site(project: Project, output: Path | None = None, *, builder: str = "html") -> Path:
    """Build the static site, every warning an error. Returns the page to open. Raises RuntimeError with the log's end."""
    output = output or project.root
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(project.root)]
    command += ["-W", "-n", "--keep-going"]
    command += ["--path-output", str(output), "--builder", builder]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project.root)
    if done.returncode:
        said = done.stdout + done.stderr
        lines = [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line]
        lines = lines or said.partition("Exception occurred:")[2].partition("The full traceback")[0].splitlines()
        raise RuntimeError("the site did not build:\n" + "\n".join(lines[-20:] or done.stderr.splitlines()[-20:]))
    return output / "_build" / "html" / "index.html"


def verdicts(project: Project, broken: dict[str, str] | None = None) -> dict[str, dict]:
    """The verdict that counts for every claim judged so far: of the committed reference, by the claims as they stand now; for
    a notebook without one, of its newest run that counts. A run with other parameters than the claims' own is an
    exploration, and changes no verdict. broken: takes {notebook: why} for what cannot be read; the others go on."""
    found, store, broken = {}, Store(project.runs), {} if broken is None else broken
    for name in project.names:
        notebook = project.notebook(name)
        try:
            run = next((r for r in store.all(name) if counts(notebook, r)), None)
            found |= claims.counting(run.read("verdicts.json")) if run else {}
        except ValueError as error:
            broken[name] = str(error)
        try:
            found |= _committed(project, name)
        except ValueError as error:
            broken[name] = str(error)
    return found


def _committed(project: Project, name: str) -> dict[str, dict]:
    """Verdicts by the quantities that a notebook's committed reference holds; none without one."""
    path, known = project.root / "book" / "reference" / name / records.HEADER, project.root / "book" / "claims.yml"
    if not path.is_file() or not known.is_file():
        return {}
    mine = {k: c for k, c in claims.load(known).items() if c.chapter == name}
    judged = claims.judge(mine, records.header(path.parent).get("quantities") or {})
    precise = [v for v in judged if v.criterion == "precise" and v.verdict != claims.words.AWAITING]
    return {v.id: v.as_dict() | {"by": "reference"} for v in precise}


def _merge(page: Page) -> nbformat.NotebookNode:
    """The source's cells as they stand now, with the outputs of the run: prose may change without a new run."""
    source = page.notebook.content
    if page.run is None:
        note = f"# {page.notebook.title}\n\n{EMPTY.format(why=page.error)}\n\n## Source\n\nSee the notebook itself."
        return nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_markdown_cell(note, id="c000")], metadata=source.metadata
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
    for cell in source.cells:
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
