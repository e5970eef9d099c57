"""The symbolic task's models: small transformers trained side by side, then each one as a GPT-2 of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices, stacked
from helpers.separability.models import Architecture, forward, one
from helpers.separability.repair.config import TEMPLATES, Symbols
from helpers.separability.repair.prompts import slots
from helpers.work import Work

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

DECAY, BETAS = 0.01, (0.9, 0.98)
WARM, COOL = 50, 0.3  # steps in which the rate rises, and the share of the steps in which it falls to zero


def architecture(config: Symbols) -> Architecture:
    size = {"d": config.d, "heads": config.heads, "d_head": config.d // config.heads, "d_mlp": config.d_mlp}
    return Architecture(vocab=config.names + config.fillers, length=config.length, layers=config.layers, **size)


def members(config: Symbols) -> list[tuple[float, int]]:
    """(dropout, seed) of every model, in the order of the stack."""
    return [(dropout, seed) for dropout in config.dropouts for seed in range(config.seeds)]


def trained(config: Symbols, device: str, work: Work) -> stacked.Params:
    """{name: (M, …)} on the CPU: `members`, each seed with its own start and prompts, the same at every dropout."""
    return work.tensors(("indirect-object toy", device, config), lambda: _train(config, device))


def _train(config: Symbols, device: str) -> stacked.Params:
    arch = architecture(config)
    params = {
        k: v.to(device) for k, v in stacked.pile([one(arch, "indirect object", s) for _, s in members(config)]).items()
    }
    drawn = [_batches(config, dropout, seed) for dropout, seed in members(config)]
    tokens, wanted, kept = (torch.stack([d[i] for d in drawn], 1).to(device) for i in range(3))  # (steps, M, B, …)

    def loss(p: stacked.Params, clock: Tensor) -> Tensor:
        x, y, keep = (v.index_select(0, clock.view(1))[0] for v in (tokens, wanted, kept))
        edits = {f"z.{k}": lambda z, k=k: z * keep[:, :, None, k, :, None] for k in range(config.layers)}
        logits = forward(p, x.long(), arch, edits if any(config.dropouts) else None, last=1)[:, :, 0]  # (M, B, V)
        return F.cross_entropy(logits.flatten(0, 1), y.long().flatten(), reduction="none").view(y.shape).mean(1)

    def rate(age: Tensor) -> Tensor:
        rises, falls = (age + 1) / WARM, (config.steps - age) / max(1, COOL * config.steps)
        return config.rate * torch.minimum(rises, falls).clamp(max=1)

    stacked.fit(params, loss, lr=rate, steps=config.steps, betas=BETAS, decay=DECAY)
    return params


def _batches(config: Symbols, dropout: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """One model's training: tokens (steps, B, T), the name that follows (steps, B), heads that are kept (steps, B, L,
    H)."""
    rng = devices.torch_rng("indirect object", "training", seed)
    n, places = config.steps * config.batch, torch.tensor(slots(config))
    tokens = torch.randint(config.names, config.names + config.fillers, (n, config.length), generator=rng)
    a = torch.randint(config.names, (n,), generator=rng)
    b = (a + torch.randint(1, config.names, (n,), generator=rng)) % config.names
    twice = torch.randint(2, (n,), generator=rng).bool()  # whether B comes again, or A
    at = places[torch.randint(TEMPLATES, (n,), generator=rng)]  # (n, 3)
    tokens.scatter_(1, at, torch.stack([a, b, torch.where(twice, b, a)], 1))
    kept = torch.rand(config.steps, config.batch, config.layers, config.heads, generator=rng) >= dropout
    shape = config.steps, config.batch
    return tokens.view(*shape, -1).short(), torch.where(twice, a, b).view(shape).short(), kept


def as_gpt2(params: stacked.Params, index: int, config: Symbols) -> GPT2LMHeadModel:
    """One model of the stack as a GPT-2 of the same logits, in eval mode."""
    from transformers import GPT2Config, GPT2LMHeadModel

    size = {"n_embd": config.d, "n_layer": config.layers, "n_head": config.heads, "n_inner": config.d_mlp}
    ends = {"bos_token_id": 0, "eos_token_id": 0, "tie_word_embeddings": False, "activation_function": "relu"}
    vocab = config.names + config.fillers
    model = GPT2LMHeadModel(GPT2Config(vocab_size=vocab, n_positions=config.length, **size, **ends))
    p = {name: value[index] for name, value in params.items()}
    state = {"transformer.wte.weight": p["W_E"], "transformer.wpe.weight": p["W_pos"], "lm_head.weight": p["W_U"].T}
    state |= {"transformer.ln_f.weight": p["ln_final.w"], "transformer.ln_f.bias": p["ln_final.b"]}
    for k in range(config.layers):
        at = f"transformer.h.{k}"
        wide = torch.cat([p[f"W_{n}.{k}"].transpose(0, 1).flatten(1) for n in "QKV"], 1)  # (d, 3 · H · E)
        state |= {f"{at}.attn.c_attn.weight": wide, f"{at}.attn.c_attn.bias": wide.new_zeros(wide.shape[1])}
        state |= {
            f"{at}.attn.c_proj.weight": p[f"W_O.{k}"].flatten(0, 1),
            f"{at}.attn.c_proj.bias": wide.new_zeros(config.d),
        }
        state |= {f"{at}.mlp.c_fc.weight": p[f"W_in.{k}"], f"{at}.mlp.c_fc.bias": p[f"b_in.{k}"]}
        state |= {f"{at}.mlp.c_proj.weight": p[f"W_out.{k}"], f"{at}.mlp.c_proj.bias": p[f"b_out.{k}"]}
        for i in (1, 2):
            state |= {f"{at}.ln_{i}.weight": p[f"ln{i}.w.{k}"], f"{at}.ln_{i}.bias": p[f"ln{i}.b.{k}"]}
    model.load_state_dict(state)
    return model.eval()
