"""What curves of losses tell: the document's classes of health, when a rule is first met, whether two fall together."""

from __future__ import annotations

import numpy as np

HEALTH = ("healthy", "plateau then drop", "oscillating", "flat", "diverging")


def health(curve: np.ndarray) -> str:
    """One of `HEALTH` for the losses (T,) of one optimisation.

    flat: less than a twentieth of the start is gained. diverging: more than half of the gain is lost again at the end, or the
    last loss is no number. oscillating: the steps upward of the smoothed curve add up to more than half of the gain. plateau
    then drop: less than a seventh of the gain comes in the first third. Otherwise healthy.
    """
    curve = np.asarray(curve, float)
    if len(curve) < 2:
        return "flat"
    if not np.isfinite(curve[-1]):
        return "diverging"
    curve = curve[np.isfinite(curve)]
    window = max(1, len(curve) // 25)
    smooth = np.convolve(curve, np.ones(window) / window, "valid")
    gain = smooth[0] - smooth.min()
    if gain < 0.05 * abs(smooth[0]):
        return "diverging" if smooth[-1] > 1.1 * smooth[0] else "flat"
    if smooth[-1] - smooth.min() > gain / 2:
        return "diverging"
    if np.clip(np.diff(smooth), 0, None).sum() > gain / 2:
        return "oscillating"
    early = smooth[0] - smooth[: max(1, len(smooth) // 3)].min()
    return "plateau then drop" if early < gain / 7 else "healthy"


def first(holds: np.ndarray) -> int | None:
    """The first place at which something holds (T,); None where it never does."""
    return int(np.argmax(holds)) if np.any(holds) else None


def together(a: np.ndarray, b: np.ndarray) -> float:
    """The correlation of the steps of two losses (T,): below zero, one falls where the other rises. nan for constant ones."""
    da, db = np.diff(np.asarray(a, float)), np.diff(np.asarray(b, float))
    known = np.isfinite(da) & np.isfinite(db)
    if known.sum() < 3 or da[known].std() == 0 or db[known].std() == 0:
        return float("nan")
    return float(np.corrcoef(da[known], db[known])[0, 1])


def overlap(said: tuple[int, ...], wanted: tuple[int, ...]) -> float:
    """The F1 of two texts as bags of tokens, as SQuAD scores answers: the semantic score of what is not exact."""
    left, shared = list(wanted), 0
    for token in said:
        if token in left:
            left.remove(token)
            shared += 1
    return 2 * shared / (len(said) + len(wanted)) if said or wanted else 1.0
