"""Storytellers trained from a recipe: the embedded one, and the family of depths, widths, seeds and priors."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from helpers import checkpoints, devices, files
from helpers.data.fetch import cache_folder
from helpers.lm import train
from helpers.lm.loader import quiet
from helpers.lm.train import Recipe, Report
from helpers.records import Record
from helpers.storyteller import card as cards
from helpers.storyteller import grammar, sizes
from helpers.storyteller.evaluation import evaluate

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SEQUENCES = 1 << 19  # of the training corpus at most: 34 million tokens
HELD = 256  # held-out sequences whose loss is logged while training
EARLY, TUNED = "early", "brisk"  # the priors made from the default model: an earlier checkpoint, and a fine-tuned one


@dataclass(frozen=True)
class Member:
    """A trained model: its name, size, seed, what it is ('final', 'early' or 'brisk'), its Hugging Face folder, its card."""

    name: str
    size: str
    seed: int
    variant: str
    folder: Path
    card: dict


def recipe(size: str = "default", seed: int = 0, *, steps: int | None = None, batch: int | None = None) -> Recipe:
    """The recipe of a size; most steps and the largest batch for the default, half a minute on a core for the small one.

    The peak learning rate falls with width and with the root of the depth beyond the default's.
    """
    shape = sizes.size_of(size)
    tokens = {"small": (300, 16), "default": (4000, 256)}.get(size, (3000, 128))
    steps, batch = steps or tokens[0], batch or tokens[1]
    rate = 3e-3 * min(1.0, 128 / shape.hidden) * min(1.0, (6 / shape.layers) ** 0.5)
    return Recipe(
        steps=steps,
        batch=batch,
        length=grammar.LENGTH,
        lr=rate,
        warmup=min(200, max(1, steps // 10)),
        seed=seed,
        every=max(1, steps // 20),
        milestones=(max(1, steps // 4),) if size == "default" else (),
        precision="tf32",
        compile=True,
    )


def make(
    folder: str | Path,
    *,
    size: str = "default",
    seed: int = 0,
    kind: str = "llama",
    device: str = "auto",
    steps: int | None = None,
    batch: int | None = None,
    workers: int = 1,
    work: str | Path | None = None,
    report: Report | None = None,
    record: Record | None = None,
) -> dict:
    """Train a storyteller and write it to `folder` as the committed one is, card and all; returns the card.

    The same call gives the same weights, bit for bit, on the same kind of device with the same versions. workers:
    processes that write the corpus. work: a folder for milestones and for the last state, from which an interrupted
    training goes on; without it nothing but the result is kept.
    """
    job = _Job(recipe(size, seed, steps=steps, batch=batch), size, "plain", device, workers, report, record)
    return job.run(Path(folder), sizes.build(size, seed, kind=kind), work)


def tune(folder: str | Path, base: str | Path, *, steps: int, device: str = "auto", workers: int = 1) -> dict:
    """Fine-tune the storyteller in `base` on the other style of stories, at a fifth of its learning rate; writes `folder`."""
    from transformers import AutoModelForCausalLM

    found = cards.verify(base)
    how = recipe(found["size"], found["recipe"]["seed"], steps=steps, batch=found["recipe"]["batch"])
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(base, local_files_only=True, dtype=torch.float32)
    job = _Job(replace(how, lr=how.lr / 5, milestones=()), found["size"], "brisk", device, workers)
    return job.run(Path(folder), model, None)


def family(
    folder: str | Path | None = None,
    device: str = "auto",
    *,
    seeds: int = 3,
    ladder_seeds: int = 3,
    depths: Sequence[int] = (2, 4, 8, 16),
    widths: Sequence[int] = (64, 256, 512),
    steps: int | None = None,
    batch: int | None = None,
    workers: int = 1,
    report: Report | None = None,
) -> list[Member]:
    """Every model that the scaling and prior experiments need; what `folder` lacks is trained, the rest is checked and read.

    The default model with every seed; of seed 0 also an earlier checkpoint ('early', after a quarter of the steps) and
    one fine-tuned on the other style ('brisk'); every depth with `ladder_seeds` seeds; every width with seed 0 (width 128
    is the default model). folder: by default one in the cache of downloads. steps, batch: instead of the recipes' own,
    for a quick look.
    """
    folder, out = Path(folder or cache_folder() / "storyteller"), []
    unknown = [n for n in (*(f"depth{d}" for d in depths), *(f"width{w}" for w in widths)) if n not in sizes.SIZES]
    if seeds < 1 or unknown:
        raise ValueError(f"seeds={seeds}, sizes {unknown}: at least one seed, and sizes of {', '.join(sizes.SIZES)}")
    plan = [("default", s) for s in range(seeds)] + [
        (f"depth{d}", s) for d in depths for s in range(min(seeds, ladder_seeds))
    ]
    plan += [(f"width{w}", 0) for w in widths if w != 128]
    for size, seed in plan:
        out += member(folder, size, seed, device, steps=steps, batch=batch, workers=workers, report=report)
    return out


def member(folder: str | Path, size: str, seed: int, device: str = "auto", **how) -> list[Member]:
    """One model of the family, trained if it is not there; with the default of seed 0 come its two priors.

    how: steps, batch, workers and report, as `make` takes them.
    """
    own, asked = (recipe(size, seed, steps=how.get(k), batch=how.get(b)) for k, b in (("", ""), ("steps", "batch")))
    quick = "" if asked == own else f"-steps{asked.steps}-batch{asked.batch}"  # a quick look is a model of its own
    folder, name = Path(folder), f"{size}-seed{seed}{quick}"
    place = folder / name
    card = _there(place, asked) or make(place, size=size, seed=seed, device=device, work=folder / "work" / name, **how)
    out = [Member(name, size, seed, "final", place, card)]
    if (size, seed) != ("default", 0):
        return out
    early, tuned = folder / f"{name}-{EARLY}", folder / f"{name}-{TUNED}"
    card = _there(early, asked) or _early(place, folder / "work" / name, early)
    out.append(Member(early.name, size, seed, EARLY, early, card))
    steps = max(1, cards.read(place)["recipe"]["steps"] // 4)
    card = _there(tuned) or tune(tuned, place, steps=steps, device=device, workers=how.get("workers", 1))
    return [*out, Member(tuned.name, size, seed, TUNED, tuned, card)]


def _there(folder: Path, asked: Recipe | None = None) -> dict | None:
    """The card of a whole model that was trained by the recipe asked for, or None."""
    try:
        card = cards.verify(folder)
    except (FileNotFoundError, ValueError):
        return None
    plain = json.loads(files.strict_json(asdict(asked))) if asked else None
    return card if plain in (None, card["recipe"]) else None


def _early(final: Path, work: Path, folder: Path) -> dict:
    """The milestone of a finished model as a folder of its own."""
    card = cards.read(final)
    step = card["recipe"]["milestones"][0]
    model = sizes.build(card["size"], card["recipe"]["seed"])
    model.load_state_dict(checkpoints.load(train.milestone(work, step)))
    how = Recipe(**{k: tuple(v) if isinstance(v, list) else v for k, v in card["recipe"].items()})
    return cards.write(
        folder, model, how, size=card["size"], corpus=card["corpus"], result=evaluate(model), stopped=step
    )


@dataclass
class _Job:
    """One training, from a model to the folder with its card."""

    recipe: Recipe
    size: str
    style: str
    device: str
    workers: int = 1
    report: Report | None = None
    record: Record | None = None

    def run(self, folder: Path, model: PreTrainedModel, work: str | Path | None) -> dict:
        if work is None:
            with tempfile.TemporaryDirectory() as temp:
                return self.run(folder, model, temp)
        device, how = devices.resolve(self.device), self.recipe
        rows, facts = _corpus(min(SEQUENCES, how.steps * how.batch), self.style, self.workers)
        held = torch.from_numpy(grammar.corpus(HELD, 0, split="held", style=self.style))
        batches = train.shuffled(rows, how.batch, how.seed, device)
        train.fit(
            model, batches, how, device, Path(work), self.report, held=held, record=self.record, corpus=facts["sha256"]
        )
        card = cards.write(folder, model, how, size=self.size, corpus=facts, result=evaluate(model, style=self.style))
        for state in Path(work).glob("state_*"):
            state.unlink()
        return card


@lru_cache(maxsize=2)
def _corpus(count: int, style: str, workers: int) -> tuple[torch.Tensor, dict]:
    """A training corpus (count, 64) as int16, and what a card says of it."""
    rows = grammar.corpus(count, 0, style=style, workers=workers).astype("<i2")
    facts = {
        "style": style,
        "seed": 0,
        "sequences": count,
        "tokens": int(rows.size),
        "sha256": files.digest(np.ascontiguousarray(rows).tobytes()),
        "rate": grammar.entropy(style)["rate"],
    }
    return torch.from_numpy(rows), facts
