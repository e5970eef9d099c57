"""The seed document's figures under its own names, drawn live from its log files, one a condition.

log_files: {name in the legend: path of an audit_log_….json}. output_path: where the figure is also written: .html as it
is, .png where kaleido is installed (the `png` extra). What a file does not hold is not drawn, and an unknown metric is an
error.
"""

from __future__ import annotations

import importlib.util
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from helpers import figures, files, records

NAMES = {"psi_accuracy": "Ψ, accuracy", "A_activation": "A, mean norm", "sigma_sq": "σ²", "A_param": "A, ‖W_V‖"}
TRANSITION = records.Pace.transition
Logs = Mapping[str, str | Path]


def plot_overlay_time_series(
    log_files: Logs,
    metrics: Sequence[str] = ("psi_accuracy", "A_activation", "sigma_sq"),
    output_path: str | Path | None = None,
) -> go.Figure:
    """Figure 1: one panel a metric, one line a condition, against the training step."""
    return _panels(log_files, metrics, "Do Ψ, A and σ² move together?", output_path)


def plot_time_series_divergence(
    log_files: Logs, metrics: Sequence[str] = ("psi_accuracy", "A_param"), output_path: str | Path | None = None
) -> go.Figure:
    """Figure 4: as figure 1, with the transition (accuracy from 15 to 85 %) of each condition shaded in its first panel."""
    fig = _panels(log_files, metrics, "Do the conditions part in the transition?", None)
    for (_, path), color in zip(log_files.items(), figures.series(log_files).values(), strict=True):
        steps, accuracy = records.extract_time_series(path, "psi_accuracy")
        inside = steps[(accuracy > TRANSITION[0]) & (accuracy < TRANSITION[1])]
        if len(inside):
            fig.add_vrect(x0=inside[0], x1=inside[-1], fillcolor=color, opacity=0.12, line_width=0, row=1, col=1)
    return _written(fig, output_path)


def plot_phase_diagram(
    log_files: Logs, x: str = "A_param", y: str = "psi_accuracy", output_path: str | Path | None = None
) -> go.Figure:
    """Figure 3: accuracy against A_param, from ○ at the start to ★ at the end, with an arrow along the way."""
    fig = figures.figure("Which way does training go?", _name(x), _name(y))
    for (name, path), color in zip(log_files.items(), figures.series(log_files).values(), strict=True):
        (at, a), (when, b) = (records.extract_time_series(path, metric) for metric in (x, y))
        _, i, j = np.intersect1d(at, when, return_indices=True)
        marks = ["circle-open", *["circle"] * (len(i) - 2), "star"][: len(i)]
        sizes = [10, *[3] * (len(i) - 2), 13][: len(i)]
        look = {"line": {"color": color}, "marker": {"symbol": marks, "size": sizes, "color": color}}
        fig.add_scatter(x=a[i], y=b[j], name=name, mode="lines+markers", **look)
        if len(i) > 2:
            middle = len(i) // 2
            ends = {"x": a[i][middle], "y": b[j][middle], "ax": a[i][middle - 1], "ay": b[j][middle - 1]}
            fig.add_annotation(**ends, axref="x", ayref="y", text="", showarrow=True, arrowhead=2, arrowcolor=color)
    return _written(fig, output_path)


def plot_heatmap_layer_compensation(
    compensation: Mapping[str | int, float], ablated: Sequence[str | int] = (), output_path: str | Path | None = None
) -> go.Figure:
    """Figure 2: the ratio of norms with ablation to without, a cell a layer, from 0.5 to 1.5; ablated layers are marked."""
    fig = figures.figure("Which layers compensate?", "layer", "", height=220)
    layers, values = [str(k) for k in compensation], [float(v) for v in compensation.values()]
    scale = {"colorscale": "RdBu_r", "zmin": 0.5, "zmax": 1.5, "colorbar": {"title": "norm ratio"}}
    fig.add_heatmap(z=[values], x=layers, y=[""], text=[[f"{v:.2f}" for v in values]], texttemplate="%{text}", **scale)
    for layer in ablated:
        fig.add_annotation(x=str(layer), y=0, yshift=34, text="ablated", showarrow=False)
    return _written(fig.update_xaxes(type="category"), output_path)


def plot_box_plots_variance(
    variances: Mapping[str, Sequence[float]], output_path: str | Path | None = None
) -> go.Figure:
    """Figure 5: σ² of every site as a box with its points: {site: one value a batch or a seed}."""
    fig = figures.figure("Where is the variance?", "", "σ²").update_layout(showlegend=False)
    for (name, values), color in zip(variances.items(), figures.series(variances).values(), strict=True):
        fig.add_box(y=list(values), name=name, boxpoints="all", marker={"color": color})
    return _written(fig, output_path)


