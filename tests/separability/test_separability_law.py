"""The three laws on rows whose law is known."""

import numpy as np
import pytest

from helpers import devices
from helpers.separability import law

RNG = devices.numpy_rng("law")
CONDITIONS = np.repeat(np.arange(12), 3)
G, A = RNG.random(36), RNG.random(36) + 1


@pytest.mark.parametrize("conditions", [CONDITIONS, np.arange(36)])
def test_left_out_errors_are_those_of_a_loop_by_hand(conditions):
    psi = RNG.random(36)
    errors = []
    for c in np.unique(conditions):
        seen = c != conditions
        x = np.column_stack([np.ones(36), G, A])
        b = np.linalg.solve(x[seen].T @ x[seen], x[seen].T @ psi[seen])
        errors += list((psi[~seen] - x[~seen] @ b) ** 2)
    assert law.left_out(psi, G, A, conditions)["additive"] == pytest.approx(np.mean(errors))


def test_each_law_is_recognised_where_it_holds_whatever_the_units():
    for kind, psi in (("additive", 2 * G - 30 * A + 1), ("product", 5 * G * A - 2), ("geometry", 3 * G)):
        errors = law.left_out(psi, G, A, CONDITIONS)
        assert errors[kind] == pytest.approx(0, abs=1e-20)
        assert kind == "geometry" or all(
            law.log_ratio(errors, other, kind) > 1 for other in law.MODELS if other != kind
        )
    scaled = law.left_out(2 * G - 30 * A, G, 1000 * A, CONDITIONS)["additive"]
    assert scaled == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("kind", ["additive", "product"])
def test_planted_laws_are_found_under_noise(kind):
    assert law.recognised(kind, G, A, CONDITIONS, devices.numpy_rng("planted"), 40) > 0.9
    rng, one = devices.numpy_rng("one"), []
    for _ in range(5):
        errors = law.left_out(law.planted(kind, G, A, rng), *law.units(G, A), CONDITIONS)
        one.append(min(errors, key=errors.get) == kind)
    assert law.recognised(kind, G, A, CONDITIONS, devices.numpy_rng("one"), 5) == np.mean(one)


def test_noise_is_no_law():
    """Where Ψ has nothing to do with either, no model beats the others by much."""
    ratios = [
        law.log_ratio(law.left_out(devices.numpy_rng("noise", i).random(36), G, A, CONDITIONS), "geometry", "additive")
        for i in range(40)
    ]
    assert np.mean(ratios) < 0.05


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="4 conditions"):
        law.left_out(G, G, A, np.arange(36) % 4)
    with pytest.raises(ValueError, match="finite"):
        law.left_out(G * np.nan, G, A, CONDITIONS)
    with pytest.raises(ValueError, match="model 'cubic' is unknown"):
        law.design("cubic", G, A)


def test_a_condition_that_alone_decides_a_coefficient_is_left_out_all_the_same():
    g = np.ones(8)
    g[3] = 2.0
    psi = np.linspace(0, 1, 8)
    others = np.delete(psi, 3)
    error = ((np.delete(psi, 3) - (others.sum() - others) / 6) ** 2).sum()  # of means without one, where G says nothing
    assert law.left_out(psi, g, RNG.random(8), np.arange(8))["geometry"] * 8 == pytest.approx(
        error + (psi[3] - others.mean() * 3 / 2) ** 2, rel=1e-6
    )


def test_the_laws_conditions_are_those_that_can_look_and_the_site_is_the_asked_one():
    """Ψ is a sum of G and the amplitude in the middle, but for the models without a head that looks."""
    import pandas as pd

    from helpers.separability.foundation import quantities

    rows, rng = [], devices.numpy_rng("conditions")
    for seed in range(3):
        for i in range(12):
            kind, dose = (
                ("patterns", 4) if i == 0 else ("removed", 4) if i == 1 else ("weights", 4) if i == 2 else ("", 0)
            )
            g, mid = rng.random(2)
            known = {"part": "trained", "end": True, "arm": f"arm {i}", "seed": seed, "kind": kind, "dose": dose}
            psi = 0.0 if i < 2 else g - mid
            rows.append(known | {"psi_accuracy": psi, "G_stability": g, "A_activation": rng.random()})
            rows[-1]["A_activation_resid_mid_L0"] = mid * (100 if i < 2 else 1)
    table = pd.DataFrame(rows)
    assert set(quantities.conditions(table, looking=True)["arm"]) == {f"arm {i}" for i in range(2, 12)}
    found = quantities.laws(table)
    assert min(found["s13_mid_g_over_additive"]) > 5
    assert max(found["s13_after_g_over_additive"]) < 2
    assert max(found["s13_log_g_over_additive"]) < 2
