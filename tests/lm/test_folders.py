"""Model folders as unlucky users have them: each is refused in words that help, before anything heavy is read."""

import json
import shutil
import sys

import pytest
import torch
import transformers as t
from safetensors.torch import load_file, save_file

from helpers import lm
from helpers.lm import folders, loader
from helpers.storyteller import tokenizer

VOCAB = 216
SHAPE = {
    "vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 32,
}  # fmt: skip
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 4194304\n"


def write(folder, kind="Llama", head="ForCausalLM", **config):
    torch.manual_seed(0)
    getattr(t, kind + head)(getattr(t, kind + "Config")(**SHAPE | config)).save_pretrained(folder)
    tokenizer.build(32).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write(tmp_path_factory.mktemp("models") / "a model")


@pytest.fixture
def folder(whole, tmp_path):
    """A whole model folder, with a space in its name, that tests may damage."""
    return shutil.copytree(whole, tmp_path / "a model")


@pytest.fixture
def light(monkeypatch):
    """A test that fails where weights are read: what is wrong must be found before."""
    monkeypatch.setattr(loader, "_read", lambda *_, **__: pytest.fail("the weights were read"))


def edit(folder, name="config.json", **values):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def refused(folder, message, error=ValueError):
    with pytest.raises(error, match=message) as raised:
        lm.load(str(folder), device="cpu")
    assert "trust_remote_code" not in str(raised.value)