def create_all_figures(
    log_dir: str | Path, output_dir: str | Path | None = None, suffix: str = ".html"
) -> dict[str, go.Figure]:
    """Every figure that a folder of log files has data for, {name: figure}, of its lowest seed; written to output_dir, too.

    Raises FileNotFoundError for a folder without a log file, ValueError for a suffix other than .html or .png.
    """
    logs = _logs(Path(log_dir))
    drawn: dict[str, go.Figure] = {}
    for experiment, found in logs.items():
        rows = records.frame(records.read(p) for p in found.values())
        amplitude = [m for m in ("A_activation", "A_param") if m in rows]
        if len(found) <= len(figures.SERIES) and "psi_accuracy" in rows:
            metrics = ["psi_accuracy", *amplitude, *[m for m in ("sigma_sq",) if m in rows]]
            have = {k: p for k, p in found.items() if _holds(p, metrics)}
            if have:
                drawn[f"figure_1_{experiment}"] = plot_overlay_time_series(have, metrics)
            if have and "A_param" in metrics:
                drawn[f"figure_3_{experiment}"] = plot_phase_diagram(have)
                drawn[f"figure_4_{experiment}"] = plot_time_series_divergence(have)
        ratios = [c for c in rows if re.fullmatch(r"norm_ratio_L\d+", c)]
        if ratios:
            last = rows.dropna(subset=ratios).iloc[-1]
            drawn[f"figure_2_{experiment}"] = plot_heatmap_layer_compensation({c[12:]: last[c] for c in ratios})
        sites = [c for c in rows if c.startswith(("sigma_sq_", "variance_"))]
        if sites:
            boxes = {
                c.removeprefix("sigma_sq_").removeprefix("variance_"): rows[c].dropna()
                for c in sites[: len(figures.SERIES)]
            }
            drawn[f"figure_5_{experiment}"] = plot_box_plots_variance(boxes)
    for name, fig in drawn.items() if output_dir else ():
        _written(fig, Path(output_dir) / f"{name}{suffix}")
    return drawn


def _panels(log_files: Logs, metrics: Sequence[str], title: str, output_path: str | Path | None) -> go.Figure:
    fig = make_subplots(rows=len(metrics), shared_xaxes=True, vertical_spacing=0.06)
    base = figures.figure(title, "", "", height=140 + 150 * len(metrics))
    fig.layout.template = base.layout.template  # not merged with plotly's own
    fig.update_layout(base.layout.to_plotly_json() | {"xaxis": {}, "yaxis": {}})
    for row, metric in enumerate(metrics, 1):
        for (name, path), color in zip(log_files.items(), figures.series(log_files).values(), strict=True):
            steps, values = records.extract_time_series(path, metric)
            look = {"legendgroup": name, "showlegend": row == 1, "line": {"color": color}}
            fig.add_scatter(
                x=steps, y=values, name=name, mode="lines+markers", row=row, col=1, marker={"size": 4}, **look
            )
        fig.update_yaxes(title_text=_name(metric), row=row, col=1)
    fig.update_xaxes(title_text="training step", row=len(metrics), col=1)
    return _written(fig, output_path)


def _name(metric: str) -> str:
    """'A_activation_resid_mid_L0' as 'A, mean norm (resid_mid_L0)'."""
    known = next((k for k in NAMES if metric.startswith(k)), metric)
    rest = metric.removeprefix(known).strip("_")
    return NAMES.get(known, known) + (f" ({rest})" if rest else "")


def _holds(path: Path, metrics: Sequence[str]) -> bool:
    rows = records.read(path)["metrics"]
    return all(any(row.get(m) is not None for row in rows) for m in metrics)


def _logs(folder: Path) -> dict[str, dict[str, Path]]:
    """{experiment: {condition: the file of its lowest seed}}."""
    out: dict[str, dict[str, tuple[int, Path]]] = defaultdict(dict)
    for path in sorted(folder.glob("audit_log_*.json")):
        facts = records.read(path)["metadata"]
        place, name = out[facts["experiment"]], facts.get("condition", facts["experiment"])
        place[name] = min(place.get(name, (facts["seed"], path)), (facts["seed"], path))
    if not out:
        raise FileNotFoundError(f"no audit_log_*.json in {folder}; run an experiment first")
    return {k: {name: path for name, (_, path) in found.items()} for k, found in out.items()}


def _written(fig: go.Figure, path: str | Path | None) -> go.Figure:
    """The figure itself; written when a path is given. Raises ValueError for a suffix that is neither .html nor .png."""
    if path is None:
        return fig
    path = Path(path)
    if path.suffix not in (".html", ".png"):
        raise ValueError(f"{path.name}: a figure is written as .html or .png")
    if path.suffix == ".html":
        files.write_atomic(path, fig.to_html(include_plotlyjs="cdn"))
    elif importlib.util.find_spec("kaleido"):
        files.write_atomic(path, fig.to_image("png", width=900, height=fig.layout.height or 420, scale=2))
    return fig
