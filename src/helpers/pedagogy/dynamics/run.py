"""Training dynamics: the only file that trains, resumes and logs.

A record is one part of one arm with one seed. Columns: part, arm, seed, step, steps (of training in all). dynamics and
printed: those of `looking.COLUMNS`, at every look: printed, mackay, twonn, count, expected and holes are means over
classes, as `topology.measure` has them; pooled is the printed dimension of all classes as one cloud; correct and taught,
shares of images that scoring judges, or the teaching one, take for what was asked; pixel_variance and feature_variance,
within classes, over real images. The arm "real" is another sample of real images. printed: the document's weaver as it is
coded, through its own judge; its record holds the digest of the predictions. composition: variant, pairs and the columns of
`composition.compose`, at the last step. pictures: png, what the first seed's generators draw of each class. instrument:
`topology.told_apart`, and scorers, right answers of the scoring judges on the test part. audit: term, and for each part of
a generator the norm of that term's gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import torch

from helpers import devices, files, stacked
from helpers.data import Images
from helpers.pedagogy import arms, composition, judges, pictures, relation
from helpers.pedagogy.config import Raising
from helpers.pedagogy.course import Game
from helpers.pedagogy.dynamics import printed
from helpers.pedagogy.dynamics.audit import audit
from helpers.pedagogy.dynamics.config import COMPOSED, PICTURES, PRINTED_LOOKS, SHOWN, THIRDS
from helpers.pedagogy.dynamics.looking import COLUMNS, Looks
from helpers.pedagogy.dynamics.scale import Dynamics
from helpers.pedagogy.raised import raised
from helpers.records import Record
from helpers.stacked import Params
from helpers.study import Log
from helpers.topology import judge, told_apart

MOST = {"cpu": 4, "cuda": 10}  # seeds that are raised at once
BYTES = 192  # that a pixel of a generator's maps takes in training, with the judge's and the witness's beside them


def run_dynamics(config: Dynamics, images: Images, log: Log) -> None:
    """Raise all arms with all seeds, look at them on the way, and ask them to compose at the end.

    Raises ValueError, before anything is trained, for images of fewer than three classes or too few of a class.
    """
    bench = _Bench(config, images, log)
    log.once(("instrument", bench.looking), bench.instrument)
    log.once(("audit", bench.key), bench.audit)
    for seeds in bench.chunks:
        eyes = cache(lambda seeds=seeds: bench.eyes(seeds))
        log.once(("real", bench.key, bench.looking, seeds), lambda eyes=eyes: bench.real(eyes()))
        played = {}
        for names in bench.games:
            raise_ = lambda names=names, seeds=seeds, eyes=eyes, played=played: bench.dynamics(
                names, seeds, eyes(), played
            )
            log.once(("dynamics", bench.key, bench.looking, names, seeds), raise_)
        ask = lambda seeds=seeds, eyes=eyes, played=played: bench.composed(seeds, eyes(), played)
        log.once(("composition", bench.key, bench.looking, bench.config.task, seeds), ask)


def run_printed(config: Dynamics, images: Images, log: Log) -> None:
    """The document's own pedagogical run, every seed: its weaver, its coded loss, its judge, its twenty checkpoints.
    Its adversarial run is the arm cGAN of `run_dynamics`, which has the document's generator and another judge, as the
    document's had."""
    bench = _Bench(config, images, log)
    for seeds in bench.chunks:
        log.once(
            ("printed", bench.key, config.weaver, bench.looking, seeds), lambda seeds=seeds: bench.published(seeds)
        )


