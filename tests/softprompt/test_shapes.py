"""Other models: what they take, which are refused before anything is loaded, a mixture of experts; blocks that are alike."""

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from one_at_a_time import loop
from transformers import OlmoeConfig, OlmoeForCausalLM

from helpers.lm import LM
from helpers.softprompt import blocks, engine, figures, shapes
from helpers.softprompt.config import Search


def test_the_table_of_memory_counts_what_is_published():
    table = shapes.memory(Search(k=32)).set_index("model")
    known = {"openai-community/gpt2": 0.124, "Qwen/Qwen2.5-0.5B": 0.494, "allenai/OLMoE-1B-7B-0924": 6.92}
    for name, count in known.items():
        assert table.loc[name, "parameters (10⁹)"] == pytest.approx(count, rel=0.01)
        assert table.loc[name, "weights (GiB)"] == pytest.approx(2 * count * 1e9 / 2**30, rel=0.01)
    assert (table["contents in 140 GiB"] >= table["contents in 80 GiB"]).all()
    longer, wider = shapes.memory(Search(k=32), length=48), shapes.memory(Search(k=64))
    for more in (longer, wider):
        assert (more["a content (MiB)"].to_numpy() > table["a content (MiB)"].to_numpy()).all()


def test_a_model_that_is_not_there_is_refused_before_anything_is_loaded(monkeypatch):
    def unreachable(model):
        raise ConnectionError(f"{model!r} could not be had from the hub")

    monkeypatch.setattr(shapes.hub, "small", unreachable)
    with pytest.raises(ConnectionError, match="'nosuchfolder' could not be had"):
        shapes.check("nosuchfolder")
    with pytest.raises(FileNotFoundError, match="no folder '/no/such'"):
        shapes.check("/no/such")
    for name in ("storyteller", "random-7b", "quizmaster"):
        shapes.check(name)
    with pytest.raises(ValueError, match="others='height' is unknown"):
        shapes.members("height")


def test_a_mixture_of_experts_is_searched_as_the_loop_does(tiny, drawn):
    config = OlmoeConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, intermediate_size=16,
        vocab_size=216, num_experts=4, num_experts_per_tok=2, max_position_embeddings=64, pad_token_id=0, eos_token_id=3,
    )  # fmt: skip
    torch.manual_seed(0)
    found = LM("moe", "folder", OlmoeForCausalLM(config).eval(), tiny["llama"].tokenizer, "cpu")
    asked, how = drawn(3, (3, 5)), Search(k=3, steps=12, rate=0.03, stop=False)
    for job, r in zip(asked, engine.search(found, asked, how), strict=True):
        curve, _ = loop(found, job, how)
        np.testing.assert_allclose(r.trace.T[:12], curve, atol=1e-3)


def test_blocks_are_alike_and_use_no_member_twice():
    rng = np.random.default_rng(0)
    groups = {name: rng.normal(size=(40, 2)) for name in "abc"}
    found = blocks.matched(groups, 10)
    assert all(len({*places}) == len(places) == 10 for places in found.values())
    apart = max(
        np.abs(groups["a"][i] - groups[n][j]).max() for n in "bc" for i, j in zip(found["a"], found[n], strict=True)
    )
    at_random = np.abs(groups["a"][:10] - groups["b"][:10]).max()
    assert apart < at_random / 2
    same = blocks.matched({"a": groups["a"], "b": groups["a"][::-1]}, 40)
    assert [39 - j for j in same["b"]] == same["a"]  # each finds itself
    with pytest.raises(ValueError, match="41 blocks need as many members"):
        blocks.matched(groups, 41)


def test_no_band_of_shares_leaves_the_shares():
    fig = go.Figure(go.Scatter(x=[0, 1], y=[-0.3, 1.4], fill="toself"))
    fig.add_scatter(x=[0, 1], y=[0.2, 1.0])
    figures.shares(fig)
    assert list(fig.data[0].y) == [0, 1]
    assert list(fig.data[1].y) == [0.2, 1.0]
