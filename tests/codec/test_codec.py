"""Encode and decode against a slow reference in numpy, error bounds, refusals, and every path that leads to the same."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.codec import ORDERS, Codec, Encoded, Fill, decode, decoding, encode, transform
from helpers.codec import codec as coding

SETTINGS = settings(max_examples=40, deadline=None, database=None, derandomize=True)


def weights(out, width, seed=0, tail=None):
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(out, width)) if tail is None else rng.standard_t(tail, size=(out, width))
    return torch.tensor(found * 0.02, dtype=torch.float32)


def reference(weight, codec, name):
    """Coefficients in float64 by dense matrices."""
    w = weight.double().numpy()
    width = w.shape[1]
    block, flips = codec.block_of(width), codec.flips(name, width, "cpu")
    w = w if flips is None else w * flips.numpy()
    dense = transform.rotate(torch.eye(block), codec.transform, block).double().numpy()
    return (w.reshape(-1, block) @ dense).reshape(w.shape)


def up16(x):
    """The least fp16 that is not below x, by nextafter."""
    h = x.astype(np.float16)
    return np.where(h.astype(np.float64) < x, np.nextafter(h, np.float16(np.inf)), h)


@pytest.mark.parametrize("kind", ["hadamard", "dct", "identity"])
@pytest.mark.parametrize(("width", "cap"), [(96, 256), (512, 64), (7, 256), (56, "full")])
def test_codes_are_those_of_the_definition(kind, width, cap):
    codec = Codec(kind, cap=cap, seed=3)
    weight = weights(20, width, tail=3)
    found = encode(weight, codec, "w")
    c, block = reference(weight, codec, "w"), codec.block_of(width)
    scales = np.maximum(up16(np.abs(c.reshape(20, -1, block)).max(-1) / 127), 2.0**-24)
    near = np.abs(found.scales.numpy().astype(float) - scales) <= np.spacing(scales.astype(np.float16))
    assert near.all()
    assert (found.scales.numpy() == scales).mean() > 0.98  # float32 and float64 may round apart
    codes = np.round(c.reshape(20, -1, block) / found.scales.numpy().astype(float)[..., None]).reshape(c.shape)
    assert np.abs(codes - found.codes.numpy()).max() <= 1
    assert (codes == found.codes.numpy()).mean() > 0.995


@given(
    out=st.integers(1, 40),
    width=st.integers(1, 300),
    cap=st.sampled_from([1, 8, 64, 256, "full"]),
    kind=st.sampled_from(transform.KINDS),
    tail=st.sampled_from([None, 2, 3]),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([1e-4, 1.0, 1e3]),
)
@SETTINGS
def test_round_trip_is_within_half_a_step(out, width, cap, kind, tail, seed, scale):
    """Of each coefficient, in any shape; then, by Parseval, of the weights as a whole."""
    codec = Codec(kind, cap=cap, seed=seed)
    weight = weights(out, width, seed, tail) * scale
    stored = encode(weight, codec, "w")
    back = decode(stored)
    assert back.shape == weight.shape
    assert stored.codes.to(torch.int16).abs().max() <= 127
    steps = stored.scales.double().repeat_interleave(stored.block, 1)
    flat = codec.permutation("w", weight.numel(), "cpu")
    view = (lambda w: w) if flat is None else (lambda w: w.reshape(-1)[flat].view(out, width))
    gap = reference(view(weight), codec, "w") - reference(view(back), codec, "w")
    assert (np.abs(gap) <= 0.5005 * steps.numpy() + 1e-5 * weight.abs().max().item()).all()
    error = (back - weight).double().square().sum()
    assert error <= 0.25 * 1.01 * steps.square().sum() + 1e-9 * weight.double().square().sum()


@pytest.mark.parametrize("kind", transform.KINDS)
@pytest.mark.parametrize("width", [64, 30, 28])
def test_encoding_again_changes_nothing(kind, width):
    """What was decoded lies on the grid of codes: the round trip is stable."""
    codec = Codec(kind, cap=64)
    once = decode(encode(weights(16, width), codec, "w"))
    twice = decode(encode(once, codec, "w"))
    assert (twice - once).norm() < 2e-3 * once.norm()


@pytest.mark.parametrize("block", [16, 64, 128, 256])
@pytest.mark.parametrize("fill", ["zero", "gain", "guided"])
def test_integer_and_float_paths_give_the_same(block, fill, monkeypatch):
    stored = encode(weights(30, 512), Codec(cap=block), "w")
    filled = Fill(fill, prior=weights(30, 512, 1) if fill == "guided" else None)
    fast = decode(stored, 0.4, fill=filled)
    monkeypatch.setattr(transform, "counts", lambda *a: False)
    slow = decode(stored, 0.4, fill=filled)
    assert (fast - slow).abs().max() < 1e-6 * slow.abs().max()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", transform.KINDS)
def test_chunks_do_not_matter(order, kind, monkeypatch):
    """A few rows at a time, or all at once: the same codes, the same weights, noise included."""
    weight, codec = weights(50, 48), Codec(kind, cap=16)
    fill = Fill("zero" if order == "planes" else "random")
    whole = encode(weight, codec, "w")
    expected = decode(whole, 0.5, order, fill, mask_seed=2)
    monkeypatch.setitem(coding.CHUNK, "cpu", 7 * 48)
    pieces = encode(weight, codec, "w")
    assert torch.equal(pieces.codes, whole.codes)
    assert torch.equal(pieces.scales, whole.scales)
    assert torch.allclose(decode(pieces, 0.5, order, fill, mask_seed=2), expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("order", [o for o in ORDERS if o != "magnitude"])
def test_a_part_is_decoded_as_in_the_whole(order):
    stored = encode(weights(40, 64), Codec(cap=32), "w")
    whole = decode(stored, 0.3, order, mask_seed=4)
    part = stored.part(10, 30).part(5, 12)
    assert (part.first, part.total) == (15, 40)
    assert torch.allclose(decode(part, 0.3, order, mask_seed=4), whole[15:22], atol=1e-8)


def test_parts_that_cannot_be():
    stored = encode(weights(8, 16), Codec(), "w")
    with pytest.raises(ValueError, match="w: rows 3…9"):
        stored.part(3, 9)
    with pytest.raises(ValueError, match="read the whole matrix"):
        decode(stored.part(0, 4), 0.5, "magnitude")
    with pytest.raises(ValueError, match="read the whole matrix"):
        decode(stored.part(0, 4), 0.5, fill=Fill("random"))
    with pytest.raises(ValueError, match="permutation"):
        encode(weights(8, 16), Codec("permutation"), "w").part(0, 4)


@pytest.mark.parametrize("kind", transform.KINDS)
def test_transposed_weights(kind):
    """GPT-2's (in, out): blocks lie along the inputs, and the weight comes back as it was."""
    weight = weights(24, 40)
    stored = encode(weight.T.contiguous(), Codec(kind, cap=8), "w", transposed=True)
    straight = encode(weight, Codec(kind, cap=8), "w")
    assert torch.equal(stored.codes, straight.codes)
    assert stored.shape == (40, 24)
    assert torch.equal(decode(stored, 0.6), decode(straight, 0.6).T)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_types(dtype):
    weight = weights(16, 64).to(dtype)
    stored = encode(weight, Codec(), "w")
    back = decode(stored, dtype=dtype)
    assert back.dtype == dtype
    assert (back.float() - weight.float()).norm() < 0.01 * weight.float().norm()
    slot = torch.zeros_like(weight)
    assert decode(stored, out=slot) is slot
    assert torch.equal(slot, back)


