"""`ruc`: list, run, build, status, claims."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from helpers import claims as claims_module
from helpers.run import build as building
from helpers.run import execute, exercises
from helpers.run import reference as reference_module
from helpers.run.bar import Bar
from helpers.run.project import Notebook, Project

out, err = Console(highlight=False), Console(stderr=True, highlight=False)
COLORS = {
    "supported": "green",
    "refuted": "red",
    "mixed": "magenta",
    "undecided": "yellow",
    "too few": "dim",
    "awaiting": "dim",
}
INTERRUPTED = 130


class _Commands(click.Group):
    """Commands in the order of their definition, which is the order in which they are used."""

    def list_commands(self, context):
        return list(self.commands)


@click.group(cls=_Commands, no_args_is_help=True)
@click.option(
    "--runs", type=click.Path(path_type=Path), help="Where runs are kept, instead of runs/ in the repository."
)
@click.pass_context
def app(context: click.Context, runs: Path | None) -> None:
    """Run the notebooks of Representations Under Constraint, and build the book from the runs."""
    context.obj = lambda: Project.find(runs)


def command(name: str, example: str):
    """A command whose help ends with an example."""
    return app.command(name, epilog=f"Example:  {example}")


@command("list", "ruc list")
@click.pass_obj
def list_(find) -> None:
    """All notebooks: name, title, state of the latest run."""
    project = find()
    table = Table("notebook", "title", "state", box=None, pad_edge=False)
    for s in building.status(project):
        table.add_row(s.name, escape(project.notebook(s.name).title), s.state)
    out.print(table)


@app.command("run", add_help_option=False, epilog="Example:  ruc run learned_encoding -p seeds 5 -p device cpu")
@click.argument("notebook", required=False)
@click.option("-p", "--parameter", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter; may be repeated.")
@click.option("--profile", metavar="quick|full", help="The same as -p profile.")
@click.option("--force", is_flag=True, help="Run although there is a finished run with this key.")
@click.option(
    "--limit", type=click.FloatRange(min=1), metavar="SECONDS", help="Wall time after which the run is ended."
)
@click.option("--help", "explain", is_flag=True, help="Show this, and the parameters of NOTEBOOK.")
@click.pass_context
def run(context, notebook, parameter, profile, force, limit, explain) -> None:
    """Run one NOTEBOOK. Parameters are checked first; a fresh run is not repeated; a failed one leaves the rest alone."""
    if explain or notebook is None:
        click.echo(context.get_help())
        if notebook:
            _explain(context.obj().notebook(notebook))
        context.exit(0 if explain else 2)
    project = context.obj()
    given = dict(parameter) | ({"profile": profile} if profile else {})
    plan = execute.plan(project, notebook, given)
    name = plan.notebook.name
    with Bar(err) as progress:
        done, new = execute.run(project, plan, force=force, limit=limit, report=lambda event: progress(name, event))
    what = f"done in {done.facts['seconds']:.0f} s" if new else "fresh, nothing to do (--force runs it)"
    out.print(f"{name}: {what}\n  {escape(str(done.folder))}", soft_wrap=True)


@command("exercise", "ruc exercise encoding_limits 1")
@click.argument("notebook")
@click.argument("number", type=int, required=False)
@click.option("--limit", type=click.FloatRange(min=1), metavar="SECONDS", help="Wall time after which it is ended.")
@click.pass_obj
def exercise(find, notebook, number, limit) -> None:
    """Do exercise NUMBER of NOTEBOOK: run its command, unless that was done, and hold what came out against the answer. Without
    a number: list them. Ends with 0 where it came out as the answer says, 1 where not, 3 where it is too uncertain to say."""
    project = find()
    source = project.notebook(notebook)
    known = exercises.of(source)
    if not known:
        raise ValueError(f"{source.name} has no exercises")
    for e in known:
        exercises.check(project, e)
    if number is None:
        for i, e in enumerate(known, 1):
            out.print(escape(f"{i}. {e.title}\n   {e.command}   (about {e.minutes:g} min)"), soft_wrap=True)
        return
    if not 1 <= number <= len(known):
        raise ValueError(f"{source.name} has {len(known)} exercises; there is none of number {number}")
    chosen = known[number - 1]
    with Bar(err) as progress:
        plan = execute.plan(project, chosen.notebook, chosen.given)
        done, _ = execute.run(project, plan, limit=limit, report=lambda event: progress(chosen.notebook, event))
    found = exercises.values(done, chosen.quantity)
    held, told = exercises.told(chosen, found, exercises.committed(project, chosen))
    color = {True: "green", False: "red", None: "yellow"}[held]
    out.print(f"[{color}]{escape(told)}[/{color}]", soft_wrap=True)
    sys.exit({True: 0, False: 1, None: 3}[held])


@command("build", "ruc build            (then open the page it prints)")
@click.option("--profile", default="quick", show_default=True, help="Which profile's runs the pages show.")
@click.option("--png", is_flag=True, help="Add a picture beside every live figure (needs the png extra).")
@click.option("--force", is_flag=True, help="Run every notebook anew.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for _build/, instead of the repository.")
@click.pass_obj
def build(find, profile, png, force, output) -> None:
    """Run what is stale, then build the static book. A chapter that fails keeps its last good page."""
    project, clock = find(), time.monotonic()
    with Bar(err) as progress:
        pages = building.chapters(project, profile=profile, force=force, report=progress)
    failed = [p for p in pages if p.error]
    for p in failed:
        err.print(f"[red]{p.notebook.name}[/red]: {escape(p.error)}", soft_wrap=True)
    building.assemble(project, pages, png=png)
    page = building.site(project, output)
    new = sum(p.new for p in pages)
    out.print(
        f"{len(pages)} chapters, {new} run anew, {time.monotonic() - clock:.0f} s\nopen {escape(str(page))}",
        soft_wrap=True,
    )
    sys.exit(1 if failed else 0)


@command("status", "ruc status")
@click.pass_obj
def status(find) -> None:
    """For every notebook: fresh, stale and which parts changed, or missing; when it ran, on what, how long."""
    found = building.status(find())
    table = Table("notebook", "state", "ran", "on", "seconds", "changed", box=None, pad_edge=False)
    for s in found:
        facts = s.run.facts if s.run else {}
        device = str(facts.get("provenance", {}).get("device", ""))
        seconds = f"{facts['seconds']:.0f}" if facts else ""
        table.add_row(s.name, s.state, facts.get("started", ""), device, seconds, escape(", ".join(s.changed)))
    out.print(table)
    for s in found:
        if s.error:
            err.print(f"[red]{s.name}[/red]: {escape(s.error)}", soft_wrap=True)
    sys.exit(1 if any(s.error for s in found) else 0)


@command("claims", "ruc claims --seed 004")
@click.option("--seed", help="Only claims of one seed document, such as 004.")
@click.pass_obj
def claims(find, seed) -> None:
    """The ledger: every claim, its criterion, and its verdict by the reference run or, without one, by the latest run."""
    project = find()
    known_claims = claims_module.load(project.root / "book" / "claims.yml").values()
    if seed is not None and seed not in (seeds := sorted({c.seed for c in known_claims})):
        raise ValueError(f"no claim is of document {seed!r}; there are {', '.join(seeds)}")
    broken: dict[str, str] = {}
    sheet = building.verdicts(project, broken)
    table = Table("claim", "verdict", "by", "criterion and reason", box=None, pad_edge=False)
    for c in known_claims:
        if seed and c.seed != seed:
            continue
        known = sheet.get(c.id, {"verdict": claims_module.words.AWAITING, "by": "", "reason": c.precise.text})
        color = COLORS.get(known["verdict"], "yellow")
        verdict = f"[{color}]{known['verdict']}[/{color}]"
        table.add_row(c.id, verdict, known["by"], escape(f"{c.claim} — {known['reason']}"))
    out.print(table)
    for name, why in broken.items():
        err.print(f"[red]{name}[/red]: {escape(why)}", soft_wrap=True)
    sys.exit(1 if broken else 0)


@command("reference", "ruc reference learned_encoding")
@click.argument("notebook")
@click.option("--label", default="", metavar="NAME", help="A second reference of the same notebook, on other data.")
@click.option("--force", is_flag=True, help="Replace a reference of that label although it has other parameters.")
@click.option("--key", default="", help="The run to take, instead of the newest with the full profile.")
@click.pass_obj
def reference(find, notebook, label, key, force) -> None:
    """Keep a full-scale run of NOTEBOOK in the repository: its records and a header, under book/reference/."""
    project = find()
    folder = reference_module.write(project, reference_module.newest(project, notebook, key, label), label, force)
    for path in sorted(folder.iterdir()):
        if path.is_file():
            out.print(f"{escape(str(path.relative_to(project.root)))}  {path.stat().st_size} bytes", soft_wrap=True)


@command("rejudge", "ruc rejudge dtdr_emergence")
@click.argument("notebook")
@click.pass_obj
def rejudge(find, notebook) -> None:
    """Measure NOTEBOOK's committed references again, after a criterion changed: new quantities in their headers, no run."""
    project = find()
    source = project.notebook(notebook)
    study = reference_module.study_of(project, source.name)
    for path in reference_module.rejudge(project, source.name, study, time.strftime("%Y-%m-%d")):
        out.print(escape(str(path.relative_to(project.root))), soft_wrap=True)


