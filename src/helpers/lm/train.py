"""Training a causal LM: seeded, resumable, the same bits twice on the same kind of device.

`fit` knows nothing of stories: it takes a model and a function from a step to a batch of token ids. On a GPU a step can
be recorded once as a CUDA graph and replayed, because launching the kernels of a small model takes longer than running
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from helpers import checkpoints, devices, files, sources
from helpers.lm.scoring import costs
from helpers.lm.steps import Stepper, deterministic
from helpers.records import Record

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PRECISIONS = ("float32", "tf32", "bfloat16")
Batches = Callable[[int], Tensor]
Report = Callable[[float, dict[str, float]], None]


@dataclass(frozen=True)
class Recipe:
    """How to train. lr: the peak, reached after `warmup` steps, then down a cosine to a tenth (`floor`) of it.

    batch, length: tokens a step are batch × length. clip: largest gradient norm. every: steps between evaluations (and
    saved states). milestones: steps after which the weights are kept. precision: of matrix products on a GPU: 'float32',
    'tf32', or 'bfloat16' (autocast). compile: record the step as a CUDA graph on a GPU. Both are without effect elsewhere.
    """

    steps: int
    batch: int = 64
    length: int = 64
    lr: float = 3e-3
    warmup: int = 50
    floor: float = 0.1
    decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    seed: int = 0
    every: int = 200
    milestones: tuple[int, ...] = ()
    precision: str = "float32"
    compile: bool = False

    def __post_init__(self):
        if self.steps < 1 or self.batch < 1 or self.length < 2 or self.every < 1:
            raise ValueError(
                f"steps={self.steps}, batch={self.batch}, length={self.length}, every={self.every}: "
                "positive values, and at least two tokens a sequence"
            )
        if not 0 < self.lr < 1 or not 0 <= self.floor <= 1 or self.clip <= 0:
            raise ValueError(f"lr={self.lr}, floor={self.floor}, clip={self.clip}: 0 < lr < 1, 0 ≤ floor ≤ 1, clip > 0")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision={self.precision!r} is unknown; use one of {', '.join(PRECISIONS)}")
        wrong = [m for m in self.milestones if not 0 < m <= self.steps]
        if wrong:
            raise ValueError(f"milestones {wrong} are outside the training's steps 1 … {self.steps}")

    def rate(self, step: int) -> float:
        """Learning rate of step 0 … steps - 1."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        share = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * (self.floor + (1 - self.floor) * (1 + math.cos(math.pi * share)) / 2)


@dataclass
class Fitted:
    """A training that is done: its record (train and held-out loss in nats) and the files of its milestones, by step."""

    record: Record
    milestones: dict[int, Path] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """The last held-out loss in nats a token, or the last training loss where nothing was held out."""
        last = self.record.metrics[-1]
        return last.get("held", last["train"])


def shuffled(tokens: Tensor | np.ndarray, batch: int, seed: int, device: str = "cpu") -> Batches:
    """Batches (batch, length) of the rows of tokens (N, length), every epoch in another seeded order.

    Raises ValueError when there are fewer rows than a batch takes.
    """
    rows = torch.as_tensor(tokens).to(device)
    per_epoch, order = len(rows) // batch, {}
    if not per_epoch:
        raise ValueError(f"{len(rows)} sequences are fewer than one batch of {batch}; make more, or a smaller batch")

    def at(step: int) -> Tensor:
        epoch, place = divmod(step, per_epoch)
        if epoch not in order:
            order.clear()
            order[epoch] = torch.randperm(len(rows), generator=devices.torch_rng("epoch", seed, epoch)).to(device)
        return rows[order[epoch][place * batch : (place + 1) * batch]].long()

    return at


