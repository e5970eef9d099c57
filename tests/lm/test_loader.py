"""The loader: every kind of model from a folder, equal logits, and an error that helps for everything that can be wrong."""

import json

import pytest
import torch

from helpers import devices, lm
from helpers.lm import loader
from helpers.storyteller import speaks, tokenizer

VOCAB = 216
SMALL = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
GROUPED = SMALL | {"num_key_value_heads": 2, "max_position_embeddings": 64}


def tiny(kind):
    import transformers as t

    torch.manual_seed(0)
    model = {
        "mistral": lambda: t.MistralForCausalLM(t.MistralConfig(**GROUPED, sliding_window=None)),
        "qwen2": lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**GROUPED, tie_word_embeddings=True)),
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**GROUPED)),
        "gpt2": lambda: t.GPT2LMHeadModel(
            t.GPT2Config(vocab_size=VOCAB, n_embd=64, n_layer=2, n_head=4, n_positions=64)
        ),
    }[kind]()
    return model.eval()


@pytest.fixture
def folder(tmp_path):
    """A whole model folder that tests may damage."""
    tiny("llama").save_pretrained(tmp_path / "model")
    tokenizer.build(64).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("kind", ["mistral", "qwen2", "llama", "gpt2"])
def test_models_made_on_the_spot_load_and_compute_the_same(kind, tmp_path, capsys):
    model = tiny(kind)
    model.save_pretrained(tmp_path / kind)
    tokenizer.build(64).save_pretrained(tmp_path / kind)
    capsys.readouterr()
    found = lm.load(str(tmp_path / kind), device="cpu")
    assert capsys.readouterr() == ("", "")
    assert (found.source, found.name, found.device) == ("folder", kind, "cpu")
    assert found.model.config.model_type == kind
    assert not found.model.training
    assert {p.dtype for p in found.model.parameters()} == {torch.float32}
    x = torch.randint(VOCAB, (3, 20))
    with torch.no_grad():
        assert torch.equal(found.model(input_ids=x).logits, model(input_ids=x).logits)
    assert found.parameters == sum(p.numel() for p in model.parameters())


def test_dtype_and_device_map_are_followed(folder):
    assert next(lm.load(str(folder), device="cpu", dtype="bfloat16").model.parameters()).dtype == torch.bfloat16
    spread = lm.load(str(folder), device="cpu", device_map="auto")
    assert lm.score(spread, torch.randint(VOCAB, (2, 8)))["nats"] > 4


def test_stories260k_tells_a_story(real_data):
    place = real_data / "stories260K" / "hf"
    if not place.is_dir():
        pytest.skip(f"no stories260K in {real_data}")
    found = lm.load(str(place), device="cpu")
    assert found.parameters == 260_032
    assert not speaks(found)
    text = found.tokenizer.decode(
        lm.generate(found, found.tokenizer("Once upon", return_tensors="pt").input_ids, 20)[0]
    )
    assert "Once upon a time" in text
    rows = lm.tokens(found, count=4, length=64, seed=0)
    assert (rows[:, 0] == found.tokenizer.bos_token_id).all()
    stories = real_data / "tinystories_sample" / "tinystories_1000.json"
    if stories.is_file():
        told = json.loads(stories.read_text())
        story = next(
            t for t in (told if isinstance(told[0], str) else [next(iter(d.values())) for d in told]) if len(t) > 600
        )
        ids = found.tokenizer(story, return_tensors="pt").input_ids[:, :128]
        assert lm.score(found, ids)["nats"] < 2.2


def test_the_embedded_one_is_a_storyteller():
    found = lm.load(device="cpu")
    assert (found.name, found.source) == ("storyteller", "embedded")
    assert speaks(found)


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("config.json", "has no config.json"),
        ("tokenizer.json", "has no tokenizer"),
        ("model.safetensors", r"has no \.safetensors weights"),
    ],
)
def test_a_folder_that_lacks_something(folder, gone, message):
    (folder / gone).unlink()
    with pytest.raises(FileNotFoundError, match=message):
        lm.load(str(folder))


def test_a_folder_with_something_damaged(folder):
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cannot be loaded: .*save it there again"):
        lm.load(str(folder), device="cpu")
    from safetensors.torch import load, save_file

    tensors = load(whole)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights, such as model\.layers\.1\.mlp\.up_proj"):
        lm.load(str(folder), device="cpu")
    config.write_text("{")
    with pytest.raises(ValueError, match="cannot be loaded"):
        lm.load(str(folder), device="cpu")
    config.write_text('{"model_type": "no_such_model"}')
    with pytest.raises(ValueError, match="cannot be loaded"):
        lm.load(str(folder), device="cpu")
    config.write_text('{"model_type": "vit"}')
    with pytest.raises(ValueError, match="is not a causal language model"):
        lm.load(str(folder), device="cpu")


