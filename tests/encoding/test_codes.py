"""Stage one against what the mathematics says it must find."""

import numpy as np
import pytest
import torch

from helpers import stacked
from helpers.encoding import codes, networks, tasks


def test_autoencoder_reaches_the_best_linear_compression():
    """A trained linear autoencoder explains what the leading principal components explain (Baldi & Hornik 1989)."""
    x = torch.stack([codes.vectors(50, 64, s) for s in range(2)])
    found, explained = codes.autoencoder(x, [4, 12], [0, 1], 1500)
    centred = x - x.mean(1, keepdim=True)
    spectrum = torch.linalg.svdvals(centred).square()
    for i, d in enumerate((4, 12)):
        best = 1 - (spectrum[i].sum() - spectrum[i, :d].sum()) / (x[i].var(correction=0) * x[i].numel())
        assert found[i].shape == (50, d)
        assert explained[i] == pytest.approx(best.item(), abs=0.02)


def test_relu_codes_are_not_negative():
    x = torch.stack([codes.vectors(30, 16, 0)])
    assert codes.autoencoder(x, [5], [0], 50, relu=True)[0][0].min() >= 0


def test_onehot_autoencoder_rebuilds_every_token_from_two_numbers():
    (code,) = codes.onehot_autoencoder(20, [2], [0], 3000)
    params = stacked.pile([dict(networks.one("linear", 20, 2, 0, 0)) | {"code": code}])
    same = torch.eye(20)[None] / 20
    loss = lambda p, t: networks.cross_entropy(networks.forward(p, "linear"), same)
    stacked.fit(params, loss, lr=torch.tensor([0.1]), steps=3000, learn={"code": False})
    assert (networks.forward(params, "linear")[0].argmax(1) == torch.arange(20)).float().mean() > 0.9


def test_principal_components_rebuild_low_rank_embeddings():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(30, 3, generator=rng) @ torch.randn(3, 10, generator=rng)
    code = codes.principal(x, 3)
    centred = x - x.mean(0)
    assert torch.linalg.lstsq(code, centred).solution.shape == (3, 10)
    assert (code @ torch.linalg.lstsq(code, centred).solution - centred).abs().max() < 1e-4
    wide = codes.principal(x, 11)  # there are ten components, three of them with variance
    assert wide.shape == (30, 11)
    assert torch.equal(wide[:, 10:], torch.zeros(30, 1))
    assert torch.allclose(wide[:, :3], code)


def test_spectral_code_is_nearly_the_best_two_numbers_for_the_log_odds():
    """From exact expected counts of a rank-2 chain: nine tenths of what any two numbers could explain of the log-odds."""
    chain = tasks.planted(40, 2, np.random.default_rng(0), strength=1.0)
    code = codes.spectral(chain.joint * 1e7, 2).numpy()
    odds = np.log(chain.transition / chain.stationary)
    odds -= odds.mean(0)
    left = np.linalg.lstsq(np.c_[code, np.ones(40)], odds, rcond=None)[0]
    explained = 1 - ((np.c_[code, np.ones(40)] @ left - odds) ** 2).sum() / (odds**2).sum()
    spectrum = np.linalg.svd(odds, compute_uv=False) ** 2
    assert explained > 0.9 * spectrum[:2].sum() / spectrum.sum()


def test_standardised_codes():
    code = codes.standardised(torch.randn(20, 3) * torch.tensor([1.0, 5.0, 0.1]) + 3)
    assert code.mean(0).abs().max() < 1e-5
    assert code.pow(2).mean().item() == pytest.approx(1, rel=1e-5)
    assert torch.equal(codes.standardised(torch.ones(4, 2)), torch.zeros(4, 2))


def test_random_codes_differ_by_seed_and_width():
    assert torch.equal(codes.random(5, 2, 0), codes.random(5, 2, 0))
    assert not torch.equal(codes.random(5, 2, 0), codes.random(5, 2, 1))


def test_the_best_compressor_of_random_vectors_against_their_own_spectrum():
    """Isotropic vectors: d of D directions keep more than d / D, as chance makes some larger; all keep all."""
    assert codes.best_explained(50, 64, 6) == pytest.approx(0.34, abs=0.02)
    assert codes.best_explained(20, 8, 8) == pytest.approx(1)
    assert codes.best_explained(20, 8, 12) == pytest.approx(1)
