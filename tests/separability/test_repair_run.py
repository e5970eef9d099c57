"""From models to records to verdicts: the toy, and a random GPT-2 from a folder; and quantities whose answer is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from helpers import claims, files, lm
from helpers.claims import known
from helpers.separability import repair
from helpers.separability.repair import controls, figures, ladder, quantities, tables
from helpers.separability.repair.config import KINDS, Repair, Symbols
from helpers.study import Log
from helpers.work import Work

SYMBOLS = Symbols(seeds=2, steps=2, batch=4, names=12, fillers=5, d=16, heads=4, d_mlp=8)
GIVEN = {"model": "toy", "n_examples": None, "steps": None, "condition": "all", "seed": 42, "heads": "found"}
STUDY = repair.CHAPTERS["separability_repair"]


def log_in(folder, **more):
    return Log(
        STUDY, "separability_repair", folder, reference=folder / "none", work=Work(folder / "work"), given=GIVEN | more
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random GPT-2 of two blocks with the storyteller's words, as a user would have saved it."""
    place = tmp_path_factory.mktemp("models") / "my gpt2"
    tokenizer = lm.load("storyteller", device="cpu").tokenizer
    torch.manual_seed(0)
    size = {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 32, "bos_token_id": 2, "eos_token_id": 3}
    GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), initializer_range=0.3, **size)).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    log = log_in(tmp_path_factory.mktemp("toy"))
    repair.run_repair(Repair(symbols=SYMBOLS, n_examples=48, triples=20), log)
    return log


def test_a_run_of_the_toy_has_every_record_and_judges(toys, monkeypatch):
    rows = toys.frame()
    assert set(rows["part"]) == {"printed", "ablation", "triples", "census", "blocks"}
    census = rows[rows["part"].eq("census") & rows["kind"].eq("mean") & rows["trained"].eq(0) & rows["seed"].eq(1)]
    assert len(census) == 12
    assert rows[rows["part"].eq("ablation")]["gap"].max() < 1e-4
    numbers = quantities.repair(rows)
    asked = claims.of("separability_repair")
    wanted = {t.quantity for c in asked.values() for k in (c.printed, c.precise) for t in (*k.tests, *k.controls)}
    assert wanted <= set(numbers), wanted - set(numbers)
    assert len(numbers["s6_relative_zero"]) == 12
    assert len(numbers["s8_within_norm"]) == 20
    verdicts = {v.id: v for v in toys.verdict().verdicts if v.criterion == "precise"}
    assert set(verdicts) == {"S6", "S7", "S8"}


def test_the_printed_log_has_the_documents_name_and_measures(toys):
    [path] = [p for p in (toys.folder / "records").iterdir() if p.name == "audit_log_exp_b_seed_42.json"]
    rows = files.read_json(path)["metrics"]
    assert {r["arm"] for r in rows} == {"baseline", "critical", "random"}
    assert len(rows) == 3 * 24
    assert all(r["compensation"] == 1 and r["delta_logit_diff"] == 0 for r in rows if r["arm"] == "baseline")
    assert {"psi_logit_diff", "delta_logit_diff", "compensation"} <= set(rows[0])


def test_an_interrupted_run_goes_on_where_it_was(toys, monkeypatch):
    again = Log(STUDY, "separability_repair", toys.folder, reference=toys.folder / "none", work=toys.work, given=GIVEN)
    monkeypatch.setattr(repair.run.accounts, "accounts", None)  # nothing may be measured a second time
    repair.run_repair(Repair(symbols=SYMBOLS, n_examples=48, triples=20), again)
    assert again.frame().equals(toys.frame())


