"""Arms × widths × seeds of small transformers on any stream of tokens: the rule task, a text, a genome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from helpers import checkpoints, files, stacked
from helpers.encoding import attention, codes
from helpers.encoding.attention import Reader, Shape
from helpers.encoding.chains import ARMS, TWO_STAGE

Live = Callable[[int, dict[str, float]], None]
MEMORY = {"cpu": 400 * 2**20, "cuda": 24 * 2**30}  # bytes of logits and their gradients in one chunk


@dataclass(frozen=True)
class Config:
    """What to train. Arms are those of the context-free study that a transformer can have; 'full' has d = stream.

    blind: arms that are trained a second time with attention off, at the widths in `blind_widths`.
    """

    arms: tuple[str, ...] = ("learned", "random", "seed_ae", "trained_pca", "full")
    widths: tuple[int, ...] = (1, 2, 4, 8)
    blind: tuple[str, ...] = ("learned", "seed_ae", "full")
    blind_widths: tuple[int, ...] = (4,)
    seeds: int = 3
    rates: tuple[float, ...] = (0.01,)
    steps: int = 600
    stage1: float = 0.4
    batch: int = 32
    device: str = "cpu"

    def __post_init__(self):
        usable = ("learned", "random", "seed_ae", "trained_pca", "trained_pca_tuned", "full")
        odd = [a for a in (*self.arms, *self.blind) if a not in usable]
        if odd or self.seeds < 1 or self.steps < 2 or self.batch < 1 or min(self.widths) < 1:
            raise ValueError(
                f"arms {odd or self.arms}, seeds={self.seeds}, steps={self.steps}, batch={self.batch}, "
                f"widths={self.widths}: arms are among {', '.join(usable)}, seeds, batch and widths ≥ 1, steps ≥ 2"
            )

    @property
    def first(self) -> int:
        """Gradient steps of stage one."""
        return max(1, round(self.steps * self.stage1))

    def before(self, arm: str) -> int:
        return self.first if ARMS[arm][0] in TWO_STAGE else 0


@dataclass(frozen=True)
class Stream:
    """Where tokens come from. `name` tells one stream from another when finished work is read back.

    draw(step) -> (S, B, T + 1) training tokens, step a 0-d tensor; held: split -> (S, N, T + 1). start: the first position
    whose next token counts. untrained: the width of the random vectors of the published autoencoder.
    """

    name: str
    shape: Shape
    draw: Callable[[Tensor], Tensor]
    held: Mapping[str, Tensor]
    start: int = 0
    untrained: int = 64


def run(config: Config, stream: Stream, work: Path | None = None, live: Live | None = None) -> list[dict]:
    """Train everything. Returns a row a (model, mark): arm, d, attend, seed, rate, step, validation, loss.

    work: where finished chunks are kept, so that an interrupted run goes on. Raises ValueError when a width exceeds the
    stream or the vocabulary.
    """
    shape = stream.shape
    wide = [d for d in config.widths if d > min(shape.vocab, shape.stream)]
    if wide:
        raise ValueError(
            f"width d={wide[0]} exceeds min(vocabulary {shape.vocab}, stream {shape.stream}); use narrower codes"
        )
    return _Study(config, stream, work, live).run()


class _Study:
    """Full width first, then the codes of stage one, then every narrow model."""

    def __init__(self, config: Config, stream: Stream, work: Path | None, live: Live | None):
        self.config, self.stream, self.work, self.live = config, stream, work, live
        self.made: dict[tuple[str, int, int], Tensor] = {}  # (kind, d, seed): standardised code (V, d)

    def run(self) -> list[dict]:
        c = self.config
        sights = [True, False] if "full" in c.blind else [True]
        width = self.stream.shape.stream
        full = [Reader("full", width, *m) for m in product(sights, range(c.seeds), c.rates)]
        rows, _ = self._train(full, c.steps)
        self._stage_one([m for m in full if m.attend])
        for staged in (False, True):
            models = [m for m in self._narrow() if bool(c.before(m.arm)) == staged]
            rows += self._train(models, c.steps - c.first * staged)[0] if models else []
        return rows

    def _narrow(self) -> list[Reader]:
        c = self.config
        grids = (c.arms, c.widths, [True]), (c.blind, c.blind_widths, [False])
        found = [product(*grid, range(c.seeds), c.rates) for grid in grids]
        return [Reader(*m) for grid in found for m in grid if m[0] != "full"]

    def _stage_one(self, full: list[Reader]) -> None:
        """Codes that are made before the task is seen, and those of a full-width model trained for stage one's budget."""
        c, vocab = self.config, self.stream.shape.vocab
        widths = sorted({*c.widths, *c.blind_widths})
        pairs = list(product(widths, range(c.seeds)))
        if "seed_ae" in (*c.arms, *c.blind):
            x = torch.stack([codes.vectors(vocab, self.stream.untrained, s) for _, s in pairs])
            found, _ = codes.autoencoder(x, *map(list, zip(*pairs, strict=True)), c.first, device=c.device)
            self.made |= {("seed_ae", *pair): codes.standardised(f) for pair, f in zip(pairs, found, strict=True)}
        if {"trained_pca", "trained_pca_tuned"} & {*c.arms, *c.blind}:
            early, projected = self._train(full, c.first, quiet=True)
            last = {(r["seed"], r["rate"]): r["validation"] for r in early}
            for d, seed in pairs:
                best = min(c.rates, key=lambda rate: last[seed, rate])
                embeddings = next(e for m, e in zip(full, projected, strict=True) if (m.seed, m.rate) == (seed, best))
                self.made["trained_pca", d, seed] = codes.standardised(codes.principal(embeddings, d))

    def _code(self, m: Reader) -> Tensor | None:
        kind = ARMS[m.arm][0]
        if kind == "random":
            return codes.standardised(codes.random(self.stream.shape.vocab, m.d, m.seed))
        return None if kind is None else self.made[kind, m.d, m.seed]

    def _train(self, models: list[Reader], steps: int, quiet: bool = False) -> tuple[list[dict], list[Tensor]]:
        """Rows of one group, and for full-width models their projected embeddings (V, D); chunk by chunk."""
        c, stream = self.config, self.stream
        a_model = _bytes_a_model(c, stream.shape)
        most = max(1, MEMORY["cuda" if c.device.startswith("cuda") else "cpu"] // a_model)
        rows, projected = [], []
        for part in stacked.chunked(models, a_model, c.device, "training the transformers", most=most):
            compute = lambda part=part: self._train_chunk(part, steps, quiet)
            name = files.digest(repr((c, stream.name, stream.shape, stream.start, part, steps)))[7:31]
            done = checkpoints.once(self.work / f"{name}.safetensors", compute) if self.work else compute()
            rows += _rows(c, part, stacked.spaced(steps, 12), done["curve"].numpy())
            projected += list(done["vectors"])
        return rows, projected

    def _train_chunk(self, part: list[Reader], steps: int, quiet: bool) -> dict[str, Tensor]:
        live = None if quiet or not self.live else lambda step, seen: self.live(step, _mean_by_arm(part, seen))
        curve, vectors = attention.train(
            part,
            self.stream.shape,
            self.stream.draw,
            self.stream.held,
            steps=steps,
            code=self._code,
            learns=lambda m: ARMS[m.arm][1],
            start=self.stream.start,
            device=self.config.device,
            live=live,
        )
        kept = part[0].arm == "full"
        return {"curve": curve, "vectors": torch.stack(vectors) if kept else torch.zeros(len(part), 0)}


def _bytes_a_model(config: Config, shape: Shape) -> int:
    """Rough bytes of one model's activations and gradients: six copies of the logits and of four hidden layers."""
    return 6 * 4 * config.batch * shape.length * (shape.vocab + 4 * shape.hidden)


def _rows(config: Config, part: list[Reader], marks: list[int], curve: np.ndarray) -> list[dict]:
    """curve: (M, marks, 2)."""
    out = []
    for m, seen in zip(part, curve, strict=True):
        constant = {"arm": m.arm, "d": m.d, "attend": float(m.attend), "seed": m.seed, "rate": m.rate}
        for mark, (validation, loss) in zip(marks, seen, strict=True):
            step = mark + config.before(m.arm)
            out.append(constant | {"step": step, "validation": float(validation), "loss": float(loss)})
    return out


def _mean_by_arm(part: list[Reader], seen: Tensor) -> dict[str, float]:
    arms = dict.fromkeys(m.arm for m in part)
    return {a: float(np.mean([v for v, m in zip(seen.tolist(), part, strict=True) if m.arm == a])) for a in arms}
