"""Constraints hold bit for bit while everything else trains, and ablations do what they are called."""

import pytest
import torch

from helpers import devices, stacked
from helpers.separability import heads, models
from helpers.separability.models import Architecture

ARCH = Architecture(11, 6, d=8, heads=4, d_head=2, d_mlp=8)
TOKENS = torch.randint(11, (8, 6), generator=devices.torch_rng("heads"))


def pile(count):
    return stacked.pile([models.one(ARCH, i) for i in range(count)])


def trained(learn=None, edits=None, steps=5, count=4, **how):
    params = pile(count)

    def loss(p, t):
        logits = models.forward(p, TOKENS[:, :-1], ARCH, edits)
        flat = torch.nn.functional.cross_entropy(
            logits.flatten(0, 2), TOKENS[:, 1:].expand(count, -1, -1).flatten(), reduction="none"
        )
        return flat.view(count, -1).mean(1)

    stacked.fit(params, loss, lr=0.01, steps=steps, learn=learn, **how)
    return params


def test_frozen_weights_stay_bit_by_bit_with_decay_and_the_others_move():
    mask, start = heads.mask_of(ARCH, [0, 1, 3, 4]), pile(4)
    out = trained(heads.learned(ARCH, mask), decay=0.5, clip=1.0)
    for name in heads.MATRICES:
        same = (out[f"{name}.0"] == start[f"{name}.0"]).flatten(2).all(-1)  # (M, H)
        assert torch.equal(same, mask.bool()), name
    assert not (out["W_E"] == start["W_E"]).all()


def test_frozen_moments_stay_zero():
    """Let go after five steps, a frozen head trains on as one whose optimiser has seen nothing of it."""
    mask = heads.mask_of(ARCH, [0, 1, 3, 4])
    adam = stacked.Adam(
        params := pile(4), lambda p, t: models.forward(p, TOKENS, ARCH).square().mean((1, 2, 3)), lr=0.01, steps=5,
        betas=stacked.BETAS, eps=stacked.EPSILON, decay=0.1, clip=None, learn=heads.learned(ARCH, mask), refilled=False,
        keeps=(), memory=None,
    )  # fmt: skip
    for p in adam.live:
        p.requires_grad_(True)
    for _ in range(3):
        adam.step()
    for name, first, second in zip(adam.names, adam.first, adam.second, strict=True):
        if name.partition(".")[0] in heads.MATRICES:
            for moment in (first, second):
                assert torch.equal((moment == 0).flatten(2).all(-1), mask.bool()), name
    assert params["W_Q.0"].shape == (4, 4, 8, 2)


def test_patterns_are_fixed_causal_and_the_same_whatever_is_read():
    fixed = torch.stack([heads.fixed_patterns(ARCH, i) for i in range(2)])
    assert torch.equal(fixed[0], heads.fixed_patterns(ARCH, 0))
    assert not torch.equal(fixed[0], fixed[1])
    assert (fixed.triu(1) == 0).all()
    torch.testing.assert_close(fixed.sum(-1), torch.ones(2, 4, 6))
    mask = heads.mask_of(ARCH, [1, 3])
    edits = {"pattern.0": heads.routing(fixed, mask)}
    _, kept = models.cached(pile(2), TOKENS, ARCH, edits, keep=["pattern.0"])
    _, free = models.cached(pile(2), TOKENS, ARCH, keep=["pattern.0"])
    for m in range(2):
        for h in range(4):
            expected = fixed[m, h].expand(8, 6, 6) if mask[m, h] else free["pattern.0"][m, :, h]
            assert torch.equal(kept["pattern.0"][m, :, h], expected)


def test_a_fixed_head_gets_no_gradient_to_its_routing_and_a_removed_one_none_at_all():
    mask = heads.mask_of(ARCH, [3] * 4)
    fixed = torch.stack([heads.fixed_patterns(ARCH, i) for i in range(4)])
    start = pile(4)
    moved = lambda out, name: (out[f"{name}.0"] != start[f"{name}.0"]).flatten(2).any(-1)
    out = trained(edits={"pattern.0": heads.routing(fixed, mask)})
    assert torch.equal(moved(out, "W_Q"), ~mask.bool())
    assert moved(out, "W_V").all()
    out = trained(edits={"z.0": heads.removed(mask)})
    assert all(torch.equal(moved(out, name), ~mask.bool()) for name in heads.MATRICES)


def test_removing_is_zero_ablation_and_the_last_heads_are_constrained():
    assert heads.mask_of(ARCH, [0, 1, 4]).tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1]]
    ours = models.forward(pile(1), TOKENS, ARCH, {"z.0": heads.removed(heads.mask_of(ARCH, [2]))})
    theirs = models.forward(pile(1), TOKENS, ARCH, heads.ablated(ARCH, "zero", [(0, 2), (0, 3)]))
    assert torch.equal(ours, theirs)


def test_ablations_put_in_what_they_say():
    _, kept = models.cached(pile(2), TOKENS, ARCH, keep=["z.0"])
    _, other = models.cached(pile(2), TOKENS.flip(0), ARCH, keep=["z.0"])
    z, ref = kept["z.0"], other["z.0"]
    for kind, expected in (
        ("zero", torch.zeros_like(z)),
        ("mean", ref.mean(1, keepdim=True).expand_as(z)),
        ("resample", ref),
    ):
        out = heads.ablation(kind, [1], ref)(z)
        assert torch.equal(out[:, :, :, 1], expected[:, :, :, 1])
        assert torch.equal(out[:, :, :, [0, 2, 3]], z[:, :, :, [0, 2, 3]])
    assert torch.equal(z, kept["z.0"]), "an ablation leaves the cache as it was"


def test_unknown_heads_layers_and_ablations_are_refused():
    for bad, told in (
        ([(1, 0)], "layer 1.*layers are 0 … 0"),
        ([(0, 4)], "head 4.*heads are 0 … 3"),
        ([(0, 1)] * 2, "twice"),
    ):
        with pytest.raises(ValueError, match=told):
            heads.ablated(ARCH, "zero", bad)
    with pytest.raises(ValueError, match="ablation='knockout' is unknown; use one of zero, mean, resample"):
        heads.ablation("knockout", [0])
    with pytest.raises(ValueError, match="needs a reference"):
        heads.ablation("mean", [0])
    with pytest.raises(ValueError, match="resampling 8 prompts from 3"):
        models.forward(pile(1), TOKENS, ARCH, {"z.0": heads.ablation("resample", [0], torch.zeros(1, 3, 6, 4, 2))})
    with pytest.raises(ValueError, match="5 constrained heads of 4; use 0 … 4"):
        heads.mask_of(ARCH, [5])
