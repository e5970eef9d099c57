"""The context-free study: codes of every width behind small networks, on chains of known Bayes loss.

The models see a chain only through its V×V table of transitions, sampled once, so that a step costs V rows whatever the
sample's size. The test loss is an expectation under the chain itself and has no sampling error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import product

import numpy as np
import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.encoding import codes, fused, networks, tasks
from helpers.encoding.config import Chains
from helpers.encoding.grid import Grid, Model, See
from helpers.stacked import Params
from helpers.work import Work

BUCKETS = (8, 16, 32, 64, 128)  # code widths up to one of these share a stack
SAMPLED = ("learned", "seed_ae", "trained_pca")  # arms whose models are run as sources of text, at the published width


class ChainGrid(Grid):
    """All models of a `Chains`. matrices: the transitions (V, V) that the sampled models predict.

    chains, counts and tables are a (source, seed) each, in the order of `keys`.
    """

    def __init__(self, config: Chains, device: str = "cpu", work: Work | None = None):
        super().__init__(config, device, work)
        self.vocab, self.full, self.untrained = config.vocab, config.full, config.full
        self.bytes_each, self.matrices = 60 * 4 * config.vocab**2, {}
        sources = dict.fromkeys(cell.partition("/")[0] for cell in config.cells)
        self.keys = list(product(sources, range(config.seeds)))
        self.chains = [tasks.chain(source, config.vocab, seed) for source, seed in self.keys]

    @cached_property
    def counts(self) -> dict[str, np.ndarray]:
        """train: from `sequences` sequences; validation: from a quarter as many, drawn apart. (G, V, V)."""
        c, out = self.config, {}
        for split, share in (("train", 1), ("validation", 4)):
            rngs = [devices.numpy_rng("sample", split, *key) for key in self.keys]
            size = max(1, c.sequences // share), c.length
            drawn = [chain.sample(*size, rng) for chain, rng in zip(self.chains, rngs, strict=True)]
            out[split] = np.stack([tasks.bigram_counts(x, c.vocab) for x in drawn])
        return out

    @cached_property
    def tables(self) -> dict[str, Tensor]:
        """(G, V, V) train, validation and test, each summing to one; the test table is the chain's own joint distribution."""
        out = {k: n / n.sum((1, 2), keepdims=True) for k, n in self.counts.items()}
        out["test"] = np.stack([chain.joint for chain in self.chains])
        return {k: torch.tensor(v, dtype=torch.float32) for k, v in out.items()}

    def index(self, model: Model) -> int:
        """The place of a model's chain."""
        return self.keys.index((model.cell.partition("/")[0], model.seed))

    def models(self) -> Iterator[Model]:
        c = self.config
        for cell, arms in c.cells.items():
            for arm in arms:
                for d in [c.full] if arm == "full" else c.widths:
                    yield from (Model(cell, arm, d, *rest) for rest in product(range(c.seeds), c.rates_at(arm, d)))

    def stack(self, model: Model) -> tuple:
        readout = _readout(model.cell)
        bucket = next(b for b in BUCKETS if model.d <= b)
        return (
            readout,
            self.config.hidden_of(readout, model.arm),
            self._up(model),
            self.config.before(model.arm),
            bucket,
        )

    def made(self, kind: str, model: Model) -> Tensor:
        if kind == "spectral":
            return codes.spectral(self.counts["train"][self.index(model)], model.d)
        return super().made(kind, model)

    def start(self, model: Model) -> dict[str, Tensor]:
        c, readout = self.config, _readout(model.cell)
        hidden = c.hidden_of(readout, model.arm)
        return dict(networks.one(readout, c.vocab, model.d, hidden, model.seed, self._up(model)))

    def fit(self, models: list[Model], params: Params, see: See, **how) -> dict[str, Tensor]:
        readout = _readout(models[0].cell)
        index = torch.tensor([self.index(m) for m in models])
        held = [self.tables[k][index].to(self.device) for k in ("validation", "test")]  # (M, V, V) each

        def probe(p):
            logits = networks.forward(p, readout)
            see(torch.stack([networks.cross_entropy(logits, table) for table in held], 1))

        if fused.takes(params, readout):
            learn, tables = how.pop("learn")["code"], self.tables["train"].to(self.device)
            fused.fit(params, readout, tables, index, learn=learn, probe=probe, **how)
        else:
            table = self.tables["train"][index].to(self.device)
            loss = lambda p, t: networks.cross_entropy(networks.forward(p, readout), table)
            stacked.fit(params, loss, probe=probe, **how)
        sampled = [i for i, m in enumerate(models) if self._sampled(m)]
        with torch.no_grad():
            out = {"matrices": torch.softmax(networks.forward(params, readout)[sampled], -1)}
        return out | ({"codes": params["code"]} if models[0].arm == "full" else {})

    def keep(self, models: list[Model], done: Mapping[str, Tensor]) -> None:
        self.matrices |= dict(zip(filter(self._sampled, models), done["matrices"].numpy(), strict=True))

    def _sampled(self, model: Model) -> bool:
        return model.arm == "full" or (model.arm in SAMPLED and model.d == self.config.code)

    def _up(self, model: Model) -> int:
        return self.config.full if model.arm == "factorised" else 0


def _readout(cell: str) -> str:
    return cell.partition("/")[2]
