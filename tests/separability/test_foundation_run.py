"""Experiment A end to end at toy size: paired arms, constraints that hold, records, quantities, known answers, figures."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers import claims, frames, stacked
from helpers.separability import foundation, models
from helpers.separability.foundation import Foundation, controls, data, quantities, training
from helpers.separability.foundation import figures as draw
from helpers.separability.foundation.bench import Bench, part
from helpers.study import Log
from helpers.work import Work

TINY = Foundation(
    seeds=2, epochs=1, epoch=8, vocab=24, d=16, d_mlp=16, length=24, batch=4, held=16, clamps=foundation.TRAINED
)
STUDY = foundation.CHAPTERS["separability_foundation"]


def log(folder, **given):
    where = {"reference": folder / "none", "work": Work(folder / "work"), "given": STUDY.same | given}
    return Log(STUDY, "separability_foundation", folder / "run", **where)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = log(tmp_path_factory.mktemp("foundation"))
    foundation.run_foundation(TINY, made)
    return made


@pytest.fixture(scope="module")
def bench():
    return Bench(TINY, data.feed(TINY, TINY.names), TINY.free)


def test_arms_of_a_seed_start_and_read_alike(bench):
    params, names = bench.start(), [arm.name for arm in TINY.free]
    for i, name in enumerate(names):
        same = torch.equal(params["W_E"][2 * i], params["W_E"][0])
        assert same == (name != "again")
    assert not torch.equal(params["W_E"][0], params["W_E"][1])


def test_the_stacked_loss_is_each_arms_alone(bench):
    """Against one model at a time, with its own targets and constraint, by torch's own cross-entropy."""
    params, step = bench.start(), torch.tensor(3)
    losses = bench.loss(params, step)
    tokens = bench.feed.draw(step)
    for i, (arm, s) in enumerate((arm, s) for arm in TINY.free for s in range(2)):
        one = {k: v[i : i + 1] for k, v in params.items()}
        constrained = torch.arange(4) >= 4 - arm.dose

        def route(pattern, on=constrained, row=bench.fixed[i]):
            return torch.stack([row[h].expand_as(pattern[:, :, h]) if on[h] else pattern[:, :, h] for h in range(4)], 2)

        def silence(z, on=constrained):
            return torch.stack([z[..., h, :] * (not on[h]) for h in range(4)], -2)

        edits = {"patterns": {"pattern.0": route}, "removed": {"z.0": silence}}.get(arm.kind, {})
        logits = models.forward(one, tokens[s, :, :-1], bench.arch, edits)[0, :, -8:]
        right = tokens[s, :, -8:]
        right = torch.cat([right[-1:], right[:-1]]) if arm.shuffled else right
        expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), right.flatten())
        assert losses[i].item() == pytest.approx(expected.item(), rel=1e-4), arm


def test_what_is_frozen_stays_and_a_moved_weight_is_seen(bench):
    trained = training.train(bench, 4, 0.01)
    assert training.held_still(bench, trained.params).tolist() == [1.0] * bench.count
    row = [arm.name for arm in TINY.free].index("weights_3") * 2
    trained.params["W_V.0"][row, 3, 0, 0] += 1e-6
    assert training.held_still(bench, trained.params)[row] == 0
    trained.params["W_V.0"][0, 3, 0, 0] += 1  # the control's is free
    assert training.held_still(bench, trained.params)[0] == 1


def test_no_logit_sees_a_later_token_and_the_check_would_tell(bench):
    params = bench.start()
    assert training.leak(bench, params).max() == 0
    everywhere = lambda pattern: torch.full_like(pattern, 1 / pattern.shape[-1])

    def late(pattern):  # only the last position but one sees the last
        out = pattern.clone()
        out[..., -2, -1] = 0.5
        return out

    before = bench.edits
    for seeing in (everywhere, late):
        bench.edits = {**before, "pattern.0": seeing}
        assert training.leak(bench, params).min() > 0
    bench.edits = before


def test_clamps_are_set_where_they_are_read_and_set_nothing_else(bench):
    params = part(bench.start(), 0, 2)
    targets = {k: 1.5 * v[:2] for k, v in bench.calibrate(bench.start()).items()}
    alone = Bench(TINY, bench.feed, TINY.free[:1], targets=targets)
    found = training.clamped_after(alone, params)
    assert all(v["set"].min() == 1 for v in found.values())
    norm = found["token_norm", "resid_mid"]["A_activation_resid_mid_L0"]
    assert norm.tolist() == pytest.approx(targets["resid_mid.norm"].tolist(), rel=1e-4)
    plain = alone.accuracy(params)
    for clamp in ("naive", "token_norm", "sham"):  # before the last LayerNorm a length is forgotten
        assert found[clamp, "resid_post"]["psi_accuracy"].tolist() == pytest.approx(plain.tolist(), abs=0.02)