def fit(
    model: PreTrainedModel,
    batches: Batches,
    recipe: Recipe,
    device: str = "cpu",
    folder: Path | None = None,
    report: Report | None = None,
    *,
    held: Tensor | None = None,
    record: Record | None = None,
    corpus: str = "",
) -> Fitted:
    """Train `model` in place on `device`, and leave it there in eval mode.

    batches: step -> (batch, length) ids. folder: where milestones and the last state are kept; an interrupted training
    goes on from there, and a finished one is only read. held: (N, length) ids whose loss is logged. report: called
    with (step, {"train": …, "held": …}) at every evaluation. record: taken for the log, or a new one. corpus: the digest
    of what `batches` draws from; a state is gone on with only on the same corpus, by the same code. Raises
    FloatingPointError, with the step, when the loss is no longer finite.
    """
    device = devices.resolve(device)
    if recipe.milestones and folder is None:
        raise ValueError(f"milestones {recipe.milestones} need a folder to be kept in; give folder=")
    size = sum(p.numel() for p in model.parameters())
    devices.need_memory(16 * size, device, f"training {size / 1e6:.1f}M parameters")
    record = record or Record("storyteller", "fit", recipe.seed)
    record.metadata |= {"recipe": asdict(recipe)}
    done = Fitted(record, {m: milestone(folder, m) for m in recipe.milestones})
    model.to(device).train()
    with deterministic(device, tf32=recipe.precision == "tf32"):
        stepper = Stepper(model, recipe, device)
        state = folder / f"state_{_key(model, recipe, corpus)}.safetensors" if folder else None
        curve = _resume(state, stepper)
        for row in curve:
            _log(record, row, None)
        start, since, total = int(curve[-1][0]) if curve else 0, 0, torch.zeros((), device=device)
        for step in range(start, recipe.steps):
            total += stepper(batches(step), recipe.rate(step))
            since, now = since + 1, step + 1
            if now in done.milestones:
                checkpoints.save(done.milestones[now], weights(model))
            if now % recipe.every == 0 or now == recipe.steps:
                row = (now, total.item() / since, held_out(model, held) if held is not None else math.nan)
                if not math.isfinite(row[1]):
                    raise FloatingPointError(f"the loss is {row[1]} by step {now}; use a lower lr than {recipe.lr}")
                curve.append(row)
                _log(record, row, report)
                since, total = 0, torch.zeros((), device=device)
                if state:
                    _keep(state, stepper, curve)
    model.eval()
    return done


def milestone(folder: Path, step: int) -> Path:
    """Where `fit` keeps the weights of a milestone."""
    return folder / f"step_{step:06d}.safetensors"


def held_out(model: PreTrainedModel, tokens: Tensor, batch: int = 64) -> float:
    """Mean nats a predicted token over tokens (N, length), in eval mode."""
    was = model.training
    model.eval()
    try:
        return float(costs(model, tokens, batch=batch).mean())
    finally:
        model.train(was)


def weights(model: PreTrainedModel) -> dict[str, Tensor]:
    """The state dict on the CPU, without names that share another's memory."""
    seen, out = set(), {}
    for name, value in model.state_dict().items():
        if value.data_ptr() not in seen:
            seen.add(value.data_ptr())
            out[name] = value.detach().to("cpu", copy=True).contiguous()
    return out


def _key(model: PreTrainedModel, recipe: Recipe, corpus: str) -> str:
    start = files.digest(b"".join(v.flatten().view(torch.uint8).numpy().tobytes() for v in weights(model).values()))
    return files.digest(repr((recipe, start, corpus, sources.digest_of(["helpers.lm.train"]))))[7:23]


def _log(record: Record, row: tuple[float, float, float], report: Report | None) -> None:
    values = {"train": row[1]} | ({"held": row[2]} if math.isfinite(row[2]) else {})
    record.log(int(row[0]), **values)
    if report:
        report(row[0], values)


def _keep(path: Path, stepper: Stepper, curve: list[tuple]) -> None:
    checkpoints.save(path, stepper.state() | {"curve": torch.tensor(curve, dtype=torch.float64)})


def _resume(path: Path | None, stepper: Stepper) -> list[tuple[float, float, float]]:
    """Load the state at `path` into the stepper; returns its curve, empty where there is none or it is damaged."""
    if path is None or not path.is_file():
        return []
    try:
        found = checkpoints.load(path)
    except ValueError:
        return []
    curve = [tuple(row) for row in found.pop("curve").tolist()]
    stepper.restore(found)
    return curve
