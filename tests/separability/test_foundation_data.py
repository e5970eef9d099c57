"""The sequences of experiment A, against a slow hash and by what they must be."""

import pytest
import torch

from helpers import devices
from helpers.separability.foundation import Foundation, data

CONFIG = Foundation(vocab=50, batch=16, held=32, periods=(2, 5), length=40)
MASK = 2**64 - 1


def splitmix(x):
    """Steele et al. 2014, in Python's own whole numbers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def test_numbers_are_splitmix_of_seed_step_and_place():
    odd = 0x9E3779B97F4A7C15
    found = data.numbers(torch.tensor([3, 12345]), torch.tensor(7), (2, 3))
    for i, seed in enumerate((3, 12345)):
        key = splitmix((splitmix(seed * odd & MASK) + 7 * odd) & MASK)
        expected = [splitmix((key + (k + 1) * odd) & MASK) & (2**63 - 1) for k in range(6)]
        assert found[i].flatten().tolist() == expected


def test_numbers_are_even_and_steps_apart():
    found = data.numbers(torch.tensor([1]), torch.tensor(0), (20_000,)) % 8
    assert (torch.bincount(found[0], minlength=8) / 20_000 - 1 / 8).abs().max() < 0.01
    other = data.numbers(torch.tensor([1]), torch.tensor(1), (20_000,)) % 8
    assert ((found == other).float().mean() - 1 / 8).abs() < 0.01


def test_every_sequence_is_two_interleaved_repeated_patterns():
    tokens = data.feed(CONFIG, (1, 2)).draw(torch.tensor(5))  # (S, B, T + 1)
    assert tokens.shape == (2, 16, 41)
    periods = set()
    for prompt in tokens.flatten(0, 1).tolist():
        for stream in (prompt[0::2], prompt[1::2]):
            fits = [p for p in range(2, 6) if all(a == b for a, b in zip(stream, stream[p:], strict=False))]
            assert fits
            periods.add(fits[0])
    assert periods == {2, 3, 4, 5}


def test_a_seed_reads_the_same_whatever_is_trained_beside_it_and_what_is_held_out_is_never_drawn():
    both, one = data.feed(CONFIG, (1, 2)), data.feed(CONFIG, (2,))
    step = torch.tensor(3)
    assert torch.equal(both.draw(step)[1], one.draw(step)[0])
    assert torch.equal(both.held[1], one.held[0])
    assert not torch.equal(both.draw(step)[0], both.draw(step)[1])
    held = {tuple(p) for p in one.held[0].tolist()}
    assert not held & {tuple(p) for t in range(50) for p in one.draw(torch.tensor(t))[0].tolist()}


def test_modular_pairs_are_split_without_their_mirror_images():
    config = Foundation(dataset="modular", prime=11, held=200, batch=64, share=0.6)
    found = data.feed(config, (4,))
    seen = {tuple(p) for t in range(60) for p in found.draw(torch.tensor(t))[0].tolist()}
    held = {tuple(p) for p in found.held[0].tolist()}
    for x, plus, y, equals, z in seen | held:
        assert (plus, equals, z) == (11, 12, (x + y) % 11)
    pairs = lambda prompts: {frozenset((x, y)) for x, _, y, _, _ in prompts}
    assert not pairs(seen) & pairs(held)
    assert len(pairs(seen) | pairs(held)) == 66
    assert len(pairs(seen)) / 66 == pytest.approx(0.6, abs=0.02)
    assert {tuple(p) for p in found.seen[0].tolist()} <= seen


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dataset", ["interleaved", "modular"])
def test_a_gpu_draws_the_same(dataset):
    config = Foundation(dataset=dataset)
    here, there = (data.feed(config, (1, 2), device) for device in ("cpu", "cuda"))
    assert torch.equal(here.held, there.held.cpu())
    for step in (0, 99):
        drawn = there.draw(torch.tensor(step, device="cuda"))
        assert torch.equal(here.draw(torch.tensor(step)), drawn.cpu())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"condition": "damage"}, "condition='damage' is unknown; use one of all, control, constraint"),
        ({"dataset": "tinystories"}, "dataset='tinystories' is unknown; use one of interleaved, modular"),
        ({"site": "logits"}, "site='logits' is unknown; use one of resid_pre"),
        ({"clamps": ("class_signal",)}, "none that a model is trained with"),
        ({"doses": {"patterns": (5,)}}, "doses 1 … 4"),
        ({"doses": {"biases": (1,)}}, "kinds are patterns, weights, removed"),
        ({"d_head": 0}, "d_head=0 is too few; use 1"),
        ({"seeds": 0}, "seeds=0 is too few"),
        ({"epochs": 0}, "epochs=0 is too few"),
        ({"periods": (4, 2)}, "periods"),
        ({"length": 20}, "length=20 .* use 24 or more"),
        ({"rates": (0.0,)}, "rates"),
        ({"prime": 9}, "prime=9"),
    ],
)
def test_what_cannot_work_is_refused_with_what_works(given, told):
    with pytest.raises(ValueError, match=told):
        Foundation(**given)


def test_arms_of_a_condition():
    names = lambda arms: [arm.name for arm in arms]
    assert names(Foundation(condition="control").free) == ["control"]
    assert names(Foundation(condition="naive_clamp").clamped) == ["naive_clamp"]
    every = Foundation()
    assert names(every.free)[:2] == ["control", "constraint"]
    assert len({*names(every.free), *names(every.clamped)}) == len(every.free) + len(every.clamped)
    assert devices.seed_of("streams", 42) != devices.seed_of("streams", 43)
