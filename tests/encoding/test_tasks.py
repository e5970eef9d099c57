"""Sources of known loss, against closed forms and simulation."""

import math

import numpy as np
import pytest

from helpers.encoding import tasks
from helpers.encoding.config import Rules
from helpers.encoding.tasks import Chain


def test_two_state_chain_has_the_textbook_entropy():
    """Stay with 0.9 and 0.8: pi = (2/3, 1/3), rate = 2/3 H(0.1) + 1/3 H(0.2) (Cover & Thomas 2006, example 4.2.1)."""
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    chain = Chain("two", p, tasks.stationary_of(p))
    h = lambda q: -q * math.log(q) - (1 - q) * math.log(1 - q)
    assert chain.stationary == pytest.approx([2 / 3, 1 / 3])
    assert chain.bayes == pytest.approx(2 / 3 * h(0.1) + 1 / 3 * h(0.2))
    assert chain.unigram == pytest.approx(h(1 / 3))
    assert chain.joint.sum() == pytest.approx(1)


def test_pattern_is_deterministic_and_its_unigram_entropy_closed():
    chain = tasks.pattern(50)
    lengths = [5, 4, 3, 5]
    assert chain.bayes == 0
    assert chain.unigram == pytest.approx(math.log(4) + np.mean([math.log(n) for n in lengths]))
    x = chain.sample(50, 20, np.random.default_rng(0))
    for row in x:
        motif = next(m for m in tasks.MOTIFS if row[0] in m)
        start = motif.index(row[0])
        assert list(row) == [motif[(start + t) % len(motif)] for t in range(20)]


@pytest.mark.parametrize("rank", [1, 2, 6])
def test_planted_log_odds_have_the_rank_and_equal_weights(rank):
    chain = tasks.planted(40, rank, np.random.default_rng(1))
    logits = np.log(chain.transition)
    logits -= logits.mean(1, keepdims=True)  # the row's normaliser is not part of the rank
    s = np.linalg.svd(logits, compute_uv=False)
    assert (s > 1e-8 * s[0]).sum() == rank
    assert s[rank - 1] > 0.5 * s[0]
    with pytest.raises(ValueError, match="rank=0"):
        tasks.planted(40, 0, np.random.default_rng(1))


def test_dirichlet_rows_have_the_expected_entropy():
    """Mean entropy of a symmetric Dirichlet(a) row: digamma(aV + 1) - digamma(a + 1)."""
    from scipy.special import digamma

    rows = np.concatenate([tasks.dirichlet(60, np.random.default_rng(s)).transition for s in range(20)])
    entropy = -(rows * np.log(rows)).sum(1).mean()
    assert entropy == pytest.approx(digamma(0.1 * 60 + 1) - digamma(1.1), abs=0.02)


def test_counts_of_samples_approach_the_joint():
    chain = tasks.dirichlet(8, np.random.default_rng(0), alpha=1.0)
    counts = tasks.bigram_counts(chain.sample(20_000, 20, np.random.default_rng(1)), 8)
    assert np.abs(counts / counts.sum() - chain.joint).max() < 0.002


def test_bigram_counts_do_not_cross_rows():
    counts = tasks.bigram_counts(np.array([[0, 1, 2], [2, 2, 0]]), 3)
    assert counts.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 1]]


def test_cross_entropy_equals_entropy_only_for_the_truth():
    chain = tasks.dirichlet(10, np.random.default_rng(0))
    assert tasks.cross_entropy(chain.joint, chain.transition) == pytest.approx(chain.bayes)
    assert tasks.cross_entropy(chain.joint, np.full((10, 10), 0.1)) == pytest.approx(math.log(10))


@pytest.mark.parametrize(
    ("p", "pi"),
    [
        (np.eye(3), np.array([0.5, 0.5])),
        (np.full((2, 2), 0.6), np.array([0.5, 0.5])),
        (np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0.5, 0.5])),
    ],
)
def test_chains_that_are_none(p, pi):
    with pytest.raises(ValueError, match="chain 'x'"):
        Chain("x", p, pi)


def test_rule_task_is_the_rule():
    task = Rules(values=7, noise=0.05, length=12)
    x = tasks.sequences(task, 4000, "test").numpy()
    rule = x[:, 0] - 7
    assert rule.min() == 0
    assert rule.max() == 6
    follows = (x[:, 2:] - x[:, 1:-1] - rule[:, None]) % 7 == 0
    assert follows.mean() == pytest.approx(0.95 + 0.05 / 7, abs=0.005)
    assert np.array_equal(tasks.sequences(task, 5, "a").numpy(), tasks.sequences(task, 5, "a").numpy())


def test_rule_task_bayes_against_simulation_and_the_blind_optimum():
    task = Rules(values=5, noise=0.1, length=6)
    right = 0.9 + 0.1 / 5
    assert tasks.rule_losses(task)["bayes"] == pytest.approx(-right * math.log(right) - 4 * 0.02 * math.log(0.02))
    x = tasks.sequences(task, 200_000, "blind").numpy()
    pairs = tasks.bigram_counts(x[:, 3:5], 10)[:5, :5]
    pairs /= pairs.sum(1, keepdims=True)
    assert np.abs(pairs - 0.2).max() < 0.01  # given the current token alone, the next is uniform
    assert tasks.rule_losses(task)["unigram"] == pytest.approx(math.log(5))


def test_bigram_divergence_orders_models():
    """The true chain sits at the sampling floor, a smoothed one above it, frequencies alone near the mutual information."""
    chain = tasks.dirichlet(20, np.random.default_rng(0))
    blurred = 0.8 * chain.transition + 0.2 / 20
    alone = np.tile(chain.stationary, (20, 1))
    floor, middle, top = (
        tasks.bigram_kl(chain, p, 200_000, np.random.default_rng(1)) for p in (chain.transition, blurred, alone)
    )
    assert floor < 0.01
    exact = float((chain.joint * np.log(chain.transition / blurred)).sum())
    assert floor < middle
    assert middle == pytest.approx(exact, rel=0.6)
    assert top == pytest.approx(chain.unigram - chain.bayes, rel=0.1)


def test_an_example_is_a_chain_of_its_rank_with_its_tokens_in_order():
    chain = tasks.example(rank=2, vocab=20)
    odds = np.log(chain.transition) - np.log(chain.transition).mean(1, keepdims=True)
    assert np.linalg.matrix_rank(odds, tol=1e-6) == 2
    leading = np.linalg.svd(np.log(chain.transition) - np.log(chain.transition).mean(0))[0][:, 0]
    assert (np.diff(leading) > 0).all() or (np.diff(leading) < 0).all()
