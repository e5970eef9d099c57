"""The store file: round trips of anything, partial reads, live models, and headers that lie."""

import json
import math
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from helpers import files, stores
from helpers.codec import ORDERS, Fill, decode, transform
from helpers.codec.codec import Codec

RAW = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool]


def matrix(out, width, seed=0, tail=3):
    return torch.tensor(np.random.default_rng(seed).standard_t(tail, size=(out, width)), dtype=torch.float32)


def state():
    return {
        "model.embed_tokens.weight": matrix(20, 16), "model.layers.0.mlp.up_proj.weight": matrix(24, 16, 1),
        "model.norm.weight": torch.ones(16), "empty": torch.zeros(0, 4), "count": torch.tensor(7),
    }  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return stores.write_store(tmp_path / "a.dtdr", state(), Codec(cap=8), note="test", meta={"seed": 1})


@given(
    shapes=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 70)), min_size=1, max_size=4),
    kind=st.sampled_from(transform.KINDS), cap=st.sampled_from([1, 16, 256, "full"]), seed=st.integers(-3, 10**9),
    tail=st.sampled_from([1, 2, 5]), signs=st.booleans(), vectors=st.lists(st.sampled_from(RAW), max_size=4),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
)  # fmt: skip
@settings(max_examples=40, deadline=None, database=None, derandomize=True)
def test_files_hold_what_was_written(tmp_path_factory, shapes, kind, cap, seed, tail, signs, vectors, dtype):
    """Random shapes, odd widths, Cauchy tails: codes, scales and other tensors come back bit for bit."""
    model = {f"m{i}": matrix(*s, i, tail).clamp(-6e4, 6e4).to(dtype) for i, s in enumerate(shapes)}
    model |= {f"v{i}": (torch.rand(5) * 100).to(t) for i, t in enumerate(vectors)}
    codec = Codec(kind, cap=cap, seed=seed, signs=signs)
    expected = stores.encode_model(model, codec)
    file = stores.write_store(tmp_path_factory.mktemp("s") / "x", model, codec)
    found = stores.StoreFile.open(file)
    assert found.codec == codec
    assert (found.names(), found.raw_names()) == (expected.names(), expected.raw_names())
    assert found.nbytes == expected.nbytes
    for name in found.names():
        a, b = found.encoded(name), expected.encoded(name)
        assert torch.equal(a.codes, b.codes)
        assert torch.equal(a.scales, b.scales)
        error = (found.decode(name) - model[name].float()).square().sum()
        assert error <= 0.26 * b.scales.float().repeat_interleave(b.block, 1).square().sum()
        assert torch.equal(found.decode(name, 0.4, mask_seed=3), decode(b, 0.4, mask_seed=3))
    for name in found.raw_names():
        assert torch.equal(found.decode(name), model[name])
        assert found.decode(name).dtype == model[name].dtype


def test_what_the_header_says(path):
    found = stores.StoreFile.open(path)
    assert (found.note, found.meta) == ("test", {"seed": 1})
    assert found.names() == ["model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight"]
    assert set(found.raw_names()) == {"model.norm.weight", "empty", "count"}
    assert found.shape("model.embed_tokens.weight") == (20, 16)
    with safe_open(str(path), framework="pt") as f:
        json.loads(f.metadata()["dtdr"])
    assert found.nbytes == 20 * 16 + 20 * 2 * 2 + 24 * 16 + 24 * 2 * 2 + 16 * 4 + 8
    with pytest.raises(KeyError, match="no coded tensor 'nothing'"):
        found.encoded("nothing")


def test_the_same_input_gives_the_same_bytes(tmp_path, path):
    again = stores.write_store(tmp_path / "b", state(), Codec(cap=8), note="test", meta={"seed": 1})
    assert files.digest(again) == files.digest(path)


@pytest.mark.parametrize("order", [o for o in ORDERS if o != "magnitude"])
def test_partial_reads(path, order):
    found, name = stores.StoreFile.open(path), "model.layers.0.mlp.up_proj.weight"
    part = found.decode(name, 0.5, order, mask_seed=1, rows=(5, 9))
    assert torch.equal(part, found.decode(name, 0.5, order, mask_seed=1)[5:9])
    with pytest.raises(ValueError, match="rows 20…25 are not a run within its 24 rows"):
        found.encoded(name, rows=(20, 25))


