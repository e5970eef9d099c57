"""The experiments of Part I as records, and back as one tidy frame.

A record is one arm on one model with one mask seed; its rows are the fractions, as `fraction` and, in thousandths, as `step`.
"""

from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from helpers import files, lm
from helpers.dtdr.subject import CORRUPT, NOISE, Arm, Subject
from helpers.records import Record
from helpers.stores.coded import matrices

PUBLISHED = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # fractions of the seed document's first experiment
GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
SHARES = (0.0001, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1)  # of codes that are spoiled
PLANES = tuple(b / 8 for b in range(1, 9))
Live = Callable[[float, dict], None]


@dataclass(frozen=True)
class Plan:
    """Arms with the fractions that each is tried at, and the mask seeds. part: which section of a chapter it belongs to.
    shares: of spoiled codes, for arms that corrupt and lose nothing.
    """

    part: str
    arms: tuple[Arm, ...]
    fractions: tuple[float, ...] = GRID
    seeds: int = 2
    shares: tuple[float, ...] = SHARES

    def __post_init__(self):
        if self.seeds < 1:
            raise ValueError(f"seeds={self.seeds}: at least one mask seed is needed")
        for name, given in (("fractions", self.fractions), ("shares", self.shares)):
            wrong = [f for f in given if not 0 <= f <= 1]
            if wrong or not given:
                raise ValueError(f"{name} {wrong or given} do not lie between 0 and 1")


def domains() -> tuple[Arm, ...]:
    """The arms of the chapter's main figure: same loss, same masks, different domains and patterns."""
    return (
        Arm("identity"),
        Arm("hadamard"),
        Arm(NOISE),
        Arm("permutation", "rows"),
        Arm("identity", "rows"),
        Arm("hadamard", "rows"),
        Arm("identity", "rows", protect=True),
    )


PATTERNS = {  # arm: what is lost, for a table of all patterns
    "identity.iid.zero": "raw, any entries",
    "hadamard.iid.zero": "transformed, any coefficients",
    "hadamard.iid.gain": "transformed, any coefficients, the rest enlarged by 1/f",
    "identity.columns.zero": "raw, the same columns in every row",
    "hadamard.columns.zero": "transformed, the same columns in every row",
    "identity.shards.zero": "raw, contiguous shards",
    "hadamard.shards.zero": "transformed, contiguous shards",
    "permutation.shards.zero": "raw in shuffled order, contiguous shards",
    "identity.iid.zero.protected": "raw, any entries but the vocabulary's",
    "hadamard.iid.zero.protected": "transformed, any coefficients but the vocabulary's",
}


def further() -> tuple[Arm, ...]:
    """What a second look adds: columns, shards, gain, and both intact vocabularies."""
    return (
        Arm("hadamard", fill="gain"),
        Arm("hadamard", "columns"),
        Arm("identity", "columns"),
        Arm("hadamard", "shards"),
        Arm("identity", "shards"),
        Arm("permutation", "shards"),
        Arm("hadamard", protect=True),
        Arm("identity", protect=True),
    )


def collapse() -> tuple[Arm, ...]:
    """Four domains under iid loss, with three fills that change the cosine; those of `domains` are not repeated."""
    fills = [("random", "", 0.0), ("guided", "leaked", 0.15)]
    arms = [
        Arm(d, fill=f, prior=p, weight=w) for d in ("identity", "hadamard", "dct", "permutation") for f, p, w in fills
    ]
    return (*arms, Arm("dct"), Arm("permutation"))


def run(
    experiment: str, subject: Subject, plan: Plan, work: Path | None = None, live: Live | None = None, sample: int = 0
) -> list[Record]:
    """Every arm at every fraction with every mask seed. Finished records are kept in `work` and read back.

    sample: new tokens of a greedy text for the first mask seed, stored with the row as `text`; 0 for none.
    """
    out, key = [], files.digest(repr((plan, sample, subject.digest)).encode())[7:23]
    for arm in plan.arms:
        for seed in range(plan.seeds):
            record = _record(experiment, subject, plan.part, arm, seed)
            rows = _once(
                work, f"{record.condition}.{seed}.{key}", lambda a=arm, s=seed: _rows(subject, a, s, plan, sample)
            )
            for row in rows:
                record.log(round(1000 * row["fraction"]), force=True, **row)
            out.append(record)
            if live:
                live(len(out), {arm.name: rows[-1]["nll"]})
    subject.restore()
    return out


