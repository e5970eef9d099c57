"""GPT-2's blocks with their products in single precision taken as products of halves, which a GPU does ten times as fast.

A number is a half-precision number and, 2048 times enlarged, another for what that one leaves out (Ootomo & Yokota 2022,
arXiv 2203.03341, §3): x = h + l/2048, and xy = h h' + (h l' + l h')/2048 to about 2⁻²², sums in single precision. The two small
terms are one product of twice the depth, and so is the bias, in two columns of ones. Numbers beyond 65,504 do not fit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from helpers.fused import device as on
from helpers.separability.decoders import CLOSE, GPT2, differs, tower

try:
    import triton

    from helpers.separability import half_kernels
except ImportError:  # the CPU build of torch comes without it
    triton = half_kernels = None

LEFT = 2.0**11  # what is left out of a half is this many times smaller
ONES = 8  # columns for the bias, of which two are used: rows keep to addresses divisible by 16
MOST = 30.0  # of a bias, which is enlarged, too
POSITIONS = 128  # of a prompt, that the kernel of attention takes


class Product:
    """x (…, i) times a matrix (i, o) plus a bias (o,). Raises ValueError for a bias that does not fit."""

    def __init__(self, matrix: Tensor, bias: Tensor):
        if float(bias.abs().max()) > MOST:
            raise ValueError(f"a bias of {float(bias.abs().max()):.3g} is beyond {MOST:g}: use exact products")
        self.high, low = parted(matrix.float())
        self.size, enlarged = len(matrix), bias.float() * LEFT
        ones = self.high.new_zeros(ONES, matrix.shape[1])
        ones[0] = enlarged
        ones[1] = enlarged - ones[0].float()
        self.crossed = torch.cat([low, self.high, ones])  # (2i + 8, o)

    def __call__(self, x: Tensor, gelu: bool = False) -> Tensor:
        """gelu: of x through GPT-2's activation."""
        halves = rows(x.reshape(-1, self.size), gelu)
        out = _added(_product(halves, self.crossed), halves[:, : self.size], self.high)
        return out.view(*x.shape[:-1], -1)


class Halved(GPT2):
    """A GPT-2 in single precision, whose blocks multiply in halves. The unembedding does not."""

    def __init__(self, model: nn.Module):
        super().__init__(model)
        if model.dtype != torch.float32 or not self.tanh:
            kind = model.config.activation_function
            raise ValueError(
                f"halves stand for float32 and gelu_new; this model has {model.dtype} and {kind}: use `read`"
            )
        modules = lambda block: (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj)
        self.products = [[Product(m.weight.detach(), m.bias.detach()) for m in modules(b)] for b in self.body.h]

    def queries(self, layer: int, resid: Tensor, last: bool) -> tuple[Tensor, Tensor, Tensor]:
        parts = self._mixed(layer, resid).unflatten(-1, (3, self.heads, -1)).movedim(2, 0).transpose(2, 3)
        return (parts[0][:, :, -1:] if last else parts[0]), parts[1], parts[2]

    def z(self, layer: int, resid: Tensor, last: bool = False) -> Tensor:
        size = resid.shape[-1] // self.heads
        if resid.shape[1] > POSITIONS or size not in (16, 32, 64, 128) or not on.available(resid.device):
            return super().z(layer, resid, last)
        found = attended(self._mixed(layer, resid), self.heads)
        return found[:, -1:] if last else found

    def attended(self, layer: int, z: Tensor) -> Tensor:
        return self.products[layer][1](z.flatten(-2))

    def mlp(self, layer: int, mid: Tensor) -> Tensor:
        first, second = self.products[layer][2:]
        return second(first(self.body.h[layer].ln_2(mid)), gelu=True)

    def _mixed(self, layer: int, resid: Tensor) -> Tensor:
        """(B, T, 3 H E) queries, keys and values."""
        return self.products[layer][0](self.body.h[layer].ln_1(resid))


@torch.no_grad()
def read(model: nn.Module) -> Halved:
    """A GPT-2 as `decoders.read` sees it, held to the model's own logits. Raises ValueError where halves do not reach them."""
    decoder = Halved(tower(model))
    wrong = differs(decoder, tower(model))
    if not wrong <= CLOSE:
        raise ValueError(f"in halves the logits are missed by {wrong:.2g} of their spread: use `decoders.read`")
    return decoder


def parted(x: Tensor) -> tuple[Tensor, Tensor]:
    """A number's half, and 2048 times what it leaves out."""
    high = x.half()
    return high, ((x - high.float()) * LEFT).half()


def rows(x: Tensor, gelu: bool = False) -> Tensor:
    """(R, i) to (R, 2i + 8) halves: the numbers, what they leave out, and two columns of ones."""
    r, i = x.shape
    if on.available(x.device):
        x, out = x.contiguous(), torch.empty(r, 2 * i + ONES, dtype=torch.float16, device=x.device)
        with on.on(x.device):
            half_kernels.parted[r, triton.cdiv(i, 1024)](x, out, i, GELU=gelu, ONES=ONES, COLS=1024)
        return out
    high, low = parted(F.gelu(x, approximate="tanh") if gelu else x)
    return torch.cat([high, low, (torch.arange(ONES, device=x.device) < 2).half().expand(r, -1)], 1)


def attended(mixed: Tensor, heads: int) -> Tensor:
    """(B, T, 3 H E) to (B, T, H, E): causal attention over short prompts, in single precision."""
    b, t, size = *mixed.shape[:2], mixed.shape[2] // (3 * heads)
    out = mixed.new_empty(b, t, heads, size)
    with on.on(mixed.device):
        half_kernels.attended[b, heads](
            mixed, out, t, size**-0.5, H=heads, E=size, T=max(16, triton.next_power_of_2(t)), num_warps=2
        )
    return out


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Halves (R, k) by halves (k, o), summed in single precision."""
    return torch.mm(a, b, out_dtype=torch.float32) if a.is_cuda else a.float() @ b.float()


def _added(small: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """small / 2048 + a b."""
    if a.is_cuda:
        return torch.addmm(small, a, b, out_dtype=torch.float32, beta=1 / LEFT)
    return torch.addmm(small, a.float(), b.float(), beta=1 / LEFT)
