"""As printed: the document's predictions by its own thresholds, and the three files that its script leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import files, frames

SUPPORTED, CHALLENGED = "SUPPORTED", "CHALLENGED"
LEAST_DROP, LEAST_FALL = 0.1, 1.0  # of the dimension, as a share, and of the count
PREDICTIONS = {  # of the document: (in words, what its report says of it)
    "dimension": ("Phase 1 lowers the pedagogical dimension by more than 10 %", "strongly supported"),
    "holes": ("Phase 1 lowers the pedagogical count of holes by more than 1.0", "partially supported"),
    "stable": ("Topology is stable in Phases 2 and 3", "partially supported"),
    "higher": ("The adversarial mean dimension is higher", "supported"),
    "more": ("The adversarial mean count of holes is higher", "strongly supported"),
    "smooth": ("The adversarial run has no phases", "supported"),
}
COLUMNS = {"dimension": "pooled", "holes": "count"}


def predictions() -> bytes:
    """The file with the predictions, as it was before any run at full scale."""
    return resources.files("helpers.pedagogy.dynamics").joinpath("assets/predictions.md").read_bytes()


def trajectories(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """{"pedagogical" or "adversarial": seed, step, dimension, holes} at the document's checkpoints; those that were
    run."""
    own = frames.rows(rows, part="printed", arm="coded")
    other = frames.rows(rows, part="dynamics", arm="cGAN", step=sorted(set(own["step"])) if len(own) else [])
    return {k: _named(v) for k, v in {"pedagogical": own, "adversarial": other}.items() if len(v)}


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    names = {v: k for k, v in COLUMNS.items()}
    return rows[["seed", "step", *names]].rename(columns=names)


def curves(rows: pd.DataFrame) -> pd.DataFrame:
    """Both trajectories as one frame, with `game` and `steps`, for a figure."""
    found = [of.assign(game=game, steps=of["step"].max()) for game, of in trajectories(rows).items()]
    return pd.concat(found, ignore_index=True) if found else rows.iloc[:0]


def quantities(rows: pd.DataFrame) -> dict[str, list[float]]:
    """One value a seed. Phase 1 is from the first checkpoint to the first that is not before a third, as the document
    counts (steps 500 and 3500 of 10,000). one_body: its arm as coded in the adversary's body, through the adversary's
    judge."""
    found = trajectories(rows)
    if "pedagogical" not in found:
        return {}
    own = found["pedagogical"]
    steps = sorted(set(own["step"]))
    third = next(step for step in steps if 3 * step >= steps[-1])
    at = lambda column, step: frames.per_seed(own, column, step=step)
    out = {
        "t1_drop": 1 - at("dimension", third) / at("dimension", steps[0]),
        "t2_count_drop": at("holes", steps[0]) - at("holes", third),
        "t9_printed_fall": at("holes", steps[0]) - at("holes", steps[-1]),
    }
    if "adversarial" in found:
        found["one_body"] = _named(frames.rows(rows, part="dynamics", arm="coded", step=steps))
        mean = lambda name, column: found[name].groupby("seed")[column].mean()
        told = {"t4_difference": ("pedagogical", "dimension"), "t5_printed_difference": ("pedagogical", "holes")}
        told |= {"t4_one_body": ("one_body", "dimension"), "t5_one_body": ("one_body", "holes")}
        out |= {k: mean("adversarial", c) - mean(of, c) for k, (of, c) in told.items() if len(found[of])}
    return {k: v.to_numpy().tolist() for k, v in out.items()}


def statuses(found: Mapping[str, list[float]]) -> dict[str, tuple[str, str]]:
    """{prediction: (the script's own status, of the means over seeds; the evidence)}. Two have no test in the
    script."""
    mean = {k: float(np.mean(v)) for k, v in found.items() if len(v)}
    tests = {
        "dimension": ("t1_drop", LEAST_DROP, "falls by {:.1%}"),
        "holes": ("t2_count_drop", LEAST_FALL, "falls by {:.2f}"),
        "higher": ("t4_difference", 0.0, "adversarial − pedagogical: {:.2f}"),
        "more": ("t5_printed_difference", 0.0, "adversarial − pedagogical: {:.2f}"),
    }
    out = {}
    for name in PREDICTIONS:
        quantity, border, told = tests.get(name, ("", 0.0, ""))
        if quantity in mean:
            out[name] = (
                SUPPORTED if mean[quantity] > border else CHALLENGED,
                told.format(mean[quantity]).replace("-", "−"),
            )
        else:
            out[name] = "no test in the script" if name not in tests else "not run", "–"
    return out


def write(rows: pd.DataFrame, folder: Path) -> list[Path]:
    """`training_dynamics_results.json`, `…_predictions.md` and `…_trajectories.png`, as the document names them."""
    found, folder = trajectories(rows), Path(folder)
    told = statuses(quantities(rows))
    results = {
        name: {
            str(seed): {k: of[k].tolist() for k in ("step", "dimension", "holes")} for seed, of in one.groupby("seed")
        }
        for name, one in found.items()
    } | {"predictions": {name: {"status": s, "evidence": e} for name, (s, e) in told.items()}}
    lines = [f"| {PREDICTIONS[k][0]} | {s} | {e} |" for k, (s, e) in told.items()]
    table = "\n".join(["| prediction | status | evidence |", "|---|---|---|", *lines])
    text = f"{predictions().decode().rstrip()}\n\n# Comparison, by the script's thresholds\n\n{table}\n"
    name = lambda end: folder / f"training_dynamics_{end}"
    return [
        files.write_atomic(name("results.json"), files.strict_json(results)),
        files.write_atomic(name("predictions.md"), text),
        files.write_atomic(name("trajectories.png"), _picture(found)),
    ]


def _picture(found: Mapping[str, pd.DataFrame]) -> bytes:
    """Both curves, means over seeds, with the phases shaded."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(10, 4))
    FigureCanvasAgg(fig)
    for axis, column in zip(fig.subplots(1, 2), COLUMNS, strict=True):
        for name, color in (("pedagogical", "#56B4E9"), ("adversarial", "#E69F00")):
            if name in found:
                mean = found[name].groupby("step")[column].mean()
                axis.plot(mean.index, mean, "o-", color=color, label=name)
                last = mean.index.max()
                for i, grey in enumerate((0.9, 0.95, 1.0)) if name == "pedagogical" else ():
                    axis.axvspan(i * last / 3, (i + 1) * last / 3, color=str(grey), zorder=0)
        axis.set(xlabel="step", ylabel={"dimension": "dimension (MLE, k = 20)", "holes": "mean holes (β₁)"}[column])
        axis.legend()
    out = io.BytesIO()
    fig.savefig(out, format="png", dpi=120, bbox_inches="tight")
    return out.getvalue()
