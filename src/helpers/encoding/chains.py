"""The context-free study: codes of every width behind small networks, on chains of known Bayes loss.

The models see a chain only through its V×V table of transitions, sampled once, so that a step costs V rows whatever the
sample's size. The test loss is an expectation under the chain itself and has no sampling error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import product

import numpy as np
import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.encoding import codes, fused, networks, tasks
from helpers.encoding.config import ARMS, Chains
from helpers.encoding.grid import Grid, Live, Model
from helpers.work import Work

BUCKETS = (8, 16, 32, 64, 128)  # code widths up to one of these share a stack
SAMPLED = ("learned", "seed_ae", "trained_pca")  # arms whose models are run as sources of text, at the published width


class Samples:
    """Chains and what was sampled from them, a (source, seed) each, in the order of `keys`: tables (G, V, V)."""

    def __init__(self, config: Chains):
        sources = dict.fromkeys(cell.partition("/")[0] for cell in config.cells)
        self.config, self.keys = config, list(product(sources, range(config.seeds)))
        self.chains = [self._chain(source, seed) for source, seed in self.keys]

    @cached_property
    def counts(self) -> dict[str, np.ndarray]:
        """train: from `sequences` sequences; validation: from a quarter as many, drawn apart. (G, V, V)."""
        c, out = self.config, {}
        for split, share in (("train", 1), ("validation", 4)):
            drawn = []
            for chain, key in zip(self.chains, self.keys, strict=True):
                rng = devices.numpy_rng("sample", split, *key)
                drawn.append(tasks.bigram_counts(chain.sample(max(1, c.sequences // share), c.length, rng), c.vocab))
            out[split] = np.stack(drawn)
        return out

    @cached_property
    def tables(self) -> dict[str, Tensor]:
        """train, validation and test, each summing to one; the test table is the chain's own joint distribution."""
        out = {k: n / n.sum((1, 2), keepdims=True) for k, n in self.counts.items()}
        out["test"] = np.stack([chain.joint for chain in self.chains])
        return {k: torch.tensor(v, dtype=torch.float32) for k, v in out.items()}

    def index(self, model: Model) -> int:
        return self.keys.index((model.cell.partition("/")[0], model.seed))

    def chain(self, model: Model) -> tasks.Chain:
        return self.chains[self.index(model)]

    def _chain(self, source: str, seed: int) -> tasks.Chain:
        rng = devices.numpy_rng("chain", source, seed)
        if source == "pattern":
            return tasks.pattern(self.config.vocab)
        if source == "dirichlet":
            return tasks.dirichlet(self.config.vocab, rng)
        return tasks.planted(self.config.vocab, int(source.removeprefix("planted")), rng)


class ChainGrid(Grid):
    """All models of a `Chains`. matrices: the transitions (V, V) that the sampled models predict."""

    key = None

    def __init__(self, config: Chains, device: str = "cpu", work: Work | None = None, live: Live | None = None):
        super().__init__(config, config.vocab, config.full, config.full, device, work or Work(None), live)
        self.samples, self.matrices = Samples(config), {}
        self.bytes_each = 60 * 4 * config.vocab**2

    def full_width(self) -> list[list[Model]]:
        c, found = self.config, {}
        for cell, seed, rate in product(c.cells, range(c.seeds), c.rates):
            found.setdefault(_readout(cell), []).append(Model(cell, "full", c.full, seed, rate))
        return list(found.values())

    def narrow(self) -> list[list[Model]]:
        c, found = self.config, {}
        for cell, arms in c.cells.items():
            readout = _readout(cell)
            for arm, d, seed, rate in product([a for a in arms if a != "full"], c.widths, range(c.seeds), c.rates):
                bucket = next(b for b in BUCKETS if d <= b)
                key = readout, c.hidden_of(readout, arm), arm == "factorised", c.before(arm), bucket
                found.setdefault(key, []).append(Model(cell, arm, d, seed, rate))
        return [sorted(models) for models in found.values()]

    def code(self, model: Model) -> Tensor | None:
        if ARMS[model.arm][0] == "spectral":
            counts = self.samples.counts["train"][self.samples.index(model)]
            return codes.standardised(codes.spectral(counts, model.d))
        return super().code(model)

    def start(self, model: Model) -> dict[str, Tensor]:
        c, readout = self.config, _readout(model.cell)
        up = c.full if model.arm == "factorised" else 0
        return dict(networks.one(readout, c.vocab, model.d, c.hidden_of(readout, model.arm), model.seed, up))

    def fit(
        self, models: list[Model], params: stacked.Params, see: Callable[[Tensor], None], **how
    ) -> dict[str, Tensor]:
        readout, samples = _readout(models[0].cell), self.samples
        index = torch.tensor([samples.index(m) for m in models])
        held = [samples.tables[k][index].to(self.device) for k in ("validation", "test")]  # (M, V, V) each

        def probe(p):
            logits = networks.forward(p, readout)
            see(torch.stack([networks.cross_entropy(logits, table) for table in held], 1))

        if fused.takes(params, readout):
            learn, tables = how.pop("learn")["code"], samples.tables["train"].to(self.device)
            fused.fit(params, readout, tables, index, learn=learn, probe=probe, **how)
        else:
            table = samples.tables["train"][index].to(self.device)
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


def _readout(cell: str) -> str:
    return cell.partition("/")[2]