def test_a_gpt2_from_a_folder_runs_without_a_network(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    log = log_in(tmp_path, model=str(folder), condition="critical")
    repair.run_repair(
        Repair(model=str(folder), n_examples=1, seeds=2, triples=4, heads=((1, 0),), condition="critical"), log
    )
    rows = log.frame()
    assert set(rows["model"]) == {"my gpt2"}
    assert set(rows["critical"]) == {"1.0"}
    assert set(rows[rows["part"].eq("printed")]["arm"]) == {"baseline", "critical"}
    assert rows["judged"].all()
    assert not log.own, "another model is an exploration"
    assert len(tables.ran(rows)) == 1


def test_what_a_model_lacks_is_refused_before_anything_runs(folder, tmp_path):
    with pytest.raises(
        ValueError, match=r"heads=9\.9: .*my gpt2 has blocks 0\.\.1 of heads 0\.\.3; use one up to 1\.3, or found"
    ):
        repair.run_repair(Repair(model=str(folder), heads=((9, 9),)), log_in(tmp_path))
    with pytest.raises(FileNotFoundError, match="no folder"):
        repair.run_repair(Repair(model="/nowhere/at/all"), log_in(tmp_path))
    assert not list(tmp_path.glob("records/*"))


def test_subjects_say_what_they_are(folder):
    found = ladder.rungs(Repair(symbols=SYMBOLS), "cpu", Work(None))
    assert [(s.seed, s.dropout) for s in found] == [(0, 0.0), (1, 0.0), (0, 0.15), (1, 0.15)]
    assert len({s.digest for s in found}) == 4
    both = ladder.rungs(Repair(model=str(folder), seeds=2), "cpu", Work(None))
    assert [s.seed for s in both] == [0, 1]
    assert both[0].digest == both[1].digest
    assert not torch.equal(both[0].make(0, 3, 0).tokens, both[1].make(0, 3, 1).tokens)


def ledger(relative=-0.5, log2=0.5, direct=-6.0, change=-4.0, norm=0.0, logit=0.0, seeds=10, later=True):
    """Rows of a run that measured exactly this, with a little scatter over templates that cancels. later: what is given back
    comes from other heads, or from the final norm."""
    rows, common = [], {"model": "toy", "main": True, "dropout": 0.0, "critical": "0.0"}
    wave = np.where(np.arange(12) % 2, 0.01, -0.01)
    for seed in range(seeds):
        for kind in KINDS:
            for i, w in enumerate(wave):
                known = common | {"part": "ablation", "kind": kind, "seed": seed, "step": 2 * i + 1, "ld": 10.0}
                own = {"change": change * (1 + w), "direct": direct, "log2_norm": log2 + w}
                back = {"heads": 0.0, "mlps": 0.0, "norm": 0.0, "gap": 0.0}
                back["heads" if later else "norm"] = change - direct
                rows.append(known | {"arm": "critical"} | own | back)
                rows.append(known | {"arm": "matched", "change": w, "direct": 0.0, "log2_norm": 0.0})
                if kind == "zero":
                    rows.append(known | {"arm": "planted", "kind": "none", "log2_norm": np.log2(1.5) + w})
            for i in range(50):
                where = {"part": "triples", "arm": "matched", "kind": kind, "seed": seed, "step": i}
                rows.append(common | where | {"ld": 10.0, "change": 10 * logit, "log2_norm": np.log2(1 + norm)})
    out = quantities.frame(pd.DataFrame(rows))
    return out.assign(
        relative=out["relative"].where(out["arm"].ne("critical"), out["relative"] * relative / (change / 10))
    )


def judge(rows):
    found = claims.judge(
        claims.of("separability_repair"), STUDY.measure(rows, claims.of("separability_repair")).numbers
    )
    return {v.id: v.verdict for v in found if v.criterion == "precise"}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, ("supported", "supported", "supported")),
        ({"relative": -0.1}, ("refuted", "supported", "supported")),
        ({"log2": -0.3}, ("supported", "mixed", "supported")),
        ({"log2": 0.0, "change": -6.0}, ("supported", "refuted", "supported")),
        ({"direct": -1.0, "change": -0.5}, ("supported", "undecided", "supported")),
        ({"norm": 0.2, "logit": -0.2}, ("supported", "supported", "refuted")),
        ({"norm": 0.2}, ("supported", "supported", "mixed")),
        ({"later": False}, ("supported", "mixed", "supported")),
        ({"seeds": 7}, ("too few", "too few", "too few")),
    ],
)
def test_verdicts_on_answers_that_are_known(given, wanted):
    assert tuple(judge(ledger(**given)).values()) == wanted


def test_quantities_by_hand():
    rows = ledger(direct=-6.0, change=-4.5, seeds=2, later=False)
    assert quantities.repaired(rows).mean() == pytest.approx(0.25)
    assert quantities.given_back("norm")(rows).mean() == pytest.approx(0.25, abs=1e-3)
    assert quantities.lost(rows).mean() == pytest.approx(0.45)
    assert quantities.taken(rows).mean() == pytest.approx(0.6)
    assert quantities.planted_ratio(rows) == pytest.approx([1.5] * 12, rel=0.01)
    assert np.isnan(quantities.repaired(ledger(direct=-0.1))).all(), "a small direct effect has no repair fraction"
    found = quantities.by_model(rows.assign(ld=rows["ld"] * (1 + rows["seed"])))
    assert found["s7_model_direct"] == pytest.approx([0.6, 0.3])
    assert found["s7_model_later"] == pytest.approx([0, 0])
    assert quantities.by_model(ledger(seeds=2))["s7_model_later"] == pytest.approx([1 / 3, 1 / 3])
    alone = quantities.frame(rows.drop(columns="unit").assign(model="gpt2"))
    assert len(quantities.by_model(alone)["s6_model_zero"]) == 1, "two draws of names are one model"
    other = rows.assign(dropout=0.15, change=rows["change"].where(rows["part"].ne("ablation"), rows["change"] + 3.0))
    both = quantities.frame(pd.concat([rows, other], ignore_index=True))
    assert quantities.spared(both) == pytest.approx([0.5, 0.5])
    assert len(frames_of(both)) == len(rows), "the toys with heads left out are not judged"
    assert quantities.spared(rows).size == 0


def frames_of(rows):
    return STUDY.judged(rows)


def test_known_answers_are_told_apart():
    probes = known.probe(claims.of("separability_repair"), controls.planted(ledger()))
    assert {p.id: (p.planted, p.absent) for p in probes} == dict.fromkeys(("S6", "S7", "S8"), ("supported", "refuted"))
    assert controls.planted(ledger().iloc[:0]) == {}


def test_figures_and_tables_show_what_ran(toys):
    sides = toys.at()
    known_models = figures.models(sides.this)
    assert list(known_models) == ["toy", "toy, head dropout 0.15"]
    account = figures.account(sides)
    assert len(account.data) == 6
    rows = quantities.share("direct")(sides.where(judged=True).this)
    assert account.data[0].y[0] == pytest.approx(rows.mean())
    heat = figures.compensation_heatmap(sides)
    assert np.shape(heat.data[0].z) == (2, 3)
    assert len(figures.census(sides).data) == 2
    assert len(figures.triples(sides).data) == 4
    table = tables.returned(sides.this)
    seen = table[table["repaired"].notna()]
    assert seen["repaired"].to_numpy() == pytest.approx(
        seen[["by norm", "by heads", "by mlps"]].sum(axis=1).to_numpy(), abs=1e-3
    )
    assert set(tables.printed(sides.this)["condition"]) == {"baseline", "critical", "random"}
    assert set(tables.verdicts(toys, sides.this)["model"]) == set(known_models)
