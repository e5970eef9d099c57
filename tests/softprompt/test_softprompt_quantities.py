"""From rows to what claims name: the document's rule, the best restart, areas, and known answers that are told apart."""

import numpy as np
import pandas as pd
import pytest
import scipy

from helpers import claims
from helpers.softprompt import CHAPTERS, curves, quantities, sweeps
from helpers.softprompt.quantities import auc

STUDY = CHAPTERS["joint_qa"]
SIDED = ("loss", "exact", "forced", "overlap", "margin")


def rows(pairs=220, seed=0):
    """A ledger of made-up pairs: baselines of 4 nats; a joint content of two starts, the second better; one in ten fails."""
    rng, out = np.random.default_rng(seed), []
    for i in range(pairs):
        common = {"experiment": "joint_qa", "seed": i, "condition": "c", "k": 32, "family": "who", "known": False}
        base = {"random_q": 4.0, "random_a": 4.0, "context_a": 1.0, "bits_q": 30.0, "bits_a": 10.0}
        out.append(common | {"part": "baseline", "kind": "baseline", "step": 0} | base)
        right = float(i % 10 != 0)

        def content(part, k, step, q, a, exact, i=i, common=common):
            row = {"part": part, "k": k, "step": step, "loss_q": q, "loss_a": a, "second_q": 1.0, "health": "healthy"}
            row |= {f"{n}_{s}": exact for n in SIDED[1:] for s in ("q", "a")}
            return (
                common | row | {"met": 5.0, "solved": 50.0 + i if exact else np.nan, "met_exact": 0.0, "together": 0.1}
            )

        low = 0.05 + 0.01 * rng.random()
        out += [content("joint", 32, 0, 0.6, 0.6, 0.0), content("joint", 32, 1, low, low, right)]
        out.append(content("half", 2, 0, 0.5, 0.9 + 0.2 * (i % 4 == 0), float(i % 2)))
        out += [content(part, 32, 0, 5.0, 5.0, 0.0) for part in ("random", "other", "untrained", "shift")]
        out += [content("single", k, 0, 0.2, 2.1, right if k == 8 else float(i % 2)) for k in (1, 2, 8)]
        out.append(content("untrained single", 8, 0, 3.0, 1.0, 0.0) | {"exact_a": 1.0, "forced_a": 1.0})
        for kind, loss in (("own", 2.0), ("another pair's", 2.5), ("not optimised", 4.0)):
            out.append(common | {"part": "transfer", "kind": kind, "k": 8, "step": 0, "loss_a": loss})
    return STUDY.frame(pd.DataFrame(out))


def test_the_documents_rule_by_hand():
    found = rows(3)
    joint = found[found["part"] == "joint"]
    assert joint["rule"].tolist() == [1.0] * 6  # 0.6 < 0.3 · 4
    single = found[(found["part"] == "single") & (found["k"] == 8)]
    assert single["rule_q"].tolist() == [1.0] * 3
    assert single["rule_a"].tolist() == [0.0] * 3  # 2.1 is neither below 1.2 nor below 2 · 1.0
    assert (joint["ratio_q"] - joint["loss_q"] / 4).abs().max() < 1e-12


def test_every_quantity_by_hand():
    found = quantities.joint(rows(40))
    share = lambda name: np.mean(found[name])
    assert share("m1_exact_q") == share("m2_exact_both") == 0.9
    assert share("m1_converged_a") == 0
    assert share("m2_exact_both_at_k50") == 0.5  # half of the single targets are said at the same K = 2
    assert share("m1_untrained_q") == 0
    assert share("m1_untrained_a") == 1  # two words are said by an untrained model too
    assert share("m3_random_meets_q") == share("m3_random_meets_a") == 0  # 5 is not below 0.3 · 4, nor below 2 · 1
    assert share("m3_rule_met") == 1
    assert share("m3_rule_met_not_decoded") == pytest.approx(0.1)
    assert share("m3_first_met_not_decoded") == 1
    assert share("m4_pass_low_loss") == 0.9
    assert len(found["m4_auc_block"]) == 2
    assert np.allclose(
        found["m4_auc_within"], 0.75
    )  # of failures a half have the successes' loss, and a half a larger one
    assert np.allclose(found["transfer_gain"], 0.5)
    assert np.allclose(found["transfer_from_start"], 2.0)
    assert "separate_halves" not in found  # no single targets at K = 16
    assert share("m_teacher_equals_free") == 1