def run_printed(
    experiment: str, subject: Subject, arms: Sequence[Arm], prompt: Tensor, fractions: Sequence[float], new: int
) -> list[Record]:
    """The seed document's own measurements on one prompt (T,): cosine of the next token's logits and overlap of the ten
    likeliest tokens, both against the store at fraction 1, and a greedy text. One mask, as printed.
    """
    out = []
    for arm in arms:
        record = _record(experiment, subject, "printed", arm, 0)
        whole = Arm(arm.domain)
        subject.rebuild(whole, 1.0, 0)
        reference = subject.last(prompt)
        for f in fractions:
            cosine = subject.rebuild(arm, f, 0)
            logits = subject.last(prompt)
            row = {
                "fraction": float(f),
                "cosine": cosine,
                "cosine_last": float(torch.cosine_similarity(reference, logits, dim=0)),
                "top10": len(set(reference.topk(10).indices.tolist()) & set(logits.topk(10).indices.tolist())) / 10,
                "text": subject.texts([prompt], new)[0],
            }
            record.log(round(1000 * f), force=True, **row)
        out.append(record)
    subject.restore()
    return out


def with_weights(found: lm.LM, weights: Mapping[str, Tensor], name: str) -> lm.LM:
    """A copy of a model with other matrices, under another name. Raises KeyError for a matrix that is missing."""
    model = copy.deepcopy(found.model)
    with torch.no_grad():
        for key, parameter in matrices(model).items():
            parameter.copy_(weights[key])
    return replace(found, model=model, name=name)


def frame(records: pd.DataFrame) -> pd.DataFrame:
    """The tidy frame with `recovered`: (loss at 0 − loss) / (loss at 0 − loss of the whole model), where at 0 every
    coefficient of the same model is gone.
    """
    out = records.copy()
    if "nll" in out:
        out["recovered"] = (out["nothing"] - out["nll"]) / (out["nothing"] - out["intact"])
    return out


def write_curve(found: pd.DataFrame, folder: Path, arms: Mapping[str, str]) -> Path:
    """The printed curve as `emergence_curve.csv`, and as `emergence_curve.png` where the `png` extra (kaleido) is installed."""
    from helpers.dtdr import plots

    columns = ["arm", "fraction", "cosine_last", "top10"]
    table = found[(found["part"] == "printed") & found["arm"].isin(list(arms))][columns]
    names = {"cosine_last": "cosine", "top10": "top10_overlap"}
    path = files.write_atomic(Path(folder) / "emergence_curve.csv", table.rename(columns=names).to_csv(index=False))
    if importlib.util.find_spec("kaleido"):
        picture = plots.emergence(found, arms).update_layout(paper_bgcolor="white", plot_bgcolor="white")
        files.write_atomic(
            Path(folder) / "emergence_curve.png", picture.to_image("png", width=900, height=520, scale=2)
        )
    return path


def repetition(text: str, n: int = 4) -> float:
    """Share of a text's n-grams (words) that occurred before in it: 0 for a text without repetition."""
    words = text.split()
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _record(experiment: str, subject: Subject, part: str, arm: Arm, seed: int) -> Record:
    facts = {
        "part": part,
        "model": subject.found.name,
        "arm": arm.name,
        "domain": arm.domain,
        "order": arm.order,
        "fill": arm.fill,
        "prior": arm.prior,
        "weight": arm.weight,
        "protect": arm.protect,
        "intact": subject.intact["nll"],
        "nothing": subject.nothing,
        "parameters": subject.size,
        "depth": subject.depth,
        "width": subject.width,
        "model_seed": subject.model_seed,
    }
    return Record(experiment, f"{part}.{subject.found.name}.{arm.name}", seed, facts)


def _rows(subject: Subject, arm: Arm, seed: int, plan: Plan, sample: int) -> list[dict]:
    fractions: Iterable[float] = plan.fractions
    if arm.order == CORRUPT:
        fractions = [1 - s for s in plan.shares]
    if arm.order == "planes":
        fractions = PLANES
    rows = []
    for f in fractions:
        cosine = subject.rebuild(arm, f, seed)
        row = {"fraction": float(f), "cosine": cosine} | subject.measure()
        if sample and seed == 0:
            texts = subject.texts(subject.prompts, sample)
            row |= {"text": texts[0], "rep4": float(np.mean([repetition(t) for t in texts]))}
        rows.append(row)
    return rows


def _once(work: Path | None, name: str, compute: Callable[[], list[dict]]) -> list[dict]:
    """Rows computed once and kept as JSON in `work`, so that an interrupted run goes on where it stopped."""
    if work is None:
        return compute()
    path = Path(work) / f"{name}.json"
    if path.is_file():
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            path.unlink()
    rows = compute()
    files.write_atomic(path, files.strict_json(rows))
    return rows
