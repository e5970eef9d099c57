"""The command `ruc`, and what its parts answer: lines for a person, in the width of the terminal, or JSON for a program."""

from __future__ import annotations

import functools
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from helpers import files
from helpers.run import streams

COLORS = {
    "supported": "green",
    "refuted": "red",
    "mixed": "magenta",
    "undecided": "yellow",
    "too few": "dim",
    "awaiting": "dim",
    "fresh": "green",
    "broken": "red",
    "failed": "red",
}


@dataclass
class Answer:
    """data: for --json. table and rows, then lines: for a person. faults: for stderr, each once. code: the exit code."""

    data: dict
    lines: Sequence[str] = ()
    table: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    faults: Sequence[str] = field(default_factory=tuple)
    code: int = 0


class Folder(click.Path):
    """A folder by name. An empty name, as of a variable that is not set, is no name of the working folder."""

    def __init__(self):
        super().__init__(path_type=Path)

    def convert(self, value, param, context):
        if not str(value).strip() and not isinstance(value, Path):
            self.fail(
                "the name is empty, and the name of a folder was expected; is a variable not set?", param, context
            )
        return super().convert(value, param, context)


class _Commands(click.Group):
    """Commands in the order of their definition, which is the order in which they are used."""

    def list_commands(self, context):
        return list(self.commands)


@click.group(cls=_Commands, no_args_is_help=True)
@click.option("--runs", type=Folder(), help="Where runs are kept, instead of runs/ in the repository.")
@click.pass_context
def app(context: click.Context, runs: Path | None) -> None:
    """Run the notebooks of Representations Under Constraint, and build the book from the runs."""

    def find():
        from helpers.run.project import Project

        return Project.find(runs)

    context.obj = find


def answers(act: Callable[..., Answer]) -> Callable:
    """A command that prints its answer, or with --json one JSON object, and ends with its code."""

    @click.option("--json", "plain", is_flag=True, help="Answer with one JSON object.")
    @functools.wraps(act)
    def command(*args, plain: bool, **kw) -> None:
        answer = act(*args, **kw)
        told = [files.strict_json(answer.data | {"code": answer.code})] if plain else shown(answer)
        try:
            streams.say(told)
        finally:
            for fault in dict.fromkeys(answer.faults):
                complain(fault)
        sys.exit(answer.code)

    return command


def command(name: str, example: str, **options) -> Callable:
    """A command of `ruc` whose help ends with an example, and which answers a person or, with --json, a program."""
    return lambda act: app.command(name, epilog=f"Example:  {example}", **options)(answers(act))


def shown(answer: Answer) -> list[str]:
    """A table in the width of the terminal, and lines as they are: a path in one stays in one piece."""
    text = []
    if answer.rows:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table(*answer.table, box=None, pad_edge=False)
        for row in answer.rows:
            table.add_row(*(_colored(escape(str(cell))) for cell in row))
        console = Console(highlight=False)
        with console.capture() as made:
            console.print(table)
        text = made.get().splitlines()
    return text + list(answer.lines)


def complain(text: str, head: str = "ruc: ") -> None:
    """An error, wrapped to the terminal, on stderr. It is red on a terminal."""
    body = wrapped(head + text)
    print(f"\x1b[31m{body}\x1b[0m" if sys.stderr.isatty() else body, file=sys.stderr, flush=True)


def wrapped(text: str, further: str = "  ") -> str:
    """Lines no longer than the terminal is wide (80 where there is none), broken between words alone. further: what a line that
    goes on begins with."""
    width = max(40, shutil.get_terminal_size((80, 24)).columns)
    lines = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        options = {"break_long_words": False, "break_on_hyphens": False, "subsequent_indent": indent + further}
        lines += textwrap.wrap(line, width, **options) or [""]
    return "\n".join(lines)


def _colored(cell: str) -> str:
    return f"[{COLORS[cell]}]{cell}[/{COLORS[cell]}]" if cell in COLORS else cell


def size(count: int) -> str:
    """'12 kB', '3.4 MB', '1.2 GB'."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"
