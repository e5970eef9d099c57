"""The tables of the two chapters, as frames, and what the chapter keeps as its summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from helpers import frames
from helpers.claims import Verdict
from helpers.softprompt import quantities, sweeps
from helpers.softprompt.quantities import TIERS

GATES = {"single targets (stage 1)": 0.7, "pairs (stage 2, target)": 0.5, "pairs (stage 2, stop below)": 0.3}


def baselines(rows: pd.DataFrame) -> pd.DataFrame:
    """Stage 0: mean nats a token over pairs, and the bits of a text after its mode alone."""
    base = frames.rows(rows, part="baseline")
    names = {"random": "random vectors", "token": "one random token", "context": "after the question's tokens"}
    out = []
    for side, name in (("q", "question"), ("a", "answer")):
        row = {"": name, "tokens": base[f"length_{side}"].mean(), "bits": base[f"bits_{side}"].mean()}
        known = {label: base[f"{kind}_{side}"].mean() for kind, label in names.items() if f"{kind}_{side}" in base}
        out.append(row | dict.fromkeys(names.values(), float("nan")) | known)
    return pd.DataFrame(out)


def gates(rows: pd.DataFrame) -> pd.DataFrame:
    """The document's gates, held to its own rule and to exact decoding."""
    found = quantities.joint(rows)
    share = lambda name: float(np.mean(found[name])) if name in found else float("nan")
    single = [f(share(f"m1_{kind}_{s}") for s in ("q", "a")) for kind, f in (("converged", min), ("exact", min))]
    both = [share("m2_converged"), share("m2_exact_both")]
    out = []
    for (name, gate), (printed, exact) in zip(GATES.items(), (single, both, both), strict=True):
        out.append({"gate": name, "at least": f"{gate:.0%}", "by the loss rule": printed, "decoded exactly": exact})
    return pd.DataFrame(out)


def tiers(rows: pd.DataFrame) -> pd.DataFrame:
    """The document's table of thresholds, and where the run stands in it."""
    chosen = quantities.best(rows)
    ratio = chosen[["ratio_q", "ratio_a"]].mean(axis=1).mean()
    values = {
        "convergence rate": chosen["rule"].mean(),
        "mean loss ratio": ratio,
        "Q/A balance": chosen["balance"].mean(),
    }
    out = []
    for i, (name, value) in enumerate(values.items()):
        reached = [tier for tier, limits in TIERS.items() if (value > limits[i] if i == 0 else value < limits[i])]
        wanted = {tier: f"{'>' if i == 0 else '<'} {limits[i]:g}" for tier, limits in TIERS.items()}
        out.append({"metric": name, **wanted, "this run": float(value), "tier": reached[-1] if reached else "none"})
    return pd.DataFrame(out)


def health(rows: pd.DataFrame) -> pd.DataFrame:
    """Loss curves by the document's classes, with the share of each class that decodes."""
    joint = frames.rows(rows, part="joint")
    groups = joint.groupby("health")["exact"].agg(["size", "mean"]).reset_index()
    return groups.rename(columns={"health": "curve", "size": "starts", "mean": "share decoded"})


def restarts(rows: pd.DataFrame) -> pd.DataFrame:
    """The share of pairs that one of so many restarts decodes: 1 − C(n − s, r) / C(n, r), mean over pairs."""
    from math import comb

    joint = frames.rows(rows, part="joint")
    counts = joint.groupby("seed")["exact"].agg(["size", "sum"])
    most, out = int(counts["size"].min()), []
    for r in range(1, most + 1):
        share = [1 - comb(int(n - s), r) / comb(int(n), r) for n, s in zip(counts["size"], counts["sum"], strict=True)]
        out.append({"restarts": r, "share of pairs decoded": float(np.mean(share))})
    return pd.DataFrame(out)


def signals(rows: pd.DataFrame) -> pd.DataFrame:
    """The document's signals for stopping early."""
    joint, chosen = frames.rows(rows, part="joint"), quantities.best(rows)
    early = chosen[chosen["seed"] < 50]["rule"].mean()
    against = (joint["together"] < 0).mean()
    zero = (joint["total"] < 1e-6).mean()
    return pd.DataFrame(
        [
            {
                "signal": "fewer than 20 % converged after 50 pairs",
                "found": f"{early:.0%} converged",
                "stop": early < 0.2,
            },
            {"signal": "the two losses anti-correlate", "found": f"in {against:.0%} of starts", "stop": against > 0.5},
            {"signal": "losses of 0.0", "found": f"in {zero:.0%} of starts", "stop": zero > 0.5},
        ]
    ).assign(stop=lambda t: t["stop"].map({True: "yes", False: "no"}))


