"""The published .pkl layout: read, converted, and refused where a file is hostile or broken. Nothing of a file ever runs."""

import builtins
import codecs
import collections
import copyreg
import functools
import io
import os
import pickle
import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers import stores
from helpers.codec.codec import Codec
from helpers.stores import unpickle

EMBED = "model.embed_tokens.weight"


def blockwise(weight, rows=4, bits=8):
    """The published encoder's output, from its decoder: affine codes in blocks of rows."""
    codes, table = [], []
    for block in np.split(weight, range(rows, len(weight), rows)):
        low, high = block.min(), block.max()  # numpy scalars, as they come
        q = np.round((block - low) / (high - low) * (2**bits - 1)).astype(np.uint8)
        codes.append(q)
        table.append((low, float(high), block.shape, "extra", 1))
    return {"type": "compressed_blockwise", "data": {"data": codes, "metadata": table, "bits": bits}}


def plain(values):
    return {"type": "uncompressed", "data": values}


def good():
    rng = np.random.default_rng(0)
    return {
        EMBED: blockwise(rng.normal(size=(10, 32)).astype(np.float32)),
        "model.norm.weight": plain(np.ones(32, dtype=np.float16)),
        "small.weight": plain(np.asfortranarray(rng.normal(size=(6, 8)))),
    }


def write(path, content, protocol=4):
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol))
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "weights.pkl"


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_reading(file, protocol):
    found = stores.read_pkl(write(file, good(), protocol))
    assert {k: v.shape for k, v in found.items()} == {
        EMBED: (10, 32),
        "model.norm.weight": (32,),
        "small.weight": (6, 8),
    }
    assert np.array_equal(found["small.weight"].values(), good()["small.weight"]["data"].astype(np.float16))
    data = good()[EMBED]["data"]
    parts = [
        m[0] + (m[1] - m[0]) * q.astype(np.float32) / 255 for q, m in zip(data["data"], data["metadata"], strict=True)
    ]  # the formula of the published decoder
    assert np.abs(found[EMBED].values() - np.vstack(parts)).max() < 2e-3
    assert found[EMBED].values().dtype == np.float16


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
def test_byte_orders_and_widths(file, dtype):
    values = np.linspace(-2, 2, 12).reshape(3, 4).astype(dtype)
    assert np.array_equal(stores.read_pkl(write(file, {"w": plain(values)}))["w"].values(), values.astype(np.float16))


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_fewer_bits(file, bits):
    weight = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    found = stores.read_pkl(write(file, {"w": blockwise(weight, bits=bits)}))["w"].values()
    step = (weight.max() - weight.min()) / (2**bits - 1)
    assert np.abs(found - weight).max() <= 0.5 * step + 4e-3


def test_flat_blocks_and_vectors(file):
    """Codes may lie flat, the shape is in the metadata; blocks of one dimension stack as rows, as numpy.vstack does."""
    table = [(0.0, 255.0, (2, 3)), (0.0, 255.0, (1, 3))]
    flat = {"data": [np.arange(6, dtype=np.uint8), np.arange(3, dtype=np.uint8)], "metadata": table, "bits": 8}
    rows = {"data": [np.arange(3, dtype=np.uint8)] * 2, "metadata": [(0, 255, [3])] * 2, "bits": 8}
    stored = {"a": {"type": "compressed_blockwise", "data": flat}, "b": {"type": "compressed_blockwise", "data": rows}}
    found = stores.read_pkl(write(file, stored))
    assert found["a"].values().tolist() == [[0, 1, 2], [3, 4, 5], [0, 1, 2]]
    assert found["b"].shape == found["b"].values().shape == (2, 3)


def test_converting(file, tmp_path):
    src, codec = write(file, good()), Codec(cap=16)
    found = stores.StoreFile.open(stores.import_pkl(src, tmp_path / "w.dtdr", codec))
    assert found.codec == codec
    assert (found.names(), found.raw_names()) == ([EMBED, "small.weight"], ["model.norm.weight"])
    assert found.meta["source"] == "weights.pkl"
    assert found.meta["source_sha256"].startswith("sha256:")
    for name, entry in stores.read_pkl(src).items():
        values = torch.tensor(entry.values().astype(np.float32))
        assert (found.decode(name).float() - values).norm() < 0.01 * values.norm()
    assert found.raw("model.norm.weight").dtype == torch.float16


def test_converting_names_a_tensor_with_nan(file, tmp_path):
    bad = np.ones((4, 4), np.float32)
    bad[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"w\.weight: 1 of 16 entries are NaN"):
        stores.import_pkl(write(file, {"w.weight": plain(bad)}), tmp_path / "x")
    assert not (tmp_path / "x").exists()


