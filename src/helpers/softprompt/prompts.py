"""What stands before a text, and what the frozen model makes of it: modes, starts, logits, losses, greedy decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices
from helpers.lm import LM
from helpers.softprompt.config import Search
from helpers.softprompt.jobs import Job

CAUSAL = (
    "sdpa_causal"  # sdpa for which transformers makes no mask: one made while a graph is recorded cannot be left out
)


def spread(found: LM) -> float:
    """The standard deviation of the model's token embeddings: the unit of starts and rates."""
    return float(found.model.get_input_embeddings().weight.detach().float().std())


def width(found: LM) -> int:
    """Numbers in one vector."""
    return int(found.model.get_input_embeddings().weight.shape[1])


def mode_tokens(found: LM) -> tuple[int, int]:
    """The tokens whose embeddings ask for the question and for the answer: 'Q' and 'A', or, where the vocabulary has no such
    words, '.' (after which a sentence begins) and '?' (after which an answer does)."""
    unknown, out = found.tokenizer.unk_token_id, []
    for word, other in (("Q", "."), ("A", "?")):
        ids = found.tokenizer(word, add_special_tokens=False)["input_ids"]
        if not ids or ids[0] == unknown:
            ids = found.tokenizer(other, add_special_tokens=False)["input_ids"]
        out.append(ids[-1])
    return out[0], out[1]


def modes(found: LM, mode: str, seed: object = 0) -> Tensor | None:
    """(2, d) float32 on the model's device, the vector before a content for each side; None without a mode.

    'learned' ones begin at the tokens' embeddings.
    """
    if mode == "none":
        return None
    weight = found.model.get_input_embeddings().weight.detach()
    if mode == "random":
        drawn = torch.randn(2, weight.shape[1], generator=devices.torch_rng("softprompt", "modes", seed))
        return (drawn * spread(found)).to(weight.device)
    both = weight[list(mode_tokens(found))].float()
    return both.flip(0) if mode == "swapped" else both


def start(found: LM, job: Job, search: Search, unit: float | None = None) -> Tensor:
    """(k, d) float32 on the CPU: the job's own start, or one drawn by its name and restart alone. unit: the model's `spread`,
    where it is known already."""
    if job.start is not None:
        return job.start.detach().float().cpu()
    rng = devices.torch_rng("softprompt", job.name, job.restart)
    return torch.randn(job.k, width(found), generator=rng) * (search.spread * (unit or spread(found)))


@contextmanager
def frozen(found: LM) -> Iterator[None]:
    """The model with weights that take no gradient and, where it uses sdpa and no window, on a GPU without masks."""
    net = found.model
    wanted = [p for p in net.parameters() if p.requires_grad]
    for p in wanted:
        p.requires_grad_(False)
    plain = net.config._attn_implementation == "sdpa" and net.device.type == "cuda" and not _windowed(net.config)
    if plain:
        register()
        net.config._attn_implementation = CAUSAL
    try:
        yield
    finally:
        if plain:
            net.config._attn_implementation = "sdpa"
        for p in wanted:
            p.requires_grad_(True)


def _windowed(config) -> bool:
    kinds = {*(getattr(config, "layer_types", None) or ())} - {"full_attention"}
    return bool(kinds) or bool(getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True))


def register() -> None:
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    AttentionInterface.register(CAUSAL, sdpa_attention_forward)


def logits(found: LM, prompts: Tensor, texts: Tensor, extra: int = 0) -> Tensor:
    """(B, extra + L, V) float32: what the model predicts at the last position of a prompt and at all of its text but the last.

    prompts (B, P, d) float32; texts (B, L - 1, d), the embeddings of the tokens that are read, in the model's type; extra: also
    at so many positions before. The head is applied to these positions only; nothing is masked, for padding lies behind.
    """
    whole = torch.cat([prompts.to(texts.dtype), texts], 1)  # (B, P + L - 1, d)
    last = texts.shape[1] + 1 + extra
    return found.model(inputs_embeds=whole, use_cache=False, logits_to_keep=last).logits[:, -last:].float()


def costs(predicted: Tensor, targets: Tensor) -> Tensor:
    """(B, L) nats: -log p of every target (B, L) under logits (B, L, V)."""
    flat = F.cross_entropy(predicted.flatten(0, 1), targets.flatten(), reduction="none")
    return flat.view(targets.shape)


@torch.no_grad()
def margins(predicted: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """(B,): by how much the logit of the right token exceeds all others, least over a text's tokens; above 0 the argmax is
    right everywhere. predicted (B, L, V), targets and valid (B, L)."""
    right = predicted.gather(-1, targets[..., None])[..., 0]  # (B, L)
    others = predicted.detach().scatter(-1, targets[..., None], -torch.inf).amax(-1)
    return (right - others).masked_fill(~valid, torch.inf).amin(1)


@torch.inference_mode()
def greedy(found: LM, prompts: Tensor, new: int) -> Tensor:
    """(B, new) ids on the CPU: what the model says after prompts (B, P, d), each token fed back; nothing stops at an end."""
    net = found.model
    step = {"inputs_embeds": prompts.to(net.device, net.dtype)}
    cache, out = None, []
    for _ in range(new):
        told = net(**step, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache, token = told.past_key_values, told.logits[:, -1].float().argmax(-1, keepdim=True)  # (B, 1)
        out.append(token)
        step = {"input_ids": token}
    return torch.cat(out, 1).cpu()


def embed(found: LM, ids: Sequence[Sequence[int]] | Tensor) -> Tensor:
    """(B, L, d) embeddings of token ids, in the model's type and on its device."""
    ids = torch.as_tensor(ids, dtype=torch.long, device=found.model.device)
    return found.model.get_input_embeddings()(ids).detach()


def ids(found: LM, text: Sequence[int]) -> Tensor:
    """(L,) token ids on the model's device."""
    return torch.tensor(text, device=found.model.device)


def front(found: LM, job: Job, search: Search, side: int = 0) -> Tensor:
    """(P, d) in the model's type: what stands before a text of a side when its search begins."""
    both, content = modes(found, search.mode), start(found, job, search).to(found.model.device)
    return (content if both is None else torch.cat([both[side : side + 1], content])).to(found.model.dtype)
