"""Experiment C end to end at toy size: records in, quantities out, resumable; each arm decays as it says; planted answers."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import claims, devices, frames, stacked
from helpers.separability import grokking
from helpers.separability.grokking import controls, figures, quantities
from helpers.separability.grokking.config import ARMS
from helpers.separability.grokking.stack import Stack, length
from helpers.study import Log, Sides
from helpers.work import Work

NAME = "separability_grokking"
STUDY = grokking.CHAPTERS[NAME]
SMALL = grokking.Addition(
    p=11, d=8, heads=2, mlp=16, seeds=2, steps=80, share=0.6, rate=0.03, every=10, lag=10, probe=8, looks=4
)
PAPER = grokking.OrderedAddition(p=11, d=8, heads=2, mlp=16, batch=16, steps=40, seeds=2)


def log(folder):
    place = folder / "run"
    return Log(STUDY, NAME, place, reference=folder / "none", work=Work(folder / "work"), given=STUDY.same)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    found = log(tmp_path_factory.mktemp("grok"))
    grokking.run_addition(SMALL, found)
    grokking.run_printed(PAPER, found)
    return found


def test_a_record_for_each_arm_and_seed_under_the_documents_names(made):
    names = {path.name for path in (made.folder / "records").iterdir()}
    assert {f"audit_log_exp_c_{c}_seed_{s}.json" for c in ("high_wd", "no_wd") for s in (42, 43)} <= names
    rows = frames.rows(made.frame(), part="addition")
    assert set(zip(rows["arm"], rows["seed"], strict=True)) == {(a, s) for a in ARMS for s in (42, 43)}
    assert rows.groupby(["arm", "seed"])["step"].max().eq(SMALL.steps).all()
    dense = frames.rows(rows, arm="decay 1", seed=42)
    assert dense["step"].tolist() == list(range(0, 81, 10)), "where timing is judged, every measurement is kept"
    assert dense["G_stability"].isna().tolist() == [True] + 8 * [False], "G needs a pattern that is old enough"
    assert frames.rows(rows, arm=("decay 1", "decay 0"), step=80)["restricted"].notna().all()
    known = rows[rows["step"].eq(rows["memorised"])]
    never = rows.groupby(["arm", "seed"])["memorised"].first().isna().sum()
    assert len(known) == 2 * len(ARMS) - never, "the row at which the training set is memorised is kept in every arm"
    assert known["theta"].notna().all()
    assert never < 2 * len(ARMS)
    for path in (made.folder / "records").iterdir():
        found = json.loads(path.read_text(), parse_constant=pytest.fail)
        times = [row["timestamp"] for row in found["metrics"]]
        assert times == sorted(times)


def test_an_interrupted_run_trains_nothing_twice(made, monkeypatch, tmp_path):
    again = Log(STUDY, NAME, tmp_path, reference=tmp_path / "none", work=made.work, given=STUDY.same)
    monkeypatch.setattr(stacked, "fit", pytest.fail)
    grokking.run_addition(SMALL, again)
    grokking.run_printed(PAPER, again)
    pd.testing.assert_frame_equal(again.frame(), made.frame())


def test_every_claims_quantity_is_given_and_judged(made):
    judged = {v.id for v in made.verdict().verdicts if v.criterion == "precise"}
    assert judged | {"S9b"} == set(claims.of(NAME))


def trained(*arms, steps=60, rate=0.03):
    config = SMALL.only(*arms, steps=steps, rate=rate)
    stack = Stack(config, [(arm, 42) for arm in arms], "cpu")
    stacked.fit(stack.params, stack.loss, lr=rate, steps=steps, betas=config.betas, decay=stack.decay)
    return stack


def test_an_arm_trains_the_same_whatever_is_beside_it():
    alone, beside = trained("decay 1"), trained("decay 0", "decay 1", "norm kept")
    for name, value in alone.params.items():
        torch.testing.assert_close(value[0], beside.params[name][1], atol=1e-4, rtol=1e-3)


def test_decay_of_one_matrix_is_decay_of_that_matrix():
    stack = Stack(
        SMALL.only("decay of W_V only", "decay of all but W_V"),
        [("decay of W_V only", 42), ("decay of all but W_V", 42)],
        "cpu",
    )
    assert {k: v.tolist() for k, v in stack.decay.items() if v[0]} == {"W_V": [1, 0]}
    assert all(v.tolist() == [0, 1] for k, v in stack.decay.items() if k != "W_V")


def test_the_norm_is_kept_from_memorising_on_and_decay_ends_then():
    stack = Stack(
        SMALL.only("norm kept", "decay until memorised", steps=200),
        [("norm kept", 42), ("decay until memorised", 42)],
        "cpu",
    )
    norms, fit = [], lambda steps: stacked.fit(
        stack.params, stack.loss, lr=0.03, steps=steps, betas=SMALL.betas, decay=stack.decay,
        log=range(steps), probe=lambda p: norms.append((length(p)[0].item(), stack.memorised[0].item())) or length(p),
    )  # fmt: skip
    fit(200)
    after = np.array([norm for norm, memorised in norms if memorised])
    assert stack.memorised.tolist() == [1, 1]
    assert len(after) > 20
    with torch.no_grad():
        stack.loss(stack.params, torch.tensor(0))
    assert float(length(stack.params)[0]) == pytest.approx(float(stack.kept[0]), rel=1e-5)
    assert np.abs(after / float(stack.kept[0]) - 1).max() < 0.1, "one step's drift at most"
    assert stack.decay["W_E"](torch.tensor(5)).tolist() == [0, 0]


def test_matrix_products_are_left_as_they_were():
    before = torch.get_float32_matmul_precision()
    for products, device, inside in (("tf32", "cuda", "high"), ("exact", "cuda", "highest"), ("tf32", "cpu", before)):
        with devices.tf32(products != "exact" and device == "cuda"):
            assert torch.get_float32_matmul_precision() == inside
        assert torch.get_float32_matmul_precision() == before


def planted_rows(seeds=10, late=False):
    """Frames as a run writes them: memorised at 100; accuracy rises around step 1000; A falls then, or right at the start."""
    rows, steps = [], np.arange(0, 4001, 20)
    for seed in range(seeds):
        rng, middle = np.random.default_rng(seed), 1000 + 20 * seed
        rise = 1 / (1 + np.exp(-(steps - middle) / 60))
        fall = rise if late else 1 - np.exp(-np.maximum(steps - 100, 0) / 200)
        for arm, accuracy, amplitude in (("decay 1", rise, 12 - 4 * fall), ("decay 0", 0 * rise, 12 + steps / 4000)):
            noise = 1e-3 * rng.normal(size=len(steps))
            g = 0.8 + 0.15 * rise if late else 0.95 + 0 * rise
            facts = {"condition": arm, "arm": arm, "part": "addition", "seed": seed, "memorised": 100, "p": 113}
            rows += [
                facts | {"step": int(s), "psi_accuracy": a, "A_param": b, "G_stability": c, "theta": 1.0}
                for s, a, b, c in zip(steps, accuracy, amplitude + noise, g + noise, strict=True)
            ]
    return quantities.frame(pd.DataFrame(rows))


@pytest.mark.parametrize("late", [True, False])
def test_planted_transitions_get_their_verdicts(late):
    """A fall with the rise of accuracy supports S9; the same fall before it refutes or mixes it, though ρ of levels is −1."""
    rows = planted_rows(late=late)
    numbers = quantities.judged(rows)
    verdicts = {v.id: v.verdict for v in claims.judge(claims.of(NAME), numbers) if v.criterion == "precise"}
    assert verdicts["S9"] == ("supported" if late else "mixed")
    assert verdicts["S10"] == "supported"
    assert max(numbers["s9_rho_levels"]) < -0.9
    assert numbers["s9_fall_before"] == pytest.approx([0.15 if late else 1] * 10, abs=0.06)
    assert numbers["s10_until"] == pytest.approx([3 * np.median(numbers["s9_step_half"])])
    assert numbers["s15_g_rise"] == pytest.approx([0.105 if late else 0] * 10, abs=0.02)


@pytest.mark.parametrize("late", [True, False])
def test_known_answers_are_told_apart_whatever_was_measured(late):
    judge = claims.of(NAME)
    probes = claims.known.probe(judge, controls.planted(planted_rows(late=late)))
    assert [(p.id, p.planted, p.passed) for p in probes] == [(k, "supported", True) for k in ("S9", "S10", "S15")]
    assert set(controls.PLANTED) == {p.id for p in probes}


def test_without_a_transition_nothing_is_made_up():
    rows = planted_rows(seeds=3)
    rows.loc[rows["arm"] == "decay 1", "psi_accuracy"] = 0.1
    numbers = quantities.judged(rows)
    assert numbers["s9_transitions"] == [0, 0, 0]
    assert np.isnan(numbers["s9_rho_levels"]).all()
    assert np.isnan(numbers["s10_amplitude_kept"]).all(), "there is no step to judge the other arm at"
    assert numbers["s9_beyond_null"] == [0, 0, 0]
    assert controls.planted(rows) == {}


def test_the_documents_statistic_is_its_code():
    from scipy.stats import spearmanr

    rows = planted_rows(seeds=1, late=True)
    one = frames.rows(rows, arm="decay 1")
    acc, a = one["psi_accuracy"].to_numpy(), one["A_param"].to_numpy()
    inside = (acc > 0.15) & (acc < 0.85)
    rho, p = spearmanr(np.gradient(acc)[inside], np.gradient(a)[inside])
    numbers = quantities.documented(rows)
    assert (numbers["s9_document_rho"], numbers["s9_document_p"]) == ([pytest.approx(rho)], [pytest.approx(p)])


def test_named_quantities_are_the_judged_ones(made):
    rows = STUDY.judged(made.frame())
    for name, values in quantities.judged(rows).items():
        assert quantities.named(name)(rows) == pytest.approx(values, nan_ok=True), name


@pytest.mark.parametrize("both", [True, False])
def test_figures_draw_one_side_or_two(made, both):
    sides = Sides(made.frame(), made.frame() if both else None, "reference" if both else "")
    drawn = [figures.answer(sides), figures.arms(sides), figures.progress(sides)]
    drawn += [figures.circle(frames.rows(made.frame(), part="circle"))]
    assert all(len(fig.data) for fig in drawn)
    assert not figures.circle(made.frame().iloc[:0]).data
    assert len(drawn[-1].frames) >= 4


def test_what_can_be_asked_of_the_documents_own_network_is_said():
    """ρ needs three rows inside the window: two seeds have them in one condition, none in the other."""
    rows = []
    for condition in ("high_wd", "no_wd"):
        for seed in range(3):
            inside = condition == "high_wd" and seed < 2
            accuracy = [0.1, 0.3, 0.5, 0.55, 0.9] if inside else [0.1, 0.1, 0.1, 0.1, 0.1]
            for step, (psi, a) in enumerate(zip(accuracy, [5.0, 4.5, 3.0, 2.9, 1.0], strict=True)):
                known = {"part": "printed", "condition": condition, "seed": seed, "step": step}
                rows.append(known | {"psi_accuracy": psi, "A_param": a})
    told = quantities.asked(pd.DataFrame(rows))
    assert "With high wd, 2 of 3 seeds have −" in told
    assert "With no wd, none of 3 seeds have them" in told
