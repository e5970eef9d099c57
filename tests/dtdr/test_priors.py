"""Where priors come from: what has arrived, other blocks, relatives, published files."""

import pickle

import numpy as np
import pytest
import torch

from helpers import devices, lm, stores
from helpers.dtdr import priors


@pytest.fixture(scope="module")
def found():
    return lm.load("storyteller", device="cpu")


@pytest.fixture(scope="module")
def whole(found):
    return {k: v.detach().clone() for k, v in stores.matrices(found.model).items()}


def test_a_prior_that_does_not_fit_is_refused_before_it_is_made(whole, monkeypatch):
    numbers = sum(w.numel() for w in whole.values())
    monkeypatch.setattr(devices, "free_memory", lambda device: 7 * numbers)  # 4 bytes of float32 and 3 sets of codes
    with pytest.raises(MemoryError, match=r"a prior for guided fill needs about .* use a smaller model"):
        priors.leaked(whole)
    monkeypatch.setattr(devices, "free_memory", lambda device: 7.1 * numbers)
    assert priors.leaked(whole).keys() == whole.keys()


def test_priors_from_what_arrived():
    product = lambda kind, w: torch.matmul(*priors.factors(kind, w))
    w = torch.outer(torch.arange(1.0, 9), torch.ones(16))
    assert torch.allclose(product("row_mean", w), w)
    low = torch.randn(40, 3) @ torch.randn(3, 30)
    assert torch.allclose(product("low_rank", low), low, atol=1e-3)
    noise = torch.randn(60, 50)
    before = torch.random.get_rng_state()
    assert torch.equal(product("low_rank", noise), product("low_rank", noise))
    assert torch.equal(torch.random.get_rng_state(), before)
    with pytest.raises(ValueError, match="row_mean, low_rank, not 'magic'"):
        priors.factors("magic", w)


def test_the_neighbour_takes_the_next_block_and_leaves_the_rest_empty():
    names = ["model.layers.{}.mlp.up_proj.weight", "model.layers.{}.mlp.experts.down_proj.1"]
    weights = {name.format(i): torch.full((2, 2), float(i)) for i in range(3) for name in names}
    weights["lm_head.weight"] = torch.ones(2, 2)
    out = priors.neighbour(weights)
    for name in names:
        assert [float(out[name.format(i)][0, 0]) for i in range(3)] == [1, 2, 0]
    assert not out["lm_head.weight"].any()


def test_similarity_and_the_embedded_relatives(whole):
    cosine, ratio = priors.similarity({"a": torch.tensor([[1.0, 0]])}, {"a": torch.tensor([[3.0, 4.0]])})
    assert (cosine, ratio) == (pytest.approx(0.6), pytest.approx(5))
    known = {n: priors.similarity(whole, priors.embedded(n))[0] for n in priors.EMBEDDED}
    assert known["tuned"] > known["earlier"] > 0.5 > abs(known["other"]) * 5
    assert priors.similarity(whole, priors.leaked(whole, cap=64))[0] > 0.999
    with pytest.raises(ValueError, match="no embedded prior 'older'"):
        priors.embedded("older")


def test_a_relative_of_another_shape_is_refused_with_names_and_shapes(found, whole):
    assert priors.relative(whole, found).keys() == whole.keys()
    wider = {k: torch.zeros(len(w), w.shape[1] + 1) for k, w in whole.items()}
    first = next(iter(whole))
    with pytest.raises(
        ValueError, match=rf"{first} is \(\d+, \d+\), the model's is \(\d+, \d+\) \({len(whole)} matrices"
    ):
        priors.relative(wider, found)
    with pytest.raises(ValueError, match=r"x is not there .* a fine-tuned version of the model"):
        priors.relative(whole | {"x": torch.ones(2, 2)}, found)
    changed = priors.with_weights(found, {k: 2 * w for k, w in whole.items()}, "twice")
    assert torch.equal(stores.matrices(changed.model)[first], 2 * whole[first])
    assert torch.equal(stores.matrices(found.model)[first], whole[first])


def test_weights_of_a_published_file_go_into_a_model(found, tmp_path):
    names = stores.matrices(found.model)
    entries = {n: {"type": "uncompressed", "data": p.detach().half().numpy()} for n, p in names.items()}
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps(entries, protocol=4))
    got = priors.pkl_weights(found.model, path)
    assert all(torch.allclose(got[n], p, atol=2e-3) for n, p in names.items())
    first = next(iter(entries))
    path.write_bytes(pickle.dumps({first: entries[first]}, protocol=4))
    with pytest.raises(ValueError, match="is not there"):
        priors.pkl_weights(found.model, path)
    entries[first] = {"type": "uncompressed", "data": np.zeros((2, 2), np.float16)}
    path.write_bytes(pickle.dumps(entries, protocol=4))
    with pytest.raises(ValueError, match=r"is \(2, 2\), the model's is"):
        priors.load_pkl(found.model, path)
