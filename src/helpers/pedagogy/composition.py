"""Do frozen generators of single digits compose? A splitter learns to ask each of them for two digits of a relation.

Pair and label: a generator is asked for x and for y, with two latents that a splitter makes of one. The splitter, an MLP
(Linear, LeakyReLU, Linear), sees the latent z alone, as in the document, or z with an embedding of the pair. It is trained on
−E[P(X > Y)] + share · ½ (CE(x) + CE(y)) under the frozen relation judge. All generators, with a splitter each, are one tensor
program; a generator keeps its running statistics, and nothing of it learns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices, stacked
from helpers.checks import a_rate, at_least, expect
from helpers.pedagogy import draws, relation
from helpers.pedagogy.nets import Body, draw
from helpers.stacked import Params
from helpers.topology import judge

VARIANTS = {  # how the two latents come about, and what is asked for
    "splitter": "from a splitter, as in the document",
    "none": "two independent latents",
    "swapped": "from the document's splitter, the request turned round",
    "pair": "from a splitter that knows the pair",
}
SLOPE = 0.2  # of the splitter's LeakyReLU
PAGES = 4096  # that all generators together draw at a time where nothing is trained
SETS = {"train": False, "held": True}


@dataclass(frozen=True)
class Composition:
    """How splitters are trained and asked. steps, batch, rate, hidden: as in the document; share: of the digits' own
    cross-entropy in the loss; embed: width of a pair's embedding; samples: pages of a generator in each set of pairs."""

    steps: int = 5000
    batch: int = 64
    rate: float = 2e-4
    hidden: int = 256
    share: float = 0.1
    embed: int = 16
    samples: int = 1000
    variants: tuple[str, ...] = tuple(VARIANTS)

    def __post_init__(self):
        at_least(self, steps=1, batch=1, hidden=1, embed=1, samples=1)
        a_rate(self.rate)
        expect(self.share >= 0, f"share={self.share} of the cross-entropy would reward wrong digits; use 0 or more")
        for name in self.variants:
            expect(name in VARIANTS, f"variant {name!r} is unknown; there are {', '.join(VARIANTS)}")
        expect(len(self.variants) > 0, "variants=() measures nothing; use ('splitter',)")


def compose(
    params: Params,
    body: Body,
    cells: Sequence[Mapping[str, object]],
    readers: Params,
    judges: Sequence[Params],
    config: Composition,
    device: str = "cpu",
    kept: dict[str, Params] | None = None,
) -> list[dict]:
    """One row a cell, variant and set of pairs: {**cell, variant, pairs ("train" or "held"), relation, joint, first, second,
    product}.

    params: generators (M, …); cells: what each is, with its `seed`: cells of one seed share their splitters' start and all
    latents. readers: the relation judges, one, or one a seed in the seeds' order; judges: stacks (J, …) that trained nothing.

    relation: share of pages with P(X > Y) > ½ under the relation judge, as printed. joint: both digits are as requested,
    first and second: the one is, product: first · second of each pair and judge; means over pairs and judges. kept: {}
    takes the splitters, by variant.

    Raises ValueError where numbers of generators, cells and relation judges do not fit.
    """
    seeds = _fits(params, cells, readers)
    which = torch.tensor([seeds.index(cell["seed"]) for cell in cells], device=device)
    eyes = {k: v.to(device)[which if len(v) > 1 else torch.zeros_like(which)] for k, v in readers.items()}
    generators = {k: v.detach().to(device) for k, v in params.items()}
    held = relation.held_out(body.classes)
    splitters = {
        name: train(generators, body, eyes, seeds, which, config, told=name == "pair")
        for name in _splitters(config.variants)
    }
    if kept is not None:
        kept.update(splitters)
    rows = []
    for variant in config.variants:
        splitter = splitters.get("splitter" if variant == "swapped" else variant)
        for pairs, kept in SETS.items():
            asked = torch.nonzero(held == kept)[:, 0]
            found = _asked(generators, body, splitter, eyes, judges, seeds, which, asked, variant, config)
            rows += [{**cell, "variant": variant, "pairs": pairs} | row for cell, row in zip(cells, found, strict=True)]
    return rows