def test_partial_reads_read_only_their_bytes(path):
    """Damage elsewhere in the file is not met; damage in a whole read is."""
    name = "model.layers.0.mlp.up_proj.weight"
    expected = stores.StoreFile.open(path).decode(name, rows=(0, 4))
    raw = bytearray(path.read_bytes())
    codes = stores.StoreFile.open(path).encoded(name).codes.numpy().tobytes()
    raw[raw.index(codes) + len(codes) - 1] ^= 1
    path.write_bytes(raw)
    found = stores.StoreFile.open(path)
    assert torch.equal(found.decode(name, rows=(0, 4)), expected)
    with pytest.raises(ValueError, match=f"{name} does not match its sha256"):
        found.decode(name)


def test_loading_and_priors(path):
    found = stores.StoreFile.open(path)
    loaded = found.load()
    name = "model.embed_tokens.weight"
    assert torch.equal(loaded.decode(name, 0.3), found.decode(name, 0.3))
    for prior in (found, loaded):
        fill = Fill("guided", weight=1.0, prior=prior)
        assert torch.equal(found.decode(name, 0.3, fill=fill), found.decode(name))


def test_writing_is_whole_or_not_at_all(path, monkeypatch):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="bad: 1 of 4 entries are NaN"):
        stores.write_store(path, {"bad": torch.tensor([[1.0, math.nan], [0.0, 0.0]])})

    def full(*a, **k):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("helpers.stores.store.save_file", full)
    with pytest.raises(OSError, match=r"could not write .*a\.dtdr: .*No space left"):
        stores.write_store(path, state())
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["a.dtdr"]


def test_what_cannot_be_stored():
    with pytest.raises(ValueError, match="c: dtype complex64 is not stored"):
        stores.write_store("unused", {"c": torch.zeros(2, dtype=torch.complex64)})
    with pytest.raises(ValueError, match="w has no data"):
        stores.write_store("unused", {"w": torch.zeros(2, 2, device="meta")})
    with pytest.raises(ValueError, match="encode them anew"):
        stores.write_store("unused", stores.encode_model(state(), Codec()), Codec(seed=1))


# Headers that lie. Each case changes the parsed header or the tensors of a good file.


def entry(header, name="model.embed_tokens.weight"):
    return header["tensors"][name]


def _rename(h, t):
    t["codes/other"] = t.pop("codes/model.embed_tokens.weight")


def _long_codes(h, t):
    t["codes/model.embed_tokens.weight"] = t["codes/model.embed_tokens.weight"].short()


def _cut_codes(h, t):
    t["codes/model.embed_tokens.weight"] = t["codes/model.embed_tokens.weight"][:10].contiguous()


def _cut_scales(h, t):
    t["scales/model.embed_tokens.weight"] = t["scales/model.embed_tokens.weight"][:, :1].contiguous()


