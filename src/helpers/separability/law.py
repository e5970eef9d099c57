"""Is Ψ = G + A a law? Three models of Ψ on the same rows, each asked for a condition that it has not seen. numpy alone.

additive: Ψ = a + b G + c A, whatever the units. product: Ψ = a + b G·A. geometry: Ψ = a + b G. The free coefficients make the
sum independent of the units in which A is measured, which the bare equation is not.
"""

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
    out = {}
    for kind in MODELS:
        x, errors = design(kind, g, a), []
        for name in names:
            out_of = condition == name
            fitted = np.linalg.lstsq(x[~out_of], psi[~out_of], rcond=None)[0]
            errors.append((x[out_of] @ fitted - psi[out_of]) ** 2)
        out[kind] = float(np.concatenate(errors).mean())
    return out


def log_ratio(errors: dict[str, float], over: str, under: str) -> float:
    """ln of one model's error over another's: above 0 where the second predicts better."""
    return float(np.log(max(errors[over], 1e-12) / max(errors[under], 1e-12)))


def planted(
    kind: str, g: Sequence[float], a: Sequence[float], rng: np.random.Generator, noise: float = 0.1
) -> np.ndarray:
    """Ψ that is a sum or a product of the measured G and A, each in units of its spread, plus noise: a share of Ψ's spread."""
    unit = lambda x: (np.asarray(x, float) - np.mean(x)) / (np.std(x) or 1.0)
    g, a = unit(g) + 3, unit(a) + 3
    psi = g + a if kind == "additive" else g * a
    return psi + noise * psi.std() * rng.standard_normal(len(psi))


def recognised(
    kind: str, g: Sequence[float], a: Sequence[float], condition: Sequence, rng: np.random.Generator
) -> bool:
    """Whether `left_out` finds a planted sum or product to be the best of the three models."""
    errors = left_out(planted(kind, g, a, rng), *_units(g, a), condition)
    return min(errors, key=errors.get) == kind


def _units(g: Sequence[float], a: Sequence[float]) -> list[np.ndarray]:
    """G and A as `planted` has multiplied them."""
    return [(np.asarray(x, float) - np.mean(x)) / (np.std(x) or 1.0) + 3 for x in (g, a)]
