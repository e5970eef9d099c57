"""Still pictures against figures whose marks are known: the SVG is parsed and its pixels are turned back into data."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from helpers import figures, panels
from helpers.book import still

SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
FRAME = {"type": "rect", "xref": "x domain", "yref": "y domain", "x0": 0, "x1": 1, "y0": 0, "y1": 1}


def drawn(data, layout=None, *, x=(0, 4), y=(0, 10), **frame):
    """The picture's root, and a function from pixels to data by means of a frame around the first panel."""
    layout = {"xaxis": {"range": x}, "yaxis": {"range": y}} | (layout or {})
    layout["shapes"] = [*(layout.get("shapes") or ()), FRAME | frame]
    root = ET.fromstring(still.picture({"data": data, "layout": layout}))
    box = points(root, f"shape{len(layout['shapes']) - 1}")
    (left, top), (right, bottom) = box.min(0), box.max(0)
    back = lambda p: np.c_[
        x[0] + (p[:, 0] - left) / (right - left) * (x[1] - x[0]),
        y[0] + (bottom - p[:, 1]) / (bottom - top) * (y[1] - y[0]),
    ]
    return root, back


def part(root, name):
    return next(e for e in root.iter(f"{SVG}g") if e.get("id") == name)


def points(root, name):
    """The vertices of a part's path, or the places of its marks."""
    found = part(root, name)
    marks = [(float(u.get("x")), float(u.get("y"))) for u in found.iter(f"{SVG}use")]
    if marks:
        return np.array(marks)
    path = next(p.get("d") for p in found.iter(f"{SVG}path"))
    return np.array(NUMBER.findall(path), float).reshape(-1, 2)


def words(root):
    return ["".join(t.itertext()) for t in root.iter(f"{SVG}text")]


def f4(values):
    return {"dtype": "f4", "bdata": base64.b64encode(np.array(values, "<f4").tobytes()).decode()}


def test_a_line_and_its_marks_lie_where_the_data_are():
    data = {"type": "scatter", "x": f4([0, 1, 3, 4]), "y": [1, 9, 2, 5], "mode": "lines+markers", "name": "a"}
    root, back = drawn([data])
    wanted = np.array([[0, 1], [1, 9], [3, 2], [4, 5]])
    assert back(points(root, "trace0-line")) == pytest.approx(wanted, abs=0.02)
    assert back(points(root, "trace0-markers")) == pytest.approx(wanted, abs=0.02)


def test_a_logarithmic_axis_and_a_reversed_one():
    layout = {"xaxis": {"type": "log", "range": [0, 4]}, "yaxis": {"autorange": "reversed", "range": None}}
    data = {"x": [1, 100, 10000], "y": [0, 1, 2], "mode": "lines"}
    root, back = drawn([data], layout)
    line = points(root, "trace0-line")
    assert back(line)[:, 0] == pytest.approx([0, 2, 4], abs=0.02)
    assert line[0, 1] < line[1, 1] < line[2, 1]  # downwards
    assert {"1", "100", "10k"} <= set(words(root))


def test_a_band_has_an_outline_for_each_stretch():
    nan = float("nan")
    data = {
        "x": [0, 1, 1, 0, nan, 3, 4, 4, 3],
        "y": [1, 1, 2, 2, nan, 5, 5, 6, 6],
        "fill": "toself",
        "line": {"width": 0},
    }
    root, back = drawn([data | {"mode": "lines"}])
    (path,) = part(root, "trace0-fill").iter(f"{SVG}path")
    assert path.get("d").count("M") == 2
    corners = back(points(root, "trace0-fill"))
    assert {(0, 1), (1, 2), (3, 5), (4, 6)} <= {tuple(int(v) for v in np.round(c)) for c in corners}


def test_error_bars_reach_what_they_say():
    error = {"type": "data", "symmetric": False, "array": [2], "arrayminus": [0.5]}
    root, back = drawn([{"x": [1], "y": [5], "mode": "markers", "error_x": error}])
    ends = back(points(root, "trace0-error_x"))
    assert ends[:, 0] == pytest.approx([0.5, 3], abs=0.02)
    assert ends[:, 1] == pytest.approx([5, 5], abs=0.03)


