"""Many small models trained side by side as one tensor program.

Every parameter carries a leading model axis M. One batched matrix product serves all models, and the gradient of the
summed loss is each model's own, because no model appears in another's loss. A code narrower than its stack is padded
with zero columns, and the rows that would read them are zero too: both gradients are then exactly zero, and the padding
stays zero without a mask.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache

import torch
from torch import Tensor

from helpers import devices

READOUTS = ("linear", "mlp", "residual")
BETAS, EPSILON = (0.9, 0.999), 1e-8
GRAPHS = os.environ.get("RUC_CUDA_GRAPHS", "1") != "0"  # a way out for a driver that cannot record
Params = dict[str, Tensor]


def forward(params: Params, readout: str) -> Tensor:
    """Logits (M, V, V) of the token after each of the V tokens.

    linear:   code @ w + b. Its logits have rank d, plus the bias.
    mlp:      relu(code @ w1 + b1) @ w2 + b2.
    residual: the published network. Twice h ← h + relu(h Wv W1) W2 on a stream of the code's own width, then a linear
              layer: no attention, no positions. Its logits, too, have rank d.
    """
    c = params["code"]  # (M, V, d)
    if "up" in params:
        c = c @ params["up"]  # (M, V, D)
    if readout == "mlp":
        h = torch.relu(torch.baddbmm(params["b1"], c, params["w1"]))  # (M, V, h)
        return torch.baddbmm(params["b2"], h, params["w2"])
    if readout == "residual":
        for k in "01":
            c = c + torch.relu(c @ params["v" + k] @ params["w" + k]) @ params["o" + k]
    return torch.baddbmm(params["b"], c, params["w"]) if "b" in params else c @ params["w"]


def shapes(readout: str, vocab: int, d: int, hidden: int, up: int = 0) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter of one model. up: width D of a factorised code, V×d times d×D; 0 for none."""
    if readout not in READOUTS:
        raise ValueError(f"readout={readout!r} is unknown; use one of {', '.join(READOUTS)}")
    out, width = {"code": (vocab, d)}, up or d
    if up:
        out["up"] = (d, up)
    if readout == "mlp":
        return out | {"w1": (width, hidden), "b1": (1, hidden), "w2": (hidden, vocab), "b2": (1, vocab)}
    if readout == "residual":
        for k in "01":
            out |= {"v" + k: (width, width), "w" + k: (width, hidden), "o" + k: (hidden, width)}
    return out | {"w": (width, vocab), "b": (1, vocab)}


@lru_cache(maxsize=4096)
def one(readout: str, vocab: int, d: int, hidden: int, seed: int, up: int = 0) -> Mapping[str, Tensor]:
    """Initial parameters of one model: the same for every arm, so that arms with one seed differ in the code alone.

    The code is N(0, 0.1²), as the published one; matrices are N(0, g²/fan-in) with g² = 2 before a ReLU (He et al. 2015) and
    small towards the logits; biases before a ReLU are spread, so that a one-dimensional code can be cut anywhere.
    """
    gain = {"code": 0.1, "b": 0.0, "b2": 0.0, "b1": 0.5, "w": 0.5, "w2": 0.5, "w1": math.sqrt(2), "w0": math.sqrt(2)}
    found = {}
    for name, shape in shapes(readout, vocab, d, hidden, up).items():
        scale = gain.get(name, 1.0) / (1.0 if name in ("code", "b1") else math.sqrt(shape[0]))
        noise = torch.randn(shape, generator=devices.torch_rng("init", name, readout, vocab, d, hidden, seed, up))
        found[name] = noise * scale
    return found


def pile(models: Collection[Mapping[str, Tensor]]) -> Params:
    """Stack single models into one set of (M, …) parameters, padding each axis with zeros to the largest."""
    out = {}
    for name in next(iter(models)):
        parts = [m[name] for m in models]
        size = [max(p.shape[i] for p in parts) for i in range(2)]
        out[name] = torch.zeros(len(parts), *size)
        for i, p in enumerate(parts):
            out[name][i, : p.shape[0], : p.shape[1]] = p
    return out


