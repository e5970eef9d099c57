import json

import numpy as np
import pandas as pd
import pytest

from helpers import chapter, claims, figures, numbers, prose
from helpers.chapter import Per


@pytest.fixture
def begin(tmp_path, monkeypatch, root):
    monkeypatch.setenv("RUC_ROOT", str(root))
    monkeypatch.setenv("RUC_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("RUC_WORK_DIR", str(tmp_path / "work"))
    return lambda **given: chapter.start(
        "learned_encoding", profile=given.pop("profile", "quick"), device="cpu", **given
    )


def test_start_checks_profile_and_device_and_says_what_it_runs_on(begin):
    here = begin()
    assert here.folder.name == "run"
    assert json.loads((here.folder / "provenance.json").read_text())["device"] == "CPU"
    with pytest.raises(ValueError, match="profile='fast' is unknown"):
        begin(profile="fast")
    with pytest.raises(ValueError, match="device='gpu'"):
        chapter.start("learned_encoding", profile="quick", device="gpu")


@pytest.mark.parametrize(
    ("given", "words"),
    [({"seeds": "3"}, "seeds='3': expected a value of type int"), ({"seeds": 65}, "a number within 2..64"),
     ({"learned_dim": 6.5}, "learned_dim=6.5"), ({"steps": 10**9}, "steps=1000000000")],
)  # fmt: skip
def test_a_notebook_holds_itself_to_its_own_parameters(begin, given, words):
    """papermill injects what it is given; the cell after it refuses what the parameters cell does not allow."""
    with pytest.raises(ValueError, match=words):
        begin(**given)


def test_two_live_kernels_have_a_folder_each_and_share_the_cache(begin, monkeypatch, tmp_path, root):
    book = tmp_path / "book"
    (book / "notebooks").mkdir(parents=True)
    (book / "_toc.yml").write_text("")
    monkeypatch.setenv("RUC_ROOT", str(book))
    monkeypatch.delenv("RUC_RUN_DIR")
    monkeypatch.delenv("RUC_WORK_DIR")
    one, two = begin(), begin()
    assert one.folder != two.folder
    assert one.folder.parent == two.folder.parent == book / "runs" / "learned_encoding" / "live"
    assert one.work == two.work


def test_settings_take_the_profile_and_what_is_given(begin):
    given = {"seeds": None, "steps": 20, "vocab_size": 50}
    quick, full = (
        begin(profile=p, **given).settings(seeds=Per(3, 12), steps=Per(10, 99), length=64) for p in chapter.PROFILES
    )
    assert (quick.seeds, full.seeds) == (3, 12)
    assert quick.steps == full.steps == 20
    assert quick.length == 64
    with pytest.raises(AttributeError, match=r"no setting 'step'; did you mean steps\?"):
        _ = quick.step
    with pytest.raises(AttributeError, match="settings are fixed"):
        quick.steps = 3
    assert not hasattr(quick, "vocab_size"), "only what the settings name is a setting"


def test_a_parameter_that_leaves_its_value_to_the_profile_needs_a_setting(begin):
    with pytest.raises(KeyError, match=r"'texts' leaves its value to the profile; add texts=Per"):
        begin(texts=None).settings(seeds=Per(3, 12))


def test_box_has_a_place_for_every_badge(begin):
    bundle = begin().box()._repr_mimebundle_()
    for name in claims.of("learned_encoding"):
        assert f'data-claim="{name}"' in bundle["text/html"]
    assert "made precise" in bundle["text/plain"]


def test_what_a_run_stores_comes_before_what_is_committed(begin, tmp_path):
    from dataclasses import replace

    here = replace(begin(), reference=tmp_path / "reference")
    assert here.stored("cards") is None
    here.reference.mkdir(parents=True, exist_ok=True)
    (here.reference / "cards.json").write_text('{"from": "reference"}')
    assert here.stored("cards") == {"from": "reference"}
    here.store("cards", {"from": "run"})
    assert here.stored("cards") == {"from": "run"}


@pytest.mark.parametrize(
    ("values", "spec", "unit", "beside", "text"),
    [
        ([1.0, 2.0, 3.0], ".2f", "nats", None, "2.00 ± 2.48 nats (n = 3)"),
        ([1.0, np.nan, 3.0], ".1f", "", None, "2.0 ± 12.7 (n = 2 of 3)"),
        ([np.nan], ".3g", "", None, "no value (n = 0 of 1)"),
        ([-0.5], ".1f", "", None, "−0.5 (n = 1)"),
        ([1.0, 3.0], ".0f", "nats", [2.0, 2.0, 2.0], "2 nats|committed run, n = 3; this run 2 ± 13 nats, n = 2|"),
        ([1.0, 1.1, 1.2], "", "", [2.0, 2.1, 2.2], "2.10 ± 0.25 ≠|committed run, n = 3; this run 1.10 ± 0.25, n = 3|"),
        ([], "", "", [2.0, 2.2], "2.1 ± 1.3|committed run, n = 2; not measured in this run|"),
        ([0.0583, 0.0003, 0.01], "", "", None, "0.023 ± 0.077 (n = 3)"),
        ([0.4, 0.42, 0.44], ".0%", "", None, "42 ± 5 % (n = 3)"),
        ([0.4, 0.5], "+.2f", "", None, "+0.45 ± 0.64 (n = 2)"),
        ([1.0, 1.00000000001], ".3f", "", None, "1.00 ± 6.4 × 10⁻¹¹ (n = 2)"),
        ([0.001, 0.001004], ".3f", "", None, "0.00100 ± 0.00003 (n = 2)"),
        (pd.Series([1.0, 3.0], index=[7, 9]), ".0f", "", None, "2 ± 13 (n = 2)"),
    ],
)
def test_a_number_shows_spread_and_n(values, spec, unit, beside, text):
    assert prose.number(values, spec, unit, beside).replace(numbers.NBSP, " ").replace(prose.ASIDE, "|") == text
    if beside is None:
        assert prose.mean(values, spec).replace(numbers.NBSP, " ") == text.partition(" ± ")[0].partition(" nats")[
            0
        ].partition(" (")[0] + (" %" if "%" in text else "")


def test_an_unknown_form_of_a_number_is_refused():
    assert prose.spread([-0.0001], "z.2f")[0] == "0.00"
    with pytest.raises(ValueError, match="no form of a number"):
        prose.spread([1.0], "two digits")


def test_tables_escape_and_round_and_take_badges():
    shown = chapter.table(
        pd.DataFrame({"a<b": [0.123456, np.nan, -1.5], "c": ["x&y", prose.badge("mixed"), 3]}), "A <caption>"
    )
    markup = shown._repr_mimebundle_()["text/html"]
    assert "a&lt;b" in markup
    assert "A &lt;caption&gt;" in markup
    assert "x&amp;y" in markup
    assert "<td>0.12</td>" in markup
    assert "<td>–</td>" in markup
    assert "<td>−1.50</td>" in markup
    assert '<td><span class="verdict verdict-mixed">mixed</span></td>' in markup
    assert "mixed" in shown._repr_mimebundle_()["text/plain"]
    assert isinstance(shown, figures.Output)


def test_the_forms_of_a_number_that_chapters_ask_for():
    values = [0.101, 0.102, 0.103, 0.104]
    assert prose.mean(values, "+.3f")[0] == "+"
    assert prose.mean([-v for v in values], "+.3f")[0] == "−"
    assert prose.mean(values, "z.3f") == prose.mean(values, ".3f")
    assert prose.mean(values, ".0%").endswith("%")
    assert prose.mean(values, ".3g") == prose.mean(values)


def test_a_number_of_the_prose_is_stored_for_the_book_and_shown_where_there_is_no_such_role(monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, **more: shown.append((bundle, more)))
    prose.glue("gap", "-0.41 ± 0.03 nats at 40 %")
    ((bundle, more),) = shown
    text = "−0.41 ± 0.03 nats at 40 %"
    assert bundle["text/plain"].replace(numbers.NBSP, " ") == f"gap: {text}"
    book = bundle[more["metadata"]["scrapbook"]["mime_prefix"] + "text/plain"]
    assert json.loads(book).replace(numbers.NBSP, " ") == text
