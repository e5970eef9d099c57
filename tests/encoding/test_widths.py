"""Codes that may find their width: what is in use is counted as planted, penalties do what their names say, and the corpora
that stand beside the text and the genome."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import data, encoding, frames
from helpers.data.protein import ACIDS
from helpers.encoding import corpora, figures, networks, sentences, tables, tasks, trials, widths
from helpers.encoding.grid import Model
from helpers.encoding.run import run_widths
from helpers.encoding.widths import WidthGrid, Widths
from helpers.study import Log
from helpers.work import Work

CELLS = {"planted2/linear": ("learned", "l1", "l2", "group", "nested")}
SMALL = Widths(
    cells=CELLS,
    grid=(2, 4),
    code=6,
    seeds=2,
    vocab=20,
    rates=(0.03,),
    steps=1000,
    strengths=(0.0, 0.1, 1000.0),
    sequences=100_000,  # with few, the noise of the sample is learned and takes directions of its own
)


def log(folder, **given):
    study = encoding.CHAPTERS["encoding_limits"]
    made = Log(study, "encoding_limits", folder / "run", reference=folder / "none", work=Work(folder / "work"),
               given=study.same | given)  # fmt: skip
    return made


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    made = log(tmp_path_factory.mktemp("widths"))
    run_widths(SMALL, made)
    return made


def end(made, arm, strength=0.0, d=6, column="loss"):
    where = {"part": "widths", "end": True, "source": "planted2"}
    return frames.per_seed(made.frame(), column, arm=arm, strength=strength, d=d, **where).to_numpy()


@pytest.mark.parametrize("arm", ["l1", "l2", "group"])
def test_a_penalty_of_zero_is_the_plain_code_and_a_huge_one_shuts_all_but_l2(ran, arm):
    assert end(ran, arm) == pytest.approx(end(ran, "learned"), abs=1e-6)
    assert (end(ran, arm, 0.1) > end(ran, "learned")).all()
    shut = end(ran, arm, 1000.0, column="used") == 0
    if arm == "l2":  # its pull fades with the code, and the read-out grows as fast
        assert not shut.any()
    else:
        assert shut.all()
        assert end(ran, arm, 1000.0) == pytest.approx(end(ran, arm, column="unigram"), abs=0.25)


def test_the_planted_rank_is_found_by_rotation_and_narrow_codes_use_all(ran):
    assert (end(ran, "learned", d=2, column="used") == 2).all()
    assert (end(ran, "learned", column="directions") == 2).all()
    assert (end(ran, "nested", column="directions") == 2).all()
    assert (end(ran, "learned", column="used") >= 2).all()


def planted(rank=3, d=6, turned=False):
    """A model that is a chain of planted rank itself: its log-odds are code @ w, in `rank` of d dimensions."""
    chain = tasks.planted(20, rank, np.random.default_rng(0))
    odds = np.log(chain.transition)
    u, s, v = np.linalg.svd(odds - odds.mean(1, keepdims=True))
    code, out = np.zeros((20, d)), np.zeros((d, 20))
    code[:, :rank], out[:rank] = u[:, :rank] * s[:rank], v[:rank]
    q = np.linalg.qr(np.random.default_rng(1).standard_normal((d, d)))[0] if turned else np.eye(d)
    params = {"code": code @ q, "w": q.T @ out, "b": np.zeros((1, 20))}
    return {k: torch.tensor(x)[None].float() for k, x in params.items()}, chain


@pytest.mark.parametrize(("turned", "used"), [(False, (3,)), (True, (5, 6))])
def test_dimensions_in_use_are_as_planted_and_directions_do_not_turn(turned, used):
    params, chain = planted(turned=turned)
    table, spared = torch.tensor(chain.joint)[None].float(), torch.tensor([0.001])
    assert networks.cross_entropy(networks.forward(params, "linear"), table).item() == pytest.approx(
        chain.bayes, abs=1e-4
    )
    for own in (False, True):
        numbers, directions, cut = widths.in_use(params, table, table, spared, torch.tensor([own]))[0].tolist()
        assert numbers in used
        assert directions == 3
        assert cut == pytest.approx(chain.bayes, abs=2e-3)
    nothing = params | {"code": 0 * params["code"]}
    assert widths.in_use(nothing, table, table, spared, torch.tensor([False]))[0, :2].tolist() == [0, 0]
    moved = params | {"code": params["code"] + 5.0, "b": params["b"] - 5.0 * params["w"].sum(1, keepdim=True)}
    numbers, directions, _ = widths.in_use(moved, table, table, spared, torch.tensor([False]))[0].tolist()
    assert (numbers in used, directions) == (True, 3), "a constant in every code is no dimension"


@pytest.mark.parametrize("attack", ["all logits alike", "two that cancel", "large and harmless"])
def test_a_dimension_without_use_is_not_counted(attack):
    params, chain = planted()
    rng, out, table = torch.Generator().manual_seed(0), params["w"][0], torch.tensor(chain.joint)[None].float()
    params["code"][0, :, 5] = 30 * torch.randn(20, generator=rng)
    if attack == "all logits alike":
        out[5] = 1.0
    elif attack == "two that cancel":
        params["code"][0, :, 4] = params["code"][0, :, 5]
        out[5] = torch.randn(20, generator=rng)
        out[4] = -out[5]
    else:
        params["code"][0, :, 5] *= torch.arange(20) == chain.stationary.argmin()
        out[5, chain.transition[chain.stationary.argmin()].argmax()] = 1.0
    numbers, directions, cut = widths.in_use(params, table, table, torch.tensor([0.02]), torch.tensor([False]))[
        0
    ].tolist()
    assert numbers == 3
    assert directions in ((3, 4) if attack == "large and harmless" else (3,))
    assert cut <= chain.bayes + 0.03 + (attack == "large and harmless")
    needed = params | {"code": params["code"] * (torch.arange(6) != 1)}
    assert widths.in_use(needed, table, table, torch.tensor([0.02]), torch.tensor([False]))[0, 2] > chain.bayes + 0.03


def test_penalties_and_the_nested_loss_by_hand():
    code = torch.tensor([[[3.0, 0.0], [-4.0, 0.0]]])
    found = widths.penalties(code)
    assert [round(found[k].item(), 4) for k in ("l1", "l2", "group")] == [3.5, 12.5, round(12.5**0.5, 4)]
    params, chain = planted()
    table = torch.tensor(chain.joint)[None].float()
    whole = networks.cross_entropy(networks.forward(params, "linear"), table)
    assert torch.equal(widths.nested(params, table, (6,)), whole)
    narrow = params | {"code": params["code"][:, :, :2], "w": params["w"][:, :2]}
    other = networks.cross_entropy(networks.forward(narrow, "linear"), table)
    torch.testing.assert_close(widths.nested(params, table, (2, 6)), (whole + other) / 2)


def test_a_padded_penalised_model_is_the_model_alone():
    """A group penalty has a root at zero, where the padding lies."""
    grid = WidthGrid(replace(SMALL, steps=20))
    models = [Model("planted2/linear", "group", d, 0, 0.03, 0.1) for d in (2, 6)]
    both, alone = grid.train(models, 20), grid.train(models[:1], 20)
    assert torch.isfinite(both["curves"]).all()
    torch.testing.assert_close(both["curves"][0], alone["curves"][0], atol=1e-5, rtol=0)


def test_every_strength_is_a_record_and_finished_work_is_read_back(ran, tmp_path, monkeypatch):
    rows = frames.rows(ran.frame(), part="widths", end=True)
    assert len(rows) == 2 * (3 + 3 * 3 + 1)
    assert not rows.duplicated(["condition", "seed"]).any()
    first = log(tmp_path)
    run_widths(replace(SMALL, steps=5), first)
    monkeypatch.setattr(WidthGrid, "fit", None)
    again = log(tmp_path)
    run_widths(replace(SMALL, steps=5), again)
    assert first.frame().equals(again.frame())


def hand():
    """Losses on validation data 1 without a penalty; what can be learned is 1, so that .01 may be spent."""
    rows = []
    for seed in range(2):
        known = {"part": "widths", "source": "planted6", "seed": seed, "end": True, "learnable": 1.0, "d": 16}
        row = lambda arm, strength, validation, used, known=known: known | {
            "arm": arm, "strength": strength, "validation": validation, "used": used, "directions": 6, "excess": validation - 1,
            "loss": validation, "cut": validation + 0.1,
        }  # fmt: skip
        rows += [row("learned", 0.0, 1.0, 16), row("learned", 0.0, 1.5, 2) | {"d": 2}]
        rows += [row("l1", 0.1, 1.005, 12), row("l1", 1.0, 1.009 + 0.001 * seed, 8 + seed), row("l1", 10.0, 1.2, 3)]
        rows += [row("l2", 0.1, 1.1, 16), row("l2", 1.0, 1.2, 16)]
    return pd.DataFrame(rows)


def test_the_strongest_penalty_that_costs_little_is_chosen():
    rows = hand()
    assert set(trials.chosen(rows, "planted6", "l1")["strength"]) == {1.0}
    assert set(trials.chosen(rows, "planted6", "l2")["strength"]) == {0.1}, "the weakest where all cost more"
    assert trials.own_width("l1")(rows).tolist() == [8, 9]
    assert trials.misses("l1")(rows).tolist() == [2, 3]
    assert trials.misses("learned", "directions")(rows).tolist() == [0, 0]
    assert trials.over_plain("l1")(rows) == pytest.approx([1.109 - 1.5 + 6 / 28, 1.11 - 1.5 + 7 / 28])
    assert len(trials.nearest(rows)) == 0, "an arm was not run"
    every = pd.concat([rows, rows[rows["arm"] == "l1"].assign(arm="group", used=7)])
    assert trials.nearest(every).tolist() == [1, 1]
    assert len(trials.own_width("l1")(rows.assign(part="chains"))) == 0
    assert len(trials.over_plain("group")(rows.iloc[:0])) == 0


def test_the_figure_and_the_table_say_what_was_counted(ran):
    table = tables.own_width(ran.frame()).set_index("code")
    assert list(table.index) == ["plain", "L1 penalty", "L2 penalty", "group penalty", "nested"]
    assert table.loc["plain", "dimensions in use"] == end(ran, "learned", column="used").mean()
    fig = figures.own_width(ran.at(part="widths"), "planted2", 2)
    plain = next(t for t in fig.data if t.name == figures.OWN["learned"][0] and t.mode == "lines+markers")
    assert len(plain.x) == 3


def corpus_of(count=6000, letters=20, seed=0, name="even"):
    tokens = np.random.default_rng(seed).integers(0, letters, count)
    return encoding.Corpus(name, tokens, letters + 1, length=8, held=20)


def test_code_and_protein_of_known_statistics(tmp_path):
    """Letters drawn evenly have nothing to tell: both untrained models stand at ln 20."""
    path, gene = tmp_path / "a.faa", data.load_genome()
    path.write_text(">even\n" + "".join(np.random.default_rng(0).choice(list(ACIDS), 20_000)) + "\n")
    source = tmp_path / "a.py"
    source.write_text("x = 1\ny = x + 2\nfor z in range(x):\n    print(y, z)\n" * 400)
    with pytest.raises(
        ValueError, match=r"a.py gives a vocabulary of \d+ tokens, not 256; use a smaller vocab or more text"
    ):
        corpora.others(str(source), str(path), 256, gene, 8, 200)
    found = corpora.others("embedded", str(path), 64, gene, 8, 200)
    assert found["code"].vocab == corpora.EMBEDDED[0]
    assert found["protein"].vocab == 21
    base = found["protein"].baselines(0)
    assert base["unigram"] == pytest.approx(np.log(20), abs=0.01)
    assert base["bigram"] == pytest.approx(np.log(20), abs=0.05)


def test_a_genome_without_open_frames_has_no_protein_and_a_short_file_is_refused(tmp_path):
    gene = data.Genome("short", data.load_genome().bases[:5000])
    assert set(corpora.others("embedded", "genome", 128, gene, 32, 8)) == {"code"}
    path = tmp_path / "a.faa"
    path.write_text(">one\n" + "MKVLAGHEWY" * 410 + "\n")
    with pytest.raises(ValueError, match="one has 4101 tokens; windows of 200 need 8040"):
        corpora.others("embedded", str(path), 128, gene, 200, 8)


def test_other_corpora_are_trained_and_said_beside_the_judged_ones(tmp_path):
    made = log(tmp_path)
    sizes = {"stream": 8, "length": 8, "seeds": 2, "steps": 6, "batch": 4}
    limits = encoding.Limits(arms=("learned", "seed_ae", "full"), ratios=(2, 4, 8), **sizes)
    encoding.run_limits(limits, {"text": corpus_of(), "genome": corpus_of(seed=1)}, made)
    before = made.study.quantities(made.study.judged(made.frame()))
    smaller = replace(corpora.trials(limits, (2, 8))["others"], blind=())
    assert len(sentences.lacks(made, ("others",))) == 0, "without a reference nothing is lacking"
    encoding.run_limits(smaller, {"code": corpus_of(name="c"), "protein": corpus_of(name="p")}, made)
    assert made.study.quantities(made.study.judged(made.frame())) == before, "what is judged has not moved"
    for kind in ("text", "genome", "code", "protein"):
        assert len(trials.kept(kind, 8.0)(made.frame())) == 2
    assert len(trials.gain("protein")(made.frame())) == 2
    assert len(trials.gain("protein")(frames.rows(made.frame(), part="limits"))) == 0
    drawn = figures.kept_by_corpus(made.at(part=("limits", "others")))
    assert {t.name for t in drawn.data} >= {name for name, _ in figures.CORPORA.values()}


def test_a_committed_run_that_lacks_a_part_is_said_to(root, tmp_path):
    study = encoding.CHAPTERS["encoding_limits"]
    folder = root / "book" / "reference" / "encoding_limits"
    made = Log(
        study, "encoding_limits", tmp_path, reference=folder, work=Work(tmp_path / "work"), given=dict(study.same)
    )
    known = set(made.frame("")["part"])
    assert ("has not this part" in sentences.lacks(made, ("widths",))) == ("widths" not in known)
    assert not sentences.lacks(made, ("limits",))


def test_each_sentence_is_picked_by_what_was_counted():
    """The rows by hand: L1 leaves more than were planted, and directions are as many."""
    for name in sentences.TOLD["widths"]:
        assert len(sentences.NUMBERS[name]) == 5
    every = [hand(), hand().query("arm == 'l1'").assign(arm="group", used=9)]
    quantity, border, above, _, between = sentences.NUMBERS["finds_any"]
    assert min(quantity(pd.concat(every))) > border
    assert above.startswith("This is a negative result")
    assert "cannot tell" in between
