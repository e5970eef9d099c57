"""Products and noise of many matrices at once against their formulas; in Triton's interpreter and on a GPU the kernels."""

import os

import pytest
import torch

from helpers.codec import Codec, Fill, corrupt, decode, encode, fills, fused
from helpers.codec.live import Live
from helpers.codec.pairs import Noises, Products

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
SHAPES = {"a": (70, 96), "b": (130, 384), "odd": (33, 41), "zero": (4, 64)}


def pairs(device, dtype):
    generator = torch.Generator().manual_seed(0)
    whole = [torch.randn(*s, generator=generator).to(device, dtype) * (k != "zero") for k, s in SHAPES.items()]
    return [(w, (w + 0.5 * torch.randn(w.shape, generator=generator).to(w)) * (w != 0)) for w in whole]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_the_sums_over_all_pairs(device, dtype):
    made = pairs(device, dtype)
    products = Products(made)
    for _ in range(2):
        a, b = (torch.cat([p[i].double().flatten() for p in made]) for i in (0, 1))
        assert products() == pytest.approx((float(a @ b), float(b @ b)), rel=1e-6)
        made[1][1].mul_(0.5)  # changes in place are seen
    with pytest.raises(ValueError, match="a pair differs"):
        Products([(torch.ones(2, 2), torch.ones(2, 3))])


@pytest.mark.parametrize("per", ["row", "entry"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_noises_are_what_each_matrix_gets_alone(device, dtype, per):
    made = pairs(device, dtype)
    noises, close = Noises(made, list(SHAPES), per), {torch.float32: 2e-5, torch.bfloat16: 8e-3}[dtype]
    for cosine, seed in ((0.3, 1), (0.95, 2), (1.0, 1), (0.0, 1)):
        noises(cosine, seed)
        for name, (whole, live) in zip(SHAPES, made, strict=True):
            wanted = fills.noisy(whole.float(), cosine, seed, name, per=per)
            assert (live.float() - wanted).norm() <= close * (whole.float().norm() + 1e-9), (name, cosine)
    with pytest.raises(ValueError, match=r"cosine=1\.5"):
        noises(1.5, 0)


@pytest.mark.parametrize("domain", ["hadamard", "identity"])
def test_raw_and_transformed_weights_go_through_one_path(device, domain):
    """Lost at random, spoiled and cut by rows: many at once are what the torch path gives one by one."""
    codec, generator = Codec(domain, cap=32), torch.Generator().manual_seed(0)
    whole = {k: torch.randn(*s, generator=generator).to(device) for k, s in SHAPES.items()}
    coded = [encode(w, codec, k) for k, w in whole.items()]
    for encoded, w in zip(coded, whole.values(), strict=True):
        slow = encode(w, codec, encoded.name, kernel=False)
        assert (encoded.codes != slow.codes).float().mean() < 1e-3
        assert torch.equal(encoded.scales, slow.scales) or domain == "hadamard"
    prior = {e.name: encode(torch.ones_like(whole[e.name]), codec, e.name) for e in coded}
    outs = [torch.empty_like(w) for w in whole.values()]
    live = Live(list(zip(coded, outs, strict=True)))
    for order, fill in (
        ("iid", Fill()),
        ("rows", Fill()),
        ("iid", Fill("random")),
        ("iid", Fill("guided", 0.3, prior)),
    ):
        for fraction in (0.0, 0.4, 1.0):
            live.decode(fraction, order, fill, 3)
            for encoded, out in zip(coded, outs, strict=True):
                wanted = decode(encoded, fraction, order, fill, 3, kernel=False)
                assert (out - wanted).norm() <= 1e-3 * (wanted.norm() + 1e-6), (
                    encoded.name,
                    order,
                    fill.kind,
                    fraction,
                )
    for share in (0.0, 0.1, 1.0):
        live.spoil(share, 5)
        for encoded, out in zip(coded, outs, strict=True):
            wanted = decode(corrupt(encoded, share, 5), kernel=False)
            assert torch.allclose(out, wanted, rtol=1e-5, atol=1e-6), (encoded.name, share)


@pytest.mark.skipif(INTERPRETED, reason="the interpreter needs no compiler")
def test_without_a_compiler_torch_does_the_work_and_says_so_once(monkeypatch, recwarn):
    """As on a machine with a GPU and no C compiler: triton is there, and the first kernel cannot be built."""

    class Broken:
        PROBE = 16

        class copied:
            def __class_getitem__(cls, grid):
                raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable.\nmore")

    monkeypatch.setattr(fused, "triton", object())
    monkeypatch.setattr(fused, "kernels", Broken, raising=False)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    fused.builds.cache_clear()
    for _ in range(2):
        encoded = encode(torch.randn(8, 64), Codec(cap=32), "w")
        assert torch.equal(decode(encoded, 0.5), decode(encoded, 0.5, kernel=False))
    fused.builds.cache_clear()
    said = [str(w.message) for w in recwarn if "kernels cannot be built for cpu" in str(w.message)]
    assert len(said) == 1
    assert "(Failed to find C compiler. Please specify via CC environment variable.); torch does the work" in said[0]
