"""Blocks of one member a group that are alike: so that groups can be compared and nothing else differs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def matched(groups: Mapping[str, np.ndarray], count: int) -> dict[str, list[int]]:
    """Places of the members of each group, the i-th of all being one block; no member twice.

    groups: {name: (n, features)}. Around each member of the first group the nearest of every other are taken, by the largest
    difference in any feature, and the `count` blocks of the least such differences are kept. Raises ValueError where a group
    has fewer members than blocks are wanted.
    """
    few = {name: len(of) for name, of in groups.items() if len(of) < count}
    if few:
        raise ValueError(f"{count} blocks need as many members of each group; there are {few}")
    first, *others = groups
    apart = {name: np.abs(groups[first][:, None] - groups[name][None]).max(-1) for name in others}  # (n, m)
    left, out, worst = {name: np.ones(len(groups[name]), bool) for name in others}, [], []
    order = np.argsort(np.max([apart[name].min(1) for name in others], 0), kind="stable")  # the best placed first
    for i in order[: 2 * count]:
        if not all(left[name].any() for name in others):
            break
        block = {name: int(np.argmin(np.where(left[name], apart[name][i], np.inf))) for name in others}
        for name, j in block.items():
            left[name][j] = False
        worst.append(max(apart[name][i, j] for name, j in block.items()))
        out.append({first: int(i)} | block)
    kept = sorted(np.argsort(worst, kind="stable")[:count])
    return {name: [out[i][name] for i in kept] for name in groups}
