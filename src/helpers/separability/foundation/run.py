"""Experiment A: the only file that trains, resumes and logs.

A record is one arm with one seed, named as the document names it where it has a name; its last row is measured on
held-out prompts after training. Of the document's four arms the way there is recorded, too, at its adaptive pace.

Columns: part; arm, kind (patterns, weights, removed), dose (constrained heads), clamp, site; d_head, rate, chance;
seed. Metrics have the document's names, with site and layer where they belong to one: A_activation_resid_mid_L0.
A_activation and sigma_sq alone are those after the last block; variance is about the mean vector. G_stability,
G_plasticity: of attention on a fixed probe, from half of training to its end. trained: arms, after training. posthoc:
control and constraint with a clamp put on afterwards; set: whether every place got what the clamp sets. dose: the mean,
the rest (by the same amount, or alike, by the same share) or a random direction of the site changed by one dose;
removed: mean squared norm taken off. checks: what the claims' controls name. pilot: control accuracy by head width and
rate, on seeds that nothing else uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import safetensors.torch
from torch import Tensor

from helpers import frames
from helpers.records import Pace, Record
from helpers.separability.foundation import data, training
from helpers.separability.foundation.bench import Bench, Targets, part
from helpers.separability.foundation.config import CONDITIONS, Arm, Foundation
from helpers.study import Log

EXPERIMENT = "exp_a"  # in the document's file names
ENOUGH = 0.97  # control accuracy of a head width that is wide enough
PILOTS = 10_000_000  # above all seeds that are reported


def run_foundation(config: Foundation, log: Log) -> None:
    """All arms of a config. A head width of None is found first, and is the same for all of them."""
    if config.d_head is None:
        config = chosen(config, log)
    first = _Stage(config, log.device, config.free)
    log.once(("free", config), first.records)
    log.progress(1, 2)
    if config.clamped or len(config.free) > 1:
        targets = log.work.tensors(("targets", config), first.targets)
        log.once(("after", config), lambda: first.after(targets))
    if config.clamped:
        log.once(("clamped", config), _Stage(config, log.device, config.clamped, targets).records)
    log.progress(2, 2)


def chosen(config: Foundation, log: Log) -> Foundation:
    """The config with the smallest head width at which the control is right often enough on the pilot seeds, and the
    best rate there; with the best of all where none is. Widths beyond the first such one are not tried."""
    for width in config.widths:
        log.once(("pilot", width, config), lambda width=width: _pilot(config, width, log.device))
        pilots = frames.rows(log.frame(), part="pilot")
        score = pilots.groupby(["d_head", "rate"])["psi_accuracy"].mean()
        if score[width].max() >= ENOUGH:
            return replace(config, d_head=width, rates=(float(score[width].idxmax()),))
    width, rate = score.idxmax()
    return replace(config, d_head=int(width), rates=(float(rate),))


def _pilot(config: Foundation, width: int, device: str) -> list[Record]:
    small = replace(config, d_head=width, seed=PILOTS, seeds=config.pilots)
    feed, out = data.feed(small, small.names, device), []
    for rate in config.rates:
        bench = Bench(small, feed, [Arm("control")], device)
        trained = training.train(bench, config.steps, rate, looks=1)
        for seed, accuracy in zip(small.names, bench.accuracy(trained.params).tolist(), strict=True):
            known = {"part": "pilot", "d_head": width, "rate": rate}
            record = Record(EXPERIMENT, f"pilot.{width}.{rate:g}", seed, known)
            record.log(config.steps, accuracy=accuracy)
            out.append(record)
    return out


class _Stage:
    """Arms that are trained together, when something of them is asked for first. targets: the control's, for arms
    with clamps."""

    def __init__(self, config: Foundation, device: str, arms: Sequence[Arm], targets: Targets | None = None):
        self.config, self.device, self.arms, self.given = config, device, tuple(arms), targets

    @cached_property
    def bench(self) -> Bench:
        return self.alone(self.arms, self.given)

    @cached_property
    def trained(self) -> training.Trained:
        return training.train(self.bench, self.config.steps, self.config.rates[0])

    def alone(self, arms: Sequence[Arm], targets: Targets | None = None) -> Bench:
        """A bench of some arms with the same prompts."""
        return Bench(self.config, data.feed(self.config, self.config.names, self.device), arms, self.device, targets)

    def known(self, what: str, arm: Arm, **more: object) -> dict[str, object]:
        """A record's metadata."""
        chance = 1 / (self.config.prime if self.config.dataset == "modular" else self.config.vocab)
        out = {"part": what, "arm": arm.name, "kind": arm.kind, "dose": arm.dose, "clamp": arm.clamp, "site": arm.site}
        return out | {"d_head": self.config.d_head, "rate": self.config.rates[0], "chance": chance} | more

    def records(self) -> list[Record]:
        """Every arm and seed after training, and the document's own on their way."""
        params, way, began, stable = self.trained
        end = _plain(self.bench.measure(params) | {"G_stability": stable, "G_plasticity": 1 - stable})
        still, seeds = training.held_still(self.bench, params).tolist(), self.config.names
        out = []
        for i, (arm, seed) in enumerate((arm, seed) for arm in self.arms for seed in seeds):
            known = self.known("trained", arm, frozen_equal=still[i], start_time=began)
            record = Record(EXPERIMENT, arm.name, seed, known, Pace())
            for step, seconds, found in way[:-1] if arm.name in CONDITIONS else ():
                told = {k: float(found[k][i]) for k in ("A_activation", "A_learned", "A_param", "sigma_sq", "margin")}
                record.log(step, accuracy=float(found["psi_accuracy"][i]), seconds=seconds, **told)
            record.pace = None
            record.log(self.config.steps, seconds=way[-1][1], **{k: v[i] for k, v in end.items()})
            if arm.name in CONDITIONS:
                one = {k: v[i].detach().cpu().contiguous() for k, v in params.items()}
                record.checkpoint(self.config.steps, safetensors.torch.save(one))
            out.append(record)
        return out

    def targets(self) -> dict[str, Tensor]:
        """What clamps are set to: the control's, a value a seed."""
        params = part(self.trained.params, 0, self.config.seeds)
        return {k: v.cpu() for k, v in self.alone(self.arms[:1]).calibrate(params).items()}

    def after(self, targets: Targets) -> list[Record]:
        """Trained controls and constrained models with clamps put on; what the claims' controls name."""
        out = []
        for place, arm in enumerate(self.arms[:2]):
            bench = self.alone([arm], targets)
            params = part(self.trained.params, place, self.config.seeds)
            for (clamp, site), found in training.clamped_after(bench, params).items():
                name = f"{arm.name}.{clamp}.{site}"
                out += self._each(name, self.known("posthoc", arm, clamp=clamp, site=site), found)
            for dose, found in training.doses(bench, params, self.config.site).items():
                name = f"{arm.name}.dose.{dose}"
                out += self._each(name, self.known("dose", arm, clamp=dose, site=self.config.site), found)
        bench, params = self.alone(self.arms[:1]), part(self.trained.params, 0, self.config.seeds)
        checks = training.late(bench, params) | {"future_leak": training.leak(bench, params)}
        checks |= training.on(bench, params, max(1, self.config.steps // 4), self.config.rates[0])
        return out + self._each("checks", self.known("checks", self.arms[0]), checks)

    def _each(self, name: str, known: dict, found: Mapping[str, Tensor]) -> list[Record]:
        """A record a seed of one thing that was done."""
        out, values = [], _plain(found)
        for i, seed in enumerate(self.config.names):
            record = Record(EXPERIMENT, name, seed, known)
            record.log(self.config.steps, **{k: v[i] for k, v in values.items()})
            out.append(record)
        return out


def _plain(found: Mapping[str, Tensor]) -> dict[str, list[float]]:
    return {k: v.tolist() for k, v in found.items()}
