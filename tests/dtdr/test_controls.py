"""Known answers through the whole way from rows to verdicts, on made-up frames whose effects are known as well."""

import numpy as np
import pandas as pd
import pytest

from helpers import claims, dtdr
from helpers.dtdr import controls, study

WHOLE, NOTHING, MASKS = 1.0, 6.0, 6


def rows(arm, fractions, loss, rng, scatter, **more):
    """One arm: loss(f) nats, with the luck of each mask that is the same at every fraction."""
    luck = rng.normal(0, scatter, MASKS)
    domain, order, fill = (arm.split(".") + ["zero"] * 3)[:3]
    known = {"arm": arm, "domain": domain, "order": order, "fill": fill, "prior": "", "part": "arms", "protect": False}
    known |= {"model": "m", "intact": WHOLE, "nothing": NOTHING}
    known |= {"text": None}
    return [
        known
        | {"seed": seed, "fraction": f, "cosine": f**0.5, "nll": loss(f) + luck[seed] * (f < 1)}
        | {"kl": loss(f) - WHOLE, "top1": f**4}
        | more
        for seed in range(MASKS)
        for f in fractions
    ]


def emergence(rng, gap=0.0, spoiled=0.0, scatter=0.05):
    """gap: nats that the transformed store loses more. spoiled: nats that truncation costs more than corruption."""
    curve = lambda f: NOTHING - (NOTHING - WHOLE) * f
    made = rows("hadamard.iid.zero", study.GRID, lambda f: curve(f) + (gap + spoiled) * (0 < f < 1), rng, scatter)
    for domain in ("identity", "dct", "permutation"):
        made += rows(f"{domain}.iid.zero", study.GRID, curve, rng, scatter)
    for domain in ("hadamard", "identity"):
        for share in (0.0001, 0.001, 0.01, 0.1, 0.5):
            made += rows(
                f"{domain}.corrupt", [1 - share], curve, rng, 0.001, order="corrupt", cosine=(1 - share) ** 0.5
            )
    return study.frame(pd.DataFrame(made))


def guided(rng, help_by, harm_by):
    curve = lambda f: NOTHING - (NOTHING - WHOLE) * f
    made = rows("hadamard.iid.zero", (0.2, 0.4, 0.6), curve, rng, 0.05)
    made += rows("hadamard.iid.random", (0.2, 0.4, 0.6), lambda f: curve(f) + harm_by, rng, 0.05)
    for prior in ("leaked", "earlier", "before"):
        made += rows(f"hadamard.iid.guided.{prior}.0.15", (0.2, 0.4, 0.6), lambda f: curve(f) - help_by, rng, 0.05)
    return study.frame(pd.DataFrame(made))


def verdicts(chapter, known):
    return {p.id: (p.planted, p.absent) for p in claims.probe(claims.of(chapter), known)}


@pytest.mark.parametrize("gap", [0.0, -1.0, 2.0])
def test_known_answers_come_out_whatever_was_measured(gap):
    found = emergence(np.random.default_rng(0), gap=gap, spoiled=gap / 2)
    seen = verdicts("dtdr_emergence", dtdr.emergence_controls(found))
    assert set(seen) == {"D1", "D2", "D5", "D6", "D7", "D8"} == set(claims.of("dtdr_emergence"))
    assert all(planted == claims.SUPPORTED for planted, _ in seen.values()), seen
    assert all(absent != claims.SUPPORTED for _, absent in seen.values()), seen
    found = guided(np.random.default_rng(0), help_by=gap, harm_by=gap)
    seen = verdicts("dtdr_guided", dtdr.guided_controls(found))
    assert set(seen) == {"D3", "D4"} == set(claims.of("dtdr_guided"))
    assert all(p == claims.SUPPORTED != a for p, a in seen.values()), seen


def judged(chapter, numbers, known):
    mine = claims.of(chapter)
    numbers = numbers | claims.probed(claims.probe(mine, known))
    return {v.id: v for v in claims.judge(mine, numbers) if v.criterion == "precise"}


def test_effects_in_the_rows_reach_the_verdicts():
    """The frame itself carries an effect, or none; the criteria say so, with their controls in force."""
    rng = np.random.default_rng(1)
    for gap, wanted in ((0.5, claims.SUPPORTED), (-0.5, claims.REFUTED)):
        found = emergence(rng, gap=gap)
        assert judged("dtdr_emergence", dtdr.emergence(found), dtdr.emergence_controls(found))["D5"].verdict == wanted
    found = emergence(rng, spoiled=0.5)
    assert judged("dtdr_emergence", dtdr.emergence(found), dtdr.emergence_controls(found))["D6"].verdict == "supported"
    for effect, wanted in ((0.5, claims.SUPPORTED), (-0.5, claims.REFUTED)):
        found = guided(rng, help_by=effect, harm_by=effect)
        for verdict in judged("dtdr_guided", dtdr.guided(found), dtdr.guided_controls(found)).values():
            assert verdict.verdict == wanted, verdict


def test_a_test_that_cannot_see_decides_nothing():
    """Masks that scatter by more than all of the loss hide even half of it; the claim stays open and says why."""
    found = emergence(np.random.default_rng(2), scatter=8.0)
    verdict = judged("dtdr_emergence", dtdr.emergence(found), dtdr.emergence_controls(found))["D5"]
    assert verdict.verdict == claims.UNDECIDED
    assert "told apart" in verdict.reason


def test_a_claim_without_its_arms_has_no_control():
    found = emergence(np.random.default_rng(3))
    few = found[found["arm"] == "hadamard.iid.zero"]
    assert set(dtdr.emergence_controls(few)) == {"D1", "D2"}


def test_only_the_mean_of_one_arm_at_one_fraction_moves():
    found = guided(np.random.default_rng(4), help_by=0.1, harm_by=0.2)
    arm = "hadamard.iid.random"
    there = controls.moved(found, arm, "hadamard.iid.zero", 0.4, -1.5)
    assert np.mean(dtdr.difference(there, arm, "hadamard.iid.zero", 0.4)) == pytest.approx(-1.5)
    mine = (found["arm"] == arm) & (found["fraction"] == 0.4)
    assert np.ptp(there["nll"][mine] - found["nll"][mine]) == pytest.approx(0, abs=1e-12)
    assert (there["nll"] == found["nll"])[~mine].all()


def test_what_is_planted_is_said_for_every_claim():
    assert set(dtdr.PLANTED) == {k for c in ("dtdr_emergence", "dtdr_guided") for k in claims.of(c)}
