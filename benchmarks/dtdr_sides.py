"""The sides of the benchmark `dtdr`: what each does with the same matrices, and that all give the same answer."""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable

import numpy as np
import torch
from scipy import fft
from torch import Tensor

from helpers import fused
from helpers.codec import codec as coding
from helpers.codec import decoding, fills, hashing, transform

NAME = "weight"
FRACTION = 0.6
# of `check`; 4e-3 for the others. The compiled encoder's sums are ordered otherwise, and some codes fall on the other side
LIMITS = {"torch.compile, GEMM": 1e-2, "encode": 1e-3, "encode, torch.compile": 2e-2}
PLAIN, MIXED = "torchao, dequantise only", "torchao + Hadamard GEMM"  # of a library that need not be there
LIMITS[MIXED] = LIMITS["torch.compile, GEMM"]
# torchao's guides compile with "max-autotune". That records no CUDA graph of a function that writes in place; `record` does
TUNED = "max-autotune-no-cudagraphs"


def shapes(size: str) -> list[tuple[int, int]]:
    """(out, in) of every matrix of Mistral-7B; or of a small model, for a trial."""
    d, kv, hidden, vocab, layers = (4096, 1024, 14336, 32768, 32) if size == "mistral-7b" else (512, 128, 1792, 1024, 4)
    layer = [(d, d), (kv, d), (kv, d), (d, d), (hidden, d), (hidden, d), (d, hidden)]
    return [(vocab, d), *(layer * layers), (vocab, d)]


def draw(rows: int, width: int, device: str, heavy: bool = False) -> Tensor:
    """Random bf16 weights, Gaussian or Student-t with 3 degrees of freedom, made on the device."""
    w = torch.randn(rows, width, device=device) * 0.02
    if heavy:
        w /= (torch.randn(3, rows, width, device=device) ** 2).mean(0).sqrt()
    return w.to(torch.bfloat16)


