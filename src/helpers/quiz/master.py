"""The quizmaster: a model of the storyteller's shape, trained on stories whose questions are worded in many ways, and on tasks.

python -m helpers.quiz.master FOLDER --device cuda      trains it and writes the folder that is committed as `assets`
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from helpers import devices, files
from helpers.lm import Recipe, fit
from helpers.lm.loader import LM, load, quiet
from helpers.lm.train import shuffled
from helpers.quiz import tasks
from helpers.quiz.wordings import kind_of, wordings
from helpers.quiz.words import ID, WORDS, tokenizer
from helpers.storyteller import grammar, sizes
from helpers.storyteller.world import BOS, EOS

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME, ASSETS = "quizmaster", Path(__file__).parent / "assets"
SIZE, LENGTH = sizes.Size(6, 128), 96
DRAWN = tasks.MAKERS | {"sudoku": tasks.some_sudoku}
RECIPE = Recipe(steps=5000, batch=128, length=LENGTH, warmup=200, every=500, precision="tf32", compile=True)
MOST, PART = 1 << 17, 1000  # rows of the corpus at most; documents that share a stream of random numbers
HELD = 100  # tasks of a tier that are asked for the card


def documents(count: int, seed: object) -> list[list[str]]:
    """As many stories, with other wordings, as tasks, so many in all, each from <bos> to <eos>."""
    rng = devices.numpy_rng("quiz", "corpus", seed)
    stories = grammar.documents(count // 2, devices.seed_of("quiz", seed) % (1 << 31), split="train")
    out = [reworded(words, rng) for words in stories]
    for i in range(count - len(out)):
        question, answer = DRAWN[tasks.TIERS[i % len(tasks.TIERS)]](rng)
        out.append([BOS, *question, *answer, EOS])
    return [out[i] for i in rng.permutation(len(out))]


def reworded(story: Sequence[str], rng: np.random.Generator) -> list[str]:
    """A story with each of its questions, and each answer, in one of their wordings."""
    out, at = [], 0
    while at < len(story):
        end = at + 1
        while end < len(story) and story[end - 1] not in (".", "?", BOS, EOS):
            end += 1
        sentence = list(story[at:end])
        if sentence[-1] == "?":
            until = story.index(".", end) + 1
            both = wordings(kind_of(sentence), sentence, story[end:until])
            sentence = [word for each in both for word in each[int(rng.integers(len(each)))]]
            end = until
        out += sentence
        at = end
    return out


def corpus(count: int, seed: object = 0, workers: int = 1) -> np.ndarray:
    """(count, LENGTH) token ids as int16: one document after another, each row from the start of one.

    workers: processes that share the work; the result is the same for any number.
    """
    made: list[np.ndarray] = []
    parts = (((seed, i),) for i in itertools.count())
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else nullcontext() as pool:
        while sum(map(len, made)) < count:
            several = list(itertools.islice(parts, workers * 4 if pool else 1))
            made += pool.map(_rows, *zip(*several, strict=True)) if pool else map(_rows, *zip(*several, strict=True))
    return np.concatenate(made)[:count]


def _rows(seed: object) -> np.ndarray:
    rows, words = [], []
    for document in documents(PART, seed):
        words += document
        if len(words) >= LENGTH:
            rows.append([ID[w] for w in words[:LENGTH]])
            words = []
    return np.array(rows, "<i2")


@torch.inference_mode()
def answers(model: PreTrainedModel, seed: int = 0, count: int = HELD) -> dict[str, float]:
    """Of every tier, the share of tasks that no training saw which the model answers exactly. The likeliest token is right
    everywhere, given the right ones before it, if and only if greedy decoding says the answer; so one pass tells."""
    out = {}
    for tier in tasks.TIERS:
        rng, right = devices.numpy_rng("quiz", "held", tier, seed), 0
        for _ in range(count):
            question, answer = tasks.task(tier, rng)
            ids = torch.tensor([[ID[w] for w in (BOS, *question, *answer)]], device=model.device)
            said = model(input_ids=ids, use_cache=False).logits[0, len(question) : -1].argmax(-1)
            right += bool((said == ids[0, len(question) + 1 :]).all())
        out[tier] = right / count
    return out


def make(
    folder: str | Path, *, device: str = "auto", recipe: Recipe = RECIPE, size: sizes.Size = SIZE, workers: int = 1
) -> dict:
    """Train the quizmaster into a Hugging Face folder, in half precision, and return its card."""
    folder, device = Path(folder), devices.resolve(device)
    rows = corpus(min(recipe.steps * recipe.batch, MOST), workers=workers)
    batches = shuffled(torch.from_numpy(rows), recipe.batch, recipe.seed, device)
    held = torch.from_numpy(corpus(256, "held").astype(np.int64))
    model = sizes.build(size, recipe.seed, vocab=len(WORDS))
    done = fit(model, batches, recipe, device, held=held, report=lambda at, row: print(int(at), row, flush=True))
    model.to(torch.float16)
    with quiet():
        model.save_pretrained(folder)
        tokenizer(size.positions).save_pretrained(folder)
    known = load(str(folder), device=device, dtype="float32")
    card = {"name": NAME, "parameters": known.parameters, "recipe": asdict(recipe), "sequences": len(rows)}
    card |= {"corpus": files.digest(rows.tobytes()), "loss": done.loss, "answers": answers(known.model)}
    card |= {"device": devices.provenance(device)["device"], "weights": files.digest(folder / "model.safetensors")}
    files.write_atomic(folder / "card.json", files.strict_json(card) + "\n")
    return card


def quizmaster(device: str = "auto") -> LM:
    """The committed one, in single precision."""
    found = load(str(ASSETS), device=device, dtype="float32")
    return LM(NAME, "embedded", found.model, found.tokenizer, found.device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=RECIPE.batch)
    given = parser.parse_args()
    recipe = replace(RECIPE, steps=given.steps, batch=given.batch)
    print(make(given.folder, device=given.device, recipe=recipe, workers=given.workers))


if __name__ == "__main__":
    main()
