"""Models of several arms and seeds side by side: what they read, how they are constrained and clamped, and what is
measured.

Row a · S + s of a stack is arm a with seed s: all arms of a seed start from the same weights and read the same prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices, stacked
from helpers.separability import clamps, heads, metrics, models
from helpers.separability.foundation.config import HEADS, PRINTED, SITES, Arm, Foundation
from helpers.separability.foundation.data import Feed
from helpers.separability.models import Architecture, Edit, Edits
from helpers.stacked import Params

Targets = Mapping[str, Tensor]  # {'resid_mid.norm': (S,), …}: of the control, a value a seed
PROBE = 16  # prompts on which routing is followed


class Bench:
    """A stack of arms × seeds. targets: the control's, where an arm has a clamp."""

    def __init__(
        self, config: Foundation, feed: Feed, arms: Sequence[Arm], device: str = "cpu", targets: Targets | None = None
    ):
        self.config, self.feed, self.arms, self.device = config, feed, tuple(arms), device
        self.seeds, self.count = config.names, len(arms) * config.seeds
        self.targets = {k: v.to(device) for k, v in (targets or {}).items()}
        self.arch = Architecture(feed.vocab, feed.length, config.d, HEADS, config.d_head, config.d_mlp)
        self.frozen = self.of("weights")
        self.fixed = self.spread(torch.stack([heads.fixed_patterns(self.arch, s) for s in self.seeds]).to(device))
        self.unit = torch.stack([torch.randn(config.d, generator=devices.torch_rng("unit", s)) for s in self.seeds])
        self.unit = F.normalize(self.unit, dim=-1).to(device)  # (S, d): directions that know nothing of the task
        self.edits: dict[str, Edit] = {}
        if any(arm.kind == "patterns" for arm in self.arms):
            self.edits["pattern.0"] = heads.routing(self.fixed, self.of("patterns"))
        if any(arm.kind == "removed" for arm in self.arms):
            self.edits["z.0"] = heads.removed(self.of("removed"))
        for site in {arm.site for arm in self.arms if arm.clamp}:
            self.edits[self.arch.site(site)] = self._clamps(site)

    def start(self) -> Params:
        """(M, …) initial parameters."""
        made = [models.one(self.arch, s, *(["own"] if arm.own else [])) for arm in self.arms for s in self.seeds]
        return {k: v.to(self.device) for k, v in stacked.pile(made).items()}

    def mask(self, doses: Sequence[int]) -> Tensor:
        """(M, H): so many heads of every arm."""
        return heads.mask_of(self.arch, [n for n in doses for _ in self.seeds]).to(self.device)

    def of(self, kind: str) -> Tensor:
        """(M, H): the heads that a kind of constraint is on."""
        return self.mask([arm.dose if arm.kind == kind else 0 for arm in self.arms])

    def spread(self, x: Tensor) -> Tensor:
        """(S, …) for every arm: (M, …)."""
        return x.repeat(len(self.arms), *[1] * (x.dim() - 1))

    def loss(self, params: Params, step: Tensor) -> Tensor:
        """(M,) mean cross-entropy of the last positions' targets, in nats."""
        tokens = self.feed.draw(step)
        logits = self.logits(params, tokens)
        right = tokens[..., -self.feed.last :]  # (S, B, last)
        right = torch.cat([right.roll(1, 1) if arm.shuffled else right for arm in self.arms])
        flat = F.cross_entropy(logits.flatten(0, 2), right.flatten(), reduction="none")
        return flat.view(self.count, -1).mean(1)

    def logits(self, params: Params, tokens: Tensor, edits: Edits | None = None) -> Tensor:
        """(M, B, last, V) for tokens (S, B, T + 1)."""
        read = self.spread(tokens[..., :-1])
        return models.forward(params, read, self.arch, {**self.edits, **(edits or {})}, last=self.feed.last)

    def cached(self, params: Params, tokens: Tensor, edits: Edits | None, keep: Sequence[str]) -> tuple:
        """Logits and {site: what stood there}, of the last positions."""
        read = self.spread(tokens[..., :-1])
        given = {**self.edits, **(edits or {})}
        return models.cached(params, read, self.arch, given, keep=keep, last=self.feed.last)

    def accuracy(self, params: Params, edits: Edits | None = None) -> Tensor:
        """Ψ (M,) on the held-out prompts."""
        with torch.no_grad():
            found = self.logits(params, self.feed.held, edits)
        return metrics.psi_accuracy(found, self.spread(self.feed.held[..., -self.feed.last :]))

    def routing(self, params: Params) -> Tensor:
        """(M, P, H, last, T): the patterns on the probe, which never changes."""
        with torch.no_grad():
            return self.cached(params, self.feed.held[:, :PROBE], None, ["pattern.0"])[1]["pattern.0"]

    def measure(
        self, params: Params, prompts: int | None = None, edits: Edits | None = None, sites: Sequence[str] = SITES
    ) -> dict[str, Tensor]:
        """{metric: (M,)} on held-out prompts, all or the first few: the document's, and those of some sites."""
        sites = {kind: self.arch.site(kind) for kind in dict.fromkeys([*sites, PRINTED])}
        held = self.feed.held[:, :prompts]
        right = self.spread(held[..., -self.feed.last :])
        with torch.no_grad():
            logits, kept = self.cached(params, held, edits, [*sites.values()])
            out = {"psi_accuracy": metrics.psi_accuracy(logits, right), "margin": metrics.margin(logits, right)}
            out["margin_angular"] = out["margin"] / logits.norm(dim=-1).mean((-2, -1))
            for kind, site in sites.items():
                name = f"{kind}_L0"
                out[f"A_activation_{name}"] = metrics.A_activation(kept[site])
                out[f"sigma_sq_{name}"] = metrics.sigma_sq(kept[site])
                out[f"variance_{name}"] = metrics.variance(kept[site])
                out[f"mean_share_{name}"] = metrics.mean_share(kept[site])
            out["A_activation"] = out[f"A_activation_{PRINTED}_L0"]
            out["sigma_sq"] = out[f"sigma_sq_{PRINTED}_L0"]
            out["A_learned"] = metrics.A_learned(params["ln_final.w"])
            out["A_param"] = metrics.A_param([params["W_V.0"]])
            if self.feed.seen is not None:
                seen = self.logits(params, self.feed.seen, edits)
                out["accuracy_seen"] = metrics.psi_accuracy(seen, self.spread(self.feed.seen[..., -self.feed.last :]))
        return out

    def calibrate(self, params: Params) -> dict[str, Tensor]:
        """The targets (M,) that this stack's models give for every site: what a clamp sets another model to."""
        sites = {kind: self.arch.site(kind) for kind in SITES}
        with torch.no_grad():
            kept = self.cached(params, self.feed.held, None, [*sites.values()])[1]
        out = {}
        for kind, site in sites.items():
            r = kept[site]
            mean = r.mean(metrics.PLACES, keepdim=True)
            out[f"{kind}.norm"] = metrics.A_activation(r)
            out[f"{kind}.spread"] = (r - mean).std((-3, -2, -1), correction=0)
            out[f"{kind}.mean"] = mean.flatten(1).norm(dim=-1)
            out[f"{kind}.rest"] = metrics.A_activation(r - mean)
            out[f"{kind}.signal"] = metrics.A_activation(clamps.class_signal(r, directions(params), 1.0, 0.0))
        return out

    def clamp(self, name: str, site: str, along: Tensor | None = None) -> Edit:
        """A clamp of one arm's seeds (S, B, T, d) to the control's targets. along: (S, k, d) directions of the class
        signal."""
        to = {k.partition(".")[2]: v for k, v in self.targets.items() if k.startswith(f"{site}.")}
        unit = self.unit
        length = lambda r: r.mean(metrics.PLACES, keepdim=True).norm(dim=-1, keepdim=True)  # (S, 1, 1, 1)

        def signal(r: Tensor) -> Tensor:
            inside = metrics.A_activation(clamps.class_signal(r, along, 1.0, 0.0))
            return clamps.class_signal(r, along, to["signal"] / inside)

        return {
            "naive": lambda r: clamps.naive(r, to["norm"]),
            "mean_preserving": lambda r: clamps.mean_preserving(r, to["spread"]),
            "token_norm": lambda r: clamps.token_norm(r, to["norm"]),
            "mean_vector": lambda r: clamps.mean_vector(r, to["mean"]),
            "dispersion": lambda r: clamps.dispersion(r, to["rest"]),
            "random_direction": lambda r: clamps.random_direction(r, to["mean"], unit),
            "sham": clamps.sham,
            "preserving": lambda r: clamps.preserving(r, unit[:, None, None] * length(r), to["spread"]),
            "class_signal": signal,
        }[name]

    def _clamps(self, site: str) -> Edit:
        """One edit for a whole stack: the rows of arms with a clamp at this site are clamped."""
        size = len(self.seeds)
        own: list[Callable | None] = [
            self.clamp(arm.clamp, site) if arm.clamp and arm.site == site else None for arm in self.arms
        ]
        return lambda x: torch.cat([f(rows) if f else rows for f, rows in zip(own, x.split(size), strict=True)])


def directions(params: Params, share: int = 4) -> Tensor:
    """(M, d / share, d): the directions of the stream that the unembedding reads most."""
    left = torch.linalg.svd(params["W_U"], full_matrices=False)[0]  # (M, d, d)
    return left[:, :, : max(1, left.shape[-1] // share)].mT


def part(params: Params, place: int, size: int) -> Params:
    """The parameters of one arm's `size` seeds."""
    return {k: v[place * size : (place + 1) * size].clone() for k, v in params.items()}
