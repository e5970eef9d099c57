"""What a parameters cell advertises is true: every end of every range and every choice, in both profiles, either passes the
notebook's own settings cell or is refused with an error that names the value and a value that works.
"""

import itertools
import math
import pickle
import re
import shutil
from pathlib import Path

import pytest

from helpers import parameters
from helpers.parameters import ParameterError
from helpers.run import check
from helpers.run.project import Project

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Project(ROOT, ROOT / "runs")
BEYOND = 10**6  # stands for a range that has no end
TOGETHER = {  # parameters that are known to limit each other, at values where they do
    "learned_encoding": {
        "learned_dim": (1, 6, 8, 17, 32),
        "traditional_dim": (8, 32, 64),
        "vocab_size": (35, 47, 128),
    },
    "encoding_limits": {"k": (1, 2, 3, 8), "vocab": (64, 65536), "fasta": ("embedded", "ecoli")},
    "metric_calibration": {"samples_per_class": (24, 100, 128), "k": (3, 20, 30, 40)},
    "dtdr_guided": {
        "mode": ("all", "zero", "random", "guided"),
        "relative": ("none", "FOLDER"),
        "pkl": ("none", "PATH"),
    },
}


def cases(parameter, place):
    """Every choice, or both ends of the range; files and folders are made in `place`; None where it is the default."""
    found = [] if parameter.default is not None else [None]
    if parameter.choices:
        return found + [_special(c, parameter.name, place) for c in parameter.choices]
    if parameter.type in ("int", "float"):
        kind = parameters.SCALARS[parameter.type]
        ends = (e if math.isfinite(e) else math.copysign(BEYOND, e) for e in (parameter.low, parameter.high))
        return found + [kind(e) for e in ends]
    return found + {"bool": [False, True], "str": ["", "any words"]}.get(parameter.type, [parameter.default])


def _special(choice, name, place):
    """A choice of a parameter as a reader would give it."""
    if choice == "FOLDER":
        folder = place / "a model"
        if not folder.is_dir():
            shutil.copytree(next((ROOT / "src").rglob("assets/**/model.safetensors")).parent, folder)
        return str(folder)
    if choice == "PATH":
        path = place / f"a {name} file"
        if "fasta" in name:
            path.write_text(">one\n" + "ACGTTGCAAC" * 2000 + "\n")
        elif name == "protein":
            path.write_text(">one\n" + "MKVLAGHEWY" * 2000 + "\n")
        elif "pkl" in name:
            path.write_bytes(pickle.dumps({}, protocol=4))
        else:
            path.write_text("one word follows another , and this is a line of them .\n" * 2000)
        return str(path)
    return "some-org/some-model" if choice == "HUB-NAME" else _typed(choice)


def _typed(choice):
    return int(choice) if re.fullmatch(r"-?\d+", choice) else choice


def ask(notebook, given):
    """The error of the notebook's check with these parameters, or ''."""
    chosen = parameters.resolve(notebook.parameters, given, texts=False)
    try:
        check.check(PROJECT, notebook, chosen)
    except ParameterError as error:
        return str(error)
    return ""


def true(notebook, given, name, value):
    """What is wrong with how the notebook takes this value of one of the given parameters; '' when nothing is."""
    error = ask(notebook, given)
    if not error:
        return ""
    shown = Path(value).name if isinstance(value, str) and Path(value).is_absolute() else str(value)
    if shown not in error or "\n" in error:
        return f"{name}={value!r}: the refusal does not name the value in one line: {error}"
    others = (w for w in _values(notebook.parameters[name], error.replace(str(value), "", 1)) if w != value)
    works = any(not ask(notebook, given | {name: other}) for other in others)
    return "" if works else f"{name}={value!r}: the refusal says no value that passes: {error}"


def _values(parameter, text):
    """Values of a parameter that a text names."""
    for word in dict.fromkeys(re.findall(r"[\w./+-]*\w", text.replace("..", " "))):
        try:
            yield parameter.check(parameter.parse(word))
        except ParameterError:
            continue


every = pytest.mark.parametrize("name", PROJECT.names)
profiles = pytest.mark.parametrize("profile", ["quick", "full"])


@every
def test_every_notebook_has_a_settings_cell(name):
    notebook = PROJECT.notebook(name)
    assert check.cells(notebook), f"tag the cell after the parameters of {name} with {check.TAG!r}"
    assert len(check.cells(notebook)) <= 3, "imports, parameters, settings: nothing else comes before them"


@every
@profiles
def test_every_end_of_every_range_and_every_choice(name, profile, tmp_path):
    notebook = PROJECT.notebook(name)
    assert check.cells(notebook), f"{name} has no settings cell"
    wrong = [ask(notebook, {"profile": profile})]
    for parameter in notebook.parameters.values():
        for value in cases(parameter, tmp_path):
            wrong.append(true(notebook, {"profile": profile, parameter.name: value}, parameter.name, value))
    assert not [w for w in wrong if w]


@every
def test_nothing_lies_beyond_the_ends(name):
    for parameter in PROJECT.notebook(name).parameters.values():
        beyond = [e for e in (parameter.low - 1, parameter.high + 1) if math.isfinite(e)]
        for value in (parameters.SCALARS[parameter.type](e) for e in beyond):
            with pytest.raises(ParameterError, match=f"{parameter.name}=.*within"):
                parameter.check(value)


@pytest.mark.parametrize(
    ("name", "profile"), [(name, ("quick", "full")[i % 2]) for i, name in enumerate(sorted(TOGETHER))]
)
def test_values_that_limit_each_other(name, profile, tmp_path):
    """All combinations: each is taken, or refused with a value of one of them that makes it work. One profile a chapter: what
    they share is the settings cell, which every end of every range is put through in both.
    """
    notebook = PROJECT.notebook(name)
    assert check.cells(notebook), f"{name} has no settings cell"
    wrong = []
    for values in itertools.product(*TOGETHER[name].values()):
        real = [
            _special(v, k, tmp_path) if isinstance(v, str) else v for k, v in zip(TOGETHER[name], values, strict=True)
        ]
        given = {"profile": profile} | dict(zip(TOGETHER[name], real, strict=True))
        told = [true(notebook, given, k, given[k]) for k in TOGETHER[name]]
        wrong += told if all(told) else []
    assert not wrong, "\n".join(wrong)
