"""What the page of Part I computes by itself is what the helpers compute."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from helpers.codec import fills
from helpers.dtdr import playground

FIGURE = """
const data = %s, inputs = %s.map((value) => ({value, parentNode: {querySelector: () => ({})}}));
const selects = %s.map((selectedIndex) => ({selectedIndex}));
const cells = Array.from({length: 256}, () => ({setAttribute(k, v) {this[k] = v;}}));
const seen = {"script.data": {textContent: JSON.stringify(data)}};
const figure = {dataset: %s, querySelectorAll: (q) => (q == "input" ? inputs : q == "select" ? selects : cells),
  querySelector: (q) => (q == "input" ? inputs[0] : (seen[q] ??= {setAttribute(k, v) {this[k] = v;}}))};
"""


@pytest.fixture
def page():
    """(name, data, inputs, selects, dataset) -> what the program left in the figure's data set, what it said, and the curve."""
    found = shutil.which("node") or shutil.which("nodejs")
    if not found:
        pytest.skip("no node to run the page's script")

    def run(name, data, inputs=(), selects=(), **dataset):
        head = FIGURE % tuple(json.dumps(v) for v in (data, list(inputs), list(selects), dataset))
        seen = 'figure.dataset, seen[".told"]?.textContent ?? "", seen["path.own"]?.d, seen["g.dots"]?.innerHTML'
        seen += ", cells.map((cell) => cell.fill)"
        tail = f"\nconsole.log(JSON.stringify([{seen}]))"
        code = head + f"(function (figure) {{{playground.program(name)}\n}})(figure);" + tail
        return json.loads(subprocess.run([found, "-e", code], capture_output=True, text=True, check=True).stdout)

    return run


def held(output):
    return json.loads(
        re.search(r'<script class="data" type="text/plain">(.*?)</script>', output._repr_mimebundle_()["text/html"])[1]
    )


@pytest.fixture
def matrix():
    return held(playground.matrix("A matrix."))


def test_a_rotation_keeps_the_cosine_near_the_root_of_the_share_and_a_burst_does_not_care_for_rows(page, matrix):
    cosine = lambda kept, *how: page("matrix", matrix, [kept], how)[0]["cosine"]
    for stored in range(3):
        for lost in range(3):
            assert cosine(1.0, stored, lost) == pytest.approx(1, abs=1e-9)
            assert cosine(0.0, stored, lost) == 0
        assert cosine(0.7, stored, 0) == pytest.approx(0.7**0.5, abs=0.08)  # scattered loss: the same in every domain
    w, rows = np.array(matrix["w"]).reshape(16, 16), 8
    whole, left = (w**2).sum(), (w[:rows] ** 2).sum()
    for stored in (0, 1):  # a rotation within rows keeps what a row weighs
        assert cosine(0.5, stored, 1) == pytest.approx((left / whole) ** 0.5, abs=1e-9)
    assert cosine(0.5, 2, 1) == pytest.approx(0.5**0.5, abs=0.1)  # shuffled, lost rows are scattered entries


def test_at_half_only_rows_and_bursts_of_what_is_not_shuffled_leave_parts_whole_and_the_cosine_is_one(page, matrix):
    whole = np.reshape(page("matrix", matrix, [1.0], (0, 0))[4], (16, 16))
    for stored in range(3):
        for lost in range(3):
            data, *_, fill = page("matrix", matrix, [0.5], (stored, lost))
            assert data["cosine"] == pytest.approx(0.5**0.5, abs=0.05)
            intact = (np.reshape(fill, (16, 16)) == whole).all(axis=1).sum()
            assert (intact >= 6) == (stored < 2 and lost > 0)


def test_the_formula_in_the_page_is_the_codecs(page):
    points = held(playground.whisper("A whisper.", [(0.4, 0.15, 1.0, 0.762), (0.4, 1.0, 0.0, 0.3)]))
    for f, b, rho in ((0.4, 0.15, 1.0), (0.2, 1.0, 0.3), (0.8, 0.6, -0.2)):
        data, told, path, *_ = page("whisper", points, [f, b, rho])
        assert data["cosine"] == pytest.approx(fills.cosine(f, "guided", weight=b, rho=rho), abs=1e-12)
        assert f"cosine {data['cosine']:.3f}" in told
        assert path.count("L") == 49
    assert page("whisper", points, [0.4, 0.15, 1.0])[3].count("<circle") == 1
    assert page("whisper", points, [0.4, 0.6, 0.5])[3] == ""  # nothing measured is near


def test_a_guess_is_told_how_far_it_lies_and_only_once_it_is_asked(page):
    x = np.linspace(0, 1, 21)
    share = 1 / (1 + np.exp(-(x - 0.7) * 2 * np.log(9) / 0.2))
    data = held(playground.guess("A guess.", {"itself": (x, 6 - 5 * share), "a line": (x, 6 - 5 * x)}, 6, 1))
    assert "measured" not in page("guess", data, [0.7, 0.2])[1]
    told = page("guess", data, [0.7, 0.2], shown=1)[1]
    away = 5 * np.abs(share - x).mean()
    assert told == f"Your curve lies on average 0.00 nats from itself, {away:.2f} nats from a line."


def test_captions_and_names_cannot_break_out_of_the_page():
    output = playground.guess("<b>", {"</script><script>": ([0, 1], [1, 0])}, 1, 0)._repr_mimebundle_()["text/html"]
    assert output.count("</script>") == 2
    assert '<figcaption class="figcaption">&lt;b&gt;' in output
