"""Reading numpy arrays and plain Python values from a pickle without running anything that the pickle names.

A pickle is a program that may call any importable function. Two guards stand before it. The stream is first read opcode by
opcode, without executing it, and refused when it names anything but numpy's array constructors or plain types, or claims
more memory than the file has bytes. Then it is loaded with those names bound to stand-ins, which check what they are given
and build arrays with `numpy.frombuffer`: numpy's own unpickling code never sees the file.
"""

from __future__ import annotations

import math
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from helpers.stores import signatures

MAX_OPCODES = 20_000_000  # a 7-billion-parameter file in blocks of 256 rows has about half a million
OUTRIGHT = {  # opcodes that make objects by other ways than a named global, or from outside the file
    "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER",
    "READONLY_BUFFER", "EMPTY_SET", "ADDITEMS", "FROZENSET",
}  # fmt: skip
_MARK, _OTHER = object(), object()


class PickleRefused(ValueError):
    """A pickle that is not read: what it names, or where it is broken, and what was expected."""


def load(path: str | Path) -> Any:
    """Lists, tuples, dicts with text keys, numbers, text, bytes, and numpy arrays (stand-ins: see `array`) of a pickle.

    Raises OSError for what is no file, or PickleRefused that names the global, the opcode or the fault; nothing has run then.
    """
    path = Path(path)
    if why := signatures.other(path):
        raise PickleRefused(f"{path}: {why}")
    size = path.stat().st_size
    with path.open("rb") as f:
        try:
            _scan(_Reader(f, size))
            f.seek(0)
            return _Restricted(_Reader(f, size)).load()
        except PickleRefused as error:
            raise PickleRefused(f"{path}: {error}") from error.__cause__
        except Exception as error:  # whatever a broken stream makes the machine raise
            raise PickleRefused(
                f"{path}: the pickle is truncated or broken: {type(error).__name__}: {error}"
            ) from error


def array(value: Any, what: str) -> np.ndarray:
    """The (read-only) numpy array that a stand-in holds. Raises PickleRefused when `what` is no finished array."""
    if not isinstance(value, _Array) or value.value is None:
        raise PickleRefused(f"{what} is {kind(value)}; a numpy array was expected")
    return value.value


def kind(value: Any) -> str:
    """A short name of a value's type, for messages; never its content, which a hostile file can make endless."""
    return "an unfinished numpy array" if isinstance(value, _Array) else f"of type {type(value).__name__}"


class _Reader:
    """A file that refuses to read past its end, so that a claimed length is checked before memory is taken for it."""

    def __init__(self, file: BinaryIO, size: int):
        self.file, self.size = file, size
        self.tell, self.readline = file.tell, file.readline

    def claim(self, count: int) -> None:
        left = self.size - self.file.tell()
        if count > max(left, 1):  # one byte past the end is how the end is found
            raise PickleRefused(f"{count} bytes are claimed at byte {self.file.tell()}, the file has {left} more")

    def read(self, count: int = -1) -> bytes:
        self.claim(count)
        return self.file.read(count)

    def readinto(self, buffer) -> int:
        self.claim(len(buffer))
        return self.file.readinto(buffer)


def _scan(reader: _Reader) -> None:
    """Follow the stream on a stack of known texts and unknown things; refuse what it must not name or claim."""
    stack: list[Any] = []
    memo: list[Any] = []
    for count, (op, arg, at) in enumerate(pickletools.genops(reader)):
        if count >= MAX_OPCODES:
            raise PickleRefused(f"more than {MAX_OPCODES} opcodes; no weights file of this layout has so many")
        if op.name in OUTRIGHT:
            raise PickleRefused(
                f"opcode {op.name} ({_short(arg)}) at byte {at}; only numpy arrays and plain values are read"
            )
        if op.name == "FRAME":
            reader.claim(arg)
        elif op.name in ("GLOBAL", "STACK_GLOBAL"):
            named = arg if op.name == "GLOBAL" else _named(stack, at)
            if named not in ALLOWED:
                raise PickleRefused(_naming(named, at))
        elif op.name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            index = len(memo) if op.name == "MEMOIZE" else arg
            if not 0 <= index <= len(memo) or not stack:
                raise PickleRefused(
                    f"memo entry {index} at byte {at} comes out of order: {len(memo)} entries are there"
                )
            memo[index : index + 1] = [stack[-1]]
            continue
        elif op.name in ("GET", "BINGET", "LONG_BINGET"):
            if not 0 <= arg < len(memo):
                raise PickleRefused(f"memo entry {arg} at byte {at} does not exist")
            stack.append(memo[arg])
            continue
        _step(stack, op, arg, at)
    if left := reader.size - reader.tell():
        raise PickleRefused(f"{left} bytes follow the end of the pickle; the file is not what it says")


