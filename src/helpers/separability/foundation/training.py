"""Training a bench, and what is done to its models afterwards."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.separability import clamps, heads, metrics, models
from helpers.separability.foundation.bench import Bench, directions
from helpers.separability.foundation.config import FROZEN, POST_HOC, PRINTED, SITES
from helpers.stacked import Params

LOOKS = 20  # times that training is looked at
FEW = 64  # prompts to look with
CLOSE = 1e-4  # relative, of what a clamp sets


class Trained(NamedTuple):
    """A bench after training: parameters, [(step, {metric: (M,)})] on the way, and G's stability (M,) over the last
    eighth."""

    params: Params
    way: list[tuple[int, dict[str, Tensor]]]
    stability: Tensor


def train(bench: Bench, steps: int, rate: float, looks: int = LOOKS) -> Trained:
    """Train all arms of a bench; frozen heads keep their weights, moments and decay. Raises MemoryError before it
    starts."""
    config, feed = bench.config, bench.feed
    weights = sum(math.prod(shape) for shape in bench.arch.shapes.values())
    prompts = max(config.batch, config.held)
    each = 16 * weights + 4 * 6 * feed.vocab * prompts * feed.last + 4 * 12 * config.d * prompts * feed.length
    devices.need_memory(bench.count * each, bench.device, f"{bench.count} models side by side")
    marks = {*range(0, steps, max(1, steps // looks)), steps}
    before = steps // 2
    way: list[tuple[int, dict[str, Tensor]]] = []
    routes: list[Tensor] = []
    ahead = iter(sorted(marks | {before}))

    def look(params: Params) -> Tensor:
        step = next(ahead)
        if step in (before, steps):
            routes.append(bench.routing(params))
        if step in marks:
            way.append((step, bench.measure(params, FEW)))
        return bench.frozen

    params = bench.start()
    learn = heads.learned(bench.arch, bench.frozen)
    stacked.fit(params, bench.loss, lr=rate, steps=steps, learn=learn, log=marks | {before}, probe=look)
    return Trained(params, way, metrics.stability(routes[1], routes[0]))


def held_still(bench: Bench, params: Params) -> Tensor:
    """(M,) 1 where what was to stay did: frozen weights as at the start, fixed patterns as they were drawn, bit for
    bit."""
    start, out = bench.start(), torch.ones(bench.count, device=bench.device)
    for name in heads.MATRICES:
        same = (start[f"{name}.0"] == params[f"{name}.0"]).flatten(2).all(-1)  # (M, H)
        out *= (same | ~bench.frozen.bool()).all(-1)
    routed, queries = bench.routing(params), bench.feed.last  # (M, P, H, last, T)
    fixed = bench.fixed[:, None, :, -queries:, :]
    same = (routed == fixed).flatten(3).all(-1).all(1)  # (M, H)
    return out * (same | ~bench.of("patterns").bool()).all(-1)


def leak(bench: Bench, params: Params) -> Tensor:
    """(M,) the largest change of a logit when the tokens after it are others. 0 in a causal model."""
    tokens = bench.spread(bench.feed.held[:, :8, :-1])
    other = tokens.clone()
    other[..., tokens.shape[-1] // 2 :] = (other[..., tokens.shape[-1] // 2 :] + 1) % bench.feed.vocab
    with torch.no_grad():
        logits = [models.forward(params, x, bench.arch, bench.edits) for x in (tokens, other)]
    change = (logits[1] - logits[0]).abs()[:, :, : tokens.shape[-1] // 2]
    return change.flatten(1).amax(1)


def frozen_late(bench: Bench, params: Params, steps: int, rate: float) -> Tensor:
    """(M,) accuracy of trained models after some more steps, in which three of their heads cannot change any more."""
    params = {k: v.clone() for k, v in params.items()}
    later = lambda p, step: bench.loss(p, step + bench.config.steps)
    learn = heads.learned(bench.arch, bench.mask([FROZEN] * len(bench.arms)))
    stacked.fit(params, later, lr=rate, steps=steps, learn=learn)
    return bench.accuracy(params)


def clamped_after(bench: Bench, params: Params, sites=SITES) -> dict[tuple[str, str], dict[str, Tensor]]:
    """{(clamp, site): metrics (M,)} of trained models with a clamp put on. set: 1 where the place that the next
    operation reads holds what the clamp sets: the norm of every token, or the mean one."""
    out, along = {}, directions(params)
    for kind in sites:
        site = bench.arch.site(kind)
        for name in POST_HOC:
            edit = bench.clamp(name, kind, along)
            found = bench.measure(params, edits={site: edit}, sites=(kind,))
            out[name, kind] = {k: found[k] for k in ("psi_accuracy", "margin", f"A_activation_{kind}_L0")}
            out[name, kind]["set"] = _is_set(bench, params, name, kind, edit)
    return out


def _is_set(bench: Bench, params: Params, name: str, kind: str, edit) -> Tensor:
    """(M,) whether the consumer's own input has the norm that was set; 1 for clamps that set no norm."""
    if name not in ("naive", "token_norm"):
        return torch.ones(bench.count)
    site = bench.arch.site(kind)
    whole, added = {"resid_mid": ("resid_post", "mlp_out")}.get(kind, (kind, ""))
    keep = [bench.arch.site(whole), *([bench.arch.site(added)] if added else [])]
    with torch.no_grad():
        kept = bench.cached(params, bench.feed.held[:, :8], {site: edit}, keep)[1]
    r = kept[keep[0]] - (kept[keep[1]] if added else 0)
    norm, to = r.norm(dim=-1), bench.targets[f"{kind}.norm"]
    norm = norm.mean((1, 2), keepdim=True) if name == "naive" else norm
    return ((norm / to[:, None, None] - 1).abs() < 100 * CLOSE).flatten(1).all(1).float()


def doses(bench: Bench, params: Params, kind: str) -> dict[str, dict[str, Tensor]]:
    """{'mean' | 'rest' | 'random': accuracy, and the mean squared norm that was taken off, (M,)} at one site.

    The mean vector and the rest lose the same amount. The random direction is a shift as long as the one that shrinks
    the mean."""
    site = bench.arch.site(kind)
    with torch.no_grad():
        plain = bench.cached(params, bench.feed.held, None, [site])[1][site]
    a, s = clamps.equal_dose(plain)
    shift = (1 - a) * plain.mean(metrics.PLACES).norm(dim=-1)
    energy = lambda r: r.square().sum(-1).mean((-2, -1))
    out = {}
    for name, edit in {
        "mean": lambda r: clamps.shrunk(r, mean=a),
        "rest": lambda r: clamps.shrunk(r, rest=s),
        "random": lambda r: clamps.random_direction(r, shift, bench.unit),
    }.items():
        found = bench.accuracy(params, {site: edit})
        out[name] = {"psi_accuracy": found, "removed": energy(plain) - energy(edit(plain))}
    return out


def late(bench: Bench, params: Params, doses_of: int = FROZEN) -> dict[str, Tensor]:
    """{check: (M,)} on trained controls: with heads deleted, and the stream after the block scaled by three."""
    gone = {"z.0": heads.removed(bench.mask([doses_of] * len(bench.arms)))}
    tripled = bench.measure(params, edits={bench.arch.site(PRINTED): lambda r: 3 * r}, sites=(PRINTED,))
    return {"accuracy_deleted": bench.accuracy(params, gone), "A_tripled": tripled["A_activation"]}
