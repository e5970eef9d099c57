"""The settings, the rule that names suppressors, and what follows from a frame, on answers that are known."""

import numpy as np
import pandas as pd
import pytest
import scipy

from helpers import claims
from helpers.separability import superposition as part
from helpers.separability.superposition import controls, quantities, rule, tables

NAME = "separability_superposition"


def heads(seed, variance, direct=5.0, gain=-5.0, copying=5.0, layers=2, model="stories", **more):
    """Rows of one model's heads; a value for all, or one a head."""
    count = len(variance)
    column = lambda v: np.broadcast_to(np.asarray(v, float), count)
    stats = {"direct_t": direct, "gain_t": gain, "copying_t": copying, "loss_t": 5.0}
    stats |= {f"null_{k}_t": 0.0 for k in ("direct", "gain", "copying")} | more
    facts = {
        "part": "heads",
        "model": model,
        "seed": seed,
        "n": 64,
        "total": count,
        "variance": np.asarray(variance, float),
    }
    facts |= {
        "layer": np.repeat(np.arange(layers), count // layers),
        "head": np.tile(np.arange(count // layers), layers),
    }
    return pd.DataFrame(
        facts | {k: column(v) for k, v in stats.items()} | {"direct": 0.1, "zero": 1.0, "surprise": 1.0}
    )


def planted(seed, share=0.5, t=20.0):
    return pd.DataFrame(
        [
            {
                "part": "planted",
                "model": "stories",
                "seed": seed,
                "n": 64,
                "total": 8,
                "share": share,
                "direct_t": -t,
                "gain_t": t,
            }
        ]
    )


def tidy(*rows):
    return quantities.frame(pd.concat(rows, ignore_index=True))


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (part.Toy, {"n_samples": 31}, "n_samples=31 is too few; use 32"),
        (part.Toy, {"train_steps": 0}, "train_steps=0 is too few; use 1"),
        (part.Toy, {"width": 66}, "use 68"),
        (part.Census, {"held": 101}, "use 102"),
        (part.Census, {"width": 30, "heads": 4}, "use 32"),
        (part.Census, {"rate": 0.0}, "rate=0.0"),
        (part.Census, {"stories": 3}, "use 16"),
        (part.Foreign, {"held": 9}, "use 10"),
        (part.Bottleneck, {"shapes": ((5, 6),)}, r"use \(5, 5\)"),
        (part.Bottleneck, {"sparsities": (0.5, 1.0)}, "sparsity 1.0"),
        (part.Bottleneck, {"sparsities": (0.5,)}, "two at least"),
        (part.Bottleneck, {"shapes": ()}, "one at least"),
    ],
)
def test_what_cannot_work_is_refused_with_what_can(kind, given, words):
    with pytest.raises(ValueError, match=words):
        kind(**given)


def test_a_statistic_is_clear_where_its_one_sided_p_says_so():
    border = scipy.stats.t.isf(0.05 / 8, 63)
    assert rule.clear(np.array([border + 0.01, border - 0.01, -9.0]), 1, 64, 8).tolist() == [True, False, False]
    assert rule.clear(np.array([-border - 0.01, 9.0, np.nan]), -1, 64, 8).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("direct", "gain", "copying", "found"),
    [(-9, 9, 5, True), (-9, -9, 5, False), (9, 9, 5, False), (9, -9, -9, True), (-1, 1, -1, False), (-9, 9, -9, True)],
)
def test_a_suppressor_works_against_the_answer_or_against_repetition(direct, gain, copying, found):
    columns = {"direct_t": np.array([direct]), "gain_t": np.array([gain]), "copying_t": np.array([copying])}
    assert rule.suppressors(columns, 64, 8).tolist() == [found]
    del columns["copying_t"]
    assert rule.suppressors(columns, 64, 8).tolist() == [direct < -2 and gain > 2]


def test_pure_noise_is_rarely_called_a_suppressor():
    rng = np.random.default_rng(0)
    columns = {name: rng.standard_t(63, 100_000) for name in ("direct_t", "gain_t", "copying_t")}
    share = rule.suppressors(columns, 64, 8).mean()
    assert share == pytest.approx(0.05 / 16, rel=0.15)  # the copying test alone: both direct tests at once are rarer


def test_the_ratio_is_taken_beside_the_same_layer():
    variance, layer = np.array([8.0, 1.0, 2.0, 4.0, 100.0, 100.0, 100.0, 400.0]), np.repeat([0, 1], 4)
    chosen = np.array([1, 0, 0, 0, 0, 0, 0, 1], bool)
    assert [near.tolist() for near in rule.matched(layer, chosen)] == [[1, 2, 3], [4, 5, 6]]
    assert rule.log2_ratio(variance, layer, chosen) == pytest.approx((np.log2(8 / 2) + np.log2(400 / 100)) / 2)
    assert rule.log2_ratio(np.stack([variance, 3 * variance]), layer, chosen).tolist() == pytest.approx([2.0, 2.0])
    assert rule.log2_ratio(variance, layer, np.zeros(8, bool)) == 0.0
    assert rule.log2_ratio(variance, layer, np.ones(8, bool)) == 0.0
    whole = np.array(
        [1, 1, 1, 1, 0, 0, 0, 0], bool
    )  # a layer of suppressors is compared with the other heads of the model
    assert rule.matched(layer, whole)[0].tolist() == [4, 5, 6, 7]


