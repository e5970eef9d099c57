"""What an optimisation of soft prompts is, checked before anything is loaded: frozen settings, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.checks import at_least, expect

MODES = ("tokens", "random", "learned", "swapped", "none")
OBJECTIVES = ("aligned", "published_shift")
MOST_SLOTS = 4096
MOST_KNOWN = 200  # different sums and materials that the stories ask for, or a little more


@dataclass(frozen=True)
class Search:
    """How one content is looked for: K vectors before a frozen model, by Adam on the embeddings alone.

    k: vectors. restarts: starts of one target, each drawn anew. steps: updates of each. rate: Adam's, in units of the spread
    (standard deviation) of the model's token embeddings, falling to zero along a cosine over `steps`; flat: not falling. clip:
    largest norm of a content's gradient, None for none. spread: of the start, in the same unit.
    mode: what stands before the content and says which side is asked for: 'tokens' are the frozen embeddings of two tokens,
    'random' two frozen vectors, 'learned' two that are optimised with the content, 'swapped' the two tokens exchanged, 'none'
    nothing. objective: 'aligned', or 'published_shift', where each position learns the token after the one that follows it.
    margin: the least logit by which every right token must win to count as solved. stop: leave a content that is solved.
    any: of a target whose one restart is solved, begin no other. every: steps between looks at the contents.
    """

    k: int = 32
    restarts: int = 1
    steps: int = 500
    rate: float = 0.3
    flat: bool = False
    clip: float | None = 1.0
    spread: float = 1.0
    mode: str = "tokens"
    objective: str = "aligned"
    margin: float = 0.5
    stop: bool = True
    any: bool = False
    every: int = 10

    def __post_init__(self):
        at_least(self, k=1, restarts=1, steps=1, every=1)
        for name in ("rate", "spread"):
            value = getattr(self, name)
            expect(value > 0, f"{name}={value}: use a value above 0, in units of the embeddings' spread")
        expect(self.margin >= 0, f"margin={self.margin}: a right token wins by 0 or more; use 0.5")
        expect(self.clip is None or self.clip > 0, f"clip={self.clip}: use a norm above 0, or None for no clipping")
        expect(self.mode in MODES, f"mode={self.mode!r} is unknown; use one of {', '.join(MODES)}")
        known = f"objective={self.objective!r} is unknown; use one of {', '.join(OBJECTIVES)}"
        expect(self.objective in OBJECTIVES, known)
        short = self.objective == "published_shift" and self.k + self.front < 2
        expect(not short, f"k={self.k} with mode='none': the published shift needs a prompt of two vectors; use k=2")

    @property
    def front(self) -> int:
        """Vectors before the content: 1, or 0 without a mode."""
        return int(self.mode != "none")


@dataclass(frozen=True)
class Pairing:
    """The chapter's experiment: stages 0 to 3 of the document, and the controls that make them precise.

    pairs: questions with their answers, each a unit. k, restarts, steps: of the joint search, which never stops early, so that
    its losses are those of the document. single: vectors of a single target. grid: K at which single targets are tried, to
    find the one at which half of them are said. rate: Adam's, in units of the embeddings' spread. draws: contents that are not
    optimised, for the random baseline.
    """

    pairs: int = 200
    k: int = 32
    restarts: int = 5
    steps: int = 500
    single: int = 8
    grid: tuple[int, ...] = (1, 2, 4, 8, 16)
    rate: float = 1.0
    flat: bool = True
    draws: int = 10

    def __post_init__(self):
        at_least(self, pairs=2, k=1, restarts=1, steps=1, single=1, draws=1)
        expect(
            bool(self.grid) and min(self.grid) >= 1,
            f"grid={self.grid}: a content has at least one vector; use 1 or more",
        )
        expect(sorted(set(self.grid)) == list(self.grid), f"grid={self.grid}: give each K once, rising")
        self.search(self.k)

    def search(self, k: int, **more) -> Search:
        """The search with k vectors: one restart, stopped where it is solved, unless said otherwise."""
        return Search(**{"k": k, "steps": self.steps, "rate": self.rate, "flat": self.flat} | more)

    @property
    def joint(self) -> Search:
        """The document's: every restart to the end."""
        return self.search(self.k, restarts=self.restarts, stop=False)


@dataclass(frozen=True)
class Ablations:
    """The ablations. pairs, grid: of the sweep of K. known: pairs whose answer follows from the question, for what the two
    share. k: vectors of the others, with `starts` of each of `solved` pairs for the geometry, `planes` of them drawn with
    `places` a side, and `few` pairs for modes and rates."""

    pairs: int = 200
    known: int = 120
    grid: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    steps: int = 500
    rate: float = 1.0
    k: int = 8
    starts: int = 4
    solved: int = 240
    planes: int = 3
    places: int = 17
    few: int = 60
    modes: tuple[str, ...] = MODES
    rates: tuple[float, ...] = (0.1, 0.3, 3.0)

    def __post_init__(self):
        at_least(self, pairs=2, known=2, steps=1, k=1, starts=2, solved=2, planes=0, places=2, few=2)
        expect(
            self.known <= MOST_KNOWN, f"known={self.known}: the world has {MOST_KNOWN} such pairs; use that or fewer"
        )
        _rising(self.grid)
        for mode in self.modes:
            self.search(self.k, mode=mode)
        for rate in (self.rate, *self.rates):
            self.search(self.k, rate=rate)

    @property
    def key(self) -> tuple:
        """What the contents of a sweep depend on, whatever the grid."""
        return self.steps, self.rate

    def search(self, k: int, **more) -> Search:
        """The search with k vectors, stopped where it is solved."""
        return Search(**{"k": k, "steps": self.steps, "rate": self.rate, "flat": True} | more)


@dataclass(frozen=True)
class Contest:
    """Paraphrases and tiers, asked of the quizmaster. pairs: with two other wordings a side, which together weigh as much as
    the text itself (`weight` 1). k: vectors for them; budgets: updates at which plain starts are tried, to find a number at
    which some succeed. blocks: of one task a tier, matched among `drawn` tasks a tier; grid: K at which they are asked for,
    in `steps` updates."""

    pairs: int = 200
    weight: float = 1.0
    k: int = 1
    budgets: tuple[int, ...] = (30, 40, 50, 60)
    blocks: int = 50
    drawn: int = 300
    grid: tuple[int, ...] = (1, 2, 4, 6, 8, 12, 16, 24, 32)
    steps: int = 500
    rate: float = 1.0

    def __post_init__(self):
        at_least(self, pairs=2, blocks=1, steps=1)
        expect(self.weight > 0, f"weight={self.weight}: of the other wordings together; use a value above 0, such as 1")
        expect(self.drawn >= self.blocks, f"drawn={self.drawn}: {self.blocks} blocks need as many tasks; use more")
        halves = bool(self.budgets) and all(n >= 2 and n % 2 == 0 for n in self.budgets)
        expect(halves, f"budgets={self.budgets}: half of the updates are averaged over wordings; use even numbers")
        _rising(self.budgets)
        _rising(self.grid)
        self.search(self.k)

    def search(self, k: int, **more) -> Search:
        """The search with k vectors, stopped where it is solved."""
        return Search(**{"k": k, "steps": self.steps, "rate": self.rate, "flat": True} | more)


def _rising(grid: tuple[int, ...]) -> None:
    rising = f"grid={grid}: give each number once, rising, from 1 on"
    expect(bool(grid) and min(grid) >= 1 and sorted(set(grid)) == list(grid), rising)
