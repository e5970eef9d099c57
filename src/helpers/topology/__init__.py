"""Intrinsic dimension and barcodes of clouds of points, and what the two instruments are worth (seed document 001).

`measure` takes everything that the chapters use of clouds (…, n, d) at once; `dimension` and `barcodes` are its parts,
on a CPU or on the GPU where the points lie; barcodes are read by `percentile_count` (the document's number of holes)
and `holes` (what no noise would show). `gaussian_count` is what a hole-free cloud of the same dimension counts,
`told_apart` tries the instruments on planted answers. `judge` holds the networks through which images are looked at.
"""

from helpers.study import Study
from helpers.topology import controls, judge, quantities
from helpers.topology.barcodes import barcodes
from helpers.topology.bars import holes, percentile_count
from helpers.topology.config import Clouds, Eyes
from helpers.topology.dimension import by_class, dimension
from helpers.topology.measure import measure
from helpers.topology.planted import gaussian_count, told_apart
from helpers.topology.run import run_eyes, run_gaussians, run_shapes

FASHION = "sha256:5b6d2c4c694a91887af8ab7d039c04f80af3c29378d731c93a538d2e831aa469"  # of the npz file of Fashion-MNIST
CHAPTERS = {
    "metric_calibration": Study(
        frame=quantities.frame,
        judged=lambda rows: rows,
        quantities=quantities.calibrated,
        controls=controls.calibrated,
        planted=controls.PLANTED,
        same={"dataset": FASHION, "samples_per_class": 100, "k": 20},
    )
}
__all__ = [
    "CHAPTERS",
    "Clouds",
    "Eyes",
    "barcodes",
    "by_class",
    "dimension",
    "gaussian_count",
    "holes",
    "judge",
    "measure",
    "percentile_count",
    "run_eyes",
    "run_gaussians",
    "run_shapes",
    "told_apart",
]
