"""What a model is made of, asked of models of many kinds: nothing is recognised by the names of its tensors."""

import pytest
import torch
import transformers
from torch import nn

from helpers import stores
from helpers.codec import Codec

SIZES = {"hidden_size": 16, "intermediate_size": 28, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 40}
EXPERTS = {"num_experts": 3, "num_local_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 12}
KINDS = {
    "Llama": SIZES | {"num_key_value_heads": 1},
    "Qwen2": SIZES | {"num_key_value_heads": 1, "tie_word_embeddings": True},
    "GPTNeoX": SIZES | {"rotary_pct": 0.25},
    "Starcoder2": SIZES | {"num_key_value_heads": 1},
    "GPT2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 40, "n_positions": 32},
    "Mixtral": SIZES | EXPERTS | {"num_key_value_heads": 1},
    "Qwen2Moe": SIZES | EXPERTS | {"num_key_value_heads": 1, "shared_expert_intermediate_size": 12},
    "GptOss": SIZES | EXPERTS | {"num_key_value_heads": 1, "head_dim": 8},
}


def tiny(kind):
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**KINDS[kind])
    return transformers.AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_every_matrix_is_a_part_and_a_view_of_its_parameter(kind):
    model = tiny(kind)
    parts = stores.parts(model)
    assert all(p.tensor.ndim == 2 for p in parts.values())
    stacks = {k for k, v in model.named_parameters() if v.ndim == 3}
    biases = {k for k, v in model.named_parameters() if v.ndim == 2 and k.endswith("_bias")}  # of stacked experts
    whole = sum(v.numel() for k, v in model.named_parameters() if v.ndim == 1 or k in biases)
    assert sum(p.tensor.numel() for p in parts.values()) == sum(v.numel() for v in model.parameters()) - whole
    assert bool(stacks) == (kind in ("Mixtral", "Qwen2Moe", "GptOss"))
    with torch.no_grad():
        for part in parts.values():
            part.tensor.zero_()
    assert not any(v.any() for k, v in model.named_parameters() if v.ndim > 1 and k not in biases)


@pytest.mark.parametrize("kind", KINDS)
def test_roles_and_layouts_come_from_the_modules(kind):
    model = tiny(kind)
    parts, linear = stores.parts(model), {n: type(m).__name__ for n, m in model.named_modules()}
    embed, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    roles = {p.tensor.data_ptr(): p.role for p in parts.values()}
    assert roles[embed.data_ptr()] == "embed"
    assert roles[head.data_ptr()] == ("embed" if embed is head else "head")
    for name, part in parts.items():
        if part.role in ("attention", "mlp"):
            assert ("attention" in name or "attn" in name) == (part.role == "attention")
        else:
            assert part.tensor.data_ptr() in (embed.data_ptr(), head.data_ptr()) or name.endswith("wpe.weight")
        assert part.transposed == (
            linear.get(name.rpartition(".")[0]) == "Conv1D" or ("experts" in name and kind == "GptOss")
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_coded_and_rebuilt_whole(kind, tmp_path):
    model, codec = tiny(kind), Codec(cap=16)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    found = stores.StoreFile.open(stores.write_store(tmp_path / "m", model, codec))
    assert found.names() == list(stores.parts(model))
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    found.decode_into(model)
    for name, value in model.state_dict().items():
        assert (value - before[name]).norm() <= 0.012 * before[name].norm() + 1e-6, name


def test_a_convolution_is_a_matrix_and_bare_states_are_taken_as_they_lie():
    net = nn.Sequential(nn.Conv1d(4, 6, 3), nn.Conv2d(6, 2, 3))
    assert {k: tuple(p.tensor.shape) for k, p in stores.parts(net).items()} == {
        "0.weight": (6, 12),
        "1.weight": (2, 54),
    }
    state = {"a": torch.ones(2, 3), "b": torch.ones(4), "c": torch.ones(2, 3, 4)}
    assert list(stores.parts(state)) == ["a"]


class Odd(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)


@pytest.mark.parametrize(
    ("weight", "why"),
    [(torch.ones(2, 2, 2, 2), r"float32 \(2, 2, 2, 2\) in a Odd"), (torch.ones(4, 4).to(torch.int8), "int8"),
     (torch.ones(4, 4).to_sparse(), "float32")],
)  # fmt: skip
def test_what_is_not_understood_is_refused_by_name(weight, why):
    with pytest.raises(ValueError, match=f"weight is .*{why}"):
        stores.parts(nn.ModuleDict({"odd": Odd(weight)}))


def test_two_modules_that_share_a_stack_are_stored_once_and_read_again(tmp_path):
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(2, 8, 16))

    model = nn.ModuleDict({"a": Experts(), "b": Experts()})
    model["b"].w = model["a"].w
    opened = stores.StoreFile.open(stores.write_store(tmp_path / "x.safetensors", model))
    assert opened.names() == ["a.w.0", "a.w.1"]
    assert opened.tied == {"b.w.0": "a.w.0", "b.w.1": "a.w.1"}
    assert torch.equal(opened.decode("b.w.1"), opened.decode("a.w.1"))
