"""Which pairs are trained on, and which are held out."""

from __future__ import annotations

import numpy as np

from helpers import devices


def unordered(p: int, trained: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (n, 2) to train on, and those that are held out; of (a, b) and (b, a) one is there, by a coin, and in one part.

    So no held-out sum can be read off its mirror image.
    """
    rng = devices.numpy_rng("unordered pairs", p, seed)
    pairs = np.stack(np.triu_indices(p), 1)  # (p (p + 1) / 2, 2)
    turned = rng.random(len(pairs)) < 0.5
    pairs[turned] = pairs[turned, ::-1]
    pairs = rng.permutation(pairs)
    return pairs[:trained], pairs[trained:]


def ordered(p: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of all ordered pairs, as the document splits them: a held-out pair's mirror image may be trained on."""
    pairs = np.stack(np.divmod(np.arange(p * p), p), 1)
    pairs = devices.numpy_rng("ordered pairs", p, seed).permutation(pairs)
    count = round(share * len(pairs))
    return pairs[:count], pairs[count:]


def mirrored(trained: np.ndarray, held: np.ndarray) -> float:
    """The share of held-out pairs whose mirror image is trained on."""
    known = {(int(a), int(b)) for a, b in trained}
    return float(np.mean([(int(b), int(a)) in known for a, b in held]))
