"""What every clamp sets, what it leaves, and that the next operation really reads it at every site."""

import pytest
import torch

from helpers import devices, stacked
from helpers.separability import clamps, metrics, models

ARCH = models.Architecture(13, 9, d=8, heads=2, d_head=3, d_mlp=16, layers=2)
R = 1.5 * torch.randn(2, 6, 5, 8, generator=devices.torch_rng("clamps")) + torch.arange(8.0)
TARGET = torch.tensor([3.0, 5.0])
DIRECTION = torch.randn(2, 8, generator=devices.torch_rng("direction"))
EVERY = {
    "naive": lambda r: clamps.naive(r, TARGET),
    "mean_preserving": lambda r: clamps.mean_preserving(r, TARGET),
    "preserving": lambda r: clamps.preserving(r, DIRECTION[:, None, None], TARGET),
    "token_norm": lambda r: clamps.token_norm(r, TARGET),
    "mean_vector": lambda r: clamps.mean_vector(r, TARGET),
    "dispersion": lambda r: clamps.dispersion(r, TARGET),
    "class_signal": lambda r: clamps.class_signal(r, DIRECTION[:, None], 0.5, 2.0),
    "random_direction": lambda r: clamps.random_direction(r, TARGET, DIRECTION),
    "sham": clamps.sham,
    "shrunk": lambda r: clamps.shrunk(r, 0.5, 0.8),
}


def mean(r):
    return r.mean((1, 2))


def rest(r):
    return r - r.mean((1, 2), keepdim=True)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_naive_sets_the_mean_norm_by_one_number():
    out = clamps.naive(R, TARGET)
    close(metrics.A_activation(out), TARGET)
    close((out / R).std((1, 2, 3)), torch.zeros(2))


def test_mean_preserving_leaves_the_mean_and_sets_the_spread():
    out = clamps.mean_preserving(R, TARGET)
    close(mean(out), mean(R))
    close(rest(out).std((1, 2, 3), correction=0), TARGET)


def test_another_vector_can_be_preserved():
    vector = DIRECTION[:, None, None]
    out = clamps.preserving(R, vector, TARGET)
    close((out - vector).std((1, 2, 3), correction=0), TARGET)
    close((out - vector) / (R - vector), ((out - vector) / (R - vector))[:, :1, :1, :1].expand_as(R))
    close(clamps.preserving(R, R.mean((1, 2), keepdim=True), TARGET), clamps.mean_preserving(R, TARGET))


def test_token_norm_keeps_directions():
    out = clamps.token_norm(R, TARGET)
    close(out.norm(dim=-1), TARGET[:, None, None].expand(2, 6, 5))
    close(torch.cosine_similarity(out, R, -1), torch.ones(2, 6, 5))


def test_mean_and_rest_are_clamped_apart():
    out = clamps.mean_vector(R, TARGET)
    close(mean(out).norm(dim=-1), TARGET)
    close(rest(out), rest(R))
    out = clamps.dispersion(R, TARGET)
    assert (mean(out) - mean(R)).norm(dim=-1).max() < 0.5 * TARGET.max()  # tokens of another length move it a little
    close((out - R.mean((1, 2), keepdim=True)).norm(dim=-1), TARGET[:, None, None].expand(2, 6, 5))


def test_class_signal_splits_the_stream():
    inside = clamps.class_signal(R, DIRECTION[:, None], 1.0, 0.0)
    close(inside + clamps.class_signal(R, DIRECTION[:, None], 0.0, 1.0), R)
    unit = DIRECTION / DIRECTION.norm(dim=-1, keepdim=True)
    close(inside, (R * unit[:, None, None]).sum(-1, keepdim=True) * unit[:, None, None])
    twice = torch.stack([DIRECTION, 2 * DIRECTION], 1)  # directions that depend on each other span the same
    close(clamps.class_signal(R, twice, 1.0, 0.0), inside)


