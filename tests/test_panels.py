"""Panels that stand for a judgement: a row a test, and a difference beside its zero and its margin."""

import html
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers import figures, panels
from helpers.book import still
from helpers.claims import Test, examine

Test.__test__ = False  # a criterion's test, not pytest's


def test_forest_colours_by_verdict_and_shades_the_region():
    outcomes = [
        examine(Test("a", above=0.0), [1.0, 1.1, 0.9]),
        examine(Test("b", below=0.0, says="name"), [1.0, 1.1, 0.9]),
        examine(Test("c", above=0.0), [1.0, float("nan"), 1.0]),
    ]
    fig = panels.forest(outcomes, "Q?", "x")
    assert [t.marker.color for t in fig.data] == [figures.ROLE["supported"], figures.ROLE["refuted"]]
    assert [a.text for a in fig.layout.annotations] == ["a", "name"]
    assert fig.layout.annotations[0].y < fig.data[0].y[0] < fig.layout.annotations[1].y < fig.data[1].y[0]
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1] == 0  # the first row stands at the top
    assert fig.layout.shapes[0].x0 == 0.0
    assert fig.layout.shapes[1].x1 == 0.0


@pytest.mark.parametrize("outcomes", [[], [examine(Test("c", above=0.0), [1.0, float("nan")])]])
def test_forest_of_claims_that_await_says_so(outcomes):
    fig = panels.forest(outcomes, "Q?", "x")
    assert [a.text for a in fig.layout.annotations] == ["no claim judged yet"]
    assert not fig.data


def test_a_long_name_is_broken_and_makes_room_for_its_lines():
    long = "a name of many words that goes on and on until no phone could show it in a single line"
    short, tall = (
        panels.forest([examine(Test("a", above=0.0, says=says), [1.0, 1.1])], "Q?", "x") for says in ("a", long)
    )
    lines = tall.layout.annotations[0].text.split("<br>")
    assert len(lines) > 1
    assert max(map(len, lines)) <= panels.WIDE
    assert tall.layout.height - short.layout.height == panels.LINE * (len(lines) - 1)


def rows_of(shift):
    rng = np.random.default_rng(0)
    base = {(seed, t): rng.normal() for seed in range(4) for t in (1, 2, 3)}  # shared by both arms: only pairs show it
    rows = [
        {"arm": arm, "seed": seed, "t": t, "loss": value + (shift * t + 0.01 * seed if arm == "a" else 0)}
        for (seed, t), value in base.items()
        for arm in ("a", "b")
        if (arm, seed, t) != ("b", 3, 2)  # one unit has no partner there
    ]
    return pd.DataFrame(rows)


def test_a_difference_is_of_pairs_with_its_zero_and_its_margin():
    sides = SimpleNamespace(this=rows_of(0.5), reference=rows_of(-0.5), label="committed")
    pairs = {"a − b": ({"arm": "a"}, {"arm": "b"})}
    fig = panels.difference(figures.figure("Q?", "t", "loss"), sides, "loss", "t", pairs, margin=(-0.1, 0.1))
    mine, committed = (t for t in fig.data if t.mode == "lines+markers")
    np.testing.assert_allclose(mine.y, [0.5 + 0.015, 1.0 + 0.01, 1.5 + 0.015])
    np.testing.assert_allclose(committed.y, [-0.5 + 0.015, -1.0 + 0.01, -1.5 + 0.015])
    assert list(mine.customdata) == [4, 3, 4]
    assert (mine.line.dash, committed.line.dash) == ("solid", "dash")
    shade = [s for s in fig.layout.shapes if s.type == "rect"]
    assert [(s.y0, s.y1) for s in shade] == [(-0.1, 0.1)]
    assert [a.text for a in fig.layout.annotations] == ["no difference"]


def test_a_difference_that_was_not_run_draws_nothing_and_a_margin_without_zero_is_refused():
    sides = SimpleNamespace(this=rows_of(0.5).drop(columns="loss"), reference=None, label="")
    pairs = {"a − b": ({"arm": "a"}, {"arm": "b"})}
    empty = panels.difference(figures.figure("Q?", "t", "loss"), sides, "loss", "t", pairs)
    assert not empty.data
    with pytest.raises(ValueError, match="holds zero"):
        panels.difference(figures.figure("Q?", "t", "loss"), sides, "loss", "t", pairs, margin=(0.1, 0.2))


def test_a_forest_can_be_drawn_without_scripts():
    fig = panels.forest([examine(Test("a", above=0.0, says="a row's name"), [1.0, 1.1, 0.9])], "Q?", "x")
    assert "a row's name" in html.unescape(still.picture(fig.to_plotly_json()))
