"""HotpotQA (Yang et al. 2018): a list of questions, each with one answer; contexts are not needed and not read."""

from __future__ import annotations

from pathlib import Path

from helpers.data.pairs import PairSet, gather, part, read_json


def read(path: str | Path) -> PairSet:
    """Raises ValueError naming the file and the record for one that is malformed."""
    whole = read_json(path)
    if not isinstance(whole, list):
        raise ValueError(f"{path} holds a {type(whole).__name__}; HotpotQA is a list of records")
    places = ((f"{path}, record {i}", record) for i, record in enumerate(whole))
    return gather("hotpot", ((p, part(r, "question", str, p), part(r, "answer", str, p)) for p, r in places))
