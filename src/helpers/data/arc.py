"""ARC-AGI tasks (Chollet 2019): the demonstrations and the test's input as the question, the test's output as the answer.

A grid is written row by row, a digit a cell: '30 03' is a grid of two rows.
"""

from __future__ import annotations

from pathlib import Path

from helpers.data.pairs import PairSet, gather, part, read_json


def read(path: str | Path) -> PairSet:
    """A folder of tasks, or one file. Raises FileNotFoundError where there is none, ValueError naming a malformed one."""
    path = Path(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise FileNotFoundError(f"{path} holds no .json task; give a folder of ARC-AGI tasks, or one of them")
    return gather("arc", (record for file in files for record in _task(file)))


def _task(file: Path):
    whole = read_json(file)
    shown = [
        f"{_grid(pair, 'input', f'{file}, train[{i}]')} to {_grid(pair, 'output', f'{file}, train[{i}]')}"
        for i, pair in enumerate(part(whole, "train", list, f"{file}"))
    ]
    for i, pair in enumerate(part(whole, "test", list, f"{file}")):
        place = f"{file}, test[{i}]"
        asked = "; ".join([*shown, f"{_grid(pair, 'input', place)} to"])
        yield place, asked, _grid(pair, "output", place) if "output" in pair else None


def _grid(pair: object, name: str, place: str) -> str:
    rows = part(pair, name, list, place)
    width = len(rows[0]) if rows and isinstance(rows[0], list) else 0
    for row in rows:
        right = isinstance(row, list) and len(row) == width and all(isinstance(c, int) and 0 <= c <= 9 for c in row)
        if not right or not width:
            raise ValueError(f"{place}: {name!r} is no grid of digits with rows of one length; the record is malformed")
    return " ".join("".join(map(str, row)) for row in rows)
