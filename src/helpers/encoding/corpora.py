"""Real data to squeeze codes on, a text or a genome: how it is cut, what needs no training, and what has to be stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from helpers import devices, files
from helpers.checks import expect
from helpers.data import Genome, load_code, load_protein
from helpers.data.protein import ACIDS
from helpers.encoding import attention
from helpers.encoding.config import Limits
from helpers.encoding.readers import Stream

EMBEDDED = 128, 4096  # vocabularies that the embedded text has bytes and pairs for, in every version of Python
BLOCKS = 20  # contiguous pieces of the data; a seed picks two to test on and two to validate on


def check_vocabulary(text: str, vocab: int) -> None:
    """Refuse a vocabulary that the embedded text cannot fill. What a reader's own text gives is seen when it is read."""
    low, high = EMBEDDED
    near = vocab if text != "embedded" else min(max(vocab, low), high)
    expect(vocab == near, f"vocab={vocab}: the embedded text has byte-pair tokens for {low} to {high}; use {near}")


def needed(length: int) -> int:
    """Tokens that windows of a length need at least."""
    return BLOCKS * 2 * (length + 1)


@dataclass(frozen=True)
class Corpus:
    """A stream of tokens (N,) below `vocab`, with windows of `length` tokens to read; `held` windows a split."""

    name: str
    tokens: np.ndarray
    vocab: int
    length: int = 32
    held: int = 64

    def __post_init__(self):
        least = needed(self.length)
        short = f"{self.name} has {len(self.tokens)} tokens; windows of {self.length} need {least}"
        expect(len(self.tokens) >= least, f"{short}: use a longer file, a smaller vocabulary or k, or shorter windows")

    @property
    def digest(self) -> str:
        """Of the tokens and how they are cut: two corpora with the same name are not the same corpus."""
        return files.digest(self.tokens.tobytes() + repr((self.name, self.vocab, self.length, self.held)).encode())

    def blocks(self, seed: int) -> dict[str, list[np.ndarray]]:
        """train (16 blocks), validation and test (2 each): contiguous, disjoint, chosen by the seed."""
        pieces = np.array_split(self.tokens, BLOCKS)
        order = devices.numpy_rng("blocks", seed).permutation(BLOCKS)
        chosen = {"test": order[:2], "validation": order[2:4], "train": order[4:]}
        return {split: [pieces[i] for i in places] for split, places in chosen.items()}

    def windows(self, seed: int, split: str) -> Tensor:
        """(held, length + 1) windows of a split, evenly spaced within its blocks."""
        blocks = self.blocks(seed)[split]
        each = -(-self.held // len(blocks))
        starts = [np.linspace(0, len(b) - self.length - 1, each).astype(int) for b in blocks]
        rows = [b[s : s + self.length + 1] for b, at in zip(blocks, starts, strict=True) for s in at]
        return torch.tensor(np.stack(rows[: self.held]))

    def baselines(self, seed: int) -> dict[str, float]:
        """Test loss, nats a token, of the two models that need no training: token frequencies, and smoothed bigrams.

        Only pairs that occur are stored: a table of V² zeros would take 32 GiB at V = 65,536.
        """
        from scipy.sparse import csr_array

        blocks = self.blocks(seed)["train"]
        now, after = (np.concatenate([b[cut] for b in blocks]) for cut in (slice(None, -1), slice(1, None)))
        pairs = csr_array((np.ones(len(now)), (now, after)), shape=(self.vocab, self.vocab))
        unigram = (np.bincount(after, minlength=self.vocab) + 0.5) / (len(after) + 0.5 * self.vocab)  # (V,)
        x = self.windows(seed, "test").numpy()
        here, told = x[:, :-1].ravel(), x[:, 1:].ravel()
        seen = np.bincount(now, minlength=self.vocab)[here]
        bigram = (pairs[here, told] + 5 * unigram[told]) / (seen + 5)
        return {"unigram": float(-np.log(unigram[told]).mean()), "bigram": float(-np.log(bigram).mean())}


def text_stream(limits: Limits, corpus: Corpus, device: str = "cpu") -> Stream:
    """A corpus as a stream: windows of the training blocks, from anywhere in them, a seed its own."""
    seeds = range(limits.seeds)
    held = {split: torch.stack([corpus.windows(s, split) for s in seeds]) for split in ("validation", "test")}
    train = [np.concatenate(corpus.blocks(s)["train"]) for s in seeds]
    size = min(map(len, train))
    data = torch.tensor(np.stack([t[:size] for t in train]), device=device)  # (S, N)
    window = torch.arange(corpus.length + 1, device=device)
    size_each = size - corpus.length, (limits.steps, limits.batch)
    starts = [devices.numpy_rng("windows", corpus.name, s).integers(0, *size_each) for s in seeds]
    starts = torch.tensor(np.stack(starts), device=device)  # (S, steps, B)

    def draw(step: Tensor) -> Tensor:
        places = starts.index_select(1, step.view(1)).movedim(1, 2) + window  # (S, B, 1) + (T + 1)
        return data.gather(1, places.flatten(1)).view(places.shape)

    return Stream(corpus.digest, corpus.vocab, draw, held, limits.stream)


def deployed(config: Limits, vocab: int, d: int, untrained: int) -> dict[str, dict[str, int]]:
    """Bytes that each arm needs at inference and in training, in float32: {arm: {what: bytes}}.

    two-stage, as counted: with the V×D table and the autoencoder, as the published arithmetic counts it. two-stage,
    folded: the code of every token computed once, which is the same V×d table as the learned arm's.
    """
    sizes = attention.shapes(config, vocab, d)
    network = sum(int(np.prod(s)) for n, s in sizes.items() if n not in ("code", "up"))
    table, up, raw, encoder = vocab * d, d * config.stream, vocab * untrained, untrained * d + d
    both = raw + encoder + untrained * d + untrained + up + network  # what the two stages of the two-stage arms train
    arms = {  # table, projection, training
        "learned": (table, up, table + up + network),
        "two-stage, folded": (table, up, both),
        "two-stage, as counted": (raw + encoder, up, both),
        "full width": (vocab * config.stream, 0, vocab * config.stream + network),
    }
    names = ("table", "projection", "network", "deployed", "training")
    known = {"cache": cache(config, vocab, d)}
    return {
        arm: dict(zip(names, (4 * n for n in (t, u, network, t + u + network, trained)), strict=True)) | known
        for arm, (t, u, trained) in arms.items()
    }


def cache(config: Limits, vocab: int, d: int) -> int:
    """Bytes of the keys and values that attention keeps of one token, measured: what a model's own matrices make of it."""
    params = attention.one(config, vocab, d, 0)
    token = torch.zeros(1, config.stream)
    return sum((token @ params[f"{name}{layer}"]).nbytes for name in "kv" for layer in range(config.layers))


LETTERS = ("A", "C", "G", "T", "N", "START", "END", "PAD")  # the document's vocabulary of a genome


def letters(bases: np.ndarray, read: int = 60, length: int = 64) -> np.ndarray:
    """(N,) tokens of LETTERS: bases (n,) below 4 as reads of `read`, each between START and END, padded to `length`."""
    reads = bases[: len(bases) // read * read].reshape(-1, read)
    out = np.full((len(reads), length), LETTERS.index("PAD"))
    out[:, 0], out[:, 1 : read + 1], out[:, read + 1] = LETTERS.index("START"), reads, LETTERS.index("END")
    return out.ravel()


def trials(limits: Limits, ratios: Sequence[float]) -> dict[str, Limits]:
    """The smaller trials by their parts: other starts and three times the steps at 10 : 1, eight symbols, more corpora, these
    at `ratios`."""
    tuned = ("learned", "trained_pca", "trained_pca_tuned", "full")
    start = replace(limits, part="start", arms=tuned, blind=(), ratios=(10,))
    found = (
        start,
        replace(start, part="longer", arms=("learned", "trained_pca_tuned", "full"), steps=3 * limits.steps),
        replace(start, part="letters", arms=("learned", "full"), stream=64, ratios=(1, 8, 16, 32)),
        replace(limits, part="others", arms=("learned", "full"), blind=(), ratios=tuple(ratios)),
    )
    return {trial.part: trial for trial in found}


def others(code: str, protein: str, vocab: int, genome: Genome, length: int, held: int) -> dict[str, Corpus]:
    """Code in byte-pair tokens, as many as a text's where the embedded code can fill them, and protein, an amino acid a token.

    code, protein: as `load_code` and `load_protein` take them. A genome whose open frames hold too little protein has none.
    """
    size = min(max(vocab, EMBEDDED[0]), EMBEDDED[1]) if code == "embedded" else vocab
    source, chains = load_code(code), load_protein(protein, genome)
    found = {"code": Corpus(source.name, source.tokens(size)[0], size, length, held)}
    if protein == "genome" and len(chains.acids) < needed(length):
        return found
    return found | {"protein": Corpus(chains.name, chains.acids, len(ACIDS) + 1, length, held)}