@pytest.mark.parametrize(("mode", "ends"), [("group", [3, 7]), ("stack", [3, 10]), ("overlay", [3, 7])])
def test_bars_stand_beside_or_on_each_other(mode, ends):
    data = [{"type": "bar", "x": ["a", "b"], "y": [v, 1], "name": str(v)} for v in (3, 7)]
    root, back = drawn(data, {"barmode": mode, "xaxis": {}}, x=(-0.5, 1.5))
    bars = [back(points(root, f"trace{i}-bar0")) for i in (0, 1)]
    assert [b[:, 1].max() for b in bars] == pytest.approx(ends, abs=0.03)
    assert bars[1][:, 1].min() == pytest.approx(3 if mode == "stack" else 0, abs=0.03)
    assert (bars[0][:, 0].max() <= bars[1][:, 0].min() + 0.01) == (mode == "group")
    assert {"a", "b"} <= set(words(root))


@pytest.mark.parametrize("up", [True, False])
def test_a_heatmap_is_an_image_of_its_cells(up):
    """One cell of four is red: the one at (1, 1), wherever the axis puts it."""
    scale = [[0, "rgb(0,0,255)"], [1, "#ff0000"]]
    data = {"type": "heatmap", "z": [[0, 0], [0, 1]], "colorscale": scale, "showscale": False}
    ends = (-0.5, 1.5)
    root, back = drawn([data], x=ends, y=ends if up else ends[::-1])
    image = next(root.iter(f"{SVG}image"))
    pixels = Image.open(io.BytesIO(base64.b64decode(image.get("href").partition(",")[2]))).convert("RGB")
    red = np.argwhere(np.asarray(pixels)[..., 0] == 255)
    a, _, _, d, e, f = (float(v) for v in NUMBER.findall(image.get("transform")))
    assert len(red) == 1
    (row, column) = red[0]
    assert back(np.array([[a * (column + 0.5) + e, d * (row + 0.5) + f]])) == pytest.approx(
        np.array([[1, 1]]), abs=0.02
    )


