"""From a tidy frame to the quantities that S9, S10 and S15 name: one value a seed. Nothing is trained here.

Everything that is judged is read off a `Course`, one model's series after its training set was memorised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from helpers import devices, frames
from helpers.separability.grokking import series
from helpers.separability.grokking.config import CONDITIONS, HIGH, LOW, MAIN
from helpers.separability.grokking.course import Course

DECAYING, FREE = MAIN
LEVEL = 0.05  # of a null, one-sided
SURROGATES = 40  # unrelated series a seed
WAIT = 3  # times the decaying arm's median step of transition, at which the arm without decay is judged
TOLD = (  # what the chapter's prose says of this run, by name
    *(
        f"s9_{k}"
        for k in ("step_memorised", "step_half", "width", "fall_before", "fall_inside", "fall_after", "rho_levels")
    ),
    *(f"s9_{k}" for k in ("rho_velocities", "document_rho", "document_p", "beyond_null", "planted_rho", "transitions")),
    *("s10_amplitude_kept", "s10_no_transition", "s15_g_rise", "s15_lead_settled"),
)
PRINTED = tuple(f"printed_{c}_{k}" for c in CONDITIONS for k in ("accuracy", "kept"))
Quantities = dict[str, list[float]]


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with what follows from it: the document's other gloss of G, and A as a share of what it was when memorised."""
    out = rows.copy()
    if "G_stability" in out:
        out["G_plasticity"] = 1 - out["G_stability"]
    if "memorised" in out:
        since = out[out["step"] >= out["memorised"].astype(float)]
        first = since.groupby(["condition", "seed"])["A_param"].first().rename("then").reset_index()
        out["A_share"] = out["A_param"] / out[["condition", "seed"]].merge(first, "left")["then"].to_numpy()
    return out


@frames.kept
def runs(rows: pd.DataFrame, arm: str) -> list[Course]:
    """The models of an arm, by seed."""
    chosen = frames.rows(rows, part="addition", arm=arm)
    return [_run(int(seed), of) for seed, of in chosen.groupby("seed")] if len(chosen) else []


@frames.kept
def judged(rows: pd.DataFrame) -> Quantities:
    """Quantities of S9, S10 and S15. Those whose arm was not run are left out."""
    decaying = runs(rows, DECAYING)
    found = transition(decaying) | instrument(decaying) | documented(rows) | geometry(decaying)
    found |= apart(*(runs(rows, arm) for arm in ("decay of all but W_V", "decay of W_V only")))
    return found | without(decaying, runs(rows, FREE)) | published(rows)


def transition(decaying: list[Course]) -> Quantities:
    """S9: one value a seed; nan where there was no transition, but for s9_beyond_null, where it counts as not beyond."""
    if not decaying:
        return {}
    rho, fall = np.array([r.rho for r in decaying]), np.array([r.fall for r in decaying])
    return {
        "s9_rho_levels": rho[:, 0].tolist(),
        "s9_rho_velocities": rho[:, 1].tolist(),
        "s9_beyond_null": [float(max(r.beyond) < LEVEL) for r in decaying],
        "s9_fall_before": fall[:, 0].tolist(),
        "s9_fall_inside": (fall[:, 1] - fall[:, 0]).tolist(),
        "s9_fall_after": (1 - fall[:, 1]).tolist(),
        "s9_transitions": [float(r.transition) for r in decaying],
        "s9_step_memorised": [r.memorised for r in decaying],
        "s9_step_half": [r.crossed(0.5) for r in decaying],
        "s9_width": [r.crossed(HIGH) - r.crossed(LOW) for r in decaying],
    }


def instrument(decaying: list[Course]) -> Quantities:
    """Known answers to S9's own statistics: a planted fall, a value a seed, and unrelated series, a share a statistic."""
    if not decaying:
        return {}
    return {"s9_planted_rho": [planted(r) for r in decaying], "s9_null_rate": null_rate(decaying)}


