"""A natural-language reference: a GPT-2-shaped model and its byte-level BPE, trained on an archive of novels."""

from __future__ import annotations

import io
import tarfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from helpers import data, devices, files
from helpers.lm import train
from helpers.lm.loader import quiet
from helpers.lm.train import Recipe, Report
from helpers.records import Record

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPLITS = ("train", "held")
HELD = 0.02  # of every novel: its end
END = "<|endoftext|>"
LARGEST = 1 << 30  # bytes of text in an archive
RECIPE = Recipe(
    steps=3000,
    batch=64,
    length=256,
    lr=6e-4,
    warmup=200,
    decay=0.1,
    betas=(0.9, 0.95),
    every=500,
    precision="bfloat16",
)


def recipe(steps: int) -> Recipe:
    """The default recipe with another number of steps."""
    return replace(RECIPE, steps=steps, warmup=min(RECIPE.warmup, max(1, steps // 10)), every=max(1, steps // 6))


@dataclass(frozen=True)
class Shape:
    """The model's shape, GPT-2 small's by default but for vocabulary and context."""

    vocab: int = 8192
    context: int = 256
    layers: int = 12
    hidden: int = 768
    heads: int = 12

    def __post_init__(self):
        if self.vocab < 257 or self.context < 2 or self.layers < 1 or self.hidden % self.heads:
            raise ValueError(
                f"{self}: vocab at least 257 (all bytes and an end), context at least 2, at least one layer, and a hidden "
                "width that is a multiple of heads"
            )


def is_archive(source: str | Path | bytes) -> bool:
    """Whether this names a tar archive, or is the content of one."""
    if isinstance(source, bytes):
        return source[:2] == b"\x1f\x8b" or source[257:262] == b"ustar"
    return str(source).endswith((".tar", ".tar.gz", ".tgz"))


def read(source: str | Path | bytes, split: str = "train") -> list[str]:
    """The novels of an archive (its .txt members, in the order of their names), or of one text as `data.load_text` takes it.

    split 'held': the last 2 % of every novel's characters; 'train': what comes before. Nothing is unpacked to disk.
    Raises FileNotFoundError, or ValueError for an archive that is damaged, has no text, or is not UTF-8.
    """
    if split not in SPLITS:
        raise ValueError(f"split={split!r} is unknown; use one of {', '.join(SPLITS)}")
    novels = _members(source) if is_archive(source) else [data.load_text(str(source)).content]
    cuts = [len(text) - int(len(text) * HELD) for text in novels]
    return [text[:cut] if split == "train" else text[cut:] for text, cut in zip(novels, cuts, strict=True)]


def _members(source: str | Path | bytes) -> list[str]:
    name = "the archive" if isinstance(source, bytes) else str(source)
    try:
        raw = io.BytesIO(source) if isinstance(source, bytes) else None
        with tarfile.open(None if raw else source, fileobj=raw) as tar:
            members = sorted((m for m in tar if m.isfile() and m.name.endswith(".txt")), key=lambda m: m.name)
            if not members or sum(m.size for m in members) > LARGEST:
                raise ValueError(
                    f"{name} holds {len(members)} .txt files; at least one, and at most 1 GiB, were expected"
                )
            return [tar.extractfile(m).read().decode("utf-8").replace("\r\n", "\n") for m in members]
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{name} is not a whole tar archive: {error}; fetch it again") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} holds a text that is not UTF-8: {error}; convert it first") from error


def tokenizer(texts: list[str], vocab: int, context: int) -> PreTrainedTokenizerBase:
    """A byte-level BPE tokenizer of `vocab` tokens trained on the texts. Raises ValueError when they are too few for it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator((piece for text in texts for piece in _pieces(text)), trainer)
    if bpe.get_vocab_size() != vocab:
        raise ValueError(
            f"this text gives a vocabulary of {bpe.get_vocab_size()} tokens, not {vocab}; use more text, or less"
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=END, eos_token=END, model_max_length=context, clean_up_tokenization_spaces=False
    )


def encode(texts: list[str], words: PreTrainedTokenizerBase, length: int) -> torch.Tensor:
    """(N, length) int32 pieces of the texts, one text after another, each after an end token."""
    end = np.array([words.eos_token_id], np.int32)
    parts = []
    for text in texts:
        parts.append(end)
        found = words.backend_tokenizer.encode_batch(_pieces(text), add_special_tokens=False)
        parts += [np.array(e.ids, np.int32) for e in found]
    ids = np.concatenate(parts)
    if len(ids) < length:
        raise ValueError(f"the text gives {len(ids)} tokens, fewer than one sequence of {length}")
    return torch.from_numpy(ids[: len(ids) // length * length].reshape(-1, length))


def _pieces(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def make(
    folder: str | Path,
    source: str | Path | bytes,
    *,
    recipe: Recipe = RECIPE,
    shape: Shape | None = None,
    device: str = "auto",
    report: Report | None = None,
    record: Record | None = None,
) -> dict:
    """Train tokenizer and model on `source` and write them to `folder` as a Hugging Face folder; returns the card.

    The card holds recipe, shape, the corpus's digest, and the held-out loss in nats a token and bits a byte. An
    interrupted training is not resumed: the states of a model of this size are larger than what they would save.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    shape, folder, device = shape or Shape(), Path(folder), devices.resolve(device)
    if recipe.length > shape.context:
        raise ValueError(f"length={recipe.length} is more than the context of {shape.context}")
    texts, ends = read(source, "train"), read(source, "held")
    words = tokenizer(texts, shape.vocab, shape.context)
    rows, held = encode(texts, words, recipe.length), encode(ends, words, recipe.length)
    config = GPT2Config(
        vocab_size=shape.vocab, n_positions=shape.context, n_embd=shape.hidden, n_layer=shape.layers, n_head=shape.heads,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(devices.seed_of("novels", recipe.seed))
        model = GPT2LMHeadModel(config)
    batches = train.shuffled(rows, recipe.batch, recipe.seed, device)
    held = held.long()
    train.fit(model, batches, recipe, device, None, report, held=held[:256], record=record)
    loss = train.held_out(model, held, 16)
    size = sum(len(text.encode()) for text in ends)
    with quiet():
        model.save_pretrained(folder)
        words.save_pretrained(folder)
    card = {
        "name": "novels",
        "parameters": sum(p.numel() for p in model.parameters()),
        "shape": asdict(shape),
        "recipe": asdict(recipe),
        "corpus": {"novels": len(texts), "tokens": int(rows.numel()), "sha256": files.digest("\n".join(texts))},
        "result": {"loss": loss, "bits_per_byte": loss * held.numel() / size / float(np.log(2))},
        "device": devices.provenance(device)["device"],
        "torch": devices.provenance()["torch"],
        "sha256": {"model.safetensors": files.digest(folder / "model.safetensors")},
    }
    files.write_atomic(folder / "card.json", files.strict_json(card) + "\n")
    return card