class _Bench:
    """One run's settings, judges and real images, and the records that are made of them."""

    def __init__(self, config: Dynamics, images: Images, log: Log):
        self.config = config = config.sized(images.size, images.classes)
        self.images, self.log, self.looking, self.device = images, log, config.looking, log.device
        relation.held_out(images.classes)
        images.each(self.looking.each, np.random.default_rng(0), "train")
        raising = config.raising
        self.key = (raising, config.judging, images.digest)
        self.games = [names for names in (arms.of(game, raising.arms) for game in arms.GAMES) if names]
        kind = "cuda" if self.device.startswith("cuda") else "cpu"
        (a, b, c), s = raising.body.channels, images.size
        maps = a * (s // 4) ** 2 + b * (s // 2) ** 2 + c * s * s
        each = len(raising.arms) * raising.batch * maps * BYTES
        what = "raising generators"
        self.chunks = [tuple(x) for x in stacked.chunked(raising.every, each, self.device, what, most=MOST[kind])]
        train = lambda: judges.jury(config.judging, images, raising.every, log.device).named()
        self.jury = judges.restored(log.work.tensors(("judges", self.key), train), log.device)

    def eyes(self, seeds: Sequence[int]) -> Looks:
        of = lambda stack: self._of(stack, seeds)
        return Looks(
            self.looking, self.config.raising.body, self.images, seeds, of(self.jury.eyes), of(self.jury.teachers),
            self.jury.scorers, self.device,
        )  # fmt: skip

    def instrument(self) -> list[Record]:
        record = self._record("instrument", "none", self.config.raising.first)
        found = told_apart(self.looking.each, self.looking.k, key=self.config.raising.first, level=self.looking.level)
        held = [torch.from_numpy(a) for a in self.images.scaled("test")]
        scores = [float(judge.accuracy(stack, *held).mean()) for stack in self.jury.scorers]
        record.log(0, **found, scorers=sum(scores) / len(scores))
        return [record]

    def audit(self) -> list[Record]:
        seed = self.config.raising.first
        record = self._record("audit", "wired", seed)
        for i, row in enumerate(audit(self._game(self.config.raising, ("wired",), (seed,)))):
            record.log(i, **row)
        return [record]

    def real(self, eyes: Looks) -> list[Record]:
        """Another sample of real images, measured as if a generator had drawn it."""
        values, out = eyes.seen(eyes.again), []
        for seed, row in zip(eyes.seeds, values, strict=True):
            out.append(self._record("dynamics", "real", seed))
            out[-1].log(0, **dict(zip(COLUMNS, row.tolist(), strict=True)))
        return out

    def dynamics(self, names: tuple[str, ...], seeds: Sequence[int], eyes: Looks, played: dict) -> list[Record]:
        marks = self.looking.marks(self.config.raising.steps)
        seen = self._played(names, seeds, eyes, played)[1]
        values, drawn = seen["values"].numpy(), seen["pictures"].numpy()  # (T, M, columns), (T, arms, classes, s, s)
        cells, out = [(name, seed) for seed in seeds for name in names], []
        for m, (name, seed) in enumerate(cells):
            out.append(self._record("dynamics", name, seed))
            for step, row in zip(marks, values[:, m].tolist(), strict=True):
                out[-1].log(step, **dict(zip(COLUMNS, row, strict=True)))
        if self.config.raising.first in seeds:
            out += [self._pictures(name, marks, drawn[:, i]) for i, name in enumerate(names) if name in SHOWN]
        return out

    def composed(self, seeds: Sequence[int], eyes: Looks, played: dict) -> list[Record]:
        """Every seed's generators at the end, and untrained ones, asked for the two digits of a relation."""
        steps, params, cells = self.config.raising.steps, [], []
        for names in self.games:
            kept = self._played(names, seeds, eyes, played)[0]
            wanted = [("untrained", 0, names[0])] if names == self.games[0] else []
            wanted += [(name, steps, name) for name in names if name in COMPOSED]
            for arm, step, name in wanted:
                params.append({k: v[names.index(name) :: len(names)] for k, v in kept[step].items()})
                cells += [{"arm": arm, "seed": seed} for seed in seeds]
        whole = {k: torch.cat([one[k] for one in params]) for k in params[0]}
        readers = self._of(self.jury.readers, sorted(seeds))
        task = self.config.task
        rows = composition.compose(
            whole, self.config.raising.body, cells, readers, self.jury.scorers, task, self.device
        )
        out = {(cell["arm"], cell["seed"]): self._record("composition", cell["arm"], cell["seed"]) for cell in cells}
        for row in rows:
            told = {k: v for k, v in row.items() if k not in ("arm", "seed")}
            out[row["arm"], row["seed"]].log(0 if row["arm"] == "untrained" else steps, **told)
        return list(out.values())

    def published(self, seeds: Sequence[int]) -> list[Record]:
        config, of = self.config.printed, lambda stack: self._of(stack, seeds)
        own = of(self.jury.teachers)
        eyes = Looks(self.looking, config.body, self.images, seeds, own, own, self.jury.scorers, self.device)
        marks = replace(self.looking, looks=PRINTED_LOOKS).grid(config.steps)
        game = self._game(config, ("coded",), seeds)
        key = ("printed", self.key, config.body, self.looking, seeds)
        with devices.tf32(config.products != "exact" and self.device.startswith("cuda")):
            seen = raised(game, (), self.log.work, key, marks=marks, look=eyes.look)[1]["values"].numpy()
        out = []
        for m, seed in enumerate(seeds):
            out.append(self._record("printed", "coded", seed, predictions=files.digest(printed.predictions())))
            for step, row in zip(marks, seen[:, m].tolist(), strict=True):
                out[-1].log(step, **dict(zip(COLUMNS, row, strict=True)))
        return out

    def _played(self, names: tuple[str, ...], seeds: Sequence[int], eyes: Looks, played: dict) -> tuple[dict, dict]:
        """The generators of one game at the start, at the ends of phases and at the end, and what was seen; once a
        run."""
        if names not in played:
            config = self.config.raising
            keep = sorted({0, config.steps, *(round(share * config.steps) for share in THIRDS)})
            key = ("dynamics", self.key, self.looking, names, seeds)
            marks = self.looking.marks(config.steps)
            with devices.tf32(config.products != "exact" and self.device.startswith("cuda")):
                game = self._game(config, names, seeds)
                played[names] = raised(game, keep, self.log.work, key, marks=marks, look=self._told(eyes, names))
        return played[names]

    def _told(self, eyes: Looks, names: tuple[str, ...]):
        """To look, and to tell the runner how far this game is; the first looks are a few steps apart, so looks are counted."""
        marks = self.looking.marks(self.config.raising.steps)
        before = self.games.index(names) * len(marks)

        def look(step: int, generators: Params) -> dict:
            self.log.progress(before + marks.index(step) + 1, len(self.games) * len(marks))
            return eyes.look(step, generators)

        return look

    def _game(self, config: Raising, names: tuple[str, ...], seeds: Sequence[int]) -> Game:
        pixels, labels = (torch.from_numpy(a) for a in self.images.scaled("train"))
        half = config.products == "bf16" and self.device.startswith("cuda")
        given = {"device": self.device, "dtype": torch.bfloat16 if half else torch.float32}
        kind = arms.ARMS[names[0]].game
        return Game(config, kind, names, seeds, pixels, labels, self._of(self.jury.teachers, seeds), **given)

    def _of(self, stack: Params, seeds: Sequence[int]) -> Params:
        places = [self.config.raising.every.index(seed) for seed in seeds]
        return {k: v[places] for k, v in stack.items()}

    def _pictures(self, name: str, marks: list[int], drawn: np.ndarray) -> Record:
        """(T, classes, s, s) uint8 as strips, at a few of the looks."""
        record = self._record("pictures", name, self.config.raising.first)
        steps = marks[-1]
        wanted = [0, *(round(steps * share) for share in (1 / 50, 1 / 30, 1 / 10, 1 / 3, 2 / 3)), steps][:PICTURES]
        for i in sorted({int(np.abs(np.array(marks) - step).argmin()) for step in wanted}):
            strip = pictures.strip(drawn[i][:, None].astype(float) / 127.5 - 1)
            record.log(marks[i], png=pictures.png(strip))
        return record

    def _record(self, part: str, arm: str, seed: int, **more: object) -> Record:
        known = {"part": part, "arm": arm, "steps": self.config.raising.steps, "looks": self.looking.looks}
        known |= {"data": self.images.name} | more
        return Record(self.log.name, f"{part}.{arm}", seed, known)