def cross_entropy(logits: Tensor, weights: Tensor) -> Tensor:
    """(M,): -sum of weights · log softmax(logits), for weights (M, V, V) that sum to one in each model. Nats a token."""
    return -(weights * torch.log_softmax(logits, -1)).sum((1, 2))


def fit(
    params: Params,
    loss: Callable[[Params, Tensor], Tensor],
    *,
    lr: Tensor,
    steps: int,
    learn: Mapping[str, Tensor | bool] | None = None,
    log: Collection[int] = (),
    probe: Callable[[Params], Tensor] | None = None,
    graph: bool | None = None,
) -> list[Tensor]:
    """Train in place with Adam (Kingma & Ba 2015, algorithm 1), every model with its own learning rate.

    loss(params, clock) -> (M,), where clock is the step as a 0-d tensor. lr: (M,). learn: False freezes a parameter in all
    models; an (M,) tensor of 0 and 1 freezes it in some. graph: record one step as a CUDA graph and replay it, by default on a
    GPU, where launching the kernels of a step takes longer than running them; the loss must then be free of side
    effects. Returns probe(params) at every step of `log` (0: before training), in order.
    """
    learn = dict(learn or {})
    names = [k for k in params if learn.get(k) is not False]
    live = [params[k].requires_grad_(True) for k in names]
    masks = [learn[k].view(-1, 1, 1) if k in learn and learn[k] is not True else None for k in names]
    first, second = ([torch.zeros_like(p) for p in live] for _ in range(2))
    rate, device = lr.view(-1, 1, 1), live[0].device
    clock, rates = torch.zeros((), dtype=torch.long, device=device), schedule(steps).to(device, live[0].dtype)
    b1, b2 = BETAS

    def advance() -> None:
        gradients = torch.autograd.grad(loss(params, clock).sum(), live)
        with torch.no_grad():
            factor, root = rates.index_select(0, clock.view(1))[0]
            step, floor = rate * factor, EPSILON * root
            for p, m, v, g, mask in zip(live, first, second, gradients, masks, strict=True):
                g = g if mask is None else g * mask
                m.lerp_(g, 1 - b1)
                v.mul_(b2).addcmul_(g, g, value=1 - b2)
                scale = torch.sqrt(v).add_(floor)
                p.sub_(torch.div(m, scale, out=scale).mul_(step))
            clock.add_(1)

    use_graph = device.type == "cuda" and GRAPHS if graph is None else graph
    step = _recorded(advance, [*live, *first, *second, clock]) if use_graph else advance
    seen, wanted = [], set(log)
    for t in range(steps + 1):
        if t in wanted:
            with torch.no_grad():
                seen.append(probe(params))
        if t < steps:
            step()
    for p in live:
        p.requires_grad_(False)
    return seen


def schedule(steps: int) -> Tensor:
    """(steps, 2): Adam's bias corrections, folded: the factor on the rate, and the one on epsilon; in double precision."""
    n = torch.arange(1, steps + 1, dtype=torch.float64)
    root = (1 - BETAS[1] ** n).sqrt()
    return torch.stack([root / (1 - BETAS[0] ** n), root], 1)


def _recorded(advance: Callable[[], None], state: list[Tensor]) -> Callable[[], None]:
    """One call of `advance` as a CUDA graph. It is run a few times to warm up, and `state` is put back after that."""
    before = [x.detach().clone() for x in state]
    side, current = torch.cuda.Stream(), torch.cuda.current_stream()
    side.wait_stream(current)
    with torch.cuda.stream(side):
        for _ in range(3):
            advance()
            with torch.no_grad():
                for x, old in zip(state, before, strict=True):
                    x.copy_(old)
    current.wait_stream(side)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        advance()
    return recorded.replay


def spaced(steps: int, count: int = 24) -> list[int]:
    """Steps at which to look: 0, the last, and about `count` between them, evenly spaced in the logarithm."""
    if steps < 1:
        raise ValueError(f"steps={steps}: training needs at least one step")
    between = (round(steps ** (i / count)) for i in range(count + 1))
    return sorted({0, *between, steps})
