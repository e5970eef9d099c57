"""Every verdict of Part V once more, from the committed records, by formulas of its own: what the criteria's texts say, in
plain pandas, with neither the book's quantities nor its statistics nor its judge.
"""

import gzip
import json
import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from by_hand import INF, REFUTED, SUPPORTED, UNDECIDED, decided, ends, one, together

from helpers import claims

FULL, CODE = 64, 6


def read(folder):
    """All rows of a reference, straight from its file, with `end`: whether a row is the last of its record."""
    lines = gzip.decompress((folder / "records.jsonl.gz").read_bytes()).decode().splitlines()
    made = [
        r["metadata"] | row | {"end": row is r["metrics"][-1]} for r in map(json.loads, lines) for row in r["metrics"]
    ]
    return pd.DataFrame(made)


@pytest.fixture(scope="module")
def rows(root):
    return read(root / "book" / "reference" / "learned_encoding")


@pytest.fixture(scope="module")
def limits(root):
    return read(root / "book" / "reference" / "encoding_limits")


def final(rows, column="loss", **where):
    """One value a seed, in the last rows of one condition."""
    rows = rows[rows["end"]]
    for name, value in where.items():
        rows = rows[rows[name] == value]
    found = rows.set_index("seed")[column]
    assert found.index.is_unique
    assert len(found)
    return found.sort_index()


def chain(rows, source, arm, d=CODE, readout="residual", column="loss"):
    return final(rows, column, part="chains", source=source, readout=readout, arm=arm, d=d)


def rule(rows, arm, d=CODE, attend=True):
    return final(rows, part="rules", arm=arm, d=d, attend=attend)


def wolf(x, border):
    """Whether a mean lies near a border at which resampled units, with the mean put there, are supported in more than 6 %."""
    x, rng = np.asarray(x, float), np.random.default_rng(7)
    width = np.std(x, ddof=1) / math.sqrt(len(x))
    if x.mean() - border > width * sum(scipy.stats.t.ppf(q, len(x) - 1) for q in (0.975, 0.8)):
        return False
    drawn = rng.choice(x - x.mean(), (3000, len(x))) + border
    return np.mean([ends(y, 0.95)[0] > border for y in drawn]) > 0.06


def reached(x, y, level):
    """Where a curve, straight between its points, first reaches a level; nan when it never does."""
    for i, here in enumerate(y):
        if here >= level:
            if i == 0:
                return x[0]
            return x[i - 1] + (level - y[i - 1]) / (here - y[i - 1]) * (x[i] - x[i - 1])
    return math.nan


def narrowest(rows, source):
    """D over the width that recovers 99 % of what can be learned, a seed."""
    unigram, bayes = (chain(rows, source, "full", FULL, column=c) for c in ("unigram", "bayes"))
    mine = rows[rows["end"] & (rows["source"] == source) & (rows["readout"] == "residual") & (rows["arm"] == "learned")]
    table = mine.pivot(index="seed", columns="d", values="loss")
    table[FULL] = chain(rows, source, "full", FULL)
    share = (unigram.to_numpy()[:, None] - table.to_numpy()) / (unigram - bayes).to_numpy()[:, None]
    at = [reached([*table.columns], row, 0.99) for row in share]
    return FULL / np.nan_to_num(at, nan=FULL)


def narrowest_rule(rows):
    """The same on the rule task, of what the full width recovers there."""
    mine = rows[rows["end"] & (rows["part"] == "rules") & (rows["attend"] == True) & (rows["arm"] == "learned")]  # noqa: E712
    unigram = float(mine["unigram"].iloc[0])
    whole = rule(rows, "full", FULL)
    table = mine[mine["d"] < FULL].pivot(index="seed", columns="d", values="loss")
    share = (unigram - table.to_numpy()) / (unigram - whole.to_numpy())[:, None]
    at = [reached([*table.columns, FULL], [*row, 1.0], 0.99) for row in share]
    return FULL / np.array(at)


def steps(rows, source, arm):
    """Steps to nine tenths of what can be learned, a seed."""
    rows = rows[(rows["part"] == "chains") & (rows["source"] == source) & (rows["readout"] == "residual")]
    rows = rows[(rows["arm"] == arm) & (rows["d"] == CODE)]
    share = (rows["unigram"] - rows["loss"]) / (rows["unigram"] - rows["bayes"])
    return np.array(
        [
            reached(own["step"].tolist(), own["share"].tolist(), 0.9)
            for _, own in rows.assign(share=share).sort_values("step").groupby("seed")
        ]
    )


def excess(rows, source, d):
    return (
        chain(rows, source, "learned", d, "linear") - chain(rows, source, "learned", d, "linear", "bayes")
    ).to_numpy()


