"""`ruc`: list, run, build, status, claims. What a command needs is imported by that command, so that help is there at once."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from helpers.run import streams
from helpers.run.say import Answer, Folder, app, command, complain

if TYPE_CHECKING:
    from helpers.run.build import Status

INTERRUPTED = 130
SHORT = click.FloatRange(min=1)


def _bar():
    from rich.console import Console

    from helpers.run.bar import Bar

    return Bar(Console(stderr=True, highlight=False))


@command("list", "ruc list")
@click.pass_obj
def list_(find) -> Answer:
    """All notebooks: name, title, state of the latest run."""
    from helpers.run import build

    project = find()
    found = build.status(project)
    titles = {s.name: build.title(project.notebook(s.name), s.run) for s in found}
    rows = [(s.name, titles[s.name], s.state) for s in found]
    data = {"notebooks": [_told(s) | {"title": titles[s.name]} for s in found]}
    return Answer(data, (), ("notebook", "title", "state"), rows, _faults(found), 1 if _faults(found) else 0)


def _told(status: Status) -> dict:
    facts = status.run.facts if status.run else {}
    kept = {k: facts.get(k) for k in ("key", "started", "seconds")} | {"folder": status.run and str(status.run.folder)}
    state = {"notebook": status.name, "state": status.state, "changed": status.changed, "error": status.error}
    return state | kept | {"device": facts.get("provenance", {}).get("device")}


def _faults(found: list[Status]) -> list[str]:
    """One line for every file at fault, however many notebooks it stops."""
    by: dict[str, list[str]] = {}
    for s in found:
        if s.error:
            by.setdefault(s.error, []).append(s.name)
    return [f"{', '.join(names)}: {error}" for error, names in by.items()]


@command("run", "ruc run learned_encoding -p seeds 5 -p device cpu", add_help_option=False)
@click.argument("notebook", required=False)
@click.option("-p", "--parameter", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter; may be repeated.")
@click.option("--profile", metavar="quick|full", help="The same as -p profile.")
@click.option("--force", is_flag=True, help="Run although there is a finished run with this key.")
@click.option("--limit", type=SHORT, metavar="SECONDS", help="Wall time after which it ends, waiting included.")
@click.option("--help", "explain", is_flag=True, help="Show this, and the parameters of NOTEBOOK.")
@click.pass_context
def run(context, notebook, parameter, profile, force, limit, explain) -> Answer:
    """Run one NOTEBOOK. Parameters are checked first; a fresh run is not repeated; a failed one leaves the rest alone."""
    from helpers.run import execute

    if explain or notebook is None:
        if not context.params["plain"]:
            click.echo(context.get_help())
        return _explained(context, notebook, 0 if explain else 2)
    project = context.obj()
    given = dict(parameter) | ({"profile": profile} if profile else {})
    plan = execute.plan(project, notebook, given)
    name = plan.notebook.name
    with _bar() as progress:
        done, new = execute.run(project, plan, force=force, limit=limit, report=lambda event: progress(name, event))
    what = f"done in {done.facts['seconds']:.0f} s" if new else "fresh, nothing to do (--force runs it)"
    data = {k: done.facts[k] for k in ("notebook", "key", "parameters", "started", "seconds")}
    return Answer(data | {"new": new, "folder": str(done.folder)}, (f"{name}: {what}", f"  {done.folder}"))


def _explained(context, name: str | None, code: int) -> Answer:
    known = context.obj().notebook(name).parameters.values() if name else ()
    rows = [(p.name, p.type, repr(p.default), p.limits, p.help) for p in known]
    heads = ("parameter", "type", "default", "takes", "meaning")
    return Answer({"parameters": [dict(zip(heads, r, strict=True)) for r in rows]}, (), heads, rows, code=code)


@command("exercise", "ruc exercise encoding_limits 1")
@click.argument("notebook")
@click.argument("number", type=int, required=False)
@click.option("--limit", type=SHORT, metavar="SECONDS", help="Wall time after which it ends, waiting included.")
@click.pass_obj
def exercise(find, notebook, number, limit) -> Answer:
    """Do exercise NUMBER of NOTEBOOK: run its command, unless that was done, and hold what came out against the answer. Without
    a number: list them. Ends with 0 where it came out as the answer says, 1 where not, 3 where it is too uncertain to say."""
    from helpers.run import execute, exercises

    project = find()
    source = project.notebook(notebook)
    known = exercises.of(source)
    if not known:
        raise ValueError(f"{source.name} has no exercises")
    for e in known:
        exercises.check(project, e)
    if number is None:
        lines = [f"{i}. {e.title}\n   {e.command}   (about {e.minutes:g} min)" for i, e in enumerate(known, 1)]
        data = [{"title": e.title, "command": e.command, "minutes": e.minutes, "expects": e.expects} for e in known]
        return Answer({"exercises": data}, lines)
    if not 1 <= number <= len(known):
        raise ValueError(f"{source.name} has {len(known)} exercises; there is none of number {number}")
    chosen = known[number - 1]
    with _bar() as progress:
        plan = execute.plan(project, chosen.notebook, chosen.given)
        done, _ = execute.run(project, plan, limit=limit, report=lambda event: progress(chosen.notebook, event))
    found = exercises.values(done, chosen.quantity)
    held, told = exercises.told(chosen, found, exercises.committed(project, chosen))
    return Answer(
        {"held": held, "told": told, "folder": str(done.folder)}, (told,), code={True: 0, False: 1}.get(held, 3)
    )


@command("build", "ruc build            (then open the page it prints)")
@click.option("--profile", default="quick", show_default=True, help="Which profile's runs the pages show.")
@click.option("--png", is_flag=True, help="Add a picture beside every live figure (needs the png extra).")
@click.option("--force", is_flag=True, help="Run every notebook anew.")
@click.option("--output", type=Folder(), help="Folder for _build/, instead of the repository.")
@click.pass_obj
def build(find, profile, png, force, output) -> Answer:
    """Run what is stale, then build the static book. A chapter that fails keeps its last good page."""
    from helpers.run import build as building
    from helpers.run import locks
    from helpers.run.store import Store

    project, clock = find(), time.monotonic()
    output = output and output.expanduser().absolute()
    with _bar() as progress:
        waiting = lambda who: progress("build", {"event": "waiting", "for": who})
        with locks.held(Store(project.runs).lock(".", "build"), waiting):
            pages = building.chapters(project, profile=profile, force=force, report=progress)
            page, fault = _site(building, project, pages, png, output)
    new, seconds = sum(p.new for p in pages), time.monotonic() - clock
    data = [{"notebook": p.notebook.name, "new": p.new, "fresh": p.fresh, "error": p.error} for p in pages]
    failed = [f"{p.notebook.name}: {p.error}" for p in pages if p.error]
    return Answer(
        {"chapters": data, "seconds": seconds} | ({"error": fault} if fault else {"page": str(page)}),
        (f"{len(pages)} chapters, {new} run anew, {seconds:.0f} s", *([f"open {page}"] if page else ())),
        faults=[*failed, *([fault] if fault else ())],
        code=2 if fault else 1 if failed else 0,
    )


def _site(building, project, pages, png, output) -> tuple[Path | None, str]:
    """The page to open; or why there is none, which is told after the chapters' own faults."""
    try:
        building.assemble(project, pages, png=png)
        return building.site(project, output), ""
    except (OSError, ValueError, RuntimeError) as error:
        return None, _words(error)


