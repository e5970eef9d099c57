"""The models whose heads are taken out: the toy's, trained here, or a language model that was loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from torch import nn

from helpers import devices, lm
from helpers.separability import decoders, hooks
from helpers.separability.decoders import Decoder
from helpers.separability.repair import prompts, toy
from helpers.separability.repair.config import MOVERS, TOY, Heads, Repair
from helpers.separability.repair.prompts import Make
from helpers.work import Work


@dataclass(frozen=True)
class Rung:
    """A model with what makes its prompts. seed: of the toy's model, or of the names; digest: of the weights.

    dropout: the share of heads that was left out in training, nan where that is unknown. dropped: names that the
    tokenizer splits."""

    name: str
    seed: int
    model: nn.Module
    decoder: Decoder
    make: Make
    digest: str
    dropout: float = float("nan")
    dropped: int = 0


def rungs(config: Repair, device: str, work: Work) -> list[Rung]:
    """The models of a run, one a seed; of the toy one a seed and dropout. Raises what `lm.load` raises, and
    ValueError for a head that the model lacks, blocks of an unknown kind, or a tokenizer that splits the names:
    before anything is trained or run."""
    if config.model == TOY:
        return _toys(config, device, work)
    loaded = lm.load(config.model, device=device, dtype="float32")
    decoder, (make, dropped) = hooks.read(loaded.model), prompts.of_language(loaded)
    config.check(decoder.layers, decoder.heads)
    digest = decoders.digest(loaded.model)
    return [
        Rung(loaded.name, seed, loaded.model, decoder, make, digest, dropped=len(dropped))
        for seed in range(config.seeds)
    ]


def _toys(config: Repair, device: str, work: Work) -> list[Rung]:
    symbols, make, out = config.symbols, prompts.of_symbols(config.symbols), []
    params = toy.trained(symbols, device, work)
    for index, (dropout, seed) in enumerate(toy.members(symbols)):
        model = toy.as_gpt2(params, index, symbols).to(device)
        out.append(Rung(TOY, seed, model, hooks.read(model), make, decoders.digest(model), dropout))
    return out


def movers(attribution: np.ndarray) -> Heads:
    """The heads that write most of the right name less the wrong one, (L, H), in the order of what they write."""
    top = np.argsort(-attribution, axis=None, kind="stable")[:MOVERS]
    return tuple((int(i) // attribution.shape[1], int(i) % attribution.shape[1]) for i in top)


def matched(
    chosen: Sequence[tuple[int, int]], norms: np.ndarray, count: int, *key: object
) -> list[tuple[Heads, int, float]]:
    """Random sets of as many other heads, each with how many blocks it lies away and how its output norm compares.

    norms: (L, H). Drawn without replacement from the nearer half, by norm, of the sets in the same blocks; where
    those are too few, from the nearest of all, by blocks and then by norm. All that there are, where a small model
    has fewer than `count`."""
    layers = sorted(layer for layer, _ in chosen)
    own = sum(norms[h] for h in chosen)
    free = [h for h in product(*map(range, norms.shape)) if h not in set(chosen)]
    found = _in_blocks(layers, free)
    inside = len(found)
    if inside < count:
        found = list(combinations(free, len(chosen)))
    away = lambda s: sum(abs(a - b) for a, b in zip(sorted(layer for layer, _ in s), layers, strict=True))
    ranked = sorted(
        ((s, away(s), float(sum(norms[h] for h in s) / own)) for s in found), key=lambda r: (r[1], abs(np.log(r[2])))
    )
    pool = ranked[: max(count, inside // 2)]
    drawn = devices.numpy_rng("matched heads", *key).permutation(len(pool))[:count]
    return [pool[i] for i in sorted(drawn)]


def _in_blocks(layers: Sequence[int], free: Sequence[tuple[int, int]]) -> list[Heads]:
    """All sets of free heads with exactly these blocks."""
    by_block = [combinations([h for h in free if h[0] == k], list(layers).count(k)) for k in sorted(set(layers))]
    return [tuple(h for part in parts for h in part) for parts in product(*by_block)]