def shards(folder):
    """The weights in two files with an index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    for file, held in parts.items():
        save_file({n: tensors[n] for n in held}, folder / file, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {n: file for file, held in parts.items() for n in held}}
    (folder / folders.INDEX).write_text(json.dumps(index))
    return list(parts)


def add(folder, **tensors):
    path = folder / "model.safetensors"
    save_file(load_file(path) | tensors, path, {"format": "pt"})


def test_a_model_keeps_the_name_it_was_given(folder, monkeypatch):
    assert lm.load(str(folder), device="cpu").name == "a model"
    monkeypatch.chdir(folder)
    assert lm.load(".", device="cpu").name == "a model"


def test_weights_that_the_model_does_not_use_are_refused_by_name(folder):
    edit(folder, num_hidden_layers=1)
    refused(
        folder, r"holds 9 tensors that a LlamaForCausalLM .* does not use: model\.layers\.1\.input_layernorm\.weight"
    )
    edit(folder, num_hidden_layers=2)
    lm.load(str(folder), device="cpu")
    add(folder, **{"model.layers.0.self_attn.q_proj.lora_A": torch.zeros(2, 2)})
    refused(folder, r"holds 1 tensors .*: model\.layers\.0\.self_attn\.q_proj\.lora_A; give the config")


def test_an_adapter_is_not_silently_left_out(folder, light):
    (folder / "adapter_config.json").write_text("{}")
    refused(folder, r"holds an adapter .* merge it into its model first")


def test_codes_without_their_scales_are_no_weights(folder, light):
    name = "model.layers.0.mlp.down_proj.weight"
    tensors = load_file(folder / "model.safetensors")
    add(folder, **{name: (100 * tensors[name]).to(torch.int8)})
    refused(folder, r"down_proj\.weight is stored as I8, codes whose scales are not read")


@pytest.mark.parametrize("name", ["model.norm.weight", "model.layers.1.mlp.up_proj.weight"])
def test_weights_that_are_no_numbers_are_refused_by_name(folder, name):
    tensors = load_file(folder / "model.safetensors")
    tensors[name].view(-1)[0] = torch.nan
    add(folder, **{name: tensors[name]})
    refused(folder, name.replace(".", r"\.") + " has entries that are NaN or infinite")


def test_tables_that_older_versions_stored_are_let_through(folder, tmp_path):
    add(folder, **{"model.layers.1.self_attn.rotary_emb.inv_freq": torch.ones(8)})
    lm.load(str(folder), device="cpu")
    old = write(tmp_path / "gpt2", "GPT2", "LMHeadModel", n_embd=32, n_layer=1, n_head=2, n_positions=32)
    mask = torch.ones(1, 1, 32, 32, dtype=torch.bool).tril()
    add(old, **{"transformer.h.0.attn.bias": mask, "transformer.h.0.attn.masked_bias": torch.tensor(-1e4)})
    lm.load(str(old), device="cpu")
    assert folders.is_mask("h.0.attn.masked_bias", ())
    assert not folders.is_mask("h.0.attn.bias", (64,))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_model_that_looks_ahead_is_refused(tmp_path, dtype):
    write(tmp_path, "Bert", "LMHeadModel", is_decoder=False)
    with pytest.raises(ValueError, match=r"is not causal: another end of a text changes the logits before it by 0\.0"):
        lm.load(str(tmp_path), device="cpu", dtype=dtype)
    edit(tmp_path, is_decoder=True)
    assert lm.load(str(tmp_path), device="cpu", dtype=dtype).model.config.is_decoder


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("Mixtral", {"num_key_value_heads": 2, "num_local_experts": 4}),
        ("GPTNeoX", {}),
        ("Mamba", {"state_size": 4}),
        ("Gemma2", {"num_key_value_heads": 2, "head_dim": 16, "sliding_window": 4}),
    ],
)
def test_causal_models_of_every_kind_are_taken(tmp_path, monkeypatch, kind, more, dtype):
    write(tmp_path, kind, **more)
    monkeypatch.setattr("helpers.lm.trial.SMALL", 0)  # also by the rule for large models of half precision
    assert lm.load(str(tmp_path), device="cpu", dtype=dtype).name == tmp_path.name


def test_code_that_comes_with_a_model_is_neither_run_nor_asked_about(folder, monkeypatch):
    ran = folder / "ran"
    code = f"open({str(ran)!r}, 'w').close()\n"
    for name in ("modeling_x.py", "configuration_x.py"):
        (folder / name).write_text(code)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    monkeypatch.setattr(sys, "stdin", None)
    auto = {"AutoConfig": "configuration_x.XConfig", "AutoModelForCausalLM": "modeling_x.XForCausalLM"}
    edit(folder, auto_map=auto)
    assert (
        type(lm.load(str(folder), device="cpu").model).__name__ == "LlamaForCausalLM"
    )  # a kind that is known needs none
    edit(folder, model_type="x_model")
    refused(
        folder,
        r"model_type is 'x_model', .* code that comes with it \(configuration_x\.py, modeling_x\.py\) is never run",
    )
    edit(folder, model_type="llama")
    edit(
        folder,
        "tokenizer_config.json",
        tokenizer_class="XTokenizer",
        auto_map={"AutoTokenizer": ["modeling_x.X", None]},
    )
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text("{}")
    refused(folder, "it needs code that comes with it, which is never run here")
    assert not ran.exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_pointers_of_git_lfs(folder, light, name):
    (folder / name).write_text(POINTER)
    refused(folder, rf"{name} is a git-lfs pointer of {len(POINTER)} bytes, .*run `git lfs pull`")


def test_pointers_that_nobody_reads_do_no_harm(folder):
    (folder / "consolidated.safetensors").write_text(POINTER)
    (folder / "README.txt").write_text(POINTER)
    assert lm.load(str(folder), device="cpu").name == "a model"


def test_a_tokenizer_larger_than_the_embedding(tmp_path, light):
    write(tmp_path, vocab_size=200)
    refused(tmp_path, r"token 215 has no row in the embedding of 200: 16 tokens of the tokenizer")


def test_a_tokenizer_that_needs_a_package(folder, light, monkeypatch):
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    monkeypatch.setattr(folders.importlib.util, "find_spec", lambda name: None)
    refused(
        folder, r"tokenizer\.model alone, .* neither sentencepiece nor tiktoken is installed; install sentencepiece"
    )


@pytest.mark.parametrize("text", ["{", "", "[1]", '"llama"', "\x00\x01"])
def test_a_config_that_is_no_json_object(folder, light, text):
    (folder / "config.json").write_text(text)
    refused(folder, r"config\.json (is not JSON|holds a \w+, not an object)")


def test_files_of_weights_that_are_cut_short(folder, light):
    path = folder / "model.safetensors"
    data = path.read_bytes()
    for size in (0, 7, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        refused(folder, r"model\.safetensors (of \d+ bytes is cut short|has \d+ bytes, and \d+ by its own header)")
    path.write_bytes(data + b"\0")
    refused(folder, rf"has {len(data) + 1} bytes, and {len(data)} by its own header")
    path.write_bytes((10).to_bytes(8, "little") + b"x" * 100)
    refused(folder, "has no safetensors header")


def test_weights_in_several_files(folder):
    first, second = shards(folder)
    assert lm.load(str(folder), device="cpu").name == "a model"
    data = (folder / second).read_bytes()
    (folder / second).write_bytes(data[:-10])
    refused(folder, rf"{second} has {len(data) - 10} bytes, and {len(data)} by its own header")
    (folder / second).write_text(POINTER)
    refused(folder, rf"{second} is a git-lfs pointer")
    shutil.copy(folder / first, folder / second)
    refused(folder, rf"{second} lacks \S+, which {folders.INDEX} says it holds")
    (folder / second).unlink()
    refused(folder, rf"lacks 1 of 2 files of weights, such as {second}", FileNotFoundError)
    (folder / folders.INDEX).write_text("{}")
    refused(folder, "has no weight_map")
    (folder / folders.INDEX).unlink()
    refused(folder, rf"has {first}, but neither model.safetensors nor", FileNotFoundError)