def untrained(body: Body, seeds: Sequence[int], config: Composition, *, told: bool) -> Params:
    """Splitters as torch starts its layers, one a seed. told: they know the pair, by an embedding (M, P, embed)."""
    made = []
    wide = body.latent + (config.embed if told else 0)
    for seed in seeds:
        rng, one = devices.torch_rng("splitter", seed, told), {}
        for name, (out, into) in {"in": (config.hidden, wide), "out": (2 * body.latent, config.hidden)}.items():
            one[name] = (torch.rand(out, into, generator=rng) * 2 - 1) * into**-0.5
            one[f"{name}.bias"] = (torch.rand(out, generator=rng) * 2 - 1) * into**-0.5
        if told:
            one["pair"] = torch.randn(len(relation.pairs(body.classes)), config.embed, generator=rng)
        made.append(one)
    return stacked.pile(made)


def split(params: Params, z: Tensor, pair: Tensor) -> tuple[Tensor, Tensor]:
    """Two latents (M, B, latent) of one z (M, B, latent). pair (M, B): rows of `relation.pairs`, for those that know it."""
    if "pair" in params:
        rows = torch.arange(len(z), device=z.device)[:, None]
        z = torch.cat([z, params["pair"][rows, pair]], -1)
    x = torch.baddbmm(params["in.bias"][:, None], z, params["in"].transpose(1, 2))
    x = F.leaky_relu(x, SLOPE)
    return torch.baddbmm(params["out.bias"][:, None], x, params["out"].transpose(1, 2)).chunk(2, -1)


def train(
    generators: Params, body: Body, eyes: Params, seeds: Sequence[int], which: Tensor, config: Composition, *,
    told: bool = False,
) -> Params:  # fmt: skip
    """A splitter for each generator (M, …), trained on the pairs that are not held out. which: (M,) the place of each
    one's seed in `seeds`; eyes: the relation judge of each (M, …)."""
    device = which.device
    pairs, shown = (
        relation.pairs(body.classes).to(device),
        torch.nonzero(~relation.held_out(body.classes))[:, 0].to(device),
    )
    start = untrained(body, seeds, config, told=told)
    params = {k: v.to(device)[which] for k, v in start.items()}
    stream = draws.streams("splitter", seeds, device)[which]

    def loss(params: Params, clock: Tensor) -> Tensor:
        z, pair = requested(stream, clock, body, shown, config.batch)
        asked = pairs[pair]  # (M, B, 2)
        images = _drawn(generators, body, *split(params, z, pair), asked)
        left, right = judge.logits(eyes, images).chunk(2, 1)
        own = _surprise(left, asked[..., 0]) + _surprise(right, asked[..., 1])
        return -relation.above(left, right).mean(1) + config.share * own / 2

    stacked.fit(params, loss, lr=config.rate, steps=config.steps)
    return params


