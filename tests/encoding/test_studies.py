"""The experiments end to end at toy size: records in, quantities out, resumable, seeded, and every bad setting refused."""

import numpy as np
import pytest
import torch

from helpers import encoding, records
from helpers.encoding import grid, limits, measure, printed, quantities, tasks

CELLS = {
    "pattern/residual": ("learned", "seed_ae", "trained_pca", "random", "full"),
    "planted6/residual": ("learned", "seed_ae", "trained_pca", "random", "full"),
    "dirichlet/residual": tuple(a for a in encoding.ARMS if a not in ("wide", "factorised")),
    "planted2/linear": ("learned", "full"),
    "dirichlet/mlp": ("learned", "factorised", "wide", "onehot_ae", "full"),
}


@pytest.fixture(scope="module")
def small():
    return encoding.Chains(cells=CELLS, widths=(2, 6), seeds=2, rates=(0.01, 0.03), steps=30, sequences=400)


@pytest.fixture(scope="module")
def found(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    made = encoding.run_chains("learned_encoding", small)
    made += encoding.run_printed("learned_encoding", encoding.Printed(seeds=2, epochs=3, first_epochs=2, sequences=64))
    task = encoding.Rules(values=5, length=6, held=32)
    config = encoding.Readers(widths=(2, 6), blind_widths=(6,), seeds=2, steps=10, batch=8)
    made += encoding.run_rules("learned_encoding", task, config, encoding.Shape(10, 8, 16, 2, 1, 6))
    for record in made:
        record.write(folder)
    return encoding.frame(records.load(folder))


def test_every_condition_width_and_seed_is_there(found, small):
    chains = found[found["part"] == "chains"]
    last = encoding.final(chains)
    for cell, arms in CELLS.items():
        for arm in arms:
            rows = last[last["condition"] == cell.replace("/", ".") + "." + arm]
            assert len(rows) == (1 if arm == "full" else 2) * small.seeds, (cell, arm)
    assert (last["step"] == small.steps).all()
    assert last["loss"].notna().all()


def test_shares_and_excess_follow_from_the_losses(found):
    row = found[found["part"] == "chains"].iloc[5]
    assert row["excess"] == pytest.approx(row["loss"] - row["bayes"])
    assert row["share"] == pytest.approx(measure.share(row["loss"], row["bayes"], row["unigram"]))


def test_two_stage_curves_start_when_stage_one_ends(found, small):
    steps = found[(found["condition"] == "planted6.residual.seed_ae") & (found["d"] == 6)]["step"]
    assert steps.min() == small.first
    assert found[(found["condition"] == "planted6.residual.learned") & (found["d"] == 6)]["step"].min() == 0


def test_quantities_cover_every_claim_of_the_chapter(found, root):
    from helpers import claims

    numbers = encoding.learned(found)
    wanted = {
        t.quantity
        for c in claims.of("learned_encoding", claims.load(root / "book" / "claims.yml")).values()
        for criterion in (c.printed, c.precise)
        for t in criterion.tests + criterion.controls
    }
    missing = wanted - set(numbers) - {"e7_elbow_6", "e7_elbow_12", "e7_none_dirichlet"}  # not in this small grid
    assert not missing
    assert all(len(v) == 2 for v in numbers.values())


def test_the_same_settings_give_the_same_numbers_and_a_resumed_run_too(small, tmp_path):
    a, b = (grid.Trainer(small, tmp_path if i else None).run() for i in range(2))
    c = grid.Trainer(small, tmp_path).run()
    for other in (b, c):
        assert a.models == other.models
        assert all(np.array_equal(x, y) for x, y in zip(a.curves, other.curves, strict=True))


def test_interrupted_training_loses_at_most_one_group(small, tmp_path, monkeypatch):
    done = []
    original = grid.Trainer._train_chunk

    def stop_in_the_middle(self, part, steps):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(part)
        return original(self, part, steps)

    monkeypatch.setattr(grid.Trainer, "_train_chunk", stop_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        grid.Trainer(small, tmp_path).run()
    monkeypatch.setattr(
        grid.Trainer, "_train_chunk", lambda self, part, steps: done.append(part) or original(self, part, steps)
    )
    grid.Trainer(small, tmp_path).run()
    assert len(done) == len(list(tmp_path.glob("*.safetensors"))), "a finished group was trained again"


def test_live_curves_are_told(small):
    told = []
    grid.Trainer(small, live=lambda step, values: told.append((step, set(values)))).run()
    assert {"learned", "full", "seed_ae"} <= set().union(*(v for _, v in told))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": 0}, "seeds=0"),
        ({"steps": 1}, "steps=1"),
        ({"stage1": 1.0}, "stage1=1.0"),
        ({"widths": (51,)}, "width d=51 is not between 1 and the vocabulary, 50"),
        ({"widths": (0,)}, "width d=0"),
        ({"cells": {"pattern/deep": ("learned",)}}, "cell 'pattern/deep'"),
        ({"cells": {"zipf/linear": ("learned",)}}, "cell 'zipf/linear'"),
        ({"cells": {"pattern/linear": ("wide",)}}, "'wide' needs an mlp"),
        ({"cells": {"pattern/linear": ("magic",)}}, "arm 'magic'"),
    ],
)
def test_bad_settings_are_refused_before_anything_starts(change, message):
    with pytest.raises(ValueError, match=message):
        encoding.Chains(**{"cells": CELLS, **change})


