"""Each quantity against a formula of its own, on frames that are small enough to check by hand."""

import dtdr_rows as made
import numpy as np
import pandas as pd
import pytest

from helpers.codec import fills
from helpers.dtdr import judged, kinds, models, regression, sentences
from helpers.dtdr import quantities as q
from helpers.dtdr.damage import Keep, Noise, Planes, Spoil
from helpers.dtdr.named import INDEPENDENT, SHARES


@pytest.fixture
def rows():
    return made.emergence(np.random.default_rng(0), gap=0.3)


def of(rows, at, **columns):
    """The plain way: a dictionary from mask to loss."""
    chosen = rows[np.logical_and.reduce([rows[k] == v for k, v in columns.items()])]
    return {r.seed: r.nll for r in chosen.itertuples() if abs(getattr(r, at[0]) - at[1]) < 1e-9}


def test_a_gap_is_a_difference_of_each_mask(rows):
    raw = of(rows, ("kept", 0.6), damage="keep", domain="identity")
    turned = of(rows, ("kept", 0.6), damage="keep", domain="hadamard")
    assert q.gap(q.TRANSFORMED, q.RAW, 0.6)(rows) == pytest.approx([turned[s] - raw[s] for s in range(made.MASKS)])
    assert q.loss(q.RAW, 0.6)(rows) == pytest.approx(list(raw.values()))
    assert q.rise(q.RAW, 0.6)(rows) == pytest.approx([v - made.WHOLE for v in raw.values()])
    assert len(q.gap(q.TRANSFORMED, Keep("identity", "rows"), 0.6)(rows)) == 0


def test_a_mask_without_its_pair_is_left_out_and_models_are_averaged(rows):
    other = rows[(rows["domain"] != "identity") | (rows["seed"] > 0)]
    assert len(q.gap(q.TRANSFORMED, q.RAW, 0.6)(other)) == made.MASKS - 1
    two = pd.concat([rows, rows.assign(model="n", nll=rows["nll"] + 2 * (rows["domain"] == "hadamard"))])
    assert q.gap(q.TRANSFORMED, q.RAW, 0.6)(two) == pytest.approx(q.gap(q.TRANSFORMED, q.RAW, 0.6)(rows) + 1)


def test_each_damage_has_a_level_of_its_own():
    rng, same = np.random.default_rng(0), lambda level: float(level)
    damages = (Keep(), Spoil("hadamard"), Planes("hadamard"), Noise("row"), Noise("entry"))
    rows = q.frame(pd.DataFrame([r for d in damages for r in made.rows(d, [1.0], same, rng, scatter=0)]))
    assert rows[list(q.LEVELS)].notna().sum(axis=1).eq(1).all()
    for damage in damages:
        assert q.loss(damage, 1.0)(rows) == pytest.approx([1.0] * made.MASKS)
    assert rows["sent"].dropna().unique() == pytest.approx([1.0, 0.125])


def test_thresholds_of_a_straight_line_are_where_they_must_be():
    rows = made.emergence(np.random.default_rng(0), scatter=0)
    assert q.reach(q.RAW, 0.5)(rows) == pytest.approx([0.5] * made.MASKS)
    assert q.width(q.RAW)(rows) == pytest.approx([0.8] * made.MASKS)
    assert np.isnan(q.reach(q.RAW, 0.5)(rows[rows["kept"] < 0.4])).all()


def test_function_is_the_worst_of_all_shares_up_to_a_fifth():
    rows = made.emergence(np.random.default_rng(0), scatter=0)
    found = judged.of(rows, "d1")
    assert found["d1_kl"] == pytest.approx([made.curve(0.2) - made.WHOLE] * made.MASKS)
    assert found["d1_top1"] == pytest.approx([0.2**4] * made.MASKS)


def told(sense):
    levels = (0.2, 0.6, 0.8, 1.0)
    made_rows = [r for f in levels for r in made.rows(Keep(), [f], made.curve, np.random.default_rng(0), masks=1)]
    return q.frame(pd.DataFrame(made_rows).assign(text="a story", sense=sense))


def test_readable_is_the_share_from_which_on_every_text_is_likely():
    assert q.readable(q.TRANSFORMED)(told([5.0, 0.4, 0.8, 0.4])) == pytest.approx([0.6])
    assert q.readable(q.TRANSFORMED)(told([0.5, 0.4, 2.0, 0.4])) == pytest.approx([1.0])
    assert q.readable(q.TRANSFORMED)(told([0.5, np.nan, 0.4, 0.4])) == pytest.approx([0.8])
    assert len(q.readable(q.RAW)(told([5.0, 0.4, 0.8, 0.4]))) == 0


def test_a_whole_model_that_ends_at_once_has_no_threshold_of_reading():
    """Its text with everything kept is empty: once an IndexError, minutes into a run."""
    found = q.readable(q.TRANSFORMED)(told([5.0, 0.4, 0.8, np.nan]))
    assert len(found) == 1
    assert np.isnan(found).all()
    assert len(q.own_text(told([5.0, 0.4, 0.8, np.nan]))) == 0


