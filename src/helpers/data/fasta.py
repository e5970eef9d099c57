"""FASTA files: records of letters, each below a line '>name'."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helpers.data.fetch import lines_of, read_bytes

ILLEGAL = -2  # of a letter that stands for nothing


def lines(path: object) -> list[str]:
    """The lines of a FASTA file, plain or gzip. Raises FileNotFoundError, or ValueError for a file that is empty or is not
    FASTA. Headers may be in any encoding."""
    raw = read_bytes(path)
    if b"\0" in raw or raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError(f"{path} is not FASTA: it holds bytes that are not text; save it as UTF-8")
    found = lines_of(raw.decode("utf-8", errors="replace"))
    if not any(found):
        raise ValueError(f"{path} is empty; a FASTA file starts with a line '>name'")
    if not found[0].startswith(">"):
        raise ValueError(f"{path} is not FASTA: its first line is {found[0][:40]!r}, expected '>name'")
    return found


def codes(
    found: list[str], path: object, known: Mapping[str, int], between: int, least: int, noun: str, legal: str
) -> np.ndarray:
    """Codes of all records by {capital letter: code}, with the code `between` each two of them. Raises ValueError for a letter
    that is not known, said to be no `noun`, with what is `legal`; and for fewer than `least` of them."""
    table = np.full(256, ILLEGAL, np.int8)
    for letter, code in known.items():
        table[[ord(letter), ord(letter.lower())]] = code
    parts, count = [], 0
    for number, line in enumerate(found, 1):
        text = line.strip(" \t")
        if text.startswith((">", ";")):
            parts += [np.array([between], np.int8)] if count else []
            continue
        told = table[np.frombuffer(text.encode("latin-1", errors="replace"), np.uint8)]
        if (told == ILLEGAL).any():
            letter = text[int(np.flatnonzero(told == ILLEGAL)[0])]
            raise ValueError(f"{path}, line {number}: {letter!r} is no {noun}; FASTA holds {legal}")
        parts.append(told)
        count += len(told)
    if count < least:
        raise ValueError(f"{path} holds {count} {noun}s; at least {least} are needed to train and to test")
    return np.concatenate(parts)