def butterfly(x: Tensor, block: int) -> Tensor:
    """Orthonormal Walsh-Hadamard transform of blocks, as one writes it in torch: sums and differences. (n, block)."""
    half = 1
    while half < block:
        pair = x.view(-1, block // (2 * half), 2, half)
        x = torch.stack([pair[:, :, 0] + pair[:, :, 1], pair[:, :, 0] - pair[:, :, 1]], 2).view(-1, block)
        half *= 2
    return x * block**-0.5


@functools.cache
def compiled(function: Callable, mode: str | None = None) -> Callable:
    """torch.compile with fixed shapes, when it is first called."""
    return torch.compile(function, dynamic=False, mode=mode)


def record(run: Callable, device: str) -> Callable:
    """The work of `run` as a CUDA graph, so that launching it takes no time; `run` itself on other devices.

    `run` is called twice: to be compiled and tuned, then to be recorded. Unlike `torch.cuda.graph`, this does not empty the
    allocator's cache, which would slow the next turn of the other sides.
    """
    if not device.startswith("cuda"):
        return run
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        run()
        torch.cuda.synchronize()
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            run()
        finally:
            graph.capture_end()
    return graph.replay


@functools.cache
def torchao() -> Callable | None:
    """torchao's `dequantize_affine`; None, and a line printed, where it cannot be imported.

    Its warnings that compiled extensions did not load are dropped: this function needs none of them.
    """
    quiet = lambda line: not str(line.msg).startswith(("Failed to load", "Skipping import of cpp extensions"))
    log = logging.getLogger("torchao")
    log.addFilter(quiet)
    try:
        return importlib.import_module("torchao.quantization.quant_primitives").dequantize_affine
    except Exception as e:  # a version that does not match torch may fail in any way
        print(f"torchao cannot be imported, its sides are left out ({type(e).__name__}: {e})", flush=True)
        return None
    finally:
        log.removeFilter(quiet)


def decode_butterfly(codes: Tensor, scales: Tensor, flips: Tensor, block: int, out: Tensor) -> None:
    x = (codes.view(-1, block).float() * scales.view(-1, 1).float()).view(-1, block)
    out.copy_(butterfly(x, block).view(out.shape) * flips)


def decode_gemm(codes: Tensor, scales: Tensor, flips: Tensor, h: Tensor, out: Tensor) -> None:
    x = codes.view(-1, len(h)).to(out.dtype) * scales.view(-1, 1).to(out.dtype)
    out.copy_((x @ h).view(out.shape) * flips.to(out.dtype))


def decode_plain(dequantise: Callable, codes: Tensor, scales: Tensor, block: int, out: Tensor) -> None:
    out.copy_(dequantise(codes, (1, block), scales, None, torch.int8, output_dtype=out.dtype))


def decode_mixed(
    dequantise: Callable, codes: Tensor, scales: Tensor, flips: Tensor, h: Tensor, block: int, out: Tensor
) -> None:
    x = dequantise(codes, (1, block), scales, None, torch.int8, output_dtype=out.dtype)
    out.copy_((x.view(-1, block) @ h).view(out.shape) * flips.to(out.dtype))


def encode_butterfly(weight: Tensor, flips: Tensor, block: int) -> tuple[Tensor, Tensor]:
    return coding.quantise(butterfly((weight.float() * flips).view(-1, block), block).view(weight.shape), block)


class Model:
    """A list of matrices, their codes, and what the sides need; decoding writes over the weights in place."""

    def __init__(self, sizes: list[tuple[int, int]], codec: coding.Codec, device: str, heavy: bool = False):
        self.codec, self.names = codec, [f"{NAME}.{i}" for i in range(len(sizes))]
        self.weights = [draw(*size, device, heavy) for size in sizes]
        self.coded = [coding.encode(w, codec, n) for w, n in zip(self.weights, self.names, strict=True)]
        self.blocks = [codec.block_of(w.shape[1]) for w in self.weights]
        self.keys = [codec.sign_key(n) for n in self.names]
        self.flips = [hashing.signs(k, w.shape[1], device) for k, w in zip(self.keys, self.weights, strict=True)]
        self.h = {b: (transform.sylvester(b) * b**-0.5).to(device, torch.bfloat16) for b in set(self.blocks)}
        self.device, self.recorded = device, {}
        prior = [(c.codes, c.scales) for c in self.coded]  # the answer itself: the time does not depend on what it says
        parts = zip(self.coded, self.weights, self.blocks, self.keys, prior, strict=True)
        self.group = fused.Group([fused.Item(c.codes, c.scales, w, b, k, p) for c, w, b, k, p in parts])

    def masks(self, fraction: float) -> dict:
        keys = [hashing.key32(0, n, "mask") for n in self.names]
        return {"mask_keys": keys, "thresholds": [hashing.threshold(fraction)] * len(keys)}

    def decode(self, fraction: float = 1.0, fill: str = "zero") -> None:
        masks, weights, keys = self.masks(fraction), None, None
        if fill == "random":
            weights = self.group.moments(**masks)[:, 2].float()
            keys = [tuple(hashing.key32(0, n, p) for p in ("fill", "fill/angle")) for n in self.names]
        elif fill != "zero":
            weights = [1 / fraction if fill == "gain" else 0.15] * len(self.names)
        self.group.decode(**masks, fill=fill, weights=weights, fill_keys=keys)

    def decode_each(self) -> None:
        for coded, out in zip(self.coded, self.weights, strict=True):
            decoding.decode(coded, out=out)

    def decode_torch(self) -> None:
        for coded, out in zip(self.coded, self.weights, strict=True):
            decoding.decode(coded, FRACTION, out=out, kernel=False)

    def decode_compiled(self, side: Callable) -> None:
        for c, f, b, w in zip(self.coded, self.flips, self.blocks, self.weights, strict=True):
            compiled(side)(c.codes, c.scales, f, b if side is decode_butterfly else self.h[b], w)

    def decode_torchao(self, side: str) -> None:
        if side not in self.recorded:
            self.recorded[side] = record(lambda: self._launch_torchao(side), self.device)
        self.recorded[side]()

    def _launch_torchao(self, side: str) -> None:
        for c, f, b, w in zip(self.coded, self.flips, self.blocks, self.weights, strict=True):
            if side == PLAIN:
                compiled(decode_plain, TUNED)(torchao(), c.codes, c.scales, b, w)
            else:
                compiled(decode_mixed, TUNED)(torchao(), c.codes, c.scales, f, self.h[b], b, w)

    def encode(self) -> list[tuple[Tensor, Tensor]]:
        parts = zip(self.weights, self.blocks, self.keys, strict=True)
        return _finite([fused.encode(w, block=b, sign_key=k, check=False) for w, b, k in parts])

    def encode_torch(self) -> list[tuple[Tensor, Tensor]]:
        found = (coding.encode(w, self.codec, n, kernel=False) for w, n in zip(self.weights, self.names, strict=True))
        return [(c.codes, c.scales) for c in found]

    def encode_compiled(self) -> list[tuple[Tensor, Tensor]]:
        parts = zip(self.weights, self.flips, self.blocks, strict=True)
        return _finite([compiled(encode_butterfly)(w, f, b) for w, f, b in parts])

    def sides(self) -> dict[str, Callable]:
        peers = (PLAIN, MIXED) if torchao() else ()
        return {
            "clone": lambda: [w.clone() for w in self.weights],
            "decode": self.decode,
            f"decode, f={FRACTION}": lambda: self.decode(FRACTION),
            f"decode, f={FRACTION}, guided": lambda: self.decode(FRACTION, "guided"),
            f"decode, f={FRACTION}, random": lambda: self.decode(FRACTION, "random"),
            "decode, matrix by matrix": self.decode_each,
            "torch.compile, butterfly": lambda: self.decode_compiled(decode_butterfly),
            "torch.compile, GEMM": lambda: self.decode_compiled(decode_gemm),
            **{side: functools.partial(self.decode_torchao, side) for side in peers},
            f"torch, f={FRACTION}": self.decode_torch,
            "encode": self.encode,
            "encode, torch": self.encode_torch,
            "encode, torch.compile": self.encode_compiled,
        }


def _finite(found: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    if not bool(torch.stack([scales.isfinite().all() for _, scales in found]).all()):
        raise ValueError("a weight is NaN or infinite")
    return found


def check(codec: coding.Codec, sizes: list[tuple[int, int]], device: str) -> dict[str, float]:
    """Relative distance from the torch path in float32; for encode the share of other codes. AssertionError past LIMITS.

    The side that only dequantises is held to codes times scales.
    """
    found: dict[str, float] = {}

    def hold(side: str, gap: float) -> None:
        found[side] = max(gap, found.get(side, 0.0))
        assert gap <= LIMITS.get(side, 4e-3), f"{side}: {gap:.2g} from the torch path"

    for heavy in (False, True):
        model = Model(list(dict.fromkeys(sizes)), codec, device, heavy)
        exact = model.encode_torch()
        for side in ("encode", "encode, torch.compile"):
            off = [(a - b).abs() for (a, _), (b, _) in zip(model.sides()[side](), exact, strict=True)]
            assert all(int(o.max()) <= 1 for o in off), f"{side}: a code is more than one step off"
            hold(side, max(float((o > 0).float().mean()) for o in off))
        for side, run in model.sides().items():
            if "encode" in side or side == "clone":
                continue
            fraction = FRACTION if "f=" in side else 1.0
            kind = next((k for k in ("guided", "random") if k in side), "zero")
            _poison(model)
            run()
            for coded, out in zip(model.coded, model.weights, strict=True):
                fill = fills.Fill(kind, 0.15, coded) if kind == "guided" else fills.Fill(kind)
                plain = side == PLAIN  # codes times scales: no transform, no signs
                wanted = coded.coefficients() if plain else decoding.decode(coded, fraction, fill=fill, kernel=False)
                hold(side, float((out - wanted).norm() / wanted.norm()))
    return found


def _poison(model: Model) -> None:
    for w in model.weights:
        w.fill_(float("nan"))


def numpy_butterfly(x: np.ndarray) -> np.ndarray:
    """(n, block) float32: the transform by sums and differences, in numpy."""
    n, block = x.shape
    half = 1
    while half < block:
        pair = x.reshape(n, block // (2 * half), 2, half)
        x = np.stack([pair[:, :, 0] + pair[:, :, 1], pair[:, :, 0] - pair[:, :, 1]], 2).reshape(n, block)
        half *= 2
    return x * np.float32(block**-0.5)


def cpu_sides(codec: coding.Codec, rows: int = 1024, width: int = 4096) -> tuple[dict[str, Callable], dict[str, float]]:
    """The sides on one matrix, in float32; how far ours is from numpy, and scipy from our DCT codec."""
    w = draw(rows, width, "cpu").float()
    coded = coding.encode(w, codec, NAME)
    cosine = coding.encode(w, coding.Codec("dct", cap=codec.cap, seed=codec.seed), NAME)
    flips, out = coded.codec.flips(NAME, width, "cpu").numpy(), torch.empty_like(w)

    def dequantised(stored: coding.Encoded) -> np.ndarray:
        codes, scales = stored.codes.numpy(), stored.scales.numpy()
        return codes.reshape(-1, stored.block).astype(np.float32) * scales.reshape(-1, 1).astype(np.float32)

    workers = torch.get_num_threads()
    sides = {
        "clone": lambda: w.clone(),
        "decode": lambda: decoding.decode(coded, out=out),
        f"decode, f={FRACTION}": lambda: decoding.decode(coded, FRACTION, out=out),
        "numpy, butterfly": lambda: numpy_butterfly(dequantised(coded)).reshape(w.shape) * flips,
        "scipy.fft.idct": lambda: (
            fft.idct(dequantised(cosine), norm="ortho", axis=-1, workers=workers).reshape(w.shape) * flips
        ),
        "encode": lambda: coding.encode(w, codec, NAME),
    }
    gap = lambda found, wanted: float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    differences = {
        "decode": gap(decoding.decode(coded).numpy(), sides["numpy, butterfly"]()),
        "scipy.fft.idct": gap(sides["scipy.fft.idct"](), decoding.decode(cosine).numpy()),
    }
    for side, found in differences.items():
        assert found <= 1e-5, f"{side}: {found:.2g} away"
    return sides, differences
