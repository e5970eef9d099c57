"""A model's codes in one file: safetensors, with a JSON header that says what each tensor is, checked before it is used.

Tensors in the file: "codes/NAME" int8 and "scales/NAME" float16 of a coded matrix, "raw/NAME" of any other tensor. The
header is the metadata entry "dtdr": version, codec, a table of tensors (kind, shape, dtype, sha256), tied names, a note.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from helpers import files
from helpers.codec.codec import Codec, Encoded
from helpers.codec.decoding import decode
from helpers.stores.coded import Coded, Stored, encode_model

FORMAT, VERSION = "dtdr", 1
FIELDS = {"format", "version", "codec", "tensors", "tied", "note", "meta"}
ENTRY = {"kind", "shape", "dtype", "transposed", "sha256"}
DTYPES = {  # name in torch -> name in a safetensors file
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip


def write_store(
    path: str | Path,
    model: nn.Module | Mapping[str, Tensor] | Coded,
    codec: Codec | None = None,
    *,
    include: Callable[[str], bool] | None = None,
    note: str = "",
    meta: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model, a state dict, or codes that are there already, as one file; whole or not at all.

    codec: for a model or state dict, Codec() by default. include: the matrices to code. note: where the weights are from.
    meta: JSON values to keep. Raises ValueError naming a tensor that cannot be coded or stored.
    """
    coded = model if isinstance(model, Coded) else encode_model(model, codec or Codec(), include)
    if coded is model and codec not in (None, coded.codec):
        raise ValueError(f"these weights are coded with {coded.codec}; encode them anew to store them with {codec}")
    tensors: dict[str, Tensor] = {}
    table: dict[str, dict] = {}
    for name, stored in coded.matrices.items():
        parts = {f"codes/{name}": stored.codes, f"scales/{name}": stored.scales}
        _add(tensors, parts)
        extra = {"kind": "coded", "shape": list(stored.shape), "dtype": "int8", "transposed": stored.transposed}
        table[name] = extra | {"sha256": _sha(*(tensors[k] for k in parts))}
    for name, tensor in coded.others.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        if dtype not in DTYPES:
            raise ValueError(f"{name}: dtype {dtype} is not stored; convert it to one of {', '.join(DTYPES)}")
        _add(tensors, {f"raw/{name}": tensor})
        extra = {"kind": "raw", "shape": list(tensor.shape), "dtype": dtype, "transposed": False}
        table[name] = extra | {"sha256": _sha(tensors[f"raw/{name}"])}
    header = {"format": FORMAT, "version": VERSION, "codec": asdict(coded.codec), "tensors": table}
    header |= {"tied": coded.tied, "note": note, "meta": dict(meta or {})}
    return _save(Path(path), tensors, files.strict_json(header, compact=True))


def _add(tensors: dict[str, Tensor], parts: Mapping[str, Tensor]) -> None:
    tensors.update({k: v.detach().cpu().contiguous() for k, v in parts.items()})


def _sha(*tensors: Tensor) -> str:
    sha = hashlib.sha256()
    for tensor in tensors:
        if tensor.numel():
            sha.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return f"sha256:{sha.hexdigest()}"


def _save(path: Path, tensors: Mapping[str, Tensor], header: str) -> Path:
    """Under a temporary name in the same folder, then renamed: a model's bytes are never held twice in memory."""
    temp = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temp = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        save_file(dict(tensors), temp, metadata={FORMAT: header})
        with open(temp, "rb+") as f:
            os.fsync(f.fileno())
        os.chmod(temp, 0o644)
        os.replace(temp, path)
    except (OSError, SafetensorError) as error:
        if temp:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temp)
        raise OSError(f"could not write {path}: {error}; what was there before is untouched") from error
    return path


