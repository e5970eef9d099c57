"""Composition on generators whose answers are known, splitters against a plain loop of single modules, and what is frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
import world
from torch import nn

from helpers.pedagogy import composition, draws, relation
from helpers.pedagogy.composition import Composition


@dataclass(frozen=True)
class Sizes:
    size: int = world.SIZE
    latent: int = world.LATENT
    classes: int = world.CLASSES


BODY = Sizes()
SMALL = Composition(steps=150, batch=32, rate=5e-3, hidden=32, embed=8, samples=120)
KINDS = ("obedient", "deaf", "mirror")
CELLS = [{"arm": kind, "seed": 0} for kind in KINDS]


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    monkeypatch.setattr(composition, "draw", world.draw)


@pytest.fixture(scope="module")
def readers():
    return world.seen(["reader"], deep=1)


@pytest.fixture(scope="module")
def judges():
    return world.seen(["a", "b"]), world.seen(["c"], deep=1)


@pytest.fixture(scope="module")
def rows(readers, judges):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composition, "draw", world.draw)
        found = composition.compose(world.generators(*KINDS), BODY, CELLS, readers, judges, SMALL)
    return {(r["arm"], r["variant"], r["pairs"]): r for r in found}


def test_a_row_for_each_cell_variant_and_set_of_pairs(rows):
    assert len(rows) == len(KINDS) * len(composition.VARIANTS) * 2
    assert all(0 <= r[c] <= 1 for r in rows.values() for c in ("relation", "joint", "first", "second", "product"))


@pytest.mark.parametrize("pairs", ["train", "held"])
def test_who_draws_what_is_asked_composes_with_and_without_a_splitter(rows, pairs):
    for variant in ("splitter", "none", "pair"):
        row = rows["obedient", variant, pairs]
        assert [row[c] for c in ("relation", "joint", "first", "second", "product")] == [1] * 5
    turned = rows["obedient", "swapped", pairs]
    assert turned["relation"] == turned["joint"] == 0


@pytest.mark.parametrize("pairs", ["train", "held"])
def test_who_does_not_hear_satisfies_the_relation_whatever_is_asked(rows, pairs):
    """The document's measure is full marks for a generator without labels; the joint accuracy is not."""
    for variant in ("splitter", "swapped"):
        assert rows["deaf", variant, pairs]["relation"] > 0.95
        assert rows["deaf", variant, pairs]["joint"] < 0.5
    chance = rows["deaf", "none", pairs]
    assert 0.15 < chance["relation"] < 0.6
    assert chance["joint"] == pytest.approx(1 / 16, abs=0.08)


def test_marginals_and_their_product_are_of_the_same_pages(rows):
    mirror = rows["mirror", "none", "train"]
    assert mirror["relation"] == mirror["joint"] == 0, "asked for (x, y) it draws (C − 1 − x, C − 1 − y)"
    deaf = rows["deaf", "none", "train"]
    assert deaf["product"] == pytest.approx(deaf["joint"], abs=0.05), "two latents that know nothing of each other"


def test_the_product_is_of_each_pair():
    """Two pairs of which one always comes and the other never: each is the product of its own digits, not of the means."""
    found = composition.products(torch.tensor([[[[1, 0, 1, 0], [1, 0, 1, 0]]]]).bool(), 2)
    assert {k: float(v) for k, v in found.items()} == {"first": 0.5, "second": 0.5, "product": 0.5}
    fewer = composition.products(torch.ones(1, 1, 2, 3).bool(), 5)
    assert {k: float(v) for k, v in fewer.items()} == {"first": 1, "second": 1, "product": 1}


def test_only_a_splitter_that_knows_the_pair_can_fail_on_held_out_pairs(readers, judges):
    """A generator that hears nothing, and a loss that asks for the digits: the pair must come by the latent."""
    config = replace(SMALL, share=2.0, steps=300, variants=("pair", "splitter"))
    cells = [{"arm": "deaf", "seed": 3}]
    found = composition.compose(world.generators("deaf"), BODY, cells, readers, judges, config)
    joint = {(r["variant"], r["pairs"]): r["joint"] for r in found}
    assert joint["pair", "train"] > 0.8
    assert joint["pair", "held"] < 0.5
    assert joint["splitter", "train"] < 0.5


def test_the_splitter_has_the_documents_size():
    sizes = Sizes(latent=64, classes=10)
    plain = composition.untrained(sizes, [0], Composition(), told=False)
    assert sum(v.numel() for v in plain.values()) == 49_536
    told = composition.untrained(sizes, [0], Composition(), told=True)
    assert told["pair"].shape == (1, 45, 16)
    assert told["in"].shape == (1, 256, 80)


def alone(generators, reader, config, seed, told):
    """One splitter trained as plain torch would: modules, a loop, Adam, P(X > Y) by its double sum."""
    start = {k: v[0] for k, v in composition.untrained(BODY, [seed], config, told=told).items()}
    mlp = nn.Sequential(
        nn.Linear(start["in"].shape[1], config.hidden), nn.LeakyReLU(0.2), nn.Linear(config.hidden, 2 * BODY.latent)
    )
    for layer, name in ((mlp[0], "in"), (mlp[2], "out")):
        layer.weight.data, layer.bias.data = start[name].clone(), start[f"{name}.bias"].clone()
    table = nn.Embedding.from_pretrained(start["pair"].clone(), freeze=False) if told else None
    adam = torch.optim.Adam([*mlp.parameters(), *(table.parameters() if told else ())], lr=config.rate)
    pairs, shown = relation.pairs(BODY.classes), torch.nonzero(~relation.held_out(BODY.classes))[:, 0]
    stream = draws.streams("splitter", [seed])
    for step in range(config.steps):
        z, pair = (v[0] for v in composition.requested(stream, torch.tensor(step), BODY, shown, config.batch))
        both = mlp(torch.cat([z, table(pair)], -1) if told else z)
        x, y = pairs[pair].unbind(1)
        look = lambda z, labels: composition.judge.logits(reader, world.draw(generators, BODY, z[None], labels[None]))[
            0
        ]
        left, right = look(both[:, : BODY.latent], x), look(both[:, BODY.latent :], y)
        p, q = left.softmax(-1), right.softmax(-1)
        relation_loss = -sum((p[:, i] * q[:, j]).mean() for i in range(BODY.classes) for j in range(i))
        own = (nn.functional.cross_entropy(left, x) + nn.functional.cross_entropy(right, y)) / 2
        adam.zero_grad()
        (relation_loss + config.share * own).backward()
        adam.step()
    return mlp, table


