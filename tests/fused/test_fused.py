"""The kernels against a float64 formula and against the torch path: on a GPU, and in Triton's interpreter.

The interpreter runs them on a CPU: TRITON_INTERPRET=1 python -m pytest tests/fused/test_fused.py, where triton is installed.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
import torch

from helpers import fused
from helpers.codec import codec as coding
from helpers.codec import decoding, fills, hashing, transform
from helpers.fused import device

INTERPRETED = device.triton is not None and os.environ.get("TRITON_INTERPRET") == "1"
EVERY_DEVICE = [
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available() or INTERPRETED, reason="no CUDA device"),
        ],
    ),
    pytest.param(
        "cpu", marks=pytest.mark.skipif(not INTERPRETED, reason="the interpreter needs triton and TRITON_INTERPRET=1")
    ),
]
SHAPES = [(70, 96, 32), (130, 384, 128), (5, 48, 16), (1, 192, 64), (65, 512, 256), (128, 128, 64)]  # out, in, block
FRACTIONS = (0.0, 0.37, 1.0)
NAME = "layers.0.weight"


def weights(rows: int, width: int, kind: str, seed: int = 0) -> torch.Tensor:
    """float32: Gaussian with rows of very different size, Student-t with 3 degrees of freedom, or with rows of zeros."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    w = draw(rows, width)
    if kind == "heavy":
        w /= (draw(3, rows, width) ** 2).mean(0).sqrt()
    elif kind == "zero rows":
        w[::2] = 0
    return w * torch.logspace(-6, 3, rows)[:, None]


def spectrum(w: torch.Tensor, block: int, sign_key: int | None) -> torch.Tensor:
    """The signed block transform in float64, (out, in/B, B), straight from its definition."""
    signs = 1.0 if sign_key is None else hashing.signs(sign_key, w.shape[1]).double()
    blocks = (w.double() * signs).view(len(w), -1, block)
    return blocks @ transform.sylvester(block) / block**0.5


def formula(codes, scales, block, sign_key, mask_key, fraction, filler, gain=1.0) -> torch.Tensor:
    """The decoded matrix in float64: keep or fill each coefficient, transform back, flip the signs. All on the CPU."""
    rows, width = codes.shape
    c = gain * codes.double().view(rows, -1, block) * scales.double()[..., None]
    drawn = hashing.unsigned(hashing.hash32(mask_key, hashing.index32(0, rows * width)))
    c = torch.where(drawn.view(c.shape) < round(fraction * 2**32), c, filler.double().view(c.shape))
    w = (c @ transform.sylvester(block) / block**0.5).view(rows, width)
    return w if sign_key is None else w * hashing.signs(sign_key, width).double()


def distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    wanted = wanted.double().cpu()
    return float((found.double().cpu() - wanted).norm() / wanted.norm().clamp(min=1e-30))


@pytest.mark.parametrize("device", EVERY_DEVICE)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("kind", ["normal", "heavy", "zero rows"])
def test_encode_gives_the_codes_of_the_formula(device, dtype, kind):
    for rows, width, block in SHAPES:
        w = weights(rows, width, kind).to(dtype)
        for key in (hashing.key32(0, NAME, "sign"), None):
            codes, scales = (t.cpu() for t in fused.encode(w.to(device), block=block, sign_key=key))
            exact = spectrum(w, block, key)
            least = (exact.abs().amax(-1) / 127).clamp(min=2.0**-24)
            assert ((scales.double() >= least * (1 - 1e-6)) & (scales.double() <= least * 1.002 + 2.0**-24)).all()
            wanted = torch.round(exact / scales.double()[..., None]).view(rows, width)
            off = (codes - wanted).abs()
            assert off.max() <= 1
            # coefficients that lie between two codes, to the precision of a tensor core's sums (about 22 bits)
            assert int((off > 0).sum()) <= 1 + 2e-3 * off.numel()


@pytest.mark.parametrize("device", EVERY_DEVICE)
def test_encode_equals_the_torch_path_and_small_integers_bit_for_bit(device):
    codec = coding.Codec(cap=64)
    w = torch.randint(-9, 10, (66, 192), generator=torch.Generator().manual_seed(1)).float()  # exact in every step
    codes, scales = fused.encode(w.to(device), block=64, sign_key=codec.sign_key(NAME))
    wanted = coding.encode(w, codec, NAME)
    assert torch.equal(scales.cpu(), wanted.scales)
    assert (codes.cpu() != wanted.codes).float().mean() <= 2e-3  # exact halves may go either way


