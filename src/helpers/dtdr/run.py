"""The experiments of Part I: models rebuilt, measured, and written down. A record is one damage, one mask; a row a level."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from helpers import files, lm, storyteller
from helpers.dtdr.config import Family, Outliers, Published, Trial
from helpers.dtdr.damage import Damage, Keep
from helpers.dtdr.outliers import OutliersRefused, outlier_channels
from helpers.dtdr.priors import embedded, leaked, with_weights
from helpers.dtdr.subject import Subject
from helpers.records import Record

LEAN = ("cosine", "nll")  # what every row keeps
if TYPE_CHECKING:
    from helpers.study import Log


def run(subject: Subject, config: Trial, log: Log) -> None:
    """Every damage at every level with every mask; one that draws nothing is tried once, and its rows stand for every mask.

    With config.new, rows of the first config.writes masks hold a greedy `text` of the first prompt, its `sense` (the loss, nats
    a token, that the whole model gives it after the same prompt), the repetition `rep4` of all prompts' texts, the mean, and
    `rep4_apart`, how far one prompt's lies from the mean of the others.
    """
    with log.live(f"loss while damages are tried: {config.part}", "condition", "nats a token") as live:
        for done, damage in enumerate(config.damages, start=1):
            key = (
                config.part,
                damage,
                config.masks,
                damage.levels(config),
                config.new,
                config.writes,
                _key(subject, damage),
            )
            log.once(key, lambda d=damage: _tried(subject, config, d, log.name))
            live(done, {damage.label: log.records[-1]["metrics"][-1]["nll"]})
            log.progress(done, len(config.damages))
    subject.rest()


def run_printed(subject: Subject, config: Published, log: Log) -> None:
    """The seed document's own measurements on one prompt: cosine of the next token's logits and overlap of the ten likeliest
    tokens, both against the store with everything in it, and a greedy text. One mask, as printed.
    """
    for damage in config.damages:
        make = lambda d=damage: _printed(subject, config, d, log.name)
        log.once((asdict(config), damage, _key(subject, damage)), make)


def run_outliers(found: lm.LM, tokens: Tensor, config: Outliers, log: Log, block: int = 128) -> None:
    """The same function from weights of unequal size, in one size after the other, each measured as `config.trials` say.

    block: the largest of the transform. A model whose blocks are of another kind is said so, and left alone.
    """
    try:
        for times, trial in config.trials.items():
            with outlier_channels(found, tokens[:4], times=times) as unequal:
                run(Subject(unequal, tokens, cap=block, more={"outliers": times}), trial, log)
    except OutliersRefused as error:
        print(f"Not tried: {error}")


def run_family(subject: Subject, config: Family, log: Log) -> None:
    """Storytellers of other seeds, and of other depths and widths where the config has a ladder; they are trained when they are
    asked for first. subject: the embedded one, whose texts and block the others get, and whose weights are their prior "other".
    """
    shapes = {} if config.ladder else {"depths": (), "widths": ()}
    for member in storyteller.family(device=log.device, workers=config.workers, **shapes):
        if member.variant != "final" or member.name == "default-seed0":  # the embedded model is this one
            continue
        found = lm.load(str(member.folder), device=log.device)
        taken = Subject(found, subject.tokens, cap=subject.cap, model_seed=member.seed)
        make: dict[str, Callable] = {
            "leaked": lambda s=taken: leaked(s.whole, cap=s.cap),
            "other": lambda: subject.whole,
        }
        taken.priors |= {prior: make[prior]() for prior in config.priors}
        for trial in config.trials if member.size == "default" else [config.ladder]:
            run(taken, trial, log)


def run_kin(subject: Subject, trials: Sequence[Trial], log: Log) -> None:
    """Another seed of the embedded storyteller, which is stored with the book, taken apart likewise. Its matrices stand between
    the embedded model's norms, as they do where it is a prior; its loss whole is in its records.
    """
    kin = with_weights(subject.found, embedded("other"), f"{subject.found.name}-other")
    taken = Subject(kin, subject.tokens, cap=subject.cap, model_seed=1)
    taken.priors["leaked"] = leaked(taken.whole, cap=taken.cap)
    for trial in trials:
        run(taken, trial, log)


def write_curve(rows: pd.DataFrame, folder: Path, name: str) -> Path:
    """The printed curve as `NAME_curve.csv`, and drawn as `NAME_curve.png`, as the published scripts write them.

    rows: of the printed experiment, with a column `name` for each of its damages.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = {"kept": "fraction", "cosine_last": "cosine", "top10": "top10_overlap"}
    table = rows[["name", *names]].rename(columns=names)
    path = files.write_atomic(Path(folder) / f"{name}_curve.csv", table.to_csv(index=False))
    picture, drawn = Figure(figsize=(7, 4)), io.BytesIO()
    axes = picture.subplots()
    for label, own in table.groupby("name", sort=False):
        axes.plot(own["fraction"], own["cosine"], marker="o", label=label)
    axes.set(xlabel="fraction of the coefficients", ylabel="cosine of the next token's logits")
    axes.legend()
    FigureCanvasAgg(picture).print_png(drawn)
    files.write_atomic(path.with_suffix(".png"), drawn.getvalue())
    return path


