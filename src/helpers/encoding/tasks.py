"""Sources of tokens whose best possible loss is known.

A *chain* is a first-order Markov source: everything a context-free model can learn about it is in one
V×V table. Its entropy rate is the loss of the best predictor (Cover & Thomas 2006, theorem 4.2.1), so a
trained model is judged by its *excess* over that number and not by the number itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from helpers import devices
from helpers.checks import expect
from helpers.encoding.config import MOTIFS, Rules


@dataclass(frozen=True)
class Chain:
    """A Markov source over V tokens.

    transition: (V, V), row i is the distribution of the token after i. stationary: (V,), how often each
    token is the current one. Both are checked: rows sum to one, and the stationary vector is a fixed point.
    """

    name: str
    transition: np.ndarray = field(repr=False)
    stationary: np.ndarray = field(repr=False)

    def __post_init__(self):
        p, pi = self.transition, self.stationary
        fits = f"chain {self.name!r}: transition {p.shape} and stationary {pi.shape} do not fit"
        expect(p.ndim == 2 and p.shape == 2 * pi.shape, fits)
        fixed = np.allclose(p.sum(1), 1, atol=1e-8) and (p >= 0).all() and np.allclose(pi @ p, pi, atol=1e-6)
        expect(fixed, f"chain {self.name!r}: rows must be distributions and the stationary vector their fixed point")

    @property
    def vocab(self) -> int:
        return len(self.stationary)

    @property
    def joint(self) -> np.ndarray:
        """(V, V): the probability of each pair (current, next); it sums to one."""
        return self.stationary[:, None] * self.transition

    @property
    def bayes(self) -> float:
        """Entropy rate, nats per token: the loss of a predictor that knows the chain."""
        return cross_entropy(self.joint, self.transition)

    @property
    def unigram(self) -> float:
        """Entropy of the stationary distribution, nats: the loss of a predictor that ignores its input."""
        pi = self.stationary[self.stationary > 0]
        return float(-(pi * np.log(pi)).sum())

    def sample(self, sequences: int, length: int, rng: np.random.Generator) -> np.ndarray:
        """(sequences, length) tokens; every sequence starts from the stationary distribution."""
        cdf = self.transition.cumsum(1)  # (V, V)
        x = np.empty((sequences, length), np.int64)
        x[:, 0] = rng.choice(self.vocab, sequences, p=self.stationary)
        for t in range(1, length):
            u = rng.random((sequences, 1))  # (N, 1) against (N, V)
            x[:, t] = np.minimum((cdf[x[:, t - 1]] < u).sum(1), self.vocab - 1)
        return x


def cross_entropy(joint: np.ndarray, predicted: np.ndarray) -> float:
    """-sum_ij joint[i, j] log predicted[i, j], in nats; cells of zero weight do not count."""
    seen = joint > 0
    with np.errstate(divide="ignore"):
        return float(-(joint[seen] * np.log(predicted[seen])).sum())


def bigram_counts(tokens: np.ndarray, vocab: int) -> np.ndarray:
    """Counts of (current, next) pairs within each row of `tokens` (N, T), as (V, V) float64."""
    tokens = np.atleast_2d(tokens)
    flat = tokens[:, :-1].ravel() * vocab + tokens[:, 1:].ravel()
    return np.bincount(flat, minlength=vocab * vocab).reshape(vocab, vocab).astype(float)


def stationary_of(transition: np.ndarray) -> np.ndarray:
    """The stationary distribution (V,) of an irreducible chain, by solving pi (P - I) = 0, sum pi = 1."""
    v = len(transition)
    a = np.vstack([transition.T - np.eye(v), np.ones((1, v))])  # (V+1, V)
    pi = np.linalg.lstsq(a, np.r_[np.zeros(v), 1.0], rcond=None)[0]
    pi = np.clip(pi, 0, None)
    return pi / pi.sum()


def pattern(vocab: int = 50) -> Chain:
    """Scenario 1: one of four motifs, repeated. The next token is a function of the current one, so Bayes is 0."""
    p, pi = np.full((vocab, vocab), 1 / vocab), np.zeros(vocab)
    for motif in MOTIFS:
        for here, after in zip(motif, (*motif[1:], motif[0]), strict=True):
            p[here] = 0
            p[here, after] = 1
            pi[here] = 1 / (len(MOTIFS) * len(motif))
    return Chain("pattern", p, pi)


def planted(vocab: int, rank: int, rng: np.random.Generator, strength: float = 2.5) -> Chain:
    """Scenario 3: log-odds of exact rank r, L = s·A Bᵀ V/√r, so a linear read-out needs a code of width r.

    A and B (V, r) have orthonormal columns: all r directions weigh the same, entries of L have variance s², and none of
    the rank can be left out cheaply. The softmax bottleneck (Yang et al. 2018, §2.2) says why r is needed: logits of a
    width-d code with a linear read-out have rank at most d, plus the bias.
    """
    expect(1 <= rank <= vocab, f"rank={rank} must be between 1 and the vocabulary, {vocab}")
    a, b = (np.linalg.qr(rng.standard_normal((vocab, rank)))[0] for _ in range(2))
    logits = strength * vocab * a @ b.T / np.sqrt(rank)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return Chain(f"planted{rank}", p, stationary_of(p))


def dirichlet(vocab: int, rng: np.random.Generator, alpha: float = 0.1) -> Chain:
    """Scenario 3, full rank: every row drawn from a symmetric Dirichlet(alpha); nothing is shared between rows."""
    p = rng.dirichlet(np.full(vocab, alpha), vocab)
    p = (p + 1e-12) / (p + 1e-12).sum(1, keepdims=True)
    return Chain("dirichlet", p, stationary_of(p))


def chain(source: str, vocab: int, seed: int) -> Chain:
    """A source by its name: pattern, dirichlet, or plantedR for a rank R."""
    rng = devices.numpy_rng("chain", source, seed)
    if source.startswith("planted"):
        return planted(vocab, int(source.removeprefix("planted")), rng)
    return pattern(vocab) if source == "pattern" else dirichlet(vocab, rng)


def example(rank: int = 6, vocab: int = 50, seed: int = 0) -> Chain:
    """A chain of planted rank, its tokens in the order of their log-odds' first principal component."""
    made = planted(vocab, rank, devices.numpy_rng("example", rank, seed))
    odds = np.log(made.transition)
    order = np.argsort(np.linalg.svd(odds - odds.mean(0), full_matrices=False)[0][:, 0])
    return Chain(made.name, made.transition[np.ix_(order, order)], made.stationary[order])