def test_printed_settings_are_checked():
    for bad in ({"seeds": 0}, {"code": 51}, {"vocab": 30}):
        with pytest.raises(ValueError, match="motifs need vocab"):
            encoding.Printed(**bad)


def test_printed_data_are_four_sequences():
    p = encoding.Printed()
    x = printed.sequences(p, 0)
    assert x.shape == (1000, 20)
    assert len(np.unique(x, axis=0)) == 4
    assert list(x[np.flatnonzero(x[:, 0] == 20)[0]][:6]) == [20, 21, 22, 20, 21, 22]


def test_minibatch_tables_sum_to_the_data():
    p = encoding.Printed(seeds=1, sequences=70, epochs=1)
    data = torch.tensor(printed.sequences(p, 0))[None]
    tables = printed._tables(p, data)
    assert len(tables) == 3
    sizes = torch.tensor([32.0, 32, 6]) / 70
    total = sum(w * t[0] for w, t in zip(sizes, tables, strict=True))
    assert np.allclose(total, tasks.bigram_counts(data[0].numpy(), 50) / (70 * 19), atol=1e-6)


def test_noise_walk_stays_at_chance_and_gradients_do_not():
    """What the published update does, over 10 seeds: within 0.05 nat of ln 50. Gradients solve the task in 30 epochs."""
    p = encoding.Printed(seeds=10)
    out = printed.run(p)
    assert np.abs(out["walk_learned"][:, -1] - np.log(50)).max() < 0.05
    assert out["learned"][:, -1].max() < 0.01
    assert (out["first_traditional"][:, -1] < out["first_traditional"][:, 0]).all()


def test_enough_and_steps_interpolate():
    assert measure.enough([1, 2, 4], [0.5, 0.9, 1.0], 0.95) == pytest.approx(3.0)
    assert measure.enough([1, 2], [0.99, 1.0]) == 1
    assert measure.enough([1, 2], [0.1, 0.2]) == np.inf
    assert measure.steps_to([0, 10, 20], [0.0, 0.8, 1.0]) == pytest.approx(15)
    assert np.isnan(measure.steps_to([0, 10], [0.0, 0.1]))
    for bad in (([1, 1], [0, 1]), ([1], []), ([], [])):
        with pytest.raises(ValueError, match="increasing widths"):
            measure.enough(*bad)


def test_bigram_divergence_orders_models():
    """The true chain sits at the sampling floor, a smoothed one above it, frequencies alone near the mutual information."""
    chain = tasks.dirichlet(20, np.random.default_rng(0))
    blurred = 0.8 * chain.transition + 0.2 / 20
    alone = np.tile(chain.stationary, (20, 1))
    floor, middle, top = (
        measure.bigram_kl(chain, p, 200_000, np.random.default_rng(1)) for p in (chain.transition, blurred, alone)
    )
    assert floor < 0.01
    exact = float((chain.joint * np.log(chain.transition / blurred)).sum())
    assert floor < middle
    assert middle == pytest.approx(exact, rel=0.6)
    assert top == pytest.approx(chain.unigram - chain.bayes, rel=0.1)


@pytest.mark.slow
def test_planted_rank_is_recovered_and_nothing_is_found_where_nothing_is():
    """Positive control: linear read-out, ranks 2 and 4. Negative: a full-rank chain has no elbow below 10."""
    cells = {
        "planted2/linear": ("learned", "full"),
        "planted4/linear": ("learned", "full"),
        "dirichlet/linear": ("learned", "full"),
    }
    config = encoding.Chains(cells=cells, widths=(1, 2, 3, 4, 5, 6, 10), seeds=2, rates=(0.03,), steps=400)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for record in encoding.run_chains("x", config):
            record.write(folder)
        numbers = encoding.learned(encoding.frame(records.load(folder)))
    assert np.abs(numbers["e7_elbow_2"]).max() < 0.5
    assert np.abs(numbers["e7_elbow_4"]).max() < 0.5
    assert min(numbers["e7_none_dirichlet"]) > 10


@pytest.mark.slow
def test_a_random_code_fails_behind_a_linear_read_out_and_the_autoencoders_is_one():
    """The planted difference between learned and random; autoencoder and random agree within a tenth of it."""
    config = encoding.Chains(
        cells={"planted6/linear": ("learned", "random", "seed_ae", "full")},
        widths=(6,),
        seeds=4,
        rates=(0.03,),
        steps=300,
    )
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for record in encoding.run_chains("x", config):
            record.write(folder)
        found = encoding.frame(records.load(folder))
    learned, random, auto = (encoding.at(found, "planted6", "linear", a, 6) for a in ("learned", "random", "seed_ae"))
    assert (random - learned).min() > 0.5
    assert abs((auto - random).mean()) < 0.1 * (random - learned).mean()


