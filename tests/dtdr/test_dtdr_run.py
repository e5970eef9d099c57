"""The experiments on a small real model: what is written into it, what is measured, and what is left when it is over."""

import contextlib
import json

import numpy as np
import pytest
import torch

from helpers import dtdr, files, lm, storyteller
from helpers.dtdr import Keep, Noise, Planes, Spoil, config, priors, run, run_outliers, run_printed
from helpers.dtdr.damage import Jitter
from helpers.dtdr.run import repeated, repetition, write_curve
from helpers.dtdr.weights import fingerprint
from helpers.storyteller import tokenizer
from helpers.work import Work

GRID = (0.0, 0.2, 0.6, 1.0)
FACTS = {"part", "model", "damage", "domain", "order", "fill", "prior", "weight", "protect", "per", "mode", "intact", "nothing",
         "parameters", "depth", "width", "model_seed"}  # fmt: skip


class FakeLog:
    """The part of `study.Log` that experiments are given."""

    name, device = "x", "cpu"

    def __init__(self, folder=None):
        self.work, self.records, self.told = Work(folder), [], []

    def add(self, record):
        self.records.append(record.as_dict())

    def once(self, key, make):
        made = lambda: (lambda m: m if isinstance(m, list) else [m])(make())
        self.records += self.work.rows(key, lambda: [r.as_dict() for r in made()])

    @contextlib.contextmanager
    def live(self, title, x, y):
        yield lambda at, values: None

    def progress(self, done, of):
        self.told.append((done, of))


@pytest.fixture(scope="module")
def found():
    return lm.load("storyteller", device="cpu")


@pytest.fixture(scope="module")
def tokens(found):
    return storyteller.tokens(found, count=8, length=32, seed=0)


@pytest.fixture
def subject(found, tokens):
    made = dtdr.Subject(found, tokens, prompts=[row[:8] for row in tokens[:2]], cap=64)
    made.priors |= {"leaked": priors.leaked(made.whole, cap=64)}
    with made.damaged():
        yield made


@pytest.fixture(scope="module")
def copies(found, tokens):
    made = dtdr.Subject(found, tokens, cap=64, copies=3)
    made.priors |= {"leaked": priors.leaked(made.whole, cap=64)}
    return made


def test_the_whole_model_is_measured_as_lm_score_measures_it(subject, found, tokens):
    assert subject.intact["nll"] == pytest.approx(lm.score(found, tokens)["nats"], abs=1e-5)
    assert subject.intact["kl"] == pytest.approx(0, abs=1e-6)
    assert subject.intact["top1"] == 1
    assert subject.nothing == pytest.approx(np.log(found.model.config.vocab_size), abs=1e-3)  # no weights, no opinion


@pytest.mark.parametrize(
    "damage", [*(Keep(d) for d in ("identity", "hadamard", "dct", "permutation")), Noise(), Noise("entry")],
    ids=lambda d: d.label,
)  # fmt: skip
def test_the_achieved_cosine_is_the_root_of_the_level(subject, damage):
    for f in (0.25, 0.64, 0.9):
        assert subject.rebuild(damage, f, 1) == pytest.approx(f**0.5, abs=0.01)
    assert subject.rebuild(damage, 1.0, 1) == pytest.approx(1, abs=1e-3)


def test_the_cosine_is_the_one_of_all_weights_in_a_row(subject):
    for damage in (Keep(fill="random"), Spoil("identity"), Planes()):
        level = 3 if isinstance(damage, Planes) else 0.3
        found = subject.rebuild(damage, level, 0)
        a, b = (
            torch.cat([w.double().flatten() for w in side.values()])
            for side in (subject.whole, subject.weights.tensors)
        )
        assert found == pytest.approx(float(torch.cosine_similarity(a, b, dim=0)), abs=1e-6)


def test_a_protected_vocabulary_stays_and_rows_go_from_the_end(subject):
    parts = subject.weights.parts
    subject.rebuild(Keep("identity", "rows", protect=True), 0.5, 0)
    for name, part in parts.items():
        if part.role in ("embed", "head"):
            assert torch.equal(part.tensor, subject.whole[name])
        else:
            half = len(part.tensor) // 2
            assert not part.tensor[half:].any()
            assert part.tensor[:half].any()