def learned(rows):
    gap = lambda source, a, b: chain(rows, source, a) - chain(rows, source, b)
    chains = ("pattern", "planted6", "dirichlet")
    found = {
        "E1": decided(
            *((gap(s, "learned", "seed_ae"), -INF, 0.02) for s in chains),
            (rule(rows, "learned") - rule(rows, "seed_ae"), -INF, 0.02),
        )
    }
    ratios = [*(narrowest(rows, s) for s in chains), narrowest_rule(rows)]
    found["E2"] = decided(*((np.log(x), math.log(10), INF) for x in ratios))
    two = gap("dirichlet", "trained_pca", "learned"), rule(rows, "trained_pca") - rule(rows, "learned")
    found["E3"] = UNDECIDED if any(wolf(x, 0.02) for x in two) else decided(*((x, 0.02, INF) for x in two))
    found["E5"] = decided(*((gap(s, "random", "learned"), 0.02, INF) for s in ("planted6", "dirichlet")))
    near = rule(rows, "full", FULL) - final(rows, "bayes", part="rules", arm="full", attend=True)
    works = one(near, -INF, 0.02, 1) == SUPPORTED
    found["E6"] = decided((rule(rows, "seed_ae") - rule(rows, "learned"), 0.02, INF)) if works else UNDECIDED
    slower = {s: [steps(rows, s, arm) for arm in ("seed_ae", "learned")] for s in ("pattern", "planted6")}
    all_there = SUPPORTED if np.isfinite(list(slower.values())).all() else REFUTED
    logs = [np.log2(a / b) for a, b in slower.values()]
    found["E4"] = together(all_there, *(one(x, 0.32, INF, 4) for x in logs))
    falls = [np.log(excess(rows, f"planted{r}", r - 1) / excess(rows, f"planted{r}", r)) for r in (2, 6, 12)]
    found["E7"] = decided(*((x, math.log(10), INF) for x in falls))
    extra = [
        chain(rows, s, "learned", column="bigram_kl") - chain(rows, s, "full", FULL, column="bigram_kl")
        for s in chains[1:]
    ]
    found["E9"] = decided(*((x, -INF, 0.02) for x in extra))
    return found


def limited(limits):
    def at(kind, arm, asked, column="loss"):
        return final(limits, column, part="limits", kind=kind, attend=True, arm=arm, asked=asked)

    tests, kept = [], []
    for kind in ("text", "genome"):
        whole, unigram = at(kind, "full", 1.0), at(kind, "full", 1.0, "unigram")
        for asked in (5.0, 20.0, 50.0):
            mine = at(kind, "learned", asked)
            tests += [(mine - at(kind, "seed_ae", asked), -INF, 0.02), (np.log(mine / whole), -INF, math.log(1.1))]
            kept.append(((unigram - mine) / (unigram - whole), 0.99, INF))
    size = limits[limits["part"] == "deployed"].set_index("arm")
    total = size["table"] + size["projection"]
    one_of = lambda holds: SUPPORTED if holds else REFUTED
    deployed = size["deployed"]
    return {
        "E8": decided(*tests),
        "E8b": decided(*kept),
        "E10": one_of(total["full width"] / total["learned"] > 9),
        "E10b": together(
            one_of(deployed["full width"] / deployed["learned"] > 10),
            one_of(deployed["two-stage, folded"] / deployed["learned"] > 1),
        ),
        "E11": one_of(
            (2 * deployed["full width"] - deployed["learned"]) / deployed["full width"] > 9
        ),  # caches are alike
    }


def test_the_book_s_verdicts_are_these(rows, limits, root):
    for name, mine in (("learned_encoding", learned(rows)), ("encoding_limits", limited(limits))):
        header = json.loads((root / "book" / "reference" / name / "reference.json").read_text())
        judged = {v.id: v for v in claims.judge(claims.of(name), header["quantities"]) if v.criterion == "precise"}
        told = {k: v.verdict for k, v in judged.items() if v.verdict != claims.words.AWAITING}
        assert told == mine


def test_the_instruments_work(rows):
    """The controls of the criteria, from the records."""
    for source in ("planted6", "dirichlet"):
        loss, unigram, bayes = (chain(rows, source, "full", FULL, column=c) for c in ("loss", "unigram", "bayes"))
        assert ends((unigram - loss) / (unigram - bayes), 0.95)[0] > 0.98
    flat = np.max([excess(rows, "dirichlet", r - 1) / excess(rows, "dirichlet", r) for r in (2, 6, 12)], axis=0)
    assert (flat < 2).all()