def test_doses_are_equal(bench):
    alone, params = Bench(TINY, bench.feed, TINY.free[:1]), part(bench.start(), 0, 2)
    found = training.doses(alone, params, "resid_mid")
    assert found["mean"]["removed"].tolist() == pytest.approx(found["rest"]["removed"].tolist(), rel=1e-3)
    share = alone.measure(params, sites=("resid_mid",))[
        "mean_share_resid_mid_L0"
    ]  # of the squared norm, of which half goes
    alike = found["mean"]["removed"] * (1 - share) / share
    assert found["alike"]["removed"].tolist() == pytest.approx(alike.tolist(), rel=1e-3)


def test_going_on_with_free_heads_is_told_from_going_on_with_frozen_ones(bench):
    alone, params = Bench(TINY, bench.feed, TINY.free[:1]), part(bench.start(), 0, 2)
    before = {k: v.clone() for k, v in params.items()}
    free = {k: v.clone() for k, v in params.items()}
    later = lambda p, step: alone.loss(p, step + TINY.steps)
    stacked.fit(free, later, lr=0.01, steps=3)
    found = training.on(alone, params, 3, 0.01)
    assert found["accuracy_trained_on"].tolist() == alone.accuracy(free).tolist()
    assert all(torch.equal(params[k], before[k]) for k in params), "the trained models stay as they are"


def test_a_louder_model_answers_alike_and_is_as_much_longer_everywhere(bench):
    alone, params = Bench(TINY, bench.feed, TINY.free[:1]), part(bench.start(), 0, 2)
    plain, loud = (alone.measure(p) for p in (params, training.louder(params)))
    assert loud["margin"].tolist() == pytest.approx(plain["margin"].tolist(), rel=1e-3)
    for site in ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post"):
        name = f"A_activation_{site}_L0"
        assert (loud[name] / plain[name]).tolist() == pytest.approx([3, 3], rel=1e-3)


def test_records_are_the_documents(run):
    path = run.folder / "records" / "audit_log_exp_a_control_seed_42.json"
    record = json.loads(path.read_text())
    assert record["checkpoints"]["8"].startswith("sha256:")
    assert {"psi_accuracy", "A_activation", "A_learned", "A_param", "sigma_sq"} <= set(record["metrics"][0])
    assert record["metrics"][0]["step"] == 0
    assert record["summary"]["total_steps"] == 8
    for name in ("constraint", "naive_clamp", "mean_preserving_clamp"):
        assert (path.parent / f"audit_log_exp_a_{name}_seed_43.json").is_file()


def test_every_arm_and_seed_ends_once_and_finite(run):
    ends = frames.rows(run.frame(), part="trained", end=True)
    assert len(ends) == 2 * (len(TINY.free) + len(TINY.clamped))
    assert ends["psi_accuracy"].between(0, 1).all()
    assert (ends["frozen_equal"] == 1).all()
    assert (
        np.isfinite(ends[[c for c in ends if c.startswith(("A_activation", "A_param", "sigma", "mean_share", "G_"))]])
        .all()
        .all()
    )
    fixed = frames.rows(ends, arm="patterns_4")
    assert (fixed["G_stability"] > 0.999).all()


def test_all_that_the_claims_name_is_measured(run):
    found = quantities.quantities(run.frame())
    for name, claim in claims.of("separability_foundation").items():
        for test in (*claim.printed.tests, *claim.precise.tests, *claim.precise.controls):
            assert test.quantity in found, f"{name}: {test.quantity}"
            assert quantities.named(test.quantity)(run.frame()) == found[test.quantity]
    assert set(found) | {"s4_cohens_d"} == set(quantities.NAMES)
    for end in ("", "_mid"):
        assert found[f"s3_log2_ratio_planted{end}"] == pytest.approx([math.log2(3)] * 2, rel=1e-3)
    assert found["s3_louder_accuracy"] == pytest.approx([0, 0], abs=0.02)
    assert found["s_future_leak"] == [0, 0]
    assert found["s14_dose_ratio"] == pytest.approx([1, 1], rel=1e-3)
    assert found["s4_norm_is_set"] == [1, 1]


def test_quantities_by_hand(run):
    rows, found = run.frame(), quantities.quantities(run.frame())
    end = lambda arm, seed, column="psi_accuracy": rows[
        (rows["part"] == "trained") & (rows["arm"] == arm) & (rows["seed"] == seed) & rows["end"]
    ][column].item()
    drop = [end("control", s) - end("weights_3", s) for s in (42, 43)]
    assert found["s2_drop_weights"] == pytest.approx(drop)
    ratio = [math.log2(end("constraint", s, "A_activation") / end("control", s, "A_activation")) for s in (42, 43)]
    assert found["s3_log2_ratio"] == pytest.approx(ratio)
    after = lambda clamp, s: rows[
        (rows["part"] == "posthoc") & (rows["arm"] == "constraint") & (rows["clamp"] == clamp)
        & (rows["site"] == "resid_mid") & (rows["seed"] == s)
    ]["psi_accuracy"].item()  # fmt: skip
    less = [after("mean_preserving", s) - after("naive", s) for s in (42, 43)]
    assert found["s5_after_minus_naive"] == pytest.approx(less)
    kept = [(end("mean_preserving_at_site", s) - 1 / 24) / (end("constraint", s) - 1 / 24) for s in (42, 43)]
    assert found["s5_corrected_ratio"] == pytest.approx(kept)


