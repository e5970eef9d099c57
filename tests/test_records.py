import json
import math

import numpy as np
import pandas as pd
import pytest

from helpers import files, records
from helpers.records import Pace, Record


def make(seed=0, condition="control", **metadata):
    record = Record("exp_a", condition, seed, metadata)
    record.log(0, accuracy=0.5, loss=1.0)
    record.log(1000, loss=float("nan"))
    return record


def test_the_file_is_the_one_that_seed_003_prints(tmp_path):
    path = make(42).write(tmp_path)
    assert path.name == "audit_log_exp_a_control_seed_42.json"
    found = json.loads(path.read_text())
    assert list(found) == ["metadata", "metrics", "checkpoints", "summary"]
    assert {"experiment", "seed", "start_time", "git_commit"} <= set(found["metadata"])
    assert list(found["metrics"][0]) == ["step", "timestamp", "psi_accuracy", "loss"]
    assert found["metrics"][1]["loss"] is None
    assert found["summary"]["total_steps"] == 1000
    assert found["summary"]["duration_seconds"] >= 0


def test_checkpoints_are_noted_by_digest(tmp_path):
    (tmp_path / "weights").write_bytes(b"w")
    record = make()
    record.checkpoint(1000, tmp_path / "weights")
    assert record.checkpoints["1000"].startswith("sha256:")


def test_pace_is_dense_in_transition_and_never_starves():
    """The seed's rule, `step % k == 0`, records once in 100 epochs when steps come in strides of 157."""
    strides = range(0, 15_700, 157)
    printed = [s for s in strides if s % 500 == 0 or s % 100 == 0]
    assert len(printed) == 1
    pace, last, kept = Pace(), None, []
    for step in strides:
        if pace.due(step, last, 0.99):
            kept.append(step)
            last = step
    assert kept == list(strides)


@pytest.mark.parametrize(("accuracy", "k"), [(0.5, 10), (0.1, 100), (0.9, 100), (0.15, 100), (None, 50)])
def test_pace_by_region(accuracy, k):
    pace = Pace()
    assert pace.due(0, None, accuracy)
    assert not pace.due(1000 + k - 1, 1000, accuracy)
    assert pace.due(1000 + k, 1000, accuracy)


def test_every_call_is_recorded_unless_a_pace_says_otherwise():
    record = make()
    assert record.log(1001, loss=1.0)
    paced = Record("exp_a", "control", 0, pace=Pace())
    assert [paced.log(step, accuracy=a, loss=1.0) for step, a in ((0, 0.5), (9, 0.5), (10, 0.5), (109, 0.9), (110, 0.9))] == [
        True, False, True, False, True,
    ]  # fmt: skip


def test_a_record_keeps_the_times_it_was_made_at(tmp_path, monkeypatch):
    record = make()
    before = json.loads(record.write(tmp_path).read_text())
    monkeypatch.setattr(records.time, "monotonic", lambda: 1e9)
    again = json.loads(record.write(tmp_path).read_text())
    assert again == before, "a later write says nothing new of how long it took"
    restored = Record.from_dict(before)
    assert json.loads(restored.write(tmp_path).read_text()) == before


@pytest.mark.parametrize(
    "name",
    ["org/model", "a folder with a space", "../x", "ünïcode", "x" * 300, "..", "a\nb", "CON:1", "plain-name_1.0"],
)
def test_any_name_is_kept_and_the_file_lies_in_its_folder(tmp_path, name):
    record = make(condition=f"printed.{name}", model=name)
    path = record.write(tmp_path)
    assert path.parent == tmp_path
    assert len(path.name) < 200
    assert records.load(tmp_path)["model"].unique() == [name]
    assert records.load(tmp_path)["condition"].unique() == [f"printed.{name}"]


def test_two_names_never_share_a_file():
    names = ["a/b", "a-b", "a b", "a_b", "A/b", "x" * 100, "x" * 101, "x" * 102]
    assert len({records.slug(n) for n in names}) == len(names)
    assert records.slug("arms.storyteller.x") == "arms.storyteller.x"
    with pytest.raises(ValueError, match="both need a name"):
        Record("exp", "", 0)


