"""What the second full run of Part I says beside its verdicts, once more from the records, and the sentences that it picks."""

import numpy as np
import pytest
from by_hand import INF, REFUTED, SUPPORTED, UNDECIDED, one
from test_rederived import EMERGENCE, GUIDED, PRIOR, TURNED, grid, masks, models, read, text_stretch, text_width

from helpers import prose, records
from helpers.dtdr import CHAPTERS, sentences
from helpers.sides import Sides

PICKED = {  # sentences that the committed runs pick, by the side of the border
    EMERGENCE: {"trainings": "above", "ahead_60": "below", "texts_jump": "above", "texts_jump_raw": "above"},
    GUIDED: {"renamed": "below", "from_itself": "below", "steadies": "below", "steadies_other": "above"},
}


@pytest.fixture(scope="module")
def arms(root):
    rows = read(root / "book" / "reference" / EMERGENCE)
    return rows[rows["part"] == "arms"]


@pytest.fixture(scope="module")
def priors(root):
    rows = read(root / "book" / "reference" / GUIDED)
    return rows[rows["part"] == "priors"]


def stepped(rows, at, rng):
    """The width that is read off texts that turn in one step, salad and language drawn from one mask's own: 8 masks."""
    table = grid(rows[rows["sense"].notna()], "sense", **TURNED)
    x, found = table.columns.to_numpy(), []
    for sense in table.to_numpy():
        made = np.where(x < at, rng.choice(sense[x <= 0.4], len(x)), rng.choice(sense[x >= 0.875], len(x)))
        made[-1] = sense[-1]
        found.append(text_stretch(x, made))
    return np.array(found)


def test_texts_can_refute_a_threshold_and_hardly_support_one(arms):
    """What D2's notes say of its test on texts: salad scatters, so texts that turn in one step look wider than that."""
    rng = np.random.default_rng(0)
    runs = [stepped(arms, at, rng) for at in (0.6, 0.7, 0.8) for _ in range(60)]
    told = [one(widths, -INF, 0.1, 2) for widths in runs]
    assert 0 < told.count(SUPPORTED) / len(told) < 1 / 3
    assert told.count(REFUTED) / len(told) < 0.03
    assert text_width(arms).mean() > max(widths.mean() for widths in runs)  # so the widths measured are no mere scatter


def test_a_fourth_training_would_decide_what_three_leave_open(priors):
    rows = priors
    copied = models(grid(rows, "share", **PRIOR, prior="leaked")[0.4])
    assert one(copied, 0.5, INF, 2) == UNDECIDED
    away = (copied.std(ddof=1) * 3**0.5 / 2) * np.array([1, 1, -1, -1])  # four of the same mean and scatter
    assert np.std(away, ddof=1) == pytest.approx(copied.std(ddof=1))
    assert one(copied.mean() + away, 0.5, INF, 2) == REFUTED


def test_what_the_second_run_says_beside_its_verdicts(priors):
    """Of D4's other seed and of a weak prior's steadiness, by formulas of their own."""
    rows = priors
    prior = lambda name, column="nll": grid(rows, column, **PRIOR, prior=name)
    for f in (0.2, 0.4, 0.6):
        assert one(masks((prior("aligned") - prior("other"))[f].dropna()), -INF, 0) == SUPPORTED  # renaming helps
    assert (
        one(masks((prior("aligned") - grid(rows, **TURNED))[0.4].dropna()), -0.05, INF) == REFUTED
    )  # as a control could

    def apart(table):
        table = table.unstack("seed").loc[["default-seed1", "default-seed2", "storyteller"]]
        rest = (table.sum(axis=1).to_numpy()[:, None] - table) / (table.shape[1] - 1)
        return (table - rest).abs().mean(axis=0).to_numpy()

    zero = apart(grid(rows, "entropy", **TURNED)[0.4])
    assert one(apart(prior("leaked", "entropy")[0.4]) - zero, -INF, 0) == SUPPORTED
    assert one(apart(prior("other", "entropy")[0.4]) - zero, -0.05, INF) == SUPPORTED
    kept = lambda **fill: masks((grid(rows, **(TURNED | fill)) - grid(rows, **TURNED))[0.6].dropna())
    assert one(kept(fill="guided", weight=0.15, prior="low_rank"), -INF, -0.05) == SUPPORTED
    assert one(kept(fill="gain"), -INF, -0.05) == SUPPORTED


def test_sentences_that_the_second_run_picks(root, monkeypatch):
    told = {}
    monkeypatch.setattr(prose, "glue", told.__setitem__)
    for name, part in ((EMERGENCE, "arms"), (GUIDED, "priors")):
        rows = CHAPTERS[name].frame(records.load(root / "book" / "reference" / name))
        names = PICKED[name]
        sentences.tell(Sides(rows[rows["part"] == part]), *names)
    assert {n: told[n] for names in PICKED.values() for n in names} == {
        n: sentences.TOLD[n][{"above": 2, "below": 3}[side]] for names in PICKED.values() for n, side in names.items()
    }
