"""Small causal transformers with codes of different widths, trained side by side as one tensor program.

Only the code differs between models: a table V×d, projected up to a stream of one width D by a trained d×D matrix
(Lan et al. 2020, §3.1, factorised embedding). So narrow and wide codes share every other shape and train in one stack.
Attention can be switched off in single models; what is left is a context-free model of the same size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import devices, stacked


@dataclass(frozen=True)
class Shape:
    """Sizes shared by a stack: vocabulary V, stream D, hidden layer H, heads, layers, longest context T."""

    vocab: int
    stream: int
    hidden: int
    heads: int
    layers: int
    length: int

    def __post_init__(self):
        if self.stream % self.heads:
            raise ValueError(f"stream={self.stream} is not a multiple of heads={self.heads}")

    def parameters(self, d: int) -> dict[str, tuple[int, int]]:
        """Shape of every parameter of a model with a code of width d."""
        v, s, h = self.vocab, self.stream, self.hidden
        out = {"code": (v, d), "up": (d, s), "place": (self.length, s)}
        for k in range(self.layers):
            out |= {f"{n}{k}": (s, s) for n in "qkvo"}
            out |= {f"w{k}": (s, h), f"a{k}": (1, h), f"z{k}": (h, s)}
        return out | {"head": (s, v), "bias": (1, v)}


@lru_cache(maxsize=1024)
def one(shape: Shape, d: int, seed: int) -> Mapping[str, Tensor]:
    """Initial parameters of one model, the same for every arm. The projected code has unit scale whatever its width."""
    out = {}
    for name, size in shape.parameters(d).items():
        scale = {"code": 1.0, "place": 0.3, "bias": 0.0}.get(name, 1 / math.sqrt(size[0]))
        scale *= {"a": 0.0, "w": math.sqrt(2), "z": 0.5, "o": 0.5, "h": 0.5}.get(name[0], 1.0)
        noise = torch.randn(size, generator=devices.torch_rng("transformer", name, size, seed))
        out[name] = noise * scale
    return out


def forward(params: stacked.Params, shape: Shape, x: Tensor, attend: Tensor) -> Tensor:
    """Logits (M, B, T, V) of the token after each position of x (M, B, T). attend: (M,), 0 switches attention off.

    Pre-norm blocks (Xiong et al. 2020) without learned norms; positions are learned.
    """
    count, batch, length = x.shape
    flat = (x + shape.vocab * torch.arange(count, device=x.device)[:, None, None]).reshape(count, -1)  # (M, BT)
    h = F.embedding(flat, params["code"].reshape(count * shape.vocab, -1)) @ params["up"]  # (M, BT, D)
    h = h + params["place"][:, :length].repeat(1, batch, 1)
    on = attend.view(-1, 1, 1)
    for k in range(shape.layers):
        n = F.layer_norm(h, (shape.stream,))
        q, key, v = (_heads(n @ params[f"{w}{k}"], batch, shape.heads) for w in "qkv")  # (MB, heads, T, D/heads)
        mixed = F.scaled_dot_product_attention(q, key, v, is_causal=True).transpose(1, 2)
        h = h + on * (mixed.reshape(count, -1, shape.stream) @ params[f"o{k}"])
        n = F.layer_norm(h, (shape.stream,))
        h = h + torch.relu(torch.baddbmm(params[f"a{k}"], n, params[f"w{k}"])) @ params[f"z{k}"]
    logits = torch.baddbmm(params["bias"], F.layer_norm(h, (shape.stream,)), params["head"])
    return logits.view(count, batch, length, shape.vocab)


def losses(params: stacked.Params, shape: Shape, tokens: Tensor, attend: Tensor, start: int = 0) -> Tensor:
    """(M,) mean cross-entropy, nats a token, of tokens[:, :, start + 1 :] given what stands before. tokens: (M, B, T + 1)."""
    logits = forward(params, shape, tokens[..., :-1], attend)[:, :, start:]  # (M, B, T - start, V)
    targets = tokens[..., start + 1 :]
    flat = F.cross_entropy(logits.reshape(-1, shape.vocab), targets.reshape(-1), reduction="none")
    return flat.view(len(tokens), -1).mean(1)


@dataclass(frozen=True, order=True)
class Reader:
    """One model of a grid of transformers."""

    arm: str
    d: int
    attend: bool
    seed: int
    rate: float


def train(
    models: list[Reader],
    shape: Shape,
    batch: Callable[[Tensor], Tensor],
    held: Mapping[str, Tensor],
    *,
    steps: int,
    code: Callable[[Reader], Tensor | None],
    learns: Callable[[Reader], bool],
    start: int = 0,
    device: str = "cpu",
    live: Callable[[int, Tensor], None] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Train a stack of transformers side by side.

    batch(step) -> (S, B, T + 1) tokens on the device, step a 0-d tensor; held: {"validation", "test"}: (S, N, T + 1).
    code: the frozen or initial code (V, d) of a model, None for a fresh one. start: the first position
    whose next token counts. Returns curves (M, marks, 2) of validation and test loss at `stacked.spaced(steps, 12)`, and
    the projected embeddings (V, D) of every model.
    """
    starts = []
    for m in models:
        given = code(m)
        starts.append(dict(one(shape, m.d, m.seed)) | ({} if given is None else {"code": given}))
    params = {k: v.to(device) for k, v in stacked.pile(starts).items()}
    seeds = torch.tensor([m.seed for m in models], device=device)
    attend = torch.tensor([float(m.attend) for m in models], device=device)
    learn = torch.tensor([float(learns(m)) for m in models], device=device)
    rate = torch.tensor([m.rate for m in models], device=device)
    held = {k: v.to(device) for k, v in held.items()}
    marks, curve = stacked.spaced(steps, 12), []

    def probe(p):
        seen = []
        for tokens in held.values():
            parts = [losses(p, shape, t[seeds], attend, start) * t.shape[1] for t in tokens.split(32, 1)]
            seen.append(sum(parts) / tokens.shape[1])
        curve.append(torch.stack(seen, 1).cpu())  # (M, 2)
        if live:
            live(marks[len(curve) - 1], curve[-1][:, 0])

    def loss(p, t):
        return losses(p, shape, batch(t)[seeds], attend, start)

    with _tensor_cores():
        stacked.fit(params, loss, lr=rate, steps=steps, learn={"code": learn}, log=marks, probe=probe)
    embeddings = [(params["code"][i] @ params["up"][i]).cpu() for i in range(len(models))]
    return torch.stack(curve, 1), embeddings


@contextmanager
def _tensor_cores():
    """TF32 products on a GPU: ten bits of mantissa are enough for a stochastic gradient, and several times faster."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _heads(x: Tensor, batch: int, heads: int) -> Tensor:
    """(M, B·T, D) to (M·B, heads, T, D/heads)."""
    count, rows, stream = x.shape
    return x.view(count * batch, rows // batch, heads, stream // heads).transpose(1, 2)