def test_there_is_no_k_at_which_half_are_said_where_the_smallest_says_most():
    found = rows(40)
    most = found.assign(exact_q=found["exact_q"].where(found["part"] != "single", 1.0))
    assert np.isnan(quantities.at_half(most)).all()
    assert quantities.at_half(found).mean() == 0.5


def test_a_run_of_such_pairs_is_judged_and_every_claim_finds_its_quantities():
    judge = claims.of("joint_qa")
    measured = STUDY.measure(rows(), judge)
    verdicts = {v.id: v.verdict for v in claims.judge(judge, measured.numbers) if v.criterion == "precise"}
    assert verdicts["M1"] == verdicts["M2"] == "supported"
    assert verdicts["M1b"] == "undecided"  # an untrained model says the answers
    assert verdicts["M3"] == "undecided"  # a tenth fail at the end, which is the border
    assert verdicts["M3b"] == "refuted"  # none is said where the rule is first met
    assert verdicts["M4"] == "refuted"  # 90 % of the low losses are said, and of one K the loss orders three quarters
    assert all(p.passed for p in measured.probes), measured.probes


@pytest.mark.parametrize(
    ("loss", "success", "area"),
    [
        ([1, 2, 3, 4], [1, 1, 0, 0], 1.0),
        ([1, 2, 3, 4], [0, 0, 1, 1], 0.0),
        ([1, 1, 1, 1], [1, 0, 1, 0], 0.5),
        ([1, 3, 2], [1, 1, 0], 0.5),
    ],
)
def test_the_area_counts_pairs_in_order(loss, success, area):
    assert auc(pd.Series(loss), pd.Series(success)) == area
    assert np.isnan(auc(pd.Series(loss), pd.Series([1] * len(loss))))


T = np.linspace(0, 1, 200)


@pytest.mark.parametrize(
    ("curve", "kind"),
    [
        (5 * np.exp(-5 * T), "healthy"),
        (np.where(T < 0.5, 5.0, 5 * np.exp(-20 * (T - 0.5))), "plateau then drop"),
        (5 - 2 * T + 1.2 * np.sin(60 * T), "oscillating"),
        (5 - 0.01 * T, "flat"),
        (np.abs(T - 0.5) * 8 + 1, "diverging"),
        (np.r_[5 * np.exp(-5 * T), np.nan], "diverging"),
    ],
)
def test_classes_of_health(curve, kind):
    assert curves.health(curve) == kind


def test_small_tools_of_curves():
    assert curves.first(np.array([False, True, True])) == 1
    assert curves.first(np.array([False])) is None
    assert curves.together(np.array([3.0, 2, 2.5, 1]), -np.array([3.0, 2, 2.5, 1])) == pytest.approx(-1)
    assert np.isnan(curves.together(np.ones(5), np.arange(5)))
    assert curves.overlap((1, 2, 2), (2, 2, 3)) == pytest.approx(2 / 3)
    assert curves.overlap((1,), (2,)) == 0


FAMILIES = ("who", "where", "sum")