def test_a_subject_says_what_is_damaged_and_what_is_not(subject, found):
    table = subject.parts()
    assert table["share"].sum() == pytest.approx(1)
    assert table[table["then"] == "whole"]["what"].tolist() == ["vectors: norms, biases"]
    embedding = found.model.get_input_embeddings().weight.numel() / found.parameters
    assert table.set_index("what")["share"]["embedding"] == pytest.approx(embedding)


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_no_interrupted_run_leaves_the_model_damaged(found, tokens, monkeypatch, error):
    subject = dtdr.Subject(found, tokens, cap=64)
    before = {k: v.clone() for k, v in found.model.state_dict().items()}

    measure = lm.measure

    def fail(*args, **named):
        if all(torch.equal(v, before[k]) for k, v in found.model.state_dict().items()):
            return measure(*args, **named)
        raise error("stop")

    monkeypatch.setattr(lm, "measure", fail)
    with pytest.raises(error):
        run(subject, dtdr.Trial("arms", (Keep(),), (0.5,), 1), FakeLog())
    with pytest.raises(error):
        dtdr.Subject(found, tokens, cap=64)
    assert all(torch.equal(v, before[k]) for k, v in found.model.state_dict().items())


@pytest.fixture(scope="module")
def logs(found, tokens, tmp_path_factory):
    """The same experiments twice, the second from what the first has kept."""
    subject, folder = dtdr.Subject(found, tokens, prompts=[tokens[0, :8]], cap=64), tmp_path_factory.mktemp("work")
    subject.priors |= {"leaked": priors.leaked(subject.whole, cap=64)}
    trials = [
        dtdr.Trial("arms", config.DOMAINS, GRID, 2, new=4),
        dtdr.Trial("damage", config.SPOILS, GRID, 1, (0.01, 0.2), (1, 4, 8)),
        dtdr.Trial(
            "priors", (*config.guided(("leaked", "row_mean", "low_rank"), (0.15, 1.0)), Noise("entry")), (0.4,), 1
        ),
    ]
    both = []
    for _ in range(2):
        log = FakeLog(folder)
        run_printed(subject, config.Published(kept=(0.2, 1.0), new=4), log)
        for trial in trials:
            run(subject, trial, log)
        both.append(log)
    return both


def test_records_hold_conditions_as_columns_and_one_level(logs):
    names = {(r["metadata"]["condition"], r["metadata"]["seed"]) for r in logs[0].records}
    assert len(names) == len(logs[0].records)
    for record in logs[0].records:
        facts = record["metadata"]
        assert set(facts) == FACTS | {"experiment", "condition", "seed", "start_time", "git_commit"}
        level = {"keep": "kept", "spoil": "spoiled", "planes": "bits", "noise": "energy"}[facts["damage"]]
        for step, row in enumerate(record["metrics"]):
            assert row["step"] == step
            assert {"kept", "spoiled", "bits", "energy"} & set(row) == {level}
            assert ("sense" in row) == (facts["part"] == "arms" and facts["seed"] == 0) == ("rep4" in row)
    spoiled = next(r for r in logs[0].records if r["metadata"]["damage"] == "spoil")
    assert [row["spoiled"] for row in spoiled["metrics"]] == [0.01, 0.2]
    assert logs[0].told[-1][0] == logs[0].told[-1][1]


TRIED = [*dict.fromkeys((
    *config.DOMAINS, *config.SPOILS, *config.FURTHER, *config.COLLAPSE[:2], Noise("entry"), Keep("identity", "rows", "random"),
    Spoil("hadamard", "byte"), Jitter(), Jitter("permutation"),
    Keep("hadamard", "rows", "guided", "leaked", 0.5), Keep("hadamard", "rows", "guided", "low_rank", 0.5),
))]  # fmt: skip


@pytest.mark.parametrize("damage", TRIED, ids=lambda d: d.label)
def test_a_damage_draws_where_another_seed_gives_other_rows(subject, damage):
    """Both are computed here: `run` computes one of them where nothing is drawn, and writes a record for each all the same."""
    trial = dtdr.Trial("arms", (damage,), (0.6,), 2, (0.2,), (1,), new=2, jitter=(0.5,))
    (level,) = damage.levels(trial)
    alone = [[{damage.level: level} | _rounded(found)] for found in subject.measured(damage, [(0, level), (1, level)])]
    assert (alone[0] != alone[1]) == damage.draws
    log = FakeLog()
    run(subject, trial, log)
    assert [r["metadata"]["seed"] for r in log.records] == [0, 1]
    assert [_rows(r) for r in log.records] == alone
    assert ["text" in r["metrics"][0] for r in log.records] == [True, False]


def _rows(record):
    left_out = ("step", "timestamp", "text", "rep4", "rep4_apart", "sense")
    return [{k: v for k, v in row.items() if k not in left_out} for row in record["metrics"]]


def _rounded(row):
    return json.loads(files.strict_json(row))


