import base64
import itertools
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers import figures, live
from helpers.claims import Test

Test.__test__ = False


def shown(monkeypatch):
    """What `display` was given."""
    import IPython.display

    found = []
    monkeypatch.setattr(IPython.display, "display", lambda *objects, **kw: found.extend(objects))
    return found


def test_bands_draw_seeds_mean_and_interval():
    values = np.array([[1.0, 2.0], [3.0, 2.0], [2.0, 2.0]])
    fig = figures.bands(figures.figure("Q?", "x", "y (u)"), [0, 1], values, "arm", "#0072b2")
    band, seeds, mean = fig.data
    assert list(mean.y) == [2.0, 2.0]
    half = 4.302653 * 1.0 / np.sqrt(3)  # t(0.975, 2), sd 1
    assert band.y[0] == pytest.approx(2 + half, rel=1e-6)
    assert band.y[-1] == pytest.approx(2 - half, rel=1e-6)
    assert np.isnan(seeds.y).sum() == 3  # lines of seeds do not join
    assert len(figures.bands(figures.figure("Q?", "x", "y"), [0, 1], [[1, 2]], "one", "#0072b2").data) == 1


def test_show_gives_figure_then_caption_in_single_precision(monkeypatch):
    found = shown(monkeypatch)
    fig = figures.figure("Q?", "x", "y").add_scatter(x=np.arange(3.0), y=np.array([1.5, 2.5, 3.5]))
    figures.show(fig, "It rises to 3.5.")
    spec = found[0]._repr_mimebundle_()[figures.MIME]
    assert spec["layout"]["meta"]["alt"] == "It rises to 3.5."
    y = spec["data"][0]["y"]
    assert y["dtype"] == "f4"
    assert np.allclose(np.frombuffer(base64.b64decode(y["bdata"]), "<f4"), [1.5, 2.5, 3.5])
    assert "It rises to 3.5." in found[1]._repr_mimebundle_()["text/html"]
    assert spec["config"]["showSendToCloud"] is False
    json.dumps(spec, allow_nan=False)


def test_show_keeps_what_the_figure_says_about_itself(monkeypatch):
    found = shown(monkeypatch)
    figures.show(figures.figure("Q?", "x", "y", meta={"seen": 700}).add_scatter(x=[1], y=[2]), "It rises.")
    assert found[0]._repr_mimebundle_()[figures.MIME]["layout"]["meta"] == {"seen": 700, "alt": "It rises."}


def test_a_mean_is_of_the_seeds_there_are_at_each_x():
    nan = np.nan
    values = np.array([[1.0, 2.0, nan, nan, 8.0], [3.0, nan, nan, nan, 6.0], [2.0, nan, nan, 5.0, nan]])
    fig = figures.bands(figures.figure("Q?", "x", "y"), [0, 1, 2, 3, 4], values, "arm", "#0072b2")
    mean = fig.data[-1]
    assert list(mean.x) == [0, 1, 3, 4]  # none at 2
    assert list(mean.y) == [2.0, 2.0, 5.0, 7.0]
    assert list(mean.customdata) == [3, 1, 1, 2]
    assert list(mean.marker.symbol) == ["circle", "circle-open", "circle-open", "circle"]
    assert "n = %{customdata}" in mean.hovertemplate
    assert mean.error_y.array[0] == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)  # no neighbour to band with
    assert mean.error_y.array[3] == pytest.approx(12.706205, rel=1e-6)  # t(0.975, 1), sd √2
    assert list(mean.error_y.array[1:3]) == [0, 0]
    assert not [t for t in fig.data if t.fill]


def test_a_band_ends_where_one_seed_is_alone():
    values = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 3.0, np.nan, 5.0, 6.0]])
    band, _, mean = figures.bands(figures.figure("Q?", "x", "y"), range(5), values, "arm", "#0072b2").data
    x = np.array(band.x)
    assert x[:4].tolist() == [0, 1, 1, 0]
    assert np.isnan(x[4])
    assert x[5:].tolist() == [3, 4, 4, 3]
    assert np.isfinite(mean.y).all()
    assert mean.error_y.array is None


def test_a_single_seed_has_no_band_and_says_so():
    (mean,) = figures.bands(figures.figure("Q?", "x", "y"), [0, 1], [[1, 2]], "one", "#0072b2").data
    assert mean.name == "one (n = 1)"
    assert mean.legendgroup == "one"


@pytest.mark.parametrize(("x", "values"), [([], np.empty((0, 0))), ([1.0], [[np.nan]]), ([1.0, 2.0], np.empty((0, 2)))])
def test_bands_of_nothing_draw_nothing(x, values):
    assert not figures.bands(figures.figure("Q?", "x", "y"), x, values, "none", "#0072b2").data


def sides(this=None, reference=None):
    def rows(seeds, shift):
        pairs = itertools.product(range(seeds), (0.1, 0.2))
        return pd.DataFrame([{"arm": "a", "seed": s, "kept": k, "nll": shift + s + 10 * k} for s, k in pairs])

    return SimpleNamespace(
        this=pd.DataFrame() if this is None else rows(this, 0.0),
        reference=None if reference is None else rows(reference, 100.0),
        label="reference",
    )


def test_compare_draws_this_run_solid_and_the_reference_dashed():
    fig = figures.compare(figures.figure("Q?", "x", "y"), sides(3, 2), "nll", "kept", "arm", "#0072b2", arm="a")
    band, seeds, mean, other = fig.data
    assert band.fill == "toself"
    assert seeds.line.width < 1
    assert list(mean.y) == pytest.approx([2, 3])
    assert (mean.line.dash, mean.name, mean.showlegend) == ("solid", "arm", True)
    assert list(other.y) == pytest.approx([101.5, 102.5])
    assert (other.line.dash, other.showlegend, other.legendgroup) == ("dash", False, "arm")
    assert other.hovertemplate.startswith("arm, reference<br>")


