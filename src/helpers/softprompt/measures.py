"""From what the engine found to the numbers of a record: losses, exactness, the document's rule along a curve, geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from helpers import files
from helpers.lm import LM
from helpers.records import Record
from helpers.softprompt import curves, engine
from helpers.softprompt.config import Search
from helpers.softprompt.engine import Solution
from helpers.softprompt.jobs import Job
from helpers.softprompt.targets import Asked
from helpers.study import Log

SIDES = ("q", "a")
ALMOST, CONTEXT = (
    0.3,
    2.0,
)  # the document's rule: below this share of the random baseline, or this times the full context's
PLACES = 11  # of a straight line, its ends among them
NEAR = 0.01  # of a start's spread: how far starts lie apart that should end in one basin


def measured(r: Solution, sides: Sequence[str]) -> dict:
    """The numbers of one result, whose texts are of these sides."""
    out = {"state": r.state, "solved": float("nan") if r.solved_at is None else float(r.solved_at)}
    if len(sides) == 1:
        out = {f"{name}_{sides[0]}": value for name, value in out.items()}
    for j, side in enumerate(sides):
        wanted = r.job.texts[j].ids
        out |= {f"loss_{side}": r.nll[j], f"margin_{side}": r.margin[j], f"forced_{side}": float(r.exact[j])}
        out |= {f"exact_{side}": float(r.free[j]), f"overlap_{side}": curves.overlap(r.said[j], wanted)}
        out[f"second_{side}"] = float(len(wanted) > 1 and r.said[j][0] == wanted[1] and wanted[0] != wanted[1])
    return out


def followed(r: Solution, rule: Mapping[str, float] | None) -> dict:
    """What the whole curve of a joint search tells."""
    q, a = r.trace.numpy()
    out = {"health": curves.health(q + a), "together": curves.together(q, a), "final": float((q + a)[-1])}
    if rule:
        met = curves.first(meets(q, rule, "q") & meets(a, rule, "a"))
        right = (r.tightness.numpy() > 0).all(0)
        out |= {"met": float("nan") if met is None else float(met)}
        out |= {"met_exact": float("nan") if met is None else float(right[met])}
    return out


def meets(loss: np.ndarray, rule: Mapping[str, float], side: str) -> np.ndarray:
    """The document's rule: less than 0.3 of the random baseline, or, for an answer, than twice its loss after the question."""
    met = np.asarray(loss) < ALMOST * rule[f"random_{side}"]
    return met | (np.asarray(loss) < CONTEXT * rule["context_a"]) if side == "a" else met


def cosine(a: Tensor, b: Tensor) -> float:
    """Of two contents (K, d), slot by slot: the mean."""
    return float(torch.nn.functional.cosine_similarity(a, b, dim=-1).mean())


def nearest(found: LM, content: Tensor) -> float:
    """The cosine of a slot to the nearest token's embedding, mean over slots of (K, d)."""
    table = torch.nn.functional.normalize(found.model.get_input_embeddings().weight.detach().float(), dim=-1)  # (V, d)
    slots = torch.nn.functional.normalize(content.to(table.device), dim=-1)
    return float((slots @ table.T).amax(1).mean())


def rises(found: LM, how: Search, lines: Sequence[tuple[Asked, Tensor, Tensor]]) -> list[float]:
    """Of each straight line from a content of a pair to another content: by how many nats (both sides' mean losses added) its
    loss rises above its beginning."""
    shares = torch.linspace(0, 1, PLACES)
    made = [
        Job(("line", i, j), pair.both, how.k, start=(1 - t) * a + t * b)
        for i, (pair, a, b) in enumerate(lines) for j, t in enumerate(shares)
    ]  # fmt: skip
    loss = np.array([r.loss for r in engine.weigh(found, made, how)]).reshape(len(lines), PLACES)
    return (loss.max(1) - loss[:, 0]).tolist()


def by_pair(
    results: Sequence[Solution], asked: Sequence[Asked], rule: Mapping[str, np.ndarray] | None
) -> list[list[dict]]:
    """Of every pair a row a restart."""
    rows: list[list[dict]] = [[] for _ in asked]
    for r in results:
        i = int(r.job.name[1])
        rows[i].append(measured(r, SIDES) | followed(r, rule and {k: v[i] for k, v in rule.items()}))
    return rows


def records(
    log: Log, part: str, kind: str, how: Search, asked: Sequence[Asked], rows: Sequence[list[dict]]
) -> list[Record]:
    return [record(log, part, kind, how.k, i, a, rows[i]) for i, a in enumerate(asked)]


def record(log: Log, part: str, kind: str, k: int, pair: int, asked: Asked, rows: Sequence[Mapping], **more) -> Record:
    known = {"part": part, "kind": kind, "k": k, "family": asked.kind, "known": asked.known} | more
    record = Record(log.name, f"{part}.{kind}.k{k}", pair, known)
    for step, row in enumerate(rows):
        record.log(int(row.get("at", step)), **{name: value for name, value in row.items() if name != "at"})
    return record


def digest(found: LM, asked: Sequence[Asked]) -> str:
    """Of a model, by its name, type, embedding and a part of its head, and of what it is asked."""
    weight = found.model.get_input_embeddings().weight.detach().float().cpu().contiguous()
    head = found.model.get_output_embeddings().weight.detach()[:64].float().cpu().contiguous()
    parts = [
        found.name,
        str(found.model.dtype),
        files.digest(weight.numpy().tobytes()),
        files.digest(head.numpy().tobytes()),
    ]
    return files.digest(repr((parts, list(asked))))
