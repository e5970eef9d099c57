"""The exercises of a chapter, as its text holds them: what to predict, what to run, and a check on what the run found.

:::{exercise} One letter a word
:run: ruc run encoding_limits -p k 1
:minutes: 2
:check: e8_genome_10 above 0.9
What is asked, and what to predict.

+++
The answer, folded on the page.
:::
"""

from __future__ import annotations

import difflib
import math
import re
import shlex
from dataclasses import dataclass

import numpy as np

from helpers import claims, numbers, records, stats
from helpers.run.project import Notebook, Project
from helpers.run.store import Run

FENCE = re.compile(r"^:::\{exercise\}[ \t]*(?P<title>[^\n]*)\n(?P<body>.*?)^:::[ \t]*$", re.M | re.S)
OPTION = re.compile(r"^:(\w+):[ \t]*(.*)$")
CHECK = re.compile(r"([\w.]+) (above|below) (committed|[-+]?[\d.]+(?:e[-+]?\d+)?)")
FOLD = "+++"  # between the question and its answer
FORM = ":check: QUANTITY above|below NUMBER|committed"


@dataclass(frozen=True)
class Exercise:
    """One exercise. command: what is run, as typed; given: its notebook's parameters by name, as text; quantity: what the
    check looks at, side 'above' or 'below', and border, a number or None for the committed run's mean."""

    title: str
    command: str
    notebook: str
    given: dict[str, str]
    minutes: float
    quantity: str
    side: str
    border: float | None
    question: str
    answer: str

    @property
    def expects(self) -> str:
        """'e8_genome_10 above 0.9'."""
        return (
            f"{self.quantity} {self.side} {'the committed run' if self.border is None else numbers.write(self.border)}"
        )


def of(notebook: Notebook) -> list[Exercise]:
    """A notebook's exercises in order. Raises ValueError, with what is wrong, for one that is not whole."""
    prose = "\n\n".join(c.source for c in notebook.cells if not c.code)
    found = [parse(notebook.name, m["title"], m["body"]) for m in FENCE.finditer(prose)]
    opened = len(re.findall(r"^:{3,}\{exercise\}", prose, re.M))
    if opened != len(found) or any("{exercise}" in e.answer for e in found):
        raise ValueError(
            f"{notebook.name} opens {opened} exercises and {len(found)} are whole; each begins with :::{{exercise}} TITLE and "
            "ends with :::"
        )
    return found


def check(project: Project, exercise: Exercise) -> None:
    """Raises ValueError where an exercise cannot be done: for its notebook, a parameter, or a quantity that no claim of the
    notebook and no committed run of it names (a notebook without claims is not asked)."""
    notebook = project.notebook(exercise.notebook)
    what = f"{exercise.notebook}, exercise {exercise.title!r}"
    for name in exercise.given:
        if name not in notebook.parameters:
            raise ValueError(f"{what}: there is no parameter {name!r}; there are {', '.join(notebook.parameters)}")
    path = project.root / "book" / "claims.yml"
    judged = [c for c in claims.load(path).values() if c.chapter == exercise.notebook] if path.is_file() else []
    header = _header(project, exercise)
    known = {t.quantity for c in judged for t in (*c.precise.tests, *c.precise.controls, *c.printed.tests)}
    known |= {*(header.get("quantities") or {})}
    if known and exercise.quantity not in known:
        near = difflib.get_close_matches(exercise.quantity, known, 1)
        raise ValueError(f"{what}: no quantity {exercise.quantity!r}" + (f"; did you mean {near[0]}?" if near else ""))
    if exercise.border is None and not committed(project, exercise):
        raise ValueError(f"{what}: no committed run has {exercise.quantity} to compare with; write a number in :check:")