def without(decaying: list[Course], free: list[Course]) -> Quantities:
    """S10: at WAIT times the median step of the decaying arm's transition; nan where that lies beyond the run."""
    halves = [h for h in (r.crossed(0.5) for r in decaying) if np.isfinite(h)]
    if not free:
        return {}
    until = WAIT * float(np.median(halves)) if halves else np.nan
    seen = [r.steps <= until if r.steps[-1] >= until else np.zeros(len(r.steps), bool) for r in free]
    last = lambda r, at: r.amplitude[at][-1] / r.amplitude[0] if at.any() and np.isfinite(r.memorised) else np.nan
    return {
        "s10_amplitude_kept": [last(r, at) for r, at in zip(free, seen, strict=True)],
        "s10_no_transition": [
            float(r.accuracy[at].max() < 0.5) if at.any() else np.nan for r, at in zip(free, seen, strict=True)
        ],
        "s10_memorised": [1.0 if np.isfinite(r.memorised) else 0.0 for r in free],
        "s10_until": [until],
    }


def geometry(decaying: list[Course]) -> Quantities:
    """S15."""
    if not decaying:
        return {}
    leads = {"s15_lead": [r.lead for r in decaying], "s15_lead_settled": [r.settled_lead for r in decaying]}
    return {"s15_g_rise": [r.rise for r in decaying]} | leads


def apart(kept: list[Course], fallen: list[Course]) -> Quantities:
    """S9b, one value a seed. kept: models whose A_param does not decay: 1 where there is no transition, or A_param ends below
    what it was when memorised. fallen: models in which it alone decays: 1 where there is a transition, or it has not fallen by
    a tenth."""
    if not (kept and fallen):
        return {}
    share = lambda r: r.amplitude[-1] / r.amplitude[0]
    return {
        "s9b_needed": [float(not (r.transition and share(r) > 1)) for r in kept],
        "s9b_enough": [float(not (not r.transition and share(r) < 0.9)) for r in fallen],
        "s9b_amplitude_kept": [float(share(r)) for r in kept],
        "s9b_amplitude_fallen": [float(share(r)) for r in fallen],
    }


@frames.kept
def documented(rows: pd.DataFrame) -> Quantities:
    """The document's statistic (`published`) in the arm with decay 1."""
    found = [of.sort_values("step") for _, of in frames.rows(rows, part="addition", arm=DECAYING).groupby("seed")]
    tests = [_document(of) for of in found]
    return {"s9_document_rho": [t[0] for t in tests], "s9_document_p": [t[1] for t in tests]} if tests else {}


@frames.kept
def published(rows: pd.DataFrame) -> Quantities:
    """As the document computes it, in its own experiment: Spearman's ρ of np.gradient without steps, over all rows with an
    accuracy inside the window; its p, as if rows were independent; rows inside; the last accuracy; A_param's last over
    first."""
    out: Quantities = {}
    for name in CONDITIONS:
        found = [of.sort_values("step") for _, of in frames.rows(rows, part="printed", condition=name).groupby("seed")]
        if found:
            tests = np.array([_document(of) for of in found])
            out |= {f"printed_{name}_{what}": tests[:, i].tolist() for i, what in enumerate(("rho", "p", "inside"))}
            out[f"printed_{name}_accuracy"] = [float(of["psi_accuracy"].iloc[-1]) for of in found]
            out[f"printed_{name}_kept"] = [float(of["A_param"].iloc[-1] / of["A_param"].iloc[0]) for of in found]
    return out


def asked(rows: pd.DataFrame) -> str:
    """Of how many seeds the document's ρ can be taken in its own experiment, and what it is there, as sentences."""
    found, out = published(rows), []
    for name in CONDITIONS:
        rho = np.array(found.get(f"printed_{name}_rho", []), float)
        known = rho[np.isfinite(rho)]
        if len(rho):
            told = (
                f"have {known.mean():.2g} on average".replace("-", "−") if len(known) else "have them, so there is no ρ"
            )
            out.append(f"With {name.replace('_', ' ')}, {len(known) or 'none'} of {len(rho)} seeds {told}.")
    return " ".join(out)


