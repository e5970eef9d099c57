"""Training of context-free models in one GPU kernel: a program holds a whole model and its optimiser on the chip.

The stacked engine (`stacked.fit`) streams every tensor of every model through memory a few dozen times a step. Here one
program owns one model, keeps parameters and both Adam moments in registers over many steps, and touches memory only for
the table of transitions. It computes what `stacked.fit` computes, which is its fallback and its oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import Tensor

from helpers.checks import expect
from helpers.fused import available
from helpers.stacked import BETAS, EPSILON, Params, schedule

try:
    import triton
    import triton.language as tl
except ImportError:  # the CPU build of torch comes without it
    triton = None

WARPS = 4  # of 32 threads a model; on an H200 4, 8 and 16 gave 6.1, 3.0 and 0.8 million model-steps a second
MOST = 64  # tokens, numbers of a code, hidden units: what the shared memory of one multiprocessor holds
PRECISION = "bf16x3"  # three tensor-core products for each one, close to float32; "ieee" is exact and slow
NAMES = ("code", "w1", "b1", "w2", "b2")  # of the read-out that it trains, mlp


def takes(params: Params, readout: str) -> bool:
    """Whether the kernel can train this stack: read-out, sizes, device, and a triton that can build for it."""
    if triton is None or readout != "mlp" or "up" in params:
        return False
    small = max(*params["code"].shape[1:], params["w1"].shape[2]) <= MOST
    return small and available(params["code"].device)


def fit(
    params: Params,
    readout: str,
    tables: Tensor,
    index: Tensor,
    *,
    lr: Tensor,
    steps: int,
    learn: Tensor | None = None,
    log: Collection[int] = (),
    probe: Callable[[Params], Tensor] | None = None,
) -> list[Tensor]:
    """`stacked.fit` for cross-entropy against tables (G, V, V), model m against tables[index[m]]; trains in place.

    lr: (M,). learn: (M,) of 0 and 1, whether the code is trained. Raises ValueError when `takes` is false.
    """
    refused = f"the fused kernel does not take readout={readout!r} with these sizes; use stacked.fit"
    expect(takes(params, readout), refused)
    device = params["code"].device
    count, vocab, d = params["code"].shape
    hidden = params["w1"].shape[2]
    size = {"V": _pad(vocab), "D": _pad(d), "H": _pad(hidden)}
    full = {"code": "VD", "w1": "DH", "b1": "H", "w2": "HV", "b2": "V"}
    state = {}  # value and both moments
    for n in NAMES:
        value = _padded(params[n], [size[a] for a in full[n]])
        state[n] = [value, torch.zeros_like(value), torch.zeros_like(value)]
    padded = torch.zeros(len(tables), size["V"], size["V"], device=device)
    padded[:, :vocab, :vocab] = tables
    index, lr = index.to(device, torch.int32), lr.to(device, torch.float32)
    learn = torch.ones(count, device=device) if learn is None else learn.to(device, torch.float32)
    rates = schedule(steps).to(device, torch.float32).contiguous()
    pointers = [tensor for n in NAMES for tensor in state[n]]
    marks, seen, at = sorted({*log, steps}), [], 0
    for mark in marks:
        if mark > at:
            _mlp[(count,)](
                *pointers, padded, index, rates, lr, learn, at, mark - at, vocab, **size,
                B1=BETAS[0], B2=BETAS[1], EPS=EPSILON, PRECISION=PRECISION, num_warps=WARPS, num_stages=1,
            )  # fmt: skip
            at = mark
        if mark in log:
            _read_back(params, state)
            seen.append(probe(params))
    _read_back(params, state)
    return seen


def _pad(n: int) -> int:
    return max(16, 1 << (n - 1).bit_length())  # a matrix product on the chip wants 16 or more


def _padded(p: Tensor, size: list[int]) -> Tensor:
    p = p.squeeze(1) if len(size) == 1 else p  # biases are stored (M, 1, n)
    out = torch.zeros(p.shape[0], *size, device=p.device)
    out[(slice(None), *(slice(0, n) for n in p.shape[1:]))] = p
    return out


def _read_back(params: Params, state: dict[str, list[Tensor]]) -> None:
    for name, (value, _, _) in state.items():
        p = params[name]
        cut = value if value.dim() == 3 else value[:, None]
        p.copy_(cut[:, : p.shape[1], : p.shape[2]])


if triton is not None:

    @triton.jit
    def _adam(p, m, v, g, rate, root, B1: tl.constexpr, B2: tl.constexpr, EPS: tl.constexpr):
        m = B1 * m + (1 - B1) * g
        v = B2 * v + (1 - B2) * g * g
        return p - rate * m / (tl.sqrt(v) + EPS * root), m, v

    @triton.jit
    def _slope(logits, table, weight, inside):
        """Gradient of the cross-entropy in the logits: weight · softmax - table, row by row."""
        logits = tl.where(inside, logits, -float("inf"))
        e = tl.exp(logits - tl.max(logits, 1)[:, None])
        return e * (weight / tl.sum(e, 1))[:, None] - table

    @triton.jit
    def _mlp(
        C, Cm, Cv, W1, W1m, W1v, b1, b1m, b1v, W2, W2m, W2v, b2, b2m, b2v,
        tables, index, schedule, lrs, learns, first, steps, vocab,
        V: tl.constexpr, D: tl.constexpr, H: tl.constexpr,
        B1: tl.constexpr, B2: tl.constexpr, EPS: tl.constexpr, PRECISION: tl.constexpr,
    ):  # fmt: skip
        i = tl.program_id(0).to(tl.int64)
        rv, rd, rh = tl.arange(0, V), tl.arange(0, D), tl.arange(0, H)
        vd = i * V * D + rv[:, None] * D + rd[None, :]
        dh = i * D * H + rd[:, None] * H + rh[None, :]
        hv = i * H * V + rh[:, None] * V + rv[None, :]
        oh, ov = i * H + rh, i * V + rv
        c, cm, cv = tl.load(C + vd), tl.load(Cm + vd), tl.load(Cv + vd)
        w1, w1m, w1v = tl.load(W1 + dh), tl.load(W1m + dh), tl.load(W1v + dh)
        w2, w2m, w2v = tl.load(W2 + hv), tl.load(W2m + hv), tl.load(W2v + hv)
        a1, a1m, a1v = tl.load(b1 + oh), tl.load(b1m + oh), tl.load(b1v + oh)
        a2, a2m, a2v = tl.load(b2 + ov), tl.load(b2m + ov), tl.load(b2v + ov)
        lr, learn = tl.load(lrs + i), tl.load(learns + i)
        where = tl.load(index + i).to(tl.int64) * V * V + rv[:, None] * V + rv[None, :]
        table = tl.load(tables + where)
        weight = tl.sum(table, 1)
        inside = rv[None, :] < vocab
        for t in range(first, first + steps):
            rate, root = lr * tl.load(schedule + 2 * t), tl.load(schedule + 2 * t + 1)
            pre = tl.dot(c, w1, input_precision=PRECISION) + a1[None, :]
            h = tl.maximum(pre, 0.0)
            g = _slope(tl.dot(h, w2, input_precision=PRECISION) + a2[None, :], table, weight, inside)
            gh = tl.where(pre > 0, tl.dot(g, tl.trans(w2), input_precision=PRECISION), 0.0)
            gw2 = tl.dot(tl.trans(h), g, input_precision=PRECISION)
            gw1 = tl.dot(tl.trans(c), gh, input_precision=PRECISION)
            gc = tl.dot(gh, tl.trans(w1), input_precision=PRECISION) * learn
            c, cm, cv = _adam(c, cm, cv, gc, rate, root, B1, B2, EPS)
            w1, w1m, w1v = _adam(w1, w1m, w1v, gw1, rate, root, B1, B2, EPS)
            w2, w2m, w2v = _adam(w2, w2m, w2v, gw2, rate, root, B1, B2, EPS)
            a1, a1m, a1v = _adam(a1, a1m, a1v, tl.sum(gh, 0), rate, root, B1, B2, EPS)
            a2, a2m, a2v = _adam(a2, a2m, a2v, tl.sum(g, 0), rate, root, B1, B2, EPS)
        tl.store(C + vd, c), tl.store(Cm + vd, cm), tl.store(Cv + vd, cv)
        tl.store(W1 + dh, w1), tl.store(W1m + dh, w1m), tl.store(W1v + dh, w1v)
        tl.store(W2 + hv, w2), tl.store(W2m + hv, w2m), tl.store(W2v + hv, w2v)
        tl.store(b1 + oh, a1), tl.store(b1m + oh, a1m), tl.store(b1v + oh, a1v)
        tl.store(b2 + ov, a2), tl.store(b2m + ov, a2m), tl.store(b2v + ov, a2v)
