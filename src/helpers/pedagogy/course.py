"""Two games, each with all its arms and seeds as one tensor program: with a witness, or against a discriminator.

Models are ordered by seed, then arm. A seed's arms share start, latents, labels, real images and dropped channels. In the
pedagogical game generator and witness move at once, by one gradient: what either sees of the other is cut off where the
document's script cuts it. In the adversarial game the discriminator moves first, on images of its own, then the generator.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices
from helpers.pedagogy import arms, draws, layers, nets
from helpers.pedagogy.arms import ARMS
from helpers.pedagogy.config import Raising
from helpers.pedagogy.layers import said
from helpers.stacked import Loss, Params

SETTLED = 60  # batches; a running moment keeps 0.9 of itself at each
KINDS = {  # what a player draws
    "taught": ("latents", "labels", "images", "dropped", "dropped, real"),
    "critic": ("latents, first", "labels, first", "images", "dropped, first", "dropped, real"),
    "adversarial": ("latents", "labels", "dropped"),
}


class Game:
    """One game's parameters, by the prefixes "generator.", "witness." or "critic.", and its players' losses.

    config: how the generators are raised. game: which. names: its arms. pixels (N, 1, s, s) and labels (N,): real images.
    teachers: judges (S, …), one a seed, by whose opinion they are grounded. dtype: to multiply in.
    """

    def __init__(
        self, config: Raising, game: str, names: Sequence[str], seeds: Sequence[int], pixels: Tensor, labels: Tensor,
        teachers: Params, *, device: str = "cpu", dtype: torch.dtype = torch.float32,
    ):  # fmt: skip
        self.config, self.game, self.dtype, self.device = config, game, dtype, device
        self.seeds, self.names = list(seeds), list(names)
        self.cells = [(name, seed) for seed in self.seeds for name in self.names]
        self.pixels, self.labels = pixels[:, 0].to(device), labels.to(device)
        self.teachers = {k: v.to(device) for k, v in teachers.items()}
        sense = config.witness if game == "pedagogical" else config.critic
        self.widths = [*sense.channels, sense.hidden]  # of what may be dropped: a sense's maps, and its head's layer
        many = {"latents": config.batch * config.body.latent, "dropped": config.batch * sum(self.widths)}
        self.words = {}
        for player, kinds in KINDS.items():
            counts = {kind: many.get(kind.partition(",")[0], config.batch) for kind in kinds}
            streams = {kind: draws.streams(kind, self.seeds, device) for kind in kinds}
            self.words[player] = draws.Several(streams, counts)
        self.phases = torch.tensor(arms.PHASES, device=device)
        keys, each = [seed for _, seed in self.cells], [ARMS[name] for name, _ in self.cells]
        self.weigh = {
            k: torch.tensor([float(getattr(a, k)) for a in each], device=device) for k in vars(each[0]) if k != "game"
        }
        made = {"generator": nets.generators(config.body, keys, device)}
        if game == "pedagogical":
            made["witness"] = nets.senses("witness", config.witness, keys, device)
        else:
            labelled = [a.labelled for a in each]
            made["critic"] = nets.senses("critic", config.critic, keys, device, labelled=labelled)
        self.params = {f"{who}.{name}": value for who, one in made.items() for name, value in one.items()}
        self.keeps = [self.params[k] for k in layers.buffers(self.params)]
        self.learn = dict.fromkeys(layers.buffers(self.params), False)
        idle = (
            "witness.seen" if game == "pedagogical" else "generator.told"
        )  # v_seen has no loss; nobody reads v_pred there
        self.learn |= {k: False for k in self.params if k.startswith(idle)}
        self._settle()

    @torch.no_grad()
    def _settle(self) -> None:
        """The generators' running moments become those of batches they draw as they start, the same in both games. As made, the
        moments belong to no batch, and a start that is looked at through them is nearly grey."""
        body, rngs = self.config.body, [devices.torch_rng("settling", seed) for seed in self.seeds]
        for _ in range(SETTLED):
            z = [torch.randn(self.config.batch, body.latent, generator=rng) for rng in rngs]
            asked = [torch.randint(body.classes, (self.config.batch,), generator=rng) for rng in rngs]
            z, asked = (self._every(torch.stack(each).to(self.device)) for each in (z, asked))
            nets.picture(self.generators(), body, z, asked, training=True, dtype=self.dtype)

    def losses(self, start: int = 0) -> dict[str, Loss]:
        """{prefix: loss} for `stacked.fit`, whose clock begins at 0 where `start` steps are behind."""
        if self.game == "pedagogical":
            return {"": lambda params, clock: self._taught(params, clock + start)}
        return {
            "critic.": lambda params, clock: self._critic(params, clock + start),
            "generator.": lambda params, clock: self._adversarial(params, clock + start),
        }

    def generators(self, params: Params | None = None) -> Params:
        """The generators' own parameters and buffers, without the prefix."""
        return _of("generator.", self.params if params is None else params)

    def grounding(self, clock: Tensor) -> Tensor:
        """(M,) the weight of grounding at a step: the phases, or one."""
        phase = (clock * len(arms.PHASES) // self.config.steps).clamp(max=len(arms.PHASES) - 1)
        now = self.phases.index_select(0, phase.view(1))
        return self.weigh["scale"] * torch.where(self.weigh["scheduled"] > 0, now, 1.0)

    def terms(self, params: Params, clock: Tensor) -> dict[str, Tensor]:
        """The pedagogical game's terms, (M,) each, without their weights: the generator's by their names in `arms.Upbringing`,
        and "reading", the witness's own, whose target is the judge's opinion."""
        witness, sense, word = _of("witness.", params), self.config.witness, self.words["taught"].at(clock)
        asked = self._labels(word["labels"])
        images, told = self._made(params, word["latents"], asked)
        opinions = nets.opinions(self.teachers, images, self.dtype)
        taken = opinions.argmax(1)
        shown = {"chance": self._chance(word["dropped"]), "dtype": self.dtype}
        reader = nets.look({k: v.detach() for k, v in witness.items()}, sense, images, **shown)
        learner = nets.look(witness, sense, images.detach(), **shown)
        real, known = self._real(word["images"])
        beside = nets.look(witness, sense, real, chance=self._chance(word["dropped, real"]), dtype=self.dtype)
        return {
            "align": (told - reader["seen"].detach()).square().mean((1, 2)),
            "judge": said(opinions, asked),
            "witness": said(reader["class"], asked),
            "detached": said(reader["class"], taken).detach(),
            "reading": said(learner["class"], taken) + said(beside["class"], known),
        }

    def _taught(self, params: Params, clock: Tensor) -> Tensor:
        """(M,) loss of the generators and of the witnesses."""
        term, weigh, now = self.terms(params, clock), self.weigh, self.grounding(clock)
        weight = {"align": weigh["align"], "reading": 1.0}
        weight |= {name: now * weigh[name] for name in ("judge", "witness", "detached")}
        return torch.stack([weight[name] * value for name, value in term.items()]).sum(0)

    def _critic(self, params: Params, clock: Tensor) -> Tensor:
        """(M,) loss of the discriminators: real or drawn, and in the AC-GAN which class."""
        sense, critic, weigh = self.config.critic, _of("critic.", params), self.weigh
        word = self.words["critic"].at(clock)
        real, known = self._real(word["images"])
        asked = torch.where(weigh["classes"][:, None] > 0, known, self._labels(word["labels, first"]))
        with torch.no_grad():
            images = self._made(params, word["latents, first"], asked)[0]
        shown = {"chance": self._chance(word["dropped, real"]), "dtype": self.dtype}
        right = nets.look(critic, sense, real, labels=known, **shown)
        shown["chance"] = self._chance(word["dropped, first"])
        wrong = nets.look(critic, sense, images, labels=asked, **shown)
        apart = F.softplus(-right["real"]).mean((1, 2)) + F.softplus(wrong["real"]).mean((1, 2))
        classes = weigh["classes"] * (said(right["class"], known) + said(wrong["class"], asked))
        return (apart + classes) / (
            1 + weigh["classes"]
        )  # the AC-GAN's is a half of four terms, the cGAN's a sum of two

    def _adversarial(self, params: Params, clock: Tensor) -> Tensor:
        """(M,) loss of the generators, not saturating, on latents of their own."""
        sense, weigh, word = self.config.critic, self.weigh, self.words["adversarial"].at(clock)
        asked = self._labels(word["labels"])
        images = self._made(params, word["latents"], asked)[0]
        critic = {k: v.detach() for k, v in _of("critic.", params).items()}
        chance = self._chance(word["dropped"])
        found = nets.look(critic, sense, images, labels=asked, chance=chance, dtype=self.dtype)
        loss = F.softplus(-found["real"]).mean((1, 2)) + weigh["classes"] * said(found["class"], asked)
        if any(ARMS[name].judge for name in self.names):
            judged = said(nets.opinions(self.teachers, images, self.dtype), asked)
            loss = loss + self.grounding(clock) * weigh["judge"] * judged
        return loss

    def _made(self, params: Params, word: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Images of a training batch, with the batch last, and v_pred (M, told, B)."""
        z = self._every(draws.normal(word).view(len(self.seeds), self.config.batch, -1))
        return nets.picture(self.generators(params), self.config.body, z, asked, training=True, dtype=self.dtype)

    def _labels(self, word: Tensor) -> Tensor:
        """(M, B) requested labels."""
        return self._every(draws.below(word, self.config.body.classes))

    def _real(self, word: Tensor) -> tuple[Tensor, Tensor]:
        """Real images (M, 1, s, s, B), drawn with replacement, and their labels (M, B)."""
        rows = draws.below(word, len(self.pixels))
        return self._every(self.pixels[rows].permute(0, 2, 3, 1))[:, None], self._every(self.labels[rows])

    def _chance(self, word: Tensor) -> list[Tensor]:
        """(M, C, B) for each map of a sense, then for its head's layer."""
        chance = self._every(draws.uniform(word).view(len(self.seeds), -1, self.config.batch))
        return list(chance.split(self.widths, 1))

    def _every(self, value: Tensor) -> Tensor:
        """(S, …) -> (M, …): what a seed's arms share."""
        return value.repeat_interleave(len(self.names), 0)


def _of(prefix: str, params: Params) -> Params:
    return {k.removeprefix(prefix): v for k, v in params.items() if k.startswith(prefix)}
