"""Training dynamics: known courses in time, planted answers, the document's statuses, the audit, and what is looked at."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from test_course import CONFIG, LABELS, PIXELS, SEEDS, game

from helpers import claims
from helpers.data.images import Images
from helpers.pedagogy import dynamics, nets
from helpers.pedagogy.dynamics import controls, figures, printed, quantities, sentences, tables
from helpers.pedagogy.dynamics.audit import audit
from helpers.pedagogy.dynamics.config import Looking
from helpers.pedagogy.dynamics.looking import COLUMNS, Looks
from helpers.study import Sides
from helpers.topology import judge

STEPS, TEN = 4000, range(10)
MARKS = Looking().marks(STEPS)
ARMS = ("wired", "wired, light", "coded", "coded, constant", "cGAN", "AC-GAN")


def course(arm, column, x, rng):
    """Dimension 8 → 6 wired by T/3, 7.6 light; the count a bar per two dimensions; then flat, with a little scatter."""
    low = {"wired": 6.0, "wired, light": 7.6, "coded": 5.0, "coded, constant": 5.0, "cGAN": 7.0, "AC-GAN": 6.5}[arm]
    fallen = np.clip(x / (STEPS / 8), 0, 1)
    mean = {
        "mackay": 8 + (low - 8) * fallen,
        "count": 4 + (low - 8) / 2 * fallen,
        "expected": 4 + (low - 8) / 2 * fallen,
    }
    base = mean.get(column, np.full(len(x), 0.5))
    return base + 0.02 * rng.normal(size=len(x))


def made(seeds=TEN):
    rows = []
    for seed in seeds:
        for arm in ARMS:
            rng = np.random.default_rng([seed, len("coded" if arm.startswith("coded") else arm), 7])
            x = np.array(MARKS, float)
            of = {
                c: course(arm, c, x, rng)
                for c in ("mackay", "count", "expected", "pooled", "feature_variance", "holes", "correct", "taught")
            }
            of |= {"part": "dynamics", "arm": arm, "seed": seed, "step": MARKS, "steps": STEPS, "looks": 40}
            rows.append(pd.DataFrame(of))
        grid = [step for step in MARKS if step and step % (STEPS // 20) == 0]
        of = {"pooled": np.linspace(16, 8, len(grid)), "count": np.linspace(5.5, 4.5, len(grid)), "step": grid}
        rows.append(pd.DataFrame(of | {"part": "printed", "arm": "coded", "seed": seed, "steps": STEPS}))
        joint = {"untrained": 0.01, "coded": 0.02, "wired": 0.9, "cGAN": 0.7, "AC-GAN": 0.8}
        rng = np.random.default_rng(seed)
        for arm, value in joint.items():
            for variant in ("splitter", "swapped", "none"):
                known = {"part": "composition", "arm": arm, "variant": variant, "seed": seed, "step": STEPS}
                value = 0.0 if variant == "swapped" else value
                known |= {"pairs": "held"}
                rows.append(
                    pd.DataFrame(
                        [
                            known
                            | {"joint": value + 0.01 * rng.normal(), "relation": 1.0, "product": 0.5, "steps": STEPS}
                        ]
                    )
                )
    known = {"part": "instrument", "seed": 0, "step": 0, "steps": STEPS}
    rows.append(
        pd.DataFrame(
            [
                known
                | {
                    "dimension_order": 1.0,
                    "dimension_order_high": 1.0,
                    "ring_found": 0.95,
                    "ball_clean": 1.0,
                    "scorers": 0.9,
                }
            ]
        )
    )
    return quantities.frame(pd.concat(rows, ignore_index=True))


@pytest.fixture(scope="module")
def rows():
    return made()


def test_every_test_of_every_claim_has_its_quantity(rows):
    found = set(quantities.judged(rows)) | {f"{k.lower()}_controls" for k in claims.of("training_dynamics")}
    for claim in claims.of("training_dynamics").values():
        asked = {
            t.quantity for criterion in (claim.printed, claim.precise) for t in (*criterion.tests, *criterion.controls)
        }
        assert asked <= found, claim.id


def test_changes_in_time_are_those_that_were_put_in(rows):
    found = {k: np.mean(v) for k, v in quantities.judged(rows).items()}
    assert found["t1_wired_drop"] == pytest.approx(0.25, abs=0.01)
    assert found["t1_wired_drop_minus_light"] == pytest.approx(0.25 - 0.05, abs=0.01)
    assert found["t1_coded_schedule_minus_constant"] == 0
    assert found["t2_wired_count_drop"] == pytest.approx(1.0, abs=0.03)
    assert found["t2_drop_beyond_dimension"] == pytest.approx(0.0, abs=0.03)
    assert found["t3_dimension_change"] == pytest.approx(0.0, abs=0.01)
    assert found["t4_cgan_minus_wired"] == pytest.approx(1.0, abs=0.02)
    assert found["t4_acgan_minus_wired"] == pytest.approx(0.5, abs=0.02)
    assert found["t5_count_difference"] == pytest.approx(0.5, abs=0.02)
    assert found["t5_excess_difference"] == pytest.approx(0.0, abs=0.02)
    assert found["t7_joint_minus_acgan"] == pytest.approx(0.1, abs=0.02)
    assert found["t9_count_fall"] == pytest.approx(0.0, abs=0.03)


def test_a_drift_is_fitted_and_a_planted_one_found():
    x = np.linspace(100, 300, 30)
    y = np.array([10 + 2 * (x - 100) / 200, np.full(30, 5.0)])
    np.testing.assert_allclose(quantities.changes(x, y, relative=True), [0.2, 0.0], atol=1e-12)
    np.testing.assert_allclose(quantities.changes(x, y, relative=False), [2.0, 0.0], atol=1e-12)
    rng = np.random.default_rng(0)
    y = 8 + rng.normal(0, 0.1, (4, 30)) + rng.normal(0, 1, (4, 1)) * (x - 100) / 200  # each with a change of its own
    for relative, size in ((True, 0.2), (False, -1.0)):
        before = quantities.changes(x, y, relative=relative)
        after = quantities.changes(x, y + quantities.drift(x, y, size, relative=relative), relative=relative)
        np.testing.assert_allclose(after - before, size, atol=1e-9)


def told(rows, *asked, criterion="precise", probed=False):
    """Verdicts on some claims of these rows; probed: with the known answers that the study makes of them."""
    judge = {k: c for k, c in claims.of("training_dynamics").items() if k in asked}
    numbers = quantities.judged(rows) | {f"{k.lower()}_controls": [1.0] for k in asked}
    if probed:
        plan = {k: both for k, both in controls.planted(rows).items() if k in asked}
        numbers |= claims.known.probed(claims.known.probe(judge, plan), claims.known.sights(judge, numbers))
    found = {(v.id, v.criterion): v.verdict for v in claims.judge(judge, numbers)}
    return [found[k, criterion] for k in asked]


def changed(rows, column, make, **where):
    """The rows with a column of some of them replaced by what `make` makes of those."""
    own = np.all([rows[k].isin(v if isinstance(v, list) else [v]) for k, v in where.items()], axis=0)
    return rows.assign(**{column: rows[column].where(~own, make(rows))})


@pytest.mark.parametrize(("column", "size"), [("mackay", -0.3), ("count", 2.0)])
def test_a_true_drift_refutes_stability_which_its_earlier_criterion_forbade(rows, column, size):
    share = np.clip((rows["step"] / STEPS - 1 / 3) * 1.5, 0, 1)
    put = (lambda r: r[column] * (1 + size * share)) if column == "mackay" else lambda r: r[column] + size * share
    drifting = changed(rows, column, put, part="dynamics", arm="wired")
    assert told(rows, "T3") == ["supported"]
    assert told(drifting, "T3", probed=True) == ["mixed"], "the other measure stays"
    assert told(drifting, "T3", criterion="earlier 2026-11-28") == ["undecided"]
    both = changed(drifting, "mackay", lambda r: r["mackay"] * (1 + share), part="dynamics", arm="wired")
    both = changed(both, "count", lambda r: r["count"] + 2 * share, part="dynamics", arm="wired")
    assert told(both, "T3") == ["refuted"]


def test_from_the_documents_first_look_on_what_random_weights_lose_is_no_compression(rows):
    """Dimension and count reach their level before a twentieth of the steps; then a fall in the first phase supports."""
    early = changed(
        rows, "mackay", lambda r: r["mackay"].where(r["step"] == 0, 6.0 + r["mackay"] % 0.1), part="dynamics"
    )
    assert told(early, "T1b") == ["refuted"]
    fallen = lambda r: r["mackay"] * np.where(r["step"] >= STEPS / 3 - 1, 0.7, 1.0)
    assert told(changed(early, "mackay", fallen, part="dynamics", arm="wired"), "T1b") == ["supported"]
    assert told(changed(early, "mackay", fallen, part="dynamics", arm=["wired", "coded"]), "T1b") == ["mixed"]


@pytest.mark.parametrize(("size", "verdict"), [(0.0, "refuted"), (2.0, "supported")])
def test_a_fall_of_the_count_after_the_documents_first_look_is_seen(rows, size, verdict):
    level = lambda r: 5.0 + r["count"] % 0.1 - size * (r["step"] >= STEPS / 3 - 1)
    moved = changed(rows, "count", level, part="dynamics", arm="wired")
    assert told(quantities.frame(moved.assign(expected=4.0)), "T2b") == [verdict]


def test_one_rivals_lack_of_variety_leaves_the_other_to_be_judged(rows):
    flat = changed(rows, "feature_variance", lambda r: 0.1 * r["feature_variance"], part="dynamics", arm="AC-GAN")
    assert told(flat, "T4", "T4b") == ["supported", "undecided"]
    assert told(flat, "T4", criterion="earlier 2026-11-28") == ["undecided"]
    low = changed(flat, "mackay", lambda r: r["mackay"] - 3, part="dynamics", arm="cGAN")
    assert told(low, "T4", "T4b") == ["refuted", "undecided"]
    assert told(rows, "T4b") == ["supported"]


def test_a_seed_without_a_value_is_no_seed_less(rows):
    own = (rows["arm"] == "wired") & (rows["seed"] == 3) & (rows["step"] == MARKS[-1])
    found = quantities.levels(rows.assign(mackay=rows["mackay"].where(~own)))
    assert len(found["t4_cgan_minus_wired"]) == 10
    assert np.isnan(found["t4_cgan_minus_wired"]).sum() == 1


def test_a_perfect_adversary_refutes_that_adversaries_do_not_compose(rows):
    """That wired ones compose better it refutes only where they are not perfect, too: at the ceiling that is open."""
    asked = {"part": "composition", "variant": "splitter"}
    assert told(rows, "T7", "T7b") == ["supported", "supported"]
    perfect = changed(rows, "joint", lambda r: 1.0 + 0 * r["joint"], arm=["cGAN", "AC-GAN"], **asked)
    assert told(perfect, "T7", "T7b") == ["refuted", "refuted"]
    both = changed(perfect, "joint", lambda r: 1.0 + 0 * r["joint"], arm="wired", **asked)
    assert told(both, "T7", "T7b") == ["undecided", "refuted"]
    one = changed(both, "joint", lambda r: 0.7 + 0.01 * (r["seed"] % 3), arm="cGAN", **asked)
    assert told(one, "T7b") == ["mixed"]
    anybody = changed(both, "joint", lambda r: 0.9 + 0 * r["joint"], arm="untrained", **asked)
    assert told(anybody, "T7b") == ["undecided"]


def test_breaks_are_found_where_they_are_and_rarely_where_not():
    x = np.array([m for m in MARKS if m >= STEPS / 6], float)
    rng = np.random.default_rng(1)
    noise = rng.normal(8, 0.08, (100, len(x)))
    at = lambda share: np.where(x > STEPS * share + 1, 1.1, 1.0)
    most = np.percentile([quantities.pairs(x, y)[1] for y in noise], quantities.LEVEL)
    share = lambda values: np.mean([quantities.pairs(x, y)[0] > most for y in values])
    assert share(noise) < 0.12
    assert share(noise * at(1 / 3)) > 0.9
    assert share(noise * at(2 / 3)) > 0.9
    assert share(noise * at(0.5)) < 0.12
    assert not len(quantities.pairs(x[:6], noise[0, :6])[1])


def test_two_lines_are_no_better_than_one_on_a_line_and_far_better_at_a_kink():
    x = np.arange(20.0)
    assert quantities.splits(x, np.abs(x - 9.5), 10, 5) > 100
    assert quantities.splits(x, 3 * x + np.sin(7 * x), 10, 5) < 3


def test_planted_answers_are_judged_as_planted(rows):
    judged = claims.of("training_dynamics")
    for claim, both in controls.planted(rows).items():
        for told, wanted in zip(both, (("supported",), ("refuted", "mixed", "undecided")), strict=True):
            numbers = dict(told) | {f"{claim.lower()}_controls": [1.0]}
            verdict = {v.id: v for v in claims.judge({claim: judged[claim]}, numbers) if v.criterion == "precise"}[
                claim
            ]
            assert verdict.verdict in wanted, (claim, verdict.reason)


def test_without_the_arms_there_is_nothing_to_plant_or_judge(rows):
    assert controls.planted(rows[rows["arm"] != "wired, light"]) == {}
    few = quantities.judged(rows[~rows["arm"].isin(["wired", "cGAN"])])
    assert "t1_wired_drop" not in few
    assert "t6_no_break" not in few


def test_statuses_are_those_of_the_documents_script(rows):
    """Its published curves, given to four digits at the steps that it names."""
    steps = [500, 3500, 10_000]
    own = pd.DataFrame(
        {"pooled": [16.13, 9.61, 8.70], "count": [5.7, 5.0, 4.4], "step": steps, "arm": "coded", "part": "printed"}
    )
    other = pd.DataFrame(
        {"pooled": [12.69, 10.35, 10.41], "count": [6.4, 7.2, 7.5], "step": steps, "arm": "cGAN", "part": "dynamics"}
    )
    both = pd.concat([own, other], ignore_index=True).assign(seed=0, steps=10_000)
    found = printed.quantities(both)
    assert found["t1_drop"] == [pytest.approx(0.404, abs=1e-3)]
    assert found["t2_count_drop"] == [pytest.approx(0.7)]
    told = {k: status for k, (status, _) in printed.statuses(found).items()}
    assert told == {
        "dimension": printed.SUPPORTED, "holes": printed.CHALLENGED, "stable": "no test in the script",
        "higher": printed.CHALLENGED, "more": printed.SUPPORTED, "smooth": "no test in the script",
    }  # fmt: skip


def test_the_documents_files_are_written(rows, tmp_path):
    paths = {p.name: p for p in printed.write(rows, tmp_path)}
    assert set(paths) == {f"training_dynamics_{end}" for end in ("results.json", "predictions.md", "trajectories.png")}
    found = json.loads(paths["training_dynamics_results.json"].read_text())
    assert found["pedagogical"]["0"]["dimension"][0] == 16
    assert len(found["adversarial"]["9"]["step"]) == 20
    assert paths["training_dynamics_predictions.md"].read_text().startswith(printed.predictions().decode()[:20])
    assert paths["training_dynamics_trajectories.png"].read_bytes()[:4] == b"\x89PNG"


def test_the_audit_knows_the_ways_of_a_gradient():
    one = game("pedagogical", ("wired",))
    before = {k: v.clone() for k, v in one.params.items()}
    rows = {row["term"]: row for row in audit(one)}
    known = lambda term: {part for part, v in rows[term].items() if part != "term" and np.isfinite(v)}
    every = {"label embedding", "first layer", "middle layers", "image output", "v_pred head"}
    assert known("grounding as coded") == set()
    assert known("alignment") == every - {"image output"}
    assert known("grounding by the judge") == known("grounding by the witness") == every - {"v_pred head"}
    assert all(torch.equal(v, before[k]) and not v.requires_grad for k, v in one.params.items())


def test_eyes_see_each_model_by_itself_and_real_images_as_real():
    pixels = ((PIXELS[:, 0] + 1) * 127.5).round().numpy().astype(np.uint8)
    images = Images("noise", pixels, LABELS.numpy(), pixels, LABELS.numpy())
    shape = judge.JudgeShape(8, (3, 4), (5,), 4)
    stack = lambda kind: judge.untrained(shape, [(kind, s) for s in SEEDS])
    looking = Looking(each=8, k=4, batch=10)
    eyes = Looks(
        looking, CONFIG.body, images, SEEDS, stack("eyes"), stack("teachers"), (judge.untrained(shape, ["one"]),), "cpu"
    )
    params = nets.generators(CONFIG.body, [0, 1, 2, 3])
    whole = eyes.look(0, params)
    assert whole["values"].shape == (4, len(COLUMNS))
    assert whole["pictures"].shape == (2, 4, 8, 8)
    alone = {k: v[[0, 3]] for k, v in params.items()}  # one of each seed: the first seed's first, the second's second
    torch.testing.assert_close(eyes.look(0, alone)["values"], whole["values"][[0, 3]], rtol=1e-4, atol=1e-4)
    own = dict(zip(COLUMNS, eyes.seen(eyes.real).T, strict=True))
    np.testing.assert_allclose(own["pixel_variance"], 1, rtol=1e-4)
    np.testing.assert_allclose(own["feature_variance"], 1, rtol=1e-4)


def test_every_claim_has_a_plant_and_a_sentence():
    judged = set(claims.of("training_dynamics"))
    assert set(controls.PLANTED) == judged == {claim for claim, _ in sentences.VERDICTS.values()}
    for name, (_, said) in sentences.VERDICTS.items():
        assert set(said) == {"supported", "refuted", "mixed", "undecided"}, name


def test_one_body_and_one_judge_are_the_document_s_difference_without_them(rows):
    steps = sorted(set(rows[rows["part"] == "printed"]["step"]))
    found = printed.quantities(changed(rows, "pooled", lambda r: 3.0 + r["seed"], part="dynamics", arm="coded"))
    rival = rows[(rows["arm"] == "cGAN") & (rows["part"] == "dynamics") & rows["step"].isin(steps)]
    mean = rival.groupby("seed")["pooled"].mean()
    np.testing.assert_allclose(found["t4_one_body"], mean - 3.0 - mean.index)
    assert printed.quantities(rows)["t5_one_body"] != printed.quantities(rows)["t5_printed_difference"]


def test_the_estimate_grows_less_than_the_dimension_and_keeps_its_order():
    found = tables.reach(100, 20, (8, 24, 96)).set_index("true dimension")
    assert found["estimate"].loc[8] == pytest.approx(6.1, abs=0.3)
    assert found["estimate"].loc[24] == pytest.approx(12.2, abs=0.5)
    assert 20 < found["estimate"].loc[96] < 35
    assert list(found["above the one before"]) == ["–", "100%", "100%"]


def test_a_pull_is_that_of_the_judge_over_alignment():
    rows = pd.DataFrame(
        [{"part": "audit", "seed": 0, "step": i} | row for i, row in enumerate(audit(game("pedagogical", ("wired",))))]
    )
    norm = rows.set_index("term")["middle layers"]
    assert quantities.pull(rows) == [norm["grounding by the judge"] / norm["alignment"]]
    assert quantities.pull(rows.iloc[:0]) == []


def test_figures_and_tables_draw_what_there_is(rows):
    sides = Sides(rows)
    assert len(figures.answer(sides, 6.0).data) >= 4
    assert figures.measures(sides).data
    assert figures.printed(sides.map(printed.curves)).data
    assert tables.predictions(sides)["the document"].iloc[0] == "strongly supported"
    for share in (1 / 3, 1.0):
        assert {"wired", "AC-GAN"} < set(tables.arms(sides, share)["arm"])
    assert not len(tables.arms(Sides(rows.iloc[:0]), 1.0))
    assert len(tables.composed(sides).columns) == 7


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"each": 15, "k": 20}, "each=15 images of a class have no k=20"),
        ({"each": 200, "k": 20}, "takes up to 128"),
        ({"steps": 35}, "looked at 20 times, use 40 or more"),
        ({"arms": ("wired", "wired")}, "name each arm once"),
        ({"arms": ("wild",)}, "arm 'wild' is unknown"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_trained(change, told):
    with pytest.raises(ValueError, match=told):
        dynamics.QUICK.at(**({"seeds": 2, "steps": 360, "each": 100, "k": 20} | change))
