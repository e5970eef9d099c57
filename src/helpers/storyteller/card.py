"""The committed storyteller: written anew by training, and checked against its sha256."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import devices, files
from helpers.lm.loader import ASSETS, quiet
from helpers.lm.train import Recipe
from helpers.storyteller import tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CARD, WEIGHTS = "card.json", "model.safetensors"


def write(
    folder: str | Path,
    model: PreTrainedModel,
    recipe: Recipe,
    *,
    size: str,
    corpus: dict,
    result: dict,
    stopped: int | None = None,
) -> dict:
    """Write a trained storyteller as a Hugging Face folder with its card, and return the card as it reads back.

    corpus: style, seed, sequences, tokens and sha256 of the training corpus. result: what `evaluate` found. stopped: the
    step, where the weights are those of a milestone. The same weights give
    the same model.safetensors, byte for byte. Files are written beside the folder first and moved into place.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temp = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with quiet():
            model.save_pretrained(temp)
            tokenizer.build(model.config.max_position_embeddings).save_pretrained(temp)
        facts = {
            "name": "storyteller",
            "size": size,
            "kind": model.config.model_type,
            "parameters": sum(p.numel() for p in model.parameters()),
            "recipe": asdict(recipe),
            "stopped_at_step": stopped or recipe.steps,
            "corpus": corpus,
            "result": result,
            "device": devices.provenance(str(model.device))["device"],
            "torch": devices.provenance()["torch"],
            "sha256": {
                p.name: files.digest(p) for p in sorted(temp.iterdir()) if p.suffix in (".safetensors", ".json")
            },
        }
        files.write_atomic(temp / CARD, files.strict_json(facts) + "\n")
        files.write_atomic(temp / "README.md", readme(facts))
        folder.mkdir(exist_ok=True)
        for file in temp.iterdir():
            os.chmod(file, 0o644)
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    return read(folder)


def read(folder: str | Path = ASSETS) -> dict:
    """The card of a storyteller folder. Raises FileNotFoundError, or ValueError when it is corrupt."""
    return files.read_json(Path(folder) / CARD)


def verify(folder: str | Path = ASSETS) -> dict:
    """Check every file that the card names against its sha256, and return the card.

    Raises FileNotFoundError for a missing file and ValueError for one that differs.
    """
    folder, found = Path(folder), read(folder)
    for name, sha in found["sha256"].items():
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} is missing; restore the folder from the repository")
        if files.digest(folder / name) != sha:
            raise ValueError(f"{folder / name} is not what its card says ({sha}); restore it, or write the folder anew")
    return found


def readme(card: dict) -> str:
    """The card for people."""
    recipe, corpus = card["recipe"], card["corpus"]
    rows = "\n".join(f"| {k.replace('_', ' ')} | {v:.4g} |" for k, v in card["result"].items())
    return f"""# Storyteller

A {card["kind"]} language model of {card["parameters"]:,} parameters (size *{card["size"]}*) that tells stories of a world
whose every probability is known. It is made by this project from nothing but the project's own grammar
(`helpers.storyteller.grammar`), and is under the project's licence.

- Recipe: {card["stopped_at_step"]} of {recipe["steps"]} steps of {recipe["batch"]} sequences of {recipe["length"]} tokens,
  AdamW, learning rate {recipe["lr"]:.4g}, seed {recipe["seed"]}; `card.json` has all of it.
- Corpus: {corpus["sequences"]:,} sequences in the style *{corpus["style"]}*, seed {corpus["seed"]},
  {corpus["sha256"]}.
- Trained on: {card["device"]}, torch {card["torch"]}. On the same kind of device the same recipe gives the same bytes.
- Weights: {card["sha256"][WEIGHTS]}.

`loss` and `exact` are nats a token on held-out stories: the model's, and the grammar's own on the same tokens, below which
no model can be expected to go. Shares are of 1; violations are per 1,000 sentences of sampled stories.

| held-out | |
|---|---|
{rows}
"""
