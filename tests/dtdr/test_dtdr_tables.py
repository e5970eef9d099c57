"""The tables of Part I against the quantities they are made of."""

import dtdr_rows as made
import numpy as np
import pandas as pd
import pytest

from helpers import frames
from helpers.dtdr import quantities as q
from helpers.dtdr import tables
from helpers.dtdr.config import CAUSES, DOMAINS, FURTHER, SHARES
from helpers.dtdr.damage import Keep
from helpers.dtdr.named import SHARES as NAMED


@pytest.fixture
def rows():
    return made.emergence(np.random.default_rng(0), gap=0.3)


def test_the_tables_know_every_damage_that_the_chapters_try():
    from helpers.dtdr import figures

    turned = Keep("hadamard", "rows")  # what it loses is what raw rows lose, and one curve draws both
    assert set(figures.LOOK) == set(DOMAINS) - {turned}
    assert set(FURTHER) < set(tables.PATTERNS)
    assert set(CAUSES) == set(tables.ERRORS)
    assert SHARES == NAMED


def test_a_summary_leaves_out_what_was_not_tried(rows):
    table = tables.means(rows, {q.RAW: "raw", Keep("identity", "rows"): "rows"})
    assert table["lost"].tolist() == ["raw"]
    assert table["loss at 0.6"][0] == pytest.approx(q.loss(q.RAW, 0.6)(rows).mean())
    assert table["f90 − f10"][0] == pytest.approx(q.width(q.RAW)(rows).mean())


def test_against_zero_subtracts_the_same_mask_of_the_same_model():
    rows = made.guided(np.random.default_rng(0), help_by=0.5, harm_by=0.1)
    rows = pd.concat([rows, rows.assign(model=rows["model"] + "2", nll=rows["nll"] + 3)], ignore_index=True)
    table = tables.against_zero(rows)
    assert frames.rows(table, weight=0.0)["gain"].to_numpy() == pytest.approx(0)
    for prior in ("leaked", "earlier", "before"):
        fill = Keep(fill="guided", prior=prior, weight=0.15)
        wanted = q.gap(fill, q.TRANSFORMED, 0.4)(rows)
        chosen = frames.rows(table, prior=prior, weight=0.15, kept=0.4)
        assert chosen.groupby("seed")["gain"].mean().to_numpy() == pytest.approx(wanted)


def test_the_dose_counts_masks_that_all_sizes_have(rows):
    more = rows[rows["seed"] < 4].assign(outliers=32.0, nll=rows["nll"] + 2 * (rows["domain"] == "hadamard"))
    both = pd.concat([rows, more], ignore_index=True)
    table = tables.dose(both)
    assert table.groupby("outliers")["seed"].nunique().to_dict() == {1.0: 4, 32.0: 4}
    lost = table.groupby("outliers")["lost"].mean()
    assert lost[32.0] - lost[1.0] == pytest.approx(2)
    assert [tables.end("lost", "outliers", at)(table).tolist() for at in (0, -1)] == [[lost[1.0]], [lost[32.0]]]
    assert not len(tables.end("lost", "outliers", -1)(table.iloc[:0]))
    assert not len(tables.dose(rows))


def test_rungs_keep_what_a_model_is(rows):
    ladder = pd.concat(
        [rows.assign(model=f"d{d}", depth=d, width=8, parameters=d, model_seed=1) for d in (2, 4)], ignore_index=True
    )
    table = tables.rungs(ladder)
    assert set(table["depth"]) == {2, 4}
    assert len(table) == 4
    assert frames.rows(table, **q.RAW.columns)["f50"].to_numpy() == pytest.approx(q.reach(q.RAW, 0.5)(rows).mean())
    assert list(tables.rungs(rows.iloc[:0]).columns) == list(table.columns)


def test_worths_name_the_helpful_priors():
    rows = made.guided(np.random.default_rng(0), help_by=0.5, harm_by=0.1)
    table = tables.worths(rows, {"leaked": (0.9, 1.5)}, 0.4)
    assert table["prior"].tolist() == [tables.PRIORS[p] for p in ("leaked", "earlier", "before", "other")]
    assert table["b* predicted"][0] == pytest.approx(0.6)
    assert np.isnan(table["b* predicted"][1])
    assert tables.helpful(table).count(";") == 2
    worse = made.guided(np.random.default_rng(0), help_by=-0.5, harm_by=0)
    assert tables.helpful(tables.worths(worse, {}, 0.4)) == "none"


def test_what_turned_is_what_only_the_second_row_supports():
    """One run's two rows: what the reference says of the first set of weights is another sample of masks."""
    table = pd.DataFrame(
        [
            {"weights": "a", "masks": 3, "D1": "supported", "D2": "refuted", "D5": "undecided", "D6": "supported"},
            {"weights": "b", "masks": 5, "D1": "supported", "D2": "supported", "D5": "refuted", "D6": "supported"},
        ]
    )
    assert tables.turned(table) == "D2"
    assert tables.turned(table.iloc[:1]) == "none"