def _step(stack: list, op: pickletools.OpcodeInfo, arg: Any, at: int) -> None:
    """What any other opcode does to the stack. Keys of dicts must be texts: others can be made to hash for ever."""
    if op.name == "MARK":
        stack.append(_MARK)
        return
    if op.name == "DUP":
        stack.append(stack[-1] if stack else _underflow(at))
        return
    items: list[Any] = []
    if pickletools.markobject in op.stack_before:
        while stack and stack[-1] is not _MARK:
            items.append(stack.pop())
        if not stack:
            _underflow(at)
        stack.pop()
        items.reverse()
        below = op.stack_before.index(pickletools.markobject)
    else:
        below = len(op.stack_before)
    if len(stack) < below:
        _underflow(at)
    under = stack[len(stack) - below :]
    del stack[len(stack) - below :]
    keys = {"SETITEMS": items[::2], "DICT": items[::2], "SETITEM": under[1:2]}.get(op.name, ())
    if not all(isinstance(k, str) for k in keys):
        raise PickleRefused(f"a dict key at byte {at} is not a text; names of tensors and fields were expected")
    text = isinstance(arg, str) and any(t.name in ("str", "bytes_or_str") for t in op.stack_after)
    stack.extend([arg[:200]] if text else [_OTHER] * len(op.stack_after))


def _underflow(at: int) -> Any:
    raise PickleRefused(f"the pickle's stack is empty at byte {at}; the stream is broken")


def _named(stack: list, at: int) -> str:
    if len(stack) < 2 or not all(isinstance(s, str) for s in stack[-2:]):
        raise PickleRefused(f"a global at byte {at} has a name that is put together at run time")
    return " ".join(stack[-2:])


def _naming(named: str, at: int | None = None) -> str:
    place = "" if at is None else f" at byte {at}"
    hint = "; bytes of pickle protocols 0 to 2 need it: save with protocol 3 or later" if "_codecs" in named else ""
    return f"the pickle names {_short(named.replace(' ', '.', 1))}{place}; only numpy arrays and plain values are read{hint}"


def _short(value: Any) -> str:
    return f"{value[:80]!r}" if isinstance(value, (str, bytes)) else str(value)[:80]


class _Restricted(pickle.Unpickler):
    """The machine with a closed list of globals; the second guard, should the first be fooled."""

    def find_class(self, module: str, name: str) -> Any:
        if found := ALLOWED.get(f"{module} {name}"):
            return found
        raise PickleRefused(_naming(f"{module} {name}"))

    def persistent_load(self, pid: Any) -> Any:
        raise PickleRefused("the pickle asks for an object outside the file (persistent id)")


class _StandIn:
    """Something that a pickle may name: called with arguments that are checked, and never changed by BUILD."""

    __slots__ = ("make", "name")

    def __init__(self, name: str, make: Callable):
        self.name, self.make = name, make

    def __call__(self, *args: Any) -> Any:
        return self.make(*args)

    def __setstate__(self, state: Any) -> None:
        raise PickleRefused(f"the pickle tries to change {self.name}")


