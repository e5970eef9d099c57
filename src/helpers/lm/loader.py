"""One loader for every causal language model: a hub name, a local Hugging Face folder, or 'storyteller'."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from helpers import devices
from helpers.lm import folders, hub, parts, trial
from helpers.lm.hub import HINT, first

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ASSETS = Path(__file__).parents[1] / "storyteller" / "assets"  # only the folder: this knows nothing of stories
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
LOCAL = {
    "local_files_only": True,
    "trust_remote_code": False,
}  # no code is run, none asked about


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
    folders.check_small(folder, model, _advice(source))
    if source != "hub":
        stored = folders.check_weights(folder, model, _advice(source))
    with quiet(), explained(model, source):
        from transformers import AutoConfig, AutoTokenizer

        config = AutoConfig.from_pretrained(folder, **LOCAL)
    count, rows = parameters(config, model)
    kind = DTYPES[dtype] if dtype else torch.float32 if device == "cpu" or count < trial.SMALL else torch.bfloat16
    need_memory(int(count * kind.itemsize * 1.1), device, device_map, f"{model} ({count / 1e6:.1f}M parameters)")
    with quiet(), explained(model, source):
        tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
    folders.check_tokens(tokenizer.get_vocab(), rows, model)
    if source == "hub":
        with quiet():
            hub.weights(model, folder)
        stored = folders.check_weights(folder, model, _advice(source))
    net = _read(
        folder, model, source, stored, dtype=kind, device_map=device_map or (device if device != "cpu" else None)
    )
    name = Path(where).absolute().name if source == "folder" else model
    return LM(name, source, net, tokenizer, str(next(net.parameters()).device))


def check(model: str, what: str = "") -> None:
    """Whatever can be said against a folder without reading its weights; of a name on the hub nothing. what: how it is called
    in the error. Raises as `load`."""
    source, where = locate(model)
    if source == "folder":
        folders.check_small(Path(where), what or model, _advice(source))
        folders.check_weights(Path(where), what or model, _advice(source))


def _read(folder: Path, model: str, source: str, stored: folders.Shapes, **how) -> PreTrainedModel:
    """The model in eval mode, if the file has all that it needs and nothing else, and if it is causal."""
    with quiet(), explained(model, source):
        from transformers import AutoModelForCausalLM

        net, info = AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, **LOCAL, **how
        )
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise ValueError(f"{model} lacks {len(missing)} weights, such as {missing[0]}; save the whole model again")
    unused = sorted(k for k in info["unexpected_keys"] if not folders.is_mask(k, stored.get(k, ())))
    if unused:
        some = ", ".join(unused[:3]) + (", …" if len(unused) > 3 else "")
        raise ValueError(
            f"{model} holds {len(unused)} tensors that a {type(net).__name__} of its config does not use: {some}; give the "
            "config that they were saved with (its layers, its kind), or save the model again without them"
        )
    net.eval()
    with quiet(), explained(model, source):
        changed, allowed = trial.looks_ahead(net)
    if not math.isfinite(changed):
        bad = [name for name, p in net.named_parameters() if not torch.isfinite(p).all()]
        which = (
            f"{bad[0]} has entries that are NaN or infinite"
            if bad
            else "its logits on a short text are NaN or infinite"
        )
        raise ValueError(f"{model} cannot be used: {which}; save it there again from weights that are whole")
    if changed > allowed:
        raise ValueError(
            f"{model} is not causal: another end of a text changes the logits before it by {changed:.3g} (rounding: at most "
            f"{allowed:.3g}); a {type(net).__name__} as its config says is no decoder, use one that is (is_decoder=true)"
        )
    return net


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


def parameters(config: PretrainedConfig, name: str) -> tuple[int, int]:
    """How many parameters a model of this config has, and how many rows its embedding, counted without making their
    memory. Raises ValueError when the config is of no causal LM."""
    from transformers import AutoModelForCausalLM

    try:
        with quiet(), torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{name} is not a causal language model that transformers knows: {first(error)}") from error
    return sum(prod(p.shape) for p in empty.parameters()), parts.rows(empty)


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

    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, ImportError) as error:
        if "trust_remote_code" in str(error):
            raise ValueError(
                f"{model} cannot be loaded: it needs code that comes with it, which is never run here; use a model and a "
                "tokenizer of a kind that transformers knows"
            ) from error
        raise ValueError(f"{model} cannot be loaded: {first(error)}; {_advice(source)}") from error


def _advice(source: str) -> str:
    return f"remove it from the hub's cache and try again, or {HINT}" if source == "hub" else "save it there again"


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