LIES = {
    "version": (lambda h, t: h.update(version=2), "version is 2; this code reads version 1"),
    "no version": (lambda h, t: h.pop("version"), "version is None"),
    "format": (lambda h, t: h.update(format="other"), 'format is not "dtdr"'),
    "more fields": (lambda h, t: h.update(run="import os"), "the header has fields"),
    "transform": (lambda h, t: h["codec"].update(transform="wavelet"), "transform 'wavelet' is unknown"),
    "cap": (lambda h, t: h["codec"].update(cap=100), "cap=100"),
    "cap of lists": (lambda h, t: h["codec"].update(cap=[]), r"cap=\[\]"),
    "codec fields": (lambda h, t: h["codec"].pop("seed"), "the header's codec has fields"),
    "codec": (lambda h, t: h.update(codec=[1]), r"codec is \[1\]; a dict was expected"),
    "shape": (lambda h, t: entry(h).update(shape=[16, 20]), r"is \('I8', \[20, 16\]\) in the file, the header says"),
    "large shape": (lambda h, t: entry(h).update(shape=[10**9, 16]), "in the file, the header says"),
    "negative": (lambda h, t: entry(h).update(shape=[-20, 16]), "is not a list of sizes"),
    "shape of text": (lambda h, t: entry(h).update(shape="20"), "is not a list of sizes"),
    "shape of 3": (lambda h, t: entry(h).update(shape=[20, 4, 4]), "a coded tensor is an int8 matrix"),
    "dtype": (lambda h, t: entry(h).update(dtype="float32"), "a coded tensor is an int8 matrix, not float32"),
    "raw dtype": (lambda h, t: entry(h, "model.norm.weight").update(dtype="float16"), "the header says"),
    "unhashable": (lambda h, t: entry(h, "model.norm.weight").update(dtype=[]), "unhashable|unknown"),
    "kind": (lambda h, t: entry(h).update(kind="zip"), "kind 'zip' with dtype 'int8' is unknown"),
    "entry": (lambda h, t: h["tensors"].update({"model.norm.weight": 3}), "its entry in the header is 3"),
    "entry fields": (lambda h, t: entry(h).pop("sha256"), "its entry in the header has fields"),
    "transposed": (lambda h, t: entry(h).update(transposed=True), "in the file, the header says"),
    "tied": (lambda h, t: h.update(tied={"a": "nowhere"}), "a is tied to 'nowhere'"),
    "tied itself": (lambda h, t: h.update(tied={"count": "count"}), "count is tied to 'count'"),
    "missing": (lambda h, t: t.pop("codes/model.embed_tokens.weight"), "missing tensors .'codes/model.embed"),
    "renamed": (_rename, "tensors not in the header .'codes/other'"),
    "extra": (lambda h, t: t.update(extra=torch.ones(1)), "tensors not in the header .'extra'"),
    "other": (lambda h, t: h["tensors"].pop("count"), "tensors not in the header .'raw/count'"),
    "codes of int16": (_long_codes, "is \\('I16'"),
    "fewer codes": (_cut_codes, "is \\('I8', \\[10, 16\\]\\) in the file"),
    "fewer scales": (_cut_scales, "is \\('F16', \\[20, 1\\]\\) in the file"),
}


@pytest.mark.parametrize("lie", LIES)
def test_lying_headers_are_refused(path, lie):
    change, message = LIES[lie]
    header, tensors = stores.StoreFile.open(path).header, load_file(path)
    header = json.loads(json.dumps(header))
    change(header, tensors)
    save_file(tensors, path, metadata={"dtdr": json.dumps(header)})
    with pytest.raises(ValueError, match=message) as found:
        stores.StoreFile.open(path)
    assert str(path) in str(found.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"), ("{", "Expecting"), ("[]", "format is not"), ("NaN", "NaN is not JSON"),
        ('{"format": "dtdr", "format": "dtdr"}', "stands twice"), ("[" * 100000, "recursion|Expecting|depth"),
    ],
)  # fmt: skip
def test_headers_that_are_no_strict_json(path, text, message):
    save_file(load_file(path), path, metadata={"dtdr": text})
    with pytest.raises(ValueError, match=message):
        stores.StoreFile.open(path)


def test_files_that_are_no_store(path, tmp_path):
    with pytest.raises(FileNotFoundError, match="write it with write_store"):
        stores.StoreFile.open(tmp_path / "none")
    raw = path.read_bytes()
    for content in (b"", b"\x80\x04N.", raw[:-1], raw[: len(raw) // 2], raw[:7], raw + b"x", b"\xff" * 100):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not a whole safetensors file"):
            stores.StoreFile.open(path)
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(ValueError, match='no entry "dtdr"'):
        stores.StoreFile.open(path)


# Live models.


def tiny(kind, **more):
    import transformers

    torch.manual_seed(0)
    if kind == "GPT2":
        config = transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=40, n_positions=32, **more)
        return transformers.GPT2LMHeadModel(config).eval()
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=16, intermediate_size=28, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=40, **more,
    )  # fmt: skip
    return getattr(transformers, f"{kind}ForCausalLM")(config).eval()


MODELS = [("Llama", False), ("Mistral", False), ("Qwen2", False), ("Qwen2", True), ("GPT2", True)]


