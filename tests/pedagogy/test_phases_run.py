"""A small run from end to end: what it logs, that nothing is done twice, and which images cannot work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers import claims, frames, stacked
from helpers.data import Images, load_images
from helpers.pedagogy import judges, phases
from helpers.pedagogy.composition import Composition
from helpers.pedagogy.config import Body, Raising, Sense
from helpers.pedagogy.judges import Judging
from helpers.pedagogy.phases import figures, measure, tables
from helpers.study import Log
from helpers.work import Work

NAME = "phase_one_ablation"
STUDY = phases.CHAPTERS[NAME]
NETS = {
    "body": Body(8, (6, 4, 3), 6, 4, 10, 3),
    "witness": Sense(8, (4, 6), 10, 6, 3),
    "critic": Sense(8, (4, 6), 10, 0, 0, True, 0.25),
}
RAISING = Raising(arms=tuple(phases.LOOKS), seeds=2, first=3, steps=30, batch=8, rate=2e-3, **NETS)
TASK = Composition(steps=6, batch=8, rate=1e-3, hidden=8, embed=4, samples=24)
VARIETY = phases.Variety(each=12, k=3, taught=9, steps=8, batch=16)
JUDGING = Judging(steps=12, batch=32, rate=4e-3, channels=(4, 6), hidden=(8,), reader=8)
SMALL = phases.Ablation(RAISING, TASK, VARIETY, JUDGING)


def opened(folder):
    return Log(STUDY, NAME, folder / "run", reference=folder / "none", work=Work(folder / "work"), given=STUDY.same)


def run(log, **changes):
    images = changes.pop("images", load_images())
    phases.run_phases(replace(SMALL, **changes), images, log)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    found = opened(tmp_path_factory.mktemp("phases"))
    run(found)
    return found


def test_every_arm_composes_at_each_of_its_moments_once_a_seed(log):
    rows = log.frame()
    for part in ("composition", "variety"):
        mine = frames.rows(rows, part=part)
        found = set(zip(mine["arm"], mine["at"], mine["seed"], strict=True))
        wanted = {(a, at, s) for a, moments in phases.LOOKS.items() for at in moments for s in (3, 4)}
        wanted -= {("wired, constant", "first", s) for s in (3, 4)}
        assert found == wanted | ({("real", "start", s) for s in (3, 4)} if part == "variety" else set())
    assert len(frames.rows(rows, part="composition", arm="wired", at="last", seed=3)) == 4 * 2
    assert len(frames.rows(rows, part="pages")) == 10
    judged = {v.id for v in log.verdict().verdicts if v.criterion == "precise"}
    assert judged == set(claims.of(NAME)) == {"T8", "T8b"}


def test_the_first_phase_is_the_beginning_of_the_same_run(log):
    """At T/3 the arm whose phases go on and the one that stays in the first are one network, whatever is beside them."""
    assert frames.rows(log.frame(), part="prefix")["moved"].tolist() == [0, 0]
    sized, images = RAISING.sized(8, 10), load_images()
    jury = judges.jury(JUDGING, images, sized.every)
    moments, names = phases.looks(30), ("coded", "wired", "wired, constant")
    new = lambda: Log(STUDY, NAME, log.folder, reference=log.folder / "none", given=STUDY.same)
    both = measure.played(sized, names, moments, jury.teachers, images, new(), "both")
    assert set(both) == {(a, at) for a in names for at in moments[a]}
    alone = measure.played(sized, names[2:], moments, jury.teachers, images, new(), "alone")
    for name, value in alone["wired, constant", "first"].items():
        torch.testing.assert_close(value, both["wired", "first"][name], rtol=1e-3, atol=1e-4)
    one = measure.chosen(both, [("wired", "last", 4), ("coded", "first", 3)], [3, 4])
    assert torch.equal(one["first"][0], both["wired", "last"]["first"][1])
    assert torch.equal(one["first"][1], both["coded", "first"]["first"][0])
    assert measure.moved(both["wired", "last"], both["wired, constant", "last"])[0] > 0


def test_an_interrupted_run_trains_and_measures_nothing_twice(log, monkeypatch):
    again = opened(log.folder.parent)
    monkeypatch.setattr(stacked, "fit", pytest.fail)
    run(again)
    assert len(again.records) == len(log.records)


def test_variety_of_real_images_is_near_one_and_a_measure_of_its_own_seed(log):
    real = frames.rows(log.frame(), part="variety", arm="real")
    assert real["pixel_variance"].between(0.7, 1.4).all()
    assert real["density"].between(0.5, 1.6).all()
    assert real["seed"].tolist() == [3, 4]
    assert real["pixel_variance"].nunique() == 2


def test_figures_and_tables_stand_on_what_was_logged(log):
    sides = log.at()
    assert len(figures.answer(sides, 10).data) == 2
    assert len(figures.variety(sides).data) == len(figures.VARIETY)
    assert len(tables.drawn(sides, "7 > 3")) == 10
    assert np.isfinite(tables.controls(sides).drop(columns="generator").to_numpy(float)).all()


def few(keep):
    """The digits with some of the classes only, or some of each class."""
    images = load_images()
    parts = [(images.train, images.train_labels), (images.test, images.test_labels)]
    parts = [(x[keep(y)], y[keep(y)]) for x, y in parts]
    return Images("few", *parts[0], *parts[1])


def test_images_that_cannot_work_are_refused_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(stacked, "fit", pytest.fail)
    with pytest.raises(ValueError, match="classes=2 leave no pair to hold out; use images of 3 classes or more"):
        run(opened(tmp_path), images=few(lambda y: y < 2))
    with pytest.raises(ValueError, match=r"class 3 has 38 test images; density looks at k=38 .* use images with 39"):
        run(opened(tmp_path), variety=replace(VARIETY, each=40, k=38))


def test_no_more_images_of_a_class_are_asked_for_than_there_are():
    found = measure.fitting(replace(VARIETY, each=200, taught=999), load_images())
    assert (found.each, found.taught) == (38, min(np.bincount(load_images().train_labels)))
    assert measure.fitting(VARIETY, load_images()) == VARIETY


def test_scales_are_whole_and_can_be_changed():
    whole, quarter = phases.DOCUMENT.raising, phases.FULL.raising
    assert quarter.steps == 3000
    assert (whole.steps, whole.batch, whole.rate, whole.body.channels) == (10_000, 64, 2e-4, (256, 128, 64))
    assert quarter.body.channels == tuple(c // 4 for c in whole.body.channels)
    assert quarter.critic.channels == tuple(c // 4 for c in whole.critic.channels)
    assert (phases.DOCUMENT.task.steps, phases.DOCUMENT.task.rate) == (5000, 2e-4)
    found = phases.QUICK.at(seeds=3, steps=60, splitter_steps=7)
    assert (found.raising.seeds, found.raising.steps, found.task.steps) == (3, 60, 7)
    assert found.variety == phases.QUICK.variety
    with pytest.raises(ValueError, match="'hybrid' is not looked at here"):
        replace(SMALL, raising=replace(RAISING, arms=("hybrid",)))


def test_fewer_classes_and_arms_compose_too(tmp_path):
    small = opened(tmp_path)
    run(small, images=few(lambda y: y < 3), raising=replace(RAISING, arms=("untrained", "AC-GAN"), seeds=1))
    rows = frames.rows(small.frame(), part="composition")
    assert set(rows["arm"]) == {"untrained", "AC-GAN"}
    assert not len(frames.rows(small.frame(), part="prefix"))


@pytest.mark.filterwarnings("error:this step cannot be recorded")
def test_a_whole_run_on_every_device(device, tmp_path):
    """Trained, composed and measured there, every step recorded where steps can be; in short training the numbers are those of
    the CPU."""
    arms = ("untrained", "wired", "AC-GAN")
    found = {}
    for where in {"cpu", device}:
        place = tmp_path / where
        log = Log(STUDY, NAME, place, reference=place / "none", device=where, given=STUDY.same)
        run(log, raising=replace(RAISING, arms=arms, seeds=1))
        found[where] = frames.rows(log.frame(), part="variety").set_index(["arm", "at"]).sort_index()
    here, cpu = found[device], found["cpu"]
    assert (here.index == cpu.index).all()
    for column in ("pixel_variance", "feature_variance"):
        np.testing.assert_allclose(here[column], cpu[column], rtol=0.05)