@command("status", "ruc status")
@click.pass_obj
def status(find) -> Answer:
    """For every notebook: fresh, stale and which parts changed, missing or broken; when it ran, on what, how long."""
    from helpers.run import build

    found, rows = build.status(find()), []
    for s in found:
        facts = s.run.facts if s.run else {}
        device = str(facts.get("provenance", {}).get("device", ""))
        seconds = f"{facts['seconds']:.0f}" if facts else ""
        rows.append((s.name, s.state, facts.get("started", ""), device, seconds, ", ".join(s.changed)))
    heads = ("notebook", "state", "ran", "on", "seconds", "changed")
    code = 1 if any(s.error for s in found) else 0
    return Answer({"notebooks": [_told(s) for s in found]}, (), heads, rows, _faults(found), code)


@command("claims", "ruc claims --seed 004")
@click.option("--seed", help="Only claims of one seed document, such as 004.")
@click.pass_obj
def claims(find, seed) -> Answer:
    """The ledger: every claim, its criterion, and its verdict by the reference run or, without one, by the latest run."""
    from helpers import claims as criteria
    from helpers.run import counting

    project = find()
    path = project.root / "book" / "claims.yml"
    if not path.is_file():
        raise FileNotFoundError(f"there are no claims: {path} is gone; take it back with: git checkout book/claims.yml")
    known = criteria.load(path).values()
    if seed is not None and seed not in (seeds := sorted({c.seed for c in known})):
        raise ValueError(f"no claim is of document {seed!r}; there are {', '.join(seeds)}")
    broken: dict[str, str] = {}
    sheet, rows, data = counting.verdicts(project, broken), [], []
    for c in known:
        if seed and c.seed != seed:
            continue
        found = sheet.get(c.id, {"verdict": criteria.words.AWAITING, "by": "", "reason": c.precise.text})
        rows.append((c.id, found["verdict"], found["by"], f"{c.claim} — {found['reason']}"))
        data.append({"claim": c.id, "seed": c.seed, "chapter": c.chapter, "sentence": c.claim} | found)
    faults = [f"{name}: {why}" for name, why in broken.items()]
    heads = ("claim", "verdict", "by", "criterion and reason")
    return Answer({"claims": data, "broken": broken}, (), heads, rows, faults, 1 if broken else 0)


def main() -> None:
    """The console command. Expected faults are a few lines on stderr and an exit code; only bugs show a traceback."""
    streams.unicode()
    streams.ready()
    for stop in (signal.SIGTERM, signal.SIGHUP):  # from a batch system, or a terminal that closes: as Ctrl-C
        if signal.getsignal(stop) is not signal.SIG_IGN:  # nohup means it
            signal.signal(stop, signal.default_int_handler)
    try:
        code = app(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = _said(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        text = "interrupted; earlier results are untouched"
        complain(text, head="")
        code = _said(text, INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        code = 0
    except (OSError, ValueError, SyntaxError, RuntimeError, MemoryError) as error:
        text = _words(error)
        complain(text)
        code = _said(text, getattr(error, "code", 2))
    streams.end()
    sys.exit(code if isinstance(code, int) else 0)


def _words(error: BaseException) -> str:
    """What an error says; of one that the system raised, the file and the fault, without its number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _said(text: str, code: int) -> int:
    """The exit code, as a number; with --json the error is told on stdout as well."""
    code = code if isinstance(code, int) else 2
    if "--json" in sys.argv:
        with contextlib.suppress(OSError):
            streams.say([json.dumps({"error": text, "code": code})])
    return code


from helpers.run import upkeep  # noqa: E402, F401  its commands come after these

if __name__ == "__main__":
    main()