@pytest.mark.parametrize(("kind", "tied"), MODELS)
def test_live_models(kind, tied, tmp_path):
    """Encoded, stored, damaged, and put back in place: logits return to those of the whole codes, without a reload."""
    model = tiny(kind, tie_word_embeddings=tied)
    tokens, codec = torch.arange(12)[None], Codec(cap=16)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    where = {k: v.data_ptr() for k, v in model.state_dict().items()}
    found = stores.StoreFile.open(stores.write_store(tmp_path / "m", model, codec))
    assert bool(found.tied) == tied
    assert len(found.names()) + len(found.raw_names()) + len(found.tied) == len(before)
    found.decode_into(model)
    with torch.no_grad():
        whole = model(tokens).logits
    for name, value in model.state_dict().items():
        assert value.data_ptr() == where[name]
        assert (value - before[name]).norm() <= 0.012 * before[name].norm() + 1e-6
        if before[name].ndim != 2:
            assert torch.equal(value, before[name])
    found.decode_into(model, 0.1, mask_seed=1)
    with torch.no_grad():
        assert (model(tokens).logits - whole).abs().max() > 1e-3
    found.decode_into(model)
    with torch.no_grad():
        assert torch.equal(model(tokens).logits, whole)


@pytest.mark.parametrize(("kind", "tied"), MODELS)
def test_linears_alone_are_damaged(kind, tied):
    model = tiny(kind, tie_word_embeddings=tied)
    found, roles = stores.encode_model(model, Codec(cap=16)), {k: p.role for k, p in stores.parts(model).items()}
    found.decode_into(model)
    whole = {k: v.clone() for k, v in model.state_dict().items()}
    vocabulary = {k for k in roles if roles[k] in ("head", "embed")} | set(found.tied)
    found.decode_into(model, 0.0, damage="linears")
    for name, value in model.state_dict().items():
        if name in vocabulary or value.ndim != 2:
            assert torch.equal(value, whole[name])
        else:
            assert not value.any()
    found.decode_into(model, 0.0, damage=["head", "embed"])
    assert not any(v.any() for k, v in model.state_dict().items() if k in vocabulary)
    found.decode_into(model, 0.5, include=lambda n: "mlp" in n)
    assert not any(v.any() for k, v in model.state_dict().items() if k in vocabulary)
    with pytest.raises(ValueError, match="damage='heads'"):
        found.decode_into(model, 0.5, damage="heads")


def test_tied_weights_are_stored_once_and_reach_an_untied_model(tmp_path):
    tied = tiny("Qwen2", tie_word_embeddings=True)
    found = stores.StoreFile.open(stores.write_store(tmp_path / "t", tied, Codec()))
    assert found.tied == {"lm_head.weight": "model.embed_tokens.weight"}
    assert torch.equal(found.decode("lm_head.weight"), found.decode("model.embed_tokens.weight"))
    apart = tiny("Qwen2", tie_word_embeddings=False)
    found.decode_into(apart)
    values = apart.state_dict()
    assert torch.equal(values["lm_head.weight"], values["model.embed_tokens.weight"])
    assert values["lm_head.weight"].data_ptr() != values["model.embed_tokens.weight"].data_ptr()


def test_another_model_is_refused_before_anything_is_written():
    found = stores.encode_model(tiny("Llama"), Codec())
    other = tiny("GPT2")
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(ValueError, match="is stored, but the model has no such tensor"):
        found.decode_into(other, 0.5)
    assert all(torch.equal(v, before[k]) for k, v in other.state_dict().items())
    small = stores.encode_model({"weight": matrix(4, 8)}, Codec())
    with pytest.raises(ValueError, match=r"weight: \(4, 8\) is stored, the model has \(8, 4\)"):
        small.decode_into(torch.nn.Linear(4, 8))


def test_what_is_coded_can_be_chosen():
    known = stores.parts(tiny("Llama"))
    found = stores.encode_model(tiny("Llama"), Codec(), include=lambda n: known[n].role == "mlp")
    assert {known[n].role for n in found.names()} == {"mlp"}
    assert "lm_head.weight" in found.raw_names()
