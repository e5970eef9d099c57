"""Generators of one body by arm, moment and seed, and what is measured of what they draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.data import Images
from helpers.pedagogy import diversity
from helpers.pedagogy.arms import ARMS
from helpers.pedagogy.config import Body, Raising
from helpers.pedagogy.course import Game
from helpers.pedagogy.judges import Judging, Jury
from helpers.pedagogy.phases.config import Variety
from helpers.pedagogy.raised import raised
from helpers.stacked import Params
from helpers.study import Log
from helpers.topology import judge

Cell = tuple[str, str, int]  # arm, moment, the seed's number
Raised = Mapping[tuple[str, str], Params]  # (arm, moment): generators (S, …), one a seed
Moments = Mapping[str, Mapping[str, int]]  # {arm: {moment: step}}


def settled(config: Raising, teachers: Params, images: Images, device: str) -> Params:
    """The generators (S, …) of all arms as they start, with moments of batches that they draw."""
    return {k: v.cpu() for k, v in _game(config, ("wired",), teachers, images, device).generators().items()}


def played(
    config: Raising, names: Sequence[str], moments: Moments, teachers: Params, images: Images, log: Log, key: object
) -> dict[tuple[str, str], Params]:
    """The generators of one game's arms at their moments. key: what tells these games from others in the log's work."""
    game = _game(config, names, teachers, images, log.device)
    keep = sorted({step for name in names for step in moments[name].values()})
    found, _ = raised(game, keep, log.work, (names, key))
    rows = {name: slice(i, None, len(names)) for i, name in enumerate(names)}  # models are ordered by seed, then arm
    return {
        (name, at): {k: v[rows[name]] for k, v in found[step].items()}
        for name in names
        for at, step in moments[name].items()
    }


def chosen(found: Raised, cells: Sequence[Cell], seeds: Sequence[int]) -> Params:
    """(M, …) the generators of these cells."""
    rows = [{k: v[seeds.index(seed)] for k, v in found[arm, at].items()} for arm, at, seed in cells]
    return stacked.pile(rows)


def fitting(config: Variety, images: Images) -> Variety:
    """The same with no more images of a class than there are. Raises ValueError where a class has too few for density."""
    few = {part: np.bincount(getattr(images, f"{part}_labels"), minlength=images.classes) for part in ("train", "test")}
    test, train = few["test"], few["train"]
    for part, counts in few.items():
        if counts.min() <= config.k:
            told = f"{images.name}: class {counts.argmin()} has {counts.min()} {part} images"
            raise ValueError(
                f"{told}; density looks at k={config.k} neighbours, so use images with {config.k + 1} of each or more"
            )
    each = min(config.each, int(test.min()), int(train.min()))
    return replace(config, each=each, taught=min(config.taught, int(train.min())))


def samples(config: Variety, images: Images, seeds: Sequence[int]) -> dict[str, Tensor]:
    """Real images: {"ground": (S, C, each, 1, s, s) of the test part, "again": (S, C, n, 1, s, s) of the training part}, n
    enough for both uses."""
    count = max(config.each, config.taught)
    drawn = {"ground": (config.each, "test"), "again": (count, "train")}

    def one(name: str, seed: int) -> Tensor:
        pixels, _ = images.each(drawn[name][0], devices.numpy_rng("variety", name, seed), drawn[name][1])
        return torch.from_numpy(pixels).unflatten(0, (images.classes, -1))

    return {name: torch.stack([one(name, seed) for seed in seeds]) for name in drawn}


def made(config: Variety, params: Params, body: Body, seeds: Sequence[int], device: str) -> Tensor:
    """(M, C, n, 1, s, s) what generators draw, of each class enough for both uses. seeds: (M,) of each, whose latents are the
    same for all arms."""
    size = body.classes, max(config.each, config.taught), body.latent
    of = {
        seed: torch.randn(*size, generator=devices.torch_rng("variety's latents", seed))
        for seed in dict.fromkeys(seeds)
    }
    params = {k: v.to(device) for k, v in params.items()}
    return diversity.drawn(params, body, torch.stack([of[seed] for seed in seeds]), device)


def varied(
    config: Variety, judging: Judging, pictures: Tensor, places: Sequence[int], ground: Tensor, jury: Jury,
    images: Images, device: str,
) -> list[dict[str, float]]:  # fmt: skip
    """A row for each of the pictures (M, C, n, 1, s, s): correct, variances, density, coverage and taught. places: of each
    row's seed among all; ground: (S, C, each, 1, s, s) real images."""
    which, pictures = torch.tensor(places, device=device), pictures.to(device)
    few, ground = pictures[:, :, : config.each], ground.to(device)
    eyes = {k: v.to(device) for k, v in jury.eyes.items()}
    seen = _features({k: v[which] for k, v in eyes.items()}, few)  # (M, C, each, F)
    known = _features(eyes, ground)  # (S, C, each, F)
    held = [torch.from_numpy(a) for a in images.scaled("test")]
    shape, keys = judging.shapes(images.size, images.classes)["eyes"], [("taught", place) for place in places]
    lessons = {"steps": config.steps, "batch": config.batch, "rate": config.rate, "device": device}
    learned = diversity.taught(shape, pictures[:, :, : config.taught], *held, keys, **lessons)
    right = correct(pictures, jury, device)
    return [
        {
            "correct": right[m],
            "pixel_variance": float(diversity.variance(few[m].flatten(2), ground[place].flatten(2))),
            "feature_variance": float(diversity.variance(seen[m], known[place])),
            "density": float(diversity.density(seen[m], known[place], config.k)),
            "coverage": float(diversity.coverage(seen[m], known[place], config.k)),
            "taught": float(learned[m]),
        }
        for m, place in enumerate(places)
    ]


def correct(pictures: Tensor, jury: Jury, device: str) -> list[float]:
    """Of pictures (M, C, n, 1, s, s) the share that the scoring judges take for their class, a mean over both."""
    pictures = pictures.to(device)
    wanted = torch.arange(pictures.shape[1], device=device).repeat_interleave(pictures.shape[2])
    said = [judge.opinions(one, pictures.flatten(0, 2)).argmax(-1).view(len(pictures), -1) for one in jury.scorers]
    return (torch.stack(said).to(device) == wanted).double().mean((0, 2)).tolist()


def moved(one: Params, other: Params) -> list[float]:
    """The largest difference of two sets of generators, a seed each."""
    gaps = torch.stack([(v - other[k]).abs().flatten(1).amax(1) for k, v in one.items()])
    return gaps.amax(0).tolist()


def _game(config: Raising, names: Sequence[str], teachers: Params, images: Images, device: str) -> Game:
    pixels, labels = (torch.from_numpy(a) for a in images.scaled("train"))
    half = config.products == "bf16" and device.startswith("cuda")
    given = {"device": device, "dtype": torch.bfloat16 if half else torch.float32}
    return Game(config, ARMS[names[0]].game, names, config.every, pixels, labels, teachers, **given)


def _features(eyes: Params, clouds: Tensor) -> Tensor:
    """(M, C, n, F) of pictures (M, C, n, 1, s, s), each row through a judge of its own."""
    return judge.features(eyes, clouds.flatten(1, 2)).unflatten(1, clouds.shape[1:3])
