"""How fast loops and dimensions of many small clouds are found: the book's engines against ripser, giotto-ph and
scikit-dimension.

python benchmarks/topology.py --device cuda --out book/reference/benchmarks/topology_cuda.json python
benchmarks/topology.py --device cpu --threads 1 --out book/reference/benchmarks/topology_cpu.json

Clouds have 100 points of 3136 numbers, as a judge's features do: rings and Gaussians of 8 dimensions with noise,
spheres, and features behind a ReLU, a quarter each. "from distances": all sides start from the same float32 distances;
"from features": from the points. Peers run in one process each on as many processes as --jobs says (joblib), which is
what their users do; on a GPU the features lie there already, and the peers' lie in memory. Before anything is timed
every side's bars are held to ripser's, and dimensions to scikit-dimension's (its default combination is MacKay and
Ghahramani's). Peers: pip install -e '.[bench]'.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from importlib import util

import numpy as np
import torch
from joblib import Parallel, delayed

from helpers import devices, files
from helpers.topology import barcodes, dimension
from helpers.topology.clouds import cloud
from helpers.topology.distances import distances

POINTS, WIDTH, K = 100, 3136, 20
GOALS = {  # (side, peer, device): ratio wanted
    ("bars, ours, from distances", "bars, ripser, from distances", "cpu"): 10,
    ("bars, ours, from distances", "bars, giotto-ph, from distances", "cpu"): 5,
    ("dimension, ours", "dimension, scikit-dimension", "cpu"): 15,
    ("bars, ours, from features", "bars, ripser, from features", "cuda"): 100,
    ("bars, ours, from features", "bars, giotto-ph, from features", "cuda"): 30,
    ("dimension, ours", "dimension, scikit-dimension", "cuda"): 200,
}
Side = tuple[Callable[[int], object], int]  # a function of a number of clouds, and how many it is timed on


def features(count: int) -> np.ndarray:
    """(count, POINTS, WIDTH) float32, the kinds of clouds in turn."""
    rng, out = np.random.default_rng(0), np.empty((count, POINTS, WIDTH), np.float32)
    for i in range(count):
        kind = ("ring", "gaussian", "sphere", "relu")[i % 4]
        if kind == "relu":
            hidden = rng.normal(size=(POINTS, 16)) @ rng.normal(size=(16, WIDTH))
            out[i] = np.maximum(hidden + rng.normal(size=(POINTS, WIDTH)), 0)
        else:
            out[i] = cloud(kind, POINTS, rng, d=8, ambient=WIDTH, noise=0.3)
    return out


def by_ripser(x: np.ndarray, between: bool) -> np.ndarray:
    from ripser import ripser

    return ripser(x, maxdim=1, distance_matrix=between)["dgms"][1]


def by_giotto(x: np.ndarray, between: bool) -> np.ndarray:
    from gph import ripser_parallel

    return ripser_parallel(x, maxdim=1, metric="precomputed" if between else "euclidean", n_threads=1)["dgms"][1]


def by_skdim(x: np.ndarray) -> float:
    from skdim.id import MLE

    return float(MLE().fit(x, n_neighbors=K).dimension_)


def sides(device: str, jobs: int, scale: float) -> tuple[dict[str, Side], dict[str, float]]:
    """Every side that can run here, and the largest difference of each from the peer it is held to."""
    many = max(8, int((4000 if device == "cuda" else 64) * scale))
    few = max(
        8, int((800 if device == "cuda" else 64) * scale)
    )  # of the peers, whose time a cloud does not depend on it
    x = features(max(many, few) if device == "cpu" else 400)
    x = np.concatenate([x] * -(-many // len(x)))[:many] if many > len(x) else x
    there, pool = torch.from_numpy(x).to(device), Parallel(n_jobs=jobs)
    between = distances(there).float()
    plain = between.cpu().numpy()
    found: dict[str, Side] = {
        "bars, ours, from distances": (lambda n: barcodes(None, between=between[:n]), many),
        "bars, ours, from features": (lambda n: barcodes(there[:n]), many),
        "dimension, ours": (lambda n: dimension(there[:n], "mackay", K).cpu(), many),
        "bars, ripser, from distances": (lambda n: pool(delayed(by_ripser)(d, True) for d in plain[:n]), few),
        "bars, ripser, from features": (lambda n: pool(delayed(by_ripser)(p, False) for p in x[:n]), few),
    }
    if util.find_spec("gph"):
        found["bars, giotto-ph, from distances"] = (lambda n: pool(delayed(by_giotto)(d, True) for d in plain[:n]), few)
        found["bars, giotto-ph, from features"] = (lambda n: pool(delayed(by_giotto)(p, False) for p in x[:n]), few)
    if util.find_spec("skdim"):
        found["dimension, scikit-dimension"] = (lambda n: pool(delayed(by_skdim)(p) for p in x[:n]), few)
    return found, check(found, between, min(many, 40))


def check(found: dict[str, Side], between: torch.Tensor, n: int) -> dict[str, float]:
    """Largest difference of a bar's end, over the cloud's diameter, from ripser's on the same distances, and of a
    dimension from scikit-dimension's, as a share. AssertionError past 1e-4, and where two sides have not the same
    number of bars."""
    out = {}
    wanted = [by_ripser(d, True) for d in between[:n].cpu().numpy()]
    size = between[:n].amax((1, 2)).cpu().numpy()
    for name, (side, _) in found.items():
        if not name.startswith("bars"):
            continue
        given = side(n)
        given = given.each if hasattr(given, "each") else given
        gaps = [0.0]
        for one, other, most in zip(given, wanted, size, strict=True):
            one, other = (v[v[:, 1] - v[:, 0] > 1e-4 * most] for v in (np.asarray(one, float), other.astype(float)))
            assert len(one) == len(other), f"{name}: {len(one)} bars, ripser has {len(other)}"
            one, other = (v[np.lexsort((v[:, 1], v[:, 0]))] for v in (one, other))  # whole bars, not their ends apart
            gaps.append(np.abs(one - other).max(initial=0) / most)
        out[name] = float(max(gaps))
    if "dimension, scikit-dimension" in found:
        one, other = (np.asarray(found[f"dimension, {who}"][0](n), float) for who in ("ours", "scikit-dimension"))
        out["dimension, ours"] = float(np.abs(one / other - 1).max())
    for name, gap in out.items():
        assert gap < 1e-4, f"{name}: differs by {gap:.2g}"
    return out


def clock(found: dict[str, Side], device: str, repeats: int) -> dict[str, dict]:
    """Clouds per second of every side, in turns; one run each is not counted (it compiles and warms up)."""
    speeds = {name: {"clouds": n, "clouds_per_second": []} for name, (_, n) in found.items()}
    for i in range(repeats + 1):
        for name, (side, n) in found.items():
            if device == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            side(n)
            if device == "cuda":
                torch.cuda.synchronize()
            if i:
                speeds[name]["clouds_per_second"].append(n / (time.perf_counter() - start))
    return speeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="of the clouds in a timed run; small for a trial")
    parser.add_argument("--threads", type=int, default=0, help="our CPU threads; 0 leaves torch's own choice")
    parser.add_argument("--jobs", type=int, default=0, help="the peers' processes; 0: one on a CPU, 16 beside a GPU")
    parser.add_argument("--out", help="write the results here, as JSON")
    given = parser.parse_args()
    device = devices.resolve(given.device).partition(":")[0]
    if given.threads:
        torch.set_num_threads(given.threads)
    jobs = given.jobs or (16 if device == "cuda" else 1)
    start = time.perf_counter()
    barcodes(torch.zeros(2, 8, 2, device=device))
    compiled = time.perf_counter() - start
    found, differences = sides(device, jobs, given.scale)
    where = devices.provenance(device)["device"]
    print(f"{where}: bars and dimensions agree, largest difference {max(differences.values()):.1e}")
    print(f"the first call took {compiled:.1f} s; peers run in {jobs} processes")
    speeds = clock(found, device, given.repeats)
    for name, run in speeds.items():
        middle, spread = statistics.median(run["clouds_per_second"]), run["clouds_per_second"]
        print(
            f"{name:34} {middle:12,.0f} clouds/s ({min(spread):,.0f} … {max(spread):,.0f}), {1000 / middle:.3f} ms a cloud"
        )
    goals = []
    for (side, peer, place), wanted in GOALS.items():
        if place == device and peer in speeds:
            ours, theirs = (statistics.median(speeds[s]["clouds_per_second"]) for s in (side, peer))
            goals.append({"side": side, "peer": peer, "wanted": wanted, "ratio": ours / theirs})
            verdict = "PASS" if ours >= wanted * theirs else "FAIL"
            print(f"{verdict}  {side} / {peer}: {ours / theirs:,.1f}x (goal {wanted}x)")
    if given.out:
        result = {"benchmark": "topology", "provenance": devices.provenance(device), "threads": torch.get_num_threads()}
        result |= {"jobs": jobs, "first_call_seconds": compiled, "differences": differences, "speeds": speeds}
        files.write_atomic(given.out, files.strict_json(result | {"goals": goals}) + "\n")


if __name__ == "__main__":
    main()