def transfer(rows: pd.DataFrame) -> pd.DataFrame:
    """An answer's loss after a content that was made for a question alone: mean nats a token."""
    found = frames.rows(rows, part="transfer")
    names = {"own": "its own question's", "another pair's": "another question's", "not optimised": "not optimised"}
    return pd.DataFrame(
        [{"content": label, "loss": frames.rows(found, kind=k)["loss_a"].mean()} for k, label in names.items()]
    )


def summary(rows: pd.DataFrame, given: Mapping[str, object]) -> dict:
    """What the document's script would save as JSON: settings, shares, losses, restarts."""
    found, chosen = quantities.joint(rows), quantities.best(rows)
    shares = {name: float(np.mean(values)) for name, values in found.items() if name[0] == "m" and name[1] in "1234_"}
    losses = {f"loss_{s}": float(chosen[f"loss_{s}"].mean()) for s in ("q", "a")}
    return {"settings": dict(given), "pairs": int(chosen["seed"].nunique()), "shares": shares, "losses": losses}


def spoken(rows: pd.DataFrame, pair: int = 0) -> pd.DataFrame:
    """What is said on the way to one pair's content: a row a side and step, with columns side, step, text."""
    of_pair = frames.rows(rows, part="watch", seed=pair)
    sides = {"question": "said_q", "answer": "said_a"}
    return pd.concat([of_pair[["step"]].assign(side=side, text=of_pair[column]) for side, column in sides.items()])


def settings(rows: pd.DataFrame) -> pd.DataFrame:
    """Modes and rates: the share of pairs that are said, and the mean updates of those that are solved."""
    out = []
    for part in ("mode", "rate"):
        for kind, chosen in frames.rows(rows, part=part).groupby("kind", sort=False):
            row = {"what is changed": part, "to": kind, "pairs": len(chosen), "share decoded": chosen["exact"].mean()}
            out.append(row | {"updates where solved": chosen["solved"].mean(), "loss": chosen["total"].mean()})
    return pd.DataFrame(out)


def vectors(rows: pd.DataFrame) -> pd.DataFrame:
    """Of pairs whose answer follows from the question, by kind and family: bits, the smallest sufficient K, and bits of both
    texts a vector (the median)."""
    out = []
    for kind in sweeps.KINDS:
        found, of_kind = 2 ** sweeps.smallest(rows, kind, "known"), frames.rows(rows, part="known", kind=kind)
        for family, of_family in of_kind.groupby("family"):
            bits = of_family.groupby("seed")[["bits_q", "bits_a"]].first()
            needed = found.reindex(bits.index)
            low, middle, high = (f"{v:g}" for v in np.quantile(needed, [0.25, 0.5, 0.75], method="inverted_cdf"))
            row = {
                "pairs": kind,
                "of": family,
                "bits of the question": bits["bits_q"].mean(),
                "of the answer": bits["bits_a"].mean(),
            }
            row |= {"a quarter need K": low, "half": middle, "three quarters": high}
            out.append(row | {"bits a vector": (bits.sum(axis=1) / needed).median()})
    return pd.DataFrame(out)


def tasks(rows: pd.DataFrame) -> pd.DataFrame:
    """Of every tier: what its tasks have in common with the others', and how well the model does the task itself."""
    found = frames.rows(rows, part="tier")
    out = []
    for tier in sweeps.TIERS:
        of_tier = frames.rows(found, kind=tier)
        row = {"tier": tier, "tokens": of_tier["length"].mean(), "bits": of_tier["bits"].mean()}
        out.append(row | {"answered by the model": of_tier["answers"].mean(), "mean log2 K": of_tier["needed"].mean()})
    return pd.DataFrame(out)


def wordings(rows: pd.DataFrame) -> pd.DataFrame:
    """Every arm within every number of updates that was tried: the share of pairs that are said."""
    found = frames.rows(rows, part="words")
    shares = (
        found.groupby(["kind", "budget", "seed"])["exact"]
        .max()
        .groupby(["kind", "budget"])
        .agg(["size", "mean"])
        .reset_index()
    )
    return shares.set_axis(["arm", "updates", "pairs", "share decoded"], axis=1)


def ladder(rows: pd.DataFrame) -> pd.DataFrame:
    """Other models, by size: the share of pairs that are said at each K."""
    found = frames.rows(rows, part="ladder")
    shares = found.groupby(["parameters", "kind", "k"])["exact"].mean().unstack("k")
    return shares.rename(columns=lambda k: f"K = {k:g}").reset_index().rename(columns={"kind": "model"})


def failed(verdicts: Sequence[Verdict], claim: str) -> str:
    """A sentence that names the controls for which a claim stays undecided; '' where none failed."""
    precise = next(v for v in verdicts if v.id == claim and v.criterion == "precise")
    return f"The verdict is held back: {precise.reason}." if precise.failed else ""
