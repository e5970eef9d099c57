"""Experiment D end to end at toy size: records in, quantities out, resumable; figures and tables of whatever was run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers import claims, frames, records
from helpers.separability import superposition as part
from helpers.separability.superposition import figures, language, quantities, tables
from helpers.study import Log
from helpers.work import Work

NAME = "separability_superposition"
TOY = part.Toy(n_samples=32, train_steps=2, seeds=2, held=2, batch=8, length=8, vocab=16, width=16, hidden=16)
CENSUS = part.Census(seeds=2, steps=150, stories=800, held=48, length=24, width=32, hidden=32, draws=2)
SMALL = part.Bottleneck(
    shapes=((5, 2), (6, 2), (6, 3), (6, 4)), sparsities=(0.5, 0.8, 0.9), seeds=2, steps=40, batch=16, held=32
)
HEADS = {
    "direct_t",
    "gain_t",
    "loss_t",
    "copying_t",
    "null_direct_t",
    "variance",
    "zero",
    "mean",
    "resample",
    "zero_local",
}


def made(folder):
    study = part.CHAPTERS[NAME]
    return Log(study, NAME, folder / "run", reference=folder / "none", work=Work(folder / "work"), given=study.same)


def fill(log):
    part.run_printed(TOY, log)
    part.run_census(CENSUS, log)
    part.run_bottleneck(SMALL, log)
    return log


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return fill(made(tmp_path_factory.mktemp("superposition")))


def test_every_claim_gets_its_quantities_and_a_verdict(whole):
    study, rows = part.CHAPTERS[NAME], whole.frame()
    numbers = study.quantities(study.judged(rows))
    asked = {
        t.quantity for c in claims.of(NAME).values() for k in (c.printed, c.precise) for t in (*k.tests, *k.controls)
    }
    assert asked <= set(numbers)
    assert len(numbers["s11_log2_ratio"]) == len(numbers["s11_ratio"]) == 2
    assert len(numbers["s12_log_ratio"]) == 24
    verdicts = {v.id: v.verdict for v in whole.verdict().verdicts if v.criterion == "precise"}
    assert verdicts == {"S11": claims.words.TOO_FEW, "S12": claims.words.TOO_FEW}  # two models, two dozen stories


def test_the_documents_own_log_files_are_written(whole):
    files = sorted(p.name for p in (whole.folder / "records").glob("audit_log_exp_d*"))
    assert files == ["audit_log_exp_d_superposition_seed_777.json", "audit_log_exp_d_superposition_seed_778.json"]
    found = records.read(whole.folder / "records" / files[0])
    assert found["checkpoints"]["2"].startswith("sha256:")
    assert {"variance_stream", "psi_accuracy", "A_activation", "ablated_0", "variance_head_last"} <= set(
        found["metrics"][0]
    )


def test_a_row_a_head_and_no_value_is_missing(whole):
    heads = frames.rows(whole.frame(), part="heads")
    assert len(heads) == 2 * CENSUS.total
    assert heads[[*HEADS]].notna().all(axis=None)
    assert set(zip(heads["layer"], heads["head"], strict=True)) == {(k, h) for k in range(2) for h in range(4)}
    assert len(frames.rows(whole.frame(), part="null")) == 2 * CENSUS.layers * CENSUS.draws


def test_what_was_run_is_found_again_and_what_differs_is_not(whole, monkeypatch):
    monkeypatch.setattr(language, "fit", lambda *_: pytest.fail("trained again"))
    again = Log(whole.study, NAME, whole.folder / "again", reference=whole.folder, work=whole.work, given=whole.given)
    fill(again)
    assert again.frame().drop(columns=[]).equals(whole.frame())
    with pytest.raises(pytest.fail.Exception):
        part.run_census(replace(CENSUS, steps=151), again)


def test_figures_and_tables_of_a_whole_run_and_of_one_without_bottlenecks(whole, tmp_path):
    small = made(tmp_path)
    small.work = whole.work
    part.run_census(CENSUS, small)
    for log in (whole, small):
        sides = log.at()
        heads = figures.heads(sides)
        assert sum(len(t.x) for t in heads.data) == 2 * CENSUS.total
        assert len(figures.census(sides).layout.updatemenus[0].buttons) == 3
        assert len(tables.alone(log.frame())) == 5
    assert {len(t.x) for t in figures.directions(whole.at()).data} == {15}
    assert len(figures.directions(whole.at()).layout.sliders[0].steps) == 3
    assert len(figures.amplitude(whole.at()).layout.updatemenus[0].buttons) == len(figures.MEASURES)
    assert len(figures.boxes(whole.at()).data) in (2, 3)
    assert not figures.directions(small.at()).data
    assert not figures.amplitude(small.at()).data


def test_a_planted_suppressor_is_found_in_a_trained_model(whole):
    """Through the whole pipeline: trained, a head turned around, measured, named by the rule."""
    assert quantities.planted_found(1.0)(whole.frame()).tolist() == [1.0, 1.0]
    assert quantities.value("s11_false_found")(whole.frame())[0] <= 0.125


def test_models_learn_the_stories_and_each_seed_is_its_own(whole):
    start = language.stories(CENSUS, "held")
    view = language.learned(CENSUS, work=Work(whole.work.folder))  # as the run left it
    logits = view.run(start[:, :-1]).logits
    found = language.surprise(logits, start[:, 1:].expand(2, -1, -1))
    assert (found < 4.0).all()  # ln V is 5.4
    assert not torch.allclose(view.params["W_U"][0], view.params["W_U"][1])
    alone = language.learned(replace(CENSUS, seeds=1))
    assert torch.allclose(alone.params["W_U"][0], view.params["W_U"][0], atol=2e-3)


def test_a_model_from_elsewhere_joins_the_census(tmp_path):
    log = made(tmp_path)
    part.run_trained(part.Foreign(held=8, length=12), 1, log)
    heads = frames.rows(log.frame(), part="heads", model="storyteller")
    assert len(heads) == 24
    assert "s11_log2_ratio" not in quantities.named(log.frame())  # the claims speak of models that are trained here
    assert "of 24 heads" in tables.elsewhere(log.at(), ["storyteller"])
    with pytest.raises(ValueError, match="length=200: storyteller takes 128"):
        part.run_trained(part.Foreign(held=8, length=200), 1, made(tmp_path / "other"))


def test_other_weights_in_the_same_place_are_another_model(tmp_path, monkeypatch):
    """What an interrupted run left is found again by the weights, not by the folder's name."""
    from helpers import lm

    work, load = Work(tmp_path / "work"), lm.load

    def surprise(scale):
        def scaled(*given, **more):
            found = load(*given, **more)
            with torch.no_grad():
                found.model.get_output_embeddings().weight.mul_(scale)
            return found

        monkeypatch.setattr(lm, "load", scaled)
        log = made(tmp_path / str(scale))
        log.work = work
        part.run_trained(part.Foreign(held=8, length=12), 1, log)
        return frames.rows(log.frame(), part="heads")["direct"].to_numpy()

    assert not np.allclose(surprise(1.0), surprise(0.5))
    assert np.allclose(surprise(0.5), surprise(0.5))