def spread(run):
    """The toy's rows with scatter over ten seeds of a trained model's size."""
    import pandas as pd

    rng = np.random.default_rng(0)
    rows, out = run.frame(), []
    one = rows[(rows["seed"] == 42) & rows["end"]]
    for seed in range(10):
        new = one.assign(seed=seed)
        for column in ("psi_accuracy", "A_activation"):
            new[column] = 0.5 + 0.03 * rng.standard_normal(len(new))
        new["G_stability"] = rng.random(len(new))
        new["A_activation"] = new["A_activation"] + rng.random(len(new))
        out.append(new)
    return pd.concat(out, ignore_index=True)


def test_planted_answers_are_told_apart(run):
    known = controls.controls(spread(run))
    assert set(known) == set(controls.PLANTED) == set(claims.of("separability_foundation"))
    for probe in claims.known.probe(claims.of("separability_foundation"), known):
        assert probe.passed, probe


def test_figures_draw_what_there_is(run):
    sides = run.at()
    price = draw.price(sides.map(quantities.doses))
    assert {t.name for t in price.data if t.showlegend is not False} >= {
        "patterns fixed",
        "weights frozen",
        "heads removed",
    }
    assert len(draw.clamped(sides, "resid_mid").data) > 5
    assert {t.name for t in draw.sites(sides).data} >= {"constraint", "another control"}
    assert len(draw.laws(sides, quantities.means(sides.this)).data) == 4


def test_one_condition_alone_runs_and_awaits_the_rest(tmp_path):
    made = log(tmp_path, condition="naive_clamp")
    foundation.run_foundation(replace(TINY, condition="naive_clamp"), made)
    assert set(frames.rows(made.frame(), part="trained")["arm"]) == {"control", "constraint", "naive_clamp"}
    assert {v.verdict for v in made.verdict().verdicts if v.id == "S13"} == {claims.words.AWAITING}


@pytest.mark.parametrize(
    "given", [{"condition": "control"}, {"dataset": "modular", "prime": 5, "condition": "control"}]
)
def test_the_smallest_runs(tmp_path, given):
    made = log(tmp_path, **{k: v for k, v in given.items() if k != "prime"})
    foundation.run_foundation(replace(TINY, **given), made)
    ends = frames.rows(made.frame(), part="trained", end=True)
    assert ("accuracy_seen" in ends) == (given.get("dataset") == "modular")


def test_the_head_width_is_found_on_other_seeds(tmp_path, monkeypatch):
    from helpers.separability.foundation import run as runs

    right = {1: 0.5, 2: 0.98, 4: 1.0}
    monkeypatch.setattr(Bench, "accuracy", lambda self, *a: torch.full((self.count,), right[self.config.d_head]))
    made = log(tmp_path)
    found = runs.chosen(replace(TINY, d_head=None, widths=(1, 2, 4), rates=(0.01, 0.02)), made)
    assert found.d_head == 2
    assert found.rates == (0.01,)
    pilots = frames.rows(made.frame(), part="pilot")
    assert set(pilots["d_head"]) == {1, 2}, "the search stops at the first that is wide enough"
    assert pilots["seed"].min() > 1_000_000
    never = dict.fromkeys((1, 2, 4), 0.3) | {4: 0.4}
    monkeypatch.setattr(Bench, "accuracy", lambda self, *a: torch.full((self.count,), never[self.config.d_head]))
    (tmp_path / "b").mkdir()
    assert runs.chosen(replace(TINY, d_head=None, widths=(1, 2, 4)), log(tmp_path / "b")).d_head == 4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_records_the_step_and_follows_the_same_losses():
    arms = (*TINY.free, *TINY.clamped)
    curves = []
    for device in ("cpu", "cuda"):
        feed = data.feed(TINY, TINY.names, device)
        first = Bench(TINY, feed, TINY.free[:1], device)
        targets = {k: v[:2] for k, v in first.calibrate(first.start()).items()}
        bench = Bench(TINY, feed, arms, device, targets)
        params = bench.start()
        look = lambda p, bench=bench: bench.loss(p, torch.tensor(0, device=bench.device)).cpu()
        curves.append(torch.stack(stacked.fit(params, bench.loss, lr=0.003, steps=6, log=range(7), probe=look)))
    torch.testing.assert_close(curves[0], curves[1], rtol=2e-3, atol=2e-3)
