"""DNA: a FASTA file, the genome of E. coli, or an embedded synthetic chain whose entropy is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers import devices
from helpers.data import fasta
from helpers.data.fetch import FILES, fetch

BASES = "ACGT"
AMBIGUOUS = set("NRYSWKMBDHV-")  # IUPAC codes: legal, but no single base; a k-mer never spans one
KNOWN = dict.fromkeys(AMBIGUOUS, -1) | {letter: i for i, letter in enumerate(BASES)} | {"U": BASES.index("T")}
LEAST = 4_000


@dataclass(frozen=True)
class Genome:
    """A sequence as codes 0..3 of ACGT, -1 where the base is not known. entropy: of the source, nats a base, if known."""

    name: str
    bases: np.ndarray
    entropy: float | None = None

    @property
    def gc(self) -> float:
        """Share of G and C among the known bases."""
        known = self.bases[self.bases >= 0]
        return float(np.isin(known, (1, 2)).mean())

    def kmers(self, k: int) -> np.ndarray:
        """(N,) tokens 0 … 4^k - 1 of non-overlapping k-mers; those with an unknown base are left out."""
        if not 1 <= k <= 8:
            raise ValueError(f"k={k}: use 1 to 8 bases a token (a vocabulary of 4 to 65,536)")
        cut = self.bases[: len(self.bases) // k * k].reshape(-1, k)  # (N, k)
        cut = cut[(cut >= 0).all(1)]
        return cut @ (4 ** np.arange(k)[::-1])


def load_genome(source: str = "embedded") -> Genome:
    """'embedded', 'ecoli', or the path of a FASTA file, plain or gzip. Raises FileNotFoundError, or ValueError for a file
    that is empty, is not FASTA, holds letters that are no base, or is too short. RNA is read as the DNA that it copies; an
    unknown base stands between records, so that no k-mer spans two."""
    if source == "embedded":
        return synthetic()
    path = fetch(source) if source in FILES else source
    lines, legal = fasta.lines(path), "A C G T, U in RNA, and IUPAC codes"
    return Genome(lines[0][1:].strip() or str(source), fasta.codes(lines, path, KNOWN, -1, LEAST, "base", legal))


def synthetic(length: int = 400_000, order: int = 2, seed: int = 4) -> Genome:
    """A chain of known entropy: each base depends on the `order` before it, by rows drawn from a Dirichlet(2)."""
    rng = devices.numpy_rng("genome", order, seed)
    rows = rng.dirichlet(np.full(4, 2.0), 4**order)  # (4^order, 4)
    cdf, draws = rows.cumsum(1), rng.random(length)
    out, context = np.empty(length, np.int8), 0
    for i in range(length):
        out[i] = np.searchsorted(cdf[context], draws[i])
        context = (context * 4 + int(out[i])) % 4**order
    return Genome(f"synthetic chain of order {order}", out, _entropy(rows, order))


def _entropy(rows: np.ndarray, order: int) -> float:
    """Entropy rate of the chain on contexts: sum over contexts of their stationary weight times the row's entropy."""
    size = 4**order
    step = np.zeros((size, size))
    for context in range(size):
        for base in range(4):
            step[context, (context * 4 + base) % size] += rows[context, base]
    pi = np.full(size, 1 / size)
    for _ in range(2000):
        pi = pi @ step
    return float(-(pi[:, None] * rows * np.log(rows)).sum())