@command("import-pkl", "ruc import-pkl mistral_7b_compressed_2x.pkl mistral_7b.safetensors")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--block", default=128, show_default=True, help="Largest block of the transform, a power of two.")
def import_pkl(source, target, block) -> None:
    """Read a published .pkl of weights without trusting it, and write it as a store (safetensors and a JSON header)."""
    from helpers.codec import Codec
    from helpers.stores import StoreFile, import_pkl

    path = import_pkl(source, target, Codec(cap=block))
    store = StoreFile.open(path)
    out.print(f"{path}: {len(store.names())} matrices, {store.nbytes / 2**20:.1f} MiB", soft_wrap=True)


def _explain(notebook: Notebook) -> None:
    table = Table("parameter", "type", "default", "takes", "meaning", box=None, pad_edge=False)
    for p in notebook.parameters.values():
        table.add_row(p.name, escape(p.type), escape(repr(p.default)), escape(p.limits), escape(p.help))
    out.print(f"\nParameters of {notebook.name}:\n")
    out.print(table)


def main() -> None:
    """The console command. Expected faults are one line on stderr and an exit code; only bugs show a traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # where a terminal knows ASCII alone
    for stop in (signal.SIGTERM, signal.SIGHUP):  # from a batch system, or a terminal that closes: as Ctrl-C
        signal.signal(stop, signal.default_int_handler)
    try:
        code = app(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        err.print("interrupted; earlier results are untouched")
        code = INTERRUPTED
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        err.print(f"[red]ruc:[/red] {escape(str(error))}", soft_wrap=True)
        code = getattr(error, "code", 2)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
