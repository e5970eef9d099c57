"""Questions with their answers, from generators and files of several kinds: one shape, and a count of what was left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from helpers.data.fetch import read_bytes


@dataclass(frozen=True)
class Pair:
    """A question and its answer, and where they stand."""

    question: str
    answer: str
    place: str = ""


@dataclass(frozen=True)
class PairSet:
    """PairSet in their order, each once. left_out: how many records were not taken, by the reason."""

    name: str
    rows: tuple[Pair, ...]
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.rows)

    def fitting(self, length, most: int) -> PairSet:
        """Those whose question and answer have at least one token and at most `most`, each by length(text); the others are
        counted."""
        kept, out = [], Counter(self.left_out)
        for row in self.rows:
            sizes = length(row.question), length(row.answer)
            short, long = min(sizes) < 1, max(sizes) > most
            if not short and not long:
                kept.append(row)
            else:
                out["without tokens" if short else f"longer than {most} tokens"] += 1
        return PairSet(self.name, tuple(kept), dict(out))

    def report(self) -> str:
        """'squad: 10,480 pairs; left out: 90 duplicates'."""
        out = "; ".join(f"{count:,} {reason}" for reason, count in self.left_out.items() if count)
        return f"{self.name}: {len(self):,} pairs" + (f"; left out: {out}" if out else "")


def gather(name: str, found: Iterable[tuple[str, str, str | None]]) -> PairSet:
    """PairSet of (place, question, answer). An answer of None is none that was given; duplicates and empty texts are counted.

    Raises ValueError when nothing is left.
    """
    rows, seen, out = [], set(), Counter()
    for place, question, answer in found:
        question = question.strip()
        if answer is None:
            out["unanswerable"] += 1
        elif not question or not answer.strip():
            out["empty"] += 1
        elif (question, answer.strip()) in seen:
            out["duplicates"] += 1
        else:
            seen.add((question, answer.strip()))
            rows.append(Pair(question, answer.strip(), place))
    if not rows:
        raise ValueError(f"{name} holds no question with an answer; left out: {dict(out)}")
    return PairSet(name, tuple(rows), dict(out))


def read_json(path: str | Path) -> object:
    """The content of a JSON file, plain or gzip. Raises ValueError with file and line where it is none."""
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: {error.msg}; this is not JSON") from error


def read_lines(path: str | Path) -> Iterator[tuple[str, object]]:
    """(file and line, object) of every line that is not empty of a JSON-lines file. Raises ValueError naming file and line."""
    for number, line in enumerate(_text(path).split("\n"), 1):  # a string may hold other ends
        if line.strip():
            try:
                yield f"{path}, line {number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number}: {error.msg}; every line must be one JSON object") from error


def part(record: object, name: str, kind: type, place: str):
    """record[name], of a kind. Raises ValueError with the place where it is not there."""
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, kind):
        got = "nothing" if value is None else type(value).__name__
        raise ValueError(f"{place}: {name!r} is {got}, expected {kind.__name__}; the record is malformed")
    return value


def _text(path: str | Path) -> str:
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text (byte {error.start}); convert it first") from error
