"""The experiments end to end at toy size: records in, quantities out, resumable, at the ends of their ranges too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers import claims, encoding, frames
from helpers.encoding import corpora, printed, quantities, tasks
from helpers.encoding.chains import ChainGrid
from helpers.encoding.config import ADAPTIVE, ARMS
from helpers.study import Log
from helpers.work import Work

CELLS = {
    "pattern/residual": ("learned", "seed_ae", "trained_pca", "random", "full"),
    "planted6/residual": ("learned", "seed_ae", "trained_pca", "random", "full"),
    "dirichlet/residual": tuple(a for a in ARMS if a not in ("wide", "factorised", *ADAPTIVE)),
    "planted2/linear": ("learned", "full"),
    "dirichlet/mlp": ("learned", "factorised", "wide", "onehot_ae", "full"),
}
SMALL = encoding.Chains(cells=CELLS, grid=(2, 6), seeds=2, rates=(0.01, 0.03), steps=30, sequences=400)
RULES = encoding.Rules(values=5, length=6, held=32, grid=(2, 6), code=6, stream=8, seeds=2, steps=10, batch=8)
PRINTED = encoding.Printed(seeds=2, epochs=3, first_epochs=2, sequences=64)


def log(name: str, folder: Path, **given: object) -> Log:
    study = encoding.CHAPTERS[name]
    return Log(
        study, name, folder / "run", reference=folder / "none", work=Work(folder / "work"), given=study.same | given
    )


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    made = log("learned_encoding", tmp_path_factory.mktemp("learned"))
    encoding.run_printed(PRINTED, made)
    encoding.run_chains(SMALL, made)
    encoding.run_rules(RULES, made)
    return made


def corpus(count=6000, vocab=12):
    chain = tasks.dirichlet(vocab, np.random.default_rng(0))
    return encoding.Corpus("made", chain.sample(1, count, np.random.default_rng(1))[0], vocab, length=8, held=20)


LIMITS = encoding.Limits(
    arms=("learned", "seed_ae", "trained_pca", "full"), ratios=(2, 4, 8), stream=8, length=8, seeds=2, steps=6, batch=4
)


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    made = log("encoding_limits", tmp_path_factory.mktemp("limits"))
    encoding.run_limits(LIMITS, {"text": corpus(), "genome": corpus()}, made)
    start = replace(LIMITS, part="start", arms=("learned", "trained_pca_tuned", "full"), blind=(), ratios=(4,))
    encoding.run_limits(start, {"genome": corpus()}, made)
    encoding.run_deployed(LIMITS, corpus(), made)
    return made


def test_every_condition_width_and_seed_is_a_record_of_its_own(learned):
    ends = frames.rows(learned.frame(), part="chains", end=True)
    for cell, arms in CELLS.items():
        source, _, readout = cell.partition("/")
        for arm in arms:
            rows = frames.rows(ends, source=source, readout=readout, arm=arm)
            assert sorted(rows["d"]) == sorted([64, 64] if arm == "full" else [2, 2, 6, 6]), (cell, arm)
    assert (ends["step"] == SMALL.steps).all()
    assert ends["loss"].notna().all()
    assert not ends.duplicated(["condition", "seed"]).any()


def test_two_stage_curves_start_when_stage_one_ends(learned):
    where = {"part": "chains", "source": "planted6", "readout": "residual", "d": 6}
    steps = lambda arm: frames.rows(learned.frame(), arm=arm, **where)["step"].min()
    assert steps("seed_ae") == SMALL.first
    assert steps("learned") == 0


def test_the_rate_is_the_best_by_validation(learned):
    rows = ChainGrid(SMALL).run()
    ends = rows[
        (rows["cell"] == "planted6/residual") & (rows["step"] == 30) & (rows["d"] == 2) & (rows["arm"] == "learned")
    ]
    best = ends.groupby("rate")["validation"].mean().idxmin()
    told = frames.rows(learned.frame(), source="planted6", readout="residual", arm="learned", d=2, end=True)
    assert set(told["rate"]) == {best}
    assert sorted(told["loss"]) == pytest.approx(sorted(ends[ends["rate"] == best]["loss"]))


def test_quantities_cover_every_claim_of_the_chapters(learned, limited):
    once = ("e10", "e11", "e3_edges", "e6_edges")  # of no seed
    for made in (learned, limited):
        numbers = made.study.quantities(made.frame())
        wanted = {
            t.quantity
            for c in claims.of(made.name).values()
            for criterion in (c.printed, c.precise)
            for t in criterion.tests + criterion.controls
        }
        wanted = {name for name in wanted if not name.endswith("_controls")}  # made of the known answers
        absent = {"e7_elbow_6", "e7_elbow_12", "e7_none_dirichlet", "e7_step_2", "e7_step_6", "e7_step_12", "e7_flat"}
        absent |= {f"e8_{k}_{r}{of}" for k in ("text", "genome") for r in (5, 20, 50) for of in ("", "_less", "_ratio")}
        assert not wanted - set(numbers) - absent  # not in these small grids, or never run
        assert all(len(v) == 2 for k, v in numbers.items() if not k.startswith(once))


def test_a_run_is_judged_and_shows_its_known_answers(learned, limited):
    for made, probes in ((learned, 4), (limited, 2)):
        judged = made.verdict()
        assert len(judged.probes) == probes
        assert {v.id for v in judged.verdicts} == set(claims.of(made.name))
        assert judged.probe_table().bundle["text/html"].count("<tr>") == probes + 1 + (
            len(judged.sights) + 1 if judged.sights else 0
        )


def test_finished_work_is_read_back_and_an_interrupted_run_loses_one_stack(tmp_path, monkeypatch):
    whole = log("learned_encoding", tmp_path / "a")
    encoding.run_chains(SMALL, whole)
    done, original = [], ChainGrid.fit

    def stop(self, models, *args, **how):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(models)
        return original(self, models, *args, **how)

    monkeypatch.setattr(ChainGrid, "fit", stop)
    resumed = log("learned_encoding", tmp_path / "b")
    with pytest.raises(KeyboardInterrupt):
        encoding.run_chains(SMALL, resumed)
    monkeypatch.setattr(
        ChainGrid, "fit", lambda self, models, *a, **how: done.append(models) or original(self, models, *a, **how)
    )
    encoding.run_chains(SMALL, resumed)
    assert len(done) == len(list((tmp_path / "b" / "work").glob("*.safetensors"))), "a finished stack was trained again"
    monkeypatch.setattr(ChainGrid, "fit", None)
    again = log("learned_encoding", tmp_path / "b")
    encoding.run_chains(SMALL, again)
    encoding.run_chains(SMALL, again)  # a cell that is run twice
    assert whole.frame().equals(resumed.frame())
    assert whole.frame().equals(again.frame())


def test_live_curves_and_progress_are_told():
    told = []
    done = []
    ChainGrid(SMALL).run(lambda step, values: told.append((step, set(values))), lambda *at: done.append(at))
    assert {"learned", "full", "seed_ae"} <= set().union(*(v for _, v in told))
    assert max(step for step, _ in told) == SMALL.steps
    assert done == [(i + 1, len(done)) for i in range(len(done))]


def test_printed_data_are_four_sequences():
    x = printed.sequences(encoding.Printed(), 0)
    assert x.shape == (1000, 20)
    assert len(np.unique(x, axis=0)) == 4
    assert list(x[np.flatnonzero(x[:, 0] == 20)[0]][:6]) == [20, 21, 22, 20, 21, 22]


def test_minibatch_tables_sum_to_the_data():
    p = encoding.Printed(seeds=1, sequences=70, epochs=1)
    data = torch.tensor(printed.sequences(p, 0))[None]
    tables = printed.batch_tables(p, data, 1)
    sizes = torch.tensor([32.0, 32, 6]) / 70
    total = sum(w * t[0] for w, t in zip(sizes, tables, strict=True))
    assert np.allclose(total, tasks.bigram_counts(data[0].numpy(), 50) / (70 * 19), atol=1e-6)


def test_noise_walk_stays_at_chance_and_gradients_do_not(device):
    """What the published update does, over 10 seeds: within 0.05 nat of ln 50. Gradients solve the task in 30 epochs."""
    out = printed.losses(encoding.Printed(seeds=10), device)
    assert np.abs(out["walk_learned"][:, -1] - np.log(50)).max() < 0.05
    assert out["learned"][:, -1].max() < 0.01
    assert (out["first_traditional"][:, -1] < out["first_traditional"][:, 0]).all()


@pytest.mark.parametrize("rate", [1e-5, 1.0])
def test_both_ends_of_the_learning_rate_give_finite_losses(rate):
    out = printed.losses(replace(PRINTED, rate=rate))
    assert all(np.isfinite(curve).all() for curve in out.values())


@pytest.mark.parametrize(
    ("code", "full", "vocab"), [(1, 64, 50), (32, 8, 35), (32, 64, 128), (5, 16, 35), (13, 8, 128), (8, 8, 35)]
)
def test_the_ends_of_the_sizes_run_and_are_judged(code, full, vocab, tmp_path):
    """Everything that the quick profile trains, with two steps: widths above V and D, and full widths below the grid's."""
    made = log("learned_encoding", tmp_path, learned_dim=code, traditional_dim=full, vocab_size=vocab)
    sizes = {"vocab": vocab, "full": full, "code": code, "seeds": 2}
    encoding.run_printed(encoding.Printed(epochs=1, first_epochs=1, sequences=32, **sizes), made)
    grid = encoding.Chains().grid
    encoding.run_chains(encoding.Chains(grid=(*grid, 48), rates=(0.01,), steps=2, sequences=50, **sizes), made)
    encoding.run_rules(encoding.Rules(values=8, length=8, held=16, grid=(2, 8), code=code, seeds=2, steps=2), made)
    numbers = encoding.CHAPTERS["learned_encoding"].quantities(made.frame())
    assert numbers["e2_printed_ratio"] == pytest.approx([full / code] * 2)
    assert {"e1_gap_rules", "e2_compression_rules", "e7_elbow_12", "e9_gap_dirichlet"} <= set(numbers)
    assert made.answer() is None
    assert {v.id for v in made.verdict().verdicts} == set(claims.of("learned_encoding"))


