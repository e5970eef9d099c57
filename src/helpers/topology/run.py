"""The calibration: the only file that draws, trains, resumes and logs.

A record is one condition with one seed; its values are means over the seed's clouds (the document averages over ten
classes).

Columns: part; seed; step; those of `measure.measure`; truth, the dimension that a cloud was made with (nan for real
images); loops. gaussian: d, n (also the step). neighbours: d and k (also the step), estimators only. shape: shape,
noise (step: thousandths); order, 1 where dimension 4 was estimated below dimension 8, of as many pairs as there are
clouds, on the shape "pair". sign: factors, ring. eyes: eye ("pixels", "trained", "second", "untrained"), correct, its
share of right answers on the test part; the dimension's columns are means over classes and pooled_… those of all
classes as one cloud; source: which part of the data was looked at.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from helpers import devices
from helpers.data import Images
from helpers.records import Record
from helpers.study import Log
from helpers.topology import judge
from helpers.topology.clouds import DIMENSION, LOOPS, cloud, signs
from helpers.topology.config import Clouds, Eyes
from helpers.topology.dimension import KINDS, dimension, dimensions
from helpers.topology.distances import distances
from helpers.topology.measure import averaged, measure

PAIR = (4, 8)  # dimensions that must be put in order
BALL = 5  # dimension of the hole-free ball


def run_gaussians(config: Clouds, log: Log) -> None:
    """Gaussian clouds of known dimension: every d at every n, and every d at every k."""
    for seed in range(config.seeds):
        log.once(("gaussian", config, seed), lambda seed=seed: _gaussians(config, seed, log))
        log.progress(seed + 1, 3 * config.seeds)


def run_shapes(config: Clouds, log: Log) -> None:
    """Rings, segments and discs at every noise, other shapes at none, and the sign's images."""
    for seed in range(config.seeds):
        log.once(("shape", config, seed), lambda seed=seed: [*_shapes(config, seed, log), *_signs(config, seed, log)])
        log.progress(config.seeds + seed + 1, 3 * config.seeds)


def run_eyes(config: Eyes, images: Images, log: Log) -> None:
    """The same real images in pixels, and as trained and untrained judges see them; each seed has images and judges
    of its own."""
    log.once(("eyes", config, images.digest), lambda: _eyes(config, images, log))
    log.progress(3, 3)


def _drawn(config: Clouds, log: Log, make: Callable[[], np.ndarray]) -> Tensor:
    """(clouds, n, D) float32 on the log's device."""
    points = np.stack([make() for _ in range(config.clouds)])
    return torch.from_numpy(points.astype(np.float32)).to(log.device)


def _record(log: Log, condition: str, seed: int, step: int, known: dict, values: dict) -> Record:
    record = Record(log.name, condition, seed, known)
    record.log(step, **values)
    return record


def _gaussians(config: Clouds, seed: int, log: Log) -> list[Record]:
    out = []
    for d in config.dimensions:
        rng = devices.numpy_rng("gaussian", seed, d)
        for n in config.every_n:
            points = _drawn(
                config, log, lambda n=n, d=d, rng=rng: cloud("gaussian", n, rng, d=d, ambient=config.ambient)
            )
            found = averaged(measure(points, config.k, config.level))
            known = {"part": "gaussian", "d": d, "n": n, "truth": d, "loops": 0}
            out.append(_record(log, f"gaussian.d{d}.n{n}", seed, n, known, found))
            if n != config.n:
                continue
            known = {"part": "neighbours", "d": d, "n": n, "truth": d}
            record, between = Record(log.name, f"neighbours.d{d}", seed, known), distances(points)
            for k in config.every_k:
                record.log(k, **{kind: float(dimension(None, kind, k, between=between).mean()) for kind in KINDS[:3]})
            out.append(record)
    return out


