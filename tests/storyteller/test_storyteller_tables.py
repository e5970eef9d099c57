"""The storyteller's tables hold what the cards say."""

import pytest

from helpers.storyteller import tables


def card(seed, answers, digest, **more):
    result = dict.fromkeys(tables.ASKED, 0.5) | {"answers": answers}
    return {"result": result, "recipe": {"seed": seed}, "sha256": {"model.safetensors": digest}} | more


def test_a_run_is_its_models_mean_beside_the_committed_one():
    found = tables.learned([card(0, 0.2, "a"), card(1, 0.4, "b")], card(0, 0.9, "c"), "this run")
    row = found[found[""] == tables.ASKED["answers"]].iloc[0]
    assert row["this run"] == pytest.approx(0.3)
    assert row["committed"] == 0.9
    assert len(found) == len(tables.ASKED)


def test_bytes_are_the_committed_ones_or_not():
    one, other = (f"sha256:{letter * 64}" for letter in "ab")
    found = tables.checksums([card(0, 1, one), card(1, 1, other)], card(0, 1, other))
    assert found["the committed bytes"].tolist() == ["no", "yes"]
    assert found["weights"].tolist() == ["a" * 16, "b" * 16]


def test_members_stand_by_size_then_name():
    members = {
        n: card(0, i, "", size=s, parameters=1000) for i, (n, s) in enumerate((("b", "w"), ("c", "d"), ("a", "w")))
    }
    assert tables.family(members)["model"].tolist() == ["c", "a", "b"]
    assert tables.family(members)["answers"].tolist() == [1, 2, 0]