def test_decoding_into_a_parameter_in_place():
    layer = torch.nn.Linear(32, 16)
    where, stored = layer.weight.data_ptr(), encode(layer.weight, Codec(), "w")
    decode(stored, 0.0, out=layer.weight)
    assert layer.weight.data_ptr() == where
    assert not layer.weight.any()
    with pytest.raises(ValueError, match=r"out is \(32, 16\)"):
        decode(stored, out=torch.zeros(32, 16))


@pytest.mark.parametrize("kind", transform.KINDS)
def test_zero_rows_and_blocks(kind):
    """The padding token's row: no 0/0, zeros come back."""
    weight = weights(12, 64)
    weight[3] = 0
    weight[5, :32] = 0
    stored = encode(weight, Codec(kind, cap=32), "w")
    back = decode(stored)
    assert torch.isfinite(back).all()
    if kind != "permutation":
        assert not stored.codes[3].any()
        assert not back[3].any()
        assert not back[5, :32].any()
    assert not decode(encode(torch.zeros(4, 8), Codec(kind), "z")).any()


@pytest.mark.parametrize("size", [1e-30, 1e-9, 1e-6, 6e-8 * 127])
def test_tiny_weights(size):
    """Below the smallest fp16 scale: never worse than half of it, and no code past 127."""
    weight = weights(4, 16).sign() * size
    stored = encode(weight, Codec("identity"), "w")
    assert (decode(stored) - weight).abs().max() <= max(0.5005 * 2.0**-24, 0.005 * size)