def planted(run: Course) -> float:
    """The larger ρ, of levels or of velocities, once A_param falls as accuracy rises, by as much as it falls in all, and its
    own roughness at another time is added."""
    at = run.window
    if at.stop - at.start < 4:
        return np.nan
    rough = series.unrelated(_rough(run), devices.numpy_rng("planted", run.seed), 1)[0]
    changes = np.diff(run.amplitude.max() - np.ptp(run.amplitude) * run.accuracy) + rough
    amplitude = np.r_[0, np.cumsum(changes)]
    return max(Course(**{**vars(run), "amplitude": amplitude}).rho)


def null_rate(decaying: list[Course]) -> list[float]:
    """Shares, by the fall and by velocities, of unrelated series that lie beyond the null: SURROGATES for each seed, with the
    spectrum of its A_param's changes. About LEVEL if the null is right; [nan] without a transition."""
    found = []
    for run in decaying:
        at, rng = run.window, devices.numpy_rng("unrelated", run.seed)
        if at.stop - at.start >= 4:
            changes = series.unrelated(np.diff(run.amplitude), rng, SURROGATES)
            found += [series.beyond(run.accuracy[at], c, at.start, at.stop) for c in changes]
    return (np.array(found) < LEVEL).mean(0).tolist() if found else [np.nan]


def named(name: str) -> Callable[[pd.DataFrame], list[float]]:
    """A quantity by its name."""

    def read(rows: pd.DataFrame) -> list[float]:
        if name.startswith(("printed", "s9_document")):
            return (published(rows) | documented(rows)).get(name, [])
        decaying = runs(rows, DECAYING)
        if name.startswith("s10"):
            return without(decaying, runs(rows, FREE)).get(name, [])
        if name.startswith("s9b"):
            return judged(rows).get(name, [])
        of = (
            instrument
            if name in ("s9_planted_rho", "s9_null_rate")
            else geometry
            if name.startswith("s15")
            else transition
        )
        return of(decaying).get(name, [])

    return read


def arms_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A row an arm: seeds with a transition, median steps, and A_param's last value over that when memorised."""
    return pd.DataFrame(list(_arms(rows)))


def _arms(rows: pd.DataFrame) -> Iterator[dict]:
    for arm in dict.fromkeys(frames.rows(rows, part="addition")["arm"]):
        found = runs(rows, arm)
        kept = [r.amplitude[-1] / r.amplitude[0] for r in found]
        yield {
            "arm": arm,
            "transitions": f"{sum(r.transition for r in found)} of {len(found)}",
            "memorised at": _median([r.memorised for r in found]),
            "half held out at": _median([r.crossed(0.5) for r in found]),
            "A at the end / when memorised": float(np.mean(kept)),
            "step at which “memorised” was read": _median([r.steps[0] for r in found]),
            "share of its fall before 15 %": _median([r.fall[0] for r in found]),
        }


def _median(values: list[float]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return float(np.median(known)) if known else float("nan")


def _run(seed: int, of: pd.DataFrame) -> Course:
    of = of.sort_values("step")
    memorised = float(of["memorised"].iloc[0])
    known = of["step"][np.isfinite(of["G_stability"].astype(float))]
    lag = float(known.iloc[0]) if len(known) else 0.0
    of = of[of["step"] >= memorised] if np.isfinite(memorised) else of
    columns = (of[k].to_numpy(float) for k in ("step", "psi_accuracy", "A_param", "G_stability"))
    return Course(seed, memorised, *columns, lag)


def _rough(run: Course) -> np.ndarray:
    """(T − 1,) changes of A_param about their running mean of five."""
    changes = np.diff(run.amplitude)
    return changes - np.convolve(changes, np.ones(5) / 5, "same")


def _document(of: pd.DataFrame) -> tuple[float, float, float]:
    from scipy.stats import spearmanr

    accuracy, amplitude = (of[k].to_numpy(float) for k in ("psi_accuracy", "A_param"))
    inside = series.window(accuracy, LOW, HIGH)
    if inside.sum() < 3:
        return np.nan, np.nan, float(inside.sum())
    both = [np.gradient(x)[inside] for x in (accuracy, amplitude)]
    if any(np.ptp(x) == 0 for x in both):
        return np.nan, np.nan, float(inside.sum())
    found = spearmanr(*both)
    return float(found.statistic), float(found.pvalue), float(inside.sum())
