"""ReLU bottlenecks against one model trained alone, and their geometry against shapes that are known."""

import numpy as np
import pytest
import torch

from helpers.separability.superposition import Bottleneck, bottleneck

TINY = Bottleneck(shapes=((5, 2), (3, 3), (4, 1)), sparsities=(0.0, 0.9), seeds=2, steps=12, batch=8, pool=3, held=16)


def fan(*angles, norm=1.0):
    return norm * torch.tensor([[np.cos(a), np.sin(a)] for a in angles], dtype=torch.float64).T  # (2, n)


@pytest.mark.parametrize(
    ("w", "dimensionality"),
    [
        (torch.eye(3), [1.0] * 3),
        (fan(0, np.pi), [0.5] * 2),
        (fan(*(2 * np.pi * i / 5 for i in range(5))), [0.4] * 5),
        (fan(*(2 * np.pi * i / 3 for i in range(3)), norm=1.7), [2 / 3] * 3),
        (torch.tensor([[1.0, 0.0]]), [1.0, 0.0]),
    ],
    ids=["alone", "a pair", "a pentagon", "a triangle, any norm", "one that is not held"],
)
def test_dimensionality_of_shapes_that_are_known(w, dimensionality):
    assert bottleneck.geometry(w)["dimensionality"].tolist() == pytest.approx(dimensionality)


def test_geometry_against_the_formula_feature_by_feature():
    w = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = bottleneck.geometry(w)
    for k in range(2):
        for i in range(6):
            own, unit = w[k, :, i], w[k, :, i] / w[k, :, i].norm()
            onto = [float(unit @ w[k, :, j]) ** 2 for j in range(6)]
            assert found["norm"][k, i] == pytest.approx(float(own.norm()))
            assert found["shared"][k, i] == pytest.approx(sum(onto) - onto[i])
            assert found["dimensionality"][k, i] == pytest.approx(float(own @ own) / sum(onto))


def test_amplitude_variance_and_interference_against_a_sample():
    cell = bottleneck.Cell(4, 2, 0.6, 0)
    rng = np.random.default_rng(0)
    w = rng.normal(size=(2, 4))
    x = rng.random((400_000, 4)) * (rng.random((400_000, 4)) >= 0.6)
    h, found = x @ w.T, bottleneck.summary(torch.tensor(w), cell)
    assert found["amplitude"] == pytest.approx(np.sqrt((h**2).sum(1).mean()), rel=0.01)
    assert found["variance"] == pytest.approx(h.var(axis=0).sum(), rel=0.01)
    kept = np.linalg.norm(w, axis=0) > bottleneck.HELD
    gram = w.T @ w
    noise = [(x @ gram[:, i] - x[:, i] * gram[i, i]).var() for i in range(4)]
    assert found["interference"] == pytest.approx(np.mean(np.array(noise)[kept]), rel=0.01)
    assert found["held"] == kept.sum()
    assert found["packing"] == kept.sum() / 2


def test_a_stack_trains_as_each_model_would_alone():
    models, params, errors = bottleneck.trained(TINY)
    for i, cell in enumerate(models):
        alone = Bottleneck(
            shapes=((cell.n, cell.m),), sparsities=(cell.sparsity, 0.5), seeds=2, steps=12, batch=8, pool=3, held=16
        )
        own = {k: v.requires_grad_(True) for k, v in bottleneck.start(cell).items()}
        adam = torch.optim.Adam(own.values())
        value, chance = (x[cell.seed] for x in bottleneck.pool(2, 3, 8, 5, "train"))  # (P, B, 5) each
        for t in range(alone.steps):
            adam.param_groups[0]["lr"] = alone.rate * (1 - 0.9 * t / alone.steps)
            x = (value[t % 3] * (chance[t % 3] >= cell.sparsity))[:, : cell.n]
            again = torch.relu(x @ own["W"].T @ own["W"] + own["b"])
            adam.zero_grad()
            ((again - x) ** 2).sum(1).mean().backward()
            adam.step()
        w = params["W"][i]
        assert torch.allclose(w[: cell.m, : cell.n], own["W"].detach(), atol=2e-5)
        assert not w[cell.m :].any()
        assert not w[:, cell.n :].any()  # what the model does not have stays zero
    assert errors.shape == (len(models),)
    assert torch.isfinite(errors).all()


def test_rare_features_come_in_as_a_pentagon_and_common_ones_do_not():
    """Elhage et al. 2022: five rare features share two dimensions, evenly; common ones do not all fit."""
    config = Bottleneck(shapes=((5, 2),), sparsities=(0.0, 0.95), seeds=4, steps=700, batch=64)
    models, params, errors = bottleneck.trained(config)
    best = min((i for i, c in enumerate(models) if c.sparsity > 0.9), key=lambda i: errors[i])
    rare = bottleneck.geometry(params["W"][best])
    assert rare["dimensionality"].tolist() == pytest.approx([0.4] * 5, abs=0.05)
    common = [bottleneck.summary(params["W"][i], c)["held"] for i, c in enumerate(models) if c.sparsity == 0.0]
    assert max(common) < 5
