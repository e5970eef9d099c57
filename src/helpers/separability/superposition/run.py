"""Experiment D: the only file that trains, resumes and logs.

Columns: part; model, a trained model's name, or "stories" for those that are trained here; seed.
printed: a row a held batch; loss, psi_accuracy, A_activation; variance_stream, and without one head of the first layer
ablated_H; variance_head_H and …_last, σ² of what heads write; against_H, the lowest correlation with another head's
output; threshold, against, resamples, heads: of the settings.
heads: a row a head; layer, head; n, the sequences that find and as many that measure; variance, tr Cov of what it
writes; direct, gain, loss (nats), copying, each with Student's t (…_t) over sequences; null_…_t, of the head on other
sequences; zero, mean, resample: tr Cov of the stream at the end without it, over the whole model's; zero_local, …
behind its own block; surprise, the model's loss.
null: a row a random removal; layer, ratio. planted: a row a strength; share, direct_t, gain_t, n, total.
sequences: a row a sequence of the measured half, in the first model that has a suppressor; log_ratio, suppressors,
matched.
bottleneck: n, m, sparsity; error and what `bottleneck.summary` gives. directions: a row a feature of the models with
m = 2; x, y."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from helpers.records import Record
from helpers.separability import decoders
from helpers.separability.superposition import bottleneck, language, others, printed, rule
from helpers.separability.superposition.census import ABLATIONS, Found, Sweep
from helpers.separability.superposition.config import Bottleneck, Census, Foreign, Toy
from helpers.separability.superposition.views import View
from helpers.study import Log

STORIES = "stories"
TESTED = ("direct", "gain", "loss", "null_direct", "null_gain")


def run_printed(toy: Toy, log: Log) -> None:
    """The document's experiment under its own file names, audit_log_exp_d_superposition_seed_777.json and those that
    follow."""

    def make() -> list[Record]:
        params = printed.trained(toy, log.device)
        values, out = printed.measured(toy, params), []
        facts = {"part": "printed", "heads": toy.heads, "threshold": toy.threshold, "against": toy.against}
        for s in range(toy.seeds):
            record = Record("exp_d", "superposition", toy.seed + s, facts | {"resamples": toy.resamples})
            for i in range(toy.held):
                record.log(i, **{name.replace(".", "_"): float(v[s, i]) for name, v in values.items()})
            weights = [params[name][s].cpu().numpy().tobytes() for name in sorted(params)]
            record.checkpoint(toy.train_steps, b"".join(weights))
            out.append(record)
        return out

    log.once(("printed", toy), make)


def run_census(config: Census, log: Log) -> None:
    """Models of the stories, one a seed, and all of their heads."""

    view = language.learned(config, log.device, log.work)

    def make() -> list[Record]:
        held = language.stories(config, "held").to(log.device)
        return list(_census(log, STORIES, view, held, config.draws))

    log.once(("census", config, decoders.digest(view.params)), make)


def run_trained(config: Foreign, draws: int, log: Log) -> None:
    """The same census of a model that was trained elsewhere."""

    found, view = others.load(config, log.device)

    def make() -> list[Record]:
        return list(_census(log, found.name, view, others.text(found, config, log.device), draws))

    log.once(("trained", config, draws, decoders.digest(found.model)), make)


def run_bottleneck(config: Bottleneck, log: Log) -> None:
    """All shapes, sparsities and seeds at once."""

    def make() -> Iterator[Record]:
        models, params, errors = bottleneck.trained(config, log.device)
        for cell, w, error in zip(models, params["W"].cpu(), errors.tolist(), strict=True):
            known = {"n": cell.n, "m": cell.m, "sparsity": cell.sparsity}
            name = f"n{cell.n}.m{cell.m}.S{cell.sparsity:g}"
            record = Record(log.name, f"bottleneck.{name}", cell.seed, {"part": "bottleneck"} | known)
            record.log(config.steps, error=error, **bottleneck.summary(w, cell))
            yield record
            if (cell.n, cell.m) == min(config.shapes) and cell.m == 2:
                points = w[:2, : cell.n].T.tolist()
                yield _rows(
                    log,
                    f"directions.{name}",
                    cell.seed,
                    {"part": "directions"} | known,
                    ({"x": x, "y": y} for x, y in points),
                )

    log.once(("bottleneck", config), lambda: list(make()))


def _census(log: Log, name: str, view: View, tokens: Tensor, draws: int) -> Iterator[Record]:
    """The records of one view: four kinds a model, and one of single sequences for the first model that has a
    suppressor."""
    sweep = Sweep(view, tokens)
    found, surprise = sweep.run(log.progress, draws, name), sweep.passage({}).loss.mean(1).tolist()
    n, total = sweep.half, view.layers * view.heads
    shown = False
    for m in range(view.count):
        known = {"model": name, "n": n, "total": total}
        columns = _columns(found, m)
        heads = {k: v.tolist() for k, v in columns.items()}
        rows = ({k: v[i] for k, v in heads.items()} | {"surprise": surprise[m]} for i in range(total))
        yield _rows(log, f"heads.{name}", m, known | {"part": "heads"}, rows)
        null = ({"layer": k, "ratio": float(r)} for k, layer in enumerate(found.null[m]) for r in layer)
        yield _rows(log, f"null.{name}", m, known | {"part": "null"}, null)
        planted = ({"share": s} | {f"{k}_t": float(_t(v)[m]) for k, v in p.items()} for s, p in found.planted.items())
        yield _rows(log, f"planted.{name}", m, known | {"part": "planted"}, planted)
        chosen = rule.suppressors(columns, n, total)
        if chosen.any() and not chosen.all() and not shown:
            shown = True
            yield _rows(
                log, f"sequences.{name}", m, known | {"part": "sequences"}, _sequences(found, m, columns, chosen)
            )


def _columns(found: Found, m: int) -> dict[str, np.ndarray]:
    """{column: a value a head} of one model."""
    flat = lambda x: x[m].flatten().double().cpu().numpy()
    layers, heads = found.variance.shape[1:]
    out = {"layer": np.repeat(np.arange(layers), heads), "head": np.tile(np.arange(heads), layers)}
    out["variance"] = flat(found.variance)
    for name in TESTED:
        out |= {f"{name}_t": flat(_t(found.per[name]))} | (
            {} if "null" in name else {name: flat(found.per[name].mean(1))}
        )
    out |= {name: flat(value) for name, value in found.copying.items()}
    for kind in ABLATIONS:
        out |= {kind: flat(found.ratio[kind]), f"{kind}_local": flat(found.local[kind])}
    return out


def _sequences(found: Found, m: int, columns: dict[str, np.ndarray], chosen: np.ndarray) -> Iterator[dict[str, float]]:
    varied = found.varied[m].flatten(1).double().cpu().numpy()  # (N/2, L·H)
    layer = columns["layer"]
    near = np.unique(np.concatenate(rule.matched(layer, chosen)))
    ratio = rule.log2_ratio(varied, layer, chosen)
    for r, a, b in zip(ratio, varied[:, chosen].mean(1), varied[:, near].mean(1), strict=True):
        yield {"log_ratio": float(r) * float(np.log(2)), "suppressors": float(a), "matched": float(b)}


def _t(values: Tensor) -> Tensor:
    """(M, N, …) -> (M, …): Student's t of the mean over N against zero; 0 where nothing varies."""
    x = values.double()
    error = x.std(1) / x.shape[1] ** 0.5
    return torch.where(error > 0, x.mean(1) / error.clamp(min=1e-300), torch.zeros_like(error))


def _rows(log: Log, condition: str, seed: int, known: dict, rows: Iterable[dict]) -> Record:
    record = Record(log.name, condition, seed, dict(known))
    for i, row in enumerate(rows):
        record.log(i, **row)
    return record
