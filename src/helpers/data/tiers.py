"""The tiers of questions by name: made, from a local file, or downloaded and held to its checksum."""

from __future__ import annotations

from pathlib import Path

from helpers.data import arc, arithmetic, hotpot, natural, squad, sudoku, trivia
from helpers.data.fetch import FILES, fetch
from helpers.data.pairs import PairSet

READ = {"squad": squad.read, "trivia": trivia.read, "natural": natural.read, "hotpot": hotpot.read, "arc": arc.read}
MADE = {"arithmetic": arithmetic.make, "sudoku": sudoku.make}
HUB = {"squad": "squad-v1.1-dev"}  # the file that is downloaded where none is given
SOURCES = {  # where the others are published; what is not pinned here is given as a local file
    "trivia": "https://nlp.cs.washington.edu/triviaqa/",
    "natural": "https://github.com/google-research-datasets/natural-questions/tree/master/nq_open",
    "hotpot": "https://hotpotqa.github.io/",
    "arc": "https://github.com/fchollet/ARC-AGI",
}


def load_pairs(tier: str, path: str | Path | None = None, *, count: int = 200, seed: int = 0, **how) -> PairSet:
    """All pairs of a tier. path: its local file or folder, or a name of `FILES`; squad is downloaded where none is given.
    count, seed, how: of a tier that is made (digits and signs; box and givens).

    Raises ValueError for an unknown tier or a malformed record, FileNotFoundError for a file that is not there or a tier that
    needs one, and what `fetch` raises.
    """
    if tier in MADE:
        return MADE[tier](count, seed=seed, **how)
    if tier not in READ:
        raise ValueError(f"tier={tier!r} is unknown; use one of {', '.join([*READ, *MADE])}")
    source = path if path is not None else HUB.get(tier)
    if source is None:
        raise FileNotFoundError(f"tier {tier!r} needs a local file; it is published at {SOURCES[tier]}")
    return READ[tier](fetch(source) if source in FILES else source)
