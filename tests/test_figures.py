import base64
import json

import numpy as np
import pytest

from helpers import figures, live
from helpers.claims import Test, examine

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
    figures.show(figures.figure("Q?", "x", "y", meta={"narrow": 700}), "It rises.")
    assert found[0]._repr_mimebundle_()[figures.MIME]["layout"]["meta"] == {"narrow": 700, "alt": "It rises."}


def test_template_is_small_and_transparent():
    assert len(json.dumps(figures.TEMPLATE)) < 1200
    assert figures.TEMPLATE["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"


def test_steps_and_choose_show_one_group_at_a_time():
    fig = figures.figure("Q?", "x", "y")
    for _ in range(5):
        fig.add_scatter(x=[0], y=[0])
    figures.steps(fig, ["a", "b"], [1, 3], "n = ", start=1)
    assert [t.visible for t in fig.data] == [True, False, True, True, True]
    assert fig.layout.sliders[0].steps[0].args[0]["visible"] == [True, True, False, False, False]
    other = figures.figure("Q?", "x", "y").add_traces(fig.data)
    figures.choose(other, ["a", "b"], [1, 3])
    assert [t.visible for t in other.data] == [True, True, False, False, False]
    assert [b.label for b in other.layout.updatemenus[0].buttons] == ["a", "b"]
    assert not other.layout.sliders


def test_play_has_a_button_and_a_step_for_every_frame():
    fig = figures.play(figures.figure("Q?", "x", "y"), [0, 5, 9], "step ")
    assert [b.label for b in fig.layout.updatemenus[0].buttons] == ["Play", "Pause"]
    assert [s.label for s in fig.layout.sliders[0].steps] == ["0", "5", "9"]


def test_forest_colours_by_verdict_and_shades_the_region():
    outcomes = [
        examine(Test("a", above=0.0), [1.0, 1.1, 0.9]),
        examine(Test("b", below=0.0, says="name"), [1.0, 1.1, 0.9]),
        examine(Test("c", above=0.0), [1.0, float("nan"), 1.0]),
    ]
    fig = figures.forest(outcomes, "Q?", "x")
    assert [t.marker.color for t in fig.data] == [figures.ROLE["supported"], figures.ROLE["refuted"]]
    assert list(fig.layout.yaxis.ticktext) == ["a", "name"]
    assert fig.layout.shapes[0].x0 == 0.0
    assert fig.layout.shapes[1].x1 == 0.0


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