def sweep(pairs=200, seed=0, within=0.0):
    """A ledger in which K rises with the bits from family to family, by `within` within one, and pairing saves nothing;
    solutions apart, with a wall; paraphrases that help where gradients disagree; tiers that need K in another order."""
    rng, out = np.random.default_rng(seed), []
    common = {"experiment": "joint_qa_ablations", "condition": "c", "family": "who", "known": False, "step": 0}

    def said(seed, part, kind, k, right, **more):
        row = {f"{n}_{s}": float(right) for n in SIDED[1:] for s in ("q", "a")} | {"loss_q": 0.1, "loss_a": 0.1}
        out.append(common | {"seed": seed, "part": part, "kind": kind, "k": k} | row | more)

    for i in range(pairs):
        place = int(rng.integers(3))
        bits = float(20 * 2**place * rng.uniform(0.7, 1.4))
        base = {"random_q": 4.0, "random_a": 4.0, "context_a": 1.0, "bits_q": bits - 10, "bits_a": 10.0}
        named = {"family": FAMILIES[place]}
        out.append(common | named | {"seed": i, "part": "baseline", "kind": "baseline", "k": 8} | base)
        level = 1 + 1.5 * place + within * (np.log2(bits) - np.log2(20 * 2**place)) + rng.normal(0, 0.3)
        for k in (1, 2, 4, 8, 16, 32, 64):
            said(i, "sweep", "matched", k, np.log2(k) >= level, **named)
            for kind, more in (("matched", 0), ("shuffled", 0), ("random", 1), ("repeat", -1)):
                said(i, "known", kind, k, np.log2(k) >= round(level) + more, bits_q=bits, bits_a=10.0)
        far = {"within": 0.01, "between": 0.0, "nearest": 0.3, "moved": 0.2, "barrier": 2.0, "barrier_near": 0.1}
        far = {name: value + 0.01 * rng.normal() for name, value in far.items()} | {"barrier_other": 3.0 + rng.normal()}
        out.append(common | {"seed": i, "part": "geometry", "kind": "pairs", "k": 8} | far)
        plain, cosine = i % 3 == 0, rng.normal()
        for budget in (20, 40):
            said(i, "words", "plain", 1, plain and budget == 40, budget=budget)
        said(i, "words", "paraphrases", 1, plain or cosine < -0.5, budget=40)
        said(i, "words", "unrelated", 1, plain and i % 2, budget=40)
        out.append(common | {"seed": i, "part": "conflict", "kind": "plain", "k": 2, "conflict": cosine})
    for block in range(60):
        for i, tier in enumerate(sweeps.TIERS):
            row = {"needed": float((3 * i + block) % 5), "bits": 50.0 + i, "length": 40.0, "answers": 1.0}
            out.append(common | {"seed": block, "part": "tier", "kind": tier, "k": 0} | row)
    return CHAPTERS["joint_qa_ablations"].frame(pd.DataFrame(out))


def test_the_smallest_k_by_hand():
    rows = sweep(8)
    found = sweeps.smallest(rows, "matched")
    for seed, value in found.items():
        of_pair = rows[(rows["part"] == "sweep") & (rows["kind"] == "matched") & (rows["seed"] == seed)]
        said = of_pair[of_pair["exact"] == 1]["k"]
        assert value == (np.log2(said.min()) if len(said) else 7)
    assert sweeps.slope(pd.Series([1.0, 2, 3]), pd.Series([2.0, 4, 6])) == pytest.approx(2)
    assert np.isnan(sweeps.slope(pd.Series([1.0, 1]), pd.Series([0.0, 1])))


def test_a_slope_between_families_is_none_within_them():
    apart, along = (sweeps.sweep(sweep(200, within=w)) for w in (0.0, 2.0))
    assert np.mean(apart["m5_slope_block"]) > 1
    assert abs(np.mean(apart["m5_slope_within_block"])) < 0.3
    assert np.mean(along["m5_slope_within_block"]) > 1


def test_rank_correlation_by_hand():
    assert sweeps.tau(np.arange(5)) == 1
    assert sweeps.tau(-np.arange(5)) == -1
    assert sweeps.tau(np.ones(5)) == 0
    values = np.array([1.0, 1, 2, 0, 2])
    assert sweeps.tau(values) == pytest.approx(scipy.stats.kendalltau(np.arange(5), values).statistic)


def test_the_ablations_are_judged_and_known_answers_are_told_apart():
    study, judge = CHAPTERS["joint_qa_ablations"], claims.of("joint_qa_ablations")
    measured = study.measure(sweep(within=-1.0), judge)
    verdicts = {v.id: v.verdict for v in claims.judge(judge, measured.numbers) if v.criterion == "precise"}
    assert verdicts["M5"] == "mixed"  # a smallest K there is, and bits do not rule it within a family
    assert verdicts["M6"] == "refuted"
    assert verdicts["M7"] == "supported"
    assert verdicts["M8"] == "refuted"
    assert verdicts["M9"] == "mixed"  # away from tokens, and neither near nor without a wall
    assert {p.id for p in measured.probes} == {"M5", "M6", "M7", "M8", "M9"}
    assert all(p.passed for p in measured.probes), measured.probes