def test_blocks_are_disjoint_cover_everything_and_move_with_the_seed():
    c = corpus()
    for seed in (0, 1):
        blocks = c.blocks(seed)
        assert [len(blocks[k]) for k in ("train", "validation", "test")] == [16, 2, 2]
        joined = np.sort(np.concatenate([b for split in blocks.values() for b in split]))
        assert np.array_equal(joined, np.sort(c.tokens))
    assert not torch.equal(c.windows(0, "test"), c.windows(1, "test"))
    assert c.windows(0, "test").shape == (20, 9)


def test_baselines_against_a_table_of_all_pairs():
    c = corpus()
    table = sum(tasks.bigram_counts(b, 12) for b in c.blocks(0)["train"])  # (V, V)
    unigram = (table.sum(0) + 0.5) / (table.sum() + 6)
    bigram = (table + 5 * unigram) / (table + 5 * unigram).sum(1, keepdims=True)
    x = c.windows(0, "test").numpy()
    assert c.baselines(0)["unigram"] == pytest.approx(-np.log(unigram[x[:, 1:]]).mean(), abs=1e-12)
    assert c.baselines(0)["bigram"] == pytest.approx(-np.log(bigram[x[:, :-1], x[:, 1:]]).mean(), abs=1e-12)


def test_a_vocabulary_of_65536_needs_no_table_of_zeros():
    import tracemalloc

    tokens = np.random.default_rng(0).integers(0, 4**8, 20_000)
    tracemalloc.start()
    found = encoding.Corpus("k = 8", tokens, 4**8, length=8).baselines(0)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert found["unigram"] == pytest.approx(np.log(4**8), abs=0.5)


