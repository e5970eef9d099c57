"""From records to a verdict: moments, quantities by hand, planted answers, the three outcomes, figures and tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from helpers import claims
from helpers.pedagogy import phases, pictures
from helpers.pedagogy.phases import controls, figures, quantities, sentences, tables
from helpers.pedagogy.phases.config import LOOKS
from helpers.study import Sides

NAME = "phase_one_ablation"
STUDY = phases.CHAPTERS[NAME]
JOINT = {  # a world in which the first phase is enough
    ("untrained", "start"): 0.01, ("coded", "first"): 0.02, ("coded", "last"): 0.02,
    ("wired", "dawn"): 0.02, ("wired", "early"): 0.1, ("wired", "first"): 0.95, ("wired", "last"): 0.95,
    ("wired, constant", "first"): 0.95, ("wired, constant", "last"): 0.96,
    ("AC-GAN", "last"): 0.9, ("cGAN", "last"): 0.7,
}  # fmt: skip


def world(count=10, steps=3000, change=None):
    """Rows of `count` seeds as a run writes them, with joint accuracies that are known."""
    joint, rng, rows = JOINT | (change or {}), np.random.default_rng(0), []
    for arm, moments in phases.looks(steps).items():
        for at, step in moments.items():
            for seed in range(count):
                cell = {"arm": arm, "at": at, "seed": seed, "step": step, "steps": steps}
                value = joint[arm, at] + 0.005 * rng.normal()
                for variant in ("splitter", "none", "swapped", "pair"):
                    for pairs in ("train", "held"):
                        known = {"part": "composition", "variant": variant, "pairs": pairs}
                        turned = variant == "swapped"
                        rows.append(
                            cell
                            | known
                            | {
                                "relation": 1.0,
                                "joint": 0.0 if turned else value,
                                "product": value,
                                "first": value**0.5,
                            }
                        )
                kinds = dict.fromkeys(figures.VARIETY, value)
                rows.append(cell | {"part": "variety"} | kinds)
            picture = pictures.png(np.zeros((8, 50), np.uint8))
            rows.append({"arm": arm, "at": at, "seed": 0, "step": step, "part": "pages", "png": picture})
    return pd.DataFrame(rows)


def verdict(rows, criterion="precise"):
    numbers = STUDY.measure(rows, claims.of(NAME)).numbers
    return {v.id: v.verdict for v in claims.judge(claims.of(NAME), numbers) if v.criterion == criterion}


def test_every_moment_of_every_arm_is_looked_at_where_the_claim_needs_it():
    found = phases.looks(10_000)
    assert found["wired"] == {"dawn": 33, "early": 333, "first": 3333, "last": 10_000}
    assert found["wired, constant"]["first"] == found["wired"]["first"]
    assert {arm: tuple(moments) for arm, moments in found.items()} == LOOKS
    rows = world(count=1)
    assert {(a, t) for a, t in zip(rows["arm"], rows["at"], strict=True)} == set(JOINT)


def test_quantities_by_hand():
    rows = world()
    held = rows[(rows["part"] == "composition") & (rows["variant"] == "splitter") & (rows["pairs"] == "held")]
    of = lambda arm, at: held[(held["arm"] == arm) & (held["at"] == at)].sort_values("seed")["joint"].to_numpy()
    found = quantities.judged(rows)
    np.testing.assert_allclose(found["t8_joint_difference"], of("wired", "first") - of("wired", "last"))
    np.testing.assert_allclose(found["t8_more_of_the_same"], of("wired, constant", "last") - of("wired", "last"))
    np.testing.assert_allclose(quantities.named("t8_joint_early")(rows), of("wired", "early"))
    read = quantities.between("joint", ("AC-GAN", "last"), ("wired", "last"))
    np.testing.assert_allclose(read(rows), of("AC-GAN", "last") - of("wired", "last"))
    assert list(quantities.measured("joint", "wired", "last", variant="swapped")(rows)) == [0] * 10
    assert len(quantities.varied("taught", "coded", "last")(rows)) == 10
    later, first = (quantities.varied("taught", "wired", at)(rows) for at in ("last", "first"))
    np.testing.assert_allclose(quantities.gained("taught")(rows), later - first)
    assert quantities.judged(rows[rows["part"] == "pages"]) == {}


@pytest.mark.parametrize(
    ("change", "told", "exploratory", "before"),
    [
        ({}, "supported", "supported", ("supported", "supported")),
        ({("wired", "first"): 0.8}, "refuted", "supported", ("refuted", "refuted")),
        ({("wired", "last"): 0.5, ("wired", "first"): 0.5}, "undecided", "undecided", ("undecided", "undecided")),
        ({("wired", "early"): 0.94}, "supported", "refuted", ("undecided", "supported")),
        ({("wired", "early"): 0.94, ("wired", "dawn"): 0.9}, "supported", "refuted", ("undecided", "undecided")),
    ],
)
def test_verdicts_follow_what_is_planted(change, told, exploratory, before):
    """T8: is a third enough; T8b: would less not do. The earlier criteria asked both at once."""
    rows = world(change=change)
    assert verdict(rows) == {"T8": told, "T8b": exploratory}
    assert tuple(verdict(rows, "earlier 2026-11-28").values()) == before


def test_few_seeds_decide_nothing():
    assert set(verdict(world(count=3)).values()) == {"too few"}


def test_known_answers_are_told_apart():
    found = STUDY.measure(world(), claims.of(NAME)).probes
    assert [p.id for p in found] == ["T8", "T8b"] == list(controls.PLANTED)
    assert {claim for claim, _ in sentences.VERDICTS.values()} == set(controls.PLANTED)
    assert all(p.passed for p in found)
    assert controls.planted(world()[lambda r: r["part"] == "variety"]) == {}


def test_what_the_other_two_thirds_were_for_is_said_by_the_intervals():
    rows = world()
    assert sentences.rest(Sides(rows[rows["seed"] == 0])) == "That is open, for want of seeds."
    told = {}
    for by in (0.0, 0.1, -0.1):
        changed = rows.copy()
        taught = (changed["part"] == "variety") & (changed["arm"] == "wired") & changed["at"].isin(["first", "last"])
        for column in ("taught", "coverage", "pixel_variance"):
            noise = 1e-3 * changed["seed"] * (-1) ** changed["seed"]
            changed.loc[taught, column] = (0.4 + (noise + by) * (changed["at"] == "last"))[taught]
        told[by] = sentences.rest(Sides(changed))
    assert told[0.0].startswith("For nothing that we could measure")
    assert "fall" not in told[0.0]
    assert told[0.1].startswith("For a rise in what a classifier learns")
    assert "There is a fall in what a classifier learns" in told[-0.1]


def test_the_least_of_the_document_s_measure():
    rows = world(count=3)
    low = rows.copy()
    low.loc[(low["arm"] == "coded") & (low["variant"] == "swapped"), "relation"] = 0.4
    assert quantities.least(low).tolist() == quantities.least(rows).tolist()
    assert quantities.passing(low).tolist() == [0.4] * 3
    assert not len(quantities.least(rows.iloc[:0])) + len(quantities.passing(rows.iloc[:0]))


def test_figures_and_tables_are_drawn_from_any_part_of_the_rows():
    rows = world(count=2)
    sides = Sides(rows)
    fig = figures.answer(sides, 10)
    assert [t.name for t in fig.data] == ["X > Y, as printed", "both digits as requested"]
    assert len(fig.data[0].x) == 2 * 10
    assert len(figures.variety(sides).layout.updatemenus[0].buttons) == len(figures.VARIETY)
    both = figures.answer(Sides(rows, rows, "reference"), 10)
    assert len(both.data) == 4
    assert len(tables.controls(sides)) == len(tables.drawn(sides, "7 > 3")) == 10
    empty = Sides(rows.iloc[:0])
    assert not figures.answer(empty, 10).data
    assert not len(tables.controls(empty)) + len(tables.drawn(empty, ""))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: phases.looks(29), "use 30 or more"),
        (lambda: phases.looks(300, ("wired", "other")), "'other' is not looked at here; there are untrained"),
        (lambda: phases.Variety(each=5), "use each=6 or more"),
        (lambda: phases.Variety(k=0), "k=0 is too few"),
        (lambda: phases.Variety(rate=2.0), "above 0 and up to 1"),
        (lambda: phases.Variety(steps=0), "steps=0"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_does(make, told):
    with pytest.raises(ValueError, match=told):
        make()
