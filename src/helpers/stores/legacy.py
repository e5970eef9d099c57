"""The published weight files (.pkl): block-quantised tensors in a pickle, read without trusting it, and converted.

Layout: {parameter name: entry}. entry["type"] "uncompressed": entry["data"] is an array, used as float16.
"compressed_blockwise": entry["data"] = {"data": [uint8 arrays q], "metadata": [(tmin, tmax, shape, …)], "bits": b}; a
block is tmin + (tmax - tmin) q/(2^b - 1) in its shape, and the blocks are stacked along the first dimension.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from helpers import files
from helpers.codec.codec import Codec, encode
from helpers.stores.coded import Coded
from helpers.stores.store import write_store
from helpers.stores.unpickle import PickleRefused, array, kind, load

HALF = 65504.0  # the largest float16


@dataclass(frozen=True)
class Block:
    """One quantised block: codes q (uint8, any shape of the right size), its range, and its shape."""

    codes: np.ndarray
    low: float
    high: float
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """One tensor of a file: blocks of `bits`-bit codes, or a plain array. `values` gives its numbers."""

    name: str
    shape: tuple[int, ...]
    bits: int = 16
    blocks: tuple[Block, ...] = ()
    plain: np.ndarray | None = None

    def values(self) -> np.ndarray:
        """float16 array of `shape`, decoded in float32 as the published code does."""
        if self.plain is not None:
            return self.plain.astype(np.float16)
        levels = np.float32(2**self.bits - 1)
        parts = []
        for block in self.blocks:
            low, high = np.float32(block.low), np.float32(block.high)
            part = low + (high - low) * block.codes.astype(np.float32) / levels
            parts.append(part.reshape(block.shape).astype(np.float16))
        return np.vstack(parts)


def read_pkl(path: str | Path) -> dict[str, Entry]:
    """Every tensor of a published .pkl, checked, and not yet decoded.

    Raises FileNotFoundError, or unpickle.PickleRefused that names the global or the entry and what was expected; nothing
    that the file names has been imported or run.
    """
    found = load(path)
    if not isinstance(found, dict) or not found:
        raise PickleRefused(f"{path}: the top level is {kind(found)}; a dict of parameter names was expected")
    try:
        return {name: _entry(name, entry) for name, entry in found.items()}
    except PickleRefused as error:
        raise PickleRefused(f"{path}: {error}") from None


def import_pkl(src: str | Path, dst: str | Path, codec: Codec | None = None, *, force: bool = False) -> Path:
    """Convert a published .pkl to a store: matrices are encoded anew, all else is kept as float16. Returns dst.

    codec: Codec() by default. force: replace a dst that is there. Raises as read_pkl, FileExistsError for a dst that is there
    or is the source itself, and ValueError that names a tensor with NaN or infinity.
    """
    if Path(dst).exists():
        if Path(src).exists() and Path(src).samefile(dst):
            raise FileExistsError(f"{dst} is the source itself, which is never written over; name another target")
        if not force:
            raise FileExistsError(f"{dst} is there already; name another target, or replace it with --force")
    entries, codec = read_pkl(src), codec or Codec()
    coded = Coded(codec, {}, {})
    for name in list(entries):
        entry = entries.pop(name)
        tensor = torch.from_numpy(entry.values())
        if tensor.ndim == 2 and tensor.numel():
            coded.matrices[name] = encode(tensor, codec, name)
        else:
            coded.others[name] = tensor
    source = Path(src)
    meta = {"source": source.name, "source_sha256": files.digest(source)}
    return write_store(dst, coded, note=f"converted from the published layout of {source.name}", meta=meta)


def _entry(name: Any, entry: Any) -> Entry:
    if not isinstance(name, str) or len(name) > 500:
        raise PickleRefused(f"a parameter name is {kind(name)}; a text of at most 500 characters was expected")
    stored = _field(entry, "type", name)
    data = _field(entry, "data", name)
    if stored == "uncompressed":
        return _plain(name, data)
    if stored == "compressed_blockwise":
        return _blockwise(name, data)
    shown = repr(stored[:40]) if isinstance(stored, str) else kind(stored)
    raise PickleRefused(f'{name}: type is {shown}; "uncompressed" or "compressed_blockwise" was expected')


def _field(value: Any, field: str, name: str) -> Any:
    if not isinstance(value, dict):
        raise PickleRefused(f"{name}: an entry is {kind(value)}; a dict with {field!r} was expected")
    if field not in value:
        raise PickleRefused(f"{name}: the field {field!r} is missing; there are {[str(k)[:40] for k in value][:6]}")
    return value[field]


def _plain(name: str, data: Any) -> Entry:
    values = array(data, f"{name}: data")
    if values.dtype.kind != "f":
        raise PickleRefused(
            f"{name}: an uncompressed tensor has dtype {values.dtype}; a floating-point one was expected"
        )
    if values.itemsize > 2 and np.max(np.abs(values), where=np.isfinite(values), initial=0) > HALF:
        raise PickleRefused(f"{name}: values beyond ±{HALF:g} do not fit float16, which the layout is read as")
    return Entry(name, values.shape, plain=values)


def _blockwise(name: str, data: Any) -> Entry:
    codes, table = _field(data, "data", name), _field(data, "metadata", name)
    bits = _field(data, "bits", name)
    if type(bits) is not int or not 1 <= bits <= 8:
        shown = str(bits)[:20] if isinstance(bits, (int, float)) else kind(bits)
        raise PickleRefused(f"{name}: bits is {shown}; 1 to 8 was expected, as codes are uint8")
    if not isinstance(codes, (list, tuple)) or not isinstance(table, (list, tuple)) or not codes:
        raise PickleRefused(
            f"{name}: data is {kind(codes)} and metadata {kind(table)}; two lists of blocks were expected"
        )
    if len(codes) != len(table):
        raise PickleRefused(f"{name}: {len(codes)} blocks of codes, but metadata for {len(table)}")
    blocks = tuple(_block(f"{name}, block {i}", q, m, bits) for i, (q, m) in enumerate(zip(codes, table, strict=True)))
    shapes = [(1, *b.shape) if len(b.shape) == 1 else b.shape for b in blocks]
    if len({s[1:] for s in shapes}) != 1:
        raise PickleRefused(f"{name}: blocks of shapes {sorted({b.shape for b in blocks})[:4]} cannot be stacked")
    return Entry(name, (sum(s[0] for s in shapes), *shapes[0][1:]), bits, blocks)


def _block(what: str, codes: Any, meta: Any, bits: int) -> Block:
    q = array(codes, f"{what}: codes")
    if q.dtype != np.uint8:
        raise PickleRefused(f"{what}: codes have dtype {q.dtype}; uint8 was expected")
    if not isinstance(meta, (list, tuple)) or len(meta) < 3:
        raise PickleRefused(f"{what}: metadata is {kind(meta)}; (tmin, tmax, shape) was expected")
    low, high, shape = meta[:3]
    for value, label in ((low, "tmin"), (high, "tmax")):
        if type(value) not in (int, float) or not -HALF <= value <= HALF:
            raise PickleRefused(f"{what}: {label} is {_number(value)}; a number within ±{HALF:g} was expected")
    if low > high:
        raise PickleRefused(f"{what}: tmin {low} is larger than tmax {high}")
    if not isinstance(shape, (list, tuple)) or not 1 <= len(shape) <= 8:
        raise PickleRefused(f"{what}: shape is {kind(shape)}; a tuple of sizes was expected")
    if not all(type(n) is int and n > 0 for n in shape) or math.prod(shape) != q.size:
        raise PickleRefused(f"{what}: shape {[_number(n) for n in shape]} does not hold its {q.size} codes")
    if bits < 8 and q.size and int(q.max()) >> bits:
        raise PickleRefused(f"{what}: a code of {int(q.max())} does not fit in {bits} bits")
    return Block(q, float(low), float(high), tuple(shape))


def _number(value: Any) -> str:
    return str(value)[:20] if type(value) is float or (type(value) is int and abs(value) < 1e18) else kind(value)
