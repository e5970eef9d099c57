"""Hashes against numpy's unsigned integers and a published value; transforms against their definitions."""

import math

import numpy as np
import pytest
import torch
from scipy import fft, linalg, stats

from helpers.codec import hashing, transform


def lowbias32(x):
    """Independent: the definition in uint64, reduced mod 2^32 after every product."""
    x = np.asarray(x, dtype=np.uint64)
    x = x ^ (x >> np.uint64(16))
    x = (x * np.uint64(0x7FEB352D)) % np.uint64(2**32)
    x = x ^ (x >> np.uint64(15))
    x = (x * np.uint64(0x846CA68B)) % np.uint64(2**32)
    return x ^ (x >> np.uint64(16))


@pytest.mark.parametrize("key", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xDEADBEEF])
def test_hash_equals_the_definition_in_uint64(key):
    index = np.r_[np.arange(5000), 2**31 - 3 + np.arange(6), 2**32 - 5 + np.arange(5), 123456789]
    expected = lowbias32(index.astype(np.uint64) ^ np.uint64(key))
    found = hashing.unsigned(hashing.hash32(key, torch.from_numpy(index.astype(np.int64))))
    assert np.array_equal(found.numpy(), expected.astype(np.int64))
    assert [hashing.mix(int(i) ^ key) for i in index[-8:]] == expected[-8:].tolist()


@pytest.mark.parametrize("key", [0, 0x80000001, 0xFFFFFFFF])
def test_the_two_arithmetics_give_the_same_bits(key):
    """numpy's uint32 on the CPU, torch's wrapping int32 elsewhere."""
    index = hashing.index32(2**31 - 5000, 2**31 + 5000)
    assert torch.equal(hashing.mix_torch(index ^ hashing.signed(key)), hashing.hash32(key, index))


def test_hash_known_answers():
    """0 is the fixed point of the mixing; one step of 1 is worked out by hand: 1·m₁, shift 15, ·m₂, shift 16."""
    assert hashing.mix(0) == 0
    x = 0x7FEB352D ^ (0x7FEB352D >> 15)
    x = x * 0x846CA68B % 2**32
    assert hashing.mix(1) == x ^ (x >> 16)
    assert hashing.key32(0, "a", "sign") == int(lowbias32(0xE719EFA9)) == hashing.mix(0xE719EFA9)  # crc32(b"0/a/sign")


def test_hash_does_not_change_its_input():
    index = hashing.index32(0, 100)
    hashing.hash32(7, index)
    assert torch.equal(index, torch.arange(100, dtype=torch.int32))


def test_index_limits():
    assert hashing.unsigned(hashing.index32(2**32 - 2, 2**32)).tolist() == [2**32 - 2, 2**32 - 1]
    with pytest.raises(ValueError, match="2\\^32"):
        hashing.index32(0, 2**32 + 1)


@pytest.mark.parametrize("fraction", [0.0, 1e-9, 0.2, 0.5, 0.500001, 0.9, 1 - 1e-9, 1.0])
def test_below_is_an_unsigned_comparison(fraction):
    h = hashing.hash32(3, hashing.index32(0, 20000))
    limit = hashing.threshold(fraction)
    assert torch.equal(hashing.below(h, limit), hashing.unsigned(h) < limit)
    assert torch.equal(hashing.below_torch(h, limit), hashing.unsigned(h) < limit)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan])
def test_fractions_outside_are_refused(fraction):
    with pytest.raises(ValueError, match="fraction="):
        hashing.threshold(fraction)


def test_signs_are_balanced_and_differ_by_tensor():
    found = torch.stack([hashing.signs(hashing.key32(0, f"layer.{i}", "sign"), 4096) for i in range(50)])
    assert set(found.unique().tolist()) == {-1.0, 1.0}
    assert abs(found.mean().item()) < 4 / math.sqrt(found.numel())
    assert (found @ found.T / 4096 - torch.eye(50)).abs().max() < 6 / math.sqrt(4096)


