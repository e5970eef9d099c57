"""What every notebook does around its argument: settings of a profile, the log of its records, verdicts, numbers.

here = chapter.start("learned_encoding", profile=profile, device=device, seeds=seeds, learned_dim=learned_dim)
s = here.settings(seeds=Per(3, 12), length=64)       # quick, full; a parameter that is given and not None comes first
log = here.log(encoding.CHAPTERS[here.name])         # run_x(config, log) fills it
log.at(part="chains").say("gap", quantity, ".2f")    # {glue:text}`gap` in the prose, the reference beside it
judged = log.verdict()
"""

from __future__ import annotations

import difflib
import html
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from helpers import claims, devices, files, parameters, prose, sources
from helpers.figures import Output, setup
from helpers.prose import mean, table
from helpers.sides import Judged, Sides
from helpers.study import Log, Study
from helpers.work import Work

__all__ = ["Chapter", "Judged", "Log", "Per", "Settings", "Sides", "Study", "mean", "start", "table"]
PROFILES = ("quick", "full")


@dataclass(frozen=True)
class Per:
    """A setting with a value for each profile."""

    quick: object
    full: object


class Settings:
    """Settings by attribute, fixed once made."""

    def __init__(self, values: Mapping[str, object]):
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> object:
        near = difflib.get_close_matches(name, self.__dict__, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.__dict__)}"
        raise AttributeError(f"there is no setting {name!r}; {hint}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}={value!r}: settings are fixed; change the parameters and run the cell again")

    def __repr__(self) -> str:
        return "\n".join(f"{k} = {v!r}" for k, v in self.__dict__.items())


@dataclass(frozen=True)
class Chapter:
    """One notebook's run: `folder` takes its records and verdicts, `work` its checkpoints, `device` is resolved.

    given: the notebook's other parameters by name. chosen: what the settings came to. defaults: of the notebook's parameters.
    """

    name: str
    profile: str
    device: str
    folder: Path
    work: Path
    reference: Path
    given: Mapping[str, object]
    chosen: dict = field(default_factory=dict, compare=False)
    defaults: Mapping[str, object] = field(default_factory=dict)

    def settings(self, **values: object) -> Settings:
        """The profile's settings: plain values, or `Per(quick, full)`; a parameter of the same name that is not None wins.

        They are kept with the run, so that a reference can say what its parameters came to. Raises KeyError for a parameter
        that leaves its value to the profile when no setting has its name.
        """
        chosen = {k: getattr(v, self.profile) if isinstance(v, Per) else v for k, v in values.items()}
        if left := [k for k, v in self.given.items() if v is None and k not in values]:
            raise KeyError(
                f"parameter {left[0]!r} leaves its value to the profile; add {left[0]}=Per(quick, full) to settings"
            )
        chosen |= {k: v for k, v in self.given.items() if k in values and v is not None}
        plain = {k: v for k, v in chosen.items() if isinstance(v, (str, int, float, bool, tuple, list, type(None)))}
        self.chosen.update(plain)
        return Settings(chosen)

    def log(self, study: Study) -> Log:
        """An empty log for the chapter's records. Its resume cache belongs to the code of the study's part, too."""
        part = study.quantities.__module__.rpartition(".")[0]
        self._hold()
        files.write_atomic(self.folder / "settings.json", files.strict_json(self.chosen))
        _write_provenance(self.folder, self.device)
        return Log(
            study,
            self.name,
            self.folder,
            reference=self.reference,
            device=self.device,
            work=Work(self.work, sources.digest_of([part])),
            given=self.given,
            defaults=self.defaults,
            profile=self.profile,
        )

    def _hold(self) -> None:
        """Hold a live kernel's own folder, so that it is not cleaned away; a run's is its runner's business."""
        if "RUC_RUN_DIR" not in os.environ:
            files.hold(self.folder)

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

    def store(self, name: str, content: Mapping) -> None:
        """Keep a small JSON object with the run, under `kept/`; `ruc reference` commits it beside the records."""
        self._hold()
        files.write_atomic(self.folder / "kept" / f"{name}.json", files.strict_json(content) + "\n")

    def stored(self, name: str) -> dict | None:
        """What this run has stored under a name, else what the committed reference has; None where neither has it."""
        places = (self.folder / "kept" / f"{name}.json", self.reference / f"{name}.json")
        found = [path for path in places if path.is_file()]
        return files.read_json(found[0]) if found else None

    def say(self, name: str, text: str) -> None:
        """Put a text into the prose: {glue:text}`name`. For a quantity use `log.at(…).say`."""
        prose.glue(name, text)


def start(name: str, *, profile: str, device: str = "auto", **given: object) -> Chapter:
    """Open a chapter, and write down what it runs on. given: every other parameter of the notebook, by name.

    Raises ValueError for an unknown profile or device, or for a value that the notebook's own parameters cell does not
    allow, however it came here (papermill checks nothing); RuntimeError for a device that is not there. Under the runner the
    folders come from RUC_RUN_DIR and RUC_WORK_DIR. A live notebook gets a folder of its own in `runs/NAME/live/`, so that two
    kernels never mix their records; the resume cache beside it is shared, for it is kept by content.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile={profile!r} is unknown; use one of {', '.join(PROFILES)}")
    root = files.root()
    source = root / "notebooks" / f"{name}.py"
    known = parameters.of_notebook(source) if source.is_file() else {}
    for key in given.keys() & known.keys():
        known[key].check(given[key])
    setup()
    device = devices.use(device)
    live = root / "runs" / name / "live"
    here = Chapter(
        name=name,
        profile=profile,
        device=device,
        folder=Path(os.environ.get("RUC_RUN_DIR") or _own_folder(live)),
        work=Path(os.environ.get("RUC_WORK_DIR") or live / "checkpoints"),
        reference=root / "book" / "reference" / name,
        given=given,
        defaults={name: p.default for name, p in known.items()},
    )
    if "RUC_RUN_DIR" in os.environ:
        _write_provenance(here.folder, here.device)
    return here


def _own_folder(live: Path) -> Path:
    """A name that no other kernel takes; the folder comes with its first file, so that a refused start leaves nothing."""
    return live / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"


def _write_provenance(folder: Path, device: str) -> None:
    files.write_atomic(folder / "provenance.json", files.strict_json(devices.provenance(device)))