def parse(name: str, title: str, body: str) -> Exercise:
    """An exercise from the lines between its fences. name: the notebook that holds it, for what is raised."""
    lines, options = body.splitlines(), {}
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and (found := OPTION.match(lines[0])):
        options[found[1]] = found[2].strip()
        lines.pop(0)
    what = f"{name}, exercise {title!r}"
    if not title.strip():
        raise ValueError(f"{name} has an exercise without a title; write :::{{exercise}} TITLE")
    if unknown := options.keys() - {"run", "minutes", "check"}:
        raise ValueError(f"{what}: :{min(unknown)}: is unknown; an exercise has :run:, :minutes: and :check:")
    if missing := {"run", "minutes", "check"} - options.keys():
        raise ValueError(f"{what} lacks :{min(missing)}:; an exercise has :run:, :minutes: and :check:")
    question, fold, answer = "\n".join(lines).partition(f"\n{FOLD}\n")
    if not fold or not question.strip() or not answer.strip():
        raise ValueError(f"{what} needs a question, a line {FOLD} and an answer below it")
    if not (check := CHECK.fullmatch(options["check"])):
        raise ValueError(f"{what}: {options['check']!r} is no check; write {FORM}")
    minutes = _number(what, options["minutes"], "minutes")
    runs, given = _command(what, options["run"])
    border = None if check[3] == "committed" else _number(what, check[3], "in :check:")
    known = (title, options["run"], runs, given, minutes, check[1], check[2], border)
    return Exercise(*known, question.strip(), answer.strip())


def _number(what: str, text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{what}: {text!r} {where}; a number was expected")
    return value


def _command(what: str, text: str) -> tuple[str, dict[str, str]]:
    """The notebook and the parameters of `ruc run NAME -p a 1 --profile full`."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{what}: {text!r}: {error}") from None
    if words[:2] != ["ruc", "run"] or len(words) < 3:
        raise ValueError(f"{what}: {text!r} runs nothing; write ruc run NAME -p PARAMETER VALUE")
    name, words, given = words[2], words[3:], {}
    while words:
        flag = words.pop(0)
        if flag not in ("-p", "--profile") or len(words) < (1 if flag == "--profile" else 2):
            raise ValueError(f"{what}: {text!r}; after the name come -p PARAMETER VALUE and --profile NAME alone")
        given |= {"profile": words.pop(0)} if flag == "--profile" else {words.pop(0): words.pop(0)}
    return name, given


def values(run: Run, quantity: str) -> list[float]:
    """What a run found of a quantity, one value a unit: one that the claims name; in a notebook that keeps one record a seed,
    also a column of its records' last rows. Raises ValueError for one that it has not measured.
    """
    known = run.read("quantities.json") or {}
    if quantity in known:
        found = [float(v) for v in known[quantity] if v is not None]
        if not found:
            raise ValueError(f"{run.facts['notebook']} has measured {quantity} in no unit")
        return found
    kept = [records.read(path) for path in sorted((run.folder / "records").glob("audit_log_*.json"))]
    seeds = [r["metadata"]["seed"] for r in kept]
    ends = [r["metrics"][-1] for r in kept] if len({*seeds}) == len(seeds) else []  # several conditions are no units
    found = [float(row[quantity]) for row in ends if isinstance(row.get(quantity), (int, float))]
    if not found:
        near = difflib.get_close_matches(quantity, known, 3)
        raise ValueError(f"{run.facts['notebook']} has not measured {quantity}; near are {', '.join(near) or 'none'}")
    return found


def committed(project: Project, exercise: Exercise) -> list[float]:
    """The same quantity of the claims' own reference; empty without one."""
    return [v for v in (_header(project, exercise).get("quantities") or {}).get(exercise.quantity, []) if v is not None]


def _header(project: Project, exercise: Exercise) -> dict:
    folder = project.root / "book" / "reference" / exercise.notebook
    return records.header(folder) if (folder / records.HEADER).is_file() else {}


def told(exercise: Exercise, found: list[float], beside: list[float]) -> tuple[bool | None, str]:
    """Whether a run came out as the answer says (None: its interval straddles the border), and a sentence that says so.

    Raises ValueError where the committed run is asked for and has no such quantity.
    """
    if exercise.border is None and not beside:
        raise ValueError(f"{exercise.quantity}: no committed run to compare with; make one first (ruc reference)")
    border = float(np.mean(beside)) if exercise.border is None else exercise.border
    ci = stats.t_interval(found)
    side = ci.side(border)
    verdict = None if side == "between" else side == exercise.side
    if ci.n == 1:
        verdict, shown = None, f"{numbers.write(ci.estimate)} in one unit, which has no interval"
        return verdict, f"{exercise.quantity} is {shown}; {exercise.side} {numbers.write(border)} was expected"
    words = {True: "as the answer says", False: "not as the answer says", None: "too uncertain to say"}[verdict]
    shown = numbers.interval(ci.estimate, ci.low, ci.high)
    return (
        verdict,
        f"{exercise.quantity} is {shown} (n = {ci.n}); {exercise.side} {numbers.write(border)} was expected: {words}",
    )
