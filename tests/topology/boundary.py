"""The slow, obvious oracle of barcodes: the boundary matrix of all triangles, reduced column by column over Z/2."""

from itertools import combinations

import numpy as np


def loops(between: np.ndarray) -> np.ndarray:
    """(bars, 2) of the first homology of the Rips filtration of (n, n) distances, bars of no length left out, by falling
    persistence, equal ones by birth. Every simplex is born with its longest edge; faces come before what they bound."""
    n = len(between)
    edges = sorted(combinations(range(n), 2), key=lambda e: (between[e], e))
    place = {e: i for i, e in enumerate(edges)}
    born = lambda t: max(between[e] for e in combinations(t, 2))
    triangles = sorted(combinations(range(n), 3), key=lambda t: (born(t), max(place[e] for e in combinations(t, 2)), t))
    part = list(range(n))

    def root(v: int) -> int:
        while part[v] != v:
            v = part[v]
        return v

    for a, b in edges:
        part[root(a)] = root(b)
    kept: dict[int, set[int]] = {}  # reduced columns by their youngest edge
    bars = []
    for triangle in triangles:
        column = {place[e] for e in combinations(triangle, 2)}
        while column and max(column) in kept:
            column ^= kept[max(column)]
        if column:
            kept[max(column)] = column
            birth, death = between[edges[max(column)]], born(triangle)
            if death > birth:
                bars.append((birth, death))
    return np.array(sorted(bars, key=lambda b: (b[0] - b[1], b[0])), float).reshape(-1, 2)
