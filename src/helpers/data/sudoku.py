"""Sudoku that are made, not read: puzzles with one solution each, and as many givens as asked where that can be had."""

from __future__ import annotations

import numpy as np

from helpers import devices
from helpers.data.pairs import Pair, PairSet

EMPTY = "."
FEWEST = {2: 4, 3: 22}  # givens that a puzzle can be thinned to in a moment, by the size of a box


def make(count: int, *, box: int = 2, givens: int | None = None, seed: int = 0) -> PairSet:
    """`count` puzzles of box² × box² cells: the question is the grid, row by row, with points for what is not given.

    givens: cells that are given, from FEWEST on; by default half. A puzzle that would lose its uniqueness keeps more, so a
    grade is a lower bound. Raises ValueError for a size or a number that cannot be.
    """
    side = box * box
    if box not in FEWEST:
        raise ValueError(f"box={box}: use 2 for grids of 4 × 4, or 3 for 9 × 9")
    wanted = side * side // 2 if givens is None else givens
    if count < 1 or not FEWEST[box] <= wanted <= side * side:
        raise ValueError(f"count={count}, givens={wanted}: one puzzle or more, {FEWEST[box]} to {side * side} givens")
    rng, rows = devices.numpy_rng("sudoku", box, wanted, seed), {}
    while len(rows) < count:
        answer = solved(rng, box)
        question = thinned(answer, box, wanted, rng)
        rows.setdefault(written(question), Pair(written(question), written(answer), f"puzzle {len(rows)}"))
    return PairSet("sudoku", tuple(rows.values()), {})


def written(grid: np.ndarray) -> str:
    """'12.4 34.. …': (side, side) of 0 for empty."""
    return " ".join("".join(EMPTY if c == 0 else str(c) for c in row) for row in grid)


def solutions(grid: np.ndarray, box: int, most: int = 2) -> int:
    """How many solutions a grid has, counted up to `most`."""
    side = box * box
    grid = grid.copy()

    def free(r: int, c: int) -> list[int]:
        top, left = r // box * box, c // box * box
        used = {*grid[r], *grid[:, c], *grid[top : top + box, left : left + box].ravel()}
        return [v for v in range(1, side + 1) if v not in used]

    def count(left: int) -> int:
        empty = np.argwhere(grid == 0)
        if not len(empty):
            return 1
        r, c, choices = min(((r, c, free(r, c)) for r, c in empty), key=lambda cell: len(cell[2]))
        found = 0
        for value in choices:
            grid[r, c] = value
            found += count(left - found)
            grid[r, c] = 0
            if found >= left:
                break
        return found

    return count(most)


def thinned(answer: np.ndarray, box: int, givens: int, rng: np.random.Generator) -> np.ndarray:
    """The grid with cells taken out, in a random order, as long as one solution is left and more than `givens` are there."""
    grid = answer.copy()
    for place in rng.permutation(answer.size):
        if (grid > 0).sum() <= givens:
            break
        r, c = divmod(int(place), len(answer))
        value, grid[r, c] = grid[r, c], 0
        if solutions(grid, box) > 1:
            grid[r, c] = value
    return grid


def solved(rng: np.random.Generator, box: int) -> np.ndarray:
    """A solved grid: the pattern of shifted rows with its numbers, rows, columns and bands exchanged."""
    side = box * box
    r, c = np.indices((side, side))
    grid = (box * (r % box) + r // box + c) % side
    lines = lambda: np.concatenate([b * box + rng.permutation(box) for b in rng.permutation(box)])
    grid = grid[lines()][:, lines()]
    return rng.permutation(np.arange(1, side + 1))[grid if rng.random() < 0.5 else grid.T]