def corpus(count=6000, vocab=12):
    chain = tasks.dirichlet(vocab, np.random.default_rng(0))
    return limits.Corpus("made", chain.sample(1, count, np.random.default_rng(1))[0], vocab, length=8, held=20)


def test_blocks_are_disjoint_cover_everything_and_move_with_the_seed():
    c = corpus()
    for seed in (0, 1):
        blocks = c.blocks(seed)
        assert [len(blocks[k]) for k in ("train", "validation", "test")] == [16, 2, 2]
        joined = np.sort(np.concatenate([b for found in blocks.values() for b in found]))
        assert np.array_equal(joined, np.sort(c.tokens))
    assert not torch.equal(c.windows(0, "test"), c.windows(1, "test"))
    assert c.windows(0, "test").shape == (20, 9)


def test_baselines_against_a_direct_count():
    c = corpus()
    train = np.concatenate(c.blocks(0)["train"])
    p = (np.bincount(train, minlength=12) + 0.5) / (len(train) + 6)
    x = c.windows(0, "test").numpy()
    assert c.baselines(0)["unigram"] == pytest.approx(-np.log(p[x[:, 1:]]).mean(), abs=0.01)
    assert c.baselines(0)["bigram"] < c.baselines(0)["unigram"]


def test_a_corpus_that_is_too_short():
    with pytest.raises(ValueError, match=r"made has 100 tokens; windows of 8 need 360"):
        corpus(count=100)


def test_limits_give_quantities_for_every_ratio(tmp_path):
    config = encoding.Readers(
        arms=("learned", "seed_ae", "trained_pca", "full"), blind=("learned", "full"), seeds=2, steps=6, batch=4
    )
    shape = encoding.Shape(12, 8, 16, 2, 1, 8)
    made = []
    for kind in ("text", "genome"):
        made += encoding.run_limits("encoding_limits", kind, corpus(), config, shape, (2, 4, 8))
    for record in [*made, *encoding.run_deployed("encoding_limits", shape)]:
        record.write(tmp_path)
    found = encoding.frame(records.load(tmp_path))
    numbers = encoding.limited(found)
    assert {"e8_text_2", "e8_text_8", "e8_genome_4", "e8_text_4_seed_ae", "e10_model", "e8_text_gain"} <= set(numbers)
    assert len(numbers["e8_text_2"]) == 2
    full = encoding.final(found[(found["arm"] == "full") & (found["attend"] == True)])  # noqa: E712
    assert np.allclose(full["kept"], 1)


def test_deployed_bytes_against_counting_by_hand():
    shape = encoding.Shape(100, 8, 16, 2, 1, 5)
    rows = {r["arm"]: r for r in encoding.deployed(shape, 2, 64)}
    network = 4 * (5 * 8 + 4 * 64 + 8 * 16 + 16 + 16 * 8 + 8 * 100 + 100)
    assert rows["learned"]["network"] == network
    assert rows["learned"]["table"] == 4 * 200
    assert rows["learned"]["deployed"] == 4 * (200 + 16) + network
    assert rows["two-stage, folded"]["deployed"] == rows["learned"]["deployed"]
    assert rows["two-stage, as counted"]["deployed"] > rows["full width"]["table"]
    assert rows["full width"]["deployed"] == 4 * 800 + network
    assert rows["two-stage, folded"]["training"] > rows["learned"]["training"]


def test_single_models_to_look_into():
    seen = encoding.watch(tasks.pattern(50), steps=40, frames=5)
    assert next(iter(seen)) == 0
    assert next(iter(seen.values())).shape == (50, 2)
    predicted = encoding.predict(encoding.example(vocab=20, rank=2), (1, 2), "linear", steps=20)
    assert predicted[2].shape == (20, 20)
    assert np.allclose(predicted[1].sum(1), 1, atol=1e-5)


def test_figures_are_drawn_from_the_frames(found):
    from helpers.encoding import plots

    fig = plots.share_by_width(found, found, {"dirichlet.residual": "a", "planted6.residual": "b"})
    assert len(fig.layout.updatemenus[0].buttons) == 2
    assert any("reference" in (t.name or "") for t in fig.data)
    assert len(plots.printed(found).data) >= 4
    assert len(plots.convergence(found, {"planted6": "x"}, 6).data) > 4
    assert len(plots.rules(found, None).data) > 4
    assert plots.elbow(found, None).data
    assert len(plots.dance(encoding.watch(tasks.pattern(50), steps=20, frames=4), "t").frames) > 2


def test_quantities_leave_out_what_was_not_run(found):
    only = found[found["part"] == "printed"]
    assert set(encoding.learned(only)) == {
        "e1_printed_ratio",
        "e1_walk_ratio",
        "e1_walk_loss",
        "e2_printed_ratio",
        "e4_printed_converged",
    }
    assert len(quantities.at(found, "nowhere", "linear", "learned", 6)) == 0
