"""A model's folder that cannot be loaded is refused before a kernel starts, by what its small files and headers say."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from helpers.parameters import ParameterError
from helpers.run import check, execute
from helpers.run.project import Project

NOTEBOOK = """# %% tags=["parameters"]
profile: str = "quick"  # quick | full: how much work
model: str = "storyteller"  # storyteller | HUB-NAME | FOLDER: which

# %% tags=["settings"]
import sys
"""


@pytest.fixture
def project(project_folder):
    (project_folder / "notebooks" / "loads.py").write_text(NOTEBOOK)
    return Project.find()


@pytest.fixture
def folder(tmp_path):
    """What looks like a whole model."""
    folder = tmp_path / "a model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "tokenizer.json").write_text("{}")
    save_file({"a": np.ones((2, 2), np.float32)}, folder / "model.safetensors")
    return folder


def shards(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-3])


FAULTS = {
    "lfs": (
        lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n"),
        "git lfs pull",
    ),
    "cut": (cut, "by its own header"),
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), r"has no \.safetensors weights"),
    "a shard": (shards, "lacks 1 of 2 files of weights"),
    "not JSON": (lambda f: (f / "config.json").write_text("{"), r"config\.json is not JSON"),
    "unknown": (
        lambda f: (f / "config.json").write_text('{"model_type": "lama"}'),
        r"model_type is 'lama', which transformers \d\S+ does not know; use a model of a kind that it knows, or look whether",
    ),
    "no kind": (lambda f: (f / "config.json").write_text("{}"), "names no model_type"),
    "a token too many": (
        lambda f: (
            (f / "config.json").write_text('{"model_type": "llama", "vocab_size": 3}'),
            (f / "tokenizer.json").write_text(
                '{"model": {"vocab": {"a": 0, "b": 1, "c": 2}}, "added_tokens": [{"content": "<x>", "id": 3}]}'
            ),
        ),
        "token 3 has no row in the embedding of 3: 1 tokens of the tokenizer, the last of them '<x>'",
    ),
    "no decoder": (lambda f: (f / "config.json").write_text('{"model_type": "vit"}'), "is not a causal language model"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_cannot_be_loaded_is_refused_by_the_check(project, folder, fault):
    spoil, said = FAULTS[fault]

    def ask():
        plan = execute.plan(project, "loads", {"model": str(folder)})
        check.check(project, plan.notebook, plan.chosen)

    ask()
    spoil(folder)
    with pytest.raises(ParameterError, match=said) as caught:
        ask()
    assert str(folder) in str(caught.value)
    assert "out of date" not in str(caught.value)


def test_it_is_refused_before_the_kernel_and_leaves_nothing(project, folder):
    cut(folder)
    events = []
    with pytest.raises(ParameterError, match=f"model='{folder}' cannot be loaded"):
        execute.run(project, execute.plan(project, "loads", {"model": str(folder)}), report=events.append)
    assert events == []
    assert not (project.runs / "loads").exists()
