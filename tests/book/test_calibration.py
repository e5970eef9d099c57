"""The methods page's account of the judge: chances by an independent simulation, the committed ledgers within their bounds."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from helpers import claims, stats
from helpers.book import calibration


@pytest.mark.parametrize(("effect", "n"), [(0.0, 8), (0.9, 12), (-0.5, 6)])
def test_chances_are_those_of_simulated_tests(effect, n):
    """4000 samples, each judged by its own interval: no noncentral distribution in sight."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(effect, 1.0, (4000, n))
    ends = [stats.t_interval(x) for x in drawn]
    told = {k: v[0] for k, v in calibration.chances(np.array([effect]), n).items()}
    assert told["supported"] == pytest.approx(np.mean([e.low > 0 for e in ends]), abs=0.025)
    assert told["refuted"] == pytest.approx(np.mean([e.high < 0 for e in ends]), abs=0.025)
    assert sum(told.values()) == pytest.approx(1)


def test_the_committed_ledgers_err_as_rarely_as_the_judge_promises(root):
    """False supports and refutations within three standard errors of their bounds, for every claim; power where it was planned
    for, but for claims whose measured scatter is larger than was hoped."""
    found = json.loads((root / calibration.RESULT).read_text())
    room = lambda p: 3 * (p * (1 - p) / found["ledgers"]) ** 0.5
    assert max(calibration.shares(found, "edge", "supported").values()) <= 0.025 + room(0.025)
    assert np.mean([*calibration.shares(found, "edge", "supported").values()]) <= 0.03
    for setting in ("border", "planted", "edge"):
        assert max(calibration.shares(found, setting, "refuted", "mixed").values()) <= 0.05 + room(0.05)
    assert max(calibration.shares(found, "null", "supported").values()) == 0
    power = calibration.shares(found, "planted", "supported")
    hoped = {k for k in power if not found["settings"][k]["measured"]}
    assert min(power[k] for k in hoped) >= 0.8 - room(0.8)
    assert set(power) <= set(claims.load(root / "book" / "claims.yml"))


def test_the_page_says_what_was_found(root):
    found = json.loads((root / calibration.RESULT).read_text())
    page = object.__new__(calibration.Calibration)
    env = SimpleNamespace(srcdir=root, note_dependency=lambda path: None)
    page.state = SimpleNamespace(document=SimpleNamespace(settings=SimpleNamespace(env=env)))
    text, drawn = (node.astext() for node in page.run())
    assert text.count("<tr><td>") == len(calibration.SETTINGS)
    assert str(found["ledgers"]) in text
    assert 'aria-describedby="calibration-figure"' in drawn