# Hostile files: each would leave a file named canary, or do worse, if it were loaded.


class Calls:
    """Pickles as a call of `function`, optionally with state."""

    def __init__(self, function, *args, state=None):
        self.reduced = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.reduced


class Persistent(pickle.Pickler):
    def persistent_id(self, thing):
        return "os.system" if isinstance(thing, set) else None


def persistent(protocol):
    out = io.BytesIO()
    Persistent(out, protocol).dump({"w": {1}})
    return out.getvalue()


def short(text):
    return b"\x8c" + bytes([len(text)]) + text.encode()


def hostile(command):
    """Name -> (bytes or object, what the refusal says)."""
    touch, raw = (command,), command.encode()
    system = Calls(os.system, *touch)
    stack_global = b"\x80\x04" + short("posix") + short("system") + b"\x93" + short(command) + b"\x85R."
    posix = short("posix")
    built = b"\x80\x04cbuiltins\nstr\n" + posix + b"\x85R" + short("system") + b"\x93" + short(command) + b"\x85R."
    memoised = (
        b"\x80\x04"
        + short("posix")
        + b"\x940"
        + short("system")
        + b"\x940"
        + b"h\x00h\x01\x93"
        + short(command)
        + b"\x85R."
    )
    return {
        "os.system": (system, "posix.system|nt.system"),
        "nested": ({"a": [({"b": system},)]}, "system"),
        "inside an entry": ({**good(), "z": plain(system)}, "system"),
        "subprocess": (Calls(subprocess.check_output, ["sh", "-c", command]), "subprocess.check_output"),
        "eval": (Calls(eval, f"__import__('os').system({command!r})"), "builtins.eval"),
        "exec": (Calls(exec, f"import os; os.system({command!r})"), "builtins.exec"),
        "getattr": (Calls(getattr, "x", "upper"), "builtins.getattr"),
        "import": (Calls(builtins.__import__, "os"), "builtins.__import__"),
        "open": (Calls(open, "canary", "w"), "open"),
        "partial": (functools.partial(os.system, command), "functools.partial"),
        "codecs.encode": (Calls(codecs.encode, "x", "rot13"), "_codecs.encode"),
        "map": (Calls(map, os.system, [command]), "builtins.map"),
        "setstate": (Calls(collections.OrderedDict, state={"x": system}), "posix.system|nt.system"),
        "copyreg": (Calls(copyreg._reconstructor, object, object, None), "copyreg._reconstructor"),
        "unhashable pairs": (Calls(collections.OrderedDict, [(1, 2)]), "takes 0 positional arguments"),
        "numpy.load": (Calls(np.load, "canary", None, True), "numpy.load"),
        "numpy subclass": (Calls(np.memmap, "canary"), "numpy.memmap"),
        "dotted name": (b"\x80\x04" + short("numpy") + short("ndarray.tofile") + b"\x93.", "numpy.ndarray.tofile"),
        "numpy's os": (b"\x80\x04" + short("numpy") + short("f2py.os.system") + b"\x93.", "numpy.f2py.os.system"),
        "set": ({"w": {1, 2}}, "EMPTY_SET"),
        "stack global": (stack_global, "posix.system"),
        "stack global from the memo": (memoised, "posix.system"),
        "stack global of built names": (built, "put together at run time"),
        "protocol 0": (b"cposix\nsystem\n(V" + raw + b"\ntR.", "posix.system"),
        "inst": (b"(V" + raw + b"\niposix\nsystem\n.", "INST"),
        "obj": (b"(cposix\nsystem\nV" + raw + b"\no.", "posix.system"),
        "obj of allowed": (b"(cbuiltins\nlist\no.", "OBJ"),
        "newobj": (b"\x80\x02cbuiltins\nlist\n)\x81.", "NEWOBJ"),
        "newobj_ex": (b"\x80\x04cbuiltins\nlist\n)}\x92.", "NEWOBJ_EX"),
        "extension registry": (b"\x80\x02\x82\x01)R.", "EXT1"),
        "extension registry 4": (b"\x80\x02\x84\x01\x00\x00\x00)R.", "EXT4"),
        "persistent id": (persistent(4), "BINPERSID"),
        "persistent id in text": (b"Pos.system\n.", "PERSID"),
        "out-of-band buffer": (b"\x80\x05\x97.", "NEXT_BUFFER"),
        "change a stand-in": (b"\x80\x04cnumpy\nndarray\n}(" + short("make") + b"Nub.", "tries to change"),
        "call ndarray": (b"\x80\x04cnumpy\nndarray\n(K\x05tR.", "calls numpy.ndarray itself"),
        "10 GB of bytes": (b"\x80\x04cbuiltins\nbytes\n\x8a\x05\x00\xe4\x0bT\x02\x85R.", "more than a value of its kind"),
        "object array": ({"w": plain(np.array([{"a": 1}], dtype=object))}, "dtype 'O8'"),
        "array of calls": ({"w": plain(np.array([system, None], dtype=object))}, "system"),
        "record array": ({"w": plain(np.zeros(2, dtype=[("a", "f4")]))}, "dtype 'V4'"),
        "text array": ({"w": plain(np.array(["a"]))}, "dtype 'U1'"),
        "old protocol": (pickle.dumps(good(), 2), "_codecs.encode.*save with protocol 3 or later"),
        "trailing second pickle": (pickle.dumps(good()) + pickle.dumps(system), "bytes follow the end"),
        "tuple keys": ({("a", "b"): 1}, "dict key at byte"),
        "number keys": ({1: plain(np.ones(2))}, "dict key at byte"),
        "no memo entry": (b"\x80\x04h\x05.", "memo entry 5 at byte 2 does not exist"),
        "pops an empty stack": (b"\x80\x040.", "stack is empty"),
        "append to nothing": (b"\x80\x04]e.", "stack is empty"),
        "nothing to stop at": (b"\x80\x04", "truncated or broken"),
        "future protocol": (b"\x80\x09N.", "protocol"),
        "no pickle": (b"hello, world", "memo entry 101"),
        "empty": (b"", "is empty"),
    }  # fmt: skip