def test_compare_draws_nothing_where_there_are_no_rows():
    empty = figures.figure("Q?", "x", "y")
    assert not figures.compare(empty, sides(), "nll", "kept", "arm", "#0072b2", arm="a").data
    assert not figures.compare(empty, sides(2, 2), "nll", "kept", "arm", "#0072b2", arm="another").data
    assert len(figures.compare(empty, sides(2), "nll", "kept", "arm", "#0072b2", arm="a", seeds=False).data) == 2


def test_a_reference_alone_stands_in_the_legend():
    fig = figures.compare(figures.figure("Q?", "x", "y"), sides(None, 2), "nll", "kept", "arm", "#0072b2", arm="a")
    assert [(t.name, t.showlegend, t.line.dash) for t in fig.data] == [("arm, reference", True, "dash")]


def test_compare_averages_what_it_is_told_to():
    both = sides(2)
    both.this = pd.concat([both.this.assign(model=m, nll=both.this["nll"] + m) for m in (0, 4)])
    where = {"arm": "a", "mean_over": ("model",)}
    fig = figures.compare(figures.figure("Q?", "x", "y"), both, "nll", "kept", "arm", "#0072b2", **where)
    assert list(fig.data[-1].y) == pytest.approx([3.5, 4.5])
    assert list(fig.data[-1].customdata) == [2, 2]


def test_template_is_small_and_transparent():
    assert len(json.dumps(figures.TEMPLATE)) < 1200
    assert figures.TEMPLATE["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"


def five_lines():
    fig = figures.figure("Q?", "x", "y")
    for _ in range(5):
        fig.add_scatter(x=[0], y=[0])
    return fig


def test_groups_show_one_group_at_a_time():
    fig = figures.groups(five_lines(), ["a", "b"], [1, 3], "slider", prefix="n = ", start=1)
    assert [t.visible for t in fig.data] == [True, False, True, True, True]
    assert fig.layout.sliders[0].active == 1
    assert fig.layout.sliders[0].currentvalue.prefix == "n = "
    assert list(fig.layout.sliders[0].steps[0].args[0]["visible"]) == [True, True, False, False, False]
    other = figures.groups(five_lines(), ["a", "b"], [1, 3])
    assert [t.visible for t in other.data] == [True, True, False, False, False]
    assert [b.label for b in other.layout.updatemenus[0].buttons] == ["a", "b"]
    assert not other.layout.sliders
    last = figures.groups(five_lines(), ["a", "b"], [1, 3], start=-1)
    assert last.layout.updatemenus[0].active == 1
    assert [t.visible for t in last.data] == [True, False, True, True, True]


@pytest.mark.parametrize(("labels", "sizes"), [([], []), (["a"], [5])])
def test_one_group_needs_no_control(labels, sizes):
    fig = figures.groups(five_lines(), labels, sizes)
    assert not fig.layout.updatemenus
    assert [t.visible for t in fig.data] == [None] * 5


def test_groups_refuse_what_they_cannot_show():
    with pytest.raises(ValueError, match="kind='tabs' is unknown"):
        figures.groups(five_lines(), ["a", "b"], [1, 3], "tabs")
    with pytest.raises(ValueError, match="one label a group"):
        figures.groups(five_lines(), ["a", "b"], [5])
    with pytest.raises(ValueError, match="in a figure of 5"):
        figures.groups(five_lines(), ["a", "b"], [3, 3])


def test_play_has_a_button_and_a_step_for_every_frame():
    fig = figures.play(figures.figure("Q?", "x", "y"), [0, 5, 9], "step ")
    assert [b.label for b in fig.layout.updatemenus[0].buttons] == ["Play", "Pause"]
    assert [s.label for s in fig.layout.sliders[0].steps] == ["0", "5", "9"]


def test_live_plot_is_silent_outside_a_notebook(monkeypatch):
    found = shown(monkeypatch)
    with live.LivePlot("t", "x", "y") as plot:
        plot(0, {"a": 1.0})
        plot(1, {"a": 0.5, "b": 2.0})
    assert found == []
    assert plot.curves == {"a": [(0, 1.0), (1, 0.5)], "b": [(1, 2.0)]}


def test_live_plot_updates_one_display_in_a_notebook(monkeypatch):
    updates = []

    class Handle:
        def update(self, output):
            updates.append(output)

    import IPython.display

    monkeypatch.setattr(live, "_in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", lambda output, display_id: Handle())
    with live.LivePlot("t", "x", "y", every=0.0) as plot:
        for i in range(3):
            plot(i, {"a": float(i)})
    assert len(updates) == 3
    monkeypatch.setenv("RUC_RUN_DIR", "somewhere")
    assert not live.LivePlot("t", "x", "y").on


def test_a_figure_without_a_trace_is_a_sentence(monkeypatch):
    found = shown(monkeypatch)
    figures.show(figures.figure("Do larger models need more?", "depth", "share"), "What it would show.")
    (only,) = found
    assert figures.MIME not in only.bundle
    assert "nothing to draw" in only.bundle["text/plain"]


def test_a_column_that_one_side_alone_has_is_drawn_of_that_side():
    rows = pd.DataFrame({"seed": [0, 1], "step": [1, 1], "loss": [1.0, 2.0]})
    both = SimpleNamespace(this=rows, reference=rows.assign(score=1.0), label="reference")
    fig = figures.compare(figures.figure("Q?", "x", "y"), both, "score", "step", "arm", "#0072b2")
    assert [trace.name for trace in fig.data] == ["arm, reference"]
