"""From records to verdicts: what a small run logs, planted answers, and settings that cannot work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from helpers import claims, topology
from helpers.data import load_images
from helpers.study import Log
from helpers.topology import controls, figures, quantities, tables
from helpers.topology.config import RING
from helpers.work import Work

NAME = "metric_calibration"
STUDY = topology.CHAPTERS[NAME]
SMALL = topology.Clouds(seeds=2, clouds=2, n=40, k=8, dimensions=(4, 8, 16), sizes=(20,), ks=(4, 8), noises=(0.0, RING))
LOOK = topology.Eyes(seeds=2, each=30, k=8, steps=12, batch=16, channels=(3, 4), hidden=(5,))


def opened(folder):
    return Log(STUDY, NAME, folder / "run", reference=folder / "none", work=Work(folder / "work"), given=STUDY.same)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    found = opened(tmp_path_factory.mktemp("calibration"))
    topology.run_gaussians(SMALL, found)
    topology.run_shapes(SMALL, found)
    topology.run_eyes(LOOK, load_images(), found)
    return found


def test_every_quantity_of_the_claims_is_measured_once_a_seed(log):
    found = quantities.calibrated(log.frame())
    named = {t.quantity for c in claims.of(NAME).values() for t in (*c.precise.tests, *c.precise.controls)} - {
        "t10_controls",
        "t11_controls",
        "t12_controls",
    }
    assert named <= set(found)
    assert all(len(v) == 2 and np.isfinite(v).all() for v in found.values())


def test_quantities_agree_with_the_records_by_hand(log):
    rows = log.frame()
    cell = lambda **w: rows[np.logical_and.reduce([rows[k] == v for k, v in w.items()])].sort_values("seed")
    found = quantities.calibrated(rows)
    ring, disc, cut = (cell(part="shape", shape=s, noise=RING)["count"].to_numpy() for s in ("ring", "disc", "segment"))
    np.testing.assert_allclose(found["t10_ring_minus_segment"], ring - cut)
    np.testing.assert_allclose(found["t10_ring_minus_disc"], ring - disc)
    np.testing.assert_allclose(found["t11_ratio_8"], cell(part="gaussian", d=8, n=40)["printed"] / 8)
    seen = {e: cell(part="eyes", eye=e)["pooled_printed"].to_numpy() for e in quantities.EYES}
    np.testing.assert_allclose(found["t12_pooled_ratio"], seen["untrained"] / seen["trained"])


def test_a_run_that_was_interrupted_finds_its_records_again(log, monkeypatch):
    again = opened(log.folder.parent)
    monkeypatch.setattr("helpers.topology.run.measure", None)  # nothing is measured twice
    topology.run_gaussians(SMALL, again)
    assert len(again.records) == 2 * (3 * 2 + 3)


def test_seeds_are_the_same_whatever_runs_beside_them(log, tmp_path):
    alone = opened(tmp_path)
    topology.run_gaussians(replace(SMALL, seeds=1, dimensions=(8,)), alone)
    one = alone.frame().query("part == 'gaussian' and n == 40")["printed"].iloc[0]
    assert one == log.frame().query("part == 'gaussian' and n == 40 and d == 8 and seed == 0")["printed"].iloc[0]


def synthetic(count=12, ring=2.0, ratio=1.0, untrained=1.5):
    """Rows of `count` seeds with means that are known."""
    rng, rows = np.random.default_rng(0), []
    for seed in range(count):
        e = lambda: 0.02 * rng.normal()
        for shape, value in (("ring", ring), ("segment", 2.0), ("disc", 2.0), ("ball", 7.0)):
            known = {"part": "shape", "shape": shape, "noise": RING, "n": 100, "clean": float(shape != "ring")}
            rows.append(known | {"seed": seed, "count": value + e(), "expected": 2.0})
        rows.append({"part": "shape", "shape": "pair", "n": 100, "seed": seed, "order": 1.0})
        for d in quantities.JUDGED:
            known = {"part": "gaussian", "d": d, "n": 100, "truth": d, "count": 7 + e(), "expected": 7.0}
            rows.append(known | {"seed": seed, "printed": d * (ratio + e()), "mackay": float(d)})
        for eye in quantities.EYES:
            value = 8 * (untrained if eye == "untrained" else 1) * (1 + e())
            known = {"part": "eyes", "eye": eye, "correct": 0.9, "printed": value, "pooled_printed": value}
            rows.append(known | {"seed": seed})
    return quantities.frame(pd.DataFrame(rows).assign(step=0))


def verdicts(rows):
    numbers = STUDY.measure(rows, claims.of(NAME)).numbers
    return {v.id: v.verdict for v in claims.judge(claims.of(NAME), numbers) if v.criterion == "precise"}


def test_verdicts_follow_what_is_planted():
    assert verdicts(synthetic()) == {"T10": "refuted", "T11": "supported", "T12": "refuted"}
    assert verdicts(synthetic(ring=3.5, ratio=0.7, untrained=1.0)) == {
        "T10": "mixed", "T11": "refuted", "T12": "supported",
    }  # fmt: skip
    assert set(verdicts(synthetic(count=3)).values()) == {"too few"}


def test_known_answers_are_told_apart_from_the_rows_themselves():
    found = STUDY.measure(synthetic(), claims.of(NAME)).probes
    assert [p.id for p in found] == ["T10", "T11", "T12"]
    assert all(p.passed for p in found)
    assert set(controls.PLANTED) == {p.id for p in found}


def test_figures_and_tables_are_drawn_from_any_part_of_the_rows(log):
    sides = log.at()
    assert figures.count_by_dimension(sides, 40, 1.0).data
    assert len(figures.dimension_by_truth(sides, SMALL.every_n, 40).layout.sliders[0].steps) == 2
    assert figures.found_by_noise(sides).data
    assert figures.dimension_by_eye(sides).data
    assert len(tables.shapes(sides)) == 7 + 8
    assert list(tables.neighbours(sides, (4, 8))["neighbours k"]) == [4, 8]
    assert len(tables.eyes(sides)) == 4
    empty = log.at(part="none")
    assert len(tables.eyes(log.at(part="eyes"))) == 4
    assert not figures.found_by_noise(empty).data


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: topology.Clouds(n=20),
            "n=20 points have no k=20 neighbours each; use n=21 or more, or k=19 or less",
        ),
        (lambda: topology.Clouds(n=129), "use n=128"),
        (lambda: topology.Clouds(k=2), "use 3 to 127"),
        (lambda: topology.Clouds(seeds=0), "use 1 or more"),
        (lambda: topology.Clouds(level=1.0), "between 0 and 1"),
        (lambda: topology.Clouds(noises=(0.0,)), "at which the ring is judged"),
        (lambda: topology.Clouds(ambient=8), "use 32"),
        (lambda: topology.Eyes(each=20), "21 or more"),
        (lambda: topology.Eyes(each=200), "use 128"),
        (lambda: topology.Eyes(rate=2.0), "above 0 and up to 1"),
        (lambda: topology.Eyes(steps=0), "use 1 or more"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_does(make, told):
    with pytest.raises(ValueError, match=told):
        make()


def test_sizes_that_k_leaves_no_neighbours_are_left_out():
    assert topology.Clouds(k=40).every_n == (50, 100)
    assert topology.Clouds(n=24).every_k == (5, 10, 20)