def test_what_truncation_costs_more_comes_out_with_its_sign():
    """Between two shares of spoiled codes the loss is read off a line, so what is compared is the change."""
    at = lambda more: kinds.signed(made.emergence(np.random.default_rng(0), scatter=0, spoiled=more))
    assert at(0.4) - at(0.0) == pytest.approx([0.4] * made.MASKS)
    assert kinds.difference(made.emergence(np.random.default_rng(0), spoiled=-0.9)).mean() > 0.5
    assert abs(kinds.difference(made.emergence(np.random.default_rng(0), scatter=0.2)).mean()) < 0.2


def test_corruption_is_measured_against_the_whole_store():
    rows = made.emergence(np.random.default_rng(0))
    found = judged.of(rows, "d8")
    spoiled, whole = (
        of(rows, ("spoiled", 0.001), damage="spoil", domain="hadamard"),
        of(rows, ("kept", 1.0), damage="keep", domain="hadamard"),
    )
    assert found["d8_loss_increase"] == pytest.approx([spoiled[s] - whole[s] for s in range(made.MASKS)])
    assert set(judged.of(rows[rows["domain"] != "identity"], "d8")) == {"d8_loss_increase"}


def test_truncation_is_compared_share_by_share_and_only_where_corruption_reached():
    rows = made.emergence(np.random.default_rng(0), scatter=0)
    shares, found = kinds.by_share(rows[(rows["spoiled"] < 0.2) | rows["kept"].notna()])
    assert list(shares) == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    assert np.isnan(found[:, :4]).all()
    assert np.isfinite(found[:, 4:]).all()
    assert kinds.turned(np.array([1.0, -2.0, 4.0])) == pytest.approx([1.0, -2.0, -4.0])


def test_a_model_is_a_unit_where_the_claim_is_about_models():
    two = made.emergence(np.random.default_rng(0), gap=1.0, scatter=0, models=2)
    assert models.gap(q.TRANSFORMED, q.RAW, 0.8)(two) == pytest.approx([1.0, 1.0])
    assert models.silence(two) == pytest.approx([1 / (made.NOTHING - made.WHOLE)] * 2)
    assert {k: len(v) for k, v in judged.of(two, "d1", "d5").items()} == {
        **dict.fromkeys(("d1_kl", "d1_top1", "d1_kl_raw", "d1_top1_raw"), made.MASKS),
        **dict.fromkeys(("d5_transform_minus_raw_0.6", "d5_transform_minus_raw_0.8"), made.MASKS),
        "d5_share_gap": 2,
    }


def test_masks_lie_apart_by_their_distance_from_the_mean_of_the_others():
    rows = made.guided(np.random.default_rng(0), 0.0, 0.0)
    own = rows[(rows["fill"] == "random") & np.isclose(rows["kept"], 0.4)]
    wanted = []
    for seed in range(made.MASKS):
        others = own[own["seed"] != seed].groupby("model")["entropy"].mean()
        wanted.append((own[own["seed"] == seed].set_index("model")["entropy"] - others).abs().mean())
    assert judged.apart(Keep(fill="random"), 0.4)(rows) == pytest.approx(wanted)


def test_mixing_is_a_signed_difference_off_the_common_curve():
    rng = np.random.default_rng(0)
    assert abs(regression.mixing(regression.points(made.emergence(rng))).mean()) < 0.05
    rows = made.emergence(rng, gap=0.5)
    assert 0.05 < regression.mixing(regression.points(rows)).mean() < 0.5
    assert len(regression.mixing(regression.points(rows[rows["domain"] != "hadamard"]))) == made.MASKS
    assert not len(regression.mixing(regression.points(rows[~rows["domain"].isin(("hadamard", "dct"))])))


def test_the_domain_is_found_where_it_matters_and_not_where_it_does_not():
    rng = np.random.default_rng(0)
    assert regression.p_domain(regression.points(made.emergence(rng, gap=1.0, scatter=0.01))) < 0.05
    assert regression.p_domain(regression.points(made.emergence(rng, scatter=0.3))) > 0.05
    spread = regression.spread(made.emergence(rng, scatter=0))
    assert spread["all"] == pytest.approx(0, abs=1e-9)