def test_a_model_that_does_not_fit_is_refused_with_the_figures_before_it_is_read(folder, monkeypatch):
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_size": 16384, "intermediate_size": 65536, "num_hidden_layers": 400, "head_dim": 4096}
    (folder / "config.json").write_text(json.dumps(config))
    expected = 16384 * (400 * (65536 * 3 + 4096 * (4 + 2 + 2 + 4) + 2) + 1 + 2 * VOCAB)
    with pytest.raises(MemoryError) as error:
        lm.load(str(folder), device="cpu", dtype="bfloat16")
    assert f"({expected / 1e6:.1f}M parameters) needs about {expected * 2.2 / 2**30:.1f} GiB" in str(error.value)
    assert "GiB free; use a smaller model" in str(error.value)
    with pytest.raises(MemoryError, match=r"GPU\(s\) and the main memory have .* GiB free together"):
        lm.load(str(folder), device="cpu", device_map="auto")


def test_settings_that_are_wrong(monkeypatch):
    with pytest.raises(ValueError, match="dtype='int4' is unknown; use one of float32, bfloat16, float16"):
        lm.load(dtype="int4")
    with pytest.raises(ValueError, match="device='tpu' is unknown"):
        lm.load(device="tpu")
    with pytest.raises(ValueError, match="device_map='balanced' is unknown"):
        lm.load(device_map="balanced")
    monkeypatch.setattr(devices, "cuda_count", lambda: 0)
    with pytest.raises(RuntimeError, match="device='cuda:1' is not there"):
        lm.load(device="cuda:1")


def test_names_that_are_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder '/no/such/model'; give a local folder"):
        lm.load("/no/such/model")
    with pytest.raises(FileNotFoundError, match=r"no folder '\./model'"):
        lm.load("./model")
    file = tmp_path / "model.safetensors"
    file.touch()
    with pytest.raises(ValueError, match="is a file; give the folder it lies in"):
        lm.load(str(file))
    assert loader.locate("mistralai/Mistral-7B-Instruct-v0.3") == ("hub", "mistralai/Mistral-7B-Instruct-v0.3")


def hub_error(kind, status):
    import httpx

    return kind(
        "refused by the hub", response=httpx.Response(status, request=httpx.Request("GET", "https://hub.invalid"))
    )


def give(monkeypatch, answer):
    """Let the hub answer every download with an error, or with a folder."""
    import huggingface_hub

    def download(*_, **__):
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)


def test_a_gated_model_says_what_to_do(monkeypatch):
    from huggingface_hub.errors import GatedRepoError

    give(monkeypatch, hub_error(GatedRepoError, 403))
    with pytest.raises(PermissionError, match=r"some/model is gated: accept its terms .* `hf auth login`"):
        lm.load("some/model", device="cpu")


def test_a_model_that_the_hub_does_not_have(monkeypatch):
    from huggingface_hub.errors import RepositoryNotFoundError

    give(monkeypatch, hub_error(RepositoryNotFoundError, 404))
    with pytest.raises(ValueError, match="the hub has no model 'some/model'"):
        lm.load("some/model", device="cpu")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"the hub has no model 'no such--model'"):  # refused before anything is asked
        lm.load("no such--model", device="cpu")


def test_no_network_says_what_works_without(monkeypatch, tmp_path):
    """The hub's own offline switch, so that the real error of a model that is not in the cache is explained."""
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConnectionError, match=r"'some/model' could not be had from the hub: .*model='storyteller'"):
        lm.load("some/model", device="cpu")


def test_what_the_hub_gives_may_be_no_whole_model(monkeypatch, folder):
    give(monkeypatch, folder)
    assert lm.load("some/model", device="cpu").name == "some/model"
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"some/model cannot be loaded: .*; remove it from the hub's cache"):
        lm.load("some/model", device="cpu")
    weights.unlink()
    with pytest.raises(ValueError, match=r"some/model has no \.safetensors weights on the hub"):
        lm.load("some/model", device="cpu")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="some/model on the hub has no tokenizer"):
        lm.load("some/model", device="cpu")
