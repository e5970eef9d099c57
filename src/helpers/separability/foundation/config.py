"""What experiment A is made of, checked before anything is drawn: frozen settings, its arms, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from helpers.checks import at_least, prime

CONDITIONS = ("control", "constraint", "naive_clamp", "mean_preserving_clamp")  # of the document
DATASETS = ("interleaved", "modular")
SITES = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
HEADS, FROZEN = 4, 3  # of the document: three of four heads are constrained
MIDDLE = "resid_mid"  # between attention and MLP
PRINTED = "resid_post"  # where the published code clamps: before the last LayerNorm
KINDS = ("patterns", "weights", "removed")
# Clamps that a model can be trained with; the class signal has no directions before there is a trained unembedding.
TRAINED = (
    "naive",
    "mean_preserving",
    "token_norm",
    "mean_vector",
    "dispersion",
    "random_direction",
    "sham",
    "preserving",
)
POST_HOC = (*TRAINED, "class_signal")
NAMED = ("naive", "mean_preserving", "token_norm", "sham", "preserving")  # by the claims
QUICK = {"patterns": (1, 2, 3, 4), "weights": (3,), "removed": (3,)}
FULL = dict.fromkeys(KINDS, (1, 2, 3, 4))


@dataclass(frozen=True)
class Arm:
    """How a model is trained. kind and dose: which constraint on how many heads. clamp: at which site. own: with a
    start of its own. shuffled: on targets of other prompts."""

    name: str
    kind: str = ""
    dose: int = 0
    clamp: str = ""
    site: str = ""
    own: bool = False
    shuffled: bool = False


@dataclass(frozen=True)
class Foundation:
    """Experiment A at one scale.

    condition: one of the document's, trained beside the control, or all and every control of ours. seed: the first of
    `seeds`. d_head: None has the width found on pilot seeds, with its learning rate out of `rates`. periods: the
    shortest and the longest pattern of a stream. last: positions at the end that have a target. doses: {kind: numbers
    of constrained heads}. clamps: those that are trained with. site: where all clamps but the document's own are.
    epoch: steps of one. held: prompts to measure on. prime, share: of modular addition, and of its pairs that are
    trained."""

    condition: str = "all"
    dataset: str = "interleaved"
    seed: int = 42
    seeds: int = 3
    vocab: int = 256
    d: int = 32
    d_head: int | None = 2
    d_mlp: int = 128
    length: int = 32
    periods: tuple[int, int] = (2, 4)
    last: int = 8
    batch: int = 32
    epochs: int = 10
    epoch: int = 32
    rates: tuple[float, ...] = (0.005,)
    widths: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    pilots: int = 2
    held: int = 256
    site: str = MIDDLE
    doses: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: dict(QUICK))
    clamps: tuple[str, ...] = NAMED
    prime: int = 23
    share: float = 0.8

    def __post_init__(self):
        self._choices()
        for name, least in (("seed", 0), ("seeds", 1), ("epochs", 1), ("epoch", 1), ("batch", 2), ("held", 4)):
            at_least(self, **{name: least})
        for name, least in (("vocab", 2), ("d", 4), ("d_mlp", 1), ("pilots", 1), ("last", 1)):
            at_least(self, **{name: least})
        if self.d_head is not None:
            at_least(self, d_head=1)
        low, high = self.periods
        if not 1 <= low <= high:
            raise ValueError(
                f"periods={self.periods} is no range of lengths; use for example {(max(1, low), max(2, high))}"
            )
        if self.length < 4 * high + self.last:
            raise ValueError(
                f"length={self.length} shows a pattern of {high} less than twice in each of two streams before the last "
                f"{self.last} positions; use {4 * high + self.last} or more"
            )
        if any(not 0 < rate <= 1 for rate in self.rates) or not self.rates:
            raise ValueError(f"rates={self.rates}: learning rates of Adam lie above 0 and up to 1")
        if not 0 < self.share < 1 or self.prime < 5 or not prime(self.prime):
            raise ValueError(
                f"prime={self.prime}, share={self.share}: use a prime from 5 on, and a share between 0 and 1"
            )

    def _choices(self) -> None:
        for name, value, known in (
            ("condition", self.condition, ("all", *CONDITIONS)),
            ("dataset", self.dataset, DATASETS),
            ("site", self.site, SITES),
        ):
            if value not in known:
                raise ValueError(f"{name}={value!r} is unknown; use one of {', '.join(known)}")
        if bad := [c for c in self.clamps if c not in TRAINED]:
            raise ValueError(f"clamp {bad[0]!r} is none that a model is trained with; use {', '.join(TRAINED)}")
        for kind, doses in self.doses.items():
            if kind not in KINDS or any(not 1 <= n <= HEADS for n in doses):
                raise ValueError(f"doses {kind}={doses}: kinds are {', '.join(KINDS)}, doses 1 … {HEADS}")

    @property
    def steps(self) -> int:
        return self.epochs * self.epoch

    @property
    def names(self) -> tuple[int, ...]:
        """The seeds themselves."""
        return tuple(range(self.seed, self.seed + self.seeds))

    @property
    def free(self) -> tuple[Arm, ...]:
        """Arms without a clamp, the control first and the document's constraint second."""
        control, constraint = Arm("control"), Arm("constraint", "patterns", FROZEN)
        if self.condition != "all":
            return (control,) if self.condition == "control" else (control, constraint)
        doses = [Arm(f"{kind}_{n}", kind, n) for kind in self.doses for n in self.doses[kind]]
        others = [arm for arm in doses if (arm.kind, arm.dose) != ("patterns", FROZEN)]
        return (control, constraint, *others, Arm("again", own=True), Arm("shuffled", shuffled=True))

    @property
    def clamped(self) -> tuple[Arm, ...]:
        """Arms with the constraint and a clamp: the document's two, and those at `site`."""
        printed = [Arm(f"{c}_clamp", "patterns", FROZEN, c, PRINTED) for c in ("naive", "mean_preserving")]
        if self.condition != "all":
            return tuple(arm for arm in printed if arm.name == self.condition)
        return (*printed, *(Arm(f"{c}_at_site", "patterns", FROZEN, c, self.site) for c in self.clamps))
