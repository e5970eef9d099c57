"""How far a code can be squeezed on real data: a text or a genome, every compression against the full width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from helpers import devices, files
from helpers.encoding import readers
from helpers.encoding.attention import Shape
from helpers.encoding.tasks import bigram_counts

BLOCKS = 20  # contiguous pieces of the data; a seed picks two to test on and two to validate on


@dataclass(frozen=True)
class Corpus:
    """A stream of tokens (N,) below `vocab`, with windows of `length` tokens to read; `held` windows a split."""

    name: str
    tokens: np.ndarray
    vocab: int
    length: int = 32
    held: int = 64

    def __post_init__(self):
        if len(self.tokens) < BLOCKS * 2 * (self.length + 1):
            raise ValueError(
                f"{self.name} has {len(self.tokens)} tokens; windows of {self.length} need {BLOCKS * 2 * (self.length + 1)}: "
                "use a longer file, a smaller vocabulary or k, or shorter windows"
            )

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
        found = self.blocks(seed)[split]
        each = -(-self.held // len(found))
        starts = [np.linspace(0, len(b) - self.length - 1, each).astype(int) for b in found]
        rows = [b[s : s + self.length + 1] for b, at in zip(found, starts, strict=True) for s in at]
        return torch.tensor(np.stack(rows[: self.held]))

    def baselines(self, seed: int) -> dict[str, float]:
        """Test loss, nats a token, of the two models that need no training: token frequencies, and smoothed bigrams."""
        train = sum(bigram_counts(b, self.vocab) for b in self.blocks(seed)["train"])  # (V, V)
        unigram = (train.sum(0) + 0.5) / (train.sum() + 0.5 * self.vocab)
        bigram = train + 5 * unigram
        bigram /= bigram.sum(1, keepdims=True)
        x = self.windows(seed, "test").numpy()
        return {
            "unigram": float(-np.log(unigram[x[:, 1:]]).mean()),
            "bigram": float(-np.log(bigram[x[:, :-1], x[:, 1:]]).mean()),
        }


def width(stream: int, ratio: float) -> int:
    """The code width for a compression: stream / ratio, rounded, at least 1."""
    return max(1, round(stream / ratio))


def run(
    corpus: Corpus,
    config: readers.Config,
    shape: Shape,
    ratios: Sequence[float],
    work: Path | None = None,
    live: readers.Live | None = None,
) -> list[dict]:
    """Train every arm at every compression. Rows of `readers.run`, with `ratio`, the seed's baselines and the corpus.

    config.widths is ignored: widths follow from the ratios.
    """
    widths = {r: width(shape.stream, r) for r in ratios if r > 1}
    blind = tuple(sorted({width(shape.stream, 10)} & set(widths.values())))
    config = readers.Config(**{**vars(config), "widths": tuple(sorted(set(widths.values()))), "blind_widths": blind})
    splits = {s: torch.stack([corpus.windows(seed, s) for seed in range(config.seeds)]) for s in ("validation", "test")}
    train = [np.concatenate(corpus.blocks(seed)["train"]) for seed in range(config.seeds)]
    data = torch.tensor(np.stack([t[: min(map(len, train))] for t in train]), device=config.device)  # (S, N)
    starts = torch.stack([_starts(corpus, config, seed, data.shape[1]) for seed in range(config.seeds)]).to(
        config.device
    )
    window = torch.arange(corpus.length + 1, device=config.device)

    def draw(step: Tensor) -> Tensor:
        places = starts.index_select(1, step.view(1)).movedim(1, 2) + window  # (S, B, 1) + (T + 1)
        return data.gather(1, places.flatten(1)).view(places.shape)

    rows = readers.run(config, readers.Stream(corpus.digest, shape, draw, splits, untrained=shape.stream), work, live)
    baselines = [corpus.baselines(seed) for seed in range(config.seeds)]
    for row in rows:
        row |= baselines[row["seed"]] | {"corpus": corpus.name, "ratio": shape.stream / row["d"]}
        row["asked"] = 1.0 if row["arm"] == "full" else next(r for r, d in widths.items() if d == row["d"])
    return rows


def _starts(corpus: Corpus, config: readers.Config, seed: int, size: int) -> Tensor:
    """(steps, B): where the training windows of a seed begin."""
    rng = devices.numpy_rng("windows", corpus.name, seed)
    return torch.tensor(rng.integers(0, size - corpus.length, (config.steps, config.batch)))


def deployed(shape: Shape, d: int, untrained: int) -> list[dict]:
    """Bytes that each arm needs at inference and in training, in float32, a row an arm.

    two-stage, as counted: with the V×D table and the autoencoder, as the published arithmetic counts it. two-stage,
    folded: the code of every token computed once, which is the same V×d table as the learned arm's.
    """
    network = sum(int(np.prod(s)) for n, s in shape.parameters(d).items() if n not in ("code", "up"))
    table, up = shape.vocab * d, d * shape.stream
    auto = 2 * untrained * d + d + untrained
    arms = {
        "learned": (table, up, table + up + network),
        "two-stage, folded": (table, up, shape.vocab * untrained + auto + up + network),
        "two-stage, as counted": (
            shape.vocab * untrained + untrained * d + d,
            up,
            shape.vocab * untrained + auto + up + network,
        ),
        "full width": (shape.vocab * shape.stream, 0, shape.vocab * shape.stream + network),
    }
    return [
        {
            "arm": arm,
            "table": 4 * t,
            "projection": 4 * u,
            "network": 4 * network,
            "deployed": 4 * (t + u + network),
            "training": 4 * all_,
        }
        for arm, (t, u, all_) in arms.items()
    ]
