"""The tiers of questions by name: made, from a local file, or downloaded and held to its checksum."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.data import arc, arithmetic, hotpot, natural, squad, sudoku, trivia
from helpers.data.fetch import FILES, fetch, read_bytes
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

    tier may itself be a path: what kind of file it is, is seen from its layout. Raises ValueError for an unknown tier or a
    malformed record, FileNotFoundError for a file that is not there or a tier that needs one, and what `fetch` raises.
    """
    if path is None and tier not in {*MADE, *READ} and Path(tier).exists():
        tier, path = layout(tier), tier
    if tier in MADE:
        return MADE[tier](count, seed=seed, **how)
    if tier not in READ:
        raise ValueError(f"tier={tier!r} is unknown; use one of {', '.join([*READ, *MADE])}")
    source = path if path is not None else HUB.get(tier)
    if source is None:
        raise FileNotFoundError(f"tier {tier!r} needs a local file; it is published at {SOURCES[tier]}")
    return READ[tier](fetch(source) if source in FILES else source)


def layout(path: str | Path) -> str:
    """Which tier's layout a file has; a folder is one of ARC-AGI tasks. Raises ValueError where it has none of them."""
    if Path(path).is_dir():
        return "arc"
    text = read_bytes(path).decode("utf-8", "replace").lstrip()
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = {"question": ""} if text.startswith('{"question"') else None
    if isinstance(whole, list):
        return "hotpot"
    names = {"data": "squad", "Data": "trivia", "train": "arc", "question": "natural"}
    known = [tier for name, tier in names.items() if isinstance(whole, dict) and name in whole]
    if not known:
        raise ValueError(
            f"{path} has the layout of none of {', '.join(READ)}; give one of their files, or a folder of ARC tasks"
        )
    return known[0]
