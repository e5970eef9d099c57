"""Clamps: pure functions on a stream r (…, B, T, d) of prompts, positions and features, each a different idea of "amplitude".

μ is the mean vector over prompts and positions, c = r − μ what is left. A target is one number, or one a model, (…). Axes
before the last three are free, so that a stack of models is clamped at once, each to its own target.
"""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.separability.metrics import PLACES

Target = float | Tensor


def naive(r: Tensor, norm: Target) -> Tensor:
    """As published: all of r times one number, so that the mean norm is `norm`."""
    return r * (_wide(norm, r) / r.norm(dim=-1).mean((-2, -1))[..., None, None, None])


def mean_preserving(r: Tensor, spread: Target) -> Tensor:
    """As published: μ stays, c is scaled so that the standard deviation of its entries is `spread`."""
    return preserving(r, _mean(r), spread)


def preserving(r: Tensor, vector: Tensor, spread: Target) -> Tensor:
    """`mean_preserving` with any other vector in the place of μ: (…, 1, 1, d)."""
    c = r - vector
    return vector + c * (_wide(spread, r) / c.std((-3, -2, -1), correction=0)[..., None, None, None])


def token_norm(r: Tensor, norm: Target) -> Tensor:
    """Every token's vector keeps its direction and gets the length `norm`."""
    return r * _wide(norm, r) / r.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def mean_vector(r: Tensor, norm: Target) -> Tensor:
    """c stays, μ gets the length `norm`."""
    mean = _mean(r)
    return r - mean + mean * (_wide(norm, r) / mean.norm(dim=-1, keepdim=True).clamp_min(1e-12))


def dispersion(r: Tensor, norm: Target) -> Tensor:
    """μ stays, and every token's c gets the length `norm`."""
    mean = _mean(r)
    return mean + token_norm(r - mean, norm)


def class_signal(r: Tensor, directions: Tensor, inside: Target = 1.0, outside: Target = 1.0) -> Tensor:
    """The part of r in the span of `directions` (…, k, d), k ≤ d, times `inside`; the rest times `outside`.

    The span is that of the right singular vectors, so directions may depend on each other (Golub & Van Loan 2013, §5.5).
    """
    _, size, basis = torch.linalg.svd(directions, full_matrices=False)  # basis (…, k, d)
    basis = (basis * (size > 1e-6 * size.amax(-1, keepdim=True))[..., None]).unsqueeze(-3)  # (…, 1, k, d)
    signal = (r @ basis.mT) @ basis
    return _wide(inside, r) * signal + _wide(outside, r) * (r - signal)


def random_direction(r: Tensor, dose: Target, direction: Tensor) -> Tensor:
    """r moved by the length `dose` along a direction that knows nothing of the task. direction: (…, d), of any length."""
    unit = direction / direction.norm(dim=-1, keepdim=True)
    return r + _wide(dose, r) * unit[..., None, None, :]


def sham(r: Tensor) -> Tensor:
    """`token_norm` at the stream's own mean norm: the clamp is at work, and takes no amplitude away."""
    return token_norm(r, r.norm(dim=-1).mean((-2, -1)))


def shrunk(r: Tensor, mean: Target = 1.0, rest: Target = 1.0) -> Tensor:
    """μ times `mean` plus c times `rest`."""
    centre = _mean(r)
    return _wide(mean, r) * centre + _wide(rest, r) * (r - centre)


def equal_dose(r: Tensor, share: float = 0.5) -> tuple[Tensor, Tensor]:
    """Factors (…) for μ and for c that take the same amount off the mean squared norm: `share` of the smaller part's.

    E‖r‖² = ‖μ‖² + E‖c‖², and a factor a takes (1 − a²) of a part away. Raises ValueError for a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share} is no dose: use a share above 0 and up to 1")
    centre = _mean(r)
    mean, rest = centre.square().sum((-3, -2, -1)), (r - centre).square().sum(-1).mean((-2, -1))
    dose = share * torch.minimum(mean, rest)
    return (1 - dose / mean).clamp_min(0).sqrt(), (1 - dose / rest).clamp_min(0).sqrt()


def _mean(r: Tensor) -> Tensor:
    """μ, (…, 1, 1, d)."""
    return r.mean(PLACES, keepdim=True)


def _wide(value: Target, r: Tensor) -> Target:
    """A number a model, (…), beside its stream (…, B, T, d). Raises ValueError for a shape that is neither."""
    if not isinstance(value, Tensor) or not value.dim():
        return value
    if value.dim() != r.dim() - 3:
        raise ValueError(f"a target of shape {tuple(value.shape)} for a stream of {tuple(r.shape)}; give one a model")
    return value[..., None, None, None]
