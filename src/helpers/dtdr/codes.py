"""The stored forms of a model's weights, and of what may stand in for those that are missing."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from helpers.codec import Codec, Encoded, Fill, Live, decode, encode
from helpers.dtdr.damage import FROM_KEPT, Keep
from helpers.dtdr.priors import factors, fitting
from helpers.dtdr.weights import Weights


class Codes:
    """The stored forms of a model's weights and of its priors, those of one transform and of one prior at a time."""

    def __init__(self, weights: Weights, priors: dict[str, Mapping[str, Tensor]], cap: int):
        self.weights, self.priors, self.cap = weights, priors, cap
        self.clear()

    def clear(self, codec: Codec | None = None) -> None:
        """Forget all codes, to make room; the next ones are of this codec."""
        self._codec, self._live = codec, None
        self._encoded: dict[str, Encoded] = {}
        self._prior: tuple[Mapping[str, Tensor], dict[str, Encoded]] | None = None
        self._factors: dict[tuple, tuple[Tensor, Tensor]] = {}

    def encoded(self, domain: str) -> dict[str, Encoded]:
        """Every matrix under a transform."""
        codec = Codec(transform=domain, cap=self.cap)
        if codec != self._codec:
            self.clear(codec)
            self._encoded = self._encode(self.weights.whole, codec)
        return self._encoded

    def pairs(self, domain: str) -> dict[str, tuple[Encoded, Tensor]]:
        """Every matrix under a transform, with the live tensor that it is decoded into."""
        return {name: (e, self.weights.parts[name].tensor) for name, e in self.encoded(domain).items()}

    def live(self, domain: str) -> Live:
        """The same, to be decoded together."""
        pairs = self.pairs(domain)
        if self._live is None:
            self._live = Live(list(pairs.values()))
        return self._live

    def prior(self, domain: str, name: str) -> dict[str, Encoded]:
        """A prior under a transform. Raises ValueError for one that is not there or does not fit the model."""
        self.encoded(domain)
        if name not in self.priors:
            raise ValueError(f"prior {name!r} is unknown; there are {', '.join([*self.priors, *FROM_KEPT])}")
        known = self.priors[name]
        if self._prior is None or self._prior[0] is not known:
            self._prior = None  # the old codes make room first
            if self._live:
                self._live.release()
            fitting(self.weights.whole, known, f"prior {name!r}")
            self._prior = known, self._encode(known, self._codec)
        return self._prior[1]

    def from_kept(self, damage: Keep, name: str, level: float, seed: int) -> Tensor:
        """A prior for one matrix from what has arrived of it; its factors serve all weights of the fill."""
        key = (damage.prior, damage.order, level, seed, name)
        if key not in self._factors:
            gained = decode(self.encoded(damage.domain)[name], level, damage.order, Fill("gain"), seed)
            self._factors[key] = factors(damage.prior, gained)
        left, right = self._factors[key]  # (out, r), (r, in)
        return left @ right

    def _encode(self, weights: Mapping[str, Tensor], codec: Codec) -> dict[str, Encoded]:
        whole, parts = self.weights.whole, self.weights.parts
        return {n: encode(weights[n].to(w), codec, n, transposed=parts[n].transposed) for n, w in whole.items()}
