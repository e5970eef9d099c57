"""What can be tried builds; what cannot is refused with the reason and the nearest value that works."""

import pytest

from helpers.codec import ORDERS
from helpers.dtdr import Emergence, Guided, Keep, Noise, Planes, Spoil, Trial, config
from helpers.dtdr.config import Family, Outliers, Published

LISTS = (config.DOMAINS, config.SPOILS, config.FURTHER, config.COLLAPSE, config.CAUSES, config.PIECES, config.PRINTED)


def test_every_bound_of_the_parameters_builds():
    for masks in (1, 64):
        assert Trial("arms", config.DOMAINS, masks=masks).size == masks * 7 * len(config.GRID)
        assert Outliers(masks=masks).trials[32].masks == max(5, masks)
    for texts in (4, 4096):
        for block in (16, 32, 64, 128, 256):
            made = Emergence(texts=texts, block=block)
            assert (made.texts, made.block) == (texts, block)
    assert [list(Guided(mode=m).modes.values()) for m in ("all", "zero")] == [["zero", "random", "guided"], ["zero"]]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Emergence(texts=4097), r"texts=4097: a whole number of 1…4096 .* the nearest is 4096"),
        (lambda: Emergence(length=12), r"length=12: .* the nearest is 13"),
        (lambda: Emergence(block=48), r"block 48 is unknown; choose one of 16, 32, 64, 128, 256"),
        (lambda: Trial("arms", (Keep(),), masks=0), r"masks=0: .* the nearest is 1"),
        (lambda: Trial("arms", (Keep(),), masks=2.5), r"masks=2.5: a whole number"),
        (lambda: Trial("", (Keep(),)), r"part='': name the section"),
        (lambda: Trial("arms", ()), r"0 damages"),
        (lambda: Trial("arms", (Keep(), Keep())), r"each of which must be there once"),
        (lambda: Trial("arms", (Keep(),), (0.5, 1.5)), r"kept=1.5 is not within 0…1; the nearest that works is 1"),
        (lambda: Trial("arms", (Keep(),), (0.5, 0.5)), r"kept=\(0.5, 0.5\): one level or more was expected, each once"),
        (lambda: Trial("arms", (Spoil(),), spoiled=(-0.1,)), r"spoiled=-0.1 is not within 0…1; the nearest that works is 0"),
        (lambda: Trial("arms", (Planes(),), bits=(2.5,)), r"bits=2.5: a whole number of 0…8"),
        (lambda: Trial("arms", (Noise(),), (float("nan"),)), r"energy=nan"),
        (lambda: Published((Noise(),)), r"damages of the kind Keep"),
        (lambda: Published(new=0), r"new=0: .* the nearest is 1"),
        (lambda: Outliers((0.0, 8)), r"times=\[0.0\]: factors of 2\^-10 … 2\^10"),
        (lambda: Outliers(()), r"times=\(\)"),
        (lambda: Family((Trial("priors", config.guided(["other"], [1.0])),)), r"\['other'\], which members .* do not get"),
        (lambda: Family((), priors=("mine",)), r"prior 'mine' is unknown"),
        (lambda: Keep("hadamart"), r"domain 'hadamart' is unknown; .* did you mean 'hadamard'\?"),
        (lambda: Keep(order="planes"), r"order 'planes' is unknown"),
        (lambda: Keep(fill="guided"), r"a prior goes with the guided fill"),
        (lambda: Keep(prior="leaked"), r"a prior goes with the guided fill"),
        (lambda: Keep(weight=0.5), r"weight=0.5: a prior's weight"),
        (lambda: Noise("column"), r"per 'column' is unknown; choose one of row, entry"),
        (lambda: Guided(mode="guide"), r"mode 'guide' is unknown; .* did you mean 'guided'\?"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_the_nearest_that_does(make, why):
    with pytest.raises(ValueError, match=why):
        make()


def test_columns_select_a_damage_and_no_other():
    every = {d for group in LISTS for d in group} | set(config.guided(("leaked", "other"), (0.15, 1.0)))
    columns = [tuple(d.columns.items()) for d in every]
    assert len(set(columns)) == len(every) == len({d.label for d in every})
    assert {tuple(d.columns) for d in every} == {
        ("damage", "domain", "order", "fill", "prior", "weight", "protect", "per", "mode")
    }
    assert Planes().columns == Keep().columns | {"damage": "planes", "order": "", "fill": ""}
    assert {d.order for d in every if isinstance(d, Keep)} < set(ORDERS)