@pytest.mark.parametrize("told", [False, True])
def test_splitters_in_a_stack_are_those_of_a_plain_loop(readers, told):
    config = replace(SMALL, steps=12)
    generators, which = world.generators("deaf", "obedient", "deaf"), torch.tensor([0, 0, 1])
    eyes = {k: v.expand(3, *v.shape[1:]) for k, v in readers.items()}
    found = composition.train(generators, BODY, eyes, [0, 7], which, config, told=told)
    mlp, table = alone(world.generators("deaf"), readers, config, 7, told)
    torch.testing.assert_close(found["out"][2], mlp[2].weight.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["in.bias"][2], mlp[0].bias.detach(), rtol=1e-4, atol=1e-5)
    if told:
        torch.testing.assert_close(found["pair"][2], table.weight.detach(), rtol=1e-4, atol=1e-5)
        held = relation.held_out(BODY.classes)
        start = composition.untrained(BODY, [7], config, told=True)["pair"][0]
        assert torch.equal(found["pair"][2][held], start[held]), "what is held out is never learned"
        assert not torch.equal(found["pair"][2][~held], start[~held])


def test_latents_are_normal_and_every_pair_that_is_shown_is_asked_for():
    shown = torch.tensor([0, 3, 5])
    stream = draws.streams("splitter", [0, 1, 0])
    z, pair = composition.requested(stream, torch.tensor(4), Sizes(latent=5), shown, 301)
    assert z.shape == (3, 301, 5)
    assert pair.shape == (3, 301)
    assert float(z[:2].mean()) == pytest.approx(0, abs=0.06)
    assert float(z[:2].std()) == pytest.approx(1, abs=0.05)
    assert set(pair.flatten().tolist()) == {0, 3, 5}
    assert torch.equal(z[0], z[2])
    assert not torch.equal(z[0], z[1])
    assert not torch.equal(z, composition.requested(stream, torch.tensor(5), Sizes(latent=5), shown, 301)[0])


def test_generators_and_judges_stay_as_they_were(readers, judges):
    generators = world.generators("deaf")
    before = {k: v.clone() for k, v in (generators | readers).items()}
    composition.compose(generators, BODY, [CELLS[1]], readers, judges, replace(SMALL, steps=5, samples=9))
    assert all(torch.equal(v, before[k]) and not v.requires_grad for k, v in (generators | readers).items())


def test_a_cell_gets_the_same_numbers_whatever_is_beside_it(readers, judges, rows):
    one = composition.compose(world.generators("deaf"), BODY, [CELLS[1]], readers, judges, SMALL)
    for row in one:
        beside = rows["deaf", row["variant"], row["pairs"]]
        assert all(row[c] == pytest.approx(beside[c], abs=1 / SMALL.samples) for c in ("relation", "joint", "product"))


def test_pages_show_what_is_scored():
    z = torch.randn(2, 1, 3, BODY.latent, generator=torch.Generator().manual_seed(0))
    asked = torch.tensor([[[3, 1], [2, 0], [1, 0]]])
    made = composition.pages(world.generators("obedient"), BODY, (z[0], z[1]), asked)
    assert made.shape == (1, 3, 1, world.SIZE, 3 * world.SIZE)
    left, right = relation.thirds(made)
    torch.testing.assert_close(left[0], world.draw(world.generators("obedient"), BODY, z[0], asked[..., 0])[0])
    torch.testing.assert_close(right[0], world.draw(world.generators("obedient"), BODY, z[1], asked[..., 1])[0])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"steps": 0}, "steps=0 is too few; use 1 or more"),
        ({"samples": 0}, "samples=0"),
        ({"rate": 0.0}, "above 0 and up to 1"),
        ({"share": -0.1}, "use 0 or more"),
        ({"variants": ("splitter", "other")}, "'other' is unknown; there are splitter"),
        ({"variants": ()}, "measures nothing"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        replace(SMALL, **change)


def test_numbers_that_do_not_fit_are_refused_before_anything_is_trained(readers, judges, monkeypatch):
    monkeypatch.setattr(composition.stacked, "fit", pytest.fail)
    generators = world.generators("deaf", "obedient")
    with pytest.raises(ValueError, match="2 generators and 1 cells"):
        composition.compose(generators, BODY, CELLS[:1], readers, judges, SMALL)
    three = {k: v.repeat(3, *[1] * (v.dim() - 1)) for k, v in readers.items()}
    with pytest.raises(ValueError, match="3 relation judges for 1 seeds"):
        composition.compose(generators, BODY, CELLS[:2], three, judges, SMALL)
    with pytest.raises(ValueError, match="use images of 3 classes or more"):
        composition.compose(generators, replace(BODY, classes=2), CELLS[:2], readers, judges, SMALL)
