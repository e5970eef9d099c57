"""What is read off trained models: recovered share, the width that suffices, speed, generated bigrams."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helpers.encoding.tasks import Chain, bigram_counts, stationary_of


def share(loss: float, bayes: float, unigram: float) -> float:
    """Recovered share of what can be learned: 0 for a model that ignores its input, 1 for the best possible one."""
    return (unigram - loss) / (unigram - bayes)


def enough(widths: Sequence[float], shares: Sequence[float], wanted: float = 0.99) -> float:
    """The smallest width whose share reaches `wanted`, linearly interpolated between the widths that were trained.

    The first width when that suffices already; infinity when none does. widths must increase.
    """
    w, s = np.asarray(widths, float), np.asarray(shares, float)
    if len(w) != len(s) or len(w) == 0 or (np.diff(w) <= 0).any():
        raise ValueError(f"expected increasing widths and a share for each; got {w.tolist()} and {len(s)} shares")
    reached = np.flatnonzero(s >= wanted)
    if len(reached) == 0:
        return float("inf")
    i = int(reached[0])
    if i == 0:
        return float(w[0])
    return float(w[i - 1] + (wanted - s[i - 1]) / (s[i] - s[i - 1]) * (w[i] - w[i - 1]))


def steps_to(marks: Sequence[float], shares: Sequence[float], wanted: float = 0.9) -> float:
    """Gradient steps until the share first reaches `wanted`, interpolated; NaN when it never does."""
    found = enough(np.asarray(marks, float) + 1, shares, wanted) - 1  # marks may start at 0
    return found if np.isfinite(found) else float("nan")


def bigram_kl(chain: Chain, predicted: np.ndarray, tokens: int, rng: np.random.Generator) -> float:
    """KL, in nats, from the chain's bigrams to those of text sampled from the model, smoothed by half a count.

    predicted: (V, V) transitions of the model, which is run as a chain of its own for `tokens` tokens, so that errors
    feed on themselves. Sampling noise alone leaves a floor: sample from the chain itself to see it.
    """
    rows = np.asarray(predicted, float)
    model = Chain("model", rows / rows.sum(1, keepdims=True), _stationary(chain, rows))
    counts = bigram_counts(model.sample(max(1, tokens // 20), 20, rng), chain.vocab) + 0.5 * chain.joint
    joint, q = chain.joint, counts / counts.sum()
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / q[seen])).sum())


def _stationary(chain: Chain, rows: np.ndarray) -> np.ndarray:
    """Where the model's own chain settles; for a reducible one (the motifs), where it starts."""
    rows = rows / rows.sum(1, keepdims=True)
    pi = chain.stationary.copy()
    for _ in range(200):
        pi = pi @ rows
    return pi / pi.sum() if np.allclose(pi @ rows, pi, atol=1e-7) else stationary_of(rows)