@pytest.mark.parametrize("k", [1, 8])
def test_the_shortest_and_the_longest_word_of_a_genome(k, tmp_path):
    made = log("encoding_limits", tmp_path, k=k)
    bases = np.random.default_rng(0).integers(0, 4, 400 * k)
    tokens = bases.reshape(-1, k) @ 4 ** np.arange(k)
    genome = encoding.Corpus("made", tokens, 4**k, length=8, held=4)
    encoding.run_limits(replace(LIMITS, seeds=2, steps=2, batch=1), {"genome": genome}, made)
    assert {"e8_genome_8", "e8_genome_2_trained_pca"} <= set(quantities.limited(made.frame()))


def test_a_corpus_that_is_too_short():
    with pytest.raises(ValueError, match=r"made has 100 tokens; windows of 8 need 360"):
        corpus(count=100)


def test_the_full_width_keeps_all_of_its_own_gain_and_ratios_are_true(limited):
    rows = limited.frame()
    assert np.allclose(frames.rows(rows, part="limits", arm="full", attend=True)["kept"], 1)
    assert np.allclose(frames.rows(rows, part="start", arm="full")["kept"], 1)
    narrow = frames.rows(rows, part="limits", arm="learned")
    assert (narrow["ratio"] == 8 / narrow["d"]).all()
    assert set(frames.rows(narrow, d=1)["asked"]) == {8.0}


