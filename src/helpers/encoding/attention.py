"""Small causal transformers with codes of different widths, trained side by side as one tensor program.

Only the code differs between models: a table V×d, projected up to a stream of one width D by a trained d×D matrix
(Lan et al. 2020, §3.1, factorised embedding). So narrow and wide codes share every other shape and train in one stack.
Attention can be switched off in single models; what is left is a context-free model of the same size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices
from helpers.encoding.config import Reading
from helpers.stacked import Params


def shapes(config: Reading, vocab: int, d: int) -> dict[str, tuple[int, int]]:
    """Shape of every parameter of a model with a code of width d: V×d, a stream of D, a hidden layer of 4 D."""
    stream, hidden = config.stream, 4 * config.stream
    out = {"code": (vocab, d), "up": (d, stream), "place": (config.length, stream)}
    for k in range(config.layers):
        out |= {f"{n}{k}": (stream, stream) for n in "qkvo"}
        out |= {f"w{k}": (stream, hidden), f"a{k}": (1, hidden), f"z{k}": (hidden, stream)}
    return out | {"head": (stream, vocab), "bias": (1, vocab)}


@lru_cache(maxsize=1024)
def one(config: Reading, vocab: int, d: int, seed: int) -> Mapping[str, Tensor]:
    """Initial parameters of one model, the same for every arm. The projected code has unit scale whatever its width."""
    out = {}
    for name, size in shapes(config, vocab, d).items():
        scale = {"code": 1.0, "place": 0.3, "bias": 0.0}.get(name, 1 / math.sqrt(size[0]))
        scale *= {"a": 0.0, "w": math.sqrt(2), "z": 0.5, "o": 0.5, "h": 0.5}.get(name[0], 1.0)
        out[name] = scale * torch.randn(size, generator=devices.torch_rng("transformer", name, size, seed))
    return out


def forward(params: Params, config: Reading, x: Tensor, attend: Tensor) -> Tensor:
    """Logits (M, B, T, V) of the token after each position of x (M, B, T). attend: (M,), 0 switches attention off.

    Pre-norm blocks (Xiong et al. 2020) without learned norms; positions are learned.
    """
    count, batch, length = x.shape
    stream, vocab = params["head"].shape[1:]
    flat = (x + vocab * torch.arange(count, device=x.device)[:, None, None]).reshape(count, -1)  # (M, BT)
    h = F.embedding(flat, params["code"].reshape(count * vocab, -1)) @ params["up"]  # (M, BT, D)
    h = h + params["place"][:, :length].repeat(1, batch, 1)
    on = attend.view(-1, 1, 1)
    for k in range(config.layers):
        n = F.layer_norm(h, (stream,))
        q, key, v = (_heads(n @ params[f"{w}{k}"], batch, config.heads) for w in "qkv")  # (MB, heads, T, D/heads)
        mixed = F.scaled_dot_product_attention(q, key, v, is_causal=True).transpose(1, 2)
        h = h + on * (mixed.reshape(count, -1, stream) @ params[f"o{k}"])
        n = F.layer_norm(h, (stream,))
        h = h + torch.relu(torch.baddbmm(params[f"a{k}"], n, params[f"w{k}"])) @ params[f"z{k}"]
    logits = torch.baddbmm(params["bias"], F.layer_norm(h, (stream,)), params["head"])
    return logits.view(count, batch, length, vocab)


def losses(params: Params, config: Reading, tokens: Tensor, attend: Tensor, start: int = 0) -> Tensor:
    """(M,) mean cross-entropy, nats a token, of tokens[:, :, start + 1 :] given what stands before. tokens: (M, B, T + 1)."""
    logits = forward(params, config, tokens[..., :-1], attend)[:, :, start:]  # (M, B, T - start, V)
    targets = tokens[..., start + 1 :]
    flat = F.cross_entropy(logits.flatten(0, 2), targets.reshape(-1), reduction="none")
    return flat.view(len(tokens), -1).mean(1)


def _heads(x: Tensor, batch: int, heads: int) -> Tensor:
    """(M, B·T, D) to (M·B, heads, T, D/heads)."""
    count, rows, stream = x.shape
    return x.view(count * batch, rows // batch, heads, stream // heads).transpose(1, 2)
