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
    errors = _errors(psi[:, None], g, a, condition)
    return {kind: float(found[0]) for kind, found in errors.items()}


def _errors(psi: np.ndarray, g: np.ndarray, a: np.ndarray, condition: Sequence) -> dict[str, np.ndarray]:
    """{model: (K,)} for K different Ψ (N, K) of the same G and A."""
    condition = np.asarray(condition)
    names = np.unique(condition)
    if len(names) < LEAST:
        raise ValueError(f"{len(names)} conditions; a law of three coefficients needs {LEAST} or more")
    if not all(np.isfinite(x).all() for x in (psi, g, a)):
        raise ValueError("Ψ, G and A must be finite in every condition")
    return {kind: _unseen(design(kind, g, a), psi, condition) for kind in MODELS}


def _unseen(x: np.ndarray, psi: np.ndarray, condition: np.ndarray) -> np.ndarray:
    """(K,) mean squared errors of the rows of each condition under the fit to all others. x: (N, k), psi: (N, K).

    By the fit to all: the residuals r of the rows b become (I − H_bb)⁻¹ r_b, H the projection on x (Allen 1974); by
    fits of their own where a condition alone decides a coefficient, and the inverse does not exist.
    """
    q, r = np.linalg.qr(x)
    rest = psi - q @ (q.T @ psi)
    ranked = np.abs(np.diag(r)).min() > 1e-9 * np.abs(np.diag(r)).max()
    total = np.zeros(psi.shape[1])
    for name in np.unique(condition):
        b = condition == name
        left = np.eye(b.sum()) - q[b] @ q[b].T
        if ranked and np.linalg.eigvalsh(left)[0] > 1e-6:
            error = np.linalg.solve(left, rest[b])
        else:
            error = psi[b] - x[b] @ np.linalg.lstsq(x[~b], psi[~b], rcond=None)[0]
        total += (error**2).sum(0)
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
    kind: str, g: Sequence[float], a: Sequence[float], condition: Sequence, rng: np.random.Generator, tries: int = 1
) -> float:
    """Share of tries in which a planted sum or product is found to be the best of the three models."""
    psi = np.stack([planted(kind, g, a, rng) for _ in range(tries)], 1)  # (N, tries)
    errors = _errors(psi, *units(g, a), condition)
    best = np.argmin([errors[k] for k in MODELS], axis=0)
    return float((best == MODELS.index(kind)).mean())


def units(g: Sequence[float], a: Sequence[float]) -> list[np.ndarray]:
    """G and A in units of their spread, three of them above zero."""
    return [(np.asarray(x, float) - np.mean(x)) / (np.std(x) or 1.0) + 3 for x in (g, a)]