class StoreFile(Stored):
    """A store file, opened: its header is checked, tensors are read when they are asked for.

    A tensor's sha256 is checked when it is first read whole; a run of rows is read unchecked.
    """

    def __init__(self, path: Path, handle: Any, header: Mapping[str, Any]):
        self.path, self._file, self.header = path, handle, header
        self.codec, self.tied = Codec(**header["codec"]), dict(header["tied"])
        self.note, self.meta = header["note"], header["meta"]
        self._table: dict[str, dict] = header["tensors"]
        self._checked: set[str] = set()

    @classmethod
    def open(cls, path: str | Path) -> StoreFile:
        """Raises FileNotFoundError, or ValueError that says what is wrong: not safetensors, truncated, no header or a
        header that is not this format and version, an unknown transform, tensors that differ from the header's table."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; write it with write_store, or import_pkl from a .pkl")
        try:
            handle = safe_open(str(path), framework="pt", device="cpu")
        except (SafetensorError, OSError, ValueError) as error:
            raise ValueError(f"{path} is not a whole safetensors file: {error}; write it again") from error
        try:
            header = _header(handle)
            _check_table(handle, header)
        except (SafetensorError, ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"{path}: {error}") from error
        return cls(path, handle, header)

    def names(self) -> list[str]:
        return [k for k, v in self._table.items() if v["kind"] == "coded"]

    def raw_names(self) -> list[str]:
        return [k for k, v in self._table.items() if v["kind"] == "raw"]

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._table[name]["shape"])

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors in the file."""
        slices = [self._file.get_slice(k) for k in self._file.keys()]  # noqa: SIM118 (safe_open is no dict)
        sizes = {v: getattr(torch, k).itemsize for k, v in DTYPES.items()}
        return sum(sizes[s.get_dtype()] * torch.Size(s.get_shape()).numel() for s in slices)

    def encoded(self, name: str, rows: tuple[int, int] | None = None) -> Encoded:
        """A coded matrix, or the run (start, stop) of its codes' rows, of which only these bytes are read.

        Raises KeyError for a name that is not coded, ValueError for rows outside, or content that lost its checksum.
        """
        entry = self._entry(name, "coded")
        if rows is None:
            codes, scales = (self._file.get_tensor(f"{part}/{name}") for part in ("codes", "scales"))
            self._check(name, codes, scales)
            return Encoded(codes, scales, self.codec, name, entry["transposed"])
        start, stop = rows
        total = self.shape(name)[1 if entry["transposed"] else 0]
        if not 0 <= start < stop <= total:
            raise ValueError(f"{name}: rows {start}…{stop} are not a run within its {total} rows")
        if self.codec.transform == "permutation":
            raise ValueError(f"{name}: a permutation scatters rows over the whole matrix; read it whole")
        codes, scales = (self._file.get_slice(f"{part}/{name}")[start:stop] for part in ("codes", "scales"))
        return Encoded(codes, scales, self.codec, name, entry["transposed"], start, total)

    def raw(self, name: str) -> Tensor:
        self._entry(name, "raw")
        tensor = self._file.get_tensor(f"raw/{name}")
        self._check(name, tensor)
        return tensor

    def decode(self, name: str, *how, rows: tuple[int, int] | None = None, **named) -> Tensor:
        """As Stored.decode. rows: only this run of the codes' rows, which only its bytes are read for."""
        if rows is None:
            return super().decode(name, *how, **named)
        part = self.encoded(self.tied.get(name, name), rows)
        return decode(part, *how, **named)

    def load(self, device: torch.device | str = "cpu") -> Coded:
        """Everything in memory, on a device."""
        matrices = {n: self.encoded(n).to(device) for n in self.names()}
        return Coded(self.codec, matrices, {n: self.raw(n).to(device) for n in self.raw_names()}, dict(self.tied))

    def _entry(self, name: str, kind: str) -> dict:
        entry = self._table.get(name)
        if entry is None or entry["kind"] != kind:
            raise KeyError(f"{self.path} has no {kind} tensor {name!r}")
        return entry

    def _check(self, name: str, *tensors: Tensor) -> None:
        if name not in self._checked and _sha(*tensors) != self._table[name]["sha256"]:
            raise ValueError(
                f"{self.path}: {name} does not match its sha256; restore the file from a copy, or write it again"
            )
        self._checked.add(name)


def _header(handle: Any) -> dict:
    text = (handle.metadata() or {}).get(FORMAT)
    if text is None:
        raise ValueError('its metadata has no entry "dtdr": this is safetensors, but not written by write_store')
    header = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError('the header\'s format is not "dtdr"')
    if header.get("version") != VERSION:
        raise ValueError(f"the header's version is {header.get('version')!r}; this code reads version {VERSION}")
    _same_keys("the header", header, FIELDS)
    for key, kind in {"codec": dict, "tensors": dict, "tied": dict, "note": str, "meta": dict}.items():
        if not isinstance(header[key], kind):
            raise ValueError(f"the header's {key} is {header[key]!r}; a {kind.__name__} was expected")
    _same_keys("the header's codec", header["codec"], set(asdict(Codec())))
    Codec(**header["codec"])
    for alias, name in header["tied"].items():
        if alias in header["tensors"] or not isinstance(name, str) or name not in header["tensors"]:
            raise ValueError(f"{alias} is tied to {name!r}, which is not a stored tensor, or is stored itself")
    return header


def _check_table(handle: Any, header: Mapping[str, Any]) -> None:
    """Every tensor of the table is in the file with the shape and dtype that it must have, and no other is."""
    codec, expected = Codec(**header["codec"]), {}
    for name, entry in header["tensors"].items():
        if not isinstance(entry, dict):
            raise ValueError(f"{name}: its entry in the header is {entry!r}")
        _same_keys(f"{name}: its entry in the header", entry, ENTRY)
        shape, kind = entry["shape"], entry["kind"]
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{name}: shape {shape!r} is not a list of sizes")
        if not isinstance(entry["transposed"], bool) or not isinstance(entry["sha256"], str):
            raise ValueError(
                f"{name}: transposed={entry['transposed']!r}, sha256={entry['sha256']!r} are not as written"
            )
        if kind == "coded":
            if len(shape) != 2 or not shape[0] * shape[1] or entry["dtype"] != "int8":
                raise ValueError(f"{name}: a coded tensor is an int8 matrix, not {entry['dtype']} {shape}")
            out, width = reversed(shape) if entry["transposed"] else shape
            expected[f"codes/{name}"] = ("I8", [out, width])
            expected[f"scales/{name}"] = ("F16", [out, width // codec.block_of(width)])
        elif kind == "raw" and entry["dtype"] in DTYPES:
            expected[f"raw/{name}"] = (DTYPES[entry["dtype"]], shape)
        else:
            raise ValueError(f"{name}: kind {kind!r} with dtype {entry['dtype']!r} is unknown")
    held = set(handle.keys())
    if held != set(expected):
        missing, extra = sorted(set(expected) - held), sorted(held - set(expected))
        raise ValueError(
            f"header and file differ: missing tensors {missing[:3]}, tensors not in the header {extra[:3]}"
        )
    for key, wanted in expected.items():
        found = handle.get_slice(key)
        if (found.get_dtype(), list(found.get_shape())) != wanted:
            looks = (found.get_dtype(), list(found.get_shape()))
            raise ValueError(f"{key} is {looks} in the file, the header says {wanted}")


def _same_keys(what: str, value: Mapping, keys: set[str]) -> None:
    if set(value) != keys:
        raise ValueError(f"{what} has fields {sorted(value)}; {sorted(keys)} were expected")


def _refuse(token: str):
    raise ValueError(f"{token} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in the header")
    return found
