"""Which control forbids which verdict when it does not pass.

    a control that a criterion names    every verdict: its instrument is broken
    <claim>_controls                    supported, mixed: an effect that was planted is not found, or one that was taken out is
                                        not refuted
    <claim>_border_controls             supported, mixed: a test that has to decide near its border supports too often there
    <claim>_refuting_controls           refuted, mixed: a known answer is told wrongly
    <claim>_border_refuting_controls    refuted, mixed: each test that refutes does so near its border, and too often there

The last four are of the claim's known answers and of its own scatter (`known.probed`), and hold whether its criterion names
them or not. Who claims something has to show a test that could have gone against it, so a support asks for sharp tests. A
refutation does not: to a claim that is true a blunt test says 'undecided', not 'refuted', and how blunt it is lies in the
interval that refutes already (Hoenig and Heisey 2001). To ask it for an absent effect that is refuted would let pass those
samples whose scatter came out small by chance, and of their refutations more are false (`tests/test_guards.py`). What it must
not do is to tell a known answer wrongly. Criteria that were replaced are judged by the rule of their time: each control
forbids everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from helpers.claims.criteria import Criterion, Test
from helpers.claims.words import MIXED, REFUTED, SUPPORTED, UNDECIDED

DECIDED = (SUPPORTED, REFUTED, MIXED)
ALL = (*DECIDED, UNDECIDED)  # of a claim that its tests leave open a broken instrument is told, too
FALSE = 0.03  # of supports at the border, at most; twice as many, by its own scatter, hold back a verdict near to it
APART, RIGHT = "a planted and an absent effect told apart", "no known answer told wrongly"
HELD = "share of resampled runs on the border that are supported"
DOWN = "share of resampled runs on the border that are refuted"


def control(claim: str) -> str:
    """The quantity that says whether a claim's tests tell a planted answer from an absent one."""
    return f"{claim.lower()}_controls"


def refuting(claim: str) -> str:
    """The quantity that says whether a claim's tests tell no known answer wrongly."""
    return f"{claim.lower()}_refuting_controls"


def border(claim: str) -> str:
    """The largest share of resampled runs on the border that a test of a claim supports, of those tests that lie near it."""
    return f"{claim.lower()}_border_controls"


def border_refuting(claim: str) -> str:
    """The least share of resampled runs on the border that a test of a claim refutes, of those that refute; zero where one of
    them lies far from it."""
    return f"{claim.lower()}_border_refuting_controls"


def own(claim: str) -> tuple[str, ...]:
    """All four quantities, which have no unit of the claim's tests."""
    return control(claim), border(claim), refuting(claim), border_refuting(claim)


def of(
    claim: str, criterion: Criterion, quantities: Mapping[str, Sequence[float]], former: bool = False
) -> list[tuple[Test, tuple[str, ...]]]:
    """The tests that must pass, each with the verdicts that it forbids otherwise. quantities: a run's; where they hold no
    answer about refutations of their own, the one about supports is taken for both."""
    named = {t.quantity: t for t in criterion.controls}
    if former:
        return [(t, ALL) for t in named.values()]
    apart, right = control(claim), refuting(claim)
    out = [(t, ALL) for name, t in named.items() if name != apart]
    support, refute = (SUPPORTED, MIXED), (REFUTED, MIXED)  # what its tests leave open is said by them
    asked = [
        (Test(apart, above=0.5, interval="exact", says=APART), support if right in quantities else DECIDED),
        (Test(border(claim), below=2 * FALSE, interval="exact", says=HELD), support),
        (Test(right, above=0.5, interval="exact", says=RIGHT), refute),
        (Test(border_refuting(claim), below=2 * FALSE, interval="exact", says=DOWN), refute),
    ]
    silent = criterion.unprobed and apart not in named
    known = [] if silent else [(t, forbids) for t, forbids in asked if t.quantity in quantities]
    return out + [(named.get(t.quantity, t), forbids) for t, forbids in known]
