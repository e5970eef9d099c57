"""A notebook's parameters, read from its `parameters` cell with `ast` and checked before a kernel starts.

The cell holds typed literals, one a line, each with a comment that explains it. A comment may open with what the value
is held to, up to a colon:

    profile: str = "quick"  # quick | full: two CPU cores, or the seed's scale on one GPU
    seeds: int = None  # 2..64: repetitions of every condition; None takes the profile's own
    text: str = "embedded"  # embedded | tinyshakespeare | PATH: what the models read; PATH is any file
    model: str = "small"  # small | HUB-NAME | FOLDER: FOLDER is any folder; what is none is taken for a name
    rate: float = 0.01  # 1e-5..1: both ends belong to a range

What looks like choices or a range and cannot be read as such is refused: it would silently hold the value to nothing.
"""

from __future__ import annotations

import ast
import difflib
import io
import math
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers import sources

SCALARS = {"bool": bool, "int": int, "float": float, "str": str}
TYPES = (*SCALARS, *(f"list[{t}]" for t in SCALARS))
CHOICES = re.compile(r"^([\w.\-]+(?:\s*\|\s*[\w.\-]+)+)\s*:\s*")
NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"^({NUMBER})?\s*\.\.\s*({NUMBER})?\s*:\s*")
LOOKS = re.compile(
    r"^\s*\S+\s*\||^[^:]*\|[^:]*:|^\S*\.\.|^[^:]*(?:\d\s*\.\.|\.\.\s*[+-]?\d)[^:]*:"
)  # held to something?
CELL = re.compile(r"^#\s*%%(.*)\n?", re.M)  # the line that opens a cell
TAGS = re.compile(r"""(?:\btags\s*=|["']tags["']\s*:)\s*(\[[^\]]*\])""")
SPECIAL = ("PATH", "FOLDER", "HUB-NAME")  # choices that stand for many values


class ParameterError(ValueError):
    """A parameter that the notebook does not take, or a value that it cannot mean."""


@dataclass(frozen=True)
class Parameter:
    """One parameter: its type, default, what its comment says, and what its value is held to."""

    name: str
    type: str
    default: object
    help: str
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf

    @property
    def limits(self) -> str:
        """'quick | full', '2..64' or ''."""
        if self.choices:
            return " | ".join(self.choices)
        whole = lambda v: v == int(v) and abs(v) < 1e9
        ends = ["" if math.isinf(v) else f"{v:.0f}" if whole(v) else f"{v:g}" for v in (self.low, self.high)]
        return "..".join(ends) if any(ends) else ""

    def is_file(self, value: object) -> bool:
        """Whether a (checked) value is a path, of a file or folder, and not one of the other choices."""
        if "FOLDER" in self.choices:
            return isinstance(value, str) and Path(value).is_absolute()
        return "PATH" in self.choices and value not in self.choices

    def parse(self, text: str) -> object:
        """A value from the command line. Raises ParameterError when the text is not of the declared type."""
        if self.default is None and text.lower() in ("none", "null"):
            return None
        inner = self._inner()
        if not self.type.startswith("list"):
            return self.check(self._scalar(inner, text))
        parts = [p.strip() for p in text.strip().strip("[]()").split(",")]
        return self.check([self._scalar(inner, p.strip("'\"")) for p in parts if p])

    def check(self, value: object) -> object:
        """The value, as the declared type. Raises ParameterError with the value, what was expected, and the name."""
        if value is None and self.default is None:
            return None
        if self.type.startswith("list"):
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise self._error(value, f"a {self.type}")
            return [self._one(v) for v in value]
        return self._one(value)

    def _one(self, value: object) -> object:
        inner = self._inner()
        kind = SCALARS[inner]
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise self._error(value, f"a value of type {inner}")
        if kind is float and not math.isfinite(value):
            raise self._error(value, "a finite number")
        if kind in (int, float) and not self.low <= value <= self.high:
            raise self._error(value, f"a number within {self.limits}")
        if self.choices and (value in SPECIAL or value not in self._known):
            special = {"PATH": self._file, "FOLDER": self._folder}
            return next((f for k, f in special.items() if k in self.choices), self._choice)(value)
        return value

    @property
    def _known(self) -> list[object]:
        """The choices as values of the declared type."""
        kind = SCALARS[self._inner()]
        if kind is bool:
            return [c == "true" for c in self.choices]
        return [kind(c) for c in self.choices if c not in SPECIAL] if kind in (int, float) else list(self.choices)

    def _folder(self, value: str) -> str:
        path = Path(value).expanduser()
        if value and path.is_dir():
            return str(path.resolve())
        self._once(path, value)
        if not value or value in SPECIAL or path.is_file() or value.startswith((".", "~", "/")) or value.count("/") > 1:
            raise self._error(value, f"{self.limits}, and there is no such folder")
        return value

    def _file(self, value: str) -> str:
        path = Path(value).expanduser()
        self._once(path, value)
        if not path.is_file():
            raise self._error(value, f"{self.limits}, and there is no such file")
        return str(path.resolve())

    def _once(self, path: Path, value: str) -> None:
        """Refuse what can be read once only, such as <(a command): a run reads its files for its key, and again."""
        if path.is_fifo() or path.is_socket() or path.is_char_device():
            raise self._error(
                value, "a file; this is a pipe or a device, which can be read once: save it to a file first"
            )

    def _choice(self, value: object) -> object:
        if "cuda" in self.choices and re.fullmatch(r"cuda:\d+", str(value)):  # one GPU of several
            return value
        near = difflib.get_close_matches(str(value), self.choices, 1)
        raise self._error(value, f"one of {self.limits}" + (f" (did you mean {near[0]}?)" if near else ""))

    def _inner(self) -> str:
        return self.type[5:-1] if self.type.startswith("list") else self.type

    def _scalar(self, kind: str, text: str) -> object:
        if kind == "str":
            return text
        if kind == "bool":
            known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
            if text.lower() not in known:
                raise self._error(text, "true or false")
            return known[text.lower()]
        try:
            return SCALARS[kind](text)
        except ValueError:
            raise self._error(text, f"a value of type {kind}") from None

    def _error(self, value: object, wanted: str) -> ParameterError:
        return ParameterError(f"{self.name}={value!r}: expected {wanted}")