def repetition(text: str, n: int = 4) -> float:
    """Share of a text's n-grams (words) that occurred before in it: 0 for a text without repetition."""
    words = text.split()
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def repeated(texts: Sequence[str]) -> dict[str, float]:
    """rep4: the mean repetition of texts; rep4_apart: how far one lies from the mean of the others, on average (with two texts
    or more)."""
    values = np.array([repetition(text) for text in texts])
    apart = np.abs(values - values.mean()) * len(values) / max(1, len(values) - 1)
    return {"rep4": float(values.mean())} | ({"rep4_apart": float(apart.mean())} if len(values) > 1 else {})


def _key(subject: Subject, damage: Damage) -> tuple:
    return subject.found.name, subject.model_seed, subject.digest(getattr(damage, "prior", ""))


def _record(subject: Subject, part: str, damage: Damage, seed: int, experiment: str) -> Record:
    facts = {"part": part} | damage.columns | subject.facts
    return Record(experiment, f"{part}.{subject.found.name}.{damage.label}", seed, facts)


def _tried(subject: Subject, config: Trial, damage: Damage, experiment: str) -> list[Record]:
    """A record a mask: those that write texts one after the other, all others side by side."""
    records = [_record(subject, config.part, damage, seed, experiment) for seed in range(config.masks)]
    writes = config.writes if config.new else 0
    tried = records if damage.draws else records[:1]
    for record in tried[:writes]:
        _written(subject, config, damage, record)
    levels, others = damage.levels(config), tried[writes:]
    with subject.damaged():
        rows = iter(subject.measured(damage, [(r.seed, level) for r in others for level in levels]))
    for record in others:
        for step, level in enumerate(levels):
            found = next(rows)
            record.log(step, **{damage.level: level}, **({k: found[k] for k in LEAN} if config.lean else found))
    for record in records[len(tried) :]:  # nothing of it is drawn: what one mask gives stands for all
        for row in records[0].metrics:
            record.log(
                **{k: v for k, v in row.items() if k not in ("timestamp", "text", "rep4", "rep4_apart", "sense")}
            )
    return records


def _written(subject: Subject, config: Trial, damage: Damage, record: Record) -> None:
    """Fill a record whose mask also writes a greedy text at every level."""
    with subject.damaged():
        for step, level in enumerate(damage.levels(config)):
            row = {damage.level: level, "cosine": subject.rebuild(damage, level, record.seed)} | subject.measure()
            texts = subject.texts(subject.prompts, config.new)
            record.log(step, **row, text=texts[0], **repeated(texts))
    _read(subject, record, subject.prompts)


def _printed(subject: Subject, config: Published, damage: Keep, experiment: str) -> Record:
    record = _record(subject, config.part, damage, 0, experiment)
    with subject.damaged():
        subject.rebuild(Keep(damage.domain), 1.0, 0)
        whole = subject.last(subject.begin)  # (V,)
        for step, level in enumerate(config.kept):
            cosine = subject.rebuild(damage, level, 0)
            logits = subject.last(subject.begin)
            row = {
                damage.level: level,
                "cosine": cosine,
                "cosine_last": float(torch.cosine_similarity(whole, logits, dim=0)),
                "top10": len(set(whole.topk(10).indices.tolist()) & set(logits.topk(10).indices.tolist())) / 10,
                "text": subject.texts([subject.begin], config.new)[0],
            }
            record.log(step, **row)
    return record


def _read(subject: Subject, record: Record, prompts: list[Tensor]) -> None:
    """What the whole model, back in its place, makes of a record's texts."""
    rows = [row for row in record.metrics if "text" in row]
    for row, sense in zip(
        rows, lm.sense(subject.found, prompts[0], [r["text"] for r in rows]) if rows else [], strict=True
    ):
        row["sense"] = sense
