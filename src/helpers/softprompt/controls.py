"""Could the tests of Part III have said otherwise? The same pairs with so many made to succeed, and so many made to fail."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers import frames
from helpers.controls import shifted
from helpers.softprompt import quantities, sweeps
from helpers.softprompt.quantities import Quantities

PLANTED = {  # claim: (what is planted, what is left when it is taken out)
    "M1": ("85 % of single questions are said", "half of them are said"),
    "M1b": ("85 % of single answers are said", "half of them are said"),
    "M2": ("three quarters of pairs are said, and half at K50", "a quarter are said, and a tenth at K50"),
    "M3": ("2 % of the pairs that meet the rule are not said", "a quarter of them are not said"),
    "M3b": ("2 % of the starts that meet the rule are not said then", "a quarter of them are not said then"),
    "M4": ("every low loss is said, and losses order success", "80 % are said, and losses order nothing"),
    "M5": (
        "K rises with the bits from 1 to the largest, within every family too",
        "most pairs are said at K = 1, few at the largest, whatever the bits",
    ),
    "M6": ("matched pairs need half as many vectors", "matched and shuffled pairs need as many"),
    "M7": (
        "one pair in four more is said, most where gradients disagree",
        "as many are said, wherever gradients disagree",
    ),
    "M8": ("each tier needs twice the vectors of the one before", "tiers in another order in every block"),
    "M9": (
        "restarts are alike, away from tokens, without a barrier",
        "restarts are no nearer, on tokens, and walls between",
    ),
}
Controls = dict[str, tuple[Quantities, Quantities]]


def joint(rows: pd.DataFrame) -> Controls:
    """{claim: (quantities with its effect planted, quantities with none)} of `joint_qa`, where its pairs were run."""
    if not len(frames.rows(rows, part="joint")):
        return {}
    half = _shares(rows, {"single": 0.5}, ("exact_q", "exact_a"))  # so that there is a K at which half are said
    first = {"M3": "exact", "M3b": "met_exact"}
    single = tuple(quantities.joint(_shares(rows, {"single": share}, ("exact_q", "exact_a"))) for share in (0.85, 0.5))
    return {
        "M1": single,
        "M1b": single,
        "M2": tuple(
            quantities.joint(_shares(half, {"joint": a, "half": b}, ("exact",))) for a, b in ((0.75, 0.5), (0.25, 0.1))
        ),
        **{
            claim: tuple(quantities.joint(_shares(_met(rows), {"joint": share}, (column,))) for share in (0.98, 0.75))
            for claim, column in first.items()
        },
        "M4": tuple(quantities.joint(_ordered(rows, share, sharp)) for share, sharp in ((1.0, True), (0.8, False))),
    }


def ablations(rows: pd.DataFrame) -> Controls:
    """The same for `joint_qa_ablations`."""
    out: Controls = {}
    sweep, known = frames.rows(rows, part="sweep"), frames.rows(rows, part="baseline")
    if len(sweep) and len(known):
        out["M5"] = tuple(quantities.ablated_for("M5", _by_bits(rows, rising)) for rising in (True, False))
    if len(frames.rows(rows, part="known")):
        out["M6"] = tuple(quantities.ablated_for("M6", _halved(rows, steps)) for steps in (1, 0))
    if len(frames.rows(rows, part="words", kind="paraphrases")):
        out["M7"] = tuple(quantities.ablated_for("M7", _gained(rows, share)) for share in (0.25, 0.0))
    if len(frames.rows(rows, part="tier")):
        out["M8"] = tuple(quantities.ablated_for("M8", _tiered(rows, rising)) for rising in (True, False))
    if len(frames.rows(rows, part="geometry")):
        out["M9"] = tuple(quantities.ablated_for("M9", _placed(rows, *to)) for to in ((0.2, 0.3, 0.5), (0.0, 0.7, 2.0)))
    return out


def _by_bits(rows: pd.DataFrame, rising: bool) -> pd.DataFrame:
    """Matched pairs are said from a K on that rises with the square of their bits; or most at every K but the largest."""
    out, base = rows.copy(), frames.rows(rows, part="baseline").set_index("seed")
    bits = (base["bits_q"] + base["bits_a"]).rank(pct=True)
    chosen = (out["part"] == "sweep") & (out["kind"] == "matched")
    pairs, k = out.loc[chosen, "seed"], out.loc[chosen, "k"]
    if rising:
        raw = base["bits_q"] + base["bits_a"]
        needed = 2.0 ** np.round(np.log2(raw / raw.median()) * 3 + 3)
        right = k >= pairs.map(needed.clip(1, sweeps.LARGEST))
    else:
        lucky = ((pairs * 7) % 10 < 7) & (pairs.map(bits) >= 0)
        right = lucky & (k < sweeps.LARGEST) | ((pairs * 7) % 10 < 3)
    out.loc[chosen, "exact"] = right.astype(float)
    return out


def _halved(rows: pd.DataFrame, steps: int) -> pd.DataFrame:
    """Matched pairs are said at each K as the shuffled ones are at a K so many steps of the sweep further on."""
    out, shuffled = rows.copy(), frames.rows(rows, part="known", kind="shuffled")
    grid = sorted(shuffled["k"].unique())
    later = {k: grid[min(i + steps, len(grid) - 1)] for i, k in enumerate(grid)}
    said = shuffled.set_index(["seed", "k"])["exact"]
    chosen = (out["part"] == "known") & (out["kind"] == "matched")
    out.loc[chosen, "exact"] = [
        float(said.get((seed, later.get(k, k)), 0.0))
        for seed, k in zip(out.loc[chosen, "seed"], out.loc[chosen, "k"], strict=True)
    ]
    return out


def _gained(rows: pd.DataFrame, share: float) -> pd.DataFrame:
    """A third of the pairs are said by plain starts and by unrelated sentences; by paraphrases so many more, those of the
    lowest cosines first."""
    out = rows.copy()
    tried = frames.rows(rows, part="words", kind="paraphrases")
    cosine = frames.per_seed(rows, "conflict", part="conflict").sort_values()
    plain = {seed: float(i % 3 == 0) for i, seed in enumerate(cosine.index)}
    more = [seed for seed, said in plain.items() if not said][: round(share * len(plain))]
    compared = (out["part"] == "words") & (out["budget"] == tried["budget"].iloc[0])
    for kind, said in (("plain", plain), ("unrelated", plain), ("paraphrases", plain | dict.fromkeys(more, 1.0))):
        chosen = compared & (out["kind"] == kind)
        out.loc[chosen, "exact"] = out.loc[chosen, "seed"].map(said)
    return out


def _tiered(rows: pd.DataFrame, rising: bool) -> pd.DataFrame:
    """The smallest K doubles from tier to tier; or the same values in an order of its own in every block."""
    out, rng = rows.copy(), np.random.default_rng(1)
    chosen = out["part"] == "tier"
    places = {tier: i for i, tier in enumerate(sweeps.TIERS)}
    orders = {block: rng.permutation(len(places)) for block in out.loc[chosen, "seed"].unique()}
    at = out.loc[chosen, "kind"].map(places)
    shuffled = [orders[block][i] for block, i in zip(out.loc[chosen, "seed"], at, strict=True)]
    out.loc[chosen, "needed"] = at.astype(float) if rising else np.array(shuffled, float)
    return out


def _placed(rows: pd.DataFrame, nearer: float, token: float, barrier: float) -> pd.DataFrame:
    """Solutions with these mean differences of cosine, cosines to the nearest token, and barriers."""
    place = {"part": "geometry"}
    rows = rows.assign(apart=rows["within"] - rows["between"])
    now = frames.per_seed(rows, "apart", **place).mean()
    rows = rows.assign(within=rows["within"] + nearer - now)
    rows = shifted(rows, "nearest", token, place, over=("seed",))
    return shifted(rows, "barrier", barrier, place, over=("seed",))


def _shares(rows: pd.DataFrame, shares: dict[str, float], columns: tuple[str, ...]) -> pd.DataFrame:
    """The frame with this share of the pairs of a part made to succeed, evenly over them, and all others to fail."""
    out = rows.copy()
    for part, share in shares.items():
        chosen = out["part"] == part
        place = out["seed"].astype(int)
        right = np.floor((place + 1) * share) > np.floor(place * share)
        for column in columns:
            out.loc[chosen, column] = right[chosen].astype(float)
    return out


def _met(rows: pd.DataFrame) -> pd.DataFrame:
    """All pairs meet the document's rule."""
    of_joint = rows["part"] == "joint"
    return rows.assign(rule=rows["rule"].where(~of_joint, 1.0), met=rows["met"].where(~of_joint, 10.0))


def _ordered(rows: pd.DataFrame, share: float, sharp: bool) -> pd.DataFrame:
    """Every joint loss is low, and so many contents are said. sharp: at K50 half fail, with a higher loss; otherwise all losses
    are equal."""
    out = _shares(rows, {"joint": share, "half": 0.5}, ("exact",))
    many = out["part"].isin(["joint", "half"])
    low = out["exact"].map({1.0: 0.02, 0.0: 1.0}) if sharp else pd.Series(0.02, out.index)
    for column in ("loss_q", "loss_a", "total", "worst"):
        out.loc[many, column] = low[many]
    return out
