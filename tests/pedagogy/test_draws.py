"""Numbers by counting: known hashes, laws, and independence of what they are drawn beside."""

import numpy as np
import pytest
import torch
from scipy import stats

from helpers.pedagogy import draws

STREAMS = draws.streams("test", range(4))


def lowbias32(x):
    """The published C function, word by word."""
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def test_a_word_is_the_published_hash_of_stream_step_and_place():
    found = draws.words(STREAMS, torch.tensor(12_345), 5)
    for m, stream in enumerate(STREAMS.tolist()):
        start = lowbias32(stream ^ lowbias32(12_345 * draws.STRIDE & draws.WORD))
        for i in range(5):
            place = start + (i + 1) * draws.STRIDE & draws.WORD
            assert found[m, i] == lowbias32(lowbias32(place) ^ start)


def test_a_number_does_not_depend_on_what_is_drawn_beside_it():
    whole = draws.words(STREAMS, torch.tensor(3), 1000)
    assert torch.equal(whole[2:3, :10], draws.words(STREAMS[2:3], torch.tensor(3), 10))
    assert torch.equal(draws.streams("a", ["x", "y", "x"])[0], draws.streams("a", ["y", "x"])[1])
    assert draws.streams("a", ["x"]) != draws.streams("b", ["x"])


def test_uniform_numbers_are_uniform_and_their_neighbours_independent():
    """Along places, along steps and along streams; the seeds are fixed, so this is one draw of each p-value."""
    u = torch.stack(
        [draws.uniform(draws.words(STREAMS, torch.tensor(t), 500)) for t in range(500)]
    ).numpy()  # (T, M, n)
    assert u.min() >= 0
    assert u.max() < 1
    for x in (u[:, 0, 0], u[0, 0], u.ravel()[::7]):
        assert stats.kstest(x, "uniform").pvalue > 1e-3
    for one, other in ((u[1:], u[:-1]), (u[..., 1:], u[..., :-1]), (u[:, 1:], u[:, :-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(one.size)


def test_normal_numbers_are_normal_and_labels_even():
    word = draws.words(STREAMS, torch.tensor(0), 20_000)
    z = draws.normal(word).numpy()
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(z[:, :10_000].ravel(), z[:, 10_000:].ravel())[0, 1]) < 0.02
    counts = torch.bincount(draws.below(word, 10).flatten(), minlength=10)
    assert len(counts) == 10
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    assert draws.normal(torch.tensor([0, draws.WORD, 0, draws.WORD])).isfinite().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_draws_the_same():
    here, there = (draws.words(STREAMS.to(d), torch.tensor(9, device=d), 999).cpu() for d in ("cpu", "cuda"))
    assert torch.equal(here, there)