def read_cell(source: str) -> dict[str, Parameter]:
    """The parameters of a cell, in order. Raises ParameterError for a line that is not `name: type = literal  # why`."""
    tree = sources.parse(source)
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found = {}
    for node in tree.body:
        line = ast.get_source_segment(source, node) or ""
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
            raise ParameterError(f"parameters cell, line {node.lineno}: `{line}` is not `name: type = literal  # why`")
        name, kind = node.target.id, ast.unparse(node.annotation)
        if kind not in TYPES:
            raise ParameterError(f"parameters cell, line {node.lineno}: {name} has type {kind}; use {', '.join(TYPES)}")
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            raise ParameterError(
                f"parameters cell, line {node.lineno}: the default of {name} is not a literal"
            ) from None
        comment = comments.get(node.end_lineno, "")
        if not comment:
            raise ParameterError(f"parameters cell, line {node.lineno}: {name} has no comment that explains it")
        found[name] = _parameter(name, kind, default, comment)
        if default is not None:
            found[name].check(default)
    return found


def of_notebook(path: Path) -> dict[str, Parameter]:
    """The parameters of a source notebook (.py, percent format), read without running or importing anything of it. Raises
    ParameterError, naming the file, unless exactly one cell is tagged `parameters` and holds typed literals."""
    try:
        cells = CELL.split(path.read_text(encoding="utf-8"))[1:]  # a heading, its cell, the next heading, …
        tagged = [
            source for heading, source in zip(cells[::2], cells[1::2], strict=True) if "parameters" in _tags(heading)
        ]
        if len(tagged) != 1:
            raise ParameterError(
                f'it has {len(tagged)} cells tagged parameters; it needs one: # %% tags=["parameters"]'
            )
        return read_cell(tagged[0])
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path} is not a text notebook: {error}") from error
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None
    except SyntaxError as error:
        raise ParameterError(f"{path}: parameters cell, line {error.lineno}: {error.msg}") from None


def _tags(heading: str) -> list[str]:
    """The tags of a cell, from the line that opens it: `tags=["a", "b"]`, in quotes of either kind, or {"tags": ["a"]}."""
    found = TAGS.search(heading)
    try:
        return list(ast.literal_eval(found[1])) if found else []
    except (ValueError, SyntaxError):
        return []


def resolve(known: Mapping[str, Parameter], given: Mapping[str, object], *, texts: bool = True) -> dict[str, object]:
    """All parameters with their values: what was given, else the default.

    texts: the given values come from a command line and are parsed; otherwise they are checked as they are. Raises
    ParameterError for an unknown name (with the nearest known one), a wrong type, a value out of range, or one that
    is not among the choices.
    """
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(known)}"
            raise ParameterError(f"the notebook has no parameter {name!r}{hint}")
    chosen = {name: p.default for name, p in known.items()}
    for name, value in given.items():
        chosen[name] = known[name].parse(str(value)) if texts else known[name].check(value)
    return chosen


def _parameter(name: str, kind: str, default: object, comment: str) -> Parameter:
    number = kind.removeprefix("list[").rstrip("]") in ("int", "float")
    if match := CHOICES.match(comment):
        choices = tuple(c.strip() for c in match[1].split("|"))
        if number and not all(re.fullmatch(NUMBER, c) for c in choices):
            raise ParameterError(f"{name}: {match[1]!r} are choices of a {kind}, and not all of them are numbers")
        if kind.removeprefix("list[").rstrip("]") == "bool" and not {*choices} <= {"true", "false"}:
            raise ParameterError(f"{name}: {match[1]!r} are choices of a {kind}; write `true | false: what it is`")
        return Parameter(name, kind, default, comment[match.end() :], choices=choices)
    match = RANGE.match(comment)
    if match and number:
        low, high = (float(g) if g else sign * math.inf for g, sign in ((match[1], -1), (match[2], 1)))
        if low <= high and (match[1] or match[2]):
            return Parameter(name, kind, default, comment[match.end() :], low=low, high=high)
    if match or LOOKS.match(comment):
        raise ParameterError(
            f"{name}: {comment!r} looks like a range or choices of a {kind} and is none; write `1..64: what it is` "
            "(numbers only, the smaller first, 1e-5 will do) or `a | b: what it is`"
        )
    return Parameter(name, kind, default, comment)
