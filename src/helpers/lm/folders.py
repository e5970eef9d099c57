"""What can be wrong with a model's folder, looked for before anything heavy is read, and said in words that help.

All checks raise ValueError, but FileNotFoundError where a file is not there at all.
"""

from __future__ import annotations

import importlib.util
import json
from math import prod
from pathlib import Path

POINTER = b"version https://git-lfs"  # how a file begins that git-lfs has not fetched
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
READ = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model"]
READ += ["spiece.model", "vocab.json", "vocab.txt", "merges.txt", "special_tokens_map.json", "added_tokens.json"]
CODES = ("I8", "U8", "I16", "U16", "I32", "U32", "F8_E4M3", "F8_E5M2", "F8_E8M0")  # of quantised weights
Shapes = dict[str, tuple[int, ...]]


def check_small(folder: Path, what: str, advice: str) -> None:
    """The config and the tokenizer's files: there, fetched, readable, and in need of no code that comes with them."""
    _check_fetched([folder / name for name in READ], what)
    config = _read_json(folder / "config.json", what, advice)
    _check_kind(folder, config, what)
    if (folder / "adapter_config.json").is_file():
        raise ValueError(
            f"{what} holds an adapter (adapter_config.json), which would not be used; merge it into its model first "
            "(merge_and_unload, then save_pretrained), and give that folder"
        )
    read = {
        n: _read_json(folder / n, what, advice)
        for n in ("tokenizer.json", "tokenizer_config.json")
        if (folder / n).is_file()
    }
    _check_reader(folder, what)
    if isinstance(rows := config.get("vocab_size"), int):
        check_tokens(_told(read.get("tokenizer.json", {})), rows, what)


def check_weights(folder: Path, what: str, advice: str) -> Shapes:
    """The weights' files: there, fetched and whole, with all tensors that an index names. Returns {tensor: shape}."""
    _check_fetched([folder / WEIGHTS] if (folder / WEIGHTS).is_file() else [folder / INDEX], what)
    if (folder / WEIGHTS).is_file():
        return _tensors(folder / WEIGHTS, what, advice)
    if not (folder / INDEX).is_file():
        there = ", ".join(sorted(p.name for p in folder.glob("*.safetensors"))[:3])
        raise FileNotFoundError(
            f"{what} has {there}, but neither {WEIGHTS} nor {INDEX}; the weights of a whole model are expected under one "
            "of these names: save them there with model.save_pretrained"
        )
    shards = _read_json(folder / INDEX, what, advice).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ValueError(f"{what} cannot be loaded: {INDEX} has no weight_map from tensors to files; {advice}")
    shards = {tensor: str(shard) for tensor, shard in shards.items()}
    names = sorted(set(shards.values()))
    missing = [name for name in names if Path(name).name != name or not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{what} lacks {len(missing)} of {len(names)} files of weights, such as {missing[0]}, which "
            f"{INDEX} names; {advice}"
        )
    _check_fetched([folder / name for name in names], what)
    held = {name: _tensors(folder / name, what, advice) for name in names}
    for tensor, shard in shards.items():
        if tensor not in held[shard]:
            raise ValueError(f"{what} cannot be loaded: {shard} lacks {tensor}, which {INDEX} says it holds; {advice}")
    return {name: shape for tensors in held.values() for name, shape in tensors.items()}


def _check_fetched(paths: list[Path], what: str) -> None:
    for path in filter(Path.is_file, paths):
        with path.open("rb") as file:
            if file.read(len(POINTER)) == POINTER:
                raise ValueError(
                    f"{what} cannot be loaded: {path.name} is a git-lfs pointer of {path.stat().st_size} bytes, not the "
                    "file it stands for; run `git lfs pull` in that folder"
                )


def _read_json(path: Path, what: str, advice: str) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also what is not UTF-8
        raise ValueError(f"{what} cannot be loaded: {path.name} is not JSON ({error}); {advice}") from error
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise ValueError(f"{what} cannot be loaded: {path.name} holds a {kind}, not an object of settings; {advice}")
    return found


