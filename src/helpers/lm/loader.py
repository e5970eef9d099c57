"""One loader for every causal language model: a hub name, a local Hugging Face folder, or 'storyteller'."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from helpers import devices
from helpers.lm import hub
from helpers.lm.hub import HINT, first

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ASSETS = Path(__file__).parents[1] / "storyteller" / "assets"  # only the folder: this knows nothing of stories
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SMALL = 50_000_000  # parameters; a model below stays in float32 on every device


@dataclass(frozen=True)
class LM:
    """A causal LM in eval mode and its tokenizer. source: 'embedded', 'folder' or 'hub'. device: of its first weights."""

    name: str
    source: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    device: str

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())


def load(
    model: str = "storyteller", *, device: str = "auto", dtype: str | None = None, device_map: str | None = None
) -> LM:
    """Load a causal LM and its tokenizer. No code that comes with a model is run.

    model: 'storyteller' (embedded), a folder with config.json, or a hub name. dtype: 'float32', 'bfloat16' or 'float16';
    by default float32 on the CPU and for models below 50M parameters, bfloat16 on a GPU. device_map: 'auto' spreads the
    model over all GPUs, through accelerate.

    Raises ValueError for an unknown dtype or device, or an unusable model; FileNotFoundError for a folder that lacks
    config.json, weights or a tokenizer; PermissionError for a gated model; ConnectionError when the hub cannot be
    reached; MemoryError, with both figures, when it cannot fit; RuntimeError for a device that is not there.
    """
    device = devices.resolve(device)
    if dtype is not None and dtype not in DTYPES:
        raise ValueError(f"dtype={dtype!r} is unknown; use one of {', '.join(DTYPES)}, or None to choose by the device")
    if device_map not in (None, "auto"):
        raise ValueError(f"device_map={device_map!r} is unknown; use None, or 'auto' to spread over all GPUs")
    source, where = locate(model)
    folder = Path(where)
    if source == "hub":
        with quiet():
            folder = hub.small(model)
        _complete(folder, f"{model} on the hub", weights=False)
    with quiet(), explained(model, source):
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    count = parameters(config, model)
    kind = DTYPES[dtype] if dtype else torch.float32 if device == "cpu" or count < SMALL else torch.bfloat16
    need_memory(int(count * kind.itemsize * 1.1), device, device_map, f"{model} ({count / 1e6:.1f}M parameters)")
    if source == "hub":
        with quiet():
            hub.weights(model, folder)
    with quiet(), explained(model, source):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        found, info = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=kind,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            device_map=device_map or (device if device != "cpu" else None),
        )
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise ValueError(f"{model} lacks {len(missing)} weights, such as {missing[0]}; save the whole model again")
    name = model if source == "hub" else Path(model).name
    return LM(name, source, found.eval(), tokenizer, str(next(found.parameters()).device))


def locate(model: str) -> tuple[str, str]:
    """('embedded' | 'folder' | 'hub', the folder, or the hub name). Checks a folder before anything is read."""
    path = ASSETS if model == "storyteller" else Path(model).expanduser()
    if path.is_dir():
        _complete(path, str(path))
        return "embedded" if path is ASSETS else "folder", str(path)
    if path.is_file():
        raise ValueError(f"{model} is a file; give the folder it lies in: config.json and the tokenizer are needed too")
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1 or not model:
        raise FileNotFoundError(f"no folder {model!r}; {HINT}")
    return "hub", model


def _complete(folder: Path, what: str, weights: bool = True) -> None:
    has = lambda *patterns: any(next(folder.glob(p), None) for p in patterns)
    if not has("config.json"):
        raise FileNotFoundError(f"{what} has no config.json; a model folder in Hugging Face layout has one: {HINT}")
    if not has("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model"):
        raise FileNotFoundError(
            f"{what} has no tokenizer (tokenizer.json or tokenizer.model); save it there with tokenizer.save_pretrained"
        )
    if weights and not has("*.safetensors"):
        raise FileNotFoundError(
            f"{what} has no .safetensors weights; save them there with model.save_pretrained (pickled weights are not read)"
        )


def parameters(config: PretrainedConfig, name: str) -> int:
    """How many parameters a model of this config has, counted without making their memory. Raises ValueError when the
    config is of no causal LM."""
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(config)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{name} is not a causal language model that transformers knows: {first(error)}") from error
    return sum(prod(p.shape) for p in empty.parameters())


def need_memory(needed: int, device: str, device_map: str | None, what: str) -> None:
    """Refuse a model that cannot fit; with a device map all GPUs and the main memory count together."""
    advice = "use a smaller model, or dtype='bfloat16'"
    if device_map is None:
        devices.need_memory(needed, device, what, f"{advice}, or device_map='auto' over several GPUs")
        return
    gpus = [f"cuda:{i}" for i in range(devices.cuda_count())]
    free = sum(devices.free_memory(place) for place in [*gpus, "cpu"])
    if needed > free:
        raise MemoryError(
            f"{what} needs about {needed / 2**30:.1f} GiB; {len(gpus)} GPU(s) and the main memory have "
            f"{free / 2**30:.1f} GiB free together; {advice}"
        )


@contextmanager
def explained(model: str, source: str) -> Iterator[None]:
    """Turn what transformers raises about a folder into one sentence that says what to do."""
    from safetensors import SafetensorError

    advice = f"remove it from the hub's cache and try again, or {HINT}" if source == "hub" else "save it there again"
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{model} cannot be loaded: {first(error)}; {advice}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, no warnings, no log lines from the Hugging Face libraries."""
    from transformers.utils import logging as speech

    level, bars, hub = (
        speech.get_verbosity(),
        speech.is_progress_bar_enabled(),
        logging.getLogger("huggingface_hub").level,
    )
    speech.set_verbosity_error()
    speech.disable_progress_bar()  # the hub's own as well
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        speech.set_verbosity(level)
        logging.getLogger("huggingface_hub").setLevel(hub)
        if bars:
            speech.enable_progress_bar()
