"""The task: which pairs there are, what is held out, what a page looks like, and P(X > Y) by its double sum."""

from __future__ import annotations

import pytest
import torch

from helpers.pedagogy import relation


def test_the_documents_pairs_and_the_four_that_it_holds_out():
    pairs = relation.pairs(10)
    assert len(pairs) == 45
    assert (pairs[:, 0] > pairs[:, 1]).all()
    held = pairs[relation.held_out(10)]
    assert {tuple(p) for p in held.tolist()} == {(7, 3), (8, 2), (9, 1), (6, 4)}
    assert relation.requests(10) == "6 > 4, 7 > 3, 8 > 2, 9 > 1"


@pytest.mark.parametrize(("classes", "held"), [(3, {(2, 1)}), (4, {(3, 1)}), (5, {(4, 1), (3, 2)})])
def test_fewer_classes_hold_out_pairs_of_their_own(classes, held):
    pairs = relation.pairs(classes)
    assert {tuple(p) for p in pairs[relation.held_out(classes)].tolist()} == held


def test_too_few_classes_are_refused_with_what_works():
    with pytest.raises(ValueError, match="classes=2 leave no pair to hold out; use images of 3 classes"):
        relation.held_out(2)
    with pytest.raises(ValueError, match="classes=1: a pair"):
        relation.pairs(1)


def test_the_probability_is_the_double_sum():
    rng = torch.Generator().manual_seed(0)
    left, right = (torch.randn(3, 5, 4, generator=rng, dtype=torch.float64) for _ in range(2))
    p, q = left.softmax(-1), right.softmax(-1)
    by_hand = sum(p[..., i] * q[..., j] for i in range(4) for j in range(i))
    torch.testing.assert_close(relation.above(left, right), by_hand)
    equal = (p * q).sum(-1)
    torch.testing.assert_close(
        relation.above(left, right) + relation.above(right, left) + equal, torch.ones(3, 5).double()
    )


def test_a_page_holds_its_digits_and_a_sign_that_points_right():
    left, right = (torch.rand(2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(i)) for i in range(2))
    page = relation.page(left, right)
    assert page.shape == (2, 3, 1, 8, 24)
    assert all(torch.equal(a, b) for a, b in zip(relation.thirds(page), (left, right), strict=True))
    for size in (8, 28):
        sign = relation.sign(size)
        assert sign.min() == -1
        assert 0 < sign.max() <= 1
        torch.testing.assert_close(sign, sign.flip(1))
        bright = (sign[0] + 1) / 2
        middle = (bright * torch.arange(size)).sum(1) / bright.sum(1).clamp(
            min=1e-9
        )  # of each row's ink, from the left
        rows = torch.nonzero(bright.sum(1) > 0.5)[:, 0]
        upper = middle[rows][: len(rows) // 2]
        assert upper[-1] > upper[0] + size / 8, "the upper stroke falls to the right"


def test_pages_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="both must be"):
        relation.page(torch.zeros(1, 8, 8), torch.zeros(1, 9, 9))
    with pytest.raises(ValueError, match="three times as wide"):
        relation.thirds(torch.zeros(1, 8, 16))