CASES = list(hostile("touch canary"))


@pytest.mark.parametrize("case", CASES)
def test_hostile_files_are_refused_and_nothing_runs(file, case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, message = hostile(f"touch {tmp_path / 'canary'}")[case]
    write(file, content)
    with pytest.raises(stores.PickleRefused, match=message) as found:
        stores.read_pkl(file)
    assert str(file) in str(found.value)
    assert os.listdir(tmp_path) == ["weights.pkl"]


@pytest.mark.parametrize("protocol", range(6))
def test_calls_are_refused_in_every_protocol(file, protocol, tmp_path):
    write(file, Calls(os.system, f"touch {tmp_path / 'canary'}"), protocol)
    with pytest.raises(stores.PickleRefused, match=r"posix\.system|nt\.system"):
        stores.read_pkl(file)
    assert not (tmp_path / "canary").exists()


def test_the_canary_would_sing(file, tmp_path):
    """The positive control: the standard unpickler does run these files."""
    pickle.loads(pickle.dumps(Calls(os.system, f"touch {tmp_path / 'canary'}")))
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "case", ["os.system", "stack global of built names", "protocol 0", "partial", "array of calls"]
)
def test_the_second_guard_stands_alone(file, case, tmp_path, monkeypatch):
    """With the scan taken away, the closed list of names still refuses."""
    monkeypatch.setattr(unpickle, "_scan", lambda reader: None)
    write(file, hostile(f"touch {tmp_path / 'canary'}")[case][0])
    with pytest.raises(stores.PickleRefused):
        stores.read_pkl(file)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("case", [c for c, (_, m) in hostile("x").items() if "." in m and "system" in m])
def test_names_are_refused_before_anything_is_loaded(file, case, monkeypatch):
    """The scan alone does it: the machine is never started."""
    monkeypatch.setattr(unpickle, "_Restricted", None)
    with pytest.raises(stores.PickleRefused, match="names"):
        stores.read_pkl(write(file, hostile("true")[case][0]))


# Files that claim more than they have.

