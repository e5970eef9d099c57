"""Training a bench, and what is done to its models afterwards."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import NamedTuple

import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.separability import clamps, heads, metrics, models
from helpers.separability.foundation.bench import Bench, directions
from helpers.separability.foundation.config import FROZEN, MIDDLE, POST_HOC, PRINTED, SITES
from helpers.stacked import Params

LOOKS = 20  # times that training is looked at
FEW = 64  # prompts to look with
CLOSE = 1e-4  # relative, of what a clamp sets
LOUDER = 3.0
WRITE = ("W_E", "W_pos", "W_O", "W_out", "b_out")  # to the stream


class Trained(NamedTuple):
    """A bench after training: parameters, [(step, seconds from the start, {metric: (M,)})] on the way, when training began,
    and G's stability (M,) from half of training to its end."""

    params: Params
    way: list[tuple[int, float, dict[str, Tensor]]]
    began: str
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
    way: list[tuple[int, float, dict[str, Tensor]]] = []
    routes: list[Tensor] = []
    ahead = iter(sorted(marks | {before}))

    def look(params: Params) -> Tensor:
        step = next(ahead)
        if step in (before, steps):
            routes.append(bench.routing(params))
        if step in marks:
            found = {k: v.cpu() for k, v in bench.measure(params, FEW).items()}  # waits for the device
            way.append((step, time.monotonic() - start, found))
        return bench.frozen

    params, start, began = bench.start(), time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
    learn = heads.learned(bench.arch, bench.frozen)
    stacked.fit(params, bench.loss, lr=rate, steps=steps, learn=learn, log=marks | {before}, probe=look)
    return Trained(params, way, began, metrics.stability(routes[1], routes[0]))


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
    """(M,) the largest change of a logit, at any position, when all tokens after it are others. 0 in a causal model."""
    tokens = bench.spread(bench.feed.held[:, :4, :-1])
    other, worst = (tokens + 1) % bench.feed.vocab, torch.zeros(bench.count, device=bench.device)
    with torch.no_grad():
        plain = models.forward(params, tokens, bench.arch, bench.edits)
        for cut in range(1, tokens.shape[-1]):
            changed = torch.cat([tokens[..., :cut], other[..., cut:]], -1)
            logits = models.forward(params, changed, bench.arch, bench.edits)
            worst = torch.maximum(worst, (logits - plain)[:, :, :cut].abs().flatten(1).amax(1))
    return worst


def on(bench: Bench, params: Params, steps: int, rate: float) -> dict[str, Tensor]:
    """{check: accuracy (M,)} of trained models after some more steps on the same prompts: with three of their heads, which
    cannot change any more (frozen_late), and with all of them (trained_on)."""
    later, out = lambda p, step: bench.loss(p, step + bench.config.steps), {}
    for name, dose in (("frozen_late", FROZEN), ("trained_on", 0)):
        again = {k: v.clone() for k, v in params.items()}
        learn = heads.learned(bench.arch, bench.mask([dose] * len(bench.arms)))
        stacked.fit(again, later, lr=rate, steps=steps, learn=learn)
        out[f"accuracy_{name}"] = bench.accuracy(again)
    return out


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
    """{'mean' | 'rest' | 'alike' | 'random': accuracy, and the mean squared norm that was taken off, (M,)} at one site.

    The mean vector and the rest lose the same amount; alike, the rest loses the same share as the mean does. The random
    direction is a shift as long as the one that shrinks the mean."""
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
        "alike": lambda r: clamps.shrunk(r, rest=a),
        "random": lambda r: clamps.random_direction(r, shift, bench.unit),
    }.items():
        found = bench.accuracy(params, {site: edit})
        out[name] = {"psi_accuracy": found, "removed": energy(plain) - energy(edit(plain))}
    return out


def late(bench: Bench, params: Params, doses_of: int = FROZEN) -> dict[str, Tensor]:
    """{check: (M,)} on trained controls: accuracy with heads deleted; accuracy, and amplitude after the block and in its
    middle, of the same function at LOUDER times the amplitude."""
    gone = {"z.0": heads.removed(bench.mask([doses_of] * len(bench.arms)))}
    found = bench.measure(louder(params), sites=(MIDDLE, PRINTED))
    known = {"accuracy_louder": found["psi_accuracy"], "A_louder": found["A_activation"]}
    known["A_louder_mid"] = found[f"A_activation_{MIDDLE}_L0"]
    return {"accuracy_deleted": bench.accuracy(params, gone)} | known


def louder(params: Params, times: float = LOUDER) -> Params:
    """Models whose stream is so many times as long everywhere and that answer as before: all that is written to the stream is
    enlarged, and all that reads it divides by its length (LayerNorm, but for its epsilon)."""
    return {k: v * times if k.partition(".")[0] in WRITE else v for k, v in params.items()}