@pytest.mark.parametrize("damage", [
    Keep(), Keep("permutation", "rows"), Keep("identity", protect=True), Keep(fill="random"), Noise(), Jitter(),
    Keep(fill="guided", prior="leaked", weight=0.15), Keep(fill="guided", prior="row_mean", weight=1.0),
    Spoil("identity", "byte"), Spoil(), Planes(),
], ids=lambda d: d.label)  # fmt: skip
def test_copies_side_by_side_give_what_the_model_alone_gives(subject, copies, damage):
    """More jobs than copies, so that a pass is left half empty; what the copies share must not leak from one to the next."""
    level = {"spoiled": 0.2, "bits": 3, "jitter": 0.5}.get(damage.level, 0.6)
    jobs = [(0, level), (1, level), (1, damage.most), (2, level), (0, level)]
    for alone, beside in zip(subject.measured(damage, jobs), copies.measured(damage, jobs), strict=True):
        assert beside == pytest.approx(alone, abs=1e-5, rel=1e-5)
    assert copies.measured(damage, jobs)[0] == copies.measured(damage, jobs)[4]


def test_copies_leave_the_model_as_it_was(copies):
    before = {name: p.clone() for name, p in copies.model.named_parameters()}
    copies.measured(Noise(), [(0, 0.5)])
    assert all(torch.equal(p, before[name]) for name, p in copies.model.named_parameters())


def test_finished_records_are_not_computed_again(logs):
    assert logs[0].records == logs[1].records  # timestamps, too


def test_the_whole_store_recovers_the_loss(logs):
    for record in logs[0].records:
        last = record["metrics"][-1]
        if record["metadata"]["part"] == "arms":
            assert last["nll"] == pytest.approx(record["metadata"]["intact"], abs=0.02)
        if record["metadata"]["part"] == "printed":
            assert last["cosine_last"] == pytest.approx(1, abs=1e-6)
            assert last["top10"] == 1


def test_a_text_is_read_by_the_whole_model(found, tokens, logs):
    """Its own greedy text costs what a forward pass over it says, and less than that of a model with a fifth of itself."""
    record = next(
        r for r in logs[0].records if r["metadata"]["part"] == "arms" and r["metadata"]["domain"] == "hadamard"
    )
    rows = record["metrics"]
    ids = torch.cat([tokens[0, :8], torch.tensor(found.tokenizer(rows[-1]["text"])["input_ids"])])
    wanted = torch.nn.functional.cross_entropy(found.model(ids[None]).logits[0, 7:-1], ids[8:]).item()
    assert rows[-1]["sense"] == pytest.approx(wanted, rel=1e-3)
    assert rows[1]["sense"] > rows[-1]["sense"] + 1


def test_outliers_are_tried_where_they_can_be(found, tokens, capsys):
    log, names = FakeLog(), {f"{found.name}-outliers8", f"{found.name}-outliers0.125"}
    small = config.Outliers((1 / 8, 8), 1)
    run_outliers(found, tokens, small, log, block=64)
    assert {r["metadata"]["model"] for r in log.records} == names
    assert {(r["metadata"]["part"], r["metadata"]["outliers"]) for r in log.records} == {
        ("dose", 0.125),
        ("outliers", 8.0),
    }
    assert not capsys.readouterr().out


def test_a_digest_sees_rows_columns_and_entries_that_change_places(subject, found, tokens):
    w = torch.randn(40, 24)
    swapped = w[torch.tensor([1, 0, *range(2, 40)])]
    for dtype in (torch.float32, torch.bfloat16):
        seen = fingerprint(
            {"a": w.to(dtype), "b": swapped.to(dtype), "c": w[:, ::2].to(dtype), "d": w.flip(1).to(dtype)}
        )
        again = fingerprint({"a": w.to(dtype), "e": w.clone().t().contiguous().t().to(dtype)})
        assert len(set(seen)) == 4
        assert seen[0] == again[0] == again[1]
    before, name = subject.digest("leaked"), next(iter(subject.whole))
    assert subject.digest() != before == subject.digest("leaked")
    subject.priors["leaked"] = dict(subject.priors["leaked"]) | {name: subject.priors["leaked"][name].flip(0)}
    assert subject.digest("leaked") != before
    assert dtdr.Subject(found, tokens, prompts=[tokens[1, :8]], cap=64).digest() != subject.digest()


def test_a_digest_sees_norms_and_the_configuration(found, tokens):
    make = lambda: dtdr.Subject(found, tokens, prompts=[tokens[0, :8]], cap=64).digest()
    norm, config = next(p for p in found.model.parameters() if p.ndim < 2), found.model.config
    seen = {make(), make()}
    norm.data[0] += 1e-3
    seen.add(make())
    norm.data[0] -= 1e-3
    config.rms_norm_eps, kept = 2 * config.rms_norm_eps, config.rms_norm_eps
    seen.add(make())
    config.rms_norm_eps = kept
    assert len(seen) == 3