def test_reads_are_spelled_between_a_start_and_an_end():
    found = corpora.letters(np.arange(10) % 4, read=3, length=6).reshape(-1, 6)
    start, end, pad = (corpora.LETTERS.index(name) for name in ("START", "END", "PAD"))
    assert found.tolist() == [[start, *(np.arange(i, i + 3) % 4).tolist(), end, pad] for i in (0, 3, 6)]
    assert len(corpora.LETTERS) == 8


def test_deployed_bytes_against_counting_by_hand():
    config = encoding.Limits(ratios=(4,), stream=8, length=5)
    rows = corpora.deployed(config, 100, 2, 64)
    assert {row["cache"] for row in rows.values()} == {
        4 * 2 * 8
    }  # a key and a value of the stream's width, whatever the code
    network = 4 * (5 * 8 + 4 * 64 + 8 * 32 + 32 + 32 * 8 + 8 * 100 + 100)
    assert rows["learned"]["network"] == network
    assert rows["learned"]["table"] == 4 * 200
    assert rows["learned"]["deployed"] == 4 * (200 + 16) + network
    assert rows["two-stage, folded"]["deployed"] == rows["learned"]["deployed"]
    assert rows["two-stage, as counted"]["deployed"] > rows["full width"]["table"]
    assert rows["full width"]["deployed"] == 4 * 800 + network
    both = 4 * (100 * 64 + 64 * 2 + 2 + 2 * 64 + 64)  # the vectors and the autoencoder
    assert rows["two-stage, folded"]["training"] == both + 4 * 16 + network


@pytest.mark.slow
def test_planted_rank_is_recovered_and_nothing_is_found_where_nothing_is(tmp_path):
    """Positive control: linear read-out, ranks 2 and 4. Negative: a full-rank chain has no elbow below 10."""
    cells = {f"{source}/linear": ("learned", "full") for source in ("planted2", "planted4", "dirichlet")}
    made = log("learned_encoding", tmp_path)
    encoding.run_chains(
        encoding.Chains(cells=cells, grid=(1, 2, 3, 4, 5, 6, 10), seeds=2, rates=(0.03,), steps=400), made
    )
    numbers = quantities.learned(made.frame())
    assert np.abs(numbers["e7_elbow_2"]).max() < 0.5
    assert np.abs(numbers["e7_elbow_4"]).max() < 0.5
    assert min(numbers["e7_none_dirichlet"]) > 10


@pytest.mark.slow
def test_a_random_code_fails_behind_a_linear_read_out_and_the_autoencoders_is_one(tmp_path):
    """The planted difference between learned and random; autoencoder and random agree within a tenth of it."""
    cells = {"planted6/linear": ("learned", "random", "seed_ae", "full")}
    made = log("learned_encoding", tmp_path)
    encoding.run_chains(encoding.Chains(cells=cells, grid=(6,), seeds=4, rates=(0.03,), steps=300), made)
    gap = lambda a, b: quantities.gap("planted6", "linear", a, b)(made.frame())
    assert gap("random", "learned").min() > 0.5
    assert abs(gap("seed_ae", "random").mean()) < 0.1 * gap("random", "learned").mean()
