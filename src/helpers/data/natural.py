"""Natural Questions, open (Lee et al. 2019): JSON lines of a question and its answers, of which the first is taken."""

from __future__ import annotations

from pathlib import Path

from helpers.data.pairs import PairSet, gather, part, read_lines


def read(path: str | Path) -> PairSet:
    """Raises ValueError naming the file and the line for a record that is malformed."""

    def records():
        for place, record in read_lines(path):
            answers = part(record, "answer", list, place)
            if answers and not isinstance(answers[0], str):
                raise ValueError(f"{place}: the first answer is no text; the record is malformed")
            yield place, part(record, "question", str, place), answers[0] if answers else None

    return gather("natural", records())