@pytest.mark.parametrize("device", EVERY_DEVICE)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy, in the interpreter, announces the overflow
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 3e9])
def test_encode_refuses_what_has_no_scale(device, bad):
    w = torch.randn(70, 128)
    w[69, 127] = bad
    with pytest.raises(ValueError, match="layer seven"):
        fused.encode(w.to(device), block=64, sign_key=None, name="layer seven")
    assert torch.isinf(fused.encode(w.to(device), block=64, sign_key=None, check=False)[1]).sum() == 1


@pytest.mark.parametrize("device", EVERY_DEVICE)
@pytest.mark.parametrize("fill", ["zero", "gain", "random", "guided"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_decode_gives_the_weights_of_the_formula(device, fill, dtype):
    sign_key, mask_key = hashing.key32(0, NAME, "sign"), hashing.key32(5, NAME, "mask")
    fill_key = (hashing.key32(5, NAME, "fill"), hashing.key32(5, NAME, "fill/angle"))
    bound = 4e-3 if dtype == torch.bfloat16 else 1e-3 if fill == "random" else 1e-6  # normals come in steps of 2^-11
    for rows, width, block in SHAPES:
        pair, prior = ((coding.quantise(spectrum(weights(rows, width, k, s), block, sign_key).view(rows, width).float(), block))
                       for k, s in (("heavy", 1), ("normal", 2)))  # fmt: skip
        for fraction in FRACTIONS:
            weight = {"zero": None, "gain": 1 / max(fraction, 0.1), "random": 0.7, "guided": 0.15}[fill]
            filler = torch.zeros(rows, width)
            if fill == "random":
                filler = weight * hashing.normals(5, NAME, 0, rows * width)
            elif fill == "guided":
                filler = weight * coding.dequantise(*prior, block)
            out = torch.full((rows, width), float("nan"), dtype=dtype, device=device)
            on = lambda tensors: tuple(t.to(device) for t in tensors)
            found = fused.decode(
                *on(pair), out, block=block, sign_key=sign_key, mask_key=mask_key, threshold=hashing.threshold(fraction),
                fill=fill, weight=weight, fill_key=fill_key, prior=on(prior),
            )  # fmt: skip
            assert found is out
            gain = weight if fill == "gain" else 1.0
            wanted = formula(*pair, block, sign_key, mask_key, fraction, filler, gain)
            assert distance(out, wanted) <= bound, (rows, width, block, fraction)


@pytest.mark.parametrize("device", EVERY_DEVICE)
@pytest.mark.parametrize("fill", ["zero", "gain", "random", "guided"])
def test_decode_equals_the_torch_path(device, fill):
    codec = coding.Codec(cap=128)
    w, prior = (weights(200, 640, "heavy", s) for s in (0, 1))
    encoded = coding.encode(w, codec, NAME)
    how = fills.Fill("guided", 0.3, coding.encode(prior, codec, NAME)) if fill == "guided" else fills.Fill(fill)
    for fraction in FRACTIONS:
        wanted = decoding.decode(encoded, fraction, "iid", how, 3, kernel=False)
        limit, key = hashing.threshold(fraction), hashing.key32(3, NAME, "mask")
        codes, scales = encoded.codes.to(device), encoded.scales.to(device)
        sigma = fused.moments(codes, scales, block=128, mask_key=key, threshold=limit)[2]
        given = {"zero": None, "gain": 1 / (fraction or 1), "random": sigma, "guided": 0.3}[fill]
        found = fused.decode(
            codes, scales, torch.empty(200, 640, device=device), block=128, sign_key=codec.sign_key(NAME), mask_key=key,
            threshold=limit, fill=fill, weight=given,
            fill_key=(hashing.key32(3, NAME, "fill"), hashing.key32(3, NAME, "fill/angle")),
            prior=how.prior and (how.prior.codes.to(device), how.prior.scales.to(device)),
        )  # fmt: skip
        assert distance(found, wanted) <= (1e-3 if fill == "random" else 1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available() or INTERPRETED, reason="no CUDA device")
@pytest.mark.parametrize("fill", ["zero", "random"])
def test_the_package_takes_the_kernel_by_itself_and_nothing_changes(fill):
    encoded = coding.encode(weights(300, 1792, "heavy"), coding.Codec(), NAME).to("cuda")
    both = [
        decoding.decode(encoded, 0.6, "iid", fills.Fill(fill), 3, dtype=torch.bfloat16, kernel=kernel)
        for kernel in (None, False)
    ]
    assert distance(*both) <= 1e-2


@pytest.mark.parametrize("device", EVERY_DEVICE)
def test_masks_are_nested_and_exact(device):
    """With H = H_16 and codes of one, the kept coefficients are read back: the same as the hash says, for every limit."""
    rows, width, key = 40, 64, hashing.key32(9, NAME, "mask")
    codes = torch.ones(rows, width, dtype=torch.int8, device=device)
    scales = torch.ones(rows, width // 16, dtype=torch.float16, device=device)
    drawn = hashing.unsigned(hashing.hash32(key, hashing.index32(0, rows * width))).view(rows, width)
    at = int(drawn.flatten()[7])
    for limit in (0, 1, at, at + 1, 2**31, 2**32 - 1, 2**32):
        out = torch.empty(rows, width, device=device)
        fused.decode(codes, scales, out, block=16, sign_key=None, mask_key=key, threshold=limit)
        back = spectrum(out.cpu(), 16, None).view(rows, width)
        assert torch.equal(back.round().long(), (drawn < limit).long())
        assert fused.moments(codes, scales, block=16, mask_key=key, threshold=limit)[0] == (drawn < limit).sum()


@pytest.mark.parametrize("device", EVERY_DEVICE)
def test_a_group_decodes_each_matrix_as_alone(device):
    """Several blocks, types and thresholds in one call: the embedding may stay whole while the rest is cut."""
    draw = lambda rows, width, seed: torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    items, alone, keys, limits = [], [], [], []
    for n, (rows, width, block) in enumerate([*SHAPES, *SHAPES[:2]]):
        key = hashing.key32(0, str(n), "sign")
        codes, scales = fused.encode(draw(rows, width, n).to(device), block=block, sign_key=key)
        keys.append(hashing.key32(1, str(n), "mask"))
        limits.append(fused.FULL if n % 3 == 0 else hashing.threshold(0.1 * n))
        dtype = (torch.float32, torch.bfloat16, torch.float16)[n % 3]
        one, many = (torch.full((rows, width), float("nan"), dtype=dtype, device=device) for _ in range(2))
        alone.append(
            fused.decode(codes, scales, one, block=block, sign_key=key, mask_key=keys[-1], threshold=limits[-1])
        )
        items.append(fused.Item(codes, scales, many, block, key))
    group = fused.Group(items)
    group.decode(mask_keys=keys, thresholds=limits)
    assert all(torch.equal(item.out, wanted) for item, wanted in zip(items, alone, strict=True))
    found = group.moments(mask_keys=keys, thresholds=limits)
    for item, row, key, limit in zip(items, found, keys, limits, strict=True):
        single = fused.moments(item.codes, item.scales, block=item.block, mask_key=key, threshold=limit)
        torch.testing.assert_close(row, single)


@pytest.mark.parametrize("device", EVERY_DEVICE)
def test_moments_of_the_kept_coefficients(device):
    w, key = weights(130, 384, "heavy"), hashing.key32(2, NAME, "mask")
    codes, scales = fused.encode(w.to(device), block=128, sign_key=None)
    kept = hashing.below(hashing.hash32(key, hashing.index32(0, 130 * 384)), hashing.threshold(0.37)).view(130, 384)
    c = coding.dequantise(codes.cpu(), scales.cpu(), 128).double()[kept]
    found = fused.moments(codes, scales, block=128, mask_key=key, threshold=hashing.threshold(0.37)).cpu()
    wanted = torch.tensor([len(c), c.mean(), c.std(correction=0)], dtype=torch.float64)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7 * float(c.abs().max()))
    none = fused.moments(codes, scales, block=128, mask_key=key, threshold=0)
    assert none.tolist() == [0, 0, 0]


@pytest.mark.parametrize("device", EVERY_DEVICE)
def test_a_group_names_what_does_not_fit(device):
    codes = torch.zeros(4, 64, dtype=torch.int8, device=device)
    scales = torch.ones(4, 1, dtype=torch.float16, device=device)
    out = torch.empty(4, 64, device=device)
    item = lambda **changed: fused.Item(
        **{"codes": codes, "scales": scales, "out": out, "block": 64, "sign_key": 1} | changed
    )
    for changed, message in (
        ({"block": 48}, "block=48"),
        ({"codes": codes.float()}, "int8"),
        ({"scales": scales.float()}, "fp16 scales"),
        ({"out": out[:3]}, "out must be"),
        ({"out": torch.empty(64, 4, device=device).T}, "contiguous"),
        ({"prior": (codes, scales[:2])}, "fp16 scales"),
    ):
        with pytest.raises(ValueError, match=message):
            fused.Group([item(**changed)])
    group = fused.Group([item()])
    for given, message in (
        ({"thresholds": [2**32 + 1]}, "outside"),
        ({"thresholds": [1, 2]}, "each of 1"),
        ({"thresholds": [1], "fill": "mean"}, "mean"),
        ({"thresholds": [1], "fill": "gain"}, "weights"),
        ({"thresholds": [1], "fill": "guided", "weights": [0.1]}, "prior"),
        ({"thresholds": [1], "fill": "gain", "weights": [0.1, 0.2]}, "each of 1"),
    ):
        with pytest.raises(ValueError, match=message):
            group.decode(mask_keys=[1], **given)
    with pytest.raises(ValueError, match="one matrix or more"):
        fused.Group([])


def test_what_the_kernels_cover(monkeypatch):
    """The answer depends on codec, order, fill, width and device; whether triton is here is set by hand."""
    codec = SimpleNamespace(transform="hadamard", block_of=lambda width: min(256, width & -width))
    monkeypatch.setattr(device, "triton", None)
    assert not fused.available("cuda")
    assert not fused.supports(codec, "iid", "zero", "cuda")
    monkeypatch.setattr(device, "triton", object())
    monkeypatch.setattr(device, "builds", lambda device: True)
    assert fused.available("cuda:1")
    assert all(fused.supports(codec, "iid", fill, "cuda", 14336) for fill in ("zero", "gain", "random", "guided"))
    assert fused.supports(codec, "iid", "zero", "cuda")
    assert not fused.supports(codec, "rows", "zero", "cuda")
    assert fused.supports(codec, "planes", "zero", "cuda", 14336)
    assert not fused.supports(codec, "planes", "gain", "cuda", 14336)
    assert not fused.supports(codec, "iid", "mean", "cuda")
    assert not fused.supports(codec, "iid", "zero", "cuda", 4104)  # blocks of 8
    assert not fused.supports(SimpleNamespace(transform="dct"), "iid", "zero", "cuda")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert not fused.available("cpu")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert fused.available("cpu")


def test_where_no_kernel_can_be_built_no_part_takes_one(monkeypatch, root):
    """A machine without a C compiler: whoever launches a kernel asks `available` first, which tries one."""
    from helpers.encoding import fused as training
    from helpers.separability import halves
    from helpers.separability.grokking import fused as adding
    from helpers.separability.grokking.config import Addition
    from helpers.topology import gpu

    params = {"code": torch.zeros(1, 4, 2), "w1": torch.zeros(1, 2, 4)}
    networks = Addition(products="tf32")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr(device, "triton", object())
    monkeypatch.setattr(training, "triton", object())
    for well in (True, False):
        monkeypatch.setattr(device, "builds", lambda device, well=well: well)
        asked = (
            fused.available("cpu"),
            gpu.available("cpu"),
            training.takes(params, "mlp"),
            adding.fits(networks, "cpu"),
        )
        assert asked == (well,) * 4
    assert halves.on is device  # which asks `available` on every call
    files = sorted((root / "src" / "helpers").rglob("*.py"))
    owners = {"fused", "encoding", "topology", "grokking", "separability"}
    assert {p.parent.name for p in files if "@triton.jit" in p.read_text()} == owners


def test_without_a_kernel_the_torch_path_serves_and_the_kernels_say_so(monkeypatch):
    monkeypatch.setattr(device, "triton", None)
    w = weights(20, 96, "normal")
    encoded = coding.encode(w, coding.Codec(cap=32), NAME)
    assert torch.equal(decoding.decode(encoded, 0.5), decoding.decode(encoded, 0.5, kernel=False))
    with pytest.raises(ValueError, match="need triton"):
        fused.encode(w, block=32, sign_key=None)
    with pytest.raises(ValueError, match="need triton"):
        fused.decode(encoded.codes, encoded.scales, torch.empty(20, 96), block=32, sign_key=None)


def test_tensors_that_lie_askew_are_left_to_the_torch_path():
    flat = torch.zeros(4 * 64 + 1)
    assert fused.fits(torch.zeros(4, 64))
    assert not fused.fits(torch.zeros(64, 4).T)
    assert not fused.fits(flat[1:].view(4, 64))
