"""Saved state: safetensors only, checked by sha256, so that interrupted work goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as _decode
from safetensors.torch import save as _encode

from helpers import files


def save(path: str | Path, tensors: Mapping) -> str:
    """Write tensors to a .safetensors file, atomically, with its sha256 beside it. Returns 'sha256:…'."""
    data = _encode({k: v.detach().cpu().contiguous() for k, v in tensors.items()})
    sha = files.digest(data)
    path = Path(path)
    files.write_atomic(path, data)
    files.write_atomic(path.with_name(path.name + ".sha256"), sha + "\n")
    return sha


def load(path: str | Path, expect: str | None = None) -> dict:
    """Tensors of a file written by `save`, on the CPU.

    expect: the digest to hold it to; by default the one saved beside the file. Raises FileNotFoundError, or
    ValueError when the content differs from the digest or is not safetensors.
    """
    path = Path(path)
    data = path.read_bytes()
    beside = path.with_name(path.name + ".sha256")
    expect = expect or (beside.read_text().strip() if beside.is_file() else None)
    if expect != files.digest(data):
        raise ValueError(f"{path} does not match its checksum ({expect}); delete it and run again")
    try:
        return _decode(data)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}; delete it and run again") from error


def once(path: str | Path, compute: Callable[[], Mapping]) -> dict:
    """Load the checkpoint at `path`, or compute it, save it and return it; a damaged one is computed again."""
    try:
        return load(path)
    except (FileNotFoundError, ValueError):
        tensors = dict(compute())
        save(path, tensors)
        return {k: v.detach().cpu() for k, v in tensors.items()}