def _shapes(config: Clouds, seed: int, log: Log) -> list[Record]:
    out = []
    cells = [(shape, noise) for shape in ("ring", "segment", "disc") for noise in config.noises]
    cells += [(shape, 0.0) for shape in ("ball", "sphere", "torus", "clusters")]
    for shape, noise in cells:
        rng = devices.numpy_rng("shape", shape, noise, seed)
        make = lambda s=shape, z=noise, rng=rng: cloud(s, config.n, rng, d=BALL, ambient=config.ambient, noise=z)
        found = averaged(measure(_drawn(config, log, make), config.k, config.level))
        known = {"part": "shape", "shape": shape, "noise": noise, "n": config.n}
        known |= {"truth": DIMENSION.get(shape, BALL), "loops": LOOPS.get(shape, 0)}
        out.append(_record(log, f"{shape}.noise{noise:g}", seed, round(1000 * noise), known, found))
    rng, each = devices.numpy_rng("pair", seed), []
    for d in PAIR:
        make = lambda d=d: cloud("gaussian", config.n, rng, d=d, ambient=config.ambient)
        each.append(dimension(_drawn(config, log, make), "printed", config.k).cpu())
    known = {"part": "shape", "shape": "pair", "n": config.n}
    return [*out, _record(log, "pair", seed, 0, known, {"order": float((each[0] < each[1]).double().mean())})]


def _signs(config: Clouds, seed: int, log: Log) -> list[Record]:
    out = []
    for factors, ring in [(f, False) for f in range(1, 6)] + [(0, True), (1, True), (2, True)]:
        rng = devices.numpy_rng("sign", factors, ring, seed)
        points = _drawn(config, log, lambda f=factors, r=ring, rng=rng: signs(config.n, rng, f, ring=r))
        known = {
            "part": "sign",
            "factors": factors,
            "ring": ring,
            "n": config.n,
            "truth": factors + ring,
            "loops": int(ring),
        }
        found = averaged(measure(points, config.k, config.level))
        out.append(_record(log, f"sign.{factors}{'.ring' if ring else ''}", seed, factors, known, found))
    return out


def _eyes(config: Eyes, images: Images, log: Log) -> list[Record]:
    shape = judge.JudgeShape(images.size, config.channels, config.hidden, images.classes)
    pixels, labels = (torch.from_numpy(a[: config.most]) for a in images.scaled("train"))
    keys = [(kind, seed) for kind in ("trained", "second") for seed in range(config.seeds)]
    trained = judge.train(
        shape, pixels, labels, keys, steps=config.steps, batch=config.batch, rate=config.rate, device=log.device
    )
    fresh = judge.untrained(shape, [("untrained", seed) for seed in range(config.seeds)], log.device)
    source = "test" if np.bincount(images.test_labels, minlength=images.classes).min() >= config.each else "train"
    held = [torch.from_numpy(a) for a in images.scaled("test")]
    right = judge.accuracy(trained, *held).tolist() + judge.accuracy(fresh, *held).tolist()
    right = dict(zip([*keys, *(("untrained", seed) for seed in range(config.seeds))], right, strict=True))
    out = []
    for seed in range(config.seeds):
        looked = torch.from_numpy(images.each(config.each, devices.numpy_rng("eyes", seed), source)[0])
        of = lambda params, m, looked=looked: judge.features({k: v[m : m + 1] for k, v in params.items()}, looked)[0]
        seen = {"pixels": looked.flatten(1).to(log.device), "trained": of(trained, seed)}
        seen |= {"second": of(trained, config.seeds + seed), "untrained": of(fresh, seed)}
        for eye, features in seen.items():
            within = features.view(images.classes, config.each, -1)
            found = averaged(measure(within, config.k, config.level))
            found |= {f"pooled_{k}": float(v) for k, v in dimensions(features, config.k).items()}
            known = {"part": "eyes", "eye": eye, "n": config.each, "source": source, "data": images.name}
            out.append(_record(log, f"eyes.{eye}", seed, 0, known, found | {"correct": right.get((eye, seed), np.nan)}))
    return out
