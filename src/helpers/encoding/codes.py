"""Codes that are made before the task is seen, or from another model: stage one of every two-stage arm.

Each function gives a code (V, d) a seed. Frozen codes are standardised, so that no arm wins by the scale it starts from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.encoding import networks


def standardised(code: Tensor) -> Tensor:
    """Mean zero over tokens and unit root mean square over all entries of each (V, d) code; columns keep their ratio."""
    code = code - code.mean(-2, keepdim=True)
    return code / code.pow(2).mean((-2, -1), keepdim=True).sqrt().clamp_min(1e-8)


def random(vocab: int, d: int, seed: int) -> Tensor:
    """(V, d) Gaussian: tokens have an identity and nothing else (distances nearly equal, Johnson & Lindenstrauss 1984)."""
    return torch.randn(vocab, d, generator=devices.torch_rng("random code", vocab, d, seed))


def vectors(vocab: int, full: int, seed: int) -> Tensor:
    """(V, D) the published 'embeddings' that the autoencoder compresses: N(0, 0.1²), never trained."""
    return 0.1 * torch.randn(vocab, full, generator=devices.torch_rng("vectors", vocab, full, seed))


def autoencoder(
    x: Tensor, widths: Sequence[int], seeds: Sequence[int], steps: int, *, relu: bool = False, device: str = "cpu"
) -> tuple[list[Tensor], Tensor]:
    """The published stage one, with true gradients: x -> d -> x̂ under mean squared error, one model a (width, seed).

    x: (M, V, D). relu: pass the code through a ReLU, as the script does; the document does not say. Returns the codes
    (V, d), and (M,) the share of x's variance that the reconstruction explains.
    """
    models = []
    for d, seed in zip(widths, seeds, strict=True):
        rng, full = devices.torch_rng("autoencoder", d, seed, relu), x.shape[-1]
        encoder, decoder = (0.1 * torch.randn(shape, generator=rng) for shape in ((full, d), (d, full)))
        models.append({"e": encoder, "be": torch.zeros(1, d), "d": decoder, "bd": torch.zeros(1, full)})
    x = x.to(device)
    error = lambda p, t=0: rebuilt(p, x, relu).sub(x).pow(2).mean((1, 2))
    params = {k: v.to(device) for k, v in stacked.pile(models).items()}
    if steps:  # none: the untrained encoder
        params, _ = networks.trained(models, error, steps, device=device)
    code, explained = encoded(params, x, relu).cpu(), 1 - error(params) / x.var((1, 2), correction=0)
    return [code[i, :, :d] for i, d in enumerate(widths)], explained.cpu()


def encoded(params: stacked.Params, x: Tensor, relu: bool) -> Tensor:
    """(M, V, d): the code of an autoencoder with parameters e, be, d, bd for x (M, V, D)."""
    code = torch.baddbmm(params["be"], x, params["e"])
    return torch.relu(code) if relu else code


def rebuilt(params: stacked.Params, x: Tensor, relu: bool) -> Tensor:
    """(M, V, D): what the autoencoder makes of x again."""
    return torch.baddbmm(params["bd"], encoded(params, x, relu), params["d"])


def onehot_autoencoder(
    vocab: int, widths: Sequence[int], seeds: Sequence[int], steps: int, device: str = "cpu"
) -> list[Tensor]:
    """An autoencoder of token identities: one-hot -> d -> softmax over V, cross-entropy. Codes (V, d).

    Two dimensions suffice for a perfect reconstruction (points on a circle), whatever the tokens mean.
    """
    models = [networks.one("linear", vocab, d, 0, s) for d, s in zip(widths, seeds, strict=True)]
    same = (torch.eye(vocab, device=device) / vocab).expand(len(models), vocab, vocab)
    loss = lambda p, t: networks.cross_entropy(networks.forward(p, "linear"), same)
    params, _ = networks.trained(models, loss, steps, rate=3 * networks.RATE, device=device)
    return [params["code"][i, :, :d].cpu() for i, d in enumerate(widths)]


def principal(embeddings: Tensor, d: int) -> Tensor:
    """(V, d) leading principal components of trained embeddings (V, D): the best linear autoencoder of them
    (Baldi & Hornik 1989). A code wider than V or D has nothing to put into its last numbers: they are zero.
    """
    u, s, _ = torch.linalg.svd(embeddings - embeddings.mean(0), full_matrices=False)
    code = u[:, :d] * s[:d]
    return torch.nn.functional.pad(code, (0, d - code.shape[1]))


def best_explained(vocab: int, full: int, d: int, tables: int = 200) -> float:
    """The share of the variance of random vectors (V, D) that the best linear compressor to d numbers keeps, on average."""
    x = torch.randn(tables, vocab, full, generator=torch.Generator().manual_seed(0))
    spectrum = torch.linalg.svdvals(x - x.mean(1, keepdim=True)).square().mean(0)
    return float(spectrum[:d].sum() / spectrum.sum())


def spectral(counts: np.ndarray, d: int, smooth: float = 0.5) -> Tensor:
    """(V, d) leading left singular vectors of the log-odds log p(j|i)/p(j) of smoothed counts, times √σ: no gradients.

    Levy & Goldberg (2014, §3.2) for word vectors. smooth: times the independent expectation, added to every count.
    """
    rows, columns = counts.sum(1, keepdims=True), counts.sum(0, keepdims=True)
    expected = (rows + 1) * (columns + 1) / (counts.sum() + counts.shape[0])
    odds = np.log((counts + smooth * expected) / ((1 + smooth) * expected))
    u, s, _ = np.linalg.svd(odds)
    return torch.tensor(u[:, :d] * np.sqrt(s[:d]), dtype=torch.float32)
