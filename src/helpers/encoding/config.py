"""What the chapters' experiments are made of, checked before anything is loaded: frozen settings, and nothing else.

What cannot work is refused here, with the reason and the nearest value that works. Devices and folders belong to a run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from helpers.checks import a_rate, expect

READOUTS = ("linear", "mlp", "residual")
MOTIFS = ((1, 2, 3, 4, 5), (10, 11, 12, 13), (20, 21, 22), (30, 31, 32, 33, 34))  # of the published script, V ≥ 35
TWO_STAGE = ("seed_ae", "seed_ae_relu", "onehot_ae", "trained_pca")  # these codes take gradient steps of the budget
# An arm: how its code is made before the task is seen, and whether the code is then learned.
ARMS = {kind: (kind, False) for kind in (*TWO_STAGE, "random", "spectral")} | {"wide": ("random", False)}
ARMS |= {"seed_ae_tuned": ("seed_ae", True), "trained_pca_tuned": ("trained_pca", True)}
ARMS |= dict.fromkeys(("learned", "factorised", "full", "again"), ("", True))  # again: full width from another start
PENALTIES = ("l1", "l2", "group")  # on a learned code's numbers, their squares, and the size of each dimension
ADAPTIVE = (*PENALTIES, "nested")  # learned codes that may find a width of their own
ARMS |= dict.fromkeys(ADAPTIVE, ("", True))
SPARED = 0.01  # of what can be learned: a dimension is in use if the loss without it rises by more
WHOLE = ("full", "again")
READING = ("learned", "random", "seed_ae", "trained_pca", "trained_pca_tuned", *WHOLE)  # arms of a transformer
MAIN = ("learned", "random", "seed_ae", "trained_pca", "full")
EVERY = (*MAIN[:3], "seed_ae_relu", "onehot_ae", *MAIN[3:4], "trained_pca_tuned", "seed_ae_tuned", "spectral", "full")
LEAST = {"stage_one": 0, "length": 2, "steps": 2, "values": 2, "vocab": 2}  # of whole numbers; of all others 1
CELLS = {  # source/read-out: the arms of the context-free study
    "pattern/residual": MAIN,
    "planted6/residual": EVERY,
    "dirichlet/residual": EVERY,
    "planted6/linear": MAIN,
    "dirichlet/mlp": (*EVERY, "factorised", "wide"),
    "planted2/linear": ("learned", "full"),
    "planted12/linear": ("learned", "full"),
    "dirichlet/linear": ("learned", "full"),
}


class Checked:
    """Settings whose numbers are checked by their kind: whole ones are at least 1, or what LEAST says; rates lie in (0, 1];
    other fractions lie between 0 and 1; codes have a number at least.
    """

    def __post_init__(self):
        given = vars(self)
        for name, value in given.items():
            least = LEAST.get(name, 1)
            if isinstance(value, int) and not isinstance(value, bool):
                expect(value >= least, f"{name}={value} is too few; use {least} or more")
            elif isinstance(value, float) and name != "rate":
                expect(0 < value < 1, f"{name}={value} is not a share between 0 and 1")
        for rate in (*given.get("rates", (given.get("rate", 1),)), *given.get("wider", ())):
            a_rate(rate)
        grid = given.get("grid", ())
        expect(min(grid, default=1) >= 1, f"grid={grid}: a code has at least one number; use widths from 1 on")


def _motifs_fit(vocab: int) -> None:
    top = max(map(max, MOTIFS))
    reason = f"vocab={vocab} is too small for the motifs: their largest token is {top}; use {top + 1} or more"
    expect(vocab > top, reason)


def _widths(grid: tuple[int, ...], code: int, most: int) -> tuple[int, ...]:
    """The widths that are trained: the grid's, but for those that say no more than `most`; and `code`."""
    return tuple(sorted({*(d for d in grid if d <= most), code}))


@dataclass(frozen=True)
class Printed(Checked):
    """The published experiment: V, D, d; rate: of both stages. sequences and batch are the script's own."""

    vocab: int = 50
    full: int = 64
    code: int = 6
    hidden: int = 32
    length: int = 20
    sequences: int = 1000
    batch: int = 32
    epochs: int = 30
    first_epochs: int = 20
    rate: float = 0.01
    seeds: int = 3

    def __post_init__(self):
        super().__post_init__()
        _motifs_fit(self.vocab)


