"""What stands in for the coefficients that are missing, and what arithmetic predicts of each choice.

For an orthonormal transform and a mask that is independent of the weights, the predictions hold in every basis, the raw
weights included: only ⟨A, Â⟩ and ‖Â‖ enter, and a rotation changes neither. A are the stored coefficients, Â those used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from helpers.codec import hashing
from helpers.codec.codec import Encoded, chunks, encode
from helpers.codec.orders import Mask

KINDS = ("zero", "gain", "random", "guided")


@dataclass(frozen=True)
class Fill:
    """How missing coefficients are filled, before the inverse transform.

    kind: "zero"; "gain": zero, and the kept ones divided by f, which makes Ŵ unbiased; "random": N(0, σ), σ the standard
    deviation of the kept ones; "guided": `weight` × the prior's coefficients. prior: a matrix shaped as the weight, or its
    Encoded, or a mapping from tensor names to either (a Coded or Store too); a tensor that the mapping lacks
    is filled with zero.
    """

    kind: str = "zero"
    weight: float = 0.15
    prior: Any = None

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"fill {self.kind!r} is unknown; choose one of {', '.join(KINDS)}")
        if not math.isfinite(self.weight):
            raise ValueError(f"fill weight={self.weight}: a finite number was expected")
        if (self.kind == "guided") != (self.prior is not None):
            raise ValueError(f"fill {self.kind!r}: a prior goes with the guided fill, and with no other")


def prior_of(fill: Fill, encoded: Encoded) -> Encoded | None:
    """The guided fill's prior for one tensor, under the tensor's own codec; None where there is none.

    Weights are encoded as the tensor was, signs included. Raises ValueError when shape or codec differ.
    """
    prior = fill.prior
    if hasattr(prior, "get"):
        prior = prior.get(encoded.name)
    if prior is None:
        return None
    if isinstance(prior, Tensor):
        if tuple(prior.shape) != encoded.shape:
            raise ValueError(f"{encoded.name}: a prior of shape {encoded.shape} was expected, not {tuple(prior.shape)}")
        weight = prior.to(encoded.device)
        return encode(weight, encoded.codec, encoded.name, transposed=encoded.transposed)
    if not isinstance(prior, Encoded):
        raise ValueError(f"{encoded.name}: a prior is a matrix or Encoded, not {type(prior).__name__}")
    same = (prior.codec, prior.shape, prior.name, prior.transposed)
    if same != (encoded.codec, encoded.shape, encoded.name, encoded.transposed):
        raise ValueError(f"{encoded.name}: the prior's codec, shape and name must be the tensor's, not {same}")
    return prior.to(encoded.device)


def deviation(encoded: Encoded, mask: Mask) -> float:
    """Standard deviation of the kept dequantised coefficients (about their mean); 0 when none is kept."""
    if not encoded.whole:
        raise ValueError(f"{encoded.name}: the random fill's deviation is of all kept entries; read the whole matrix")
    out, width = encoded.codes.shape
    total = torch.zeros(3, dtype=torch.float64, device=encoded.device)  # count, sum, sum of squares
    for a, b in chunks(out, width, encoded.device):
        c, m = encoded.coefficients(a, b), mask(a, b)
        if m is not None:
            c.mul_(m)
        count = torch.tensor(c.numel(), device=c.device) if m is None else m.sum()
        sums = (count, c.sum(dtype=torch.float64), c.square().sum(dtype=torch.float64))
        total += torch.stack([s.to(torch.float64) for s in sums])
    count, first, second = total.tolist()
    return math.sqrt(max(0.0, second / count - (first / count) ** 2)) if count else 0.0


def cosine(fraction: float, fill: str = "zero", *, weight: float = 0.15, rho: float = 1.0, ratio: float = 1.0) -> float:
    """Expected cosine of Ŵ and W when a random share f of the coefficients is kept (large tensors).

    With ‖A‖ = 1: ⟨A, Â⟩ = f from the kept ones plus what the filled ones add, over ‖Â‖.
    zero: f/√f = √f. gain: a factor on Â changes no cosine, √f. random: ⟨A, Â⟩ = f and ‖Â‖² = f + (1-f) = 1, so f.
    guided with a prior P, ⟨A, P⟩ = ρr and ‖P‖ = r: (f + bρr(1-f)) / √(f + b²r²(1-f)); for ρ = r = 1, b = .15 that is the
    published guided arm. weight b, rho ρ, ratio r are for guided alone.
    """
    hashing.threshold(fraction)
    f, g = fraction, weight * ratio
    if fill == "random":
        return f
    if fill in ("zero", "gain"):
        return math.sqrt(f)
    if fill != "guided":
        raise ValueError(f"fill {fill!r} is unknown; choose one of {', '.join(KINDS)}")
    energy = f + g * g * (1 - f)
    return (f + g * rho * (1 - f)) / math.sqrt(energy) if energy else 0.0


def error(fraction: float, fill: str = "zero", *, weight: float = 0.15, rho: float = 1.0, ratio: float = 1.0) -> float:
    """Expected ‖Ŵ - W‖²/‖W‖², as in `cosine`: Parseval's theorem counts it among the coefficients.

    zero: the missing ones, 1-f. gain: f(1/f - 1)² + 1 - f = (1-f)/f. random: 2(1-f).
    guided: (1-f)(1 - 2bρr + b²r²), least at b = ρ/r.
    """
    hashing.threshold(fraction)
    f, g = fraction, weight * ratio
    found = {"zero": 1 - f, "random": 2 * (1 - f), "guided": (1 - f) * (1 - 2 * g * rho + g * g)}
    found["gain"] = (1 - f) / f if f else math.inf
    if fill not in found:
        raise ValueError(f"fill {fill!r} is unknown; choose one of {', '.join(KINDS)}")
    return found[fill]


def wiener(target: Tensor, prior: Tensor, missing: Tensor | None = None) -> float:
    """The weight b* = ⟨P, W⟩/⟨P, P⟩ on the missing entries (bool, all by default), which minimises ‖W - bP‖² there.

    1 for a prior that is the answer, near 0 for one that knows nothing of it; the Wiener filter of one coefficient. 0 for
    a prior of zeros.
    """
    w, p = (t.reshape(-1).to(torch.float64) for t in (target, prior))
    if missing is not None:
        w, p = w[missing.reshape(-1)], p[missing.reshape(-1)]
    energy = p @ p
    return (p @ w / energy).item() if energy else 0.0


def noisy(weight: Tensor, cosine: float, seed: int, name: str, *, per: str = "row") -> Tensor:
    """Weights with a given cosine c to W by shrinkage and Gaussian noise: the control without any missing coefficient.

    Ŵ = c² W + c √(1-c²) N. N starts as standard normals times its row's root mean square in W (per="row") or times |W| entry
    by entry (per="entry": large weights are hit harder, as when entries are lost), loses its component along
    W, and is scaled to ‖N‖ = ‖W‖, all over the whole tensor. So cos(Ŵ, W) = c exactly, ‖Ŵ‖ = c ‖W‖, and the expected
    error energy of each row is 1-c² of its own: what zero fill at f = c² has. Same shape and dtype; cosine in 0…1.
    """
    if per not in ("row", "entry"):
        raise ValueError(f'per={per!r} is unknown; choose "row" or "entry"')
    if not 0 <= cosine <= 1:
        raise ValueError(f"cosine={cosine} is not within 0…1")
    w = weight.detach().to(torch.float32)
    rows = w.reshape(w.shape[0], -1)
    n = hashing.normals(seed, name, 0, w.numel(), w.device, "noise").view(rows.shape)
    n.mul_(rows.square().mean(1, keepdim=True).sqrt() if per == "row" else rows.abs())
    energy = rows.square().sum(dtype=torch.float64)
    if not energy:
        return weight.detach().clone()
    n.sub_(rows * ((n * rows).sum(dtype=torch.float64) / energy).float())
    n.mul_((energy / n.square().sum(dtype=torch.float64)).sqrt().float().mul_(cosine * math.sqrt(1 - cosine**2)))
    return n.add_(rows, alpha=cosine**2).view(weight.shape).to(weight.dtype)
