"""What is measured of generators while they are raised: through one judge the cloud of each class, through others the
labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from helpers import devices
from helpers.data import Images
from helpers.pedagogy import diversity, nets
from helpers.pedagogy.config import Body
from helpers.pedagogy.dynamics.config import Looking
from helpers.stacked import Params
from helpers.topology import dimension, judge, measure

CLOUDS = ("printed", "mackay", "twonn", "count", "expected", "holes")
COLUMNS = ("pooled", *CLOUDS, "correct", "taught", "pixel_variance", "feature_variance")


class Looks:
    """One way to look: judges (S, …), one a seed, through which clouds are seen; teachers (S, …), whose approval is
    `taught`; scorers, stacks (1, …), whose mean is `correct`. Real images, so many of each class, are what variances
    are held to.

    The latents are a seed's own, the same at every look and for all arms.
    """

    def __init__(
        self, looking: Looking, body: Body, images: Images, seeds: Sequence[int], eyes: Params, teachers: Params,
        scorers: Sequence[Params], device: str,
    ):  # fmt: skip
        self.looking, self.body, self.seeds, self.device = looking, body, list(seeds), device
        self.eyes, self.teachers, self.scorers = eyes, teachers, scorers
        z = [
            torch.randn(body.classes * looking.each, body.latent, generator=devices.torch_rng("looked", s))
            for s in seeds
        ]
        self.z = torch.stack(z).to(device)  # (S, classes · each, latent)
        self.labels = torch.arange(body.classes, device=device).repeat_interleave(looking.each)
        self.real, self.again = self._real(images)
        self.ground = judge.features(eyes, self.real)  # (S, N, d)

    def _real(self, images: Images) -> tuple[Tensor, Tensor]:
        """Two samples (S, N, 1, s, s) of real images, which share as few as the data allow: of the test part, where that
        has enough of each class."""
        fewest = {part: int(np.bincount(getattr(images, f"{part}_labels")).min()) for part in ("test", "train")}
        each, source = self.looking.each, "test" if fewest["test"] >= self.looking.each else "train"
        many = min(2 * each, fewest[source])
        drawn = [images.each(many, devices.numpy_rng("real", seed), source)[0] for seed in self.seeds]
        whole = torch.from_numpy(np.stack(drawn)).to(self.device).unflatten(1, (images.classes, many))
        return whole[:, :, :each].flatten(1, 2), whole[:, :, -each:].flatten(1, 2)

    def look(self, step: int, generators: Params) -> dict[str, Tensor]:
        """{"values": (M, columns) of COLUMNS, "pictures": (arms, classes, s, s) of the first seed, uint8}; models by
        seed, then arm. The step is not used: every look is the same."""
        count = len(generators["first"])
        z = self.z.repeat_interleave(count // len(self.seeds), 0)
        parts = [
            nets.draw(generators, self.body, one, label)
            for one, label in zip(z.split(self.looking.batch, 1), self.labels.split(self.looking.batch), strict=True)
        ]
        images = torch.cat(parts, 1)  # (M, N, 1, s, s)
        values = self.seen(images)
        first = images[: count // len(self.seeds), :: self.looking.each, 0]
        pictures = ((first + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return {"values": torch.from_numpy(values), "pictures": pictures}

    def seen(self, images: Tensor) -> np.ndarray:
        """(M, columns) of images (M, classes · each, 1, s, s), M / S of them a seed, in the seeds' order."""
        count, seeds = len(images), len(self.seeds)
        grouped = images.reshape(seeds, -1, *images.shape[2:])
        classes, each = self.body.classes, self.looking.each
        features = judge.features(self.eyes, grouped).view(count, classes, each, -1)
        found = measure(features, self.looking.k, self.looking.level)  # (M, classes) each
        found = {name: _mean(found[name]) for name in CLOUDS}
        found["pooled"] = dimension(features.flatten(1, 2), "printed", self.looking.k).cpu().numpy()
        right = lambda logits: (logits.argmax(-1).view(count, -1) == self.labels.to(logits.device)).double().mean(-1)
        scores = [right(judge.opinions(stack, images.flatten(0, 1))) for stack in self.scorers]
        found["correct"] = torch.stack(scores).mean(0).cpu().numpy()
        found["taught"] = right(judge.opinions(self.teachers, grouped).flatten(0, 1)).cpu().numpy()
        found |= {
            "pixel_variance": self._spread(images, self.real),
            "feature_variance": self._spread(features, self.ground),
        }
        return np.stack([np.asarray(found[name], float) for name in COLUMNS], 1)

    def _spread(self, made: Tensor, real: Tensor) -> np.ndarray:
        """(M,) variance within classes over that of the seed's real images."""
        classes, seeds, each = self.body.classes, len(self.seeds), self.looking.each
        made = made.reshape(seeds, -1, classes, each, made[0].numel() // (classes * each))
        real = real.reshape(seeds, classes, each, -1)
        return torch.cat([diversity.variance(a, b) for a, b in zip(made, real, strict=True)]).cpu().numpy()


def _mean(values: np.ndarray) -> np.ndarray:
    """(M,) means over classes; nan where one of them has no value, since its images are one image."""
    return np.where(np.isfinite(values), values, np.nan).mean(1)