@dataclass(frozen=True)
class Training(Checked):
    """What every study of arms has: seeds, learning rates to choose from, and one budget of gradient steps for every arm.

    A two-stage arm spends the share `stage1` of the budget before it sees the task (20 of 50 epochs, as published), or
    `stage_one` steps. charged: whether these come out of its budget; otherwise all arms take as many steps on the task. wider:
    more learning rates, which are tried where arms are judged: at the width `code` and at the full width.
    """

    seeds: int = 3
    rates: tuple[float, ...] = (0.01, 0.03)
    steps: int = 400
    stage1: float = 0.4
    stage_one: int | None = None
    charged: bool = True
    wider: tuple[float, ...] = ()

    @property
    def first(self) -> int:
        """Gradient steps of stage one."""
        return max(1, round(self.steps * self.stage1)) if self.stage_one is None else self.stage_one

    def before(self, arm: str) -> int:
        """Gradient steps that an arm has spent before it sees the task."""
        return self.first if ARMS[arm][0] in TWO_STAGE else 0

    def task(self, arm: str) -> int:
        """Gradient steps that an arm takes on the task."""
        return self.steps - self.before(arm) if self.charged else self.steps

    def rates_at(self, arm: str, d: int) -> tuple[float, ...]:
        """The learning rates that an arm is tried with at a width."""
        judged = arm in WHOLE or d == self.code
        return tuple(sorted({*self.rates, *(self.wider if judged else ())}))


@dataclass(frozen=True)
class Chains(Training):
    """The context-free study. cells: {"source/readout": arms}; sources are pattern, dirichlet and plantedR for a rank R.

    grid: code widths to train. code: the width at which arms are compared, which is always trained. part: "chains", or "stages"
    for a trial of the length of stage one, where rates are chosen for speed.
    """

    grid: tuple[int, ...] = (1, 2, 4, 6, 8, 12)
    code: int = 6
    cells: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(CELLS))
    vocab: int = 50
    full: int = 64
    hidden: int = 64
    residual_hidden: int = 32
    wide_hidden: int = 256
    sequences: int = 10_000
    length: int = 20
    part: str = "chains"

    def __post_init__(self):
        super().__post_init__()
        for cell, arms in self.cells.items():
            source, _, readout = cell.partition("/")
            known = readout in READOUTS and re.fullmatch(r"pattern|dirichlet|planted[1-9]\d*", source)
            expect(known, f"cell {cell!r}: expected pattern, dirichlet or plantedR, then one of {READOUTS}")
            for arm in arms:
                fits = arm in self.known and (arm != "wide" or readout == "mlp")
                expect(fits, f"arm {arm!r} in {cell!r}: use {', '.join(self.known)}; 'wide' needs an mlp read-out")
            if source == "pattern":
                _motifs_fit(self.vocab)
            rank = int(source.removeprefix("planted")) if "planted" in source else 0
            most = f"cell {cell!r}: no rank exceeds the vocabulary; use planted{self.vocab} or less"
            expect(rank <= self.vocab, most)

    @property
    def known(self) -> tuple[str, ...]:
        """The arms that a study of this kind can have."""
        return tuple(arm for arm in ARMS if arm not in ADAPTIVE)

    @property
    def widths(self) -> tuple[int, ...]:
        return _widths(self.grid, self.code, min(self.vocab, self.full))

    def hidden_of(self, readout: str, arm: str) -> int:
        return self.wide_hidden if arm == "wide" else self.residual_hidden if readout == "residual" else self.hidden