def test_load_gives_one_tidy_frame(tmp_path):
    for seed in (0, 1):
        make(seed, arm="x").write(tmp_path)
    frame = records.load(tmp_path)
    assert list(frame["seed"]) == [0, 0, 1, 1]
    assert {"experiment", "arm", "step", "loss", "psi_accuracy"} <= set(frame.columns)
    assert pd.isna(frame["loss"].iloc[1])


def test_bundle_reads_back_the_same_frame_rounded(tmp_path):
    made = [make(seed, value=np.pi).as_dict() for seed in range(3)]
    for record in made:
        record["metrics"][0]["loss"] = 1 / 3
    records.bundle(made, tmp_path, command="ruc run x", date="2026-01-01")
    frame = records.load(tmp_path)
    assert frame["loss"].iloc[0] == 0.33333
    assert frame["value"].iloc[0] == np.pi
    assert records.header(tmp_path)["command"] == "ruc run x"
    first = (tmp_path / records.BUNDLE).read_bytes()
    records.bundle(made, tmp_path, command="ruc run x", date="2026-01-01")
    assert (tmp_path / records.BUNDLE).read_bytes() == first


def test_nothing_to_load(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no records in .*run the notebook first"):
        records.load(tmp_path)


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "[]",
        '{"metadata": {}}',
        '{"metadata":{"seed":1,"experiment":"x"},"metrics":[{}],"checkpoints":{},"summary":{}}',
    ],
)
def test_a_corrupt_record_is_named(tmp_path, broken):
    make().write(tmp_path)
    (tmp_path / "audit_log_bad_x_seed_1.json").write_text(broken)
    with pytest.raises(ValueError, match=r"audit_log_bad_x_seed_1\.json.* corrupt"):
        records.load(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b\x08broken", b"plain text"])
def test_a_corrupt_bundle_is_named(tmp_path, damage):
    records.bundle([make().as_dict()], tmp_path)
    (tmp_path / records.BUNDLE).write_bytes(damage)
    with pytest.raises(ValueError, match=r"records\.jsonl\.gz is corrupt"):
        records.load(tmp_path)


def test_the_aggregator_knows_cohens_d_and_says_nan_where_the_documents_example_has_one_run_a_group():
    runs = records.MetricAggregator()
    for name, values in {"constraint": (0.60, 0.62, 0.64), "naive_clamp": (0.01, 0.02, 0.03), "one": (0.5,)}.items():
        for value in values:
            runs.add_run(name, value)
    pooled = math.sqrt((0.02**2 + 0.01**2) / 2)
    assert runs.compute_cohens_d("constraint", "naive_clamp") == pytest.approx(0.6 / pooled)
    assert math.isnan(runs.compute_cohens_d("constraint", "one"))
    table = runs.summary()
    assert table.loc["constraint", ["n", "mean", "min", "max"]].tolist() == pytest.approx([3, 0.62, 0.60, 0.64])
    assert table.loc["constraint", "std"] == pytest.approx(0.02)
    with pytest.raises(KeyError, match=r"'sham'.*constraint, naive_clamp, one"):
        runs.compute_cohens_d("sham", "one")


def test_a_time_series_is_read_from_a_log_file_as_arrays(tmp_path):
    record = records.Record("exp_c", "high_wd", 42)
    record.log(0, accuracy=0.1)
    record.log(10, accuracy=0.5, A_param=2.0)
    record.checkpoint(10, b"weights")
    path = record.write(tmp_path)
    steps, values = records.extract_time_series(path, "psi_accuracy")
    assert (steps.tolist(), values.tolist()) == ([0, 10], [0.1, 0.5])
    assert records.extract_time_series(path, "A_param")[0].tolist() == [10]
    assert records.read(path)["checkpoints"]["10"] == files.digest(b"weights")
    with pytest.raises(KeyError, match=r"no metric 'G'; there are A_param, psi_accuracy"):
        records.extract_time_series(path, "G")


def test_a_row_has_the_time_at_which_it_was_measured_not_written():
    made = Record("exp_a", "control", 1, {"start_time": "2026-01-02T03:04:05.000+00:00"})
    made.log(0, seconds=0.25, loss=1.0)
    made.log(9, seconds=61.5, loss=0.5)
    assert [row["timestamp"] for row in made.metrics] == [
        "2026-01-02T03:04:05.250+00:00",
        "2026-01-02T03:05:06.500+00:00",
    ]
    assert made.summary == {"total_steps": 9, "duration_seconds": 61.5}
