"""A judge written once more from the criteria's rules, with scipy alone, for the tests that derive the verdicts again."""

import math

import numpy as np
import scipy.stats

INF = math.inf
SUPPORTED, REFUTED, MIXED, UNDECIDED = "supported", "refuted", "mixed", "undecided"


def ends(x, level):
    half = scipy.stats.t.ppf((1 + level) / 2, len(x) - 1) * np.std(x, ddof=1) / math.sqrt(len(x))
    return np.mean(x) - half, np.mean(x) + half


def one(x, low, high, k=1):
    """The verdict on a mean that is wanted in (low, high): inside at 95 %, outside at a twentieth among k tests."""
    a, b = ends(x, 0.95)
    c, d = ends(x, 1 - 0.05 / k)
    return SUPPORTED if low < a and b < high else REFUTED if d < low or c > high else UNDECIDED


def together(*found):
    if set(found) == {SUPPORTED}:
        return SUPPORTED
    if REFUTED in found:
        return MIXED if SUPPORTED in found else REFUTED
    return UNDECIDED


def decided(*tests):
    """tests: (values, low, high)."""
    return together(*(one(x, low, high, len(tests)) for x, low, high in tests))
