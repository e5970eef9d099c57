"""The barcode that a page computes is the engine's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from helpers.topology import barcodes, holes, percentile_count
from helpers.topology.clouds import cloud
from helpers.topology.distances import distances
from helpers.topology.playground import playground, program

FIGURE = """
const seen = {}, inputs = [{value: 30}, {value: 3}, {value: .2}];
const figure = {dataset: {}, querySelectorAll: q => q == "input" ? inputs : [{}, {}, {}], querySelector: q => seen[q] ??= {}};
"""


@pytest.fixture
def node():
    found = shutil.which("node") or shutil.which("nodejs")
    if not found:
        pytest.skip("no node to run the page's script")
    return lambda code: json.loads(
        subprocess.run([found, "-e", code], capture_output=True, text=True, check=True).stdout
    )


def test_the_pages_bars_and_counts_are_the_engines(node):
    rng = np.random.default_rng(0)
    points = [
        cloud(s, n, rng, d=d, noise=0.1)
        for s, n, d in (("ring", 40, 2), ("gaussian", 60, 8), ("ball", 5, 2), ("ring", 3, 1))
    ]
    points.append(rng.integers(0, 4, (30, 2)).astype(float))
    between = [distances(p).float() for p in points]
    code = (
        FIGURE
        + program()
        + f"\nconsole.log(JSON.stringify({json.dumps([b.tolist() for b in between])}.map(D => [loops(D), counts(loops(D))])))"
    )
    for matrix, (bars, counted) in zip(between, node(code), strict=True):
        wanted = barcodes(None, between=matrix)
        np.testing.assert_allclose(np.sort(np.array(bars).reshape(-1, 2), 0), np.sort(wanted.each[0], 0), rtol=1e-6)
        assert counted == [int(percentile_count(wanted)), int(holes(wanted))]


def test_the_page_draws_what_it_is_asked_for(node):
    svg, told = node(
        FIGURE + program() + '\nconsole.log(JSON.stringify([seen.svg.innerHTML, seen[".told"].textContent]))'
    )
    assert svg.count("<circle") == 30
    assert re.fullmatch(r"\d+ bars; the document counts \d+, the universal law \d+ holes?", told)
    assert svg.count("<path") == int(told.split()[0])


def test_without_a_script_the_figure_shows_a_barcode_of_the_engine():
    shown = playground("A ring.").bundle
    drawn = shown["text/html"].partition("<script")[0]
    assert drawn.count("<circle") == 50
    assert 'class="hole"' in drawn
    assert shown["text/plain"] == "[playground] A ring."
    assert shown["text/html"].count('type="range"') == 3
