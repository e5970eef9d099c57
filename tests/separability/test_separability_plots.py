"""The document's figures from log files in its format."""

import importlib.util

import pytest

from helpers.records import Record
from helpers.separability import plots


@pytest.fixture
def logs(tmp_path):
    """Two conditions of one experiment as log files, {name: path}."""
    out = {}
    for i, name in enumerate(("control", "constraint")):
        record = Record("exp_a", name, 42)
        for step in range(5):
            values = {"A_activation": 3.0 + i, "A_param": 9.0 - step, "sigma_sq": 1.0 + i, "sigma_sq_mid": 0.5}
            record.log(10 * step, accuracy=step / 4 - 0.01, norm_ratio_L0=1.0, norm_ratio_L1=1.2, **values)
        out[name] = record.write(tmp_path)
    return out


def test_panels_lines_and_legend(logs):
    fig = plots.plot_overlay_time_series(logs, ["psi_accuracy", "A_activation", "sigma_sq"])
    assert [t.name for t in fig.data] == ["control", "constraint"] * 3
    assert [t.name for t in fig.data if t.showlegend] == ["control", "constraint"]
    assert list(fig.data[3].y) == [4.0] * 5
    assert fig.layout.xaxis3.title.text == "training step"
    assert fig.layout.title.text.endswith("?")


def test_the_phase_diagram_goes_from_a_ring_to_a_star(logs):
    fig = plots.plot_phase_diagram(logs)
    assert list(fig.data[0].x) == [9, 8, 7, 6, 5]
    assert (fig.data[0].marker.symbol[0], fig.data[0].marker.symbol[-1]) == ("circle-open", "star")
    assert len(fig.layout.annotations) == 2


def test_the_transition_is_shaded(logs):
    fig = plots.plot_time_series_divergence(logs)
    assert [(s.x0, s.x1) for s in fig.layout.shapes] == [(10, 30)] * 2


def test_heatmap_and_boxes(tmp_path):
    fig = plots.plot_heatmap_layer_compensation({9: 1.0, 10: 1.4}, ablated=[9])
    assert [list(row) for row in fig.data[0].z] == [[1.0, 1.4]]
    assert fig.layout.annotations[0].text == "ablated"
    assert [t.name for t in plots.plot_box_plots_variance({"a": [1, 2], "b": [3]}).data] == ["a", "b"]


def test_all_figures_of_a_folder(logs, tmp_path):
    drawn = plots.create_all_figures(tmp_path, tmp_path / "figures")
    assert sorted(drawn) == [f"figure_{n}_exp_a" for n in (1, 2, 3, 4, 5)]
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == [f"{n}.html" for n in sorted(drawn)]


def test_pictures_are_written_where_kaleido_is(logs, tmp_path):
    plots.plot_phase_diagram(logs, output_path=tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file() == bool(importlib.util.find_spec("kaleido"))


def test_bad_input_is_refused(logs, tmp_path):
    with pytest.raises(KeyError, match="no metric 'G'"):
        plots.plot_overlay_time_series(logs, ["G"])
    with pytest.raises(ValueError, match=r"\.html or \.png"):
        plots.plot_phase_diagram(logs, output_path=tmp_path / "a.svg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="run an experiment first"):
        plots.create_all_figures(tmp_path / "empty")