@pytest.mark.parametrize("kind", transform.KINDS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_refused_by_name(kind, bad):
    weight = weights(9, 64)
    weight[4, 17] = bad
    with pytest.raises(ValueError, match=r"layers\.3\.weight: 1 of 576 entries are NaN or infinite"):
        encode(weight, Codec(kind, cap=16), "layers.3.weight")


def test_weights_past_the_range_of_the_scales():
    assert torch.isfinite(decode(encode(torch.full((1, 1), 8.3e6), Codec(), "w"))).all()
    with pytest.raises(ValueError, match=r"w: its largest entry 1e\+07 needs a scale past the fp16 range"):
        encode(torch.full((2, 2), 1e7), Codec("identity"), "w")


@pytest.mark.parametrize("bad", [torch.ones(3), torch.ones(2, 3, 4), torch.ones(2, 3).long(), torch.ones(0, 4)])
def test_what_is_no_matrix_is_refused(bad):
    with pytest.raises(ValueError, match="w: a floating-point matrix"):
        encode(bad, Codec(), "w")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"transform": "fourier"}, "transform 'fourier' is unknown"), ({"cap": 100}, "cap=100"),
        ({"seed": 1.5}, "seed=1.5"), ({"signs": "yes"}, "signs='yes'"),
    ],
)  # fmt: skip
def test_bad_codecs(fields, message):
    with pytest.raises(ValueError, match=message):
        Codec(**fields)


def test_bad_codes():
    codes, scales = torch.zeros(4, 8, dtype=torch.int8), torch.ones(4, 1, dtype=torch.float16)
    good = Encoded(codes, scales, Codec(), "w")
    assert (good.nbytes, good.block, good.shape) == (4 * 8 + 4 * 2, 8, (4, 8))
    with pytest.raises(ValueError, match=r"w: int8 codes .* not float32 \(4, 8\)"):
        Encoded(codes.float(), scales, Codec(), "w")
    with pytest.raises(ValueError, match=r"w: float16 scales \(4, 1\) were expected, not float16 \(4, 2\)"):
        Encoded(codes, torch.ones(4, 2, dtype=torch.float16), Codec(), "w")
    with pytest.raises(ValueError, match="w: rows 2…6 are not within 5 rows"):
        Encoded(codes, scales, Codec(), "w", first=2, total=5)


def test_signs_and_seeds_count():
    weight = weights(8, 64)
    codes = [encode(weight, c, n).codes for c, n in [(Codec(), "a"), (Codec(), "b"), (Codec(seed=1), "a")]]
    plain = encode(weight, Codec(signs=False), "a").codes
    assert len({c.numpy().tobytes() for c in [*codes, plain]}) == 4
    assert torch.equal(plain, encode(weight, Codec(signs=False, seed=9), "b").codes)
    assert torch.equal(codes[0], encode(weight, Codec(), "a").codes)


def test_hadamard_helps_heavy_tails_and_not_gaussians():
    """The known answer for one scale a block: no gain on Gaussian weights, a large one with planted outlier columns."""

    def error(weight, kind):
        return (decode(encode(weight, Codec(kind), "w")) - weight).norm() / weight.norm()

    gaussian, outliers = weights(64, 512), weights(64, 512)
    outliers[:, ::64] *= 30
    assert error(gaussian, "identity") / error(gaussian, "hadamard") == pytest.approx(1, abs=0.05)
    assert error(outliers, "identity") / error(outliers, "hadamard") > 2


def test_rotate_inverse_of_coefficients_is_the_decoding():
    stored = encode(weights(10, 96), Codec(), "w")
    c = decoding.coefficients(stored, 0.7)(0, 10)
    by_hand = transform.rotate(c, "hadamard", 32, inverse=True) * stored.codec.flips("w", 96, "cpu")
    assert torch.allclose(by_hand, decode(stored, 0.7), atol=1e-7)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", transform.KINDS)
@pytest.mark.parametrize(("width", "cap"), [(512, 128), (96, 256), (7, 256), (56, "full")])
def test_a_gpu_gives_what_the_cpu_gives(kind, width, cap):
    """Codes but for rare ties; masks, noise and planes entry for entry; with the fused kernel and without it."""
    codec, weight = Codec(kind, cap=cap), weights(200, width, tail=3)
    here = encode(weight, codec, "w")
    prior = weights(200, width, 1)
    for kernel in (None, False):
        there = encode(weight.cuda(), codec, "w", kernel=kernel)
        gap = (there.codes.cpu().int() - here.codes.int()).abs()
        assert gap.max() <= 1
        assert (gap > 0).float().mean() < 0.01
        moved = here.to("cuda")
        for order in ORDERS:
            for fill in [Fill()] if order == "planes" else [
                Fill(), Fill("gain"), Fill("random"), Fill("guided", prior=prior)
            ]:  # fmt: skip
                expected = decode(here, 0.4, order, fill, mask_seed=1)
                found = decode(moved, 0.4, order, fill, mask_seed=1, kernel=kernel)
                assert (found.cpu() - expected).abs().max() < 1e-3 * expected.abs().max()
