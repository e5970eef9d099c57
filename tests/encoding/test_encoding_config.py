"""Settings: what cannot work is refused with the nearest value that works, what can work, works; at every end of a range."""

import re

import pytest

from helpers import data
from helpers.encoding.config import CELLS, Chains, Limits, Printed, Rules
from helpers.encoding.corpora import EMBEDDED, check_vocabulary
from helpers.encoding.widths import Widths
from helpers.run import check
from helpers.run.project import Project


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Chains(seeds=0), "seeds=0 is too few; use 1"),
        (lambda: Chains(steps=1), "steps=1 is too few; use 2"),
        (lambda: Chains(stage1=1.0), "stage1=1.0 is not a share"),
        (lambda: Chains(grid=(0, 2)), "a code has at least one number"),
        (lambda: Chains(code=0), "code=0 is too few; use 1"),
        (lambda: Chains(rates=(0.01, 2.0)), "rate=2.0 is no learning rate"),
        (lambda: Chains(rates=(float("nan"),)), "rate=nan is no learning rate"),
        (lambda: Chains(vocab=34), "vocab=34 is too small for the motifs: their largest token is 34; use 35"),
        (lambda: Chains(vocab=35, cells={"planted36/linear": ("full",)}), "use planted35 or less"),
        (lambda: Chains(cells={"pattern/deep": ("learned",)}), "cell 'pattern/deep'"),
        (lambda: Chains(cells={"zipf/linear": ("learned",)}), "cell 'zipf/linear'"),
        (lambda: Chains(cells={"pattern/linear": ("wide",)}), "'wide' needs an mlp"),
        (lambda: Chains(cells={"pattern/linear": ("magic",)}), "arm 'magic'"),
        (lambda: Chains(cells={"planted6/linear": ("l1",)}), "arm 'l1'"),
        (lambda: Widths(strengths=()), "name one at least, each 0 or more"),
        (lambda: Widths(strengths=(0.1, -1.0)), "name one at least, each 0 or more"),
        (lambda: Widths(strengths=(float("nan"),)), "name one at least, each 0 or more"),
        (lambda: Widths(cells={"planted6/residual": ("l1",)}), "use plantedR/linear"),
        (lambda: Widths(cells={"planted6/linear": ("random",)}), "arm 'random' in 'planted6/linear': use learned, l1"),
        (lambda: Printed(vocab=34), "use 35 or more"),
        (lambda: Printed(code=0), "code=0 is too few"),
        (lambda: Printed(rate=0.0), "rate=0.0"),
        (lambda: Printed(epochs=0), "epochs=0"),
        (lambda: Rules(values=1), "values=1 is too few; use 2"),
        (lambda: Rules(noise=0.0), "noise=0.0"),
        (lambda: Rules(arms=("wide",)), "arm 'wide' is none that a transformer can have"),
        (lambda: Rules(batch=0), "batch=0"),
        (lambda: Rules(stream=10, heads=4), "stream=10 is not a multiple of heads=4; use 12"),
        (lambda: Limits(ratios=()), "a compression is at least 1"),
        (lambda: Limits(ratios=(0.5,)), "a compression is at least 1"),
        (
            lambda: Limits(ratios=(20, 50), stream=16),
            "two of them the same model; leave one out, or use a stream of 100",
        ),
    ],
)
def test_bad_settings_are_refused_before_anything_starts(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_what_is_advised_works():
    Limits(ratios=(20, 50), stream=100)
    Rules(stream=12, heads=4)
    Chains(vocab=35, cells={"planted35/linear": ("full",)})


def test_widths_are_those_of_the_grid_that_say_more_and_the_published_one():
    assert Chains(grid=(1, 8, 48), vocab=35, code=6).widths == (1, 6, 8)
    assert Chains(grid=(1, 8, 48), full=8, code=32).widths == (1, 8, 32)
    assert Rules(grid=(2, 8, 64), values=8, stream=32, code=31).widths == (2, 8, 31)


def test_a_compression_is_asked_for_and_another_may_be_true():
    c = Limits(ratios=(2, 5, 10, 20, 50), stream=32)
    assert [c.width(r) for r in c.ratios] == [16, 6, 3, 2, 1]
    assert c.true(50) == 32
    assert c.true(2) == 2
    assert (c.asked(1), c.asked(3), c.asked(32)) == (50, 10, 1)


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_every_width_of_the_code_makes_the_chapters_settings(profile, root, monkeypatch, tmp_path):
    """All 32, where 21 crashed once: the notebook's own cells up to the settings."""
    monkeypatch.setenv("RUC_RUN_DIR", str(tmp_path))
    notebook = Project(root, root / "runs").notebook("learned_encoding")
    for d in range(1, 33):
        names = {}
        for cell in check.cells(notebook):
            exec(cell, names)
            names |= {"learned_dim": d, "profile": profile, "device": "cpu"} if "learned_dim" in names else {}
        assert d in names["chains"].widths
        assert d in names["rules"].widths


def test_a_vocabulary_that_the_embedded_text_can_fill():
    for vocab in EMBEDDED:
        check_vocabulary("embedded", vocab)
        data.load_text().tokens(vocab)
    check_vocabulary("mine.txt", 65536)
    for vocab, near in ((64, EMBEDDED[0]), (65536, EMBEDDED[1])):
        with pytest.raises(ValueError, match=f"vocab={vocab}: .*; use {near}"):
            check_vocabulary("embedded", vocab)


def test_the_chapters_cells_are_the_studys_own():
    assert Chains().cells == CELLS
