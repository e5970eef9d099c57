"""Could the tests of Part I have said otherwise? Their rows with the effect put in, and the same rows with it taken out.

The scatter over masks stays as it was measured; only means are moved. So a planted effect that is not found, or an absent
one that is, means that the instrument is at fault, and its claim stays undecided (`claims.known.probe`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers import frames
from helpers.controls import shifted
from helpers.dtdr import judged, kinds, regression
from helpers.dtdr.named import (
    ANCHORED,
    BYTES,
    CLOSING,
    COLLAPSE,
    EARLIER,
    EVEN,
    HISS,
    LADDER,
    LATE,
    OTHER,
    OTHERS,
    OUTLIERS,
    RANDOM,
    RAW,
    SHARES,
    SPOILED,
    SPOILED_RAW,
    TENTH,
    THOUSANDTH,
    TRANSFORMED,
)  # fmt: skip
from helpers.dtdr.quantities import Quantities

STEP = 0.7  # where a planted threshold lies, as a share kept
SMALL = 0.3  # nats that are planted where a claim speaks of a difference, however small
APART = 0.25  # nats of entropy between masks at which D3 draws its line
BACKFITS = 20  # rounds of curve and means in turn (backfitting: Buja, Hastie and Tibshirani, 1989)
Pair = tuple[Quantities, Quantities]
PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "D1": ("up to a fifth kept does as little as nothing", "up to a fifth does as much as all"),
    "D2": (f"all of the loss comes back at {STEP:g}", "the loss comes back in proportion to what is kept"),
    "D3": (
        "random fill costs half of the loss more than zeros; entropy, and how texts repeat, are the same under every mask",
        f"it costs as much as zeros; entropies lie {2 * APART:g} nats apart, and half of the texts repeat themselves",
    ),
    "D4": (
        "the copy gives all of the loss back, the relative half",
        "both do no more than zeros that give nothing back",
    ),
    "D5": ("raw weights recover half of the loss more", "both domains lose the same"),
    "D5b": ("the transformed store loses half of the loss more", "both domains lose the same"),
    "D6": ("truncation costs half of the loss more, in every model", "truncation and corruption cost the same"),
    "D7": (f"both transforms cost {SMALL:g} nats more at every cosine", "no domain lies off the curve"),
    "D8": ("corruption costs nothing", "it costs half of the loss"),
    "D9": ("zeros do worse than nothing, the prior gives all back", "zeros give half back, the prior nothing"),
    "D10": ("corruption costs plain INT8 half of the loss, the transformed store nothing", "it costs both the same"),
}

MOVED = {  # claim: damages, what each is compared with, the levels of both, the halves of the loss that are planted between
    "D5": [(TRANSFORMED, RAW, f, f, 1) for f in CLOSING],
    "D5b": [(TRANSFORMED, RAW, f, f, 1) for f in LATE],
    "D10": [(SPOILED, TRANSFORMED, THOUSANDTH, 1.0, 0), (SPOILED_RAW, RAW, THOUSANDTH, 1.0, 1)],
}
BY_MODEL = ("D5", "D5b")  # claims whose unit is the model, of the ladder too


def emergence(rows: pd.DataFrame) -> dict[str, Pair]:
    """{claim: (quantities with its effect planted, quantities with none)} of the first chapter, from the rows it is judged by.
    Claims whose damages are not in `rows` are left out.
    """
    return _controls(rows, judged.emergence(rows))


def damage(rows: pd.DataFrame) -> dict[str, Pair]:
    """The same for the chapter on damage."""
    return _controls(rows, judged.damage(rows))


def models(rows: pd.DataFrame) -> dict[str, Pair]:
    """The same for the chapter on models."""
    return _controls(rows, judged.by_model(rows))


def guided(rows: pd.DataFrame) -> dict[str, Pair]:
    """The same for the chapter on guided reconstruction."""
    return _controls(rows, judged.guided(rows))


def moved(rows: pd.DataFrame, claim: str, half: float) -> pd.DataFrame:
    """The rows with the mean differences that a claim of MOVED speaks of moved to its number of halves, of `half` nats each."""
    over = ("seed", "model") if claim in BY_MODEL else ("model", "seed")
    for a, b, at, base, halves in MOVED[claim]:
        rows = shifted(rows, "nll", halves * half, a.columns | {a.level: at}, b.columns | {b.level: base}, over)
    return rows.assign(recovered=(rows["nothing"] - rows["nll"]) / (rows["nothing"] - rows["intact"]))


def _controls(rows: pd.DataFrame, found: Quantities) -> dict[str, Pair]:
    made = {"D1": _d1, "D2": _d2, "D3": _d3, "D4": _d4, "D6": _d6, "D7": _d7, "D8": _d8, "D9": _d9}
    wide = dict.fromkeys(BY_MODEL, rows[~rows["part"].isin((OTHERS, OUTLIERS))])
    wide |= {"D6": rows[~rows["part"].isin((LADDER, OUTLIERS))]}
    own = rows[~rows["part"].isin(judged.WIDER)]
    out = {}
    for claim in sorted({name.partition("_")[0].capitalize() for name in found}):
        chosen = wide.get(claim, own)
        out[claim] = made[claim](chosen) if claim in made else _compared(chosen, claim)
    return out


def _compared(rows: pd.DataFrame, claim: str) -> Pair:
    """Half of the loss lies between what is compared; nothing does."""
    return tuple(judged.of(moved(rows, claim, half), claim.lower()) for half in (_half(rows), 0.0))


def _half(rows: pd.DataFrame) -> float:
    """Half of the loss that lies between nothing and the whole model, in nats: what 'does not function' would cost."""
    return float((rows["nothing"] - rows["intact"]).mean()) / 2


def _d1(rows: pd.DataFrame) -> Pair:
    """Few coefficients do as little as none; few do as much as all."""
    columns, units = ["kl", "top1"], ["model", "seed"]
    tried = frames.rows(rows, **TRANSFORMED.columns)
    few = tried[tried["kept"].between(0, 0.2, inclusive="right")].drop(columns=columns)

    def at(share: float) -> Quantities:
        source = frames.rows(tried, kept=share).set_index(units)[columns]
        return judged.of(few.join(source, on=units), "d1")

    return at(0.0), at(1.0)


def _d2(rows: pd.DataFrame) -> Pair:
    """All of the loss comes back in one step; it comes back in proportion to what is kept."""
    step = (rows["kept"] >= STEP - frames.CLOSE).astype(float)
    texts = rows["sense"].notna()
    sense = lambda share: (10 - 8 * share).where(texts)  # nats a token: salad at ten, language at two
    return tuple(judged.of(rows.assign(recovered=f, sense=sense(f)), "d2") for f in (step, rows["kept"]))


def _d3(rows: pd.DataFrame) -> Pair:
    """Random fill costs more by half of the loss, and every mask has the entropy of its model's mean; it costs the same, and
    masks lie twice the line apart from the mean of the others.
    """
    tried = frames.rows(rows, **RANDOM.columns, kept=SHARES[1:])
    means = tried.groupby(["model", "kept"])["entropy"].transform("mean")
    known = {f: judged.apart(RANDOM, f)(rows) for f in SHARES[1:]}  # nothing of a single mask
    apart = {f: float(np.mean(values)) if len(values) else np.nan for f, values in known.items()}
    wider = means + (tried["entropy"] - means) * 2 * APART / tried["kept"].map(lambda f: _nearest(apart, f))

    def made(by: float, entropy: pd.Series) -> Quantities:
        out = rows.assign(entropy=entropy.reindex(rows.index).fillna(rows["entropy"]))
        told, odd = out["rep4"].notna(), (out["seed"] % 2).astype(float)
        spread = 0.0 if by else 1.0  # texts of all masks and prompts repeat alike, or half of them repeat all
        out = out.assign(rep4=(spread * odd).where(told), rep4_apart=(spread + 0 * odd).where(told))
        for f in SHARES[1:]:
            out = shifted(out, "nll", by, RANDOM.columns | {"kept": f}, TRANSFORMED.columns | {"kept": f})
        return judged.of(out, "d3")

    return made(_half(rows), means), made(0.0, wider)


def _d4(rows: pd.DataFrame) -> Pair:
    """The copy gives all of the loss back and the relative half of it; zeros give nothing back, and both priors no more."""

    def made(copy: float, relative: float) -> Quantities:
        out = rows
        for f in SHARES:
            zero = TRANSFORMED.columns | {"kept": f}
            out = shifted(out, "recovered", copy, ANCHORED.columns | {"kept": f})
            for prior, by in ((EARLIER, relative), (OTHER, 0.0)):
                out = shifted(out, "nll", by, prior.columns | {"kept": f}, zero)
        return judged.of(out, "d4")

    return made(1.0, -_half(rows)), made(0.0, 0.0)


def _d6(rows: pd.DataFrame) -> Pair:
    """In every model truncation costs half of all more than corruption at equal cosine, at every share; it costs the same."""

    def made(to: float) -> Quantities:
        change = pd.Series(0.0, rows.index)
        for _, own in rows.groupby("model"):
            shares, found = kinds.by_share(own)
            for f, now in zip(shares, found.T, strict=True):
                if np.isfinite(now).any():
                    change.loc[frames.rows(own, **TRANSFORMED.columns, kept=f).index] = to - np.nanmean(now)
        return judged.of(rows.assign(nll=rows["nll"] + change), "d6")

    return made(_half(rows)), made(0.0)


def _d7(rows: pd.DataFrame) -> Pair:
    """No domain's mean lies off the curve of its model, but both transforms cost SMALL more, as the first of them does beside
    even noise; or none does.
    """
    points = regression.points(rows)
    tried = regression.shared(points)
    for _ in range(BACKFITS):  # a large effect bends the curve that it is measured by
        means = regression.leftovers(tried).groupby([tried["model"], tried["domain"]]).transform("mean")
        tried = tried.assign(nll=tried["nll"] - means)
    planted = tried.assign(nll=tried["nll"] + SMALL * tried["domain"].isin(regression.MIXED))
    return tuple(judged.of(made, "d7") | _beside_noise(rows, by) for made, by in ((planted, SMALL), (tried, 0.0)))


def _beside_noise(rows: pd.DataFrame, by: float) -> Quantities:
    """The quantity of D7 that compares with noise, its mean moved."""
    for f in COLLAPSE:
        rows = shifted(rows, "nll", by, TRANSFORMED.columns | {"kept": f}, EVEN.columns | {EVEN.level: f})
    return {k: v for k, v in judged.of(rows, "d7").items() if k == "d7_hadamard_minus_even"}


def _d8(rows: pd.DataFrame) -> Pair:
    """One spoiled code in a thousand costs nothing; it costs half of the loss."""
    whole = TRANSFORMED.columns | {TRANSFORMED.level: 1.0}

    def made(by: float) -> Quantities:
        out = rows
        for spoil, at in ((SPOILED, THOUSANDTH), (BYTES, THOUSANDTH), (HISS, TENTH)):
            out = shifted(out, "nll", by, spoil.columns | {spoil.level: at}, whole)
        return judged.of(out, "d8")

    return made(0.0), made(_half(rows))


def _d9(rows: pd.DataFrame) -> Pair:
    """Zeros recover less than nothing and the copy all; zeros recover half and the copy nothing."""

    def made(zero: float, copy: float) -> Quantities:
        tried = frames.rows(rows, model=frames.rows(rows, **ANCHORED.columns)["model"].unique())
        for damage, to in ((TRANSFORMED, zero), (ANCHORED, copy)):
            tried = shifted(tried, "recovered", to, damage.columns | {"kept": 0.4})
        return judged.of(tried, "d9")

    return made(-0.2, 1.0), made(0.5, 0.0)


def _nearest(values: dict[float, float], at: float) -> float:
    return values[min(values, key=lambda f: abs(f - at))]
