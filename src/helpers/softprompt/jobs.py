"""Targets for soft prompts: which texts one content must say, checked against the model before anything is trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from helpers.checks import expect
from helpers.lm import LM
from helpers.softprompt.config import Search

LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)  # padded lengths of a bucket
QUESTION, ANSWER = 0, 1  # the two sides, each with a mode of its own


@dataclass(frozen=True)
class Target:
    """One text that a content must say: its token ids with the terminator, and the side whose mode asks for it.

    weight: of its mean loss in the content's. asked: whether the content is solved only when it says this text; a paraphrase
    is trained on and not asked for.
    """

    ids: tuple[int, ...]
    side: int = QUESTION
    weight: float = 1.0
    asked: bool = True


@dataclass(frozen=True)
class Job:
    """One content to be found: its texts, and the name that draws its start. restart: which start. k: vectors.

    rate: a factor on the search's. start: (k, d) to begin at, in place of a draw.
    """

    name: tuple
    texts: tuple[Target, ...]
    k: int
    restart: int = 0
    rate: float = 1.0
    start: Tensor | None = field(default=None, compare=False, repr=False)

    @property
    def longest(self) -> int:
        return max(len(t.ids) for t in self.texts)


def jobs(name: tuple, texts: Sequence[Target], search: Search) -> list[Job]:
    """All restarts of one target, the first first."""
    return [Job(name, tuple(texts), search.k, restart) for restart in range(search.restarts)]


def check(found: LM, asked: Iterable[Job], front: int) -> None:
    """Raises ValueError, with the target's name and what works, for one that this model cannot be asked to say."""
    config = found.model.config
    rows = found.model.get_input_embeddings().weight.shape[0]
    vocab = min(rows, getattr(config, "vocab_size", rows))
    most = getattr(config, "max_position_embeddings", None) or 1 << 30
    pad = found.tokenizer.pad_token_id
    ends = pad is not None and pad == found.tokenizer.eos_token_id
    for job in asked:
        told = f"{found.name}, target {job.name}"
        expect(job.k >= 1 and bool(job.texts), f"{told}: k={job.k}, {len(job.texts)} texts; at least one of each")
        taken = front + job.k
        room = f"k={job.k} does not fit into a context of {most} tokens; use {most - front - 1} or less"
        expect(taken < most, f"{told}: {room}")
        for text in job.texts:
            expect(len(text.ids) > 0, f"{told}: a text without tokens; there is nothing to say")
            wrong = [i for i in text.ids if not 0 <= i < vocab]
            expect(not wrong, f"{told}: token {wrong[:1]} is outside the vocabulary of {vocab}; use its own tokenizer")
            length = taken + len(text.ids) - 1
            fits = f"{len(text.ids)} tokens behind {taken} vectors exceed the context of {most} tokens"
            expect(length <= most, f"{told}: {fits}; use {most - taken + 1} tokens or less, or a smaller k")
            inside = pad is not None and pad in text.ids[:-1]
            reason = "which is the end-of-text token too" if ends else "which stands for nothing"
            expect(not inside, f"{told}: the padding token {pad} ({reason}) lies inside the text; leave it out")
            only = not ends and pad == text.ids[-1]
            expect(not only, f"{told}: the text ends in the padding token {pad}, {reason}; end it in its terminator")


def bucket(length: int) -> int:
    """The padded length of a text: the next of `LENGTHS`, or the length itself beyond them."""
    return next((size for size in LENGTHS if size >= length), length)


def shelves(asked: Sequence[Job]) -> dict[tuple[int, int, int], list[Job]]:
    """Jobs by the shape of their tensors, (k, texts, padded length); in each, first restarts first and short texts first."""
    out = defaultdict(list)
    for job in sorted(asked, key=lambda job: (job.restart, job.longest)):
        out[job.k, len(job.texts), bucket(job.longest)].append(job)
    return dict(sorted(out.items()))


def with_start(job: Job, start: Tensor) -> Job:
    return replace(job, start=start)