@dataclass(frozen=True)
class Reading(Training):
    """Small transformers: a stream of width D, four times as wide inside; 'full' has d = D. blind: arms that are trained
    once more without attention, at the width `code`.
    """

    arms: tuple[str, ...] = MAIN
    blind: tuple[str, ...] = ("learned", "seed_ae", "full")
    batch: int = 32
    stream: int = 32
    heads: int = 2
    layers: int = 1
    length: int = 32

    def __post_init__(self):
        super().__post_init__()
        for arm in (*self.arms, *self.blind):
            expect(arm in READING, f"arm {arm!r} is none that a transformer can have; use {', '.join(READING)}")
        more = -self.stream % self.heads
        expect(not more, f"stream={self.stream} is not a multiple of heads={self.heads}; use {self.stream + more}")


@dataclass(frozen=True)
class Rules(Reading):
    """Scenario 2: m values and m rule tokens, so V = 2m; `length` tokens to read, the rule token first. untrained: the
    width of the random vectors that the published autoencoder compresses."""

    grid: tuple[int, ...] = (2, 4, 6, 8)
    code: int = 6
    rates: tuple[float, ...] = (0.01,)
    values: int = 10
    noise: float = 0.05
    length: int = 10
    held: int = 256
    untrained: int = 64
    part: str = "rules"

    @property
    def vocab(self) -> int:
        return 2 * self.values

    @property
    def widths(self) -> tuple[int, ...]:
        return _widths(self.grid, self.code, min(self.stream, self.vocab))

    def equal(self) -> Rules:
        """The same at the width `code` alone, with as many steps on the task for every arm: stage one comes on top."""
        return replace(self, part="rules_equal", charged=False, grid=(self.code,), blind=())


@dataclass(frozen=True)
class Limits(Reading):
    """Compressions D/d of a code on real data. ratios: as asked; a width is a whole number, so each stands for `true`.

    part: "limits", or the name of a smaller trial on the same data.
    """

    ratios: tuple[float, ...] = (2, 5, 10, 20, 50)
    blind: tuple[str, ...] = ("learned", "full")
    rates: tuple[float, ...] = (0.006,)
    batch: int = 16
    held: int = 64
    part: str = "limits"

    def __post_init__(self):
        super().__post_init__()
        expect(min(self.ratios, default=0) >= 1, f"ratios={self.ratios}: a compression is at least 1")
        same = f"ratios={self.ratios} give the widths {self.widths} of stream={self.stream}, two of them the same model"
        advice = f"leave one out, or use a stream of {2 * int(max(self.ratios))}"
        expect(len({*self.widths}) == len(self.ratios), f"{same}; {advice}")

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(sorted(map(self.width, self.ratios)))

    @property
    def code(self) -> int:
        """The width at which attention is switched off: that of 10 : 1, or of the first ratio."""
        return self.width(10 if 10 in self.ratios else self.ratios[0])

    def width(self, ratio: float) -> int:
        """The code width for a compression: stream / ratio, rounded, at least 1. Rounded and not cut, since the committed runs
        have these widths, and with a stream of 32 both 20 : 1 and 50 : 1 would be cut to one number."""
        return max(1, round(self.stream / ratio))

    def true(self, ratio: float) -> float:
        """The compression that a width of whole numbers gives: 50 : 1 of 32 is 32 : 1."""
        return self.stream / self.width(ratio)

    def asked(self, d: int) -> float:
        """The ratio that a width answers; 1 for the full width."""
        return next((float(r) for r in self.ratios if self.width(r) == d), 1.0)


# Of `learned_encoding`: grids of widths, learning rates, sizes of scenario 2, and steps of stage one where its length is tried
QUICK = {
    "chains": {"grid": (1, 2, 3, 4, 6, 8, 11, 12, 16, 32), "rates": (0.01, 0.03)},
    "rules": {"grid": (2, 4, 6, 8), "values": 8, "length": 8},
    "firsts": (0, 20, 100),
}
FULL = {
    "chains": {
        "grid": (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 24, 32, 48),
        "rates": (0.003, 0.01, 0.03),
        "wider": (0.001, 0.1),
        "sequences": 50_000,
    },
    "rules": {
        "grid": (1, 2, 4, 6, 8, 16, 32),
        "values": 25,
        "length": 16,
        "stream": 64,
        "rates": (0.002, 0.005),
        "wider": (0.001, 0.01),
    },
    "firsts": (0, 20, 100, 800),
}
