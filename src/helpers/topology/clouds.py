"""Clouds whose dimension and loops are known: Gaussians, balls, rings, spheres, tori, clusters, and images of a
drawn sign."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SHAPES = ("gaussian", "ball", "disc", "ring", "segment", "sphere", "torus", "clusters")
LOOPS = {"ring": 1, "torus": 2}  # of the shape itself; all others have none
DIMENSION = {"disc": 2, "ring": 1, "segment": 1, "sphere": 2, "torus": 2}  # the others take theirs
SIZE = 28  # pixels of a sign's side
STROKES = np.array(
    [[[-0.45, 0.5], [0.5, 0.5]], [[0.5, 0.5], [-0.1, -0.6]], [[-0.25, 0.0], [0.35, 0.0]]]
)  # a crossed seven
FACTORS = ("right", "up", "size", "shear", "turn")
RANGES = (0.25, 0.25, 0.2, 0.35, 0.35)  # half the range of each factor: image halves, shares, radians


def cloud(
    shape: str, n: int, rng: np.random.Generator, *, d: int = 2, ambient: int = 20, noise: float = 0.0
) -> np.ndarray:
    """(n, ambient) points of a shape of about unit radius, turned at random, with Gaussian noise of this length. A segment
    is as long as a ring is round.

    d: the dimension of gaussian, ball and clusters. noise: the root mean square length of what is added to a point.
    Raises ValueError for an unknown shape, fewer than one point, or a shape that does not fit into so many dimensions.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape={shape!r} is unknown; use one of {', '.join(SHAPES)}")
    if n < 1 or d < 1 or not 0 <= noise < np.inf:
        raise ValueError(
            f"n={n}, d={d}, noise={noise}: a cloud has a point and a dimension at least, and noise of no sign"
        )
    flat = _shape(shape, n, d, rng)  # (n, own)
    if flat.shape[1] > ambient:
        raise ValueError(f"a {shape} of d={d} needs {flat.shape[1]} dimensions; use ambient={flat.shape[1]} or more")
    turn = np.linalg.qr(rng.normal(size=(ambient, flat.shape[1])))[0]  # (ambient, own), orthonormal columns
    return flat @ turn.T + rng.normal(size=(n, ambient)) * noise / np.sqrt(ambient)


def _shape(shape: str, n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    normal = lambda width: rng.normal(size=(n, width))
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
    circle = lambda: unit(normal(2))
    make: dict[str, Callable[[], np.ndarray]] = {
        "gaussian": lambda: normal(d) / np.sqrt(d),
        "ball": lambda: unit(normal(d)) * rng.random((n, 1)) ** (1 / d),
        "disc": lambda: circle() * np.sqrt(rng.random((n, 1))),
        "ring": circle,
        "segment": lambda: rng.uniform(-np.pi, np.pi, (n, 1)),  # the ring, cut open and laid straight
        "sphere": lambda: unit(normal(3)),
        "torus": lambda: np.hstack([circle(), circle()]) / np.sqrt(2),
        "clusters": lambda: rng.normal(size=(5, d))[rng.integers(0, 5, n)] + normal(d) / (10 * np.sqrt(d)),
    }
    return make[shape]()


def signs(n: int, rng: np.random.Generator, factors: int = 2, *, ring: bool = False, size: int = SIZE) -> np.ndarray:
    """(n, size · size) images in [0, 1] of one sign that moves along the first of FACTORS, each uniform in its range: a
    manifold of so many dimensions. ring: the sign turns the whole way round as well, which is a true loop.

    Raises ValueError for more factors than there are, or for none without a ring.
    """
    if not 0 <= factors <= len(FACTORS) or not factors + ring:
        raise ValueError(f"factors={factors}: there are {len(FACTORS)}, {', '.join(FACTORS)}; use 1 to {len(FACTORS)}")
    drawn = rng.uniform(-1, 1, (n, len(FACTORS))) * RANGES * (np.arange(len(FACTORS)) < factors)
    right, up, grow, shear, turn = drawn.T
    turn = turn + (rng.uniform(0, 2 * np.pi, n) if ring else 0)
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], 1)  # (n, 2, 2)
    matrix = matrix @ np.stack([np.stack([np.ones(n), shear], -1), np.stack([np.zeros(n), np.ones(n)], -1)], 1)
    shift = np.stack([right, up], -1)[:, None, None]
    ends = (0.6 * STROKES) @ (matrix * (1 + grow)[:, None, None]).transpose(0, 2, 1)[:, None] + shift  # (n, 3, 2, 2)
    at = (np.arange(size) + 0.5) * 2 / size - 1
    pixels = np.stack(np.meshgrid(at, -at), -1).reshape(-1, 2)  # (size², 2)
    out = np.zeros((n, size * size))
    for a, b in ((ends[:, s, 0], ends[:, s, 1]) for s in range(len(STROKES))):  # (n, 2) each
        along = b - a
        share = ((pixels[None] - a[:, None]) * along[:, None]).sum(-1) / (along**2).sum(-1)[:, None]
        foot = a[:, None] + share.clip(0, 1)[..., None] * along[:, None]  # (n, size², 2)
        out = np.maximum(out, np.exp(-((pixels[None] - foot) ** 2).sum(-1) / (2 * 0.1**2)))
    return out
