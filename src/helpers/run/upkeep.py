"""`ruc`: the commands that keep the book in order."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from helpers.run.say import Answer, command, size, wrapped


@command("reference", "ruc reference learned_encoding")
@click.argument("notebook")
@click.option("--label", default="", metavar="NAME", help="A second reference of the same notebook, on other data.")
@click.option("--force", is_flag=True, help="Replace a reference although it has other parameters.")
@click.option("--key", default="", help="The run to take, instead of the newest with the full profile.")
@click.pass_obj
def reference(find, notebook, label, key, force) -> Answer:
    """Keep a full-scale run of NOTEBOOK in the repository: its records and a header, under book/reference/."""
    from helpers.run import reference as module

    project = find()
    folder = module.write(project, module.newest(project, notebook, key, label), label, force)
    found = {str(p.relative_to(project.root)): p.stat().st_size for p in sorted(folder.iterdir()) if p.is_file()}
    return Answer({"files": found}, [f"{path}  {count} bytes" for path, count in found.items()])


@command("rejudge", "ruc rejudge dtdr_emergence")
@click.argument("notebook")
@click.pass_obj
def rejudge(find, notebook) -> Answer:
    """Measure NOTEBOOK's committed references again, after a criterion changed: new quantities in their headers, no run."""
    from helpers.run import reference as module

    project = find()
    name = project.notebook(notebook).name
    written = module.rejudge(project, name, module.study_of(project, name), time.strftime("%Y-%m-%d"))
    found = [str(path.relative_to(project.root)) for path in written]
    return Answer({"files": found}, found)


@command("import-pkl", "ruc import-pkl mistral_7b_compressed_2x.pkl mistral_7b.safetensors")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--block", default=128, show_default=True, help="Largest block of the transform, a power of two.")
@click.option("--force", is_flag=True, help="Replace a target that is there.")
def import_pkl(source, target, block, force) -> Answer:
    """Read a published .pkl of weights without trusting it, and write it as a store (safetensors and a JSON header)."""
    from helpers.codec import Codec
    from helpers.stores import StoreFile
    from helpers.stores import import_pkl as converted

    path = converted(source, target, Codec(cap=block), force=force)
    store = StoreFile.open(path)
    data = {"file": str(path), "matrices": len(store.names()), "bytes": store.nbytes}
    return Answer(data, (f"{path}: {data['matrices']} matrices, {size(store.nbytes)}",))


@command("pairs", "ruc pairs")
@click.option(
    "--force", is_flag=True, help="Make twins that were changed anew as well; what was in them is kept beside."
)
@click.pass_obj
def pairs(find, force) -> Answer:
    """Make every NAME.ipynb from its NAME.py, never the other way. A twin that was changed elsewhere stays as it is."""
    from helpers.run import pairs as module

    made, kept, copies, broken = module.make(find(), force)
    lines = [f"{name}.ipynb made from {name}.py" for name in made] + [f"your copy is {path}" for path in copies]
    hint = "it stays as it is, and differs from its source; `ruc pairs --force` makes it anew, and keeps a copy"
    faults = [f"notebooks/{name}.ipynb was changed: {hint}" for name in kept] + broken
    data = {"made": made, "changed": kept, "copies": [str(p) for p in copies], "broken": broken}
    return Answer(data, lines, faults=faults, code=1 if broken else 0)


@command("clean", "ruc clean --yes")
@click.option("--yes", is_flag=True, help="Remove what is shown.")
@click.option("--stale", is_flag=True, help="Finished runs of earlier sources as well.")
@click.option("--live", is_flag=True, help="What notebooks have written that were run in JupyterLab as well.")
@click.option(
    "--changed", is_flag=True, help="Finished runs that you changed, put aside when they were run anew, as well."
)
@click.pass_obj
def clean(find, yes, stale, live, changed) -> Answer:
    """Show what failed, interrupted and killed runs left, with sizes; remove it with --yes. No finished run unless asked."""
    from helpers.run import leavings

    found = leavings.find(find(), stale=stale, live=live, changed=changed)
    removed = leavings.remove(found) if yes else []
    data = [{"path": str(f.path), "bytes": f.size, "what": f.what, "removed": f in removed} for f in found]
    lines = [f"{size(f.size):>9}  {f.what}\n           {f.path}" for f in found]
    if not found:
        lines.append("nothing is left over")
    elif yes:
        lines.append(f"{size(sum(f.size for f in removed))} removed")
    else:
        lines.append(f"{size(sum(f.size for f in found))} in all; ruc clean --yes removes it")
    stuck = [f"could not remove {f.path}" for f in found if yes and f not in removed]
    return Answer({"found": data}, lines, faults=stuck, code=1 if stuck else 0)


@command("doctor", "ruc doctor")
@click.pass_obj
def doctor(find) -> Answer:
    """What this machine can run, what is in the way, and what each chapter's full profile needs and takes. Ends with 1 where
    something is."""
    from helpers.run import doctor as module

    project = find()
    checks, chapters = module.checks(project), module.chapters(project)
    lines = [f"{'ok  ' if c.well else 'LOOK'}  {c.name:<10} {c.found}" for c in checks] + ["", *map(str, chapters)]
    lines = [wrapped(line, "      ") for line in lines]
    faults = [f"{c.name}: {c.advice}" for c in checks if not c.well]
    data = {"checks": [vars(c) for c in checks], "chapters": [vars(c) for c in chapters]}
    return Answer(data, lines, faults=faults, code=1 if faults else 0)


@command(
    "lab",
    "ruc lab --ip 0.0.0.0 --no-browser",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def lab(find, words) -> Answer:
    """Open the notebooks in JupyterLab. What follows is handed on to it. As root in a container --allow-root is added."""
    project = find()
    root = ["--allow-root"] if os.geteuid() == 0 and "--allow-root" not in words else []
    command = [sys.executable, "-P", "-m", "jupyterlab", *root, *words, str(Path(project.root, "notebooks"))]
    os.execv(sys.executable, command)