def test_normals_are_normal_and_depend_on_the_index_only():
    z = hashing.normals(0, "w", 0, 200_000)
    assert stats.kstest(z.numpy(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 5 / math.sqrt(200_000)
    assert torch.equal(hashing.normals(0, "w", 777, 1777), z[777:1777])
    other = hashing.normals(1, "w", 0, 200_000)
    assert abs(np.corrcoef(z, other)[0, 1]) < 5 / math.sqrt(200_000)
    assert stats.kstest(np.abs(z.numpy()), stats.halfnorm.cdf).pvalue > 1e-3  # signs and sizes are apart


def test_normals_follow_their_formula():
    index = np.arange(1000)
    h1, h2 = (lowbias32(index ^ hashing.key32(5, "x", p)) >> np.uint64(8) for p in ("fill", "fill/angle"))
    expected = np.sqrt(-2 * np.log((h1 + 1) / 2**24)) * np.cos(2 * np.pi * h2 / 2**24)
    assert np.abs(hashing.normals(5, "x", 0, 1000).numpy() - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("width", "cap", "block"),
    [
        (4096, 256, 256), (14336, 256, 256), (14336, "full", 14336), (4096, "full", 4096), (96, 256, 32), (7, 256, 1),
        (7, "full", 1), (14, "full", 2), (28, "full", 28), (28, 256, 4), (3584, "full", 3584), (192, 64, 64), (1, "full", 1),
        (11008, "full", 256), (50257, 256, 1),
    ],
)  # fmt: skip
def test_block_of(width, cap, block):
    assert transform.block_of(width, cap) == block
    assert width % block == 0


@pytest.mark.parametrize("cap", [0, 3, 96, -4, "whole", 2.0, True, None])
def test_bad_caps_are_refused(cap):
    with pytest.raises(ValueError, match="cap="):
        transform.block_of(64, cap)


def test_paley_matrix_is_hadamard_and_symmetric():
    h = transform.paley28()
    assert set(h.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(h, h.T)
    assert torch.equal(h @ h, 28 * torch.eye(28, dtype=torch.float64))


@pytest.mark.parametrize("block", [1, 2, 4, 16, 32, 64, 128, 256, 512, 1024, 4096])
def test_hadamard_is_sylvesters(block):
    """Against scipy's matrix, in Sylvester's order."""
    x = torch.randn(3, block, generator=torch.Generator().manual_seed(block))
    expected = x.double().numpy() @ linalg.hadamard(block) / math.sqrt(block)
    assert np.abs(transform.rotate(x, "hadamard", block).numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("block", [28, 56, 224, 28 * 64])
def test_hadamard_of_28_times_a_power_of_two(block):
    x = torch.randn(3, block, generator=torch.Generator().manual_seed(block))
    dense = np.kron(transform.paley28().numpy(), linalg.hadamard(block // 28)) / math.sqrt(block)
    assert np.abs(dense @ dense.T - np.eye(block)).max() < 1e-12
    assert np.abs(transform.rotate(x, "hadamard", block).numpy() - x.double().numpy() @ dense).max() < 1e-5


def test_full_width_of_mistral():
    x = torch.randn(2, 14336, generator=torch.Generator().manual_seed(0))
    c = transform.rotate(x, "hadamard", 14336)
    assert c.norm().item() == pytest.approx(x.norm().item(), rel=1e-5)
    assert (transform.rotate(c, "hadamard", 14336, inverse=True) - x).abs().max() < 1e-5


@pytest.mark.parametrize("block", [2, 8, 64, 256, 1024, 2048, 14336])
def test_dct_equals_scipys(block):
    x = torch.randn(3, 2 * block, generator=torch.Generator().manual_seed(block))
    blocks = x.double().numpy().reshape(3, 2, block)
    expected = fft.dct(blocks, norm="ortho", axis=-1).reshape(3, -1)
    found = transform.rotate(x, "dct", block)
    assert np.abs(found.numpy() - expected).max() < 2e-5
    assert (transform.rotate(found, "dct", block, inverse=True) - x).abs().max() < 2e-5


@pytest.mark.parametrize("kind", transform.KINDS)
@pytest.mark.parametrize(("width", "cap"), [(96, 256), (7, 256), (56, "full"), (512, 64), (1, 256)])
def test_transforms_are_orthonormal(kind, width, cap):
    """T Tᵀ = I from the transform of the unit vectors, and the inverse is the transpose."""
    block = transform.block_of(width, cap)
    t = transform.rotate(torch.eye(width), kind, block)
    assert (t @ t.T - torch.eye(width)).abs().max() < 1e-5
    assert (transform.rotate(torch.eye(width), kind, block, inverse=True) - t.T).abs().max() < 1e-5


@pytest.mark.parametrize("block", [16, 32, 64, 128, 256])
def test_integer_transform_is_exact(block):
    """Every code from -128 to 127, the extremes side by side; skipped where the CPU has no int8 products."""
    if not transform.counts(block, "hadamard", torch.device("cpu")):
        pytest.skip("no int8 matrix products on this CPU")
    h = transform.sylvester(block).long()
    codes = torch.randint(-128, 128, (37, 2 * block), generator=torch.Generator().manual_seed(0)).to(torch.int8)
    codes[:4, :block] = torch.stack([h[1] * 127, h[1] * -127, h[0] * -128, h[-1] * 127]).clamp(-128, 127).to(torch.int8)
    expected = (codes.long().view(-1, block) @ h).view(37, -1)
    assert torch.equal(transform.rotate_codes(codes, block).long(), expected)


def test_permutations_are_bijections_and_differ_by_key():
    a, b = (transform.permutation(k, 1000) for k in (1, 2))
    assert torch.equal(a.sort().values, torch.arange(1000))
    assert not torch.equal(a, b)
    expected = np.argsort(lowbias32(np.arange(1000, dtype=np.uint64) ^ np.uint64(1)).astype(np.uint32).view(np.int32))
    assert np.array_equal(a.numpy(), expected)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="'walsh' is unknown; choose one of hadamard"):
        transform.rotate(torch.ones(1, 8), "walsh", 8)
    with pytest.raises(ValueError, match="block=16 does not divide the width 24"):
        transform.rotate(torch.ones(1, 24), "hadamard", 16)
    with pytest.raises(ValueError, match="block=12"):
        transform.factors(12)
