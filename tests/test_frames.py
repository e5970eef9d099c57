"""Laws of the frames' algebra, against loops over rows and known answers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import controls, frames

RNG = np.random.default_rng(0)


def grid(models=("a", "b"), seeds=3, levels=(0.0, 0.1, 0.2, 0.3, 1.0), arms=("raw", "turned")) -> pd.DataFrame:
    rows = [
        {"model": m, "seed": s, "kept": k, "arm": a, "protect": a == "raw", "step": i, "nll": RNG.normal()}
        for m in models
        for s in range(seeds)
        for a in arms
        for i, k in enumerate(levels)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=1).reset_index(drop=True)


def test_rows_are_those_of_a_loop():
    frame = grid()
    found = frames.rows(frame, arm="raw", kept=(0.1 + 0.2, 1.0), protect=True, seed=[0, 2])
    wanted = [i for i, r in frame.iterrows() if r.arm == "raw" and r.kept in (0.3, 1.0) and r.seed in (0, 2)]
    assert list(found.index) == wanted
    assert len(found) == 8


def test_what_the_frame_lacks_chooses_nothing():
    frame = grid()
    assert frames.rows(frame, absent="x").empty
    assert frames.rows(frame, arm=()).empty
    assert frames.rows(frame.assign(bits=np.nan), bits=4).empty
    assert frames.rows(pd.DataFrame(), arm="x").empty
    assert frames.per_seed(frame, "nll", arm="absent").empty
    assert frames.curve(frame, "nll", "bits")[1].shape == (0, 0)


def test_per_seed_has_one_value_a_unit_or_says_which_has_two():
    frame = grid(models=("a",))
    found = frames.per_seed(frame, "nll", arm="raw", kept=0.2)
    assert found.index.tolist() == [0, 1, 2]
    for seed, value in found.items():
        (one,) = [r.nll for r in frame.itertuples() if r.seed == seed and r.arm == "raw" and r.kept == 0.2]
        assert value == one
    with pytest.raises(ValueError, match=r"nll: seed=\d stands there twice"):
        frames.per_seed(frame, "nll", kept=0.2)


def test_pairs_are_differences_of_the_same_unit():
    frame = grid()
    frame = frame.drop(frames.rows(frame, model="b", seed=1, arm="raw").index)
    found = frames.paired(frame, "nll", {"arm": "turned"}, {"arm": "raw"}, kept=0.1)
    assert len(found) == 5
    for (model, seed), value in found.items():
        a, b = (frames.per_seed(frame, "nll", model=model, arm=x, kept=0.1)[seed] for x in ("turned", "raw"))
        assert value == a - b
    back = frames.paired(frame, "nll", {"arm": "raw"}, {"arm": "turned"}, kept=0.1)
    assert np.allclose(back, -found)
    assert frames.paired(frame, "nll", {"arm": "raw"}, {"arm": "absent"}, kept=0.1).empty


def test_a_curve_has_a_row_a_unit_and_a_gap_where_a_value_is_missing():
    frame = grid(models=("a",))
    frame = frame.drop(frames.rows(frame, seed=2, kept=0.3, arm="raw").index)
    x, y = frames.curve(frame, "nll", "kept", arm="raw")
    assert x.tolist() == [0.0, 0.1, 0.2, 0.3, 1.0]
    assert y.shape == (3, 5)
    assert np.isnan(y).sum() == 1
    assert np.isnan(y[2, 3])
    assert y[1, 0] == frames.per_seed(frame, "nll", arm="raw", kept=0.0)[1]


def test_a_mean_is_taken_only_over_what_is_named():
    frame = grid()
    with pytest.raises(ValueError, match="stands there twice; choose fewer rows"):
        frames.curve(frame, "nll", "kept", arm="raw")
    _, y = frames.curve(frame, "nll", "kept", mean_over=("model",), arm="raw")
    both = [frames.curve(frame, "nll", "kept", arm="raw", model=m)[1] for m in ("a", "b")]
    assert np.allclose(y, np.mean(both, axis=0))
    with pytest.raises(ValueError, match="stands there twice"):
        frames.curve(frame, "nll", "kept", mean_over=("model",))


def test_last_is_the_row_with_the_largest_step_of_each_group():
    frame = grid()
    found = frames.last(frame, ["model", "seed", "arm", "not a column"])
    assert len(found) == 12
    assert (found["step"] == 4).all()
    assert frames.last(frame.iloc[::-1], ["model", "seed", "arm"]).sort_index().equals(found)


def test_crossing_of_a_line_is_where_the_formula_says():
    x = np.linspace(0, 1, 7)
    for level in (0.05, 0.5, 0.93):
        assert frames.crossing(x, 2 * x - 0.5, level) == pytest.approx((level + 0.5) / 2)
    assert frames.crossing(x, x, 0.0) == 0.0
    assert np.isnan(frames.crossing(x, x, 1.5))
    assert np.isnan(frames.crossing([], [], 0.5))
    assert frames.crossing([1, 2, 3], [np.nan, 0.0, 1.0], 0.5) == 2.5
    with pytest.raises(ValueError, match="increasing x"):
        frames.crossing([1, 1], [0, 1], 0.5)


def test_a_dip_counts_unless_the_curve_is_made_monotone():
    x, y = [0, 1, 2, 3], [0.0, 0.6, 0.2, 1.0]
    assert frames.crossing(x, y, 0.5) == pytest.approx(5 / 6)
    assert frames.crossing(x, y, 0.5, monotone=True) == pytest.approx(2 + 0.1 / 0.6)  # pooled to 0.4, 0.4


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12), st.floats(-5, 5))
def test_crossing_is_the_first_point_of_the_polyline_at_the_level(values, level):
    """Oracle: walk the polyline in ten thousand small steps."""
    x = np.arange(len(values), dtype=float)
    found = frames.crossing(x, values, level)
    fine = np.union1d(np.linspace(0, len(values) - 1, 10_001), x)
    above = np.flatnonzero(np.interp(fine, x, values) >= level)
    if len(above) == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(fine[above[0]], abs=2e-3)


def test_an_effect_is_planted_and_taken_out_and_scatter_stays():
    frame = grid()
    a, b = {"arm": "turned"}, {"arm": "raw"}
    for to in (0.0, 0.7):
        moved = controls.shifted(frame, "nll", to, a, b, kept=0.1)
        before, after = (frames.paired(f, "nll", a, b, kept=0.1) for f in (frame, moved))
        assert after.mean() == pytest.approx(to)
        assert np.allclose(after - after.mean(), before - before.mean())
        untouched = frame["arm"].ne("turned") | frame["kept"].ne(0.1)
        assert moved[untouched].equals(frame[untouched])
    assert controls.shifted(frame, "nll", 1.0, a, {"arm": "absent"}, kept=0.1) is frame
    alone = controls.shifted(frame, "nll", 2.0, a, kept=0.2)
    assert frames.per_seed(alone, "nll", ("model", "seed"), kept=0.2, **a).mean() == pytest.approx(2.0)


def test_with_unequal_models_a_seed_still_counts_once():
    frame = grid()
    frame = frame.drop(frames.rows(frame, model="b", seed=1).index).reset_index(drop=True)
    moved = controls.shifted(frame, "nll", 0.5, {"arm": "turned"}, {"arm": "raw"}, kept=0.1)
    pairs = frames.paired(moved, "nll", {"arm": "turned"}, {"arm": "raw"}, kept=0.1)
    assert pairs.groupby("seed").mean().mean() == pytest.approx(0.5)


def test_a_value_that_is_missing_is_not_a_row_that_is_missing():
    """A loss that could not be measured leaves its unit, and with it every claim on that unit, undecided."""
    frame = grid(models=("a",))
    lost = frames.rows(frame, seed=1, arm="turned", kept=0.1).index
    empty = frame.assign(nll=frame["nll"].mask(frame.index.isin(lost)))
    pairs = [frames.paired(f, "nll", {"arm": "turned"}, {"arm": "raw"}, kept=0.1) for f in (empty, frame.drop(lost))]
    assert [len(p) for p in pairs] == [3, 2]
    assert np.isnan(frames.each(pairs[0])[1])
    both = grid()
    gone = frames.rows(both, model="b", seed=0, arm="raw", kept=0.1).index
    both = both.assign(nll=both["nll"].mask(both.index.isin(gone)))
    values = frames.each(frames.per_seed(both, "nll", ("model", "seed"), arm="raw", kept=0.1))
    assert np.isnan(values[0])
    assert not np.isnan(values[1])
    _, y = frames.curve(both, "nll", "kept", mean_over=("model",), arm="raw")
    assert np.isnan(y).sum() == 1


def test_any_collection_of_values_means_one_of_them():
    frame = grid()
    for several in (np.array([2, 0]), range(0, 3, 2), {0, 2}, pd.Series([0, 2])):
        assert len(frames.rows(frame, seed=several)) == len(frames.rows(frame, seed=(0, 2)))


def test_an_effect_is_planted_by_place_whatever_the_index():
    rows = pd.DataFrame({"seed": [0, 1, 0, 1], "model": "m", "arm": ["a", "a", "b", "b"], "v": [1.0, 2, 3, 4]})
    for index in ([0, 1, 0, 1], [7, 7, 7, 7], list("wxyz")):
        made = controls.shifted(rows.set_axis(index), "v", 10, {"arm": "a"})
        assert made["v"].tolist() == [9.5, 10.5, 3.0, 4.0]
        assert made.index.tolist() == index


def test_what_is_kept_of_a_frame_is_of_that_frame_and_not_of_one_like_it():
    reads = []

    @frames.kept
    def total(frame, by=1):
        reads.append(by)
        return {"sum": float(frame["x"].sum()) * by}

    one, other = (pd.DataFrame({"x": [1.0, v]}) for v in (2.0, 5.0))
    assert [total(one)["sum"], total(one)["sum"], total(other)["sum"], total(one, by=2)["sum"]] == [3, 3, 6, 6]
    assert reads == [1, 1, 2]
    total(one)["sum"] = 0.0  # what a caller does with it stays the caller's
    assert total(one)["sum"] == 3
    assert total(one.copy())["sum"] == 3
    assert len(reads) == 4


def test_shared_rows_are_of_units_that_have_a_row_of_every_side():
    some = pd.DataFrame({"seed": [0, 0, 1, 1, 2, 3], "arm": ["a", "b", "a", "a", "b", "c"]})
    assert frames.shared(some, {"arm": "a"}, {"arm": "b"})["seed"].tolist() == [0, 0]
    assert frames.shared(some, {"arm": "a"})["seed"].unique().tolist() == [0, 1]
    assert frames.shared(some, {"arm": "a"}, {"arm": "none"}).empty
    assert frames.shared(some, {"absent": 1}, {"arm": "a"}).empty
