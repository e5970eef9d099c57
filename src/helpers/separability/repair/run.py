"""The experiment: the only file that trains, resumes and logs.

Heads are found on the even templates and judged on the odd ones. Columns: part; model; main, whether claims are about it;
dropout, of the toy's heads in training; kind, of the ablation; seed; size, the model's blocks; heads_each, heads of a block;
prompts; dropped, names that the tokenizer splits; critical, the heads.

ablation: arm critical, matched (mean over the random triples) or planted; a row a template, what `accounts` gives.

triples: a row a triple: away, norm (its output norm over the critical heads'), ld, change, log2_norm.

census: a row a head: block, head, dla (its direct share where heads are found), writes (its output norm), ld, change, direct,
log2_norm.

blocks: a row a block: at_end, pooled, later.

printed: the experiment as the document prints it: arm, template, ablated, psi_logit_diff, delta_logit_diff, compensation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helpers import devices
from helpers.records import Record
from helpers.separability.repair import accounts
from helpers.separability.repair.config import KINDS, PUBLISHED, TEMPLATES, TOY, Heads, Repair
from helpers.separability.repair.ladder import Rung, matched, movers, rungs
from helpers.study import Log

FOUND, JUDGED = range(0, TEMPLATES, 2), range(1, TEMPLATES, 2)


def run_repair(config: Repair, log: Log) -> None:
    """Every model of the run: as printed (the first one), then heads found on one half of the templates and judged on
    the other."""
    every = rungs(config, log.device, log.work)
    if not config.beside:
        log.once(("printed", config, every[0].digest), lambda: _printed(config, every[0]))
    for done, rung in enumerate(every):
        log.once(("repair", config, rung.digest, rung.seed), lambda rung=rung: _repaired(config, rung, log))
        log.progress(done + 1, len(every))


def _repaired(config: Repair, rung: Rung, log: Log) -> list[Record]:
    decoder = rung.decoder
    dla, norms = _searched(config, rung)
    critical = config.heads or movers(dla)
    triples = matched(critical, norms, config.triples_each, config.model, rung.seed)
    single = [((layer, head),) for layer in range(decoder.layers) for head in range(decoder.heads)]
    sets = [critical, *(heads for heads, _, _ in triples), *single]
    rows = {kind: [] for kind in KINDS}  # of each template, a dict a set
    planted, blocks = [], []
    for template in JUDGED:
        at = accounts.scene(decoder, rung.make(template, config.each, rung.seed))
        for kind in KINDS:
            rows[kind].append(accounts.accounts(at, sets, kind))
        planted.append({"log2_norm": accounts.planted(at)})
        blocks.append(accounts.by_block(at, critical))
    make = _Records(log.name, config, rung, critical)
    out = [make("ablation", "planted", "none", planted, JUDGED)]
    out.append(make("blocks", "critical", "zero", [_mean(r) for r in zip(*blocks, strict=True)]))
    cut = 1 + len(triples)
    for kind, found in rows.items():
        out.append(make("ablation", "critical", kind, [r[0] for r in found], JUDGED))
        out.append(make("ablation", "matched", kind, [_mean(r[1:cut]) for r in found], JUDGED))
        of_set = [_mean(r) for r in zip(*found, strict=True)]
        where = [{"away": away, "norm": norm} for _, away, norm in triples]
        out.append(make("triples", "matched", kind, [a | _brief(b) for a, b in zip(where, of_set[1:cut], strict=True)]))
        heads = [{"block": k, "head": h, "dla": dla[k, h], "writes": norms[k, h]} for ((k, h),) in single]
        alone = [_brief(row) | {"direct": row["direct"]} for row in of_set[cut:]]
        out.append(make("census", "single", kind, [a | b for a, b in zip(heads, alone, strict=True)]))
    return out


def _searched(config: Repair, rung: Rung) -> tuple[np.ndarray, np.ndarray]:
    """(L, H) direct share of the logit difference, and output norm, over the templates that heads are found on."""
    found = []
    for template in FOUND:  # one scene at a time is kept
        at = accounts.scene(rung.decoder, rung.make(template, config.each, rung.seed))
        found.append((accounts.attribution(at).double().numpy(), accounts.output_norms(at).double().numpy()))
    dla, norms = (np.mean(rows, axis=0) for rows in zip(*found, strict=True))
    return dla, norms


def _printed(config: Repair, rung: Rung) -> list[Record]:
    """The document's conditions on all templates, by zero ablation: its own heads where the model has them (12 blocks
    of 12)."""
    decoder = rung.decoder
    own = decoder.layers == decoder.heads == 12
    critical = config.heads or (PUBLISHED["critical"] if own else movers(_searched(config, rung)[0]))
    arms = {"baseline": (), "critical": critical, "random": PUBLISHED["random"] if own else _random(rung, critical)}
    arms = {a: h for a, h in arms.items() if config.condition in ("all", a) or a == "baseline"}
    record = Record("exp", "b", config.seed, _known(config, rung, critical) | {"part": "printed"})
    late, step = accounts.late(decoder.layers), 0
    for template in range(TEMPLATES):
        at = accounts.scene(decoder, rung.make(template, config.each, config.seed))
        ld = float(at.ld.mean())
        for arm, heads in arms.items():
            left = accounts.accounts(at, [heads], "zero")[0]["left"] if heads else ld
            ratio = np.mean([r["pooled"] for r in accounts.by_block(at, heads)[late.start :]]) if heads else 1.0
            told = {"arm": arm, "template": template, "ablated": _named(heads), "psi_logit_diff": left}
            record.log(step, **told, delta_logit_diff=left - ld, compensation=float(ratio))
            step += 1
    return [record]


def _random(rung: Rung, critical: Heads) -> Heads:
    """A head as deep as 2.3 is in GPT-2, drawn by chance from those that are not critical."""
    decoder = rung.decoder
    layer = round(2 / 12 * decoder.layers)
    free = [(layer, h) for h in range(decoder.heads) if (layer, h) not in critical]
    return (free[int(devices.numpy_rng("random head", rung.name).integers(len(free)))],)


class _Records:
    """Makes the records of one model: a condition each."""

    def __init__(self, name: str, config: Repair, rung: Rung, critical: Heads):
        self.name, self.rung, self.known = name, rung, _known(config, rung, critical)

    def __call__(
        self, part: str, arm: str, kind: str, rows: Sequence[dict], steps: Sequence[int] | None = None
    ) -> Record:
        drop = f".dropout{self.rung.dropout:g}" if self.rung.name == TOY else ""
        facts = self.known | {"part": part, "arm": arm, "kind": kind}
        record = Record(self.name, f"{self.rung.name}{drop}.{part}.{arm}.{kind}", self.rung.seed, facts)
        for step, row in zip(range(len(rows)) if steps is None else steps, rows, strict=True):
            record.log(step, **{k: float(v) for k, v in row.items()})
        return record


def _known(config: Repair, rung: Rung, critical: Heads) -> dict[str, object]:
    size = {"size": rung.decoder.layers, "heads_each": rung.decoder.heads, "prompts": config.prompts}
    facts = {"model": rung.name, "main": not config.beside, "dropout": rung.dropout, "dropped": rung.dropped}
    return facts | size | {"critical": _named(critical)}


def _named(heads: Heads) -> str:
    return ", ".join(f"{layer}.{head}" for layer, head in heads)


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {k: float(np.mean([r[k] for r in rows])) for k in rows[0]} if rows else {}


def _brief(row: dict[str, float]) -> dict[str, float]:
    return {k: row[k] for k in ("ld", "change", "log2_norm")}