def test_guided_pairs_the_tuned_model_with_its_own_zero_fill():
    rows = made.guided(np.random.default_rng(0), help_by=0.7, harm_by=0.2)
    rows = rows[rows["model"] == "m"]
    child = rows[(rows["prior"] == "before") | (rows["fill"] == "zero")].assign(model="tuned")
    child["nll"] += 10.0  # another model, another loss
    rows = pd.concat([rows[rows["prior"] != "before"], child], ignore_index=True)
    found = judged.guided(rows)["d4_independent_minus_zero"]
    plain = [q.gap(p, q.TRANSFORMED, f)(rows) for p in INDEPENDENT for f in SHARES]
    assert found == pytest.approx(np.mean(plain, axis=0))
    assert abs(np.mean(found) + 0.7) < 0.1
    unguided = ("random_minus_zero", "entropy_apart", "repetition_apart", "prompts_apart")
    assert set(judged.guided(rows[rows["prior"] == ""])) == {f"d3_{what}_{f}" for what in unguided for f in (0.4, 0.6)}


def test_the_best_weight_and_its_gain():
    rng, fill = np.random.default_rng(0), lambda b: Keep(fill="guided", prior="other", weight=b)
    rows = made.rows(Keep(), [0.4], made.curve, rng, scatter=0)
    for b, gain in ((0.15, 0.1), (0.6, 0.5), (1.0, -0.2)):
        rows += made.rows(fill(b), [0.4], lambda f, g=gain: made.curve(f) - g, rng, scatter=0)
    frame = q.frame(pd.DataFrame(rows))
    assert q.best("other", 0.4)(frame) == pytest.approx((-0.5, 0.6))
    assert np.isnan(q.best("absent", 0.4)(frame)).all()


def test_a_prior_is_worth_its_loss_minus_zero_fills_at_the_same_cosine():
    rng, fill = np.random.default_rng(0), Keep(fill="guided", prior="other", weight=0.6)
    rows = made.rows(Keep(), [0.2, 0.4, 0.6, 0.8], made.curve, rng, scatter=0)
    rows += made.rows(fill, [0.4, 0.6], lambda f: made.curve(f) - 0.25, rng, scatter=0)
    rows += made.rows(fill, [0.9], lambda f: 0.0, rng, scatter=0)  # past zero fill's cosines: does not count
    frame = q.frame(pd.DataFrame(rows))
    assert q.worth("other", weight=0.6)(frame) == pytest.approx([-0.25] * made.MASKS)
    assert not len(q.worth("other")(frame))  # another weight than the one that was tried


def test_predictions_are_those_of_arithmetic():
    rng, fill = np.random.default_rng(0), Keep(fill="guided", prior="other", weight=0.6)
    rows = made.rows(Keep(), [0.4], made.curve, rng) + made.rows(fill, [0.4], made.curve, rng)
    rows += made.rows(Keep(fill="guided", prior="unknown", weight=0.6), [0.4], made.curve, rng)
    points = q.predictions(q.frame(pd.DataFrame(rows)), {"other": (0.3, 2.0)})
    assert set(points["prior"]) == {"", "other"}
    assert points[points["prior"] == ""]["predicted"].to_numpy() == pytest.approx(0.4**0.5)
    wanted = fills.cosine(0.4, "guided", weight=0.6, rho=0.3, ratio=2.0)
    assert points[points["prior"] == "other"]["predicted"].to_numpy() == pytest.approx(wanted)


def test_falls_are_counted():
    rows = q.frame(pd.DataFrame(made.rows(Keep(), [0.1, 0.2, 0.3, 0.4], made.curve, np.random.default_rng(0), masks=1)))
    rows["cosine_last"] = [0.3, 0.1, 0.095, 0.9]
    assert q.falls(Keep(), "cosine_last")(rows).tolist() == [1]


@pytest.mark.parametrize("part", [lambda rng: made.emergence(rng, models=3), lambda rng: made.guided(rng, 1, 1)])
def test_every_quantity_goes_by_masks_where_some_damages_were_tried_by_fewer(part):
    """At full scale 48 masks try what is judged and 12 the rest: any damage may be the one with fewer."""
    rows = part(np.random.default_rng(0)).assign(rep4=0.5, rep4_apart=0.5, cosine_last=0.5, top10=5.0)
    rows = rows.assign(sense=10 - 8 * rows["kept"])
    damages = ["damage", "domain", "order", "fill", "prior"]
    named = {f"number {k}": v[0] for k, v in q.NUMBERS.items()} | {f"told {k}": v[0] for k, v in sentences.TOLD.items()}
    for name in ("told deeper", "told below_nothing"):  # of other frames: a row a model, and outliers alone
        del named[name]

    def all_of(rows):
        return {k: np.asarray(quantity(rows), float) for k, quantity in named.items()} | {
            k: np.asarray(v, float) for k, v in judged.of(rows, *(f"d{i}" for i in range(1, 11)), "d5b").items()
        }

    whole = all_of(rows)
    measured = 0
    for _, own in [*rows.fillna(dict.fromkeys(damages, "")).groupby(damages)][::4]:
        uneven = rows.drop(own.index[own["seed"] >= 2])
        for name, values in all_of(uneven).items():
            assert len(values) <= max(len(whole[name]), 1), name
            measured += len(values) not in (0, len(whole[name]))
    assert measured > 4  # some quantities did lose masks