def test_reference_lines_rectangles_and_notes():
    layout = {
        "shapes": [
            {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": 4, "y1": 4, "line": {"dash": "dot"}},
            {"type": "rect", "x0": 1, "x1": 2, "y0": 3, "y1": 6, "fillcolor": "rgba(0,0,0,.1)", "line": {"width": 0}},
        ],
        "annotations": [{"text": "chance &lt; 1", "x": 1, "xref": "paper", "y": 4, "showarrow": False}],
    }
    root, back = drawn([{"x": [0, 1], "y": [0, 1]}], layout)
    assert back(points(root, "shape0")) == pytest.approx(np.array([[0, 4], [4, 4]]), abs=0.03)
    assert back(points(root, "shape1"))[:4] == pytest.approx(np.array([[1, 3], [2, 3], [2, 6], [1, 6]]), abs=0.03)
    assert "chance < 1" in words(root)


def test_only_what_is_visible_at_first_is_drawn_and_named():
    data = [{"x": [0, 1], "y": [i, i], "name": f"arm {i}", "visible": i != 1} for i in range(3)]
    root, _ = drawn(data + [{"x": [0], "y": [0], "name": "hidden", "showlegend": False}])
    assert {"arm 0", "arm 2"} <= set(words(root))
    assert not {"arm 1", "hidden"} & set(words(root))
    with pytest.raises(StopIteration):
        part(root, "trace1-line")


def test_panels_lie_in_their_domains_and_may_share_an_axis():
    layout = {
        "xaxis": {"domain": [0, 0.4], "range": [0, 1]},
        "xaxis2": {"domain": [0.6, 1], "matches": "x"},
        "yaxis": {"range": [0, 10]},
        "yaxis2": {"anchor": "x2"},
    }
    data = [{"x": [0, 1], "y": [0, 10]}, {"x": [0, 1], "y": [0, 1], "xaxis": "x2", "yaxis": "y2"}]
    root, _ = drawn([t | {"mode": "lines"} for t in data], layout)
    first, second = (points(root, f"trace{i}-line") for i in (0, 1))
    assert np.ptp(first[:, 0]) == pytest.approx(np.ptp(second[:, 0]), abs=0.2)
    assert second[0, 0] - first[-1, 0] == pytest.approx(np.ptp(first[:, 0]) / 2, abs=0.3)


@pytest.mark.parametrize(
    ("trace", "layout"),
    [
        ({"type": "scatter3d", "z": [1]}, {}),
        ({"marker": {"color": [1.0], "colorscale": "Viridis"}}, {}),
        ({"fill": "tozeroy"}, {}),
        ({"line": {"shape": "hv"}}, {}),
        ({"marker": {"symbol": "hourglass"}}, {}),
        ({"stackgroup": "one"}, {}),
        ({}, {"annotations": [{"text": "a", "x": 0, "y": 0}]}),
        ({}, {"annotations": [{"text": "$x^2$", "x": 0, "y": 0, "showarrow": False}]}),
        ({}, {"shapes": [{"type": "circle", "x0": 0, "x1": 1, "y0": 0, "y1": 1}]}),
        ({}, {"yaxis": {"overlaying": "y2"}}),
        ({}, {"xaxis": {"type": "date"}}),
        ({}, {"polar": {}}),
    ],
)
def test_what_is_not_known_is_not_drawn(trace, layout):
    with pytest.raises(still.Undrawable):
        still.picture({"data": [{"x": [0], "y": [0], "mode": "lines+markers"} | trace], "layout": layout})


def test_the_same_figure_gives_the_same_bytes_and_a_chapter_s_figure_is_small():
    fig = figures.figure("What comes back?", "share kept", "loss (nats)")
    rng = np.random.default_rng(0)
    for name, color in figures.series(["raw", "transformed", "noise"]).items():
        figures.bands(fig, np.linspace(0, 1, 11), rng.normal(size=(12, 11)), name, color)
    figures.level(fig, 0.0, "chance")
    spec = fig.to_plotly_json()
    picture = still.picture(spec)
    assert picture == still.picture(spec)
    assert len(picture) < 30_000
    assert not re.search(r"<metadata|\d{4}-\d\d-\d\d", picture)


def test_a_forest_and_a_figure_without_data_can_be_drawn():
    for fig in (panels.forest([], "Verdicts", "nats"), figures.figure("Nothing", "x", "y")):
        assert still.picture(fig.to_plotly_json()).startswith("<svg")


SCALE = [[0.0, "#000000"], [1.0, "#ffffff"]]


def test_points_and_cells_take_their_colour_from_a_scale_that_is_shown():
    marker = {"color": [0, 1, 2], "colorscale": SCALE, "size": 8, "colorbar": {"title": {"text": "block"}}}
    root, back = drawn([{"x": [1, 2, 3], "y": [2, 4, 6], "mode": "markers", "marker": marker}])
    assert back(points(root, "trace0-markers")) == pytest.approx(np.array([[1, 2], [2, 4], [3, 6]]), abs=0.02)
    assert "block" in words(root)
    style = "".join(s.text for s in root.iter(f"{SVG}style")) + ET.tostring(root, encoding="unicode")
    assert "#808080" in style or "#7f7f7f" in style  # the middle of the scale


def test_cells_say_their_numbers_and_an_unknown_cell_says_nothing():
    cells = {"type": "heatmap", "z": [[0.9, 1.1], [None, 1.0]], "text": [["0.90", "1.10"], ["?", "1.00"]]}
    cells |= {"texttemplate": "%{text}", "colorscale": SCALE, "zmin": 0.5, "zmax": 1.5, "colorbar": {"title": "ratio"}}
    root = ET.fromstring(still.picture({"data": [cells]}))
    assert {"0.90", "1.10", "1.00", "ratio"} <= set(words(root))
    assert "?" not in words(root)
    with pytest.raises(still.Undrawable, match="texttemplate"):
        still.picture({"data": [cells | {"texttemplate": "%{z}"}]})


def test_a_box_has_its_quartiles_and_every_point():
    values = [1.0, 2.0, 3.0, 4.0, 9.0]
    root, back = drawn([{"type": "box", "y": values, "name": "a", "boxpoints": "all"}], x=(-0.5, 0.5))
    corners = back(points(root, "trace0-box"))[:, 1]
    assert (corners.min(), corners.max()) == pytest.approx(tuple(np.percentile(values, [25, 75])), abs=0.05)
    assert back(points(root, "trace0-markers"))[:, 1] == pytest.approx(values, abs=0.05)


def test_an_arrow_ends_where_it_points():
    arrow = {"x": 3, "y": 8, "ax": 1, "ay": 2, "axref": "x", "ayref": "y", "showarrow": True, "text": "", "name": "way"}
    data, layout = [{"x": [0, 4], "y": [0, 10]}], {"annotations": [arrow]}
    root, back = drawn(data, layout)
    ends = back(points(root, "note0"))
    assert ends[0] == pytest.approx([1, 2], abs=0.2)
    assert ends[-1] == pytest.approx([3, 8], abs=0.3)
    with pytest.raises(still.Undrawable, match="arrow"):
        drawn(data, {"annotations": [arrow | {"axref": "pixel"}]})


def test_zero_has_no_minus():
    root, _ = drawn([{"x": [0, 4], "y": [-1, 1]}], y=(-1, 1))
    assert "0" in words(root)
    assert "−0" not in words(root)
