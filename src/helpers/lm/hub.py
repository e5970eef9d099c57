"""A model by its hub name: all its files from one commit into the hub's own cache, the small ones before the weights.

transformers fetches file by file and goes on without one that the hub fails to give: a tokenizer without its config has
no special tokens, silently. Here a model is whole or it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

HINT = "give a local folder in Hugging Face layout, or model='storyteller', which needs no network"
SMALL = ["config.json", "generation_config.json", "tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json"]
SMALL += ["added_tokens.json", "chat_template*", "spiece.model", "sentencepiece*"]
WEIGHTS = ["model*.safetensors", "model.safetensors.index.json"]  # no pickles, no second copy under another name


def small(model: str) -> Path:
    """The folder in the cache with a model's config and tokenizer; its name is the commit.

    Without a network what is in the cache is taken, if it is whole. Raises PermissionError for a gated model, ValueError
    for one that is not there, ConnectionError when a file cannot be had.
    """
    from huggingface_hub import snapshot_download

    with explained(model):
        return Path(snapshot_download(model, allow_patterns=SMALL))


def weights(model: str, folder: Path) -> None:
    """Put the weights of the same commit into `folder`, as `small` gave it. Raises as `small`, and ValueError where the
    hub has none as safetensors."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    get = partial(snapshot_download, model, revision=folder.name, allow_patterns=WEIGHTS)
    there = lambda: any(folder.glob(WEIGHTS[0]))
    with explained(model):
        try:
            get(local_files_only=True)
            whole = there()
        except LocalEntryNotFoundError:
            whole = False
        if not whole:
            get()
    if not there():
        raise ValueError(f"{model} has no .safetensors weights on the hub (pickled ones are not read); {HINT}")


@contextmanager
def explained(model: str) -> Iterator[None]:
    """Turn what the hub's library raises into one sentence that says what to do."""
    from httpx import HTTPError  # a connection that breaks off in the middle of a file is not wrapped
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        yield
    except GatedRepoError as error:
        raise PermissionError(
            f"{model} is gated: accept its terms at https://huggingface.co/{model}, log in with `hf auth login`, and "
            f"try again; or {HINT}"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ValueError(f"the hub has no model {model!r}, or it is private; check the name, or {HINT}") from error
    except (OSError, HTTPError) as error:
        raise ConnectionError(f"{model!r} could not be had from the hub: {first(error)}; {HINT}") from error


def first(error: BaseException) -> str:
    """The first line of what an error says, or its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
