"""Is Ψ = G + A a law? Three models of Ψ on the same rows, each asked for a condition that it has not seen. numpy alone.

additive: Ψ = a + b G + c A, whatever the units. product: Ψ = a + b G·A. geometry: Ψ = a + b G. The free coefficients
make the sum independent of the units in which A is measured, which the bare equation is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MODELS = ("additive", "product", "geometry")
LEAST = 5  # conditions: with one left out, four points for three coefficients


def design(kind: str, g: np.ndarray, a: np.ndarray) -> np.ndarray:
    """(N, k) regressors of a model. Raises ValueError for an unknown one."""
    if kind not in MODELS:
        raise ValueError(f"model {kind!r} is unknown; use one of {', '.join(MODELS)}")
    columns = {"additive": (g, a), "product": (g * a,), "geometry": (g,)}[kind]
    return np.column_stack([np.ones(len(g)), *columns])


def left_out(psi: Sequence[float], g: Sequence[float], a: Sequence[float], condition: Sequence) -> dict[str, float]:
    """{model: mean squared error of Ψ in a condition that the least-squares fit has not seen}; all arguments (N,).

    Raises ValueError for fewer than five conditions, or values that are not finite.
    """
    psi, g, a = (np.asarray(x, float) for x in (psi, g, a))
    condition = np.asarray(condition)
    names = np.unique(condition)
    if len(names) < LEAST:
        raise ValueError(f"{len(names)} conditions; a law of three coefficients needs {LEAST} or more")
    if not all(np.isfinite(x).all() for x in (psi, g, a)):
        raise ValueError("Ψ, G and A must be finite in every condition")
    return {kind: _unseen(design(kind, g, a), psi, condition) for kind in MODELS}


def _unseen(x: np.ndarray, psi: np.ndarray, condition: np.ndarray) -> float:
    """Mean squared error of the rows of each condition under the fit to all others. x: (N, k).

    By the fit to all: the residuals r of the rows b become (I − H_bb)⁻¹ r_b, H the projection on x (Allen 1974); by
    fits of their own where a condition alone decides a coefficient, and the inverse does not exist."""
    q, r = np.linalg.qr(x)
    rest, total = psi - q @ (q.T @ psi), 0.0
    ranked = np.abs(np.diag(r)).min() > 1e-9 * np.abs(np.diag(r)).max()
    names, h = np.unique(condition), (q**2).sum(1)
    if ranked and len(names) == len(psi) and h.max() < 1 - 1e-6:  # one row a condition: H_bb is a number
        return float(((rest / (1 - h)) ** 2).mean())
    for name in names:
        b = condition == name
        left = np.eye(b.sum()) - q[b] @ q[b].T
        if ranked and np.linalg.eigvalsh(left)[0] > 1e-6:
            error = np.linalg.solve(left, rest[b])
        else:
            error = psi[b] - x[b] @ np.linalg.lstsq(x[~b], psi[~b], rcond=None)[0]
        total += float((error**2).sum())
    return total / len(psi)


def log_ratio(errors: dict[str, float], over: str, under: str) -> float:
    """ln of one model's error over another's: above 0 where the second predicts better."""
    return float(np.log(max(errors[over], 1e-12) / max(errors[under], 1e-12)))


def planted(
    kind: str, g: Sequence[float], a: Sequence[float], rng: np.random.Generator, noise: float = 0.05
) -> np.ndarray:
    """Ψ that is a sum or a product of the measured G and A, each in units of its spread, plus noise: a share of Ψ's
    spread."""
    g, a = units(g, a)
    psi = g + a if kind == "additive" else g * a
    return psi + noise * psi.std() * rng.standard_normal(len(psi))


def recognised(
    kind: str, g: Sequence[float], a: Sequence[float], condition: Sequence, rng: np.random.Generator
) -> bool:
    """Whether `left_out` finds a planted sum or product to be the best of the three models."""
    errors = left_out(planted(kind, g, a, rng), *units(g, a), condition)
    return min(errors, key=errors.get) == kind


def units(g: Sequence[float], a: Sequence[float]) -> list[np.ndarray]:
    """G and A in units of their spread, three of them above zero."""
    return [(np.asarray(x, float) - np.mean(x)) / (np.std(x) or 1.0) + 3 for x in (g, a)]