def sequences(rules: Rules, count: int, *key: object) -> Tensor:
    """(count, length + 1) tokens of scenario 2: the rule token m + s first, then values. Given a value alone the next one is
    uniform; given the rule too, only the noise is left."""
    rng = devices.torch_rng("rules", rules.values, rules.length, *key)
    rule, x = torch.randint(rules.values, (2, count), generator=rng)
    out = [rule + rules.values, x]
    for _ in range(rules.length - 1):
        uniform = torch.randint(rules.values, (count,), generator=rng)
        x = torch.where(torch.rand(count, generator=rng) < rules.noise, uniform, (x + rule) % rules.values)
        out.append(x)
    return torch.stack(out, 1)


def rule_losses(rules: Rules) -> dict[str, float]:
    """bayes: entropy of the next token given the rule and the current token, nats; unigram: given the current token alone,
    ln m."""
    wrong = rules.noise / rules.values
    right = 1 - rules.noise + wrong
    bayes = -(right * math.log(right) + (rules.values - 1) * wrong * math.log(wrong))
    return {"bayes": bayes, "unigram": math.log(rules.values)}


def bigram_kl(chain: Chain, predicted: np.ndarray, tokens: int, rng: np.random.Generator) -> float:
    """KL, in nats, from the chain's bigrams to those of text sampled from the model, smoothed by half a count.

    predicted: (V, V) transitions of the model, which is run as a chain of its own for `tokens` tokens, so that errors
    feed on themselves. Sampling noise alone leaves a floor: sample from the chain itself to see it.
    """
    rows = np.asarray(predicted, float)
    rows = rows / rows.sum(1, keepdims=True)
    model = Chain("model", rows, _settled(chain, rows))
    counts = bigram_counts(model.sample(max(1, tokens // 20), 20, rng), chain.vocab) + 0.5 * chain.joint
    joint, q = chain.joint, counts / counts.sum()
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / q[seen])).sum())


def _settled(chain: Chain, rows: np.ndarray) -> np.ndarray:
    """Where the model's own chain settles; for a reducible one (the motifs), where it starts."""
    pi = chain.stationary.copy()
    for _ in range(200):
        pi = pi @ rows
    return pi / pi.sum() if np.allclose(pi @ rows, pi, atol=1e-7) else stationary_of(rows)
