"""SQuAD v1.1 and v2.0 (Rajpurkar et al. 2016, 2018) in their own layout: answerable questions, each with its first answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from helpers.data.pairs import PairSet, gather, part, read_json


def read(path: str | Path) -> PairSet:
    """Raises ValueError naming the file and the record for one that is malformed."""
    return gather("squad", _records(path))


def _records(path: str | Path) -> Iterator[tuple[str, str, str | None]]:
    whole = read_json(path)
    for i, article in enumerate(part(whole, "data", list, f"{path}")):
        for j, paragraph in enumerate(part(article, "paragraphs", list, f"{path}, data[{i}]")):
            for k, asked in enumerate(part(paragraph, "qas", list, f"{path}, data[{i}].paragraphs[{j}]")):
                place = f"{path}, data[{i}].paragraphs[{j}].qas[{k}]"
                question = part(asked, "question", str, place)
                answers = part(asked, "answers", list, place)
                yield place, question, part(answers[0], "text", str, place) if answers else None
