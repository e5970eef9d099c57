"""The chapters of Part I: their plans, their studies, and the references that the repository keeps."""

import shlex

import numpy as np
import pytest

from helpers import claims, records
from helpers.dtdr import CHAPTERS, Emergence, Guided, Kinds, Models

THREE = ("dtdr_emergence", "dtdr_damage", "dtdr_models")
REFERENCES = [(name, label) for name in THREE for label in ("", "novels", "stories260K")] + [("dtdr_guided", "")]


@pytest.mark.parametrize(("name", "label"), REFERENCES)
def test_a_reference_gives_the_quantities_of_its_header(name, label, root):
    top, study = root / "book" / "reference" / name, CHAPTERS[name]
    read = lambda folder: study.frame(records.load(folder))
    beside = [] if label else [read(p.parent) for p in sorted(top.glob(f"*/{records.HEADER}"))]
    found, probes, _ = study.measure(read(top / label), claims.of(name), beside)
    header = records.header(top / label)
    assert set(found) == set(header["quantities"])
    for key, values in header["quantities"].items():
        known = np.array(values, float)
        assert np.asarray(found[key], float) == pytest.approx(known, rel=1e-4, abs=1e-9, nan_ok=True), key
    assert header["claims"] == claims.digest(claims.of(name))
    assert "rejudged" not in header or header["rejudged"].startswith("2026-11-28: ")
    assert {p.id for p in probes} == set(claims.of(name))


@pytest.mark.parametrize(("name", "label"), REFERENCES)
def test_a_reference_says_what_it_was_made_with_and_what_was_done_to_it(name, label, root):
    header = records.header(root / "book" / "reference" / name / label)
    assert set(CHAPTERS[name].same) < set(header["parameters"])
    own = all(header["parameters"][k] == v for k, v in CHAPTERS[name].same.items())
    assert own == (not label)
    for given in header["command"].split(" -p ")[1:]:
        key, _, value = given.partition(" ")
        assert str(header["parameters"][key]) in (value, *shlex.split(value))  # older headers quoted nothing
    assert "migrated" not in header or header["migrated"].startswith(("2026-11-27: ", "2026-11-28: "))


@pytest.mark.parametrize(("name", "label"), REFERENCES)
def test_each_row_of_a_reference_has_its_own_level_and_no_other(name, label, root):
    rows = CHAPTERS[name].frame(records.load(root / "book" / "reference" / name / label))
    levels = {"keep": "kept", "spoil": "spoiled", "planes": "bits", "noise": "energy", "jitter": "jitter"}
    for damage, own in rows.groupby("damage"):
        assert own[levels[damage]].notna().all()
        assert own[[v for k, v in levels.items() if k != damage]].isna().all(axis=None)
    assert not {"fraction", "arm"} & set(rows.columns)
    units = [c for c in rows.columns if c in ("part", "model", "condition", "seed", "step")]
    assert not rows.duplicated(units).any()


def test_texts_have_their_sense_but_for_the_novels(root):
    for name, label in REFERENCES:
        if name in THREE[1:]:
            continue  # no text is written there
        rows = CHAPTERS[name].frame(records.load(root / "book" / "reference" / name / label))
        told = rows[rows["text"].notna() & (rows["text"] != "") & (rows["part"] != "printed")]
        assert len(told)
        assert told["sense"].notna().all() != (label == "novels")


def test_plans_refuse_what_cannot_be_before_anything_is_loaded():
    for wrong, words in (
        ({"block": 8}, "16, 32, 64, 128, 256"),
        ({"seeds": 0}, "the nearest is 1"),
        ({"texts": 0}, "the nearest is 1"),
        ({"length": 2}, "the nearest is 13"),
        ({"new": 0}, "the nearest is 1"),
        ({"grid": (0.0, 1.5)}, "the nearest that works is 1"),
    ):
        with pytest.raises(ValueError, match=words):
            Emergence(**wrong)
    with pytest.raises(ValueError, match="1024"):
        Models(times=(4096.0,))
    with pytest.raises(ValueError, match="did you mean 'guided'"):
        Guided(mode="guide")
    with pytest.raises(ValueError, match="-8…8"):
        Guided(weights=(9.0,))


def test_masks_are_as_many_as_asked_for_but_where_the_page_says_otherwise():
    for seeds in (1, 3, 12, 48):
        some = min(12, seeds)
        first, second, third = Emergence(seeds=seeds), Kinds(seeds=seeds), Models(seeds=seeds)
        judged = [first.claimed, second.lost, second.damage, second.kinds, second.collapse, third.claimed]
        assert {t.masks for t in judged} == {seeds}
        assert {t.masks for t in (first.others, second.orders)} == {some}
        assert first.claimed.writes == some
        assert third.cause.masks == third.outliers.trials[32].masks == max(5, seeds)
        assert second.patterns.masks == third.members.ladder.masks == min(5, seeds)
        guided = Guided(seeds=seeds)
        published, further = guided.fills(["leaked"])
        assert {t.masks for t in (guided.zero, guided.random, published)} == {seeds}
        assert guided.random.writes == seeds  # what is said of stability takes texts of all masks
        assert guided.tuned.masks == some
        assert further.masks == min(8, some)
        once = [d for t in (published, further, guided.zero, guided.random) for d in t.damages]
        assert len(once) == len(set(once))


def test_the_printed_experiment_shows_the_mode_that_was_asked_for():
    assert list(Guided(mode="random").modes.values()) == ["random"]
    assert list(Guided().modes.values()) == ["zero", "random", "guided"]
    assert Guided(mode="guided").printed.kept == (0.2, 0.4, 0.6)
