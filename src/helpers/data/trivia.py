"""TriviaQA (Joshi et al. 2017) in its own layout: the value of each answer, without evidence."""

from __future__ import annotations

from pathlib import Path

from helpers.data.pairs import PairSet, gather, part, read_json


def read(path: str | Path) -> PairSet:
    """Raises ValueError naming the file and the record for one that is malformed."""

    def records():
        for i, record in enumerate(part(read_json(path), "Data", list, f"{path}")):
            place = f"{path}, Data[{i}]"
            answer = record.get("Answer") if isinstance(record, dict) else None
            given = None if answer is None else part(answer, "Value", str, place)
            yield place, part(record, "Question", str, place), given

    return gather("trivia", records())
