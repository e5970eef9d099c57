"""What a model's predictions are worth: its loss on tokens, and how far they are from those of another model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from helpers.lm.loader import LM

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LOGITS = 1 << 26  # logits worked on at once: a quarter of a gigabyte in float32
MEASURED = ("nll", "kl", "top1", "logit_cosine", "entropy")


def net_of(model: LM | PreTrainedModel) -> PreTrainedModel:
    """The model itself, without its tokenizer."""
    return model.model if isinstance(model, LM) else model


def nats(logits: Tensor, tokens: Tensor) -> Tensor:
    """The one loss: -log p, (B, T-1) float32, of each of tokens (B, T) given those before it.

    logits (B, T, V) or (B, T-1, V): what a model gives for the tokens; a last position predicts none of them.
    """
    logits = logits[:, : tokens.shape[1] - 1].float()  # (B, T-1, V)
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none").view(len(tokens), -1)


def score(model: LM | PreTrainedModel, tokens: Tensor, *, batch: int | None = None) -> dict[str, Tensor | float]:
    """Loss of a model on tokens (N, T): {'nll': (N,) mean nats a predicted token, 'nats': their mean}.

    batch: sequences at a time; by default as many as keep the logits below a quarter of a gigabyte.
    """
    nll = costs(model, tokens, batch=batch).mean(1)
    return {"nll": nll, "nats": float(nll.mean())}


@torch.inference_mode()
def costs(model: LM | PreTrainedModel, tokens: Tensor, *, batch: int | None = None) -> Tensor:
    """(N, T-1) float64 on the CPU: -log p (nats) of every token given those before it in its sequence."""
    found = [nats(logits, part) for _, part, logits in _batches(model, tokens, batch)]
    return torch.cat(found).double().cpu()


@torch.no_grad()
def log_probs(model: LM | PreTrainedModel, tokens: Tensor, *, batch: int | None = None) -> Tensor:
    """(N, T-1, V) float32 on the model's device: log-probabilities of every next token of tokens (N, T)."""
    return torch.cat([logits.log_softmax(-1) for _, _, logits in _batches(model, tokens, batch)])


@torch.inference_mode()
def measure(
    model: LM | PreTrainedModel, tokens: Tensor, *, whole: Tensor | None = None, batch: int | None = None
) -> dict[str, float]:
    """Means over the predicted tokens of tokens (N, T), each summed in float64.

    nll: loss, nats a token; entropy of the predictions, nats. With whole (N, T-1, V), another model's `log_probs` of the
    same tokens, also kl: KL(whole ‖ model), nats; top1: share of tokens where both have the same likeliest; logit_cosine:
    cosine of their logits, each centred over the vocabulary. Nothing is waited for between batches. Raises ValueError when
    `whole` is of other tokens or another vocabulary.
    """
    predicted = tokens[:, 1:].numel()
    if whole is not None and whole.shape[:2] != tokens[:, 1:].shape:
        raise ValueError(
            f"whole has shape {tuple(whole.shape)}; expected {tuple(tokens[:, 1:].shape)} and the vocabulary: give "
            "log_probs of the same tokens"
        )
    sums: Tensor | None = None
    for at, part, logits in _batches(model, tokens, batch):
        row = sums_of(logits, part, whole[at : at + len(part)] if whole is not None else None)
        sums = row if sums is None else sums + row
    names = MEASURED if whole is not None else ("nll", "entropy")
    return dict(zip(names, (sums / predicted).tolist(), strict=True))


def sums_of(logits: Tensor, tokens: Tensor, whole: Tensor | None = None) -> Tensor:
    """What `measure` adds up, float64 (2,), or (5,) with `whole`, in the order of MEASURED: logits (b, T-1, V) that a model
    gives for tokens (b, T). Stays on the device.
    """
    new = logits.log_softmax(-1)  # (b, T-1, V)
    found = {"nll": -new.gather(-1, tokens[:, 1:, None])}
    if whole is not None:
        found |= _apart(whole, new)
    found["entropy"] = -new.exp() * new
    return torch.stack([value.sum(dtype=torch.float64) for value in found.values()])


def _apart(whole: Tensor, new: Tensor) -> dict[str, Tensor]:
    """How far log-probabilities (b, T-1, V) are from those of the whole model."""
    if whole.shape[-1] != new.shape[-1]:
        raise ValueError(f"whole has a vocabulary of {whole.shape[-1]} tokens, the model one of {new.shape[-1]}")
    whole = whole.to(new.device).float()
    centred = [z - z.mean(-1, keepdim=True) for z in (whole, new)]
    return {
        "kl": whole.exp() * (whole - new),
        "top1": new.argmax(-1) == whole.argmax(-1),
        "logit_cosine": F.cosine_similarity(*centred, dim=-1),
    }


@torch.inference_mode()
def sense(found: LM, prompt: Tensor, texts: Sequence[str]) -> list[float]:
    """Nats a token that a model gives each text after a prompt (T,); nan for an empty text.

    Text that means something to a reader is likely to a whole model too; salad is not. Raises ValueError for an empty
    prompt, after which a first token has no probability.
    """
    if prompt.ndim != 1 or not len(prompt):
        raise ValueError(f"prompt has shape {tuple(prompt.shape)}; expected at least one token, (T,)")
    ids = [torch.tensor(found.tokenizer(t, add_special_tokens=False)["input_ids"], dtype=torch.long) for t in texts]
    if not any(len(i) for i in ids):
        return [float("nan")] * len(ids)
    rows = pad_sequence([torch.cat([prompt.cpu(), i]) for i in ids], batch_first=True)  # padded behind all that counts
    each = costs(found, rows)[:, len(prompt) - 1 :]  # (N, longest text)
    return [float(row[: len(i)].mean()) for row, i in zip(each, ids, strict=True)]


def _batches(model: LM | PreTrainedModel, tokens: Tensor, batch: int | None) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(place of the first, tokens (b, T) on the model's device, their logits (b, T-1, V) in float32), batch by batch."""
    net = net_of(model)
    tokens = tokens.to(net.device)
    batch = batch or max(1, LOGITS // (tokens.shape[1] * net.config.vocab_size))
    for at in range(0, len(tokens), batch):
        part = tokens[at : at + batch]
        yield at, part, net(input_ids=part, use_cache=False).logits[:, :-1].float()
