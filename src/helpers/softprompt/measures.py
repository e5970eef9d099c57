"""From what the engine found to the numbers of a record: losses, exactness, the document's rule along a curve, geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from helpers import files
from helpers.lm import LM
from helpers.records import Record
from helpers.softprompt import curves, engine, prompts
from helpers.softprompt.config import Search
from helpers.softprompt.engine import Solution
from helpers.softprompt.jobs import Job
from helpers.softprompt.slots import Slots
from helpers.softprompt.targets import Asked
from helpers.study import Log

SIDES = ("q", "a")
ALMOST, CONTEXT = (
    0.3,
    2.0,
)  # the document's rule: below this share of the random baseline, or this times the full context's
PLACES = 11  # of a straight line, its ends among them
LN2 = float(np.log(2))
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
    loss = np.array([weighed(found, how, pair, [(1 - t) * a + t * b for t in shares]) for pair, a, b in lines])
    return (loss.max(1) - loss[:, 0]).tolist()


def weighed(found: LM, how: Search, pair: Asked, contents: Sequence[Tensor]) -> list[float]:
    """What a pair costs after each of some contents (K, d): both sides' mean losses added, in nats."""
    made = [Job(("place", j), pair.both, how.k, start=content) for j, content in enumerate(contents)]
    return [r.loss for r in engine.weigh(found, made, how, slots=256)]


def plane(found: LM, how: Search, pair: Asked, corners: Sequence[Tensor], places: int) -> list[dict]:
    """The loss in the plane through three contents (K, d), a row a place: x and y, in units of the distance from the first to
    the second; the first lies at (0, 0), the second at (1, 0), the third where its `corner` is."""
    first, second, third = (c.double().flatten() for c in corners)
    unit = (second - first).norm()
    along = (second - first) / unit
    across = (third - first) - ((third - first) @ along) * along
    at = float((third - first) @ along / unit), float(across.norm() / unit)
    across = across / across.norm()
    xs, ys = torch.linspace(-0.5, 1.5, places).tolist(), torch.linspace(-0.5, at[1] + 0.5, places).tolist()
    spots = [(x, y) for y in ys for x in xs]
    made = [(first + unit * (x * along + y * across)).view(corners[0].shape).float() for x, y in spots]
    loss = weighed(found, how, pair, made)
    return [
        {"at": i, "x": x, "y": y, "total_loss": v} for i, ((x, y), v) in enumerate(zip(spots, loss, strict=True))
    ] + [{"at": len(spots), "corner_x": at[0], "corner_y": at[1]}]


def bits(found: LM, asked: Sequence[Asked]) -> list[tuple[float, float]]:
    """Of every pair's question and answer, what the text costs after the vector of its mode alone, in bits."""
    none, modes = Search(k=1, mode="none"), prompts.modes(found, "tokens").cpu()
    sides = [
        engine.weigh(found, [Job(("bits",), (a.both[s],), 1, start=modes[s : s + 1]) for a in asked], none) for s in (0, 1)
    ]  # fmt: skip
    return [tuple(r.nll[0] * len(r.job.texts[0].ids) / LN2 for r in both) for both in zip(*sides, strict=True)]


def conflict(found: LM, how: Search, asked: Sequence[Asked], marks: Sequence[int]) -> list[float]:
    """Of every pair the cosine of its two losses' gradients to one content, mean over some of a search's updates; below zero
    the two pull apart. A gradient of nothing has no cosine: nan."""
    from helpers import stacked

    made = [Job(("joint", i), a.both, how.k) for i, a in enumerate(asked)]
    with prompts.frozen(found):
        slots = Slots(found, how, len(made), how.k, 2, max(job.longest for job in made))

        def probe(params: dict[str, Tensor]) -> Tensor:
            with torch.enable_grad():
                here = {name: p.detach().clone().requires_grad_(name == "content") for name, p in params.items()}
                nll, _ = slots.forward(here)
                q, a = (torch.autograd.grad(nll[:, s].sum(), here["content"], retain_graph=s == 0)[0] for s in (0, 1))
            return torch.nn.functional.cosine_similarity(q.flatten(1), a.flatten(1), dim=1).cpu()

        seen = stacked.fit(
            slots.fresh(made), slots.loss, lr=slots.rates, steps=max(1, *marks), clip=how.clip,
            keeps=slots.seen, log=marks, probe=probe,
        )  # fmt: skip
    return torch.stack(seen).mean(0).tolist()


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
    log: Log,
    part: str,
    kind: str,
    how: Search,
    asked: Sequence[Asked],
    rows: Sequence[list[dict]],
    budget: int | None = None,
) -> list[Record]:
    """A record a pair. budget: updates, where the same is asked for within several numbers of them."""
    more = {} if budget is None else {"budget": budget}
    return [record(log, part, kind, how.k, i, a, rows[i], **more) for i, a in enumerate(asked)]


def record(log: Log, part: str, kind: str, k: int, pair: int, asked: Asked, rows: Sequence[Mapping], **more) -> Record:
    known = {"part": part, "kind": kind, "k": k, "family": asked.kind, "known": asked.known} | more
    apart = f".n{more['budget']}" if "budget" in more else ""
    record = Record(log.name, f"{part}.{kind}.k{k}{apart}", pair, known)
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
