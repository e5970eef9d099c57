import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from helpers import chapter, claims, records
from helpers.records import Record


@pytest.fixture
def here(tmp_path, monkeypatch, root):
    monkeypatch.setenv("RUC_ROOT", str(root))
    monkeypatch.setenv("RUC_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("RUC_WORK_DIR", str(tmp_path / "work"))
    return chapter.start("learned_encoding", profile="quick", device="cpu")


def test_start_checks_profile_and_device(here, monkeypatch):
    assert here.folder.name == "run"
    with pytest.raises(ValueError, match="profile='fast' is unknown"):
        chapter.start("learned_encoding", profile="fast")
    with pytest.raises(ValueError, match="device='gpu'"):
        chapter.start("learned_encoding", profile="quick", device="gpu")
    monkeypatch.delenv("RUC_RUN_DIR")
    assert chapter.start("learned_encoding", profile="full").folder.parts[-3:] == ("runs", "learned_encoding", "live")


def test_settings_take_the_profile_and_what_is_given(here):
    found = here.settings(quick={"seeds": 3, "steps": 10}, full={"seeds": 10, "steps": 99}, seeds=None, steps=0)
    assert found == {"seeds": 3, "steps": 0}
    with pytest.raises(KeyError, match="seed"):
        here.settings(quick={"seeds": 3}, full={"seeds": 10}, seed=1)
    with pytest.raises(KeyError, match="extra"):
        here.settings(quick={"seeds": 3, "extra": 1}, full={"seeds": 10})


def test_box_has_a_place_for_every_badge(here):
    bundle = here.box()._repr_mimebundle_()
    for name in claims.of("learned_encoding"):
        assert f'data-claim="{name}"' in bundle["text/html"]
    assert "made precise" in bundle["text/plain"]


def test_keep_replaces_what_an_earlier_cell_kept(here):
    def record(seed):
        made = Record("learned_encoding", "x", seed)
        made.log(0, loss=1.0)
        return made

    assert len(here.keep([record(0), record(1)])) == 2
    assert len(here.keep([record(0)])) == 1


def test_what_a_run_stores_comes_before_what_is_committed(here, tmp_path):
    here = replace(here, reference=tmp_path / "reference")
    assert here.stored("cards") is None
    here.reference.mkdir(parents=True, exist_ok=True)
    (here.reference / "cards.json").write_text('{"from": "reference"}')
    assert here.stored("cards") == {"from": "reference"}
    here.store("cards", {"from": "run"})
    assert here.stored("cards") == {"from": "run"}


def test_judge_stores_verdicts_with_the_digest_of_the_claims(here):
    quantities = {"e7_elbow_2": [0.0, 0.01, 0.0], "e7_elbow_6": [0.0, 0.0, 0.1], "e7_elbow_12": [0.1, 0.1, 0.0]}
    quantities["e7_none_dirichlet"] = [30.0, 31.0, 32.0]
    mine = here.judge(quantities)
    assert {v.id: v.verdict for v in mine}["E7"] == claims.SUPPORTED
    reference = {**quantities, "e7_elbow_2": [5.0, 5.0, 5.1]}
    counting = here.judge(quantities, reference)
    assert {v.id: v.verdict for v in counting}["E7"] == claims.REFUTED
    stored = json.loads((here.folder / "verdicts.json").read_text())
    assert set(stored["verdicts"]) == {"this run", "reference"}
    assert stored["claims"] == claims.digest(claims.of("learned_encoding"))
    assert json.loads((here.folder / "quantities.json").read_text()) == quantities
    assert json.loads((here.folder / "provenance.json").read_text())["device"] == "CPU"


def test_committed_reference_is_read_and_labelled(here, tmp_path):
    from dataclasses import replace

    other = replace(here, reference=tmp_path / "reference")
    assert other.committed() is None
    made = Record("learned_encoding", "x", 0)
    made.log(0, loss=1.0)
    header = {"profile": "full", "seeds": 12, "date": "2026-01-02", "provenance": {"device": "A GPU"}}
    records.bundle([made.as_dict()], tmp_path / "reference", **header)
    assert len(other.committed()) == 1
    assert other.label() == "reference (full, A GPU, 12 seeds, 2026-01-02)"


def test_say_shows_spread_and_n(here, monkeypatch):
    import IPython.display

    said = {}
    monkeypatch.setattr(
        IPython.display,
        "display",
        lambda bundle, raw, metadata: said.update(
            {metadata["scrapbook"]["name"]: json.loads(next(iter(bundle.values())))}
        ),
    )
    here.say("text", "as it is")
    here.say("many", [1.0, 2.0, 3.0], ".2f", "nats")
    here.say("gap", [1.0, np.nan, 3.0], ".1f")
    here.say("none", [np.nan])
    here.say("one", [-0.5], ".1f")
    here.say("both", [1.0, 3.0], ".0f", "nats", reference=[2.0, 2.0, 2.0])
    assert said["text"] == "as it is"
    assert said["many"] == "2.00 ± 2.48 nats (n = 3)"
    assert said["gap"] == "2.0 ± 12.7 (n = 2 of 3)"
    assert said["none"] == "no value (n = 0 of 1)"
    assert said["both"] == "2 ± 13 nats (n = 2; reference 2 ± 0, n = 3)"
    assert said["one"] == "−0.5 (n = 1)"


def test_tables_escape_and_round():
    shown = chapter.table(pd.DataFrame({"a<b": [0.123456, np.nan], "c": ["x&y", "z"]}), "A caption")
    markup = shown._repr_mimebundle_()["text/html"]
    assert "a&lt;b" in markup
    assert "x&amp;y" in markup
    assert "<td>0.123</td>" in markup
    assert "<td>–</td>" in markup
