"""Every verdict of Part I once more, from the committed records, by formulas of its own: what the criteria's texts say, in
plain pandas, with neither the book's quantities nor its statistics nor its judge.
"""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from by_hand import INF, MIXED, REFUTED, SUPPORTED, UNDECIDED, decided, one, together

from helpers import claims

EMERGENCE, DAMAGE, MODELS, GUIDED = "dtdr_emergence", "dtdr_damage", "dtdr_models", "dtdr_guided"
MASKS = {EMERGENCE: 48, DAMAGE: 12, MODELS: 12, GUIDED: 48}  # planned by the criteria
WRITING = 8  # of texts at every share
MARK = {"damage": "keep", "order": "iid", "protect": False, "fill": "zero"}
TURNED, PLAIN = MARK | {"domain": "hadamard"}, MARK | {"domain": "identity"}
PRIOR = TURNED | {"fill": "guided", "weight": 0.15}


def read(folder):
    """A reference's records as rows, straight from the file: of the planned masks, and of the published corruption."""
    lines = gzip.decompress((folder / "records.jsonl.gz").read_bytes()).decode().splitlines()
    made = [r["metadata"] | row for r in map(json.loads, lines) for row in r["metrics"]]
    rows = pd.DataFrame(made).assign(share=lambda d: (d["nothing"] - d["nll"]) / (d["nothing"] - d["intact"]))
    rows = rows[rows["seed"] < MASKS.get(folder.name, 12)]
    return rows[rows["mode"] != "byte"] if "mode" in rows else rows


@pytest.fixture(scope="module")
def books(root):
    top = root / "book" / "reference"
    places = (EMERGENCE, DAMAGE, MODELS, f"{DAMAGE}/stories260K", f"{DAMAGE}/novels", GUIDED)
    return {name.rpartition("/")[2]: read(top / name) for name in places}


@pytest.fixture(scope="module")
def arms(books):
    """Rows of two trainings of one size."""
    return books[EMERGENCE][books[EMERGENCE]["part"] == "arms"]


@pytest.fixture(scope="module")
def damaged(books):
    """The same of the chapter on damage."""
    return books[DAMAGE][books[DAMAGE]["part"].isin(("arms", "damage", "collapse"))]


def grid(rows, column="nll", by="kept", **where):
    """One damage: a row a (model, mask), a column a level."""
    for name, value in where.items():
        rows = rows[rows[name] == value]
    rows = rows[rows[by].notna()]
    return rows.assign(level=rows[by].round(6)).pivot(index=["model", "seed"], columns="level", values=column)


def masks(values):
    return values.groupby("seed").mean().to_numpy()


def models(values):
    return values.groupby("model").mean().to_numpy()


def others(values):
    """In the direction of the mean of the rest."""
    return np.array([v * np.sign(np.delete(values, i).mean()) for i, v in enumerate(values)])


def before(*tests):
    """By the rules of an earlier criterion: 95 % for all, and one outside refutes."""
    found = [one(x, low, high) for x, low, high in tests]
    return REFUTED if REFUTED in found else together(*found)


