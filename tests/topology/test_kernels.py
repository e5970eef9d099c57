"""The kernels of the GPU engine in Triton's interpreter, which runs them on a CPU:

TRITON_INTERPRET=1 python -m pytest tests/topology/test_kernels.py, where triton is installed.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from helpers.fused import device
from helpers.topology import barcodes, gpu
from helpers.topology.barcodes import padded
from helpers.topology.clouds import cloud
from helpers.topology.distances import distances

INTERPRETED = device.triton is not None and os.environ.get("TRITON_INTERPRET") == "1"
pytestmark = pytest.mark.skipif(not INTERPRETED, reason="the interpreter needs triton and TRITON_INTERPRET=1")


@pytest.mark.parametrize(("n", "names"), [(4, "ring disc grid same"), (13, "torus gaussian grid"), (66, "ring")])
def test_the_kernels_give_the_cpus_bars(n, names):
    rng = np.random.default_rng(n)
    points = [cloud(name, n, rng, noise=0.1) for name in names.split() if name not in ("grid", "same")]
    points += [rng.integers(0, 3, (n, 20)).astype(float) * (np.arange(20) < 2) for _ in range("grid" in names)]
    points += [np.zeros((n, 20)) for _ in range("same" in names)]
    between = distances(np.stack(points)).float()
    found = padded(gpu.reduced(between), (len(points),))
    np.testing.assert_array_equal(found.values, barcodes(None, between=between).values)


def test_a_pool_that_is_too_small_is_told_and_hurts_no_other_cloud():
    between = distances(np.random.default_rng(0).normal(size=(2, 16, 8))).float()
    between[1] = 0  # one point, many times: no column
    found = gpu.reduced(between, pool=4)
    assert found[0] is None
    assert len(found[1]) == 0