def test_sham_keeps_the_mean_norm_and_a_random_direction_moves_by_its_dose():
    close(metrics.A_activation(clamps.sham(R)), metrics.A_activation(R))
    close((clamps.random_direction(R, TARGET, DIRECTION) - R).norm(dim=-1), TARGET[:, None, None].expand(2, 6, 5))


def test_equal_doses_take_the_same_off():
    a, s = clamps.equal_dose(R)
    energy = lambda r: r.square().sum(-1).mean((1, 2))
    by_mean, by_rest = (energy(R) - energy(clamps.shrunk(R, *f)) for f in ((a, 1.0), (1.0, s)))
    close(by_mean, by_rest)
    assert (by_mean > 0.1).all()
    with pytest.raises(ValueError, match=r"share=0.*above 0 and up to 1"):
        clamps.equal_dose(R, 0.0)


@pytest.mark.parametrize("name", EVERY)
def test_a_stack_is_clamped_as_its_models_are(name):
    """Against one model alone, with a plain number for its target."""
    alone = {
        "naive": lambda r, i: clamps.naive(r, TARGET[i].item()),
        "mean_preserving": lambda r, i: clamps.mean_preserving(r, TARGET[i].item()),
        "preserving": lambda r, i: clamps.preserving(r, DIRECTION[i], TARGET[i].item()),
        "token_norm": lambda r, i: clamps.token_norm(r, TARGET[i].item()),
        "mean_vector": lambda r, i: clamps.mean_vector(r, TARGET[i].item()),
        "dispersion": lambda r, i: clamps.dispersion(r, TARGET[i].item()),
        "class_signal": lambda r, i: clamps.class_signal(r, DIRECTION[i][None], 0.5, 2.0),
        "random_direction": lambda r, i: clamps.random_direction(r, TARGET[i].item(), DIRECTION[i]),
        "sham": lambda r, i: clamps.sham(r),
        "shrunk": lambda r, i: clamps.shrunk(r, 0.5, 0.8),
    }[name]
    for i, r in enumerate(R):
        close(EVERY[name](R)[i], alone(r, i))


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("kind", ["resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post"])
@pytest.mark.parametrize("layer", [0, 1])
def test_every_clamp_is_read_by_the_next_operation_at_every_site(name, kind, layer):
    """What stands at the site is what the clamp gives of it, and what is computed of it next differs by just that."""
    params = stacked.pile([models.one(ARCH, i) for i in range(2)])
    tokens = torch.randint(13, (6, 9), generator=devices.torch_rng("tokens"))
    site, clamp = ARCH.site(kind, layer), EVERY[name]
    plain, before = models.cached(params, tokens, ARCH, keep=ARCH.sites)
    changed, after = models.cached(params, tokens, ARCH, {site: clamp}, keep=ARCH.sites)
    close(after[site], clamp(before[site]))
    at = lambda kind, where=layer: after[f"{kind}.{where}"]
    if kind == "resid_post":
        following = at("resid_pre", 1) if layer == 0 else None
        if following is not None:
            close(following, after[site])
        else:
            close(after["final"], torch.nn.functional.layer_norm(after[site], (8,)))
    else:
        total = {
            "resid_pre": lambda: at("resid_mid") - at("attn_out"),
            "attn_out": lambda: at("resid_mid") - at("resid_pre"),
            "resid_mid": lambda: at("resid_post") - at("mlp_out"),
            "mlp_out": lambda: at("resid_post") - at("resid_mid"),
        }[kind]()
        close(total, after[site])
    if not (kind == "resid_post" and layer == 1 and name in ("naive", "token_norm", "sham")):
        assert (changed - plain).abs().max() > 1e-3  # before the last LayerNorm a change of length says nothing


def test_a_target_that_fits_no_model_is_refused():
    with pytest.raises(ValueError, match="give one a model"):
        clamps.naive(R, torch.ones(2, 6))