def _check_kind(folder: Path, config: dict, what: str) -> None:
    """A kind that transformers does not know would need the code that comes with it, or a later version; and it has to be one
    that predicts the next token."""
    from transformers import CONFIG_MAPPING, __version__
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise ValueError(
            f"{what} cannot be loaded: config.json names no model_type, such as llama or gpt2; take the config that the "
            "model was saved with"
        )
    if "auto_map" in config and kind not in CONFIG_MAPPING:
        brought = ", ".join(sorted(p.name for p in folder.glob("*.py"))) or str(config["auto_map"])
        raise ValueError(
            f"{what} cannot be loaded: its model_type is {kind!r}, which transformers does not know, and the code that comes "
            f"with it ({brought}) is never run here; use a model of a kind that transformers knows"
        )
    if kind not in CONFIG_MAPPING:
        raise ValueError(
            f"{what} cannot be loaded: its model_type is {kind!r}, which transformers {__version__} does not know; use a "
            "model of a kind that it knows, or look whether model_type in config.json is spelt right"
        )
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ValueError(
            f"{what} is not a causal language model that transformers knows: its model_type is {kind!r}; use one that "
            "predicts the next token, such as llama or gpt2"
        )


def _check_reader(folder: Path, what: str) -> None:
    """A tokenizer in SentencePiece's or tiktoken's own form needs a package to be read."""
    whole = ("tokenizer.json", "vocab.json", "vocab.txt")
    raw = [n for n in ("tokenizer.model", "spiece.model") if (folder / n).is_file()]
    if not raw or any((folder / n).is_file() for n in whole):
        return
    if not any(importlib.util.find_spec(package) for package in ("sentencepiece", "tiktoken")):
        raise ValueError(
            f"{what} has its tokenizer as {raw[0]} alone, to read which neither sentencepiece nor tiktoken is installed; "
            "install sentencepiece, or save the tokenizer there as tokenizer.json (tokenizer.save_pretrained)"
        )


def check_tokens(known: dict[str, int], rows: int, what: str) -> None:
    """Raises ValueError where some tokens, by their numbers, have no row in an embedding of so many."""
    beyond = sorted((i, token) for token, i in known.items() if i >= rows)
    if beyond:
        last, token = beyond[-1]
        raise ValueError(
            f"{what}: token {last} has no row in the embedding of {rows}: {len(beyond)} tokens of the tokenizer, the last of "
            f"them {token!r}, are beyond it; save the tokenizer that belongs to this model, or enlarge the embedding with "
            "model.resize_token_embeddings"
        )


def _told(words: dict) -> dict[str, int]:
    """{token: number} as tokenizer.json tells them; what it does not is asked of the tokenizer itself, see `loader`."""
    model, added = words.get("model"), words.get("added_tokens")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    known = dict(vocab) if isinstance(vocab, dict) else {}
    known |= {t.get("content"): t.get("id") for t in (added if isinstance(added, list) else []) if isinstance(t, dict)}
    return {str(token): i for token, i in known.items() if isinstance(i, int)}


def _tensors(path: Path, what: str, advice: str) -> Shapes:
    """{tensor: shape} from a safetensors header. Raises ValueError where the file is shorter, or longer, than that says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise ValueError(
                f"{what} cannot be loaded: {path.name} of {size} bytes is cut short, or no safetensors file; {advice}"
            )
        try:
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            ends = [entry["data_offsets"][1] for entry in header.values()]
            shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
            coded = sorted(n for n, e in header.items() if e["dtype"] in CODES and len(e["shape"]) > 1)
            coded = [n for n in coded if not is_mask(n, shapes[n])]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise ValueError(f"{what} cannot be loaded: {path.name} has no safetensors header; {advice}") from error
    if coded:
        raise ValueError(
            f"{what} cannot be loaded: {coded[0]} is stored as {header[coded[0]]['dtype']}, codes whose scales are not read "
            "here; save the model in float32, bfloat16 or float16"
        )
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise ValueError(
            f"{what} cannot be loaded: {path.name} has {size} bytes, and {expected} by its own header; {advice}"
        )
    return shapes


def is_mask(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor that a model does not use is none of its weights, but a table of positions or of the causal mask
    that older versions stored: one of four dimensions, or of a single value."""
    if name.endswith(("rotary_emb.inv_freq", "position_ids")):
        return True
    return name.endswith((".attn.bias", ".attention.bias", ".masked_bias")) and (len(shape) == 4 or prod(shape) == 1)