class _DType:
    """numpy.dtype of a plain number: ("f4", False, True), then a state with the byte order."""

    __slots__ = ("value",)

    def __init__(self, code: Any, align: Any = False, copy: Any = True):
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?(f[248]|[iu][1248]|b1)", code):
            shown = _short(code) if isinstance(code, str) else kind(code)
            raise PickleRefused(f"an array of dtype {shown}; only plain numbers are read, no objects or records")
        self.value = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) not in (8, 9) or not all(f is None for f in state[2:5]):
            raise PickleRefused("a dtype's state is not that of a plain number")
        if not isinstance(state[1], str) or state[1] not in ("<", ">", "|", "="):
            raise PickleRefused("a dtype's byte order is not one of < > | =")
        self.value = self.value.newbyteorder(state[1])


class _Array:
    """numpy.ndarray: empty until its state (version, shape, dtype, order, bytes) comes."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[3], (bool, int)):
            raise PickleRefused("an array's state is not (version, shape, dtype, order, bytes)")
        self.value = _shaped(state[4], state[2], state[1], "F" if state[3] else "C")


def _shaped(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, _DType) or not isinstance(raw, (bytes, bytearray)) or order not in ("C", "F"):
        raise PickleRefused(
            f"an array's content is {kind(raw)} with a dtype {kind(dtype)}; bytes of numbers were expected"
        )
    if not isinstance(shape, tuple) or len(shape) > 8 or not all(type(n) is int and 0 <= n < 1 << 62 for n in shape):
        raise PickleRefused("an array's shape is not a tuple of sizes")
    claimed = math.prod(shape) * dtype.value.itemsize
    if claimed != len(raw):
        raise PickleRefused(f"an array claims {claimed} bytes by its shape and dtype, {len(raw)} are there")
    return np.frombuffer(raw, dtype.value).reshape(shape, order=order)


def _reconstruct(cls: Any, shape: Any, code: Any) -> _Array:
    if cls is not _NDARRAY:
        raise PickleRefused("an array of another class than numpy.ndarray")
    return _Array()


def _frombuffer(raw: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    made = _Array()
    made.value = _shaped(raw, dtype, shape, order)
    return made


def _scalar(dtype: Any, raw: Any) -> int | float | bool:
    return _shaped(raw, dtype, (), "C").item()


def _refuse_call(*args: Any) -> Any:
    raise PickleRefused("the pickle calls numpy.ndarray itself; arrays come from its reconstructor")


def _same(cls: type, *sources: type) -> Callable:
    def make(value: Any = None, *more: Any) -> Any:
        if more or not (value is None or isinstance(value, (cls, *sources))):
            raise PickleRefused(f"the pickle calls {cls.__name__} with more than a value of its kind")
        return cls() if value is None else cls(value)

    return make


class _Dict(dict):
    """In place of an OrderedDict, for dicts keep their order now; what torch hangs on one beside its items is left out."""

    def __setstate__(self, state: Any) -> None: ...


_NDARRAY = _StandIn("numpy.ndarray", _refuse_call)
_PLAIN = {  # types whose constructors only copy what is there
    "list": _same(list, tuple), "tuple": _same(tuple, list), "dict": _same(dict), "int": _same(int),
    "float": _same(float), "str": _same(str), "bytes": _same(bytes, bytearray), "bytearray": _same(bytearray, bytes),
    "bool": _same(bool),
}  # fmt: skip
_CORES = ("numpy.core", "numpy._core")
ALLOWED: dict[str, _StandIn] = {
    "numpy ndarray": _NDARRAY,
    "collections OrderedDict": _StandIn("OrderedDict", lambda: _Dict()),
    "torch Size": _StandIn("torch.Size", _same(tuple, list)),
    "numpy dtype": _StandIn("numpy.dtype", _DType),
    **{f"{core}.multiarray _reconstruct": _StandIn("numpy's _reconstruct", _reconstruct) for core in _CORES},
    **{f"{core}.multiarray scalar": _StandIn("numpy's scalar", _scalar) for core in _CORES},
    **{f"{core}.numeric _frombuffer": _StandIn("numpy's _frombuffer", _frombuffer) for core in _CORES},
    **{f"{m} {name}": _StandIn(name, make) for m in ("builtins", "__builtin__") for name, make in _PLAIN.items()},
}
