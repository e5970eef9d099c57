"""Protein: a FASTA file of amino acids, or what the open frames of a genome translate to.

No package that the book installs carries a real protein. Where the genome is real, its long open frames are for the most part
genes; where it is the synthetic chain they are chance, and what they spell is no protein.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.data import fasta
from helpers.data.genome import Genome

ACIDS = "ACDEFGHIKLMNPQRSTVWY"
END = len(ACIDS)  # the token between chains
OTHERS = "XBZJUO-"  # unknown, ambiguous or rare: legal, and left out
LEAST = 4_000
FRAME = 100  # amino acids of an open frame that counts: by chance a frame of even bases stays open so long in one of 120 places
CODE = (
    "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"  # by codons in the order T C A G; NCBI's table 1
)
NUCLEIC = 0.95  # share of A, C, G, T, U and N from which letters are taken for bases


@dataclass(frozen=True)
class Protein:
    """Chains of amino acids as codes 0..19 of ACIDS, END after each."""

    name: str
    acids: np.ndarray

    @property
    def chains(self) -> int:
        return int((self.acids == END).sum())


def load_protein(source: str, genome: Genome) -> Protein:
    """'genome', the open frames of the given genome, translated; or the path of a FASTA file of amino acids, plain or gzip.
    Raises what `load_genome` raises, and ValueError for a file whose letters are bases."""
    if source == "genome":
        return Protein(f"open frames of {genome.name}", translated(genome.bases))
    lines = fasta.lines(source)
    letters = "".join(line.strip() for line in lines if not line.startswith((">", ";"))).upper()
    if letters and sum(map(letters.count, "ACGTUN")) > NUCLEIC * len(letters):
        raise ValueError(f"{source} holds bases, not amino acids; give it as the genome: -p fasta PATH")
    known = {letter: i for i, letter in enumerate(ACIDS)} | {"*": END} | dict.fromkeys(OTHERS, -1)
    legal = "the twenty amino acids, X B Z J U O, and * at an end"
    found = fasta.codes(lines, source, known, END, LEAST, "amino acid", legal)
    return Protein(lines[0][1:].strip() or source, _ended(found[found >= 0]))


def translated(bases: np.ndarray, least: int = FRAME) -> np.ndarray:
    """The open frames of a sequence (N,) on both strands, from a start ATG to a stop, of `least` amino acids or more, END after
    each. Where two overlap, the longer is kept. An unknown base (below 0) closes a frame as a stop does."""
    strands = bases, np.where(bases >= 0, 3 - bases, -1)[::-1]
    frames = [f for strand, s in enumerate(strands) for at in range(3) for f in _open(s, at, strand, least)]
    taken, kept = np.zeros(len(bases), bool), []
    for _, strand, start, acids in sorted(frames, key=lambda f: (-f[0], *f[1:3])):
        stop = start + 3 * len(acids)
        place = slice(start, stop) if strand == 0 else slice(len(bases) - stop, len(bases) - start)
        if not taken[place].any():
            taken[place] = True
            kept.append((place.start, acids))
    chains = [np.r_[acids, END] for _, acids in sorted(kept, key=lambda f: f[0])]
    return np.concatenate(chains) if chains else np.empty(0, np.int64)


def _open(bases: np.ndarray, at: int, strand: int, least: int) -> list[tuple[int, int, int, np.ndarray]]:
    """(length, strand, first base, amino acids) of the open frames in one reading frame of one strand."""
    codons = bases[at : at + (len(bases) - at) // 3 * 3].reshape(-1, 3).astype(np.int64)  # (N, 3)
    acids = np.where((codons >= 0).all(1), TABLE[np.maximum(codons, 0) @ (16, 4, 1)], END)
    stops, starts = np.flatnonzero(acids == END), np.flatnonzero(acids == ACIDS.index("M"))
    if not len(stops) or not len(starts):
        return []
    after = np.r_[0, stops[:-1] + 1]  # where each stretch between stops begins
    first = starts[np.minimum(np.searchsorted(starts, after), len(starts) - 1)]
    long = (first >= after) & (stops - first >= least)
    return [(b - a, strand, at + 3 * int(a), acids[a:b]) for a, b in zip(first[long], stops[long], strict=True)]


def _ended(acids: np.ndarray) -> np.ndarray:
    """With one END after each chain, also the last."""
    acids = np.r_[acids, END].astype(np.int64)
    return acids[~((acids == END) & (np.r_[END, acids[:-1]] == END))]


def _table() -> np.ndarray:
    """(64,) the amino acid of a codon by its place in the order A C G T."""
    places = ["TCAG".index(base) for base in "ACGT"]
    order = [16 * a + 4 * b + c for a in places for b in places for c in places]
    return np.array([END if CODE[i] == "*" else ACIDS.index(CODE[i]) for i in order])


TABLE = _table()
