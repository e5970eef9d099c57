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

import re
import shlex
from dataclasses import dataclass

import numpy as np

from helpers import numbers, records, stats
from helpers.run.project import Notebook, Project
from helpers.run.store import Run

FENCE = re.compile(r"^:::\{exercise\}[ \t]*(?P<title>[^\n]*)\n(?P<body>.*?)^:::[ \t]*$", re.M | re.S)
OPTION = re.compile(r"^:(\w+):[ \t]*(.*)$")
CHECK = re.compile(r"([\w.]+) (above|below) (committed|-?[\d.]+(?:e-?\d+)?)")
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
    prose = "\n\n".join(c.source for c in notebook.content.cells if c.cell_type == "markdown")
    return [parse(notebook.name, m["title"], m["body"]) for m in FENCE.finditer(prose)]


def parse(name: str, title: str, body: str) -> Exercise:
    """An exercise from the lines between its fences. name: the notebook that holds it, for what is raised."""
    lines, options = body.splitlines(), {}
    while lines and (found := OPTION.match(lines[0])):
        options[found[1]] = found[2].strip()
        lines.pop(0)
    what = f"{name}, exercise {title!r}"
    if missing := {"run", "minutes", "check"} - options.keys():
        raise ValueError(f"{what} lacks :{min(missing)}:; an exercise has :run:, :minutes: and :check:")
    question, fold, answer = "\n".join(lines).partition(f"\n{FOLD}\n")
    if not fold or not question.strip() or not answer.strip():
        raise ValueError(f"{what} needs a question, a line {FOLD} and an answer below it")
    if not (check := CHECK.fullmatch(options["check"])):
        raise ValueError(f"{what}: {options['check']!r} is no check; write {FORM}")
    try:
        minutes = float(options["minutes"])
    except ValueError:
        raise ValueError(f"{what}: {options['minutes']!r} minutes; a number was expected") from None
    runs, given = _command(what, options["run"])
    border = None if check[3] == "committed" else float(check[3])
    known = (title, options["run"], runs, given, minutes, check[1], check[2], border)
    return Exercise(*known, question.strip(), answer.strip())


def _command(what: str, text: str) -> tuple[str, dict[str, str]]:
    """The notebook and the parameters of `ruc run NAME -p a 1 --profile full`."""
    words = shlex.split(text)
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
    """What a run found of a quantity, one value a unit: one that the claims name, else a column of its records' last rows.

    Raises ValueError for one that it has not measured.
    """
    known = run.read("quantities.json") or {}
    if quantity in known:
        return [float(v) for v in known[quantity]]
    paths = sorted((run.folder / "records").glob("audit_log_*.json"))
    ends = [records.read(path)["metrics"][-1] for path in paths]
    found = [float(row[quantity]) for row in ends if isinstance(row.get(quantity), (int, float))]
    if not found:
        raise ValueError(
            f"{run.facts['notebook']} has not measured {quantity}; it has {', '.join(sorted(known)) or 'records'}"
        )
    return found


def committed(project: Project, exercise: Exercise) -> list[float]:
    """The same quantity of the claims' own reference; empty without one."""
    folder = project.root / "book" / "reference" / exercise.notebook
    path = folder / records.HEADER
    return list((records.header(folder).get("quantities") or {}).get(exercise.quantity, [])) if path.is_file() else []


def told(exercise: Exercise, found: list[float], beside: list[float]) -> tuple[bool | None, str]:
    """Whether a run came out as the answer says (None: its interval straddles the border), and a sentence that says so.

    Raises ValueError where the committed run is asked for and has no such quantity.
    """
    if exercise.border is None and not beside:
        raise ValueError(f"{exercise.quantity}: no committed run to compare with; make one first (ruc reference)")
    border = float(np.mean(beside)) if exercise.border is None else exercise.border
    ci = stats.t_interval(found)
    low, high = (ci.low, ci.high) if ci.n > 1 else (ci.estimate, ci.estimate)
    inside = low > border if exercise.side == "above" else high < border
    outside = high <= border if exercise.side == "above" else low >= border
    verdict = True if inside else False if outside else None
    words = {True: "as the answer says", False: "not as the answer says", None: "too uncertain to say"}[verdict]
    shown = numbers.interval(ci.estimate, low, high)
    return (
        verdict,
        f"{exercise.quantity} is {shown} (n = {ci.n}); {exercise.side} {numbers.write(border)} was expected: {words}",
    )
