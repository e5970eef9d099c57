"""What every notebook does around its argument: settings of a profile, records, the reference run, verdicts, numbers.

here = chapter.start("learned_encoding", profile=profile, device=device)
settings = here.settings(quick={...}, full={...}, seeds=seeds)
here.keep(records)
here.judge(quantities)
here.say("gap", "0.41 ± 0.03")          # {glue:text}`gap` in the prose
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import claims, devices, files, records, stats
from helpers.figures import Output, setup

PROFILES = ("quick", "full")


@dataclass(frozen=True)
class Chapter:
    """One notebook's run: `folder` takes its records and verdicts, `work` its checkpoints, `device` is resolved."""

    name: str
    profile: str
    device: str
    folder: Path
    work: Path
    reference: Path

    def settings(self, *, quick: Mapping, full: Mapping, **given: object) -> dict:
        """The profile's settings, with those of `given` that are not None in their place.

        Raises KeyError for a setting that the profiles do not have.
        """
        chosen = dict(quick if self.profile == "quick" else full)
        unknown = set(given) - set(chosen)
        if unknown or set(quick) != set(full):
            odd = sorted(unknown or set(quick) ^ set(full))
            raise KeyError(f"settings {odd} are not in both profiles; add them to quick and to full")
        return chosen | {k: v for k, v in given.items() if v is not None}

    def box(self) -> Output:
        """The claims this chapter judges, as they stood before the run. The book puts each verdict's badge into it."""
        rows, plain = [], []
        for c in claims.of(self.name).values():
            rows.append(
                f'<dt><span class="claim-id">{c.id}</span> {html.escape(c.claim)} '
                f'<span class="verdict" data-claim="{c.id}"></span></dt>'
                f"<dd><b>As printed:</b> {html.escape(c.printed.text)}<br>"
                f"<b>Made precise:</b> {html.escape(c.precise.text)}</dd>"
            )
            plain.append(f"{c.id}  {c.claim}\n    made precise: {c.precise.text}")
        body = f'<div class="claims-box"><p class="claims-title">Claims judged here</p><dl>{"".join(rows)}</dl></div>'
        return Output({"text/html": body, "text/plain": "\n".join(plain)})

    def keep(self, found: Iterable[records.Record]) -> pd.DataFrame:
        """Write the records into the run's folder, and give them back as one tidy frame."""
        folder = self.folder / "records"
        for old in folder.glob("audit_log_*.json"):
            old.unlink()
        for record in found:
            record.write(folder)
        return records.load(folder)

    def committed(self, name: str = "") -> pd.DataFrame | None:
        """The committed reference run's frame, or None where there is none yet. name: one of several references."""
        folder = self.reference / name
        return records.load(folder) if (folder / records.HEADER).is_file() else None

    def store(self, name: str, content: Mapping) -> None:
        """Keep a small JSON object with the run, under `kept/`; `ruc reference` commits it beside the records."""
        files.write_atomic(self.folder / "kept" / f"{name}.json", files.strict_json(content) + "\n")

    def stored(self, name: str) -> dict | None:
        """What this run has stored under a name, else what the committed reference has; None where neither has it."""
        places = (self.folder / "kept" / f"{name}.json", self.reference / f"{name}.json")
        found = [path for path in places if path.is_file()]
        return files.read_json(found[0]) if found else None

    def label(self, name: str = "") -> str:
        """How the reference is named under a figure: profile, device, seeds, date."""
        head = records.header(self.reference / name)
        return f"reference ({head['profile']}, {head['provenance']['device']}, {head['seeds']} seeds, {head['date']})"

    def judge(
        self, quantities: Mapping[str, Sequence[float]], reference: Mapping[str, Sequence[float]] | None = None
    ) -> list[claims.Verdict]:
        """Judge the chapter's claims by this run, and by the reference's quantities where there are some.

        Both go to `verdicts.json` with the digest of the claims as they stood. Returns the verdicts that count: the
        reference's where there is one, otherwise this run's.
        """
        mine = claims.of(self.name)
        runs = {"this run": claims.judge(mine, quantities)}
        if reference:
            runs["reference"] = claims.judge(mine, reference)
        stored = {
            "chapter": self.name,
            "profile": self.profile,
            "device": self.device,
            "claims": claims.digest(mine),
            "verdicts": {run: [v.as_dict() for v in found] for run, found in runs.items()},
        }
        files.write_atomic(self.folder / "verdicts.json", files.strict_json(stored))
        numbers = {k: [float(v) for v in values] for k, values in quantities.items()}
        files.write_atomic(self.folder / "quantities.json", files.strict_json(numbers))
        return runs.get("reference", runs["this run"])

    def examine(self, quantities: Mapping[str, Sequence[float]]) -> list[claims.Verdict]:
        """Judge the chapter's claims by some other quantities, for a table: by their precise criteria, nothing is stored."""
        return [v for v in claims.judge(claims.of(self.name), quantities) if v.criterion == "precise"]

    def probe(self, known: Mapping[str, tuple[Mapping, Mapping]]) -> tuple[dict[str, list[float]], list[claims.Probe]]:
        """Judge known answers. known: {claim: (quantities with its effect planted, quantities with it taken out)}.

        Returns the quantities that the claims' controls ask for, and the probes, for `probe_table`.
        """
        probes = claims.probe(claims.of(self.name), known)
        return claims.probed(probes), probes

    def say(
        self,
        name: str,
        text: str | Sequence[float],
        spec: str = ".3g",
        unit: str = "",
        reference: Sequence[float] | None = None,
    ) -> None:
        """Put a number into the prose: {glue:text}`name`. A sequence is shown as mean ± half its 95 % interval, with n.

        reference: the same quantity in the committed reference run, shown beside it. Units without a value (one that
        never converged, say) are left out of the mean and counted: "n = 2 of 3".
        """
        if not isinstance(text, str):
            beside = "" if reference is None else "; reference " + ", ".join(_spread(reference, spec))
            number, count = _spread(text, spec)
            text = f"{number}{' ' + unit if unit else ''} ({count}{beside})"
        _glue(name, text)