def falling(x, y):
    """The falling function of x that is nearest to y in least squares, by pooling neighbours that rise; at every x."""
    order = np.argsort(x)
    pools = []  # [sum, count]
    for value, group in pd.Series(y[order]).groupby(x[order], sort=True):
        del value
        pools.append([group.sum(), len(group)])
        while len(pools) > 1 and pools[-1][0] / pools[-1][1] > pools[-2][0] / pools[-2][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    fitted = np.concatenate([np.full(n, total / n) for total, n in pools])
    out = np.empty(len(x))
    out[order] = fitted
    return out


def leftover(rows):
    """Loss off the common curve of a model: domains, fills and shares of the data collapse."""
    where = {"damage": "keep", "order": "iid", "protect": False}
    chosen = rows[np.logical_and.reduce([rows[k] == v for k, v in where.items()])]
    chosen = chosen[chosen["kept"].round(6).isin((0.2, 0.4, 0.6, 0.7, 0.8, 0.9))]
    chosen = chosen[chosen["domain"].isin(("identity", "hadamard", "dct", "permutation"))]
    away = [own["nll"] - falling(own["cosine"].to_numpy(), own["nll"].to_numpy()) for _, own in chosen.groupby("model")]
    return chosen.assign(away=pd.concat(away))


def mixing(rows):
    chosen = leftover(rows).assign(mixed=lambda d: d["domain"].isin(("hadamard", "dct")))
    table = chosen.pivot_table("away", ["model", "seed"], "mixed")
    return masks(table[True] - table[False])


def beside_noise(rows):
    shares = [0.2, 0.4, 0.6, 0.7, 0.8, 0.9]
    noise = grid(rows, by="energy", damage="noise", per="row")
    return masks((grid(rows, **TURNED)[shares] - noise[shares]).mean(axis=1))


def p_of_names(rows):
    """Two-sided over four domains: names change places within a mask."""
    table = leftover(rows).pivot_table("away", "seed", "domain").to_numpy()
    rng, seen = np.random.default_rng(5), (table.mean(0) ** 2).sum()
    drawn = [(rng.permuted(table, axis=1).mean(0) ** 2).sum() for _ in range(1999)]
    return (1 + np.sum(np.array(drawn) >= seen)) / 2000


def truncation(rows):
    """Truncation minus corruption at equal cosine, a row a (model, mask): interpolated in each model, then averaged."""
    cut = {c: grid(rows, c, **TURNED) for c in ("nll", "cosine")}
    hit = {c: grid(rows, c, "spoiled", damage="spoil", domain="hadamard") for c in ("nll", "cosine")}
    out = pd.DataFrame(index=cut["nll"].index, columns=[0.8, 0.9, 0.95], dtype=float)
    for unit in out.index.intersection(hit["nll"].index):
        cosine, loss = hit["cosine"].loc[unit].to_numpy()[::-1], hit["nll"].loc[unit].to_numpy()[::-1]
        for f in out.columns:
            at = cut["cosine"].loc[unit, f]
            if cosine[0] <= at:
                out.loc[unit, f] = cut["nll"].loc[unit, f] - np.interp(at, cosine, loss)
    return out


def stretch(x, share):
    """From a tenth to nine tenths of the way, along the rising curve, straight between the points."""
    rising = -falling(x, -share)
    at = [np.interp(0, (rising - level)[i - 1 : i + 1], x[i - 1 : i + 1]) for level in (0.1, 0.9)
          for i in [int(np.argmax(rising >= level))]]  # fmt: skip
    return at[1] - at[0]


def text_stretch(x, sense):
    """The same of texts: from salad, which they are with up to a third kept, to the last of them."""
    salad = sense[x < 1 / 3].mean()
    return stretch(x, (salad - sense) / (salad - sense[-1]))


def width(rows):
    """From a tenth to nine tenths of the loss, along the rising curve of a mask, straight between shares."""
    found = []
    for _, row in grid(rows, "share", **TURNED).groupby("seed").mean().iterrows():
        found.append(stretch(row.index.to_numpy(), row.to_numpy()))
    return np.array(found)


def text_width(rows):
    """The same from salad, which texts are with up to a third kept, to language, what the complete store's are."""
    found = []
    for _, row in grid(rows[rows["sense"].notna()], "sense", **TURNED).groupby("seed").mean().iterrows():
        found.append(text_stretch(row.index.to_numpy(), row.to_numpy()))
    return np.array(found)


def spoilt(rows, domain):
    """What one spoiled code in a thousand costs a store."""
    whole = grid(rows, **(TURNED | {"domain": domain}))[1.0]
    return grid(rows, by="spoiled", damage="spoil", domain=domain)[0.001] - whole


@pytest.fixture(scope="module")
def ledger(root):
    """{(claim, criterion): verdict} by the book's judge, on what the references' headers say."""
    out = {}
    for name in (EMERGENCE, DAMAGE, MODELS, GUIDED):
        header = json.loads((root / "book" / "reference" / name / "reference.json").read_text())
        for v in claims.judge(claims.of(name), header["quantities"]):
            out[v.id, v.criterion.partition(" ")[0]] = v.verdict
    return out


def test_too_few_coefficients(arms, ledger):
    few = lambda column: grid(arms, column, **TURNED)[[0.1, 0.2]].groupby("seed").mean()
    tests = ((few("kl").min(axis=1).to_numpy(), 1, INF), (few("top1").max(axis=1).to_numpy(), -INF, 0.5))
    assert decided(*tests) == ledger["D1", "precise"] == SUPPORTED
    assert before(*tests) == ledger["D1", "earlier"]
    raw = grid(arms, "kl", **PLAIN)[[0.1, 0.2]].groupby("seed").mean().min(axis=1)
    assert decided((raw.to_numpy(), 1, INF)) == SUPPORTED  # raw weights are as silent


def test_the_threshold(arms, ledger):
    texts = text_width(arms)
    assert len(texts) == WRITING
    assert decided((width(arms), -INF, 0.1), (texts, -INF, 0.1)) == ledger["D2", "precise"] == REFUTED
    assert before((width(arms), -INF, 0.1)) == ledger["D2", "earlier"]


def test_random_numbers(books, ledger):
    rows = books[GUIDED][books[GUIDED]["part"] == "priors"]
    noise = TURNED | {"fill": "random"}
    gap = (grid(rows, **noise) - grid(rows, **TURNED)[[0.2, 0.4, 0.6]]).dropna()
    away = []
    for column in ("entropy", "rep4"):
        for f in (0.4, 0.6):
            table = grid(rows, column, **noise)[f].unstack("seed").dropna(how="all")
            rest = (table.sum(axis=1).to_numpy()[:, None] - table) / (table.shape[1] - 1)
            away.append((table - rest).abs().mean(axis=0).to_numpy())
    away += [masks(grid(rows, "rep4_apart", **noise)[f].dropna()) for f in (0.4, 0.6)]
    losses = [masks(gap[f]) for f in (0.4, 0.6)]
    found = decided(*((x, 0.05, INF) for x in losses), *((x, -INF, 0.25) for x in away))
    assert found == ledger["D3", "precise"]
    assert [one(x, 0.05, INF) for x in losses] == [SUPPORTED] * 2
    assert before(*((x, 0, INF) for x in losses)) == ledger["D3", "earlier"] == SUPPORTED


def test_guided_fill(books, ledger):
    rows = books[GUIDED][books[GUIDED]["part"] == "priors"]
    zero = grid(rows, **TURNED)[[0.2, 0.4, 0.6]]
    share = grid(rows, "share", **PRIOR, prior="leaked")
    gap = lambda prior, f: masks((grid(rows, **PRIOR, prior=prior) - zero)[f].dropna())
    relative = [(gap("earlier", f), -INF, -0.05) for f in (0.2, 0.4, 0.6)]
    found = decided((masks(share[0.4]), 0.1, INF), (masks(share[0.6]), 0.5, INF), *relative)
    assert [one(gap("other", f), -0.05, INF) for f in (0.2, 0.4, 0.6)] == [SUPPORTED] * 3  # the control
    assert found == ledger["D4", "precise"]
    both = [gap(prior, f) for prior in ("earlier", "before") for f in (0.2, 0.4, 0.6)]
    independent = np.mean([values[: len(both[-1])] for values in both], axis=0)  # the second was tried by fewer masks
    old = [gap("leaked", f) for f in (0.2, 0.4, 0.6)] + [independent]
    assert before(*((x, -INF, 0) for x in old)) == ledger["D4", "earlier"] == SUPPORTED


def test_unsolvable_becomes_solvable(books, ledger):
    rows = books[GUIDED][books[GUIDED]["part"] == "priors"]
    copied = models(grid(rows, "share", **PRIOR, prior="leaked")[0.4])
    zero = grid(rows, "share", **TURNED)[0.4].drop("storyteller-tuned", level="model")
    assert len(copied) == len(models(zero)) == 3
    assert decided((models(zero), -INF, 0.1), (copied, 0.5, INF)) == ledger["D9", "precise"]


def test_functional_and_not(books, ledger):
    rows = books[MODELS][books[MODELS]["part"].isin(("arms", "ladder"))]
    share = (grid(rows, "share", **PLAIN) - grid(rows, "share", **TURNED)).groupby("model").mean()
    assert len(share) == 18
    assert decided((share[[0.6, 0.7, 0.8]].max(axis=1).to_numpy(), 0.25, INF)) == ledger["D5", "precise"] == REFUTED
    gap = grid(rows, **TURNED) - grid(rows, **PLAIN)
    assert decided(*((models(gap[f]), 0.05, INF) for f in (0.8, 0.9))) == ledger["D5b", "precise"]
    own = rows[rows["part"] == "arms"]
    old = grid(own, **TURNED) - grid(own, **PLAIN)
    assert before(*((masks(old[f]), 0.05, INF) for f in (0.6, 0.8))) == ledger["D5", "earlier"] == UNDECIDED


def test_kinds_of_damage(books, damaged, ledger):
    own = truncation(damaged)
    tests = [one(others(masks(own[f])), 0.05, INF, 4) for f in (0.8, 0.9, 0.95)]
    signs = [*np.sign(own.mean(axis=1).groupby("model").mean())]
    for name in ("stories260K", "novels"):
        rows = books[name][books[name]["part"].isin(("arms", "damage"))]
        signs.append(np.sign(truncation(rows).mean(axis=1).mean()))
    assert len(signs) == 5
    same = SUPPORTED if len(set(signs)) == 1 else REFUTED
    assert together(*tests, same) == ledger["D6", "precise"] == MIXED
    assert before((others(masks(own.mean(axis=1))), 0.05, INF)) == ledger["D6", "earlier"] == SUPPORTED


def test_one_curve_for_all(damaged, ledger):
    """Its instrument is coarse: with no effect at all neither test would be outside. That forbids a support; a refutation it
    does not, for a planted effect is not refuted, and means go where the effect is."""
    found = [mixing(damaged), beside_noise(damaged)]
    planted, absent = ([one(x - x.mean() + at, 0.05, INF, 2) for x in found] for at in (0.3, 0.0))
    assert (*planted, *absent) == (SUPPORTED, SUPPORTED, UNDECIDED, UNDECIDED)
    assert decided(*((x, 0.05, INF) for x in found)) == ledger["D7", "precise"] == REFUTED
    assert p_of_names(damaged) > 0.05
    assert ledger["D7", "earlier"] == UNDECIDED


def test_corruption(damaged, ledger):
    rise, plain = spoilt(damaged, "hadamard"), spoilt(damaged, "identity")
    assert decided((masks(rise), -INF, 0.05)) == ledger["D8", "precise"] == SUPPORTED
    assert before((masks(rise), -INF, 0.05), (masks(rise - plain), -INF, 0)) == ledger["D8", "earlier"]
    assert decided((masks(rise - plain), -INF, -0.01)) == ledger["D10", "precise"] == REFUTED


def test_the_numbers_are_those_of_the_header(root, arms, damaged):
    header = lambda name: json.loads((root / "book" / "reference" / name / "reference.json").read_text())["quantities"]
    known = header(EMERGENCE) | header(DAMAGE)
    close = lambda name, values, **how: np.testing.assert_allclose(
        values, known[name][: MASKS[DAMAGE if name[:2] != "d2" else EMERGENCE]], err_msg=name, **how
    )
    close("d2_width", width(arms), rtol=1e-3)
    close("d2_text_width", text_width(arms), rtol=1e-3)
    close("d7_mixing_minus_raw", mixing(damaged), atol=1e-4)
    close("d7_hadamard_minus_even", beside_noise(damaged), atol=1e-4)
    close("d8_loss_increase", masks(spoilt(damaged, "hadamard")), atol=2e-5)
    for f in (0.8, 0.9, 0.95):  # averaged before and after the interpolation: not the same to the last digit
        close(f"d6_difference_{f:g}", others(masks(truncation(damaged)[f])), atol=0.02)


def test_no_verdict_is_left_out(ledger):
    tried = {"D1", "D2", "D3", "D4", "D5", "D5b", "D6", "D7", "D8", "D9", "D10"}
    assert {name for name, _ in ledger} == tried
    assert {name for name, kind in ledger if kind == "earlier"} == tried - {"D5b", "D9", "D10"}