HUGE = 10 * 1000**3
CLAIMS = {
    "bytes": b"\x80\x04\x8e" + struct.pack("<Q", HUGE), "text": b"\x80\x04\x8d" + struct.pack("<Q", HUGE),
    "byte array": b"\x80\x05\x96" + struct.pack("<Q", HUGE), "frame": b"\x80\x04\x95" + struct.pack("<Q", HUGE) + b"N.",
    "long": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1), "short bytes": b"\x80\x03B" + struct.pack("<I", 2**32 - 1),
    "memo": b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b".", "old text": b"X" + struct.pack("<I", 2**31),
}  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS)
def test_ten_gigabytes_in_a_kilobyte(file, claim):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(stores.PickleRefused, match=r"bytes are claimed|comes out of order|broken"):
        stores.read_pkl(write(file, CLAIMS[claim] + b"\0" * 1000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.parametrize("shape", [(10**10,), (10**5, 10**5), (-1,), (3,), (2**63, 0), (1,) * 9, [2, 2], (2.0, 2)])
def test_arrays_that_claim_another_size(file, shape):
    """The state of a real array with its shape replaced: by size, sign, rank or type."""
    made, args, state = np.ones((2, 2), np.float16).__reduce__()
    lying = Calls(made, *args, state=(state[0], shape, *state[2:]))
    with pytest.raises(stores.PickleRefused, match=r"an array claims \d+ bytes|shape is not a tuple of sizes"):
        stores.read_pkl(write(file, {"w": plain(lying)}))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_truncated_anywhere(file, protocol):
    whole = pickle.dumps(good(), protocol)
    for end in [*range(0, len(whole), 37), len(whole) - 1]:
        with pytest.raises(stores.PickleRefused):
            stores.read_pkl(write(file, whole[:end]))


def test_damaged_bytes_are_refused_or_read_but_never_run(file, tmp_path, monkeypatch):
    """Random bytes replaced in a good file: a result, or PickleRefused; no other exception, no file made."""
    monkeypatch.chdir(tmp_path)
    whole, rng = pickle.dumps(good()), np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        raw = bytearray(whole)
        for at in rng.integers(0, len(raw), 3):
            raw[at] = rng.integers(256)
        try:
            for entry in stores.read_pkl(write(file, bytes(raw))).values():
                entry.values()
        except stores.PickleRefused:
            refused += 1
    assert 30 < refused < 300
    assert os.listdir(tmp_path) == ["weights.pkl"]


def test_deep_nesting_and_doubling(file):
    """A million brackets, and 2^200 leaves in 400 bytes: refused by the layout, at once."""
    for raw in (b"\x80\x04" + b"]" * 10**5 + b"a" * (10**5 - 1) + b".", b"\x80\x04)" + b"2\x86" * 200 + b"."):
        with pytest.raises(stores.PickleRefused, match="a dict of parameter names was expected"):
            stores.read_pkl(write(file, raw))
    doubled = b"\x80\x04}" + short("w") + b")" + b"2\x86" * 200 + b"s."
    with pytest.raises(stores.PickleRefused, match=r"w: an entry is of type tuple"):
        stores.read_pkl(write(file, doubled))


def test_too_many_opcodes(file, monkeypatch):
    monkeypatch.setattr(unpickle, "MAX_OPCODES", 100)
    with pytest.raises(stores.PickleRefused, match="more than 100 opcodes"):
        stores.read_pkl(write(file, good()))


# Files that are pickles of plain data, but not of the layout.


def changed(**fields):
    """A good block-wise tensor with fields of its data replaced (None removes one)."""
    data = blockwise(np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32))
    data["data"] |= fields
    data["data"] = {k: v for k, v in data["data"].items() if v is not None}
    return {"w": data}


Q, M = [np.zeros((4, 4), np.uint8)] * 2, [(0.0, 1.0, (4, 4))] * 2
BROKEN = {
    "a list": ([1], "the top level is of type list"),
    "nothing": ({}, "the top level is of type dict"),
    "an array alone": (np.ones(3), "the top level is an unfinished numpy array|type _Array"),
    "entry of text": ({"w": "x"}, "w: an entry is of type str"),
    "no type": ({"w": {"data": 1}}, "w: the field 'type' is missing; there are .'data'"),
    "no data": ({"w": {"type": "uncompressed"}}, "w: the field 'data' is missing"),
    "another type": ({"w": {"type": "zip", "data": 1}}, "w: type is 'zip'"),
    "type of a number": ({"w": {"type": 3, "data": 1}}, "w: type is of type int"),
    "plain list": ({"w": plain([1.0, 2.0])}, "w: data is of type list; a numpy array was expected"),
    "plain integers": ({"w": plain(np.ones(3, int))}, "w: an uncompressed tensor has dtype int64"),
    "plain beyond fp16": ({"w": plain(np.full(3, 1e6))}, "w: values beyond ±65504"),
    "data of a list": ({"w": {"type": "compressed_blockwise", "data": []}}, "w: an entry is of type list"),
    "no bits": (changed(bits=None), "w: the field 'bits' is missing"),
    "no metadata": (changed(metadata=None), "w: the field 'metadata' is missing"),
    "16 bits": (changed(bits=16), "w: bits is 16; 1 to 8 was expected"),
    "0 bits": (changed(bits=0), "w: bits is 0"),
    "bits of text": (changed(bits="8"), "w: bits is of type str"),
    "bits true": (changed(bits=True), "w: bits is True"),
    "codes past the bits": (changed(bits=4), "does not fit in 4 bits"),
    "no blocks": (changed(data=[], metadata=[]), "two lists of blocks were expected"),
    "codes at once": (changed(data=np.zeros((8, 4), np.uint8)), "two lists of blocks were expected"),
    "fewer tables": (changed(data=Q, metadata=M[:1]), "w: 2 blocks of codes, but metadata for 1"),
    "float codes": (changed(data=[q.astype(np.float32) for q in Q], metadata=M), "block 0: codes have dtype float32"),
    "wide codes": (changed(data=[q.astype(np.int64) for q in Q], metadata=M), "block 0: codes have dtype int64"),
    "codes of a list": (changed(data=[[0]] * 2, metadata=M), "w, block 0: codes is of type list"),
    "another shape": (
        changed(data=Q, metadata=[(0.0, 1.0, (4, 5))] * 2),
        r"shape \['4', '5'\] does not hold its 16 codes",
    ),
    "huge shape": (changed(data=Q, metadata=[(0.0, 1.0, (10**30, 1))] * 2), "does not hold its 16 codes"),
    "negative shape": (changed(data=Q, metadata=[(0.0, 1.0, (-4, -4))] * 2), "does not hold its 16 codes"),
    "shape of text": (changed(data=Q, metadata=[(0.0, 1.0, "44")] * 2), "shape is of type str"),
    "short table": (changed(data=Q, metadata=[(0.0, 1.0)] * 2), "metadata is of type tuple; .tmin, tmax, shape."),
    "nan": (changed(data=Q, metadata=[(float("nan"), 1.0, (4, 4))] * 2), "block 0: tmin is nan"),
    "infinite": (changed(data=Q, metadata=[(0.0, float("inf"), (4, 4))] * 2), "block 0: tmax is inf"),
    "beyond fp16": (changed(data=Q, metadata=[(0.0, 1e6, (4, 4))] * 2), "block 0: tmax is 1000000.0"),
    "turned round": (changed(data=Q, metadata=[(1.0, 0.0, (4, 4))] * 2), "tmin 1.0 is larger than tmax 0.0"),
    "unequal widths": (changed(data=Q, metadata=[(0.0, 1.0, (4, 4)), (0.0, 1.0, (2, 8))]), "cannot be stacked"),
    "long name": ({"w" * 600: plain(np.ones(2))}, "at most 500 characters"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_layouts_are_refused_by_what_is_wrong(file, case):
    content, message = BROKEN[case]
    with pytest.raises(stores.PickleRefused, match=message) as found:
        stores.read_pkl(write(file, content))
    assert len(str(found.value)) < 2000


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pkl does not exist"):
        stores.read_pkl(tmp_path / "none.pkl")


def test_no_default_unpickler_in_the_package():
    """The one machine is the restricted one: pickle.load and pickle.loads occur nowhere."""
    for source in Path(unpickle.__file__).parent.glob("*.py"):
        assert not re.search(r"(?<!un)pickle\.loads?\b", source.read_text(encoding="utf-8")), source


def test_an_ordered_dict_and_torch_sizes_are_read(file):
    """As `state_dict()` gives them: an OrderedDict, with torch's own notes as its attribute, and shapes as torch.Size."""
    plain_dict = good()
    sized = {k: dict(v) for k, v in plain_dict.items()}
    codes = sized[EMBED]["data"]
    table = [(*row[:2], torch.Size(row[2])) for row in codes["metadata"]]
    sized[EMBED]["data"] = collections.OrderedDict(codes | {"metadata": table})
    ordered = collections.OrderedDict(sized)
    ordered._metadata = collections.OrderedDict({"": {"version": 1}})
    found, wanted = (stores.read_pkl(write(file, content)) for content in (ordered, plain_dict))
    assert list(found) == list(wanted)
    for name in wanted:
        assert np.array_equal(found[name].values(), wanted[name].values())


def test_nothing_that_is_there_is_written_over_unasked(file, tmp_path):
    write(file, good())
    before = file.read_bytes()
    (tmp_path / "link.pkl").symlink_to(file)
    for target in (file, tmp_path / "link.pkl", tmp_path / "." / file.name):
        with pytest.raises(FileExistsError, match="is the source itself"):
            stores.import_pkl(file, target, force=True)
    other = tmp_path / "mine.safetensors"
    other.write_text("mine")
    with pytest.raises(FileExistsError, match="replace it with --force"):
        stores.import_pkl(file, other)
    assert (file.read_bytes(), other.read_text()) == (before, "mine")
    assert stores.StoreFile.open(stores.import_pkl(file, other, force=True)).names()
