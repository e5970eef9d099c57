"""Arms × widths × seeds of small transformers on any stream of tokens: the rule task, a text, a genome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from helpers import checkpoints, devices, paths
from helpers.encoding import attention, codes, stack
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
        usable = ("learned", "random", "seed_ae", "trained_pca", "full")
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
    """Where tokens come from. draw(step) -> (S, B, T + 1) training tokens, a row a seed; held: split -> (S, N, T + 1).

    start: the first position whose next token counts. untrained: the width of the random vectors of the published
    autoencoder.
    """

    shape: Shape
    draw: Callable[[int], Tensor]
    held: Mapping[str, Tensor]
    start: int = 0
    untrained: int = 64


def run(config: Config, stream: Stream, work: Path | None = None, live: Live | None = None) -> list[dict]:
    """Train everything. Returns a row a (model, mark): arm, d, attend, seed, rate, step, validation, loss.

    Raises ValueError when a width exceeds the stream or the vocabulary.
    """
    shape = stream.shape
    wide = [d for d in config.widths if d > min(shape.vocab, shape.stream)]
    if wide:
        raise ValueError(
            f"width d={wide[0]} exceeds min(vocabulary {shape.vocab}, stream {shape.stream}); use narrower codes"
        )
    full = [
        Reader("full", shape.stream, a, s, r)
        for a, s, r in product(_sights(config, "full"), range(config.seeds), config.rates)
    ]
    rows, _ = _train(config, stream, full, config.steps, {}, work, live)
    embeddings = {}
    if "trained_pca" in config.arms:
        short = [m for m in full if m.attend]
        early, projected = _train(config, stream, short, config.first, {}, work, None)
        for seed in range(config.seeds):
            last = {m: r for m, r in zip(short, _finals(early, short), strict=True) if m.seed == seed}
            embeddings[seed] = projected[short.index(min(last, key=last.get))]
    for staged in (False, True):
        models = [m for m in _narrow(config) if bool(config.before(m.arm)) == staged]
        if models:
            rows += _train(config, stream, models, config.steps - config.first * staged, embeddings, work, live)[0]
    return rows


def _narrow(config: Config) -> list[Reader]:
    arms = [a for a in config.arms if a != "full"]
    seen = product(arms, config.widths, [True], range(config.seeds), config.rates)
    unseen = product(
        [a for a in config.blind if a != "full"], config.blind_widths, [False], range(config.seeds), config.rates
    )
    return [Reader(*m) for m in (*seen, *unseen)]


def _sights(config: Config, arm: str) -> list[bool]:
    return [True, False] if arm in config.blind else [True]


def _finals(rows: list[dict], models: list[Reader]) -> list[float]:
    """Last validation loss of each model, in the order of `models`."""
    last = {(r["arm"], r["d"], r["attend"], r["seed"], r["rate"]): r["validation"] for r in rows}
    return [last[m.arm, m.d, float(m.attend), m.seed, m.rate] for m in models]


def _train(config, stream, models, steps, embeddings, work, live):
    """Rows and projected embeddings of one group, chunk by chunk; a finished chunk is read back from `work`."""
    shape, device = stream.shape, config.device
    a_model = 6 * 4 * config.batch * shape.length * (shape.vocab + 4 * shape.hidden)  # bytes, activations and gradients
    size = max(1, MEMORY["cuda" if device.startswith("cuda") else "cpu"] // a_model)
    devices.need_memory(min(size, len(models)) * a_model, device, "training the transformers")
    rows, projected = [], []
    for at in range(0, len(models), size):
        part = models[at : at + size]

        def compute(part=part):
            curve, vectors = attention.train(
                part,
                shape,
                stream.draw,
                stream.held,
                steps=steps,
                code=lambda m: _code(stream, config, m, embeddings),
                learns=lambda m: ARMS[m.arm][1],
                start=stream.start,
                device=device,
                live=live and (lambda step, seen: live(step, _mean_by_arm(part, seen))),
            )
            return {
                "curve": curve,
                "vectors": torch.stack(vectors) if part[0].arm == "full" else torch.zeros(len(part), 0),
            }

        name = paths.digest(repr((config, shape, stream.start, part, steps)))[7:31]
        done = checkpoints.once(work / f"{name}.safetensors", compute) if work else compute()
        rows += _rows(config, part, stack.spaced(steps, 12), done["curve"].numpy())
        projected += list(done["vectors"])
    return rows, projected


def _rows(config: Config, part: list[Reader], marks: list[int], curve: np.ndarray) -> list[dict]:
    out = []
    for m, seen in zip(part, curve, strict=True):
        for mark, (validation, loss) in zip(marks, seen, strict=True):
            out.append(
                {"arm": m.arm, "d": m.d, "attend": float(m.attend), "seed": m.seed, "rate": m.rate}
                | {"step": mark + config.before(m.arm), "validation": float(validation), "loss": float(loss)}
            )
    return out


def _code(stream: Stream, config: Config, m: Reader, embeddings: Mapping[int, Tensor]) -> Tensor | None:
    kind, vocab = ARMS[m.arm][0], stream.shape.vocab
    if kind is None:
        return None
    if kind == "random":
        return codes.standardised(codes.random(vocab, m.d, m.seed))
    if kind == "trained_pca":
        return codes.standardised(codes.principal(embeddings[m.seed], m.d))
    x = codes.vectors(vocab, stream.untrained, m.seed)[None]
    found, _ = codes.autoencoder(x, [m.d], [m.seed], config.first, device=config.device)
    return codes.standardised(found[0])


def _mean_by_arm(part: list[Reader], seen: Tensor) -> dict[str, float]:
    arms = dict.fromkeys(m.arm for m in part)
    return {a: float(np.mean([v for v, m in zip(seen.tolist(), part, strict=True) if m.arm == a])) for a in arms}