def start(name: str, *, profile: str, device: str = "auto") -> Chapter:
    """Open a chapter, and write down what it runs on.

    Raises ValueError for an unknown profile or device, RuntimeError for a device that is not there. Under the runner the
    folders come from RUC_RUN_DIR and RUC_WORK_DIR; in a live notebook they are `runs/NAME/live/`.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile={profile!r} is unknown; use one of {', '.join(PROFILES)}")
    setup()
    live = files.root() / "runs" / name / "live"
    here = Chapter(
        name=name,
        profile=profile,
        device=devices.resolve(device),
        folder=Path(os.environ.get("RUC_RUN_DIR") or live),
        work=Path(os.environ.get("RUC_WORK_DIR") or live / "checkpoints"),
        reference=files.root() / "book" / "reference" / name,
    )
    files.write_atomic(here.folder / "provenance.json", files.strict_json(devices.provenance(here.device)))
    return here


def verdict_table(verdicts: Sequence[claims.Verdict]) -> Output:
    """A row a claim and criterion: the verdict as a badge, and the reason with its numbers."""
    rows, plain = [], []
    for v in verdicts:
        badge = f'<span class="verdict verdict-{v.verdict}">{v.verdict}</span>'
        rows.append(f"<tr><td>{v.id}</td><td>{v.criterion}</td><td>{badge}</td><td>{html.escape(v.reason)}</td></tr>")
        plain.append(f"{v.id:4} {v.criterion:8} {v.verdict:10} {v.reason}")
    head = "<tr><th>claim</th><th>criterion</th><th>verdict</th><th>why</th></tr>"
    table = f'<table class="verdicts"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
    return Output({"text/html": table, "text/plain": "\n".join(plain)})


def probe_table(probes: Sequence[claims.Probe], says: Mapping[str, tuple[str, str]]) -> Output:
    """A row a claim: what was planted and the verdict on it, what is left without the effect and the verdict on that."""
    columns = ["claim", "planted", "verdict", "taken out", "verdict"]
    rows = [(p.id, says[p.id][0], p.planted, says[p.id][1], p.absent) for p in probes]
    return table(pd.DataFrame(rows, columns=columns), "The tests on answers that are known")


def table(frame: pd.DataFrame, caption: str, digits: int = 3) -> Output:
    """A frame as a small table: numbers to `digits` significant digits, the caption above."""

    def cell(value: object) -> str:
        if isinstance(value, (float, np.floating)):
            return f"{value:.{digits}g}" if np.isfinite(value) else "–"
        return html.escape(str(value))

    head = "".join(f"<th>{html.escape(str(c))}</th>" for c in frame.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell(v)}</td>" for v in row) + "</tr>" for row in frame.itertuples(index=False)
    )
    markup = (
        f'<table class="data"><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )
    return Output({"text/html": markup, "text/plain": f"{caption}\n{frame.to_string(index=False)}"})


def mean(values: Sequence[float], spec: str = ".3g") -> str:
    """The mean of the values that there are, as text for a caption; 'no value' when there is none."""
    return _spread(values, spec)[0].partition(" ±")[0]


def _spread(values: Sequence[float], spec: str) -> tuple[str, str]:
    """'0.41 ± 0.03' and 'n = 10', or 'n = 9 of 10' when one unit has no value."""
    known = [v for v in values if np.isfinite(v)]
    if not known:
        return "no value", f"n = 0 of {len(values)}"
    ci = stats.t_interval(known)
    half = f" ± {(ci.high - ci.low) / 2:{spec}}" if ci.n > 1 else ""
    count = f"n = {ci.n}" + (f" of {len(values)}" if ci.n < len(values) else "")
    return f"{ci.estimate:{spec}}{half}".replace("-", "−"), count


def _glue(name: str, text: str) -> None:
    """Store text under a name for the book's {glue:text} role, in the form myst-nb reads, without importing sphinx."""
    from IPython.display import display

    prefix = "application/papermill.record/"
    bundle = {f"{prefix}text/plain": json.dumps(text, ensure_ascii=False)}
    display(bundle, raw=True, metadata={"scrapbook": {"name": name, "mime_prefix": prefix}})