def test_priors_in_turn_give_the_weights_that_each_gives_alone(subject):
    """The stored form of one prior is in memory at a time; those made from the kept part are made anew."""
    from helpers.codec import Codec, Fill, decode, encode

    subject.priors["earlier"] = priors.embedded("earlier")
    for prior in ("leaked", "earlier", "row_mean", "leaked", "low_rank"):
        subject.rebuild(Keep(fill="guided", prior=prior, weight=0.6), 0.4, 1)
        for name, part in subject.weights.parts.items():
            encoded = encode(subject.whole[name], Codec(cap=64), name)
            if prior not in subject.priors:
                left, right = priors.factors(prior, decode(encoded, 0.4, fill=Fill("gain"), mask_seed=1))
                known = left @ right
            else:
                known = subject.priors[prior][name]
            wanted = decode(encoded, 0.4, fill=Fill("guided", 0.6, known), mask_seed=1)
            assert torch.allclose(part.tensor, wanted, atol=1e-6), (prior, name)


def test_a_prior_that_is_unknown_or_does_not_fit_is_refused(subject):
    with pytest.raises(ValueError, match="prior 'friend' is unknown; there are leaked, row_mean, low_rank"):
        subject.rebuild(Keep(fill="guided", prior="friend", weight=0.1), 0.5, 0)
    subject.priors["friend"] = {name: w[:1] for name, w in subject.whole.items()}
    with pytest.raises(ValueError, match=r"prior 'friend' does not fit the model: .* is \(1, \d+\), the model's is"):
        subject.rebuild(Keep(fill="guided", prior="friend", weight=0.1), 0.5, 0)


def test_the_printed_curve_is_written_as_a_table(logs, tmp_path):
    import pandas as pd

    rows = pd.DataFrame([r["metadata"] | row for r in logs[0].records if r["metadata"]["part"] == "printed"
                         for row in r["metrics"]])  # fmt: skip
    path = write_curve(rows.assign(name=rows["domain"]), tmp_path, "emergence")
    assert path.name == "emergence_curve.csv"
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv(path)
    assert list(table.columns) == ["name", "fraction", "cosine", "top10_overlap"]
    assert table["cosine"].iloc[-1] == pytest.approx(1, abs=1e-3)
    assert files.digest(path)


def test_repetition_of_several_texts_and_how_far_they_differ():
    same, none = "a b c d a b c d", "a b c d e f g h"
    assert repeated([same, none]) == pytest.approx(
        {"rep4": 0.1, "rep4_apart": 0.2}
    )  # 1 of 5 word 4-grams was there before
    assert repeated([same]) == pytest.approx({"rep4": 0.2})


def test_repetition():
    assert repetition("a b c d e f") == 0
    assert repetition("a b c d a b c d") == pytest.approx(1 - 4 / 5)
    assert repetition("one") == 0


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two CUDA devices")
def test_a_model_spread_over_two_gpus_is_taken_apart_where_it_lies(tmp_path):
    """accelerate puts its layers on both; loss, texts and every rebuilt weight are those of the model on one."""
    import transformers

    sizes = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 8, "num_attention_heads": 4}
    torch.manual_seed(0)
    made = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=216, max_position_embeddings=64, **sizes))
    made.save_pretrained(tmp_path)
    tokenizer.build(64).save_pretrained(tmp_path)
    one, two = (lm.load(str(tmp_path), device="cuda", device_map=m) for m in (None, "auto"))
    assert {str(p.device) for p in two.model.parameters()} == {"cuda:0", "cuda:1"}
    tokens = torch.randint(216, (6, 24), generator=torch.Generator().manual_seed(1))
    subjects = [dtdr.Subject(found, tokens, cap=64) for found in (one, two)]
    for damage in (Keep(), Keep("identity"), Keep(fill="gain"), Noise(), Spoil()):
        a, b = (s.rebuild(damage, 0.7, 3) for s in subjects)
        assert a == pytest.approx(b, abs=1e-5)
        for name, part in subjects[0].weights.parts.items():
            other = subjects[1].weights.parts[name].tensor
            assert torch.allclose(part.tensor.cpu(), other.cpu(), atol=1e-5), (damage.label, name)
        assert subjects[0].measure() == pytest.approx(subjects[1].measure(), abs=1e-4)
    for s in subjects:
        s.weights.restore()
    assert subjects[0].texts([tokens[0, :6]], 8) == subjects[1].texts([tokens[0, :6]], 8)
