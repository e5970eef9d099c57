"""The first phase: the only file that trains, resumes and logs.

A record is one part of one arm at one moment with one seed. Columns: part, arm, at (the moment), seed, step, steps (of
training in all).
composition: variant, pairs, and those of `composition.compose`. variety: correct, of the requested class by judges that
trained nothing; pixel_variance, feature_variance, density, coverage, as in `diversity`; taught, right answers on real
images of a classifier taught by these; the arm "real" is a second sample of real images. prefix: moved, the largest
difference at T/3 between the wired arm and the one that goes on as it began. pages: png, what the first seed's generators
draw for held-out pairs with the document's splitter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from helpers import devices, stacked
from helpers.data import Images
from helpers.pedagogy import arms, composition, judges, pictures, relation
from helpers.pedagogy.phases import measure
from helpers.pedagogy.phases.config import LOOKS, SAME, looks
from helpers.pedagogy.phases.measure import Cell
from helpers.pedagogy.phases.scale import Ablation
from helpers.records import Record
from helpers.stacked import Params
from helpers.study import Log

MOST = {"cpu": 32, "cuda": 48}  # generators that are measured at a time
SHOWN = 4  # pages of a generator that are kept to be looked at
BYTES = 96  # that a pixel of a map takes while a splitter is trained: what its layers keep, in single precision


def run_phases(config: Ablation, images: Images, log: Log) -> None:
    """Raise the arms, let them compose at each of their moments, and measure what they draw.

    Raises ValueError, before anything is trained, for images of fewer than three classes, or with fewer of a class than
    the measures of variety need.
    """
    relation.held_out(images.classes)
    variety = measure.fitting(config.variety, images)
    config = replace(config, raising=config.raising.sized(images.size, images.classes), variety=variety)
    real = measure.samples(config.variety, images, config.raising.every)
    bench = _Bench(config, images, log, real)
    log.once(("prefix", bench.key), bench.prefix)
    log.once(("real", config.variety, bench.key), bench.real)
    chunks = list(bench.chunks())
    with devices.tf32(log.device.startswith("cuda")):
        for i, cells in enumerate(chunks):
            log.once(("composition", config.task, cells, bench.key), lambda cells=cells: bench.composed(cells))
            log.once(("variety", config.variety, cells, bench.key), lambda cells=cells: bench.varied(cells))
            log.progress(i + 2, len(chunks) + 1)


class _Bench:
    """One run's settings, judges, generators and real images, and the records that are made of them."""

    def __init__(self, config: Ablation, images: Images, log: Log, real: dict[str, Tensor]):
        self.config, self.images, self.log, self.samples = config, images, log, real
        raising, self.device = config.raising, log.device
        self.seeds, self.body = list(raising.every), raising.body
        self.key = key = (raising, config.judging, images.digest)
        self.moments = looks(raising.steps, tuple(arm for arm in LOOKS if arm in raising.arms))
        train = lambda: judges.jury(config.judging, images, raising.every, log.device).named()
        self.jury = judges.restored(log.work.tensors(("judges", key), train), log.device)
        start = measure.settled(raising, self.jury.teachers, images, self.device)
        self.raised = {("untrained", "start"): start} if "untrained" in self.moments else {}
        for names in filter(None, (arms.of(game, tuple(self.moments)) for game in arms.GAMES)):
            self.raised |= measure.played(raising, names, self.moments, self.jury.teachers, images, log, key)

    def chunks(self) -> Iterable[Sequence[Cell]]:
        """All cells, so many at a time as the device holds; but not SAME, which is the wired arm itself."""
        kept = [(arm, at) for arm, found in self.moments.items() for at in found if (arm, at) != SAME]
        cells = tuple((arm, at, seed) for arm, at in kept for seed in self.seeds)
        (a, b, c), s = self.body.channels, self.body.size
        maps = a * (s // 4) ** 2 + b * (s // 2) ** 2 + c * s * s
        each = 2 * self.config.task.batch * maps * BYTES
        kind = "cuda" if self.device.startswith("cuda") else "cpu"
        return stacked.chunked(cells, each, self.device, "training splitters", most=MOST[kind])

    def prefix(self) -> list[Record]:
        if SAME not in self.raised or ("wired", SAME[1]) not in self.raised:
            return []
        gaps = measure.moved(self.raised["wired", SAME[1]], self.raised[SAME])
        return [
            self._record("prefix", ("wired", SAME[1], seed), [{"moved": gap}])
            for seed, gap in zip(self.seeds, gaps, strict=True)
        ]

    def real(self) -> list[Record]:
        """A second sample of real images, measured as if a generator had drawn it; right answers are those on the first, of the
        test part, which no judge was trained on."""
        rows = self._varied(self.samples["again"], range(len(self.seeds)))
        known = measure.correct(self.samples["ground"], self.jury, self.device)
        rows = [row | {"correct": right} for row, right in zip(rows, known, strict=True)]
        return [
            self._record("variety", ("real", "start", seed), [row]) for seed, row in zip(self.seeds, rows, strict=True)
        ]

    def varied(self, cells: Sequence[Cell]) -> list[Record]:
        seeds = [seed for _, _, seed in cells]
        drawn = measure.made(self.config.variety, self._generators(cells), self.body, seeds, self.device)
        rows = self._varied(drawn, [self.seeds.index(seed) for seed in seeds])
        return [self._record("variety", cell, [row]) for cell, row in zip(cells, rows, strict=True)]

    def composed(self, cells: Sequence[Cell]) -> list[Record]:
        params, kept = self._generators(cells), {}
        known = [{"place": i, "seed": seed} for i, (_, _, seed) in enumerate(cells)]
        present = sorted({seed for _, _, seed in cells})
        readers = {k: v[[self.seeds.index(seed) for seed in present]] for k, v in self.jury.readers.items()}
        rows = composition.compose(
            params, self.body, known, readers, self.jury.scorers, self.config.task, self.device, kept
        )
        out = []
        for i, cell in enumerate(cells):
            mine = [{k: v for k, v in row.items() if k not in ("place", "seed")} for row in rows if row["place"] == i]
            out.append(self._record("composition", cell, mine))
        return out + self._pages(cells, params, kept.get("splitter"))

    def _pages(self, cells: Sequence[Cell], params: Params, splitters: Params | None) -> list[Record]:
        """What the first seed's generators draw for the held-out pairs."""
        mine = [i for i, (_, _, seed) in enumerate(cells) if seed == self.seeds[0]]
        if not mine or splitters is None:
            return []
        held = torch.nonzero(relation.held_out(self.body.classes))[:SHOWN, 0].to(self.device)
        rng = devices.torch_rng("pages", self.seeds[0])
        z = torch.randn(len(held), self.body.latent, generator=rng).to(self.device).expand(len(mine), -1, -1)
        of = lambda stack: {k: v[mine].to(self.device) for k, v in stack.items()}
        pair = held.expand(len(mine), -1)
        asked = relation.pairs(self.body.classes).to(self.device)[pair]
        drawn = composition.pages(of(params), self.body, composition.split(of(splitters), z, pair), asked)
        strips = [pictures.png(pictures.strip(one.cpu().numpy(), 4)) for one in drawn]
        return [self._record("pages", cells[i], [{"png": text}]) for i, text in zip(mine, strips, strict=True)]

    def _varied(self, drawn: Tensor, places: Sequence[int]) -> list[dict]:
        ground = self.samples["ground"]
        return measure.varied(
            self.config.variety, self.config.judging, drawn, places, ground, self.jury, self.images, self.device
        )

    def _generators(self, cells: Sequence[Cell]) -> Params:
        return measure.chosen(self.raised, cells, self.seeds)

    def _record(self, part: str, cell: Cell, rows: Sequence[Mapping[str, object]]) -> Record:
        arm, at, seed = cell
        known = {"part": part, "arm": arm, "at": at, "steps": self.config.raising.steps, "data": self.images.name}
        record = Record(self.log.name, f"{part}.{arm}.{at}", seed, known)
        step = 0 if arm == "real" else self.moments[arm][at]
        for row in rows:
            record.log(step, **row)
        return record