def test_planted_frames_give_the_quantities_that_were_planted():
    loud = [4.0, 1, 1, 1, 1, 1, 1, 1]
    suppress = [-9.0, *[5.0] * 7]
    rows = tidy(
        *(heads(s, loud, direct=suppress, gain=[9.0, *[-5.0] * 7]) for s in range(3)), planted(0), planted(1, t=0.0)
    )
    found = quantities.named(rows)
    assert found["s11_log2_ratio"] == [2.0, 2.0, 2.0]
    assert found["s11_planted_found"] == [0.5]
    assert found["s11_false_found"] == [0.0]
    assert quantities.count()(rows).tolist() == [1, 1, 1]
    assert 1 / 8 - 0.03 < found["s12_p_heads"][0] < 1 / 8 + 0.03  # one of eight heads is the loudest
    assert quantities.pooled(rows)[0] < 0.01  # three models at once: 1 / 512
    table = tables.alone(rows).set_index("a suppressor is a head of which …")
    assert table.loc["the rule", "found"] == 3
    assert table.loc["its direct effect is negative", "log2 variance ratio"] == 2.0
    assert table.loc["its removal lowers the loss", "found"] == 0


def test_a_model_without_suppressors_counts_as_no_difference():
    found = quantities.named(tidy(heads(0, [4.0, *[1.0] * 7]), heads(1, [1.0] * 8)))
    assert found["s11_log2_ratio"] == [0.0, 0.0]
    assert found["s12_log_ratio"] == [0.0] * 64
    assert found["s12_p_heads"] == [1.0]


def test_quiet_suppressors_are_as_rare_as_chance_has_it_and_permutation_is_fair():
    rng = np.random.default_rng(1)
    p = []
    for seed in range(60):
        chosen = rng.permutation([-9.0, -9.0, *[5.0] * 14])
        rows = tidy(heads(seed, np.exp(rng.normal(size=16)), direct=chosen, gain=-chosen))
        p.append(quantities.permuted(rows, draws=199))
    assert 0.35 < np.mean(p) < 0.65
    assert np.mean(np.array(p) < 0.2) < 0.4


def test_the_known_answers_of_s11_come_out_as_they_must():
    rng = np.random.default_rng(2)
    models = [
        heads(
            s,
            np.exp(0.3 * rng.normal(size=8)),
            direct=np.r_[-9.0, [5.0] * 7] if s % 2 else 5.0,
            gain=np.r_[9.0, [-5.0] * 7],
        )
        for s in range(10)
    ]
    rows = tidy(*models)
    for to in (controls.TWICE, 0.0):
        assert np.mean(quantities.named(controls.moved(rows, to))["s11_log2_ratio"]) == pytest.approx(to)
    probe = claims.known.probe(claims.of(NAME), controls.known(rows))[0]
    assert (probe.planted, probe.absent) == (claims.words.SUPPORTED, claims.words.REFUTED)


def toy_rows(ablated, outputs, seeds=8, batches=5):
    rng, out = np.random.default_rng(3), []
    for s in range(seeds):
        for i in range(batches):
            row = {
                "part": "printed",
                "seed": 777 + s,
                "step": i,
                "heads": 2,
                "threshold": 1.5,
                "against": -0.5,
                "resamples": 200,
                "loss": 5.5,
            }
            row |= {"variance_stream": 1.0, "variance_head_last": 1.0, "against_0": -0.1, "against_1": -0.2}
            row |= {f"ablated_{h}": v for h, v in enumerate(ablated)} | {
                f"variance_head_{h}": v * np.exp(0.1 * rng.normal()) for h, v in enumerate(outputs)
            }
            out.append(row)
    return quantities.frame(pd.DataFrame(out))


def test_the_printed_criterion_on_a_suppressor_and_on_none():
    loud = quantities.printed(toy_rows((2.0, 0.9), (3.0, 1.0)))
    assert loud["printed_suppressors"].tolist() == [1.0] * 8
    assert loud["s11_ratio"] == pytest.approx([3.0] * 8, rel=0.2)
    assert loud["s12_printed_excludes"].tolist() == [1.0] * 8
    assert loud["printed_most"] == pytest.approx([2.0] * 8)
    none = quantities.printed(toy_rows((1.4, 0.9), (3.0, 1.0)))
    assert none["s11_ratio"].tolist() == [1.0] * 8
    verdict = lambda found: claims.judge(claims.of(NAME), {"s11_ratio": [*found["s11_ratio"]] * 2})[0].verdict
    assert (verdict(loud), verdict(none)) == (claims.words.SUPPORTED, claims.words.REFUTED)
    assert set(tables.sites(toy_rows((1.4, 0.9), (3.0, 1.0)))["site"]) == {
        "clean heads, first layer",
        "all heads, last layer",
    }


def test_rank_correlations_along_what_is_varied():
    grid = [(n, m, s, seed) for n in (10,) for m in (2, 3, 5) for s in (0.5, 0.8, 0.9) for seed in (0, 1)]
    rows = pd.DataFrame(
        [
            {"part": "bottleneck", "n": n, "m": m, "sparsity": s, "seed": k, "superposition": s - 0.01 * m}
            for n, m, s, k in grid
        ]
    )
    rows = quantities.frame(
        rows.assign(amplitude=1 - rows["sparsity"], norm=rows["sparsity"] + rows["m"], packing=1.0, interference=1.0)
    )
    assert quantities.follows("amplitude", "sparsity")(rows).tolist() == pytest.approx([-1.0, -1.0])
    assert quantities.follows("norm", "sparsity")(rows).tolist() == pytest.approx([1.0, 1.0])
    assert quantities.follows("norm", "m")(rows).tolist() == pytest.approx([-1.0, -1.0])
    assert quantities.follows("interference", "m")(rows).tolist() == [0.0, 0.0]
