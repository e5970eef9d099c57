"""Quantities against independent formulas, controls that move what they say, tables and figures of one side or two."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from helpers import claims, encoding, frames, records
from helpers.encoding import controls, figures, quantities, tables, trials
from helpers.figures import ROLE
from helpers.study import Sides

REFERENCE = {"learned_encoding": quantities.learned, "encoding_limits": quantities.limited}


@pytest.fixture(scope="module")
def committed():
    from helpers import files

    folder = files.root() / "book" / "reference"
    return {name: quantities.frame(records.load(folder / name)) for name in REFERENCE}


@pytest.mark.parametrize(
    "name", ["learned_encoding", "encoding_limits", "encoding_limits/novels", "encoding_limits/ecoli"]
)
def test_committed_references_give_the_quantities_that_were_written_beside_them(name, root):
    """What the run computed before its records were rounded, to the rounding."""
    folder = root / "book" / "reference" / name
    read = REFERENCE[name.partition("/")[0]]
    numbers = read(quantities.frame(records.load(folder)))
    head = json.loads((folder / "reference.json").read_text())
    known = {k: v for k, v in head["quantities"].items() if not k.endswith("_controls")}
    assert set(known) == set(numbers)
    for key, values in known.items():
        # differences of losses that were rounded to five digits; a ratio of two nearly equal ones needs room
        room = 0.01 * max([1.0, *(abs(v) for v in values if v is not None)])
        assert numbers[key] == pytest.approx([math.nan if v is None else v for v in values], abs=room, nan_ok=True), key
    assert "migrated" in head
    assert head["parameters"]["profile"] == head["profile"]


def test_columns_that_follow_from_the_losses():
    rows = pd.DataFrame(
        [
            {"condition": "a", "seed": 0, "step": s, "loss": loss, "bayes": 1.0, "unigram": 3.0, "part": "chains"}
            for s, loss in ((0, 3.0), (10, 1.5))
        ]
    )
    out = quantities.frame(rows)
    assert out["end"].tolist() == [False, True]
    assert out["excess"].tolist() == [2.0, 0.5]
    assert out["share"].tolist() == [0.0, 0.75]


def test_a_share_kept_is_of_the_full_widths_gain_in_the_same_trial_and_seed():
    row = lambda part, arm, loss, seed=0: {
        "condition": f"{part}{arm}", "part": part, "kind": "genome", "arm": arm, "attend": True, "seed": seed, "step": 1,
        "asked": 10.0, "unigram": 5.0, "loss": loss,
    }  # fmt: skip
    rows = quantities.frame(
        pd.DataFrame([row("start", "full", 3.0), row("start", "learned", 4.0), row("longer", "full", 1.0)])
    )
    assert rows["kept"].tolist() == [1.0, 0.5, 1.0]


def test_gaps_against_the_frame(committed):
    rows = committed["learned_encoding"]
    numbers = quantities.learned(rows)
    ends = frames.rows(rows, part="chains", source="dirichlet", readout="residual", d=6, end=True)
    wide = ends.pivot(index="seed", columns="arm", values="loss")
    assert numbers["e1_gap_dirichlet"] == pytest.approx((wide["learned"] - wide["seed_ae"]).tolist())
    assert numbers["e3_gap_dirichlet"] == pytest.approx((wide["trained_pca"] - wide["learned"]).tolist())
    assert numbers["e5_gap_dirichlet"] == pytest.approx((wide["random"] - wide["learned"]).tolist())


def test_widths_that_suffice_against_numpy(committed):
    """np.interp on a rising curve, an independent reading of the same width."""
    rows = committed["learned_encoding"]
    found = quantities.suffices(rows, "planted6", "linear", "learned")
    where = {"part": "chains", "source": "planted6", "readout": "linear", "arm": ("learned", "full"), "end": True}
    for seed, d in enumerate(found):
        curve = frames.rows(rows, seed=seed, **where).sort_values("d")
        first = int(np.argmax(curve["share"].to_numpy() >= 0.99))
        pair = curve.iloc[first - 1 : first + 1]
        assert d == pytest.approx(np.interp(0.99, pair["share"], pair["d"]))


def test_widths_above_the_full_one_do_not_count():
    known = {"part": "chains", "source": "s", "readout": "linear", "seed": 0, "end": True}
    shares = (("learned", 2, 0.5), ("learned", 6, 0.6), ("learned", 32, 1.0), ("full", 8, 1.0))
    rows = [known | {"arm": arm, "d": d, "share": share} for arm, d, share in shares]
    rows = pd.DataFrame([*rows, {"part": "printed", "d": 32, "full": 8, "end": True}])
    assert quantities.suffices(rows, "s", "linear", "learned")[0] == pytest.approx(6 + 2 * 0.39 / 0.4)


def test_what_was_not_run_is_left_out(committed):
    rows = committed["learned_encoding"]
    only = {"e1_printed_ratio", "e1_walk_ratio", "e1_walk_loss", "e2_printed_ratio", "e4_printed_converged"}
    assert set(quantities.learned(frames.rows(rows, part="printed"))) == only | {"e1_relu_stuck"}
    assert len(quantities.at(rows, "nowhere", "linear", "learned")) == 0
    assert (
        quantities.named("e11_context_ratio")(committed["encoding_limits"])
        == quantities.limited(committed["encoding_limits"])["e11_context_ratio"]
    )
    for name, values in quantities.learned(rows).items():
        assert list(quantities.named(name)(rows)) == pytest.approx(values, nan_ok=True)
    assert len(quantities.named("e6_gap")(frames.rows(rows, part="printed"))) == 0
    assert controls.learned(frames.rows(rows, part="printed")) == {}


def test_planted_effects_are_found_and_absent_ones_are_not(committed):
    """On the reference's own scatter, by the claims' own tests; and only means have moved."""
    for name, make in (("learned_encoding", controls.learned), ("encoding_limits", controls.limited)):
        known = make(committed[name])
        probes = claims.known.probe(claims.of(name), known)
        assert {p.id for p in probes} == {"E1", "E3", "E5", "E6"} if name == "learned_encoding" else {"E8"}
        assert all(p.passed for p in probes)
        assert set(known) <= set(controls.PLANTED)
    planted, absent = controls.learned(committed["learned_encoding"])["E3"]
    before = quantities.gaps(committed["learned_encoding"])["e3_gap_dirichlet"]
    assert np.mean(planted["e3_gap_dirichlet"]) == pytest.approx(controls.LARGE)
    assert np.mean(absent["e3_gap_dirichlet"]) == pytest.approx(0)
    assert np.std(planted["e3_gap_dirichlet"]) == pytest.approx(np.std(before))


def sides(rows, alone):
    return Sides(rows) if alone else Sides(rows, rows, "reference (full)")


@pytest.mark.parametrize("alone", [True, False])
def test_figures_of_one_side_or_two(committed, alone):
    learned, limits = (sides(rows, alone) for rows in committed.values())
    drawn = {
        "printed": figures.printed(learned),
        "share": figures.share_by_width(learned),
        "convergence": figures.convergence(learned, 6),
        "elbow": figures.elbow(learned),
        "rules": figures.rules(learned),
        "kept": figures.kept_by_ratio(limits, {"text": "a text", "genome": "a genome"}),
        "bytes": figures.stored_bytes(limits.where(part="deployed")),
    }
    assert len(drawn["share"].layout.updatemenus[0].buttons) == len(figures.CELLS)
    verdicts = {ROLE[k] for k in ("supported", "refuted", "undecided")}
    for name, fig in drawn.items():
        colors = {t.line.color for t in fig.data if t.type == "scatter"} | {t.marker.color for t in fig.data}
        assert not colors & verdicts, name
        dashed = [t for t in fig.data if t.type == "scatter" and t.line.dash in ("dash", "dashdot")]
        assert bool(dashed) == (not alone and name not in ("convergence", "bytes")), name


def test_compressions_are_drawn_where_they_truly_are(committed):
    fig = figures.kept_by_ratio(Sides(committed["encoding_limits"]), {"text": "a text"})
    learned = next(t for t in fig.data if t.name == "learned with the task")
    assert sorted(learned.x) == pytest.approx([128 / d for d in (64, 26, 13, 6, 3)], rel=1e-4)  # five digits are kept


def test_the_dance_and_the_matrices():
    seen = encoding.watch(encoding_pattern(), steps=20, frames=4)
    assert len(figures.dance(seen, "t").frames) == len(seen)
    fig = figures.matrices(np.eye(3), {1: np.eye(3), 2: np.eye(3)}, "t")
    assert [t.visible for t in fig.data] == [False, True]


def encoding_pattern():
    from helpers.encoding import tasks

    return tasks.pattern(50)


def test_tables_say_what_the_quantities_say(committed):
    learned, limits = committed["learned_encoding"], committed["encoding_limits"]
    printed = tables.criteria(learned)
    ratio = np.array(quantities.learned(learned)["e1_printed_ratio"])
    assert printed["true gradients"][0] == f"{(ratio <= 1.1).mean():.0%} of seeds"
    assert printed["noise update"][1] == "0% of seeds"
    assert printed["true gradients"][2] == "10.7 : 1"
    median = np.median(quantities.learned(learned)["e2_compression_pattern"])
    motifs = tables.compressions(learned).set_index("source and network").loc["motifs, published network"]
    assert motifs["learned with the task"].startswith(f"{median:.1f} : 1")
    kept = tables.kept([Sides(limits, label="run")], (10,)).set_index("corpus").loc["tinyshakespeare.txt"]
    assert kept["10 : 1"] == pytest.approx(np.mean(quantities.limited(limits)["e8_text_10"]))
    assert len(tables.generated(learned)) == 2
    assert set(tables.sight(limits)["corpus"]) == set(limits["corpus"].dropna())
    assert tables.ratios(encoding.Limits())["true compression"].iloc[-1] == "32 : 1"
    assert tables.results(learned)["metadata"]["vocab_size"] == 50


def test_the_smaller_experiment_on_the_genome(root):
    rows = quantities.frame(records.load(root / "book" / "reference" / "encoding_limits" / "ecoli"))
    table = tables.trials([Sides(rows, label="this run"), Sides(rows.iloc[:0], label="none")]).set_index("code")[
        "this run"
    ]
    gain = np.mean(quantities.gain(quantities.LONGER)(rows))
    assert table["10 : 1, learned"] - table["10 : 1, learned, three times the steps"] == pytest.approx(gain)


def test_the_best_length_of_stage_one_is_held_against_the_learned_arm():
    """Shares that rise in a straight line to one: nine tenths at nine tenths of the steps, stage one before them."""
    rows = []
    for arm, first, whole in (("learned", 0, 100), ("seed_ae", 0, 400), ("seed_ae", 20, 100), ("seed_ae", 800, 50)):
        for seed in range(2):
            for step in (first, first + whole):
                known = {"part": "stages", "source": "planted6", "arm": arm, "first": first, "seed": seed, "d": 6}
                rows.append(known | {"step": step, "share": float(step > first)})
    found = trials.stages(pd.DataFrame(rows), 6)
    assert found["e4_stage_planted6"] == [20]
    assert found["e4_best_planted6"] == pytest.approx([np.log2(110 / 90)] * 2)
    assert trials.stages(pd.DataFrame(rows).assign(part="chains"), 6) == {}


def test_rates_at_an_edge_are_counted_where_arms_are_compared():
    chain = {"part": "chains", "readout": "residual", "seed": 0, "d": 6}
    rows = [chain | {"source": "dirichlet", "arm": arm, "edge": 1.0} for arm in ("learned", "random")]
    rows += [chain | {"source": "pattern", "arm": "learned", "edge": 1.0}]
    rule = {"part": "rules", "attend": True, "seed": 0, "d": 6}
    rows += [rule | {"arm": "seed_ae", "edge": 1.0}, rule | {"arm": "full", "d": 64, "edge": 0.0}]
    assert trials.edges(pd.DataFrame(rows), 6) == {"e3_edges": [2.0], "e6_edges": [1.0]}
    assert trials.edges(pd.DataFrame(rows).drop(columns="edge"), 6) == {}


def test_the_longest_context_follows_from_bytes():
    """Weights of 10 and 30, keys and values of 2 a token, memory for 60: 25 and 15 tokens."""
    rows = [
        {"part": "deployed", "arm": arm, "table": 1, "projection": 1, "deployed": size, "cache": 2}
        for arm, size in (("learned", 10), ("full width", 30), ("two-stage, folded", 10))
    ]
    empty = dict.fromkeys(("unigram", "loss", "kept", "attend", "kind", "end", "asked"))
    assert quantities.limited(pd.DataFrame(rows).assign(**empty))["e11_context_ratio"] == pytest.approx([25 / 15])