def requested(stream: Tensor, clock: Tensor, body: Body, shown: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    """Latents (M, batch, latent) and requests (M, batch), of `shown`, at a step, of streams (M,)."""
    wide = batch * body.latent
    word = draws.words(stream, clock, wide + wide % 2 + batch)
    z = draws.normal(word[:, batch:])[:, :wide].view(-1, batch, body.latent)
    return z, shown[draws.below(word[:, :batch], len(shown))]


@torch.no_grad()
def pages(params: Params, body: Body, z: tuple[Tensor, Tensor], asked: Tensor) -> Tensor:
    """(M, B, 1, s, 3 s) what generators draw for the requests (M, B, 2) from two latents (M, B, latent)."""
    left, right = _drawn(params, body, *z, asked).chunk(2, 1)
    return relation.page(left, right)


def _fits(params: Params, cells: Sequence[Mapping[str, object]], readers: Params) -> list[int]:
    """The seeds in order."""
    count, eyes = len(next(iter(params.values()))), len(next(iter(readers.values())))
    if count != len(cells) or not cells:
        raise ValueError(f"{count} generators and {len(cells)} cells; a cell says what each generator is")
    seeds = sorted({cell["seed"] for cell in cells})
    if eyes not in (1, len(seeds)):
        raise ValueError(f"{eyes} relation judges for {len(seeds)} seeds; use one, or one a seed")
    return seeds


def _splitters(variants: Sequence[str]) -> list[str]:
    """What must be trained for these variants."""
    return [name for name in ("splitter", "pair") if name in variants or (name == "splitter" and "swapped" in variants)]


def _drawn(params: Params, body: Body, first: Tensor, second: Tensor, asked: Tensor) -> Tensor:
    """(M, 2 B, 1, s, s): the first digits, then the second."""
    return draw(params, body, torch.cat([first, second], 1), torch.cat([asked[..., 0], asked[..., 1]], 1))


def _surprise(logits: Tensor, labels: Tensor) -> Tensor:
    """(M,) cross-entropy, mean over B, of logits (M, B, C)."""
    lost = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return lost.view(labels.shape).mean(1)


@torch.no_grad()
def _asked(
    generators: Params, body: Body, splitter: Params | None, eyes: Params, judges: Sequence[Params], seeds: Sequence[int],
    which: Tensor, among: Tensor, variant: str, config: Composition,
) -> list[dict[str, float]]:  # fmt: skip
    """A row a generator: each pair of `among` is asked for equally often, from latents that no training saw."""
    device, pairs = which.device, relation.pairs(body.classes).to(which.device)
    rngs = [devices.torch_rng("test latents", seed) for seed in seeds]
    every = among.repeat(-(-config.samples // len(among)))[: config.samples].to(device)
    fresh = torch.stack(
        [torch.randn(2, len(every), body.latent, generator=rng) for rng in rngs], 1
    )  # (2, S, N, latent)
    found, size = [], max(1, PAGES // len(which))
    for pair, some in zip(every.split(size), fresh.split(size, 2), strict=True):
        one, other = some.to(device)[:, which]  # (M, B, latent) each
        pair = pair.expand(len(which), -1)
        asked = pairs[pair]
        latents = (one, other) if splitter is None else split(splitter, one, pair)
        images = _drawn(generators, body, *latents, asked.flip(-1) if variant == "swapped" else asked)
        found.append(_scores(images, asked, eyes, judges))
    each = torch.cat(found, -1)  # (M, J, 3, samples): P(X > Y) > ½, first, second
    right = each[:, :, 1:].bool()
    columns = {
        "relation": each[:, 0, 0].double().mean(-1),
        "joint": right.all(2).double().mean((1, 2)),
    } | products(right, len(among))
    return [{k: float(v[m]) for k, v in columns.items()} for m in range(len(which))]


def products(right: Tensor, pairs: int) -> dict[str, Tensor]:
    """(M,) first, second and product, means over judges and pairs. right: (M, J, 2, N), page i of pair i modulo `pairs`."""
    of = F.one_hot(torch.arange(right.shape[-1], device=right.device) % pairs, pairs).double()  # (N, P)
    counts = of.sum(0)
    first, second = (right[:, :, i].double() @ of / counts.clamp(min=1) for i in (0, 1))  # (M, J, P)
    share = counts / counts.sum()
    each = {"first": first, "second": second, "product": first * second}
    return {k: (v @ share).mean(1) for k, v in each.items()}


def _scores(images: Tensor, asked: Tensor, eyes: Params, judges: Sequence[Params]) -> Tensor:
    """(M, J, 3, B) of pages with digits (M, 2 B, 1, s, s): the relation judge is sure, the first is right, the second is."""
    m, b = asked.shape[:2]
    sure = relation.above(*judge.logits(eyes, images).chunk(2, 1)) > relation.SURE  # (M, B)
    said = torch.cat([judge.opinions(stack, images.flatten(0, 1)).argmax(-1) for stack in judges])
    said = said.view(-1, m, 2, b)  # (J, M, 2, B)
    right = said.to(asked.device) == asked.transpose(1, 2)  # (J, M, 2, B)
    return torch.cat([sure[:, None, None].expand(-1, len(said), 1, -1), right.transpose(0, 1)], 2)
